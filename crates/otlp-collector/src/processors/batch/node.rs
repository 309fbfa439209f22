//! The node of a pipeline that puts requests together.

use std::collections::VecDeque;
use std::panic::AssertUnwindSafe;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

use futures_util::FutureExt as _;
use otlp_core::export::retry::{RetryPolicy, Throttle};
use otlp_core::export::{Deadline, ErrorKind, ExportError, Outcome};
use parking_lot::Mutex;
use tokio::sync::{Notify, oneshot, watch};
use tokio::task::JoinSet;

use super::figures::{Figures, Trigger};
use super::held::{Held, HeldCounts};
use super::pace::{Pace, Pacing, Sight};
use super::settings::BatchProcessorSettings;
use crate::clock::now;
use crate::component::{BoxFuture, Node, Running, Tally};
use crate::consumer::{Answer, Batch, Consumer, SharedConsumer};
use crate::gathering::{Debt as _, Gathered, Part, in_time, is_taken};
use crate::telemetry::Measurements;

/// Gathers in the tasks of its callers, and sends in one of its own. Dropped, it gives up what it holds.
///
/// Where the next node answers when it has delivered, so does this one. Where the next node holds what it has
/// taken in memory, as a queue does, its answer says no more than that this one has it: then a request is answered
/// for at once, and while the next node takes nothing, requests are refused with its own words.
#[derive(Debug)]
pub(super) struct BatchNode {
    shared: Arc<Shared>,
    /// Holds the one task.
    task: Mutex<JoinSet<()>>,
}

#[derive(Debug)]
struct Shared {
    settings: BatchProcessorSettings,
    /// Most bytes that wait.
    bytes_max: usize,
    next: SharedConsumer,
    state: Mutex<State>,
    /// Tells the task that a batch has begun, is ready, or has become urgent.
    wake: Notify,
    figures: Figures,
    repeatable: AtomicU64,
    /// Whether requests are answered for when they are here.
    answers_at_once: bool,
    held: Arc<HeldCounts>,
    /// By when everything has to be over; `None` before the end.
    end: watch::Sender<Option<Deadline>>,
}

#[derive(Debug, Default)]
struct State {
    waiting: Waiting,
    ready: VecDeque<Waiting>,
    /// Bytes of `ready`.
    bytes: usize,
    is_stopped: bool,
    /// What the next node has answered last, if that was a refusal, and requests are answered for at once.
    refusal: Option<Outcome>,
}

/// A batch that is not sent yet.
#[derive(Debug, Default)]
struct Waiting {
    number: u64,
    requests: usize,
    gathered: Gathered<Held>,
    first_deadline: Option<Instant>,
    /// `None` where somebody has all the time.
    last_deadline: Option<Instant>,
    is_patient: bool,
    trigger: Option<Trigger>,
}

/// What becomes of a request at first.
enum Taken {
    Waits(oneshot::Receiver<Outcome>),
    /// It is answered for.
    Held,
    /// Nothing is gathered any more.
    Passes(Batch),
    Refused(Outcome),
}

impl BatchNode {
    /// Starts the task, on the current runtime.
    pub(super) fn start(
        settings: BatchProcessorSettings,
        bytes_max: usize,
        next: SharedConsumer,
    ) -> Self {
        let shared = Arc::new(Shared {
            answers_at_once: next.holds(),
            held: Arc::default(),
            end: watch::Sender::new(None),
            settings,
            bytes_max,
            next,
            state: Mutex::default(),
            wake: Notify::new(),
            figures: Figures::default(),
            repeatable: AtomicU64::new(0),
        });
        let mut task = JoinSet::new();
        task.spawn(Arc::clone(&shared).run());
        Self { shared, task: Mutex::new(task) }
    }
}

impl Consumer for BatchNode {
    fn consume(&self, batch: Batch, deadline: Deadline) -> Answer<'_> {
        Box::pin(self.shared.consume(batch, deadline))
    }

    fn holds(&self) -> bool {
        self.shared.answers_at_once
    }
}

