//! The caller's half of a pipeline: appending, flushing, shutting down, reading the account.

use std::fmt;
use std::panic::AssertUnwindSafe;
use std::sync::atomic::{AtomicBool, AtomicU64, AtomicUsize, Ordering};
use std::sync::mpsc::{Receiver, RecvTimeoutError, sync_channel};
use std::sync::{Arc, OnceLock};
use std::thread::ThreadId;
use std::time::{Duration, Instant};

use futures_timer::Delay;
use futures_util::FutureExt;
use otlp_core::Signal;
use otlp_core::export::{Deadline, ExportError, Exporter};
use otlp_core::wire::envelope::{ResourceHeader, ScopeHeader, overhead_of_resource};
use parking_lot::Mutex;
use tokio::sync::{Notify, mpsc, oneshot};

use super::account::{DropReason, Ledger};
use super::budget::Budget;
use super::config::{BatchConfig, PipelineError};
use super::intake::Intake;
use super::observe::{Observable, Observed};
use super::slot::{Item, Limits, Slot};
use super::thread::{quiet_runtime, suppress_for_good};
use super::worker::Worker;
use crate::foreign::{caught, discard};
use crate::say::say;

/// A pipeline: threads append to it, its worker delivers. Clones share it.
#[derive(Clone, Debug)]
pub(crate) struct Pipeline {
    shared: Arc<Shared>,
    shutdown_timeout: Duration,
}

/// What is asked of the worker.
pub(crate) struct Command {
    pub(super) deadline: Deadline,
    pub(super) shutdown: bool,
    pub(super) reply: Reply,
}

/// How the worker answers.
pub(crate) type Reply = Box<dyn FnOnce(Result<(), PipelineError>) + Send>;

/// The lanes of one thread in one pipeline.
pub(crate) type ThreadSlot = Arc<Slot<ScopeHeader>>;

/// What threads, callers and the worker share.
#[derive(Debug)]
pub(crate) struct Shared {
    pub(super) intake: Intake<ScopeHeader>,
    /// Wakes the worker when there is something to collect.
    pub(super) amount: Notify,
    panics: AtomicU64,
    /// Items that have lost a part to their limits.
    pub(super) limited: AtomicU64,
    pub(super) observed: Observed,
    last_error: Mutex<Option<ExportError>>,
    /// Bounded by `asked`.
    commands: mpsc::UnboundedSender<Command>,
    /// Calls that the worker has not answered.
    asked: Arc<AtomicUsize>,
    worker_thread: Mutex<Option<ThreadId>>,
    no_worker: AtomicBool,
    /// What the worker looks after beside its own work.
    upkeep: OnceLock<Upkeep>,
    /// How often the worker was woken.
    #[cfg(test)]
    pub(super) wakes: AtomicU64,
}

impl Pipeline {
    /// Starts a pipeline with a worker thread of its own.
    ///
    /// # Errors
    ///
    /// The thread could not be started. The pipeline is there all the same and drops what it is
    /// given, counted.
    pub(crate) fn spawn<E: Exporter>(
        signal: Signal,
        resource: ResourceHeader,
        exporter: E,
        config: BatchConfig,
    ) -> (Self, Result<(), std::io::Error>) {
        let (pipeline, worker) = Self::unstarted(signal, resource, exporter, config);
        let shared = Arc::clone(&pipeline.shared);
        let name = format!("otlp-{}", signal.name());
        // A worker that is dropped before its work is done closes the pipeline and drops what is
        // held, counted: so the failures here need no care of their own.
        let started = std::thread::Builder::new().name(name).spawn(move || {
            if let Err(error) = run_worker(&shared, worker) {
                say!(Error, %error, "the export runtime could not be started; nothing will be delivered");
            }
        });
        (pipeline, started.map(drop))
    }

    /// A pipeline and its worker, for a thread or a test to run.
    pub(crate) fn unstarted<E: Exporter>(
        signal: Signal,
        resource: ResourceHeader,
        exporter: E,
        config: BatchConfig,
    ) -> (Self, Worker<E>) {
        let (commands, receiver) = mpsc::unbounded_channel();
        let shared = Arc::new(Shared::new(signal, &config, &resource, commands));
        let shutdown_timeout = config.shutdown_timeout;
        let worker = Worker::new(Arc::clone(&shared), exporter, config, signal, resource, receiver);
        (Self { shared, shutdown_timeout }, worker)
    }

