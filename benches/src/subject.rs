//! One tracing stack under test, as the rows see it: make spans, flush, say what came out.

use std::error::Error;
use std::fmt;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

use opentelemetry::trace::Tracer;
use parking_lot::{Condvar, Mutex};
use serde::{Deserialize, Serialize};

use crate::workload::{self, Work};

/// What can go wrong while measuring: a text for the person who runs the program.
pub type Failure = Box<dyn Error + Send + Sync>;

/// A tracing stack with its exporter, ready to make spans.
pub trait Subject: Send + Sync {
    /// Makes and ends spans on this thread.
    fn make(&self, work: Work, spans: usize);

    /// Returns when every span that ended before is through the exporter, or is lost.
    ///
    /// # Errors
    ///
    /// The stack says that it could not.
    fn flush(&self) -> Result<(), Failure>;

    /// What has come through the exporter so far.
    fn progress(&self) -> &Progress;

    /// Flushes and stops; returns after `timeout` at the latest.
    ///
    /// # Errors
    ///
    /// The stack says that it could not in that time.
    fn shutdown(&self, timeout: Duration) -> Result<(), Failure>;

    /// What the stack itself says about its spans. `None`: it cannot tell.
    fn account(&self) -> Option<Account>;
}

/// A stack's own account of the spans that ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Account {
    /// Spans that ended.
    pub ended: u64,
    /// Spans that the server took.
    pub delivered: u64,
    /// Spans lost under a named reason, those that the server refused included.
    pub lost: u64,
    /// Spans still in memory.
    pub held: u64,
}

impl Account {
    /// Whether every span that ended is accounted for.
    #[must_use]
    pub fn balances(&self) -> bool {
        self.ended == self.delivered + self.lost + self.held
    }
}

/// Counts what has come through an exporter and lets the producer wait for it without spinning,
/// which would show in the CPU clock.
#[derive(Debug, Default)]
pub struct Progress {
    spans: AtomicU64,
    bytes: AtomicU64,
    waiting: Mutex<bool>,
    moved: Condvar,
}

impl Progress {
    /// Called by the exporter when spans are through.
    pub fn advance(&self, spans: usize, bytes: usize) {
        self.spans.fetch_add(spans as u64, Ordering::SeqCst);
        self.bytes.fetch_add(bytes as u64, Ordering::SeqCst);
        let waiting = self.waiting.lock();
        if *waiting {
            self.moved.notify_all();
        }
    }

    /// Spans that are through.
    #[must_use]
    pub fn spans(&self) -> u64 {
        self.spans.load(Ordering::SeqCst)
    }

    /// Encoded bytes of them, where the exporter knows.
    #[must_use]
    pub fn bytes(&self) -> u64 {
        self.bytes.load(Ordering::SeqCst)
    }

    /// Waits until `spans` are through; `false` when that takes longer than `patience`.
    pub fn wait_for(&self, spans: u64, patience: Duration) -> bool {
        let until = Instant::now() + patience;
        let mut waiting = self.waiting.lock();
        *waiting = true;
        while self.spans() < spans && !self.moved.wait_until(&mut waiting, until).timed_out() {}
        *waiting = false;
        self.spans() >= spans
    }
}

/// A subject over any tracer of the `opentelemetry` API.
///
/// What differs between the stacks (flush, shutdown, account) comes as [`Control`].
pub struct ApiSubject<T, C> {
    /// The concrete tracer.
    pub tracer: T,
    /// The provider behind it.
    pub control: C,
    /// Fed by the exporter.
    pub progress: Arc<Progress>,
}

/// The part of a [`Subject`] that belongs to the provider.
pub trait Control: Send + Sync {
    /// See [`Subject::flush`].
    ///
    /// # Errors
    ///
    /// As there.
    fn flush(&self) -> Result<(), Failure>;

    /// See [`Subject::shutdown`].
    ///
    /// # Errors
    ///
    /// As there.
    fn shutdown(&self, timeout: Duration) -> Result<(), Failure>;

    /// See [`Subject::account`].
    fn account(&self) -> Option<Account>;
}

impl<T, C> Subject for ApiSubject<T, C>
where
    T: Tracer + Send + Sync,
    T::Span: Send + Sync + 'static,
    C: Control,
{
    fn make(&self, work: Work, spans: usize) {
        workload::run(&self.tracer, work, spans);
    }

    fn flush(&self) -> Result<(), Failure> {
        self.control.flush()
    }

    fn progress(&self) -> &Progress {
        &self.progress
    }

    fn shutdown(&self, timeout: Duration) -> Result<(), Failure> {
        self.control.shutdown(timeout)
    }

    fn account(&self) -> Option<Account> {
        self.control.account()
    }
}

impl<T, C> fmt::Debug for ApiSubject<T, C> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ApiSubject").finish_non_exhaustive()
    }
}

/// Which spans are recorded.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Sampling {
    /// Always on.
    On,
    /// Always off.
    Off,
    /// This share of the traces, by trace id.
    Ratio(f64),
    /// As the parent; this share of the traces without one.
    ParentBasedRatio(f64),
}

/// What an exporter inside the process does with a batch.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum LocalExport {
    /// Counts the spans.
    Count,
    /// Makes the bytes of the request and counts them. Ours has them already.
    Encode,
    /// Makes the bytes, decodes them with `prost` and looks at every item: what [`crate::decode`]
    /// knows.
    Check,
}

/// How much may wait for the exporter.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Queue {
    /// The stack's default configuration.
    Default,
    /// So much that a lossless row stays lossless; batches stay as large as by default.
    Deep,
}

/// Spans that a [`Queue::Deep`] of the peer holds.
pub const DEEP_QUEUE_SPANS: usize = 131_072;

/// The transport of an end-to-end row.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Transport {
    /// OTLP/gRPC.
    Grpc,
    /// OTLP/HTTP with protobuf.
    Http,
}

/// What the sink of an end-to-end row counts.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Items {
    /// Spans.
    Spans,
    /// Data points of metrics.
    Points,
}

impl Items {
    /// As the notes beside the figures call them.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Spans => "spans",
            Self::Points => "points",
        }
    }
}

/// The compression of an end-to-end row.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Codec {
    /// None.
    None,
    /// gzip at level 6 on both sides.
    Gzip,
    /// gzip at each side's default level.
    GzipDefault,
    /// zstd at each side's default level.
    Zstd,
}

/// A server to export to, and how.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Target {
    /// The transport.
    pub transport: Transport,
    /// The compression.
    pub codec: Codec,
    /// `http://host:port`, without a path.
    pub endpoint: String,
    /// The depth of the queue.
    pub queue: Queue,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_waiting_producer_wakes_when_the_exporter_has_caught_up() {
        let progress = Arc::new(Progress::default());
        let exporter = Arc::clone(&progress);
        let thread = std::thread::spawn(move || {
            for _ in 0..10 {
                exporter.advance(10, 100);
            }
        });
        assert!(progress.wait_for(100, Duration::from_secs(30)));
        thread.join().unwrap();
        assert_eq!((progress.spans(), progress.bytes()), (100, 1000));
    }

    #[test]
    fn a_producer_is_told_when_nothing_moves() {
        let progress = Progress::default();
        progress.advance(5, 0);
        assert!(!progress.wait_for(6, Duration::from_millis(1)));
    }

    #[test]
    fn an_account_that_hides_a_span_does_not_balance() {
        let account = Account { ended: 10, delivered: 7, lost: 2, held: 1 };
        assert!(account.balances());
        assert!(!Account { lost: 1, ..account }.balances());
    }
}
