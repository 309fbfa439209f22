//! When to try again: pure decisions on a clock that is passed in.
//!
//! Failures belong to the destination, not to a payload: while a server is away, one payload at a
//! time knocks and the rest wait. [`Throttle`] says when the next attempt may start, [`RetryPolicy`]
//! when a payload has waited long enough. Rows B1 (backoff with jitter), B2 (the server's delay
//! replaces ours), G6 (and the next one grows from it).

use std::time::{Duration, Instant};

/// How failed exports are retried. The specification sets no numbers; these are ours.
#[derive(Clone, Copy, Debug, PartialEq)]
#[non_exhaustive]
pub struct RetryPolicy {
    /// Delay before the second attempt. Default 500 ms.
    pub initial_backoff: Duration,
    /// Longest delay that we choose ourselves. Default 30 s.
    pub max_backoff: Duration,
    /// Growth from one delay to the next, at least 1. Default 2.
    pub multiplier: f64,
    /// Share of a delay that is random, 0 to 1: the delay is drawn from
    /// `delay × (1 − jitter) ..= delay`. Default 0.5.
    pub jitter: f64,
    /// How long a payload may wait from its first attempt on; `None` means for ever. Default 600 s,
    /// twice the longest delay that a server may ask for.
    ///
    /// Waiting payloads stay within the bytes of the queue, so a long time costs no extra memory.
    ///
    /// The time of each payload is its own. While one is tried again, those behind it stay in the
    /// queue untried, and their time does not run. So a long outage costs few payloads at a time,
    /// those that were being tried, and beyond that only what the queue has no room for; what it
    /// holds is delivered when the server is back, however old it is. Counted from the begin of the
    /// outage instead, the whole queue would be dropped once this time is over, to no one's gain.
    pub max_elapsed: Option<Duration>,
}

impl RetryPolicy {
    /// Never try again: one attempt, then the payload is dropped and counted.
    #[must_use]
    pub fn never() -> Self {
        Self { max_elapsed: Some(Duration::ZERO), ..Self::default() }
    }

    /// Sets [`initial_backoff`](Self::initial_backoff).
    #[must_use]
    pub fn with_initial_backoff(mut self, delay: Duration) -> Self {
        self.initial_backoff = delay;
        self
    }

    /// Sets [`max_backoff`](Self::max_backoff).
    #[must_use]
    pub fn with_max_backoff(mut self, delay: Duration) -> Self {
        self.max_backoff = delay;
        self
    }

    /// Sets [`max_elapsed`](Self::max_elapsed).
    #[must_use]
    pub fn with_max_elapsed(mut self, elapsed: Option<Duration>) -> Self {
        self.max_elapsed = elapsed;
        self
    }

    /// Whether a payload first tried at `first` must be given up rather than tried at `next`.
    #[must_use]
    pub fn gives_up(&self, first: Instant, next: Instant) -> bool {
        self.max_elapsed.is_some_and(|most| next.saturating_duration_since(first) >= most)
    }

    fn grown(&self, delay: Duration) -> Duration {
        let factor = if self.multiplier.is_finite() { self.multiplier.max(1.0) } else { 1.0 };
        let grown = delay.as_secs_f64() * factor;
        Duration::try_from_secs_f64(grown).unwrap_or(self.max_backoff).min(self.max_backoff)
    }

    /// `random` is uniform in 0..1.
    fn jittered(&self, delay: Duration, random: f64) -> Duration {
        let share = self.jitter.clamp(0.0, 1.0) * random;
        delay.mul_f64(1.0 - if share.is_finite() { share.clamp(0.0, 1.0) } else { 0.0 })
    }
}

impl Default for RetryPolicy {
    fn default() -> Self {
        Self {
            initial_backoff: Duration::from_millis(500),
            max_backoff: Duration::from_secs(30),
            multiplier: 2.0,
            jitter: 0.5,
            max_elapsed: Some(Duration::from_secs(600)),
        }
    }
}

/// Longest delay that a server may ask for. OTLP lets it name any; 2^63 seconds would end exports
/// for good.
pub const SERVER_DELAY_MAX: Duration = Duration::from_secs(300);

/// The state of one destination: open, or closed until an instant after failures.
#[derive(Debug)]
pub struct Throttle {
    policy: RetryPolicy,
    trouble: Option<Trouble>,
}

