//! Real threads against a small queue and an exporter that fails in every way, while somebody reads
//! the account all the time. Whatever happens, it balances, and what it calls delivered is what
//! the exporter took.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, AtomicUsize, Ordering};
use std::time::Duration;

use opentelemetry::trace::{Span as _, Tracer as _, TracerProvider as _};
use otlp_core::Payload;
use otlp_core::export::retry::RetryPolicy;
use otlp_core::export::{Deadline, ErrorKind, ExportError, Exporter, Outcome};
use otlp_sdk::trace::TracerProvider;
use otlp_sdk::{BatchConfig, DropReason, Ledger, PipelineError};

const THREADS: usize = 8;
/// Items that are held at most: a burst fills it, and it drains while the threads work.
const QUEUE: usize = 16 * 1024;

/// Takes most of it, and fails in turn.
#[derive(Clone, Debug, Default)]
struct Mixed(Arc<Counts>);

#[derive(Debug, Default)]
struct Counts {
    calls: AtomicUsize,
    taken: AtomicU64,
    rejected: AtomicU64,
}

impl Exporter for Mixed {
    #[expect(clippy::panic, reason = "the panic is one of the failures")]
    async fn export(&self, payload: Payload, _: Deadline) -> Outcome {
        let items = payload.items() as u64;
        let error = |text: &'static str| ExportError::new(ErrorKind::Other, text);
        match self.0.calls.fetch_add(1, Ordering::Relaxed) % 23 {
            3 => return Outcome::retryable(error("busy")),
            7 => return Outcome::permanent(error("bad")),
            11 => return Outcome::TooLarge { error: error("too large") },
            13 => panic!("stress"),
            17 => tokio::time::sleep(Duration::from_millis(2)).await,
            19 => {
                let rejected = items.min(3);
                self.0.rejected.fetch_add(rejected, Ordering::Relaxed);
                self.0.taken.fetch_add(items - rejected, Ordering::Relaxed);
                return Outcome::partly_rejected(rejected, "some".to_owned());
            }
            _ => {}
        }
        self.0.taken.fetch_add(items, Ordering::Relaxed);
        Outcome::delivered()
    }
}

/// A queue that is full at times, small batches, four requests in flight, quick retries.
fn config() -> BatchConfig {
    let retry = RetryPolicy::default()
        .with_initial_backoff(Duration::from_millis(1))
        .with_max_backoff(Duration::from_millis(4));
    BatchConfig::default()
        .with_max_queue_size(QUEUE)
        .with_max_queue_bytes(QUEUE * 64)
        .with_max_export_batch_size(256)
        .with_schedule_delay(Duration::from_millis(20))
        .with_retry(retry)
}

fn quiet_panics() {
    let before = std::panic::take_hook();
    std::panic::set_hook(Box::new(move |info| {
        if info.payload().downcast_ref::<&str>().copied() != Some("stress") {
            before(info);
        }
    }));
}

/// Each thread starts and ends `spans` spans, some of them over the lifetime of others.
fn work(provider: &TracerProvider, spans: usize) {
    let tracer = provider.tracer("stress");
    let other = provider.tracer("other scope");
    let mut open = Vec::new();
    for number in 0..spans {
        let tracer = if number % 100 == 0 { &other } else { &tracer };
        open.push(tracer.start("span"));
        if open.len() == 8 {
            open.drain(..).for_each(|mut span| span.end());
        }
    }
}

/// Reads the account until `done`, and checks each picture against the one before.
fn watch(provider: &TracerProvider, done: &AtomicBool) -> usize {
    let (mut before, mut pictures) = (Ledger::default(), 0);
    while !done.load(Ordering::Acquire) {
        let now = provider.ledger();
        assert_eq!(now.unaccounted(), 0, "{now}");
        for (was, is) in [
            (before.ended, now.ended),
            (before.delivered, now.delivered),
            (before.rejected, now.rejected),
            (before.dropped_total(), now.dropped_total()),
        ] {
            assert!(was <= is, "{before}\nthen {now}");
        }
        // Items beyond the queue would be memory beyond the bound.
        assert!(now.held <= QUEUE as u64, "{now}");
        (before, pictures) = (now, pictures + 1);
        // Who looks all the time keeps the worker from working: the lock is not fair.
        std::thread::sleep(Duration::from_micros(100));
    }
    pictures
}

