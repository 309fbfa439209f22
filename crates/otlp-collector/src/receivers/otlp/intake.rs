//! The way that every request takes, whatever its transport: read, inflate, check, hand on.

use std::fmt;
use std::panic::AssertUnwindSafe;
use std::sync::Arc;
use std::time::{Duration, Instant};

use bytes::Bytes;
use futures_util::FutureExt as _;
use http_body::Body;
use otlp_core::export::text::printable_within;
use otlp_core::export::{Deadline, Outcome};
use otlp_core::{Payload, Signal};

use super::Consumers;
use super::answer::Answer;
use super::body::{self, BodyRules, Length};
use super::counters::{Counters, SignalCounters, Transport};
use super::inflate::Encoding;
use super::lifetime::by;
use super::prepare::{Raw, prepare};
use super::refusal::{Kind, Refusal};
use super::settings::LimitSettings;
use crate::admission::{Budget, Ticket};
use crate::consumer::{Batch, SharedConsumer};
use crate::seldom::Seldom;

/// What all connections share.
#[derive(Debug)]
pub(super) struct Intake {
    pub(super) consumers: Consumers,
    pub(super) budget: Budget,
    /// A quarter of it, for bodies whose bytes have not come.
    promises: Budget,
    pub(super) limits: LimitSettings,
    pub(super) counters: Counters,
}

/// A request of which the headers were read, and found good.
pub(super) struct Arrival<B> {
    pub(super) transport: Transport,
    pub(super) signal: Signal,
    pub(super) form: Form,
    pub(super) encoding: Encoding,
    pub(super) length: Length,
    /// Most bytes, before and after inflating.
    pub(super) limit: usize,
    pub(super) started: Instant,
    /// How long it may take to arrive, and to be answered after that.
    pub(super) read_timeout: Duration,
    pub(super) answer_timeout: Duration,
    pub(super) body: B,
}

/// How a message is written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Form {
    Protobuf,
    Json,
}

impl Intake {
    pub(super) fn new(consumers: Consumers, budget: Budget, limits: LimitSettings) -> Self {
        let promises = Budget::new(budget.capacity() / 4);
        Self { consumers, budget, promises, limits, counters: Counters::default() }
    }

    pub(super) fn consumer(&self, signal: Signal) -> Option<&SharedConsumer> {
        self.consumers.of(signal)
    }

    /// Counts a request that is refused by its headers. A path that nobody serves has no signal.
    pub(super) fn refuse(
        &self,
        transport: Transport,
        signal: Option<Signal>,
        refusal: Refusal,
    ) -> Answer {
        say(transport, signal, &refusal);
        let answer = Answer::Refused(refusal);
        match signal {
            Some(signal) => self.counters.of(transport, signal).note(&answer, 0),
            None => self.counters.unknown.add(1),
        }
        answer
    }

    /// Takes a request, and says what became of it. Never panics, whatever the consumer does.
    pub(super) async fn take<B>(self: &Arc<Self>, arrival: Arrival<B>) -> Answer
    where
        B: Body<Data = Bytes> + Unpin,
    {
        let (transport, signal) = (arrival.transport, arrival.signal);
        let account = Account::open(self.counters.of(transport, signal));
        let mut items = 0;
        let taken = AssertUnwindSafe(self.try_take(arrival, &mut items)).catch_unwind().await;
        let answer = match taken {
            Ok(Ok(answer)) => answer,
            Ok(Err(refusal)) => Answer::Refused(refusal),
            Err(_) => {
                self.counters.panics.add(1);
                Answer::Refused(Refusal::panicked())
            }
        };
        account.close(&answer, items);
        match &answer {
            Answer::Taken(_) => self.slow_down().await,
            // What was refused is told at once.
            Answer::Refused(refusal) => say(transport, Some(signal), refusal),
        }
        answer
    }

    /// Keeps back an answer where much is under way.
    async fn slow_down(&self) {
        let delay = self.budget.delay();
        // The clock has milliseconds.
        if delay >= Duration::from_millis(1) {
            tokio::time::sleep(delay).await;
        }
    }

