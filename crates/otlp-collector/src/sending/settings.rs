//! What can be set: the keys `timeout`, `retry_on_failure` and `sending_queue` of an exporter.

use std::num::NonZeroUsize;
use std::time::Duration;

use otlp_core::SplitLimit;
use otlp_core::export::retry::RetryPolicy;
use serde::Deserialize;

use super::keys::QueueKeys;
use crate::config::duration;

/// How an exporter sends: the values of three keys of its settings.
#[derive(Clone, Debug, PartialEq)]
#[non_exhaustive]
pub struct SendingSettings {
    /// Limit of one attempt; zero is no limit. Default 5 s (`timeout`).
    pub timeout: Duration,
    /// `retry_on_failure`.
    pub retry: RetrySettings,
    /// `sending_queue`.
    pub queue: QueueSettings,
}

impl Default for SendingSettings {
    fn default() -> Self {
        let (retry, queue) = (RetrySettings::default(), QueueSettings::default());
        Self { timeout: Duration::from_secs(5), retry, queue }
    }
}

impl SendingSettings {
    /// Sets [`timeout`](Self::timeout).
    #[must_use]
    pub const fn with_timeout(mut self, timeout: Duration) -> Self {
        self.timeout = timeout;
        self
    }

    /// Sets [`retry`](Self::retry).
    #[must_use]
    pub const fn with_retry(mut self, retry: RetrySettings) -> Self {
        self.retry = retry;
        self
    }

    /// Sets [`queue`](Self::queue).
    #[must_use]
    pub const fn with_queue(mut self, queue: QueueSettings) -> Self {
        self.queue = queue;
        self
    }

    /// Whether the settings go together.
    ///
    /// # Errors
    ///
    /// Names the key, what is wrong with it, and what is accepted.
    pub fn check(&self) -> Result<(), SettingsError> {
        self.retry.check()?;
        self.queue.check()
    }
}

/// `retry_on_failure`: what becomes of a request that failed and may succeed later.
#[derive(Clone, Debug, PartialEq, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct RetrySettings {
    /// Whether it is tried again at all. Default true.
    pub enabled: bool,
    /// Wait before the second attempt. Default 5 s.
    #[serde(deserialize_with = "duration")]
    pub initial_interval: Duration,
    /// Share of a wait that is random, 0 to 1. Default 0.5.
    pub randomization_factor: f64,
    /// Growth from one wait to the next, at least 1. Default 1.5.
    pub multiplier: f64,
    /// Longest wait that is our own choice. Default 30 s.
    #[serde(deserialize_with = "duration")]
    pub max_interval: Duration,
    /// How long a request is tried, from its first attempt on; zero is for ever. Default 300 s.
    #[serde(deserialize_with = "duration")]
    pub max_elapsed_time: Duration,
}

impl Default for RetrySettings {
    fn default() -> Self {
        Self {
            enabled: true,
            initial_interval: Duration::from_secs(5),
            randomization_factor: 0.5,
            multiplier: 1.5,
            max_interval: Duration::from_secs(30),
            max_elapsed_time: Duration::from_secs(300),
        }
    }
}

impl RetrySettings {
    fn check(&self) -> Result<(), SettingsError> {
        if !(0.0..=1.0).contains(&self.randomization_factor) {
            let key = "retry_on_failure::randomization_factor";
            return Err(SettingsError::new(key, "is out of range", "a number from 0 to 1"));
        }
        if !(1.0..=MULTIPLIER_MAX).contains(&self.multiplier) {
            let key = "retry_on_failure::multiplier";
            return Err(SettingsError::new(key, "is out of range", "a number from 1 to 1000"));
        }
        Ok(())
    }

    pub(super) fn policy(&self) -> RetryPolicy {
        if !self.enabled {
            return RetryPolicy::never();
        }
        let most = self.max_elapsed_time;
        let mut policy = RetryPolicy::default()
            .with_initial_backoff(self.initial_interval)
            .with_max_backoff(self.max_interval)
            .with_max_elapsed((!most.is_zero()).then_some(most));
        policy.multiplier = self.multiplier;
        policy.jitter = self.randomization_factor;
        policy
    }
}

