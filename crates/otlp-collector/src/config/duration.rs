//! Times as Go writes them: `200ms`, `1m30s`, `1.5h`.

use std::fmt;
use std::time::Duration;

use serde::de::{Deserializer, Error, Visitor};

use super::error::ConfigError;
use super::node::quoted;

/// Reads a time: `#[serde(deserialize_with = "duration")]`. A bare number is in nanoseconds, as in Go.
///
/// # Errors
///
/// It is no time, negative, or longer than Go can count (about 292 years).
pub fn duration<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Duration, D::Error> {
    struct Text;

    impl Visitor<'_> for Text {
        type Value = Duration;

        fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
            f.write_str(ACCEPTED)
        }

        fn visit_str<E: Error>(self, text: &str) -> Result<Duration, E> {
            parse_duration(text).map_err(|error| E::custom(error.message()))
        }
    }
    deserializer.deserialize_str(Text)
}

/// Reads a time, as an option of a command line has it.
///
/// # Errors
///
/// As for [`duration`].
pub fn parse_duration(text: &str) -> Result<Duration, ConfigError> {
    parse(text).ok_or_else(|| ConfigError::new(format!("\"{}\" is not {ACCEPTED}", quoted(text))))
}

/// Reads a time that may be left out.
pub(crate) fn some_duration<'de, D: Deserializer<'de>>(
    deserializer: D,
) -> Result<Option<Duration>, D::Error> {
    duration(deserializer).map(Some)
}

/// Go's `time.ParseDuration`, without negative times.
fn parse(text: &str) -> Option<Duration> {
    let text = text.strip_prefix('+').unwrap_or(text);
    if let Ok(nanos) = text.parse::<u64>() {
        return in_range(u128::from(nanos));
    }
    let mut rest = text;
    let mut nanos = 0_u128;
    while !rest.is_empty() {
        let end = rest.find(|c: char| !c.is_ascii_digit() && c != '.')?;
        let (number, after) = rest.split_at(end);
        let unit_end = after.find(|c: char| c.is_ascii_digit() || c == '.').unwrap_or(after.len());
        let (unit, after) = after.split_at(unit_end);
        nanos = nanos.checked_add(of_unit(number, unit)?)?;
        rest = after;
    }
    in_range(nanos).filter(|_| !text.is_empty())
}

fn of_unit(number: &str, unit: &str) -> Option<u128> {
    let (whole, fraction) = number.split_once('.').unwrap_or((number, ""));
    if whole.is_empty() && fraction.is_empty() || number.len() > NUMBER_MAX {
        return None;
    }
    let nanos = UNITS.iter().find(|(name, _)| *name == unit).map(|(_, nanos)| *nanos)?;
    let whole: u128 = if whole.is_empty() { 0 } else { whole.parse().ok()? };
    let digits = u32::try_from(fraction.len()).ok()?;
    let parts: u128 = if fraction.is_empty() { 0 } else { fraction.parse().ok()? };
    let part = parts.checked_mul(nanos)? / 10_u128.checked_pow(digits)?;
    whole.checked_mul(nanos)?.checked_add(part)
}

fn in_range(nanos: u128) -> Option<Duration> {
    u64::try_from(nanos)
        .ok()
        .filter(|nanos| i64::try_from(*nanos).is_ok())
        .map(Duration::from_nanos)
}

const UNITS: [(&str, u128); 8] = [
    ("ns", 1),
    ("us", 1_000),
    ("µs", 1_000),
    ("μs", 1_000),
    ("ms", 1_000_000),
    ("s", 1_000_000_000),
    ("m", 60_000_000_000),
    ("h", 3_600_000_000_000),
];
const ACCEPTED: &str = "a time such as 200ms, 5s or 1m30s";
/// Digits that a number may have: with the largest unit they still fit into what is counted with.
const NUMBER_MAX: usize = 20;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_are_read_as_go_reads_them() {
        for (text, nanos) in [
            ("0", 0),
            ("0s", 0),
            ("200ms", 200_000_000),
            ("1m30s", 90_000_000_000),
            ("1.5h", 5_400_000_000_000),
            (".5s", 500_000_000),
            ("1.s", 1_000_000_000),
            ("+5us", 5_000),
            ("3µs", 3_000),
            ("1500000000", 1_500_000_000),
            ("2562047h47m16.854775807s", i64::MAX as u64),
        ] {
            assert_eq!(parse(text), Some(Duration::from_nanos(nanos)), "{text}");
        }
    }

    #[test]
    fn what_is_no_time_is_refused() {
        for text in
            ["", "s", "1", "1 s", "-1s", "1x", ".s", "1s2", "2562047h47m16.854775808s", "1e3s"]
        {
            let read = parse(text);
            assert!(read.is_none() || text == "1", "{text}: {read:?}");
        }
        let long = "9".repeat(1000);
        assert_eq!((parse(&long), parse(&format!("0.{long}s"))), (None, None));
    }
}
