//! Spans where nothing can be recorded: traces are off, or were shut down.

use std::collections::HashMap;

use opentelemetry::propagation::TextMapPropagator as _;
use opentelemetry::trace::{SpanContext, TraceContextExt as _, Tracer as _, TracerProvider as _};
use opentelemetry::{Context, KeyValue};
use otlp_sdk::logs::LoggerProvider;
use otlp_sdk::propagation::TraceContextPropagator;
use otlp_sdk::testing::InMemoryExporter;
use otlp_sdk::trace::TracerProvider;
use otlp_sdk::trace::sampler::Sampler;
use otlp_sdk::tracing_layer::{OtelSpanExt as _, SpanError, TracingLayer};
use tracing::{info, info_span};
use tracing_subscriber::layer::SubscriberExt as _;

use crate::trace_support::{Bench, remote_parent};
use crate::under;

fn current() -> SpanContext {
    Context::map_current(|cx| cx.span().span_context().clone())
}

/// What this process would send to others.
fn sent() -> Option<String> {
    let mut headers = HashMap::new();
    TraceContextPropagator::new().inject(&mut headers);
    headers.remove("traceparent")
}

/// As `OTEL_SDK_DISABLED` makes it.
fn off() -> TracerProvider {
    TracerProvider::builder().build()
}

fn shut_down() -> TracerProvider {
    let provider = Bench::new().provider;
    provider.shutdown().unwrap();
    provider
}

// row T5
#[test]
fn a_parent_that_is_set_passes_through_to_others() {
    let (cx, parent) = remote_parent(1, "a=b");
    let header = format!("00-{}-{}-01", parent.trace_id(), parent.span_id());
    for provider in [off(), shut_down()] {
        under(TracingLayer::new(&provider), || {
            let server = info_span!("server");
            assert!(!server.span_context().unwrap().is_valid());
            server.set_parent(cx.clone()).unwrap();
            server.set_attribute("key", 1).unwrap();
            server.in_scope(|| {
                assert_eq!(current(), parent);
                info_span!("client").in_scope(|| {
                    assert_eq!(current(), parent);
                    assert_eq!(sent().as_deref(), Some(&*header));
                });
            });
            let named = info_span!(parent: &server, "named");
            assert_eq!(named.span_context().unwrap(), parent);
            assert!(!current().is_valid());
        });
    }
}

// row T5
#[test]
fn a_parent_that_is_attached_passes_through_with_its_baggage() {
    use opentelemetry::baggage::BaggageExt as _;

    let (cx, parent) = remote_parent(1, "");
    let cx = cx.with_baggage([KeyValue::new("user", "seven")]);
    let provider = off();
    under(TracingLayer::new(&provider), || {
        let span = {
            let _attached = cx.attach();
            info_span!("task")
        };
        span.in_scope(|| {
            assert_eq!(current(), parent);
            let user = Context::map_current(|cx| cx.baggage().get("user").map(ToString::to_string));
            assert_eq!(user.as_deref(), Some("seven"));
        });
    });
}

// row T5
#[test]
fn without_a_parent_there_are_no_ids() {
    let provider = off();
    under(TracingLayer::new(&provider).with_recording_context(true), || {
        info_span!("outer").in_scope(|| {
            let inner = info_span!("inner").entered();
            assert_eq!((current(), sent()), (SpanContext::NONE, None));
            assert_eq!(inner.span_context(), Ok(SpanContext::NONE));
        });
    });
}

#[test]
fn a_parent_is_set_inside_the_span_and_replaced() {
    let (cx, parent) = remote_parent(1, "");
    let provider = off();
    under(TracingLayer::new(&provider), || {
        let span = info_span!("server").entered();
        span.set_parent(cx.clone()).unwrap();
        assert_eq!(current(), parent);
        span.set_parent(Context::new()).unwrap();
        assert_eq!(current(), SpanContext::NONE);
        span.set_parent(cx).unwrap();
        info_span!("child").in_scope(|| assert_eq!(current(), parent));
        assert_eq!(span.set_parent(Context::new()), Err(SpanError::HasChildren));
        drop(span);
        assert!(!current().is_valid());
    });
}

#[test]
fn spans_of_the_api_and_of_tracing_pass_the_same_context_on() {
    let (cx, parent) = remote_parent(1, "");
    let provider = off();
    let tracer = provider.tracer("api");
    under(TracingLayer::new(&provider), || {
        let outer = info_span!("outer");
        outer.set_parent(cx.clone()).unwrap();
        outer.in_scope(|| {
            tracer.in_span("api", |_| {
                info_span!("inner").in_scope(|| assert_eq!(current(), parent));
            });
            // The context of somebody else is passed on where it is attached.
            let other = SpanContext::new(
                7.into(),
                8.into(),
                parent.trace_flags(),
                true,
                Default::default(),
            );
            let _attached = Context::new().with_remote_span_context(other.clone()).attach();
            info_span!("elsewhere").in_scope(|| assert_eq!(current(), other));
        });
    });
}

