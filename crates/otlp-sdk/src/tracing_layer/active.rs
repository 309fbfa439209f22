//! What `Context::current().span()` is inside a span, where it is asked to record.

use std::borrow::Cow;
use std::time::SystemTime;

use opentelemetry::trace::{Span, SpanContext, Status};
use opentelemetry::{Context, KeyValue, trace::TraceContextExt};

use super::TracingLayer;
use super::open::OpenSpans;
use crate::trace::recorder::Recorder;

impl TracingLayer {
    /// The context inside a span: with its ids only, or with a span of the API that reaches it.
    #[inline]
    pub(super) fn context_in(&self, cx: &Context, id: u64, context: SpanContext) -> Context {
        if self.options.recording_context {
            return cx.with_span(ActiveSpan { open: self.open.clone(), id, context });
        }
        cx.with_remote_span_context(context)
    }
}

/// A span of the API whose data is that of an open span. When that has ended, it is ignored.
#[derive(Debug)]
struct ActiveSpan {
    open: OpenSpans,
    id: u64,
    context: SpanContext,
}

impl ActiveSpan {
    /// The subscriber uses its ids again, so it must be this span.
    fn record(&self, call: impl FnOnce(&mut Recorder)) {
        if self.is_open() {
            self.open.record(self.id, call);
        }
    }

    fn is_open(&self) -> bool {
        let own = self.context.span_id();
        let is_own = self.open.with(self.id, |span| {
            span.recorder.is_some() && span.context.span().span_context().span_id() == own
        });
        is_own.unwrap_or(false)
    }
}

impl Span for ActiveSpan {
    fn add_event_with_timestamp<T>(
        &mut self,
        name: T,
        timestamp: SystemTime,
        attributes: Vec<KeyValue>,
    ) where
        T: Into<Cow<'static, str>>,
    {
        let name = name.into();
        self.record(|recorder| recorder.add_event(&name, timestamp, &attributes));
    }

    fn span_context(&self) -> &SpanContext {
        &self.context
    }

    fn is_recording(&self) -> bool {
        self.is_open()
    }

    fn set_attribute(&mut self, attribute: KeyValue) {
        self.record(|recorder| recorder.set_attribute(&attribute));
    }

    fn set_status(&mut self, status: Status) {
        self.record(|recorder| recorder.set_status(status));
    }

    fn update_name<T>(&mut self, new_name: T)
    where
        T: Into<Cow<'static, str>>,
    {
        let name = new_name.into();
        self.record(|recorder| recorder.encoder.update_name(name));
    }

    fn add_link(&mut self, span_context: SpanContext, attributes: Vec<KeyValue>) {
        self.record(|recorder| recorder.add_link(&span_context, &attributes));
    }

    /// Ignored: the span ends when `tracing` closes it.
    fn end_with_timestamp(&mut self, _timestamp: SystemTime) {}
}
