//! Counts of what happens on instrumented threads: one set per thread, summed when somebody asks.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering, fence};

use parking_lot::Mutex;

/// How many counts there are at most; what each means is the signal's own.
pub(crate) const COUNTERS: usize = 16;

/// The sums of all threads.
pub(crate) type Counts = [u64; COUNTERS];

/// Counts of one thread. Only the owner writes, so a load and a store do.
#[derive(Debug, Default)]
pub(crate) struct Counters([AtomicU64; COUNTERS]);

impl Counters {
    /// Adds one, as the owner.
    #[inline]
    pub(crate) fn count(&self, at: usize) {
        if let Some(count) = self.0.get(at) {
            count.store(count.load(Ordering::Relaxed).wrapping_add(1), Ordering::Relaxed);
        }
    }

    /// Adds one where several threads may write at once.
    pub(crate) fn count_shared(&self, at: usize) {
        if let Some(count) = self.0.get(at) {
            count.fetch_add(1, Ordering::Relaxed);
        }
    }

    /// Takes one back, as the owner. A thread may take back what another one has counted: the sum counts.
    #[cfg(feature = "tracing")]
    pub(crate) fn uncount(&self, at: usize) {
        if let Some(count) = self.0.get(at) {
            count.store(count.load(Ordering::Relaxed).wrapping_sub(1), Ordering::Relaxed);
        }
    }

    /// [`uncount`](Self::uncount) where several threads may write at once.
    #[cfg(feature = "tracing")]
    pub(crate) fn uncount_shared(&self, at: usize) {
        if let Some(count) = self.0.get(at) {
            count.fetch_sub(1, Ordering::Relaxed);
        }
    }

    fn read(&self) -> Counts {
        self.0.each_ref().map(|count| count.load(Ordering::Relaxed))
    }
}

/// The counters of all threads of a provider.
#[derive(Debug, Default)]
pub(crate) struct AllCounters {
    /// For threads whose locals are gone.
    pub(crate) of_no_thread: Counters,
    threads: Mutex<Threads>,
}

#[derive(Debug, Default)]
struct Threads {
    live: Vec<Arc<Counters>>,
    retired: Counts,
}

impl AllCounters {
    /// A new thread's counters, remembered for the sums.
    pub(crate) fn register(&self) -> Arc<Counters> {
        let counters = Arc::<Counters>::default();
        let mut threads = self.threads.lock();
        threads.retire_ended();
        threads.live.push(Arc::clone(&counters));
        counters
    }

    /// The sums at this moment.
    pub(crate) fn sums(&self) -> Counts {
        let mut threads = self.threads.lock();
        threads.retire_ended();
        let live = threads.live.iter().map(Arc::as_ref).chain([&self.of_no_thread]);
        let sums = live.fold(threads.retired, |sums, counters| add(sums, counters.read()));
        // One that was taken back may be seen before the one that was counted.
        sums.map(|sum| if sum > u64::MAX / 2 { 0 } else { sum })
    }
}

impl Threads {
    fn retire_ended(&mut self) {
        let retired = &mut self.retired;
        self.live.retain(|counters| {
            let ended = Arc::strong_count(counters) == 1;
            if ended {
                // Pairs with the release in the drop of the thread's clone: its last counts are seen.
                fence(Ordering::Acquire);
                *retired = add(*retired, counters.read());
            }
            !ended
        });
    }
}

fn add(mut sums: Counts, counts: Counts) -> Counts {
    for (sum, count) in sums.iter_mut().zip(counts) {
        *sum = sum.wrapping_add(count);
    }
    sums
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_counts_of_a_thread_that_has_ended_stay_in_the_sums() {
        let all = AllCounters::default();
        let first = all.register();
        first.count(3);
        drop(first);
        all.register().count(3);
        all.of_no_thread.count_shared(0);
        let mut expected = [0; COUNTERS];
        (expected[0], expected[3]) = (1, 2);
        assert_eq!(all.sums(), expected);
        assert_eq!(all.sums(), expected, "counted once");
    }
}
