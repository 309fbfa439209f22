//! `set_parent` and the rest of the span extension.

use std::time::{Duration, Instant, UNIX_EPOCH};

use opentelemetry::trace::{SpanContext, Status, TraceContextExt as _, TraceState, Tracer as _};
use opentelemetry::{Context, KeyValue};
use otlp_sdk::trace::sampler::Sampler;
use otlp_sdk::trace::{ActiveSpan, SpanProcessor};
use otlp_sdk::tracing_layer::{OtelSpanExt as _, SpanError, TracingLayer};
use tracing::{info, info_span};

use crate::trace_support::{Bench, remote_parent};
use crate::{traced, traced_by, traced_with, under};

fn current() -> SpanContext {
    Context::map_current(|cx| cx.span().span_context().clone())
}

#[test]
fn the_extension_reaches_the_span() {
    let (cx, parent) = remote_parent(0x01, "a=b");
    let bench = traced(|| {
        let span = info_span!("server");
        span.set_parent(cx).unwrap();
        span.set_attribute("set", 1).unwrap();
        span.in_scope(|| {
            span.add_event("event", vec![KeyValue::new("key", 1)]).unwrap();
            let then = UNIX_EPOCH + Duration::from_secs(5);
            span.add_event_with_timestamp("then", then, Vec::new()).unwrap();
            span.set_status(Status::error("bad")).unwrap();
            span.add_link(remote_parent(1, "").1).unwrap();
            let inner = span.context().unwrap().span().span_context().clone();
            assert_eq!(inner, current());
            assert_eq!(inner, span.span_context().unwrap());
        });
    });
    let record = bench.find("server");
    assert_eq!(record.parent_span_id(), parent.span_id().to_string());
    assert_eq!(record.trace_id(), parent.trace_id().to_string());
    assert_eq!((record.span.trace_state.as_str(), record.span.flags), ("a=b", 0x301));
    assert_eq!(record.attribute_text("set").as_deref(), Some("1"));
    assert_eq!((record.span.events.len(), record.span.links.len()), (2, 1));
    assert_eq!(record.span.events[1].time_unix_nano, 5_000_000_000);
    assert_eq!(record.span.status.unwrap().message, "bad");
}

#[test]
fn a_parent_can_be_set_inside_the_span_until_it_has_a_child() {
    let (cx, parent) = remote_parent(1, "");
    let bench = traced(|| {
        let span = info_span!("server").entered();
        let before = current();
        span.set_parent(cx.clone()).unwrap();
        let after = current();
        assert_eq!(after.trace_id(), parent.trace_id());
        assert_eq!(after.span_id(), before.span_id());
        drop(info_span!("child"));
        assert_eq!(span.set_parent(Context::new()), Err(SpanError::HasChildren));
        drop(span);
        assert!(!current().is_valid());
    });
    let (server, child) = (bench.find("server"), bench.find("child"));
    assert_eq!(server.parent_span_id(), parent.span_id().to_string());
    assert_eq!(child.parent_span_id(), server.span_id());
    assert_eq!(child.trace_id(), parent.trace_id().to_string());
}

#[test]
fn a_child_by_name_settles_the_parent_too() {
    let (cx, _) = remote_parent(1, "");
    traced(|| {
        let span = info_span!("server");
        drop(info_span!(parent: &span, "child"));
        assert_eq!(span.set_parent(cx), Err(SpanError::HasChildren));
    });
}

#[test]
fn a_child_below_spans_of_the_api_settles_the_parent_too() {
    let (cx, _) = remote_parent(1, "");
    let bench = traced_with(
        |builder| builder,
        |bench| {
            let outer = info_span!("outer").entered();
            bench.tracer.in_span("api", |_| {
                bench.tracer.in_span("deeper", |_| drop(info_span!("inner")));
            });
            assert_eq!(outer.set_parent(cx), Err(SpanError::HasChildren));
        },
    );
    let outer = bench.find("outer");
    assert_eq!(outer.parent_span_id(), "");
    for name in ["api", "deeper", "inner"] {
        assert_eq!(bench.find(name).trace_id(), outer.trace_id(), "{name}");
    }
}

#[test]
fn a_child_settles_every_span_around_it_that_is_in_its_trace() {
    let (cx, _) = remote_parent(1, "");
    traced_with(
        |builder| builder,
        |bench| {
            let outer = info_span!("outer").entered();
            let api = Context::current_with_span(bench.tracer.start("api"));
            let apart = info_span!(parent: None, "apart").entered();
            let attached = api.attach();
            drop(info_span!("inner"));
            drop(attached);
            assert_eq!(apart.set_parent(cx.clone()), Ok(()));
            assert_eq!(outer.set_parent(cx), Err(SpanError::HasChildren));
        },
    );
}

