//! How much of what has come in may be here at once.
//!
//! A [`Budget`] is a number of bytes that the whole process shares. A receiver takes a [`Ticket`] for a
//! request before it reads it, grows the ticket while it reads and inflates, and hands it on with what was
//! read; the bytes come back when the last part of it has left the collector. A full budget is a refusal
//! that the client may repeat, after a short wait at most. Before it is full it slows down those who fill it:
//! see [`Budget::delay`].
//!
//! ```
//! use otlp_collector::admission::Budget;
//!
//! let budget = Budget::new(1000);
//! let mut ticket = budget.take(400)?;
//! ticket.grow(500)?;
//! assert_eq!(budget.used(), 900);
//! assert!(budget.take(200).is_err_and(|full| !full.is_hopeless()));
//! assert!(budget.take(2000).is_err_and(|full| full.is_hopeless()));
//! drop(ticket);
//! assert_eq!(budget.used(), 0);
//! # Ok::<(), otlp_collector::admission::Full>(())
//! ```

use std::fmt;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use tokio::sync::Notify;

use crate::memory::{Linux, Memory as _};

/// Bytes that may be here at once. Clones share them.
#[derive(Clone)]
pub struct Budget(Arc<Count>);

struct Count {
    capacity: usize,
    used: AtomicUsize,
    /// Those who wait for room.
    waiting: AtomicUsize,
    left: Notify,
}

impl Budget {
    /// What a collector takes where nothing else is said: 64 MiB.
    pub const DEFAULT_CAPACITY: usize = 64 << 20;

    /// A budget of this many bytes.
    #[must_use]
    pub fn new(capacity: usize) -> Self {
        let [used, waiting] = [const { AtomicUsize::new(0) }; 2];
        Self(Arc::new(Count { capacity, used, waiting, left: Notify::new() }))
    }

    /// A budget for this process: [`DEFAULT_CAPACITY`](Self::DEFAULT_CAPACITY), or 40 % of the memory that it may
    /// use if that is less. Reads a few files of the system.
    #[must_use]
    pub fn of_this_process() -> Self {
        let memory = Linux::default().total().unwrap_or(u64::MAX);
        let share = usize::try_from(memory / 10 * 4).unwrap_or(usize::MAX);
        Self::new(share.min(Self::DEFAULT_CAPACITY))
    }

    /// Takes bytes, all or none. Costs one atomic operation.
    ///
    /// # Errors
    ///
    /// So many are not free.
    pub fn take(&self, bytes: usize) -> Result<Ticket, Full> {
        let mut ticket = Ticket { budget: self.clone(), bytes: 0 };
        ticket.grow(bytes)?;
        Ok(ticket)
    }

    /// Bytes that are taken now.
    #[must_use]
    pub fn used(&self) -> usize {
        self.0.used.load(Ordering::Relaxed)
    }

    /// Bytes that may be taken in all.
    #[must_use]
    pub fn capacity(&self) -> usize {
        self.0.capacity
    }

    /// How much later than it could a client should have its answer, so that it brings the next request when
    /// there is less here: nothing up to an eighth of the budget, and from there on more and more, up to
    /// 80 ms when it is full. Without it, clients that send as fast as they are answered fill every queue
    /// before they meet a bound.
    #[must_use]
    pub fn delay(&self) -> Duration {
        let calm = self.0.capacity / 8;
        let above = self.used().saturating_sub(calm).min(self.0.capacity);
        let room = self.0.capacity.saturating_sub(calm).max(1);
        // Shares of a budget; no exact number is asked for.
        LONGEST_DELAY.mul_f64((above as f64 / room as f64).clamp(0.0, 1.0))
    }

    /// A number and nothing that it guards: no other memory is read because of it, so no ordering is needed.
    fn reserve(&self, bytes: usize) -> Result<(), Full> {
        if bytes == 0 {
            return Ok(());
        }
        let fits = |used: usize| used.checked_add(bytes).filter(|used| *used <= self.0.capacity);
        let reserved = self.0.used.fetch_update(Ordering::Relaxed, Ordering::Relaxed, fits);
        reserved.map(drop).map_err(|used| Full { asked: bytes, used, capacity: self.0.capacity })
    }

    fn give_back(&self, bytes: usize) {
        if bytes == 0 {
            return;
        }
        self.0.used.fetch_sub(bytes, Ordering::Relaxed);
        if bytes > 0 && self.0.waiting.load(Ordering::Relaxed) > 0 {
            self.0.left.notify_one();
        }
    }

    /// Waits for room that may be enough. A notice may be missed: nobody waits for it for long.
    async fn room(&self, until: Instant) {
        let waiting = Waiting::begin(&self.0.waiting);
        let look_again =
            crate::clock::now().checked_add(LOOK_AGAIN).map_or(until, |at| at.min(until));
        let _ = tokio::time::timeout_at(look_again.into(), self.0.left.notified()).await;
        drop(waiting);
    }
}

/// Somebody waits.
struct Waiting<'a>(&'a AtomicUsize);

impl<'a> Waiting<'a> {
    fn begin(waiting: &'a AtomicUsize) -> Self {
        waiting.fetch_add(1, Ordering::Relaxed);
        Self(waiting)
    }
}

impl Drop for Waiting<'_> {
    fn drop(&mut self) {
        self.0.fetch_sub(1, Ordering::Relaxed);
    }
}

impl fmt::Debug for Budget {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Budget({} of {} bytes)", self.used(), self.capacity())
    }
}

/// Bytes of a [`Budget`], until it is dropped.
#[derive(Debug)]
#[must_use = "dropped, its bytes are free again"]
pub struct Ticket {
    budget: Budget,
    bytes: usize,
}

