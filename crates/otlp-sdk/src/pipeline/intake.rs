//! Where instrumented threads and the worker meet: the lanes of all threads, the bound on what
//! they hold, and the account of it.
//!
//! Nothing here knows about exporters, runtimes or clocks; who is to be woken is an answer.

use super::account::{DropReason, Drops, Entries, Ledger};
use super::buffer::BufferPool;
use super::slot::{Appended, Chunk, Collect, Item, Limits, Scope, Segment, Slot};
use crate::sync::{Arc, AtomicBool, AtomicU8, AtomicUsize, Mutex, Ordering};

/// The shared half of a pipeline.
///
/// Lock order: books, then arrivals, then one lane. Instrumented threads lock their own lanes,
/// and arrivals once in their life.
#[derive(Debug)]
pub(crate) struct Intake<S> {
    books: Mutex<Books<S>>,
    arrivals: Mutex<Arrivals<S>>,
    /// For threads whose thread-locals are gone, one at a time.
    last_resort: Slot<S>,
    last_resort_owner: Mutex<()>,
    limits: Limits,
    pool: std::sync::Arc<BufferPool>,
    ready: Ready,
    pressure: Pressure,
}

/// What the worker has taken over, and the slots from which it takes.
///
/// While it is locked nothing moves from a lane to the worker and nobody else touches another
/// thread's lanes. That is what makes a picture of the account consistent, and what leaves every
/// thread one free lane.
#[derive(Debug)]
struct Books<S> {
    entries: Entries,
    slots: Vec<Arc<Slot<S>>>,
}

/// Slots of threads that are new: apart, so that a thread's first item does not wait for a worker
/// that goes through thousands of lanes.
#[derive(Debug)]
struct Arrivals<S> {
    slots: Vec<Arc<Slot<S>>>,
    closed: Option<DropReason>,
    /// So many are worth a look for threads that have ended.
    sweep_at: usize,
}

impl<S: Scope> Intake<S> {
    /// `wake_items` and `wake_chunks` say which amount is worth waking the worker.
    pub(crate) fn new(limits: Limits, wake_items: usize, wake_chunks: usize) -> Self {
        // Half of what the queue may hold.
        let pooled = limits.bytes.limit() / limits.chunk_bytes / 2;
        Self {
            books: Mutex::new(Books { entries: Entries::default(), slots: Vec::new() }),
            arrivals: Mutex::new(Arrivals { slots: Vec::new(), closed: None, sweep_at: SWEEP_MIN }),
            last_resort: Slot::new(None),
            last_resort_owner: Mutex::new(()),
            limits,
            pool: BufferPool::new(pooled.max(KEPT_BUFFERS)),
            ready: Ready::new(wake_items, wake_chunks),
            pressure: Pressure::new(),
        }
    }

    #[cfg(any(test, loom))]
    pub(crate) fn limits(&self) -> &Limits {
        &self.limits
    }

    /// Slots that are kept, of running threads and of those not yet looked after.
    #[cfg(any(test, loom))]
    pub(crate) fn slots(&self) -> usize {
        self.books.lock().slots.len() + self.arrivals.lock().slots.len()
    }
}

/// What instrumented threads call. A `true` asks them to wake the worker.
impl<S: Scope> Intake<S> {
    /// A slot for the calling thread; whoever drops it has ended, as far as we are concerned.
    pub(crate) fn register(&self) -> (Arc<Slot<S>>, bool) {
        let mut arrivals = self.arrivals.lock();
        let closed = arrivals.closed;
        let slot = Arc::new(Slot::new(closed));
        arrivals.slots.push(Arc::clone(&slot));
        // Many short-lived threads: have what the ended ones left adopted.
        let many = arrivals.slots.len() == arrivals.sweep_at;
        drop(arrivals);
        match closed {
            None => (slot, many && self.pressure.insist()),
            Some(_) => {
                if many {
                    // The worker may be gone.
                    self.forget_ended();
                }
                (slot, false)
            }
        }
    }

    /// Appends an item from the thread that owns `slot`. Never waits.
    #[inline]
    pub(crate) fn append(
        &self,
        slot: &Slot<S>,
        item: &impl Item,
        scope: &std::sync::Arc<S>,
    ) -> bool {
        match slot.append(item, scope, &self.limits, &self.pool) {
            Appended::Kept => false,
            Appended::Milestone { sealed, nearly_full } => {
                let enough = sealed > 0 && self.ready.add(sealed as usize);
                (nearly_full && self.pressure.ask()) || enough
            }
            Appended::Dropped(reason) => self.on_dropped(reason),
        }
    }

