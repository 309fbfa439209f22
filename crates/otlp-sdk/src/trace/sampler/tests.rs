use std::sync::mpsc;
use std::time::Duration;

use opentelemetry::trace::{
    Link, SpanContext, SpanId, SpanKind, TraceContextExt, TraceFlags, TraceId, TraceState,
};
use opentelemetry::{Context, KeyValue};
use opentelemetry_sdk::trace::{SamplingDecision, SamplingResult, ShouldSample};
use tracing::field::{Field, Visit};

use super::consistent::Threshold;
use super::*;

const UNSAMPLED: u8 = 0x00;
const SAMPLED: u8 = 0x01;
const RANDOM: u8 = 0x02;
const LOCAL: bool = false;
const REMOTE: bool = true;

/// A trace whose low 56 bits are `randomness`.
fn trace(randomness: u64) -> TraceId {
    TraceId::from(0xaaaa_aaaa_aaaa_aaaa_aa00_0000_0000_0000_u128 | u128::from(randomness))
}

fn state(header: &str) -> TraceState {
    header.parse().unwrap()
}

fn parent(trace_id: TraceId, flags: u8, remote: bool, header: &str) -> SpanContext {
    let flags = TraceFlags::new(flags);
    SpanContext::new(trace_id, SpanId::from(1), flags, remote, state(header))
}

fn sample_root(sampler: &Sampler, trace_id: TraceId) -> SamplingOutput {
    ask(sampler, trace_id, None)
}

fn sample_child(sampler: &Sampler, parent: &SpanContext) -> SamplingOutput {
    ask(sampler, parent.trace_id(), Some(parent))
}

fn ask(sampler: &Sampler, trace_id: TraceId, parent: Option<&SpanContext>) -> SamplingOutput {
    let parent_context = match parent {
        Some(parent) => Context::new().with_remote_span_context(parent.clone()),
        None => Context::new(),
    };
    sampler.sample(&SamplingInput {
        parent_context: &parent_context,
        parent,
        trace_id,
        name: "checkout",
        kind: &SpanKind::Server,
        attributes: &[KeyValue::new("http.route", "/cart")],
        links: &[],
    })
}

fn header(output: &SamplingOutput) -> Option<String> {
    output.trace_state.as_ref().map(TraceState::header)
}

/// Answers with what it was told to, whatever it is asked.
#[derive(Clone, Debug)]
struct Scripted(SamplingResult);

impl Scripted {
    fn new(decision: SamplingDecision) -> Self {
        let trace_state = TraceState::NONE;
        Self(SamplingResult { decision, attributes: Vec::new(), trace_state })
    }
}

impl ShouldSample for Scripted {
    fn should_sample(
        &self,
        _: Option<&Context>,
        _: TraceId,
        _: &str,
        _: &SpanKind,
        _: &[KeyValue],
        _: &[Link],
    ) -> SamplingResult {
        self.0.clone()
    }
}

// P1
#[test]
fn the_three_decisions_are_those_of_the_official_sdk_and_one_sets_the_sampled_flag() {
    let table = [
        (Decision::Drop, SamplingDecision::Drop, false),
        (Decision::RecordOnly, SamplingDecision::RecordOnly, false),
        (Decision::RecordAndSample, SamplingDecision::RecordAndSample, true),
    ];
    for (decision, official, sampled) in table {
        assert_eq!(Decision::from(official.clone()), decision);
        assert_eq!(SamplingDecision::from(decision), official);
        assert_eq!(decision.is_sampled(), sampled);
    }
}

#[test]
fn always_on_keeps_and_always_off_drops_whatever_the_parent_says() {
    for flags in [SAMPLED, UNSAMPLED] {
        let parent = parent(trace(1), flags, REMOTE, "vendor=x");
        let kept = sample_child(&Sampler::AlwaysOn, &parent);
        assert_eq!(kept.decision, Decision::RecordAndSample);
        assert_eq!(kept.trace_state, None, "the parent's trace state is kept, not copied");
        assert_eq!(sample_child(&Sampler::AlwaysOff, &parent).decision, Decision::Drop);
    }
    assert_eq!(sample_root(&Sampler::AlwaysOn, trace(1)).decision, Decision::RecordAndSample);
    assert_eq!(sample_root(&Sampler::AlwaysOff, trace(1)).decision, Decision::Drop);
}