#[test]
fn without_activation_children_still_pass_it_on() {
    let (cx, parent) = remote_parent(1, "");
    let provider = off();
    under(TracingLayer::new(&provider).with_context_activation(false), || {
        let outer = info_span!("outer");
        outer.set_parent(cx).unwrap();
        outer.in_scope(|| {
            assert!(!current().is_valid());
            assert_eq!(info_span!("inner").span_context().unwrap(), parent);
        });
    });
}

#[test]
fn log_records_have_the_ids_of_the_caller() {
    let (cx, parent) = remote_parent(1, "");
    for activated in [true, false] {
        let exporter = InMemoryExporter::default();
        let logs = LoggerProvider::builder().with_batch_exporter(exporter.clone()).build();
        let traces = off();
        let layer = TracingLayer::new(&traces).with_logger_provider(&logs);
        under(layer.with_context_activation(activated), || {
            let span = info_span!("server");
            span.set_parent(cx.clone()).unwrap();
            span.in_scope(|| info_span!("inner").in_scope(|| info!("inside")));
            info!(parent: &span, "named");
            info_span!("alone").in_scope(|| info!("alone"));
        });
        logs.force_flush().unwrap();
        let ids: Vec<_> =
            exporter.log_records().iter().map(|it| it.trace_id.zip(it.span_id)).collect();
        let callers = Some((parent.trace_id(), parent.span_id()));
        assert_eq!(ids, [callers, callers, None]);
    }
}

#[test]
fn each_span_is_counted_once() {
    let (cx, _) = remote_parent(1, "");
    let app = || {
        let span = info_span!("server");
        span.set_parent(cx.clone()).unwrap();
        span.in_scope(|| drop(info_span!("inner")));
    };
    let never = TracerProvider::builder().with_sampler(Sampler::AlwaysOff).build();
    for provider in [off(), never] {
        under(TracingLayer::new(&provider), app);
        let ledger = provider.ledger();
        assert_eq!((ledger.created, ledger.sampled_out, ledger.unaccounted()), (2, 2, 0));
    }

    let provider = shut_down();
    under(TracingLayer::new(&provider), app);
    let ledger = provider.ledger();
    assert_eq!((ledger.created, ledger.started_after_shutdown, ledger.unaccounted()), (2, 2, 0));
}

#[test]
fn a_sampler_of_the_users_is_not_asked() {
    use opentelemetry_sdk::trace::{SamplingResult, ShouldSample};

    #[derive(Clone, Debug)]
    struct Unasked;

    impl ShouldSample for Unasked {
        fn should_sample(
            &self,
            _: Option<&Context>,
            _: opentelemetry::trace::TraceId,
            name: &str,
            _: &opentelemetry::trace::SpanKind,
            _: &[KeyValue],
            _: &[opentelemetry::trace::Link],
        ) -> SamplingResult {
            panic!("asked about {name}")
        }
    }

    let (cx, parent) = remote_parent(1, "");
    let provider = TracerProvider::builder().with_sampler(Sampler::custom(Unasked)).build();
    under(TracingLayer::new(&provider), || {
        let span = info_span!("server");
        span.set_parent(cx).unwrap();
        span.in_scope(|| assert_eq!(current(), parent));
    });
    assert_eq!(provider.ledger().panics, 0);
}

#[test]
fn a_span_within_one_that_was_started_before_the_shutdown_has_its_context() {
    let bench = Bench::new();
    under(TracingLayer::new(&bench.provider), || {
        let outer = info_span!("outer").entered();
        let before = current();
        bench.provider.shutdown().unwrap();
        info_span!("late").in_scope(|| assert_eq!(current(), before));
        assert_eq!(current(), before);
        drop(outer);
    });
    let ledger = bench.ledger();
    assert_eq!((ledger.created, ledger.started_after_shutdown), (2, 1));
}

#[test]
fn under_suppression_a_span_has_nothing() {
    let (cx, _) = remote_parent(1, "");
    let provider = off();
    under(TracingLayer::new(&provider), || {
        let _suppressed = Context::enter_telemetry_suppressed_scope();
        let span = info_span!("suppressed");
        let error = span.set_parent(cx).unwrap_err();
        assert_eq!(error, SpanError::NotFound);
        assert!(error.to_string().contains("suppressed"), "{error}");
    });
}

#[test]
fn beside_a_layer_that_records_its_context_is_the_current_one() {
    for recording_is_first in [true, false] {
        let (bench, off) = (Bench::new(), off());
        let (recording, passing) = (TracingLayer::new(&bench.provider), TracingLayer::new(&off));
        let (first, second) =
            if recording_is_first { (recording, passing) } else { (passing, recording) };
        let subscriber = tracing_subscriber::registry().with(first).with(second);
        let mut seen = Vec::new();
        tracing::subscriber::with_default(subscriber, || {
            let (cx, _) = remote_parent(1, "");
            let outer = info_span!("outer");
            outer.set_parent(cx).unwrap();
            outer.in_scope(|| {
                seen.extend([current(), outer.span_context().unwrap()]);
                info_span!("inner").in_scope(|| {});
            });
        });
        let outer = bench.find("outer");
        assert_eq!(seen[0].span_id().to_string(), outer.span_id());
        assert_eq!(seen[1], seen[0]);
        assert_eq!(bench.find("inner").parent_span_id(), outer.span_id());
    }
}
