//! How a reader collects, batches and waits; and the variables that say so.

use std::num::NonZeroUsize;
use std::time::Duration;

use opentelemetry_sdk::metrics::Temporality;
use otlp_core::export::retry::RetryPolicy;
use otlp_core::export::{ConfigWarning, EnvReader};

use super::collector::SHORTEST_INTERVAL;
use crate::pipeline::BatchConfig;

/// Settings of a [`PeriodicReader`](super::PeriodicReader) (row M9; variables `OTEL_METRIC_EXPORT_*`).
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct ReaderConfig {
    /// Time between two collections. Default 60 s (`OTEL_METRIC_EXPORT_INTERVAL`), and 10 s where
    /// [`init`](crate::init()) sets up the console for them; at least 10 ms.
    pub interval: Duration,
    /// Longest time of one export attempt. Default 30 s (`OTEL_METRIC_EXPORT_TIMEOUT`); zero means no limit.
    /// The exporter's own timeout holds as well. Callbacks of observable instruments cannot be cut short;
    /// when they take longer than this, a message says so.
    pub timeout: Duration,
    /// What points count from: a start that stays, or the points before them (row M11). Default
    /// cumulative (`OTEL_EXPORTER_OTLP_METRICS_TEMPORALITY_PREFERENCE`).
    pub temporality: Temporality,
    /// Most data points of one request. Not set by default: what was collected leaves in one request, as
    /// long as that is within [`max_request_bytes`](Self::max_request_bytes).
    pub max_export_batch_size: Option<NonZeroUsize>,
    /// Most bytes held while a server is away. Default 32 MiB. What does not fit is dropped and counted
    /// as `queue_full`; what is held already stays.
    pub max_queue_bytes: usize,
    /// Most bytes of one request. Default 4 MiB, the most that a gRPC server takes which was left at the
    /// usual default.
    pub max_request_bytes: usize,
    /// Most requests in flight. Default 1: points of one series must arrive in the order of their times,
    /// or back ends refuse the older ones.
    pub max_concurrent_exports: NonZeroUsize,
    /// Longest time that shutdown waits in `Drop`. Default 5 s.
    pub shutdown_timeout: Duration,
    /// What happens to requests that fail and may succeed later.
    pub retry: RetryPolicy,
}

impl ReaderConfig {
    /// What the variables say, over the defaults: to change one setting in code and leave the others to
    /// the environment. A value that cannot be used gives a warning, and the default holds.
    ///
    /// ```
    /// use otlp_core::export::Env;
    /// use otlp_sdk::metrics::ReaderConfig;
    ///
    /// let env = Env::from_pairs([("OTEL_METRIC_EXPORT_INTERVAL", "1000")]);
    /// let config = ReaderConfig::from_env(&mut env.reader()).with_max_queue_bytes(1 << 20);
    /// assert_eq!(config.interval.as_secs(), 1);
    /// ```
    #[must_use]
    pub fn from_env(env: &mut EnvReader<'_>) -> Self {
        let defaults = Self::default();
        let default_ms = defaults.interval.as_millis();
        let interval = env.u64_or(INTERVAL, 1..=u64::MAX, &format_args!("{default_ms} ms"));
        if let Some(millis) = interval.filter(|millis| *millis < HARDLY_MEANT_MS) {
            let accepted = "milliseconds, such as 60000 for a minute";
            let using = Duration::from_millis(millis).max(SHORTEST_INTERVAL);
            let using = format_args!("{} ms", using.as_millis());
            let warning = ConfigWarning::new(INTERVAL, "is very short", accepted, &using);
            env.warn(warning.with_value(&millis.to_string()));
        }
        Self {
            interval: interval.map_or(defaults.interval, Duration::from_millis),
            timeout: env.millis(TIMEOUT, defaults.timeout),
            temporality: temporality(env).unwrap_or(defaults.temporality),
            ..defaults
        }
    }

    /// Sets [`interval`](Self::interval).
    #[must_use]
    pub fn with_interval(mut self, interval: Duration) -> Self {
        self.interval = interval;
        self
    }

    /// Sets [`timeout`](Self::timeout).
    #[must_use]
    pub fn with_timeout(mut self, timeout: Duration) -> Self {
        self.timeout = timeout;
        self
    }

    /// Sets [`temporality`](Self::temporality).
    #[must_use]
    pub fn with_temporality(mut self, temporality: Temporality) -> Self {
        self.temporality = temporality;
        self
    }

    /// Sets [`max_export_batch_size`](Self::max_export_batch_size); zero is read as one.
    #[must_use]
    pub fn with_max_export_batch_size(mut self, points: usize) -> Self {
        self.max_export_batch_size = Some(NonZeroUsize::new(points).unwrap_or(NonZeroUsize::MIN));
        self
    }

    /// Sets [`max_queue_bytes`](Self::max_queue_bytes).
    #[must_use]
    pub fn with_max_queue_bytes(mut self, bytes: usize) -> Self {
        self.max_queue_bytes = bytes;
        self
    }

