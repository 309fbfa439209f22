//! What the SDK says of itself: through `tracing`, with the target `otlp_sdk`, down to a level that holds
//! for the whole process.

use std::sync::atomic::{AtomicU8, Ordering};

use otlp_core::export::EnvReader;

/// Which messages of the SDK itself are given to `tracing` (`OTEL_LOG_LEVEL`). What becomes of them is the
/// subscriber's affair.
///
/// ```
/// use otlp_sdk::LogLevel;
///
/// let quiet = otlp_sdk::builder().with_log_level(LogLevel::Error);
/// # drop(quiet);
/// ```
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
#[non_exhaustive]
pub enum LogLevel {
    /// None.
    Off,
    /// What is lost for good.
    Error,
    /// Also what is wrong and may get better, and settings that could not be used.
    Warn,
    /// Also what was set up, and recoveries. The default.
    #[default]
    Info,
    /// Everything; there are no messages below "info" so far.
    Debug,
    /// Everything.
    Trace,
}

impl LogLevel {
    /// What `OTEL_LOG_LEVEL` says, if anything that can be used.
    pub(crate) fn from_env(env: &mut EnvReader<'_>) -> Option<Self> {
        let accepted = [
            ("none", Self::Off),
            ("off", Self::Off),
            ("error", Self::Error),
            ("warn", Self::Warn),
            ("warning", Self::Warn),
            ("info", Self::Info),
            ("debug", Self::Debug),
            ("trace", Self::Trace),
            ("all", Self::Trace),
        ];
        env.one_of("OTEL_LOG_LEVEL", &accepted, &"info")
    }

    /// Makes it the level of the process.
    pub(crate) fn set(self) {
        LEVEL.store(self as u8, Ordering::Relaxed);
    }
}

/// Whether messages of this level are given to `tracing`.
pub(crate) fn allows(level: LogLevel) -> bool {
    level as u8 <= LEVEL.load(Ordering::Relaxed)
}

/// `tracing::event!` for the SDK's own messages: `say!(Warn, field, "text")`. They are for people, and not
/// the application's telemetry.
macro_rules! say {
    (Error, $($rest:tt)+) => { $crate::say::say!(@Error, error, $($rest)+) };
    (Warn, $($rest:tt)+) => { $crate::say::say!(@Warn, warn, $($rest)+) };
    (Info, $($rest:tt)+) => { $crate::say::say!(@Info, info, $($rest)+) };
    (@$level:ident, $macro:ident, $($rest:tt)+) => {
        if $crate::say::allows($crate::say::LogLevel::$level) {
            // The subscriber is the user's: a panic of it ends here.
            let _ = $crate::foreign::caught(|| {
                let _suppressed = $crate::current::suppressed();
                $crate::hush::aloud(|| tracing::$macro!(target: "otlp_sdk", $($rest)+))
            });
        }
    };
}
pub(crate) use say;

static LEVEL: AtomicU8 = AtomicU8::new(LogLevel::Info as u8);

#[cfg(test)]
mod tests {
    use otlp_core::export::Env;

    use super::*;

    #[test]
    fn the_variable_is_read_in_any_case_and_a_bad_one_is_reported() {
        let read = |value: &str| {
            let env = Env::from_pairs([("OTEL_LOG_LEVEL", value)]);
            let mut reader = env.reader();
            (LogLevel::from_env(&mut reader), reader.into_warnings().len())
        };
        assert_eq!(read("ERROR"), (Some(LogLevel::Error), 0));
        assert_eq!(read("none"), (Some(LogLevel::Off), 0));
        assert_eq!(read(""), (None, 0));
        assert_eq!(read("loud"), (None, 1));
    }

    #[test]
    fn levels_are_in_order() {
        assert!(LogLevel::Off < LogLevel::Error && LogLevel::Error < LogLevel::Info);
        assert_eq!(LogLevel::default(), LogLevel::Info);
    }
}
