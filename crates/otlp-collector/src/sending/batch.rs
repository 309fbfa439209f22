//! Several requests as one, and one cut into several.

use std::sync::Arc;

use otlp_core::export::Outcome;
use otlp_core::{Payload, SplitLimit};
use parking_lot::Mutex;

use super::account::{Counters, Owed};
use super::delivery::{Delivery, is_taken, worse};
use super::queue::Entry;
use super::settings::{BatchSettings, BatchSizer};

/// Requests that wait for more.
#[derive(Debug, Default)]
pub(super) struct Gathered {
    entries: Vec<Entry>,
    size: usize,
}

impl Gathered {
    pub(super) fn is_empty(&self) -> bool {
        self.entries.is_empty()
    }

    /// Adds a request, and says whether that is enough.
    pub(super) fn add(&mut self, entry: Entry, settings: &BatchSettings) -> bool {
        let payload = entry.batch.payload();
        let size = match settings.sizer {
            BatchSizer::Items => payload.items(),
            BatchSizer::Bytes => payload.len(),
        };
        self.size = self.size.saturating_add(size);
        self.entries.push(entry);
        self.size >= settings.min_size
    }

    /// Everything as requests to be sent, each with its share of the answer.
    pub(super) fn take(&mut self, settings: &BatchSettings) -> Vec<Part> {
        self.size = 0;
        let mut entries = std::mem::take(&mut self.entries);
        let mut owed = entries.iter_mut().filter_map(Entry::take_owed).reduce(joined);
        let payloads = entries.iter().map(|entry| entry.batch.payload().clone());
        let Some(merged) = payloads.reduce(merged) else { return Vec::new() };
        let parts = cut(&merged, settings);
        let answer = Answer::new(entries, parts.len());
        let part = |payload: Payload| {
            let owed = owed.as_mut().map(|owed| owed.split(payload.items()));
            Part { payload, owed, answer: answer.clone() }
        };
        parts.into_iter().map(part).collect()
    }
}

fn joined(mut all: Owed, more: Owed) -> Owed {
    all.join(more);
    all
}

/// A queue has one signal, so that all of it goes together.
fn merged(all: Payload, more: Payload) -> Payload {
    all.merge(more).unwrap_or_else(|(all, _)| all)
}

/// What cannot be cut is sent as it is: the destination will say what is wrong with it.
fn cut(payload: &Payload, settings: &BatchSettings) -> Vec<Payload> {
    let limit = match (settings.max_size, settings.sizer) {
        (0, _) => SplitLimit::NONE,
        (items, BatchSizer::Items) => SplitLimit { items, ..SplitLimit::NONE },
        (bytes, BatchSizer::Bytes) => SplitLimit { bytes, ..SplitLimit::NONE },
    };
    payload.split(limit).unwrap_or_else(|_| vec![payload.clone()])
}

/// A request to be sent.
#[derive(Debug)]
pub(super) struct Part {
    pub(super) payload: Payload,
    pub(super) owed: Option<Owed>,
    answer: Answer,
}

impl Part {
    /// Says what became of it.
    pub(super) fn end(self, delivery: Delivery, counters: &Counters) {
        self.answer.end(delivery, counters);
    }
}

/// The answer to all requests that went into a batch, when all of its parts have ended. Holds their tickets
/// until then.
#[derive(Clone, Debug)]
struct Answer(Arc<Mutex<Waiting>>);

#[derive(Debug)]
struct Waiting {
    entries: Vec<Entry>,
    parts: usize,
    outcome: Option<Outcome>,
    /// Items that were delivered so far.
    settled: usize,
}

impl Answer {
    fn new(entries: Vec<Entry>, parts: usize) -> Self {
        Self(Arc::new(Mutex::new(Waiting { entries, parts, outcome: None, settled: 0 })))
    }

    fn end(self, delivery: Delivery, counters: &Counters) {
        let mut waiting = self.0.lock();
        let outcome = match waiting.outcome.take() {
            Some(before) => worse(before, delivery.outcome),
            None => delivery.outcome,
        };
        waiting.settled = waiting.settled.saturating_add(delivery.settled);
        waiting.parts = waiting.parts.saturating_sub(1);
        if waiting.parts > 0 {
            waiting.outcome = Some(outcome);
            return;
        }
        let (entries, settled) = (std::mem::take(&mut waiting.entries), waiting.settled);
        drop(waiting);
        let mut left = settled;
        for entry in entries {
            // Of what failed as a whole nobody knows whose items they were that arrived.
            let items = entry.batch.payload().items();
            let share = if is_taken(&outcome) { items } else { left.min(items) };
            left = left.saturating_sub(share);
            entry.answer(&outcome, share, counters);
        }
    }
}