impl Running for BatchNode {
    /// What waits goes on at once, and what comes later passes straight through. Waits until it has gone on.
    fn stop(&self, deadline: Deadline) -> BoxFuture<'_, ()> {
        self.shared.stop(deadline);
        let mut task = std::mem::take(&mut *self.task.lock());
        Box::pin(async move {
            let ended = task.join_next();
            match deadline.instant() {
                None => drop(ended.await),
                // What is left is given up with the task.
                Some(at) => drop(tokio::time::timeout_at(at.into(), ended).await),
            }
        })
    }

    fn measure(&self, measurements: &mut Measurements) {
        self.shared.figures.measure(measurements);
    }
}

impl Node for BatchNode {
    fn tally(&self) -> Tally {
        let (repeatable, held) = (&self.shared.repeatable, &self.shared.held);
        Tally {
            repeatable: repeatable.load(Ordering::Relaxed),
            held: held.held(),
            dropped: held.dropped(),
        }
    }
}

impl Shared {
    async fn consume(&self, batch: Batch, deadline: Deadline) -> Outcome {
        if batch.payload().items() == 0 {
            // There is nothing in it that could be lost.
            return Outcome::delivered();
        }
        match self.take(batch, deadline) {
            Taken::Waits(answer) => in_time(answer, deadline).await.unwrap_or_else(ended),
            Taken::Held => Outcome::delivered(),
            Taken::Passes(batch) => self.next.consume(batch, deadline).await,
            Taken::Refused(outcome) => outcome,
        }
    }

    /// Adds a request to the batch that waits. The only lock on the way of a request.
    fn take(&self, batch: Batch, deadline: Deadline) -> Taken {
        let mut state = self.state.lock();
        if state.is_stopped {
            return Taken::Passes(batch);
        }
        if let Some(refusal) = &state.refusal {
            return Taken::Refused(refusal.clone());
        }
        if !state.has_room(batch.payload().len(), self.bytes_max) {
            return Taken::Refused(full());
        }
        let (is_news, taken) = self.add(&mut state.waiting, batch, deadline);
        let is_ready = self.is_enough(&state.waiting);
        if is_ready {
            state.turn_over(Trigger::Size);
        }
        drop(state);
        if is_news || is_ready {
            self.wake.notify_one();
        }
        taken
    }

    fn add(&self, waiting: &mut Waiting, batch: Batch, deadline: Deadline) -> (bool, Taken) {
        if self.answers_at_once {
            let held = self.held.take_on(batch.payload().items());
            return (waiting.add(batch, Deadline::NEVER, held, None), Taken::Held);
        }
        let (reply, answer) = oneshot::channel();
        (waiting.add(batch, deadline, Held::default(), Some(reply)), Taken::Waits(answer))
    }

    fn stop(&self, deadline: Deadline) {
        let mut state = self.state.lock();
        state.is_stopped = true;
        state.turn_over(Trigger::Timeout);
        drop(state);
        self.end.send_replace(Some(deadline));
        self.wake.notify_one();
    }

    fn is_enough(&self, waiting: &Waiting) -> bool {
        let enough = usize::try_from(self.settings.send_batch_size).unwrap_or(usize::MAX);
        !self.settings.gathers() || waiting.gathered.items() >= enough
    }

    /// Sends what is ready and what has waited long enough, until it is stopped and all has its answer.
    async fn run(self: Arc<Self>) {
        // Who has his answer waits for nothing.
        let idle = self.settings.idle().filter(|_| !self.answers_at_once);
        let mut pace = Pace::new(self.settings.timeout, idle);
        let (mut parts, mut under_way) = (VecDeque::new(), JoinSet::new());
        loop {
            while under_way.len() < UNDER_WAY_MAX {
                if parts.is_empty() {
                    parts = self.next_parts();
                }
                let Some(part) = parts.pop_front() else { break };
                under_way.spawn(Arc::clone(&self).send(part));
            }
            if under_way.is_empty() && self.state.lock().is_over() {
                return;
            }
            let look_at = self.look(&mut pace);
            tokio::select! {
                () = self.wake.notified() => {}
                Some(_) = under_way.join_next() => {}
                () = until(look_at) => {}
            }
        }
    }

    /// Looks at the batch that waits; says when to look again.
    fn look(&self, pace: &mut Pace) -> Option<Instant> {
        let mut state = self.state.lock();
        let sight = state.waiting.sight()?;
        match pace.look(sight, now()) {
            Pacing::LookAgain(at) => Some(at),
            Pacing::Send => {
                state.turn_over(Trigger::Timeout);
                drop(state);
                self.wake.notify_one();
                None
            }
        }
    }

