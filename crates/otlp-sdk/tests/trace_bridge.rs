//! `tracing` through `tracing-opentelemetry`, unchanged, into our tracer.

#![allow(
    clippy::unwrap_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "helpers of tests fail by panicking, as tests do"
)]

mod trace_support;

use std::time::Duration;

use opentelemetry::KeyValue;
use opentelemetry::trace::{Span as _, Status, TraceContextExt as _, Tracer as _};
use otlp_testing::SpanRecord;
use otlp_testing::oracle::value_text;
use tracing::field::Empty;
use tracing::{Level, debug_span, error, info, info_span, span, warn};
use tracing_opentelemetry::OpenTelemetrySpanExt as _;
use tracing_subscriber::layer::SubscriberExt as _;

use crate::trace_support::{Bench, remote_parent};

/// Runs `app` under a subscriber that sends its spans into a provider of its own.
fn traced(app: impl FnOnce()) -> Bench {
    let bench = Bench::new();
    let layer = tracing_opentelemetry::layer().with_tracer(bench.tracer.clone());
    let subscriber = tracing_subscriber::registry().with(layer);
    tracing::subscriber::with_default(subscriber, app);
    bench
}

fn event_texts(span: &SpanRecord, at: usize) -> Vec<(String, String)> {
    let attributes = span.span.events[at].attributes.iter();
    attributes.map(|it| (it.key.clone(), value_text(it.value.as_ref().unwrap()))).collect()
}

#[test]
fn nested_spans_are_parents_and_children() {
    let bench = traced(|| {
        info_span!("outer").in_scope(|| {
            info_span!("middle", otel.kind = "client").in_scope(|| {
                debug_span!("inner").in_scope(|| {});
            });
            info_span!("sibling").in_scope(|| {});
        });
    });
    let (outer, middle) = (bench.find("outer"), bench.find("middle"));
    assert_eq!(bench.names(), ["inner", "middle", "sibling", "outer"]);
    assert_eq!(bench.find("inner").parent_span_id(), middle.span_id());
    assert_eq!(middle.parent_span_id(), outer.span_id());
    assert_eq!(bench.find("sibling").parent_span_id(), outer.span_id());
    assert_eq!(outer.parent_span_id(), "");
    assert_eq!((outer.span.kind, middle.span.kind), (1, 3));
    assert!(bench.spans().iter().all(|span| span.trace_id() == outer.trace_id()));
}

#[test]
fn fields_become_attributes_of_their_type() {
    let bench = traced(|| {
        let span = info_span!(
            "fields",
            number = -3,
            flag = true,
            ratio = 0.5,
            text = "words",
            debug = ?Some(1),
            late = Empty,
            otel.name = "renamed",
        );
        span.record("late", "later");
        span.in_scope(|| span.record("flag", false));
    });
    let record = bench.find("renamed");
    for (key, text) in [
        ("number", "-3"),
        ("flag", "false"),
        ("ratio", "0.5"),
        ("text", "words"),
        ("debug", "Some(1)"),
        ("late", "later"),
    ] {
        assert_eq!(record.attribute_text(key).as_deref(), Some(text), "{key}");
    }
    // T12: `flag` was recorded twice and stands once.
    assert!(record.repeated_keys().is_empty());
}

#[test]
fn events_and_errors_are_kept_in_order() {
    let bench = traced(|| {
        info_span!("work").in_scope(|| {
            info!(attempt = 1, "trying");
            warn!("slow");
            let broken = std::io::Error::other("broken pipe");
            error!(error = &broken as &dyn std::error::Error, "failed");
        });
    });
    let record = bench.find("work");
    let names: Vec<_> = record.span.events.iter().map(|event| event.name.as_str()).collect();
    assert_eq!(names, ["trying", "slow", "failed"]);
    assert!(event_texts(&record, 0).contains(&("attempt".to_owned(), "1".to_owned())));
    let failed = event_texts(&record, 2);
    assert!(
        failed.contains(&("exception.message".to_owned(), "broken pipe".to_owned())),
        "{failed:?}"
    );
    assert_eq!(record.span.status.as_ref().unwrap().code, 2, "an error event fails the span");
    assert!(record.span.events.is_sorted_by_key(|event| event.time_unix_nano));
    let within = record.span.start_time_unix_nano..=record.span.end_time_unix_nano;
    assert!(record.span.events.iter().all(|event| within.contains(&event.time_unix_nano)));
}

#[test]
fn follows_from_becomes_a_link() {
    let bench = traced(|| {
        let cause = info_span!("cause");
        let effect = info_span!("effect");
        effect.follows_from(&cause);
        cause.in_scope(|| {});
        effect.in_scope(|| {});
    });
    let (cause, effect) = (bench.find("cause"), bench.find("effect"));
    assert_eq!(effect.span.links.len(), 1);
    assert_eq!(effect.span.links[0].span_id, cause.span.span_id);
    assert_eq!(effect.span.links[0].trace_id, cause.span.trace_id);
    assert_eq!(effect.parent_span_id(), "");
}

