//! The transports speak through `tracing` as well. Under a global subscriber that sends every span to
//! our tracer, an export must not make spans that make the next export.

#![cfg(all(feature = "http", feature = "grpc"))]

use opentelemetry::trace::TracerProvider as _;
use otlp_core::Signal;
use otlp_core::export::Env;
use otlp_exporter_grpc::GrpcExporter;
use otlp_exporter_http::HttpExporter;
use otlp_testing::Server;
use tracing_subscriber::layer::SubscriberExt as _;
use tracing_subscriber::util::SubscriberInitExt as _;

#[test]
fn an_export_makes_no_spans_of_its_own() {
    let server = Server::start();
    let grpc = GrpcExporter::builder(Signal::Traces).with_endpoint(server.grpc_endpoint());
    let http = HttpExporter::builder(Signal::Traces).with_endpoint(server.http_endpoint());
    let telemetry = otlp_sdk::builder()
        .with_env(Env::empty())
        .with_span_exporter(grpc.build().unwrap())
        .with_span_exporter(http.build().unwrap())
        .without_globals()
        .init()
        .unwrap();
    let tracer = telemetry.tracer_provider().tracer("bridge");
    tracing_subscriber::registry().with(tracing_opentelemetry::layer().with_tracer(tracer)).init();
    for _ in 0..5 {
        tracing::info_span!("work").in_scope(|| {});
        telemetry.force_flush().unwrap();
    }
    telemetry.shutdown().unwrap();
    // The server is in this process and makes spans of its own, on other threads.
    let spans = server.spans();
    let threads: Vec<_> =
        spans.iter().filter_map(|span| span.record.attribute_text("thread.name")).collect();
    let of_the_export = threads.iter().filter(|name| name.starts_with("otlp-traces")).count();
    assert_eq!(of_the_export, 0, "{threads:?}");
    let work = spans.iter().filter(|span| span.record.name() == "work").count();
    assert_eq!(work, 2 * 5, "each over both transports");
}
