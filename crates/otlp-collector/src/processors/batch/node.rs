//! The node of a pipeline that puts requests together.

use std::collections::VecDeque;
use std::panic::AssertUnwindSafe;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Instant;

use futures_util::FutureExt as _;
use otlp_core::export::{Deadline, ErrorKind, ExportError, Outcome};
use parking_lot::Mutex;
use tokio::sync::{Notify, oneshot};
use tokio::task::JoinSet;

use super::figures::{Figures, Trigger};
use super::pace::{Pace, Pacing, Sight};
use super::settings::BatchProcessorSettings;
use crate::clock::now;
use crate::component::{BoxFuture, Node, Running, Tally};
use crate::consumer::{Answer, Batch, Consumer, SharedConsumer};
use crate::gathering::{Gathered, Part, in_time, is_taken};
use crate::telemetry::Measurements;

/// Gathers in the tasks of its callers, and sends in one of its own. Dropped, it gives up what it holds.
#[derive(Debug)]
pub(super) struct BatchNode {
    shared: Arc<Shared>,
    /// Holds the one task.
    _task: JoinSet<()>,
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
}

#[derive(Debug, Default)]
struct State {
    waiting: Waiting,
    ready: VecDeque<Waiting>,
    /// Bytes of `ready`.
    bytes: usize,
    is_stopped: bool,
}

/// A batch that is not sent yet.
#[derive(Debug, Default)]
struct Waiting {
    number: u64,
    requests: usize,
    gathered: Gathered<()>,
    first_deadline: Option<Instant>,
    /// `None` where somebody has all the time.
    last_deadline: Option<Instant>,
    is_patient: bool,
    trigger: Option<Trigger>,
}

/// What becomes of a request at first.
enum Taken {
    Waits(oneshot::Receiver<Outcome>),
    /// Nothing is gathered any more.
    Passes(Batch),
    Refused,
}

impl BatchNode {
    /// Starts the task, on the current runtime.
    pub(super) fn start(
        settings: BatchProcessorSettings,
        bytes_max: usize,
        next: SharedConsumer,
    ) -> Self {
        let shared = Arc::new(Shared {
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
        Self { shared, _task: task }
    }
}

impl Consumer for BatchNode {
    fn consume(&self, batch: Batch, deadline: Deadline) -> Answer<'_> {
        Box::pin(self.shared.consume(batch, deadline))
    }
}

impl Running for BatchNode {
    /// What waits goes on at once, and what comes later passes straight through.
    fn stop(&self, _deadline: Deadline) -> BoxFuture<'_, ()> {
        let mut state = self.shared.state.lock();
        state.is_stopped = true;
        state.turn_over(Trigger::Timeout);
        drop(state);
        self.shared.wake.notify_one();
        Box::pin(std::future::ready(()))
    }

    fn measure(&self, measurements: &mut Measurements) {
        self.shared.figures.measure(measurements);
    }
}

impl Node for BatchNode {
    fn tally(&self) -> Tally {
        let repeatable = self.shared.repeatable.load(Ordering::Relaxed);
        Tally { repeatable, ..Tally::default() }
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
            Taken::Passes(batch) => self.next.consume(batch, deadline).await,
            Taken::Refused => full(),
        }
    }

    /// Adds a request to the batch that waits. The only lock on the way of a request.
    fn take(&self, batch: Batch, deadline: Deadline) -> Taken {
        let mut state = self.state.lock();
        if state.is_stopped {
            return Taken::Passes(batch);
        }
        if !state.has_room(batch.payload().len(), self.bytes_max) {
            return Taken::Refused;
        }
        let (reply, answer) = oneshot::channel();
        let is_news = state.waiting.add(batch, deadline, reply);
        let is_ready = self.is_enough(&state.waiting);
        if is_ready {
            state.turn_over(Trigger::Size);
        }
        drop(state);
        if is_news || is_ready {
            self.wake.notify_one();
        }
        Taken::Waits(answer)
    }

    fn is_enough(&self, waiting: &Waiting) -> bool {
        let enough = usize::try_from(self.settings.send_batch_size).unwrap_or(usize::MAX);
        !self.settings.gathers() || waiting.gathered.items() >= enough
    }

    /// Sends what is ready and what has waited long enough, until it is stopped and all has its answer.
    async fn run(self: Arc<Self>) {
        let mut pace = Pace::new(self.settings.timeout, self.settings.idle());
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
    fn put_back(&self, rest: Part<()>, first: Option<Instant>, last: Deadline) -> Option<Part<()>> {
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
        let Sending { part, deadline, trigger } = sending;
        let consumed = AssertUnwindSafe(async { self.next.consume(part.batch(), deadline).await });
        let outcome = consumed.catch_unwind().await.unwrap_or_else(|_panic| panicked());
        let (items, bytes) = (part.payload().items(), part.payload().len());
        let is_taken = is_taken(&outcome);
        if is_taken {
            self.figures.sent(trigger, items, bytes);
        }
        let repeatable = part.end(&outcome, if is_taken { items } else { 0 });
        self.repeatable.fetch_add(repeatable as u64, Ordering::Relaxed);
    }
}

/// A request on its way.
#[derive(Debug)]
struct Sending {
    part: Part<()>,
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
    fn add(&mut self, batch: Batch, deadline: Deadline, reply: oneshot::Sender<Outcome>) -> bool {
        let is_first = self.gathered.is_empty();
        self.gathered.add(batch, (), Some(reply));
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

/// Most requests that are sent at once; the number of consumers that a sending queue has by default.
const UNDER_WAY_MAX: usize = 10;
/// Most batches that wait for that.
const READY_MAX: usize = 100;