    /// The next batch, cut into what can be sent. What is left of one that is cut waits for more.
    fn next_parts(&self) -> VecDeque<Sending> {
        let Some((batch, is_stopped)) = self.state.lock().next_ready() else {
            return VecDeque::new();
        };
        let deadline = batch.deadline();
        let trigger = batch.trigger.unwrap_or(Trigger::Timeout);
        let (first_deadline, last) = (batch.first_deadline, deadline);
        let mut parts = batch.gathered.into_parts(self.settings.limit());
        let keeps_rest = trigger == Trigger::Size && self.settings.gathers() && !is_stopped;
        if keeps_rest && parts.len() > 1 {
            let enough = usize::try_from(self.settings.send_batch_size).unwrap_or(usize::MAX);
            let rest = parts.pop_if(|part| part.payload().items() < enough);
            parts.extend(rest.and_then(|rest| self.put_back(rest, first_deadline, last)));
        }
        parts.into_iter().map(|part| Sending { part, deadline, trigger }).collect()
    }

    /// Adds to the batch that waits, if one may.
    fn put_back(
        &self,
        rest: Part<Held>,
        first: Option<Instant>,
        last: Deadline,
    ) -> Option<Part<Held>> {
        let mut state = self.state.lock();
        if state.is_stopped {
            return Some(rest);
        }
        state.waiting.gathered.put_back(rest);
        state.waiting.note(first, last);
        if self.is_enough(&state.waiting) {
            state.turn_over(Trigger::Size);
        }
        None
    }

    async fn send(self: Arc<Self>, sending: Sending) {
        let Sending { mut part, deadline, trigger } = sending;
        if self.answers_at_once {
            let held = part.take_debt().unwrap_or_default();
            self.hand_on(part.batch(), held, trigger).await;
            return;
        }
        let outcome = self.offer(part.batch(), deadline).await;
        let is_taken = is_taken(&outcome);
        if is_taken {
            self.figures.sent(trigger, part.payload().items(), part.payload().len());
        }
        let settled = if is_taken { part.payload().items() } else { 0 };
        let repeatable = part.end(&outcome, settled);
        self.repeatable.fetch_add(repeatable as u64, Ordering::Relaxed);
    }

    /// Offers to the next node what was answered for, until it takes it, or will never, or the end has come.
    fn hand_on(&self, batch: Batch, held: Held, trigger: Trigger) -> BoxFuture<'_, ()> {
        Box::pin(async move {
            let mut end = self.end.subscribe();
            let mut throttle = Throttle::new(patience());
            let mut batch = batch;
            loop {
                let by = end.borrow_and_update().unwrap_or(Deadline::NEVER);
                let started = now();
                let outcome = self.offer(batch.clone(), by).await;
                let Outcome::Retryable { retry_after, .. } = &outcome else {
                    self.state.lock().refusal = None;
                    return self.settle(&outcome, batch, held, trigger).await;
                };
                let next = throttle.on_failure(started, now(), *retry_after, rand::random());
                self.state.lock().refusal = Some(outcome);
                batch = batch.repeated();
                if by.has_passed(next) {
                    return;
                }
                tokio::select! {
                    () = tokio::time::sleep_until(next.into()) => {}
                    // The end does not wait for a better time.
                    Ok(()) = end.changed() => {}
                }
            }
        })
    }

    /// Does what the next node's last word asks for.
    async fn settle(&self, outcome: &Outcome, batch: Batch, mut held: Held, trigger: Trigger) {
        let payload = batch.payload();
        if is_taken(outcome) {
            self.figures.sent(trigger, payload.items(), payload.len());
            return held.gone();
        }
        if matches!(outcome, Outcome::TooLarge { .. })
            && let Ok(Some((first, second))) = payload.halve()
        {
            let of_first = held.split(first.items());
            // The next node has refused the whole, and is offered it again in two.
            let (first, second) = (batch.clone().with_payload(first), batch.with_payload(second));
            self.hand_on(first.repeated(), of_first, trigger).await;
            return self.hand_on(second.repeated(), held, trigger).await;
        }
        let items = payload.items();
        let why = outcome.error().map(ToString::to_string).unwrap_or_default();
        tracing::error!(target: "otlp_collector", items, "batch: what was taken is dropped: {why}");
        held.refused();
    }

    async fn offer(&self, batch: Batch, deadline: Deadline) -> Outcome {
        let consumed = AssertUnwindSafe(async { self.next.consume(batch, deadline).await });
        consumed.catch_unwind().await.unwrap_or_else(|_panic| panicked())
    }
}

