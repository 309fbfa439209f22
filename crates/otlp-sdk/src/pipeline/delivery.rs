//! One request on its way: an attempt that always comes back, and what its outcome means.

use std::panic::AssertUnwindSafe;
use std::sync::Arc;
use std::time::{Duration, Instant};

use futures_util::FutureExt;
use otlp_core::Payload;
use otlp_core::export::{Deadline, ErrorKind, ExportError, Exporter, Outcome};

use super::account::DropReason;
use crate::foreign::{caught, discard};
use crate::notice::printable;

/// A request that is waiting for an attempt, or being tried.
#[derive(Debug)]
pub(crate) struct Pending {
    pub(crate) payload: Payload,
    /// Reserved in the budget for what it holds.
    pub(crate) bytes: usize,
    /// Position of its first item among all that ever entered the queue.
    pub(crate) first_item: u64,
    /// When it was tried for the first time.
    pub(crate) first_attempt: Option<Instant>,
}

/// An attempt that has ended.
#[derive(Debug)]
pub(crate) struct Done {
    pub(crate) pending: Pending,
    pub(crate) started: Instant,
    pub(crate) result: AttemptResult,
}

/// How an attempt ended.
#[derive(Debug)]
pub(crate) enum AttemptResult {
    /// The exporter answered, or ran out of time.
    Answered(Outcome),
    /// The exporter panicked.
    Panicked(ExportError),
}

impl Pending {
    pub(crate) fn items(&self) -> usize {
        self.payload.items()
    }

    /// Two halves; `None` if there is nothing to halve, or the request cannot be cut.
    pub(crate) fn halve(&self) -> Result<Option<[Self; 2]>, otlp_core::wire::WireError> {
        let Some((first, second)) = self.payload.halve()? else { return Ok(None) };
        let items = self.payload.items().max(1);
        // The shares add up to the whole exactly; which half has how much does not matter.
        let first_bytes = (self.bytes / items).saturating_mul(first.items()).min(self.bytes);
        let second_item = self.first_item + first.items() as u64;
        let part = |payload, bytes, first_item| Self {
            payload,
            bytes,
            first_item,
            first_attempt: self.first_attempt,
        };
        Ok(Some([
            part(first, first_bytes, self.first_item),
            part(second, self.bytes - first_bytes, second_item),
        ]))
    }
}

/// Tries a request once, with a deadline that the exporter cannot miss and a panic that it cannot
/// spread.
pub(crate) async fn attempt<E: Exporter>(
    exporter: Arc<E>,
    destination: Arc<str>,
    pending: Pending,
    started: Instant,
    deadline: Deadline,
) -> Done {
    let payload = pending.payload.clone();
    // The call itself may panic, so it runs inside the guarded future.
    let export = async { exporter.export(payload, deadline).await };
    let result = match guarded(export, deadline).await {
        Ok(outcome) => AttemptResult::Answered(outcome),
        Err(Failure::TimedOut) => {
            let after = deadline.remaining(started).unwrap_or_default();
            let text = format!("no answer from {destination} within {after:?}");
            AttemptResult::Answered(Outcome::retryable(ExportError::new(ErrorKind::Timeout, text)))
        }
        Err(Failure::Panicked(error)) => AttemptResult::Panicked(error),
    };
    Done { pending, started, result }
}

/// The result, unless the deadline comes first.
pub(crate) async fn by<T>(deadline: Deadline, work: impl Future<Output = T>) -> Option<T> {
    match deadline.instant() {
        Some(at) => tokio::time::timeout_at(at.into(), work).await.ok(),
        None => Some(work.await),
    }
}

/// Calls the exporter's own flush.
pub(crate) async fn force_flush<E: Exporter>(
    exporter: &E,
    deadline: Deadline,
) -> Result<(), ExportError> {
    // The call itself may panic, so it runs inside the guarded future.
    settle(guarded(async { exporter.force_flush(deadline).await }, deadline).await)
}

/// Shuts the exporter down.
pub(crate) async fn shutdown<E: Exporter>(
    exporter: &E,
    deadline: Deadline,
) -> Result<(), ExportError> {
    settle(guarded(async { exporter.shutdown(deadline).await }, deadline).await)
}

/// Why a request that has failed for good is dropped. An exporter may have caught a panic itself, of one
/// that it wraps.
pub(crate) fn reason_of(error: &ExportError) -> DropReason {
    match error.kind() {
        ErrorKind::Panic => DropReason::ExporterPanic,
        _ => DropReason::PermanentError,
    }
}

enum Failure {
    TimedOut,
    Panicked(ExportError),
}

fn settle(result: Result<Result<(), ExportError>, Failure>) -> Result<(), ExportError> {
    match result {
        Ok(result) => result,
        Err(Failure::TimedOut) => {
            Err(ExportError::new(ErrorKind::Timeout, "the exporter did not finish in time"))
        }
        Err(Failure::Panicked(error)) => Err(error),
    }
}

async fn guarded<T>(
    call: impl Future<Output = T> + Send,
    deadline: Deadline,
) -> Result<T, Failure> {
    let mut call = Box::pin(AssertUnwindSafe(call).catch_unwind());
    let late = deadline.instant().and_then(|at| at.checked_add(GRACE));
    let result = by(late.map_or(Deadline::NEVER, Deadline::at), call.as_mut()).await;
    // What the exporter keeps across its waits has destructors, which may panic as well.
    let dropped = caught(|| drop(call));
    match (result, dropped) {
        (Some(Ok(value)), _) => Ok(value),
        (Some(Err(panic)), _) => Err(Failure::Panicked(panicked(&discard(panic)))),
        (None, Err(text)) => Err(Failure::Panicked(panicked(&text))),
        (None, Ok(())) => Err(Failure::TimedOut),
    }
}

fn panicked(text: &str) -> ExportError {
    let text = format!("the exporter panicked: {}", printable(text));
    ExportError::new(ErrorKind::Panic, text)
}

/// An exporter that keeps its deadline knows more about what happened than we do, so it gets a
/// moment to say so.
const GRACE: Duration = Duration::from_millis(100);
