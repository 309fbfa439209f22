//! For tests: an exporter that keeps what it is given, and spans, data points and log records as values to
//! assert on.
//!
//! ```
//! use opentelemetry::KeyValue;
//! use opentelemetry::trace::{Span, Status, Tracer, TracerProvider as _};
//! use otlp_sdk::testing::InMemoryExporter;
//! use otlp_sdk::trace::TracerProvider;
//!
//! let exporter = InMemoryExporter::default();
//! let provider = TracerProvider::builder().with_simple_exporter(exporter.clone()).build();
//!
//! let mut span = provider.tracer("shop").start("check out");
//! span.set_attribute(KeyValue::new("cart.items", 3));
//! span.end();
//! // Exporters run on a thread of their own, also behind the simple processor.
//! provider.force_flush()?;
//!
//! let span = exporter.finished_span("check out").unwrap();
//! assert_eq!(span.attribute("cart.items"), Some(&3.into()));
//! assert_eq!(span.status, Status::Unset);
//! assert_eq!(span.parent_span_id, None);
//! assert_eq!(span.scope.name(), "shop");
//! assert_eq!(span.resource.get("telemetry.sdk.language"), Some(&"rust".into()));
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```
//!
//! Metrics come one data point at a time, each with the metric that it belongs to:
//!
//! ```
//! use opentelemetry::KeyValue;
//! use opentelemetry::metrics::MeterProvider as _;
//! use otlp_sdk::metrics::MeterProvider;
//! use otlp_sdk::testing::{InMemoryExporter, MetricKind};
//!
//! let exporter = InMemoryExporter::default();
//! let provider = MeterProvider::builder().with_exporter(exporter.clone()).build();
//!
//! let paid = [KeyValue::new("paid", true)];
//! provider.meter("shop").u64_counter("orders").with_unit("{order}").build().add(3, &paid);
//! // Collects, and exports what was collected.
//! provider.force_flush()?;
//!
//! let orders = exporter.data_point("orders", &paid).unwrap();
//! assert_eq!(orders.value, 3.into());
//! assert_eq!(orders.kind, MetricKind::Sum { is_monotonic: true });
//! assert_eq!(orders.unit, "{order}");
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```

mod recorded;
mod recorded_log;
mod recorded_metric;

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use opentelemetry::KeyValue;
use otlp_core::export::{Deadline, ExportError, Exporter, Outcome, attempt};
use otlp_core::span::EncodedSpan;
use otlp_core::wire::{TracesRequestView, WireError};
use otlp_core::{Payload, Signal};
use parking_lot::Mutex;

pub use self::recorded::RecordedSpan;
#[cfg(feature = "tracing")]
pub(crate) use self::recorded::api_attribute;
pub(crate) use self::recorded::read as read_spans;
pub use self::recorded_log::RecordedLogRecord;
pub use self::recorded_metric::{
    Distribution, MetricKind, PointValue, RecordedDataPoint, RecordedExemplar, Shape,
};

/// Keeps the payloads it is given; clones share them (specification row R11), so one may stand for every
/// signal. Each clone has a shutdown of its own, after which it takes nothing more.
///
/// Flush the provider before looking: export happens on another thread. It grows without bound, so
/// it is for tests; [the module](self) has an example.
#[derive(Debug, Default)]
pub struct InMemoryExporter {
    kept: Arc<Mutex<Vec<Payload>>>,
    ended: AtomicBool,
}

impl InMemoryExporter {
    /// All spans so far in the order of their export, as values of the API's types.
    ///
    /// Costs a decoding of everything that is kept.
    ///
    /// # Panics
    ///
    /// A payload is not valid OTLP, which our SDK never makes: a test should end there rather than
    /// see fewer spans than there were.
    #[must_use]
    pub fn finished_spans(&self) -> Vec<RecordedSpan> {
        self.read(Signal::Traces, recorded::read)
    }

    /// All log records so far in the order of their export, as values of the API's types.
    ///
    /// Costs a decoding of everything that is kept.
    ///
    /// # Panics
    ///
    /// As [`finished_spans`](Self::finished_spans).
    #[must_use]
    pub fn log_records(&self) -> Vec<RecordedLogRecord> {
        self.read(Signal::Logs, recorded_log::read)
    }

    /// All data points so far in the order of their export, each with the metric that it belongs to.
    ///
    /// Every collection adds its own: a cumulative counter comes once for each of them. Costs a decoding
    /// of everything that is kept.
    ///
    /// # Panics
    ///
    /// As [`finished_spans`](Self::finished_spans).
    #[must_use]
    pub fn data_points(&self) -> Vec<RecordedDataPoint> {
        self.read(Signal::Metrics, recorded_metric::read)
    }

    /// What was exported last of the metric of this name with exactly these attributes, in whatever order.
    ///
    /// # Panics
    ///
    /// As [`finished_spans`](Self::finished_spans).
    #[must_use]
    pub fn data_point(&self, name: &str, attributes: &[KeyValue]) -> Option<RecordedDataPoint> {
        let is_wanted = |it: &RecordedDataPoint| it.name == name && it.has_attributes(attributes);
        self.data_points().into_iter().rfind(is_wanted)
    }

    /// The first finished span of this name.
    ///
    /// # Panics
    ///
    /// As [`finished_spans`](Self::finished_spans).
    #[must_use]
    pub fn finished_span(&self, name: &str) -> Option<RecordedSpan> {
        self.finished_spans().into_iter().find(|span| span.name == name)
    }

    /// All payloads so far, in the order of their export.
    #[must_use]
    pub fn payloads(&self) -> Vec<Payload> {
        self.kept.lock().clone()
    }

    /// All spans so far as they were encoded, without their resource and scope.
    ///
    /// For tests of bytes; [`finished_spans`](Self::finished_spans) is easier to assert on.
    ///
    /// # Errors
    ///
    /// A payload is not valid OTLP, which would be a bug of whoever encoded it.
    pub fn spans(&self) -> Result<Vec<EncodedSpan>, WireError> {
        let mut spans = Vec::new();
        for payload in self.payloads_of(Signal::Traces) {
            let request = payload.rope().to_bytes();
            for resource in TracesRequestView::parse(&request)?.resources() {
                for scope in resource?.scopes() {
                    for span in scope?.items() {
                        spans.push(EncodedSpan::from_bytes(request.slice_ref(span?.encoded()))?);
                    }
                }
            }
        }
        Ok(spans)
    }

    /// Forgets everything so far.
    pub fn reset(&self) {
        self.kept.lock().clear();
    }

    fn payloads_of(&self, signal: Signal) -> Vec<Payload> {
        let mut payloads = self.payloads();
        payloads.retain(|payload| payload.signal() == signal);
        payloads
    }

    fn read<T: Clone>(
        &self,
        signal: Signal,
        read: impl Fn(&Payload) -> Result<Vec<T>, WireError>,
    ) -> Vec<T> {
        let payloads = self.payloads_of(signal);
        match payloads.iter().map(read).collect::<Result<Vec<_>, _>>() {
            Ok(items) => items.concat(),
            #[expect(clippy::panic, reason = "for tests, and documented")]
            Err(error) => panic!("a payload that was exported is not valid OTLP: {error}"),
        }
    }
}

impl Clone for InMemoryExporter {
    fn clone(&self) -> Self {
        Self { kept: Arc::clone(&self.kept), ended: AtomicBool::new(false) }
    }
}

impl Exporter for InMemoryExporter {
    async fn export(&self, payload: Payload, _deadline: Deadline) -> Outcome {
        if self.ended.load(Ordering::Relaxed) {
            return attempt::already_shutdown();
        }
        self.kept.lock().push(payload);
        Outcome::delivered()
    }

    async fn shutdown(&self, _deadline: Deadline) -> Result<(), ExportError> {
        self.ended.store(true, Ordering::Relaxed);
        Ok(())
    }

    fn component_type(&self) -> &'static str {
        "in_memory_exporter"
    }
}

#[cfg(test)]
mod tests;
