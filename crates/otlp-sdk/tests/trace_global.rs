//! The global provider, whose tracer and spans are boxed, and the ways to make a span current.

#![allow(
    clippy::unwrap_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "helpers of tests fail by panicking, as tests do"
)]

mod trace_support;

use std::sync::OnceLock;
use std::time::{Duration, UNIX_EPOCH};

use opentelemetry::global::{self, BoxedTracer};
use opentelemetry::trace::{
    FutureExt as _, Span as _, SpanKind, Status, TraceContextExt as _, Tracer as _,
};
use opentelemetry::{Context, InstrumentationScope, KeyValue};
use otlp_testing::SpanRecord;

use crate::trace_support::{Bench, remote_parent};

/// One provider for the process, as in an application. Tests tell their spans apart by their scope.
fn bench() -> &'static Bench {
    static BENCH: OnceLock<Bench> = OnceLock::new();
    BENCH.get_or_init(|| {
        let bench = Bench::new();
        global::set_tracer_provider(bench.provider.clone());
        bench
    })
}

fn spans_of(scope: &str) -> Vec<SpanRecord> {
    bench().spans().into_iter().filter(|span| span.scope.name == scope).collect()
}

fn tracer(scope: &'static str) -> BoxedTracer {
    bench();
    global::tracer(scope)
}

#[test]
fn a_boxed_span_exports_everything() {
    let tracer = tracer("boxed");
    let mut span = tracer.span_builder("before").with_kind(SpanKind::Client).start(&tracer);
    assert!(span.is_recording() && span.span_context().is_sampled());
    span.set_attribute(KeyValue::new("key", "value"));
    span.add_event("event", vec![KeyValue::new("key", 1)]);
    span.add_event_with_timestamp("timed", UNIX_EPOCH + Duration::from_secs(1), vec![]);
    span.add_link(remote_parent(1, "").1, vec![]);
    span.set_status(Status::error("bad"));
    span.update_name("after");
    span.record_error(&std::io::Error::other("broken"));
    span.end();
    assert!(!span.is_recording());

    let record = spans_of("boxed").remove(0);
    assert_eq!((record.name(), record.span.kind), ("after", 3));
    assert_eq!(record.attribute_text("key").as_deref(), Some("value"));
    let events: Vec<_> = record.span.events.iter().map(|event| event.name.as_str()).collect();
    assert_eq!(events, ["event", "timed", "exception"]);
    assert_eq!(record.span.events[1].time_unix_nano, 1_000_000_000);
    let within = record.span.start_time_unix_nano..=record.span.end_time_unix_nano;
    assert!(within.contains(&record.span.events[0].time_unix_nano));
    assert_eq!((record.span.links.len(), record.span.status.unwrap().code), (1, 2));
}

#[test]
fn spans_in_spans_are_parents_and_children() {
    let tracer = tracer("in_span");
    let result = tracer.in_span("outer", |cx| {
        cx.span().set_attribute(KeyValue::new("level", 1));
        tracer.in_span("middle", |_| {
            opentelemetry::trace::get_active_span(|span| {
                span.set_attribute(KeyValue::new("level", 2));
            });
            tracer.start("inner").end();
        });
        "result"
    });
    assert_eq!(result, "result");
    assert!(!Context::current().has_active_span());
    let spans = spans_of("in_span");
    let [inner, middle, outer] = spans.as_slice() else { panic!("{spans:?}") };
    assert_eq!(inner.parent_span_id(), middle.span_id());
    assert_eq!(middle.parent_span_id(), outer.span_id());
    assert_eq!(outer.parent_span_id(), "");
    assert_eq!(middle.attribute_text("level").as_deref(), Some("2"));
    assert!(spans.iter().all(|span| span.trace_id() == outer.trace_id()));
    assert!(outer.span.start_time_unix_nano <= inner.span.start_time_unix_nano);
    assert!(inner.span.end_time_unix_nano <= outer.span.end_time_unix_nano);
}

#[test]
fn a_span_in_a_context_ends_with_it() {
    let tracer = tracer("with_span");
    let cx = Context::new().with_span(tracer.start("held"));
    {
        let _guard = cx.clone().attach();
        tracer.start("child").end();
    }
    assert_eq!(spans_of("with_span").len(), 1);
    drop(cx);
    let spans = spans_of("with_span");
    assert_eq!(spans[0].parent_span_id(), spans[1].span_id());
}

#[test]
fn the_last_guard_of_a_context_may_end_a_span() {
    // The span ends while the thread's context stack is being changed.
    let tracer = tracer("guard");
    let guard = Context::current_with_span(tracer.start("held")).attach();
    tracer.start("child").end();
    drop(guard);
    let names: Vec<_> = spans_of("guard").iter().map(|span| span.name().to_owned()).collect();
    assert_eq!(names, ["child", "held"]);
}

#[test]
fn a_panic_in_a_span_ends_it() {
    let tracer = tracer("panic");
    let fail = || tracer.in_span("span", |_| panic!("application"));
    let unwound = std::panic::catch_unwind(std::panic::AssertUnwindSafe(fail));
    assert!(unwound.is_err());
    assert_eq!(spans_of("panic").len(), 1);
    assert!(!Context::current().has_active_span());
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_future_carries_its_span_over_threads_and_waits() {
    let tracer = tracer("future");
    let tasks: Vec<_> = (0..20)
        .map(|number| {
            let cx = Context::new().with_span(tracer.start(format!("task-{number}")));
            let work = async move {
                for _ in 0..3 {
                    tokio::task::yield_now().await;
                    let child = global::tracer("future").start("child");
                    let (trace, parent) = {
                        let cx = Context::current();
                        let parent = cx.span().span_context().clone();
                        (parent.trace_id(), parent.span_id())
                    };
                    assert_eq!(child.span_context().trace_id(), trace);
                    assert_ne!(child.span_context().span_id(), parent);
                }
            };
            tokio::spawn(work.with_context(cx))
        })
        .collect();
    for task in tasks {
        task.await.unwrap();
    }
    let spans = tokio::task::spawn_blocking(|| spans_of("future")).await.unwrap();
    assert_eq!(spans.len(), 20 * 4);
    for task in spans.iter().filter(|span| span.name().starts_with("task")) {
        let children = spans.iter().filter(|span| span.parent_span_id() == task.span_id());
        assert_eq!(children.count(), 3);
    }
}

#[test]
fn a_remote_parent_goes_on_through_the_global_tracer() {
    let tracer = tracer("remote");
    let (cx, parent) = remote_parent(1, "a=b");
    tracer.start_with_context("span", &cx).end();
    let record = spans_of("remote").remove(0);
    assert_eq!(record.parent_span_id(), parent.span_id().to_string());
    assert_eq!((record.span.trace_state.as_str(), record.span.flags), ("a=b", 0x301));
}

#[test]
fn a_scope_reaches_the_exporter_through_the_global_provider() {
    bench();
    let scope = InstrumentationScope::builder("global scope").with_version("3").build();
    global::tracer_with_scope(scope).start("span").end();
    assert_eq!(spans_of("global scope")[0].scope.version, "3");
}
