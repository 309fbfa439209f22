//! Requests: starting them, and what their outcomes mean.

use std::sync::Arc;
use std::time::{Duration, Instant};

use otlp_core::export::retry::SERVER_DELAY_MAX;
use otlp_core::export::{AnswerStatus, Deadline, ErrorKind, ExportError, Exporter, Outcome};

use super::super::batch::BatchLimit;
use super::super::delivery::{self, AttemptResult, Done, Pending};
use super::super::observe::{End, REJECTED};
use super::{DropReason, Worker, later, now};
use crate::notice::Notices;

/// What the worker remembers of a request that is in flight.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Tried {
    pub(super) first_item: u64,
    pub(super) items: usize,
    pub(super) bytes: usize,
    /// When its export began.
    pub(super) begun: Option<Instant>,
}

impl Tried {
    pub(super) fn of(pending: &Pending) -> Self {
        Self {
            first_item: pending.first_item,
            items: pending.items(),
            bytes: pending.bytes,
            begun: pending.first_attempt,
        }
    }
}

impl<E: Exporter> Worker<E> {
    pub(super) fn start_attempts(&mut self) {
        while self.has_room() && self.throttle.ready_at().is_none_or(|at| at <= now()) {
            let Some(pending) = self.next_request() else { return };
            self.start_attempt(pending);
        }
    }

    /// Whether one more request may be in flight.
    pub(super) fn has_room(&self) -> bool {
        self.tried.len() < self.throttle.concurrency(self.config.max_concurrent_exports.get())
    }

    /// Whether [`next_request`](Self::next_request) has one.
    pub(super) fn has_work(&self) -> bool {
        !self.retries.is_empty() || self.batch_is_due()
    }

    /// A full batch, or what a timer, a flush or a full queue wants out.
    fn batch_is_due(&self) -> bool {
        self.left < self.drain_to || self.queue.items() >= self.config.batch_items()
    }

    fn next_request(&mut self) -> Option<Pending> {
        if let Some(pending) = self.retries.pop_front() {
            return Some(pending);
        }
        if self.batch_is_due() { self.cut_batch() } else { None }
    }

    fn cut_batch(&mut self) -> Option<Pending> {
        let limit =
            BatchLimit { items: self.config.batch_items(), bytes: self.config.max_request_bytes };
        let batch = self.queue.take_batch(self.signal, limit, &self.resource)?;
        let (first_item, reserved) = (self.left, batch.reserved());
        self.left += batch.items() as u64;
        let payload = batch.into_payload(self.signal, &self.resource);
        // No item is taken that does not fit into a request with its headers (row Z1).
        debug_assert!(payload.len() <= limit.bytes, "a request of {} bytes", payload.len());
        Some(Pending { payload, bytes: reserved, first_item, first_attempt: None })
    }

    fn start_attempt(&mut self, mut pending: Pending) {
        let started = now();
        if pending.first_attempt.is_none() {
            pending.first_attempt = Some(started);
            self.shared.observed.begin(pending.items());
        }
        let mut deadline = self.closing.unwrap_or(Deadline::NEVER);
        if !self.config.export_timeout.is_zero() {
            deadline = deadline.min(Deadline::after(started, self.config.export_timeout));
        }
        self.tried.push(Tried::of(&pending));
        let (exporter, destination) = (Arc::clone(&self.exporter), Arc::clone(&self.destination));
        let attempt = delivery::attempt(exporter, destination, pending, started, deadline);
        self.in_flight.push(Box::pin(attempt));
    }

    pub(super) fn on_attempt(&mut self, done: Done) {
        let Done { pending, started, result } = done;
        if let Some(at) = self.tried.iter().position(|tried| *tried == Tried::of(&pending)) {
            self.tried.swap_remove(at);
        }
        match result {
            AttemptResult::Panicked(error) => {
                self.shared.count_panic();
                self.give_up(&pending, DropReason::ExporterPanic, error);
            }
            AttemptResult::Answered(outcome) => self.on_outcome(pending, started, outcome),
        }
    }

    fn on_outcome(&mut self, pending: Pending, started: Instant, outcome: Outcome) {
        if let Outcome::Retryable { error, retry_after } = outcome {
            return self.on_failure(pending, started, error, retry_after);
        }
        if !made_here(&outcome) {
            // Whatever it said, the server is there.
            self.throttle.on_answer(started, now());
            self.asked_to_wait = self.asked_to_wait.filter(|until| now() < *until);
        }
        match outcome {
            Outcome::Delivered { warning, status } => {
                self.settle(&pending, 0, status);
                self.tell(Notices::succeeded);
                if let Some(text) = warning {
                    self.tell(|notices| notices.server_warning(&text));
                }
            }
            Outcome::PartlyRejected { rejected, message, status } => {
                self.settle(&pending, rejected, status);
                self.tell(|notices| notices.rejected(rejected, &message));
                let text = crate::notice::printable(&message);
                let text = format!("the server rejected {rejected} items: {text}");
                self.remember(ExportError::new(ErrorKind::Other, text));
            }
            Outcome::TooLarge { error } => self.on_too_large(&pending, error),
            Outcome::Permanent { error } => {
                let reason = delivery::reason_of(&error);
                if reason == DropReason::ExporterPanic {
                    self.shared.count_panic();
                }
                self.give_up(&pending, reason, error);
            }
            other => {
                let text = format!("the exporter gave an outcome that is not known: {other:?}");
                let error = ExportError::new(ErrorKind::Other, text);
                self.give_up(&pending, DropReason::PermanentError, error);
            }
        }
    }

