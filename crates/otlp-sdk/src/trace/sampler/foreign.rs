//! The way to and from the official SDK: its samplers in ours, ours in its.

use std::sync::Arc;

use opentelemetry::trace::{Link, SpanKind, TraceContextExt, TraceId, TraceState};
use opentelemetry::{Context, KeyValue};
use opentelemetry_sdk::trace::{SamplingDecision, SamplingResult, ShouldSample};

use super::{Decision, Sampler, SamplingInput, SamplingOutput, TraceIdRatioBased};

/// Asks a foreign sampler. It may panic; the tracer catches that.
pub(super) fn sample(sampler: &dyn ShouldSample, input: &SamplingInput<'_>) -> SamplingOutput {
    let result = sampler.should_sample(
        Some(input.parent_context),
        input.trace_id,
        input.name,
        input.kind,
        input.attributes,
        input.links,
    );
    SamplingOutput {
        decision: result.decision.into(),
        attributes: (!result.attributes.is_empty()).then(|| result.attributes.into()),
        trace_state: Some(result.trace_state),
    }
}

/// Its `Debug` text, which is all that the trait offers.
pub(super) fn description(sampler: &dyn ShouldSample) -> String {
    let mut text = format!("{sampler:?}");
    let cut = (0..=MAX_DESCRIPTION_BYTES).rev().find(|end| text.is_char_boundary(*end));
    if text.len() > MAX_DESCRIPTION_BYTES {
        text.truncate(cut.unwrap_or(0));
    }
    text
}

const MAX_DESCRIPTION_BYTES: usize = 256;

impl From<SamplingDecision> for Decision {
    fn from(decision: SamplingDecision) -> Self {
        match decision {
            SamplingDecision::Drop => Self::Drop,
            SamplingDecision::RecordOnly => Self::RecordOnly,
            SamplingDecision::RecordAndSample => Self::RecordAndSample,
        }
    }
}

impl From<Decision> for SamplingDecision {
    fn from(decision: Decision) -> Self {
        match decision {
            Decision::Drop => Self::Drop,
            Decision::RecordOnly => Self::RecordOnly,
            Decision::RecordAndSample => Self::RecordAndSample,
        }
    }
}

/// Lets the official SDK use our samplers.
impl ShouldSample for Sampler {
    fn should_sample(
        &self,
        parent_context: Option<&Context>,
        trace_id: TraceId,
        name: &str,
        span_kind: &SpanKind,
        attributes: &[KeyValue],
        links: &[Link],
    ) -> SamplingResult {
        let no_context = Context::new();
        let parent_context = parent_context.unwrap_or(&no_context);
        let span = parent_context.span();
        let parent = Some(span.span_context()).filter(|parent| parent.is_valid());
        let output = self.sample(&SamplingInput {
            parent_context,
            parent,
            trace_id,
            name,
            kind: span_kind,
            attributes,
            links,
        });
        let inherited = || parent.map_or(TraceState::NONE, |parent| parent.trace_state().clone());
        SamplingResult {
            decision: output.decision.into(),
            attributes: output.attributes.map(Vec::from).unwrap_or_default(),
            trace_state: output.trace_state.unwrap_or_else(inherited),
        }
    }
}

impl From<Box<dyn ShouldSample>> for Sampler {
    fn from(sampler: Box<dyn ShouldSample>) -> Self {
        Self::Custom(Arc::from(sampler))
    }
}

/// Each becomes its counterpart here: a ratio out of range is clamped, as there, and a parent-based
/// sampler's root keeps the attributes and the trace state that it returns, which there are lost.
impl From<opentelemetry_sdk::trace::Sampler> for Sampler {
    fn from(sampler: opentelemetry_sdk::trace::Sampler) -> Self {
        use opentelemetry_sdk::trace::Sampler as Official;
        match sampler {
            Official::AlwaysOn => Self::AlwaysOn,
            Official::AlwaysOff => Self::AlwaysOff,
            Official::TraceIdRatioBased(ratio) => TraceIdRatioBased::clamped(ratio).into(),
            Official::ParentBased(root) => Self::parent_based(root),
            other => Self::custom(other),
        }
    }
}
