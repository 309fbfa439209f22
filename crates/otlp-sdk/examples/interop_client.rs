//! Sends a known set of spans, with every field that the API can fill, to a server that is not
//! ours, and prints as one JSON object what the server must have received.
//!
//! `interop_client http|json|grpc ENDPOINT none|gzip|zstd` or `interop_client file PATH none`; driven by
//! `scripts/interop-python.sh` and `scripts/interop-collector.sh`.
//!
//! The JSON is written by hand beside the calls, not derived from what the SDK holds: it says what
//! was meant. A 64-bit float stands as the hexadecimal digits of its bits, so that none is rounded.

mod interop_support;

use std::env;
use std::io::Write;

use opentelemetry::trace::{
    Link, Span as _, SpanContext, SpanKind, Status, TraceContextExt, Tracer as _,
    TracerProvider as _,
};
use opentelemetry::{Array, Context, KeyValue, StringValue, Value};
use otlp_core::{AttributeLimits, Signal, SpanLimits};
use otlp_sdk::trace::{Span, Tracer, TracerProvider};
use otlp_sdk::{Ledger, PipelineError};
use serde_json::{Map, Value as Json, json};

use crate::interop_support::{
    Result, at, bare_scope_json, double, exporter, ledger_json, merge, nanos, remote, resource,
    resource_json, scope, scope_json,
};

fn main() -> Result<()> {
    let exporter = exporter(Signal::Traces, &env::args().skip(1).collect::<Vec<_>>())?;
    let provider = TracerProvider::builder()
        .with_batch_exporter(exporter)
        .with_resource(resource())
        .with_span_limits(limits())
        .build();
    let tracer = provider.tracer_with_scope(scope());

    let mut spans = vec![every_field(&tracer)?, over_the_limits(&tracer)?];
    spans.extend(kinds_and_statuses(&tracer));
    spans.extend(bulk(&provider));

    let shutdown = provider.shutdown();
    report(&spans, &provider.ledger())?;
    match shutdown {
        // What the server rejects it may reject before shutdown begins or after, and only then does
        // shutdown say so. The ledger says it in any case, and that is what is compared.
        Ok(()) | Err(PipelineError::Lost { .. }) => Ok(()),
        Err(error) => Err(error.into()),
    }
}

/// Small, so that dropped counts come out non-zero.
fn limits() -> SpanLimits {
    SpanLimits {
        attributes: AttributeLimits { count: 24, ..AttributeLimits::default() },
        events: 3,
        links: 2,
        attributes_per_event: 4,
        attributes_per_link: 4,
    }
}

/// One span with every field of `Span` set, below a remote parent.
fn every_field(tracer: &Tracer) -> Result<Json> {
    let parent = remote(0x0102_0304_0506_0708_090a_0b0c_0d0e_0f10, "vendor=a,other=b")?;
    let linked = remote(0xa0a1_a2a3_a4a5_a6a7_a8a9_aaab_acad_aeaf, "link=state")?;
    let (attributes, attributes_json) = values();
    let mut span = tracer
        .span_builder("every field")
        .with_kind(SpanKind::Server)
        .with_start_time(at(1))
        .with_attributes(attributes)
        .with_links(vec![Link::new(linked.clone(), vec![KeyValue::new("link.key", "a")], 0)])
        .start_with_context(tracer, &Context::new().with_remote_span_context(parent.clone()));
    span.set_attribute(KeyValue::new("repeated", "first"));
    span.set_attribute(KeyValue::new("repeated", "last"));
    span.add_event_with_timestamp("an event", at(2), vec![KeyValue::new("event.key", 7_i64)]);
    span.add_event_with_timestamp("bare event", at(3), vec![]);
    span.add_link(span.span_context().clone(), vec![]);
    span.update_name("every field, renamed");
    span.set_status(Status::error("it broke: ßø"));
    let mut expected = expect(&span, "every field, renamed", "SERVER", (1, 4), Some(&parent));
    span.end_with_timestamp(at(4));

    merge(
        &mut expected,
        json!({
            "attributes": attributes_json,
            "events": [
                event("an event", 2, &json!({"event.key": {"int": 7}}), 0),
                event("bare event", 3, &json!({}), 0),
            ],
            "links": [
                link(&linked, &json!({"link.key": {"string": "a"}}), 0),
                link(span.span_context(), &json!({}), 0),
            ],
            "status": {"code": "ERROR", "message": "it broke: ßø"},
        }),
    );
    Ok(expected)
}

