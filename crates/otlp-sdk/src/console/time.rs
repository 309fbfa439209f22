//! Times as people read them, in UTC.

/// Unix nanoseconds as `2026-11-21T15:30:00.123456789Z`.
pub(super) fn rfc3339(unix_nano: u64) -> String {
    let (seconds, nano) = (unix_nano / 1_000_000_000, unix_nano % 1_000_000_000);
    let (days, second) = (seconds / 86_400, seconds % 86_400);
    let (year, month, day) = civil(days);
    let (hour, minute, second) = (second / 3_600, second / 60 % 60, second % 60);
    format!("{year:04}-{month:02}-{day:02}T{hour:02}:{minute:02}:{second:02}.{nano:09}Z")
}

/// Year, month and day of a count of days since 1970.
///
/// Counted in eras of 400 years from 1 March 0000, so that the leap day is the last of its year.
fn civil(days: u64) -> (u64, u64, u64) {
    let days = days.saturating_add(DAYS_TO_1970);
    let (era, day) = (days / DAYS_OF_ERA, days % DAYS_OF_ERA);
    let year_of_era = (day - day / 1_460 + day / 36_524 - day / 146_096) / 365;
    let day_of_year = day - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
    let month_from_march = (5 * day_of_year + 2) / 153;
    let day_of_month = day_of_year - (153 * month_from_march + 2) / 5 + 1;
    let january_follows = u64::from(month_from_march >= 10);
    let month = month_from_march + 3 - 12 * january_follows;
    (era * 400 + year_of_era + january_follows, month, day_of_month)
}

/// From 1 March 0000 to 1 January 1970.
const DAYS_TO_1970: u64 = 719_468;
const DAYS_OF_ERA: u64 = 146_097;
