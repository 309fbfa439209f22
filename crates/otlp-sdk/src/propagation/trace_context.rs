//! The `traceparent` and `tracestate` headers of W3C Trace Context, level 2.

use std::sync::LazyLock;

use opentelemetry::Context;
use opentelemetry::propagation::text_map_propagator::FieldIter;
use opentelemetry::propagation::{Extractor, Injector, TextMapPropagator};
use opentelemetry::trace::{SpanContext, TraceContextExt, TraceId, TraceState};

use super::notice::Notice;
use super::trace_parent::TraceParent;
use super::trace_state::{CheckedTraceState, RemoteTraceState, trace_state_header};

/// Propagates the span context in the `traceparent` and `tracestate` headers of
/// [W3C Trace Context level 2](https://www.w3.org/TR/trace-context-2/) (row C2).
///
/// *Extract* is strict: a `traceparent` that is malformed, has a zero id or comes more than once
/// gives no remote parent, and the context stays as it is. A bad `tracestate` is left out as a
/// whole and the `traceparent` still counts. All `tracestate` lines are read as one list of up to
/// 32 members and 8192 bytes. For several header lines the carrier has to implement
/// [`Extractor::get_all`], as `opentelemetry_http::HeaderExtractor` does.
///
/// *Inject* writes both headers for a valid span context and none for an invalid one;
/// `tracestate` only if there is something in it. Flag 0x02, which says that the trace id is
/// random, passes through; the reserved flags do not.
///
/// Members of `tracestate` that [`TraceState`] cannot hold (level 2 allows more keys) travel in
/// the [`Context`] and are sent on with every span that continues the trace in it. They are lost
/// only where a program takes the bare `SpanContext` out and builds a new `Context` from it.
///
/// ```
/// use std::collections::HashMap;
///
/// use opentelemetry::propagation::TextMapPropagator;
/// use opentelemetry::trace::TraceContextExt;
/// use otlp_sdk::propagation::TraceContextPropagator;
///
/// let parent = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01";
/// let request = HashMap::from([("traceparent".to_owned(), parent.to_owned())]);
///
/// let cx = TraceContextPropagator::new().extract(&request);
///
/// assert!(cx.span().span_context().is_remote());
/// assert_eq!(cx.span().span_context().span_id().to_string(), "b7ad6b7169203331");
/// ```
#[derive(Clone, Copy, Debug, Default)]
pub struct TraceContextPropagator {
    _private: (),
}

impl TraceContextPropagator {
    /// The propagator; it has no options and no state.
    #[must_use]
    pub const fn new() -> Self {
        Self { _private: () }
    }
}

impl TextMapPropagator for TraceContextPropagator {
    fn inject_context(&self, cx: &Context, injector: &mut dyn Injector) {
        let span = cx.span();
        let span_context = span.span_context();
        if !span_context.is_valid() {
            return;
        }
        injector.set(TRACE_PARENT, parent_of(span_context).header());
        if let Some(state) = trace_state_header(cx, span_context) {
            injector.set(TRACE_STATE, state);
        }
    }

    // As the trait has both, but the thread's context is not borrowed meanwhile: a carrier or a log
    // layer may attach one.
    fn inject(&self, injector: &mut dyn Injector) {
        self.inject_context(&Context::current(), injector);
    }

    fn extract(&self, extractor: &dyn Extractor) -> Context {
        self.extract_with_context(&Context::current(), extractor)
    }

    fn extract_with_context(&self, cx: &Context, extractor: &dyn Extractor) -> Context {
        let Some(parent) = extract_parent(extractor) else {
            return cx.clone();
        };
        let (state, beside) = extract_state(extractor, parent.trace_id);
        let remote = SpanContext::new(parent.trace_id, parent.span_id, parent.flags, true, state);
        let cx = cx.with_remote_span_context(remote);
        match beside {
            Some(beside) => cx.with_value(beside),
            None if cx.get::<RemoteTraceState>().is_some() => cx.with_value(RemoteTraceState::NONE),
            None => cx,
        }
    }

    fn fields(&self) -> FieldIter<'_> {
        FieldIter::new(FIELDS.as_slice())
    }
}

fn parent_of(span_context: &SpanContext) -> TraceParent {
    TraceParent {
        trace_id: span_context.trace_id(),
        span_id: span_context.span_id(),
        flags: span_context.trace_flags(),
    }
}

/// The one valid `traceparent`.
fn extract_parent(extractor: &dyn Extractor) -> Option<TraceParent> {
    let lines = extractor.get_all(TRACE_PARENT)?;
    let (parent, reason) = match lines.as_slice() {
        [] => return None,
        [line] => (TraceParent::parse(line), "not a valid W3C traceparent"),
        // Nothing says which of them is the parent.
        _ => (None, "the header came more than once"),
    };
    if parent.is_none() {
        BAD_PARENT.ignored(TRACE_PARENT, reason);
    }
    parent
}

/// What of `tracestate` goes into the span context, and what has to travel beside it.
fn extract_state(
    extractor: &dyn Extractor,
    trace_id: TraceId,
) -> (TraceState, Option<RemoteTraceState>) {
    let Some(lines) = extractor.get_all(TRACE_STATE) else {
        return Default::default();
    };
    match CheckedTraceState::parse(&lines) {
        Ok(checked) => checked.for_trace(trace_id),
        Err(error) => {
            BAD_STATE.ignored(TRACE_STATE, error.reason());
            Default::default()
        }
    }
}

const TRACE_PARENT: &str = "traceparent";
const TRACE_STATE: &str = "tracestate";

static FIELDS: LazyLock<[String; 2]> =
    LazyLock::new(|| [TRACE_PARENT.to_owned(), TRACE_STATE.to_owned()]);

static BAD_PARENT: Notice = Notice::new();
static BAD_STATE: Notice = Notice::new();

#[cfg(test)]
mod tests;
