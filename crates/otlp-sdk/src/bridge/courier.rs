//! One batch on its way: cut into requests, each tried until it has an outcome or its time is over.

use std::collections::VecDeque;
use std::rc::Rc;
use std::sync::Arc;
use std::time::{Duration, Instant};

use otlp_core::export::{Deadline, ErrorKind, ExportError, Exporter, Outcome};
use otlp_core::{Payload, SplitLimit};
use tokio::sync::oneshot;

use super::account::{Account, Held};
use super::config::ExportConfig;
use super::gate::{Gate, now};
use super::voice::Voice;
use crate::notice::printable;
use crate::pipeline::delivery::{self, AttemptResult, Done, Pending};
use crate::pipeline::{DropReason, made_here};

/// A batch that was handed in.
#[derive(Debug)]
pub(super) struct Job {
    pub(super) payload: Payload,
    pub(super) held: Held,
    pub(super) deadline: Deadline,
    pub(super) reply: oneshot::Sender<Report>,
}

/// What became of a batch.
#[derive(Debug, Default)]
pub(super) struct Report {
    /// Items that were lost or rejected, and why.
    pub(super) lost: usize,
    pub(super) error: Option<(&'static str, ExportError)>,
}

/// Carries batches to the exporter.
#[derive(Debug)]
pub(super) struct Courier<E> {
    pub(super) exporter: Arc<E>,
    destination: Arc<str>,
    account: Account,
    gate: Gate,
    pub(super) voice: Rc<Voice>,
    max_request_bytes: usize,
}

/// The batch on its way: its requests that have no outcome, and what became of the others.
struct Trip {
    voice: Rc<Voice>,
    requests: VecDeque<Pending>,
    held: Held,
    report: Report,
    deadline: Deadline,
}

impl<E: Exporter> Courier<E> {
    pub(super) fn new(
        exporter: E,
        destination: Arc<str>,
        account: Account,
        voice: Rc<Voice>,
        config: &ExportConfig,
    ) -> Self {
        Self {
            exporter: Arc::new(exporter),
            destination,
            account,
            gate: Gate::new(config),
            voice,
            max_request_bytes: config.max_request_bytes,
        }
    }

    /// Ends when every item of the batch has an outcome that is counted.
    pub(super) async fn carry(&self, job: Job) {
        let Job { payload, held, deadline, reply } = job;
        let (requests, report) = Default::default();
        let mut trip = Trip { voice: Rc::clone(&self.voice), requests, held, report, deadline };
        match payload.split(SplitLimit { bytes: self.max_request_bytes, ..SplitLimit::NONE }) {
            Ok(parts) => trip.requests.extend(parts.into_iter().map(request)),
            Err(broken) => {
                let error = ExportError::new(ErrorKind::Other, "the batch cannot be cut");
                trip.lose(payload.items(), DropReason::EncoderFailure, error.with_source(broken));
            }
        }
        while let Some(pending) = trip.requests.pop_front() {
            self.attempt(pending, &mut trip).await;
        }
        let Trip { held, report, .. } = trip;
        // Whoever has the answer finds it in the account.
        drop(held);
        // A caller that has gone away has not withdrawn what it handed in.
        let _ = reply.send(report);
    }

    async fn attempt(&self, mut pending: Pending, trip: &mut Trip) {
        let Some(turn) = self.gate.enter(trip.deadline).await else {
            let error = self.account.last_error().unwrap_or_else(|| {
                ExportError::new(ErrorKind::Timeout, "others have taken all the time there was")
            });
            return trip.lose(pending.items(), DropReason::RetriesExhausted, error);
        };
        let started = now();
        pending.first_attempt.get_or_insert(started);
        let (exporter, destination) = (Arc::clone(&self.exporter), Arc::clone(&self.destination));
        let done = delivery::attempt(exporter, destination, pending, started, trip.deadline).await;
        let Done { pending, started, result } = done;
        match result {
            AttemptResult::Answered(outcome) => self.on_outcome(pending, started, outcome, trip),
            AttemptResult::Panicked(error) => {
                self.account.count_panic();
                trip.lose(pending.items(), DropReason::ExporterPanic, error);
            }
        }
        // Only now, so that whoever waits sees what this attempt has taught.
        drop(turn);
    }

