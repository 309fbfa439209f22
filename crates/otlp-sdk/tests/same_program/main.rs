//! One instrumented program, run on the official stack and on ours, each into a server of its own: what
//! arrives is the same, but for ids and times.
//!
//! Deliberate differences are kept out of the program: a key that is set twice (theirs arrives twice, ours
//! with the last value, row W5), and what the resource says of the SDK.

#![cfg(feature = "http")]
#![allow(
    clippy::unwrap_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "helpers of tests fail by panicking, as tests do"
)]

use std::collections::HashMap;
use std::time::{Duration, SystemTime};

use opentelemetry::logs::{AnyValue, LogRecord as _, Logger as _, LoggerProvider, Severity};
use opentelemetry::metrics::MeterProvider;
use opentelemetry::trace::{
    Link, Span as _, SpanContext, SpanId, SpanKind, Status, TraceContextExt as _, TraceFlags,
    TraceId, TraceState, Tracer as _, TracerProvider,
};
use opentelemetry::{Array, Context, InstrumentationScope, KeyValue, StringValue, Value};
use opentelemetry_otlp::{Protocol, WithExportConfig as _};
use opentelemetry_proto::tonic::common::v1::KeyValue as ProtoKeyValue;
use opentelemetry_proto::tonic::logs::v1::ScopeLogs;
use opentelemetry_proto::tonic::metrics::v1::metric::Data;
use opentelemetry_proto::tonic::metrics::v1::{NumberDataPoint, ScopeMetrics};
use opentelemetry_proto::tonic::resource::v1::Resource;
use opentelemetry_proto::tonic::trace::v1::ScopeSpans;
use opentelemetry_sdk::logs::SdkLoggerProvider;
use opentelemetry_sdk::metrics::SdkMeterProvider;
use opentelemetry_sdk::trace::SdkTracerProvider;
use otlp_core::Signal;
use otlp_core::export::Env;
use otlp_testing::{Message, Server};

/// The program. It knows the API only.
fn program<T, L>(tracers: &T, loggers: &L, meters: &impl MeterProvider)
where
    T: TracerProvider,
    T::Tracer: Send + Sync,
    <T::Tracer as opentelemetry::trace::Tracer>::Span: Send + Sync + 'static,
    L: LoggerProvider,
{
    let scope = InstrumentationScope::builder("shop")
        .with_version("1.2.3")
        .with_schema_url("https://example.test/shop/1")
        .with_attributes([KeyValue::new("team", "checkout"), KeyValue::new("tier", 1)])
        .build();
    let tracer = tracers.tracer_with_scope(scope.clone());
    let logger = loggers.logger_with_scope(scope.clone());
    let meter = meters.meter_with_scope(scope);

    let mut root = tracer
        .span_builder("checkout")
        .with_kind(SpanKind::Server)
        .with_attributes([KeyValue::new("http.route", "/checkout"), KeyValue::new("retry", false)])
        .start_with_context(&tracer, &remote_parent());
    root.set_attribute(KeyValue::new("items", 3));
    root.set_attribute(KeyValue::new("total", 12.5));
    root.set_attribute(KeyValue::new("names", array(["a", "", "ü"])));
    root.set_attribute(KeyValue::new("counts", Value::Array(Array::I64(vec![1, -2, i64::MAX]))));
    root.set_attribute(KeyValue::new("flags", Value::Array(Array::Bool(vec![true, false]))));
    root.set_attribute(KeyValue::new("parts", Value::Array(Array::F64(vec![0.1, f64::INFINITY]))));
    root.add_event("cart loaded", vec![KeyValue::new("lines", 2)]);
    root.add_link(remote_span("vendor=1"), vec![KeyValue::new("why", "queued")]);
    let inside = Context::new().with_span(root);

    let mut child = tracer
        .span_builder("charge")
        .with_kind(SpanKind::Client)
        .with_links(vec![Link::new(inside.span().span_context().clone(), Vec::new(), 0)])
        .start_with_context(&tracer, &inside);
    child.add_event_with_timestamp("sent", SystemTime::now(), Vec::new());
    child.set_status(Status::error("card declined"));
    child.update_name("charge card");
    child.end();
    tracers.tracer("other").start_with_context("quiet", &inside).end();
    inside.span().set_status(Status::Ok);
    {
        let _active = inside.clone().attach();
        let mut record = logger.create_log_record();
        record.set_severity_number(Severity::Warn);
        record.set_severity_text("WARN");
        record.set_body("card declined".into());
        record.set_target("shop::payment");
        record.add_attribute("card", "visa");
        record.add_attribute("tries", 2);
        logger.emit(record);
    }
    inside.span().end();

    let mut event = logger.create_log_record();
    event.set_event_name("order.placed");
    event.set_timestamp(SystemTime::now());
    event.set_body(AnyValue::from_iter([("id", AnyValue::Int(7))]));
    event.add_attribute("raw", AnyValue::Bytes(Box::new(vec![0, 159, 255])));
    event.add_attribute("list", AnyValue::from_iter([1.5, -0.0]));
    logger.emit(event);

    measure(&meter);
}