// P4
#[test]
fn descriptions_are_those_of_the_specification() {
    let ratio = Sampler::trace_id_ratio(0.0001).unwrap();
    assert_eq!(Sampler::AlwaysOn.description(), "AlwaysOnSampler");
    assert_eq!(Sampler::AlwaysOff.description(), "AlwaysOffSampler");
    assert_eq!(ratio.description(), "TraceIdRatioBased{0.000100}");
    assert_eq!(Sampler::probability(0.5).unwrap().description(), "ProbabilitySampler{0.500000}");
    assert_eq!(
        Sampler::always_record(ratio).description(),
        "AlwaysRecord{TraceIdRatioBased{0.000100}}"
    );
    assert_eq!(
        Sampler::default().description(),
        "ParentBased{root:AlwaysOnSampler,remoteParentSampled:AlwaysOnSampler,\
         remoteParentNotSampled:AlwaysOffSampler,localParentSampled:AlwaysOnSampler,\
         localParentNotSampled:AlwaysOffSampler}"
    );
}

#[test]
fn a_custom_sampler_is_described_by_its_debug_text_cut_to_256_bytes() {
    #[derive(Clone)]
    struct Wordy;
    impl std::fmt::Debug for Wordy {
        fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
            f.write_str(&"ä".repeat(500))
        }
    }
    impl ShouldSample for Wordy {
        fn should_sample(
            &self,
            _: Option<&Context>,
            _: TraceId,
            _: &str,
            _: &SpanKind,
            _: &[KeyValue],
            _: &[Link],
        ) -> SamplingResult {
            Scripted::new(SamplingDecision::Drop).0
        }
    }
    assert_eq!(Sampler::custom(Wordy).description(), "ä".repeat(128));
    let short = Sampler::custom(Scripted::new(SamplingDecision::RecordOnly));
    assert!(short.description().starts_with("Scripted(SamplingResult { decision: RecordOnly"));
}

/// A delegate that tells by an attribute that it was asked.
fn marked(name: &'static str) -> Sampler {
    let mut scripted = Scripted::new(SamplingDecision::RecordOnly);
    scripted.0.attributes.push(KeyValue::new("asked", name));
    Sampler::custom(scripted)
}

// P5
#[test]
fn a_parent_based_sampler_asks_one_of_five() {
    let sampler = ParentBased::builder(marked("root"))
        .with_remote_parent_sampled(marked("remote sampled"))
        .with_remote_parent_not_sampled(marked("remote not sampled"))
        .with_local_parent_sampled(marked("local sampled"))
        .with_local_parent_not_sampled(marked("local not sampled"))
        .build();
    let cases = [
        (None, "root"),
        (Some((SAMPLED, REMOTE)), "remote sampled"),
        (Some((UNSAMPLED, REMOTE)), "remote not sampled"),
        (Some((SAMPLED | RANDOM, LOCAL)), "local sampled"),
        (Some((RANDOM, LOCAL)), "local not sampled"),
    ];
    for (case, expected) in cases {
        let parent = case.map(|(flags, remote)| parent(trace(1), flags, remote, ""));
        let output = ask(&sampler, trace(1), parent.as_ref());
        assert_eq!(
            output.attributes.as_deref().unwrap_or_default(),
            [KeyValue::new("asked", expected)]
        );
        assert_eq!(output.decision, Decision::RecordOnly);
    }
}

// P4, P5
#[test]
fn the_default_sampler_follows_the_parent_and_keeps_roots() {
    let sampler = Sampler::default();
    assert_eq!(sample_root(&sampler, trace(1)).decision, Decision::RecordAndSample);
    for remote in [LOCAL, REMOTE] {
        let of = |flags| sample_child(&sampler, &parent(trace(1), flags, remote, "vendor=x"));
        assert_eq!(of(SAMPLED).decision, Decision::RecordAndSample);
        assert_eq!(of(UNSAMPLED).decision, Decision::Drop);
        assert_eq!(of(SAMPLED).trace_state, None, "the parent's trace state is kept, not copied");
    }
}

