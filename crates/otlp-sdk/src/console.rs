//! For debugging: an exporter that prints spans for people.

mod text;
mod value;

use std::io::Write as _;

use otlp_core::export::{Deadline, ErrorKind, ExportError, Exporter, Outcome};
use otlp_core::{Payload, Signal};

pub(crate) use self::value::ValueText;

/// Prints spans to standard output, for people; the form may change (specification row R11).
///
/// Meant for debugging, with
/// [`with_simple_exporter`](crate::trace::TracerProviderBuilder::with_simple_exporter) or
/// `OTEL_TRACES_EXPORTER=console`. Everything that OTLP knows of a span is shown, the resource once
/// per request:
///
/// ```text
/// resource service.name="shop" telemetry.sdk.language="rust"
/// scope checkout 1.4.0
/// span charge card
///   trace    4bf92f3577b34da6a3ce929d0e0e4736, flags 03
///   id       00f067aa0ba902b7
///   parent   b7ad6b7169203331 (remote)
///   kind     client
///   start    2026-11-21T15:30:00.123456789Z
///   duration 1.25ms
///   status   error "declined"
///   amount = 4200
///   cards = ["visa", "amex"]
///   event +300µs retry
///     reason = "timeout"
///   link 4bf92f3577b34da6a3ce929d0e0e4736 b7ad6b7169203331
///     why = "same cart"
///   dropped 1 attribute, 2 events
/// ```
///
/// Times are UTC; an event's time is its distance from the span's start. Control characters are
/// escaped, so nothing in a span can steer a terminal or fake a line; names and keys are cut after
/// 256 bytes and values after 1,024, with a `…`. While nobody reads standard output the exporter
/// waits; the application does not.
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
        if payload.signal() != Signal::Traces {
            return refused("the console exporter prints traces only");
        }
        let text = match text::describe(&payload.rope().to_bytes()) {
            Ok(text) => text,
            Err(error) => {
                let what = "the request is not valid OTLP";
                let error = ExportError::new(ErrorKind::Other, what).with_source(error);
                return Outcome::permanent(error);
            }
        };
        match std::io::stdout().lock().write_all(text.as_bytes()) {
            Ok(()) => Outcome::delivered(),
            Err(error) => {
                let what = "standard output cannot be written";
                let error = ExportError::new(ErrorKind::Other, what).with_source(error);
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

fn refused(what: &'static str) -> Outcome {
    Outcome::permanent(ExportError::new(ErrorKind::Other, what))
}

#[cfg(test)]
mod tests;
