//! Where instrumented threads leave encoded items: two lanes per thread and pipeline.
//!
//! The owner appends to whichever lane is free, the first one first. Others (the worker that
//! collects, whoever takes a picture of the account) come one at a time, since they hold the
//! account's lock, and lock one lane at a time. So one of the two lanes is always free, and the
//! owner never waits for anybody who was interrupted while holding a lock.

use std::sync::Arc;

use bytes::Bytes;

use super::account::{DropReason, Drops, Entries};
use super::budget::Budget;
use super::buffer::BufferPool;
use crate::sync::{AtomicBool, Ordering, TryMutex};

/// Something that knows its encoded length and writes itself as an item of its scope.
pub(crate) trait Item {
    fn item_len(&self) -> usize;
    fn put_item(&self, buf: &mut Vec<u8>);
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
    runs: Runs<S>,
    items: u32,
    sealed: Vec<Chunk<S>>,
    /// Reserved and not yet used.
    bytes_credit: usize,
    items_credit: usize,
    ended: u64,
    /// Items in `buf` and `sealed`.
    held: u64,
    drops: Drops,
    /// Set once the pipeline takes nothing more: what becomes of items from then on.
    closed: Option<DropReason>,
}

/// Consecutive items of one scope within a chunk.
#[derive(Debug)]
struct Run<S> {
    scope: Arc<S>,
    end: usize,
    items: u32,
}

/// The runs of a chunk. Most chunks have one, and that one costs no allocation.
#[derive(Debug)]
struct Runs<S> {
    first: Option<Run<S>>,
    more: Vec<Run<S>>,
}

/// A full buffer that waits for the worker, or is on its way there.
#[derive(Debug)]
pub(crate) struct Chunk<S> {
    buf: Vec<u8>,
    runs: Runs<S>,
}

/// Items of one scope on their way through the queue.
#[derive(Clone, Debug)]
pub(crate) struct Segment<S> {
    pub(crate) scope: Arc<S>,
    pub(crate) bytes: Bytes,
    pub(crate) items: u32,
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

impl<S> Slot<S> {
    pub(crate) fn new(closed: Option<DropReason>) -> Self {
        let lane = || TryMutex::new(Lane::new(closed));
        Self { lanes: [lane(), lane()], has_sealed: AtomicBool::new(false) }
    }

