//! Log lines about headers that could not be used: one per ten seconds, whatever comes in.

use crate::say::say;
use std::sync::LazyLock;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Instant;

/// A message of one kind that outside input can cause at any rate.
#[derive(Debug)]
pub(super) struct Notice {
    /// Milliseconds since [`START`] before which the message is held back.
    silent_until: AtomicU64,
    held_back: AtomicU64,
}

impl Notice {
    pub(super) const fn new() -> Self {
        Self { silent_until: AtomicU64::new(0), held_back: AtomicU64::new(0) }
    }

    /// Logs that `header` was not used and why, unless it was said a moment ago.
    ///
    /// The header's content stays out of the log: it belongs to somebody else, and tracestate and
    /// baggage may hold secrets.
    pub(super) fn ignored(&self, header: &'static str, reason: &'static str) {
        let now = u64::try_from(START.elapsed().as_millis()).unwrap_or(u64::MAX);
        if let Some(held_back) = self.due(now) {
            say!(Warn, header, reason, held_back, "propagation header ignored");
        }
    }

    /// How many messages were held back since the last one, if one may be written at `now`.
    fn due(&self, now: u64) -> Option<u64> {
        let until = self.silent_until.load(Ordering::Relaxed);
        let next = now.saturating_add(SILENCE_MS);
        // Of several threads at the same moment one writes; none waits.
        let won = now >= until
            && self
                .silent_until
                .compare_exchange(until, next, Ordering::Relaxed, Ordering::Relaxed)
                .is_ok();
        if won {
            return Some(self.held_back.swap(0, Ordering::Relaxed));
        }
        self.held_back.fetch_add(1, Ordering::Relaxed);
        None
    }
}

static START: LazyLock<Instant> = LazyLock::new(Instant::now);

const SILENCE_MS: u64 = 10_000;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_message_per_ten_seconds_says_how_many_were_held_back() {
        let notice = Notice::new();

        assert_eq!(notice.due(0), Some(0));
        assert_eq!(notice.due(1), None);
        assert_eq!(notice.due(9_999), None);
        assert_eq!(notice.due(10_000), Some(2));
        assert_eq!(notice.due(10_001), None);
        assert_eq!(notice.due(60_000), Some(1));
    }
}
