//! The current context goes along into tasks, threads and callbacks, and nothing of it stays behind
//! (users of the API lose it there today).

#![allow(clippy::unwrap_used, reason = "helpers of tests fail by panicking, as tests do")]

mod child;
mod trace_support;

use std::any::Any;
use std::cell::RefCell;
use std::future::pending;
use std::panic::{self, AssertUnwindSafe, catch_unwind};
use std::pin::pin;
use std::sync::mpsc;
use std::thread;

use futures_util::{FutureExt as _, Stream as _, StreamExt as _, stream};
use opentelemetry::baggage::BaggageExt;
use opentelemetry::trace::{
    FutureExt as _, Span as _, SpanContext, TraceContextExt as _, Tracer as _,
};
use opentelemetry::{Context, KeyValue};
use otlp_sdk::context::{
    self, ContextExt as _, bind, bind_current, bind_fn, detached, spawn_thread,
};
use otlp_sdk::trace::Tracer;
use tokio::runtime::{Builder, Runtime};
use tokio::task::{JoinSet, LocalSet, yield_now};

use self::trace_support::Bench;

fn runtimes() -> [Runtime; 2] {
    [
        Builder::new_current_thread().enable_all().build().unwrap(),
        Builder::new_multi_thread().worker_threads(2).enable_all().build().unwrap(),
    ]
}

/// Starts the span "work" where this is called, between two looks of the scheduler.
async fn work(tracer: Tracer) {
    yield_now().await;
    tracer.start("work").end();
    yield_now().await;
}

/// A context with the span "parent", and with baggage, on top of an empty one.
fn parent(tracer: &Tracer) -> (Context, SpanContext) {
    let cx = Context::new()
        .with_baggage([KeyValue::new("tenant", "42")])
        .with_span(tracer.start_with_context("parent", &Context::new()));
    let span_context = cx.span().span_context().clone();
    (cx, span_context)
}

/// That all `count` spans "work" are children of `parent`.
fn assert_children(bench: &Bench, parent: &SpanContext, count: usize) {
    let spans: Vec<_> = bench.spans().into_iter().filter(|span| span.name() == "work").collect();
    assert_eq!(spans.len(), count);
    for span in spans {
        assert_eq!(span.span.trace_id, parent.trace_id().to_bytes());
        assert_eq!(span.span.parent_span_id, parent.span_id().to_bytes());
    }
}

fn tenant() -> Option<String> {
    Context::current().baggage().get("tenant").map(ToString::to_string)
}

fn is_empty(cx: &Context) -> bool {
    !cx.has_active_span() && cx.baggage().is_empty() && !cx.is_telemetry_suppressed()
}

#[test]
fn tasks_and_blocking_closures_are_children_of_what_spawned_them() {
    for runtime in runtimes() {
        let bench = Bench::new();
        let (cx, span) = parent(&bench.tracer);
        let tracer = bench.tracer.clone();

        let all = async move {
            context::spawn(work(tracer.clone())).await.unwrap();
            let blocking = tracer.clone();
            context::spawn_blocking(move || blocking.start("work").end()).await.unwrap();
            // One in the other.
            let nested = tracer.clone();
            let outer = context::spawn(async move {
                context::spawn(work(nested.clone())).await.unwrap();
                context::spawn_blocking(move || {
                    spawn_thread(move || nested.start("work").end()).join().unwrap();
                })
                .await
                .unwrap();
            });
            outer.await.unwrap();
        };
        runtime.block_on(all.in_context(cx));

        assert_children(&bench, &span, 4);
        assert!(is_empty(&runtime.block_on(async { Context::current() })));
    }
}

#[test]
fn sets_handles_and_local_tasks_take_a_future_with_its_context() {
    for runtime in runtimes() {
        let bench = Bench::new();
        let (cx, span) = parent(&bench.tracer);
        let tracer = bench.tracer.clone();
        let handle = runtime.handle().clone();

        let all = async move {
            let mut set = JoinSet::new();
            set.spawn(work(tracer.clone()).in_current_context());
            let blocking = tracer.clone();
            set.spawn_blocking(bind_current(move || blocking.start("work").end()));
            set.join_all().await;
            handle.spawn(work(tracer.clone()).in_current_context()).await.unwrap();
            let local = work(tracer).in_current_context();
            LocalSet::new()
                .run_until(async { tokio::task::spawn_local(local).await.unwrap() })
                .await;
        };
        runtime.block_on(all.in_context(cx));

        assert_children(&bench, &span, 4);
    }
}

