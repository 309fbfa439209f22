//! Metrics: what is measured, how it is summed up, and what a server gets of it.
//!
//! A shop serves some customers and counts. The official SDK aggregates, a reader of ours collects four
//! times a second and delivers. What is set here, and where:
//!
//! - [`shop`]: a counter, an up-down counter, a histogram, and a gauge that is asked for its value;
//! - [`views`]: bounds that fit the histogram, and a limit on the number of attribute sets, so that
//!   an attribute with a value for each customer cannot fill the memory of anybody;
//! - `OTEL_EXPORTER_OTLP_METRICS_TEMPORALITY_PREFERENCE`: with `cumulative` (the default) each point
//!   counts from the program's start, with `delta` from the point before it. The totals are the same.
//!
//! Ends with a table of what arrived at a server on this machine, and the account. Exits with 1 if a single
//! data point is not accounted for, if the totals are not those of the shop, or if a view or the reader's
//! interval had no effect.
//!
//! With `OTEL_METRICS_EXPORTER=console` the points are printed instead.

mod shop;
mod table;

use std::error::Error;
use std::io::{self, Write};
use std::process::ExitCode;
use std::time::Duration;

use opentelemetry::global;
use otlp_sdk::metrics::ReaderConfig;
use otlp_sdk::opentelemetry_sdk::metrics::{Aggregation, Instrument, Stream};
use otlp_sdk::otlp_core::export::Env;
use otlp_sdk::{Ledgers, TelemetryGuard};
use otlp_testing::{Backend, Server};

use self::shop::Shop;

fn main() -> Result<ExitCode, Box<dyn Error>> {
    show_messages();
    let backend = Backend::from_env();
    let env = Env::from_process();
    let telemetry = telemetry(&backend, &env)?;

    let shop = Shop::open(&global::meter("shop"));
    for customer in 0..CUSTOMERS {
        shop.serve(customer);
    }

    // Collects once more, and delivers.
    let ledgers = telemetry.shutdown()?;
    let arrived = match backend.server() {
        Some(server) if !env.is_set("OTEL_METRICS_EXPORTER") => report(server, &ledgers)?,
        // Printed, or sent where the environment says: there is nothing to see here.
        _ => true,
    };
    writeln!(io::stdout(), "{ledgers}")?;
    let exact = arrived && ledgers.unaccounted() == 0;
    Ok(if exact { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}

/// A program of its own would write `otlp_sdk::init()?`, which collects once a minute.
fn telemetry(backend: &Backend, env: &Env) -> Result<TelemetryGuard, Box<dyn Error>> {
    // What the environment says, and one setting of our own.
    let mut variables = env.reader();
    let config = ReaderConfig::from_env(&mut variables).with_interval(INTERVAL);
    for warning in variables.into_warnings() {
        tracing::warn!("{warning}");
    }

    let mut telemetry = otlp_sdk::builder()
        .with_service_name("metrics-example")
        .with_env(env.clone())
        .with_metric_reader_config(config)
        .with_view(views);
    if let Some(server) = backend.server() {
        telemetry = telemetry.with_endpoint(server.http_endpoint());
    }
    Ok(telemetry.init()?)
}

/// What becomes of the measurements of some instruments. The others are left as they are.
fn views(instrument: &Instrument) -> Option<Stream> {
    let stream = match instrument.name() {
        // The usual bounds are for milliseconds.
        shop::DURATION => {
            Stream::builder().with_aggregation(Aggregation::ExplicitBucketHistogram {
                boundaries: BOUNDS.to_vec(),
                record_min_max: true,
            })
        }
        // Customers beyond these are counted together, as `otel.metric.overflow=true`.
        shop::VISITS => Stream::builder().with_cardinality_limit(SERIES),
        _ => return None,
    };
    stream.build().ok()
}

/// Prints what arrived; whether it is all that was delivered, and adds up to what the shop has done.
fn report(server: &Server, ledgers: &Ledgers) -> io::Result<bool> {
    let table = table::Table::of(&server.requests());
    let mut out = io::stdout().lock();
    writeln!(out, "{table}")?;
    let mut right = ledgers.metrics.delivered == table.points();
    for (name, expected) in shop::totals(CUSTOMERS) {
        let total = table.total(name);
        if total != expected {
            writeln!(out, "{name}: {total} arrived, {expected} were measured")?;
            right = false;
        }
    }
    for problem in unheeded(&table) {
        writeln!(out, "{problem}")?;
        right = false;
    }
    for problem in server.problems() {
        writeln!(out, "{problem}")?;
        right = false;
    }
    Ok(right)
}

/// The settings that cannot be seen in what arrived.
fn unheeded(table: &table::Table) -> Vec<String> {
    let mut unheeded = Vec::new();
    let series = table.series_at_once(shop::VISITS);
    // One more for those that are counted together.
    if series != SERIES + 1 {
        unheeded.push(format!("{}: {series} series, not {SERIES} and one", shop::VISITS));
    }
    if !table.has_bounds(shop::DURATION, &BOUNDS) {
        unheeded.push(format!("{}: not the bounds of the view", shop::DURATION));
    }
    // The shop is open for several intervals.
    let collections = table.collections(shop::PRESENT);
    if collections < 2 {
        unheeded.push(format!("{collections} collection, not one every {INTERVAL:?}"));
    }
    unheeded
}

/// The SDK tells what it does through `tracing`; a program shows that where it shows its own.
fn show_messages() {
    let filter = tracing_subscriber::EnvFilter::try_from_default_env()
        .unwrap_or_else(|_| tracing_subscriber::EnvFilter::new("otlp_sdk=info,metrics=info"));
    tracing_subscriber::fmt().with_env_filter(filter).with_writer(io::stderr).compact().init();
}

/// How many customers come.
const CUSTOMERS: u64 = 300;
const INTERVAL: Duration = Duration::from_millis(250);
/// The bounds of the histogram, in seconds.
const BOUNDS: [f64; 5] = [0.001, 0.002, 0.003, 0.004, 0.005];
/// How many customers are counted each on its own.
const SERIES: usize = 4;
