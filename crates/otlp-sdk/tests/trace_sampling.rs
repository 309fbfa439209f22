//! Samplers and id generators of all kinds under the tracer, well-behaved and not.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "helpers of tests fail by panicking, as tests do"
)]

mod trace_support;

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use opentelemetry::trace::{
    Link, Span as _, SpanContext, SpanId, SpanKind, TraceContextExt as _, TraceFlags, TraceId,
    TraceState, Tracer as _,
};
use opentelemetry::{Context, KeyValue};
use opentelemetry_sdk::trace::{IdGenerator, SamplingDecision, SamplingResult, ShouldSample};
use otlp_sdk::trace::id_generator::IdSource;
use otlp_sdk::trace::sampler::Sampler;
use otlp_sdk::trace::{FinishedSpan, SpanProcessor};

use crate::trace_support::{Bench, remote_parent};

/// Answers what it is told, whatever it is asked.
#[derive(Clone, Debug)]
struct Says {
    decision: SamplingDecision,
    attributes: Vec<KeyValue>,
    trace_state: TraceState,
}

impl Says {
    fn sampler(decision: SamplingDecision) -> Sampler {
        Self { decision, attributes: Vec::new(), trace_state: TraceState::NONE }.into_sampler()
    }

    fn into_sampler(self) -> Sampler {
        Sampler::custom(self)
    }
}

impl ShouldSample for Says {
    fn should_sample(
        &self,
        _parent: Option<&Context>,
        _trace_id: TraceId,
        _name: &str,
        _kind: &SpanKind,
        _attributes: &[KeyValue],
        _links: &[Link],
    ) -> SamplingResult {
        SamplingResult {
            decision: self.decision.clone(),
            attributes: self.attributes.clone(),
            trace_state: self.trace_state.clone(),
        }
    }
}

/// Counts the spans that end.
#[derive(Clone, Debug, Default)]
struct Ends(Arc<AtomicUsize>);

impl SpanProcessor for Ends {
    fn on_end(&self, span: &FinishedSpan<'_>) {
        assert!(span.end_unix_nano().is_some());
        self.0.fetch_add(1, Ordering::Relaxed);
    }
}

#[test]
fn each_decision_reaches_whom_it_should() {
    // P1, R10: decision → recording, sampled flag, seen by processors, exported.
    let cases = [
        (SamplingDecision::Drop, (false, false, 0, 0)),
        (SamplingDecision::RecordOnly, (true, false, 1, 0)),
        (SamplingDecision::RecordAndSample, (true, true, 1, 1)),
    ];
    for (decision, expected) in cases {
        let ends = Ends::default();
        let bench = Bench::with(|builder| {
            builder.with_sampler(Says::sampler(decision.clone())).with_span_processor(ends.clone())
        });
        let mut span = bench.tracer.start_with_context("span", &Context::new());
        let (recording, sampled) = (span.is_recording(), span.span_context().is_sampled());
        // T8: a span id of its own, even if dropped.
        assert!(span.span_context().is_valid());
        span.end();
        let seen = ends.0.load(Ordering::Relaxed);
        assert_eq!((recording, sampled, seen, bench.spans().len()), expected, "{decision:?}");
        let ledger = bench.ledger();
        let counts = (ledger.created, ledger.sampled_out, ledger.record_only, ledger.ended);
        let expected = match decision {
            SamplingDecision::Drop => (1, 1, 0, 0),
            SamplingDecision::RecordOnly => (1, 0, 1, 0),
            SamplingDecision::RecordAndSample => (1, 0, 0, 1),
        };
        assert_eq!(counts, expected);
    }
}

#[test]
fn a_dropped_child_has_its_parents_trace_id_and_its_own_span_id() {
    // T7, T8
    let bench = Bench::with(|builder| builder.with_sampler(Sampler::AlwaysOff));
    let (cx, parent) = remote_parent(0x03, "a=b");
    let span = bench.tracer.start_with_context("dropped", &cx);
    let context = span.span_context();
    assert_eq!(context.trace_id(), parent.trace_id());
    assert!(context.span_id() != parent.span_id() && context.span_id() != SpanId::INVALID);
    assert_eq!(context.trace_flags().to_u8(), 0x02, "not sampled, still random");
    assert_eq!(context.trace_state(), parent.trace_state());
    assert!(!context.is_remote());
}

