//! Thresholds and randomness of 56 bits, as W3C Trace Context and OpenTelemetry define them for sampling.

/// From which randomness on something is sampled: an item is kept if its randomness is at least this.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Threshold(u64);

/// The random 56 bits of an item.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Randomness(u64);

impl Threshold {
    /// What samples everything.
    pub(super) const ALWAYS: Self = Self(0);
    /// What samples nothing.
    pub(super) const NEVER: Self = Self(RANGE);

    /// The threshold of a probability, of which so many hexadecimal digits behind the leading nines or zeros are
    /// kept. `None` outside of what can be expressed.
    pub(super) fn of_probability(probability: f64, precision: u8) -> Option<Self> {
        if !(MIN_PROBABILITY..=1.0).contains(&probability) {
            return None;
        }
        if probability == 1.0 {
            return Some(Self::ALWAYS);
        }
        // Digits that say nothing but that it is close to 0 or to 1.
        let leading = (exponent(probability) / -4).max(exponent(1.0 - probability) / -4);
        let digits = (i32::from(precision) + leading).clamp(0, DIGITS_MAX as i32).unsigned_abs();
        let scaled = (probability * RANGE as f64).round() as u64;
        let threshold = RANGE.saturating_sub(scaled);
        let shift = 4 * (DIGITS_MAX as u32).saturating_sub(digits);
        Some(match shift {
            0 => Self(threshold),
            shift => Self((threshold + (1 << (shift - 1))) >> shift << shift),
        })
    }

    /// Reads 1 to 14 hexadecimal digits; those that are missing are zeros.
    pub(super) fn parse(text: &str) -> Option<Self> {
        let number = hex(text)?;
        let missing = DIGITS_MAX.checked_sub(text.len())?;
        Some(Self(number << (4 * missing)))
    }

    /// As few hexadecimal digits as say it; nothing where nothing is sampled.
    pub(super) fn text(self) -> String {
        match self {
            Self::ALWAYS => "0".to_owned(),
            Self(number) if number >= RANGE => String::new(),
            Self(number) => format!("{number:014x}").trim_end_matches('0').to_owned(),
        }
    }

    pub(super) fn probability(self) -> f64 {
        RANGE.saturating_sub(self.0) as f64 / RANGE as f64
    }

    pub(super) const fn samples(self, randomness: Randomness) -> bool {
        self.0 <= randomness.0
    }
}

impl Randomness {
    /// What every threshold samples, but the one that samples nothing.
    pub(super) const MAX: Self = Self(RANGE - 1);

    /// Reads exactly 14 hexadecimal digits.
    pub(super) fn parse(text: &str) -> Option<Self> {
        if text.len() == DIGITS_MAX { hex(text).map(Self) } else { None }
    }

    pub(super) fn text(self) -> String {
        format!("{:014x}", self.0)
    }

    /// The last 56 bits of a trace ID.
    pub(super) fn of_trace_id(id: &[u8; 16]) -> Self {
        let [.., a, b, c, d, e, f, g] = *id;
        Self(u64::from_be_bytes([0, a, b, c, d, e, f, g]))
    }

    /// Made of a hash of 32 bits (FNV-1a), so that its first 14 bits, turned round, decide; the rest is filled
    /// with what there is.
    pub(super) fn of_hash(bytes: &[u8], seed: u32) -> Self {
        let hash = fnv1a(seed.to_le_bytes().iter().chain(bytes));
        let bucket = u64::from(hash % BUCKETS);
        let rest = u64::from(hash >> 18);
        let mixed = rest ^ rest << 10;
        Self((u64::from(BUCKETS) - 1 - bucket) << 42 | mixed << 14 | bucket)
    }
}

/// The threshold that samples a percentage of the buckets that a hash can fall into; `None` for not one.
pub(super) fn scaled_threshold(percentage: f32) -> Option<Threshold> {
    // In single precision: so many buckets it is for every collector that does this.
    let sampled = ((percentage * (BUCKETS as f32 / 100.0)) as u32).min(BUCKETS);
    (sampled > 0).then(|| Threshold(u64::from(BUCKETS - sampled) << 42))
}

fn fnv1a<'b>(bytes: impl Iterator<Item = &'b u8>) -> u32 {
    bytes.fold(0x811c_9dc5, |hash, byte| (hash ^ u32::from(*byte)).wrapping_mul(0x0100_0193))
}

/// The exponent of a number between 0 and 1 that is written as a fraction from a half up to one.
fn exponent(number: f64) -> i32 {
    let biased = (number.to_bits() >> 52 & 0x7ff) as i32;
    biased - 1022
}

fn hex(text: &str) -> Option<u64> {
    let is_hex = !text.is_empty() && text.bytes().all(|it| it.is_ascii_hexdigit());
    u64::from_str_radix(text, 16).ok().filter(|_| is_hex)
}

const RANGE: u64 = 1 << 56;
const DIGITS_MAX: usize = 14;
const BUCKETS: u32 = 1 << 14;

/// The smallest probability above zero that can be expressed.
pub(crate) const MIN_PROBABILITY: f64 = 1.0 / RANGE as f64;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn thresholds_have_the_digits_that_are_asked_for_and_no_more() {
        let text = |probability, precision| {
            Threshold::of_probability(probability, precision).map(Threshold::text)
        };
        for (probability, precision, expected) in [
            (1.0, 4, "0"),
            (0.5, 4, "8"),
            (0.1, 4, "e666"),
            (0.1, 14, "e6666666666666"),
            (0.999, 3, "00419"),
            (0.001, 3, "ffbe7"),
        ] {
            assert_eq!(text(probability, precision).as_deref(), Some(expected), "{probability}");
        }
        assert_eq!((text(0.0, 4), text(1.1, 4), text(f64::NAN, 4)), (None, None, None));
    }

    #[test]
    fn texts_are_hexadecimal_digits_and_nothing_else() {
        assert_eq!(Threshold::parse("8"), Some(Threshold(1 << 55)));
        assert_eq!(Threshold::parse("C").map(Threshold::text).as_deref(), Some("c"));
        for text in ["", "+8", "0x8", "g", "123456789abcdef"] {
            assert_eq!(Threshold::parse(text), None, "{text}");
        }
        let text = "0123456789abcd";
        assert_eq!(Randomness::parse(text).map(Randomness::text).as_deref(), Some(text));
        assert_eq!(Randomness::parse("123"), None);
    }

    #[test]
    fn a_probability_of_100_percent_samples_whatever_the_hash_is() {
        assert_eq!(scaled_threshold(100.0), Some(Threshold::ALWAYS));
        assert_eq!(scaled_threshold(0.006), None);
        assert!(!Threshold::NEVER.samples(Randomness::MAX));
        assert_eq!(Threshold::NEVER.text(), "");
    }
}
