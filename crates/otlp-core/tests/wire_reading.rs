//! The reading half of the wire format against prost and opentelemetry-proto.

#![allow(
    clippy::indexing_slicing,
    clippy::panic,
    clippy::unwrap_used,
    reason = "a test fails by panicking, also in the modules that its functions share"
)]

use std::env;
use std::path::{Path, PathBuf};

use otlp_core::wire::scan::{ScanLimits, scan};
use otlp_core::wire::{WireError, request};
use otlp_core::{Payload, Rope, Signal, SplitLimit};
use proptest::prelude::*;
use prost::Message;

use self::wire_checks::{logs, metrics, response, scan as verdict, split, views};
use self::wire_generate::Generator;

mod wire_checks;
mod wire_generate;

/// `PROPTEST_CASES` runs more.
fn cases(default: u32) -> ProptestConfig {
    let cases = env::var("PROPTEST_CASES").ok().and_then(|cases| cases.parse().ok());
    ProptestConfig {
        cases: cases.unwrap_or(default),
        failure_persistence: None,
        ..Default::default()
    }
}

proptest! {
    #![proptest_config(cases(1_000))]

    #[test]
    fn what_prost_writes_reads_the_same_through_views(seed: u64) {
        let request = Generator::new(seed).traces();
        views::same_request(&request.encode_to_vec(), &request);
        let request = Generator::new(seed).logs();
        logs::same_request(&request.encode_to_vec(), &request);
        let request = Generator::new(seed).metrics();
        metrics::same_request(&request.encode_to_vec(), &request);
    }

    #[test]
    fn the_scan_takes_what_prost_writes(seed: u64) {
        let mut generator = Generator::new(seed);
        verdict::agrees_with_prost(&generator.any_request());
    }

    #[test]
    fn parts_of_a_split_request_say_the_same(
        seed: u64, bytes in 0..4000usize, items in 0..20usize, border in 0..40usize
    ) {
        let mut generator = Generator::new(seed);
        let limit = SplitLimit { bytes, items };
        let traces = split::in_parts(&generator.traces().encode_to_vec(), border);
        split::says_the_same(Signal::Traces, &traces, limit);
        let logs = split::in_parts(&generator.logs().encode_to_vec(), border);
        split::says_the_same(Signal::Logs, &logs, limit);
        let points = split::in_parts(&generator.metrics().encode_to_vec(), border);
        split::says_the_same(Signal::Metrics, &points, limit);
    }
}

proptest! {
    #![proptest_config(cases(3_000))]

    // W2: unknown fields are no error; order and repetition are read as protobuf says.
    #[test]
    fn rearranged_fields_are_read_and_refused_as_prost_does(seed: u64) {
        let mut generator = Generator::new(seed);
        let request = generator.any_request();
        let rearranged = generator.rearrange(&request);
        verdict::agrees_with_prost(&rearranged);
        views::agree_with_prost(&rearranged);
    }

    #[test]
    fn damaged_bytes_are_read_and_refused_as_prost_does(seed: u64) {
        let mut generator = Generator::new(seed);
        let mut request = generator.any_request();
        generator.damage(&mut request);
        verdict::agrees_with_prost(&request);
        views::agree_with_prost(&request);
    }

    #[test]
    fn damaged_requests_split_without_a_panic(
        seed: u64, bytes in 0..4000usize, items in 0..20usize, border in 0..40usize
    ) {
        let mut generator = Generator::new(seed);
        let request = generator.any_request();
        let mut request = generator.rearrange(&request);
        if seed % 2 == 0 {
            generator.damage(&mut request);
        }
        for signal in Signal::ALL {
            let rope = split::in_parts(&request, border);
            split::says_the_same(signal, &rope, SplitLimit { bytes, items });
        }
    }

    #[test]
    fn arbitrary_bytes_never_panic(data in prop::collection::vec(any::<u8>(), 0..64)) {
        verdict::agrees_with_prost(&data);
        views::agree_with_prost(&data);
        split::from_bytes(&data);
        response::agrees_with_prost(&data);
    }

    #[test]
    fn answers_are_read_and_refused_as_prost_does(seed: u64) {
        let mut generator = Generator::new(seed);
        let status = response::RpcStatus {
            code: 14,
            message: "busy".repeat((seed % 1_000) as usize),
            details: vec![response::Any {
                type_url: "type.googleapis.com/google.rpc.RetryInfo".into(),
                value: response::RetryInfo {
                    retry_delay: Some(response::RpcDuration {
                        seconds: seed as i64,
                        nanos: seed as i32,
                    }),
                }.encode_to_vec(),
            }],
        };
        let mut data = generator.rearrange(&status.encode_to_vec());
        response::agrees_with_prost(&data);
        generator.damage(&mut data);
        response::agrees_with_prost(&data);
    }
}

