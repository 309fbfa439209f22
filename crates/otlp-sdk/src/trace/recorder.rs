//! What a recording span owns: its encoder and where it belongs. Recycled per thread.

use std::sync::Arc;
use std::time::SystemTime;

use opentelemetry::trace::{Event, Link, SpanContext, SpanKind, Status};
use opentelemetry::{KeyValue, Value};
use otlp_core::span::{self, LinkContext, SpanEncoder, SpanSizes, StatusCode};

use super::provider::Scope;
use crate::clock::{Clock, Started, unix_nano};
use crate::pipeline::slot::Item;
use crate::value::with_wire;

/// The data of a recording span.
#[derive(Debug)]
pub(crate) struct Recorder {
    pub(crate) encoder: SpanEncoder,
    pub(crate) scope: Arc<Scope>,
    pub(crate) started: Started,
    /// The whole context of the parent, which processors may read (row T19).
    pub(crate) parent: SpanContext,
    pub(crate) sampled: bool,
    pub(crate) end_unix_nano: Option<u64>,
}

impl Recorder {
    pub(crate) fn new(scope: Arc<Scope>, started: Started) -> Self {
        Self {
            encoder: SpanEncoder::default(),
            scope,
            started,
            parent: SpanContext::NONE,
            sampled: false,
            end_unix_nano: None,
        }
    }

    /// Forgets the span and keeps the memory.
    #[inline]
    pub(crate) fn clear(&mut self) {
        self.encoder.clear();
        // Only processors ask for it, so without one it was not set.
        if self.scope.provider.core.has_processors {
            self.parent = SpanContext::NONE;
        }
    }

    /// One call per kind of value, each with code of its own. Inlined, so that where the kind is
    /// known it is not looked at.
    #[inline(always)]
    pub(crate) fn set_attribute(&mut self, attribute: &KeyValue) {
        let (key, limits) = (attribute.key.as_str(), &self.scope.provider.limits);
        match &attribute.value {
            Value::String(text) => self.encoder.set_str(key, text.as_str(), limits),
            Value::I64(int) => self.encoder.set_i64(key, *int, limits),
            Value::F64(number) => self.encoder.set_f64(key, *number, limits),
            Value::Bool(value) => self.encoder.set_bool(key, *value, limits),
            other => self.set_other(key, other),
        }
    }

    fn set_other(&mut self, key: &str, value: &Value) {
        let limits = &self.scope.provider.limits;
        with_wire(value, |value| self.encoder.set_attribute(key, value, limits));
    }

    pub(crate) fn add_event(&mut self, name: &str, time: SystemTime, attributes: &[KeyValue]) {
        self.add_event_at(name, unix_nano(time), attributes);
    }

    pub(crate) fn add_event_at(&mut self, name: &str, unix_nano: u64, attributes: &[KeyValue]) {
        self.put_event(name, unix_nano, 0, attributes);
    }

    /// An event of the API, which carries its own count of attributes dropped before.
    pub(crate) fn add_api_event(&mut self, event: &Event) {
        let dropped = event.dropped_attributes_count;
        self.put_event(&event.name, unix_nano(event.timestamp), dropped, &event.attributes);
    }

    pub(crate) fn add_link(&mut self, linked: &SpanContext, attributes: &[KeyValue]) {
        self.put_link(linked, 0, attributes);
    }

    /// A link of the API, which carries its own count of attributes dropped before.
    pub(crate) fn add_api_link(&mut self, link: &Link) {
        self.put_link(&link.span_context, link.dropped_attributes_count, &link.attributes);
    }

    fn put_event(&mut self, name: &str, unix_nano: u64, dropped: u32, attributes: &[KeyValue]) {
        let limits = &self.scope.provider.limits;
        self.encoder.add_event_with_dropped(name, unix_nano, dropped, limits, |set| {
            for attribute in attributes {
                with_wire(&attribute.value, |value| set(attribute.key.as_str(), value));
            }
        });
    }

    /// Row T14: a link without a valid context is kept if it says anything else.
    fn put_link(&mut self, linked: &SpanContext, dropped: u32, attributes: &[KeyValue]) {
        let trace_state = linked.trace_state().header();
        if !linked.is_valid() && attributes.is_empty() && trace_state.is_empty() {
            return;
        }
        let link = LinkContext {
            trace_id: linked.trace_id().to_bytes(),
            span_id: linked.span_id().to_bytes(),
            trace_flags: linked.trace_flags().to_u8(),
            is_remote: linked.is_remote(),
            trace_state: &trace_state,
        };
        let limits = &self.scope.provider.limits;
        self.encoder.add_link_with_dropped(link, dropped, limits, |set| {
            for attribute in attributes {
                with_wire(&attribute.value, |value| set(attribute.key.as_str(), value));
            }
        });
    }

    pub(crate) fn set_status(&mut self, status: Status) {
        match status {
            Status::Unset => {}
            Status::Ok => self.encoder.set_status(StatusCode::Ok, ""),
            Status::Error { description } => {
                self.encoder.set_status(StatusCode::Error, description);
            }
        }
    }

    /// Unix nanoseconds now, on this span's time line.
    #[inline]
    pub(crate) fn now(&self) -> u64 {
        Clock::global().since(&self.started)
    }
}

/// An ended span with its lengths, measured once for both questions of a pipeline.
pub(crate) struct Measured<'a> {
    encoder: &'a SpanEncoder,
    end_unix_nano: u64,
    sizes: SpanSizes,
}

impl<'a> Measured<'a> {
    #[inline]
    pub(crate) fn new(recorder: &'a Recorder) -> Self {
        let end_unix_nano = recorder.end_unix_nano.unwrap_or(0);
        let encoder = &recorder.encoder;
        Self { encoder, end_unix_nano, sizes: encoder.sizes(end_unix_nano) }
    }
}

impl Item for Measured<'_> {
    #[inline]
    fn item_len(&self) -> usize {
        self.sizes.item_len()
    }

    #[inline]
    fn put_item(&self, buf: &mut Vec<u8>) {
        self.encoder.put_sized(self.end_unix_nano, self.sizes, buf);
    }
}

/// The API's kind as the protocol's.
pub(crate) fn wire_kind(kind: &SpanKind) -> span::SpanKind {
    match kind {
        SpanKind::Internal => span::SpanKind::Internal,
        SpanKind::Server => span::SpanKind::Server,
        SpanKind::Client => span::SpanKind::Client,
        SpanKind::Producer => span::SpanKind::Producer,
        SpanKind::Consumer => span::SpanKind::Consumer,
    }
}
