//! What we tell people: one line per kind and ten seconds, with the real cause.
//!
//! The worker writes these, never an instrumented thread.

use std::sync::Arc;
use std::time::{Duration, Instant};

use otlp_core::Signal;
use otlp_core::export::ExportError;
pub(crate) use otlp_core::export::text::printable;
use otlp_core::export::text::printable_within;

use crate::pipeline::DropReason;

/// Rate-limited messages of one worker.
#[derive(Debug)]
pub(crate) struct Notices {
    signal: Signal,
    destination: Arc<str>,
    retry: Limiter,
    dropped: Limiter,
    refused: Limiter,
    rejected: Limiter,
    warning: Limiter,
}

impl Notices {
    pub(crate) fn new(signal: Signal, destination: Arc<str>) -> Self {
        let [retry, dropped, refused, rejected, warning] =
            std::array::from_fn(|_| Limiter::default());
        Self { signal, destination, retry, dropped, refused, rejected, warning }
    }

    pub(crate) fn will_retry(&mut self, items: usize, error: &ExportError, wait: Duration) {
        if let Some(repeated) = self.retry.pass(Instant::now()) {
            tracing::warn!(target: TARGET, signal = self.signal.name(), destination = &*self.destination,
                items, error = %line(error), ?wait, repeated, "export failed and will be tried again");
        }
    }

    pub(crate) fn dropped(&mut self, items: usize, reason: DropReason, error: &ExportError) {
        if let Some(repeated) = self.dropped.pass(Instant::now()) {
            tracing::error!(target: TARGET, signal = self.signal.name(), destination = &*self.destination,
                items, reason = reason.name(), error = %line(error), repeated,
                "export failed; the items are dropped and counted");
        }
    }

    /// Items that never got into the queue, since the last message of this kind.
    pub(crate) fn refused(&mut self, refused: Refused, last_error: Option<&ExportError>) -> bool {
        let passed = self.refused.pass(Instant::now()).is_some();
        if passed {
            let last_error = last_error.map_or_else(|| "none".to_owned(), line);
            let Refused { queue_full, too_large, max_queue_bytes, max_request_bytes } = refused;
            tracing::error!(target: TARGET, signal = self.signal.name(), destination = &*self.destination,
                queue_full, too_large, max_queue_bytes, max_request_bytes, last_error,
                "items were not taken into the export queue; they are dropped and counted");
        }
        passed
    }

    pub(crate) fn rejected(&mut self, rejected: u64, message: &str) {
        if let Some(repeated) = self.rejected.pass(Instant::now()) {
            tracing::warn!(target: TARGET, signal = self.signal.name(), destination = &*self.destination,
                rejected, server_message = printable(message), repeated,
                "the server rejected part of a request; it will not be sent again");
        }
    }

    pub(crate) fn server_warning(&mut self, message: &str) {
        if let Some(repeated) = self.warning.pass(Instant::now()) {
            tracing::warn!(target: TARGET, signal = self.signal.name(), destination = &*self.destination,
                server_message = printable(message), repeated,
                "the server took everything and sent a warning");
        }
    }
}

/// Items that did not get into the queue, and the limits that kept them out.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Refused {
    pub(crate) queue_full: u64,
    pub(crate) too_large: u64,
    pub(crate) max_queue_bytes: usize,
    pub(crate) max_request_bytes: usize,
}

/// Lets one message through per ten seconds, with the number of those held back before it.
#[derive(Debug, Default)]
pub(crate) struct Limiter {
    last: Option<Instant>,
    held_back: u64,
}

impl Limiter {
    pub(crate) fn pass(&mut self, now: Instant) -> Option<u64> {
        if self.last.is_some_and(|last| now.saturating_duration_since(last) < PERIOD) {
            self.held_back += 1;
            return None;
        }
        self.last = Some(now);
        Some(std::mem::take(&mut self.held_back))
    }
}

/// An error with its causes on one line. Each part of it from outside is cut already, by whoever
/// made the error; this bounds what a user's own exporter says.
fn line(error: &ExportError) -> String {
    printable_within(&error.to_string(), ERROR_BYTES)
}

const PERIOD: Duration = Duration::from_secs(10);
const ERROR_BYTES: usize = 1024;
const TARGET: &str = "otlp_sdk";

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_message_passes_per_period_and_tells_how_many_were_held_back() {
        let (mut limiter, start) = (Limiter::default(), Instant::now());
        let pass =
            |limiter: &mut Limiter, seconds| limiter.pass(start + Duration::from_secs(seconds));
        assert_eq!(pass(&mut limiter, 0), Some(0));
        assert_eq!([pass(&mut limiter, 1), pass(&mut limiter, 9)], [None, None]);
        assert_eq!(pass(&mut limiter, 10), Some(2));
        assert_eq!(pass(&mut limiter, 25), Some(0));
    }

    #[test]
    fn an_error_says_its_causes_and_is_bounded() {
        let error = ExportError::new(otlp_core::export::ErrorKind::Other, "x".repeat(5000));
        assert!(line(&error).len() <= ERROR_BYTES + '…'.len_utf8());
        let cause = std::io::Error::other("connection refused\n(os error 111)");
        let error = ExportError::new(otlp_core::export::ErrorKind::Connect, "no connection")
            .with_source(cause);
        assert_eq!(line(&error), "no connection: connection refused\\n(os error 111)");
    }
}