/// What a fuzz target does with its bytes.
type Check = fn(&[u8]);

/// The fuzzers' findings and seeds stay checked without a fuzzer.
const REPLAYED: [(&str, Check); 5] = [
    ("logs_reader", logs::agree_with_prost),
    ("metrics_reader", metrics::agree_with_prost),
    ("request_split", split::from_bytes),
    ("response_reader", response::agrees_with_prost),
    ("trace_reader", |data| {
        verdict::agrees_with_prost(data);
        views::agree_with_prost(data);
    }),
];

#[test]
fn the_fuzz_corpus_holds() {
    for (target, check) in REPLAYED {
        let files = files_in(&format!("corpus/{target}"));
        let count = files.map(|file| check(&std::fs::read(file).unwrap())).count();
        assert!(count > 0, "no corpus for {target}");
    }
}

#[test]
fn every_fuzz_target_has_its_corpus_replayed() {
    let mut targets: Vec<_> = files_in("fuzz_targets")
        .map(|file| file.file_stem().unwrap().to_str().unwrap().to_owned())
        // These have tests of their own: with a feature, and in another crate.
        .filter(|target| !target.starts_with("collector_") && target != "json_reader")
        .collect();
    targets.sort_unstable();
    assert_eq!(targets, REPLAYED.map(|(target, _)| target));
}

fn files_in(folder: &str) -> impl Iterator<Item = PathBuf> + use<> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../fuzz").join(folder);
    std::fs::read_dir(folder).unwrap().map(|file| file.unwrap().path())
}

#[test]
fn a_rope_may_be_cut_at_any_byte() {
    let limit = SplitLimit { bytes: 600, items: 2 };
    let of = |request: &Rope| request::split(Signal::Traces, request, limit).unwrap();
    let (request, parts) = (0..)
        .map(|seed| Generator::new(seed).traces().encode_to_vec())
        .map(|request| (request.clone(), of(&request.into())))
        .find(|(request, parts)| parts.len() > 4 && request.len() < 3_000)
        .unwrap();
    let items = parts.iter().map(Payload::items).sum();
    for border in 0..=request.len() {
        let (front, back) = request.split_at(border);
        let rope = [front.to_vec().into(), back.to_vec().into()].into_iter().collect();
        assert_eq!(request::count_items(Signal::Traces, &rope), Ok(items));
        let cut = of(&rope);
        assert!(cut.iter().map(Payload::rope).eq(parts.iter().map(Payload::rope)), "at {border}");
    }
}

#[test]
fn a_split_shares_the_items_bytes() {
    let item = [0x2a, 200, 1].into_iter().chain([b'x'; 200]).collect::<Vec<u8>>();
    let spans: Vec<u8> = (0..4).flat_map(|_| framed(2, &item)).collect();
    let request = bytes::Bytes::from(framed(1, &framed(2, &spans)));
    let from = request.as_ptr_range();
    let limit = SplitLimit { items: 2, ..SplitLimit::NONE };
    let parts = request::split(Signal::Traces, &request.into(), limit).unwrap();
    let shared: usize = parts
        .iter()
        .flat_map(|part| part.rope().parts())
        .filter(|piece| from.contains(&piece.as_ptr()))
        .map(|piece| piece.len())
        .sum();
    assert_eq!((parts.len(), shared), (2, spans.len()));
}

