//! Code that is not ours, in bad moments: shutdown from an exporter's thread, two shutdowns at once,
//! destructors that come late or panic, spans that the export itself makes.

#![expect(clippy::panic, reason = "helpers of tests fail by panicking, as tests do")]

use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, OnceLock, mpsc};
use std::time::Duration;

use opentelemetry::Context;
use opentelemetry::trace::{Span as _, Tracer as _, TracerProvider as _};
use otlp_core::Payload;
use otlp_core::export::{Deadline, Exporter, Outcome};
use otlp_sdk::testing::InMemoryExporter;
use otlp_sdk::trace::{FinishedSpan, SpanProcessor, Tracer, TracerProvider};
use otlp_sdk::{DropReason, PipelineError};

const SECOND: Duration = Duration::from_secs(1);

fn end_spans(provider: &TracerProvider, count: usize) {
    let tracer = provider.tracer("test");
    (0..count).for_each(|_| tracer.start("span").end());
}

/// Calls a function for each export.
struct Calls<F>(F);

impl<F> std::fmt::Debug for Calls<F> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Calls")
    }
}

impl<F: Fn() + Send + Sync + 'static> Exporter for Calls<F> {
    async fn export(&self, _: Payload, _: Deadline) -> Outcome {
        (self.0)();
        Outcome::delivered()
    }
}

#[test]
fn a_shutdown_on_an_exporters_thread_begins_nothing() {
    let own = Arc::new(OnceLock::<TracerProvider>::new());
    let answers = Arc::new(Mutex::new(Vec::new()));
    let exporter = {
        let (own, answers) = (Arc::clone(&own), Arc::clone(&answers));
        Calls(move || answers.lock().unwrap().push(own.get().unwrap().shutdown()))
    };
    let provider = TracerProvider::builder().with_batch_exporter(exporter).build();
    own.set(provider.clone()).unwrap();
    end_spans(&provider, 1);
    provider.force_flush().unwrap();
    let answer = answers.lock().unwrap().pop();
    assert!(matches!(answer, Some(Err(PipelineError::NoWorker(_)))), "{answer:?}");
    // Nothing has changed by it.
    end_spans(&provider, 100);
    provider.shutdown().unwrap();
    let ledger = provider.ledger();
    assert_eq!((ledger.ended, ledger.delivered), (101, 101), "{ledger}");
}

#[test]
fn a_provider_that_is_dropped_on_an_exporters_thread_ends_its_thread() {
    struct Gone(mpsc::Sender<()>);
    impl Drop for Gone {
        fn drop(&mut self) {
            let _ = self.0.send(());
        }
    }
    let (gone, is_gone) = mpsc::channel();
    let last: Arc<Mutex<Option<Tracer>>> = Arc::default();
    let exporter = {
        // Goes with the worker.
        let (last, gone) = (Arc::clone(&last), Mutex::new(Gone(gone)));
        Calls(move || {
            let _here = &gone;
            drop(last.lock().unwrap().take());
        })
    };
    let provider = TracerProvider::builder().with_batch_exporter(exporter).build();
    let tracer = provider.tracer("test");
    *last.lock().unwrap() = Some(tracer.clone());
    tracer.start("span").end();
    // A full batch, so that the export comes by itself when nobody else holds the provider.
    (0..5000).for_each(|_| tracer.start("span").end());
    drop((provider, tracer));
    is_gone.recv_timeout(30 * SECOND).unwrap();
}

#[test]
fn a_second_shutdown_waits_for_the_one_at_work() {
    let (started, has_started) = mpsc::channel();
    let (release, released) = mpsc::channel::<()>();
    let released = Mutex::new(released);
    let exporter = Calls(move || {
        let _ = started.send(());
        let _ = released.lock().unwrap().recv();
    });
    let provider = TracerProvider::builder().with_batch_exporter(exporter).build();
    end_spans(&provider, 1);
    std::thread::scope(|threads| {
        let first = threads.spawn(|| provider.shutdown_with_timeout(60 * SECOND));
        has_started.recv().unwrap();
        // Its own patience is over first, and that costs the one at work nothing.
        let second = provider.shutdown_with_timeout(SECOND / 20);
        assert!(matches!(second, Err(PipelineError::Timeout { held: 1, .. })), "{second:?}");
        release.send(()).unwrap();
        first.join().unwrap().unwrap();
    });
    assert_eq!(provider.ledger().delivered, 1);
    assert!(matches!(provider.shutdown(), Err(PipelineError::AlreadyShutdown)));
}