/// Every kind of instrument.
fn measure(meter: &opentelemetry::metrics::Meter) {
    let of = |paid: bool| [KeyValue::new("paid", paid), KeyValue::new("shop", "north")];
    let orders = meter.u64_counter("orders").with_unit("{order}").with_description("Orders.");
    let orders = orders.build();
    orders.add(2, &of(true));
    orders.add(3, &of(false));
    let open = meter.i64_up_down_counter("open").build();
    open.add(5, &[]);
    open.add(-7, &[]);
    meter.f64_counter("revenue").build().add(0.1, &of(true));
    let sizes = meter.f64_histogram("size").with_boundaries(vec![1.0, 10.0]).build();
    [0.5, 1.0, 7.0, 1e9].iter().for_each(|size| sizes.record(*size, &of(true)));
    meter.u64_histogram("lines").build().record(3, &[]);
    meter.i64_gauge("level").build().record(-4, &[]);
    meter.f64_gauge("odd").build().record(-1.5, &[]);
    let seen = meter.u64_observable_counter("seen");
    let _seen = seen.with_callback(|observer| observer.observe(11, &[])).build();
    let heat = meter.f64_observable_gauge("heat");
    let _heat = heat.with_callback(|it| it.observe(36.6, &[KeyValue::new("at", "core")])).build();
}

