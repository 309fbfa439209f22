//! What our exporters send of the official SDK's data is what its own exporter sends.

use std::borrow::Cow;
use std::time::{Duration, UNIX_EPOCH};

use futures_util::FutureExt as _;
use opentelemetry::trace::{
    Event, Link, SpanContext, SpanId, SpanKind, Status, TraceFlags, TraceId, TraceState,
};
use opentelemetry::{Array, InstrumentationScope, KeyValue, Value};
use opentelemetry_otlp::{Protocol, WithExportConfig as _};
use opentelemetry_proto::tonic::collector::trace::v1::ExportTraceServiceRequest;
use opentelemetry_proto::tonic::common::v1::KeyValue as WireKeyValue;
use opentelemetry_proto::transform::common::tonic::ResourceAttributesWithSchema;
use opentelemetry_proto::transform::trace::tonic::group_spans_by_resource_and_scope;
use opentelemetry_sdk::Resource;
use opentelemetry_sdk::trace::{SpanData, SpanEvents, SpanExporter as _, SpanLinks};
use otlp_core::Signal;
use otlp_sdk::bridge::SpanExporter;
use otlp_testing::{Message, ScriptedExporter, Server, Transport};

use crate::support::{TRANSPORTS, config, exporter};

fn context(number: u64, state: &str, is_remote: bool) -> SpanContext {
    let state = state.parse::<TraceState>().unwrap();
    let (trace, span) = (TraceId::from(u128::from(number) << 64 | 7), SpanId::from(number));
    SpanContext::new(trace, span, TraceFlags::new(1), is_remote, state)
}

/// Every kind of value that the API knows.
fn attributes() -> Vec<KeyValue> {
    let texts = Array::String(vec!["a".into(), "".into(), "ß".into()]);
    vec![
        KeyValue::new("text", "words"),
        KeyValue::new("owned", "long ".repeat(100)),
        KeyValue::new("int", i64::MIN),
        KeyValue::new("float", -0.5),
        KeyValue::new("bool", true),
        KeyValue::new("texts", Value::Array(texts)),
        KeyValue::new("ints", Value::Array(Array::I64(vec![0, -1, i64::MAX]))),
        KeyValue::new("floats", Value::Array(Array::F64(vec![f64::INFINITY, 0.0]))),
        KeyValue::new("bools", Value::Array(Array::Bool(vec![false, true]))),
        KeyValue::new("none", Value::Array(Array::I64(Vec::new()))),
    ]
}

fn scope(name: &'static str, version: Option<&'static str>) -> InstrumentationScope {
    let builder = InstrumentationScope::builder(name);
    match version {
        None => builder.build(),
        Some(version) => builder
            .with_version(version)
            .with_schema_url("https://example.org/schema")
            .with_attributes([KeyValue::new("scope", true)])
            .build(),
    }
}

fn span(number: u64, scope: InstrumentationScope) -> SpanData {
    let at = |millis| UNIX_EPOCH + Duration::from_millis(1_700_000_000_000 + millis);
    let mut events = SpanEvents::default();
    events.dropped_count = 2;
    events.events =
        vec![Event::with_name("plain"), Event::new("full", at(number), attributes(), 3)];
    events.events[0].timestamp = at(1);
    let mut links = SpanLinks::default();
    links.dropped_count = 5;
    links.links = vec![
        Link::with_context(context(number + 1, "", true)),
        Link::new(context(number + 2, "link=1", false), attributes(), 7),
    ];
    SpanData {
        span_context: context(number + 3, "vendor=x,other=y", false),
        parent_span_id: SpanId::from(number % 3),
        parent_span_is_remote: number % 3 == 1,
        span_kind: SpanKind::Client,
        name: Cow::Owned(format!("span {number}")),
        start_time: at(number),
        end_time: at(number + 10),
        attributes: attributes(),
        dropped_attributes_count: 11,
        events,
        links,
        status: Status::error("broken"),
        instrumentation_scope: scope,
    }
}

/// Spans of three scopes, mixed, and with all that a span can have or lack.
fn batch() -> Vec<SpanData> {
    let scopes = [scope("a", None), scope("b", Some("1")), scope("a", Some("2"))];
    let mut spans: Vec<_> =
        scopes.iter().cycle().take(8).cloned().zip(1..).map(|(scope, n)| span(n, scope)).collect();
    let kinds = [SpanKind::Internal, SpanKind::Server, SpanKind::Producer, SpanKind::Consumer];
    for (span, kind) in spans.iter_mut().zip(kinds) {
        span.span_kind = kind;
    }
    spans[1].status = Status::Ok;
    spans[2].status = Status::Unset;
    spans[3].attributes.clear();
    spans[4].name = Cow::Borrowed("");
    spans[5].events = SpanEvents::default();
    spans[5].links = SpanLinks::default();
    spans
}

fn resource() -> Resource {
    let attributes = [KeyValue::new("service.name", "test"), KeyValue::new("host", 7)];
    Resource::builder_empty().with_schema_url(attributes, "https://example.org/resource").build()
}

