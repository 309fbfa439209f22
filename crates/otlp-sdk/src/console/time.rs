//! Times as people read them, in UTC.

use otlp_core::time::UtcTime;

/// Unix nanoseconds as `2026-11-21T15:30:00.123456789Z`.
pub(super) fn rfc3339(unix_nano: u64) -> String {
    UtcTime::of_unix_nano(unix_nano).to_string()
}
