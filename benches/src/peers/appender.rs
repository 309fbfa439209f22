//! Applications that log with `tracing`, with `opentelemetry-appender-tracing` as the bridge to a
//! logger provider.
//!
//! The application's code and the bridge are the same on both sides; the provider differs.

use std::sync::Arc;

use opentelemetry::logs::{Logger, LoggerProvider};
use opentelemetry_appender_tracing::layer::OpenTelemetryTracingBridge;

use super::tracing::Instrumented;
use crate::subject::{Control, Progress, Subject};
use crate::workload::logs;

/// What the results call this peer.
pub const NAME: &str = "the same appender over opentelemetry_sdk 0.33";

/// Puts the bridge in front of a logger provider.
pub fn bridged<P, C>((provider, control, progress): (P, C, Arc<Progress>)) -> impl Subject
where
    P: LoggerProvider + Send + Sync + 'static,
    P::Logger: Logger + Send + Sync + 'static,
    C: Control,
{
    let layer = OpenTelemetryTracingBridge::new(&provider);
    Instrumented::new(layer, logs::run, control, progress)
}
