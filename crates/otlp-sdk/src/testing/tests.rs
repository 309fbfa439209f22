//! What goes into a span comes back as it was set.

use std::time::{Duration, UNIX_EPOCH};

use opentelemetry::trace::{
    Event, Link, Span as _, SpanContext, SpanId, SpanKind, Status, TraceContextExt as _,
    TraceFlags, TraceId, Tracer as _, TracerProvider as _,
};
use opentelemetry::{Array, Context, InstrumentationScope, KeyValue, Value};
use otlp_core::Rope;
use otlp_core::span::{SpanEncoder, SpanIdentity};
use otlp_core::wire::Value as WireValue;

use super::*;
use crate::DropReason;
use crate::resource::Resource;
use crate::trace::TracerProvider;

fn provider(resource: Resource) -> (InMemoryExporter, TracerProvider) {
    let exporter = InMemoryExporter::default();
    let builder = TracerProvider::builder().with_resource(resource);
    (exporter.clone(), builder.with_batch_exporter(exporter).build())
}

#[test]
fn it_keeps_what_it_is_given_until_it_is_told_to_forget() {
    // R11
    let (exporter, provider) = provider(Resource::empty());
    let tracer = provider.tracer("test");
    for name in ["a", "b"] {
        tracer.start(name).end();
        provider.force_flush().unwrap();
    }
    assert_eq!((exporter.payloads().len(), exporter.spans().unwrap().len()), (2, 2));
    let names: Vec<String> = exporter.finished_spans().into_iter().map(|span| span.name).collect();
    assert_eq!(names, ["a", "b"]);
    exporter.reset();
    assert!(exporter.payloads().is_empty() && exporter.spans().unwrap().is_empty());
    assert!(exporter.finished_spans().is_empty());
}

#[test]
fn it_takes_nothing_after_its_shutdown() {
    // R9
    let exporter = InMemoryExporter::default();
    let shared = exporter.clone().boxed();
    TracerProvider::builder().with_batch_exporter(shared.clone()).build().shutdown().unwrap();
    let provider = TracerProvider::builder().with_batch_exporter(shared).build();
    provider.tracer("test").start("late").end();
    assert!(provider.force_flush().is_err());
    assert!(exporter.payloads().is_empty());
    assert_eq!(provider.ledger().dropped(DropReason::PermanentError), 1);
    // A clone stands for another signal, which may end later.
    let provider = TracerProvider::builder().with_batch_exporter(exporter.clone()).build();
    provider.tracer("test").start("kept").end();
    provider.shutdown().unwrap();
    assert_eq!(exporter.finished_spans().len(), 1);
}