#[derive(Clone, Copy, Debug)]
struct Trouble {
    /// When it began: an attempt from before says nothing about it.
    since: Instant,
    /// The delay before jitter, from which the next one grows.
    delay: Duration,
    until: Instant,
    /// Until when the server asked to be left alone; no success of another request shortens that.
    asked_until: Option<Instant>,
}

impl Throttle {
    /// An open throttle.
    #[must_use]
    pub const fn new(policy: RetryPolicy) -> Self {
        Self { policy, trouble: None }
    }

    /// The policy in force.
    #[must_use]
    pub const fn policy(&self) -> &RetryPolicy {
        &self.policy
    }

    /// When the next attempt may start; `None` means at once.
    #[must_use]
    pub fn ready_at(&self) -> Option<Instant> {
        self.trouble.map(|trouble| trouble.until)
    }

    /// How many attempts may run at once: one probe after a failure, else `max`.
    #[must_use]
    pub fn concurrency(&self, max: usize) -> usize {
        if self.trouble.is_some() { max.min(1) } else { max }
    }

    /// Trouble → open: the server answered an attempt that began at `started` with a final outcome,
    /// so it is there.
    ///
    /// Not for an attempt from before the trouble, and not before the time that the server asked
    /// for is over (rows B2, G6).
    pub fn on_answer(&mut self, started: Instant, now: Instant) {
        if let Some(trouble) = self.trouble {
            let asked = trouble.asked_until.is_some_and(|until| now < until);
            if started >= trouble.since && !asked {
                self.trouble = None;
            }
        }
    }

    /// Open → trouble, or a longer delay: an attempt that began at `started` failed.
    ///
    /// Attempts that were in flight together fail together; only one of them grows the delay. A
    /// delay from the server replaces ours unless it is shorter than the initial backoff: zero, or a
    /// date that has passed, must not turn retries into a flood. Returns when the next attempt may
    /// start.
    pub fn on_failure(
        &mut self,
        started: Instant,
        now: Instant,
        server_delay: Option<Duration>,
        random: f64,
    ) -> Instant {
        let random = if random.is_finite() { random.clamp(0.0, 1.0) } else { 0.0 };
        let trouble = self.grown_trouble(started, now, random);
        self.trouble = Some(match server_delay {
            None => trouble,
            Some(asked) if asked < self.policy.initial_backoff => trouble,
            Some(asked) => trouble.asked(asked, now, random),
        });
        self.trouble.map_or(now, |trouble| trouble.until)
    }

    /// The trouble by our own backoff.
    fn grown_trouble(&self, started: Instant, now: Instant, random: f64) -> Trouble {
        let delay = match self.trouble {
            Some(trouble) if started < trouble.since || now < trouble.until => return trouble,
            Some(trouble) => self.policy.grown(trouble.delay),
            None => self.policy.initial_backoff.min(self.policy.max_backoff),
        };
        let since = self.trouble.map_or(now, |trouble| trouble.since);
        let until = later(now, self.policy.jittered(delay, random));
        Trouble { since, delay, until, asked_until: None }
    }
}

impl Trouble {
    /// The server named a delay: it replaces ours, and the next one grows from it. Of two requests
    /// that were told to wait, the longer time holds.
    fn asked(self, asked: Duration, now: Instant, random: f64) -> Self {
        // The server's own delay is kept to; jitter only ever makes it longer.
        let spread = asked.min(SERVER_DELAY_MAX).mul_f64(0.1 * random);
        let delay = asked.saturating_add(spread).min(SERVER_DELAY_MAX);
        let until = later(now, delay);
        let until = self.asked_until.map_or(until, |earlier| until.max(earlier));
        Self { delay, until, asked_until: Some(until), ..self }
    }
}

