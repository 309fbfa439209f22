//! What views read is what prost decodes.

use opentelemetry_proto::tonic::collector::trace::v1::ExportTraceServiceRequest;
use opentelemetry_proto::tonic::common::v1::any_value::Value;
use opentelemetry_proto::tonic::common::v1::{AnyValue, InstrumentationScope, KeyValue};
use opentelemetry_proto::tonic::resource::v1::Resource;
use opentelemetry_proto::tonic::trace::v1::span::{Event, Link};
use opentelemetry_proto::tonic::trace::v1::{ResourceSpans, ScopeSpans, Span, Status};
use otlp_core::wire::trace::{EventView, LinkView, ResourceSpansView, ScopeSpansView, StatusView};
use otlp_core::wire::{
    AnyValueView, KeyValueView, ResourceView, ScopeView, SpanView, TracesRequestView, View, Views,
    WireError,
};
use prost::Message;

use super::{logs, metrics};

/// Bytes that prost decodes read the same through views; other bytes give errors, not panics.
pub(crate) fn agree_with_prost(data: &[u8]) {
    match ExportTraceServiceRequest::decode(data) {
        Ok(decoded) => same_request(data, &decoded),
        Err(_) => {
            // The views see less than prost, so they may find nothing wrong.
            let _ = visit(data);
        }
    }
    logs::agree_with_prost(data);
    metrics::agree_with_prost(data);
}

/// Views of `data` show exactly `decoded`.
pub(crate) fn same_request(data: &[u8], decoded: &ExportTraceServiceRequest) {
    let request = TracesRequestView::parse(data).unwrap();
    same_list(request.resources(), &decoded.resource_spans, same_resource_spans);
}

pub(super) fn same_list<'a, V: View<'a>, M>(views: Views<'a, V>, messages: &[M], same: fn(V, &M)) {
    let views: Vec<V> = views.collect::<Result<_, _>>().unwrap();
    assert_eq!(views.len(), messages.len());
    for (view, message) in views.into_iter().zip(messages) {
        same(view, message);
    }
}

fn same_resource_spans(view: ResourceSpansView<'_>, message: &ResourceSpans) {
    assert_eq!(view.schema_url(), message.schema_url);
    same_option(view.resource(), message.resource.as_ref(), same_resource);
    same_list(view.scopes(), &message.scope_spans, same_scope_spans);
}

pub(super) fn same_option<V, M>(view: Option<V>, message: Option<&M>, same: fn(V, &M)) {
    assert_eq!(view.is_some(), message.is_some());
    if let (Some(view), Some(message)) = (view, message) {
        same(view, message);
    }
}

pub(super) fn same_resource(view: ResourceView<'_>, message: &Resource) {
    assert_eq!(view.dropped_attributes_count(), message.dropped_attributes_count);
    same_list(view.attributes(), &message.attributes, same_key_value);
}

fn same_scope_spans(view: ScopeSpansView<'_>, message: &ScopeSpans) {
    assert_eq!(view.schema_url(), message.schema_url);
    same_option(view.scope(), message.scope.as_ref(), same_scope);
    same_list(view.items(), &message.spans, same_span);
}

pub(super) fn same_scope(view: ScopeView<'_>, message: &InstrumentationScope) {
    assert_eq!(view.name(), message.name);
    assert_eq!(view.version(), message.version);
    assert_eq!(view.dropped_attributes_count(), message.dropped_attributes_count);
    same_list(view.attributes(), &message.attributes, same_key_value);
}

fn same_span(view: SpanView<'_>, message: &Span) {
    assert_eq!(view.trace_id(), message.trace_id);
    assert_eq!(view.span_id(), message.span_id);
    assert_eq!(view.trace_state(), message.trace_state);
    assert_eq!(view.parent_span_id(), message.parent_span_id);
    assert_eq!(view.flags(), message.flags);
    assert_eq!(view.name(), message.name);
    assert_eq!(view.kind(), message.kind);
    assert_eq!(view.start_time_unix_nano(), message.start_time_unix_nano);
    assert_eq!(view.end_time_unix_nano(), message.end_time_unix_nano);
    assert_eq!(view.dropped_attributes_count(), message.dropped_attributes_count);
    assert_eq!(view.dropped_events_count(), message.dropped_events_count);
    assert_eq!(view.dropped_links_count(), message.dropped_links_count);
    same_status(view.status(), message.status.as_ref());
    same_list(view.attributes(), &message.attributes, same_key_value);
    same_list(view.events(), &message.events, same_event);
    same_list(view.links(), &message.links, same_link);
    // NaN does not equal itself, so the messages are compared as text.
    assert_eq!(format!("{:?}", Span::decode(view.encoded()).unwrap()), format!("{message:?}"));
}

