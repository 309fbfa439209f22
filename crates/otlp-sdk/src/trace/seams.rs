//! What the user has brought: processors, a sampler, an id generator.
//!
//! It is let go when the provider is shut down for the last time, on the thread that does so. Spans and the
//! stocks of recorders that threads keep refer to the provider for longer, and what is released with
//! a thread's locals could not reach the locals of others any more.

use std::time::{Duration, Instant};

use arc_swap::ArcSwapOption;
use opentelemetry::Context;
use opentelemetry::trace::{SpanContext, SpanId, TraceId};

use super::id_generator::{IdSource, RandomIdGenerator};
use super::local;
use super::processor::{ActiveSpan, FinishedSpan, SpanProcessor};
use super::provider::Provider;
use super::recorder::Recorder;
use super::sampler::{Decision, Sampler, SamplingInput, SamplingOutput};
use crate::foreign::caught;
use crate::pipeline::PipelineError;

/// Where a provider keeps them.
pub(super) type Slot = ArcSwapOption<Seams>;

/// The parts of a provider that run code which is not ours.
#[derive(Debug)]
pub(super) struct Seams {
    pub(super) stages: Vec<Stage>,
    /// Only if it runs foreign code, anywhere in it.
    pub(super) sampler: Option<Sampler>,
    /// Only if they come from a generator of the user's.
    pub(super) ids: Option<IdSource>,
}

/// One step of a span's end, in the order of registration.
#[derive(Debug)]
pub(super) enum Stage {
    /// With its place among the pipelines.
    Pipeline(usize),
    Processor(Box<dyn SpanProcessor>),
}

impl Seams {
    pub(super) fn has_processors(&self) -> bool {
        self.processors().next().is_some()
    }

    fn processors(&self) -> impl Iterator<Item = &dyn SpanProcessor> {
        self.stages.iter().filter_map(|stage| match stage {
            Stage::Pipeline(_) => None,
            Stage::Processor(processor) => Some(&**processor),
        })
    }
}

/// Calls of user code. A panic in it is counted and goes no further.
impl Provider {
    /// `None` when everything has been let go.
    fn with_seams<R>(&self, call: impl FnOnce(&Seams) -> R) -> Option<R> {
        let seams = self.seams.load_full()?;
        let result = call(&seams);
        // Perhaps the last to hold them.
        self.guarded(|| drop(seams));
        Some(result)
    }

    /// Releases what the user has brought.
    pub(super) fn let_go(&self) {
        let seams = self.seams.swap(None);
        self.guarded(|| drop(seams));
    }

    fn guarded<R>(&self, call: impl FnOnce() -> R) -> Option<R> {
        // A recorder is whole after every single call of a processor, so nothing half-done is seen
        // afterwards.
        let result = local::in_foreign_code(|| caught(call));
        result.inspect_err(|_| self.count_panic()).ok()
    }

    /// Calls the processors' `on_start`.
    #[cold]
    pub(super) fn processors_on_start(
        &self,
        recorder: &mut Recorder,
        context: &SpanContext,
        parent: &Context,
    ) {
        self.with_seams(|seams| {
            for processor in seams.processors() {
                self.guarded(|| {
                    processor.on_start(&mut ActiveSpan::new(recorder, context), parent);
                });
            }
        });
    }

    /// A recorded span has ended: processors see it, and if it is sampled, pipelines take it, in the
    /// order in which they were added.
    #[cold]
    pub(super) fn processors_on_end(&self, recorder: &mut Recorder, context: &SpanContext) {
        let done = self.with_seams(|seams| {
            for processor in seams.processors() {
                self.guarded(|| processor.on_ending(&mut ActiveSpan::new(recorder, context)));
            }
            for stage in &seams.stages {
                match stage {
                    Stage::Pipeline(at) if recorder.sampled => local::append(recorder, *at),
                    Stage::Pipeline(_) => {}
                    Stage::Processor(processor) => {
                        self.guarded(|| processor.on_end(&FinishedSpan::new(recorder, context)));
                    }
                }
            }
        });
        if done.is_none() && recorder.sampled {
            // After shutdown: the pipelines count it.
            (0..self.pipelines.len()).for_each(|at| local::append(recorder, at));
        }
    }

    /// Asks every processor to flush or to shut down, in order, within one deadline; the first error
    /// is told.
    pub(super) fn ask_processors(
        &self,
        timeout: Duration,
        begun: Instant,
        call: impl Fn(&dyn SpanProcessor, Duration) -> Result<(), PipelineError>,
    ) -> Result<(), PipelineError> {
        let panicked = || Err(PipelineError::NoWorker("a span processor panicked"));
        let answers = self.with_seams(|seams| {
            let mut first = Ok(());
            for processor in seams.processors() {
                let left = timeout.saturating_sub(begun.elapsed());
                let answer = self.guarded(|| call(processor, left));
                first = first.and(answer.unwrap_or_else(panicked));
            }
            first
        });
        answers.unwrap_or(Ok(()))
    }

    /// Asks a sampler that runs foreign code. When it panics, the span is dropped.
    #[cold]
    pub(super) fn ask_sampler(&self, input: &SamplingInput<'_>) -> SamplingOutput {
        let ask = |seams: &Seams| self.guarded(|| Some(seams.sampler.as_ref()?.sample(input)));
        self.with_seams(ask).flatten().flatten().unwrap_or_else(|| Decision::Drop.into())
    }

    #[cold]
    pub(super) fn ask_for_trace_id(&self) -> TraceId {
        let ask = |seams: &Seams| Some(seams.ids.as_ref()?.trace_id_or(|| self.count_panic()));
        self.with_seams(ask).flatten().unwrap_or_else(|| RandomIdGenerator.new_trace_id())
    }

    #[cold]
    pub(super) fn ask_for_span_id(&self) -> SpanId {
        let ask = |seams: &Seams| Some(seams.ids.as_ref()?.span_id_or(|| self.count_panic()));
        self.with_seams(ask).flatten().unwrap_or_else(|| RandomIdGenerator.new_span_id())
    }
}
