//! One request on its way: attempts until it has arrived or is given up.

use std::panic::AssertUnwindSafe;
use std::pin::Pin;

use futures_util::FutureExt as _;
use otlp_core::Payload;
use otlp_core::export::retry::Throttle;
use otlp_core::export::{BoxedExporter, Deadline, ErrorKind, ExportError, Exporter as _, Outcome};
use tokio::sync::watch;

use super::account::{Counters, Owed};
use super::progress::Progress;
use super::settings::SendingSettings;
use super::voice::Voice;
use crate::clock::now;
use crate::gathering::Debt as _;
use crate::gathering::worse;

/// What all deliveries of a sender share.
#[derive(Debug)]
pub(super) struct Deliveries {
    pub(super) exporter: BoxedExporter,
    pub(super) settings: SendingSettings,
    pub(super) counters: Counters,
    pub(super) progress: Progress,
    pub(super) voice: Voice,
    /// By when everything has to be over; `None` before the shutdown.
    pub(super) stop: watch::Sender<Option<Deadline>>,
}

/// What became of a request.
#[derive(Debug)]
pub(super) struct Delivery {
    pub(super) outcome: Outcome,
    /// Items that were sent or rejected, also where the outcome of the whole is a failure.
    pub(super) settled: usize,
}

impl Deliveries {
    /// Delivers a request, or gives it up, and pays what is owed for it.
    pub(super) async fn deliver(
        &self,
        payload: &Payload,
        owed: Owed,
        deadline: Deadline,
    ) -> Delivery {
        let mut stop = self.stop.subscribe();
        let policy = self.settings.retry.policy();
        let mut throttle = Throttle::new(policy);
        let first = now();
        loop {
            let started = now();
            let until = (*stop.borrow_and_update()).map_or(deadline, |end| end.min(deadline));
            let outcome = tokio::select! {
                outcome = self.attempt(payload, until) => outcome,
                // A shutdown that came meanwhile leaves less time.
                () = over(self.stop.subscribe()) => out_of_time(),
            };
            self.progress.note(&outcome);
            let (error, retry_after) = match outcome {
                Outcome::Retryable { error, retry_after } => (error, retry_after),
                Outcome::TooLarge { error } => {
                    return self.in_halves(payload, owed, deadline, error).await;
                }
                settled => return self.settle(payload, owed, settled),
            };
            let next = throttle.on_failure(started, now(), retry_after, rand::random());
            let until = (*stop.borrow()).map_or(deadline, |end| end.min(deadline));
            if policy.gives_up(first, next) || until.has_passed(next) {
                return self.settle(payload, owed, Outcome::Retryable { error, retry_after });
            }
            self.voice.tries_again(&Outcome::Retryable { error, retry_after });
            tokio::select! {
                () = tokio::time::sleep_until(next.into()) => {}
                // The shutdown does not wait for a better time.
                Ok(()) = stop.changed() => {}
            }
        }
    }

    /// One attempt, within its time. A panic ends the request and nothing else.
    async fn attempt(&self, payload: &Payload, until: Deadline) -> Outcome {
        let timeout = Some(self.settings.timeout).filter(|timeout| !timeout.is_zero());
        let deadline = until.within(now(), timeout);
        let export = AssertUnwindSafe(self.exporter.export(payload.clone(), deadline));
        let export = export.catch_unwind();
        let answered = match deadline.instant() {
            None => Some(export.await),
            Some(at) => tokio::time::timeout_at(at.into(), export).await.ok(),
        };
        match answered {
            Some(Ok(outcome)) => outcome,
            Some(Err(_panic)) => {
                self.counters.panicked();
                Outcome::permanent(ExportError::new(ErrorKind::Panic, "the exporter panicked"))
            }
            None => out_of_time(),
        }
    }

    /// Pays for a request by what became of it, and says it.
    fn settle(&self, payload: &Payload, owed: Owed, outcome: Outcome) -> Delivery {
        self.voice.ended(&outcome, payload.items(), owed.is_lost_when_dropped());
        settle(payload, owed, outcome)
    }

    /// A destination that finds a request too large may take its halves.
    fn in_halves<'a>(
        &'a self,
        payload: &'a Payload,
        mut owed: Owed,
        deadline: Deadline,
        error: ExportError,
    ) -> Pin<Box<dyn Future<Output = Delivery> + Send + 'a>> {
        Box::pin(async move {
            let Ok(Some((first, second))) = payload.halve() else {
                return self.settle(payload, owed, Outcome::TooLarge { error });
            };
            let of_first = owed.split(first.items());
            let first = self.deliver(&first, of_first, deadline).await;
            let second = self.deliver(&second, owed, deadline).await;
            let settled = first.settled.saturating_add(second.settled);
            Delivery { outcome: worse(first.outcome, second.outcome), settled }
        })
    }
}

/// Pays for a request by what became of it.
fn settle(payload: &Payload, owed: Owed, outcome: Outcome) -> Delivery {
    let settled = match &outcome {
        Outcome::Delivered { .. } => {
            owed.sent(0);
            payload.items()
        }
        Outcome::PartlyRejected { rejected, .. } => {
            owed.sent(*rejected);
            payload.items()
        }
        _ => 0,
    };
    Delivery { outcome, settled }
}

/// Waits for the end of the time that a shutdown leaves.
async fn over(mut stop: watch::Receiver<Option<Deadline>>) {
    let end = stop.wait_for(Option::is_some).await.ok().and_then(|end| *end);
    match end.and_then(Deadline::instant) {
        Some(at) => tokio::time::sleep_until(at.into()).await,
        None => std::future::pending().await,
    }
}

fn out_of_time() -> Outcome {
    let text = "the time was over before the destination had answered";
    Outcome::retryable(ExportError::new(ErrorKind::Timeout, text))
}
