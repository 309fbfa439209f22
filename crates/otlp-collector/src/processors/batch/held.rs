//! What is answered for and has not gone on.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use crate::gathering::Debt;

/// Items that were answered for as taken, by what became of them.
#[derive(Debug, Default)]
pub(super) struct HeldCounts {
    held: AtomicU64,
    refused: AtomicU64,
    given_up: AtomicU64,
}

impl HeldCounts {
    /// Takes items on: somebody owes an account of them from here on.
    pub(super) fn take_on(self: &Arc<Self>, items: usize) -> Held {
        self.held.fetch_add(items as u64, Ordering::Relaxed);
        Held { counts: Some(Arc::clone(self)), items }
    }

    pub(super) fn held(&self) -> u64 {
        self.held.load(Ordering::Acquire)
    }

    /// What ended here, by reason.
    pub(super) fn dropped(&self) -> Vec<(&'static str, u64)> {
        let counts = [("refused for good", &self.refused), ("given up at the end", &self.given_up)];
        counts.map(|(reason, count)| (reason, count.load(Ordering::Acquire))).to_vec()
    }
}

/// Items that are held. Dropped, they count as given up.
#[derive(Debug, Default)]
#[must_use = "dropped, its items count as given up"]
pub(super) struct Held {
    /// `None` where nobody was told that they are taken.
    counts: Option<Arc<HeldCounts>>,
    items: usize,
}

impl Held {
    /// They have gone on.
    pub(super) fn gone(mut self) {
        self.end(None);
    }

    /// The next node will never take them.
    pub(super) fn refused(mut self) {
        self.end(Some(|counts| &counts.refused));
    }

    fn end(&mut self, count: Option<fn(&HeldCounts) -> &AtomicU64>) {
        let Some(counts) = &self.counts else { return };
        let items = std::mem::take(&mut self.items) as u64;
        if let Some(count) = count {
            count(counts).fetch_add(items, Ordering::Relaxed);
        }
        counts.held.fetch_sub(items, Ordering::Release);
    }
}

impl Debt for Held {
    fn split(&mut self, items: usize) -> Self {
        let items = items.min(self.items);
        self.items -= items;
        Self { counts: self.counts.clone(), items }
    }

    fn join(&mut self, mut other: Self) {
        self.items += std::mem::take(&mut other.items);
    }
}

impl Drop for Held {
    fn drop(&mut self) {
        if self.items > 0 {
            self.end(Some(|counts| &counts.given_up));
        }
    }
}
