//! The worker of a pipeline: collects, cuts batches, keeps requests in flight, settles flushes.
//!
//! Its state survives its futures: whatever is awaited can be dropped and begun again, and a panic
//! costs at most the request that caused it.

mod requests;
mod settling;

use std::collections::VecDeque;
use std::future::{Future, poll_fn};
use std::pin::Pin;
use std::sync::Arc;
use std::task::Poll;
use std::time::{Duration, Instant};

use futures_util::StreamExt;
use futures_util::stream::FuturesUnordered;
use otlp_core::Signal;
use otlp_core::export::retry::Throttle;
use otlp_core::export::{Deadline, Exporter};
use otlp_core::wire::envelope::ResourceHeader;
use tokio::sync::mpsc;

use self::requests::Tried;
pub(crate) use self::requests::made_here;
use self::settling::{Kind, Settled, Waiting};
use super::account::{DropReason, Ledger};
use super::batch::Queue;
use super::config::{BatchConfig, PipelineError};
use super::delivery::{Done, Pending};
use super::handle::{Command, Shared};
use super::slot::Collect;
use crate::foreign::caught;
use crate::notice::{Notices, Refused};

/// The state of a pipeline's worker.
pub(crate) struct Worker<E> {
    shared: Arc<Shared>,
    exporter: Arc<E>,
    destination: Arc<str>,
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
    /// Requests that wait for another attempt, or for their first one as a half of a request.
    retries: VecDeque<Pending>,
    in_flight: FuturesUnordered<BoxFuture<Done>>,
    /// First item and size of each request in flight, to know what a flush waits for.
    tried: Vec<Tried>,
    throttle: Throttle,
    /// Until when the server has asked us to wait.
    asked_to_wait: Option<Instant>,
    next_tick: Instant,
    /// When there was enough to be woken for, the last time.
    woken_at: Option<Instant>,
    /// When to look by itself, while there is so much that being woken would cost the threads more.
    next_look: Option<Instant>,
    waiting: Vec<Waiting>,
    /// The account of which those who wait have been told.
    told: Ledger,
    /// The exporter's own flushes and its shutdown.
    settling: FuturesUnordered<BoxFuture<Settled>>,
    closing: Option<Deadline>,
    notices: Notices,
    /// Items refused by the lanes of which people were told.
    refused_told: u64,
    /// Items that have lost a part to their limits of which people were told.
    limited_told: u64,
    /// When to look for such items again: it takes the lock of every lane.
    look_at: Instant,
    finished: bool,
}

type BoxFuture<T> = Pin<Box<dyn Future<Output = T> + Send>>;