/// Tells of its end, and looks at the context in it, as destructors that log do.
#[derive(Debug)]
struct Watched(Arc<AtomicUsize>);

impl SpanProcessor for Watched {
    fn on_end(&self, _: &FinishedSpan<'_>) {}
}

impl Drop for Watched {
    fn drop(&mut self) {
        let _ = Context::current();
        self.0.fetch_add(1, Ordering::Release);
    }
}

#[test]
fn what_the_user_brought_goes_with_the_provider_and_not_with_a_thread() {
    let dropped = Arc::new(AtomicUsize::new(0));
    std::thread::spawn({
        let dropped = Arc::clone(&dropped);
        move || {
            let provider = TracerProvider::builder()
                .with_span_processor(Watched(Arc::clone(&dropped)))
                .with_batch_exporter(InMemoryExporter::default())
                .build();
            end_spans(&provider, 1);
            let open = provider.tracer("test").start("open");
            drop(provider);
            assert_eq!(dropped.load(Ordering::Acquire), 1);
            // The span and this thread's stock refer to the provider still.
            drop(open);
        }
    })
    .join()
    .unwrap();
}

/// A panic that panics when it is dropped.
struct Bomb;

impl Drop for Bomb {
    fn drop(&mut self) {
        if !std::thread::panicking() {
            panic!("dropped");
        }
    }
}

#[derive(Debug)]
struct ThrowsBombs;

impl SpanProcessor for ThrowsBombs {
    fn on_end(&self, _: &FinishedSpan<'_>) {
        std::panic::panic_any(Bomb);
    }
}

#[test]
fn a_panic_that_panics_again_stays_with_us() {
    let provider = TracerProvider::builder()
        .with_span_processor(ThrowsBombs)
        .with_batch_exporter(InMemoryExporter::default())
        .build();
    end_spans(&provider, 3);
    provider.force_flush().unwrap();
    let ledger = provider.ledger();
    assert_eq!((ledger.delivered, ledger.panics), (3, 3), "{ledger}");

    let left = AtomicUsize::new(10);
    let take = move |left: usize| left.checked_sub(1);
    let bombs = Calls(move || {
        if left.fetch_update(Ordering::Relaxed, Ordering::Relaxed, take).is_ok() {
            std::panic::panic_any(Bomb);
        }
    });
    let provider = TracerProvider::builder().with_simple_exporter(bombs).build();
    end_spans(&provider, 50);
    // It says what the bombs have cost, and it comes back.
    assert!(matches!(provider.force_flush(), Err(PipelineError::Lost { lost: 10, .. })));
    let ledger = provider.ledger();
    assert_eq!((ledger.delivered, ledger.dropped(DropReason::ExporterPanic)), (40, 10), "{ledger}");
}

#[test]
fn spans_that_the_export_makes_are_not_recorded() {
    let own = Arc::new(OnceLock::<TracerProvider>::new());
    let exporter = {
        let own = Arc::clone(&own);
        Calls(move || {
            let tracer = own.get().unwrap().tracer("transport");
            // As a bridge from `tracing` does: in a context of its own making.
            let mut span = tracer.start_with_context("connection", &Context::new());
            assert!(!span.is_recording());
            span.end();
        })
    };
    let provider = TracerProvider::builder().with_batch_exporter(exporter).build();
    own.set(provider.clone()).unwrap();
    end_spans(&provider, 1);
    provider.force_flush().unwrap();
    let ledger = provider.ledger();
    assert_eq!((ledger.created, ledger.sampled_out, ledger.ended), (2, 1, 1), "{ledger}");
    assert_eq!(ledger.delivered, 1, "the check in the exporter held: {ledger}");
}

#[test]
fn spans_started_after_shutdown_have_a_count_of_their_own() {
    let provider =
        TracerProvider::builder().with_batch_exporter(InMemoryExporter::default()).build();
    provider.shutdown().unwrap();
    end_spans(&provider, 3);
    let ledger = provider.ledger();
    let counts = [ledger.created, ledger.sampled_out, ledger.started_after_shutdown, ledger.ended];
    assert_eq!(counts, [3, 0, 3, 0]);
}