/// A request on its way.
#[derive(Debug)]
struct Sending {
    part: Part<Held>,
    deadline: Deadline,
    trigger: Trigger,
}

impl State {
    fn has_room(&self, bytes: usize, bytes_max: usize) -> bool {
        let all = self.bytes.saturating_add(self.waiting.gathered.bytes()).saturating_add(bytes);
        self.ready.len() < READY_MAX && all <= bytes_max
    }

    /// What waits is ready, and another batch begins.
    fn turn_over(&mut self, trigger: Trigger) {
        if self.waiting.gathered.is_empty() {
            return;
        }
        let following = Waiting { number: self.waiting.number + 1, ..Waiting::default() };
        let mut full = std::mem::replace(&mut self.waiting, following);
        full.trigger = Some(trigger);
        self.bytes = self.bytes.saturating_add(full.gathered.bytes());
        self.ready.push_back(full);
    }

    fn next_ready(&mut self) -> Option<(Waiting, bool)> {
        let batch = self.ready.pop_front()?;
        self.bytes = self.bytes.saturating_sub(batch.gathered.bytes());
        Some((batch, self.is_stopped))
    }

    fn is_over(&self) -> bool {
        self.is_stopped && self.ready.is_empty() && self.waiting.gathered.is_empty()
    }
}

impl Waiting {
    /// Adds a request; says whether the task has to know: the batch has begun, or become urgent.
    fn add(
        &mut self,
        batch: Batch,
        deadline: Deadline,
        held: Held,
        reply: Option<oneshot::Sender<Outcome>>,
    ) -> bool {
        let is_first = self.gathered.is_empty();
        self.gathered.add(batch, held, reply);
        self.requests += 1;
        let before = self.first_deadline;
        self.note(deadline.instant(), deadline);
        is_first || before != self.first_deadline
    }

    fn note(&mut self, first: Option<Instant>, last: Deadline) {
        self.first_deadline = [self.first_deadline, first].into_iter().flatten().min();
        match last.instant() {
            None => self.is_patient = true,
            last => self.last_deadline = self.last_deadline.max(last),
        }
    }

    /// Of the most patient: the others hear in their time that it is over.
    fn deadline(&self) -> Deadline {
        match self.last_deadline {
            Some(at) if !self.is_patient => Deadline::at(at),
            _ => Deadline::NEVER,
        }
    }

    fn sight(&self) -> Option<Sight> {
        let Self { number, requests, first_deadline, .. } = *self;
        (!self.gathered.is_empty()).then_some(Sight { number, requests, first_deadline })
    }
}

async fn until(at: Option<Instant>) {
    match at {
        Some(at) => tokio::time::sleep_until(at.into()).await,
        None => std::future::pending().await,
    }
}

fn full() -> Outcome {
    refused(ErrorKind::Other, "too much waits in the batch processor")
}

fn ended() -> Outcome {
    refused(ErrorKind::AlreadyShutdown, "the batch processor has ended")
}

fn panicked() -> Outcome {
    Outcome::permanent(ExportError::new(ErrorKind::Panic, "a component panicked"))
}

fn refused(kind: ErrorKind, text: &'static str) -> Outcome {
    Outcome::retryable(ExportError::new(kind, text))
}

fn patience() -> RetryPolicy {
    RetryPolicy::default().with_initial_backoff(FIRST_WAIT).with_max_backoff(LONGEST_WAIT)
}

/// Waits between two offers of what was answered for.
const FIRST_WAIT: Duration = Duration::from_millis(50);
const LONGEST_WAIT: Duration = Duration::from_secs(5);

/// Most requests that are sent at once; the number of consumers that a sending queue has by default.
const UNDER_WAY_MAX: usize = 10;
/// Most batches that wait for that.
const READY_MAX: usize = 100;
