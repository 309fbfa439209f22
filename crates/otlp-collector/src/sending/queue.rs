//! What waits to be sent, in order and within a bound.

use std::collections::VecDeque;

use otlp_core::Payload;
use otlp_core::export::Outcome;
use parking_lot::Mutex;
use tokio::sync::{Notify, Semaphore, SemaphorePermit, TryAcquireError, oneshot};

use super::account::{Counters, Owed};
use super::settings::QueueSizer;
use super::storage::Kept;
use crate::gathering::is_taken;

/// A batch that waits, and whoever waits for it.
#[derive(Debug)]
pub(super) struct Entry {
    pub(super) kept: Box<dyn Kept>,
    /// To be paid by whoever delivers it.
    pub(super) owed: Owed,
    pub(super) reply: Reply,
    size: usize,
}

/// Whoever waits for what becomes of a batch, if anybody does.
#[derive(Debug)]
pub(super) struct Reply(pub(super) Option<oneshot::Sender<Outcome>>);

impl Reply {
    /// Says what became of it, of which `settled` items were delivered. Nobody may be waiting any more.
    pub(super) fn send(self, outcome: &Outcome, settled: usize, counters: &Counters) {
        let Some(reply) = self.0 else { return };
        let is_heard = reply.send(outcome.clone()).is_ok();
        if !is_heard || !is_taken(outcome) {
            counters.repeatable(settled);
        }
    }
}

/// Room that nobody else gets, until it is dropped.
#[derive(Debug)]
#[must_use = "dropped, the room is free again"]
pub(super) struct Room<'q>(SemaphorePermit<'q>);

/// First in, first out, bounded in what the sizer counts.
#[derive(Debug)]
pub(super) struct Queue {
    sizer: QueueSizer,
    capacity: usize,
    /// What is free of it. Who waits gets it in the order of coming.
    free: Semaphore,
    state: Mutex<State>,
    arrived: Notify,
}

#[derive(Debug, Default)]
struct State {
    entries: VecDeque<Entry>,
    is_closed: bool,
}

/// What is there for somebody who would send it.
enum Look {
    Entry(Entry),
    Nothing,
    Closed,
}

/// Why a batch was not taken.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Refused {
    /// There is no room now.
    Full,
    /// It is larger than the whole queue.
    TooLarge,
    Closed,
}

impl Queue {
    pub(super) fn new(sizer: QueueSizer, capacity: usize) -> Self {
        let capacity = capacity.min(Semaphore::MAX_PERMITS);
        let (free, arrived) = (Semaphore::new(capacity), Notify::new());
        Self { sizer, capacity, free, state: Mutex::default(), arrived }
    }

    /// Room for a request, if there is some.
    pub(super) fn reserve(&self, payload: &Payload) -> Result<Room<'_>, Refused> {
        let permits = self.permits(payload)?;
        self.free.try_acquire_many(permits).map(Room).map_err(|error| match error {
            TryAcquireError::Closed => Refused::Closed,
            TryAcquireError::NoPermits => Refused::Full,
        })
    }

    /// Room for a request, once it is there for those who came before and for this one.
    pub(super) async fn wait_for_room(&self, payload: &Payload) -> Result<Room<'_>, Refused> {
        let permits = self.permits(payload)?;
        self.free.acquire_many(permits).await.map(Room).map_err(|_closed| Refused::Closed)
    }

    /// What a request takes up of the capacity.
    fn permits(&self, payload: &Payload) -> Result<u32, Refused> {
        let size = self.size_of(payload);
        match u32::try_from(size) {
            Ok(permits) if size <= self.capacity => Ok(permits),
            _ => Err(Refused::TooLarge),
        }
    }

    /// Takes a batch, in the room that was reserved for it. `take_on` runs before anybody else can see it.
    pub(super) fn push(
        &self,
        Room(room): Room<'_>,
        kept: Box<dyn Kept>,
        reply: Reply,
        take_on: impl FnOnce() -> Owed,
    ) -> Result<(), Refused> {
        let mut state = self.state.lock();
        if state.is_closed {
            drop(state);
            return Err(Refused::Closed);
        }
        let size = room.num_permits();
        // It is free again when the batch is popped.
        room.forget();
        state.entries.push_back(Entry { kept, owed: take_on(), reply, size });
        drop(state);
        self.arrived.notify_one();
        Ok(())
    }

    /// The next batch, when there is one; `None` when the queue is closed and empty. Dropped, it has taken
    /// nothing.
    pub(super) async fn pop(&self) -> Option<Entry> {
        loop {
            // Registered before the look, so that nothing arrives unseen between the two.
            let arrived = self.arrived.notified();
            match self.look() {
                Look::Entry(entry) => return Some(entry),
                Look::Closed => return None,
                Look::Nothing => arrived.await,
            }
        }
    }

    fn look(&self) -> Look {
        let mut state = self.state.lock();
        let Some(entry) = state.entries.pop_front() else {
            let is_closed = state.is_closed;
            drop(state);
            if is_closed {
                // Others who wait want to know as well.
                self.arrived.notify_one();
            }
            return if is_closed { Look::Closed } else { Look::Nothing };
        };
        let more = !state.entries.is_empty();
        drop(state);
        // A notice may have been meant for several.
        if more {
            self.arrived.notify_one();
        }
        self.free.add_permits(entry.size);
        Look::Entry(entry)
    }

    /// Takes nothing more. What is there can still be popped.
    pub(super) fn close(&self) {
        self.state.lock().is_closed = true;
        self.free.close();
        self.arrived.notify_one();
    }

    /// What waits, in the sizer's units, and most that may.
    pub(super) fn size(&self) -> (usize, usize) {
        (self.capacity.saturating_sub(self.free.available_permits()), self.capacity)
    }

    pub(super) const fn sizer(&self) -> QueueSizer {
        self.sizer
    }

    fn size_of(&self, payload: &Payload) -> usize {
        match self.sizer {
            QueueSizer::Requests => 1,
            QueueSizer::Items => payload.items(),
            QueueSizer::Bytes => payload.len(),
        }
    }
}