/// More of everything than the limits allow: what is kept, and the counts of what is not.
fn over_the_limits(tracer: &Tracer) -> Result<Json> {
    let linked = remote(0xb0b1_b2b3_b4b5_b6b7_b8b9_babb_bcbd_bebf, "")?;
    let many = |count: i64| -> Vec<KeyValue> {
        (0..count).map(|i| KeyValue::new(format!("k{i:02}"), i)).collect()
    };
    let kept = |count: i64| -> Json {
        (0..count).map(|i| (format!("k{i:02}"), json!({"int": i}))).collect::<Map<_, _>>().into()
    };
    let root = Context::new();
    let mut span = tracer
        .span_builder("over the limits")
        .with_start_time(at(10))
        .start_with_context(tracer, &root);
    span.set_attributes(many(30));
    for _ in 0..5 {
        span.add_event_with_timestamp("event", at(11), many(6));
        span.add_link(linked.clone(), many(7));
    }
    let mut expected = expect(&span, "over the limits", "INTERNAL", (10, 12), None);
    span.end_with_timestamp(at(12));

    merge(
        &mut expected,
        json!({
            "attributes": kept(24), "dropped_attributes": 6,
            "events": vec![event("event", 11, &kept(4), 2); 3], "dropped_events": 2,
            "links": vec![link(&linked, &kept(4), 3); 2], "dropped_links": 3,
        }),
    );
    Ok(expected)
}

/// A parent with a child of each kind; ok, unset and an empty name among them.
fn kinds_and_statuses(tracer: &Tracer) -> Vec<Json> {
    let kinds = [
        (SpanKind::Client, "CLIENT", Status::Ok, "OK"),
        (SpanKind::Server, "SERVER", Status::Unset, "UNSET"),
        (SpanKind::Producer, "PRODUCER", Status::error(""), "ERROR"),
        (SpanKind::Consumer, "CONSUMER", Status::Ok, "OK"),
        (SpanKind::Internal, "INTERNAL", Status::Unset, "UNSET"),
    ];
    let parent = tracer.span_builder("").with_start_time(at(20));
    let mut parent = parent.start_with_context(tracer, &Context::new());
    let parent_context = parent.span_context().clone();
    let mut all = vec![expect(&parent, "", "INTERNAL", (20, 30), None)];
    let context = Context::new().with_remote_span_context(parent_context.clone());
    for (kind, name, status, code) in kinds {
        let builder = tracer.span_builder(name).with_kind(kind).with_start_time(at(21));
        let mut span = builder.start_with_context(tracer, &context);
        span.set_status(status);
        let mut expected = expect(&span, name, name, (21, 22), Some(&parent_context));
        span.end_with_timestamp(at(22));
        merge(&mut expected, json!({"status": {"code": code, "message": ""}}));
        all.push(expected);
    }
    parent.end_with_timestamp(at(30));
    all
}

/// More spans than a batch holds, from a second scope that has nothing but a name.
fn bulk(provider: &TracerProvider) -> Vec<Json> {
    let tracer = provider.tracer("bulk");
    (0..1_200_u32)
        .map(|i| {
            let name = format!("bulk {i}");
            let builder = tracer.span_builder(name.clone()).with_start_time(at(40));
            let mut span = builder.start_with_context(&tracer, &Context::new());
            let mut expected = expect(&span, &name, "INTERNAL", (40, 41), None);
            span.end_with_timestamp(at(41));
            merge(&mut expected, json!({"scope": bare_scope_json("bulk")}));
            expected
        })
        .collect()
}

