//! Memory of a client whose server is away: the bytes of the queue and little more.
#![cfg(target_os = "linux")]

use std::time::Duration;

use opentelemetry::KeyValue;
use opentelemetry::trace::{Span as _, Tracer as _, TracerProvider as _};
use otlp_core::export::{ErrorKind, ExportError, Outcome};
use otlp_sdk::trace::TracerProvider;
use otlp_sdk::{BatchConfig, DropReason};
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

/// Fills the queue with what `round` ends, flushed into the worker's hands after each round, and
/// says how large the process is then, and how many spans it holds.
fn resident_when_full(mut round: impl FnMut(&TracerProvider)) -> (usize, u64) {
    let provider = away();
    while provider.ledger().dropped(DropReason::QueueFull) == 0 {
        round(&provider);
        let _ = provider.force_flush_with_timeout(Duration::ZERO);
    }
    let full = resident();
    let ledger = provider.ledger();
    assert_eq!(ledger.unaccounted(), 0, "{ledger}");
    let _ = provider.shutdown_with_timeout(Duration::ZERO);
    (full, ledger.held)
}

/// A round of `threads` threads with so many spans each.
fn of_threads(threads: usize, spans: usize) -> impl FnMut(&TracerProvider) {
    move |provider| {
        let tracer = provider.tracer("away");
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
    }
}

/// A round of `spans` spans, each of a scope of its own whose name has `name_len` bytes and more.
fn of_new_scopes(name_len: usize, spans: usize) -> impl FnMut(&TracerProvider) {
    let mut number = 0;
    move |provider| {
        for _ in 0..spans {
            number += 1;
            provider.tracer(format!("{number}{}", "x".repeat(name_len))).start("span").end();
        }
    }
}

/// A round of spans that take turns among so many scopes.
fn of_turns(scopes: usize) -> impl FnMut(&TracerProvider) {
    move |provider| {
        let tracers: Vec<_> =
            (0..scopes).map(|number| provider.tracer(format!("scope {number}"))).collect();
        for tracer in tracers.iter().cycle().take(50_000) {
            tracer.start("span").end();
        }
    }
}

// One test, one after the other: they share a process, and so its memory.
#[test]
fn memory_stays_near_the_bytes_of_the_queue_while_the_server_is_away() {
    // Before anything was held: what one case leaves with the allocator, the next one may use.
    let before = resident();
    assert!(before > 0, "the system does not say how much memory is resident");
    let check = |what: String, round: &mut dyn FnMut(&TracerProvider), least: u64| {
        let (full, held) = resident_when_full(round);
        let mib = full.saturating_sub(before) / MIB;
        println!("{what}: {mib} MiB for {held} spans");
        assert!(mib * MIB <= QUEUE_BYTES + 24 * MIB, "{what}: {mib} MiB");
        assert!(held >= least, "{what}: only {held} spans");
    };
    for (threads, spans) in [(1, 50_000), (16, 40), (50, 12)] {
        let what = format!("{threads} threads of {spans} spans");
        check(what, &mut of_threads(threads, spans), 50_000);
    }
    for scopes in [2, 32, 512] {
        check(format!("turns among {scopes} scopes"), &mut of_turns(scopes), 30_000);
    }
    // A scope that a span keeps alive is memory as well.
    for (name_len, spans, least) in [(10, 20_000, 30_000), (1_000, 10_000, 8_000)] {
        let what = format!("scopes of their own with names of {name_len} bytes");
        check(what, &mut of_new_scopes(name_len, spans), least);
    }
}