/// `sending_queue`: what waits for the destination.
#[derive(Clone, Debug, PartialEq, Deserialize)]
#[serde(from = "QueueKeys")]
pub struct QueueSettings {
    /// Whether there is one. Without it each batch is delivered before it is answered for. Default true.
    pub enabled: bool,
    /// Most requests that are being sent at once. Default 10.
    pub num_consumers: NonZeroUsize,
    /// Most that waits, in units of [`sizer`](Self::sizer). Default 1000.
    pub queue_size: NonZeroUsize,
    /// What `queue_size` counts. Default requests.
    pub sizer: QueueSizer,
    /// Whether a batch is answered for when it has been delivered, and not when the queue has it. Default
    /// false.
    pub wait_for_result: bool,
    /// Whether a batch that finds no room waits for it, until its deadline, and is not refused. Default
    /// false.
    pub block_on_overflow: bool,
    /// Whether requests are put together before they are sent. Default: they are not.
    pub batch: Option<BatchSettings>,
}

impl Default for QueueSettings {
    fn default() -> Self {
        const { assert!(CONSUMERS > 0 && QUEUE_SIZE > 0) }
        Self {
            enabled: true,
            num_consumers: NonZeroUsize::new(CONSUMERS).unwrap_or(NonZeroUsize::MIN),
            queue_size: NonZeroUsize::new(QUEUE_SIZE).unwrap_or(NonZeroUsize::MIN),
            sizer: QueueSizer::Requests,
            wait_for_result: false,
            block_on_overflow: false,
            batch: None,
        }
    }
}

impl QueueSettings {
    fn check(&self) -> Result<(), SettingsError> {
        let Some(batch) = &self.batch else { return Ok(()) };
        if batch.max_size != 0 && batch.max_size < batch.min_size {
            let key = "sending_queue::batch::max_size";
            let accepted = "0 for no limit, or at least min_size";
            return Err(SettingsError::new(key, "is less than min_size", accepted));
        }
        if self.sizer == batch.sizer.of_queue() && batch.min_size > self.queue_size.get() {
            let key = "sending_queue::batch::min_size";
            let accepted = "at most queue_size: a batch has to fit into the queue";
            return Err(SettingsError::new(key, "is more than queue_size", accepted));
        }
        Ok(())
    }
}

/// `sending_queue::batch`: how requests are put together.
#[derive(Clone, Debug, PartialEq)]
pub struct BatchSettings {
    /// When a batch is sent, however small. Default 200 ms after its first request.
    pub flush_timeout: Duration,
    /// From which size on it is sent at once. Default 8192.
    pub min_size: usize,
    /// Where it is cut; 0 is nowhere. Default 0.
    pub max_size: usize,
    /// What the two sizes count. Default items; bytes, if the queue's sizer is set to that and anything is set
    /// beside it here.
    pub sizer: BatchSizer,
}

impl Default for BatchSettings {
    fn default() -> Self {
        Self {
            flush_timeout: Duration::from_millis(200),
            min_size: 8192,
            max_size: 0,
            sizer: BatchSizer::Items,
        }
    }
}

impl BatchSettings {
    /// Whether what was put together is sent at once.
    pub(super) const fn is_enough(&self, items: usize, bytes: usize) -> bool {
        let size = match self.sizer {
            BatchSizer::Items => items,
            BatchSizer::Bytes => bytes,
        };
        size >= self.min_size
    }

    /// Where it is cut.
    pub(super) const fn limit(&self) -> SplitLimit {
        match (self.max_size, self.sizer) {
            (0, _) => SplitLimit::NONE,
            (items, BatchSizer::Items) => SplitLimit { items, ..SplitLimit::NONE },
            (bytes, BatchSizer::Bytes) => SplitLimit { bytes, ..SplitLimit::NONE },
        }
    }
}

/// What the size of a queue counts.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum QueueSizer {
    /// Requests, whatever their size.
    Requests,
    /// Spans, log records, data points.
    Items,
    /// Encoded bytes.
    Bytes,
}

/// What the size of a batch counts.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum BatchSizer {
    /// Spans, log records, data points.
    Items,
    /// Encoded bytes.
    Bytes,
}

impl BatchSizer {
    const fn of_queue(self) -> QueueSizer {
        match self {
            Self::Items => QueueSizer::Items,
            Self::Bytes => QueueSizer::Bytes,
        }
    }
}

/// Settings that do not go together.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{key} {problem}; accepted: {accepted}")]
pub struct SettingsError {
    key: &'static str,
    problem: &'static str,
    accepted: &'static str,
}

impl SettingsError {
    const fn new(key: &'static str, problem: &'static str, accepted: &'static str) -> Self {
        Self { key, problem, accepted }
    }

    /// The key, such as `sending_queue::batch::max_size`.
    #[must_use]
    pub const fn key(&self) -> &'static str {
        self.key
    }
}

const CONSUMERS: usize = 10;
const QUEUE_SIZE: usize = 1000;
const MULTIPLIER_MAX: f64 = 1000.0;