/// An absent status is the same as an empty one.
fn same_status(view: StatusView<'_>, message: Option<&Status>) {
    let message = message.cloned().unwrap_or_default();
    assert_eq!((view.code(), view.message()), (message.code, message.message.as_str()));
}

fn same_event(view: EventView<'_>, message: &Event) {
    assert_eq!(view.time_unix_nano(), message.time_unix_nano);
    assert_eq!(view.name(), message.name);
    assert_eq!(view.dropped_attributes_count(), message.dropped_attributes_count);
    same_list(view.attributes(), &message.attributes, same_key_value);
}

fn same_link(view: LinkView<'_>, message: &Link) {
    assert_eq!(view.trace_id(), message.trace_id);
    assert_eq!(view.span_id(), message.span_id);
    assert_eq!(view.trace_state(), message.trace_state);
    assert_eq!(view.dropped_attributes_count(), message.dropped_attributes_count);
    assert_eq!(view.flags(), message.flags);
    same_list(view.attributes(), &message.attributes, same_key_value);
}

pub(super) fn same_key_value(view: KeyValueView<'_>, message: &KeyValue) {
    assert_eq!(view.key(), message.key);
    same_value(view.value(), &message.value.clone().unwrap_or_default());
}

pub(super) fn same_value(view: AnyValueView<'_>, message: &AnyValue) {
    match (view, &message.value) {
        // An index into a dictionary that only profiles have reads as absent (row W7).
        (AnyValueView::Empty, None | Some(Value::StringValueStrindex(_))) => {}
        (AnyValueView::String(view), Some(Value::StringValue(message))) => {
            assert_eq!(view, message);
        }
        (AnyValueView::Bool(view), Some(Value::BoolValue(message))) => assert_eq!(view, *message),
        (AnyValueView::Int(view), Some(Value::IntValue(message))) => assert_eq!(view, *message),
        (AnyValueView::Double(view), Some(Value::DoubleValue(message))) => {
            assert_eq!(view.to_bits(), message.to_bits());
        }
        (AnyValueView::Bytes(view), Some(Value::BytesValue(message))) => assert_eq!(view, message),
        (AnyValueView::Array(view), Some(Value::ArrayValue(message))) => {
            same_list(view, &message.values, |view, message| {
                same_value(view, message);
            });
        }
        (AnyValueView::KeyValueList(view), Some(Value::KvlistValue(message))) => {
            same_list(view, &message.values, same_key_value);
        }
        (view, message) => panic!("{view:?} is not {message:?}"),
    }
}

/// Reads everything that views can show.
fn visit(data: &[u8]) -> Result<(), WireError> {
    for resource in TracesRequestView::parse(data)?.resources() {
        let resource = resource?;
        resource.resource().map_or(Ok(()), |r| visit_attributes(r.attributes()))?;
        for scope in resource.scopes() {
            let scope = scope?;
            scope.scope().map_or(Ok(()), |s| visit_attributes(s.attributes()))?;
            scope.items().try_for_each(|span| visit_span(span?))?;
        }
    }
    Ok(())
}

fn visit_span(span: SpanView<'_>) -> Result<(), WireError> {
    visit_attributes(span.attributes())?;
    span.events().try_for_each(|event| visit_attributes(event?.attributes()))?;
    span.links().try_for_each(|link| visit_attributes(link?.attributes()))
}

pub(super) fn visit_attributes<'a>(
    mut attributes: impl Iterator<Item = Result<KeyValueView<'a>, WireError>>,
) -> Result<(), WireError> {
    attributes.try_for_each(|attribute| visit_value(attribute?.value()))
}

pub(super) fn visit_value(value: AnyValueView<'_>) -> Result<(), WireError> {
    match value {
        AnyValueView::Array(mut values) => values.try_for_each(|value| visit_value(value?)),
        AnyValueView::KeyValueList(entries) => visit_attributes(entries),
        _ => Ok(()),
    }
}