#[test]
fn a_remote_threshold_that_contradicts_the_sampled_flag_is_removed() {
    let sampler = Sampler::default();
    // th:8 keeps randomness from 80… on.
    let (above, below) = (trace(0x90_0000_0000_0000), trace(0x10_0000_0000_0000));
    let of = |id, flags, remote, header_in| {
        header(&sample_child(&sampler, &parent(id, flags, remote, header_in)))
    };

    let true_words = [(above, SAMPLED), (below, UNSAMPLED)];
    for (id, flags) in true_words {
        assert_eq!(of(id, flags, REMOTE, "ot=th:8,vendor=x"), None);
    }
    let lies = [(below, SAMPLED), (above, UNSAMPLED)];
    for (id, flags) in lies {
        let cleaned = of(id, flags, REMOTE, "vendor=x,ot=a:b;th:8");
        assert_eq!(cleaned.as_deref(), Some("ot=a:b,vendor=x"));
        assert_eq!(of(id, flags, REMOTE, "ot=th:8").as_deref(), Some(""));
    }
    // An explicit randomness decides, not the trace id.
    assert_eq!(of(below, SAMPLED, REMOTE, "ot=th:8;rv:90000000000000"), None);
    // A local parent's trace state is this process's own word.
    assert_eq!(of(below, SAMPLED, LOCAL, "ot=th:8"), None);
}

#[test]
fn a_remote_threshold_is_removed_when_the_parent_is_overruled() {
    let sampler = ParentBased::builder(Sampler::AlwaysOn)
        .with_remote_parent_sampled(Sampler::AlwaysOff)
        .build();
    let parent = parent(trace(0x90_0000_0000_0000), SAMPLED, REMOTE, "ot=th:8");
    assert_eq!(header(&sample_child(&sampler, &parent)).as_deref(), Some(""));
}

#[test]
fn the_threshold_of_a_delegated_probability_sampler_stays() {
    let sampler = ParentBased::builder(Sampler::AlwaysOn)
        .with_remote_parent_not_sampled(Sampler::probability(0.5).unwrap())
        .build();
    let parent = parent(trace(0x90_0000_0000_0000), RANDOM, REMOTE, "ot=th:8");
    let output = sample_child(&sampler, &parent);
    assert_eq!(output.decision, Decision::RecordAndSample);
    assert_eq!(header(&output).as_deref(), Some("ot=th:8"));
}

// P6
#[test]
fn the_ratio_sampler_ignores_the_parents_flag() {
    let (all, none) =
        (Sampler::trace_id_ratio(1.0).unwrap(), Sampler::trace_id_ratio(0.0).unwrap());
    for flags in [SAMPLED, UNSAMPLED] {
        let parent = parent(trace(1), flags, REMOTE, "");
        assert_eq!(sample_child(&all, &parent).decision, Decision::RecordAndSample);
        assert_eq!(sample_child(&none, &parent).decision, Decision::Drop);
    }
}

// P6
#[test]
fn the_ratio_sampler_agrees_with_the_official_sdk() {
    for ratio in [0.0, 0.001, 0.1, 1.0 / 3.0, 0.5, 0.9, 1.0] {
        let ours = Sampler::trace_id_ratio(ratio).unwrap();
        let official = opentelemetry_sdk::trace::Sampler::TraceIdRatioBased(ratio);
        for step in 0..2_000_u128 {
            let id = TraceId::from(step.wrapping_mul(0x9e37_79b9_7f4a_7c15_f39c_c060_5ced_c835));
            let theirs = official.should_sample(None, id, "", &SpanKind::Internal, &[], &[]);
            assert_eq!(sample_root(&ours, id).decision, theirs.decision.into(), "{id} at {ratio}");
        }
    }
}

// P7
#[test]
fn the_probability_sampler_keeps_from_its_threshold_on_and_says_so() {
    let sampler = Sampler::probability(0.1).unwrap();
    let kept = sample_root(&sampler, trace(0xe6_6600_0000_0000));
    assert_eq!(kept.decision, Decision::RecordAndSample);
    assert_eq!(header(&kept).as_deref(), Some("ot=th:e666"));

    let dropped = sample_root(&sampler, trace(0xe6_65ff_ffff_ffff));
    assert_eq!(dropped.decision, Decision::Drop);
    assert_eq!(dropped.trace_state, None);
}

