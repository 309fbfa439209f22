//! Attribute lists against an ordered model, and the limits at their edges.

#![allow(
    clippy::unwrap_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "helpers of tests fail by panicking, as tests do"
)]

mod encode_support;

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::atomic::{AtomicUsize, Ordering};

use opentelemetry_proto::tonic::common::v1::any_value::Value as ProtoValue;
use opentelemetry_proto::tonic::common::v1::{AnyValue, KeyValue};
use opentelemetry_proto::tonic::trace::v1::Span;
use otlp_core::wire::{AttributeList, Elements, Entries, Value};
use otlp_core::{AttributeLimits, ValueLimits};
use proptest::collection::vec;
use proptest::prelude::*;
use prost::Message;

use crate::encode_support::{
    Any, Dict, List, ModelList, any_value, attribute_limits, key, value_limits,
};

/// Field 9 of a span, so that prost can read the list as a whole.
const FIELD: u8 = 9;
const NO_LIMITS: AttributeLimits = AttributeLimits::EXEMPT;

fn decode(list: &AttributeList) -> Vec<KeyValue> {
    Span::decode(list.as_bytes()).unwrap().attributes
}

fn text(value: &KeyValue) -> &str {
    match value.value.as_ref().unwrap().value.as_ref().unwrap() {
        ProtoValue::StringValue(text) => text,
        other => panic!("not a string: {other:?}"),
    }
}

#[derive(Clone, Debug)]
enum Operation {
    Set(String, Any),
    Remove(String),
    Clear,
}

fn operations() -> impl Strategy<Value = Vec<Operation>> {
    vec(
        prop_oneof![
            20 => (key(), any_value()).prop_map(|(key, any)| Operation::Set(key, any)),
            4 => key().prop_map(Operation::Remove),
            1 => Just(Operation::Clear),
        ],
        0..40,
    )
}

/// Few kinds of values, many keys: long lists that grow and shrink past the border of the table.
fn many_operations() -> impl Strategy<Value = Vec<Operation>> {
    let key = || (0u32..220).prop_map(|number| format!("prefix__{number:03}__suffix__"));
    let value = "x{0,40}".prop_map(Any::Str);
    let step = prop_oneof![
        5 => (key(), value).prop_map(|(key, any)| Operation::Set(key, any)),
        2 => key().prop_map(Operation::Remove),
    ];
    vec(step, 0..800)
}

fn check(operations: &[Operation], limits: &AttributeLimits) -> Result<(), TestCaseError> {
    let (mut list, mut model) = (AttributeList::new(FIELD), ModelList::default());
    for operation in operations {
        match operation {
            Operation::Set(key, any) => {
                list.set(key, any.value(), limits);
                model.set(key, any, limits);
                let kept = model.list.iter().find(|it| it.key == *key).map(Message::encode_to_vec);
                prop_assert_eq!(list.entry(key).map(<[u8]>::to_vec), kept);
            }
            Operation::Remove(key) => prop_assert_eq!(list.remove(key), model.remove(key)),
            Operation::Clear => {
                list.clear();
                model = ModelList::default();
            }
        }
        prop_assert_eq!(list.len(), model.list.len());
        prop_assert_eq!(list.dropped(), model.dropped);
    }
    let span = Span { attributes: model.list.clone(), ..Span::default() };
    prop_assert_eq!(decode(&list), span.attributes.as_slice());
    prop_assert_eq!(list.as_bytes(), &span.encode_to_vec()[..]);
    let entries: Vec<_> = list.entries().map(<[u8]>::to_vec).collect();
    let expected: Vec<_> = model.list.iter().map(Message::encode_to_vec).collect();
    prop_assert_eq!(entries, expected);
    Ok(())
}

proptest! {
    #[test]
    fn a_list_is_an_ordered_map_whose_last_value_wins_in_place(
        operations in operations(),
        limits in attribute_limits(),
    ) {
        // T12, L1 to L3, W5
        check(&operations, &limits)?;
    }

    #[test]
    fn a_value_is_cut_at_every_level(any in any_value(), limits in value_limits()) {
        let limits = AttributeLimits { count: 1, value: limits };
        check(&[Operation::Set("key".to_owned(), any)], &limits)?;
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(48))]

    #[test]
    fn a_list_stays_a_map_when_it_is_long_and_when_it_is_short_again(
        operations in many_operations(),
    ) {
        check(&operations, &NO_LIMITS)?;
    }
}