    /// Appends an item from a thread that has no slot any more.
    pub(crate) fn append_without_slot(&self, item: &impl Item, scope: &std::sync::Arc<S>) -> bool {
        let _owner = self.last_resort_owner.lock();
        self.append(&self.last_resort, item, scope)
    }

    /// Asks for a collection of everything, whatever there is.
    pub(crate) fn ask_for_all(&self) -> bool {
        self.pressure.insist()
    }

    #[cold]
    fn on_dropped(&self, reason: DropReason) -> bool {
        // Room may be reserved by idle threads that do not use it: one call to collect it all.
        reason == DropReason::QueueFull && self.pressure.ask()
    }
}

/// What the worker calls.
impl<S: Scope> Intake<S> {
    /// Moves what the threads have to `out`, and forgets threads that have ended.
    pub(crate) fn collect(&self, what: Collect, out: &mut impl Extend<Segment<S>>) {
        self.ready.reset();
        for chunk in self.take_chunks(what) {
            let unused = chunk.into_segments(&self.pool, out);
            self.limits.bytes.release(unused);
        }
    }

    fn take_chunks(&self, what: Collect) -> Vec<Chunk<S>> {
        let mut chunks = Vec::new();
        let mut books = self.books.lock();
        let Books { entries, slots } = &mut *books;
        self.welcome(slots);
        self.last_resort.collect(what, &self.limits, entries, &mut chunks);
        slots.retain(|slot| {
            let ended = Arc::strong_count(slot) == 1;
            let what = if ended { Collect::All } else { what };
            slot.collect(what, &self.limits, entries, &mut chunks);
            !(ended && slot.retire(entries))
        });
        chunks
    }

    /// Gives memory back that a burst has needed and nobody uses any more. To be called now and then.
    pub(crate) fn trim(&self) {
        self.pool.trim(KEPT_BUFFERS);
    }

    /// From now on everything that ends is dropped for `reason`.
    pub(crate) fn close(&self, reason: DropReason) {
        let mut books = self.books.lock();
        self.arrivals.lock().closed.get_or_insert(reason);
        self.welcome(&mut books.slots);
        for slot in &books.slots {
            slot.close(reason);
        }
        self.last_resort.close(reason);
    }

    /// Whether the threads leave the worker asleep, however much there is, as long as the queue is not
    /// nearly full. After the end of it the worker must [`collect`](Self::collect): nobody woke it for
    /// what came before.
    pub(crate) fn hush(&self, hushed: bool) {
        self.ready.hushed.store(hushed, Ordering::Relaxed);
    }

    /// Whether the threads have asked for a collection of everything. Asking again takes a
    /// [`listen`](Self::listen) in between, so that a full queue does not keep the worker busy.
    pub(crate) fn take_pressure(&self) -> bool {
        self.pressure.take()
    }

    /// Lets the threads ask again.
    pub(crate) fn listen(&self) {
        self.pressure.listen();
    }

    /// Items that the server took, except `rejected` of them.
    pub(crate) fn delivered(&self, items: usize, bytes: usize, rejected: u64) {
        self.books.lock().entries.deliver(items as u64, rejected);
        self.release(items, bytes);
    }

    /// Items that are given up.
    pub(crate) fn dropped(&self, items: usize, bytes: usize, reason: DropReason) {
        self.books.lock().entries.drop_held(reason, items as u64);
        self.release(items, bytes);
    }

    fn release(&self, items: usize, bytes: usize) {
        self.limits.bytes.release(bytes);
        if let Some(budget) = &self.limits.items {
            budget.release(items);
        }
        self.listen();
    }

    /// Items that never got as far as the worker.
    pub(crate) fn refused(&self) -> Drops {
        let mut books = self.books.lock();
        self.picture(&mut books).2
    }
}

impl<S: Scope> Intake<S> {
    /// The account of this moment.
    pub(crate) fn ledger(&self) -> Ledger {
        let mut books = self.books.lock();
        let (ended, in_lanes, refused) = self.picture(&mut books);
        let Entries { held, delivered, rejected, mut drops, .. } = books.entries;
        drops.merge(&refused);
        Ledger { ended, delivered, rejected, held: held + in_lanes, drops, ..Ledger::default() }
    }