    /// A slot for the calling thread. It is collected for the last time, and forgotten, after the
    /// thread has dropped it.
    pub(crate) fn register_thread(&self) -> ThreadSlot {
        let (slot, wake) = self.shared.intake.register();
        self.wake_if(wake);
        slot
    }

    /// Appends an item from the thread that owns `slot`. Never waits.
    #[inline]
    pub(crate) fn append(&self, slot: &ThreadSlot, item: &impl Item, scope: &Arc<ScopeHeader>) {
        let wake = self.shared.intake.append(slot, item, scope);
        self.wake_if(wake);
    }

    /// Appends an item from a thread that has no slot: its thread-locals are gone.
    pub(crate) fn append_without_slot(&self, item: &impl Item, scope: &Arc<ScopeHeader>) {
        let wake = self.shared.intake.append_without_slot(item, scope);
        self.wake_if(wake);
    }

    /// Has what was appended so far leave, without waiting for a full batch.
    pub(crate) fn drain(&self) {
        self.wake_if(self.shared.intake.ask_for_all());
    }

    #[inline]
    fn wake_if(&self, wake: bool) {
        if wake {
            self.shared.amount.notify_one();
        }
    }

    /// Counts an item that has lost a part to its limits, for the worker to tell of.
    pub(crate) fn count_limited(&self) {
        self.shared.limited.fetch_add(1, Ordering::Relaxed);
    }

    /// The account of this moment, without what only the provider knows.
    pub(crate) fn ledger(&self) -> Ledger {
        let panics = self.shared.panics.load(Ordering::Relaxed);
        Ledger { panics, ..self.shared.intake.ledger() }
    }

    #[cfg(test)]
    pub(crate) fn wakes(&self) -> u64 {
        self.shared.wakes.load(Ordering::Relaxed)
    }

    /// Has the worker call `look` now and then.
    pub(crate) fn look_after(&self, look: impl Fn() + Send + Sync + 'static) {
        self.shared.upkeep.get_or_init(|| Upkeep(Box::new(look)));
    }

    /// The pipeline, for metrics about it.
    pub(crate) fn observable(&self) -> Observable {
        Observable(Arc::clone(&self.shared))
    }

    /// How long `Drop` waits.
    pub(crate) fn shutdown_timeout(&self) -> Duration {
        self.shutdown_timeout
    }
}

/// Flush and shutdown. With a timeout of zero they start the work and take only what answers at
/// once.
impl Pipeline {
    /// Delivers everything that was appended before the call, and waits for it.
    #[cfg(test)]
    pub(crate) fn force_flush(&self, timeout: Duration) -> Result<(), PipelineError> {
        self.call(timeout, false)
    }

    /// Delivers everything that was appended before the call, without blocking the thread.
    pub(crate) async fn force_flush_async(&self, timeout: Duration) -> Result<(), PipelineError> {
        self.call_async(timeout, false).await
    }

    /// Closes the pipeline, delivers what it holds, and ends the worker.
    #[cfg(test)]
    pub(crate) fn shutdown(&self, timeout: Duration) -> Result<(), PipelineError> {
        self.call(timeout, true)
    }

    /// Closes the pipeline, delivers what it holds, and ends the worker, without blocking the thread.
    pub(crate) async fn shutdown_async(&self, timeout: Duration) -> Result<(), PipelineError> {
        self.call_async(timeout, true).await
    }

    #[cfg(test)]
    fn call(&self, timeout: Duration, shutdown: bool) -> Result<(), PipelineError> {
        self.ask(timeout, shutdown)?.answer()
    }

    /// Whether this is the worker's own thread, on which waiting for it would have no end.
    pub(crate) fn is_workers_thread(&self) -> bool {
        *self.shared.worker_thread.lock() == Some(std::thread::current().id())
    }

    /// Begins a shutdown that nobody waits for.
    pub(crate) fn start_shutdown(&self) {
        // Whoever began one before, or a worker that is gone, has done what this asks for.
        let _ = self.send(self.shutdown_timeout, true, Box::new(drop));
    }

