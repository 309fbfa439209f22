//! What we tell people: one line per kind and ten seconds, with the real cause.
//!
//! The worker writes these, never an instrumented thread.

use std::time::{Duration, Instant};

use otlp_core::Signal;
use otlp_core::export::ExportError;

use crate::pipeline::DropReason;

/// Rate-limited messages of one worker.
#[derive(Debug, Default)]
pub(crate) struct Notices {
    retry: Limiter,
    dropped: Limiter,
    rejected: Limiter,
    warning: Limiter,
}

impl Notices {
    pub(crate) fn will_retry(
        &mut self,
        signal: Signal,
        destination: &str,
        items: u64,
        error: &ExportError,
        wait: Duration,
    ) {
        if let Some(repeated) = self.retry.pass() {
            tracing::warn!(target: TARGET, signal = signal.name(), destination, items, %error, ?wait, repeated,
                "export failed and will be tried again");
        }
    }

    pub(crate) fn dropped(
        &mut self,
        signal: Signal,
        destination: &str,
        items: u64,
        reason: DropReason,
        error: &ExportError,
    ) {
        if let Some(repeated) = self.dropped.pass() {
            tracing::error!(target: TARGET, signal = signal.name(), destination, items, reason = reason.name(), %error, repeated,
                "export failed; the items are dropped and counted");
        }
    }

    pub(crate) fn rejected(&mut self, signal: Signal, destination: &str, rejected: u64, message: &str) {
        if let Some(repeated) = self.rejected.pass() {
            tracing::warn!(target: TARGET, signal = signal.name(), destination, rejected, message = %printable(message), repeated,
                "the server rejected part of a request; it will not be sent again");
        }
    }

    pub(crate) fn server_warning(&mut self, destination: &str, message: &str) {
        if let Some(repeated) = self.warning.pass() {
            tracing::warn!(target: TARGET, destination, message = %printable(message), repeated,
                "the server took everything and sent a warning");
        }
    }
}

/// Lets one message through per ten seconds, with the number of those held back before it.
#[derive(Debug, Default)]
pub(crate) struct Limiter {
    last: Option<Instant>,
    held_back: u64,
}

impl Limiter {
    pub(crate) fn pass(&mut self) -> Option<u64> {
        let now = Instant::now();
        if self.last.is_some_and(|last| now.saturating_duration_since(last) < PERIOD) {
            self.held_back += 1;
            return None;
        }
        self.last = Some(now);
        Some(std::mem::take(&mut self.held_back))
    }
}

/// Text from outside: escaped, and cut to 256 characters.
fn printable(text: &str) -> String {
    text.chars().take(256).flat_map(char::escape_debug).collect()
}

const PERIOD: Duration = Duration::from_secs(10);
const TARGET: &str = "otlp_sdk";
