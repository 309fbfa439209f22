//! What became of everything that a sender was given.

use std::fmt;
use std::sync::atomic::{AtomicU64, Ordering};

/// What became of the items that a [`Sender`](super::Sender) was given:
/// `received = sent + rejected + failed + held`. What it refused was never received.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct Account {
    /// Items that were taken.
    pub received: u64,
    /// Items that the destination has taken.
    pub sent: u64,
    /// Items that the destination refused, of requests that it took in part.
    pub rejected: u64,
    /// Items of requests that were given up.
    pub failed: u64,
    /// Items that wait or are under way.
    pub held: u64,
    /// Items that were not taken, for want of room or after the shutdown.
    pub refused: u64,
    /// Panics of the exporter.
    pub panics: u64,
}

impl Account {
    /// What is missing: zero unless we have a bug.
    #[must_use]
    pub fn unaccounted(&self) -> i128 {
        let Self { received, sent, rejected, failed, held, .. } = *self;
        let known = [sent, rejected, failed, held].into_iter().map(i128::from).sum::<i128>();
        i128::from(received) - known
    }
}

impl fmt::Display for Account {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { received, sent, rejected, failed, held, refused, .. } = self;
        write!(
            f,
            "received {received} = sent {sent} + rejected {rejected} + failed {failed} + held {held}; \
             refused {refused}; unaccounted={}",
            self.unaccounted()
        )
    }
}

/// The counters behind an [`Account`]. Each item is counted once as received and once as what became of it,
/// in this order, so that `held` is never negative.
#[derive(Debug, Default)]
pub(super) struct Counters {
    received: AtomicU64,
    sent: AtomicU64,
    rejected: AtomicU64,
    failed: AtomicU64,
    refused: AtomicU64,
    panics: AtomicU64,
}

impl Counters {
    pub(super) fn received(&self, items: usize) {
        add(&self.received, items);
    }

    pub(super) fn sent(&self, items: usize) {
        add(&self.sent, items);
    }

    pub(super) fn rejected(&self, items: usize) {
        add(&self.rejected, items);
    }

    pub(super) fn failed(&self, items: usize) {
        add(&self.failed, items);
    }

    pub(super) fn refused(&self, items: usize) {
        add(&self.refused, items);
    }

    pub(super) fn panicked(&self) {
        add(&self.panics, 1);
    }

    pub(super) fn account(&self) -> Account {
        // Outcomes first: whatever they count was received before.
        let [sent, rejected, failed] =
            [&self.sent, &self.rejected, &self.failed].map(|count| count.load(Ordering::Acquire));
        let received = self.received.load(Ordering::Acquire);
        let held = received.saturating_sub(sent).saturating_sub(rejected).saturating_sub(failed);
        let [refused, panics] =
            [&self.refused, &self.panics].map(|count| count.load(Ordering::Relaxed));
        Account { received, sent, rejected, failed, held, refused, panics }
    }
}

fn add(count: &AtomicU64, items: usize) {
    count.fetch_add(items as u64, Ordering::Release);
}
