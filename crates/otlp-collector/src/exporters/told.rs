//! What is odd about settings is said once.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use crate::component::Host;

/// Whether something was said: settings are opened once for each signal, and what is odd about them is said once.
#[derive(Clone, Debug, Default)]
pub(crate) struct Told(Arc<AtomicBool>);

impl Told {
    /// Logs what is odd, unless that was done.
    pub(crate) fn warn(&self, host: &Host, warnings: impl FnOnce() -> Vec<String>) {
        if self.0.swap(true, Ordering::Relaxed) {
            return;
        }
        for warning in warnings() {
            tracing::warn!(target: "otlp_collector", exporter = %host.id(), "{warning}");
        }
    }
}