#[test]
fn without_these_a_task_starts_a_new_trace() {
    // What the others would see if they did nothing.
    for runtime in runtimes() {
        let bench = Bench::new();
        let (cx, span) = parent(&bench.tracer);
        let tracer = bench.tracer.clone();

        runtime.block_on(async { tokio::spawn(work(tracer)).await.unwrap() }.in_context(cx));

        let work = bench.find("work");
        assert_ne!(work.span.trace_id, span.trace_id().to_bytes());
        assert!(work.span.parent_span_id.is_empty());
    }
}

#[test]
fn threads_scoped_threads_and_callbacks_run_in_their_context() {
    let bench = Bench::new();
    let (cx, span) = parent(&bench.tracer);
    let tracer = &bench.tracer;
    {
        let _guard = cx.clone().attach();
        let named = tracer.clone();
        let start = bind_current(move || named.start("work").end());
        thread::Builder::new().name("named".to_owned()).spawn(start).unwrap().join().unwrap();
        thread::scope(|scope| {
            scope.spawn(bind_current(|| tracer.start("work").end()));
        });
    }
    // Called twice, on a thread without a context.
    let callback = bind_fn(cx.clone(), |count: usize| {
        tracer.start("work").end();
        count
    });
    let counts = thread::scope(|scope| scope.spawn(|| [1, 2].map(&callback)).join().unwrap());
    assert_eq!(counts, [1, 2]);
    bind(cx, || tracer.start("work").end())();

    assert!(is_empty(&Context::current()));
    assert_children(&bench, &span, 5);
}

#[test]
fn baggage_and_suppression_go_along() {
    let bench = Bench::new();
    let cx = parent(&bench.tracer).0.with_telemetry_suppressed();
    let look = || (tenant(), Context::is_current_telemetry_suppressed());
    let expected = (Some("42".to_owned()), true);
    for runtime in runtimes() {
        let tracer = bench.tracer.clone();
        let seen = runtime.block_on(
            async move {
                let task = async move {
                    yield_now().await;
                    tracer.start("work").end();
                    look()
                };
                [
                    context::spawn(task).await.unwrap(),
                    context::spawn_blocking(look).await.unwrap(),
                    spawn_thread(look).join().unwrap(),
                ]
            }
            .in_context(cx.clone()),
        );
        assert_eq!(seen, [expected.clone(), expected.clone(), expected.clone()]);
    }
    drop(cx);
    assert_eq!(bench.names(), ["parent"]);
}

#[test]
fn a_panic_leaves_the_threads_context_as_it_was() {
    let own = Context::new().with_baggage([KeyValue::new("tenant", "own")]);
    let _guard = own.attach();
    let other = || Context::new().with_baggage([KeyValue::new("tenant", "other")]);

    let closure = catch_unwind(AssertUnwindSafe(bind(other(), || {
        assert_eq!(tenant().as_deref(), Some("other"));
        panic!("in a closure");
    })));
    assert!(closure.is_err());
    assert_eq!(tenant().as_deref(), Some("own"));

    let future = async { panic!("in a future") }.in_context(other());
    let polled = catch_unwind(AssertUnwindSafe(|| future.now_or_never()));
    assert!(polled.is_err());
    assert_eq!(tenant().as_deref(), Some("own"));

    // On a runtime's only thread, which is this one.
    let [runtime, _] = runtimes();
    let task = runtime.spawn(async { panic!("in a task") }.in_context(other()));
    assert!(runtime.block_on(task).unwrap_err().is_panic());
    assert_eq!(tenant().as_deref(), Some("own"));
}

/// Starts the span "work" when it is dropped.
struct RollBack(Tracer);

impl Drop for RollBack {
    fn drop(&mut self) {
        self.0.start("work").end();
    }
}

async fn never(roll_back: RollBack) {
    pending::<()>().await;
    drop(roll_back);
}

