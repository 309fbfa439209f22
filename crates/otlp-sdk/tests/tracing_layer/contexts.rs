//! The context of the API inside and outside of `tracing`'s spans.

use opentelemetry::Context;
use opentelemetry::KeyValue;
use opentelemetry::baggage::BaggageExt as _;
use opentelemetry::propagation::TextMapPropagator as _;
use opentelemetry::trace::{SpanContext, TraceContextExt as _, Tracer as _};
use otlp_sdk::propagation::TraceContextPropagator;
use otlp_sdk::trace::sampler::Sampler;
use tracing::info_span;

use crate::trace_support::{Bench, remote_parent};
use crate::{traced, traced_by, traced_with, under};
use otlp_sdk::tracing_layer::{OtelSpanExt as _, TracingLayer};

fn current() -> SpanContext {
    Context::map_current(|cx| cx.span().span_context().clone())
}

#[test]
fn the_context_is_current_inside_a_span() {
    let mut seen = Vec::new();
    let bench = traced(|| {
        seen.push(current());
        let outer = info_span!("outer").entered();
        seen.push(current());
        info_span!("inner").in_scope(|| seen.push(current()));
        seen.push(current());
        drop(outer);
        seen.push(current());
    });
    let ids: Vec<_> = seen.iter().map(|it| it.span_id().to_string()).collect();
    let (outer, inner) = (bench.find("outer").span_id(), bench.find("inner").span_id());
    let none = "0".repeat(16);
    assert_eq!(ids, [none.clone(), outer.clone(), inner, outer, none]);
    assert!(seen.iter().all(|it| !it.is_remote()));
    assert!(seen[1].is_sampled());
}

#[test]
fn propagators_see_it() {
    let mut headers = std::collections::HashMap::new();
    let bench = traced(|| {
        info_span!("client").in_scope(|| {
            TraceContextPropagator::new().inject(&mut headers);
        });
    });
    let client = bench.find("client");
    let expected = format!("00-{}-{}-03", client.trace_id(), client.span_id());
    assert_eq!(headers["traceparent"], expected);
}

#[test]
fn spans_of_the_api_and_of_tracing_are_each_others_children() {
    let bench = traced_with(
        |builder| builder,
        |bench| {
            info_span!("one").in_scope(|| {
                bench.tracer.in_span("two", |_| {
                    info_span!("three").in_scope(|| {
                        bench.tracer.in_span("four", |_| {});
                        info_span!("five").in_scope(|| {});
                    });
                });
                info_span!("six").in_scope(|| {});
            });
        },
    );
    let id = |name| bench.find(name).span_id();
    for (child, parent) in
        [("two", "one"), ("three", "two"), ("four", "three"), ("five", "three"), ("six", "one")]
    {
        assert_eq!(bench.find(child).parent_span_id(), id(parent), "{child}");
    }
}

#[test]
fn a_remote_context_that_is_attached_is_the_parent() {
    let (cx, parent) = remote_parent(1, "a=b");
    let bench = traced(|| {
        let _attached = cx.attach();
        info_span!("server").in_scope(|| info_span!("inner").in_scope(|| {}));
    });
    let server = bench.find("server");
    assert_eq!(server.parent_span_id(), parent.span_id().to_string());
    assert_eq!((server.span.trace_state.as_str(), server.span.flags), ("a=b", 0x301));
    assert_eq!(bench.find("inner").parent_span_id(), server.span_id());
    assert_eq!(bench.find("inner").span.flags, 0x101);
}

#[test]
fn baggage_goes_along_to_other_threads() {
    let bench = Bench::new();
    under(TracingLayer::new(&bench.provider), || {
        let baggage = Context::current_with_baggage([KeyValue::new("user", "seven")]);
        let span = {
            let _attached = baggage.attach();
            info_span!("task")
        };
        std::thread::scope(|scope| {
            scope.spawn(|| {
                span.in_scope(|| {
                    let user = Context::current().baggage().get("user").map(ToString::to_string);
                    assert_eq!(user.as_deref(), Some("seven"));
                });
                assert!(Context::current().baggage().is_empty());
            });
        });
    });
    assert_eq!(bench.names(), ["task"]);
}

