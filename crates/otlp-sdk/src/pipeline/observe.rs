//! What a pipeline counts beside its ledger, for those who observe it: how far items have come, and how
//! long exports take (semantic conventions, `otel.sdk.*`).

use std::num::NonZeroUsize;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, OnceLock};
use std::time::Duration;

use opentelemetry::KeyValue;
use opentelemetry::metrics::Histogram;
use otlp_core::Signal;
use otlp_core::export::{AnswerStatus, grpc_status_name};

use super::account::{DropReason, Ledger};
use super::config::BatchConfig;
use super::handle::Shared;
use crate::foreign::caught;

/// Counts of the worker's, and what the pipeline is.
#[derive(Debug)]
pub(crate) struct Observed {
    signal: Signal,
    is_simple: bool,
    max_queue_size: Option<NonZeroUsize>,
    /// The exporter's component type and destination, if it has told them.
    exporter: OnceLock<(&'static str, Arc<str>)>,
    /// Items whose export was begun.
    tried: AtomicU64,
    /// Of these, items that were given up.
    failed: [AtomicU64; DropReason::ALL.len()],
    durations: OnceLock<Durations>,
}

/// A pipeline, as far as it can be observed.
pub(crate) struct Observable(pub(super) Arc<Shared>);

/// Where the time that exports take is told.
#[derive(Debug)]
struct Durations {
    histogram: Histogram<f64>,
    attributes: Vec<KeyValue>,
}

/// How an export has ended.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct End {
    /// The `error.type`, unless all was delivered.
    pub(super) error: Option<&'static str>,
    /// What the server has answered to the last attempt, if it has.
    pub(super) status: Option<AnswerStatus>,
}

/// How far the items of a pipeline have come, at one moment.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Progress {
    pub(crate) ledger: Ledger,
    tried: u64,
    failed: [u64; DropReason::ALL.len()],
}

impl Observed {
    pub(super) fn new(signal: Signal, config: &BatchConfig) -> Self {
        Self {
            signal,
            is_simple: config.batch_items() == 1,
            max_queue_size: config.max_queue_size,
            exporter: OnceLock::new(),
            tried: AtomicU64::new(0),
            failed: std::array::from_fn(|_| AtomicU64::new(0)),
            durations: OnceLock::new(),
        }
    }

    /// Says what is at the pipeline's end.
    pub(super) fn exporter_is(&self, component_type: &'static str, destination: &Arc<str>) {
        self.exporter.get_or_init(|| (component_type, Arc::clone(destination)));
    }

    /// An export has begun.
    pub(super) fn begin(&self, items: usize) {
        self.tried.fetch_add(items as u64, Ordering::Relaxed);
    }

    /// Items whose export had begun are given up.
    pub(super) fn give_up(&self, items: usize, reason: DropReason) {
        if let Some(failed) = self.failed.get(reason as usize) {
            failed.fetch_add(items as u64, Ordering::Relaxed);
        }
    }

    /// An export has ended, all of its attempts included. False if the histogram, which is the user's code,
    /// panicked.
    pub(super) fn end(&self, took: Option<Duration>, end: End) -> bool {
        let (Some(durations), Some(took)) = (self.durations.get(), took) else { return true };
        let mut attributes = durations.attributes.clone();
        attributes.extend(end.error.map(|name| KeyValue::new(ERROR_TYPE, name)));
        attributes.extend(end.status.and_then(status));
        caught(|| durations.histogram.record(took.as_secs_f64(), &attributes)).is_ok()
    }

    /// How far items have come. The ledger must have been read before, so that nothing has come further
    /// than it had begun.
    pub(super) fn progress(&self, ledger: Ledger) -> Progress {
        let failed = self.failed.each_ref().map(|failed| failed.load(Ordering::Relaxed));
        Progress { ledger, tried: self.tried.load(Ordering::Relaxed), failed }
    }
}

impl Observable {
    pub(crate) fn signal(&self) -> Signal {
        self.0.observed.signal
    }

    /// Whether each item leaves on its own.
    pub(crate) fn is_simple(&self) -> bool {
        self.0.observed.is_simple
    }

    pub(crate) fn max_queue_size(&self) -> Option<NonZeroUsize> {
        self.0.observed.max_queue_size
    }

