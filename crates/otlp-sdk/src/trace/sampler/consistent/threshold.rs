//! Thresholds and randomness: 56-bit integers with a hexadecimal text form.
//!
//! All decisions are integer comparisons. Floating point appears only where a probability comes in
//! or goes out, and there only as an exact scaling by a power of two.

use std::fmt;

use opentelemetry::trace::TraceId;

use super::super::SamplerError;

/// Rejects the fraction T / 2^56 of all traces; below 2^56.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Threshold(u64);

impl Threshold {
    /// Rejects nothing (`th:0`).
    pub const ALWAYS: Self = Self(0);

    /// The digits that the specification suggests for a threshold made from a probability. The
    /// resulting probability differs from the wanted one by less than 1 part in 8,000.
    pub const DEFAULT_PRECISION: u8 = 4;

    /// The threshold for `probability` with `precision` hexadecimal digits (1 to 14).
    ///
    /// Leading `f` digits do not count, so small probabilities keep their relative precision. A
    /// probability so close to 1 that the threshold rounds to nothing gives [`ALWAYS`](Self::ALWAYS).
    ///
    /// # Errors
    ///
    /// [`SamplerError::Probability`] outside of 2^-56 to 1 and for NaN;
    /// [`SamplerError::Precision`] outside of 1 to 14.
    ///
    /// ```
    /// use otlp_sdk::trace::sampler::consistent::Threshold;
    ///
    /// let threshold = Threshold::from_probability(0.1, Threshold::DEFAULT_PRECISION)?;
    /// assert_eq!(threshold.to_string(), "e666");
    /// # Ok::<(), otlp_sdk::trace::sampler::SamplerError>(())
    /// ```
    pub fn from_probability(probability: f64, precision: u8) -> Result<Self, SamplerError> {
        if !(MIN_PROBABILITY..=1.0).contains(&probability) {
            return Err(SamplerError::Probability(probability));
        }
        if !(1..=DIGITS).contains(&u32::from(precision)) {
            return Err(SamplerError::Precision(precision));
        }
        // The product is exact (a power of two) and in 1..=2^56, so the cast loses nothing.
        let kept = (probability * SPACE as f64).round() as u64;
        Ok(Self(rounded(kept, u32::from(precision))))
    }

    /// Reads the value of a `th` sub-key: 1 to 14 lowercase hexadecimal digits, of which trailing
    /// zeros may be missing. `None` for anything else.
    #[must_use]
    pub fn parse(text: &str) -> Option<Self> {
        let digits = u32::try_from(text.len()).ok()?;
        let missing = DIGITS.checked_sub(digits)?;
        Some(Self(lower_hex(text)? << (4 * missing)))
    }

    /// Whether a trace with this randomness is kept.
    #[inline]
    #[must_use]
    pub const fn keeps(self, randomness: Randomness) -> bool {
        randomness.0 >= self.0
    }

    /// The probability that a trace is kept, 2^-56 to 1.
    #[must_use]
    pub fn probability(self) -> f64 {
        (SPACE - self.0) as f64 / SPACE as f64
    }

    /// How many spans a kept one stands for: the reciprocal of the probability.
    #[must_use]
    pub fn adjusted_count(self) -> f64 {
        SPACE as f64 / (SPACE - self.0) as f64
    }

    /// The threshold as a number below 2^56.
    #[must_use]
    pub const fn as_u64(self) -> u64 {
        self.0
    }
}

impl fmt::Display for Threshold {
    /// The value of a `th` sub-key: at most 14 digits, trailing zeros cut, `0` for everything.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let cut = (self.0.trailing_zeros() / 4).min(DIGITS - 1);
        let width = (DIGITS - cut) as usize;
        if self.0 == 0 {
            return f.write_str("0");
        }
        write!(f, "{:0width$x}", self.0 >> (4 * cut))
    }
}

/// The 56 random bits of a trace.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Randomness(u64);

impl Randomness {
    /// The low 56 bits of a trace id (W3C Trace Context Level 2, "Random Trace ID Flag").
    #[inline]
    #[must_use]
    pub const fn from_trace_id(id: TraceId) -> Self {
        Self(u128::from_be_bytes(id.to_bytes()) as u64 & (SPACE - 1))
    }

