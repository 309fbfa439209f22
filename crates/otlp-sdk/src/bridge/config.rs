//! How long and how hard the exporters for the official SDK try.

use std::num::NonZeroUsize;
use std::time::Duration;

use otlp_core::Signal;
use otlp_core::export::EnvReader;
use otlp_core::export::retry::RetryPolicy;

/// Settings of an exporter for the official SDK.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct ExportConfig {
    /// Longest time of one call of `export`, retries included (row B4). Default 30 s; zero means that
    /// only [`retry`](Self::retry) sets an end. The official SDK has no say in it: it waits as long
    /// as the exporter does. Under its simple processors the thread that ends the span is blocked for
    /// all of it while a server is away.
    pub timeout: Duration,
    /// What happens to a request that fails and may succeed later (rows B1 to B3). As
    /// [`RetryPolicy::default`], but with delays of 5 s at most, so that a call of 30 s finds a server
    /// that is back.
    pub retry: RetryPolicy,
    /// Most bytes of one request; a larger batch is cut. Default 4 MiB, the most that a gRPC server
    /// takes which was left at the usual default.
    pub max_request_bytes: usize,
    /// Most requests in flight, of all calls together. Default 4.
    pub max_concurrent_exports: NonZeroUsize,
    /// Most encoded bytes held, of all calls together. Default 32 MiB. What comes beyond is dropped
    /// and counted as `queue_full`; a batch that comes alone is always taken.
    pub max_held_bytes: usize,
    /// Longest time that the export thread goes on by itself after the last exporter was dropped
    /// without having been shut down. Default 5 s.
    pub shutdown_timeout: Duration,
}

impl ExportConfig {
    /// What `OTEL_BSP_EXPORT_TIMEOUT` says, for logs `OTEL_BLRP_EXPORT_TIMEOUT`, for metrics
    /// `OTEL_METRIC_EXPORT_TIMEOUT`, over the defaults.
    ///
    /// ```
    /// use otlp_sdk::bridge::ExportConfig;
    /// use otlp_sdk::otlp_core::Signal;
    /// use otlp_sdk::otlp_core::export::Env;
    ///
    /// let env = Env::from_pairs([("OTEL_BSP_EXPORT_TIMEOUT", "2000")]);
    /// let config = ExportConfig::from_env(&mut env.reader(), Signal::Traces);
    /// assert_eq!(config.timeout.as_secs(), 2);
    /// ```
    #[must_use]
    pub fn from_env(env: &mut EnvReader<'_>, signal: Signal) -> Self {
        let defaults = Self::default();
        let timeout = env.millis(signal.export_timeout_variable(), defaults.timeout);
        Self { timeout, ..defaults }
    }

    /// Sets [`timeout`](Self::timeout).
    #[must_use]
    pub fn with_timeout(mut self, timeout: Duration) -> Self {
        self.timeout = timeout;
        self
    }

    /// Sets [`retry`](Self::retry).
    #[must_use]
    pub fn with_retry(mut self, retry: RetryPolicy) -> Self {
        self.retry = retry;
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

    /// Sets [`max_held_bytes`](Self::max_held_bytes).
    #[must_use]
    pub fn with_max_held_bytes(mut self, bytes: usize) -> Self {
        self.max_held_bytes = bytes;
        self
    }

    /// Sets [`shutdown_timeout`](Self::shutdown_timeout).
    #[must_use]
    pub fn with_shutdown_timeout(mut self, timeout: Duration) -> Self {
        self.shutdown_timeout = timeout;
        self
    }

    /// [`timeout`](Self::timeout), unless there is none.
    pub(super) fn limit(&self) -> Option<Duration> {
        Some(self.timeout).filter(|timeout| !timeout.is_zero())
    }
}

impl Default for ExportConfig {
    fn default() -> Self {
        Self {
            timeout: Duration::from_secs(30),
            retry: RetryPolicy::default().with_max_backoff(Duration::from_secs(5)),
            max_request_bytes: 4 * 1024 * 1024,
            max_concurrent_exports: const { NonZeroUsize::new(4).expect("not zero") },
            max_held_bytes: 32 * 1024 * 1024,
            shutdown_timeout: Duration::from_secs(5),
        }
    }
}
