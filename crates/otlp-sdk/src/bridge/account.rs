//! What became of the items that the official SDK has handed in.

use std::sync::Arc;

use otlp_core::Payload;
use otlp_core::export::ExportError;
use parking_lot::Mutex;

use crate::pipeline::account::{Drops, Entries};
use crate::pipeline::{DropReason, Ledger};

/// The account of an exporter that was given to the official SDK; clones share it.
///
/// It stays readable after the SDK has taken the exporter over, and after shutdown.
#[derive(Clone, Debug, Default)]
pub struct Account(Arc<Mutex<Sums>>);

#[derive(Debug, Default)]
struct Sums {
    ended: u64,
    entries: Entries,
    /// Of the drops, what was not even tried.
    refused: Drops,
    panics: u64,
    held_bytes: usize,
    closing: bool,
    /// Why attempts fail at present.
    last_error: Option<ExportError>,
}

impl Account {
    /// The account of this moment: `ended` is what the SDK has handed in. Of the other fields,
    /// `created`, `sampled_out`, `started_after_shutdown`, `record_only` and `limited` stay zero:
    /// only the SDK knows.
    #[must_use]
    pub fn ledger(&self) -> Ledger {
        let sums = self.0.lock();
        let Entries { delivered, rejected, held, drops, .. } = sums.entries;
        let (ended, panics) = (sums.ended, sums.panics);
        Ledger { ended, delivered, rejected, held, drops, panics, ..Ledger::default() }
    }

    /// Takes the items of a request in, unless that would hold more than `max_bytes`.
    pub(super) fn take_in(&self, payload: &Payload, max_bytes: usize) -> Option<Held> {
        let (items, bytes) = (payload.items() as u64, payload.len());
        let mut sums = self.0.lock();
        sums.ended += items;
        let all = sums.held_bytes.saturating_add(bytes);
        if sums.held_bytes > 0 && all > max_bytes {
            sums.refuse(DropReason::QueueFull, items);
            return None;
        }
        sums.held_bytes = all;
        sums.entries.held += items;
        Some(Held { account: self.clone(), items, bytes })
    }

    /// Counts items that were not even tried.
    pub(super) fn refuse(&self, items: usize, reason: DropReason) {
        let mut sums = self.0.lock();
        sums.ended += items as u64;
        sums.refuse(reason, items as u64);
    }

    /// What was not even tried, in all.
    pub(super) fn refused(&self) -> Drops {
        self.0.lock().refused
    }

    /// Keeps why attempts fail, or that they do not.
    pub(super) fn remember(&self, error: Option<ExportError>) {
        // What is behind an error has destructors of others, which run when the lock is free again.
        let _before = std::mem::replace(&mut self.0.lock().last_error, error);
    }

    /// Why attempts fail at present, if they do.
    pub(super) fn last_error(&self) -> Option<ExportError> {
        self.0.lock().last_error.clone()
    }

    pub(super) fn count_panic(&self) {
        self.0.lock().panics += 1;
    }

    /// What is given back from now on without an outcome has run out of time.
    pub(super) fn close(&self) {
        self.0.lock().closing = true;
    }
}

impl Sums {
    fn refuse(&mut self, reason: DropReason, items: u64) {
        self.entries.drops.add(reason, items);
        self.refused.add(reason, items);
    }
}

/// Items that were handed in and have no outcome yet. Whatever happens to it, they are counted.
#[derive(Debug)]
pub(super) struct Held {
    account: Account,
    items: u64,
    bytes: usize,
}

impl Held {
    /// The server has answered for so many items.
    pub(super) fn deliver(&mut self, items: usize, rejected: u64) {
        let items = self.take(items);
        self.account.0.lock().entries.deliver(items, rejected);
    }

    /// So many items are lost.
    pub(super) fn lose(&mut self, items: usize, reason: DropReason) {
        let items = self.take(items);
        self.account.0.lock().entries.drop_held(reason, items);
    }

    fn take(&mut self, items: usize) -> u64 {
        let items = self.items.min(items as u64);
        self.items -= items;
        items
    }
}

impl Drop for Held {
    fn drop(&mut self) {
        let mut sums = self.account.0.lock();
        sums.held_bytes = sums.held_bytes.saturating_sub(self.bytes);
        let reason = if sums.closing { DropReason::ShutdownTimeout } else { DropReason::NoWorker };
        sums.entries.drop_held(reason, self.items);
    }
}
