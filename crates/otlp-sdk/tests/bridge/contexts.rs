//! Export and shutdown wherever the official SDK calls them from.

use opentelemetry::logs::{Logger as _, LoggerProvider as _};
use opentelemetry::metrics::MeterProvider as _;
use opentelemetry_sdk::logs::SdkLoggerProvider;
use opentelemetry_sdk::metrics::SdkMeterProvider;
use opentelemetry_sdk::trace::{SdkTracerProvider, SpanExporter as _};
use otlp_core::Signal;
use otlp_sdk::bridge::{Account, LogExporter, PushMetricExporter, SpanExporter};
use otlp_testing::{Server, Transport};

use crate::support::{SOON, TRANSPORTS, batching, config, exporter, make_spans, simple, sums};

type Make = fn(&Server, Transport) -> (SdkTracerProvider, Account);

const PROCESSORS: [Make; 2] = [
    |server, transport| batching(exporter(server, transport, Signal::Traces), config()),
    |server, transport| simple(exporter(server, transport, Signal::Traces), config()),
];

/// Runs one program over both transports and under both processors.
fn everywhere(run: impl Fn(&SdkTracerProvider)) {
    for transport in TRANSPORTS {
        for make in PROCESSORS {
            let server = Server::start();
            let (provider, account) = make(&server, transport);
            make_spans(&provider, 3);
            run(&provider);
            assert_eq!(sums(&account), (3, 3, 0, 0, 0), "{transport:?}");
            assert_eq!(server.wait_for_spans(3, SOON).unwrap().len(), 3);
            assert!(server.problems().is_empty(), "{:?}", server.problems());
        }
    }
}

#[test]
fn without_a_runtime() {
    everywhere(|provider| provider.shutdown().unwrap());
}

#[tokio::test(flavor = "current_thread")]
async fn on_the_only_thread_of_a_runtime() {
    everywhere(|provider| {
        provider.force_flush().unwrap();
        provider.shutdown().unwrap();
    });
}

#[tokio::test(flavor = "multi_thread", worker_threads = 1)]
async fn on_the_only_worker_of_a_runtime() {
    tokio::spawn(async { everywhere(|provider| provider.shutdown().unwrap()) }).await.unwrap();
}

#[test]
fn by_dropping_the_provider() {
    let server = Server::start();
    let exporter = exporter(&server, Transport::Http, Signal::Traces);
    let (provider, account) = batching(exporter, config());
    make_spans(&provider, 3);
    drop(provider);
    assert_eq!(sums(&account), (3, 3, 0, 0, 0));
}

#[test]
fn set_up_within_a_runtime_that_has_ended_since() {
    let server = Server::start();
    let runtime = tokio::runtime::Runtime::new().unwrap();
    let exporter = || exporter(&server, Transport::Grpc, Signal::Traces);
    let (provider, account) = runtime.block_on(async { batching(exporter(), config()) });
    drop(runtime);
    make_spans(&provider, 3);
    provider.shutdown().unwrap();
    assert_eq!(sums(&account), (3, 3, 0, 0, 0));
}

#[test]
fn from_several_threads_at_once() {
    let server = Server::start();
    let exporter =
        SpanExporter::with_config(exporter(&server, Transport::Http, Signal::Traces), config());
    std::thread::scope(|scope| {
        for _ in 0..8 {
            let exporter = exporter.clone();
            scope.spawn(move || {
                let provider = SdkTracerProvider::builder().with_simple_exporter(exporter).build();
                make_spans(&provider, 25);
                provider.shutdown().unwrap();
            });
        }
    });
    assert_eq!(sums(&exporter.account()), (200, 200, 0, 0, 0));
    assert_eq!(server.spans().len(), 200);
    assert!(server.duplicate_spans().is_empty());
    exporter.shutdown().unwrap();
}

#[tokio::test(flavor = "current_thread")]
async fn all_signals_on_the_only_thread_of_a_runtime() {
    let server = Server::start();
    let exporter = |signal| exporter(&server, Transport::Grpc, signal);
    let records = LogExporter::with_config(exporter(Signal::Logs), config());
    let points = PushMetricExporter::with_config(exporter(Signal::Metrics), config());
    let accounts = [records.account(), points.account()];
    let logs = SdkLoggerProvider::builder().with_simple_exporter(records).build();
    let metrics = SdkMeterProvider::builder().with_periodic_exporter(points).build();

    let logger = logs.logger("test");
    logger.emit(logger.create_log_record());
    metrics.meter("test").u64_counter("calls").build().add(1, &[]);
    metrics.force_flush().unwrap();
    logs.force_flush().unwrap();
    assert_eq!((server.items(Signal::Logs), server.items(Signal::Metrics)), (1, 1));
    logs.shutdown().unwrap();
    metrics.shutdown().unwrap();
    for account in accounts {
        assert!(account.ledger().delivered >= 1);
        assert_eq!((account.ledger().unaccounted(), account.ledger().dropped_total()), (0, 0));
    }
}
