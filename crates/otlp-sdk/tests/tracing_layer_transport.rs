//! The transports speak through `tracing` as well. Under a global subscriber with our layer, and with no
//! filter at all, an export must not make spans and events that make the next export.

#![cfg(all(feature = "http", feature = "grpc", feature = "tracing"))]

use otlp_core::Signal;
use otlp_core::export::Env;
use otlp_exporter_grpc::GrpcExporter;
use otlp_exporter_http::HttpExporter;
use otlp_sdk::tracing_layer::TracingLayer;
use otlp_testing::Server;
use tracing::{info, info_span};
use tracing_subscriber::layer::SubscriberExt as _;
use tracing_subscriber::util::SubscriberInitExt as _;

#[test]
fn an_export_makes_no_telemetry_of_its_own() {
    let server = Server::start();
    // A name, so that it is looked up on a helper thread of the transport's.
    let named = |endpoint: String| endpoint.replace("127.0.0.1", "localhost");
    let grpc = GrpcExporter::builder(Signal::Traces).with_endpoint(named(server.grpc_endpoint()));
    let http = HttpExporter::builder(Signal::Traces).with_endpoint(named(server.http_endpoint()));
    let telemetry = otlp_sdk::builder()
        .with_env(Env::empty())
        .with_span_exporter(grpc.build().unwrap())
        .with_span_exporter(http.build().unwrap())
        .without_globals()
        .init()
        .unwrap();
    let layer = TracingLayer::new(telemetry.tracer_provider()).with_threads(true);
    tracing_subscriber::registry().with(layer).init();
    for _ in 0..5 {
        info_span!("work").in_scope(|| info!("event"));
        telemetry.force_flush().unwrap();
    }
    telemetry.shutdown().unwrap();
    let spans = server.spans();
    let of_work: Vec<_> = spans.iter().filter(|span| span.record.name() == "work").collect();
    assert_eq!(of_work.len(), 2 * 5, "each over both transports");
    assert!(of_work.iter().all(|span| span.record.span.events.len() == 1));
    // The server is in this process and makes spans of its own, on a thread of its own. No other thread
    // has made any: not the export's, nor one that looks names up for it.
    let own = std::thread::current().name().unwrap().to_owned();
    let mut threads: Vec<_> =
        spans.iter().filter_map(|span| span.record.attribute_text("thread.name")).collect();
    threads.sort_unstable();
    threads.dedup();
    threads.retain(|name| *name != own && name != "otlp-testing-server");
    assert_eq!(threads, [""; 0]);
}
