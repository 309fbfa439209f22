//! Where instrumented threads leave encoded items: two lanes per thread and pipeline.
//!
//! The owner appends to whichever lane is free, the first one first. Others (the worker that
//! collects, whoever takes a picture of the account) come one at a time, since they hold the
//! account's lock, and lock one lane at a time. So one of the two lanes is always free, and the
//! owner never waits for anybody who was interrupted while holding a lock.

mod segment;

use std::sync::Arc;

use super::account::{DropReason, Drops, Entries};
use super::budget::Budget;
use super::buffer::BufferPool;
use crate::sync::{AtomicBool, Ordering, TryMutex};

use self::segment::Run;
pub(crate) use self::segment::{Chunk, Scope, Segment, chunk_overhead, run_overhead};

/// Something that knows its encoded length and writes itself as an item of its scope.
pub(crate) trait Item {
    /// Whether such items stay in the order in which they are appended, for which their thread waits
    /// while somebody visits its lane. Not for instrumented threads.
    const IN_ORDER: bool = false;

    fn item_len(&self) -> usize;
    fn put_item(&self, buf: &mut Vec<u8>);

    /// How many items the protocol counts in it: the data points of a metric.
    #[inline]
    fn count(&self) -> u32 {
        1
    }
}

/// The lanes of one thread (or, at thread exit, of all threads that have no slot any more).
#[derive(Debug)]
pub(crate) struct Slot<S> {
    lanes: [TryMutex<Lane<S>>; 2],
    /// Whether a sealed chunk waits: spares the worker the lock of idle threads.
    has_sealed: AtomicBool,
}

/// What a lane needs to know about its pipeline.
#[derive(Debug)]
pub(crate) struct Limits {
    pub(crate) bytes: Budget,
    /// Only where the user set a queue size in items.
    pub(crate) items: Option<Budget>,
    /// Bytes reserved at a time.
    pub(crate) bytes_step: usize,
    /// Items reserved at a time.
    pub(crate) items_step: usize,
    /// Most bytes of one item.
    pub(crate) item_bytes_max: usize,
    /// A chunk of so many bytes or items is sealed.
    pub(crate) chunk_bytes: usize,
    pub(crate) chunk_items: u32,
}

/// Encoded items of one thread, in the order in which they ended.
#[derive(Debug)]
struct Lane<S> {
    buf: Vec<u8>,
    /// The scope of the items at the end of `buf`; none exactly while there are no items.
    scope: Option<Arc<S>>,
    /// Most bytes of an item of that scope.
    item_bytes_max: usize,
    /// The runs before the last one, which is still open.
    runs: Vec<Run<S>>,
    items: u32,
    /// Reserved for the open chunk beyond its bytes.
    overhead: usize,
    sealed: Vec<Chunk<S>>,
    /// Reserved and not yet used.
    bytes_credit: usize,
    items_credit: usize,
    ended: u64,
    /// Items in `buf` and `sealed`.
    held: u64,
    drops: Drops,
    /// Set once the pipeline takes nothing more: what becomes of items from then on. No chunk is
    /// open then.
    closed: Option<DropReason>,
}

/// An item has been admitted.
#[derive(Clone, Copy, Debug)]
struct Admitted {
    /// Items in the chunk that was sealed for it.
    sealed: u32,
    nearly_full: bool,
}

/// What an append did.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Appended {
    /// Kept; the chunk has room.
    Kept,
    /// Kept, and the worker may have something to do.
    Milestone {
        /// Items in the chunk that was sealed: there may be enough for a batch.
        sealed: u32,
        /// The queue has become nearly full: whatever there is should leave.
        nearly_full: bool,
    },
    /// Dropped and counted.
    Dropped(DropReason),
}

impl<S: Scope> Slot<S> {
    pub(crate) fn new(closed: Option<DropReason>) -> Self {
        let lane = || TryMutex::new(Lane::new(closed));
        Self { lanes: [lane(), lane()], has_sealed: AtomicBool::new(false) }
    }

    /// Appends an item; called by the owning thread only. Never waits, unless the item must stay in order.
    #[inline]
    pub(crate) fn append<I: Item>(
        &self,
        item: &I,
        scope: &Arc<S>,
        limits: &Limits,
        pool: &BufferPool,
    ) -> Appended {
        let [first, second] = &self.lanes;
        let appended = loop {
            if I::IN_ORDER {
                break first.lock().append(item, scope, limits, pool);
            }
            // Whoever keeps us from the first lane may be at the second before we are; then the
            // first is free again. Going round costs them a whole visit, so it ends at once.
            if let Some(mut lane) = first.try_lock() {
                break lane.append(item, scope, limits, pool);
            }
            if let Some(mut lane) = second.try_lock() {
                break lane.append(item, scope, limits, pool);
            }
        };
        if let Appended::Milestone { .. } = appended {
            // Release: whoever learns of the milestone by the hint or the wake-up sees this too.
            self.has_sealed.store(true, Ordering::Release);
        }
        appended
    }

