//! Threads, many providers, shutdown in the middle: whatever happens, the ledger balances.

#![allow(
    clippy::unwrap_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "helpers of tests fail by panicking, as tests do"
)]

mod trace_support;

use std::cell::RefCell;
use std::collections::HashSet;
use std::sync::{Arc, Barrier};
use std::thread;

use opentelemetry::trace::{Span as _, TraceContextExt as _, Tracer as _, TracerProvider as _};
use opentelemetry::{Context, KeyValue};
use otlp_sdk::DropReason;
use otlp_sdk::resource::Resource;
use otlp_sdk::testing::InMemoryExporter;
use otlp_sdk::trace::{Span, Tracer, TracerProvider};
use otlp_testing::SpanKey;
use otlp_testing::oracle::duplicates;

use crate::trace_support::Bench;

fn assert_send_sync<T: Send + Sync + 'static>() {}

#[test]
fn everything_may_be_shared_between_threads() {
    // T20
    assert_send_sync::<Span>();
    assert_send_sync::<Tracer>();
    assert_send_sync::<TracerProvider>();
}

#[test]
fn a_span_may_end_on_another_thread() {
    let bench = Bench::new();
    for number in 0..10 {
        let mut span = bench.tracer.start(format!("{number}"));
        span.set_attribute(KeyValue::new("here", number));
        thread::spawn(move || {
            span.set_attribute(KeyValue::new("there", number));
            span.end();
        })
        .join()
        .unwrap();
    }
    let spans = bench.spans();
    assert_eq!(spans.len(), 10);
    for (number, span) in spans.iter().enumerate() {
        assert_eq!(span.name(), number.to_string());
        assert_eq!(span.attribute_text("here"), span.attribute_text("there"));
    }
    assert_eq!((bench.ledger().created, bench.ledger().delivered), (10, 10));
}

#[test]
fn thousands_of_spans_may_be_open_at_once() {
    let bench = Bench::new();
    let mut open: Vec<_> = (0..5_000).map(|n| bench.tracer.start(format!("{n}"))).collect();
    for (number, span) in open.iter_mut().enumerate() {
        span.set_attribute(KeyValue::new("number", number as i64));
    }
    assert_eq!((bench.ledger().created, bench.ledger().ended), (5_000, 0));
    // From the middle outwards, so that neither a stack nor a queue would do.
    while !open.is_empty() {
        open.swap_remove(open.len() / 2).end();
    }
    let spans = bench.spans();
    assert_eq!(spans.len(), 5_000);
    for span in &spans {
        assert_eq!(span.attribute_text("number").as_deref(), Some(span.name()));
    }
    assert!(duplicates(spans.iter().map(|span| span.key())).is_empty());
}

#[test]
fn many_threads_lose_nothing_and_mix_nothing_up() {
    let bench = Bench::new();
    let (threads, each) = (8, 500);
    let barrier = Barrier::new(threads);
    thread::scope(|scope| {
        for thread in 0..threads {
            let (tracer, barrier) = (bench.tracer.clone(), &barrier);
            scope.spawn(move || {
                barrier.wait();
                for number in 0..each {
                    let mut parent = tracer.start(format!("{thread}-{number}"));
                    parent.set_attribute(KeyValue::new("thread", thread as i64));
                    let cx = Context::new().with_span(parent);
                    let mut child = tracer.start_with_context("child", &cx);
                    child.add_event("event", vec![KeyValue::new("thread", thread as i64)]);
                }
            });
        }
    });
    let spans = bench.spans();
    let count = threads * each;
    assert_eq!(spans.len(), 2 * count);
    let parents: HashSet<SpanKey> =
        spans.iter().filter(|span| span.name() != "child").map(|span| span.key()).collect();
    assert_eq!(parents.len(), count);
    for span in &spans {
        if span.name() == "child" {
            let parent = SpanKey { span_id: span.span.parent_span_id.clone(), ..span.key() };
            assert!(parents.contains(&parent));
            assert_eq!((span.span.events.len(), span.span.attributes.len()), (1, 0));
        } else {
            let thread = span.attribute_text("thread").unwrap();
            assert!(span.name().starts_with(&format!("{thread}-")));
        }
    }
    let ledger = bench.ledger();
    assert_eq!(
        (ledger.created, ledger.ended, ledger.delivered),
        (2 * count as u64, 2 * count as u64, 2 * count as u64)
    );
}