// P7
#[test]
fn the_probability_sampler_prefers_rv_and_changes_only_th() {
    let sampler = Sampler::probability(0.5).unwrap();
    let low = trace(0);
    let kept = parent(low, SAMPLED, REMOTE, "vendor=x,ot=a:b;rv:80000000000000;th:c");
    let output = sample_child(&sampler, &kept);
    assert_eq!(output.decision, Decision::RecordAndSample);
    assert_eq!(header(&output).as_deref(), Some("ot=th:8;a:b;rv:80000000000000,vendor=x"));

    let dropped = parent(low, SAMPLED, REMOTE, "vendor=x,ot=a:b;rv:7fffffffffffff;th:c");
    let output = sample_child(&sampler, &dropped);
    assert_eq!(output.decision, Decision::Drop);
    assert_eq!(header(&output).as_deref(), Some("ot=a:b;rv:7fffffffffffff,vendor=x"));
}

// P7
#[test]
fn probability_one_keeps_everything_and_zero_nothing() {
    let (all, none) = (Sampler::probability(1.0).unwrap(), Sampler::probability(0.0).unwrap());
    for id in [trace(0), trace((1 << 56) - 1)] {
        assert_eq!(header(&sample_root(&all, id)).as_deref(), Some("ot=th:0"));
        assert_eq!(sample_root(&none, id).decision, Decision::Drop);
        let parent = parent(id, SAMPLED | RANDOM, LOCAL, "ot=th:0");
        assert_eq!(header(&sample_child(&none, &parent)).as_deref(), Some(""));
    }
}

// P7
#[test]
fn the_smallest_probability_keeps_one_trace_of_all() {
    let sampler = Sampler::probability(1.0 / (1_u64 << 56) as f64).unwrap();
    let kept = sample_root(&sampler, trace((1 << 56) - 1));
    assert_eq!(header(&kept).as_deref(), Some("ot=th:ffffffffffffff"));
    assert_eq!(sample_root(&sampler, trace((1 << 56) - 2)).decision, Decision::Drop);
}

#[test]
fn what_the_probability_sampler_cannot_express_is_an_error() {
    for bad in [-0.5, 1.5, f64::NAN, 1e-18] {
        let text = Sampler::probability(bad).unwrap_err().to_string();
        assert!(text.contains("accepted are 0 and 2^-56"), "{text}");
    }
    for precision in [0, 15] {
        for probability in [0.0, 0.5] {
            let error = Probability::with_precision(probability, precision).unwrap_err();
            assert_eq!(error, SamplerError::Precision(precision));
        }
    }
    let precise = Probability::with_precision(0.1, 14).unwrap();
    assert_eq!(precise.threshold(), Threshold::parse("e6666666666666"));
}

// P8
#[test]
fn always_record_turns_drop_into_record_only_and_nothing_else() {
    let table = [
        (SamplingDecision::Drop, Decision::RecordOnly),
        (SamplingDecision::RecordOnly, Decision::RecordOnly),
        (SamplingDecision::RecordAndSample, Decision::RecordAndSample),
    ];
    for (inner, expected) in table {
        let mut scripted = Scripted::new(inner);
        scripted.0.attributes.push(KeyValue::new("rule", 7));
        scripted.0.trace_state = state("vendor=x");
        let output = sample_root(&Sampler::always_record(Sampler::custom(scripted)), trace(1));
        assert_eq!(output.decision, expected);
        assert_eq!(output.attributes.as_deref().unwrap_or_default(), [KeyValue::new("rule", 7)]);
        assert_eq!(header(&output).as_deref(), Some("vendor=x"));
    }
}