#[test]
fn spans_may_be_left_in_any_order() {
    let mut seen = Vec::new();
    let bench = traced(|| {
        let (first, second) = (info_span!("first"), info_span!("second"));
        let in_first = first.enter();
        let in_second = second.enter();
        drop(in_first);
        seen.push(current().span_id().to_string());
        drop(info_span!("child"));
        drop(in_second);
        seen.push(current().span_id().to_string());
    });
    let second = bench.find("second").span_id();
    assert_eq!(seen, [second.clone(), "0".repeat(16)]);
    assert_eq!(bench.find("child").parent_span_id(), second);
}

#[test]
fn a_context_attached_within_a_span_may_outlive_it() {
    let bench = traced(|| {
        let span = info_span!("span").entered();
        let attached = Context::current_with_value(7_u8).attach();
        drop(span);
        assert_eq!(Context::current().get::<u8>(), Some(&7));
        drop(attached);
        assert_eq!(Context::current().get::<u8>(), None);
        assert!(!current().is_valid());
    });
    assert_eq!(bench.names(), ["span"]);
}

#[test]
fn suppressed_code_makes_nothing() {
    let bench = traced(|| {
        info_span!("outer").in_scope(|| {
            let _suppressed = Context::enter_telemetry_suppressed_scope();
            info_span!("inner").in_scope(|| tracing::info!("event"));
            info_span!(parent: None, "root").in_scope(|| {});
        });
    });
    assert_eq!(bench.names(), ["outer"]);
    assert!(bench.find("outer").span.events.is_empty());
    assert_eq!((bench.ledger().created, bench.ledger().sampled_out), (3, 2));
}

#[test]
fn without_activation_spans_still_have_their_parents() {
    let bench = traced_by(
        |layer| layer.with_context_activation(false),
        || {
            info_span!("outer").in_scope(|| {
                assert!(!current().is_valid());
                info_span!("inner").in_scope(|| {});
            });
        },
    );
    assert_eq!(bench.find("inner").parent_span_id(), bench.find("outer").span_id());
}

#[test]
fn what_is_sampled_out_still_has_ids() {
    let mut seen = Vec::new();
    let bench = traced_with(
        |builder| builder.with_sampler(Sampler::parent_based(Sampler::AlwaysOff)),
        |_| {
            info_span!("outer").in_scope(|| {
                seen.push(current());
                info_span!("inner").in_scope(|| seen.push(current()));
            });
        },
    );
    assert!(bench.spans().is_empty());
    assert_eq!(seen[0].trace_id(), seen[1].trace_id());
    assert_ne!(seen[0].span_id(), seen[1].span_id());
    assert!(seen.iter().all(|it| it.is_valid() && !it.is_sampled()));
    assert_eq!((bench.ledger().created, bench.ledger().sampled_out), (2, 2));
}

#[test]
fn a_sampler_of_the_users_sees_fields_name_and_kind() {
    use opentelemetry_sdk::trace::{SamplingDecision, SamplingResult, ShouldSample};

    #[derive(Clone, Debug)]
    struct Picky;

    impl ShouldSample for Picky {
        fn should_sample(
            &self,
            parent: Option<&Context>,
            _: opentelemetry::trace::TraceId,
            name: &str,
            kind: &opentelemetry::trace::SpanKind,
            attributes: &[KeyValue],
            _: &[opentelemetry::trace::Link],
        ) -> SamplingResult {
            let keep = attributes.iter().any(|it| it.key.as_str() == "keep");
            let text = format!("{name} {kind:?} {}", parent.unwrap().has_active_span());
            // A span that the sampler starts, in a context that it must not attach.
            info_span!("of the sampler").in_scope(|| {});
            SamplingResult {
                decision: if keep {
                    SamplingDecision::RecordAndSample
                } else {
                    SamplingDecision::Drop
                },
                attributes: vec![KeyValue::new("asked", text)],
                trace_state: Default::default(),
            }
        }
    }

    let bench = traced_with(
        |builder| builder.with_sampler(Sampler::custom(Picky)),
        |_| {
            info_span!("static", keep = true, otel.name = "kept", otel.kind = "server")
                .in_scope(|| drop(info_span!("child", keep = 1)));
            drop(info_span!("dropped"));
        },
    );
    assert_eq!(bench.names(), ["child", "kept"]);
    assert_eq!(bench.find("kept").attribute_text("asked").as_deref(), Some("kept Server false"));
    assert_eq!(bench.find("child").attribute_text("asked").as_deref(), Some("child Internal true"));
    assert_eq!(bench.find("child").parent_span_id(), bench.find("kept").span_id());
}

