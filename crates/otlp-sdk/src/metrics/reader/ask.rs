//! Flush and shutdown of a reader: a collection by its own thread, then the pipeline's part, both within
//! one deadline.

use std::sync::OnceLock;
use std::sync::atomic::Ordering;
use std::sync::mpsc::{RecvTimeoutError, SyncSender, TrySendError, sync_channel};
use std::thread::ThreadId;
use std::time::{Duration, Instant};

use futures_timer::Delay;
use tokio::sync::oneshot;

use super::Shared;
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

impl Shared {
    pub(super) fn force_flush(&self, timeout: Duration) -> Result<(), PipelineError> {
        let Some(running) = self.running.get() else { return self.not_running() };
        running.refuse_own_threads()?;
        let begun = Instant::now();
        let collected = running.collect(self.patience(timeout), false);
        let left = timeout.saturating_sub(begun.elapsed());
        let delivered = running.pipeline.ask(left, false).and_then(|asked| asked.answer());
        collected.and(delivered)
    }

    pub(super) async fn force_flush_async(&self, timeout: Duration) -> Result<(), PipelineError> {
        let Some(running) = self.running.get() else { return self.not_running() };
        running.refuse_own_threads()?;
        let begun = Instant::now();
        let collected = running.collect_async(self.patience(timeout), false).await;
        let left = timeout.saturating_sub(begun.elapsed());
        collected.and(running.pipeline.force_flush_async(left).await)
    }

    pub(super) fn shutdown(&self, timeout: Duration) -> Result<(), PipelineError> {
        let Some(running) = self.running.get() else { return self.shut_down_idle() };
        running.refuse_own_threads()?;
        self.shut_down.store(true, Ordering::Release);
        let begun = Instant::now();
        let collected = running.collect(self.patience(timeout), true);
        let left = timeout.saturating_sub(begun.elapsed());
        let delivered = running.pipeline.ask(left, true).and_then(|asked| asked.answer());
        self.ended.store(true, Ordering::Release);
        collected.and(delivered)
    }

    pub(super) async fn shutdown_async(&self, timeout: Duration) -> Result<(), PipelineError> {
        let Some(running) = self.running.get() else { return self.shut_down_idle() };
        running.refuse_own_threads()?;
        self.shut_down.store(true, Ordering::Release);
        let begun = Instant::now();
        let collected = running.collect_async(self.patience(timeout), true).await;
        let left = timeout.saturating_sub(begun.elapsed());
        let delivered = running.pipeline.shutdown_async(left).await;
        self.ended.store(true, Ordering::Release);
        collected.and(delivered)
    }

    /// Begins a shutdown that nobody waits for, without another collection.
    pub(super) fn start_shutdown(&self) {
        self.shut_down.store(true, Ordering::Release);
        self.ended.store(true, Ordering::Release);
        if let Some(running) = self.running.get() {
            running.pipeline.start_shutdown();
        }
    }

    /// No provider has taken the reader: there is nothing to flush.
    fn not_running(&self) -> Result<(), PipelineError> {
        match self.shut_down.load(Ordering::Acquire) {
            true => Err(PipelineError::AlreadyShutdown),
            false => Ok(()),
        }
    }

    /// No provider has taken the reader, and none will get anything of it.
    fn shut_down_idle(&self) -> Result<(), PipelineError> {
        // The exporter, and all that the user gave it, goes here.
        let start = self.start.lock().take();
        if self.shut_down.swap(true, Ordering::AcqRel) {
            return Err(PipelineError::AlreadyShutdown);
        }
        if crate::foreign::caught(|| drop(start)).is_err() {
            self.count_panic();
        }
        Ok(())
    }

    /// How long callbacks may take: half of the time, so that what is held has a chance to leave.
    fn patience(&self, timeout: Duration) -> Duration {
        let limit = self.config.timeout;
        let half = timeout / 2;
        if limit.is_zero() { half } else { half.min(limit) }
    }
}

impl Running {
    pub(in crate::metrics) fn new(pipeline: Pipeline, requests: SyncSender<Request>) -> Self {
        Self { pipeline, requests, collectors_thread: OnceLock::new() }
    }

    pub(in crate::metrics) fn collectors_thread_is(&self, id: ThreadId) {
        self.collectors_thread.get_or_init(|| id);
    }

    pub(super) fn ledger(&self) -> Ledger {
        self.pipeline.ledger()
    }

    /// A collection by the collector's thread. One that has ended has collected all there was.
    fn collect(&self, patience: Duration, last: bool) -> Result<(), PipelineError> {
        let (sender, receiver) = sync_channel(1);
        let reply: Reply = Box::new(move |result| drop(sender.try_send(result)));
        if !self.send(Request { reply, last })? {
            return Ok(());
        }
        match receiver.recv_timeout(patience) {
            Ok(result) => result.map_err(PipelineError::Collection),
            Err(RecvTimeoutError::Timeout) => Err(overdue(patience)),
            Err(RecvTimeoutError::Disconnected) => Ok(()),
        }
    }

    async fn collect_async(&self, patience: Duration, last: bool) -> Result<(), PipelineError> {
        let (sender, receiver) = oneshot::channel();
        let reply: Reply = Box::new(move |result| drop(sender.send(result)));
        if !self.send(Request { reply, last })? {
            return Ok(());
        }
        tokio::select! {
            biased;
            result = receiver => result.unwrap_or(Ok(())).map_err(PipelineError::Collection),
            () = Delay::new(patience) => Err(overdue(patience)),
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

    /// The collector's thread runs callbacks of the user's, and the worker's the exporter.
    fn refuse_own_threads(&self) -> Result<(), PipelineError> {
        let here = std::thread::current().id();
        if self.collectors_thread.get() == Some(&here) || self.pipeline.is_workers_thread() {
            return Err(PipelineError::WORKERS_THREAD);
        }
        Ok(())
    }
}

fn overdue(patience: Duration) -> PipelineError {
    PipelineError::Collection(format!(
        "callbacks of observable instruments did not return within {patience:.1?}"
    ))
}

/// Most flushes that wait for a collection at once.
pub(in crate::metrics) const ASKED_MAX: usize = 1024;