    /// Moves what is here to `out`: sealed chunks only, or everything.
    ///
    /// `account` is locked by the caller and takes over exactly what the lanes give away.
    pub(crate) fn collect(
        &self,
        what: Collect,
        limits: &Limits,
        account: &mut Entries,
        out: &mut Vec<Chunk<S>>,
    ) {
        if what == Collect::Sealed && !self.has_sealed.load(Ordering::Acquire) {
            return;
        }
        self.has_sealed.store(false, Ordering::Release);
        for lane in &self.lanes {
            lane.lock().give(what, limits, account, out);
        }
    }

    /// Goes through the lanes as every visitor does, and is interrupted while it holds one.
    #[cfg(loom)]
    pub(crate) fn visit(&self, interrupted_at: usize, interruption: impl Fn()) {
        for (at, lane) in self.lanes.iter().enumerate() {
            let _lane = lane.lock();
            if at == interrupted_at {
                interruption();
            }
        }
    }

    /// Adds the lanes to a picture of the account: ended, held, drops.
    pub(crate) fn add_to(&self, ended: &mut u64, held: &mut u64, drops: &mut Drops) {
        for lane in &self.lanes {
            let lane = lane.lock();
            *ended += lane.ended;
            *held += lane.held;
            drops.merge(&lane.drops);
        }
    }

    /// From now on every item is dropped for `reason`.
    pub(crate) fn close(&self, reason: DropReason) {
        for lane in &self.lanes {
            lane.lock().close(reason);
        }
        self.has_sealed.store(true, Ordering::Release);
    }

    /// Moves the sums of a thread that is gone into the account; `false` if it has left items,
    /// which must be collected first.
    pub(crate) fn retire(&self, account: &mut Entries) -> bool {
        if self.lanes.iter().any(|lane| lane.lock().held > 0) {
            return false;
        }
        for lane in &self.lanes {
            let mut lane = lane.lock();
            account.retired_ended += std::mem::take(&mut lane.ended);
            account.retired_drops.merge(&std::mem::take(&mut lane.drops));
        }
        true
    }
}

/// How much [`Slot::collect`] takes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Collect {
    /// Full chunks.
    Sealed,
    /// Everything that has ended.
    All,
}

impl<S: Scope> Lane<S> {
    const fn new(closed: Option<DropReason>) -> Self {
        Self {
            buf: Vec::new(),
            scope: None,
            item_bytes_max: 0,
            runs: Vec::new(),
            items: 0,
            overhead: 0,
            sealed: Vec::new(),
            bytes_credit: 0,
            items_credit: 0,
            ended: 0,
            held: 0,
            drops: Drops::NONE,
            closed,
        }
    }

    #[inline]
    fn append(
        &mut self,
        item: &impl Item,
        scope: &Arc<S>,
        limits: &Limits,
        pool: &BufferPool,
    ) -> Appended {
        let (len, count) = (item.item_len(), item.count());
        self.ended += u64::from(count);
        let admitted = if self.goes_on(len, scope) {
            let nearly_full = self.reserve(len, count, limits);
            nearly_full.map(|nearly_full| Admitted { sealed: 0, nearly_full })
        } else {
            self.begin(len, count, scope, limits, pool)
        };
        let Admitted { mut sealed, nearly_full } = match admitted {
            Ok(admitted) => admitted,
            Err(reason) => {
                self.drops.add(reason, count.into());
                return Appended::Dropped(reason);
            }
        };
        let start = self.buf.len();
        item.put_item(&mut self.buf);
        debug_assert_eq!(self.buf.len() - start, len, "an item knows its length");
        self.held += u64::from(count);
        self.items += count;
        if self.items >= limits.chunk_items {
            sealed += self.seal();
        }
        if sealed > 0 || nearly_full {
            return Appended::Milestone { sealed, nearly_full };
        }
        Appended::Kept
    }

    /// Whether the item belongs to the open run, and there is memory for it.
    #[inline]
    fn goes_on(&self, len: usize, scope: &Arc<S>) -> bool {
        self.scope.as_ref().is_some_and(|open| Arc::ptr_eq(open, scope))
            && self.buf.len() + len <= self.buf.capacity()
            && len <= self.item_bytes_max
    }

    /// Admits an item that begins a run, needs memory or is not taken at all. Nothing changes
    /// before it is clear that it is.
    #[inline(never)]
    fn begin(
        &mut self,
        len: usize,
        count: u32,
        scope: &Arc<S>,
        limits: &Limits,
        pool: &BufferPool,
    ) -> Result<Admitted, DropReason> {
        if let Some(reason) = self.closed {
            return Err(reason);
        }
        let item_bytes_max = limits.item_bytes_max.saturating_sub(scope.encoded_len());
        if len > item_bytes_max {
            return Err(DropReason::TooLarge);
        }
        let end = self.buf.len() + len;
        let grows = end > self.buf.capacity();
        let seals = grows && end > limits.chunk_bytes && self.items > 0;
        let overhead = self.overhead_of_run(scope, seals);
        let nearly_full = self.reserve(len + overhead, count, limits)?;
        let sealed = if seals { self.seal() } else { 0 };
        if grows {
            self.grow(len, limits, pool);
        }
        self.overhead += overhead;
        self.item_bytes_max = item_bytes_max;
        self.switch_to(scope);
        Ok(Admitted { sealed, nearly_full })
    }

