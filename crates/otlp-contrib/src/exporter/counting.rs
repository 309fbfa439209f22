//! Counts what became of every attempt of another exporter.

use std::sync::Arc;

use otlp_core::Payload;
use otlp_core::export::{Deadline, ExportError, Exporter, Outcome};
use parking_lot::Mutex;

/// Hands everything on to another exporter and counts the outcomes.
///
/// The numbers are taken where the exporter is called, so they show what it answered, before a
/// pipeline has decided about retries. Two of them around the branches of a fan-out, or inside and
/// outside of a decorator, say where telemetry goes missing.
///
/// Nothing else changes: payload, deadline, flush, shutdown, component type and destination are
/// those of the inner exporter. Costs two uncontended locks per request.
///
/// ```
/// # use otlp_core::{Payload, Signal};
/// # use otlp_core::export::{Deadline, Exporter, Outcome};
/// # #[derive(Debug)]
/// # struct Discard;
/// # impl Exporter for Discard {
/// #     async fn export(&self, _: Payload, _: Deadline) -> Outcome { Outcome::delivered() }
/// # }
/// use otlp_contrib::exporter::CountingExporter;
///
/// # futures_util::future::FutureExt::now_or_never(async {
/// let exporter = CountingExporter::new(Discard);
/// let counter = exporter.counter();
///
/// let payload = Payload::from_request(Signal::Traces, bytes::Bytes::new())?;
/// let outcome = exporter.export(payload, Deadline::NEVER).await;
/// assert!(outcome.error().is_none());
/// assert_eq!(counter.snapshot().delivered, 1);
/// # Ok::<(), otlp_core::wire::WireError>(())
/// # }).expect("ready at once")?;
/// # Ok::<(), otlp_core::wire::WireError>(())
/// ```
#[derive(Debug)]
pub struct CountingExporter<E> {
    inner: E,
    counter: ExportCounter,
}

impl<E: Exporter> CountingExporter<E> {
    /// Counts the outcomes of `inner`, from zero.
    pub fn new(inner: E) -> Self {
        Self { inner, counter: ExportCounter::default() }
    }

    /// A handle to the counts, to be kept when the exporter moves into a pipeline.
    #[must_use]
    pub fn counter(&self) -> ExportCounter {
        self.counter.clone()
    }

    /// The exporter inside.
    pub fn inner(&self) -> &E {
        &self.inner
    }

    /// Takes the exporter out again. The counts stay readable through their handles.
    pub fn into_inner(self) -> E {
        self.inner
    }
}

impl<E: Exporter> Exporter for CountingExporter<E> {
    async fn export(&self, payload: Payload, deadline: Deadline) -> Outcome {
        let attempt = Attempt::start(&self.counter, payload.items());
        let outcome = self.inner.export(payload, deadline).await;
        attempt.end(&outcome);
        outcome
    }

    async fn force_flush(&self, deadline: Deadline) -> Result<(), ExportError> {
        self.inner.force_flush(deadline).await
    }

    async fn shutdown(&self, deadline: Deadline) -> Result<(), ExportError> {
        self.inner.shutdown(deadline).await
    }

    fn component_type(&self) -> &'static str {
        self.inner.component_type()
    }

    fn destination(&self) -> String {
        self.inner.destination()
    }
}

/// A handle to the counts of one [`CountingExporter`]; clones read the same counts.
#[derive(Clone, Debug, Default)]
pub struct ExportCounter(Arc<Mutex<ExportCounts>>);

impl ExportCounter {
    /// All counts as of one moment: they always add up.
    #[must_use]
    pub fn snapshot(&self) -> ExportCounts {
        *self.0.lock()
    }

    fn update(&self, change: impl FnOnce(&mut ExportCounts)) {
        change(&mut self.0.lock());
    }
}

/// What became of the attempts of an exporter so far. A payload that is retried is several attempts.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct ExportCounts {
    /// Attempts that have not been answered yet.
    pub in_flight: u64,
    /// Attempts that ended in [`Outcome::Delivered`].
    pub delivered: u64,
    /// Attempts that ended in [`Outcome::PartlyRejected`].
    pub partly_rejected: u64,
    /// Attempts that ended in [`Outcome::Retryable`].
    pub retryable: u64,
    /// Attempts that ended in [`Outcome::Permanent`].
    pub permanent: u64,
    /// Attempts that ended in [`Outcome::TooLarge`].
    pub too_large: u64,
    /// Attempts without an outcome: the caller gave up waiting, or the exporter panicked.
    pub abandoned: u64,
    /// Attempts with an outcome that this version does not know.
    pub other: u64,
    /// Spans, log records or data points that the destination took.
    pub items_delivered: u64,
    /// Spans, log records or data points that the destination refused out of requests that it took.
    ///
    /// A destination that claims to have refused more than it was sent is believed up to that.
    pub items_rejected: u64,
}

impl ExportCounts {
    /// All attempts: those that have ended, whichever way, and those in flight.
    #[must_use]
    pub fn attempts(&self) -> u64 {
        [
            self.in_flight,
            self.delivered,
            self.partly_rejected,
            self.retryable,
            self.permanent,
            self.too_large,
            self.abandoned,
            self.other,
        ]
        .into_iter()
        .fold(0, u64::saturating_add)
    }

    fn add(&mut self, outcome: &Outcome, items: u64) {
        let rejected = match outcome {
            Outcome::PartlyRejected { rejected, .. } => (*rejected).min(items),
            _ => 0,
        };
        if matches!(outcome, Outcome::Delivered { .. } | Outcome::PartlyRejected { .. }) {
            bump(&mut self.items_rejected, rejected);
            bump(&mut self.items_delivered, items - rejected);
        }
        bump(self.attempts_with(outcome), 1);
    }

    fn attempts_with(&mut self, outcome: &Outcome) -> &mut u64 {
        match outcome {
            Outcome::Delivered { .. } => &mut self.delivered,
            Outcome::PartlyRejected { .. } => &mut self.partly_rejected,
            Outcome::Retryable { .. } => &mut self.retryable,
            Outcome::Permanent { .. } => &mut self.permanent,
            Outcome::TooLarge { .. } => &mut self.too_large,
            _ => &mut self.other,
        }
    }
}

/// One attempt in flight. Dropped without an outcome, it counts as abandoned.
struct Attempt<'a> {
    counter: &'a ExportCounter,
    items: u64,
    ended: bool,
}

impl<'a> Attempt<'a> {
    fn start(counter: &'a ExportCounter, items: usize) -> Self {
        counter.update(|counts| bump(&mut counts.in_flight, 1));
        Self { counter, items: u64::try_from(items).unwrap_or(u64::MAX), ended: false }
    }

    fn end(mut self, outcome: &Outcome) {
        self.ended = true;
        self.counter.update(|counts| {
            counts.in_flight = counts.in_flight.saturating_sub(1);
            counts.add(outcome, self.items);
        });
    }
}

impl Drop for Attempt<'_> {
    fn drop(&mut self) {
        if !self.ended {
            self.counter.update(|counts| {
                counts.in_flight = counts.in_flight.saturating_sub(1);
                bump(&mut counts.abandoned, 1);
            });
        }
    }
}

fn bump(count: &mut u64, by: u64) {
    *count = count.saturating_add(by);
}

#[cfg(test)]
mod tests;