    fn on_outcome(&self, pending: Pending, started: Instant, outcome: Outcome, trip: &mut Trip) {
        if let Outcome::Retryable { error, retry_after } = outcome {
            return self.on_failure(pending, started, error, retry_after, trip);
        }
        if !made_here(&outcome) {
            self.gate.answered(started);
            self.account.remember(None);
        }
        let items = pending.items();
        match outcome {
            Outcome::Delivered { warning, .. } => {
                trip.held.deliver(items, 0);
                self.voice.succeeded();
                if let Some(warning) = warning {
                    self.voice.server_warning(&warning);
                }
            }
            Outcome::PartlyRejected { rejected, message, .. } => {
                trip.reject(items, rejected, &message);
            }
            Outcome::TooLarge { error } => trip.halve(&pending, error),
            Outcome::Permanent { error } => {
                let reason = delivery::reason_of(&error);
                if reason == DropReason::ExporterPanic {
                    self.account.count_panic();
                }
                trip.lose(items, reason, error);
            }
            other => {
                let text = format!("the exporter gave an outcome that is not known: {other:?}");
                let error = ExportError::new(ErrorKind::Other, text);
                trip.lose(items, DropReason::PermanentError, error);
            }
        }
    }

    /// Row B2: the server's delay replaces ours; row B4: not beyond the deadline of the call.
    fn on_failure(
        &self,
        pending: Pending,
        started: Instant,
        error: ExportError,
        asked: Option<Duration>,
        trip: &mut Trip,
    ) {
        let first = pending.first_attempt.unwrap_or(started);
        self.account.remember(Some(error.clone()));
        match self.gate.failed((first, started), asked) {
            Some(next) if !trip.deadline.has_passed(next) => {
                let wait = next.saturating_duration_since(now());
                self.voice.will_retry(pending.items(), &error, wait);
                trip.requests.push_front(pending);
            }
            _ => {
                let error = out_of_patience(asked, error);
                trip.lose(pending.items(), DropReason::RetriesExhausted, error);
            }
        }
    }
}

impl Trip {
    /// Final: what was rejected is counted and never sent again (row W10).
    fn reject(&mut self, items: usize, rejected: u64, message: &str) {
        self.held.deliver(items, rejected);
        self.voice.rejected(rejected, message);
        let text = format!("the server said: {}", printable(message));
        let lost = usize::try_from(rejected).unwrap_or(usize::MAX).min(items);
        self.report.add(lost, "rejected", ExportError::new(ErrorKind::Other, text));
    }

    fn lose(&mut self, items: usize, reason: DropReason, error: ExportError) {
        self.held.lose(items, reason);
        self.voice.dropped(items, reason, &error);
        self.report.add(items, reason.name(), error);
    }

    fn halve(&mut self, pending: &Pending, error: ExportError) {
        match pending.halve() {
            Ok(Some([first, second])) => {
                self.requests.push_front(second);
                self.requests.push_front(first);
            }
            Ok(None) => self.lose(pending.items(), DropReason::TooLarge, error),
            Err(broken) => {
                let error = error.with_source(broken);
                self.lose(pending.items(), DropReason::EncoderFailure, error);
            }
        }
    }
}

impl Report {
    /// The first loss explains the others best.
    fn add(&mut self, lost: usize, reason: &'static str, error: ExportError) {
        self.lost = self.lost.saturating_add(lost);
        self.error.get_or_insert((reason, error));
    }
}

fn request(payload: Payload) -> Pending {
    Pending { bytes: payload.len(), payload, first_item: 0, first_attempt: None }
}

/// When the server's own delay is why there is no other attempt, its answer alone does not show that.
fn out_of_patience(asked: Option<Duration>, error: ExportError) -> ExportError {
    let Some(asked) = asked else { return error };
    let text = format!("the server asked to wait {asked:.1?}, which leaves no time to try again");
    ExportError::new(error.kind(), text).with_source(error)
}