fn array<const N: usize>(texts: [&'static str; N]) -> Value {
    Value::Array(Array::String(texts.map(StringValue::from).to_vec()))
}

fn remote_span(state: &str) -> SpanContext {
    let (trace_id, span_id) = (TraceId::from(0xabc), SpanId::from(0xdef));
    SpanContext::new(trace_id, span_id, TraceFlags::SAMPLED, true, state.parse().unwrap())
}

fn remote_parent() -> Context {
    let (trace_id, span_id) = (TraceId::from(0x123), SpanId::from(0x456));
    let state: TraceState = "a=1,b=2".parse().unwrap();
    let parent = SpanContext::new(trace_id, span_id, TraceFlags::SAMPLED, true, state);
    Context::new().with_remote_span_context(parent)
}

fn run_officially(server: &Server) {
    let resource = opentelemetry_sdk::Resource::builder_empty()
        .with_attribute(KeyValue::new("service.name", "shop"))
        .build();
    let url = |signal: Signal| format!("{}/{}", server.http_endpoint(), signal.http_path());
    let spans = opentelemetry_otlp::SpanExporter::builder()
        .with_http()
        .with_protocol(Protocol::HttpBinary)
        .with_endpoint(url(Signal::Traces))
        .build()
        .unwrap();
    let logs = opentelemetry_otlp::LogExporter::builder()
        .with_http()
        .with_protocol(Protocol::HttpBinary)
        .with_endpoint(url(Signal::Logs))
        .build()
        .unwrap();
    let metrics = opentelemetry_otlp::MetricExporter::builder()
        .with_http()
        .with_protocol(Protocol::HttpBinary)
        .with_endpoint(url(Signal::Metrics))
        .build()
        .unwrap();
    let tracers = SdkTracerProvider::builder()
        .with_resource(resource.clone())
        .with_batch_exporter(spans)
        .build();
    let loggers =
        SdkLoggerProvider::builder().with_resource(resource.clone()).with_batch_exporter(logs);
    let loggers = loggers.build();
    let meters =
        SdkMeterProvider::builder().with_resource(resource).with_periodic_exporter(metrics);
    let meters = meters.build();
    program(&tracers, &loggers, &meters);
    tracers.shutdown().unwrap();
    loggers.shutdown().unwrap();
    meters.shutdown().unwrap();
}

fn run_on_ours(server: &Server) {
    let telemetry = otlp_sdk::builder()
        .with_env(Env::empty())
        .with_service_name("shop")
        .with_endpoint(server.http_endpoint())
        .without_globals()
        .init()
        .unwrap();
    program(telemetry.tracer_provider(), telemetry.logger_provider(), telemetry.meter_provider());
    assert_eq!(telemetry.shutdown().unwrap().unaccounted(), 0);
}

/// What a server has received, in a form that compares.
#[derive(Debug, Default, PartialEq)]
struct Received {
    resources: Vec<Resource>,
    spans: Vec<ScopeSpans>,
    logs: Vec<ScopeLogs>,
    metrics: Vec<ScopeMetrics>,
}

impl Received {
    fn from(server: &Server) -> Self {
        assert_eq!(server.problems(), [""; 0]);
        let mut received = Self::default();
        for request in server.requests() {
            received.take(request.message.clone());
        }
        let names = received.names_of_ids();
        received.normalise_spans(&names);
        received.normalise_logs(&names);
        received.normalise_metrics();
        received.resources.dedup();
        received
    }

    fn take(&mut self, message: Message) {
        match message {
            Message::Traces(request) => {
                for group in request.resource_spans {
                    self.resources.push(own(group.resource.unwrap()));
                    self.spans.extend(group.scope_spans);
                }
            }
            Message::Logs(request) => {
                for group in request.resource_logs {
                    self.resources.push(own(group.resource.unwrap()));
                    self.logs.extend(group.scope_logs);
                }
            }
            Message::Metrics(request) => {
                for group in request.resource_metrics {
                    self.resources.push(own(group.resource.unwrap()));
                    self.metrics.extend(group.scope_metrics);
                }
            }
            other => panic!("{other:?}"),
        }
    }

    /// What each generated id stands for.
    fn names_of_ids(&self) -> HashMap<Vec<u8>, Vec<u8>> {
        let spans = self.spans.iter().flat_map(|scope| &scope.spans);
        spans.map(|span| (span.span_id.clone(), span.name.clone().into_bytes())).collect()
    }

    /// One group per span, in the order of their names, with names for ids.
    fn normalise_spans(&mut self, names: &HashMap<Vec<u8>, Vec<u8>>) {
        let mut single = Vec::new();
        for group in std::mem::take(&mut self.spans) {
            for mut span in group.spans.clone() {
                assert!(0 < span.start_time_unix_nano);
                assert!(span.start_time_unix_nano <= span.end_time_unix_nano);
                (span.start_time_unix_nano, span.end_time_unix_nano) = (0, 0);
                rename(&mut span.span_id, names);
                rename(&mut span.parent_span_id, names);
                span.links.iter_mut().for_each(|link| rename(&mut link.span_id, names));
                span.events.iter_mut().for_each(|event| event.time_unix_nano = 0);
                sort(&mut span.attributes);
                // A status of nothing says what none says.
                span.status = span.status.filter(|status| status.code != 0);
                single.push(ScopeSpans { spans: vec![span], ..group.clone() });
            }
        }
        single.sort_by(|a, b| a.spans[0].name.cmp(&b.spans[0].name));
        self.spans = single;
    }

    fn normalise_logs(&mut self, names: &HashMap<Vec<u8>, Vec<u8>>) {
        let mut single = Vec::new();
        for group in std::mem::take(&mut self.logs) {
            for mut record in group.log_records.clone() {
                assert!(record.observed_time_unix_nano > 0);
                record.observed_time_unix_nano = 0;
                record.time_unix_nano = record.time_unix_nano.min(1);
                rename(&mut record.span_id, names);
                single.push(ScopeLogs { log_records: vec![record], ..group.clone() });
            }
        }
        single.sort_by(|a, b| a.log_records[0].event_name.cmp(&b.log_records[0].event_name));
        self.logs = single;
    }

    fn normalise_metrics(&mut self) {
        for metric in self.metrics.iter_mut().flat_map(|scope| &mut scope.metrics) {
            match metric.data.as_mut().unwrap() {
                Data::Gauge(gauge) => normalise_points(&mut gauge.data_points),
                Data::Sum(sum) => normalise_points(&mut sum.data_points),
                Data::Histogram(histogram) => {
                    for point in &mut histogram.data_points {
                        assert!(point.time_unix_nano >= point.start_time_unix_nano);
                        (point.time_unix_nano, point.start_time_unix_nano) = (0, 0);
                        sort(&mut point.attributes);
                    }
                    histogram.data_points.sort_by_key(|point| format!("{:?}", point.attributes));
                }
                other => panic!("{other:?}"),
            }
        }
        for scope in &mut self.metrics {
            scope.metrics.sort_by(|a, b| a.name.cmp(&b.name));
        }
    }
}

fn normalise_points(points: &mut [NumberDataPoint]) {
    for point in points.iter_mut() {
        assert!(point.time_unix_nano >= point.start_time_unix_nano);
        (point.time_unix_nano, point.start_time_unix_nano) = (0, 0);
        sort(&mut point.attributes);
    }
    points.sort_by_key(|point| format!("{:?}", point.attributes));
}

/// Without what it says of the SDK.
fn own(mut resource: Resource) -> Resource {
    resource.attributes.retain(|attribute| !attribute.key.starts_with("telemetry.sdk."));
    resource
}

fn rename(id: &mut Vec<u8>, names: &HashMap<Vec<u8>, Vec<u8>>) {
    if let Some(name) = names.get(id) {
        id.clone_from(name);
    }
}

fn sort(attributes: &mut [ProtoKeyValue]) {
    attributes.sort_by(|a, b| a.key.cmp(&b.key));
}

#[test]
fn the_same_program_delivers_the_same_data_on_the_official_stack_and_on_ours() {
    // The official exporter's client has TLS here, since features unite, and takes no provider by itself.
    let _ = rustls::crypto::ring::default_provider().install_default();
    let (official, ours) = (Server::start(), Server::start());
    run_officially(&official);
    run_on_ours(&ours);
    for server in [&official, &ours] {
        server.wait_for_items(Signal::Traces, 3, Duration::from_secs(20)).unwrap();
        server.wait_for_items(Signal::Logs, 2, Duration::from_secs(20)).unwrap();
        server.wait_for_items(Signal::Metrics, 10, Duration::from_secs(20)).unwrap();
    }
    let (expected, found) = (Received::from(&official), Received::from(&ours));
    assert_eq!(found.resources, expected.resources);
    assert_eq!(found.spans, expected.spans);
    assert_eq!(found.logs, expected.logs);
    assert_eq!(found.metrics, expected.metrics);
    assert_eq!(found.spans.len(), 3);
    assert_eq!(found.metrics[0].metrics.len(), 9);
}
