//! The transports speak through `tracing` as well. Where `tracing` at its most talkative goes into the
//! official SDK, an export by our exporters must make nothing that makes the next export.

#![cfg(all(feature = "http", feature = "grpc"))]

use std::time::Duration;

use opentelemetry::trace::TracerProvider as _;
use opentelemetry_appender_tracing::layer::OpenTelemetryTracingBridge;
use opentelemetry_sdk::logs::SdkLoggerProvider;
use opentelemetry_sdk::trace::SdkTracerProvider;
use otlp_core::Signal;
use otlp_exporter_grpc::GrpcExporter;
use otlp_exporter_http::HttpExporter;
use otlp_sdk::bridge::{LogExporter, SpanExporter};
use otlp_testing::Server;
use tracing_subscriber::Layer as _;
use tracing_subscriber::filter::dynamic_filter_fn;
use tracing_subscriber::layer::SubscriberExt as _;
use tracing_subscriber::util::SubscriberInitExt as _;

#[test]
fn an_export_makes_no_spans_of_its_own() {
    let server = Server::start();
    let grpc = GrpcExporter::builder(Signal::Traces).with_endpoint(server.grpc_endpoint());
    let http = HttpExporter::builder(Signal::Traces).with_endpoint(server.http_endpoint());
    let (grpc, http) =
        (SpanExporter::new(grpc.build().unwrap()), SpanExporter::new(http.build().unwrap()));
    let accounts = [grpc.account(), http.account()];
    let provider = SdkTracerProvider::builder()
        .with_batch_exporter(grpc)
        // A span that the export itself ended would wait here for the export.
        .with_simple_exporter(http)
        .build();
    let tracer = provider.tracer("feedback");
    // Spans without a parent are the hard case: no context says that they are not wanted.
    let layer = tracing_opentelemetry::layer().with_tracer(tracer).with_context_activation(false);
    let records = HttpExporter::builder(Signal::Logs).with_endpoint(server.http_endpoint());
    let records = LogExporter::new(records.build().unwrap());
    let [spans_grpc, spans_http] = accounts;
    let accounts = [spans_grpc, spans_http, records.account()];
    let logs = SdkLoggerProvider::builder().with_simple_exporter(records).build();
    // The server is in this process and would have things of its own to tell.
    let main = std::thread::current().id();
    let of_the_program = move || {
        let thread = std::thread::current();
        thread.id() == main || thread.name().is_some_and(|name| EXPORTS.contains(&name))
    };
    // The official SDK speaks of itself where a crate of the build has switched that on.
    let is_own = |target: &str| target.starts_with("opentelemetry");
    let appender = OpenTelemetryTracingBridge::new(&logs).with_filter(dynamic_filter_fn(
        move |metadata, _| of_the_program() && !is_own(metadata.target()),
    ));
    tracing_subscriber::registry()
        .with(layer.with_filter(dynamic_filter_fn(move |_, _| of_the_program())))
        .with(appender)
        .init();
    for _ in 0..5 {
        tracing::trace_span!("work").in_scope(|| tracing::trace!("inside"));
        provider.force_flush().unwrap();
    }
    provider.shutdown_with_timeout(Duration::from_secs(20)).unwrap();
    logs.shutdown().unwrap();
    assert_eq!(server.items(Signal::Logs), 5, "what the program has said, and nothing else");
    let spans = server.spans();
    let names: Vec<_> = spans.iter().map(|span| span.record.name()).collect();
    assert_eq!(names, ["work"; 2 * 5], "each over both transports, and nothing else");
    for account in accounts {
        assert_eq!(account.ledger().unaccounted(), 0);
        assert_eq!(account.ledger().dropped_total(), 0);
    }
}

/// Threads on which our exporters work.
const EXPORTS: [&str; 2] = ["otlp-traces", "otlp-logs"];
