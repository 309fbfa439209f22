//! Flush and shutdown of readers: a collection by each reader's own thread, then the pipelines' part, all
//! within one deadline.

use std::sync::OnceLock;
use std::sync::atomic::Ordering;
use std::sync::mpsc::{RecvTimeoutError, SyncSender, TrySendError, sync_channel};
use std::thread::ThreadId;
use std::time::{Duration, Instant};

use futures_timer::Delay;
use futures_util::future::join_all;
use opentelemetry::metrics::Meter;
use tokio::sync::oneshot;

use super::Shared;
use crate::foreign::caught;
use crate::observe;
use crate::pipeline::{Ledger, Pipeline, PipelineError};

/// A reader whose threads have been started.
#[derive(Debug)]
pub(in crate::metrics) struct Running {
    pipeline: Pipeline,
    requests: SyncSender<Request>,
    collectors_thread: OnceLock<ThreadId>,
}

/// A collection that somebody waits for.
pub(in crate::metrics) struct Request {
    /// Gets why it failed, if it did.
    pub(in crate::metrics) reply: Reply,
    /// Nothing is collected after this one.
    pub(in crate::metrics) last: bool,
}

type Reply = Box<dyn FnOnce(Result<(), String>) + Send>;

/// Flushes readers, or shuts them down: all collect, then all deliver at the same time, since a
/// destination that is away must not use up the time of one that is there (row W8).
pub(in crate::metrics) fn settle(
    readers: &[&Shared],
    timeout: Duration,
    shutdown: bool,
) -> Result<(), PipelineError> {
    let begun = Instant::now();
    let left = || timeout.saturating_sub(begun.elapsed());
    refuse_own_threads(readers)?;
    let mut results = Vec::new();
    let mut running = Vec::new();
    for reader in readers {
        match reader.begin(shutdown) {
            Ok(found) => running.extend(found),
            Err(error) => results.push(Err(error)),
        }
    }
    for reader in &running {
        results.push(reader.collect(left(), shutdown));
    }
    let asked: Vec<_> =
        running.iter().map(|reader| reader.pipeline.ask(left(), shutdown)).collect();
    // All answers first: the error of one must not hide that another is still at work.
    results.extend(asked.into_iter().map(|asked| asked?.answer()).collect::<Vec<_>>());
    readers.iter().for_each(|reader| reader.end(shutdown));
    results.into_iter().collect()
}

/// [`settle`] without blocking the thread.
pub(in crate::metrics) async fn settle_async(
    readers: &[&Shared],
    timeout: Duration,
    shutdown: bool,
) -> Result<(), PipelineError> {
    refuse_own_threads(readers)?;
    let settled = readers.iter().map(|reader| reader.settle_async(timeout, shutdown));
    join_all(settled).await.into_iter().collect()
}

fn refuse_own_threads(readers: &[&Shared]) -> Result<(), PipelineError> {
    match readers.iter().filter_map(|reader| reader.running.get()).any(Running::is_here) {
        true => Err(PipelineError::WORKERS_THREAD),
        false => Ok(()),
    }
}

impl Shared {
    async fn settle_async(&self, timeout: Duration, shutdown: bool) -> Result<(), PipelineError> {
        let begun = Instant::now();
        let Some(running) = self.begin(shutdown)? else { return Ok(()) };
        let collected = running.collect_async(timeout, shutdown).await;
        let left = timeout.saturating_sub(begun.elapsed());
        let delivered = match shutdown {
            true => running.pipeline.shutdown_async(left).await,
            false => running.pipeline.force_flush_async(left).await,
        };
        self.end(shutdown);
        collected.and(delivered)
    }

    /// What is to be asked; nothing while no provider has taken the reader.
    fn begin(&self, shutdown: bool) -> Result<Option<&Running>, PipelineError> {
        if self.ended.load(Ordering::Acquire) {
            return Err(PipelineError::AlreadyShutdown);
        }
        if shutdown {
            self.shut_down.store(true, Ordering::Release);
        }
        // Not before the line above: a provider that takes the reader now must find one or the other.
        let start = if shutdown { self.start.lock().take() } else { None };
        if caught(|| drop(start)).is_err() {
            self.count_panic();
        }
        Ok(self.running.get())
    }

    fn end(&self, shutdown: bool) {
        if shutdown {
            self.ended.store(true, Ordering::Release);
        }
    }

