//! What holds for edits of any request, for tests, the corpus and the fuzz target: on bytes they come to the same
//! as in the structs of prost.

mod model;
mod random;
mod text;

use bytes::Bytes;
use opentelemetry_proto::tonic::collector::logs::v1::ExportLogsServiceRequest;
use opentelemetry_proto::tonic::collector::metrics::v1::ExportMetricsServiceRequest;
use opentelemetry_proto::tonic::collector::trace::v1::ExportTraceServiceRequest;
use otlp_collector::edit::{Edited, Plan};
use otlp_core::{Payload, Rope, Signal};
use prost::Message;

pub(crate) use self::model::{Model, RuleModel};
#[allow(unused_imports, reason = "not all of it is for the fuzz target")]
pub(crate) use self::random::{KEYS, Random, TEXTS};

/// Applies a random plan to a request: what prost reads is edited as the model does it, and what it refuses
/// is refused or passed, without a panic.
pub(crate) fn edits_are_those_of_the_model(seed: u64, signal: Signal, request: &[u8]) {
    let mut random = Random::new(seed);
    let rules = random.rules(signal);
    match signal {
        Signal::Traces => check::<ExportTraceServiceRequest>(&rules, signal, request, &mut random),
        Signal::Metrics => {
            check::<ExportMetricsServiceRequest>(&rules, signal, request, &mut random);
        }
        _ => check::<ExportLogsServiceRequest>(&rules, signal, request, &mut random),
    }
}

/// As a fuzzer has it: a byte for the signal, one for the plan, and the request.
pub(crate) fn any_bytes_are_edited_or_refused(data: &[u8]) {
    let [signal, seed, request @ ..] = data else { return };
    let signal = [Signal::Traces, Signal::Metrics, Signal::Logs][usize::from(*signal) % 3];
    edits_are_those_of_the_model(u64::from(*seed), signal, request);
}

fn check<M: Message + Default + Model>(
    rules: &[RuleModel],
    signal: Signal,
    request: &[u8],
    random: &mut Random,
) {
    let plan = Plan::new(signal, rules.iter().map(RuleModel::rule).collect());
    let whole = Rope::from(request.to_vec());
    let Ok(payload) = Payload::from_request(signal, whole.clone()) else {
        // The walk sees the same envelopes, so it must not pass what cannot be counted in silence: it may
        // only stop earlier than the damage.
        let payload = Payload::from_parts(signal, whole, 0);
        return drop(plan.apply(&payload));
    };
    let edited = plan.apply(&payload);
    let pieces = Payload::from_request(signal, cut(request, random)).unwrap();
    let in_pieces = plan.apply(&pieces);
    match (&edited, &in_pieces) {
        (Ok(one), Ok(other)) => {
            assert_eq!(Bytes::from(one.payload.clone()), Bytes::from(other.payload.clone()));
            assert_eq!(one.payload.items(), other.payload.items());
        }
        (one, other) => assert_eq!(one.is_ok(), other.is_ok(), "{one:?} {other:?}"),
    }
    let Ok(mut expected) = M::decode(request) else { return };
    let edited = edited.unwrap_or_else(|error| panic!("{error} {rules:?} {expected:?}"));
    expected.apply(rules);
    compare(&payload, &edited, expected, rules);
}

fn compare<M: Message + Default + Model>(
    before: &Payload,
    edited: &Edited,
    mut expected: M,
    rules: &[RuleModel],
) {
    let bytes = Bytes::from(edited.payload.clone());
    assert_eq!(edited.payload.len(), bytes.len());
    let mut found = M::decode(bytes).unwrap();
    found.fill_values();
    expected.fill_values();
    // As bytes: NaN differs from itself.
    let is_same = found.encode_to_vec() == expected.encode_to_vec();
    assert!(is_same, "{rules:?}\nfound {found:?}\nexpected {expected:?}");
    assert_eq!(edited.payload.items(), expected.items(), "{rules:?} {expected:?}");
    assert_eq!(edited.items_dropped, before.items() - expected.items());
    if !edited.is_changed {
        let same = |(one, other): (&Bytes, &Bytes)| one.as_ptr() == other.as_ptr();
        assert!(before.rope().parts().iter().zip(edited.payload.rope().parts()).all(same));
        assert_eq!(edited.items_edited + edited.items_dropped + edited.resources_edited, 0);
    }
}

/// The same bytes in pieces.
fn cut(request: &[u8], random: &mut Random) -> Rope {
    let mut rest = request;
    let mut rope = Rope::new();
    while !rest.is_empty() {
        let (piece, behind) = rest.split_at(1 + random.below(rest.len().min(200)));
        rope.push(Bytes::copy_from_slice(piece));
        rest = behind;
    }
    rope
}
