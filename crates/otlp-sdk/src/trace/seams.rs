//! Calls of what the user has brought: processors, a sampler, an id generator.

use std::time::Duration;

use opentelemetry::Context;
use opentelemetry::trace::{SpanContext, SpanId, TraceId};

use super::id_generator::{IdSource, RandomIdGenerator};
use super::processor::{ActiveSpan, FinishedSpan, SpanProcessor};
use super::provider::Provider;
use super::recorder::{Measured, Recorder};
use super::sampler::{Decision, Sampler, SamplingInput, SamplingOutput};
use crate::pipeline::PipelineError;
use crate::provider::{self, Hooks, SeamsSlot, Stage};

type Seams = provider::Seams<dyn SpanProcessor, Others>;

/// Where a provider keeps them.
pub(super) type Slot = SeamsSlot<dyn SpanProcessor, Others>;

/// What runs code that is not ours beside the processors.
#[derive(Debug)]
pub(crate) struct Others {
    /// Only if it runs foreign code, anywhere in it.
    pub(super) sampler: Option<Sampler>,
    /// Only if they come from a generator of the user's.
    pub(super) ids: Option<IdSource>,
}

impl Hooks for dyn SpanProcessor {
    fn force_flush(&self, timeout: Duration) -> Result<(), PipelineError> {
        SpanProcessor::force_flush(self, timeout)
    }

    fn shutdown(&self, timeout: Duration) -> Result<(), PipelineError> {
        SpanProcessor::shutdown(self, timeout)
    }
}

/// Calls of user code. A panic in it is counted and goes no further; a recorder is whole after every
/// single call of a processor.
impl Provider {
    /// Calls the processors' `on_start`.
    #[cold]
    pub(crate) fn processors_on_start(
        &self,
        recorder: &mut Recorder,
        context: &SpanContext,
        parent: &Context,
    ) {
        self.seams.with(&self.core, |seams| {
            for processor in seams.processors() {
                self.core.guarded(|| {
                    processor.on_start(&mut ActiveSpan::new(recorder, context), parent);
                });
            }
        });
    }

    /// A recorded span has ended: processors see it, and if it is sampled, pipelines take it, in the
    /// order in which they were added.
    #[cold]
    pub(super) fn processors_on_end(&self, recorder: &mut Recorder, context: &SpanContext) {
        let done = self.seams.with(&self.core, |seams| {
            for processor in seams.processors() {
                self.core.guarded(|| processor.on_ending(&mut ActiveSpan::new(recorder, context)));
            }
            for stage in &seams.stages {
                match stage {
                    Stage::Pipeline(at) if recorder.sampled => self.append(recorder, *at),
                    Stage::Pipeline(_) => {}
                    Stage::Processor(processor) => {
                        self.core
                            .guarded(|| processor.on_end(&FinishedSpan::new(recorder, context)));
                    }
                }
            }
        });
        if done.is_none() && recorder.sampled {
            // After shutdown: the pipelines count it.
            provider::append_to_all(&self.core, &Measured::new(recorder), &recorder.scope.header);
        }
    }

    fn append(&self, recorder: &Recorder, at: usize) {
        provider::append(&self.core, at, &Measured::new(recorder), &recorder.scope.header);
    }

    /// Asks a sampler that runs foreign code. When it panics, the span is dropped.
    #[cold]
    pub(super) fn ask_sampler(&self, input: &SamplingInput<'_>) -> SamplingOutput {
        let ask = |seams: &Seams| {
            self.core.guarded(|| Some(seams.others.sampler.as_ref()?.sample(input)))
        };
        self.seams
            .with(&self.core, ask)
            .flatten()
            .flatten()
            .unwrap_or_else(|| Decision::Drop.into())
    }

    #[cold]
    pub(super) fn ask_for_trace_id(&self) -> TraceId {
        let ask = |seams: &Seams| {
            Some(seams.others.ids.as_ref()?.trace_id_or(|| self.core.count_panic()))
        };
        self.seams
            .with(&self.core, ask)
            .flatten()
            .unwrap_or_else(|| RandomIdGenerator.new_trace_id())
    }

    #[cold]
    pub(super) fn ask_for_span_id(&self) -> SpanId {
        let ask =
            |seams: &Seams| Some(seams.others.ids.as_ref()?.span_id_or(|| self.core.count_panic()));
        self.seams
            .with(&self.core, ask)
            .flatten()
            .unwrap_or_else(|| RandomIdGenerator.new_span_id())
    }
}