    /// Begins a shutdown that nobody waits for, without another collection.
    pub(super) fn start_shutdown(&self) {
        self.shut_down.store(true, Ordering::Release);
        self.ended.store(true, Ordering::Release);
        if let Some(running) = self.running.get() {
            running.pipeline.start_shutdown();
        }
    }
}

impl Running {
    pub(in crate::metrics) fn new(pipeline: Pipeline, requests: SyncSender<Request>) -> Self {
        Self { pipeline, requests, collectors_thread: OnceLock::new() }
    }

    pub(in crate::metrics) fn collectors_thread_is(&self, id: ThreadId) {
        self.collectors_thread.get_or_init(|| id);
    }

    pub(super) fn look_after(&self, look: impl Fn() + Send + Sync + 'static) {
        self.pipeline.look_after(look);
    }

    pub(super) fn observe(&self, meter: &Meter) {
        observe::pipeline(meter, &self.pipeline);
    }

    pub(super) fn ledger(&self) -> Ledger {
        self.pipeline.ledger()
    }

    /// Whether this is a thread that would wait for itself: the collector's runs callbacks of the user's,
    /// and the worker's the exporter.
    fn is_here(&self) -> bool {
        let here = std::thread::current().id();
        self.collectors_thread.get() == Some(&here) || self.pipeline.is_workers_thread()
    }

    /// A collection by the collector's thread. One that has ended has collected all there was.
    fn collect(&self, timeout: Duration, last: bool) -> Result<(), PipelineError> {
        let patience = patience(timeout);
        let (sender, receiver) = sync_channel(1);
        let reply: Reply = Box::new(move |result| drop(sender.try_send(result)));
        if !self.send(Request { reply, last })? {
            return Ok(());
        }
        match receiver.recv_timeout(patience) {
            Ok(result) => result.map_err(PipelineError::Collection),
            Err(RecvTimeoutError::Timeout) => Err(overdue(patience, last)),
            Err(RecvTimeoutError::Disconnected) => Ok(()),
        }
    }

    async fn collect_async(&self, timeout: Duration, last: bool) -> Result<(), PipelineError> {
        let patience = patience(timeout);
        let (sender, receiver) = oneshot::channel();
        let reply: Reply = Box::new(move |result| drop(sender.send(result)));
        if !self.send(Request { reply, last })? {
            return Ok(());
        }
        tokio::select! {
            biased;
            result = receiver => result.unwrap_or(Ok(())).map_err(PipelineError::Collection),
            () = Delay::new(patience) => Err(overdue(patience, last)),
        }
    }

    /// Says whether the collector is there.
    fn send(&self, request: Request) -> Result<bool, PipelineError> {
        match self.requests.try_send(request) {
            Ok(()) => Ok(true),
            Err(TrySendError::Disconnected(_)) => Ok(false),
            Err(TrySendError::Full(_)) => Err(PipelineError::TooManyCalls { limit: ASKED_MAX }),
        }
    }
}

/// How long callbacks may take: all of the time but what a delivery needs. What is held from before leaves
/// meanwhile.
fn patience(timeout: Duration) -> Duration {
    let timeout = timeout.min(PATIENCE_MAX);
    timeout - DELIVERY_RESERVE.min(timeout / 2)
}

fn overdue(patience: Duration, last: bool) -> PipelineError {
    let consequence = match last {
        true => "what was measured since the last collection is lost",
        false => "what they observe is delivered once they have returned",
    };
    PipelineError::Collection(format!(
        "callbacks of observable instruments did not return within {patience:.1?}; {consequence}"
    ))
}

/// Most flushes that wait for a collection at once.
pub(in crate::metrics) const ASKED_MAX: usize = 1024;
/// A deadline further away than this is none, and the clock could not express it.
const PATIENCE_MAX: Duration = Duration::from_secs(365 * 24 * 3600);
/// Kept for the delivery of what a collection brings; of a shorter time, half.
const DELIVERY_RESERVE: Duration = Duration::from_secs(1);

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn callbacks_have_the_time_that_a_delivery_does_not_need() {
        let millis = Duration::from_millis;
        assert_eq!(patience(millis(10_000)), millis(9_000));
        assert_eq!(patience(millis(2_000)), millis(1_000));
        assert_eq!(patience(millis(50)), millis(25));
        assert_eq!(patience(Duration::ZERO), Duration::ZERO);
        assert!(patience(Duration::MAX) > millis(10_000));
    }
}
