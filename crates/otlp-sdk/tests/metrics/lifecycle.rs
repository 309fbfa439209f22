//! How readers and providers begin and end.

use std::time::Duration;

use opentelemetry::metrics::MeterProvider as _;
use opentelemetry_sdk::error::OTelSdkError;
use opentelemetry_sdk::metrics::SdkMeterProvider;
use opentelemetry_sdk::metrics::data::ResourceMetrics;
use opentelemetry_sdk::metrics::reader::MetricReader as _;
use otlp_core::Signal;
use otlp_core::export::Env;
use otlp_exporter_http::HttpExporter;
use otlp_sdk::metrics::{MeterProvider, PeriodicReader};
use otlp_sdk::{DropReason, PipelineError};
use otlp_testing::{RawAnswer, RawServer, ScriptedExporter, Server, Step};

use crate::support::{config, http, values};

const SHORT: Duration = Duration::from_millis(100);

#[test]
fn shutdown_collects_once_more_and_later_calls_say_so() {
    let server = Server::start();
    let provider = MeterProvider::builder().with_exporter_config(http(&server), config()).build();
    let counter = provider.meter("test").u64_counter("counter").build();
    counter.add(1, &[]);
    provider.shutdown().unwrap();
    assert_eq!(values(&server, "counter"), [1]);
    assert!(matches!(provider.shutdown(), Err(PipelineError::AlreadyShutdown)));
    assert!(matches!(provider.force_flush(), Err(PipelineError::AlreadyShutdown)));
    counter.add(1, &[]);
    let ledger = provider.ledger();
    assert_eq!((ledger.ended, ledger.delivered, ledger.unaccounted()), (1, 1, 0));
}

#[test]
fn the_official_providers_end_delivers_what_was_measured() {
    let server = Server::start();
    for end in [drop, |provider: SdkMeterProvider| provider.shutdown().unwrap()] {
        server.clear();
        let reader = PeriodicReader::builder(http(&server)).with_config(config()).build();
        let provider = SdkMeterProvider::builder().with_reader(reader.clone()).build();
        provider.meter("test").u64_counter("counter").build().add(1, &[]);
        end(provider);
        assert_eq!(values(&server, "counter"), [1]);
        assert_eq!(reader.ledger().delivered, 1);
    }
}

#[test]
fn dropping_the_last_clone_delivers_what_was_measured() {
    let server = Server::start();
    let provider = MeterProvider::builder().with_exporter_config(http(&server), config()).build();
    let clone = provider.clone();
    provider.meter("test").u64_counter("counter").build().add(1, &[]);
    drop(provider);
    assert_eq!(server.counts().arrived, 0);
    drop(clone);
    assert_eq!(values(&server, "counter"), [1]);
}

#[test]
fn a_provider_whose_reader_was_shut_down_ends_without_an_error() {
    let server = Server::start();
    let reader = PeriodicReader::builder(http(&server)).with_config(config()).build();
    let provider = SdkMeterProvider::builder().with_reader(reader.clone()).build();
    reader.shutdown().unwrap();
    provider.shutdown().unwrap();
    let mut collected = ResourceMetrics::default();
    let error = reader.collect(&mut collected).unwrap_err();
    assert!(matches!(error, OTelSdkError::AlreadyShutdown));
}

#[test]
fn a_server_that_does_not_answer_does_not_hold_the_end_up_and_losses_are_counted() {
    let dead = RawServer::start(RawAnswer::Silent);
    let builder = HttpExporter::builder(Signal::Metrics).with_endpoint(dead.endpoint("http"));
    let exporter = builder.build_with(&Env::empty()).unwrap();
    let provider = MeterProvider::builder().with_exporter_config(exporter, config()).build();
    provider.meter("test").u64_counter("counter").build().add(1, &[]);
    let begun = std::time::Instant::now();
    let error = provider.shutdown_with_timeout(SHORT).unwrap_err();
    assert!(begun.elapsed() < Duration::from_secs(5), "the exporter's own limit is 10 s");
    assert!(matches!(&error, PipelineError::Timeout { held: 1, .. }), "{error}");
    let ledger = provider.ledger();
    assert_eq!((ledger.dropped(DropReason::ShutdownTimeout), ledger.unaccounted()), (1, 0));
}