#[test]
fn a_split_fills_each_part_to_the_byte() {
    let span = framed(2, &[0x30, 1]);
    let two = framed(1, &framed(2, &span.repeat(2)));
    let three = framed(1, &framed(2, &span.repeat(3)));
    let parts = |bytes| {
        let limit = SplitLimit { bytes, ..SplitLimit::NONE };
        let parts = request::split(Signal::Traces, &three.clone().into(), limit).unwrap();
        parts.iter().map(|part| part.items()).collect::<Vec<_>>()
    };
    assert_eq!(parts(two.len()), [2, 1]);
    assert_eq!(parts(two.len() - 1), [1, 1, 1]);
    assert_eq!(parts(0), [1, 1, 1], "an item over the limit comes alone");
    assert_eq!(parts(three.len()), [3]);
}

#[test]
fn a_split_repeats_unknown_fields_of_the_envelopes() {
    let unknown = |value| [0xa0, 0x06, value];
    let span = framed(2, &[0x30, 1]);
    let scope = framed(2, &[&unknown(3)[..], &span, &framed(3, b"scope"), &span].concat());
    let resource = framed(1, &[&framed(3, b"res")[..], &scope, &unknown(2)].concat());
    let request = [&resource[..], &unknown(1)].concat();
    let limit = SplitLimit { items: 1, ..SplitLimit::NONE };
    let parts = request::split(Signal::Logs, &request.into(), limit).unwrap();
    let scope = framed(2, &[&unknown(3)[..], &framed(3, b"scope"), &span].concat());
    let resource = framed(1, &[&framed(3, b"res")[..], &unknown(2), &scope].concat());
    let expected = [&unknown(1)[..], &resource].concat();
    assert_eq!(parts.len(), 2);
    for part in parts {
        assert_eq!(part.rope().to_bytes(), expected);
    }
}

// W3
#[test]
fn envelopes_without_items_give_no_parts() {
    let empty = framed(1, &[framed(1, b""), framed(2, &framed(1, b""))].concat());
    for signal in Signal::ALL {
        let parts = request::split(signal, &empty.clone().into(), SplitLimit::NONE).unwrap();
        assert!(parts.is_empty(), "{signal}");
    }
}

#[test]
fn the_scan_refuses_values_above_the_depth_limit() {
    let mut limits = ScanLimits::default();
    let nested =
        |levels| (1..levels).fold(framed(1, b"x"), |value, _| framed(5, &framed(1, &value)));
    let span = |levels| framed(9, &[framed(1, b"k"), framed(2, &nested(levels))].concat());
    let request = |levels| framed(1, &framed(2, &framed(2, &span(levels))));
    for depth in [1, 5, 32] {
        limits.depth = depth;
        assert!(scan(Signal::Traces, &request(depth), &limits).is_ok());
        let refused = scan(Signal::Traces, &request(depth + 1), &limits);
        assert!(
            matches!(refused, Err(WireError::TooDeep { limit, .. }) if limit == depth),
            "{refused:?}"
        );
    }
    // Prost's own limit of 100 messages lies between 48 and 49 levels.
    for levels in [48, 49, 60, 1_000] {
        verdict::agrees_with_prost(&request(levels));
        views::agree_with_prost(&request(levels));
        assert_eq!(
            scan(Signal::Traces, &request(levels), &ScanLimits::default()).is_ok(),
            levels <= 48
        );
    }
}

#[test]
fn the_scan_refuses_elements_above_the_limit() {
    let attributes: Vec<u8> = (0..97).flat_map(|_| framed(9, &framed(1, b"k"))).collect();
    let request = framed(1, &framed(2, &framed(2, &attributes)));
    let mut limits = ScanLimits::default();
    limits.elements = 100;
    let report = scan(Signal::Traces, &request, &limits).unwrap();
    assert_eq!((report.items, report.elements), (1, 100));
    limits.elements = 99;
    let refused = scan(Signal::Traces, &request, &limits);
    assert!(matches!(refused, Err(WireError::TooManyElements { limit: 99, .. })), "{refused:?}");
}

