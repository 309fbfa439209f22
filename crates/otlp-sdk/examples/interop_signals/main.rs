//! Sends a known set of log records or metrics, with every field that the API can fill, to a server that is
//! not ours, and prints as one JSON object what the server must have received.
//!
//! `interop_signals logs|cumulative|delta|lowmemory http|json|grpc ENDPOINT none|gzip|zstd`, or `… file PATH none`,
//! where the names of temporalities mean metrics; driven by `scripts/interop-python.sh` and
//! `scripts/interop-collector.sh`.
//!
//! The JSON is written by hand beside the calls, not derived from what the SDK holds: it says what
//! was meant. A 64-bit float stands as the hexadecimal digits of its bits, so that none is rounded.

mod instruments;
#[path = "../interop_support/mod.rs"]
mod interop_support;
mod logs;
mod metrics;

use std::env;
use std::io::Write;
use std::time::{SystemTime, UNIX_EPOCH};

use opentelemetry_sdk::metrics::Temporality;
use otlp_core::Signal;
use otlp_sdk::{Ledger, PipelineError};
use serde_json::{Value as Json, json};

use crate::interop_support::{Result, exporter, ledger_json, merge, resource_json};

/// What was sent, what became of it, and how the end went.
struct Sent {
    report: Json,
    ledger: Ledger,
    shutdown: std::result::Result<(), PipelineError>,
}

fn main() -> Result<()> {
    let args: Vec<_> = env::args().skip(1).collect();
    let (what, rest) = args.split_first().ok_or(USAGE)?;
    let before = now()?;
    let mut sent = match what.as_str() {
        "logs" => logs::send(exporter(Signal::Logs, rest)?)?,
        temporality => metrics::send(
            exporter(Signal::Metrics, rest)?,
            match temporality {
                "cumulative" => Temporality::Cumulative,
                "delta" => Temporality::Delta,
                "lowmemory" => Temporality::LowMemory,
                other => return Err(format!("{other:?}: {USAGE}").into()),
            },
        )?,
    };
    let common = json!({
        "resource": resource_json(),
        "ledger": ledger_json(&sent.ledger),
        "before": before,
        "after": now()?,
    });
    merge(&mut sent.report, common);
    let mut out = std::io::stdout().lock();
    serde_json::to_writer(&mut out, &sent.report)?;
    writeln!(out)?;
    match sent.shutdown {
        // What the server rejects it may reject before shutdown begins or after, and only then does
        // shutdown say so. The ledger says it in any case, and that is what is compared.
        Ok(()) | Err(PipelineError::Lost { .. }) => Ok(()),
        Err(error) => Err(error.into()),
    }
}

fn now() -> Result<String> {
    Ok(SystemTime::now().duration_since(UNIX_EPOCH)?.as_nanos().to_string())
}

const USAGE: &str = "expected: logs|cumulative|delta|lowmemory and what an exporter needs";
