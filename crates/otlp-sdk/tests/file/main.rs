//! The OTLP file exporter: lines that others can read, and what happens to files and streams.
#![cfg(feature = "file")]
#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

mod disk;
mod process;
mod rotation;
mod stream;

use std::path::Path;
use std::time::{Duration, Instant};

use otlp_core::export::{Deadline, ErrorKind, ExportError, Exporter, Outcome};
use otlp_core::{Payload, Signal};
use otlp_sdk::file::{FileExporter, FileExporterBuilder};
use otlp_testing::oracle::Message;
use otlp_testing::oracle::proto::tonic::collector::trace::v1::ExportTraceServiceRequest;
use otlp_testing::oracle::proto::tonic::trace::v1::{ResourceSpans, ScopeSpans, Span};
use prost::Message as _;

/// How long a test waits for what must happen.
const PATIENCE: Duration = Duration::from_secs(20);

fn soon() -> Deadline {
    Deadline::after(Instant::now(), PATIENCE)
}

fn after(millis: u64) -> Deadline {
    Deadline::after(Instant::now(), Duration::from_millis(millis))
}

/// A request with a span of this name.
fn payload(name: &str) -> Payload {
    let span = Span { name: name.to_owned(), ..Span::default() };
    let scope = ScopeSpans { spans: vec![span], ..ScopeSpans::default() };
    let resource = ResourceSpans { scope_spans: vec![scope], ..ResourceSpans::default() };
    let request = ExportTraceServiceRequest { resource_spans: vec![resource] };
    Payload::from_request(Signal::Traces, request.encode_to_vec()).unwrap()
}

fn traces() -> FileExporterBuilder {
    FileExporter::builder(Signal::Traces)
}

fn to_path(path: &Path) -> FileExporter {
    traces().with_path(path).build().unwrap()
}

async fn write(exporter: &FileExporter, name: &str) -> Outcome {
    exporter.export(payload(name), soon()).await
}

/// The names of the spans in these lines, each of which has one.
fn names(text: &[u8]) -> Vec<String> {
    // X1, X2
    let text = std::str::from_utf8(text).unwrap();
    assert!(text.is_empty() || text.ends_with('\n'), "{text}");
    let name = |line: &str| {
        let request = Message::decode_json(Signal::Traces, line.as_bytes());
        let spans = request.map(|request| request.spans());
        let name = spans.map(|spans| spans.first().map(|span| span.name().to_owned()));
        name.map_err(|error| format!("{error}: {line}")).unwrap().unwrap()
    };
    text.lines().map(name).collect()
}

fn names_in(path: &Path) -> Vec<String> {
    names(&std::fs::read(path).unwrap())
}

fn is_delivered(outcome: &Outcome) -> bool {
    matches!(outcome, Outcome::Delivered { warning: None, .. })
}

fn is_retryable(outcome: &Outcome) -> bool {
    matches!(outcome, Outcome::Retryable { retry_after: None, .. })
}

fn is_permanent(outcome: &Outcome) -> bool {
    matches!(outcome, Outcome::Permanent { .. })
}

fn message(outcome: &Outcome) -> String {
    outcome.error().map(ToString::to_string).unwrap_or_default()
}

fn kind(outcome: &Outcome) -> Option<ErrorKind> {
    outcome.error().map(ExportError::kind)
}