    /// Sets [`max_request_bytes`](Self::max_request_bytes).
    #[must_use]
    pub fn with_max_request_bytes(mut self, bytes: usize) -> Self {
        self.max_request_bytes = bytes;
        self
    }

    /// Sets [`max_concurrent_exports`](Self::max_concurrent_exports); zero is read as one.
    #[must_use]
    pub fn with_max_concurrent_exports(mut self, exports: usize) -> Self {
        self.max_concurrent_exports = NonZeroUsize::new(exports).unwrap_or(NonZeroUsize::MIN);
        self
    }

    /// Sets [`shutdown_timeout`](Self::shutdown_timeout).
    #[must_use]
    pub fn with_shutdown_timeout(mut self, timeout: Duration) -> Self {
        self.shutdown_timeout = timeout;
        self
    }

    /// Sets [`retry`](Self::retry).
    #[must_use]
    pub fn with_retry(mut self, retry: RetryPolicy) -> Self {
        self.retry = retry;
        self
    }

    /// For somebody who is looking: more often, unless the environment says how often.
    pub(crate) fn for_console(self, env: &EnvReader<'_>) -> Self {
        if env.is_set(INTERVAL) { self } else { self.with_interval(CONSOLE_INTERVAL) }
    }

    /// The pipeline's settings. A collection leaves when it is complete, so the pipeline has no batch to
    /// wait for.
    pub(super) fn batch(&self) -> BatchConfig {
        BatchConfig {
            schedule_delay: if self.timeout.is_zero() { UPKEEP } else { UPKEEP.min(self.timeout) },
            export_timeout: self.timeout,
            max_export_batch_size: self.max_export_batch_size.unwrap_or(NonZeroUsize::MAX),
            max_queue_size: None,
            max_queue_bytes: self.max_queue_bytes,
            max_request_bytes: self.max_request_bytes,
            max_concurrent_exports: self.max_concurrent_exports,
            shutdown_timeout: self.shutdown_timeout,
            retry: self.retry,
        }
    }
}

impl Default for ReaderConfig {
    fn default() -> Self {
        let BatchConfig { max_queue_bytes, max_request_bytes, shutdown_timeout, retry, .. } =
            BatchConfig::default();
        Self {
            interval: Duration::from_secs(60),
            timeout: Duration::from_secs(30),
            temporality: Temporality::Cumulative,
            max_export_batch_size: None,
            max_queue_bytes,
            max_request_bytes,
            max_concurrent_exports: NonZeroUsize::MIN,
            shutdown_timeout,
            retry,
        }
    }
}

/// Row M11, in any case.
pub(crate) fn temporality(env: &mut EnvReader<'_>) -> Option<Temporality> {
    let accepted = [
        ("cumulative", Temporality::Cumulative),
        ("delta", Temporality::Delta),
        ("lowmemory", Temporality::LowMemory),
    ];
    env.one_of(TEMPORALITY, &accepted, &"cumulative")
}

const INTERVAL: &str = "OTEL_METRIC_EXPORT_INTERVAL";
const TIMEOUT: &str = "OTEL_METRIC_EXPORT_TIMEOUT";
const TEMPORALITY: &str = "OTEL_EXPORTER_OTLP_METRICS_TEMPORALITY_PREFERENCE";
/// What the specification has for exporters that print.
const CONSOLE_INTERVAL: Duration = Duration::from_secs(10);
/// Whoever writes less has most likely thought of seconds.
const HARDLY_MEANT_MS: u64 = 100;
/// How often, at least, the pipeline tells what it has to tell and gives memory back.
const UPKEEP: Duration = Duration::from_secs(10);

#[cfg(test)]
mod tests {
    use otlp_core::export::Env;

    use super::*;

    #[test]
    fn what_prints_is_collected_every_ten_seconds_unless_the_environment_says_otherwise() {
        // R11
        for (variable, expected) in [(None, 10_000), (Some(""), 10_000), (Some("60000"), 60_000)] {
            let env = Env::from_pairs(variable.map(|value| (INTERVAL, value)));
            let mut reader = env.reader();
            let config = ReaderConfig::from_env(&mut reader).for_console(&reader);
            assert_eq!(config.interval, Duration::from_millis(expected), "{variable:?}");
        }
    }

    #[test]
    fn an_interval_that_was_meant_in_seconds_counts_and_is_pointed_out() {
        let env = Env::from_pairs([(INTERVAL, "60")]);
        let mut reader = env.reader();
        assert_eq!(ReaderConfig::from_env(&mut reader).interval, Duration::from_millis(60));
        let [warning] = &reader.into_warnings()[..] else { panic!() };
        let warning = warning.to_string();
        assert!(warning.contains("=\"60\" is very short; accepted: milliseconds"), "{warning}");
        assert!(warning.ends_with("using 60 ms"), "{warning}");
    }
}
