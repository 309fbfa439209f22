//! `Retry-After`: seconds or a date (H7).

use std::time::{Duration, SystemTime};

use reqwest::header::{HeaderMap, RETRY_AFTER};

/// How long the server asks to wait, seen from `now`. A date in the past means no wait; a number
/// beyond all bounds means the longest wait there is, which the driver caps.
pub(crate) fn retry_after(headers: &HeaderMap, now: SystemTime) -> Option<Duration> {
    let text = headers.get(RETRY_AFTER)?.to_str().ok()?.trim();
    if !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit()) {
        return Some(Duration::from_secs(text.parse().unwrap_or(u64::MAX)));
    }
    let date = httpdate::parse_http_date(text).ok()?;
    Some(date.duration_since(now).unwrap_or(Duration::ZERO))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(text: &str) -> Option<Duration> {
        // Sun, 06 Nov 1994 08:49:37 GMT
        let now = SystemTime::UNIX_EPOCH + Duration::from_secs(784_111_777);
        retry_after(&HeaderMap::from_iter([(RETRY_AFTER, text.parse().unwrap())]), now)
    }

    #[test]
    fn seconds_are_read_up_to_any_size() {
        // H7
        assert_eq!(read("7"), Some(Duration::from_secs(7)));
        assert_eq!(read(" 0 "), Some(Duration::ZERO));
        assert_eq!(read("9223372036854775808"), Some(Duration::from_secs(1 << 63)));
        assert_eq!(read(&"9".repeat(100)), Some(Duration::from_secs(u64::MAX)));
    }

    #[test]
    fn a_date_is_read_in_all_three_forms() {
        // H7
        for date in [
            "Sun, 06 Nov 1994 08:49:47 GMT",
            "Sunday, 06-Nov-94 08:49:47 GMT",
            "Sun Nov  6 08:49:47 1994",
        ] {
            assert_eq!(read(date), Some(Duration::from_secs(10)), "{date}");
        }
        assert_eq!(read("Sun, 06 Nov 1994 08:49:00 GMT"), Some(Duration::ZERO));
    }

    #[test]
    fn what_is_neither_is_no_wait() {
        for text in ["", "-1", "1.5", "soon", "Sun, 99 Nov 1994 08:49:47 GMT"] {
            assert_eq!(read(text), None, "{text}");
        }
        assert_eq!(retry_after(&HeaderMap::new(), SystemTime::UNIX_EPOCH), None);
    }
}
