//! Logs and spans of an application that uses `tracing`, from one layer.
//!
//! The application knows `tracing` and nothing of OpenTelemetry; a dependency of it logs through `log`.
//! What it takes is in [`subscribe`]:
//!
//! - [`TracingLayer`] makes spans and log records of it, each record with the ids of the span it was made
//!   in; no appender and no bridge beside it;
//! - records have the fields of the spans around them, so that every one of an order says which;
//! - `fmt` goes on printing for whoever is looking, with a filter of its own;
//! - `tracing-subscriber` with its feature `tracing-log` brings what the dependency logs, under the target
//!   of the dependency. Key-values of `log` are lost on that way; `opentelemetry-appender-log` keeps them.
//!
//! Ends with what arrived at a server on this machine, as traces and as lines, and the account. Exits with 1
//! if a single span or record is not accounted for, not where it belongs, or was to be left out.

mod courier;
mod report;
mod shop;

use std::error::Error;
use std::io::{self, Write};
use std::process::ExitCode;

use otlp_sdk::TelemetryGuard;
use otlp_sdk::otlp_core::Signal;
use otlp_sdk::tracing_layer::TracingLayer;
use otlp_testing::Backend;
use tracing_subscriber::filter::{EnvFilter, Targets};
use tracing_subscriber::prelude::*;

fn main() -> Result<ExitCode, Box<dyn Error>> {
    let backend = Backend::from_env();
    let telemetry = telemetry(&backend)?;
    subscribe(&telemetry)?;
    // It was set up before there was anybody to tell.
    telemetry.announce();

    shop::open();

    let ledgers = telemetry.shutdown()?;
    let arrived = report::print(&backend, &ledgers)?;
    writeln!(io::stdout(), "{ledgers}")?;
    let exact = arrived && ledgers.unaccounted() == 0;
    Ok(if exact { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}

/// A program of its own would write `otlp_sdk::init()?`.
fn telemetry(backend: &Backend) -> Result<TelemetryGuard, Box<dyn Error>> {
    let mut telemetry =
        otlp_sdk::builder().with_service_name("logs-with-tracing").without(Signal::Metrics);
    if let Some(server) = backend.server() {
        telemetry = telemetry.with_endpoint(server.http_endpoint());
    }
    Ok(telemetry.init()?)
}

/// Who gets what the application says.
fn subscribe(telemetry: &TelemetryGuard) -> Result<(), Box<dyn Error>> {
    // What people see on the terminal: warnings, unless RUST_LOG says otherwise.
    let shown =
        EnvFilter::builder().with_default_directive(tracing::Level::WARN.into()).from_env_lossy();
    let terminal = tracing_subscriber::fmt::layer().with_writer(io::stderr).compact();

    // What is sent: everything from INFO on, more of the shop. Decided once per place in the code. What the
    // SDK says of itself is for the terminal.
    let sent: Targets = "info,logs_with_tracing::shop=debug,otlp_sdk=off".parse()?;
    let otlp = TracingLayer::new(telemetry.tracer_provider())
        .with_logger_provider(telemetry.logger_provider())
        .with_span_fields(true)
        .with_event_filter(sent);

    tracing_subscriber::registry().with(terminal.with_filter(shown)).with(otlp).try_init()?;
    Ok(())
}
