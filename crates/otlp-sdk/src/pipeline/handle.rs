//! The shared half of a pipeline: what instrumented threads, callers and the worker meet at.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, AtomicUsize, Ordering};
use std::sync::mpsc::{RecvTimeoutError, sync_channel};
use std::thread::ThreadId;
use std::time::{Duration, Instant};

use futures_util::FutureExt;
use opentelemetry::Context;
use otlp_core::Signal;
use otlp_core::export::{Deadline, ExportError, Exporter};
use otlp_core::wire::envelope::{ResourceHeader, ScopeHeader};
use parking_lot::Mutex;
use tokio::sync::{Notify, mpsc, oneshot};

use super::account::{Account, DropReason, Drops, Entries, Ledger};
use super::batch::Queue;
use super::budget::Budget;
use super::buffer::BufferPool;
use super::config::{BatchConfig, PipelineError};
use super::slot::{Appended, Collect, Item, Limits, Slot};
use super::worker::Worker;

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

impl Command {
    fn flush(deadline: Deadline, reply: Reply) -> Self {
        Self { deadline, shutdown: false, reply }
    }

    pub(super) fn shutdown(deadline: Deadline, reply: Reply) -> Self {
        Self { deadline, shutdown: true, reply }
    }
}

/// The lanes of one thread in one pipeline.
pub(crate) type ThreadSlot = Arc<Slot<ScopeHeader>>;

/// What threads, callers and the worker share.
#[derive(Debug)]
pub(crate) struct Shared {
    pub(super) account: Account,
    pub(super) amount: Notify,
    limits: Limits,
    pool: Arc<BufferPool>,
    slots: Mutex<Slots>,
    /// For threads whose thread-locals are gone: an extra slot that any of them may lock.
    last_resort: Mutex<ThreadSlot>,
    ready: Ready,
    pressure: AtomicBool,
    panics: AtomicU64,
    last_error: Mutex<Option<ExportError>>,
    commands: mpsc::UnboundedSender<Command>,
    worker_thread: Mutex<Option<ThreadId>>,
}

#[derive(Debug)]
struct Slots {
    all: Vec<ThreadSlot>,
    closed: bool,
    /// Look for slots of ended threads when there are so many.
    sweep_at: usize,
}

/// How much is sealed and not yet collected, and when that is worth waking the worker.
#[derive(Debug)]
struct Ready {
    items: AtomicUsize,
    chunks: AtomicUsize,
    wake_items: usize,
    wake_chunks: usize,
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
        let started = std::thread::Builder::new().name(name).spawn(move || {
            let closing = Arc::clone(&shared);
            if let Err(error) = run_worker(shared, worker) {
                tracing::error!(target: "otlp_sdk", %error, "the export runtime could not be started; nothing will be delivered");
                closing.close();
            }
        });
        if started.is_err() {
            pipeline.shared.close();
        }
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
        let shared = Arc::new(Shared::new(&config, &resource, commands));
        let shutdown_timeout = config.shutdown_timeout;
        let worker =
            Worker::new(Arc::clone(&shared), exporter, config, signal, resource, receiver);
        (Self { shared, shutdown_timeout }, worker)
    }

    /// A slot for the calling thread. It is collected for the last time, and forgotten, after the
    /// thread has dropped it.
    pub(crate) fn register_thread(&self) -> ThreadSlot {
        self.shared.register()
    }

    /// Appends an item from the thread that owns `slot`. Never waits.
    #[inline]
    pub(crate) fn append(&self, slot: &ThreadSlot, item: &impl Item, scope: &Arc<ScopeHeader>) {
        let shared = &*self.shared;
        match slot.append(item, scope, &shared.limits, &shared.pool) {
            Appended::Kept => {}
            Appended::Sealed(items) => shared.on_sealed(items as usize),
            Appended::Dropped(reason) => shared.on_dropped(reason),
        }
    }

    /// Appends an item from a thread that has no slot: its thread-locals are gone.
    pub(crate) fn append_without_slot(&self, item: &impl Item, scope: &Arc<ScopeHeader>) {
        let slot = self.shared.last_resort.lock();
        self.append(&slot, item, scope);
    }

    /// The account of this moment, without what only the provider knows.
    pub(crate) fn ledger(&self) -> Ledger {
        self.shared.ledger()
    }

    /// How long `Drop` waits.
    pub(crate) fn shutdown_timeout(&self) -> Duration {
        self.shutdown_timeout
    }

    /// Delivers everything that was appended before the call, and waits for it.
    pub(crate) fn force_flush(&self, timeout: Duration) -> Result<(), PipelineError> {
        self.call(timeout, Command::flush)
    }

    /// The same without blocking the thread.
    pub(crate) async fn force_flush_async(&self, timeout: Duration) -> Result<(), PipelineError> {
        self.call_async(timeout, Command::flush).await
    }

    /// Closes the pipeline, delivers what it holds, and ends the worker.
    pub(crate) fn shutdown(&self, timeout: Duration) -> Result<(), PipelineError> {
        self.call(timeout, Command::shutdown)
    }

    /// The same without blocking the thread.
    pub(crate) async fn shutdown_async(&self, timeout: Duration) -> Result<(), PipelineError> {
        self.call_async(timeout, Command::shutdown).await
    }

    fn call(
        &self,
        timeout: Duration,
        command: impl FnOnce(Deadline, Reply) -> Command,
    ) -> Result<(), PipelineError> {
        if *self.shared.worker_thread.lock() == Some(std::thread::current().id()) {
            return Err(PipelineError::NoWorker("called on the worker's own thread, which cannot wait for itself"));
        }
        let (sender, receiver) = sync_channel(1);
        let reply: Reply = Box::new(move |result| drop(sender.try_send(result)));
        self.send(command(Deadline::after(Instant::now(), timeout), reply))?;
        match receiver.recv_timeout(timeout.saturating_add(GRACE)) {
            Ok(result) => result,
            Err(RecvTimeoutError::Timeout) => Err(self.timed_out()),
            Err(RecvTimeoutError::Disconnected) => Err(PipelineError::AlreadyShutdown),
        }
    }

    async fn call_async(
        &self,
        timeout: Duration,
        command: impl FnOnce(Deadline, Reply) -> Command,
    ) -> Result<(), PipelineError> {
        let (sender, receiver) = oneshot::channel();
        let reply: Reply = Box::new(move |result| drop(sender.send(result)));
        self.send(command(Deadline::after(Instant::now(), timeout), reply))?;
        receiver.await.unwrap_or(Err(PipelineError::AlreadyShutdown))
    }

    fn send(&self, command: Command) -> Result<(), PipelineError> {
        self.shared.commands.send(command).map_err(|_| PipelineError::AlreadyShutdown)
    }

    /// The worker did not even answer: an exporter blocks its thread.
    fn timed_out(&self) -> PipelineError {
        PipelineError::Timeout { held: self.ledger().held, last_error: self.shared.last_error() }
    }
}

