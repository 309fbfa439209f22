//! For tests and debugging: an exporter that keeps what it is given.

use std::sync::Arc;

use otlp_core::export::{Deadline, ErrorKind, ExportError, Exporter, Outcome};
use otlp_core::span::EncodedSpan;
use otlp_core::wire::{TracesRequestView, WireError};
use otlp_core::{Payload, Signal};
use parking_lot::Mutex;

/// Keeps the payloads it is given; clones share them (specification row R11).
///
/// It grows without bound, so it is for tests.
#[derive(Clone, Debug, Default)]
pub struct InMemoryExporter {
    kept: Arc<Mutex<Kept>>,
}

#[derive(Debug, Default)]
struct Kept {
    payloads: Vec<Payload>,
    shut_down: bool,
}

impl InMemoryExporter {
    /// All payloads so far, in the order of their export.
    #[must_use]
    pub fn payloads(&self) -> Vec<Payload> {
        self.kept.lock().payloads.clone()
    }

    /// All spans so far, without their resource and scope.
    ///
    /// # Errors
    ///
    /// A payload is not valid OTLP, which would be a bug of whoever encoded it.
    pub fn spans(&self) -> Result<Vec<EncodedSpan>, WireError> {
        let mut spans = Vec::new();
        for payload in self.payloads().iter().filter(|payload| payload.signal() == Signal::Traces) {
            let request = payload.rope().to_bytes();
            for resource in TracesRequestView::parse(&request)?.resource_spans() {
                for scope in resource?.scope_spans() {
                    for span in scope?.spans() {
                        spans.push(EncodedSpan::from_bytes(request.slice_ref(span?.encoded()))?);
                    }
                }
            }
        }
        Ok(spans)
    }

    /// Forgets everything so far.
    pub fn reset(&self) {
        self.kept.lock().payloads.clear();
    }
}

impl Exporter for InMemoryExporter {
    async fn export(&self, payload: Payload, _deadline: Deadline) -> Outcome {
        let mut kept = self.kept.lock();
        if kept.shut_down {
            let error = ExportError::new(ErrorKind::AlreadyShutdown, "already shut down");
            return Outcome::permanent(error);
        }
        kept.payloads.push(payload);
        Outcome::delivered()
    }

    async fn shutdown(&self, _deadline: Deadline) -> Result<(), ExportError> {
        self.kept.lock().shut_down = true;
        Ok(())
    }

    fn component_type(&self) -> &'static str {
        "in_memory_exporter"
    }
}

#[cfg(test)]
mod tests {
    use opentelemetry::trace::{Span as _, Tracer as _, TracerProvider as _};

    use super::*;
    use crate::trace::{DropReason, TracerProvider};

    #[test]
    fn it_keeps_what_it_is_given_until_it_is_told_to_forget() {
        let exporter = InMemoryExporter::default();
        let provider = TracerProvider::builder().with_batch_exporter(exporter.clone()).build();
        let tracer = provider.tracer("test");
        for name in ["a", "b"] {
            tracer.start(name).end();
            provider.force_flush().unwrap();
        }
        assert_eq!((exporter.payloads().len(), exporter.spans().unwrap().len()), (2, 2));
        exporter.reset();
        assert!(exporter.payloads().is_empty() && exporter.spans().unwrap().is_empty());
    }

    #[test]
    fn it_takes_nothing_after_its_shutdown() {
        // R9
        let exporter = InMemoryExporter::default();
        TracerProvider::builder().with_batch_exporter(exporter.clone()).build().shutdown().unwrap();
        let provider = TracerProvider::builder().with_batch_exporter(exporter.clone()).build();
        provider.tracer("test").start("late").end();
        assert!(provider.force_flush().is_err());
        assert!(exporter.payloads().is_empty());
        assert_eq!(provider.ledger().dropped(DropReason::PermanentError), 1);
    }
}
