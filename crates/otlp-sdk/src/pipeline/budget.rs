//! The bound of a queue, in bytes and, where the user asks for it, in items.
//!
//! Room is reserved before anything is written, in steps, so that a thread touches the shared
//! counter once for many spans. What is reserved and not used goes back when the worker collects.

use crate::sync::{AtomicUsize, Ordering};

/// A counter that never goes over its limit.
#[derive(Debug)]
pub(crate) struct Budget {
    used: AtomicUsize,
    limit: usize,
    /// From here on it is nearly full.
    high: usize,
}

/// Room that was reserved.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Grant {
    pub(crate) amount: usize,
    /// With this grant the budget has become nearly full.
    pub(crate) nearly_full: bool,
}

impl Budget {
    pub(crate) fn new(limit: usize) -> Self {
        Self { used: AtomicUsize::new(0), limit, high: limit - limit / 4 }
    }

    pub(crate) fn limit(&self) -> usize {
        self.limit
    }

    /// Reserves `wanted`, or at least `needed`; nothing when there is no room for that.
    pub(crate) fn reserve(&self, needed: usize, wanted: usize) -> Option<Grant> {
        let grant = |used: usize| {
            let room = self.limit.saturating_sub(used);
            (room >= needed).then(|| wanted.max(needed).min(room))
        };
        // Relaxed: the counter guards no other memory; items are handed over under a lane's lock.
        let add = |used: usize| grant(used).map(|amount| used + amount);
        let before = self.used.fetch_update(Ordering::Relaxed, Ordering::Relaxed, add).ok()?;
        let amount = grant(before)?;
        let nearly_full = before < self.high && before + amount >= self.high;
        Some(Grant { amount, nearly_full })
    }

    /// Gives back what was reserved.
    pub(crate) fn release(&self, amount: usize) {
        if amount == 0 {
            return;
        }
        // A wrapped counter would end the bound for good, so even a bug of ours stops at zero.
        let give_back = |used: usize| Some(used.saturating_sub(amount));
        let before = self.used.fetch_update(Ordering::Relaxed, Ordering::Relaxed, give_back);
        debug_assert!(
            before.is_ok_and(|before| before >= amount),
            "released {amount} of {before:?}"
        );
    }

    #[cfg(any(test, loom))]
    pub(crate) fn used(&self) -> usize {
        self.used.load(Ordering::Relaxed)
    }
}

#[cfg(not(loom))]
#[cfg(test)]
mod tests {
    use super::*;

    fn amount(budget: &Budget, needed: usize, wanted: usize) -> usize {
        budget.reserve(needed, wanted).map_or(0, |grant| grant.amount)
    }

    #[test]
    fn it_grants_what_is_wanted_then_what_is_left_then_nothing() {
        let budget = Budget::new(100);
        assert_eq!(amount(&budget, 10, 60), 60);
        assert_eq!(amount(&budget, 10, 60), 40);
        assert_eq!(budget.reserve(1, 60), None);
        budget.release(40);
        assert_eq!(budget.reserve(41, 41), None);
        assert_eq!(amount(&budget, 40, 10), 40);
        assert_eq!(budget.used(), 100);
    }

    #[test]
    fn it_says_once_that_it_is_nearly_full_each_time_it_gets_there() {
        let budget = Budget::new(100);
        let says = |wanted| budget.reserve(wanted, wanted).unwrap().nearly_full;
        assert_eq!([says(74), says(1), says(1)], [false, true, false]);
        budget.release(10);
        assert!(says(10));
        for limit in 1..6 {
            let budget = Budget::new(limit);
            let said = (0..limit).filter(|_| budget.reserve(1, 1).unwrap().nearly_full).count();
            assert_eq!(said, 1, "with a limit of {limit}");
        }
    }

    #[test]
    fn without_a_limit_to_speak_of_nothing_overflows() {
        let budget = Budget::new(usize::MAX);
        assert_eq!(amount(&budget, 1, usize::MAX), usize::MAX);
        assert_eq!(budget.reserve(1, 1), None);
        assert_eq!(Budget::new(0).reserve(1, 1), None);
    }

    #[test]
    fn threads_never_get_more_than_the_limit() {
        let budget = Budget::new(10_000);
        let granted: usize = std::thread::scope(|scope| {
            let take = || (0..2_000).map(|_| amount(&budget, 1, 3)).sum::<usize>();
            let threads: Vec<_> = (0..4).map(|_| scope.spawn(take)).collect();
            threads.into_iter().map(|thread| thread.join().unwrap()).sum()
        });
        assert_eq!((granted, budget.used()), (10_000, 10_000));
    }
}
