//! The official SDK stays, and only the exporters are ours.
//!
//! A program that is set up with `opentelemetry_sdk` changes three lines: the exporter of its traces, of its
//! logs and of its metrics, each wrapped by [`otlp_sdk::bridge`]. What that gives it is in [`Telemetry`]:
//! exports on a thread of their own, whatever the program's runtime; retries within the time of a call;
//! the server's own words where something goes wrong; and an account of every item.
//!
//! Handles some orders, prints what arrived and the accounts, and exits with 1 if an item is missing. Sends to
//! a server on this machine, or where `OTEL_EXPORTER_OTLP_ENDPOINT` says.

use std::error::Error;
use std::io::{self, Write};
use std::process::ExitCode;

use opentelemetry::metrics::{Counter, Histogram, MeterProvider as _};
use opentelemetry::trace::{
    Span as _, SpanKind, TraceContextExt as _, Tracer as _, TracerProvider as _,
};
use opentelemetry::{Context, KeyValue};
use opentelemetry_appender_tracing::layer::OpenTelemetryTracingBridge;
use opentelemetry_sdk::Resource;
use opentelemetry_sdk::logs::SdkLoggerProvider;
use opentelemetry_sdk::metrics::SdkMeterProvider;
use opentelemetry_sdk::trace::{SdkTracer, SdkTracerProvider};
use otlp_exporter_http::HttpExporter;
use otlp_sdk::bridge::{Account, LogExporter, PushMetricExporter, SpanExporter};
use otlp_sdk::otlp_core::Signal;
use otlp_testing::Backend;
use tracing::Level;
use tracing_subscriber::Layer as _;
use tracing_subscriber::filter::Targets;
use tracing_subscriber::layer::SubscriberExt as _;
use tracing_subscriber::util::SubscriberInitExt as _;

fn main() -> Result<ExitCode, Box<dyn Error>> {
    let backend = Backend::from_env();
    let telemetry = Telemetry::new(&backend)?;
    let shop = Shop::new(&telemetry);
    for order in 1..=5 {
        shop.handle(order);
    }
    telemetry.shutdown()?;
    let exact = telemetry.report(&backend)?;
    Ok(if exact { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}

/// The official providers, and what our exporters know.
struct Telemetry {
    traces: SdkTracerProvider,
    logs: SdkLoggerProvider,
    metrics: SdkMeterProvider,
    accounts: [(Signal, Account); 3],
}

impl Telemetry {
    fn new(backend: &Backend) -> Result<Self, Box<dyn Error>> {
        let resource = Resource::builder().with_service_name("shop").build();
        let spans = SpanExporter::new(exporter(backend, Signal::Traces)?);
        let records = LogExporter::new(exporter(backend, Signal::Logs)?);
        let points = PushMetricExporter::new(exporter(backend, Signal::Metrics)?);
        // The providers take the exporters over; the accounts stay here.
        let accounts = [
            (Signal::Traces, spans.account()),
            (Signal::Logs, records.account()),
            (Signal::Metrics, points.account()),
        ];
        let traces = SdkTracerProvider::builder()
            .with_resource(resource.clone())
            .with_batch_exporter(spans)
            .build();
        let logs = SdkLoggerProvider::builder()
            .with_resource(resource.clone())
            .with_batch_exporter(records)
            .build();
        let metrics = SdkMeterProvider::builder()
            .with_resource(resource)
            .with_periodic_exporter(points)
            .build();
        // The server on this machine is in this process, and what it has to say is not the shop's. Our
        // exporters need no filter: what happens on their threads is not told.
        let own = Targets::new().with_target(env!("CARGO_CRATE_NAME"), Level::INFO);
        let bridge = OpenTelemetryTracingBridge::new(&logs).with_filter(own);
        tracing_subscriber::registry().with(bridge).try_init()?;
        Ok(Self { traces, logs, metrics, accounts })
    }

    fn shutdown(&self) -> Result<(), Box<dyn Error>> {
        self.traces.shutdown()?;
        self.metrics.shutdown()?;
        self.logs.shutdown()?;
        Ok(())
    }

    /// Prints what arrived and the accounts; whether they agree.
    fn report(&self, backend: &Backend) -> io::Result<bool> {
        let mut exact = backend.report(self.spans())?;
        let mut out = io::stdout().lock();
        for (signal, account) in &self.accounts {
            let ledger = account.ledger();
            writeln!(out, "{:<11} {ledger}", signal.name())?;
            exact &= ledger.unaccounted() == 0 && ledger.delivered == ledger.ended;
            if let Some(server) = backend.server() {
                writeln!(out, "            {} arrived", server.items(*signal))?;
                exact &= server.items(*signal) == ledger.delivered;
            }
        }
        Ok(exact)
    }

    fn spans(&self) -> u64 {
        let [(_, spans), ..] = &self.accounts;
        spans.ledger().ended
    }
}

/// What a program had before: `opentelemetry_otlp::SpanExporter::builder().with_http()…` and so on. The
/// environment is read here too.
fn exporter(backend: &Backend, signal: Signal) -> Result<HttpExporter, Box<dyn Error>> {
    let builder = HttpExporter::builder(signal);
    let builder = match backend.server() {
        Some(server) => builder.with_endpoint(server.http_endpoint()),
        None => builder,
    };
    Ok(builder.build()?)
}

/// A program that knows only the API.
struct Shop {
    tracer: SdkTracer,
    orders: Counter<u64>,
    amounts: Histogram<f64>,
}

impl Shop {
    fn new(telemetry: &Telemetry) -> Self {
        let meter = telemetry.metrics.meter("shop");
        Self {
            tracer: telemetry.traces.tracer("shop"),
            orders: meter.u64_counter("shop.orders").build(),
            amounts: meter.f64_histogram("shop.amount").with_unit("EUR").build(),
        }
    }

    fn handle(&self, order: u32) {
        let builder = self.tracer.span_builder("POST /orders").with_kind(SpanKind::Server);
        let cx = Context::current_with_span(builder.start(&self.tracer));
        let _current = cx.clone().attach();
        let amount = 9.5 * f64::from(order);
        self.charge(amount);
        // Has the ids of the span that is current.
        tracing::info!(order, amount, "order taken");
        let express = KeyValue::new("express", order.is_multiple_of(2));
        self.orders.add(1, std::slice::from_ref(&express));
        self.amounts.record(amount, &[express]);
        cx.span().end();
    }

    fn charge(&self, amount: f64) {
        let mut span = self.tracer.start("charge card");
        span.set_attribute(KeyValue::new("amount", amount));
        span.end();
    }
}
