//! What `tracing` cannot say about a span: its remote parent, links, status, attributes of other names.

use std::borrow::Cow;
use std::time::SystemTime;

use opentelemetry::trace::{SpanContext, Status, TraceContextExt};
use opentelemetry::{Context, Key, KeyValue, Value};

use super::order::{self, Order};

/// OpenTelemetry's side of a [`tracing::Span`] that a [`TracingLayer`](super::TracingLayer) has taken.
///
/// Works wherever the layer stands, also behind `reload`, filters and boxes, and reaches every such
/// layer of the subscriber. On a span that is not recorded everything is accepted and, but for its
/// context, forgotten.
///
/// ```
/// use opentelemetry::Context;
/// use opentelemetry::trace::Status;
/// use otlp_sdk::tracing_layer::OtelSpanExt;
///
/// fn handle(extracted: Context) {
///     let span = tracing::info_span!("request", otel.kind = "server");
///     // The caller's span, read from the request's headers.
///     if let Err(error) = span.set_parent(extracted) {
///         tracing::debug!(%error, "the request starts a trace of its own");
///     }
///     span.in_scope(|| { /* … */ });
///     let _ = span.set_status(Status::Ok);
/// }
/// # handle(Context::new());
/// ```
pub trait OtelSpanExt {
    /// Makes the span in `parent` this one's parent, or makes this one a root if there is none in it,
    /// and asks the sampler again.
    ///
    /// Possible until something depends on the ids that the span has: until a span of `tracing` or of our
    /// tracers is started inside it, whatever lies in between, or a link to it is recorded. That a tracer
    /// or a link of ours has taken ids over is remembered for the last few thousand of them, so where a
    /// program does that very often, a parent that is set too late may be taken; the child then keeps the
    /// ids that it had. Spans that the tracer of another SDK starts inside are not known. What was read
    /// before (a header that was sent, a log record) has the old trace id. So do it first.
    ///
    /// A span without a parent has lost nothing by what the sampler said before; one whose parent was known
    /// and not sampled is recorded from here on. A `parent` that holds this span itself changes nothing:
    /// what a propagator hands back inside the span where it has found no header. Where traces are off or
    /// shut down, nothing is recorded, and `parent` is what is current inside (row T5).
    ///
    /// # Errors
    ///
    /// [`SpanError`].
    fn set_parent(&self, parent: Context) -> Result<(), SpanError>;

    /// The context that is current inside the span, to be sent to others or attached elsewhere.
    ///
    /// # Errors
    ///
    /// [`SpanError`], except `HasChildren`.
    fn context(&self) -> Result<Context, SpanError>;

    /// The ids, flags and trace state of the span.
    ///
    /// # Errors
    ///
    /// As for [`context`](Self::context).
    fn span_context(&self) -> Result<SpanContext, SpanError> {
        Ok(self.context()?.span().span_context().clone())
    }

    /// Adds a link.
    ///
    /// # Errors
    ///
    /// As for [`context`](Self::context).
    fn add_link(&self, linked: SpanContext) -> Result<(), SpanError> {
        self.add_link_with_attributes(linked, Vec::new())
    }

    /// Adds a link with attributes.
    ///
    /// # Errors
    ///
    /// As for [`context`](Self::context).
    fn add_link_with_attributes(
        &self,
        linked: SpanContext,
        attributes: Vec<KeyValue>,
    ) -> Result<(), SpanError>;

    /// Sets an attribute, whether the span has a field of that name or not.
    ///
    /// # Errors
    ///
    /// As for [`context`](Self::context).
    fn set_attribute(&self, key: impl Into<Key>, value: impl Into<Value>) -> Result<(), SpanError>;

    /// Adds an event that happens now.
    ///
    /// # Errors
    ///
    /// As for [`context`](Self::context).
    fn add_event(
        &self,
        name: impl Into<Cow<'static, str>>,
        attributes: Vec<KeyValue>,
    ) -> Result<(), SpanError>;

    /// Adds an event that happened at `timestamp`.
    ///
    /// # Errors
    ///
    /// As for [`context`](Self::context).
    fn add_event_with_timestamp(
        &self,
        name: impl Into<Cow<'static, str>>,
        timestamp: SystemTime,
        attributes: Vec<KeyValue>,
    ) -> Result<(), SpanError>;

    /// Sets the status: `Ok` is final, `Unset` is ignored.
    ///
    /// # Errors
    ///
    /// As for [`context`](Self::context).
    fn set_status(&self, status: Status) -> Result<(), SpanError>;
}

/// Why something was not done with a span.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum SpanError {
    /// There is no subscriber, or its filters turn the span off.
    #[error("the span is disabled: there is no subscriber, or its filters turn the span off")]
    Disabled,
    /// The subscriber has no `TracingLayer`, or a filter of that layer leaves the span out, or telemetry
    /// was suppressed where the span started, as on the threads of exporters.
    #[error(
        "no TracingLayer has the span: the subscriber has none, the layer's filters leave it out, or \
         telemetry was suppressed where it started"
    )]
    NotFound,
    /// The parent cannot be changed any more: a span was started inside this one, or a link to it was made.
    #[error(
        "the parent cannot be set any more, a span was started inside this one or linked to it: set \
         it right after the span was created"
    )]
    HasChildren,
}

impl OtelSpanExt for tracing::Span {
    fn set_parent(&self, parent: Context) -> Result<(), SpanError> {
        order::give(self, Order::SetParent(parent)).map(drop)
    }

    fn context(&self) -> Result<Context, SpanError> {
        order::give(self, Order::TellContext)
    }

    fn add_link_with_attributes(
        &self,
        linked: SpanContext,
        attributes: Vec<KeyValue>,
    ) -> Result<(), SpanError> {
        order::give(self, Order::AddLink(linked, attributes)).map(drop)
    }

    fn set_attribute(&self, key: impl Into<Key>, value: impl Into<Value>) -> Result<(), SpanError> {
        order::give(self, Order::SetAttribute(KeyValue::new(key, value))).map(drop)
    }

    fn add_event(
        &self,
        name: impl Into<Cow<'static, str>>,
        attributes: Vec<KeyValue>,
    ) -> Result<(), SpanError> {
        order::give(self, Order::AddEvent(name.into(), None, attributes)).map(drop)
    }

    fn add_event_with_timestamp(
        &self,
        name: impl Into<Cow<'static, str>>,
        timestamp: SystemTime,
        attributes: Vec<KeyValue>,
    ) -> Result<(), SpanError> {
        order::give(self, Order::AddEvent(name.into(), Some(timestamp), attributes)).map(drop)
    }

    fn set_status(&self, status: Status) -> Result<(), SpanError> {
        order::give(self, Order::SetStatus(status)).map(drop)
    }
}
