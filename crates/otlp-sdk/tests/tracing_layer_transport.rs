//! The transports speak through `tracing` as well. Under a global subscriber with our layer, and with no
//! filter at all, an export must not make spans and events that make the next export.

#![cfg(all(feature = "http", feature = "grpc", feature = "tracing"))]

use std::collections::BTreeMap;

use otlp_core::Signal;
use otlp_core::export::Env;
use otlp_exporter_grpc::GrpcExporter;
use otlp_exporter_http::HttpExporter;
use otlp_sdk::tracing_layer::{EventSink, TracingLayer};
use otlp_testing::{Message, Server};
use tracing::{info, info_span};
use tracing_subscriber::filter::dynamic_filter_fn;
use tracing_subscriber::layer::{Layer as _, SubscriberExt as _};
use tracing_subscriber::util::SubscriberInitExt as _;

#[test]
fn an_export_of_any_signal_makes_no_telemetry_of_its_own() {
    let server = Server::start();
    // A name, so that it is looked up on a helper thread of the transport's.
    let named = |endpoint: String| endpoint.replace("127.0.0.1", "localhost");
    let grpc = |signal| {
        let builder = GrpcExporter::builder(signal).with_endpoint(named(server.grpc_endpoint()));
        builder.build().unwrap()
    };
    let http = |signal| {
        let builder = HttpExporter::builder(signal).with_endpoint(named(server.http_endpoint()));
        builder.build().unwrap()
    };
    let telemetry = otlp_sdk::builder()
        .with_env(Env::empty())
        .with_span_exporter(grpc(Signal::Traces))
        .with_span_exporter(http(Signal::Traces))
        .with_log_exporter(grpc(Signal::Logs))
        .with_log_exporter(http(Signal::Logs))
        .with_metric_exporter(grpc(Signal::Metrics))
        .with_metric_exporter(http(Signal::Metrics))
        .with_self_observability(true)
        .without_globals()
        .init()
        .unwrap();
    let layer = TracingLayer::new(telemetry.tracer_provider())
        .with_logger_provider(telemetry.logger_provider())
        .with_events(EventSink::Both);
    // The server is in this process, on threads of its own, and speaks through `tracing` too. It stands
    // for another process; every other thread is heard, in full.
    let not_the_server =
        dynamic_filter_fn(|_, _| std::thread::current().name() != Some("otlp-testing-server"));
    tracing_subscriber::registry().with(layer.with_filter(not_the_server)).init();
    for _ in 0..5 {
        info_span!("work").in_scope(|| info!(target: "work", "event"));
        telemetry.force_flush().unwrap();
    }
    let ledgers = telemetry.shutdown().unwrap();
    assert_eq!(ledgers.traces.created, 5);

    let each_over_both = 2 * 5;
    let spans = server.spans();
    let names: Vec<_> = spans.iter().map(|span| span.record.name()).collect();
    assert_eq!(names, ["work"; 10]);
    assert!(spans.iter().all(|span| span.record.span.events.len() == 1));
    assert_eq!(log_records(&server), BTreeMap::from([("work".to_owned(), each_over_both)]));
    let is_metrics = |message: &Message| matches!(message, Message::Metrics(_));
    let metrics = server.requests().iter().filter(|it| is_metrics(&it.message)).count();
    assert!(metrics >= each_over_both, "{metrics}: each flush exports them over both");
}

/// How many there are of each scope.
fn log_records(server: &Server) -> BTreeMap<String, usize> {
    let mut counts = BTreeMap::new();
    for request in server.requests() {
        let Message::Logs(logs) = &request.message else { continue };
        for scope in logs.resource_logs.iter().flat_map(|resource| &resource.scope_logs) {
            let name = scope.scope.as_ref().map_or("", |scope| &scope.name);
            *counts.entry(name.to_owned()).or_default() += scope.log_records.len();
        }
    }
    counts
}