#[test]
fn entering_while_the_api_has_its_context_borrowed_does_not_panic() {
    let bench = traced(|| {
        opentelemetry::trace::get_active_span(|_| {
            let outer = info_span!("outer");
            outer.in_scope(|| drop(info_span!("inner")));
            assert!(outer.span_context().unwrap().is_valid());
        });
    });
    assert_eq!(bench.find("inner").parent_span_id(), bench.find("outer").span_id());
    assert!(!current().is_valid());
}

#[test]
fn a_thread_that_ends_within_a_span_ends_in_peace() {
    let bench = Bench::new();
    under(TracingLayer::new(&bench.provider), || {
        let span = info_span!("span");
        std::thread::scope(|scope| {
            let done = scope.spawn(|| std::mem::forget(span.enter())).join();
            done.unwrap();
        });
    });
    assert_eq!(bench.ledger().created, 1);
}

#[tokio::test]
async fn an_instrumented_future_has_its_context_at_every_poll() {
    use tracing::Instrument as _;
    use tracing_subscriber::layer::SubscriberExt as _;

    let bench = Bench::new();
    let subscriber = tracing_subscriber::registry().with(TracingLayer::new(&bench.provider));
    let _default = tracing::subscriber::set_default(subscriber);
    let (mut ids, mut other) = (Vec::new(), Vec::new());
    let task = async {
        for _ in 0..3 {
            ids.push(current().span_id().to_string());
            tokio::task::yield_now().await;
        }
        async { tokio::task::yield_now().await }.instrument(info_span!("inner")).await;
    };
    let beside = async {
        for _ in 0..3 {
            other.push(current().is_valid());
            tokio::task::yield_now().await;
        }
    };
    tokio::join!(task.instrument(info_span!("outer")), beside);
    bench.provider.force_flush_async(std::time::Duration::from_secs(20)).await.unwrap();
    let outer = bench.find("outer").span_id();
    assert_eq!(ids, [outer.clone(), outer.clone(), outer.clone()]);
    assert_eq!(other, [false; 3]);
    assert_eq!(bench.find("inner").parent_span_id(), outer);
}

#[test]
fn the_current_span_of_the_api_records_if_asked_to() {
    let mut kept = None;
    let bench = traced_by(
        |layer| layer.with_recording_context(true),
        || {
            let (cx, _) = remote_parent(1, "");
            let span = info_span!("work").entered();
            span.set_parent(cx).unwrap();
            let current = Context::current();
            assert!(current.span().is_recording());
            current.span().set_attribute(KeyValue::new("of the API", 1));
            current.span().add_event("event", Vec::new());
            current.span().add_link(remote_parent(1, "").1, Vec::new());
            current.span().update_name("renamed");
            current.span().set_status(opentelemetry::trace::Status::Ok);
            current.span().end();
            kept = Some(current);
        },
    );
    let kept = kept.unwrap();
    assert!(!kept.span().is_recording());
    kept.span().set_attribute(KeyValue::new("too late", 1));
    let record = bench.find("renamed");
    assert_eq!(record.span.attributes.len(), 5);
    assert_eq!((record.span.events.len(), record.span.links.len()), (1, 1));
    assert_eq!(record.span.status.unwrap().code, 1);

    traced(|| info_span!("work").in_scope(|| assert!(!Context::current().span().is_recording())));
}

#[test]
fn spans_that_are_left_on_another_thread_do_not_pile_up() {
    use tracing_subscriber::layer::SubscriberExt as _;

    let bench = Bench::new();
    let layer = TracingLayer::new(&bench.provider);
    let dispatch = tracing::Dispatch::new(tracing_subscriber::registry().with(layer));
    let _default = tracing::dispatcher::set_default(&dispatch);
    let (sender, receiver) = std::sync::mpsc::channel::<tracing::span::Id>();
    let elsewhere = dispatch.clone();
    let leaves = std::thread::spawn(move || receiver.iter().for_each(|id| elsewhere.exit(&id)));
    // More than the API attaches at once.
    for _ in 0..70_000 {
        let span = info_span!(parent: None, "moved");
        let id = span.id().unwrap();
        // As a guard does that is held while its future moves to another thread.
        dispatch.enter(&id);
        sender.send(id).unwrap();
    }
    drop(sender);
    leaves.join().unwrap();
    let outer = info_span!(parent: None, "outer");
    outer.in_scope(|| assert_eq!(current(), outer.span_context().unwrap()));
    assert_eq!(bench.ledger().created, 70_001);
}