    /// What the run of the next item costs beyond its bytes: nothing if it is open already, little
    /// if the worker will put it together with one before it.
    fn overhead_of_run(&self, scope: &Arc<S>, seals: bool) -> usize {
        let same = |other: &Arc<S>| Arc::ptr_eq(other, scope);
        match &self.scope {
            Some(open) if !seals && same(open) => 0,
            Some(_) if !seals => {
                let known = self.runs.iter().rev().take(LOOK_BACK).any(|run| same(&run.scope));
                run_overhead(&**scope, known)
            }
            _ => chunk_overhead(&**scope),
        }
    }

    /// Ends the open run, unless it is one of this scope.
    fn switch_to(&mut self, scope: &Arc<S>) {
        if self.scope.as_ref().is_some_and(|open| Arc::ptr_eq(open, scope)) {
            return;
        }
        if let Some(before) = self.scope.replace(Arc::clone(scope)) {
            self.runs.push(Run { scope: before, end: self.buf.len(), items_end: self.items });
        }
    }

    /// From nothing to a small buffer, from there to a whole chunk: a thread with a few spans costs
    /// little, and one with many does not copy its way up through every size.
    fn grow(&mut self, len: usize, limits: &Limits, pool: &BufferPool) {
        if self.buf.capacity() == 0 {
            self.buf = pool.take();
            self.buf.reserve_exact(SMALL_BYTES.min(limits.chunk_bytes).max(len));
        } else {
            let missing = limits.chunk_bytes.saturating_sub(self.buf.len());
            self.buf.reserve_exact(missing);
        }
    }

    /// Takes room from the credit, which is filled up from the budget when it is short. Says
    /// whether that has made the queue nearly full.
    #[inline]
    fn reserve(&mut self, bytes: usize, count: u32, limits: &Limits) -> Result<bool, DropReason> {
        let mut nearly_full = false;
        if self.bytes_credit < bytes {
            // A thread that writes little reserves little: the room it holds back from others
            // grows with what it has used.
            let (missing, wanted) =
                (bytes - self.bytes_credit, self.buf.len().min(limits.bytes_step));
            let grant = limits.bytes.reserve(missing, wanted).ok_or(DropReason::QueueFull)?;
            self.bytes_credit += grant.amount;
            nearly_full = grant.nearly_full;
        }
        if let Some(items) = &limits.items {
            let count = count as usize;
            if self.items_credit < count {
                let wanted = limits.items_step.min(self.items as usize / 4);
                let missing = count - self.items_credit;
                let grant = items.reserve(missing, wanted).ok_or(DropReason::QueueFull)?;
                self.items_credit += grant.amount;
                nearly_full |= grant.nearly_full;
            }
            self.items_credit -= count;
        }
        self.bytes_credit -= bytes;
        Ok(nearly_full)
    }

    fn seal(&mut self) -> u32 {
        let Some(scope) = self.scope.take() else { return 0 };
        let mut buf = std::mem::take(&mut self.buf);
        if self.sealed.len() >= ROOMY_CHUNKS {
            // Nobody collects. What waits here must not hold much more memory than its bytes.
            buf.shrink_to_fit();
        }
        self.sealed.push(Chunk {
            last: Run { scope, end: buf.len(), items_end: self.items },
            runs: std::mem::take(&mut self.runs),
            overhead: std::mem::take(&mut self.overhead),
            buf,
        });
        std::mem::take(&mut self.items)
    }

    fn close(&mut self, reason: DropReason) {
        self.seal();
        self.closed = Some(reason);
    }

    fn give(
        &mut self,
        what: Collect,
        limits: &Limits,
        account: &mut Entries,
        out: &mut Vec<Chunk<S>>,
    ) {
        if what == Collect::All {
            self.seal();
            limits.bytes.release(std::mem::take(&mut self.bytes_credit));
            if let Some(items) = &limits.items {
                items.release(std::mem::take(&mut self.items_credit));
            }
        }
        let given: u64 = self.sealed.iter().map(Chunk::items).sum();
        self.held -= given;
        account.held += given;
        out.append(&mut self.sealed);
        if self.sealed.capacity() > ROOMY_CHUNKS {
            self.sealed = Vec::new();
        }
    }
}

/// The first memory of a thread that has none to reuse: room for a handful of spans.
const SMALL_BYTES: usize = 2 * 1024;
/// So many runs back a scope is found again, and its run costs less. Beyond, too much is reserved,
/// until the worker has put the runs together.
const LOOK_BACK: usize = 8;
/// So many sealed chunks of a lane keep memory that they have not filled.
const ROOMY_CHUNKS: usize = 32;

#[cfg(not(loom))]
#[cfg(test)]
mod tests;