#[test]
fn what_the_sampler_returns_is_added_and_replaced() {
    // P2
    let (cx, _) = remote_parent(0x01, "vendor=old");
    let says = |trace_state: &str| Says {
        decision: SamplingDecision::RecordAndSample,
        attributes: vec![KeyValue::new("sampler", "says"), KeyValue::new("app", "overruled")],
        trace_state: trace_state.parse().unwrap(),
    };
    let start = |sampler: Says| {
        let bench = Bench::with(|builder| builder.with_sampler(sampler.into_sampler()));
        let builder =
            bench.tracer.span_builder("span").with_attributes([KeyValue::new("app", "first")]);
        let context = builder.start_with_context(&bench.tracer, &cx).span_context().clone();
        (bench.span(), context)
    };
    let (record, context) = start(says("vendor=new"));
    assert_eq!(record.attribute_text("sampler").as_deref(), Some("says"));
    assert_eq!(record.attribute_text("app").as_deref(), Some("overruled"));
    assert_eq!(record.span.trace_state, "vendor=new");
    assert_eq!(context.trace_state().header(), "vendor=new");
    // Trap 14: an empty one clears it.
    let (record, context) = start(says(""));
    assert_eq!(
        (record.span.trace_state.as_str(), context.trace_state().header().as_str()),
        ("", "")
    );
}

#[test]
fn the_sampler_sees_all_that_is_known_at_the_start() {
    // P3
    #[derive(Clone, Debug)]
    struct Curious;

    impl ShouldSample for Curious {
        fn should_sample(
            &self,
            parent: Option<&Context>,
            trace_id: TraceId,
            name: &str,
            kind: &SpanKind,
            attributes: &[KeyValue],
            links: &[Link],
        ) -> SamplingResult {
            let parent = parent.unwrap().span().span_context().clone();
            let all = parent.is_remote()
                && parent.trace_id() == trace_id
                && name == "name"
                && *kind == SpanKind::Consumer
                && attributes == [KeyValue::new("key", 1)]
                && links.len() == 1;
            let decision =
                if all { SamplingDecision::RecordAndSample } else { SamplingDecision::Drop };
            SamplingResult { decision, attributes: vec![], trace_state: TraceState::NONE }
        }
    }

    let bench = Bench::with(|builder| builder.with_sampler(Sampler::custom(Curious)));
    let (cx, parent) = remote_parent(0x01, "");
    let builder = bench.tracer.span_builder("name").with_kind(SpanKind::Consumer);
    builder
        .with_attributes([KeyValue::new("key", 1)])
        .with_links(vec![Link::with_context(parent)])
        .start_with_context(&bench.tracer, &cx)
        .end();
    assert_eq!(bench.names(), ["name"]);
}

#[test]
fn always_record_serves_processors_without_setting_the_flag() {
    // P8
    let ends = Ends::default();
    let bench = Bench::with(|builder| {
        builder
            .with_sampler(Sampler::always_record(Sampler::AlwaysOff))
            .with_span_processor(ends.clone())
    });
    let span = bench.tracer.start_with_context("span", &Context::new());
    assert!(span.is_recording() && !span.span_context().is_sampled());
    drop(span);
    assert_eq!(ends.0.load(Ordering::Relaxed), 1);
    assert!(bench.spans().is_empty());
}

#[test]
fn children_follow_their_parent_by_default() {
    // P4
    let bench = Bench::new();
    let (not_sampled, _) = remote_parent(0x00, "");
    bench.tracer.start_with_context("no", &not_sampled).end();
    let (sampled, _) = remote_parent(0x01, "");
    bench.tracer.start_with_context("yes", &sampled).end();
    bench.tracer.start_with_context("root", &Context::new()).end();
    assert_eq!(bench.names(), ["yes", "root"]);
}

#[test]
fn a_sampler_that_panics_drops_the_span_and_is_counted() {
    // T21, S7
    #[derive(Clone, Debug)]
    struct Panics;

    impl ShouldSample for Panics {
        fn should_sample(
            &self,
            _: Option<&Context>,
            _: TraceId,
            _: &str,
            _: &SpanKind,
            _: &[KeyValue],
            _: &[Link],
        ) -> SamplingResult {
            panic!("no opinion");
        }
    }

    let bench = Bench::with(|builder| builder.with_sampler(Sampler::custom(Panics)));
    let span = bench.tracer.start_with_context("span", &Context::new());
    assert!(!span.is_recording() && span.span_context().is_valid());
    let ledger = bench.ledger();
    assert_eq!((ledger.panics, ledger.created, ledger.sampled_out), (1, 1, 1));
}

