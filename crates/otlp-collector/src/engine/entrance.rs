//! Where batches come into a pipeline, and are counted by what it answers.

use std::panic::AssertUnwindSafe;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Instant;

use futures_util::FutureExt as _;
use otlp_core::export::text::printable_within;
use otlp_core::export::{Deadline, ErrorKind, ExportError, Outcome};
use parking_lot::Mutex;
use tokio::sync::Notify;

use super::shield::Shielded;
use crate::clock::now;
use crate::consumer::{Answer, Batch, Consumer, SharedConsumer};

/// What has come into a pipeline, in items: `received = taken + refused + held`.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct EntranceCounts {
    /// What came.
    pub received: u64,
    /// What the pipeline has answered for as taken.
    pub taken: u64,
    /// What it has not taken: whoever brought it knows.
    pub refused: u64,
    /// What it has not answered for yet.
    pub held: u64,
    /// Batches that came.
    pub batches: u64,
    /// Panics below, each of which is a refusal.
    pub panics: u64,
}

impl EntranceCounts {
    /// Both together.
    #[must_use]
    pub const fn plus(self, other: Self) -> Self {
        Self {
            received: self.received + other.received,
            taken: self.taken + other.taken,
            refused: self.refused + other.refused,
            held: self.held + other.held,
            batches: self.batches + other.batches,
            panics: self.panics + other.panics,
        }
    }
}

/// When things went well, and when they did not.
#[derive(Clone, Debug, Default)]
pub(super) struct Moments {
    /// When something was last taken.
    pub(super) last_taken: Option<Instant>,
    /// Since when nothing has been taken of what came.
    pub(super) refusing_since: Option<Instant>,
    /// The last refusal, and when it was.
    pub(super) last_refusal: Option<(Instant, String)>,
    /// Since when there has been something without an answer.
    pub(super) busy_since: Option<Instant>,
}

/// What is written down at an entrance.
#[derive(Debug, Default)]
pub(super) struct Gate {
    received: AtomicU64,
    taken: AtomicU64,
    refused: AtomicU64,
    held: AtomicU64,
    batches: AtomicU64,
    panics: AtomicU64,
    /// Batches without an answer.
    inside: AtomicU64,
    emptied: Notify,
    moments: Mutex<Moments>,
}

impl Gate {
    pub(super) fn counts(&self) -> EntranceCounts {
        let count = |count: &AtomicU64| count.load(Ordering::Acquire);
        EntranceCounts {
            received: count(&self.received),
            taken: count(&self.taken),
            refused: count(&self.refused),
            held: count(&self.held),
            batches: count(&self.batches),
            panics: count(&self.panics),
        }
    }

    pub(super) fn moments(&self) -> Moments {
        self.moments.lock().clone()
    }

    /// Waits until everything that came has its answer.
    pub(super) async fn until_empty(&self) {
        loop {
            let emptied = self.emptied.notified();
            if self.inside.load(Ordering::Acquire) == 0 {
                return;
            }
            emptied.await;
        }
    }

    /// A batch comes, or comes again: then it is no longer one of those that were refused.
    fn enter(self: &Arc<Self>, items: usize, is_repeated: bool) -> Visit {
        let items = items as u64;
        self.held.fetch_add(items, Ordering::Relaxed);
        if is_repeated {
            self.refused.fetch_sub(items, Ordering::Release);
        } else {
            self.batches.fetch_add(1, Ordering::Relaxed);
            self.received.fetch_add(items, Ordering::Release);
        }
        if self.inside.fetch_add(1, Ordering::AcqRel) == 0 {
            self.moments.lock().busy_since = Some(now());
        }
        Visit { gate: Some(Arc::clone(self)), items }
    }

    fn leave(&self, outcome: Option<&Outcome>, items: u64) {
        let is_taken =
            matches!(outcome, Some(Outcome::Delivered { .. } | Outcome::PartlyRejected { .. }));
        let count = if is_taken { &self.taken } else { &self.refused };
        count.fetch_add(items, Ordering::Relaxed);
        self.held.fetch_sub(items, Ordering::Release);
        let is_last = self.inside.fetch_sub(1, Ordering::AcqRel) == 1;
        self.note(outcome, is_taken, is_last);
        if is_last {
            self.emptied.notify_waiters();
        }
    }

    fn note(&self, outcome: Option<&Outcome>, is_taken: bool, is_last: bool) {
        let now = now();
        let refusal = (!is_taken).then(|| {
            let error = outcome.and_then(Outcome::error);
            error.map_or_else(
                || ABANDONED.to_owned(),
                |it| printable_within(&it.to_string(), TEXT_MAX),
            )
        });
        let mut moments = self.moments.lock();
        match refusal {
            None => {
                moments.last_taken = Some(now);
                moments.refusing_since = None;
            }
            Some(refusal) => {
                moments.refusing_since.get_or_insert(now);
                moments.last_refusal = Some((now, refusal));
            }
        }
        // Another may have come since.
        if is_last && self.inside.load(Ordering::Acquire) == 0 {
            moments.busy_since = None;
        }
    }
}

/// A batch that is inside. Dropped without an answer, as at the end of a runtime, it counts as refused.
struct Visit {
    /// `None` once it has left.
    gate: Option<Arc<Gate>>,
    items: u64,
}

impl Visit {
    fn end(mut self, outcome: &Outcome) {
        self.leave(Some(outcome));
    }

    fn leave(&mut self, outcome: Option<&Outcome>) {
        if let Some(gate) = self.gate.take() {
            gate.leave(outcome, self.items);
        }
    }

    fn panicked(&self) {
        if let Some(gate) = &self.gate {
            gate.panics.fetch_add(1, Ordering::Relaxed);
        }
    }
}

impl Drop for Visit {
    fn drop(&mut self) {
        self.leave(None);
    }
}

/// The first node of a pipeline, for one of those who bring batches.
#[derive(Debug)]
pub(super) struct Entrance {
    next: SharedConsumer,
    gate: Arc<Gate>,
}

impl Entrance {
    pub(super) fn new(next: SharedConsumer) -> Self {
        Self { next, gate: Arc::default() }
    }

    pub(super) const fn gate(&self) -> &Arc<Gate> {
        &self.gate
    }
}

impl Consumer for Entrance {
    fn holds(&self) -> bool {
        self.next.holds()
    }

    fn consume(&self, batch: Batch, deadline: Deadline) -> Answer<'_> {
        let visit = self.gate.enter(batch.payload().items(), batch.is_repeated());
        let next = Arc::clone(&self.next);
        Box::pin(Shielded::new(async move {
            let consumed = AssertUnwindSafe(async { next.consume(batch, deadline).await });
            let outcome = consumed.catch_unwind().await.unwrap_or_else(|_panic| {
                visit.panicked();
                Outcome::permanent(ExportError::new(ErrorKind::Panic, "a component panicked"))
            });
            visit.end(&outcome);
            outcome
        }))
    }
}

/// Bytes of a refusal that are kept.
const TEXT_MAX: usize = 512;
const ABANDONED: &str = "it was abandoned before the answer";