/// Runs the threads, three flushers and a reader; `meanwhile` on this thread.
fn stress(
    spans: usize,
    meanwhile: impl FnOnce(&TracerProvider),
) -> (Ledger, Mixed, TracerProvider) {
    quiet_panics();
    let exporter = Mixed::default();
    let provider =
        TracerProvider::builder().with_batch_exporter_config(exporter.clone(), config()).build();
    let (working, done) = (AtomicUsize::new(THREADS), AtomicBool::new(false));
    std::thread::scope(|threads| {
        for _ in 0..THREADS {
            threads.spawn(|| {
                work(&provider, spans / THREADS);
                working.fetch_sub(1, Ordering::AcqRel);
            });
        }
        for _ in 0..3 {
            threads.spawn(|| {
                while working.load(Ordering::Acquire) > 0 {
                    // A flush may tell of losses; it must come back.
                    let _ = provider.force_flush_with_timeout(Duration::from_secs(5));
                    std::thread::yield_now();
                }
            });
        }
        let reader = threads.spawn(|| watch(&provider, &done));
        meanwhile(&provider);
        while working.load(Ordering::Acquire) > 0 {
            std::thread::yield_now();
        }
        done.store(true, Ordering::Release);
        let pictures = reader.join().unwrap_or_default();
        assert!(pictures > 0, "the account did not balance, or nobody looked at it");
    });
    (provider.ledger(), exporter, provider)
}

fn check(ledger: &Ledger, exporter: &Mixed) {
    assert_eq!((ledger.unaccounted(), ledger.held), (0, 0), "{ledger}");
    assert_eq!(ledger.delivered, exporter.0.taken.load(Ordering::Relaxed), "{ledger}");
    assert_eq!(ledger.rejected, exporter.0.rejected.load(Ordering::Relaxed), "{ledger}");
    assert_eq!(ledger.created, ledger.ended + ledger.started_after_shutdown, "{ledger}");
    for reason in [DropReason::QueueFull, DropReason::PermanentError, DropReason::ExporterPanic] {
        assert!(ledger.dropped(reason) > 0, "{} did not happen: {ledger}", reason.name());
    }
    assert!(ledger.rejected > 0 && ledger.panics > 0 && ledger.delivered > 0, "{ledger}");
}

#[test]
fn a_million_spans_are_accounted_for() {
    const SPANS: usize = 1_000_000;
    let (before, exporter, provider) = stress(SPANS, |_| {});
    assert_eq!(before.ended, SPANS as u64);
    let result = provider.shutdown_with_timeout(Duration::from_secs(30));
    assert!(!matches!(result, Err(PipelineError::Timeout { .. })), "{result:?}");
    let ledger = provider.ledger();
    assert_eq!(ledger.ended, SPANS as u64, "{ledger}");
    check(&ledger, &exporter);
    assert!(ledger.delivered > 10_000, "hardly anything was delivered: {ledger}");
}

#[test]
fn a_shutdown_in_the_middle_loses_nothing_in_silence() {
    const SPANS: usize = 1_000_000;
    let (ledger, exporter, provider) = stress(SPANS, |provider| {
        while provider.ledger().ended < SPANS as u64 / 2 {
            std::thread::yield_now();
        }
        let mut open = provider.tracer("stress").start("open across the shutdown");
        let _ = provider.shutdown_with_timeout(Duration::from_secs(5));
        open.end();
    });
    assert!(ledger.ended < SPANS as u64, "the shutdown came too late: {ledger}");
    assert!(ledger.dropped(DropReason::AfterShutdown) > 0, "{ledger}");
    assert!(matches!(provider.shutdown(), Err(PipelineError::AlreadyShutdown)));
    assert_eq!(ledger.created, SPANS as u64 + 1);
    check(&ledger, &exporter);
}