    /// Reads the value of an `rv` sub-key: exactly 14 lowercase hexadecimal digits. `None` for
    /// anything else.
    #[must_use]
    pub fn parse(text: &str) -> Option<Self> {
        (text.len() == DIGITS as usize).then(|| lower_hex(text)).flatten().map(Self)
    }

    /// The randomness as a number below 2^56.
    #[must_use]
    pub const fn as_u64(self) -> u64 {
        self.0
    }
}

impl fmt::Display for Randomness {
    /// The value of an `rv` sub-key.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:014x}", self.0)
    }
}

/// The number of values that 56 bits can have.
const SPACE: u64 = 1 << 56;

/// Hexadecimal digits in 56 bits.
const DIGITS: u32 = 14;

/// One trace of all 2^56.
const MIN_PROBABILITY: f64 = 1.0 / SPACE as f64;

/// The threshold that keeps `kept` (1 to 2^56) of all values, rounded half up to `precision` digits
/// after its leading `f`s.
///
/// The first digit after the leading `f`s is at most `e` and is never cut off, so rounding up makes
/// it at most `f` and the result stays below 2^56.
fn rounded(kept: u64, precision: u32) -> u64 {
    let kept = kept.clamp(1, SPACE);
    let exact = SPACE - kept;
    // `kept - 1` is the 56-bit complement of `exact`: its leading zeros are the leading ones there.
    let leading_f = ((kept - 1).leading_zeros().saturating_sub(8)) / 4;
    let cut = 4 * DIGITS.saturating_sub(precision + leading_f);
    let half = (1_u64 << cut) >> 1;
    (exact + half) >> cut << cut
}