    async fn try_take<B>(
        self: &Arc<Self>,
        mut arrival: Arrival<B>,
        items: &mut usize,
    ) -> Result<Answer, Refusal>
    where
        B: Body<Data = Bytes> + Unpin,
    {
        let rules = self.rules(&arrival);
        let (wire, ticket) = body::read(&mut arrival.body, arrival.length, &rules).await?;
        let raw = Raw {
            signal: arrival.signal,
            form: arrival.form,
            encoding: arrival.encoding,
            is_framed: matches!(arrival.length, Length::Framed),
            wire: wire.into(),
            ticket,
            rules,
        };
        let (payload, ticket) = prepare(self, raw).await?;
        *items = payload.items();
        self.hand_on(payload, ticket, arrival.answer_timeout).await
    }

    async fn hand_on(
        &self,
        payload: Payload,
        ticket: Ticket,
        timeout: Duration,
    ) -> Result<Answer, Refusal> {
        if payload.items() == 0 {
            // Nothing to hand on is a success (row W4).
            return Ok(Answer::Taken(None));
        }
        let Some(consumer) = self.consumer(payload.signal()) else {
            return Err(Refusal::new(Kind::Unknown, "nothing takes this signal"));
        };
        let deadline = Deadline::after(Instant::now(), timeout);
        let outcome = consumer.consume(Batch::new(payload, ticket), deadline);
        let late = deadline.instant().and_then(|at| at.checked_add(LATE));
        let outcome = match late {
            Some(late) => by(late, outcome).await,
            None => Some(outcome.await),
        };
        let retry_after = self.limits.retry_after;
        Ok(match outcome {
            Some(outcome) => self.answer(outcome),
            None => Answer::Refused(Refusal::overloaded(
                "the pipeline has not answered in time",
                retry_after,
            )),
        })
    }

    fn answer(&self, outcome: Outcome) -> Answer {
        Answer::of(outcome, self.limits.retry_after)
    }

    fn rules<B>(&self, arrival: &Arrival<B>) -> BodyRules {
        BodyRules {
            budget: self.budget.clone(),
            promises: self.promises.clone(),
            limit: arrival.limit,
            started: arrival.started,
            timeout: arrival.read_timeout,
            min_rate: self.limits.min_body_rate,
            rate_after: self.limits.min_body_rate_after,
            wait: self.limits.max_admission_wait,
            retry_after: self.limits.retry_after,
        }
    }
}

impl<B> fmt::Debug for Arrival<B> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Arrival({} over {:?})", self.signal, self.transport)
    }
}

/// Sees to it that each request is counted once, also one that its client has left.
struct Account<'c>(Option<&'c SignalCounters>);

impl<'c> Account<'c> {
    fn open(counters: &'c SignalCounters) -> Self {
        Self(Some(counters))
    }

    fn close(mut self, answer: &Answer, items: usize) {
        if let Some(counters) = self.0.take() {
            counters.note(answer, items);
        }
    }
}

impl Drop for Account<'_> {
    fn drop(&mut self) {
        if let Some(counters) = self.0 {
            counters.note_abandoned();
        }
    }
}

/// Says that a request is refused: the numbers have all of them, and a log line now and then says why.
fn say(transport: Transport, signal: Option<Signal>, refusal: &Refusal) {
    let seldom = if refusal.is_for_load() { &FOR_LOAD } else { &FOR_GOOD };
    seldom.warn(|| {
        let over = match transport {
            Transport::Grpc => "gRPC",
            Transport::Http => "HTTP",
        };
        let what =
            signal.map_or("a request".to_owned(), |signal| format!("a request with {signal}"));
        let status = refusal.kind.http().as_u16();
        let why = printable_within(&refusal.message, WHY_MAX);
        format!("{what} over {over} is refused as by HTTP status {status}: {why}")
    });
}

/// One for each, so that clients that send rubbish do not keep the operator from hearing of too much load.
static FOR_LOAD: Seldom = Seldom::new();
static FOR_GOOD: Seldom = Seldom::new();

/// Most bytes of a reason in the log.
const WHY_MAX: usize = 256;

/// How long after its deadline a pipeline is still waited for.
const LATE: Duration = Duration::from_secs(1);
