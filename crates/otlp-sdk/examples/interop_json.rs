//! Sends a request that somebody else has encoded, from standard input, to a server that is not ours, as
//! OTLP/JSON, and prints what became of it as one JSON object.
//!
//! `interop_json traces|metrics|logs ENDPOINT none|gzip|zstd`; driven by `scripts/interop-python.sh` and
//! `scripts/interop-js.sh`.

use std::env;
use std::error::Error;
use std::io::{Read, Write};

use otlp_core::export::{Compression, Deadline, Exporter, Outcome, Protocol};
use otlp_core::{Payload, Signal};
use otlp_exporter_http::HttpExporter;
use serde_json::{Value as Json, json};

fn main() -> Result<(), Box<dyn Error>> {
    let args: Vec<_> = env::args().skip(1).collect();
    let [signal, endpoint, compression] = args.as_slice() else {
        return Err("usage: interop_json traces|metrics|logs ENDPOINT none|gzip|zstd".into());
    };
    let signal = Signal::ALL.into_iter().find(|known| known.to_string() == *signal);
    let signal = signal.ok_or("signal: traces, metrics or logs")?;
    let mut request = Vec::new();
    std::io::stdin().read_to_end(&mut request)?;
    let payload = Payload::from_request(signal, request)?;

    let exporter = HttpExporter::builder(signal)
        .with_endpoint(endpoint)
        .with_protocol(Protocol::HttpJson)
        .with_compression(compression.parse::<Compression>()?)
        .build()?;
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    let items = payload.items();
    let outcome = runtime.block_on(exporter.export(payload, Deadline::NEVER));
    let mut out = std::io::stdout().lock();
    writeln!(out, "{}", json!({"items": items, "outcome": described(outcome)}))?;
    Ok(())
}

fn described(outcome: Outcome) -> Json {
    match outcome {
        Outcome::Delivered { warning, .. } => json!({"delivered": warning}),
        Outcome::PartlyRejected { rejected, message, .. } => {
            json!({"rejected": [rejected, message]})
        }
        Outcome::Retryable { error, retry_after } => {
            let seconds = retry_after.map(|delay| delay.as_secs_f64());
            json!({"retryable": [seconds, error.to_string()]})
        }
        other => json!({"failed": format!("{other:?}")}),
    }
}