#[test]
fn the_span_extension_reaches_our_span() {
    let (cx, parent) = remote_parent(0x01, "a=b");
    let bench = traced(|| {
        let span = info_span!("server");
        span.set_parent(cx).unwrap();
        span.set_attribute("set", 1);
        span.in_scope(|| {
            span.add_event("event", vec![KeyValue::new("key", 1)]);
            span.set_status(Status::error("bad"));
            span.add_link(remote_parent(1, "").1);
            let inner = span.context().span().span_context().clone();
            assert!(inner.is_valid() && !inner.is_remote());
        });
    });
    let record = bench.find("server");
    assert_eq!(record.parent_span_id(), parent.span_id().to_string());
    assert_eq!((record.span.trace_state.as_str(), record.span.flags), ("a=b", 0x301));
    assert_eq!(record.attribute_text("set").as_deref(), Some("1"));
    assert_eq!((record.span.events.len(), record.span.links.len()), (1, 1));
    assert_eq!(record.span.status.unwrap().message, "bad");
}

#[test]
fn a_span_that_is_entered_on_several_threads_ends_once() {
    let bench = Bench::new();
    let layer = tracing_opentelemetry::layer().with_tracer(bench.tracer.clone());
    let dispatch = tracing::Dispatch::new(tracing_subscriber::registry().with(layer));
    let span = tracing::dispatcher::with_default(&dispatch, || span!(Level::INFO, "shared"));
    std::thread::scope(|scope| {
        for number in 0..4 {
            let (span, dispatch) = (span.clone(), dispatch.clone());
            scope.spawn(move || {
                tracing::dispatcher::with_default(&dispatch, || {
                    span.in_scope(|| info_span!("child", number).in_scope(|| {}));
                });
            });
        }
    });
    drop(span);
    let shared = bench.find("shared");
    let spans = bench.spans();
    assert_eq!(spans.len(), 5);
    let children = spans.iter().filter(|span| span.parent_span_id() == shared.span_id());
    assert_eq!(children.count(), 4);
}

#[tokio::test]
async fn an_instrumented_future_keeps_its_span() {
    use tracing::Instrument as _;

    let bench = Bench::new();
    let layer = tracing_opentelemetry::layer().with_tracer(bench.tracer.clone());
    let subscriber = tracing_subscriber::registry().with(layer);
    let _default = tracing::subscriber::set_default(subscriber);
    async {
        tokio::task::yield_now().await;
        async { tokio::task::yield_now().await }.instrument(info_span!("inner")).await;
    }
    .instrument(info_span!("outer"))
    .await;
    bench.provider.force_flush_async(Duration::from_secs(20)).await.unwrap();
    assert_eq!(bench.find("inner").parent_span_id(), bench.find("outer").span_id());
}

#[test]
fn a_field_whose_text_starts_a_span_gets_both() {
    // S7. Through the API: `tracing` itself ignores spans within its own callbacks.
    struct Nosy(otlp_sdk::trace::Tracer);

    impl std::fmt::Debug for Nosy {
        fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
            self.0.start("of the field").set_attribute(KeyValue::new("key", 1));
            f.write_str("nosy")
        }
    }

    let bench = Bench::new();
    let layer = tracing_opentelemetry::layer().with_tracer(bench.tracer.clone());
    tracing::subscriber::with_default(tracing_subscriber::registry().with(layer), || {
        let span = info_span!("outer", early = ?Nosy(bench.tracer.clone()), late = Empty);
        span.in_scope(|| {
            span.record("late", tracing::field::debug(Nosy(bench.tracer.clone())));
            info!(event = ?Nosy(bench.tracer.clone()), "event");
        });
    });
    assert_eq!(bench.names(), ["of the field", "of the field", "of the field", "outer"]);
    let record = bench.find("outer");
    assert_eq!(record.attribute_text("early").as_deref(), Some("nosy"));
    assert_eq!(record.attribute_text("late").as_deref(), Some("nosy"));
    assert_eq!(record.span.events.len(), 1);
}

#[test]
fn the_sampler_decides_for_tracing_too() {
    use otlp_sdk::trace::sampler::Sampler;

    let bench = Bench::with(|builder| builder.with_sampler(Sampler::AlwaysOff));
    let layer = tracing_opentelemetry::layer().with_tracer(bench.tracer.clone());
    tracing::subscriber::with_default(tracing_subscriber::registry().with(layer), || {
        info_span!("outer").in_scope(|| info_span!("inner").in_scope(|| info!("event")));
    });
    assert!(bench.spans().is_empty());
    assert_eq!((bench.ledger().created, bench.ledger().sampled_out), (2, 2));
}
