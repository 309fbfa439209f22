//! Memory of a client whose server is away: the bytes of the queue and little more.
#![cfg(target_os = "linux")]

use std::time::Duration;

use opentelemetry::KeyValue;
use opentelemetry::trace::{Span as _, Tracer as _, TracerProvider as _};
use otlp_core::export::{ErrorKind, ExportError, Outcome};
use otlp_sdk::trace::{BatchConfig, DropReason, TracerProvider};
use otlp_testing::ScriptedExporter;

const MIB: usize = 1024 * 1024;
const QUEUE_BYTES: usize = 16 * MIB;

/// Resident bytes of this process; nothing if the system does not say.
fn resident() -> usize {
    let status = std::fs::read_to_string("/proc/self/status").unwrap_or_default();
    let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:")).unwrap_or_default();
    let kib = line.split_whitespace().next().and_then(|kib| kib.parse::<usize>().ok());
    kib.unwrap_or_default() * 1024
}

fn away() -> TracerProvider {
    let exporter = ScriptedExporter::new();
    exporter
        .respond_by(|_| Outcome::retryable(ExportError::new(ErrorKind::Connect, "away")).into());
    let config = BatchConfig::default()
        .with_max_queue_bytes(QUEUE_BYTES)
        .with_schedule_delay(Duration::from_millis(10));
    TracerProvider::builder().with_batch_exporter_config(exporter, config).build()
}

/// Fills the queue by `threads` threads of so many spans at a time, flushed into the worker's hands
/// after each round, and says how large the process is then.
fn resident_when_full(threads: usize, spans: usize) -> usize {
    let provider = away();
    let tracer = provider.tracer("away");
    while provider.ledger().dropped(DropReason::QueueFull) == 0 {
        std::thread::scope(|scope| {
            for _ in 0..threads {
                scope.spawn(|| {
                    for number in 0..spans {
                        let mut span = tracer.start("a span of usual size");
                        span.set_attribute(KeyValue::new("http.route", "/api/v1/items/{id}"));
                        span.set_attribute(KeyValue::new("item.number", number as i64));
                        span.end();
                    }
                });
            }
        });
        let _ = provider.force_flush_with_timeout(Duration::ZERO);
    }
    let full = resident();
    let ledger = provider.ledger();
    assert_eq!(ledger.unaccounted(), 0, "{ledger}");
    assert!(ledger.held > 50_000, "{ledger}");
    let _ = provider.shutdown_with_timeout(Duration::ZERO);
    full
}

// One test, one after the other: they share a process, and so its memory.
#[test]
fn memory_stays_near_the_bytes_of_the_queue_while_the_server_is_away() {
    // Before anything was held: what one case leaves with the allocator, the next one may use.
    let before = resident();
    assert!(before > 0, "the system does not say how much memory is resident");
    for (threads, spans) in [(1, 50_000), (16, 40), (50, 12)] {
        let grown = resident_when_full(threads, spans).saturating_sub(before);
        let mib = grown / MIB;
        assert!(grown <= QUEUE_BYTES + 24 * MIB, "{threads} threads: {mib} MiB");
        println!("{threads} threads of {spans} spans: {mib} MiB");
    }
}
