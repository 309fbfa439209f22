//! What is said about a row: the smallest, the middle and the largest of its rounds.

use serde::{Deserialize, Serialize};

/// Smallest, middle and largest of several rounds.
///
/// An infinite ratio (the peer has losses or allocations and we have none) is `null` in JSON.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct Spread {
    /// Smallest value.
    pub min: f64,
    /// Middle value; of an even number of rounds the mean of the two in the middle.
    pub median: f64,
    /// Largest value.
    pub max: f64,
}

impl Spread {
    /// `None` when there are no values.
    #[must_use]
    pub fn of(values: &[f64]) -> Option<Self> {
        let mut sorted = values.to_vec();
        sorted.sort_by(f64::total_cmp);
        let upper = *sorted.get(sorted.len() / 2)?;
        let lower = *sorted.get((sorted.len() - 1) / 2)?;
        // Not the mean of equal values: two infinities have none.
        let median = if lower == upper { upper } else { f64::midpoint(lower, upper) };
        Some(Self { min: *sorted.first()?, median, max: *sorted.last()? })
    }
}

/// How many times `small` goes into `large`; both zero is a draw.
#[must_use]
pub fn ratio(large: f64, small: f64) -> f64 {
    if large == small { 1.0 } else { large / small }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_even_number_of_rounds_has_the_mean_of_the_middle_two() {
        let spread = Spread::of(&[4.0, 1.0, 3.0, 2.0]).unwrap();
        assert_eq!(spread, Spread { min: 1.0, median: 2.5, max: 4.0 });
        assert_eq!(Spread::of(&[]), None);
    }

    #[test]
    fn a_ratio_against_nothing_is_infinite_and_null_in_json() {
        assert_eq!(ratio(0.0, 0.0), 1.0);
        let spread = Spread::of(&[ratio(3.0, 0.0), ratio(4.0, 0.0)]).unwrap();
        assert_eq!(spread.median, f64::INFINITY);
        let json = serde_json::to_string(&spread).unwrap();
        assert_eq!(json, r#"{"min":null,"median":null,"max":null}"#);
    }
}
