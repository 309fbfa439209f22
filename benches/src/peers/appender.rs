//! Applications that log with `tracing`, with `opentelemetry-appender-tracing` as the bridge to a
//! logger provider.
//!
//! The application's code is the same on both sides. In the rows of the appender the bridge is too,
//! and the provider differs; in the other our layer stands against the appender over the official
//! provider.

use std::sync::Arc;

use opentelemetry::logs::{Logger, LoggerProvider};
use opentelemetry_appender_tracing::layer::OpenTelemetryTracingBridge;
use tracing_subscriber::{Layer, Registry};

use super::tracing::Instrumented;
use crate::subject::{Control, Progress, Subject};
use crate::workload::logs;

/// What the results call this peer.
pub const NAME: &str = "opentelemetry-appender-tracing 0.33 over opentelemetry_sdk 0.33";

/// Puts the bridge in front of a logger provider.
pub fn bridged<P, C>((provider, control, progress): (P, C, Arc<Progress>)) -> impl Subject
where
    P: LoggerProvider + Send + Sync + 'static,
    P::Logger: Logger + Send + Sync + 'static,
    C: Control,
{
    subscribed((OpenTelemetryTracingBridge::new(&provider), control, progress))
}

/// Log records with four attributes, under a registry with this layer and no other.
pub fn subscribed<L, C>((layer, control, progress): (L, C, Arc<Progress>)) -> impl Subject
where
    L: Layer<Registry> + Send + Sync,
    C: Control,
{
    Instrumented::new(layer, logs::run, control, progress)
}

#[cfg(test)]
mod tests {
    use opentelemetry::logs::LogRecord as _;

    use super::*;
    use crate::ours;
    use crate::peers::official;
    use crate::rounds;
    use crate::subject::LocalExport;

    #[test]
    fn every_record_of_every_side_decodes_to_what_was_logged() {
        let check = LocalExport::Check;
        rounds::check(&bridged(ours::logs::local_parts(check))).unwrap();
        rounds::check(&subscribed(ours::logs::layer_parts(check))).unwrap();
        rounds::check(&bridged(official::logs::local_parts(check))).unwrap();
    }

    #[test]
    fn a_record_that_is_not_as_it_was_logged_does_not_come_through() {
        refuses(ours::logs::local_parts(LocalExport::Check));
        refuses(official::logs::local_parts(LocalExport::Check));
    }

    fn refuses<P, C>((provider, control, progress): (P, C, Arc<Progress>))
    where
        P: LoggerProvider,
        C: Control,
    {
        let logger = provider.logger(logs::TARGET);
        let mut record = logger.create_log_record();
        record.set_body("something else".into());
        logger.emit(record);
        // One side says so here, the other in its log.
        let _ = control.flush();
        assert_eq!(progress.spans(), 0);
    }
}
