//! How long requests took: a histogram that is exact to one part in 64.

use std::time::Duration;

/// Counts durations in microseconds: exactly up to 127, above that 64 steps from one power of two to the
/// next.
#[derive(Clone, Debug, Default)]
pub struct Histogram {
    counts: Vec<u64>,
    total: u64,
    longest: u64,
}

impl Histogram {
    /// Counts one.
    pub fn record(&mut self, duration: Duration) {
        let micros = u64::try_from(duration.as_micros()).unwrap_or(u64::MAX);
        let place = place(micros);
        if self.counts.len() <= place {
            self.counts.resize(place + 1, 0);
        }
        if let Some(count) = self.counts.get_mut(place) {
            *count += 1;
        }
        self.total += 1;
        self.longest = self.longest.max(micros);
    }

    /// Microseconds within which that share of all stayed, rounded up to a step; 0 when there are none.
    #[must_use]
    pub fn quantile(&self, share: f64) -> u64 {
        let wanted = (share * self.total as f64).ceil().max(1.0) as u64;
        let mut seen = 0;
        for (place, count) in self.counts.iter().enumerate() {
            seen += count;
            if seen >= wanted {
                return upper(place).min(self.longest);
            }
        }
        self.longest
    }

    /// The longest, in microseconds.
    #[must_use]
    pub fn longest(&self) -> u64 {
        self.longest
    }
}

/// Where a number is counted.
fn place(micros: u64) -> usize {
    let shift = (u64::BITS - micros.leading_zeros()).saturating_sub(STEP_BITS + 1);
    (u64::from(shift) * STEPS + (micros >> shift)) as usize
}

/// The largest number that is counted there.
fn upper(place: usize) -> u64 {
    let place = place as u64;
    let shift = (place / STEPS).saturating_sub(1);
    let step = place - shift * STEPS;
    ((step + 1) << shift) - 1
}

const STEP_BITS: u32 = 6;
const STEPS: u64 = 1 << STEP_BITS;

#[cfg(test)]
mod tests {
    use super::*;

    fn of(micros: impl IntoIterator<Item = u64>) -> Histogram {
        let mut histogram = Histogram::default();
        for micros in micros {
            histogram.record(Duration::from_micros(micros));
        }
        histogram
    }

    #[test]
    fn quantiles_are_right_to_one_part_in_64() {
        let histogram = of(1..=100_000);
        for (share, exact) in [(0.5, 50_000.0), (0.99, 99_000.0), (0.001, 100.0)] {
            let found = histogram.quantile(share) as f64;
            assert!(found >= exact && found <= exact * (1.0 + 1.0 / 64.0), "{share}: {found}");
        }
        assert_eq!(histogram.quantile(1.0), 100_000);
        assert_eq!(histogram.longest(), 100_000);
    }

    #[test]
    fn every_number_is_within_its_step() {
        for number in (0..5_000).chain([1 << 20, (1 << 20) + 12_345, (1 << 40) - 1]) {
            let upper = upper(place(number));
            assert!(upper >= number && upper <= number + number / 64, "{number}: {upper}");
        }
    }

    #[test]
    fn a_histogram_of_nothing_says_zero() {
        assert_eq!(Histogram::default().quantile(0.99), 0);
    }
}
