//! What people are told: one line per kind and ten seconds, with the real cause, and in the end the
//! sum of what was held back. The worker speaks, so the subscriber is the process's, and this test
//! has it to itself.

use std::io::Write;
use std::sync::Arc;
use std::time::Duration;

use opentelemetry::trace::{Span as _, Tracer as _, TracerProvider as _};
use otlp_core::export::{ErrorKind, ExportError, Outcome};
use otlp_sdk::trace::TracerProvider;
use otlp_sdk::{BatchConfig, DropReason};
use otlp_testing::{ScriptedExporter, Step};
use parking_lot::Mutex;

#[derive(Clone, Debug, Default)]
struct Lines(Arc<Mutex<Vec<u8>>>);

impl Write for Lines {
    fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
        self.0.lock().extend_from_slice(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> std::io::Result<()> {
        Ok(())
    }
}

impl Lines {
    fn take(&self) -> Vec<String> {
        let bytes = std::mem::take(&mut *self.0.lock());
        String::from_utf8_lossy(&bytes).lines().map(str::to_owned).collect()
    }
}

fn spans(provider: &TracerProvider, count: usize) {
    let tracer = provider.tracer("told");
    (0..count).for_each(|_| tracer.start("span").end());
}

#[test]
fn each_kind_of_trouble_is_told_once_with_its_cause() {
    let lines = Lines::default();
    let writer = lines.clone();
    tracing_subscriber::fmt().with_writer(move || writer.clone()).with_ansi(false).init();
    let exporter = ScriptedExporter::new();
    let config = BatchConfig::default().with_max_export_batch_size(10).with_max_queue_size(1000);
    let provider =
        TracerProvider::builder().with_batch_exporter_config(exporter.clone(), config).build();

    let cause = std::io::Error::other("connection refused (os error 111)");
    let error =
        ExportError::new(ErrorKind::Connect, "cannot reach http://localhost:4318/v1/traces")
            .with_source(cause);
    exporter.respond_by(move |_| Outcome::permanent(error.clone()).into());
    spans(&provider, 500);
    // Whether some of them failed before the flush began is a matter of luck.
    let _ = provider.force_flush();
    assert_eq!(provider.ledger().dropped(DropReason::PermanentError), 500);
    let told = lines.take();
    assert_eq!(told.len(), 1, "{told:#?}");
    for part in [
        "ERROR",
        "otlp_sdk",
        "signal=\"traces\"",
        "destination=\"scripted_exporter\"",
        "items=10",
        "reason=\"permanent_error\"",
        "cannot reach http://localhost:4318/v1/traces: connection refused (os error 111)",
    ] {
        assert!(told[0].contains(part), "{part} in {}", told[0]);
    }

    let message = "bad\u{1b}[31m\nspan".to_owned();
    exporter.respond_by(move |_| Outcome::partly_rejected(1, message.clone()).into());
    spans(&provider, 500);
    let _ = provider.force_flush();
    assert_eq!(provider.ledger().rejected, 50);
    let told = lines.take();
    assert_eq!(told.len(), 1, "{told:#?}");
    assert!(
        told[0].contains("rejected=1") && told[0].contains("the server rejected part"),
        "{told:?}"
    );
    assert!(!told[0].contains('\u{1b}'), "{told:?}");

    exporter.respond_by(|_| Step::Hang);
    spans(&provider, 1500);
    // While the worker empties a lane, what that lane had reserved and not used counts as taken.
    let full = provider.ledger().dropped(DropReason::QueueFull);
    assert!((500..532).contains(&full), "{full}");
    let full = format!("queue_full={full}");
    let error = provider.shutdown_with_timeout(Duration::from_millis(100)).unwrap_err();
    assert!(error.to_string().contains("no answer from scripted_exporter yet"), "{error}");
    let told = lines.take();
    assert_eq!(told.len(), 3, "{told:#?}");
    for (line, parts) in told.iter().zip([
        ["more exports failed", "messages=49 ", "items=490 "],
        ["the server rejected part of more", "messages=49 ", "rejected=49 "],
        ["were not taken into the export queue", &full, "too_large=0"],
    ]) {
        for part in parts {
            assert!(line.contains(part), "{part} in {line}");
        }
    }
}