#[test]
fn of_two_servers_a_dead_one_does_not_use_up_the_others_time() {
    // W8
    let (dead, server) = (RawServer::start(RawAnswer::Silent), Server::start());
    let builder = HttpExporter::builder(Signal::Metrics).with_endpoint(dead.endpoint("http"));
    let exporter = builder.build_with(&Env::empty()).unwrap();
    let provider = MeterProvider::builder()
        .with_exporter_config(exporter, config().with_shutdown_timeout(SHORT))
        .with_exporter_config(http(&server), config().with_shutdown_timeout(SHORT))
        .build();
    provider.meter("test").u64_counter("counter").build().add(1, &[]);
    provider.force_flush_with_timeout(SHORT).unwrap_err();
    assert_eq!(values(&server, "counter"), [1]);
    provider.shutdown_with_timeout(SHORT).unwrap_err();
    assert_eq!(values(&server, "counter"), [1, 1]);
}

#[test]
fn a_reader_that_no_provider_has_taken_has_nothing_to_do() {
    let exporter = ScriptedExporter::new();
    let reader = PeriodicReader::builder(exporter.clone()).build();
    reader.force_flush().unwrap();
    assert_eq!(reader.ledger().ended, 0);
    reader.shutdown().unwrap();
    assert!(matches!(reader.shutdown(), Err(PipelineError::AlreadyShutdown)));
    // One that takes it now gets nothing from it.
    let provider = SdkMeterProvider::builder().with_reader(reader.clone()).build();
    provider.meter("test").u64_counter("counter").build().add(1, &[]);
    provider.shutdown().unwrap();
    assert_eq!((exporter.exports(), reader.ledger().ended), (0, 0));
}

#[test]
fn a_reader_belongs_to_the_first_provider_that_takes_it() {
    // M9
    let server = Server::start();
    let reader = PeriodicReader::builder(http(&server)).with_config(config()).build();
    let [first, second] = [1, 2].map(|n| {
        let provider = SdkMeterProvider::builder().with_reader(reader.clone()).build();
        provider.meter("test").u64_counter("counter").build().add(n, &[]);
        provider
    });
    reader.force_flush().unwrap();
    assert_eq!(values(&server, "counter"), [1]);
    drop((first, second));
}

#[test]
fn metrics_leave_at_the_interval_without_being_asked() {
    let server = Server::start();
    let config = config().with_interval(Duration::from_millis(10));
    let provider = MeterProvider::builder().with_exporter_config(http(&server), config).build();
    let _ = provider
        .meter("test")
        .u64_observable_gauge("gauge")
        .with_callback(|it| it.observe(1, &[]))
        .build();
    server.wait_for_items(Signal::Metrics, 3, Duration::from_secs(30)).unwrap();
    provider.shutdown().unwrap();
}

#[test]
fn an_exporter_that_panics_is_survived_and_its_points_are_counted() {
    let exporter = ScriptedExporter::new();
    exporter.respond_with([Step::Panic("not ours")]);
    let provider = MeterProvider::builder().with_exporter_config(exporter, config()).build();
    let counter = provider.meter("test").u64_counter("counter").build();
    counter.add(1, &[]);
    provider.force_flush().unwrap_err();
    provider.force_flush().unwrap();
    let ledger = provider.ledger();
    assert_eq!((ledger.dropped(DropReason::ExporterPanic), ledger.panics), (1, 1));
    assert_eq!((ledger.delivered, ledger.unaccounted()), (1, 0));
}

#[tokio::test]
async fn flush_and_shutdown_do_not_block_a_runtime_of_one_thread() {
    let server = Server::start();
    let provider = MeterProvider::builder().with_exporter_config(http(&server), config()).build();
    let counter = provider.meter("test").u64_counter("counter").build();
    counter.add(1, &[]);
    provider.force_flush_async(Duration::from_secs(30)).await.unwrap();
    counter.add(1, &[]);
    provider.shutdown_async(Duration::from_secs(30)).await.unwrap();
    assert_eq!(values(&server, "counter"), [1, 2]);
    let error = provider.shutdown_async(Duration::from_secs(30)).await.unwrap_err();
    assert!(matches!(error, PipelineError::AlreadyShutdown));
}

#[tokio::test]
async fn the_blocking_calls_work_on_a_runtimes_only_thread() {
    let server = Server::start();
    let provider = MeterProvider::builder().with_exporter_config(http(&server), config()).build();
    provider.meter("test").u64_counter("counter").build().add(1, &[]);
    provider.force_flush().unwrap();
    drop(provider);
    assert_eq!(values(&server, "counter"), [1, 1]);
}
