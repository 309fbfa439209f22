//! A small shop, instrumented with the OpenTelemetry API, whose every span is accounted for.
//!
//! Starts a collector on free loopback ports, a storefront and an order service that call each other
//! over HTTP, and lets some customers check out. The storefront exports over gRPC, the order service
//! over HTTP; the collector says of every resource where it was seen, and drops the spans of health
//! checks. Then it prints what came out, and the account of application and collector.
//!
//! Exits with 1 if a single span is not accounted for.

mod carrier;
mod collector;
mod orders;
mod report;
mod storefront;

use std::error::Error;
use std::process::ExitCode;
use std::time::{Duration, Instant};

use otlp_collector::engine::Collector;
use otlp_sdk::TelemetryGuard;
use otlp_sdk::otlp_core::export::{Deadline, Env, Protocol};
use otlp_testing::{Message, SpanRecord};
use tokio::runtime::Runtime;

use self::collector::Shelf;

/// How many customers come.
const CUSTOMERS: u64 = 6;

fn main() -> Result<ExitCode, Box<dyn Error>> {
    show_messages();
    let runtime = Runtime::new()?;
    let shelf = Shelf::default();
    let collector = runtime.block_on(collector::start(&shelf))?;
    let storefront = telemetry("storefront", Protocol::Grpc, &endpoint(&collector, "grpc")?)?;
    let orders = telemetry("orders", Protocol::HttpProtobuf, &endpoint(&collector, "http")?)?;

    runtime.block_on(open_the_shop(&storefront, &orders))?;

    // Ends telemetry and delivers what is held; a real program just lets the guards go.
    let services =
        [("storefront", storefront.shutdown()?.traces), ("orders", orders.shutdown()?.traces)];
    // And then the collector, which says what became of everything.
    let deadline = Deadline::after(Instant::now(), Duration::from_secs(10));
    let ledger = runtime.block_on(collector.stop(deadline));
    let exact = report::print(&spans(&shelf)?, &services, &ledger)?;
    Ok(if exact { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}

/// One service's telemetry. A program of its own would write `otlp_sdk::init()?` and set
/// `OTEL_SERVICE_NAME` and `OTEL_EXPORTER_OTLP_ENDPOINT`; here two of them live in one process, so
/// nothing is installed globally and the environment is left out.
fn telemetry(
    service: &'static str,
    protocol: Protocol,
    endpoint: &str,
) -> Result<TelemetryGuard, otlp_sdk::InitError> {
    otlp_sdk::builder()
        .with_service_name(service)
        .with_protocol(protocol)
        .with_endpoint(endpoint)
        .with_env(Env::empty())
        .without_globals()
        .init()
}

fn endpoint(collector: &Collector, protocol: &str) -> Result<String, Box<dyn Error>> {
    let address = collector.listener("otlp", protocol);
    let address = address.ok_or_else(|| format!("the collector does not serve {protocol}"))?;
    Ok(format!("http://{address}"))
}

async fn open_the_shop(
    storefront: &TelemetryGuard,
    orders: &TelemetryGuard,
) -> Result<(), Box<dyn Error>> {
    let service = orders::serve(orders.tracer_provider()).await?;
    let shop = storefront::Storefront::new(storefront.tracer_provider(), service.address())?;
    for customer in 1..=CUSTOMERS {
        shop.look_after_the_orders().await?;
        shop.check_out(customer).await;
    }
    service.stop().await
}

/// What the collector has exported, as spans.
fn spans(shelf: &Shelf) -> Result<Vec<SpanRecord>, Box<dyn Error>> {
    let mut spans = Vec::new();
    for request in shelf.requests() {
        spans.extend(Message::of(&request)?.spans());
    }
    Ok(spans)
}

/// SDK and collector tell what they do through `tracing`; a program shows that where it shows its own.
fn show_messages() {
    let filter = tracing_subscriber::EnvFilter::try_from_default_env().unwrap_or_else(|_| {
        tracing_subscriber::EnvFilter::new("otlp_sdk=info,otlp_collector=warn")
    });
    tracing_subscriber::fmt().with_env_filter(filter).with_writer(std::io::stderr).compact().init();
}