#[test]
fn several_providers_on_one_thread_keep_their_spans_apart() {
    let benches: Vec<_> = (0..5)
        .map(|n| {
            let resource = Resource::new([KeyValue::new("service.name", format!("service-{n}"))]);
            Bench::with(|builder| builder.with_resource(resource))
        })
        .collect();
    for round in 0..100 {
        for bench in &benches {
            let mut span = bench.tracer.start("span");
            span.set_attribute(KeyValue::new("round", round));
            span.end();
        }
    }
    for (number, bench) in benches.iter().enumerate() {
        let spans = bench.spans();
        assert_eq!(spans.len(), 100);
        assert!(spans.iter().all(|span| span.service_name() == format!("service-{number}")));
        assert_eq!((bench.ledger().created, bench.ledger().delivered), (100, 100));
    }
}

#[test]
fn the_data_of_an_ended_span_is_not_seen_by_the_next_provider() {
    let first = Bench::new();
    let mut span = first.tracer.start("first");
    span.set_attribute(KeyValue::new("secret", "of the first"));
    span.add_event("event", vec![]);
    span.set_status(opentelemetry::trace::Status::error("bad"));
    span.end();
    let second = Bench::new();
    second.tracer.start("second").end();
    let span = second.span().span;
    assert!(span.attributes.is_empty() && span.events.is_empty() && span.status.is_none());
    assert!(span.trace_state.is_empty() && span.parent_span_id.is_empty());
}

#[test]
fn a_span_that_ends_after_shutdown_is_counted() {
    let bench = Bench::new();
    let open = bench.tracer.start("open");
    bench.tracer.start("in time").end();
    bench.provider.shutdown().unwrap();
    assert!(open.is_recording(), "what has begun goes on");
    drop(open);
    // T3: later spans are not recorded.
    let later = bench.tracer.start("later");
    assert!(!later.is_recording() && !bench.tracer.enabled());
    drop(later);
    let ledger = bench.ledger();
    assert_eq!((ledger.created, ledger.started_after_shutdown), (3, 1));
    assert_eq!((ledger.ended, ledger.delivered), (2, 1));
    assert_eq!(ledger.dropped(DropReason::AfterShutdown), 1);
}

#[test]
fn a_tracer_of_a_provider_that_was_shut_down_passes_the_context_through() {
    // T3, T5
    let bench = Bench::new();
    bench.provider.shutdown().unwrap();
    let (cx, parent) = trace_support::remote_parent(1, "a=b");
    let tracer = bench.provider.tracer("late");
    let span = tracer.start_with_context("span", &cx);
    assert_eq!(span.span_context(), &parent);
}

#[test]
fn an_open_span_outlives_its_provider() {
    let exporter = InMemoryExporter::default();
    let provider = TracerProvider::builder()
        .with_resource(Resource::empty())
        .with_batch_exporter(exporter.clone())
        .build();
    let tracer = provider.tracer("short-lived");
    let mut open = tracer.start("open");
    tracer.start("in time").end();
    drop((provider, tracer));
    assert_eq!(exporter.spans().unwrap().len(), 1, "delivered when the last handle went");
    open.set_attribute(KeyValue::new("late", 1));
    open.end();
    assert_eq!(exporter.spans().unwrap().len(), 1);
}

