//! What the API says about a span, in the span's encoder.

use opentelemetry::trace::{Event, SpanContext, SpanKind, Status};
use opentelemetry::{KeyValue, Value};
use otlp_core::SpanLimits;
use otlp_core::span::{self, LinkContext, SpanEncoder, StatusCode};

use crate::clock::unix_nano;
use crate::value::with_wire;

/// Sets an attribute. One call per kind of value, each with code of its own.
#[inline(always)]
pub(crate) fn attribute(encoder: &mut SpanEncoder, attribute: &KeyValue, limits: &SpanLimits) {
    let key = attribute.key.as_str();
    match &attribute.value {
        Value::String(text) => encoder.set_str(key, text.as_str(), limits),
        Value::I64(int) => encoder.set_i64(key, *int, limits),
        Value::F64(number) => encoder.set_f64(key, *number, limits),
        Value::Bool(value) => encoder.set_bool(key, *value, limits),
        other => attribute_of_other_kind(encoder, key, other, limits),
    }
}

fn attribute_of_other_kind(
    encoder: &mut SpanEncoder,
    key: &str,
    value: &Value,
    limits: &SpanLimits,
) {
    with_wire(value, |value| encoder.set_attribute(key, value, limits));
}

/// Adds an event, which carries its own count of attributes dropped before.
pub(crate) fn event(encoder: &mut SpanEncoder, event: &Event, limits: &SpanLimits) {
    let (at, dropped) = (unix_nano(event.timestamp), event.dropped_attributes_count);
    event_at(encoder, &event.name, at, dropped, &event.attributes, limits);
}

/// Adds an event that happened at `unix_nano`.
pub(crate) fn event_at(
    encoder: &mut SpanEncoder,
    name: &str,
    unix_nano: u64,
    dropped: u32,
    attributes: &[KeyValue],
    limits: &SpanLimits,
) {
    encoder.add_event_with_dropped(name, unix_nano, dropped, limits, |set| {
        for attribute in attributes {
            with_wire(&attribute.value, |value| set(attribute.key.as_str(), value));
        }
    });
}

/// Adds a link.
pub(crate) fn link(
    encoder: &mut SpanEncoder,
    linked: &SpanContext,
    dropped: u32,
    attributes: &[KeyValue],
    limits: &SpanLimits,
) {
    let trace_state = linked.trace_state().header();
    let link = LinkContext {
        trace_id: linked.trace_id().to_bytes(),
        span_id: linked.span_id().to_bytes(),
        trace_flags: linked.trace_flags().to_u8(),
        is_remote: linked.is_remote(),
        trace_state: &trace_state,
    };
    encoder.add_link_with_dropped(link, dropped, limits, |set| {
        for attribute in attributes {
            with_wire(&attribute.value, |value| set(attribute.key.as_str(), value));
        }
    });
}

/// Sets the status.
pub(crate) fn status(encoder: &mut SpanEncoder, status: Status) {
    match status {
        Status::Unset => {}
        Status::Ok => encoder.set_status(StatusCode::Ok, ""),
        Status::Error { description } => encoder.set_status(StatusCode::Error, description),
    }
}

/// The API's kind as the protocol's.
pub(crate) fn kind(kind: &SpanKind) -> span::SpanKind {
    match kind {
        SpanKind::Internal => span::SpanKind::Internal,
        SpanKind::Server => span::SpanKind::Server,
        SpanKind::Client => span::SpanKind::Client,
        SpanKind::Producer => span::SpanKind::Producer,
        SpanKind::Consumer => span::SpanKind::Consumer,
    }
}

/// The protocol's kind as the API's.
#[cfg(feature = "tracing")]
pub(crate) fn api_kind(kind: span::SpanKind) -> SpanKind {
    match kind {
        span::SpanKind::Internal => SpanKind::Internal,
        span::SpanKind::Server => SpanKind::Server,
        span::SpanKind::Client => SpanKind::Client,
        span::SpanKind::Producer => SpanKind::Producer,
        span::SpanKind::Consumer => SpanKind::Consumer,
    }
}