impl Ticket {
    /// Takes more bytes, all or none. What it has it keeps in any case.
    ///
    /// # Errors
    ///
    /// So many are not free.
    pub fn grow(&mut self, bytes: usize) -> Result<(), Full> {
        let hopeless = self.bytes.checked_add(bytes).is_none_or(|all| all > self.budget.capacity());
        self.budget.reserve(bytes).map_err(|full| match hopeless {
            true => Full { asked: self.bytes.saturating_add(bytes), ..full },
            false => full,
        })?;
        self.bytes += bytes;
        Ok(())
    }

    /// Takes more bytes, all or none, and waits for them until then if they are not free now.
    ///
    /// # Errors
    ///
    /// So many were not free in time, or never will be.
    pub(crate) async fn grow_by(&mut self, bytes: usize, until: Instant) -> Result<(), Full> {
        loop {
            match self.grow(bytes) {
                Err(full) if !full.is_hopeless() && crate::clock::now() < until => {}
                done => return done,
            }
            self.budget.clone().room(until).await;
        }
    }

    /// A ticket of the same budget.
    ///
    /// # Errors
    ///
    /// So many bytes are not free.
    pub fn another(&self, bytes: usize) -> Result<Self, Full> {
        self.budget.take(bytes)
    }

    /// Gives back what is above `bytes`.
    pub fn shrink_to(&mut self, bytes: usize) {
        let spare = self.bytes.saturating_sub(bytes);
        self.bytes -= spare;
        self.budget.give_back(spare);
    }

    /// Bytes that it has.
    #[must_use]
    pub fn bytes(&self) -> usize {
        self.bytes
    }
}

impl Drop for Ticket {
    fn drop(&mut self) {
        self.budget.give_back(self.bytes);
    }
}

/// The bytes that were asked for are not free.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{asked} bytes are not free: {used} of {capacity} are taken")]
pub struct Full {
    asked: usize,
    used: usize,
    capacity: usize,
}

impl Full {
    /// Whether they would not fit either if nothing else were here: the request is too large, and no later
    /// attempt will succeed.
    #[must_use]
    pub fn is_hopeless(&self) -> bool {
        self.asked > self.capacity
    }
}

/// Of an answer where the budget is full.
const LONGEST_DELAY: Duration = Duration::from_millis(80);

/// A notice that was missed costs no more than this.
const LOOK_AGAIN: Duration = Duration::from_millis(10);

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test(start_paused = true)]
    async fn room_is_waited_for_and_not_for_longer_than_was_said() {
        let budget = Budget::new(100);
        let mut held = budget.take(60).unwrap();
        let begun = tokio::time::Instant::now();
        let until = |millis| (begun + Duration::from_millis(millis)).into_std();
        let mut first = budget.take(0).unwrap();
        assert!(first.grow_by(50, until(30)).await.is_err());
        assert_eq!(begun.elapsed(), Duration::from_millis(30));
        assert!(first.grow_by(101, until(90)).await.unwrap_err().is_hopeless());
        assert_eq!(begun.elapsed(), Duration::from_millis(30), "that is no matter of time");
        let (waited, ()) = tokio::join!(first.grow_by(50, until(90)), async {
            tokio::task::yield_now().await;
            held.shrink_to(50);
        });
        waited.unwrap();
        assert_eq!((begun.elapsed(), budget.used()), (Duration::from_millis(30), 100));
    }

    #[test]
    fn a_ticket_has_what_it_took_until_it_is_dropped() {
        let budget = Budget::new(100);
        let mut ticket = budget.take(60).unwrap();
        let full = ticket.grow(41).unwrap_err();
        assert!(full.is_hopeless(), "the request is larger than all there is: {full}");
        assert_eq!((ticket.bytes(), budget.used()), (60, 60));
        ticket.grow(40).unwrap();
        assert!(!budget.take(1).unwrap_err().is_hopeless());
        ticket.shrink_to(10);
        ticket.shrink_to(50);
        assert_eq!((ticket.bytes(), budget.used()), (10, 10));
        drop(ticket);
        assert_eq!(budget.used(), 0);
        assert!(budget.take(0).is_ok() && budget.take(100).is_ok());
    }

    #[test]
    fn a_budget_that_fills_slows_down_who_fills_it() {
        let budget = Budget::new(1000);
        let delay = |bytes| {
            let ticket = budget.take(bytes).unwrap();
            let delay = budget.delay().as_millis();
            drop(ticket);
            delay
        };
        assert_eq!([0, 125, 475, 1000].map(delay), [0, 0, 32, 80]);
        assert_eq!(Budget::new(0).delay(), Duration::ZERO);
    }

    #[test]
    fn numbers_without_end_are_refused() {
        let budget = Budget::new(usize::MAX - 1);
        let mut ticket = budget.take(usize::MAX - 2).unwrap();
        assert!(ticket.grow(usize::MAX).unwrap_err().is_hopeless());
        assert!(budget.take(2).is_err());
    }

    #[test]
    fn the_bound_holds_whoever_asks_and_all_comes_back() {
        let budget = Budget::new(1000);
        std::thread::scope(|scope| {
            for step in 1..=4_usize {
                let budget = budget.clone();
                scope.spawn(move || {
                    for round in 0..10_000_usize {
                        let Ok(mut ticket) = budget.take(round * step % 400) else { continue };
                        let _ = ticket.grow(step * 37);
                        assert!(budget.used() <= budget.capacity());
                        ticket.shrink_to(round % 100);
                    }
                });
            }
        });
        assert_eq!(budget.used(), 0);
    }
}