    /// Ended, held and dropped in the lanes, those of ended threads included. Each lane is
    /// consistent in itself and nothing moves between them, so the sums are too.
    fn picture(&self, books: &mut Books<S>) -> (u64, u64, Drops) {
        self.welcome(&mut books.slots);
        let (mut ended, mut held) = (books.entries.retired_ended, 0);
        let mut drops = books.entries.retired_drops;
        for slot in &books.slots {
            slot.add_to(&mut ended, &mut held, &mut drops);
        }
        self.last_resort.add_to(&mut ended, &mut held, &mut drops);
        (ended, held, drops)
    }

    /// Puts the new threads to the others.
    fn welcome(&self, slots: &mut Vec<Arc<Slot<S>>>) {
        let mut arrivals = self.arrivals.lock();
        slots.append(&mut arrivals.slots);
        arrivals.sweep_at = slots.len().max(SWEEP_MIN);
    }

    /// Without a worker: keeps the sums of ended threads and frees their slots.
    #[cold]
    fn forget_ended(&self) {
        let mut books = self.books.lock();
        let Books { entries, slots } = &mut *books;
        self.welcome(slots);
        slots.retain(|slot| !(Arc::strong_count(slot) == 1 && slot.retire(entries)));
    }
}

/// How much is sealed and not yet collected, and when that is worth waking the worker.
///
/// Waking somebody costs the thread that does it several microseconds where a core sleeps. A worker
/// that is woken all the time says that it comes by itself.
#[derive(Debug)]
struct Ready {
    items: AtomicUsize,
    chunks: AtomicUsize,
    wake_items: usize,
    wake_chunks: usize,
    /// The worker comes by itself.
    hushed: AtomicBool,
}

impl Ready {
    fn new(wake_items: usize, wake_chunks: usize) -> Self {
        let (items, chunks) = (AtomicUsize::new(0), AtomicUsize::new(0));
        Self { items, chunks, wake_items, wake_chunks, hushed: AtomicBool::new(false) }
    }

    /// Whether the amount has just become worth a wake-up.
    ///
    /// Release pairs with `reset`: a worker that wipes this count out sees the chunk behind it.
    fn add(&self, items: usize) -> bool {
        let items_before = self.items.fetch_add(items, Ordering::AcqRel);
        let chunks_before = self.chunks.fetch_add(1, Ordering::AcqRel);
        let crossed = |before: usize, added: usize, at: usize| before < at && before + added >= at;
        let enough = crossed(items_before, items, self.wake_items)
            || crossed(chunks_before, 1, self.wake_chunks);
        // Whoever adds after the `reset` that follows the end of the hush sees the end too.
        enough && !self.hushed.load(Ordering::Relaxed) || crossed(chunks_before, 1, WAKE_CHUNKS_MAX)
    }

    fn reset(&self) {
        self.items.swap(0, Ordering::AcqRel);
        self.chunks.swap(0, Ordering::AcqRel);
    }
}

/// A request to collect everything that is made once, however many threads find the queue full.
#[derive(Debug)]
struct Pressure(AtomicU8);

impl Pressure {
    const LISTENING: u8 = 0;
    const ASKED: u8 = 1;
    const ANSWERED: u8 = 2;

    fn new() -> Self {
        Self(AtomicU8::new(Self::LISTENING))
    }

    /// Listening → asked: the caller wakes the worker.
    fn ask(&self) -> bool {
        // A full queue under load comes here for every item, so look before writing.
        self.0.load(Ordering::Relaxed) == Self::LISTENING
            && self.change(Self::LISTENING, Self::ASKED)
    }

    /// Listening or answered → asked.
    fn insist(&self) -> bool {
        self.0.swap(Self::ASKED, Ordering::AcqRel) != Self::ASKED
    }

    /// Asked → answered.
    fn take(&self) -> bool {
        self.change(Self::ASKED, Self::ANSWERED)
    }

    /// Answered → listening.
    fn listen(&self) {
        self.change(Self::ANSWERED, Self::LISTENING);
    }

    fn change(&self, from: u8, to: u8) -> bool {
        self.0.compare_exchange(from, to, Ordering::AcqRel, Ordering::Relaxed).is_ok()
    }
}

/// Fewer new threads than this are not worth a look for ended ones.
const SWEEP_MIN: usize = 64;
/// So many chunks wake the worker also when it comes by itself, so that the threads go on with memory
/// that they have used before.
const WAKE_CHUNKS_MAX: usize = 16;
/// Buffers that are kept although nobody needs them: 2 MiB at the usual size.
const KEPT_BUFFERS: usize = 32;
