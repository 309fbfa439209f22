//! What waits to be sent, in order and within a bound.

use std::collections::VecDeque;

use otlp_core::Payload;
use otlp_core::export::Outcome;
use parking_lot::Mutex;
use tokio::sync::futures::Notified;
use tokio::sync::{Notify, oneshot};

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
pub(super) struct Room<'q> {
    queue: &'q Queue,
    size: usize,
}

impl Drop for Room<'_> {
    fn drop(&mut self) {
        if self.size > 0 {
            self.queue.state.lock().size -= self.size;
            self.queue.left.notify_waiters();
        }
    }
}

/// First in, first out, bounded in what the sizer counts.
#[derive(Debug)]
pub(super) struct Queue {
    sizer: QueueSizer,
    capacity: usize,
    state: Mutex<State>,
    arrived: Notify,
    left: Notify,
}

#[derive(Debug, Default)]
struct State {
    entries: VecDeque<Entry>,
    size: usize,
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
        let (arrived, left) = (Notify::new(), Notify::new());
        Self { sizer, capacity, state: Mutex::default(), arrived, left }
    }

    /// Room for a request, if there is some.
    pub(super) fn reserve(&self, payload: &Payload) -> Result<Room<'_>, Refused> {
        let size = self.size_of(payload);
        let mut state = self.state.lock();
        if state.is_closed {
            return Err(Refused::Closed);
        }
        if size > self.capacity {
            return Err(Refused::TooLarge);
        }
        match state.size.checked_add(size).filter(|all| *all <= self.capacity) {
            Some(all) => state.size = all,
            None => return Err(Refused::Full),
        }
        Ok(Room { queue: self, size })
    }

    /// Takes a batch, in the room that was reserved for it. `take_on` runs before anybody else can see it.
    pub(super) fn push(
        &self,
        mut room: Room<'_>,
        kept: Box<dyn Kept>,
        reply: Reply,
        take_on: impl FnOnce() -> Owed,
    ) -> Result<(), Refused> {
        let mut state = self.state.lock();
        if state.is_closed {
            drop(state);
            return Err(Refused::Closed);
        }
        let size = std::mem::take(&mut room.size);
        state.entries.push_back(Entry { kept, owed: take_on(), reply, size });
        drop(state);
        self.arrived.notify_one();
        Ok(())
    }

    /// Waits for room that may be enough.
    pub(super) fn room(&self) -> Notified<'_> {
        self.left.notified()
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
        state.size -= entry.size;
        drop(state);
        // A notice may have been meant for several.
        if more {
            self.arrived.notify_one();
        }
        self.left.notify_waiters();
        Look::Entry(entry)
    }

    /// Takes nothing more. What is there can still be popped.
    pub(super) fn close(&self) {
        self.state.lock().is_closed = true;
        self.arrived.notify_one();
        self.left.notify_waiters();
    }

    /// What waits, in the sizer's units, and most that may.
    pub(super) fn size(&self) -> (usize, usize) {
        (self.state.lock().size, self.capacity)
    }

    fn size_of(&self, payload: &Payload) -> usize {
        match self.sizer {
            QueueSizer::Requests => 1,
            QueueSizer::Items => payload.items(),
            QueueSizer::Bytes => payload.len(),
        }
    }
}
