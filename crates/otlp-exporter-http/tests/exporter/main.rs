//! The exporter against real sockets on the loopback interface.

#![expect(clippy::unwrap_used, reason = "helpers of tests are tests")]

mod connection;
mod delivery;
mod environment;
mod hostile;
#[cfg(feature = "json")]
mod json;
mod outcomes;
mod proxy;
mod secrets;
mod tls;

use std::time::{Duration, Instant};

use otlp_core::export::{Deadline, Env, ErrorKind, Exporter, Outcome};
use otlp_core::{Payload, Signal};
use otlp_exporter_http::{HttpExporter, HttpExporterBuilder};
use otlp_testing::oracle::proto::tonic::collector::trace::v1::ExportTraceServiceRequest;
use otlp_testing::oracle::proto::tonic::trace::v1::{ResourceSpans, ScopeSpans, Span};
use prost::Message as _;

/// How long a test waits for what must happen.
const PATIENCE: Duration = Duration::from_secs(20);

/// A request with spans of these names.
fn payload(names: &[&str]) -> Payload {
    let span = |name: &&str| Span { name: (*name).to_owned(), ..Span::default() };
    let scope = ScopeSpans { spans: names.iter().map(span).collect(), ..ScopeSpans::default() };
    let resource = ResourceSpans { scope_spans: vec![scope], ..ResourceSpans::default() };
    let request = ExportTraceServiceRequest { resource_spans: vec![resource] };
    Payload::from_request(Signal::Traces, request.encode_to_vec()).unwrap()
}

/// A builder that sees no environment.
fn builder(endpoint: impl Into<String>) -> HttpExporterBuilder {
    HttpExporter::builder(Signal::Traces).with_endpoint(endpoint)
}

fn exporter(endpoint: impl Into<String>) -> HttpExporter {
    built(builder(endpoint))
}

fn built(builder: HttpExporterBuilder) -> HttpExporter {
    builder.build_with(&Env::empty()).unwrap()
}

fn soon() -> Deadline {
    Deadline::after(Instant::now(), PATIENCE)
}

async fn export(exporter: &HttpExporter) -> Outcome {
    exporter.export(payload(&["one"]), soon()).await
}

fn kind(outcome: &Outcome) -> Option<ErrorKind> {
    outcome.error().map(otlp_core::export::ExportError::kind)
}

fn message(outcome: &Outcome) -> String {
    outcome.error().map(ToString::to_string).unwrap_or_default()
}

fn is_delivered(outcome: &Outcome) -> bool {
    matches!(outcome, Outcome::Delivered { warning: None, .. })
}

fn is_retryable(outcome: &Outcome) -> bool {
    matches!(outcome, Outcome::Retryable { .. })
}

fn is_permanent(outcome: &Outcome) -> bool {
    matches!(outcome, Outcome::Permanent { .. })
}

fn is_too_large(outcome: &Outcome) -> bool {
    matches!(outcome, Outcome::TooLarge { .. })
}
