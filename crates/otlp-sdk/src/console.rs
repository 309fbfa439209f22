//! For debugging: an exporter that prints spans, metrics and log records for people.

mod buckets;
mod logs;
mod metrics;
mod page;
mod spans;
mod time;
mod value;

use std::io::Write as _;

use otlp_core::export::{Deadline, ErrorKind, ExportError, Exporter, Outcome};
use otlp_core::wire::{LogRecordView, MetricView, SpanView, WireError};
use otlp_core::{Payload, Signal};

pub(crate) use self::value::ValueText;

/// Prints spans, metrics and log records to standard output, for people; the form may change
/// (specification row R11).
///
/// Meant for debugging, with
/// [`with_simple_exporter`](crate::trace::TracerProviderBuilder::with_simple_exporter), or with
/// `OTEL_TRACES_EXPORTER=console`, `OTEL_METRICS_EXPORTER=console` and `OTEL_LOGS_EXPORTER=console`.
/// Everything that OTLP knows of an item is shown, the resource once per request:
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
/// A log record, with its trace and span if it has them:
///
/// ```text
/// log WARN "out of stock"
///   time     2026-11-21T15:30:00.123456789Z
///   event    stock.empty
///   trace    4bf92f3577b34da6a3ce929d0e0e4736, flags 01
///   span     00f067aa0ba902b7
///   sku = "A-17"
/// ```
///
/// A metric and its points. Of buckets only those are shown that have values; bounds of exponential
/// ones are rounded to six digits:
///
/// ```text
/// metric http.server.request.duration
///   about    Duration of requests
///   unit     s
///   kind     histogram, cumulative
///   point count 7, sum 1.25, min 0.01, max 0.9
///     start    2026-11-21T15:30:00.123456789Z
///     time     2026-11-21T15:31:00.123456789Z
///     buckets  (0.0, 0.005] 4, (0.75, 1.0] 3
///     http.route = "/orders/{id}"
///     exemplar 0.9 at 2026-11-21T15:30:10.000000000Z, trace 4bf92f3577b34da6a3ce929d0e0e4736, span 00f067aa0ba902b7
/// ```
///
/// Times are UTC; an event's time is its distance from the span's start. Control characters are
/// escaped, so nothing in an item can steer a terminal or fake a line; names, keys and descriptions are
/// cut after 256 bytes, and values and lists after 1,024, with a `…`. A request is printed in one go.
/// While nobody reads standard output the exporter waits; the application does not.
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
        let request = payload.rope().to_bytes();
        let text = match describe(payload.signal(), &request) {
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

fn describe(signal: Signal, request: &[u8]) -> Result<String, WireError> {
    match signal {
        Signal::Metrics => page::describe::<MetricView<'_>>(request),
        Signal::Logs => page::describe::<LogRecordView<'_>>(request),
        Signal::Traces => page::describe::<SpanView<'_>>(request),
        // How its items read is not known here; that there are some is.
        other => Ok(format!("{other}: {} bytes\n", request.len())),
    }
}

#[cfg(test)]
mod tests;
