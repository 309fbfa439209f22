//! The keys of `sending_queue` as they are written, with those of the Go collector that are not supported.

use std::num::NonZeroUsize;
use std::time::Duration;

use serde::Deserialize;

use super::settings::{BatchSettings, BatchSizer, QueueSettings, QueueSizer};
use crate::config::{Unsupported, some_duration};

#[derive(Deserialize)]
#[serde(deny_unknown_fields, default)]
pub(super) struct QueueKeys {
    enabled: bool,
    num_consumers: NonZeroUsize,
    queue_size: NonZeroUsize,
    sizer: Option<QueueSizer>,
    wait_for_result: bool,
    block_on_overflow: bool,
    batch: Option<BatchKeys>,
    /// A queue on disk, which would keep what waits when the collector ends.
    storage: Option<Unsupported>,
}

#[derive(Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
struct BatchKeys {
    enabled: Option<bool>,
    #[serde(deserialize_with = "some_duration")]
    flush_timeout: Option<Duration>,
    min_size: Option<usize>,
    max_size: Option<usize>,
    sizer: Option<BatchSizer>,
    /// Batches by the metadata of requests, which is not kept here.
    partition: Option<Unsupported>,
}

impl Default for QueueKeys {
    fn default() -> Self {
        let QueueSettings {
            enabled,
            num_consumers,
            queue_size,
            sizer: _,
            wait_for_result,
            block_on_overflow,
            batch: _,
        } = QueueSettings::default();
        Self {
            enabled,
            num_consumers,
            queue_size,
            sizer: None,
            wait_for_result,
            block_on_overflow,
            batch: None,
            storage: None,
        }
    }
}

impl From<QueueKeys> for QueueSettings {
    fn from(keys: QueueKeys) -> Self {
        let sizer = keys.sizer;
        Self {
            enabled: keys.enabled,
            num_consumers: keys.num_consumers,
            queue_size: keys.queue_size,
            sizer: sizer.unwrap_or(Self::default().sizer),
            wait_for_result: keys.wait_for_result,
            block_on_overflow: keys.block_on_overflow,
            batch: keys
                .batch
                .filter(|batch| batch.enabled != Some(false))
                .map(|batch| batch.settings(sizer)),
        }
    }
}

impl BatchKeys {
    /// Where the sizes of the queue are counted in bytes, those of a batch are too; but, as in the Go collector, not
    /// where nothing is said of it but that there is one.
    fn settings(self, of_queue: Option<QueueSizer>) -> BatchSettings {
        let Self { enabled, flush_timeout, min_size, max_size, sizer, partition: _ } = self;
        let is_written = enabled.is_some()
            || flush_timeout.is_some()
            || min_size.is_some()
            || max_size.is_some();
        let inherited = match of_queue {
            Some(QueueSizer::Bytes) if is_written => BatchSizer::Bytes,
            _ => BatchSizer::Items,
        };
        let default = BatchSettings::default();
        BatchSettings {
            flush_timeout: flush_timeout.unwrap_or(default.flush_timeout),
            min_size: min_size.unwrap_or(default.min_size),
            max_size: max_size.unwrap_or(default.max_size),
            sizer: sizer.unwrap_or(inherited),
        }
    }
}