/// `now + delay`, or `now` where the clock cannot express that.
fn later(now: Instant, delay: Duration) -> Instant {
    now.checked_add(delay).unwrap_or(now)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn throttle() -> (Throttle, Instant) {
        let policy = RetryPolicy { jitter: 0.0, ..RetryPolicy::default() };
        (Throttle::new(policy), Instant::now())
    }

    const MS: Duration = Duration::from_millis(1);

    #[test]
    fn delays_grow_to_the_cap_and_an_answer_resets_them() {
        // B1
        let (mut throttle, start) = throttle();
        let mut now = start;
        let mut delays = Vec::new();
        for _ in 0..9 {
            let next = throttle.on_failure(now, now, None, 0.5);
            delays.push((next - now).as_millis());
            now = next;
        }
        assert_eq!(delays, [500, 1000, 2000, 4000, 8000, 16000, 30000, 30000, 30000]);
        throttle.on_answer(now, now);
        assert_eq!(throttle.ready_at(), None);
        assert_eq!(throttle.on_failure(now, now, None, 0.5) - now, 500 * MS);
    }

    #[test]
    fn attempts_that_fail_together_grow_the_delay_once() {
        let (mut throttle, now) = throttle();
        let first = throttle.on_failure(now, now, None, 0.0);
        let second = throttle.on_failure(now, now + MS, None, 0.0);
        assert_eq!(first, second);
        assert_eq!(throttle.concurrency(8), 1);
    }

    #[test]
    fn the_servers_delay_replaces_ours_and_the_next_one_grows_from_it() {
        // B2, G6
        let (mut throttle, now) = throttle();
        let next = throttle.on_failure(now, now, Some(7000 * MS), 0.0);
        assert_eq!(next - now, 7000 * MS);
        assert_eq!(throttle.on_failure(next, next, None, 0.0) - next, 14_000 * MS);
    }

    #[test]
    fn a_delay_of_zero_leaves_our_backoff_in_force() {
        // B1, G6: `Retry-After: 0`, or a date that has passed.
        let (mut throttle, start) = throttle();
        let mut now = start;
        let mut delays = Vec::new();
        for _ in 0..4 {
            let next = throttle.on_failure(now, now, Some(Duration::ZERO), 0.5);
            delays.push((next - now).as_millis());
            now = next;
        }
        assert_eq!(delays, [500, 1000, 2000, 4000]);
    }

    #[test]
    fn a_success_does_not_shorten_the_time_that_the_server_asked_for() {
        // B2, G6: of two requests in flight one is told to wait, then the other succeeds.
        let (mut throttle, now) = throttle();
        let until = throttle.on_failure(now, now + MS, Some(60_000 * MS), 0.0);
        throttle.on_answer(now, now + 2 * MS);
        assert_eq!(throttle.ready_at(), Some(until));
        throttle.on_answer(now + 3 * MS, now + 4 * MS);
        assert_eq!(throttle.ready_at(), Some(until));
        throttle.on_answer(until, until + MS);
        assert_eq!(throttle.ready_at(), None);
    }

    #[test]
    fn an_attempt_from_before_the_trouble_neither_ends_nor_grows_it() {
        let (mut throttle, now) = throttle();
        let until = throttle.on_failure(now, now + 10 * MS, None, 0.0);
        let late = until + MS;
        assert_eq!(throttle.on_failure(now, late, None, 0.0), until);
        throttle.on_answer(now, late);
        assert_eq!(throttle.ready_at(), Some(until));
    }

    #[test]
    fn a_hostile_delay_is_capped() {
        let (mut throttle, now) = throttle();
        for asked in [Duration::MAX, Duration::from_secs(1 << 62), Duration::from_secs(301)] {
            let next = throttle.on_failure(now, now, Some(asked), 1.0);
            assert_eq!(next - now, SERVER_DELAY_MAX);
            throttle = Throttle::new(RetryPolicy { jitter: 0.0, ..RetryPolicy::default() });
        }
    }

    #[test]
    fn jitter_stays_within_its_share() {
        let policy = RetryPolicy::default();
        let drawn = |random| policy.jittered(1000 * MS, random);
        assert_eq!(drawn(0.0), 1000 * MS);
        assert_eq!(drawn(1.0), 500 * MS);
        assert_eq!(drawn(f64::NAN), 1000 * MS);
    }

    #[test]
    fn a_payload_is_given_up_when_its_time_is_over() {
        let now = Instant::now();
        let policy = RetryPolicy::default();
        assert!(!policy.gives_up(now, now + 599_999 * MS));
        assert!(policy.gives_up(now, now + 600_000 * MS));
        assert!(RetryPolicy::never().gives_up(now, now));
        assert!(!policy.with_max_elapsed(None).gives_up(now, now + Duration::from_secs(1 << 30)));
    }

    #[test]
    fn odd_policies_do_not_panic() {
        for multiplier in [f64::NAN, f64::INFINITY, -3.0, 0.0, 1e300] {
            let policy = RetryPolicy { multiplier, jitter: f64::NAN, ..RetryPolicy::default() };
            let mut throttle = Throttle::new(policy);
            let now = Instant::now();
            for _ in 0..5 {
                let next = throttle.on_failure(now + Duration::from_secs(400), now, None, f64::NAN);
                assert!(next - now <= policy.max_backoff);
            }
        }
    }
}
