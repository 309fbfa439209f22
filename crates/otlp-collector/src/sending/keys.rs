//! The keys of `sending_queue` as they are written, with those of the Go collector that are not supported.

use std::num::NonZeroUsize;
use std::time::Duration;

use serde::Deserialize;

use super::settings::{BatchSettings, BatchSizer, QueueSettings, QueueSizer};
use crate::config::{Unsupported, duration};

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

#[derive(Deserialize)]
#[serde(deny_unknown_fields, default)]
struct BatchKeys {
    enabled: bool,
    #[serde(deserialize_with = "duration")]
    flush_timeout: Duration,
    min_size: usize,
    max_size: usize,
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

impl Default for BatchKeys {
    fn default() -> Self {
        let BatchSettings { flush_timeout, min_size, max_size, sizer: _ } =
            BatchSettings::default();
        Self { enabled: true, flush_timeout, min_size, max_size, sizer: None, partition: None }
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
            batch: keys.batch.filter(|batch| batch.enabled).map(|batch| batch.settings(sizer)),
        }
    }
}

impl BatchKeys {
    /// Where the sizes of the queue are counted in items or bytes, those of a batch are too.
    fn settings(self, of_queue: Option<QueueSizer>) -> BatchSettings {
        let inherited = match of_queue {
            Some(QueueSizer::Bytes) => BatchSizer::Bytes,
            _ => BatchSizer::Items,
        };
        BatchSettings {
            flush_timeout: self.flush_timeout,
            min_size: self.min_size,
            max_size: self.max_size,
            sizer: self.sizer.unwrap_or(inherited),
        }
    }
}