#[test]
fn a_span_in_another_trace_is_no_child() {
    let (cx, parent) = remote_parent(1, "");
    let bench = traced_with(
        |builder| builder,
        |bench| {
            let outer = info_span!("outer").entered();
            // Unrelated ones.
            for unrelated in [cx.clone(), Context::new()] {
                let _attached = unrelated.attach();
                bench.tracer.in_span("api", |_| drop(info_span!("inner")));
                drop(info_span!("beside"));
            }
            outer.set_parent(cx.clone()).unwrap();
            // So is one in the trace that the span has left, of which somebody has kept the context.
            let former = outer.context().unwrap();
            outer.set_parent(Context::new()).unwrap();
            drop(bench.tracer.start_with_context("stale", &former));
            outer.set_parent(cx).unwrap();
        },
    );
    assert_eq!(bench.find("outer").parent_span_id(), parent.span_id().to_string());
}

/// A propagator that finds no header hands back the current context.
#[test]
fn a_span_does_not_become_its_own_parent() {
    let (cx, parent) = remote_parent(1, "");
    let bench = traced(|| {
        let span = info_span!("server").entered();
        span.set_parent(Context::current()).unwrap();
        span.set_parent(cx).unwrap();
        span.set_parent(Context::current()).unwrap();
    });
    assert_eq!(bench.find("server").parent_span_id(), parent.span_id().to_string());
}

#[test]
fn a_sampled_parent_brings_back_what_the_root_sampler_had_dropped() {
    let (cx, parent) = remote_parent(1, "");
    let bench = traced_with(
        |builder| {
            builder.with_sampler(Sampler::parent_based(Sampler::trace_id_ratio(0.0).unwrap()))
        },
        |_| {
            let span = info_span!("server", early = 1, otel.name = "GET /", otel.kind = "server");
            info!(parent: &span, "before");
            span.set_parent(cx).unwrap();
            span.in_scope(|| drop(info_span!("child")));
            // Without a parent it stays dropped.
            drop(info_span!("other"));
        },
    );
    let record = bench.find("GET /");
    assert_eq!(record.parent_span_id(), parent.span_id().to_string());
    assert_eq!(record.attribute_text("early").as_deref(), Some("1"));
    assert_eq!((record.span.kind, record.span.events.len()), (2, 1));
    assert_eq!(bench.find("child").parent_span_id(), record.span_id());
    let ledger = bench.ledger();
    assert_eq!((ledger.created, ledger.sampled_out, ledger.ended), (3, 1, 2));
}

#[test]
fn an_unsampled_parent_takes_the_span_out() {
    let (cx, parent) = remote_parent(0, "");
    let bench = traced(|| {
        let span = info_span!("server");
        span.set_parent(cx).unwrap();
        span.in_scope(|| {
            assert_eq!(current().trace_id(), parent.trace_id());
            assert!(!current().is_sampled());
            drop(info_span!("child"));
        });
    });
    assert!(bench.spans().is_empty());
    let ledger = bench.ledger();
    assert_eq!((ledger.created, ledger.sampled_out, ledger.ended), (2, 2, 0));
}

#[test]
fn a_span_in_a_trace_that_is_not_sampled_is_recorded_from_its_new_parent_on() {
    let (sampled, parent) = remote_parent(1, "");
    let (unsampled, _) = remote_parent(0, "");
    let bench = traced(|| {
        let _attached = unsampled.attach();
        let span = info_span!("request", early = 1, late = tracing::field::Empty);
        span.set_parent(sampled).unwrap();
        span.record("late", 2);
    });
    let record = bench.find("request");
    assert_eq!(record.parent_span_id(), parent.span_id().to_string());
    assert_eq!(record.attribute_text("late").as_deref(), Some("2"));
    assert!(record.attribute_text("code.file.path").is_some());
}

#[test]
fn a_span_that_is_recorded_late_has_lasted_and_was_busy_since_its_start() {
    let (sampled, _) = remote_parent(1, "");
    let (unsampled, _) = remote_parent(0, "");
    let pause = Duration::from_millis(2);
    let spend = || {
        let begun = Instant::now();
        while begun.elapsed() < pause {}
    };
    let bench = traced_by(
        |layer| layer.with_tracked_inactivity(true).with_threads(true),
        || {
            let _attached = unsampled.attach();
            let span = info_span!("request");
            spend();
            let span = span.entered();
            spend();
            span.set_parent(sampled).unwrap();
        },
    );
    let record = bench.find("request");
    let nanos = |key| record.attribute_text(key).unwrap().parse::<u64>().unwrap();
    let lasted = record.span.end_time_unix_nano - record.span.start_time_unix_nano;
    let (busy, idle) = (nanos("busy_ns"), nanos("idle_ns"));
    assert!(Duration::from_nanos(busy) >= pause && Duration::from_nanos(idle) >= pause);
    assert!(busy + idle >= lasted && busy <= lasted, "{busy} busy, {idle} idle of {lasted}");
    assert!(Duration::from_nanos(busy + idle) < Duration::from_secs(3600));
    assert_eq!(
        record.attribute_text("thread.name"),
        std::thread::current().name().map(str::to_owned)
    );
    assert!(record.attribute_text("thread.id").is_some());
}