// P2, P3
#[test]
fn a_custom_sampler_sees_everything_and_its_answer_is_taken_over() {
    #[derive(Clone, Debug)]
    struct Curious;
    impl ShouldSample for Curious {
        fn should_sample(
            &self,
            parent_context: Option<&Context>,
            trace_id: TraceId,
            name: &str,
            span_kind: &SpanKind,
            attributes: &[KeyValue],
            links: &[Link],
        ) -> SamplingResult {
            let parent = parent_context.unwrap().span().span_context().clone();
            assert_eq!(parent.trace_state().header(), "vendor=x");
            assert_eq!(trace_id, trace(5));
            assert_eq!((name, span_kind), ("checkout", &SpanKind::Server));
            assert_eq!(attributes, [KeyValue::new("http.route", "/cart")]);
            assert!(links.is_empty());
            let mut answer = Scripted::new(SamplingDecision::RecordAndSample).0;
            answer.attributes.push(KeyValue::new("rule", "cart"));
            answer
        }
    }
    let parent = parent(trace(5), UNSAMPLED, REMOTE, "vendor=x");
    let output = sample_child(&Sampler::custom(Curious), &parent);
    assert_eq!(output.decision, Decision::RecordAndSample);
    assert_eq!(output.attributes.as_deref().unwrap_or_default(), [KeyValue::new("rule", "cart")]);
    assert_eq!(output.trace_state, Some(TraceState::NONE), "an empty trace state clears it");
}

#[test]
fn the_official_sdk_can_use_our_samplers() {
    let boxed: Box<dyn ShouldSample> = Sampler::probability(0.5).unwrap().into();
    let decide = |parent_context: Option<&Context>, id| {
        boxed.should_sample(parent_context, id, "checkout", &SpanKind::Server, &[], &[])
    };

    let root = decide(None, trace(0x90_0000_0000_0000));
    assert_eq!(root.decision, SamplingDecision::RecordAndSample);
    assert_eq!(root.trace_state.header(), "ot=th:8");

    // Where our sampler keeps the parent's trace state, the result holds a copy of it.
    let parent = parent(trace(0), RANDOM, REMOTE, "vendor=x");
    let child = decide(Some(&Context::new().with_remote_span_context(parent)), trace(0));
    assert_eq!(child.decision, SamplingDecision::Drop);
    assert_eq!(child.trace_state.header(), "vendor=x");

    // A context without a valid span has no parent in it.
    let invalid = Context::new().with_remote_span_context(SpanContext::NONE);
    let sampler = Sampler::default();
    let root = sampler.should_sample(Some(&invalid), trace(1), "", &SpanKind::Internal, &[], &[]);
    assert_eq!(root.decision, SamplingDecision::RecordAndSample);
}

#[test]
fn samplers_of_the_official_sdk_become_their_counterparts() {
    use opentelemetry_sdk::trace::Sampler as Official;
    let described = |official: Official| Sampler::from(official).description().into_owned();

    assert_eq!(described(Official::AlwaysOn), "AlwaysOnSampler");
    assert_eq!(described(Official::AlwaysOff), "AlwaysOffSampler");
    let ratios =
        [(0.25, "0.250000"), (7.0, "1.000000"), (-1.0, "0.000000"), (f64::NAN, "0.000000")];
    for (ratio, shown) in ratios {
        let expected = format!("TraceIdRatioBased{{{shown}}}");
        assert_eq!(described(Official::TraceIdRatioBased(ratio)), expected);
    }
    let parent_based = Official::ParentBased(Box::new(Official::AlwaysOff));
    assert!(described(parent_based.clone()).starts_with("ParentBased{root:AlwaysOff,remote"));
    let sampler = Sampler::from(parent_based);
    assert_eq!(sample_root(&sampler, trace(1)).decision, Decision::Drop);
    let parent = parent(trace(1), SAMPLED, LOCAL, "");
    assert_eq!(sample_child(&sampler, &parent).decision, Decision::RecordAndSample);

    let boxed: Box<dyn ShouldSample> = Box::new(Official::AlwaysOff);
    assert_eq!(sample_root(&boxed.into(), trace(1)).decision, Decision::Drop);
}

/// Sends the message of every event to the test.
struct Messages(mpsc::Sender<String>);

impl tracing::Subscriber for Messages {
    fn enabled(&self, _: &tracing::Metadata<'_>) -> bool {
        true
    }

    fn new_span(&self, _: &tracing::span::Attributes<'_>) -> tracing::span::Id {
        tracing::span::Id::from_u64(1)
    }

    fn event(&self, event: &tracing::Event<'_>) {
        struct Message(String);
        impl Visit for Message {
            fn record_debug(&mut self, field: &Field, value: &dyn std::fmt::Debug) {
                if field.name() == "message" {
                    self.0 = format!("{value:?}");
                }
            }
        }
        let mut message = Message(String::new());
        event.record(&mut message);
        self.0.send(message.0).unwrap();
    }