    /// Appends an item; called by the owning thread only. Never waits.
    #[inline]
    pub(crate) fn append(
        &self,
        item: &impl Item,
        scope: &Arc<S>,
        limits: &Limits,
        pool: &BufferPool,
    ) -> Appended {
        let [first, second] = &self.lanes;
        let appended = loop {
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
            lane.lock().closed = Some(reason);
        }
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

impl<S> Lane<S> {
    const fn new(closed: Option<DropReason>) -> Self {
        Self {
            buf: Vec::new(),
            runs: Runs::new(),
            items: 0,
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
        self.ended += 1;
        let len = item.item_len();
        let nearly_full = match self.admit(len, limits) {
            Ok(nearly_full) => nearly_full,
            Err(reason) => {
                self.drops.add(reason, 1);
                return Appended::Dropped(reason);
            }
        };
        let mut sealed = self.make_room(len, limits, pool);
        let start = self.buf.len();
        item.put_item(&mut self.buf);
        let end = self.buf.len();
        debug_assert_eq!(end - start, len, "an item knows its length");
        self.held += 1;
        self.items += 1;
        match self.runs.last_mut() {
            Some(run) if Arc::ptr_eq(&run.scope, scope) => {
                run.end = end;
                run.items += 1;
            }
            _ => self.runs.push(Run { scope: Arc::clone(scope), end, items: 1 }),
        }
        if self.items >= limits.chunk_items {
            sealed += self.seal();
        }
        if sealed > 0 || nearly_full {
            return Appended::Milestone { sealed, nearly_full };
        }
        Appended::Kept
    }

    /// Seals the chunk when the item does not fit any more, and sees that the next has memory.
    /// Returns the number of items sealed.
    #[inline]
    fn make_room(&mut self, len: usize, limits: &Limits, pool: &BufferPool) -> u32 {
        let end = self.buf.len() + len;
        if end <= self.buf.capacity() {
            return 0;
        }
        self.grow(end, limits, pool)
    }

    /// From nothing to a small buffer, from there to a whole chunk: a thread with a few spans costs
    /// little, and one with many does not copy its way up through every size.
    #[cold]
    fn grow(&mut self, end: usize, limits: &Limits, pool: &BufferPool) -> u32 {
        let mut sealed = 0;
        if end > limits.chunk_bytes && self.items > 0 {
            sealed = self.seal();
        }
        if self.buf.capacity() == 0 {
            self.buf = pool.take();
            self.buf.reserve_exact(SMALL_BYTES.min(limits.chunk_bytes));
        } else {
            let missing = limits.chunk_bytes.saturating_sub(self.buf.len());
            self.buf.reserve_exact(missing);
        }
        sealed
    }

    /// Takes the item's room from the credit, which is filled up from the budget when it is short.
    /// Says whether that has made the queue nearly full.
    #[inline]
    fn admit(&mut self, len: usize, limits: &Limits) -> Result<bool, DropReason> {
        if let Some(reason) = self.closed {
            return Err(reason);
        }
        if len > limits.item_bytes_max {
            return Err(DropReason::TooLarge);
        }
        let mut nearly_full = false;
        if self.bytes_credit < len {
            // A thread that writes little reserves little: the room it holds back from others
            // grows with what it has used.
            let (missing, wanted) =
                (len - self.bytes_credit, self.buf.len().min(limits.bytes_step));
            let grant = limits.bytes.reserve(missing, wanted).ok_or(DropReason::QueueFull)?;
            self.bytes_credit += grant.amount;
            nearly_full = grant.nearly_full;
        }
        if let Some(items) = &limits.items {
            if self.items_credit == 0 {
                let wanted = limits.items_step.min(self.items as usize / 4);
                let grant = items.reserve(1, wanted).ok_or(DropReason::QueueFull)?;
                self.items_credit = grant.amount;
                nearly_full |= grant.nearly_full;
            }
            self.items_credit -= 1;
        }
        self.bytes_credit -= len;
        Ok(nearly_full)
    }

    fn seal(&mut self) -> u32 {
        let chunk = Chunk { buf: std::mem::take(&mut self.buf), runs: self.runs.take() };
        self.sealed.push(chunk);
        std::mem::take(&mut self.items)
    }

    fn give(
        &mut self,
        what: Collect,
        limits: &Limits,
        account: &mut Entries,
        out: &mut Vec<Chunk<S>>,
    ) {
        if what == Collect::All {
            if self.items > 0 {
                self.seal();
            }
            limits.bytes.release(std::mem::take(&mut self.bytes_credit));
            if let Some(items) = &limits.items {
                items.release(std::mem::take(&mut self.items_credit));
            }
        }
        let given: u64 = self.sealed.iter().map(Chunk::items).sum();
        self.held -= given;
        account.held += given;
        out.append(&mut self.sealed);
    }
}

impl<S> Runs<S> {
    const fn new() -> Self {
        Self { first: None, more: Vec::new() }
    }

    #[inline]
    fn last_mut(&mut self) -> Option<&mut Run<S>> {
        if self.more.is_empty() { self.first.as_mut() } else { self.more.last_mut() }
    }

    fn push(&mut self, run: Run<S>) {
        match &self.first {
            None => self.first = Some(run),
            Some(_) => self.more.push(run),
        }
    }

    fn only(&self) -> Option<&Run<S>> {
        self.first.as_ref().filter(|_| self.more.is_empty())
    }

    fn iter(&self) -> impl Iterator<Item = &Run<S>> {
        self.first.iter().chain(&self.more)
    }

    fn take(&mut self) -> Self {
        std::mem::replace(self, Self::new())
    }
}

impl<S> Chunk<S> {
    fn items(&self) -> u64 {
        self.runs.iter().map(|run| u64::from(run.items)).sum()
    }

    /// One segment per scope. Runs of one scope that lie apart are put together, so that threads
    /// which alternate between scopes do not make requests of hundreds of tiny pieces.
    pub(crate) fn into_segments(self, pool: &Arc<BufferPool>, out: &mut impl Extend<Segment<S>>) {
        let Self { buf, runs } = self;
        if let Some(run) = runs.only() {
            let segment = Segment {
                scope: Arc::clone(&run.scope),
                items: run.items,
                bytes: pool.freeze(buf),
            };
            return out.extend([segment]);
        }
        let mut done: Vec<&Arc<S>> = Vec::new();
        for run in runs.iter() {
            if done.iter().any(|scope| Arc::ptr_eq(scope, &run.scope)) {
                continue;
            }
            done.push(&run.scope);
            out.extend([gather(&run.scope, &buf, &runs)]);
        }
        pool.put_back(buf);
    }
}

/// Copies all runs of one scope into a segment of exactly their size.
fn gather<S>(scope: &Arc<S>, buf: &[u8], runs: &Runs<S>) -> Segment<S> {
    let starts = std::iter::once(0).chain(runs.iter().map(|run| run.end));
    let own: Vec<_> =
        starts.zip(runs.iter()).filter(|(_, run)| Arc::ptr_eq(&run.scope, scope)).collect();
    let len = own.iter().map(|(start, run)| run.end - start).sum();
    let mut gathered = Vec::with_capacity(len);
    let mut items = 0;
    for (start, run) in own {
        gathered.extend_from_slice(buf.get(start..run.end).unwrap_or_default());
        items += run.items;
    }
    Segment { scope: Arc::clone(scope), bytes: gathered.into(), items }
}

/// The first memory of a thread that has none to reuse: room for a handful of spans.
const SMALL_BYTES: usize = 2 * 1024;

#[cfg(not(loom))]
#[cfg(test)]
mod tests;