impl Shared {
    fn new(
        config: &BatchConfig,
        resource: &ResourceHeader,
        commands: mpsc::UnboundedSender<Command>,
    ) -> Self {
        let limits = Limits::new(config, resource);
        let ready = Ready::new(config, &limits);
        // Enough to refill what is in flight; more would only keep memory of a burst.
        let pool = BufferPool::new(32);
        Self {
            account: Account::default(),
            amount: Notify::new(),
            limits,
            pool,
            slots: Mutex::new(Slots { all: Vec::new(), closed: false, sweep_at: 64 }),
            last_resort: Mutex::new(Arc::new(Slot::new())),
            ready,
            pressure: AtomicBool::new(false),
            panics: AtomicU64::new(0),
            last_error: Mutex::new(None),
            commands,
            worker_thread: Mutex::new(None),
        }
    }

    fn register(&self) -> ThreadSlot {
        let slot = ThreadSlot::new(Slot::new());
        let mut slots = self.slots.lock();
        if slots.closed {
            slot.close();
        }
        slots.all.push(Arc::clone(&slot));
        if slots.all.len() >= slots.sweep_at {
            // Many short-lived threads: let the worker adopt what the ended ones left.
            slots.sweep_at = usize::MAX;
            self.pressure.store(true, Ordering::Release);
            self.amount.notify_one();
        }
        slot
    }

    fn on_sealed(&self, items: usize) {
        if self.ready.add(items) {
            self.amount.notify_one();
        }
    }

    #[cold]
    fn on_dropped(&self, reason: DropReason) {
        // Room may be reserved by idle threads that do not use it: one call to collect it all.
        if reason == DropReason::QueueFull && !self.pressure.swap(true, Ordering::AcqRel) {
            self.amount.notify_one();
        }
    }

    pub(super) fn take_pressure(&self) -> bool {
        self.pressure.swap(false, Ordering::AcqRel)
    }

    /// Moves what the threads have into the queue, and forgets threads that have ended.
    pub(super) fn collect(&self, what: Collect, queue: &mut Queue) {
        self.ready.reset();
        let mut account = self.account.lock();
        let mut slots = self.slots.lock();
        self.last_resort.lock().collect(what, &self.limits, &self.pool, &mut account, queue);
        slots.all.retain(|slot| {
            let ended = Arc::strong_count(slot) == 1;
            let what = if ended { Collect::All } else { what };
            slot.collect(what, &self.limits, &self.pool, &mut account, queue);
            if ended {
                slot.retire(&mut account);
            }
            !ended
        });
        slots.sweep_at = (slots.all.len() * 2).max(64);
    }

