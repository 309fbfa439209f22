//! What a server lets a test read, and wait for.

use std::sync::Arc;
use std::time::Duration;

use otlp_core::Signal;

use super::{Counts, ReceivedLog, ReceivedRequest, ReceivedSpan, Server, Transport, WaitError};
use crate::oracle::{self, SpanKey};

/// What was received.
impl Server {
    /// The spans of every accepted request, in the order of arrival.
    ///
    /// After a partial success they leave out as many spans at the end of the request as the
    /// server said it rejected.
    #[must_use]
    pub fn spans(&self) -> Vec<ReceivedSpan> {
        self.site.read(ReceivedLog::spans)
    }

    /// Every request that was answered (or whose connection was cut on purpose), accepted or not.
    #[must_use]
    pub fn requests(&self) -> Vec<Arc<ReceivedRequest>> {
        self.site.read(|log| log.requests().to_vec())
    }

    /// Items that were accepted, of one signal: spans, data points or log records.
    #[must_use]
    pub fn items(&self, signal: Signal) -> u64 {
        self.site.read(|log| log.items(signal))
    }

    /// The counts of both transports together.
    #[must_use]
    pub fn counts(&self) -> Counts {
        self.site.read(ReceivedLog::counts)
    }

    /// The counts of one transport.
    #[must_use]
    pub fn counts_of(&self, transport: Transport) -> Counts {
        self.site.read(|log| log.counts_of(transport))
    }

    /// What a correct client never causes: bodies that do not decode, unknown paths, wrong methods
    /// and media types, each in a sentence. The list keeps the first 1,000.
    #[must_use]
    pub fn problems(&self) -> Vec<String> {
        self.site.read(|log| log.problems().to_vec())
    }

    /// Connections accepted since the start.
    #[must_use]
    pub fn connections(&self) -> u64 {
        self.site.read(ReceivedLog::connections)
    }

    /// Connections that are open at this moment.
    #[must_use]
    pub fn connections_open(&self) -> u64 {
        self.site.read(ReceivedLog::connections_open)
    }

    /// Requests held or being answered at this moment.
    #[must_use]
    pub fn in_flight(&self) -> u64 {
        self.site.read(ReceivedLog::in_flight)
    }

    /// The most requests that were in flight at the same time.
    #[must_use]
    pub fn in_flight_max(&self) -> u64 {
        self.site.read(ReceivedLog::in_flight_max)
    }

    /// Spans that were accepted more than once.
    #[must_use]
    pub fn duplicate_spans(&self) -> Vec<SpanKey> {
        oracle::duplicates(self.spans().iter().map(|span| span.key()))
    }

    /// Forgets what was received; counts begin at zero. Connections stay counted.
    pub fn clear(&self) {
        self.site.clear();
    }

    /// Blocks until at least `count` spans were accepted and returns all of them.
    ///
    /// # Errors
    ///
    /// `timeout` passed first; the error says what had arrived.
    pub fn wait_for_spans(
        &self,
        count: usize,
        timeout: Duration,
    ) -> Result<Vec<ReceivedSpan>, WaitError> {
        self.wait_until(timeout, enough_spans(count))?;
        Ok(self.spans())
    }

    /// Blocks until at least `count` items of `signal` were accepted.
    ///
    /// # Errors
    ///
    /// `timeout` passed first.
    pub fn wait_for_items(
        &self,
        signal: Signal,
        count: u64,
        timeout: Duration,
    ) -> Result<(), WaitError> {
        self.wait_until(timeout, move |log| log.items(signal) >= count)
    }

    /// Blocks until at least `count` requests have arrived, answered or not.
    ///
    /// # Errors
    ///
    /// `timeout` passed first.
    pub fn wait_for_arrivals(&self, count: u64, timeout: Duration) -> Result<(), WaitError> {
        self.wait_until(timeout, move |log| log.counts().arrived >= count)
    }

    /// Blocks until `predicate` holds; it is asked after every change.
    ///
    /// # Errors
    ///
    /// `timeout` passed first.
    pub fn wait_until(
        &self,
        timeout: Duration,
        predicate: impl Fn(&ReceivedLog) -> bool,
    ) -> Result<(), WaitError> {
        self.site.wait_until(timeout, predicate)
    }

    /// [`wait_for_spans`](Self::wait_for_spans) from asynchronous code.
    ///
    /// Waits on Tokio's blocking pool in real time: neither a current-thread runtime nor a paused
    /// clock is disturbed.
    ///
    /// # Errors
    ///
    /// `timeout` passed first.
    ///
    /// # Panics
    ///
    /// Outside a Tokio runtime.
    pub async fn spans_arrive(
        &self,
        count: usize,
        timeout: Duration,
    ) -> Result<Vec<ReceivedSpan>, WaitError> {
        self.until(timeout, enough_spans(count)).await?;
        Ok(self.spans())
    }

    /// [`wait_until`](Self::wait_until) from asynchronous code, on Tokio's blocking pool.
    ///
    /// # Errors
    ///
    /// `timeout` passed first.
    ///
    /// # Panics
    ///
    /// Outside a Tokio runtime, or when the predicate panics.
    pub async fn until(
        &self,
        timeout: Duration,
        predicate: impl Fn(&ReceivedLog) -> bool + Send + 'static,
    ) -> Result<(), WaitError> {
        let site = Arc::clone(&self.site);
        let waiting = tokio::task::spawn_blocking(move || site.wait_until(timeout, predicate));
        match waiting.await {
            Ok(result) => result,
            Err(failed) => std::panic::resume_unwind(failed.into_panic()),
        }
    }
}

fn enough_spans(count: usize) -> impl Fn(&ReceivedLog) -> bool + Send + 'static {
    move |log| log.items(Signal::Traces) >= u64::try_from(count).unwrap_or(u64::MAX)
}
