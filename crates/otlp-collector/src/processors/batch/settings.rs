//! What can be set, under the Go collector's keys.

use std::sync::Arc;
use std::time::Duration;

use otlp_core::{Signal, SplitLimit};
use serde::Deserialize;

use super::node::BatchNode;
use crate::component::{BoxError, Host, Node, Processor};
use crate::config::{ConfigError, duration, some_duration};
use crate::consumer::SharedConsumer;

/// The settings of the processor `batch`: what stands under `processors::batch`.
///
/// It puts requests together until they have [`send_batch_size`](Self::send_batch_size) items, or
/// [`timeout`](Self::timeout) is over. Bytes are not copied. Each pipeline has batches of its own.
///
/// The Go collector answers at once and tells nobody when a batch is lost. Here it depends on what comes next:
///
/// - An exporter without a sending queue, or with `wait_for_result`: a request is answered for by what became of
///   the batch that it went into. A client hears of errors, and may repeat what was not taken. Since clients then
///   wait, a batch does not wait for what cannot come: it also goes when nothing has come for
///   [`idle_timeout`](Self::idle_timeout), and when half of the time is over that the most impatient of its
///   clients has.
/// - An exporter with a sending queue (the default), which would answer before it has delivered: a request is
///   answered for when the batch has it. What the queue has no room for stays in the batch and is offered again;
///   until it is taken, requests are refused with what the queue has said. What is refused for good, or cannot be
///   handed on at the end, is counted as dropped.
///
/// ```
/// use otlp_collector::config::{Config, Source};
/// use otlp_collector::processors::BatchProcessorSettings;
///
/// # fn main() -> Result<(), Box<dyn std::error::Error>> {
/// let yaml = "
/// receivers: {otlp: }
/// processors: {batch: {send_batch_size: 10000, timeout: 1s}}
/// exporters: {debug: }
/// service: {pipelines: {traces: {receivers: [otlp], processors: [batch], exporters: [debug]}}}
/// ";
/// let config = Config::load(&[Source::Yaml(yaml.to_owned())])?;
/// let settings: BatchProcessorSettings = config.settings.processors[0].settings.read()?;
/// assert_eq!((settings.send_batch_size, settings.send_batch_max_size), (10_000, 0));
/// assert_eq!(settings.idle().map(|it| it.as_millis()), Some(10));
/// # Ok(())
/// # }
/// ```
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields, default)]
#[non_exhaustive]
pub struct BatchProcessorSettings {
    /// When a batch is sent, however small; zero sends each request at once. Default 200 ms.
    #[serde(deserialize_with = "duration")]
    pub timeout: Duration,
    /// From how many items on it is sent at once; zero sends each request at once. Default 8192.
    pub send_batch_size: u32,
    /// Most items of a request that is sent; larger ones are cut, and what is less than `send_batch_size` then
    /// waits for more. 0 is no limit. Default 0.
    pub send_batch_max_size: u32,
    /// Headers of requests that keep batches apart. Not supported: headers do not travel with requests here.
    pub metadata_keys: Vec<String>,
    /// Has no meaning without `metadata_keys`. Default 1000.
    pub metadata_cardinality_limit: u32,
    /// Ours, without a counterpart in the Go collector: a batch is sent when nothing has come for this long; zero
    /// is never. Default a hundredth of `timeout`, 2 ms of 200 ms.
    #[serde(deserialize_with = "some_duration")]
    pub idle_timeout: Option<Duration>,
}

impl Default for BatchProcessorSettings {
    fn default() -> Self {
        Self {
            timeout: Duration::from_millis(200),
            send_batch_size: 8192,
            send_batch_max_size: 0,
            metadata_keys: Vec::new(),
            metadata_cardinality_limit: 1000,
            idle_timeout: None,
        }
    }
}

impl BatchProcessorSettings {
    /// Whether the settings go together.
    ///
    /// # Errors
    ///
    /// Names the key, what is wrong with it, and what is accepted.
    pub fn validate(&self) -> Result<(), ConfigError> {
        if self.send_batch_max_size > 0 && self.send_batch_max_size < self.send_batch_size {
            let text = "it must be 0, for no limit, or at least send_batch_size";
            return Err(ConfigError::new(text).under("send_batch_max_size"));
        }
        if !self.metadata_keys.is_empty() {
            let text = "the Go collector knows this key, and it is not supported here: headers do not travel with \
                        requests; accepted: an empty list";
            return Err(ConfigError::new(text).under("metadata_keys"));
        }
        Ok(())
    }

    /// How long nothing may come before a batch is sent; `None` for ever.
    #[must_use]
    pub fn idle(&self) -> Option<Duration> {
        let idle = self.idle_timeout.unwrap_or(self.timeout / IDLE_SHARE);
        Some(idle).filter(|idle| !idle.is_zero())
    }

    /// Whether requests wait for others at all.
    pub(super) const fn gathers(&self) -> bool {
        !self.timeout.is_zero() && self.send_batch_size > 0
    }

    pub(super) fn limit(&self) -> SplitLimit {
        match usize::try_from(self.send_batch_max_size) {
            Ok(items) if items > 0 => SplitLimit { items, ..SplitLimit::NONE },
            _ => SplitLimit::NONE,
        }
    }
}

impl Processor for BatchProcessorSettings {
    fn start(
        &self,
        host: &Host,
        signal: Signal,
        next: SharedConsumer,
    ) -> Result<Arc<dyn Node>, BoxError> {
        let _ = signal;
        Ok(Arc::new(BatchNode::start(self.clone(), host.budget().capacity(), next)))
    }
}

/// A batch waits so much longer for the first than for the next request.
const IDLE_SHARE: u32 = 100;