/// Orders what has no order: scopes, and the attributes of the resource. An empty status is none.
fn normal(mut request: ExportTraceServiceRequest) -> ExportTraceServiceRequest {
    let by_key = |a: &WireKeyValue, b: &WireKeyValue| a.key.cmp(&b.key);
    for resource in &mut request.resource_spans {
        resource.resource.as_mut().unwrap().attributes.sort_by(by_key);
        resource.scope_spans.sort_by_key(|scope| {
            let names = scope.scope.clone().unwrap();
            (names.name, names.version)
        });
        for span in resource.scope_spans.iter_mut().flat_map(|scope| &mut scope.spans) {
            span.status = span.status.take().filter(|status| *status != Default::default());
        }
    }
    request
}

fn traces(message: &Message) -> ExportTraceServiceRequest {
    let Message::Traces(request) = message else { panic!("not traces: {message:?}") };
    normal(request.clone())
}

/// What our exporter makes of a batch.
fn encoded(batch: Vec<SpanData>) -> ExportTraceServiceRequest {
    let recorded = ScriptedExporter::new();
    let mut ours = SpanExporter::with_config(recorded.clone(), config());
    ours.set_resource(&resource());
    futures_executor::block_on(ours.export(batch)).unwrap();
    traces(&recorded.messages()[0])
}

#[test]
fn a_batch_is_encoded_as_the_official_transform_does() {
    let theirs = ResourceAttributesWithSchema::from(&resource());
    let resource_spans = group_spans_by_resource_and_scope(batch(), &theirs);
    let theirs = normal(ExportTraceServiceRequest { resource_spans });
    assert_eq!(theirs.resource_spans[0].scope_spans.len(), 3);
    assert_eq!(encoded(batch()), theirs);
}

#[test]
fn our_exporters_send_what_the_official_exporter_sends() {
    let _ = rustls::crypto::ring::default_provider().install_default();
    let server = Server::start();
    let runtime = tokio::runtime::Runtime::new().unwrap();
    for transport in TRANSPORTS {
        let mut ours =
            SpanExporter::with_config(exporter(&server, transport, Signal::Traces), config());
        ours.set_resource(&resource());
        futures_executor::block_on(ours.export(batch())).unwrap();

        let mut theirs = {
            let _inside = runtime.enter();
            official(&server, transport)
        };
        theirs.set_resource(&resource());
        futures_executor::block_on(theirs.export(batch())).unwrap();

        let requests = server.requests();
        let [ours, theirs] = [&requests[0].message, &requests[1].message].map(traces);
        assert_eq!(ours, theirs, "{transport:?}");
        assert_eq!(requests[0].path, requests[1].path);
        server.clear();
    }
}

fn official(server: &Server, transport: Transport) -> opentelemetry_otlp::SpanExporter {
    let builder = opentelemetry_otlp::SpanExporter::builder();
    match transport {
        Transport::Grpc => builder.with_tonic().with_endpoint(server.grpc_endpoint()).build(),
        Transport::Http => {
            let endpoint = format!("{}/v1/traces", server.http_endpoint());
            let builder = builder.with_http().with_protocol(Protocol::HttpBinary);
            builder.with_endpoint(endpoint).build()
        }
    }
    .unwrap()
}

// rows T12, W5
#[test]
fn of_a_repeated_key_the_last_value_is_sent() {
    let mut spans = vec![span(1, scope("a", None))];
    let twice = vec![KeyValue::new("k", 1), KeyValue::new("other", 2), KeyValue::new("k", "last")];
    spans[0].attributes = twice.clone();
    spans[0].events.events[0].attributes = twice.clone();
    spans[0].links.links[0].attributes = twice;
    let request = encoded(spans);
    let span = &request.resource_spans[0].scope_spans[0].spans[0];
    for attributes in [&span.attributes, &span.events[0].attributes, &span.links[0].attributes] {
        let keys: Vec<_> = attributes.iter().map(|it| it.key.as_str()).collect();
        assert_eq!(keys, ["k", "other"]);
    }
    assert_eq!(span.dropped_attributes_count, 11, "what the SDK has dropped, and no more");
}

#[test]
fn nothing_that_the_official_sdk_kept_is_cut() {
    let mut large = span(1, scope("a", None));
    large.attributes = (0..500).map(|n| KeyValue::new(format!("key {n}"), n)).collect();
    large.events.events = (0..500).map(|n| Event::with_name(format!("event {n}"))).collect();
    large.links.links = (1..500).map(|n| Link::with_context(context(n, "", false))).collect();
    let request = encoded(vec![large]);
    let span = &request.resource_spans[0].scope_spans[0].spans[0];
    assert_eq!((span.attributes.len(), span.events.len(), span.links.len()), (500, 500, 499));
    let dropped =
        (span.dropped_attributes_count, span.dropped_events_count, span.dropped_links_count);
    assert_eq!(dropped, (11, 2, 5));
}

// row W3
#[test]
fn an_empty_batch_is_no_request() {
    let recorded = ScriptedExporter::new();
    let ours = SpanExporter::with_config(recorded.clone(), config());
    assert!(ours.export(Vec::new()).now_or_never().unwrap().is_ok());
    assert_eq!(recorded.exports(), 0);
}