/// `from_str_radix` alone would take a sign and uppercase digits.
fn lower_hex(text: &str) -> Option<u64> {
    let digits = text.bytes().all(|b| matches!(b, b'0'..=b'9' | b'a'..=b'f'));
    digits.then(|| u64::from_str_radix(text, 16).ok()).flatten()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn th(probability: f64, precision: u8) -> String {
        Threshold::from_probability(probability, precision).unwrap().to_string()
    }

    /// 2^-n without a call to `powi`, which is not exact everywhere.
    fn fraction_of_space(n: u64) -> f64 {
        n as f64 / SPACE as f64
    }

    // P7, "Threshold arithmetic"
    #[test]
    fn four_digits_are_the_suggested_precision() {
        let vectors = [
            (1.0, "0"),
            (0.5, "8"),
            (0.25, "c"),
            (0.1, "e666"),
            (0.01, "fd70a"),
            (0.001, "ffbe77"),
            (1.0 / 3.0, "aaab"),
            (2.0 / 3.0, "5555"),
            (0.9999, "0007"),
        ];
        for (probability, expected) in vectors {
            assert_eq!(th(probability, 4), expected, "{probability}");
        }
    }

    #[test]
    fn all_fourteen_digits_are_the_exact_difference() {
        let vectors = [
            (0.1, "e6666666666666"),
            (1.0 / 3.0, "aaaaaaaaaaaaac"),
            (15.0 / 16.0, "1"),
            (1.0 / 16.0, "f"),
            (0.999_999, "000010c6f7a0b8"),
        ];
        for (probability, expected) in vectors {
            assert_eq!(th(probability, 14), expected, "{probability}");
        }
    }

    #[test]
    fn the_smallest_probabilities_keep_all_their_digits() {
        let vectors = [
            (1, "ffffffffffffff"),
            (2, "fffffffffffffe"),
            (3, "fffffffffffffd"),
            (4, "fffffffffffffc"),
            (8, "fffffffffffff8"),
            (16, "fffffffffffff"),
        ];
        for (kept, expected) in vectors {
            for precision in [1, 3, 4, 14] {
                assert_eq!(th(fraction_of_space(kept), precision), expected);
            }
        }
    }

    #[test]
    fn a_threshold_that_rounds_to_nothing_keeps_everything() {
        assert_eq!(th(0.999_999, 4), "0");
        assert_eq!(th(1.0 - f64::EPSILON, 4), "0");
        assert_eq!(Threshold::from_probability(0.999_999, 4), Ok(Threshold::ALWAYS));
    }

    #[test]
    fn digits_are_rounded_half_up() {
        let probability = 1.0 - f64::from(0x0456_789a) / f64::from(1 << 28);
        let by_precision = ["4", "45", "456", "4568", "45679", "45678a", "456789a"];
        for (precision, expected) in (1..).zip(by_precision) {
            assert_eq!(th(probability, precision), expected);
        }
    }

    #[test]
    fn a_rounded_threshold_is_never_out_of_range_and_never_disorders_probabilities() {
        for precision in 1..=14 {
            let mut previous = Threshold(SPACE - 1);
            // From 2^-56 up to 1 in steps of about 1.5 %.
            let mut kept = 1_u64;
            while kept <= SPACE {
                let threshold = Threshold(rounded(kept, precision));
                assert!(threshold.0 < SPACE);
                assert!(threshold <= previous, "{kept} at {precision} digits");
                previous = threshold;
                kept += kept / 64 + 1;
            }
            assert_eq!(rounded(SPACE, precision), 0);
        }
    }

    #[test]
    fn text_and_number_agree() {
        for number in [0, 1, 0x10, 0x80_0000_0000_0000, 0x00ab_c000_0000_0000, SPACE - 1] {
            let threshold = Threshold(number);
            assert_eq!(Threshold::parse(&threshold.to_string()), Some(threshold));
        }
        assert_eq!(Threshold(0x00ab_c000_0000_0000).to_string(), "abc");
        assert_eq!(Threshold::parse("8").unwrap().as_u64(), 1 << 55);
        assert_eq!(Threshold::parse("00000000000001").unwrap().as_u64(), 1);
    }

    #[test]
    fn malformed_texts_are_refused() {
        for text in ["", "E666", "+1", "-1", "0x8", " 8", "g", "é", "123456789abcdef"] {
            assert_eq!(Threshold::parse(text), None, "{text:?}");
        }
        for text in
            ["", "8", "0123456789abcde", "0123456789abc", "0123456789ABCD", "+123456789abcd"]
        {
            assert_eq!(Randomness::parse(text), None, "{text:?}");
        }
    }

    #[test]
    fn what_cannot_be_a_probability_is_an_error() {
        for probability in [0.0, -0.1, 1.1, f64::NAN, f64::INFINITY, fraction_of_space(1) / 2.0] {
            let error = Threshold::from_probability(probability, 4).unwrap_err();
            assert!(error.to_string().contains("2^-56"), "{error}");
        }
        for precision in [0, 15, 255] {
            let error = Threshold::from_probability(0.5, precision).unwrap_err();
            assert_eq!(error, SamplerError::Precision(precision));
        }
    }

    #[test]
    fn randomness_is_the_low_56_bits_of_the_trace_id() {
        let id = TraceId::from(0xffff_ffff_ffff_ffff_ff12_3456_789a_bcde_u128);
        assert_eq!(Randomness::from_trace_id(id).to_string(), "123456789abcde");
    }

    #[test]
    fn a_trace_is_kept_from_the_threshold_on() {
        let threshold = Threshold::parse("8").unwrap();
        assert!(!threshold.keeps(Randomness::parse("7fffffffffffff").unwrap()));
        assert!(threshold.keeps(Randomness::parse("80000000000000").unwrap()));
        assert!(Threshold::ALWAYS.keeps(Randomness(0)));
    }

    #[test]
    fn counts_can_be_restored() {
        assert_eq!(Threshold::parse("8").unwrap().adjusted_count(), 2.0);
        assert_eq!(Threshold::parse("c").unwrap().probability(), 0.25);
        assert_eq!(Threshold::parse("ffffffffffffff").unwrap().probability(), MIN_PROBABILITY);
        assert_eq!(Threshold::ALWAYS.adjusted_count(), 1.0);
    }
}
