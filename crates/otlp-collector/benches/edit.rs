//! What edits and filters cost, for a request of 1,000 spans with ten attributes each.
//!
//! `cargo bench -p otlp-collector --bench edit`; the time is that of a request, so a microsecond there is a
//! nanosecond for each span.

#![allow(missing_docs, clippy::unwrap_used, reason = "a benchmark, which fails by panicking")]

use bytes::Bytes;
use criterion::{Criterion, criterion_group, criterion_main};
use opentelemetry_proto::tonic::collector::trace::v1::ExportTraceServiceRequest;
use opentelemetry_proto::tonic::common::v1::any_value::Value;
use opentelemetry_proto::tonic::common::v1::{AnyValue, InstrumentationScope, KeyValue};
use opentelemetry_proto::tonic::resource::v1::Resource;
use opentelemetry_proto::tonic::trace::v1::{ResourceSpans, ScopeSpans, Span, Status};
use otlp_collector::edit::{
    Action, Criteria, Effect, Literal, Pattern, Plan, Rule, Selector, Source, Target, Texts,
};
use otlp_core::{Payload, Rope, Signal};
use prost::Message as _;

fn attribute(key: String, value: Value) -> KeyValue {
    KeyValue { key, value: Some(AnyValue { value: Some(value) }), key_strindex: 0 }
}

fn text(text: &str) -> Value {
    Value::StringValue(text.to_owned())
}

fn span(at: u64) -> Span {
    let attributes = [
        ("http.request.method", text("GET")),
        ("url.path", text("/api/v1/products/1234567/reviews")),
        ("url.scheme", text("https")),
        ("http.response.status_code", Value::IntValue(200)),
        ("server.address", text("shop.example.com")),
        ("server.port", Value::IntValue(443)),
        ("user_agent.original", text("Mozilla/5.0 (X11; Linux x86_64) Firefox/140.0")),
        ("client.address", text("203.0.113.195")),
        ("http.route", text("/api/v1/products/{id}/reviews")),
        ("user.id", text("8f14e45f-ceea-467f-a8f0")),
    ];
    Span {
        trace_id: vec![at as u8; 16],
        span_id: at.to_be_bytes().to_vec(),
        parent_span_id: vec![7; 8],
        name: "GET /api/v1/products/{id}/reviews".into(),
        kind: 2,
        flags: 257,
        start_time_unix_nano: 1_700_000_000_000_000_000 + at,
        end_time_unix_nano: 1_700_000_000_010_000_000 + at,
        attributes: attributes.map(|(key, value)| attribute(key.to_owned(), value)).into(),
        status: Some(Status::default()),
        ..Span::default()
    }
}

fn request() -> Bytes {
    let resource = Resource {
        attributes: vec![
            attribute("service.name".into(), text("shop")),
            attribute("service.version".into(), text("1.2.3")),
            attribute("host.name".into(), text("node-17")),
        ],
        ..Resource::default()
    };
    let scope = InstrumentationScope { name: "http".into(), ..InstrumentationScope::default() };
    let spans = (0..1_000).map(span).collect();
    let scope_spans = vec![ScopeSpans { scope: Some(scope), spans, schema_url: String::new() }];
    let resource = Some(resource);
    let group = ResourceSpans { resource, scope_spans, schema_url: String::new() };
    ExportTraceServiceRequest { resource_spans: vec![group] }.encode_to_vec().into()
}

fn plan(target: Target, include: Option<Criteria>, effect: Effect) -> Plan {
    let selector = Selector { include, exclude: None };
    Plan::new(Signal::Traces, vec![Rule { target, selector, effect }])
}

fn edit(target: Target, actions: Vec<Action>) -> Plan {
    plan(target, None, Effect::Edit(actions))
}

fn plans() -> Vec<(&'static str, Plan)> {
    let value = || Source::value(&Literal::from("production"));
    let names = |pattern| {
        let names = Some(Texts::Regexp(vec![Pattern::new(pattern).unwrap()]));
        Some(Criteria { names, ..Criteria::default() })
    };
    let path = Pattern::new("^/api/(?P<version>v[0-9]+)/(?P<kind>[a-z]+)").unwrap();
    let four = vec![
        Action::upsert("env", value()),
        Action::update("url.scheme", value()),
        Action::delete("user_agent.original"),
        Action::insert("http.route", value()),
    ];
    vec![
        ("resource_insert", edit(Target::Resource, vec![Action::insert("env", value())])),
        ("span_upsert_new", edit(Target::Item, vec![Action::upsert("env", value())])),
        ("span_upsert_old", edit(Target::Item, vec![Action::upsert("url.scheme", value())])),
        ("span_four_edits", edit(Target::Item, four)),
        ("span_update_absent", edit(Target::Item, vec![Action::update("env", value())])),
        ("span_delete", edit(Target::Item, vec![Action::delete("user_agent.original")])),
        ("span_hash", edit(Target::Item, vec![Action::hash("user.id")])),
        (
            "span_extract",
            edit(Target::Item, Action::extract("url.path", path).into_iter().collect()),
        ),
        ("filter_keeps_all", plan(Target::Item, names("^GET"), Effect::Keep)),
        ("filter_drops_all", plan(Target::Item, names("^POST"), Effect::Keep)),
    ]
}

fn edits(c: &mut Criterion) {
    let request = request();
    let whole = Payload::from_request(Signal::Traces, request.clone()).unwrap();
    let halves = [request.slice(..100_000), request.slice(100_000..)];
    let pieces = Payload::from_request(Signal::Traces, Rope::from_iter(halves)).unwrap();
    for (name, plan) in plans() {
        c.bench_function(name, |b| b.iter(|| plan.apply(&whole).unwrap()));
    }
    for (name, plan) in plans().into_iter().take(2) {
        c.bench_function(&format!("{name}_in_pieces"), |b| b.iter(|| plan.apply(&pieces).unwrap()));
    }
}

criterion_group!(benches, edits);
criterion_main!(benches);