#[test]
fn a_span_comes_back_as_it_was_set() {
    // F5: each schema URL beside what it is about.
    let resource =
        Resource::new([KeyValue::new("service.name", "shop")]).with_schema_url("https://a/r");
    let (exporter, provider) = provider(resource.clone());
    let scope = InstrumentationScope::builder("scope")
        .with_version("1.2")
        .with_schema_url("https://a/s")
        .with_attributes([KeyValue::new("mode", "fast")])
        .build();
    let remote = |trace: u128, state: &str| {
        let (trace, span) = (TraceId::from(trace), SpanId::from(9));
        SpanContext::new(trace, span, TraceFlags::new(3), true, state.parse().unwrap())
    };
    let attributes = [
        KeyValue::new("text", "a"),
        KeyValue::new("yes", true),
        KeyValue::new("int", -7),
        KeyValue::new("double", 0.5),
        KeyValue::new("texts", Value::Array(Array::String(vec!["a".into(), "b".into()]))),
        KeyValue::new("bools", Value::Array(Array::Bool(vec![true, false]))),
        KeyValue::new("ints", Value::Array(Array::I64(vec![1, 2]))),
        KeyValue::new("doubles", Value::Array(Array::F64(vec![1.0]))),
    ];
    let start = UNIX_EPOCH + Duration::from_nanos(1_700_000_000_000_000_001);
    let at = start + Duration::from_millis(1);
    let linked = remote(5, "c=d");
    let tracer = provider.tracer_with_scope(scope.clone());
    let mut span = tracer
        .span_builder("work")
        .with_kind(SpanKind::Server)
        .with_start_time(start)
        .with_attributes(attributes.clone())
        .start_with_context(&tracer, &Context::new().with_remote_span_context(remote(1, "a=b")));
    span.add_event_with_timestamp("event", at, vec![KeyValue::new("k", "v")]);
    span.add_link(linked.clone(), vec![KeyValue::new("why", 1)]);
    span.set_status(Status::error("bad"));
    span.end_with_timestamp(start + Duration::from_millis(2));
    let context = span.span_context().clone();
    provider.force_flush().unwrap();

    let found = exporter.finished_span("work").unwrap();
    assert_eq!(
        found,
        RecordedSpan {
            name: "work".to_owned(),
            trace_id: TraceId::from(1),
            span_id: context.span_id(),
            trace_flags: TraceFlags::new(3),
            trace_state: context.trace_state().clone(),
            parent_span_id: Some(SpanId::from(9)),
            parent_is_remote: true,
            kind: SpanKind::Server,
            start_time: start,
            end_time: start + Duration::from_millis(2),
            attributes: attributes.to_vec(),
            dropped_attributes: 0,
            events: vec![Event::new("event", at, vec![KeyValue::new("k", "v")], 0)],
            dropped_events: 0,
            links: vec![Link::new(linked, vec![KeyValue::new("why", 1)], 0)],
            dropped_links: 0,
            status: Status::error("bad"),
            scope,
            resource,
        }
    );
    assert_eq!(found.span_context(), context);
    assert_eq!(found.duration(), Duration::from_millis(2));
    assert_eq!(found.attribute("int"), Some(&Value::I64(-7)));
    assert_eq!(found.attribute("absent"), None);
    assert_eq!(found.event("event").unwrap().timestamp, at);
    assert_eq!(exporter.finished_span("other"), None);
}

#[test]
fn values_that_the_api_has_no_type_for_come_as_text() {
    // W6
    let limits = otlp_core::SpanLimits::default();
    let mut encoder = SpanEncoder::default();
    encoder.start(SpanIdentity::default(), "foreign", otlp_core::span::SpanKind::Client, 5);
    let mixed = [WireValue::I64(1), WireValue::Str("a")];
    let map = [("k", WireValue::Array(&mixed))];
    let empty: [WireValue<'_>; 0] = [];
    encoder.set_attribute("bytes", WireValue::Bytes(b"\x01\xff"), &limits);
    encoder.set_attribute("mixed", WireValue::Array(&mixed), &limits);
    encoder.set_attribute("map", WireValue::Map(&map), &limits);
    encoder.set_attribute("nothing", WireValue::Empty, &limits);
    encoder.set_attribute("empty", WireValue::Array(&empty), &limits);
    let found = recorded::read(&payload(&encoder)).unwrap().remove(0);
    let text = |key: &str| found.attribute(key).unwrap().as_str().into_owned();
    assert_eq!(text("bytes"), "0x01ff");
    assert_eq!(text("mixed"), "[1, \"a\"]");
    assert_eq!(text("map"), "{\"k\": [1, \"a\"]}");
    assert_eq!(text("nothing"), "null");
    assert_eq!(found.attribute("empty"), Some(&Value::Array(Array::String(Vec::new()))));
    // F2
    assert_eq!((found.trace_id, found.span_id), (TraceId::INVALID, SpanId::INVALID));
    assert_eq!((found.parent_span_id, found.resource.len()), (None, 0));
    assert_eq!(found.duration(), Duration::from_nanos(2));
}

#[test]
#[should_panic(expected = "not valid OTLP")]
fn bytes_that_are_no_otlp_end_the_test() {
    let exporter = InMemoryExporter::default();
    let garbage = Rope::from(bytes::Bytes::from_static(b"\x0a\xff"));
    exporter.kept.lock().push(Payload::from_parts(Signal::Traces, garbage, 1));
    let _ = exporter.finished_spans();
}

/// A request with this one span, and neither resource nor scope.
fn payload(encoder: &SpanEncoder) -> Payload {
    let mut item = Vec::new();
    encoder.encode(7).put_item(&mut item);
    for number in [2, 1] {
        let mut outer = vec![number << 3 | 2];
        otlp_core::wire::varint::put(&mut outer, item.len() as u64);
        outer.append(&mut item);
        item = outer;
    }
    Payload::from_request(Signal::Traces, bytes::Bytes::from(item)).unwrap()
}
