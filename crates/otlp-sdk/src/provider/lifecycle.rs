//! How a provider is flushed and how it ends.

use std::fmt;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use futures_util::future::join_all;

use super::core::Core;
use super::seams::{Hooks, SeamsSlot};
use crate::pipeline::{Asked, Pipeline, PipelineError};
use crate::say::say;

/// A provider of some signal, as far as flush and shutdown are concerned.
pub(crate) trait Lifecycle: fmt::Debug + Send + Sync {
    /// What the signal calls a processor.
    type Processor: Hooks + ?Sized;
    /// What else the user may bring.
    type Others: fmt::Debug + Send + Sync;
    /// What messages call the provider.
    const NAME: &'static str;

    fn core(&self) -> &Core;

    /// Items that have begun and not ended: what ends after shutdown is lost.
    fn open(&self) -> u64 {
        0
    }
    fn seams(&self) -> &SeamsSlot<Self::Processor, Self::Others>;

    fn force_flush(&self, timeout: Duration) -> Result<(), PipelineError> {
        self.start_flush(timeout).finish()
    }

    /// Asks for a flush without waiting for the pipelines.
    fn start_flush(&self, timeout: Duration) -> Underway<'_> {
        let begun = Instant::now();
        let first = self.ask_processors(false, timeout, begun);
        let left = |_: &Pipeline| timeout.saturating_sub(begun.elapsed());
        Underway { first: Some(first), asked: self.ask_pipelines(false, left), ended: None }
    }

    async fn force_flush_async(&self, timeout: Duration) -> Result<(), PipelineError> {
        let begun = Instant::now();
        let first = self.ask_processors(false, timeout, begun);
        let left = timeout.saturating_sub(begun.elapsed());
        let asked = self.core().pipelines.iter().map(|pipeline| pipeline.force_flush_async(left));
        first.and(join_all(asked).await.into_iter().collect())
    }

    fn shutdown(&self, timeout: impl Fn(&Pipeline) -> Duration) -> Result<(), PipelineError> {
        self.start_shutdown(timeout)?.finish()
    }

    /// Asks for a shutdown without waiting for the pipelines.
    fn start_shutdown(
        &self,
        timeout: impl Fn(&Pipeline) -> Duration,
    ) -> Result<Underway<'_>, PipelineError> {
        let begun = Instant::now();
        let pipelines = &self.core().pipelines;
        let longest = pipelines.iter().map(&timeout).max().unwrap_or(SHUTDOWN_TIMEOUT);
        let first = self.begin_shutdown(longest, begun)?;
        let left = |pipeline: &Pipeline| timeout(pipeline).saturating_sub(begun.elapsed());
        Ok(Underway {
            first,
            asked: self.ask_pipelines(true, left),
            ended: Some(&self.core().ended),
        })
    }

    async fn shutdown_async(&self, timeout: Duration) -> Result<(), PipelineError> {
        let begun = Instant::now();
        let first = self.begin_shutdown(timeout, begun)?;
        let left = timeout.saturating_sub(begun.elapsed());
        let asked = self.core().pipelines.iter().map(|pipeline| pipeline.shutdown_async(left));
        let answers = join_all(asked).await;
        self.core().ended.store(true, Ordering::Release);
        end(first, answers)
    }

    /// Nothing is recorded from here on, and the processors are shut down, once. The answer is theirs;
    /// `None` from the second call on.
    fn begin_shutdown(
        &self,
        timeout: Duration,
        begun: Instant,
    ) -> Result<Option<Result<(), PipelineError>>, PipelineError> {
        if self.core().pipelines.iter().any(Pipeline::is_workers_thread) {
            return Err(PipelineError::WORKERS_THREAD);
        }
        if self.core().shut_down.swap(true, Ordering::AcqRel) {
            return Ok(None);
        }
        let open = self.open();
        if open > 0 {
            say!(
                Warn,
                open,
                "shut down while spans are open: they will be dropped as after_shutdown when they end"
            );
        }
        Ok(Some(self.ask_processors(true, timeout, begun)))
    }

    fn ask_processors(
        &self,
        shutdown: bool,
        timeout: Duration,
        begun: Instant,
    ) -> Result<(), PipelineError> {
        self.seams().ask_processors(self.core(), shutdown, timeout, begun)
    }

    /// Asks every pipeline before anybody waits for an answer: a destination that is away must not use up
    /// the time of one that is there (row W8).
    fn ask_pipelines(
        &self,
        shutdown: bool,
        timeout: impl Fn(&Pipeline) -> Duration,
    ) -> Vec<Result<Asked<'_>, PipelineError>> {
        let ask = |pipeline| Pipeline::ask(pipeline, timeout(pipeline), shutdown);
        self.core().pipelines.iter().map(ask).collect()
    }
}

/// A flush or shutdown of a provider at work.
pub(crate) struct Underway<'a> {
    /// What the processors have answered, if they were asked.
    first: Option<Result<(), PipelineError>>,
    asked: Vec<Result<Asked<'a>, PipelineError>>,
    /// To be set when a shutdown has ended.
    ended: Option<&'a AtomicBool>,
}

impl Underway<'_> {
    /// Waits for every answer.
    pub(crate) fn finish(self) -> Result<(), PipelineError> {
        // All answers first: the error of one must not hide that another is still at work.
        let answers = self.asked.into_iter().map(|asked| asked?.answer()).collect();
        self.ended.into_iter().for_each(|ended| ended.store(true, Ordering::Release));
        end(self.first, answers)
    }
}

/// What is answered: the first error. A second shutdown has waited for the first, if that was
/// still at work; otherwise every pipeline, if there is one, says that it was shut down before.
fn end(
    first: Option<Result<(), PipelineError>>,
    answers: Vec<Result<(), PipelineError>>,
) -> Result<(), PipelineError> {
    match first {
        Some(first) => answers.into_iter().fold(first, Result::and),
        None if answers.is_empty() => Err(PipelineError::AlreadyShutdown),
        None => answers.into_iter().collect(),
    }
}

/// Shuts the pipelines down when the last user of the provider is gone.
#[derive(Debug)]
pub(crate) struct Handle<P: Lifecycle> {
    pub(crate) provider: Arc<P>,
}

impl<P: Lifecycle> Drop for Handle<P> {
    fn drop(&mut self) {
        let provider = &*self.provider;
        if provider.core().ended.load(Ordering::Acquire) {
            // Somebody has waited as long as they wanted to.
            return provider.seams().let_go(provider.core());
        }
        match provider.shutdown(Pipeline::shutdown_timeout) {
            Ok(()) | Err(PipelineError::AlreadyShutdown) => {}
            Err(PipelineError::NoWorker(_)) => {
                // On a worker's thread, which cannot wait for itself.
                if !provider.core().shut_down.swap(true, Ordering::AcqRel) {
                    let _ = provider.ask_processors(true, SHUTDOWN_TIMEOUT, Instant::now());
                }
                provider.core().pipelines.iter().for_each(Pipeline::start_shutdown);
            }
            Err(error) => {
                let ledger = provider.core().ledger();
                say!(Warn, %error, %ledger, "shutdown at the end of the {}", P::NAME);
            }
        }
        provider.seams().let_go(provider.core());
    }
}

/// How long a flush waits unless it is told.
pub(crate) const FLUSH_TIMEOUT: Duration = Duration::from_secs(30);
/// How long a shutdown waits unless it is told.
pub(crate) const SHUTDOWN_TIMEOUT: Duration = Duration::from_secs(5);
