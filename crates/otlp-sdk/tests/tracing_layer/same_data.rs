//! The same program under the usual bridges with the official SDK, and under our layer.
//!
//! What differs on purpose is not in the program: unsigned integers are integers here and text there,
//! bytes are bytes here and text there, and a text in a field `error` has no quotes here.

use std::collections::HashMap;
use std::error::Error;

use opentelemetry::logs::{AnyValue, Severity};
use opentelemetry::trace::TracerProvider as _;
use opentelemetry_appender_tracing::layer::OpenTelemetryTracingBridge;
use opentelemetry_proto::tonic::collector::trace::v1::ExportTraceServiceRequest;
use opentelemetry_proto::tonic::common::v1::KeyValue;
use opentelemetry_proto::transform::common::tonic::ResourceAttributesWithSchema;
use opentelemetry_proto::transform::trace::tonic::group_spans_by_resource_and_scope;
use opentelemetry_sdk::logs::{InMemoryLogExporter, SdkLoggerProvider};
use opentelemetry_sdk::trace::{InMemorySpanExporter, SdkTracerProvider};
use otlp_sdk::logs::LoggerProvider;
use otlp_sdk::testing::InMemoryExporter;
use otlp_sdk::tracing_layer::{EventSink, TracingLayer};
use otlp_testing::SpanRecord;
use otlp_testing::oracle::{spans, value_text};
use tracing::field::Empty;
use tracing::{debug, error, info, info_span, trace, trace_span, warn};
use tracing_subscriber::layer::SubscriberExt as _;

use crate::trace_support::Bench;

#[tracing::instrument(fields(otel.kind = "client"), err)]
fn fetch(path: &str, attempt: i64) -> Result<(), std::io::Error> {
    debug!(attempt, "fetching");
    if attempt < 2 { Err(std::io::Error::other("no route")) } else { Ok(()) }
}

