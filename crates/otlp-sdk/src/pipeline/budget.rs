//! The bound of a queue, in bytes and, where the user asks for it, in items.
//!
//! Room is reserved before anything is written, in steps, so that a thread touches the shared
//! counter once for many spans. What is reserved and not used goes back when the worker collects.

use std::sync::atomic::{AtomicUsize, Ordering};

/// A counter that never goes over its limit.
#[derive(Debug)]
pub(crate) struct Budget {
    used: AtomicUsize,
    limit: usize,
}

impl Budget {
    pub(crate) const fn new(limit: usize) -> Self {
        Self { used: AtomicUsize::new(0), limit }
    }

    pub(crate) const fn limit(&self) -> usize {
        self.limit
    }

    /// Reserves `wanted`, or at least `needed`; zero when there is no room for that.
    pub(crate) fn reserve(&self, needed: usize, wanted: usize) -> usize {
        let grant = |used: usize| {
            let room = self.limit - used;
            if room < needed { None } else { Some(wanted.max(needed).min(room)) }
        };
        // Relaxed: the counter guards no other memory; items are handed over under a lane's lock.
        let add = |used: usize| grant(used).map(|granted| used + granted);
        match self.used.fetch_update(Ordering::Relaxed, Ordering::Relaxed, add) {
            Ok(used) => grant(used).unwrap_or(0),
            Err(_) => 0,
        }
    }

    /// Gives back what was reserved.
    pub(crate) fn release(&self, amount: usize) {
        let before = self.used.fetch_sub(amount, Ordering::Relaxed);
        debug_assert!(before >= amount, "released {amount} of {before}");
    }

    #[cfg(test)]
    pub(crate) fn used(&self) -> usize {
        self.used.load(Ordering::Relaxed)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn it_grants_what_is_wanted_then_what_is_left_then_nothing() {
        let budget = Budget::new(100);
        assert_eq!(budget.reserve(10, 60), 60);
        assert_eq!(budget.reserve(10, 60), 40);
        assert_eq!(budget.reserve(1, 60), 0);
        budget.release(40);
        assert_eq!(budget.reserve(41, 41), 0);
        assert_eq!(budget.reserve(40, 10), 40);
        assert_eq!(budget.used(), 100);
    }

    #[test]
    fn threads_never_get_more_than_the_limit() {
        let budget = Budget::new(10_000);
        let granted: usize = std::thread::scope(|scope| {
            let threads: Vec<_> = (0..4)
                .map(|_| {
                    scope.spawn(|| (0..2_000).map(|_| budget.reserve(1, 3)).sum::<usize>())
                })
                .collect();
            threads.into_iter().map(|thread| thread.join().unwrap()).sum()
        });
        assert_eq!((granted, budget.used()), (10_000, 10_000));
    }
}