// F2
#[test]
fn the_scan_refuses_ids_of_another_length_unless_told_otherwise() {
    let request =
        |field, length| framed(1, &framed(2, &framed(2, &framed(field, &vec![1; length]))));
    for (field, length) in [(1, 16), (2, 8), (4, 8)] {
        for found in 0..20 {
            let request = request(field, found);
            let allowed = found == 0 || found == length;
            assert_eq!(scan(Signal::Traces, &request, &ScanLimits::default()).is_ok(), allowed);
            assert!(scan(Signal::Traces, &request, &verdict::loose()).is_ok());
        }
    }
}

#[test]
fn the_decoded_size_covers_what_prost_takes() {
    for seed in 0..500 {
        let request = Generator::new(seed).traces();
        let encoded = request.encode_to_vec();
        let report = scan(Signal::Traces, &encoded, &verdict::loose()).unwrap();
        let decoded = prost_size::of(&Message::decode(encoded.as_slice()).unwrap());
        assert!(report.decoded_size >= decoded, "{} < {decoded}", report.decoded_size);
        assert!(
            report.decoded_size <= 2 * decoded + encoded.len(),
            "{} for {decoded}",
            report.decoded_size
        );
    }
}

/// The heap memory of decoded traces.
mod prost_size {
    use opentelemetry_proto::tonic::collector::trace::v1::ExportTraceServiceRequest;
    use opentelemetry_proto::tonic::common::v1::any_value::Value;
    use opentelemetry_proto::tonic::common::v1::{AnyValue, KeyValue};
    use opentelemetry_proto::tonic::trace::v1::{ScopeSpans, Span};

    pub(crate) fn of(request: &ExportTraceServiceRequest) -> usize {
        list(&request.resource_spans, |resource| {
            let about = resource.resource.as_ref().map_or(0, |resource| {
                attributes(&resource.attributes)
                    + list(&resource.entity_refs, |entity| {
                        let texts = [&entity.id_keys, &entity.description_keys];
                        entity.schema_url.len()
                            + entity.r#type.len()
                            + texts.iter().map(|t| list(t, String::len)).sum::<usize>()
                    })
            });
            about + resource.schema_url.len() + list(&resource.scope_spans, scope_spans)
        })
    }

    fn scope_spans(scope: &ScopeSpans) -> usize {
        let about = scope.scope.as_ref().map_or(0, |scope| {
            scope.name.len() + scope.version.len() + attributes(&scope.attributes)
        });
        about + scope.schema_url.len() + list(&scope.spans, span)
    }

    fn span(span: &Span) -> usize {
        span.trace_id.len()
            + span.span_id.len()
            + span.parent_span_id.len()
            + span.trace_state.len()
            + span.name.len()
            + span.status.as_ref().map_or(0, |status| status.message.len())
            + attributes(&span.attributes)
            + list(&span.events, |event| event.name.len() + attributes(&event.attributes))
            + list(&span.links, |link| {
                link.trace_id.len()
                    + link.span_id.len()
                    + link.trace_state.len()
                    + attributes(&link.attributes)
            })
    }

    fn attributes(attributes: &Vec<KeyValue>) -> usize {
        list(attributes, |attribute| {
            attribute.key.len() + attribute.value.as_ref().map_or(0, value)
        })
    }

    fn value(any: &AnyValue) -> usize {
        match &any.value {
            Some(Value::StringValue(text)) => text.len(),
            Some(Value::BytesValue(bytes)) => bytes.len(),
            Some(Value::ArrayValue(array)) => list(&array.values, value),
            Some(Value::KvlistValue(entries)) => attributes(&entries.values),
            _ => 0,
        }
    }

    fn list<T>(list: &Vec<T>, content: impl Fn(&T) -> usize) -> usize {
        list.capacity() * size_of::<T>() + list.iter().map(content).sum::<usize>()
    }
}

/// A length-delimited field.
fn framed(field: u8, content: &[u8]) -> Vec<u8> {
    let mut out = Vec::new();
    otlp_core::wire::writer::put_len(&mut out, field << 3 | 2, content);
    out
}
