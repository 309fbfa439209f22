//! What we tell people: one line per kind and ten seconds, with the real cause.
//!
//! The worker writes these, never an instrumented thread.

use std::num::NonZeroUsize;
use std::sync::Arc;
use std::time::{Duration, Instant};

use otlp_core::Signal;
use otlp_core::export::ExportError;
pub(crate) use otlp_core::export::text::printable;
use otlp_core::export::text::printable_within;

use crate::pipeline::DropReason;
use crate::say::say;

/// Rate-limited messages of one worker. What the limit holds back is told as a sum: with the next
/// message of its kind, by itself when none comes, and at the latest when the worker ends.
#[derive(Debug)]
pub(crate) struct Notices {
    signal: Signal,
    destination: Arc<str>,
    retry: Limiter,
    dropped: Limiter,
    refused: Limiter,
    rejected: Limiter,
    warning: Limiter,
    recovery: Limiter,
    limited: Limiter,
    /// Attempts that have failed since one succeeded.
    failures: u64,
}

impl Notices {
    pub(crate) fn new(signal: Signal, destination: Arc<str>) -> Self {
        let [retry, dropped, refused, rejected, warning, recovery, limited] =
            std::array::from_fn(|_| Limiter::default());
        let failures = 0;
        Self {
            signal,
            destination,
            retry,
            dropped,
            refused,
            rejected,
            warning,
            recovery,
            limited,
            failures,
        }
    }

    pub(crate) fn will_retry(&mut self, items: usize, error: &ExportError, wait: Duration) {
        self.failures += 1;
        let error = line(error);
        if let Some(held) = self.retry.pass(now(), 0, &error) {
            say!(
                Warn,
                signal = self.signal.name(),
                destination = &*self.destination,
                items,
                error,
                ?wait,
                repeated = held.messages,
                "export failed and will be tried again"
            );
        }
    }

    /// An export has succeeded. After failures that is news, and what they had to say is old.
    pub(crate) fn succeeded(&mut self) {
        let failures = std::mem::take(&mut self.failures);
        if failures > 0 {
            let _ = self.retry.rest();
            if self.recovery.pass(now(), 0, "").is_some() {
                say!(
                    Info,
                    signal = self.signal.name(),
                    destination = &*self.destination,
                    failed_attempts = failures,
                    "exports succeed again; what was kept is being sent"
                );
            }
        }
    }

    /// Whether attempts have failed since one succeeded.
    pub(crate) fn has_failures(&self) -> bool {
        self.failures > 0
    }

    /// A failure after which shutdown ends before the next attempt may start.
    pub(crate) fn no_time_left(&mut self, items: usize, error: &ExportError) {
        let error = line(error);
        if let Some(held) = self.retry.pass(now(), 0, &error) {
            say!(
                Warn,
                signal = self.signal.name(),
                destination = &*self.destination,
                items,
                error,
                repeated = held.messages,
                "export failed and shutdown leaves no time for another attempt"
            );
        }
    }

    pub(crate) fn dropped(&mut self, items: usize, reason: DropReason, error: &ExportError) {
        let error = line(error);
        if let Some(held) = self.dropped.pass(now(), items as u64, &error) {
            say!(
                Error,
                signal = self.signal.name(),
                destination = &*self.destination,
                items,
                reason = reason.name(),
                error,
                repeated = held.messages,
                repeated_items = held.items,
                "export failed; the items are dropped and counted"
            );
        }
    }

    /// Items that never got into the queue, since the last message of this kind.
    pub(crate) fn refused(&mut self, refused: Refused, last_error: Option<&ExportError>) -> bool {
        // What it holds back needs no sum: the counts are totals, and they are told again.
        let passed = self.refused.pass(now(), 0, "").is_some();
        if passed {
            let last_error = last_error.map_or_else(|| "none".to_owned(), line);
            let Refused {
                queue_full,
                too_large,
                max_queue_size,
                max_queue_bytes,
                max_request_bytes,
            } = refused;
            let max_queue_size =
                max_queue_size.map_or_else(|| "no limit".to_owned(), |items| items.to_string());
            say!(
                Error,
                signal = self.signal.name(),
                destination = &*self.destination,
                queue_full,
                too_large,
                max_queue_size,
                max_queue_bytes,
                max_request_bytes,
                last_error,
                "items were not taken into the export queue; they are dropped and counted"
            );
        }
        passed
    }