    /// Asks without waiting, so that several pipelines work at the same time within one deadline.
    pub(crate) fn ask(
        &self,
        timeout: Duration,
        shutdown: bool,
    ) -> Result<Asked<'_>, PipelineError> {
        if self.is_workers_thread() {
            return Err(PipelineError::WORKERS_THREAD);
        }
        let (sender, receiver) = sync_channel(1);
        let reply: Reply = Box::new(move |result| drop(sender.try_send(result)));
        self.send(timeout, shutdown, reply)?;
        let patience = Instant::now() + timeout.min(PATIENCE_MAX) + GRACE;
        Ok(Asked { pipeline: self, receiver, patience, shutdown })
    }

    /// Ends with the reply, at the latest when the worker should have answered: an exporter that
    /// blocks the worker's thread must not hold the caller, whose runtime may have no timer.
    async fn call_async(&self, timeout: Duration, shutdown: bool) -> Result<(), PipelineError> {
        let (sender, receiver) = oneshot::channel();
        let reply: Reply = Box::new(move |result| drop(sender.send(result)));
        self.send(timeout, shutdown, reply)?;
        let overdue = Delay::new(timeout.min(PATIENCE_MAX) + GRACE);
        tokio::select! {
            biased;
            result = receiver => result.unwrap_or_else(|_| Err(self.shared.gone())),
            () = overdue => Err(self.no_answer(shutdown)),
        }
    }

    fn send(&self, timeout: Duration, shutdown: bool, reply: Reply) -> Result<(), PipelineError> {
        // The worker's clock. In our own tests that is the one they turn; an application's paused
        // clock has no say in how long a delivery may take.
        #[cfg(test)]
        let now = tokio::time::Instant::now().into_std();
        #[cfg(not(test))]
        let now = Instant::now();
        let place = self.take_place(shutdown)?;
        let reply: Reply = Box::new(move |result| {
            drop(place);
            reply(result);
        });
        let command = Command { deadline: Deadline::after(now, timeout), shutdown, reply };
        self.shared.commands.send(command).map_err(|_| self.shared.gone())
    }

    /// Flushes that nobody awaits any more wait on with the worker, so their number has a bound. A
    /// shutdown finds a place where flushes do not.
    fn take_place(&self, shutdown: bool) -> Result<Place, PipelineError> {
        let place = Place(Arc::clone(&self.shared.asked));
        let before = place.0.fetch_add(1, Ordering::Relaxed);
        let limit = if shutdown { 2 * ASKED_MAX } else { ASKED_MAX };
        if before < limit { Ok(place) } else { Err(PipelineError::TooManyCalls { limit }) }
    }

    /// The worker did not even answer: an exporter blocks its thread.
    fn no_answer(&self, shutdown: bool) -> PipelineError {
        if shutdown {
            self.shared.intake.close(DropReason::AfterShutdown);
        }
        PipelineError::Timeout { held: self.ledger().held, last_error: self.shared.last_error() }
    }
}

/// Something to be looked after.
struct Upkeep(Box<dyn Fn() + Send + Sync>);

impl fmt::Debug for Upkeep {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Upkeep")
    }
}

/// One call that the worker has not answered yet.
struct Place(Arc<AtomicUsize>);

impl Drop for Place {
    fn drop(&mut self) {
        self.0.fetch_sub(1, Ordering::Relaxed);
    }
}

/// A flush or shutdown under way.
pub(crate) struct Asked<'a> {
    pipeline: &'a Pipeline,
    receiver: Receiver<Result<(), PipelineError>>,
    /// When a worker that keeps the deadline has answered.
    patience: Instant,
    shutdown: bool,
}

impl Asked<'_> {
    /// Waits for the answer.
    pub(crate) fn answer(self) -> Result<(), PipelineError> {
        let left = self.patience.saturating_duration_since(Instant::now());
        match self.receiver.recv_timeout(left) {
            Ok(result) => result,
            Err(RecvTimeoutError::Timeout) => Err(self.pipeline.no_answer(self.shutdown)),
            Err(RecvTimeoutError::Disconnected) => Err(self.pipeline.shared.gone()),
        }
    }
}

