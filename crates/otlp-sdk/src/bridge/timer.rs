//! A limit on waiting that does not cost a timer per call.

use std::pin::pin;
use std::time::{Duration, Instant};

use futures_timer::Delay;
use parking_lot::Mutex;

/// Starting and dropping a timer wakes the thread that keeps all of them. A call that nearly always ends
/// long before its limit looks at the time once per [`ROUND`] instead, on a timer that the call before has
/// left.
#[derive(Debug, Default)]
pub(super) struct SpareTimer {
    /// Goes off within [`ROUND`], or has gone off.
    spare: Mutex<Option<Delay>>,
}

impl SpareTimer {
    /// What `future` gives; `None` if it takes longer than `limit`.
    pub(super) async fn within<F: Future>(&self, limit: Duration, future: F) -> Option<F::Output> {
        let begun = Instant::now();
        let mut future = pin!(future);
        loop {
            let left = limit.saturating_sub(begun.elapsed());
            let mut timer = self.timer(left);
            tokio::select! {
                biased;
                output = &mut future => {
                    if left >= ROUND {
                        *self.spare.lock() = Some(timer);
                    }
                    return Some(output);
                }
                () = &mut timer => {}
            }
            if begun.elapsed() >= limit {
                return None;
            }
        }
    }

    fn timer(&self, left: Duration) -> Delay {
        let spare = if left >= ROUND { self.spare.lock().take() } else { None };
        spare.unwrap_or_else(|| Delay::new(left.min(ROUND)))
    }
}

/// How long a timer runs at most.
const ROUND: Duration = Duration::from_secs(1);

#[cfg(test)]
mod tests {
    use std::future::{pending, ready};

    use futures_executor::block_on;

    use super::*;

    fn spare(timer: &SpareTimer) -> bool {
        timer.spare.lock().is_some()
    }

    #[test]
    fn what_comes_in_time_comes_through_and_leaves_its_timer() {
        let timer = SpareTimer::default();
        for place in 0..3 {
            assert_eq!(block_on(timer.within(ROUND * 10, ready(place))), Some(place));
            assert!(spare(&timer));
        }
    }

    #[test]
    fn a_limit_ends_the_wait_not_before_its_time_with_or_without_a_spare_timer() {
        let timer = SpareTimer::default();
        for limit in [Duration::ZERO, Duration::from_millis(20), ROUND + ROUND / 20] {
            let begun = Instant::now();
            assert_eq!(block_on(timer.within(limit, pending::<()>())), None);
            assert!(begun.elapsed() >= limit);
            block_on(timer.within(ROUND * 10, ready(())));
        }
    }

    #[test]
    fn a_timer_that_went_off_while_it_was_spare_ends_nothing() {
        let timer = SpareTimer::default();
        *timer.spare.lock() = Some(Delay::new(Duration::ZERO));
        let late = async {
            Delay::new(Duration::from_millis(30)).await;
            7
        };
        assert_eq!(block_on(timer.within(ROUND * 10, late)), Some(7));
        assert!(spare(&timer), "another one");
    }

    #[test]
    fn calls_at_the_same_time_have_a_timer_each() {
        let timer = SpareTimer::default();
        let limit = Duration::from_millis(20);
        let both = futures_util::future::join(
            timer.within(ROUND * 10, timer.within(limit, pending::<()>())),
            timer.within(limit, pending::<()>()),
        );
        assert_eq!(block_on(both), (Some(None), None));
    }
}
