//! How a pipeline batches, waits and bounds itself.

use std::num::NonZeroUsize;
use std::time::Duration;

use otlp_core::Signal;
use otlp_core::export::ExportError;
use otlp_core::export::retry::RetryPolicy;

/// Settings of a batch processor (specification rows R6, R7; variables `OTEL_BSP_*`, for logs
/// `OTEL_BLRP_*`).
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct BatchConfig {
    /// Longest time that an item waits for its batch to fill. Default 5 s
    /// (`OTEL_BSP_SCHEDULE_DELAY`), of logs 1 s (`OTEL_BLRP_SCHEDULE_DELAY`).
    pub schedule_delay: Duration,
    /// Longest time of one export attempt. Default 30 s (`OTEL_BSP_EXPORT_TIMEOUT`); zero means no
    /// limit. The exporter's own timeout holds as well.
    pub export_timeout: Duration,
    /// Most items of one request. Default 512 (`OTEL_BSP_MAX_EXPORT_BATCH_SIZE`).
    pub max_export_batch_size: NonZeroUsize,
    /// Most items held: in threads' buffers, in the queue, in requests and waiting for a retry.
    /// Not set by default, since items differ in size and memory is what must be bounded; set it
    /// (`OTEL_BSP_MAX_QUEUE_SIZE`) and it holds beside the bytes. When either is three quarters
    /// full, what is there leaves without waiting for a full batch.
    ///
    /// It is never exceeded. A thread reserves a few items at a time, so an item may be refused when
    /// that many fewer (a 64th of the size, 64 at most) are held.
    pub max_queue_size: Option<NonZeroUsize>,
    /// Most bytes held: encoded items, and for each lot of up to a batch that a thread ends in one
    /// scope that scope's header and 240 to 500 bytes for keeping it. Default 32 MiB. What does not
    /// fit is dropped and counted as `queue_full`; what is held already stays.
    pub max_queue_bytes: usize,
    /// Most bytes of one request. Default 4 MiB, the most that a gRPC server takes which was
    /// left at the usual default.
    pub max_request_bytes: usize,
    /// Most requests in flight. Default 4.
    pub max_concurrent_exports: NonZeroUsize,
    /// Longest time that shutdown waits in `Drop`. Default 5 s.
    pub shutdown_timeout: Duration,
    /// What happens to requests that fail and may succeed later.
    pub retry: RetryPolicy,
}

impl BatchConfig {
    /// The specification's defaults for a signal: logs wait one second (row G-L3), spans five.
    #[must_use]
    pub fn for_signal(signal: Signal) -> Self {
        match signal {
            Signal::Logs => Self::default().with_schedule_delay(Duration::from_secs(1)),
            _ => Self::default(),
        }
    }

    /// A request per item, one at a time, at once: what a simple processor does (row R5).
    #[must_use]
    pub fn simple() -> Self {
        Self {
            max_export_batch_size: NonZeroUsize::MIN,
            max_concurrent_exports: NonZeroUsize::MIN,
            schedule_delay: Duration::ZERO,
            ..Self::default()
        }
    }

    /// Sets [`schedule_delay`](Self::schedule_delay).
    #[must_use]
    pub fn with_schedule_delay(mut self, delay: Duration) -> Self {
        self.schedule_delay = delay;
        self
    }

    /// Sets [`export_timeout`](Self::export_timeout).
    #[must_use]
    pub fn with_export_timeout(mut self, timeout: Duration) -> Self {
        self.export_timeout = timeout;
        self
    }

    /// Sets [`max_export_batch_size`](Self::max_export_batch_size); zero is read as one.
    #[must_use]
    pub fn with_max_export_batch_size(mut self, items: usize) -> Self {
        self.max_export_batch_size = NonZeroUsize::new(items).unwrap_or(NonZeroUsize::MIN);
        self
    }

    /// Sets [`max_queue_size`](Self::max_queue_size); zero is read as one.
    #[must_use]
    pub fn with_max_queue_size(mut self, items: usize) -> Self {
        self.max_queue_size = Some(NonZeroUsize::new(items).unwrap_or(NonZeroUsize::MIN));
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

    /// Sets [`retry`](Self::retry).
    #[must_use]
    pub fn with_retry(mut self, retry: RetryPolicy) -> Self {
        self.retry = retry;
        self
    }

    /// Sets [`shutdown_timeout`](Self::shutdown_timeout).
    #[must_use]
    pub fn with_shutdown_timeout(mut self, timeout: Duration) -> Self {
        self.shutdown_timeout = timeout;
        self
    }

    /// The batch size that is in force: never more than the queue takes (row R7).
    pub(crate) fn batch_items(&self) -> usize {
        let queue = self.max_queue_size.unwrap_or(NonZeroUsize::MAX);
        self.max_export_batch_size.min(queue).get()
    }
}

impl Default for BatchConfig {
    fn default() -> Self {
        Self {
            schedule_delay: Duration::from_secs(5),
            export_timeout: Duration::from_secs(30),
            max_export_batch_size: const { NonZeroUsize::new(512).expect("not zero") },
            max_queue_size: None,
            max_queue_bytes: 32 * 1024 * 1024,
            max_request_bytes: 4 * 1024 * 1024,
            max_concurrent_exports: const { NonZeroUsize::new(4).expect("not zero") },
            shutdown_timeout: Duration::from_secs(5),
            retry: RetryPolicy::default(),
        }
    }
}

/// Why a flush or a shutdown did not do all that was asked.
#[derive(Clone, Debug, thiserror::Error)]
#[non_exhaustive]
pub enum PipelineError {
    /// The time was over; what is still held stays held (flush) or was dropped and counted
    /// (shutdown).
    #[error("{} not delivered in time{}", items(*.held), cause(.last_error.as_ref()))]
    Timeout {
        /// Items that were not delivered.
        held: u64,
        /// The last failure of an export, which is usually the reason.
        last_error: Option<ExportError>,
    },
    /// Everything was dealt with, but not everything was delivered.
    #[error("{} not delivered ({reasons}){}", items(*.lost), cause(.last_error.as_ref()))]
    Lost {
        /// Items rejected or dropped since a flush told of it the last time.
        lost: u64,
        /// How many for which [reason](crate::DropReason), such as `queue_full 12, rejected 3`.
        reasons: String,
        /// The last failure of an export, which is usually the reason.
        last_error: Option<ExportError>,
    },
    /// The exporter's own flush or shutdown failed.
    #[error("the exporter failed: {0}")]
    Exporter(ExportError),
    /// The pipeline was shut down before.
    #[error("already shut down")]
    AlreadyShutdown,
    /// So many flushes wait already that one more is not taken.
    #[error("{limit} flushes are waiting already")]
    TooManyCalls {
        /// Most that wait at once.
        limit: usize,
    },
    /// Metrics could not be collected: a callback of an observable instrument panicked or did not return,
    /// or the official SDK says why not.
    #[error("metrics could not be collected: {0}")]
    Collection(String),
    /// The worker is not there: its thread could not be started, or it is the caller itself.
    #[error("{0}")]
    NoWorker(&'static str),
}

impl PipelineError {
    /// Called where waiting would be for oneself.
    pub(crate) const WORKERS_THREAD: Self =
        Self::NoWorker("called on the worker's own thread, which cannot wait for itself");
}

fn items(count: u64) -> String {
    if count == 1 { "1 item was".to_owned() } else { format!("{count} items were") }
}

fn cause(error: Option<&ExportError>) -> String {
    error.map_or_else(String::new, |error| format!("; last error: {error}"))
}
