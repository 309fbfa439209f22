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
/// A sixth can be set for parents whose B3 headers leave the decision to us; see
/// `ParentBasedBuilder::with_remote_parent_deferred`, which the feature `b3` brings.
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
    /// Stands in for `remote_not_sampled` where the parent's process has not decided.
    remote_deferred: Option<Sampler>,
}

impl ParentBased {
    /// The samplers that it asks.
    pub(super) fn delegates(&self) -> impl Iterator<Item = &Sampler> {
        let Self {
            root,
            remote_sampled,
            remote_not_sampled,
            local_sampled,
            local_not_sampled,
            remote_deferred,
        } = self;
        [root, remote_sampled, remote_not_sampled, local_sampled, local_not_sampled]
            .into_iter()
            .chain(remote_deferred)
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
            remote_deferred: None,
        })
    }

    pub(super) fn sample(&self, input: &SamplingInput<'_>) -> SamplingOutput {
        let Some(parent) = input.parent else {
            return self.root.sample(input);
        };
        let deferred = self.remote_deferred.as_ref().filter(|_| is_deferred(input));
        let mut output = deferred.unwrap_or_else(|| self.delegate(parent)).sample(input);
        if parent.is_remote() {
            remove_false_threshold(&mut output, parent, input.trace_id);
        }
        output
    }

    /// See [`Sampler::at_a_glance`]. The trace state of a remote parent wants a look, and where it may
    /// be deferred the context does.
    #[inline]
    pub(super) fn at_a_glance(&self, parent: Option<&SpanContext>) -> Option<Decision> {
        match parent {
            None => self.root.constant(),
            Some(parent) if parent.is_remote() && *parent.trace_state() != TraceState::NONE => None,
            Some(parent) if self.remote_deferred.is_some() && parent.is_remote() => None,
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
        let deferred = self.remote_deferred.as_ref().map(Sampler::description);
        let deferred = deferred.map(|deferred| format!(",remoteParentDeferred:{deferred}"));
        format!(
            "ParentBased{{root:{},remoteParentSampled:{},remoteParentNotSampled:{},\
             localParentSampled:{},localParentNotSampled:{}{}}}",
            self.root.description(),
            self.remote_sampled.description(),
            self.remote_not_sampled.description(),
            self.local_sampled.description(),
            self.local_not_sampled.description(),
            deferred.unwrap_or_default(),
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

    /// For a parent in another process that has not decided and leaves that to us, which only B3
    /// headers can say. Default: as a parent that was not sampled, since that is what the span context
    /// says. Usually the root's sampler:
    ///
    /// ```
    /// use otlp_sdk::trace::sampler::{ParentBased, Sampler};
    ///
    /// let root = Sampler::probability(0.1)?;
    /// let sampler = ParentBased::builder(root.clone()).with_remote_parent_deferred(root).build();
    /// # Ok::<(), otlp_sdk::trace::sampler::SamplerError>(())
    /// ```
    ///
    /// Cost: for spans under a remote parent, a look into the context.
    #[cfg(feature = "b3")]
    pub fn with_remote_parent_deferred(mut self, sampler: impl Into<Sampler>) -> Self {
        self.0.remote_deferred = Some(sampler.into());
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

/// Whether the parent's process left the decision to us.
#[cfg(feature = "b3")]
fn is_deferred(input: &SamplingInput<'_>) -> bool {
    let deferred = |parent| crate::propagation::is_deferred(input.parent_context, parent);
    input.parent.is_some_and(deferred)
}

/// Only B3 can say so.
#[cfg(not(feature = "b3"))]
const fn is_deferred(_: &SamplingInput<'_>) -> bool {
    false
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
