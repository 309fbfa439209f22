//! Processors: what they see, what they may change, and what they may not harm.

#![allow(
    clippy::unwrap_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "helpers of tests fail by panicking, as tests do"
)]

mod trace_support;

use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, OnceLock};
use std::time::Duration;

use opentelemetry::trace::{
    Span as _, SpanKind, Status, TraceContextExt as _, Tracer as _, TracerProvider as _,
};
use opentelemetry::{Context, KeyValue};
use otlp_core::span::EncodedSpan;
use otlp_core::wire::AnyValueView;
use otlp_sdk::otlp_core;
use otlp_sdk::resource::Resource;
use otlp_sdk::testing::InMemoryExporter;
use otlp_sdk::trace::{ActiveSpan, FinishedSpan, SpanProcessor, Tracer, TracerProvider};
use otlp_sdk::{DropReason, PipelineError};
use otlp_testing::Message;

use crate::trace_support::{Bench, remote_parent};

type Log = Arc<Mutex<Vec<String>>>;

/// Writes down every call.
#[derive(Clone, Debug)]
struct Logs(&'static str, Log);

impl Logs {
    fn note(&self, call: &str) {
        self.1.lock().unwrap().push(format!("{} {call}", self.0));
    }
}

impl SpanProcessor for Logs {
    fn on_start(&self, span: &mut ActiveSpan<'_>, _: &Context) {
        assert_eq!(span.read().end_unix_nano(), None);
        self.note("start");
    }

    fn on_ending(&self, span: &mut ActiveSpan<'_>) {
        // R2: the end time is set.
        assert!(span.read().end_unix_nano().is_some());
        self.note("ending");
    }

    fn on_end(&self, _: &FinishedSpan<'_>) {
        self.note("end");
    }

    fn force_flush(&self, _: Duration) -> Result<(), PipelineError> {
        self.note("flush");
        Ok(())
    }

    fn shutdown(&self, _: Duration) -> Result<(), PipelineError> {
        self.note("shutdown");
        Ok(())
    }
}

fn two_logs() -> (Log, Bench) {
    let log = Log::default();
    let bench = Bench::with(|builder| {
        builder
            .with_span_processor(Logs("a", Arc::clone(&log)))
            .with_span_processor(Logs("b", Arc::clone(&log)))
    });
    (log, bench)
}

fn taken(log: &Log) -> Vec<String> {
    std::mem::take(&mut *log.lock().unwrap())
}

#[test]
fn hooks_run_in_order_and_every_ending_before_any_end() {
    // R1, R2
    let (log, bench) = two_logs();
    let mut span = bench.tracer.start("span");
    assert_eq!(taken(&log), ["a start", "b start"]);
    span.end();
    assert_eq!(taken(&log), ["a ending", "b ending", "a end", "b end"]);
    drop(span);
    assert!(taken(&log).is_empty(), "an ended span ends once");
}

#[test]
fn flush_and_shutdown_reach_every_processor() {
    // T3, R4
    let (log, bench) = two_logs();
    bench.provider.force_flush().unwrap();
    assert_eq!(taken(&log), ["a flush", "b flush"]);
    bench.provider.shutdown().unwrap();
    assert_eq!(taken(&log), ["a shutdown", "b shutdown"]);
    assert!(matches!(bench.provider.shutdown(), Err(PipelineError::AlreadyShutdown)));
    assert!(taken(&log).is_empty());
}

#[tokio::test]
async fn so_do_the_asynchronous_forms() {
    // T3: these once called the pipelines only.
    let (log, bench) = two_logs();
    let timeout = Duration::from_secs(20);
    bench.tracer.start("span").end();
    taken(&log);
    bench.provider.force_flush_async(timeout).await.unwrap();
    assert_eq!(taken(&log), ["a flush", "b flush"]);
    assert_eq!(bench.provider.ledger().delivered, 1);
    bench.provider.shutdown_async(timeout).await.unwrap();
    assert_eq!(taken(&log), ["a shutdown", "b shutdown"]);
    let again = bench.provider.shutdown_async(timeout).await;
    assert!(matches!(again, Err(PipelineError::AlreadyShutdown)));
}

#[test]
fn the_last_tracer_shuts_the_processors_down() {
    let (log, bench) = two_logs();
    drop(bench.provider);
    assert!(taken(&log).is_empty(), "the tracer is still there");
    drop(bench.tracer);
    assert_eq!(taken(&log), ["a shutdown", "b shutdown"]);
}

/// Changes everything that can be changed at the end.
#[derive(Debug)]
struct Redacts;

impl SpanProcessor for Redacts {
    fn on_start(&self, span: &mut ActiveSpan<'_>, parent: &Context) {
        let remote = parent.span().span_context().is_remote();
        span.set_attribute(KeyValue::new("remote", remote));
    }

    fn on_ending(&self, span: &mut ActiveSpan<'_>) {
        assert!(span.remove_attribute("secret"));
        assert!(!span.remove_attribute("secret"));
        span.set_attribute(KeyValue::new("plain", "changed"));
        span.add_event("redacted", std::time::UNIX_EPOCH, &[KeyValue::new("keys", 1)]);
        span.add_link(&remote_parent(1, "").1, &[]);
        span.set_status(Status::Ok);
        span.update_name("redacted");
    }
}

#[test]
fn a_processor_changes_what_is_exported() {
    // R2, and users' first wish: nothing secret leaves the process.
    let bench = Bench::with(|builder| builder.with_span_processor(Redacts));
    let mut span = bench.tracer.start_with_context("login", &remote_parent(1, "").0);
    span.set_attribute(KeyValue::new("first", 1));
    span.set_attribute(KeyValue::new("secret", "hunter2"));
    span.set_attribute(KeyValue::new("plain", "original"));
    span.end();
    let record = bench.span();
    let keys: Vec<_> = record.span.attributes.iter().map(|it| it.key.as_str()).collect();
    assert_eq!(keys, ["remote", "first", "plain"]);
    assert_eq!(record.attribute_text("remote").as_deref(), Some("true"));
    assert_eq!(record.attribute_text("plain").as_deref(), Some("changed"));
    assert_eq!(
        (record.name(), record.span.events.len(), record.span.links.len()),
        ("redacted", 1, 1)
    );
    assert_eq!(record.span.status.unwrap().code, 1);
    let bytes = bench.exporter.payloads()[0].rope().to_bytes();
    assert!(!bytes.windows(7).any(|window| window == b"hunter2"));
}

#[test]
fn a_finished_span_shows_everything() {
    // T19
    #[derive(Clone, Debug, Default)]
    struct Looks(Arc<OnceLock<EncodedSpan>>);

    impl SpanProcessor for Looks {
        fn on_end(&self, span: &FinishedSpan<'_>) {
            assert_eq!((span.name(), span.is_sampled()), ("shown", true));
            assert_eq!(span.kind(), otlp_core::span::SpanKind::Client);
            assert_eq!(span.status(), (otlp_core::span::StatusCode::Error, "bad"));
            assert!(span.span_context().is_valid() && !span.span_context().is_remote());
            let parent = span.parent_span_context();
            assert!(parent.is_remote() && parent.trace_state().header() == "a=b");
            assert_eq!(parent.trace_id(), span.span_context().trace_id());
            assert!(span.start_unix_nano() <= span.end_unix_nano().unwrap());
            let events: Vec<_> = span.events().map(|event| event.name()).collect();
            let linked: Vec<_> = span.links().map(|link| link.valid_span_id()).collect();
            assert_eq!(
                (events, linked),
                (vec!["event"], vec![Some(0x00f0_67aa_0ba9_02b7_u64.to_be_bytes())])
            );
            assert_eq!((span.dropped_events(), span.dropped_links()), (0, 0));
            assert_eq!(span.dropped_attributes(), 1);
            assert_eq!(span.instrumentation_scope().name(), "bench");
            assert_eq!(span.resource().len(), 0);
            let keys: Vec<_> = span.attributes().map(|(key, _)| key).collect();
            assert_eq!(keys, ["number", "text"]);
            assert!(matches!(span.attribute("text"), Some(AnyValueView::String("words"))));
            assert!(span.attribute("none").is_none());
            self.0.set(span.encode()).unwrap();
        }
    }

    let looks = Looks::default();
    let bench = Bench::with(|builder| builder.with_span_processor(looks.clone()));
    let cx = remote_parent(1, "a=b").0;
    let builder = bench.tracer.span_builder("shown").with_kind(SpanKind::Client);
    let mut span = builder.start_with_context(&bench.tracer, &cx);
    span.set_attribute(KeyValue::new("number", 1));
    span.set_attribute(KeyValue::new("text", "words"));
    span.set_attribute(KeyValue::new("", "dropped"));
    span.add_event("event", vec![]);
    span.add_link(remote_parent(1, "").1, vec![]);
    span.set_status(Status::error("bad"));
    span.end();

    assert_eq!(bench.ledger().panics, 0, "an assertion in the hook failed");
    // What a processor keeps is what is exported.
    bench.provider.force_flush().unwrap();
    assert_eq!(bench.exporter.spans().unwrap(), [looks.0.get().unwrap().clone()]);
}

#[test]
fn a_root_has_an_invalid_parent_even_after_a_child() {
    // T19; the data of an ended span is used again.
    #[derive(Clone, Debug, Default)]
    struct Parents(Arc<Mutex<Vec<bool>>>);

    impl SpanProcessor for Parents {
        fn on_end(&self, span: &FinishedSpan<'_>) {
            self.0.lock().unwrap().push(span.parent_span_context().is_valid());
        }
    }

    let parents = Parents::default();
    let bench = Bench::with(|builder| builder.with_span_processor(parents.clone()));
    bench.tracer.start_with_context("child", &remote_parent(1, "a=b").0).end();
    bench.tracer.start_with_context("root", &Context::new()).end();
    assert_eq!(*parents.0.lock().unwrap(), [true, false]);
}

/// Panics in the hook it is told to.
#[derive(Debug)]
struct Panics(&'static str);

impl Panics {
    fn at(&self, hook: &str) {
        assert!(self.0 != hook, "told to panic in {hook}");
    }
}

impl SpanProcessor for Panics {
    fn on_start(&self, span: &mut ActiveSpan<'_>, _: &Context) {
        span.set_attribute(KeyValue::new("before", self.0));
        self.at("start");
    }

    fn on_ending(&self, _: &mut ActiveSpan<'_>) {
        self.at("ending");
    }

    fn on_end(&self, _: &FinishedSpan<'_>) {
        self.at("end");
    }

    fn force_flush(&self, _: Duration) -> Result<(), PipelineError> {
        self.at("flush");
        Ok(())
    }
}

#[test]
fn a_hook_that_panics_is_counted_and_harms_nobody() {
    // T21
    for hook in ["start", "ending", "end"] {
        let log = Log::default();
        let bench = Bench::with(|builder| {
            builder
                .with_span_processor(Panics(hook))
                .with_span_processor(Logs("next", Arc::clone(&log)))
        });
        let mut span = bench.tracer.start("span");
        span.set_attribute(KeyValue::new("after", 1));
        span.end();
        let record = bench.span();
        assert_eq!(record.attribute_text("before").as_deref(), Some(hook));
        assert_eq!(record.attribute_text("after").as_deref(), Some("1"));
        assert_eq!(taken(&log)[..3], ["next start", "next ending", "next end"]);
        assert_eq!(bench.ledger().panics, 1, "{hook}");
    }
}

#[test]
fn a_hook_that_panics_while_the_application_unwinds_does_not_abort() {
    let bench = Bench::with(|builder| builder.with_span_processor(Panics("end")));
    let tracer = bench.tracer.clone();
    let unwound = std::thread::spawn(move || {
        let _span = tracer.start("span");
        panic!("the application's own");
    });
    assert!(unwound.join().is_err());
    assert_eq!(bench.names(), ["span"]);
    assert_eq!(bench.ledger().panics, 1);
}

#[test]
fn a_flush_that_panics_is_an_error_and_the_others_are_flushed() {
    let bench = Bench::with(|builder| builder.with_span_processor(Panics("flush")));
    bench.tracer.start("span").end();
    let error = bench.provider.force_flush().unwrap_err();
    assert!(error.to_string().contains("panicked"), "{error}");
    assert_eq!((bench.ledger().delivered, bench.ledger().panics), (1, 1));
}

/// Starts a span in every hook of every span.
#[derive(Clone, Debug, Default)]
struct Starts(Arc<OnceLock<Tracer>>, Arc<AtomicUsize>);

impl Starts {
    fn start(&self, name: &'static str) {
        self.1.fetch_add(1, Ordering::Relaxed);
        if let Some(tracer) = self.0.get() {
            tracer.start_with_context(name, &Context::new()).end();
        }
    }
}

impl SpanProcessor for Starts {
    fn on_start(&self, _: &mut ActiveSpan<'_>, _: &Context) {
        self.start("of start");
    }

    fn on_ending(&self, span: &mut ActiveSpan<'_>) {
        span.set_attribute(KeyValue::new("seen", true));
        self.start("of ending");
    }

    fn on_end(&self, _: &FinishedSpan<'_>) {
        self.start("of end");
    }
}

#[test]
fn a_processor_that_starts_a_span_in_every_hook_comes_to_an_end() {
    let starts = Starts::default();
    let bench = Bench::with(|builder| builder.with_span_processor(starts.clone()));
    starts.0.set(bench.tracer.clone()).unwrap();
    bench.tracer.start_with_context("span", &Context::new()).end();
    // The spans of hooks are seen by hooks as well, so that none is exported unseen; what those
    // start is not recorded.
    assert_eq!(bench.names(), ["of start", "of ending", "of end", "span"]);
    assert!(bench.spans().iter().all(|span| span.attribute("seen").is_some()));
    assert_eq!(starts.1.load(Ordering::Relaxed), 4 * 3);
    let ledger = bench.ledger();
    assert_eq!((ledger.created, ledger.sampled_out, ledger.panics), (4 + 9, 9, 0));
    // Afterwards all is as before.
    assert!(bench.tracer.start("later").is_recording());
}

#[test]
fn a_hook_may_flush_and_shut_down() {
    /// Flushes at the first end, shuts down at the second.
    #[derive(Clone, Debug, Default)]
    struct Impatient(Arc<OnceLock<TracerProvider>>, Arc<AtomicUsize>);

    impl SpanProcessor for Impatient {
        fn on_end(&self, _: &FinishedSpan<'_>) {
            let provider = self.0.get().unwrap();
            match self.1.fetch_add(1, Ordering::Relaxed) {
                0 => provider.force_flush().unwrap(),
                _ => provider.shutdown().unwrap(),
            }
        }
    }

    // It stands before the pipeline: a span has not been handed over when its own hook runs.
    let impatient = Impatient::default();
    let bench = Bench::with(|builder| builder.with_span_processor(impatient.clone()));
    impatient.0.set(bench.provider.clone()).unwrap();
    bench.tracer.start("first").end();
    bench.tracer.start("second").end();
    let names = bench.exporter.spans().unwrap();
    let names: Vec<_> = names.iter().map(|span| span.view().unwrap().name().to_owned()).collect();
    assert_eq!(names, ["first"]);
    let ledger = bench.ledger();
    assert_eq!((ledger.ended, ledger.delivered, ledger.panics), (2, 1, 0));
    assert_eq!(ledger.dropped(DropReason::AfterShutdown), 1);
}

#[test]
fn every_exporter_gets_every_span_where_it_stands_in_the_order() {
    // R8: a processor between two pipelines sees a span before the second, after the first.
    let (first, second) = (InMemoryExporter::default(), InMemoryExporter::default());
    let provider = TracerProvider::builder()
        .with_resource(Resource::empty())
        .with_batch_exporter(first.clone())
        .with_span_processor(Redacts)
        .with_simple_exporter(second.clone())
        .build();
    let mut span = provider.tracer("two").start("span");
    span.set_attribute(KeyValue::new("secret", "hunter2"));
    span.end();
    provider.force_flush().unwrap();
    for exporter in [&first, &second] {
        let spans = Message::of(&exporter.payloads()[0]).unwrap().spans();
        // R2: all changes at the end are made before anybody exports.
        assert_eq!((spans.len(), spans[0].attribute("secret")), (1, None));
    }
    let ledger = provider.ledger();
    assert_eq!(
        (ledger.created, ledger.ended, ledger.delivered, ledger.unaccounted()),
        (1, 2, 2, 0)
    );
}
