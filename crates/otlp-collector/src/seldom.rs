//! Messages that others could make us repeat are said at most every ten seconds, with how many were not.

use std::sync::OnceLock;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Instant;

/// When a kind of message was said last.
#[derive(Debug, Default)]
pub(crate) struct Seldom {
    started: OnceLock<Instant>,
    /// From when it may be said again, in seconds from the first time.
    next: AtomicU64,
    /// How often it was not said since.
    unsaid: AtomicU64,
}

impl Seldom {
    pub(crate) const fn new() -> Self {
        Self { started: OnceLock::new(), next: AtomicU64::new(0), unsaid: AtomicU64::new(0) }
    }

    pub(crate) fn warn(&self, message: impl FnOnce() -> String) {
        match self.turn() {
            None => {}
            Some(0) => tracing::warn!(target: TARGET, "{}", message()),
            Some(unsaid) => tracing::warn!(target: TARGET, unsaid, "{}", message()),
        }
    }

    pub(crate) fn error(&self, message: impl FnOnce() -> String) {
        match self.turn() {
            None => {}
            Some(0) => tracing::error!(target: TARGET, "{}", message()),
            Some(unsaid) => tracing::error!(target: TARGET, unsaid, "{}", message()),
        }
    }

    /// Whether it may be said now, and how often it was not since the last time.
    fn turn(&self) -> Option<u64> {
        let now = self.started.get_or_init(Instant::now).elapsed().as_secs();
        let next = self.next.load(Ordering::Relaxed);
        let later = now.saturating_add(EVERY);
        let claimed =
            |next| self.next.compare_exchange(next, later, Ordering::Relaxed, Ordering::Relaxed);
        if now < next || claimed(next).is_err() {
            self.unsaid.fetch_add(1, Ordering::Relaxed);
            return None;
        }
        Some(self.unsaid.swap(0, Ordering::Relaxed))
    }
}

const TARGET: &str = "otlp_collector";

const EVERY: u64 = 10;