#[test]
fn a_sampler_that_starts_spans_comes_to_an_end() {
    #[derive(Clone, Debug, Default)]
    struct Starts(Arc<std::sync::OnceLock<otlp_sdk::trace::Tracer>>);

    impl ShouldSample for Starts {
        fn should_sample(
            &self,
            _: Option<&Context>,
            _: TraceId,
            _: &str,
            _: &SpanKind,
            _: &[KeyValue],
            _: &[Link],
        ) -> SamplingResult {
            if let Some(tracer) = self.0.get() {
                tracer.start_with_context("of the sampler", &Context::new()).end();
            }
            SamplingResult {
                decision: SamplingDecision::RecordAndSample,
                attributes: vec![],
                trace_state: TraceState::NONE,
            }
        }
    }

    let sampler = Starts::default();
    let bench = Bench::with(|builder| builder.with_sampler(Sampler::custom(sampler.clone())));
    sampler.0.set(bench.tracer.clone()).unwrap();
    bench.tracer.start_with_context("span", &Context::new()).end();
    assert_eq!(bench.names(), ["of the sampler", "span"]);
}

/// An id generator with fixed answers.
#[derive(Clone, Debug)]
struct Fixed(Option<(u128, u64)>);

impl IdGenerator for Fixed {
    fn new_trace_id(&self) -> TraceId {
        TraceId::from(self.0.expect("no trace ids today").0)
    }

    fn new_span_id(&self) -> SpanId {
        SpanId::from(self.0.expect("no span ids today").1)
    }
}

fn context_with(ids: impl Into<IdSource>, cx: &Context) -> (Bench, SpanContext) {
    let bench = Bench::with(|builder| builder.with_id_generator(ids));
    let context = bench.tracer.start_with_context("span", cx).span_context().clone();
    (bench, context)
}

#[test]
fn the_random_flag_is_set_on_new_random_ids_and_copied_otherwise() {
    // I1 to I3, trap 15
    let flags = |ids: IdSource, cx: &Context| context_with(ids, cx).1.trace_flags();
    let root = Context::new();
    assert_eq!(flags(IdSource::Random, &root), TraceFlags::new(0x03));
    assert_eq!(flags(IdSource::custom(Fixed(Some((7, 7))), false), &root), TraceFlags::new(0x01));
    assert_eq!(flags(IdSource::custom(Fixed(Some((7, 7))), true), &root), TraceFlags::new(0x03));
    for (received, sent) in [(0x01, 0x01), (0x03, 0x03), (0xff, 0x03), (0x02, 0x02)] {
        assert_eq!(flags(IdSource::Random, &remote_parent(received, "").0), TraceFlags::new(sent));
    }
}

#[test]
fn a_generator_of_yours_is_used() {
    // I1
    let (bench, context) =
        context_with(IdSource::custom(Fixed(Some((42, 7))), false), &Context::new());
    assert_eq!((context.trace_id(), context.span_id()), (TraceId::from(42), SpanId::from(7)));
    assert_eq!(bench.span().span_id(), "0000000000000007");
}

#[test]
fn zero_ids_are_replaced() {
    // F2
    let (bench, context) =
        context_with(IdSource::custom(Fixed(Some((0, 0))), false), &Context::new());
    assert!(context.is_valid());
    assert_eq!((bench.spans().len(), bench.ledger().panics), (1, 0));
}

#[test]
fn a_generator_that_panics_is_replaced_and_counted() {
    // T21
    let (bench, context) = context_with(IdSource::custom(Fixed(None), false), &Context::new());
    assert!(context.is_valid());
    assert_eq!((bench.spans().len(), bench.ledger().panics), (1, 2));
    // A child needs a span id only.
    bench.tracer.start_with_context("child", &remote_parent(1, "").0).end();
    assert_eq!((bench.spans().len(), bench.ledger().panics), (2, 3));
}
