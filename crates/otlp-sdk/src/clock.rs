//! Wall-clock time that never runs backwards within a span.
//!
//! A span reads a counter twice; wall-clock time is the counter's distance from an anchor. The
//! anchor is renewed once a second by whichever thread starts a span then, so a corrected system
//! clock is followed soon, while a span in progress keeps the anchor it began with and so never
//! gets a negative duration. A counter that went back, as after a machine's sleep, is told by the
//! same comparison that tells that the anchor is old.
//!
//! The design asks for a wall-clock read per local root. An anchor per second differs from
//! that by what the two clocks drift apart in a second, and saves a system clock read per root.

use std::sync::OnceLock;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, SystemTime, UNIX_EPOCH};

/// A point on the counter, in its raw unit.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Tick(u64);

/// When a span started: on the counter and on the wall.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Started {
    tick: Tick,
    pub(crate) unix_nano: u64,
}

impl Started {
    /// As a time of the system clock.
    #[cfg(feature = "tracing")]
    pub(crate) fn system_time(&self) -> Option<SystemTime> {
        UNIX_EPOCH.checked_add(Duration::from_nanos(self.unix_nano))
    }
}

/// The process's clock.
#[derive(Debug)]
pub(crate) struct Clock {
    /// The time stamp counter where it is steady, else the monotonic clock.
    counter: quanta::Clock,
    /// Tick of the first anchor.
    origin: u64,
    /// Wall-clock time at the origin, in Unix nanoseconds, as the last anchoring saw it.
    origin_unix_nano: AtomicU64,
    /// Nanoseconds from the origin at which the anchor is renewed.
    renew_at: AtomicU64,
}

impl Clock {
    /// The clock that all providers of the process share. The first call measures the counter's
    /// speed: below one millisecond as a rule, 200 at most.
    pub(crate) fn global() -> &'static Self {
        static CLOCK: OnceLock<Clock> = OnceLock::new();
        CLOCK.get_or_init(Self::new)
    }

    fn new() -> Self {
        let counter = quanta::Clock::new();
        let origin = counter.raw();
        let origin_unix_nano = AtomicU64::new(unix_nano(SystemTime::now()));
        Self { counter, origin, origin_unix_nano, renew_at: AtomicU64::new(PERIOD_NANO) }
    }

    /// The start of a span that starts now.
    #[inline]
    pub(crate) fn start(&self) -> Started {
        let tick = self.raw();
        let elapsed = self.counter.delta_as_nanos(self.origin, tick);
        // Relaxed: a span may use the old anchor or the new one, both are right to a microsecond.
        let left = self.renew_at.load(Ordering::Relaxed).wrapping_sub(elapsed);
        // Nothing is left, or, since another thread may have renewed between our two reads, clearly
        // more than the whole.
        if left.wrapping_sub(1) >= 2 * PERIOD_NANO {
            return self.renew(tick, elapsed);
        }
        let origin = self.origin_unix_nano.load(Ordering::Relaxed);
        Started { tick: Tick(tick), unix_nano: origin.saturating_add(elapsed) }
    }

    /// Unix nanoseconds now, on the time line of a span that started before.
    #[inline]
    pub(crate) fn since(&self, started: &Started) -> u64 {
        let elapsed = self.counter.delta_as_nanos(started.tick.0, self.raw());
        started.unix_nano.saturating_add(elapsed)
    }

    #[inline]
    fn raw(&self) -> u64 {
        #[cfg(test)]
        READS.set(READS.get() + 1);
        self.counter.raw()
    }

    #[cold]
    fn renew(&self, tick: u64, elapsed: u64) -> Started {
        let wall = unix_nano(SystemTime::now());
        // Before the origin the counter cannot be read as a time: every span asks the system clock
        // until it can be again.
        if tick >= self.origin {
            self.renew_at.store(elapsed.saturating_add(PERIOD_NANO), Ordering::Relaxed);
            self.origin_unix_nano.store(wall.saturating_sub(elapsed), Ordering::Relaxed);
        }
        Started { tick: Tick(tick), unix_nano: wall }
    }
}

/// Unix nanoseconds of a system time; 0 before 1970, the largest number after 2554.
pub(crate) fn unix_nano(time: SystemTime) -> u64 {
    let since = time.duration_since(UNIX_EPOCH).unwrap_or(Duration::ZERO);
    u64::try_from(since.as_nanos()).unwrap_or(u64::MAX)
}

#[cfg(test)]
thread_local! {
    /// How often this thread has read the counter.
    pub(crate) static READS: std::cell::Cell<u64> = const { std::cell::Cell::new(0) };
}

/// How long an anchor serves.
const PERIOD_NANO: u64 = 1_000_000_000;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_span_keeps_its_time_line_when_the_wall_clock_jumps_back() {
        let clock = Clock::new();
        let started = clock.start();
        // The system clock is set back an hour, and the anchor is renewed from it.
        clock.origin_unix_nano.fetch_sub(3_600_000_000_000, Ordering::Relaxed);
        assert!(clock.since(&started) >= started.unix_nano);
        assert!(clock.start().unix_nano < started.unix_nano, "a new span follows the system clock");
    }

    #[test]
    fn time_agrees_with_the_system_clock() {
        let clock = Clock::new();
        let before = unix_nano(SystemTime::now());
        let started = clock.start();
        let after = unix_nano(SystemTime::now());
        let slack = 1_000_000_000;
        assert!(started.unix_nano + slack >= before && started.unix_nano <= after + slack);
    }

    #[test]
    fn the_anchor_is_renewed_after_its_period() {
        let clock = Clock::new();
        clock.origin_unix_nano.store(5, Ordering::Relaxed);
        clock.renew_at.store(0, Ordering::Relaxed);
        assert!(clock.start().unix_nano > 1_600_000_000_000_000_000);
        assert!(clock.renew_at.load(Ordering::Relaxed) >= PERIOD_NANO);
    }

    /// Whether a span that starts now gets the time that the system clock shows.
    fn is_right(clock: &Clock) -> bool {
        let before = unix_nano(SystemTime::now());
        let started = clock.start().unix_nano;
        (before..=unix_nano(SystemTime::now())).contains(&started)
    }

    #[test]
    fn a_counter_that_went_back_does_not_stop_time() {
        // S8: the anchor was renewed far ahead of where the counter stands now.
        let clock = Clock::new();
        clock.origin_unix_nano.store(5, Ordering::Relaxed);
        clock.renew_at.store(100 * PERIOD_NANO, Ordering::Relaxed);
        assert!(is_right(&clock));
        assert!(clock.renew_at.load(Ordering::Relaxed) < 50 * PERIOD_NANO, "a new time line");
        assert!(clock.start().unix_nano > 5);
    }

    #[test]
    fn a_counter_before_its_origin_is_replaced_by_the_system_clock() {
        // S8: it started anew, as on a machine that was asleep.
        let mut clock = Clock::new();
        clock.renew_at.store(100 * PERIOD_NANO, Ordering::Relaxed);
        clock.origin = u64::MAX;
        assert!(is_right(&clock) && is_right(&clock));
        let mut before = clock.start();
        before.tick = Tick(u64::MAX);
        assert_eq!(clock.since(&before), before.unix_nano, "never a negative duration");
    }

    #[test]
    fn times_that_do_not_fit_are_cut() {
        let before = UNIX_EPOCH.checked_sub(Duration::from_secs(1)).unwrap();
        assert_eq!(unix_nano(before), 0);
        let after = UNIX_EPOCH.checked_add(Duration::from_secs(1 << 40)).unwrap();
        assert_eq!(unix_nano(after), u64::MAX);
    }
}
