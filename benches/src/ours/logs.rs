//! Our logger provider.

use std::sync::Arc;
use std::time::Duration;

use otlp_sdk::logs::LoggerProvider;

use super::{Local, Watched, account, resource};
use crate::decode;
use crate::subject::{Account, Control, Failure, LocalExport, Progress};

/// A logger provider for a bridge, and what belongs to it. The exporter ends in this process.
#[must_use]
pub fn local_parts(export: LocalExport) -> (LoggerProvider, impl Control, Arc<Progress>) {
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