    fn on_failure(
        &mut self,
        pending: Pending,
        started: Instant,
        error: ExportError,
        retry_after: Option<Duration>,
    ) {
        let next = self.throttle.on_failure(started, now(), retry_after, rand::random());
        if let Some(asked) = retry_after {
            self.asked_to_wait = Some(later(now(), asked.min(SERVER_DELAY_MAX)));
        }
        let first = pending.first_attempt.unwrap_or(started);
        if self.throttle.policy().gives_up(first, next) {
            let error = self.out_of_patience(first, retry_after, error);
            return self.give_up(&pending, DropReason::RetriesExhausted, error);
        }
        let (items, wait) = (pending.items(), next.saturating_duration_since(now()));
        self.retries.push_back(pending);
        let too_late = self.closing.is_some_and(|deadline| deadline.has_passed(next));
        self.tell(|notices| match too_late {
            true => notices.no_time_left(items, &error),
            false => notices.will_retry(items, &error, wait),
        });
        self.remember(error);
    }

    /// The error of a request that is given up although it had time left: the server's delay is
    /// why, and its answer alone does not show that.
    fn out_of_patience(
        &self,
        first: Instant,
        asked: Option<Duration>,
        error: ExportError,
    ) -> ExportError {
        let most = self.throttle.policy().max_elapsed.unwrap_or(Duration::MAX);
        let left = most.saturating_sub(now().saturating_duration_since(first));
        let Some(asked) = asked.filter(|_| !left.is_zero()) else { return error };
        let text = format!(
            "the server asked to wait {asked:.1?}, so that the next attempt would come after the \
             {left:.1?} left for retries"
        );
        ExportError::new(error.kind(), text).with_source(error)
    }

    fn on_too_large(&mut self, pending: &Pending, error: ExportError) {
        match pending.halve() {
            Ok(Some([first, second])) => {
                self.retries.push_front(second);
                self.retries.push_front(first);
            }
            Ok(None) => self.give_up(pending, DropReason::TooLarge, error),
            Err(broken) => {
                let error = error.with_source(broken);
                self.give_up(pending, DropReason::EncoderFailure, error);
            }
        }
    }

    fn settle(&self, pending: &Pending, rejected: u64, status: Option<AnswerStatus>) {
        self.shared.intake.delivered(pending.items(), pending.bytes, rejected);
        let error = (rejected > 0).then_some(REJECTED);
        self.tell_duration(pending.first_attempt, End { error, status });
        if rejected == 0 && self.waiting.is_empty() {
            // What went wrong before is over; it must not explain a later timeout.
            self.shared.remember(None);
        }
    }

    fn give_up(&mut self, pending: &Pending, reason: DropReason, error: ExportError) {
        let items = pending.items();
        self.shared.intake.dropped(items, pending.bytes, reason);
        self.shared.observed.give_up(items, reason);
        let end = End { error: Some(reason.name()), status: error.status() };
        self.tell_duration(pending.first_attempt, end);
        self.tell(|notices| notices.dropped(items, reason, &error));
        self.remember(error);
    }

    /// Keeps an error for those who wait. The deadline of shutdown cuts attempts short, and that
    /// they timed out says less than what went wrong before.
    fn remember(&self, error: ExportError) {
        let cut_short = self.closing.is_some() && error.kind() == ErrorKind::Timeout;
        if !cut_short || self.shared.last_error().is_none() {
            self.shared.remember(Some(error));
        }
    }
}

impl<E> Worker<E> {
    /// Tells those who observe how long an export took, with all of its attempts.
    pub(super) fn tell_duration(&self, begun: Option<Instant>, end: End) {
        let took = begun.map(|begun| now().saturating_duration_since(begun));
        if !self.shared.observed.end(took, end) {
            self.shared.count_panic();
        }
    }
}

/// Whether the exporter decided by itself, without asking the server.
pub(crate) fn made_here(outcome: &Outcome) -> bool {
    let kind = outcome.error().map(ExportError::kind);
    matches!(
        kind,
        Some(ErrorKind::RequestTooLarge | ErrorKind::Request | ErrorKind::AlreadyShutdown)
    )
}
