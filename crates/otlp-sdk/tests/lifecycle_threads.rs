//! Threads that end: by the thousand, with spans in thread-locals, with spans of others. S6.

use std::cell::RefCell;
use std::time::Duration;

use opentelemetry::Context;
use opentelemetry::trace::{Span as _, Tracer as _, TracerProvider as _};
use otlp_sdk::BatchConfig;
use otlp_sdk::trace::{Span, Tracer, TracerProvider};
use otlp_testing::ScriptedExporter;

fn provider() -> (TracerProvider, ScriptedExporter) {
    let exporter = ScriptedExporter::new();
    // Without a timer: what arrives was adopted by a flush or by a sweep.
    let config = BatchConfig::default().with_schedule_delay(Duration::from_secs(3600));
    let provider =
        TracerProvider::builder().with_batch_exporter_config(exporter.clone(), config).build();
    (provider, exporter)
}

fn names(exporter: &ScriptedExporter) -> Vec<String> {
    let mut names: Vec<_> = exporter.spans().iter().map(|span| span.name().to_owned()).collect();
    names.sort();
    names
}

#[track_caller]
fn all_delivered(provider: &TracerProvider, spans: u64) {
    let ledger = provider.ledger();
    assert_eq!(
        (ledger.ended, ledger.delivered, ledger.unaccounted()),
        (spans, spans, 0),
        "{ledger}"
    );
}

#[test]
fn three_spans_of_each_of_thousands_of_short_threads_are_delivered() {
    const THREADS: usize = 2_500;
    let (provider, exporter) = provider();
    let tracer = provider.tracer("short");
    for group in 0..THREADS / 50 {
        let threads: Vec<_> = (0..50)
            .map(|thread| {
                let tracer = tracer.clone();
                std::thread::spawn(move || {
                    for span in 0..3 {
                        tracer.start(format!("{group}.{thread}.{span}")).end();
                    }
                })
            })
            .collect();
        threads.into_iter().for_each(|thread| thread.join().unwrap());
    }
    provider.force_flush().unwrap();
    all_delivered(&provider, 3 * THREADS as u64);
    let mut names = names(&exporter);
    names.dedup();
    assert_eq!(names.len(), 3 * THREADS, "each arrived once");
}

thread_local! {
    static HELD: RefCell<Vec<Span>> = const { RefCell::new(Vec::new()) };
    static STARTS_AT_THE_END: RefCell<Option<StartsAtTheEnd>> = const { RefCell::new(None) };
}

/// Starts and ends a span when its thread ends.
struct StartsAtTheEnd(Tracer);

impl Drop for StartsAtTheEnd {
    fn drop(&mut self) {
        // `start` asks for the current context, which is a thread-local of the API and may be gone:
        // it would panic. With a context at hand nothing of the API's is needed.
        let builder = self.0.span_builder("from a destructor");
        self.0.build_with_context(builder, &Context::new()).end();
    }
}

fn hold(span: Span) {
    HELD.with_borrow_mut(|held| held.push(span));
}

#[test]
fn spans_that_end_in_destructors_of_thread_locals_are_delivered() {
    // The order in which thread-locals go is that of their first use, one way or the other: so
    // one of these threads has lost ours when its spans end.
    let (provider, exporter) = provider();
    let tracer = provider.tracer("late");
    let (first, second) = (tracer.clone(), tracer);
    std::thread::spawn(move || {
        HELD.with_borrow_mut(Vec::clear);
        STARTS_AT_THE_END.set(Some(StartsAtTheEnd(first.clone())));
        hold(first.start("theirs was first"));
    })
    .join()
    .unwrap();
    std::thread::spawn(move || {
        let span = second.start("ours was first");
        hold(span);
        STARTS_AT_THE_END.set(Some(StartsAtTheEnd(second)));
    })
    .join()
    .unwrap();
    provider.force_flush().unwrap();
    all_delivered(&provider, 4);
    assert_eq!(
        names(&exporter),
        ["from a destructor", "from a destructor", "ours was first", "theirs was first"]
    );
    let ledger = provider.ledger();
    assert_eq!((ledger.created, ledger.panics), (4, 0));
}

#[test]
fn a_span_that_ends_on_another_thread_is_delivered() {
    let (provider, exporter) = provider();
    let tracer = provider.tracer("moved");
    let spans: Vec<_> = (0..100).map(|number| tracer.start(number.to_string())).collect();
    let ended = std::thread::spawn(move || spans.into_iter().for_each(|mut span| span.end()));
    ended.join().unwrap();
    // Started on a thread that is gone before it ends.
    let orphan = std::thread::spawn(move || tracer.start("orphan"));
    drop(orphan.join().unwrap());
    provider.force_flush().unwrap();
    all_delivered(&provider, 101);
    assert!(names(&exporter).contains(&"orphan".to_owned()));
}

#[test]
fn a_thread_that_panics_delivers_what_it_had_open() {
    let (provider, exporter) = provider();
    let tracer = provider.tracer("panics");
    let thread = std::thread::spawn(move || {
        let _open = tracer.start("open in a panic");
        std::panic::resume_unwind(Box::new("meant"));
    });
    thread.join().unwrap_err();
    provider.force_flush().unwrap();
    assert_eq!(names(&exporter), ["open in a panic"]);
}

#[test]
fn threads_outlive_their_provider() {
    let (provider, exporter) = provider();
    let tracer = provider.tracer("outlives");
    let (start, started) = std::sync::mpsc::channel::<()>();
    let thread = std::thread::spawn(move || {
        tracer.start("before").end();
        let open = tracer.start("open");
        started.recv().unwrap();
        drop(open);
        tracer.start("after").end();
    });
    while exporter.delivered() == 0 {
        let _ = provider.force_flush();
    }
    provider.shutdown().unwrap();
    let last = provider.clone();
    drop(provider);
    start.send(()).unwrap();
    thread.join().unwrap();
    let ledger = last.ledger();
    assert_eq!((ledger.created, ledger.ended, ledger.delivered), (3, 2, 1), "{ledger}");
    assert_eq!(
        (ledger.dropped_total(), ledger.started_after_shutdown, ledger.unaccounted()),
        (1, 1, 0),
        "{ledger}"
    );
}
