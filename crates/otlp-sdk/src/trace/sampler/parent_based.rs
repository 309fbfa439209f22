//! The parent-based sampler: five cases, each with a sampler of its own. (P5)

use std::sync::Arc;

use opentelemetry::trace::{SpanContext, TraceId, TraceState};

use super::consistent::{self, Randomness};
use super::{Decision, Sampler, SamplingInput, SamplingOutput};

/// Asks one of five samplers, depending on the parent.
///
/// | parent | default |
/// |---|---|
/// | none, or not valid | the root sampler |
/// | remote, sampled | [`Sampler::AlwaysOn`] |
/// | remote, not sampled | [`Sampler::AlwaysOff`] |
/// | local, sampled | [`Sampler::AlwaysOn`] |
/// | local, not sampled | [`Sampler::AlwaysOff`] |
///
/// A probability threshold (`ot=th:…`) of a remote parent that contradicts the parent's sampled flag
/// or the decision is removed from the trace state, since counts made from it would be wrong.
#[derive(Clone, Debug)]
#[doc(alias = "ParentBasedSampler")]
pub struct ParentBased {
    root: Sampler,
    remote_sampled: Sampler,
    remote_not_sampled: Sampler,
    local_sampled: Sampler,
    local_not_sampled: Sampler,
}

impl ParentBased {
    /// The five samplers that it asks.
    pub(super) fn delegates(&self) -> [&Sampler; 5] {
        let Self { root, remote_sampled, remote_not_sampled, local_sampled, local_not_sampled } =
            self;
        [root, remote_sampled, remote_not_sampled, local_sampled, local_not_sampled]
    }

    /// Starts from `root`, the sampler of spans without a parent.
    ///
    /// ```
    /// use otlp_sdk::trace::sampler::{ParentBased, Sampler};
    ///
    /// // Do not believe callers from outside: decide anew about what they did not sample.
    /// let root = Sampler::probability(0.01)?;
    /// let sampler =
    ///     ParentBased::builder(root.clone()).with_remote_parent_not_sampled(root).build();
    /// # Ok::<(), otlp_sdk::trace::sampler::SamplerError>(())
    /// ```
    pub fn builder(root: impl Into<Sampler>) -> ParentBasedBuilder {
        ParentBasedBuilder(Self {
            root: root.into(),
            remote_sampled: Sampler::AlwaysOn,
            remote_not_sampled: Sampler::AlwaysOff,
            local_sampled: Sampler::AlwaysOn,
            local_not_sampled: Sampler::AlwaysOff,
        })
    }

    pub(super) fn sample(&self, input: &SamplingInput<'_>) -> SamplingOutput {
        let Some(parent) = input.parent else {
            return self.root.sample(input);
        };
        let mut output = self.delegate(parent).sample(input);
        if parent.is_remote() {
            remove_false_threshold(&mut output, parent, input.trace_id);
        }
        output
    }

    /// See [`Sampler::at_a_glance`]. The trace state of a remote parent wants a look.
    #[inline]
    pub(super) fn at_a_glance(&self, parent: Option<&SpanContext>) -> Option<Decision> {
        match parent {
            None => self.root.constant(),
            Some(parent) if parent.is_remote() && *parent.trace_state() != TraceState::NONE => None,
            Some(parent) => self.delegate(parent).constant(),
        }
    }

    #[inline]
    fn delegate(&self, parent: &SpanContext) -> &Sampler {
        match (parent.is_remote(), parent.is_sampled()) {
            (true, true) => &self.remote_sampled,
            (true, false) => &self.remote_not_sampled,
            (false, true) => &self.local_sampled,
            (false, false) => &self.local_not_sampled,
        }
    }

    pub(super) fn description(&self) -> String {
        format!(
            "ParentBased{{root:{},remoteParentSampled:{},remoteParentNotSampled:{},\
             localParentSampled:{},localParentNotSampled:{}}}",
            self.root.description(),
            self.remote_sampled.description(),
            self.remote_not_sampled.description(),
            self.local_sampled.description(),
            self.local_not_sampled.description(),
        )
    }
}

impl From<ParentBased> for Sampler {
    fn from(sampler: ParentBased) -> Self {
        Self::ParentBased(Arc::new(sampler))
    }
}

/// Sets the samplers of a [`ParentBased`]; made by [`ParentBased::builder`].
#[derive(Clone, Debug)]
#[must_use = "a builder does nothing until `build`"]
pub struct ParentBasedBuilder(ParentBased);

impl ParentBasedBuilder {
    /// For a parent in another process that was sampled. Default [`Sampler::AlwaysOn`].
    pub fn with_remote_parent_sampled(mut self, sampler: impl Into<Sampler>) -> Self {
        self.0.remote_sampled = sampler.into();
        self
    }

    /// For a parent in another process that was not sampled. Default [`Sampler::AlwaysOff`].
    pub fn with_remote_parent_not_sampled(mut self, sampler: impl Into<Sampler>) -> Self {
        self.0.remote_not_sampled = sampler.into();
        self
    }

    /// For a parent in this process that was sampled. Default [`Sampler::AlwaysOn`].
    pub fn with_local_parent_sampled(mut self, sampler: impl Into<Sampler>) -> Self {
        self.0.local_sampled = sampler.into();
        self
    }

    /// For a parent in this process that was not sampled. Default [`Sampler::AlwaysOff`].
    pub fn with_local_parent_not_sampled(mut self, sampler: impl Into<Sampler>) -> Self {
        self.0.local_not_sampled = sampler.into();
        self
    }

    /// The finished sampler.
    #[must_use]
    pub fn build(self) -> Sampler {
        self.0.into()
    }
}

impl From<ParentBasedBuilder> for Sampler {
    fn from(builder: ParentBasedBuilder) -> Self {
        builder.build()
    }
}

/// Removes an inherited threshold that would be a lie. (Specification: "TraceState: Probability
/// Sampling", consistency of threshold and sampled flag.)
fn remove_false_threshold(output: &mut SamplingOutput, parent: &SpanContext, trace_id: TraceId) {
    let state = parent.trace_state();
    if output.trace_state.is_some() {
        return;
    }
    if let Some(threshold) = consistent::threshold(state) {
        let randomness = consistent::randomness(state);
        let kept = threshold.keeps(randomness.unwrap_or(Randomness::from_trace_id(trace_id)));
        if kept != parent.is_sampled() || kept != output.decision.is_sampled() {
            output.trace_state = consistent::with_threshold(state, None);
        }
    }
}
