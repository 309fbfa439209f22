//! Points in time as people read them, in UTC.

use std::fmt;

/// A point in time in UTC, in the parts of the calendar. `Display` is RFC 3339 to the nanosecond.
///
/// ```
/// use otlp_core::time::UtcTime;
///
/// let time = UtcTime::of_unix_nano(1_763_739_000_123_456_789);
/// assert_eq!((time.year, time.month, time.day), (2025, 11, 21));
/// assert_eq!(time.to_string(), "2025-11-21T15:30:00.123456789Z");
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct UtcTime {
    /// The year, from 1970 on.
    pub year: u64,
    /// 1 to 12.
    pub month: u64,
    /// 1 to 31.
    pub day: u64,
    /// 0 to 23.
    pub hour: u64,
    /// 0 to 59.
    pub minute: u64,
    /// 0 to 59.
    pub second: u64,
    /// 0 to 999,999,999.
    pub nano: u64,
}

impl UtcTime {
    /// The point in time that is so many nanoseconds after 1970.
    #[must_use]
    pub const fn of_unix_nano(unix_nano: u64) -> Self {
        let (seconds, nano) = (unix_nano / 1_000_000_000, unix_nano % 1_000_000_000);
        let (days, second) = (seconds / 86_400, seconds % 86_400);
        let (year, month, day) = civil(days);
        let (hour, minute, second) = (second / 3_600, second / 60 % 60, second % 60);
        Self { year, month, day, hour, minute, second, nano }
    }
}

impl fmt::Display for UtcTime {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { year, month, day, hour, minute, second, nano } = self;
        write!(f, "{year:04}-{month:02}-{day:02}T{hour:02}:{minute:02}:{second:02}.{nano:09}Z")
    }
}

/// Year, month and day of a count of days since 1970.
///
/// Counted in eras of 400 years from 1 March 0000, so that the leap day is the last of its year.
const fn civil(days: u64) -> (u64, u64, u64) {
    let days = days.saturating_add(DAYS_TO_1970);
    let (era, day) = (days / DAYS_OF_ERA, days % DAYS_OF_ERA);
    let year_of_era = (day - day / 1_460 + day / 36_524 - day / 146_096) / 365;
    let day_of_year = day - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
    let month_from_march = (5 * day_of_year + 2) / 153;
    let day_of_month = day_of_year - (153 * month_from_march + 2) / 5 + 1;
    let january_follows = if month_from_march >= 10 { 1 } else { 0 };
    let month = month_from_march + 3 - 12 * january_follows;
    (era * 400 + year_of_era + january_follows, month, day_of_month)
}

/// From 1 March 0000 to 1 January 1970.
const DAYS_TO_1970: u64 = 719_468;
const DAYS_OF_ERA: u64 = 146_097;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn leap_days_and_the_ends_of_years_are_right() {
        for (seconds, text) in [
            (0, "1970-01-01T00:00:00"),
            (951_782_400, "2000-02-29T00:00:00"),
            (951_868_799, "2000-02-29T23:59:59"),
            (1_709_164_800, "2024-02-29T00:00:00"),
            (1_735_689_599, "2024-12-31T23:59:59"),
            (4_107_542_400, "2100-03-01T00:00:00"),
        ] {
            let shown = UtcTime::of_unix_nano(seconds * 1_000_000_000).to_string();
            assert_eq!(shown, format!("{text}.000000000Z"));
        }
        assert_eq!(UtcTime::of_unix_nano(u64::MAX).year, 2554);
    }
}