#[test]
fn a_list_that_was_long_once_still_knows_its_keys() {
    // The table of a long list once outlived it and did not learn of new keys: they came twice.
    let mut list = AttributeList::new(FIELD);
    for number in 0..140 {
        list.set(&format!("key-{number}"), Value::I64(1), &NO_LIMITS);
    }
    for number in 0..40 {
        assert!(list.remove(&format!("key-{number}")));
    }
    list.set("new", Value::I64(1), &NO_LIMITS);
    list.set("new", Value::I64(2), &NO_LIMITS);
    assert_eq!(list.len(), 101);
    assert!(list.remove("new"));
    assert!(!list.remove("new"));
}

#[test]
fn a_full_list_still_replaces_and_counts_what_is_new() {
    // L2, trap 12
    let limits = AttributeLimits { count: 2, ..AttributeLimits::default() };
    let mut list = AttributeList::new(FIELD);
    for (key, text) in [("a", "1"), ("b", "2"), ("c", "3"), ("a", "one"), ("c", "3"), ("b", "")] {
        list.set(key, Value::Str(text), &limits);
    }
    let kept = decode(&list);
    let kept: Vec<_> = kept.iter().map(|it| (it.key.as_str(), text(it))).collect();
    assert_eq!(kept, [("a", "one"), ("b", "")]);
    assert_eq!(list.dropped(), 2);
}