#[test]
fn spans_may_end_while_the_locals_of_their_thread_are_destroyed() {
    // S7: an access to a destroyed thread-local aborts the process.
    struct AtExit(Option<Span>, Tracer);

    impl Drop for AtExit {
        fn drop(&mut self) {
            self.0.take();
            // Not `start`: the API's own current context is a thread-local that is gone.
            let mut span = self.1.start_with_context("started at exit", &Context::new());
            span.set_attribute(KeyValue::new("late", true));
        }
    }

    thread_local! {
        // One is made before, one after our own locals: so one of them is destroyed after ours.
        static BEFORE: RefCell<Option<AtExit>> = const { RefCell::new(None) };
        static AFTER: RefCell<Option<AtExit>> = const { RefCell::new(None) };
    }

    let bench = Bench::new();
    let tracer = bench.tracer.clone();
    thread::spawn(move || {
        BEFORE.with(|slot| drop(slot.borrow_mut()));
        let open = || AtExit(Some(tracer.start("ended at exit")), tracer.clone());
        let first = open();
        BEFORE.with(|slot| *slot.borrow_mut() = Some(first));
        AFTER.with(|slot| *slot.borrow_mut() = Some(open()));
    })
    .join()
    .unwrap();

    let mut names = bench.names();
    names.sort();
    assert_eq!(names, ["ended at exit", "ended at exit", "started at exit", "started at exit"]);
    assert_eq!((bench.ledger().created, bench.ledger().delivered), (4, 4));
}

#[test]
fn shutdown_in_the_middle_of_everything_loses_nothing_uncounted() {
    let bench = Bench::new();
    let (threads, each) = (4, 2_000);
    let barrier = Arc::new(Barrier::new(threads + 1));
    let workers: Vec<_> = (0..threads)
        .map(|_| {
            let (tracer, barrier) = (bench.tracer.clone(), Arc::clone(&barrier));
            thread::spawn(move || {
                barrier.wait();
                (0..each).for_each(|_| tracer.start("span").end());
            })
        })
        .collect();
    barrier.wait();
    bench.provider.shutdown().unwrap();
    workers.into_iter().for_each(|worker| worker.join().unwrap());
    let ledger = bench.ledger();
    assert_eq!(ledger.created, (threads * each) as u64);
    assert_eq!(ledger.held, 0);
    assert_eq!(ledger.created, ledger.started_after_shutdown + ledger.ended);
    assert_eq!(ledger.ended, ledger.delivered + ledger.dropped(DropReason::AfterShutdown));
    assert_eq!(bench.exporter.spans().unwrap().len() as u64, ledger.delivered);
}

#[test]
fn the_counts_of_ended_threads_stay() {
    let bench = Bench::new();
    for _ in 0..200 {
        let tracer = bench.tracer.clone();
        thread::spawn(move || tracer.start("span").end()).join().unwrap();
    }
    assert_eq!(bench.spans().len(), 200);
    assert_eq!((bench.ledger().created, bench.ledger().delivered), (200, 200));
}

#[test]
fn one_huge_span_is_refused_alone_and_counted() {
    let bench = Bench::new();
    bench.tracer.start("before").end();
    let mut span = bench.tracer.start("huge");
    span.set_attribute(KeyValue::new("huge", "x".repeat(5 * 1024 * 1024)));
    span.end();
    bench.tracer.start("after").end();
    let _ = bench.provider.force_flush();
    let names: Vec<_> = bench
        .exporter
        .spans()
        .unwrap()
        .iter()
        .map(|span| span.view().unwrap().name().to_owned())
        .collect();
    assert_eq!(names, ["before", "after"]);
    assert_eq!(bench.ledger().dropped(DropReason::TooLarge), 1);
}

#[test]
fn two_hundred_thousand_attributes_make_one_span() {
    let bench = Bench::new();
    let mut span = bench.tracer.start("many");
    for number in 0..200_000 {
        span.set_attribute(KeyValue::new(format!("prefix--{number:06}--suffix"), number));
    }
    span.end();
    let span = bench.span().span;
    assert_eq!((span.attributes.len(), span.dropped_attributes_count), (128, 200_000 - 128));
}
