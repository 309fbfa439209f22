//! The worker of a pipeline: collects, cuts batches, keeps requests in flight, settles flushes.
//!
//! Its state survives its futures: whatever is awaited can be dropped and begun again, and a panic
//! costs at most the request that caused it.

use std::collections::VecDeque;
use std::future::{Future, poll_fn};
use std::pin::Pin;
use std::sync::Arc;
use std::task::Poll;
use std::time::{Duration, Instant};

use futures_util::StreamExt;
use futures_util::stream::FuturesUnordered;
use otlp_core::export::retry::Throttle;
use otlp_core::export::{Deadline, ErrorKind, ExportError, Exporter, Outcome};
use otlp_core::wire::envelope::ResourceHeader;
use otlp_core::Signal;
use tokio::sync::mpsc;

use super::account::DropReason;
use super::batch::{BatchLimit, Queue};
use super::config::{BatchConfig, PipelineError};
use super::delivery::{self, AttemptResult, Done, Pending};
use super::handle::{Command, Reply, Shared};
use super::slot::Collect;
use crate::notice::Notices;

/// The state of a pipeline's worker.
pub(crate) struct Worker<E> {
    shared: Arc<Shared>,
    exporter: Arc<E>,
    config: BatchConfig,
    signal: Signal,
    resource: ResourceHeader,
    commands: mpsc::UnboundedReceiver<Command>,
    queue: Queue,
    /// Items that ever entered the queue, and that ever left it.
    entered: u64,
    left: u64,
    /// Items up to here leave in batches that are not full.
    drain_to: u64,
    retries: VecDeque<Pending>,
    in_flight: FuturesUnordered<Pin<Box<dyn Future<Output = Event> + Send>>>,
    /// First item and size of each request in flight, to know what a flush waits for.
    tried: Vec<Tried>,
    throttle: Throttle,
    next_tick: Instant,
    waiting: Vec<Waiting>,
    closing: Option<Deadline>,
    notices: Notices,
}

/// What the worker remembers of a request that is in flight.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Tried {
    first_item: u64,
    items: u64,
    bytes: usize,
}

/// Something that was awaited has ended.
enum Event {
    Attempt(Done),
    Flushed { reply: Reply, result: Result<(), PipelineError> },
}

/// A flush or the shutdown, waiting for everything before `target`.
struct Waiting {
    target: u64,
    lost_before: u64,
    deadline: Deadline,
    kind: Kind,
    reply: Reply,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Kind {
    Flush,
    Shutdown,
}

/// What woke the worker.
enum Wake {
    Event(Event),
    Command(Command),
    Amount,
    Time,
}

impl<E: Exporter> Worker<E> {
    pub(crate) fn new(
        shared: Arc<Shared>,
        exporter: E,
        config: BatchConfig,
        signal: Signal,
        resource: ResourceHeader,
        commands: mpsc::UnboundedReceiver<Command>,
    ) -> Self {
        let throttle = Throttle::new(config.retry);
        Self {
            shared,
            exporter: Arc::new(exporter),
            config,
            signal,
            resource,
            commands,
            queue: Queue::default(),
            entered: 0,
            left: 0,
            drain_to: 0,
            retries: VecDeque::new(),
            in_flight: FuturesUnordered::new(),
            tried: Vec::new(),
            throttle,
            next_tick: Instant::now(),
            waiting: Vec::new(),
            closing: None,
            notices: Notices::default(),
        }
    }

    /// Works until shutdown is done, or until every handle is gone.
    pub(crate) async fn run(&mut self) {
        self.next_tick = now() + self.tick();
        loop {
            self.start_attempts();
            self.settle_waiting();
            if self.closing.is_some() && self.waiting.is_empty() && self.in_flight.is_empty() {
                return;
            }
            match self.wake().await {
                Wake::Event(Event::Attempt(done)) => self.on_attempt(done),
                Wake::Event(Event::Flushed { reply, result }) => reply(result),
                Wake::Command(command) => self.on_command(command),
                Wake::Amount => self.on_amount(),
                Wake::Time => self.on_time(),
            }
        }
    }

