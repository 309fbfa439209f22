//! What B3 and Jaeger say about sampling that a `SpanContext` has no room for: that a trace is being
//! debugged, that nobody has decided about it yet.
//!
//! It travels in the [`Context`] beside the span context. The flags byte is no place for it: all of its
//! bits are W3C's (row I3, trap 15).

use opentelemetry::Context;
use opentelemetry::trace::{SpanContext, SpanId, TraceContextExt, TraceFlags, TraceId, TraceState};

/// The sampling state of a header.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Sampling {
    /// Whoever receives it decides.
    Deferred,
    Deny,
    Accept,
    /// Accepted, and to be kept by all who see it.
    Debug,
}

impl Sampling {
    /// What to send for the span of `cx`.
    ///
    /// Debug stays with the trace, whatever was decided here. A deferred decision is handed on only by
    /// whoever has made no span: who has made one has decided.
    pub(super) fn outgoing(cx: &Context, span: &SpanContext) -> Self {
        let told = cx.get::<Told>().filter(|told| told.trace_id == span.trace_id());
        match told {
            Some(Told { sampling: Self::Debug, .. }) => Self::Debug,
            _ if span.is_sampled() => Self::Accept,
            Some(Told { sampling: Self::Deferred, span_id, .. }) if *span_id == span.span_id() => {
                Self::Deferred
            }
            _ => Self::Deny,
        }
    }

    const fn is_sampled(self) -> bool {
        matches!(self, Self::Accept | Self::Debug)
    }

    const fn fits_into_flags(self) -> bool {
        matches!(self, Self::Accept | Self::Deny)
    }
}

/// What was extracted into a context beside its span context, and the parent that it is about.
#[derive(Clone, Copy, Debug)]
struct Told {
    trace_id: TraceId,
    span_id: SpanId,
    sampling: Sampling,
}

/// Whether `parent`, the span of `cx`, came with a decision that is left to its receiver.
#[cfg(feature = "b3")]
pub(crate) fn is_deferred(cx: &Context, parent: &SpanContext) -> bool {
    Sampling::outgoing(cx, parent) == Sampling::Deferred
}

/// `cx` with this remote parent.
///
/// Where another format told of the same parent already, its trace state and random flag stay: this one
/// has none to put in their place.
pub(super) fn with_remote_parent(
    cx: &Context,
    (trace_id, span_id): (TraceId, SpanId),
    sampling: Sampling,
) -> Context {
    let span = cx.span();
    let known = span.span_context();
    let (flags, state) = if (known.trace_id(), known.span_id()) == (trace_id, span_id) {
        (known.trace_flags(), known.trace_state().clone())
    } else {
        (TraceFlags::default(), TraceState::NONE)
    };
    let flags = flags.with_sampled(sampling.is_sampled());
    let remote = SpanContext::new(trace_id, span_id, flags, true, state);
    let extracted = cx.with_remote_span_context(remote);
    if sampling.fits_into_flags() && cx.get::<Told>().is_none() {
        return extracted;
    }
    extracted.with_value(Told { trace_id, span_id, sampling })
}
