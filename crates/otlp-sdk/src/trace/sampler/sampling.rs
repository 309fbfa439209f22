//! What a sampler is asked and what it answers: borrowed, so that the question costs nothing.

use opentelemetry::trace::{Link, SpanContext, SpanKind, TraceId, TraceState};
use opentelemetry::{Context, KeyValue};

/// The question: all that is known when a span starts. (P3)
#[derive(Debug)]
pub(crate) struct SamplingInput<'a> {
    /// The context in which the span starts.
    pub(crate) parent_context: &'a Context,
    /// The span context in it, if it is valid.
    pub(crate) parent: Option<&'a SpanContext>,
    /// The new span's trace id: the parent's, or a new one.
    pub(crate) trace_id: TraceId,
    /// The new span's name.
    pub(crate) name: &'a str,
    /// The new span's kind.
    pub(crate) kind: &'a SpanKind,
    /// The attributes that are set already.
    pub(crate) attributes: &'a [KeyValue],
    /// The links that are set already.
    pub(crate) links: &'a [Link],
}

/// The answer.
#[derive(Debug)]
#[must_use]
pub(crate) struct SamplingOutput {
    /// What happens to the span.
    pub(crate) decision: Decision,
    /// Attributes to be added to it. (P2)
    pub(crate) attributes: Option<Box<[KeyValue]>>,
    /// Its trace state; `None` keeps the parent's, an empty one clears it. (P2)
    pub(crate) trace_state: Option<TraceState>,
}

impl From<Decision> for SamplingOutput {
    /// No attributes added, the parent's trace state kept.
    #[inline]
    fn from(decision: Decision) -> Self {
        Self { decision, attributes: None, trace_state: None }
    }
}

/// What happens to a span. "Sampled but not recording" cannot be said. (P1)
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Decision {
    /// No processor and no exporter sees it.
    Drop,
    /// Processors see it, exporters do not; the sampled flag is unset.
    RecordOnly,
    /// Processors and exporters see it; the sampled flag is set.
    RecordAndSample,
}

impl Decision {
    /// Keep or drop.
    #[inline]
    pub(crate) const fn keep(keep: bool) -> Self {
        if keep { Self::RecordAndSample } else { Self::Drop }
    }

    /// Whether the sampled flag is set.
    #[inline]
    pub(crate) const fn is_sampled(self) -> bool {
        matches!(self, Self::RecordAndSample)
    }
}
