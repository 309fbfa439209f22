//! Which of the messages that repeat themselves are written.

use std::hash::{BuildHasher as _, RandomState};
use std::time::{Duration, Instant};

use parking_lot::Mutex;

use super::super::settings::SamplingSettings;

/// Counts messages by level and text, in a table of fixed size: two texts that share a place share their count.
pub(super) struct Sampling {
    settings: SamplingSettings,
    hasher: RandomState,
    places: Vec<Mutex<Place>>,
}

#[derive(Clone, Copy, Default)]
struct Place {
    /// When the tick ends.
    until: Option<Instant>,
    said: u64,
    left_out: u64,
}

/// What becomes of a message.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Verdict {
    /// It is written; so many of its like were left out in the tick before.
    Write {
        left_out: u64,
    },
    LeaveOut,
}

impl Sampling {
    /// `None` where everything is written.
    pub(super) fn new(settings: SamplingSettings) -> Option<Self> {
        let is_on = settings.enabled && settings.tick > Duration::ZERO;
        is_on.then(|| Self {
            settings,
            hasher: RandomState::new(),
            places: std::iter::repeat_with(Mutex::default).take(PLACES).collect(),
        })
    }

    pub(super) fn decide(&self, level: tracing::Level, text: &str, now: Instant) -> Verdict {
        let hash = self.hasher.hash_one((level.as_str(), text));
        let at = usize::try_from(hash % PLACES as u64).unwrap_or_default();
        match self.places.get(at) {
            Some(place) => place.lock().count(&self.settings, now),
            None => Verdict::Write { left_out: 0 },
        }
    }
}

impl Place {
    fn count(&mut self, settings: &SamplingSettings, now: Instant) -> Verdict {
        let mut before = 0;
        if self.until.is_none_or(|until| now >= until) {
            before = self.left_out;
            *self = Self { until: now.checked_add(settings.tick), ..Self::default() };
        }
        self.said = self.said.saturating_add(1);
        let beyond = self.said.saturating_sub(settings.initial);
        if beyond == 0 || beyond.checked_rem(settings.thereafter) == Some(0) {
            return Verdict::Write { left_out: before };
        }
        // What was left out before and could not be said stays counted.
        self.left_out = self.left_out.saturating_add(1).saturating_add(before);
        Verdict::LeaveOut
    }
}

const PLACES: usize = 1024;

#[cfg(test)]
mod tests {
    use tracing::Level;

    use super::*;

    #[test]
    fn the_first_of_a_tick_are_written_then_each_so_manieth_and_the_next_tick_says_what_was_not() {
        let settings = SamplingSettings {
            enabled: true,
            tick: Duration::from_secs(10),
            initial: 3,
            thereafter: 4,
        };
        let sampling = Sampling::new(settings).unwrap();
        let start = Instant::now();
        let written: Vec<_> = (1..=12)
            .filter(|_| sampling.decide(Level::INFO, "a", start) != Verdict::LeaveOut)
            .collect();
        assert_eq!(written, [1, 2, 3, 7, 11]);
        assert_eq!(sampling.decide(Level::WARN, "a", start), Verdict::Write { left_out: 0 });
        let later = start + Duration::from_secs(10);
        assert_eq!(sampling.decide(Level::INFO, "a", later), Verdict::Write { left_out: 7 });
        assert_eq!(sampling.decide(Level::INFO, "a", later), Verdict::Write { left_out: 0 });
    }

    #[test]
    fn without_a_thereafter_only_the_first_are_written() {
        let settings =
            SamplingSettings { initial: 1, thereafter: 0, ..SamplingSettings::default() };
        let sampling = Sampling::new(settings).unwrap();
        let now = Instant::now();
        assert_eq!(sampling.decide(Level::INFO, "a", now), Verdict::Write { left_out: 0 });
        assert!((0..1000).all(|_| sampling.decide(Level::INFO, "a", now) == Verdict::LeaveOut));
        let off = SamplingSettings { enabled: false, ..SamplingSettings::default() };
        assert!(Sampling::new(off).is_none());
    }
}
