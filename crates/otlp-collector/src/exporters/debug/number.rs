//! Numbers and times as Go prints them.

use std::fmt::{self, Display};

use otlp_core::time::UtcTime;

/// As JavaScript writes it: `0.1`, `3`, `1e+21`, `1e-7`.
pub(super) struct Script(pub(super) f64);

/// As Go's `%v` writes it: `0.1`, `3`, `1e+06`, `1e-05`.
pub(super) struct Shortest(pub(super) f64);

/// As Go's `%f` writes it: six places.
pub(super) struct Fixed(pub(super) f64);

/// Unix nanoseconds as Go writes a time: `2020-02-11 20:26:13.5 +0000 UTC`.
pub(super) struct Time(pub(super) u64);

impl Display for Script {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let number = self.0;
        match number.abs() {
            size if size.is_nan() => f.write_str("NaN"),
            size if size.is_infinite() => {
                f.write_str(if number > 0.0 { "Infinity" } else { "-Infinity" })
            }
            size if size != 0.0 && !(1e-6..1e21).contains(&size) => {
                let text = format!("{number:e}");
                let (digits, exponent) = text.split_once('e').unwrap_or((&text, "0"));
                let sign = if exponent.starts_with('-') { "" } else { "+" };
                write!(f, "{digits}e{sign}{exponent}")
            }
            _ => number.fmt(f),
        }
    }
}

impl Display for Shortest {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let number = self.0;
        if !number.is_finite() {
            return Fixed(number).fmt(f);
        }
        let text = format!("{number:e}");
        let (digits, exponent) = text.split_once('e').unwrap_or((&text, "0"));
        let exponent: i32 = exponent.parse().unwrap_or_default();
        match exponent {
            -4..=5 => number.fmt(f),
            _ => {
                let sign = if exponent < 0 { '-' } else { '+' };
                write!(f, "{digits}e{sign}{:02}", exponent.unsigned_abs())
            }
        }
    }
}

impl Display for Fixed {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.0 {
            number if number.is_nan() => f.write_str("NaN"),
            number if number.is_infinite() => {
                f.write_str(if number > 0.0 { "+Inf" } else { "-Inf" })
            }
            number => write!(f, "{number:.6}"),
        }
    }
}

impl Display for Time {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let UtcTime { year, month, day, hour, minute, second, nano, .. } =
            UtcTime::of_unix_nano(self.0);
        write!(f, "{year:04}-{month:02}-{day:02} {hour:02}:{minute:02}:{second:02}")?;
        if nano > 0 {
            let digits = format!("{nano:09}");
            write!(f, ".{}", digits.trim_end_matches('0'))?;
        }
        f.write_str(" +0000 UTC")
    }
}

/// An id in hexadecimal; nothing if it is all zeros.
pub(super) struct Id<'a>(pub(super) &'a [u8]);

impl Display for Id<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.0.iter().all(|byte| *byte == 0) {
            true => Ok(()),
            false => self.0.iter().try_for_each(|byte| write!(f, "{byte:02x}")),
        }
    }
}