    /// Items that were taken without a part of them, in all.
    pub(crate) fn limited(&mut self, limited: u64) -> bool {
        // What it holds back needs no sum: the count is a total, and it is told again.
        let passed = self.limited.pass(now(), 0, "").is_some();
        if passed {
            let what = match self.signal {
                Signal::Metrics => {
                    "data points went without attributes that had no key or were larger than any request"
                }
                _ => {
                    "items went without some of their attributes, events, links or deeply nested values, which \
                     were beyond the limits; each says how many attributes, events and links it lost"
                }
            };
            say!(
                Warn,
                signal = self.signal.name(),
                destination = &*self.destination,
                limited,
                "{what}"
            );
        }
        passed
    }

    pub(crate) fn rejected(&mut self, rejected: u64, message: &str) {
        let server_message = printable(message);
        if let Some(held) = self.rejected.pass(now(), rejected, &server_message) {
            say!(
                Warn,
                signal = self.signal.name(),
                destination = &*self.destination,
                rejected,
                server_message,
                repeated = held.messages,
                repeated_items = held.items,
                "the server rejected part of a request; it will not be sent again"
            );
        }
    }

    pub(crate) fn server_warning(&mut self, message: &str) {
        let server_message = printable(message);
        if let Some(held) = self.warning.pass(now(), 0, &server_message) {
            say!(
                Warn,
                signal = self.signal.name(),
                destination = &*self.destination,
                server_message,
                repeated = held.messages,
                "the server took the request and sent a warning"
            );
        }
    }

    /// Whether something is held back that has to be told in the end.
    pub(crate) fn holds_back(&self) -> bool {
        let limiters = [&self.retry, &self.dropped, &self.rejected, &self.warning];
        limiters.iter().any(|limiter| limiter.held.messages > 0)
    }

    /// Tells what has been held back and is due, since no message came to tell it.
    pub(crate) fn overdue(&mut self) {
        let now = now();
        self.tell_held(|limiter| limiter.overdue(now));
    }

    /// Tells all that is held back, and lets the refused items be told once more.
    pub(crate) fn last_words(&mut self) {
        self.tell_held(Limiter::rest);
        self.refused = Limiter::default();
        self.limited = Limiter::default();
    }

    fn tell_held(&mut self, take: impl Fn(&mut Limiter) -> Option<Held>) {
        let (signal, destination) = (self.signal.name(), &*self.destination);
        // No sum of items: each attempt has the same ones again.
        if let Some(Held { messages, last: error, .. }) = take(&mut self.retry) {
            say!(
                Warn,
                signal,
                destination,
                messages,
                error,
                "more attempts failed since the last message"
            );
        }
        if let Some(Held { messages, items, last: error }) = take(&mut self.dropped) {
            say!(
                Error,
                signal,
                destination,
                messages,
                items,
                error,
                "more exports failed since the last message; the items are dropped and counted"
            );
        }
        if let Some(Held { messages, items: rejected, last }) = take(&mut self.rejected) {
            say!(
                Warn,
                signal,
                destination,
                messages,
                rejected,
                server_message = last,
                "the server rejected part of more requests since the last message"
            );
        }
        if let Some(Held { messages, last, .. }) = take(&mut self.warning) {
            say!(
                Warn,
                signal,
                destination,
                messages,
                server_message = last,
                "the server sent more warnings since the last message"
            );
        }
    }
}