    fn record(&self, _: &tracing::span::Id, _: &tracing::span::Record<'_>) {}
    fn record_follows_from(&self, _: &tracing::span::Id, _: &tracing::span::Id) {}
    fn enter(&self, _: &tracing::span::Id) {}
    fn exit(&self, _: &tracing::span::Id) {}
}

/// All warnings that `run` gives; returns once every thread that could give one has ended, which
/// is when the last subscriber is gone.
fn warnings(run: impl FnOnce()) -> Vec<String> {
    let (sender, receiver) = mpsc::channel();
    tracing::subscriber::with_default(Messages(sender), run);
    let mut messages = Vec::new();
    loop {
        match receiver.recv_timeout(Duration::from_secs(20)) {
            Ok(message) => messages.push(message),
            Err(mpsc::RecvTimeoutError::Disconnected) => return messages,
            Err(mpsc::RecvTimeoutError::Timeout) => panic!("a warning thread does not end"),
        }
    }
}

// P6
#[test]
fn the_ratio_sampler_warns_once_when_it_decides_about_a_child() {
    let sampler = Sampler::trace_id_ratio(0.5).unwrap();
    assert!(warnings(|| drop(sample_root(&sampler, trace(1)))).is_empty());

    let child = parent(trace(1), SAMPLED, LOCAL, "");
    let given = warnings(|| {
        for sampler in [&sampler, &sampler.clone(), &sampler] {
            drop(sample_child(sampler, &child));
        }
    });
    assert_eq!(given.len(), 1, "{given:?}");
    assert!(given[0].contains("TraceIdRatioBased") && given[0].contains("parent"));

    let as_root = Sampler::parent_based(Sampler::trace_id_ratio(0.5).unwrap());
    assert!(warnings(|| drop(sample_child(&as_root, &child))).is_empty());
}

// P7
#[test]
fn the_probability_sampler_warns_once_when_it_must_presume_randomness() {
    let sampler = Sampler::probability(0.5).unwrap();
    let sound = [
        parent(trace(1), SAMPLED | RANDOM, REMOTE, ""),
        parent(trace(1), SAMPLED, REMOTE, "ot=rv:80000000000000"),
    ];
    let given = warnings(|| {
        drop(sample_root(&sampler, trace(1)));
        sound.iter().for_each(|parent| drop(sample_child(&sampler, parent)));
    });
    assert!(given.is_empty(), "{given:?}");

    let doubtful = parent(trace(1), SAMPLED, REMOTE, "ot=rv:short");
    let given = warnings(|| (0..3).for_each(|_| drop(sample_child(&sampler, &doubtful))));
    assert_eq!(given.len(), 1, "{given:?}");
    assert!(given[0].contains("random"));
}

/// The subscriber, and with it any use of a `Context` that it makes, stays off this thread.
#[test]
fn a_warning_is_not_logged_where_the_sampler_runs() {
    struct OtherThread(std::thread::ThreadId, Messages);
    impl tracing::Subscriber for OtherThread {
        fn enabled(&self, metadata: &tracing::Metadata<'_>) -> bool {
            self.1.enabled(metadata)
        }
        fn new_span(&self, span: &tracing::span::Attributes<'_>) -> tracing::span::Id {
            self.1.new_span(span)
        }
        fn event(&self, event: &tracing::Event<'_>) {
            let elsewhere = std::thread::current().id() != self.0;
            self.1.0.send(elsewhere.to_string()).unwrap();
            let _ = event;
        }
        fn record(&self, _: &tracing::span::Id, _: &tracing::span::Record<'_>) {}
        fn record_follows_from(&self, _: &tracing::span::Id, _: &tracing::span::Id) {}
        fn enter(&self, _: &tracing::span::Id) {}
        fn exit(&self, _: &tracing::span::Id) {}
    }
    let (sender, receiver) = mpsc::channel();
    let subscriber = OtherThread(std::thread::current().id(), Messages(sender));
    tracing::subscriber::with_default(subscriber, || {
        let sampler = Sampler::trace_id_ratio(0.5).unwrap();
        drop(sample_child(&sampler, &parent(trace(1), SAMPLED, LOCAL, "")));
    });
    assert_eq!(receiver.recv_timeout(Duration::from_secs(20)).as_deref(), Ok("true"));
}
