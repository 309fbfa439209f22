//! Flush and shutdown: what they wait for, and how they end.

use std::sync::Arc;

use futures_util::{FutureExt, StreamExt};
use otlp_core::export::{Deadline, ErrorKind, ExportError, Exporter};

use super::super::account::Ledger;
use super::super::config::PipelineError;
use super::super::delivery;
use super::super::handle::Reply;
use super::super::observe::End;
use super::requests::Tried;
use super::{DropReason, Worker, now};
use crate::foreign::caught;
use crate::notice::Notices;

/// A flush or the shutdown, waiting for everything before `target`.
pub(super) struct Waiting {
    pub(super) target: u64,
    /// The account of which somebody was told before.
    pub(super) told: Ledger,
    pub(super) deadline: Deadline,
    pub(super) kind: Kind,
    pub(super) reply: Reply,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Kind {
    Flush,
    Shutdown,
    /// A shutdown while another one is at work: waits for that one.
    Join,
}

/// The exporter's own flush or shutdown has ended.
pub(super) struct Settled {
    pub(super) reply: Reply,
    pub(super) result: Result<(), PipelineError>,
}

impl<E: Exporter> Worker<E> {
    pub(super) fn settle_waiting(&mut self) {
        let mut at = 0;
        while let Some(waiting) = self.waiting.get(at) {
            if self.is_done(waiting.target) || self.is_over(waiting) {
                let waiting = self.waiting.remove(at);
                self.finish(waiting);
                // A shutdown that ends leaves nothing that anybody before it could wait for.
                at = 0;
            } else {
                at += 1;
            }
        }
    }

    /// Whether everything before `target` has been dealt with.
    fn is_done(&self, target: u64) -> bool {
        self.left >= target
            && self.retries.iter().all(|pending| pending.first_item >= target)
            && self.tried.iter().all(|tried| tried.first_item >= target)
    }

    /// Whether there is no time left: by the clock, or at shutdown because nothing is in flight
    /// and the next attempt may only start after the deadline.
    fn is_over(&self, waiting: &Waiting) -> bool {
        let gate = self.throttle.ready_at();
        let hopeless = waiting.kind == Kind::Shutdown
            && self.tried.is_empty()
            && gate.is_some_and(|at| waiting.deadline.has_passed(at));
        hopeless || waiting.deadline.has_passed(now())
    }

    /// Ends a flush or the shutdown: with the exporter's own, if there is time left for it.
    fn finish(&mut self, waiting: Waiting) {
        let Waiting { target, told, deadline, kind, reply } = waiting;
        if kind == Kind::Shutdown {
            self.take_last_answers();
        }
        let done = self.is_done(target);
        let mut last_error = self.shared.last_error();
        if !done && last_error.is_none() {
            last_error = self.unanswered();
        }
        if kind == Kind::Shutdown {
            self.drop_all(DropReason::ShutdownTimeout);
            self.tell(Notices::last_words);
            self.tell_of_refused();
            self.tell_of_limited();
        }
        if done && self.waiting.is_empty() && self.retries.is_empty() {
            // Whoever waited is told of it now; it must not explain a later timeout.
            self.shared.remember(None);
        }
        let ledger = self.shared.intake.ledger();
        let (lost, reasons) = ledger.losses_since(&told);
        let result = match (done, kind, lost) {
            (true, _, 0) => Ok(()),
            (true, _, lost) => Err(PipelineError::Lost { lost, reasons, last_error }),
            (false, Kind::Flush | Kind::Join, _) => {
                Err(PipelineError::Timeout { held: ledger.held, last_error })
            }
            (false, Kind::Shutdown, _) => {
                let held = ledger.dropped(DropReason::ShutdownTimeout);
                Err(PipelineError::Timeout { held, last_error })
            }
        };
        if done || kind == Kind::Shutdown {
            self.told = ledger;
        }
        if kind == Kind::Join {
            return reply(result);
        }
        let (exporter, shared) = (Arc::clone(&self.exporter), Arc::clone(&self.shared));
        self.settling.push(Box::pin(async move {
            let last = match kind {
                Kind::Flush | Kind::Join => delivery::force_flush(&*exporter, deadline).await,
                Kind::Shutdown => delivery::shutdown(&*exporter, deadline).await,
            };
            if last.as_ref().is_err_and(|error| error.kind() == ErrorKind::Panic) {
                shared.count_panic();
            }
            Settled { reply, result: result.and_then(|()| last.map_err(PipelineError::Exporter)) }
        }));
    }

    /// Why a wait is over that nothing went wrong in: somebody takes long to answer.
    fn unanswered(&self) -> Option<ExportError> {
        let text = || format!("no answer from {} yet", self.destination);
        (!self.tried.is_empty()).then(|| ExportError::new(ErrorKind::Timeout, text()))
    }

    /// Answers that are there already count, even if the deadline has passed meanwhile.
    fn take_last_answers(&mut self) {
        while let Some(Some(done)) = self.in_flight.next().now_or_never() {
            self.on_attempt(done);
        }
    }
}

impl<E> Worker<E> {
    /// Drops the requests in flight. They have destructors of the user's; each panic costs the rest of
    /// one round.
    pub(super) fn let_requests_go(&mut self) {
        while caught(|| self.in_flight.clear()).is_err() {
            self.shared.count_panic();
        }
    }

    /// Gives up a request whose export has begun.
    pub(super) fn give_up_tried(&self, tried: Tried, reason: DropReason) {
        let Tried { items, bytes, begun, .. } = tried;
        self.shared.intake.dropped(items, bytes, reason);
        self.shared.observed.give_up(items, reason);
        self.tell_duration(begun, End { error: Some(reason.name()), status: None });
    }

    /// Gives up everything that is still here, counted; requests in flight are let go.
    pub(super) fn drop_all(&mut self, reason: DropReason) {
        self.let_requests_go();
        let (items, bytes) = self.queue.clear();
        let retries = self.retries.drain(..).map(|pending| Tried::of(&pending));
        let begun: Vec<_> = self.tried.drain(..).chain(retries).collect();
        for tried in begun {
            self.give_up_tried(tried, reason);
        }
        self.shared.intake.dropped(items, bytes, reason);
        self.left = self.entered;
    }
}