    /// The exporter's component type and destination, if it has told them.
    pub(crate) fn exporter(&self) -> Option<(&'static str, Arc<str>)> {
        self.0.observed.exporter.get().cloned()
    }

    /// Whether somebody observes it already.
    pub(crate) fn is_observed(&self) -> bool {
        self.0.observed.durations.get().is_some()
    }

    /// Has durations told, from now on. False if they are told already.
    pub(crate) fn tell_durations(
        &self,
        histogram: Histogram<f64>,
        attributes: Vec<KeyValue>,
    ) -> bool {
        self.0.observed.durations.set(Durations { histogram, attributes }).is_ok()
    }

    /// Says how far items have come, as long as the pipeline is there: metrics do not keep it.
    pub(crate) fn progress(&self) -> impl Fn() -> Option<Progress> + Send + Sync + 'static {
        let shared = Arc::downgrade(&self.0);
        move || {
            let shared = shared.upgrade()?;
            Some(shared.observed.progress(shared.intake.ledger()))
        }
    }
}

impl Progress {
    /// Items whose export was begun.
    pub(crate) fn tried(&self) -> u64 {
        self.tried
    }

    /// Items whose export has begun and has not ended: also those that wait for another attempt.
    pub(crate) fn in_flight(&self) -> u64 {
        let Ledger { delivered, rejected, .. } = self.ledger;
        let ended = delivered + rejected + self.failed.iter().sum::<u64>();
        self.tried.saturating_sub(ended)
    }

    /// Items that wait for their export to begin.
    pub(crate) fn queued(&self) -> u64 {
        self.ledger.held.saturating_sub(self.in_flight())
    }

    /// Items that were given up after their export had begun, by reason.
    pub(crate) fn failed(&self) -> impl Iterator<Item = (DropReason, u64)> {
        DropReason::ALL.into_iter().zip(self.failed)
    }

    /// Items that were dropped before their export had begun, by reason.
    pub(crate) fn refused(&self) -> impl Iterator<Item = (DropReason, u64)> {
        let ledger = self.ledger;
        self.failed()
            .map(move |(reason, failed)| (reason, ledger.dropped(reason).saturating_sub(failed)))
    }
}

/// What the server has answered: a number in HTTP, a name in gRPC.
fn status(status: AnswerStatus) -> Option<KeyValue> {
    match status {
        AnswerStatus::Http(status) => Some(KeyValue::new(HTTP_STATUS, i64::from(status))),
        AnswerStatus::Grpc(code) => Some(match grpc_status_name(code) {
            Some(name) => KeyValue::new(RPC_STATUS, name),
            None => KeyValue::new(RPC_STATUS, code.to_string()),
        }),
        _ => None,
    }
}

pub(crate) const ERROR_TYPE: &str = "error.type";
/// The `error.type` of items that the server has refused.
pub(crate) const REJECTED: &str = "rejected";
const HTTP_STATUS: &str = "http.response.status_code";
const RPC_STATUS: &str = "rpc.status_code";

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_reason_has_its_place() {
        for (at, reason) in DropReason::ALL.into_iter().enumerate() {
            assert_eq!(reason as usize, at);
        }
    }

    #[test]
    fn items_are_queued_in_flight_or_at_an_end() {
        let observed = Observed::new(Signal::Traces, &BatchConfig::default());
        observed.begin(10);
        observed.give_up(2, DropReason::PermanentError);
        let mut drops = crate::pipeline::account::Drops::NONE;
        drops.add(DropReason::PermanentError, 2);
        drops.add(DropReason::QueueFull, 5);
        let ledger =
            Ledger { ended: 20, delivered: 3, rejected: 1, held: 9, drops, ..Ledger::default() };
        let progress = observed.progress(ledger);
        assert_eq!((progress.tried(), progress.in_flight(), progress.queued()), (10, 4, 5));
        let some = |counts: Vec<(DropReason, u64)>| {
            counts.into_iter().filter(|(_, count)| *count > 0).collect::<Vec<_>>()
        };
        assert_eq!(some(progress.failed().collect()), [(DropReason::PermanentError, 2)]);
        assert_eq!(some(progress.refused().collect()), [(DropReason::QueueFull, 5)]);
    }
}
