//! Messages that a client could make us repeat are said at most every ten seconds.

use std::sync::OnceLock;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Instant;

/// When a kind of message was said last.
#[derive(Debug)]
pub(super) struct Seldom {
    started: OnceLock<Instant>,
    /// From when it may be said again, in seconds from the first time.
    next: AtomicU64,
}

impl Seldom {
    pub(super) const fn new() -> Self {
        Self { started: OnceLock::new(), next: AtomicU64::new(0) }
    }

    pub(super) fn warn(&self, message: impl FnOnce() -> String) {
        let now = self.started.get_or_init(Instant::now).elapsed().as_secs();
        let next = self.next.load(Ordering::Relaxed);
        let later = now.saturating_add(EVERY);
        let claimed =
            |next| self.next.compare_exchange(next, later, Ordering::Relaxed, Ordering::Relaxed);
        if now >= next && claimed(next).is_ok() {
            tracing::warn!(target: "otlp_collector::receivers::otlp", "{}", message());
        }
    }
}

const EVERY: u64 = 10;
