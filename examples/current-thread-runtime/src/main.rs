//! Telemetry on a runtime of one thread.
//!
//! On such a runtime a blocking flush is usually a deadlock: it waits for a request that only its own
//! thread could drive. Here delivery has a thread and a runtime of its own, so [`force_flush`] and
//! [`shutdown`], blocking or not, work from inside a task, over gRPC and over HTTP.
//!
//! Handles some requests, each in a task that keeps the trace, and prints what arrived and the account.
//! Exits with 1 if a single span is not accounted for.
//!
//! [`force_flush`]: otlp_sdk::TelemetryGuard::force_flush
//! [`shutdown`]: otlp_sdk::TelemetryGuard::shutdown

use std::error::Error;
use std::io::{self, Write};
use std::process::ExitCode;
use std::time::Duration;

use opentelemetry::trace::{SpanKind, TraceContextExt as _, Tracer as _, TracerProvider as _};
use opentelemetry::{Context, KeyValue};
use otlp_sdk::Ledger;
use otlp_sdk::context::{self, ContextExt as _};
use otlp_sdk::otlp_core::export::Protocol;
use otlp_sdk::trace::Tracer;
use otlp_sdk::{InitError, TelemetryGuard};
use otlp_testing::Backend;

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<ExitCode, Box<dyn Error>> {
    show_messages();
    let backend = Backend::from_env();
    let mut ledgers = Vec::new();
    for telemetry in services(&backend)? {
        ledgers.push(serve(telemetry).await?);
    }

    let mut out = io::stdout();
    for ledger in &ledgers {
        writeln!(out, "service     {ledger}")?;
    }
    let ended: u64 = ledgers.iter().map(|ledger| ledger.ended).sum();
    let unaccounted: i128 = ledgers.iter().map(Ledger::unaccounted).sum();
    writeln!(out, "unaccounted={unaccounted}")?;
    let delivered: u64 = ledgers.iter().map(|ledger| ledger.delivered).sum();
    let exact = backend.report(ended)? && unaccounted == 0 && ended == delivered;
    Ok(if exact { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}

/// Some requests, with every way to flush on the way.
async fn serve(telemetry: TelemetryGuard) -> Result<Ledger, Box<dyn Error>> {
    let tracer = telemetry.tracer_provider().tracer("orders");
    handle(&tracer, 1).await;
    // Blocks the only thread there is, and returns all the same.
    telemetry.force_flush()?;

    let tasks = [2, 3].map(|order| {
        let tracer = tracer.clone();
        tokio::spawn(async move { handle(&tracer, order).await })
    });
    for task in tasks {
        task.await?;
    }
    // Lets other tasks run meanwhile.
    telemetry.force_flush_async(Duration::from_secs(5)).await?;

    handle(&tracer, 4).await;
    Ok(telemetry.shutdown_async().await?.traces)
}

/// One request: one trace, whichever task a part of it runs in.
async fn handle(tracer: &Tracer, order: i64) {
    let span = tracer
        .span_builder("POST /orders/{id}")
        .with_kind(SpanKind::Server)
        .with_attributes([KeyValue::new("order.id", order)])
        .start(tracer);
    let cx = Context::current_with_span(span);
    let work = async {
        tracer.in_span("validate", |_| {});
        // Tasks and blocking closures are children of this request, not traces of their own.
        let (payment, receipt) = (tracer.clone(), tracer.clone());
        let charged = context::spawn(async move { charge(&payment).await });
        let printed = context::spawn_blocking(move || receipt.in_span("print receipt", |_| {}));
        let _ = (charged.await, printed.await);
    };
    work.in_context(cx).await;
}

async fn charge(tracer: &Tracer) {
    let cx = Context::current_with_span(tracer.start("charge card"));
    tokio::time::sleep(Duration::from_millis(2)).in_context(cx).await;
}

/// A service per protocol, or the one that the environment describes. A program of its own would write
/// `otlp_sdk::init()?`.
fn services(backend: &Backend) -> Result<Vec<TelemetryGuard>, InitError> {
    let Some(server) = backend.server() else {
        return Ok(vec![otlp_sdk::init()?]);
    };
    [
        ("orders-grpc", Protocol::Grpc, server.grpc_endpoint()),
        ("orders-http", Protocol::HttpProtobuf, server.http_endpoint()),
    ]
    .into_iter()
    .map(|(service, protocol, endpoint)| {
        otlp_sdk::builder()
            .with_service_name(service)
            .with_protocol(protocol)
            .with_endpoint(endpoint)
            .without_globals()
            .init()
    })
    .collect()
}

/// The SDK tells what it does through `tracing`; a program shows that where it shows its own.
fn show_messages() {
    let filter = tracing_subscriber::EnvFilter::try_from_default_env()
        .unwrap_or_else(|_| tracing_subscriber::EnvFilter::new("otlp_sdk=info"));
    tracing_subscriber::fmt().with_env_filter(filter).with_writer(std::io::stderr).compact().init();
}