/// Items that did not get into the queue, and the limits that kept them out.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Refused {
    pub(crate) queue_full: u64,
    pub(crate) too_large: u64,
    /// In items, where the user asked for that.
    pub(crate) max_queue_size: Option<NonZeroUsize>,
    pub(crate) max_queue_bytes: usize,
    pub(crate) max_request_bytes: usize,
}

/// Lets one message through per ten seconds, and adds up those that it holds back.
#[derive(Debug, Default)]
struct Limiter {
    last: Option<Instant>,
    held: Held,
}

/// Messages that were held back.
#[derive(Debug, Default, PartialEq, Eq)]
struct Held {
    messages: u64,
    items: u64,
    /// The cause that the last of them names.
    last: String,
}

impl Limiter {
    /// Lets a message through, with those held back before it, or holds it back.
    fn pass(&mut self, now: Instant, items: u64, cause: &str) -> Option<Held> {
        if self.is_closed(now) {
            self.held.messages += 1;
            self.held.items = self.held.items.saturating_add(items);
            cause.clone_into(&mut self.held.last);
            return None;
        }
        self.last = Some(now);
        Some(std::mem::take(&mut self.held))
    }

    /// What is held back, once a period is over; telling it is the one message of the next.
    fn overdue(&mut self, now: Instant) -> Option<Held> {
        if self.is_closed(now) {
            return None;
        }
        let held = self.rest()?;
        self.last = Some(now);
        Some(held)
    }

    /// What is held back, at whatever time.
    fn rest(&mut self) -> Option<Held> {
        (self.held.messages > 0).then(|| std::mem::take(&mut self.held))
    }

    fn is_closed(&self, now: Instant) -> bool {
        self.last.is_some_and(|last| now.saturating_duration_since(last) < PERIOD)
    }
}

/// The clock of the worker's runtime, which tests can turn.
fn now() -> Instant {
    tokio::time::Instant::now().into_std()
}

/// An error with its causes on one line. Each part of it from outside is cut already, by whoever
/// made the error; this bounds what a user's own exporter says.
pub(crate) fn line(error: &ExportError) -> String {
    printable_within(&error.to_string(), ERROR_BYTES)
}

const PERIOD: Duration = Duration::from_secs(10);
const ERROR_BYTES: usize = 1024;

#[cfg(test)]
mod tests {
    use super::*;

    fn held(messages: u64, items: u64, last: &str) -> Held {
        Held { messages, items, last: last.to_owned() }
    }

    #[test]
    fn one_message_passes_per_period_and_tells_what_was_held_back() {
        let (mut limiter, start) = (Limiter::default(), Instant::now());
        let mut pass = |seconds, items, cause: &str| {
            limiter.pass(start + Duration::from_secs(seconds), items, cause)
        };
        assert_eq!(pass(0, 1, "a"), Some(Held::default()));
        assert_eq!([pass(1, 20, "b"), pass(9, 300, "c")], [None, None]);
        assert_eq!(pass(10, 4000, "d"), Some(held(2, 320, "c")));
        assert_eq!(pass(25, 1, "e"), Some(Held::default()));
    }

    #[test]
    fn what_is_held_back_is_due_when_the_period_is_over() {
        let (mut limiter, start) = (Limiter::default(), Instant::now());
        let at = |seconds| start + Duration::from_secs(seconds);
        assert_eq!((limiter.overdue(at(0)), limiter.rest()), (None, None), "nothing was said");
        limiter.pass(at(0), 1, "a");
        assert_eq!((limiter.overdue(at(10)), limiter.rest()), (None, None), "all was said");
        limiter.pass(at(1), 2, "b");
        assert_eq!(limiter.overdue(at(9)), None);
        assert_eq!(limiter.overdue(at(10)), Some(held(1, 2, "b")));
        assert_eq!(limiter.pass(at(11), 3, "c"), None, "that was the message of this period");
        assert_eq!((limiter.rest(), limiter.rest()), (Some(held(1, 3, "c")), None));
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