/// What woke the worker.
enum Wake {
    Attempt(Done),
    Settled(Settled),
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
        // Asked once and guarded: it is the user's code, and it is only for messages.
        let told = caught(|| (exporter.destination(), Some(exporter.component_type())));
        let (destination, component_type) = told.unwrap_or_else(|_| {
            shared.count_panic();
            ("unknown: the exporter panicked when asked".to_owned(), None)
        });
        let destination: Arc<str> = crate::notice::printable(&destination).into();
        if let Some(component_type) = component_type {
            shared.observed.exporter_is(component_type, &destination);
        }
        Self {
            shared,
            exporter: Arc::new(exporter),
            notices: Notices::new(signal, Arc::clone(&destination)),
            destination,
            throttle: Throttle::new(config.retry),
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
            asked_to_wait: None,
            next_tick: Instant::now(),
            woken_at: None,
            next_look: None,
            waiting: Vec::new(),
            told: Ledger::default(),
            settling: FuturesUnordered::new(),
            closing: None,
            refused_told: 0,
            limited_told: 0,
            look_at: Instant::now(),
            finished: false,
        }
    }

    /// Works until shutdown is done.
    pub(crate) async fn run(&mut self) {
        self.next_tick = later(now(), self.tick());
        loop {
            self.start_attempts();
            self.settle_waiting();
            if self.closing.is_some() && self.waiting.is_empty() && self.settling.is_empty() {
                self.finished = true;
                return;
            }
            let wake = self.wake().await;
            #[cfg(test)]
            self.shared.wakes.fetch_add(1, std::sync::atomic::Ordering::Relaxed);
            match wake {
                Wake::Attempt(done) => self.on_attempt(done),
                Wake::Settled(Settled { reply, result }) => reply(result),
                Wake::Command(command) => self.on_command(command),
                Wake::Amount => self.on_amount(),
                Wake::Time => self.on_time(),
            }
        }
    }

    /// After a panic that nobody caught, a bug of ours: what was in flight then cannot be told from
    /// what still is, so all of it is given up.
    pub(crate) fn after_panic(&mut self) {
        self.let_requests_go();
        for tried in std::mem::take(&mut self.tried) {
            self.give_up_tried(tried, DropReason::ExporterPanic);
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
            if let Poll::Ready(Some(done)) = self.in_flight.poll_next_unpin(cx) {
                return Poll::Ready(Wake::Attempt(done));
            }
            if let Poll::Ready(Some(settled)) = self.settling.poll_next_unpin(cx) {
                return Poll::Ready(Wake::Settled(settled));
            }
            // A sender lives in the shared state that we hold, so the channel stays open.
            if let Poll::Ready(Some(command)) = self.commands.poll_recv(cx) {
                return Poll::Ready(Wake::Command(command));
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
        // An instant that has just passed wakes at once, and then an attempt starts: the gate only
        // counts while nothing but the gate keeps work from starting.
        let gate = if self.has_work() && self.has_room() { self.throttle.ready_at() } else { None };
        deadlines.chain(gate).chain(self.next_look).fold(self.next_tick, Instant::min)
    }

    fn on_amount(&mut self) {
        if self.shared.intake.take_pressure() {
            self.collect_and_drain();
            return;
        }
        let before = self.woken_at.replace(now());
        if before.is_some_and(|before| now().saturating_duration_since(before) < LOOK_AFTER) {
            self.shared.intake.hush(true);
            self.next_look = Some(later(now(), LOOK_AFTER));
        }
        self.collect(Collect::Sealed);
    }

    /// Looks for what the threads have, without having been woken. When it is less than what a wake-up
    /// is for, they are to wake again.
    fn look(&mut self) {
        let before = self.entered;
        self.collect(Collect::Sealed);
        if self.entered - before >= self.config.batch_items() as u64 {
            self.next_look = Some(later(now(), LOOK_AFTER));
        } else {
            self.next_look = None;
            self.shared.intake.hush(false);
            self.collect(Collect::Sealed);
        }
    }

    fn on_time(&mut self) {
        if self.next_look.is_some_and(|at| now() >= at) {
            self.look();
        }
        if now() >= self.next_tick {
            self.next_tick = later(now(), self.tick());
            self.collect_and_drain();
            self.shared.intake.listen();
            self.shared.intake.trim();
            self.tell(Notices::overdue);
            self.shared.look_after();
            if now() >= self.look_at {
                self.look_at = later(now(), REFUSED_EVERY);
                self.tell_of_refused();
                self.tell_of_limited();
            }
        }
    }

    fn on_command(&mut self, command: Command) {
        let Command { deadline, shutdown, reply } = command;
        let kind = match (shutdown, self.closing) {
            (false, None) => Kind::Flush,
            (true, None) => Kind::Shutdown,
            (true, Some(_)) => Kind::Join,
            (false, Some(_)) => return reply(Err(PipelineError::AlreadyShutdown)),
        };
        if kind == Kind::Shutdown {
            self.shared.intake.close(DropReason::AfterShutdown);
            self.closing = Some(deadline);
            self.knock_again();
        }
        self.collect_and_drain();
        let told = self.told;
        self.waiting.push(Waiting { target: self.entered, told, deadline, kind, reply });
    }

    /// Backoff spreads our attempts over an outage that we mean to outlive. At shutdown there is no
    /// later, so it begins anew, with an attempt at once; unless the server itself asked for
    /// patience (row B2).
    fn knock_again(&mut self) {
        if self.asked_to_wait.is_none_or(|until| until <= now()) {
            self.throttle = Throttle::new(self.config.retry);
        }
    }

    fn collect_and_drain(&mut self) {
        self.collect(Collect::All);
        self.drain_to = self.entered;
    }

    fn collect(&mut self, what: Collect) {
        let before = self.queue.items();
        self.shared.intake.collect(what, &mut self.queue);
        self.entered += (self.queue.items() - before) as u64;
    }

    fn tick(&self) -> Duration {
        // Items that leave one by one wake the worker themselves; the tick is for what may have
        // been reserved or left behind.
        let shortest = if self.config.batch_items() == 1 { SINGLES_TICK } else { SHORTEST_TICK };
        self.config.schedule_delay.max(shortest)
    }

    /// The lanes refuse items without a word, so the worker speaks for them.
    fn tell_of_refused(&mut self) {
        let refused = self.shared.intake.refused();
        let [queue_full, too_large] =
            [DropReason::QueueFull, DropReason::TooLarge].map(|reason| refused.of(reason));
        let new = (queue_full + too_large).saturating_sub(self.refused_told);
        if new == 0 {
            return;
        }
        let told = Refused {
            queue_full,
            too_large,
            max_queue_size: self.config.max_queue_size,
            max_queue_bytes: self.config.max_queue_bytes,
            max_request_bytes: self.config.max_request_bytes,
        };
        let last_error = self.shared.last_error();
        let mut passed = false;
        self.tell(|notices| passed = notices.refused(told, last_error.as_ref()));
        if passed {
            self.refused_told = queue_full + too_large;
        }
    }

    fn tell_of_limited(&mut self) {
        let limited = self.shared.limited.load(std::sync::atomic::Ordering::Relaxed);
        if limited > self.limited_told {
            let mut passed = false;
            self.tell(|notices| passed = notices.limited(limited));
            if passed {
                self.limited_told = limited;
            }
        }
    }

    /// Says something; the subscriber and the texts of errors are the user's code.
    fn tell(&mut self, say: impl FnOnce(&mut Notices)) {
        if caught(|| say(&mut self.notices)).is_err() {
            self.shared.count_panic();
        }
    }
}

impl<E> Drop for Worker<E> {
    /// A worker that never ran, or not to its end: nobody will deliver anything.
    fn drop(&mut self) {
        if self.finished {
            return;
        }
        self.shared.worker_is_gone();
        self.shared.intake.close(DropReason::NoWorker);
        self.shared.intake.collect(Collect::All, &mut self.queue);
        self.drop_all(DropReason::NoWorker);
    }
}

/// The runtime's clock, which tests can turn.
fn now() -> Instant {
    tokio::time::Instant::now().into_std()
}

/// `now + delay`, or a year later where the clock cannot express that.
fn later(now: Instant, delay: Duration) -> Instant {
    now.checked_add(delay).unwrap_or(now + Duration::from_secs(365 * 24 * 3600))
}

/// Woken twice within this time, the worker looks by itself from then on, and so often.
const LOOK_AFTER: Duration = Duration::from_millis(1);
/// Flushing more often than this would be spinning.
const SHORTEST_TICK: Duration = Duration::from_millis(10);
const SINGLES_TICK: Duration = Duration::from_secs(1);
const REFUSED_EVERY: Duration = Duration::from_secs(1);

#[cfg(test)]
mod tests;