impl Shared {
    fn new(
        signal: Signal,
        config: &BatchConfig,
        resource: &ResourceHeader,
        commands: mpsc::UnboundedSender<Command>,
    ) -> Self {
        let limits = Limits::new(config, resource);
        let quarter = limits.bytes.limit() / 4 / limits.chunk_bytes;
        Self {
            intake: Intake::new(limits, config.batch_items(), quarter.clamp(1, 8)),
            amount: Notify::new(),
            panics: AtomicU64::new(0),
            limited: AtomicU64::new(0),
            observed: Observed::new(signal, config),
            last_error: Mutex::new(None),
            commands,
            asked: Arc::default(),
            worker_thread: Mutex::new(None),
            no_worker: AtomicBool::new(false),
            upkeep: OnceLock::new(),
            #[cfg(test)]
            wakes: AtomicU64::new(0),
        }
    }

    /// Calls what [`Pipeline::look_after`] has given. It tells people, by code of the user's.
    pub(super) fn look_after(&self) {
        if let Some(Upkeep(look)) = self.upkeep.get()
            && caught(look).is_err()
        {
            self.count_panic();
        }
    }

    pub(super) fn count_panic(&self) {
        self.panics.fetch_add(1, Ordering::Relaxed);
    }

    pub(super) fn remember(&self, error: Option<ExportError>) {
        *self.last_error.lock() = error;
    }

    pub(super) fn last_error(&self) -> Option<ExportError> {
        self.last_error.lock().clone()
    }

    /// The worker has ended without having been shut down: it could not be started.
    pub(super) fn worker_is_gone(&self) {
        self.no_worker.store(true, Ordering::Release);
    }

    fn gone(&self) -> PipelineError {
        if self.no_worker.load(Ordering::Acquire) {
            PipelineError::NoWorker("the export thread could not be started")
        } else {
            PipelineError::AlreadyShutdown
        }
    }
}

impl Limits {
    fn new(config: &BatchConfig, resource: &ResourceHeader) -> Self {
        let chunk_bytes = CHUNK_BYTES.min(config.max_queue_bytes / 8).max(1);
        let batch = config.batch_items();
        let queue = config.max_queue_size.map(std::num::NonZeroUsize::get);
        // A queue of few items is filled in smaller chunks, so that a full batch can leave while
        // the next one fills.
        let chunk_items = queue.map_or(batch, |queue| batch.min((queue / 4).max(1)));
        Self {
            bytes: Budget::new(config.max_queue_bytes),
            items: queue.map(Budget::new),
            bytes_step: chunk_bytes / 8,
            items_step: queue.map_or(1, |queue| (queue / 64).clamp(1, 64)),
            item_bytes_max: config.max_request_bytes.saturating_sub(overhead_of_resource(resource)),
            chunk_bytes,
            chunk_items: u32::try_from(chunk_items).unwrap_or(u32::MAX),
        }
    }
}

/// The life of a worker thread: its own runtime, telemetry suppressed, panics survived.
fn run_worker<E: Exporter>(shared: &Shared, mut worker: Worker<E>) -> std::io::Result<()> {
    *shared.worker_thread.lock() = Some(std::thread::current().id());
    let runtime = quiet_runtime(suppress_for_good)?;
    runtime.block_on(async {
        // A panic that the delivery did not catch is our own bug. The state is outside the
        // future, so the worker goes on with it; not at once, should it come again and again.
        while let Err(panic) = AssertUnwindSafe(worker.run()).catch_unwind().await {
            let _ = discard(panic);
            shared.count_panic();
            worker.after_panic();
            say!(Error, "the export worker panicked and goes on");
            tokio::time::sleep(AFTER_PANIC).await;
        }
    });
    // The exporter goes with the worker, and its destructor is not ours.
    if caught(|| drop(worker)).is_err() {
        shared.count_panic();
    }
    // A name look-up may still be running on a helper thread; it must not hold up the exit.
    runtime.shutdown_background();
    Ok(())
}

/// A worker that keeps the deadline answers within this time after it.
const GRACE: Duration = Duration::from_millis(200);
/// Most flushes that wait at once.
const ASKED_MAX: usize = 1024;
const AFTER_PANIC: Duration = Duration::from_millis(100);
/// Bytes of a full chunk: large enough that its hand-over costs nothing per span, small enough that
/// a thousand threads do not hold much.
const CHUNK_BYTES: usize = 64 * 1024;
/// A deadline further away than this is none, and the clock could not express it.
const PATIENCE_MAX: Duration = Duration::from_secs(365 * 24 * 3600);
