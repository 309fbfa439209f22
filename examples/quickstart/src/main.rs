//! A small shop, instrumented with the OpenTelemetry API, whose every span is accounted for.
//!
//! Starts an OTLP server on free loopback ports, a storefront and an order service that call each
//! other over HTTP, and lets some customers check out. The storefront exports over gRPC, the order
//! service over HTTP. Then it prints what the server received, and the account.
//!
//! Exits with 1 if a single span is not accounted for.

mod carrier;
mod orders;
mod report;
mod storefront;

use std::error::Error;
use std::process::ExitCode;

use otlp_sdk::TelemetryGuard;
use otlp_sdk::otlp_core::export::{Env, Protocol};
use otlp_testing::Server;

/// How many customers come.
const CUSTOMERS: u64 = 6;

fn main() -> Result<ExitCode, Box<dyn Error>> {
    show_messages();
    let server = Server::start();
    let storefront = telemetry("storefront", Protocol::Grpc, &server.grpc_endpoint())?;
    let orders = telemetry("orders", Protocol::HttpProtobuf, &server.http_endpoint())?;

    open_the_shop(&storefront, &orders)?;

    // Ends telemetry and delivers what is held; a real program just lets the guards go.
    let ledgers =
        [("storefront", storefront.shutdown()?.traces), ("orders", orders.shutdown()?.traces)];
    let exact = report::print(&server, &ledgers)?;
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

#[tokio::main]
async fn open_the_shop(
    storefront: &TelemetryGuard,
    orders: &TelemetryGuard,
) -> Result<(), Box<dyn Error>> {
    let service = orders::serve(orders.tracer_provider()).await?;
    let shop = storefront::Storefront::new(storefront.tracer_provider(), service.address())?;
    for customer in 1..=CUSTOMERS {
        shop.check_out(customer).await;
    }
    service.stop().await
}

/// The SDK tells what it does through `tracing`; a program shows that where it shows its own.
fn show_messages() {
    let filter = tracing_subscriber::EnvFilter::try_from_default_env()
        .unwrap_or_else(|_| tracing_subscriber::EnvFilter::new("otlp_sdk=info"));
    tracing_subscriber::fmt().with_env_filter(filter).with_writer(std::io::stderr).compact().init();
}