#[test]
fn an_abandoned_future_is_dropped_in_its_context() {
    for runtime in runtimes() {
        let bench = Bench::new();
        let (cx, span) = parent(&bench.tracer);
        let roll_back = || RollBack(bench.tracer.clone());
        let work = [roll_back(), roll_back(), roll_back()];

        let seen = runtime.block_on(async {
            let [aborted, unchosen, unpolled] = work;
            let task = tokio::spawn(never(aborted).in_context(cx.clone()));
            yield_now().await;
            task.abort();
            assert!(task.await.unwrap_err().is_cancelled());
            tokio::select! {
                biased;
                () = never(unchosen).in_context(cx.clone()) => unreachable!(),
                () = yield_now() => {}
            }
            drop(never(unpolled).in_context(cx));
            Context::current()
        });

        assert!(is_empty(&seen));
        assert_children(&bench, &span, 3);
    }
}

#[test]
fn a_stream_is_polled_and_dropped_in_its_context() {
    let bench = Bench::new();
    let (cx, span) = parent(&bench.tracer);
    let roll_back = RollBack(bench.tracer.clone());
    let numbers = stream::iter([1, 2]).map(move |n| {
        roll_back.0.start("work").end();
        n
    });

    let mut numbers = numbers.in_context(cx);
    assert_eq!(numbers.size_hint(), (2, Some(2)));
    let read = async {
        let first = numbers.next().await;
        (first, numbers.next().await, numbers.next().await)
    };
    assert_eq!(read.now_or_never(), Some((Some(1), Some(2), None)));
    assert!(is_empty(&Context::current()));
    drop(numbers);

    assert_children(&bench, &span, 3);
}

#[test]
fn the_wrappers_of_the_api_and_ours_mix() {
    let bench = Bench::new();
    let (cx, span) = parent(&bench.tracer);
    let tracer = bench.tracer.clone();

    let inner = work(tracer.clone()).with_context(cx.clone()).in_context(Context::new());
    let outer = work(tracer).in_context(cx).with_context(Context::new());
    let [runtime, _] = runtimes();
    runtime.block_on(async {
        pin!(inner).await;
        outer.await;
    });

    assert_children(&bench, &span, 2);
}

#[test]
fn a_detached_context_has_the_span_as_parent_and_does_not_hold_it_open() {
    let bench = Bench::new();
    let (cx, span) = parent(&bench.tracer);
    let (go, wait) = mpsc::channel::<()>();
    let tracer = bench.tracer.clone();
    let late = thread::spawn(bind(detached(&cx), move || {
        wait.recv().unwrap();
        assert_eq!(tenant().as_deref(), Some("42"));
        assert!(!Context::current().span().span_context().is_remote());
        tracer.start("work").end();
    }));

    drop(cx);
    assert_eq!(bench.names(), ["parent"]);

    go.send(()).unwrap();
    late.join().unwrap();
    assert_children(&bench, &span, 1);
    assert!(detached(&Context::new().with_telemetry_suppressed()).is_telemetry_suppressed());
    assert!(is_empty(&detached(&Context::new())));
}

#[test]
fn a_future_may_be_dropped_while_its_thread_ends() {
    // The API's own storage is gone by then, and panics, which ends a program that aborts on a panic.
    child::run("a_future_may_be_dropped_while_its_thread_ends", &[], || {
        thread_local! {
            static KEPT: RefCell<Option<Box<dyn Any>>> = const { RefCell::new(None) };
        }
        panic::set_hook(Box::new(|panic| {
            eprintln!("{panic}");
            std::process::abort();
        }));
        let (sender, dropped) = mpsc::channel();
        let told = Told(sender);
        let ending = thread::spawn(move || {
            // Made known before the API's storage, so dropped after it.
            drop(KEPT.with(RefCell::take));
            let future = async move {
                pending::<()>().await;
                drop(told);
            };
            let mut future = Box::pin(future.in_current_context());
            assert!(future.as_mut().now_or_never().is_none());
            KEPT.set(Some(Box::new(future)));
        });
        ending.join().unwrap();
        dropped.recv().unwrap();
    });
}

/// Tells that it was dropped.
struct Told(mpsc::Sender<()>);

impl Drop for Told {
    fn drop(&mut self) {
        self.0.send(()).unwrap();
    }
}
