//! When a batch that waits is sent: a decision without a clock.

use std::time::{Duration, Instant};

/// How long a batch waits, and what was seen of it.
#[derive(Debug)]
pub(super) struct Pace {
    timeout: Duration,
    idle: Option<Duration>,
    seen: Option<Seen>,
}

/// A batch, when it was first and last seen to grow.
#[derive(Clone, Copy, Debug)]
struct Seen {
    began: Instant,
    sight: Sight,
    grown: Instant,
}

/// What there is to see of a batch that waits.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Sight {
    /// Which batch it is.
    pub(super) number: u64,
    /// How many requests it has.
    pub(super) requests: usize,
    /// When the most impatient of its clients must have an answer.
    pub(super) first_deadline: Option<Instant>,
}

/// What to do with it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Pacing {
    Send,
    LookAgain(Instant),
}

impl Pace {
    pub(super) const fn new(timeout: Duration, idle: Option<Duration>) -> Self {
        Self { timeout, idle, seen: None }
    }

    /// Looks at the batch that waits now.
    pub(super) fn look(&mut self, sight: Sight, now: Instant) -> Pacing {
        let seen = match self.seen {
            Some(seen) if seen.sight == sight => seen,
            Some(seen) if seen.sight.number == sight.number => Seen { sight, grown: now, ..seen },
            _ => Seen { began: now, sight, grown: now },
        };
        self.seen = Some(seen);
        let due = self.due(&seen);
        if now >= due { Pacing::Send } else { Pacing::LookAgain(due) }
    }

    /// The earliest of three: its time is over, nothing comes any more, a client becomes impatient.
    fn due(&self, seen: &Seen) -> Instant {
        let over = after(seen.began, self.timeout);
        let idle = self.idle.map(|idle| after(seen.grown, idle));
        let impatient = seen
            .sight
            .first_deadline
            .map(|deadline| after(seen.began, deadline.saturating_duration_since(seen.began) / 2));
        [idle, impatient].into_iter().flatten().fold(over, Instant::min)
    }
}

fn after(then: Instant, time: Duration) -> Instant {
    then.checked_add(time).or_else(|| then.checked_add(FAR)).unwrap_or(then)
}

/// A time that is further away is none.
const FAR: Duration = Duration::from_secs(24 * 3600);

#[cfg(test)]
mod tests {
    use super::*;

    const fn ms(millis: u64) -> Duration {
        Duration::from_millis(millis)
    }

    fn sight(number: u64, requests: usize) -> Sight {
        Sight { number, requests, first_deadline: None }
    }

    #[test]
    fn a_batch_goes_when_its_time_is_over_or_nothing_comes_any_more() {
        let start = Instant::now();
        let mut pace = Pace::new(ms(200), Some(ms(2)));
        assert_eq!(pace.look(sight(1, 1), start), Pacing::LookAgain(start + ms(2)));
        assert_eq!(pace.look(sight(1, 9), start + ms(2)), Pacing::LookAgain(start + ms(4)));
        assert_eq!(pace.look(sight(1, 9), start + ms(4)), Pacing::Send);
        for at in 0..100 {
            let requests = usize::try_from(at).unwrap();
            assert_ne!(pace.look(sight(2, requests), start + ms(10 + 2 * at)), Pacing::Send);
        }
        assert_eq!(pace.look(sight(2, 1000), start + ms(210)), Pacing::Send, "it still grows");
    }

    #[test]
    fn another_batch_has_its_own_time() {
        let start = Instant::now();
        let mut pace = Pace::new(ms(200), None);
        assert_eq!(pace.look(sight(1, 1), start), Pacing::LookAgain(start + ms(200)));
        let again = Pacing::LookAgain(start + ms(350));
        assert_eq!(pace.look(sight(2, 1), start + ms(150)), again);
        assert_eq!(pace.look(sight(2, 1), start + ms(200)), again);
    }

    #[test]
    fn it_goes_when_half_of_the_time_of_the_most_impatient_client_is_over() {
        let start = Instant::now();
        let mut pace = Pace::new(Duration::MAX, None);
        let patient = Sight { first_deadline: Some(start + ms(900)), ..sight(1, 1) };
        assert_eq!(pace.look(patient, start), Pacing::LookAgain(start + ms(450)));
        let impatient = Sight { first_deadline: Some(start + ms(100)), ..sight(1, 2) };
        assert_eq!(pace.look(impatient, start + ms(20)), Pacing::LookAgain(start + ms(50)));
        assert_eq!(pace.look(impatient, start + ms(50)), Pacing::Send);
    }
}