#[test]
fn empty_values_are_kept() {
    // T15
    let none: [Value<'_>; 0] = [];
    let no_entries: [(&str, Value<'_>); 0] = [];
    let mut list = AttributeList::new(FIELD);
    let values = [
        Value::Str(""),
        Value::Bool(false),
        Value::I64(0),
        Value::F64(0.0),
        Value::Bytes(&[]),
        Value::Array(&none),
        Value::Map(&no_entries),
        Value::Empty,
    ];
    for (number, value) in values.into_iter().enumerate() {
        list.set(&number.to_string(), value, &NO_LIMITS);
    }
    let kinds: Vec<_> = decode(&list).into_iter().map(|it| it.value.unwrap().value).collect();
    assert_eq!(kinds.len(), 8);
    assert!(kinds[..7].iter().all(Option::is_some), "{kinds:?}");
    assert_eq!(kinds[0], Some(ProtoValue::StringValue(String::new())));
    assert_eq!(kinds[4], Some(ProtoValue::BytesValue(Vec::new())));
    assert_eq!(kinds[7], None);
}

#[test]
fn an_empty_key_is_refused_and_counted() {
    let mut list = AttributeList::new(FIELD);
    list.set("", Value::I64(1), &NO_LIMITS);
    assert_eq!((list.len(), list.dropped()), (0, 1));
    assert!(list.as_bytes().is_empty());
}

#[test]
fn an_empty_key_within_a_map_is_kept() {
    let map = Dict(vec![(String::new(), Any::I64(1)), (String::new(), Any::I64(2))]);
    let mut list = AttributeList::new(FIELD);
    list.set("map", Value::Map(&map), &NO_LIMITS);
    let Some(ProtoValue::KvlistValue(entries)) = decode(&list)[0].value.clone().unwrap().value
    else {
        panic!("not a map");
    };
    assert_eq!(entries.values.len(), 1);
    assert_eq!(entries.values[0].key, "");
    assert_eq!(entries.values[0].value.as_ref().unwrap().value, Some(ProtoValue::IntValue(2)));
}

#[test]
fn text_is_cut_between_characters_and_bytes_anywhere() {
    // L1: four characters of 1, 2, 3 and 4 bytes.
    let limits = |length| AttributeLimits {
        value: ValueLimits { length, ..ValueLimits::DEFAULT },
        ..AttributeLimits::default()
    };
    for (length, cut) in [(0, ""), (1, "a"), (2, "aé"), (3, "aé€"), (4, "aé€😀"), (5, "aé€😀")]
    {
        let mut list = AttributeList::new(FIELD);
        list.set("key", Value::Str("aé€😀"), &limits(length));
        assert_eq!(text(&decode(&list)[0]), cut);
    }
    let mut list = AttributeList::new(FIELD);
    list.set("key", Value::Bytes("aé€😀".as_bytes()), &limits(2));
    let value = decode(&list)[0].value.clone().unwrap().value;
    assert_eq!(value, Some(ProtoValue::BytesValue(vec![b'a', 0xc3])));
}

#[test]
fn keys_of_one_length_head_and_tail_are_told_apart() {
    // Their quick hashes are equal.
    let key = |number: usize| format!("prefix--{number:06}--suffix");
    let mut list = AttributeList::new(FIELD);
    for round in 0..2 {
        for number in 0..128 {
            list.set(&key(number), Value::I64(round), &AttributeLimits::default());
        }
        list.set(&key(128), Value::I64(round), &AttributeLimits::default());
    }
    assert_eq!((list.len(), list.dropped()), (128, 2));
    let one = Some(AnyValue { value: Some(ProtoValue::IntValue(1)) });
    for (number, attribute) in decode(&list).into_iter().enumerate() {
        assert_eq!((attribute.key, attribute.value), (key(number), one.clone()));
    }
}

#[test]
fn two_hundred_thousand_attributes_stay_within_the_limit() {
    let mut list = AttributeList::new(FIELD);
    for number in 0..200_000 {
        list.set(
            &format!("prefix--{number:06}--suffix"),
            Value::I64(1),
            &AttributeLimits::default(),
        );
    }
    assert_eq!((list.len(), list.dropped()), (128, 200_000 - 128));
    assert_eq!(decode(&list).len(), 128);
}

#[test]
fn two_hundred_thousand_attributes_fit_a_raised_limit() {
    // A search that is not by hash, or by a hash that these keys share, would take hours here.
    let limits = AttributeLimits { count: 200_000, ..AttributeLimits::default() };
    let mut list = AttributeList::new(FIELD);
    for round in 0..2 {
        for number in 0..200_001 {
            let key = format!("prefix--{number:06}--suffix");
            list.set(&key, Value::I64(round), &limits);
        }
    }
    assert_eq!((list.len(), list.dropped()), (200_000, 2));
    let all = decode(&list);
    assert_eq!(all.len(), 200_000);
    assert_eq!(all[199_999].key, "prefix--199999--suffix");
    assert!(list.entry("prefix--123456--suffix").is_some());
    list.clear();
    assert!(list.is_empty() && list.entry("prefix--123456--suffix").is_none());
}

#[test]
fn an_attribute_beyond_64_mib_is_refused_and_counted() {
    const MIB: usize = 1024 * 1024;
    let huge = "x".repeat(64 * MIB);
    let mut list = AttributeList::new(FIELD);
    list.set("first", Value::Str("kept"), &NO_LIMITS);
    list.set("huge", Value::Str(&huge), &NO_LIMITS);
    assert_eq!((list.len(), list.dropped()), (1, 1));
    // The old value stays where the new one is refused.
    list.set("first", Value::Str(&huge), &NO_LIMITS);
    assert_eq!((text(&decode(&list)[0]), list.dropped()), ("kept", 2));
    // So it is within an array and within a map, however deep: never a half of it in silence.
    let array =
        List(vec![Any::Str("x".to_owned()), Any::Array(List(vec![Any::Str(huge.clone())]))]);
    list.set("array", Value::Array(&array), &NO_LIMITS);
    let map = Dict(vec![("inner".to_owned(), Any::Str(huge.clone()))]);
    list.set("map", Value::Map(&map), &NO_LIMITS);
    let both = Dict(vec![("map".to_owned(), Any::Map(map)), ("other".to_owned(), Any::I64(1))]);
    list.set("maps", Value::Map(&both), &NO_LIMITS);
    list.set("first", Value::Map(&both), &NO_LIMITS);
    assert_eq!((list.len(), list.dropped()), (1, 6));
    // Cut to the limit it fits.
    let cut = AttributeLimits {
        value: ValueLimits { length: 10, ..ValueLimits::DEFAULT },
        ..AttributeLimits::default()
    };
    list.set("huge", Value::Str(&huge), &cut);
    assert_eq!(text(&decode(&list)[1]), "xxxxxxxxxx");
    // Just within.
    list.clear();
    list.set("k", Value::Str(&huge[..64 * MIB - 32]), &NO_LIMITS);
    assert_eq!((list.len(), list.dropped()), (1, 0));
    list.set("l", Value::Str("thirty-two bytes are not left....."), &NO_LIMITS);
    assert_eq!((list.len(), list.dropped()), (1, 1));
}

#[test]
fn an_array_without_end_is_given_up_with_bounded_memory() {
    /// As many elements as one likes, from nothing.
    struct Flood(AtomicUsize);

    impl Elements for Flood {
        fn for_each(&self, f: &mut dyn FnMut(Value<'_>)) {
            let text = "x".repeat(1024 * 1024);
            for _ in 0..4096 {
                self.0.fetch_add(1, Ordering::Relaxed);
                f(Value::Str(&text));
            }
        }
    }

    let flood = Flood(AtomicUsize::new(0));
    let mut list = AttributeList::new(FIELD);
    list.set("flood", Value::Array(&flood), &NO_LIMITS);
    assert_eq!((list.len(), list.dropped()), (0, 1));
    assert!(list.as_bytes().is_empty());
    assert_eq!(flood.0.into_inner(), 4096);
}

/// An array within an array, as deep as asked, with a number in the innermost.
struct Nested(u32);

impl Elements for Nested {
    fn for_each(&self, f: &mut dyn FnMut(Value<'_>)) {
        match self.0 {
            0 | 1 => f(Value::I64(7)),
            deep => f(Value::Array(&Self(deep - 1))),
        }
    }
}

impl Entries for Nested {
    fn for_each(&self, f: &mut dyn FnMut(&str, Value<'_>)) {
        match self.0 {
            0 | 1 => f("innermost", Value::I64(7)),
            deep => f("next", Value::Map(&Self(deep - 1))),
        }
    }
}

/// Levels of arrays or maps, and whether the innermost has content.
fn levels(mut any: &[u8], list_field: u8, inner_fields: &[u8]) -> (usize, bool) {
    let mut levels = 0;
    while any.first() == Some(&(list_field << 3 | 2)) {
        levels += 1;
        any = content(any);
        for field in inner_fields {
            if any.is_empty() {
                return (levels, false);
            }
            // A key stands in front of an entry's value.
            while any[0] != field << 3 | 2 {
                any = &any[2 + usize::from(any[1])..];
            }
            any = content(any);
        }
    }
    (levels, true)
}

fn content(field: &[u8]) -> &[u8] {
    let (len, used) = otlp_core::wire::varint::decode(&field[1..]).unwrap();
    &field[1 + used..][..usize::try_from(len).unwrap()]
}

fn value_of(list: &AttributeList) -> &[u8] {
    let entry = list.entry("key").unwrap();
    content(&entry[2 + "key".len()..])
}

fn limit_depth(depth: u8) -> AttributeLimits {
    AttributeLimits { value: ValueLimits { depth, ..ValueLimits::DEFAULT }, ..NO_LIMITS }
}

#[test]
fn arrays_and_maps_deeper_than_the_limit_become_empty() {
    // L3: the value itself is level 1.
    for (built, kept) in [(1, (1, true)), (20, (20, true)), (21, (21, false)), (99, (21, false))] {
        let mut list = AttributeList::new(FIELD);
        list.set("key", Value::Array(&Nested(built)), &limit_depth(20));
        assert_eq!(levels(value_of(&list), 5, &[1]), kept, "array of {built} levels");
        list.set("key", Value::Map(&Nested(built)), &limit_depth(20));
        assert_eq!(levels(value_of(&list), 6, &[1, 2]), kept, "map of {built} levels");
    }
}

#[test]
fn a_depth_limit_of_zero_empties_every_array() {
    let mut list = AttributeList::new(FIELD);
    list.set("key", Value::Array(&Nested(3)), &limit_depth(0));
    assert_eq!(levels(value_of(&list), 5, &[1]), (1, false));
}

#[test]
fn nothing_is_nested_deeper_than_receivers_read_whatever_the_limit_says() {
    // L3
    for limit in [64, 200, u8::MAX] {
        let mut list = AttributeList::new(FIELD);
        list.set("key", Value::Array(&Nested(1_000_000)), &limit_depth(limit));
        assert_eq!(levels(value_of(&list), 5, &[1]), (46, false));
        list.set("key", Value::Map(&Nested(1_000_000)), &limit_depth(limit));
        assert_eq!(levels(value_of(&list), 6, &[1, 2]), (31, false));
    }
}

/// Arrays and maps in turn.
struct Mixed(u32);

impl Elements for Mixed {
    fn for_each(&self, f: &mut dyn FnMut(Value<'_>)) {
        f(Value::Map(&Self(self.0.saturating_sub(1))));
    }
}

impl Entries for Mixed {
    fn for_each(&self, f: &mut dyn FnMut(&str, Value<'_>)) {
        if self.0 > 0 {
            f("next", Value::Array(&Self(self.0 - 1)));
        }
    }
}

#[test]
fn a_request_with_the_deepest_values_is_read_by_prost() {
    use opentelemetry_proto::tonic::collector::logs::v1::ExportLogsServiceRequest;
    use opentelemetry_proto::tonic::collector::trace::v1::ExportTraceServiceRequest;
    use otlp_core::log::LogRecordEncoder;
    use otlp_core::span::{SpanEncoder, SpanIdentity, SpanKind};
    use otlp_core::wire::envelope::{ResourceHeader, ScopeHeader, ScopeItems, build_request};
    use otlp_core::{LogRecordLimits, Signal, SpanLimits};
    use prost::Message as _;

    let (array, map, mixed) = (Nested(500), Nested(500), Mixed(500));
    for deep in [Value::Array(&array), Value::Map(&map), Value::Array(&mixed), Value::Map(&mixed)] {
        let resource = ResourceHeader::encode([("deep", deep)], "");
        let scope = ScopeHeader::encode("scope", "", [("deep", deep)], "");
        let request = |signal, item: Vec<u8>| {
            let items = [ScopeItems { scope: &scope, items: vec![item.into()] }];
            build_request(signal, &resource, &items, 1).rope().to_bytes()
        };
        let mut span = SpanEncoder::default();
        span.start(SpanIdentity::default(), "deep", SpanKind::Internal, 1);
        span.set_attribute("deep", deep, &SpanLimits::default());
        span.add_event("event", 1, &SpanLimits::default(), |set| set("deep", deep));
        let mut item = Vec::new();
        span.put_item(2, &mut item);
        ExportTraceServiceRequest::decode(request(Signal::Traces, item)).unwrap();
        let mut record = LogRecordEncoder::default();
        record.set_attribute("deep", deep, &LogRecordLimits::default());
        record.set_body(deep);
        let mut item = Vec::new();
        record.put_item(&mut item);
        let request = request(Signal::Logs, item);
        ExportLogsServiceRequest::decode(request.clone()).unwrap();
        otlp_core::wire::scan::scan(Signal::Logs, &request, &Default::default()).unwrap();
    }
}

#[test]
fn a_panic_in_foreign_elements_leaves_no_half_of_an_attribute() {
    struct Bad;

    impl Elements for Bad {
        fn for_each(&self, f: &mut dyn FnMut(Value<'_>)) {
            f(Value::I64(1));
            panic!("the elements are gone");
        }
    }

    let mut list = AttributeList::new(FIELD);
    list.set("a", Value::I64(1), &NO_LIMITS);
    let mut set =
        |key| catch_unwind(AssertUnwindSafe(|| list.set(key, Value::Array(&Bad), &NO_LIMITS)));
    assert!(set("new").is_err());
    assert!(set("a").is_err());
    list.set("b", Value::I64(2), &NO_LIMITS);
    let keys: Vec<_> = decode(&list).into_iter().map(|it| it.key).collect();
    assert_eq!(keys, ["a", "b"]);
}
