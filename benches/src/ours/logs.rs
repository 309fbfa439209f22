//! Our logger provider.

use std::sync::Arc;
use std::time::Duration;

use otlp_sdk::logs::LoggerProvider;
use otlp_sdk::trace::TracerProvider;
use otlp_sdk::tracing_layer::TracingLayer;

use super::{Local, Watched, account, resource};
use crate::decode;
use crate::subject::{Account, Control, Failure, LocalExport, Progress};

/// A logger provider for a bridge, and what belongs to it. The exporter ends in this process.
#[must_use]
pub fn local_parts(export: LocalExport) -> (LoggerProvider, impl Control, Arc<Progress>) {
    parts(export)
}

/// Our layer for `tracing`, whose events become log records, and what belongs to it.
#[must_use]
pub fn layer_parts(export: LocalExport) -> (TracingLayer, impl Control, Arc<Progress>) {
    let (provider, control, progress) = parts(export);
    // Nobody makes spans.
    let spans = TracerProvider::builder().with_resource(resource()).build();
    (TracingLayer::new(&spans).with_logger_provider(&provider), control, progress)
}

fn parts(export: LocalExport) -> (LoggerProvider, Provider, Arc<Progress>) {
    let progress = Arc::new(Progress::default());
    let local = Local { export, decode: decode::records };
    let exporter = Watched { inner: local, progress: Arc::clone(&progress) };
    let provider =
        LoggerProvider::builder().with_resource(resource()).with_batch_exporter(exporter).build();
    (provider.clone(), Provider(provider), progress)
}

struct Provider(LoggerProvider);

impl Control for Provider {
    fn flush(&self) -> Result<(), Failure> {
        Ok(self.0.force_flush()?)
    }

    fn shutdown(&self, timeout: Duration) -> Result<(), Failure> {
        Ok(self.0.shutdown_with_timeout(timeout)?)
    }

    fn account(&self) -> Option<Account> {
        Some(account(&self.0.ledger()))
    }
}