/// What an application does with `tracing`.
fn app() {
    info!("before everything");
    let request = info_span!(
        "request",
        otel.name = "GET /users/{id}",
        otel.kind = "server",
        http.route = "/users/{id}",
        user = 7_i64,
        cached = false,
        ratio = 0.25,
        peer = ?std::net::Ipv4Addr::LOCALHOST,
        host = %"example.org",
        status = Empty,
        otel.status_code = Empty,
    );
    let audit = info_span!(parent: None, "audit");
    request.in_scope(|| {
        info!(name: "accepted", size = 12_i64, "accepted {}", "request");
        let _ = fetch("/first", 1);
        fetch("/second", 2).unwrap();
        trace_span!("parse").in_scope(|| {
            let cause = std::io::Error::other("bad byte");
            trace!(at = 1_i64, "parsing");
            warn!(cause = &cause as &(dyn Error + 'static), at = 3_i64, "cannot parse");
        });
        audit.follows_from(&request);
        request.record("status", 200_i64);
    });
    audit.in_scope(|| error!(code = 5_i64, "not written"));
    info_span!("described", otel.status_code = "ERROR", otel.status_description = "gave up")
        .in_scope(|| {});
    request.record("otel.status_code", "OK");
}

/// All of a span but ids and times.
#[derive(Debug, PartialEq, Eq, PartialOrd, Ord)]
struct Told {
    name: String,
    kind: i32,
    root: String,
    parent: String,
    status: (i32, String),
    flags: u32,
    attributes: Vec<(String, String)>,
    events: Vec<(String, Vec<(String, String)>)>,
    links: Vec<String>,
}

fn sorted(attributes: &[KeyValue]) -> Vec<(String, String)> {
    let text = |it: &KeyValue| (it.key.clone(), value_text(it.value.as_ref().unwrap()));
    let mut sorted: Vec<_> = attributes.iter().map(text).collect();
    sorted.sort_unstable();
    sorted
}

fn told(records: &[SpanRecord]) -> Vec<Told> {
    let names: HashMap<_, _> =
        records.iter().map(|it| (it.span.span_id.clone(), it.name().to_owned())).collect();
    let roots: HashMap<_, _> = (records.iter().filter(|it| it.span.parent_span_id.is_empty()))
        .map(|it| (it.span.trace_id.clone(), it.name().to_owned()))
        .collect();
    let tell = |record: &SpanRecord| {
        let span = &record.span;
        let status = span.status.clone().unwrap_or_default();
        Told {
            name: span.name.clone(),
            kind: span.kind,
            root: roots[&span.trace_id].clone(),
            parent: names.get(&span.parent_span_id).cloned().unwrap_or_default(),
            status: (status.code, status.message),
            // The official SDK does not say that its trace ids are random.
            flags: span.flags & !0x2,
            attributes: sorted(&span.attributes),
            events: (span.events.iter())
                .map(|event| (event.name.clone(), sorted(&event.attributes)))
                .collect(),
            links: span.links.iter().map(|link| names[&link.span_id].clone()).collect(),
        }
    };
    let mut told: Vec<_> = records.iter().map(tell).collect();
    told.sort_unstable();
    told
}

fn officially() -> Vec<Told> {
    let exporter = InMemorySpanExporter::default();
    let provider = SdkTracerProvider::builder().with_simple_exporter(exporter.clone()).build();
    let layer = tracing_opentelemetry::layer()
        .with_tracer(provider.tracer("tracing"))
        .with_threads(false)
        .with_tracked_inactivity(false);
    tracing::subscriber::with_default(tracing_subscriber::registry().with(layer), app);
    let resource =
        ResourceAttributesWithSchema::from(&opentelemetry_sdk::Resource::builder().build());
    let spans_of = exporter.get_finished_spans().unwrap();
    let resource_spans = group_spans_by_resource_and_scope(spans_of, &resource);
    told(&spans(&ExportTraceServiceRequest { resource_spans }))
}

#[test]
fn spans_are_those_of_the_official_stack() {
    let bench = crate::traced(app);
    let (ours, theirs) = (told(&bench.spans()), officially());
    assert_eq!(ours.len(), 6);
    for (ours, theirs) in ours.iter().zip(&theirs) {
        assert_eq!(ours, theirs);
    }
    assert_eq!(ours.len(), theirs.len());
}

/// All of a log record but ids and times.
#[derive(Debug, PartialEq)]
struct Logged {
    target: String,
    event_name: String,
    severity: (Option<i32>, String),
    body: Option<AnyValue>,
    attributes: Vec<(String, String)>,
    in_a_trace: bool,
}

fn any_text(value: &AnyValue) -> String {
    match value {
        AnyValue::String(text) => text.as_str().to_owned(),
        other => format!("{other:?}"),
    }
}

#[test]
fn log_records_are_those_of_the_official_stack() {
    let exporter = InMemoryLogExporter::default();
    let provider = SdkLoggerProvider::builder().with_simple_exporter(exporter.clone()).build();
    let tracers = SdkTracerProvider::builder().build();
    let subscriber = tracing_subscriber::registry()
        .with(tracing_opentelemetry::layer().with_tracer(tracers.tracer("tracing")))
        .with(OpenTelemetryTracingBridge::new(&provider));
    tracing::subscriber::with_default(subscriber, app);
    let theirs: Vec<_> = (exporter.get_emitted_logs().unwrap().iter())
        .map(|emitted| {
            let record = &emitted.record;
            let mut attributes: Vec<_> = (record.attributes_iter())
                .map(|(key, value)| (key.as_str().to_owned(), any_text(value)))
                .collect();
            attributes.sort_unstable();
            Logged {
                target: record.target().map(ToString::to_string).unwrap_or_default(),
                event_name: record.event_name().unwrap_or_default().to_owned(),
                severity: (
                    record.severity_number().map(|it| it as i32),
                    record.severity_text().unwrap_or_default().to_owned(),
                ),
                body: record.body().cloned(),
                attributes,
                in_a_trace: record.trace_context().is_some(),
            }
        })
        .collect();

    let (bench, exporter) = (Bench::new(), InMemoryExporter::default());
    let loggers = LoggerProvider::builder().with_batch_exporter(exporter.clone()).build();
    let layer = TracingLayer::new(&bench.provider)
        .with_logger_provider(&loggers)
        .with_events(EventSink::Both);
    tracing::subscriber::with_default(tracing_subscriber::registry().with(layer), app);
    loggers.force_flush().unwrap();
    let ours: Vec<_> = (exporter.log_records().iter())
        .map(|record| {
            let mut attributes: Vec<_> = (record.attributes.iter())
                // The bridge for logs gives only the message of an error, and not its causes.
                .filter(|(key, _)| {
                    !["cause", "cause.chain", "exception.stacktrace"].contains(&key.as_str())
                })
                .map(|(key, value)| (key.as_str().to_owned(), any_text(value)))
                .collect();
            attributes.sort_unstable();
            Logged {
                target: record.scope.name().to_owned(),
                event_name: record.event_name.clone(),
                severity: (
                    record.severity_number.map(|it| it as i32),
                    record.severity_text.clone(),
                ),
                body: record.body.clone(),
                attributes,
                in_a_trace: record.trace_id.is_some(),
            }
        })
        .collect();
    assert_eq!(theirs.len(), 8);
    let trace = ours.iter().find(|it| it.severity.1 == "TRACE").unwrap();
    assert_eq!(trace.severity.0, Some(Severity::Trace as i32));
    // Ours come by scope.
    assert_eq!(ours, theirs);
}
