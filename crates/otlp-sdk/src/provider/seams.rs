//! What the user has brought to a provider: processors, and what else runs code that is not ours.
//!
//! It is let go when the provider is shut down for the last time, on the thread that does so. Spans and the
//! stocks of recorders that threads keep refer to the provider for longer, and what is released with
//! a thread's locals could not reach the locals of others any more.

use std::fmt;
use std::time::{Duration, Instant};

use arc_swap::ArcSwapOption;

use super::core::Core;
use crate::pipeline::PipelineError;

/// The processors of a provider, in order, and the `others` that the signal has beside them.
#[derive(Debug)]
pub(crate) struct Seams<P: ?Sized, X> {
    pub(crate) stages: Vec<Stage<P>>,
    pub(crate) others: X,
}

/// One step of an item's end, in the order of registration.
#[derive(Debug)]
pub(crate) enum Stage<P: ?Sized> {
    /// With its place among the pipelines.
    Pipeline(usize),
    Processor(Box<P>),
}

/// What every kind of processor can be asked.
pub(crate) trait Hooks: fmt::Debug + Send + Sync {
    fn force_flush(&self, timeout: Duration) -> Result<(), PipelineError>;
    fn shutdown(&self, timeout: Duration) -> Result<(), PipelineError>;
}

impl<P: ?Sized, X> Seams<P, X> {
    pub(crate) fn processors(&self) -> impl Iterator<Item = &P> {
        self.stages.iter().filter_map(|stage| match stage {
            Stage::Pipeline(_) => None,
            Stage::Processor(processor) => Some(&**processor),
        })
    }
}

/// Where a provider keeps them.
pub(crate) struct SeamsSlot<P: ?Sized, X>(ArcSwapOption<Seams<P, X>>);

impl<P: ?Sized, X> SeamsSlot<P, X> {
    pub(crate) fn new(stages: Vec<Stage<P>>, others: X) -> Self {
        Self(ArcSwapOption::from_pointee(Seams { stages, others }))
    }

    /// Calls user code; `None` when everything has been let go.
    pub(crate) fn with<R>(&self, core: &Core, call: impl FnOnce(&Seams<P, X>) -> R) -> Option<R> {
        let seams = self.0.load_full()?;
        let result = call(&seams);
        // Perhaps the last to hold them.
        core.guarded(|| drop(seams));
        Some(result)
    }

    /// Releases what the user has brought.
    pub(crate) fn let_go(&self, core: &Core) {
        let seams = self.0.swap(None);
        core.guarded(|| drop(seams));
    }
}

impl<P: Hooks + ?Sized, X> SeamsSlot<P, X> {
    /// Asks every processor to flush or to shut down, in order, within one deadline; the first error
    /// is told.
    pub(super) fn ask_processors(
        &self,
        core: &Core,
        shutdown: bool,
        timeout: Duration,
        begun: Instant,
    ) -> Result<(), PipelineError> {
        let panicked = || Err(PipelineError::NoWorker("a processor panicked"));
        let answers = self.with(core, |seams| {
            let mut first = Ok(());
            for processor in seams.processors() {
                let left = timeout.saturating_sub(begun.elapsed());
                let answer = core.guarded(|| match shutdown {
                    true => processor.shutdown(left),
                    false => processor.force_flush(left),
                });
                first = first.and(answer.unwrap_or_else(panicked));
            }
            first
        });
        answers.unwrap_or(Ok(()))
    }
}

impl<P: ?Sized + fmt::Debug, X: fmt::Debug> fmt::Debug for SeamsSlot<P, X> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.load().fmt(f)
    }
}