#[test]
fn a_local_parent_can_be_replaced_and_removed() {
    let (cx, parent) = remote_parent(1, "");
    let bench = traced(|| {
        info_span!("connection").in_scope(|| {
            info_span!("request").set_parent(cx).unwrap();
            info_span!("alone").set_parent(Context::new()).unwrap();
        });
    });
    let connection = bench.find("connection");
    let (request, alone) = (bench.find("request"), bench.find("alone"));
    assert_eq!(request.parent_span_id(), parent.span_id().to_string());
    assert_eq!(alone.parent_span_id(), "");
    assert_ne!(alone.trace_id(), connection.trace_id());
}

#[test]
fn processors_see_a_start_once_it_is_certain() {
    use std::sync::{Arc, Mutex};

    #[derive(Clone, Debug, Default)]
    struct Seen(Arc<Mutex<Vec<String>>>);

    impl SpanProcessor for Seen {
        fn on_start(&self, span: &mut ActiveSpan<'_>, parent: &Context) {
            let attribute = span.read().attribute("early").map(|_| "with fields");
            let parent = parent.span().span_context().span_id().to_string();
            let text = format!("{} {attribute:?} {parent}", span.read().name());
            self.0.lock().unwrap().push(text);
            span.set_attribute(KeyValue::new("of the processor", 1));
        }
    }

    let (cx, parent) = remote_parent(1, "");
    let seen = Seen::default();
    let bench = traced_with(
        |builder| {
            let sampler = Sampler::parent_based(Sampler::trace_id_ratio(0.0).unwrap());
            builder.with_sampler(sampler).with_span_processor(seen.clone())
        },
        |_| {
            let span = info_span!("server", early = 1);
            assert!(seen.0.lock().unwrap().is_empty());
            span.set_parent(cx).unwrap();
        },
    );
    let expected = format!("server Some(\"with fields\") {}", parent.span_id());
    assert_eq!(*seen.0.lock().unwrap(), [expected]);
    assert_eq!(bench.find("server").attribute_text("of the processor").as_deref(), Some("1"));
}

#[test]
fn what_cannot_be_done_is_told() {
    let disabled = tracing::Span::none();
    assert_eq!(disabled.set_attribute("key", 1), Err(SpanError::Disabled));
    assert_eq!(disabled.context().map(|_| ()), Err(SpanError::Disabled));

    let span = tracing::subscriber::with_default(tracing_subscriber::registry(), || {
        info_span!("without the layer")
    });
    assert_eq!(span.set_parent(Context::new()), Err(SpanError::NotFound));

    let bench = Bench::new();
    let layer = TracingLayer::new(&bench.provider).with_span_filter("warn".parse().unwrap());
    under(layer, || {
        let left_out = info_span!("left out");
        assert_eq!(left_out.set_status(Status::Ok), Err(SpanError::NotFound));
    });
    for error in [SpanError::Disabled, SpanError::NotFound, SpanError::HasChildren] {
        assert!(error.to_string().len() > 20);
    }
}

#[test]
fn a_trace_state_of_the_sampler_reaches_the_span() {
    let (cx, _) = remote_parent(1, "vendor=1");
    let bench = traced(|| info_span!("server").set_parent(cx).unwrap());
    let state: TraceState = bench.find("server").span.trace_state.parse().unwrap();
    assert_eq!(state.get("vendor"), Some("1"));
}

/// Sets the parent of the span that it is asked about, or of the one around.
#[derive(Clone, Debug)]
struct SetsParents;

impl opentelemetry_sdk::trace::ShouldSample for SetsParents {
    fn should_sample(
        &self,
        _parent: Option<&Context>,
        _trace_id: opentelemetry::trace::TraceId,
        _name: &str,
        _kind: &opentelemetry::trace::SpanKind,
        _attributes: &[opentelemetry::KeyValue],
        _links: &[opentelemetry::trace::Link],
    ) -> opentelemetry_sdk::trace::SamplingResult {
        let _ = tracing::Span::current().set_parent(Context::new());
        opentelemetry_sdk::trace::SamplingResult {
            decision: opentelemetry_sdk::trace::SamplingDecision::RecordAndSample,
            attributes: Vec::new(),
            trace_state: opentelemetry::trace::TraceState::NONE,
        }
    }
}

#[test]
fn a_sampler_that_sets_a_parent_is_asked_again_once() {
    let sampler = otlp_sdk::trace::sampler::Sampler::custom(SetsParents);
    let bench = traced_with(
        |builder| builder.with_sampler(sampler),
        |_| {
            let (cx, _) = remote_parent(1, "");
            let span = info_span!("a").entered();
            span.set_parent(cx).unwrap();
        },
    );
    bench.find("a");
}