    /// Waits for whatever comes first.
    async fn wake(&mut self) -> Wake {
        let at = self.next_wake_up();
        let shared = Arc::clone(&self.shared);
        let amount = shared.amount.notified();
        let time = tokio::time::sleep_until(at.into());
        tokio::pin!(amount, time);
        poll_fn(|cx| {
            if let Poll::Ready(Some(event)) = self.in_flight.poll_next_unpin(cx) {
                return Poll::Ready(Wake::Event(event));
            }
            if let Poll::Ready(command) = self.commands.poll_recv(cx) {
                // The sender lives in the shared state that we hold, so the channel stays open.
                let gone = || Command::shutdown(Deadline::NEVER, Box::new(drop));
                return Poll::Ready(Wake::Command(command.unwrap_or_else(gone)));
            }
            if amount.as_mut().poll(cx).is_ready() {
                return Poll::Ready(Wake::Amount);
            }
            time.as_mut().poll(cx).map(|()| Wake::Time)
        })
        .await
    }

    fn next_wake_up(&self) -> Instant {
        let deadlines = self.waiting.iter().filter_map(|waiting| waiting.deadline.instant());
        let gate = if self.has_work() { self.throttle.ready_at() } else { None };
        deadlines.chain(gate.filter(|at| *at > now())).fold(self.next_tick, Instant::min)
    }

    fn on_amount(&mut self) {
        let everything = self.shared.take_pressure();
        self.collect(if everything { Collect::All } else { Collect::Sealed });
        if everything {
            self.drain_to = self.entered;
        }
    }

    fn on_time(&mut self) {
        if now() >= self.next_tick {
            self.next_tick = now() + self.tick();
            self.collect(Collect::All);
            self.drain_to = self.entered;
        }
    }

    fn on_command(&mut self, command: Command) {
        let Command { deadline, shutdown, reply } = command;
        if self.closing.is_some() {
            return reply(Err(PipelineError::AlreadyShutdown));
        }
        if shutdown {
            self.shared.close();
            self.closing = Some(deadline);
        }
        self.collect(Collect::All);
        self.drain_to = self.entered;
        let kind = if shutdown { Kind::Shutdown } else { Kind::Flush };
        let lost_before = self.lost();
        self.waiting.push(Waiting { target: self.entered, lost_before, deadline, kind, reply });
    }

    fn collect(&mut self, what: Collect) {
        let before = self.queue.items();
        self.shared.collect(what, &mut self.queue);
        self.entered += (self.queue.items() - before) as u64;
    }

    fn tick(&self) -> Duration {
        self.config.schedule_delay.max(SHORTEST_TICK)
    }

    fn lost(&self) -> u64 {
        let account = self.shared.account.lock();
        account.rejected + account.drops.total()
    }
}

/// Requests: starting, ending, giving up.
impl<E: Exporter> Worker<E> {
    fn start_attempts(&mut self) {
        let most = self.config.max_concurrent_exports.get();
        while self.tried.len() < self.throttle.concurrency(most)
            && self.throttle.ready_at().is_none_or(|at| at <= now())
        {
            let Some(pending) = self.next_request() else { return };
            self.start_attempt(pending);
        }
    }

    fn next_request(&mut self) -> Option<Pending> {
        if let Some(pending) = self.retries.pop_front() {
            return Some(pending);
        }
        let limit = BatchLimit {
            items: self.config.batch_items(),
            bytes: self.config.max_request_bytes,
        };
        if self.left >= self.drain_to && self.queue.items() < limit.items {
            return None;
        }
        let batch = self.queue.take_batch(limit, &self.resource)?;
        let (first_item, bytes) = (self.left, batch.bytes());
        self.left += batch.items() as u64;
        let payload = batch.into_payload(self.signal, &self.resource);
        Some(Pending { payload, bytes, first_item, first_attempt: None })
    }

    fn start_attempt(&mut self, mut pending: Pending) {
        let started = now();
        pending.first_attempt.get_or_insert(started);
        let mut deadline = self.closing.unwrap_or(Deadline::NEVER);
        if !self.config.export_timeout.is_zero() {
            deadline = deadline.min(Deadline::after(started, self.config.export_timeout));
        }
        self.tried.push(Tried::of(&pending));
        let attempt = delivery::attempt(Arc::clone(&self.exporter), pending, started, deadline);
        self.in_flight.push(Box::pin(async { Event::Attempt(attempt.await) }));
    }