    /// From now on everything that ends is dropped as ended after shutdown.
    pub(super) fn close(&self) {
        // Whoever touches another thread's lanes holds the account: see `slot`.
        let _account = self.account.lock();
        let mut slots = self.slots.lock();
        slots.closed = true;
        for slot in &slots.all {
            slot.close();
        }
        self.last_resort.lock().close();
    }

    /// Gives back the room of items that have left the process or were dropped.
    pub(super) fn release(&self, bytes: usize, items: usize) {
        self.limits.bytes.release(bytes);
        if let Some(budget) = &self.limits.items {
            budget.release(items);
        }
    }

    pub(super) fn count_panic(&self) {
        self.panics.fetch_add(1, Ordering::Relaxed);
    }

    pub(super) fn remember(&self, error: ExportError) {
        *self.last_error.lock() = Some(error);
    }

    pub(super) fn last_error(&self) -> Option<ExportError> {
        self.last_error.lock().clone()
    }

    fn ledger(&self) -> Ledger {
        // While the account is locked nothing moves from a lane to the queue, and a lane is
        // consistent in itself: so the sum is too.
        let account = self.account.lock();
        let slots = self.slots.lock();
        let Entries { retired_ended, retired_drops, held, delivered, rejected, drops } = *account;
        let (mut ended, mut in_lanes, mut all_drops) = (retired_ended, 0, Drops::NONE);
        for slot in slots.all.iter().chain([&*self.last_resort.lock()]) {
            slot.add_to(&mut ended, &mut in_lanes, &mut all_drops);
        }
        all_drops.merge(&retired_drops);
        all_drops.merge(&drops);
        Ledger {
            ended,
            delivered,
            rejected,
            held: held + in_lanes,
            drops: all_drops,
            panics: self.panics.load(Ordering::Relaxed),
            ..Ledger::default()
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
        let headers = otlp_core::wire::envelope::overhead_of_resource(resource);
        Self {
            bytes: Budget::new(config.max_queue_bytes),
            items: queue.map(Budget::new),
            bytes_step: chunk_bytes / 8,
            items_step: queue.map_or(1, |queue| (queue / 64).clamp(1, 64)),
            item_bytes_max: config.max_request_bytes.saturating_sub(headers),
            chunk_bytes,
            chunk_items: u32::try_from(chunk_items).unwrap_or(u32::MAX),
        }
    }
}

impl Ready {
    fn new(config: &BatchConfig, limits: &Limits) -> Self {
        let quarter = limits.bytes.limit() / 4 / limits.chunk_bytes;
        let wake_items = config.batch_items();
        let (items, chunks) = (AtomicUsize::new(0), AtomicUsize::new(0));
        Self { items, chunks, wake_items, wake_chunks: quarter.clamp(1, 8) }
    }

    /// Whether the amount has just become worth a wake-up. Relaxed: the chunks are under locks,
    /// these are only hints, and the worker's timer makes up for one that is lost.
    fn add(&self, items: usize) -> bool {
        let items_before = self.items.fetch_add(items, Ordering::Relaxed);
        let chunks_before = self.chunks.fetch_add(1, Ordering::Relaxed);
        let crossed = |before: usize, added: usize, at: usize| before < at && before + added >= at;
        crossed(items_before, items, self.wake_items) || crossed(chunks_before, 1, self.wake_chunks)
    }

    fn reset(&self) {
        self.items.store(0, Ordering::Relaxed);
        self.chunks.store(0, Ordering::Relaxed);
    }
}

/// The life of a worker thread: its own runtime, telemetry suppressed, panics survived.
fn run_worker<E: Exporter>(shared: Arc<Shared>, mut worker: Worker<E>) -> std::io::Result<()> {
    *shared.worker_thread.lock() = Some(std::thread::current().id());
    let _suppressed = Context::enter_telemetry_suppressed_scope();
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .on_thread_start(suppress_for_good)
        .build()?;
    runtime.block_on(async {
        // A panic that the delivery did not catch is our own bug. The state is outside the
        // future, so the worker goes on with it.
        while std::panic::AssertUnwindSafe(worker.run()).catch_unwind().await.is_err() {
            shared.count_panic();
            tracing::error!(target: "otlp_sdk", "the export worker panicked and goes on");
        }
    });
    // A name look-up may still be running on a helper thread; it must not hold up the exit.
    runtime.shutdown_background();
    Ok(())
}

/// Helper threads of the runtime (name look-ups) make no telemetry either.
fn suppress_for_good() {
    std::mem::forget(Context::enter_telemetry_suppressed_scope());
}

/// A worker that keeps the deadline answers within this time after it.
const GRACE: Duration = Duration::from_millis(200);
/// Bytes of a full chunk: large enough that its hand-over costs nothing per span, small enough that
/// a thousand threads do not hold much.
const CHUNK_BYTES: usize = 64 * 1024;