/// Each type of attribute value at its corners.
fn values() -> (Vec<KeyValue>, Json) {
    let table: Vec<(&'static str, Value, Json)> = vec![
        ("string", "plain".into(), json!({"string": "plain"})),
        ("string.empty", "".into(), json!({"string": ""})),
        ("string.unicode", "日本 \u{1f680}\u{0}".into(), json!({"string": "日本 \u{1f680}\u{0}"})),
        ("string.long", "x".repeat(100_000).into(), json!({"string": "x".repeat(100_000)})),
        ("bool.true", true.into(), json!({"bool": true})),
        ("bool.false", false.into(), json!({"bool": false})),
        ("int.zero", 0_i64.into(), json!({"int": 0})),
        ("int.min", i64::MIN.into(), json!({"int": i64::MIN})),
        ("int.max", i64::MAX.into(), json!({"int": i64::MAX})),
        ("double", 1.5.into(), double(1.5)),
        ("double.negative_zero", (-0.0).into(), double(-0.0)),
        ("double.infinite", f64::INFINITY.into(), double(f64::INFINITY)),
        ("double.tiny", f64::from_bits(1).into(), double(f64::from_bits(1))),
        ("array.empty", array(Vec::<i64>::new()), json!({"array": []})),
        (
            "array.bool",
            array(vec![true, false]),
            json!({"array": [{"bool": true}, {"bool": false}]}),
        ),
        ("array.int", array(vec![-1_i64, 1]), json!({"array": [{"int": -1}, {"int": 1}]})),
        ("array.double", array(vec![0.1, 2.0]), json!({"array": [double(0.1), double(2.0)]})),
        (
            "array.string",
            array(vec![StringValue::from("a"), StringValue::from("")]),
            json!({"array": [{"string": "a"}, {"string": ""}]}),
        ),
    ];
    let mut expected: Map<String, Json> =
        table.iter().map(|(key, _, json)| ((*key).to_owned(), json.clone())).collect();
    expected.insert("repeated".to_owned(), json!({"string": "last"}));
    let attributes = table.into_iter().map(|(key, value, _)| KeyValue::new(key, value)).collect();
    (attributes, expected.into())
}

fn array<T>(items: Vec<T>) -> Value
where
    Array: From<Vec<T>>,
{
    Value::Array(items.into())
}

/// The fields that every span has; `times` are seconds after the fixed base.
fn expect(
    span: &Span,
    name: &str,
    kind: &str,
    times: (u64, u64),
    parent: Option<&SpanContext>,
) -> Json {
    let context = span.span_context();
    json!({
        "trace_id": context.trace_id().to_string(),
        "span_id": context.span_id().to_string(),
        "parent_span_id": parent.map(|parent| parent.span_id().to_string()).unwrap_or_default(),
        "trace_state": context.trace_state().header(),
        // For a span, the remote bits speak of its parent.
        "flags": flags(context, parent.is_some_and(SpanContext::is_remote)),
        "name": name,
        "kind": kind,
        "start": nanos(times.0),
        "end": nanos(times.1),
        "attributes": {}, "dropped_attributes": 0,
        "events": [], "dropped_events": 0,
        "links": [], "dropped_links": 0,
        "status": {"code": "UNSET", "message": ""},
        "scope": scope_json("interop"),
    })
}

fn event(name: &str, second: u64, attributes: &Json, dropped: u32) -> Json {
    json!({"name": name, "time": nanos(second), "attributes": attributes, "dropped_attributes": dropped})
}

fn link(context: &SpanContext, attributes: &Json, dropped: u32) -> Json {
    json!({
        "trace_id": context.trace_id().to_string(),
        "span_id": context.span_id().to_string(),
        "trace_state": context.trace_state().header(),
        "flags": flags(context, context.is_remote()),
        "attributes": attributes,
        "dropped_attributes": dropped,
    })
}

/// W3C flags in the low byte, then "is remote is known" and "is remote" (trace.proto, `SpanFlags`).
fn flags(context: &SpanContext, remote: bool) -> u32 {
    u32::from(context.trace_flags().to_u8()) | 0x100 | if remote { 0x200 } else { 0 }
}

fn report(spans: &[Json], ledger: &Ledger) -> Result<()> {
    let report = json!({
        "spans": spans,
        "resource": resource_json(),
        "ledger": ledger_json(ledger),
    });
    let mut out = std::io::stdout().lock();
    serde_json::to_writer(&mut out, &report)?;
    Ok(writeln!(out)?)
}