    fn on_attempt(&mut self, done: Done) {
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
        match outcome {
            Outcome::Delivered { warning } => {
                self.throttle.on_answer();
                self.settle(&pending, 0);
                if let Some(text) = warning {
                    self.notices.server_warning(&self.exporter.destination(), &text);
                }
            }
            Outcome::PartlyRejected { rejected, message } => {
                self.throttle.on_answer();
                self.settle(&pending, rejected);
                let destination = self.exporter.destination();
                self.notices.rejected(self.signal, &destination, rejected, &message);
            }
            Outcome::Retryable { error, retry_after } => {
                self.on_failure(pending, started, error, retry_after);
            }
            Outcome::TooLarge { error } => {
                self.throttle.on_answer();
                self.on_too_large(&pending, error);
            }
            Outcome::Permanent { error } => {
                self.throttle.on_answer();
                self.give_up(&pending, DropReason::PermanentError, error);
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
        let first = pending.first_attempt.unwrap_or(started);
        if self.throttle.policy().gives_up(first, next) {
            return self.give_up(&pending, DropReason::RetriesExhausted, error);
        }
        let destination = self.exporter.destination();
        let wait = next.saturating_duration_since(now());
        self.notices.will_retry(self.signal, &destination, pending.items(), &error, wait);
        self.shared.remember(error);
        self.retries.push_back(pending);
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

    fn settle(&self, pending: &Pending, rejected: u64) {
        self.shared.account.lock().deliver(pending.items(), rejected);
        self.shared.release(pending.bytes, pending.payload.items());
    }

    fn give_up(&mut self, pending: &Pending, reason: DropReason, error: ExportError) {
        self.shared.account.lock().drop_held(reason, pending.items());
        self.shared.release(pending.bytes, pending.payload.items());
        let destination = self.exporter.destination();
        self.notices.dropped(self.signal, &destination, pending.items(), reason, &error);
        self.shared.remember(error);
    }
}

/// Flush and shutdown.
impl<E: Exporter> Worker<E> {
    fn has_work(&self) -> bool {
        !self.retries.is_empty() || self.left < self.drain_to
            || self.queue.items() >= self.config.batch_items()
    }

    /// Whether everything before `target` has been dealt with.
    fn is_done(&self, target: u64) -> bool {
        self.left >= target
            && self.retries.iter().all(|pending| pending.first_item >= target)
            && self.tried.iter().all(|tried| tried.first_item >= target)
    }

    fn settle_waiting(&mut self) {
        let mut at = 0;
        while let Some(waiting) = self.waiting.get(at) {
            let done = self.is_done(waiting.target);
            if done || waiting.deadline.has_passed(now()) {
                let waiting = self.waiting.swap_remove(at);
                self.finish(waiting, done);
            } else {
                at += 1;
            }
        }
    }

    /// Ends a flush or the shutdown: with the exporter's own, if there is time left for it.
    fn finish(&mut self, waiting: Waiting, done: bool) {
        let Waiting { lost_before, deadline, kind, reply, .. } = waiting;
        if kind == Kind::Shutdown {
            self.drop_all();
        }
        let lost = self.lost().saturating_sub(lost_before);
        let last_error = self.shared.last_error();
        let result = match (done, lost) {
            (false, _) => {
                let held = if kind == Kind::Shutdown { lost } else { self.shared.account.lock().held };
                Err(PipelineError::Timeout { held, last_error })
            }
            (true, 0) => Ok(()),
            (true, lost) => Err(PipelineError::Lost { lost, last_error }),
        };
        let exporter = Arc::clone(&self.exporter);
        self.in_flight.push(Box::pin(async move {
            let last = match kind {
                Kind::Flush => delivery::force_flush(&*exporter, deadline).await,
                Kind::Shutdown => delivery::shutdown(&*exporter, deadline).await,
            };
            let result = result.and_then(|()| last.map_err(PipelineError::Exporter));
            Event::Flushed { reply, result }
        }));
    }

    /// What is still here when shutdown ends is dropped and counted; requests in flight are let go.
    fn drop_all(&mut self) {
        self.in_flight.clear();
        let (items, bytes) = self.queue.clear();
        let left: Vec<_> = self
            .tried
            .drain(..)
            .chain(self.retries.drain(..).map(|pending| Tried::of(&pending)))
            .chain([Tried { first_item: 0, items: items as u64, bytes }])
            .collect();
        for Tried { items, bytes, .. } in left {
            self.shared.account.lock().drop_held(DropReason::ShutdownTimeout, items);
            self.shared.release(bytes, items as usize);
        }
    }
}

impl Tried {
    fn of(pending: &Pending) -> Self {
        Self { first_item: pending.first_item, items: pending.items(), bytes: pending.bytes }
    }
}

/// The runtime's clock, which tests can turn.
fn now() -> Instant {
    tokio::time::Instant::now().into_std()
}

/// Flushing more often than this would be spinning.
const SHORTEST_TICK: Duration = Duration::from_millis(10);
