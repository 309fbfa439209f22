//! For debugging: an exporter that prints spans, one line each.

use std::fmt::Write as _;
use std::io::Write as _;

use otlp_core::Payload;
use otlp_core::export::{Deadline, ErrorKind, ExportError, Exporter, Outcome};
use otlp_core::wire::{AnyValueView, SpanView, TracesRequestView, WireError};

/// Prints spans to standard output, for people; the form may change (specification row R11).
///
/// Meant for debugging, with [`with_simple_exporter`](crate::trace::TracerProviderBuilder::with_simple_exporter).
#[derive(Clone, Copy, Debug, Default)]
#[non_exhaustive]
pub struct ConsoleExporter;

impl ConsoleExporter {
    /// The console exporter.
    #[must_use]
    pub const fn new() -> Self {
        Self
    }
}

impl Exporter for ConsoleExporter {
    async fn export(&self, payload: Payload, _deadline: Deadline) -> Outcome {
        let text = match describe(&payload) {
            Ok(text) => text,
            Err(error) => {
                let error = ExportError::new(ErrorKind::Other, "the request is not valid OTLP")
                    .with_source(error);
                return Outcome::permanent(error);
            }
        };
        match std::io::stdout().lock().write_all(text.as_bytes()) {
            Ok(()) => Outcome::delivered(),
            Err(error) => {
                let error = ExportError::new(ErrorKind::Other, "standard output cannot be written")
                    .with_source(error);
                Outcome::permanent(error)
            }
        }
    }

    fn component_type(&self) -> &'static str {
        "console_exporter"
    }

    fn destination(&self) -> String {
        "standard output".to_owned()
    }
}

/// All spans of a payload, a line each.
fn describe(payload: &Payload) -> Result<String, WireError> {
    let request = payload.rope().to_bytes();
    let mut text = String::new();
    for resource in TracesRequestView::parse(&request)?.resource_spans() {
        for scope in resource?.scope_spans() {
            let scope = scope?;
            let name = scope.scope().map_or("", |scope| scope.name());
            for span in scope.spans() {
                line(&mut text, name, &span?)?;
            }
        }
    }
    Ok(text)
}

fn line(text: &mut String, scope: &str, span: &SpanView<'_>) -> Result<(), WireError> {
    let micros = span.end_time_unix_nano().saturating_sub(span.start_time_unix_nano()) / 1_000;
    // Writing to a string cannot fail.
    let _ = write!(
        text,
        "{} {} {} {micros}µs [{}]",
        hex(span.trace_id()),
        hex(span.span_id()),
        span.name().escape_debug(),
        scope.escape_debug()
    );
    if !span.parent_span_id().is_empty() {
        let _ = write!(text, " parent={}", hex(span.parent_span_id()));
    }
    for attribute in span.attributes() {
        let attribute = attribute?;
        let _ = write!(text, " {}={}", attribute.key().escape_debug(), Short(&attribute.value()));
    }
    let status = span.status();
    if status.code() != 0 {
        let _ = write!(text, " status={} {}", status.code(), status.message().escape_debug());
    }
    for event in span.events() {
        let _ = write!(text, " event={}", event?.name().escape_debug());
    }
    text.push('\n');
    Ok(())
}

fn hex(id: &[u8]) -> String {
    id.iter().fold(String::new(), |mut text, byte| {
        let _ = write!(text, "{byte:02x}");
        text
    })
}

/// A value on one line.
struct Short<'a>(&'a AnyValueView<'a>);

impl std::fmt::Display for Short<'_> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self.0 {
            AnyValueView::String(text) => write!(f, "{:?}", text),
            AnyValueView::Bool(value) => value.fmt(f),
            AnyValueView::Int(value) => value.fmt(f),
            AnyValueView::Double(value) => value.fmt(f),
            AnyValueView::Bytes(bytes) => write!(f, "{} bytes", bytes.len()),
            _ => f.write_str("…"),
        }
    }
}

#[cfg(test)]
mod tests {
    use opentelemetry::trace::{Span as _, Status, Tracer as _, TracerProvider as _};
    use opentelemetry::{Array, KeyValue, Value};

    use super::*;
    use crate::testing::InMemoryExporter;
    use crate::trace::TracerProvider;

    #[test]
    fn a_span_is_one_line_and_nothing_in_it_can_make_two() {
        let exporter = InMemoryExporter::default();
        let provider = TracerProvider::builder().with_simple_exporter(exporter.clone()).build();
        let mut span = provider.tracer("scope\nname").start("span\x1b[2J");
        span.set_attribute(KeyValue::new("text\n", "a\nb"));
        span.set_attribute(KeyValue::new("number", 7));
        span.set_attribute(KeyValue::new("list", Value::Array(Array::I64(vec![1]))));
        span.add_event("event\n", vec![]);
        span.set_status(Status::error("bad\n"));
        span.end();
        provider.force_flush().unwrap();

        let text = describe(&exporter.payloads()[0]).unwrap();
        assert_eq!(text.lines().count(), 1, "{text}");
        for part in [
            "[scope\\nname]",
            " span\\u{1b}[2J ",
            "text\\n=\"a\\nb\"",
            "number=7",
            "list=…",
            "event=event\\n",
            "status=2 bad\\n",
        ] {
            assert!(text.contains(part), "{part} is not in {text}");
        }
    }
}
