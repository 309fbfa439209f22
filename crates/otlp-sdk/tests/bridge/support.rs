//! The official SDK with our exporters, and what tests ask of it.

use std::time::Duration;

use opentelemetry::trace::{Span as _, Tracer as _, TracerProvider as _};
use opentelemetry_sdk::trace::{InMemorySpanExporter, SdkTracerProvider, SpanData};
use otlp_core::Signal;
use otlp_core::export::retry::RetryPolicy;
use otlp_core::export::{BoxedExporter, ErrorKind, ExportError, Exporter, Outcome};
use otlp_exporter_grpc::GrpcExporter;
use otlp_exporter_http::HttpExporter;
use otlp_sdk::bridge::{Account, ExportConfig, SpanExporter};
use otlp_testing::{Server, Transport};

/// Long enough for anything that is going to happen.
pub(crate) const SOON: Duration = Duration::from_secs(20);

pub(crate) const TRANSPORTS: [Transport; 2] = [Transport::Grpc, Transport::Http];

/// Our exporter to `server`.
pub(crate) fn exporter(server: &Server, transport: Transport, signal: Signal) -> BoxedExporter {
    match transport {
        Transport::Grpc => {
            let builder = GrpcExporter::builder(signal).with_endpoint(server.grpc_endpoint());
            builder.build().unwrap().boxed()
        }
        Transport::Http => {
            let builder = HttpExporter::builder(signal).with_endpoint(server.http_endpoint());
            builder.build().unwrap().boxed()
        }
    }
}

/// Quick retries, so that tests need not wait for them.
pub(crate) fn config() -> ExportConfig {
    let retry = RetryPolicy::default()
        .with_initial_backoff(Duration::from_millis(10))
        .with_max_backoff(Duration::from_millis(50));
    ExportConfig::default().with_retry(retry).with_timeout(SOON)
}

/// The official provider with our exporter under its batch processor.
pub(crate) fn batching(
    exporter: impl Exporter,
    config: ExportConfig,
) -> (SdkTracerProvider, Account) {
    let exporter = SpanExporter::with_config(exporter, config);
    let account = exporter.account();
    (SdkTracerProvider::builder().with_batch_exporter(exporter).build(), account)
}

/// The official provider with our exporter under its simple processor.
pub(crate) fn simple(
    exporter: impl Exporter,
    config: ExportConfig,
) -> (SdkTracerProvider, Account) {
    let exporter = SpanExporter::with_config(exporter, config);
    let account = exporter.account();
    (SdkTracerProvider::builder().with_simple_exporter(exporter).build(), account)
}

pub(crate) fn make_spans(provider: &SdkTracerProvider, count: usize) {
    let tracer = provider.tracer("test");
    for number in 0..count {
        tracer.start(format!("span {number}")).end();
    }
}

/// Spans as the official SDK hands them to its exporters.
pub(crate) fn finished_spans(count: usize) -> Vec<SpanData> {
    let kept = InMemorySpanExporter::default();
    let provider = SdkTracerProvider::builder().with_simple_exporter(kept.clone()).build();
    make_spans(&provider, count);
    kept.get_finished_spans().unwrap()
}

/// Ended, delivered, rejected, dropped, held.
pub(crate) fn sums(account: &Account) -> (u64, u64, u64, u64, u64) {
    let ledger = account.ledger();
    assert_eq!(ledger.unaccounted(), 0, "{ledger}");
    let dropped = ledger.dropped_total();
    (ledger.ended, ledger.delivered, ledger.rejected, dropped, ledger.held)
}

pub(crate) fn busy() -> Outcome {
    Outcome::retryable(ExportError::new(ErrorKind::HttpStatus(503), "busy"))
}
