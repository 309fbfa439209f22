use std::fmt::Debug;

use opentelemetry_proto::tonic::common::v1::{AnyValue, EntityRef, KeyValue};
use opentelemetry_proto::tonic::logs::v1::{LogRecord, ResourceLogs, ScopeLogs};
use opentelemetry_proto::tonic::metrics::v1::{
    Exemplar, ExponentialHistogramDataPoint, HistogramDataPoint, Metric, NumberDataPoint,
    ResourceMetrics, ScopeMetrics, SummaryDataPoint, summary_data_point::ValueAtQuantile,
};
use opentelemetry_proto::tonic::trace::v1::span::{Event, Link};
use opentelemetry_proto::tonic::trace::v1::{ResourceSpans, ScopeSpans, Span};

use super::*;
use crate::wire::definitions::Type;

fn check_size<M: Debug>(ty: Type) {
    let (ours, theirs) = (ty.definition().decoded_size, size_of::<M>());
    // A compiler may lay structs out a little differently.
    assert!(ours.abs_diff(theirs) <= 16, "{ty:?}: {ours}, {theirs}");
}

#[test]
#[cfg(target_pointer_width = "64")]
fn sizes_are_those_of_the_structs_that_prost_generates() {
    check_size::<AnyValue>(Type::AnyValue);
    check_size::<EntityRef>(Type::EntityRef);
    check_size::<Event>(Type::Event);
    check_size::<Exemplar>(Type::Exemplar);
    check_size::<ExponentialHistogramDataPoint>(Type::ExponentialHistogramDataPoint);
    check_size::<HistogramDataPoint>(Type::HistogramDataPoint);
    check_size::<KeyValue>(Type::KeyValue);
    check_size::<Link>(Type::Link);
    check_size::<LogRecord>(Type::LogRecord);
    check_size::<Metric>(Type::Metric);
    check_size::<NumberDataPoint>(Type::NumberDataPoint);
    check_size::<ResourceLogs>(Type::ResourceLogs);
    check_size::<ResourceMetrics>(Type::ResourceMetrics);
    check_size::<ResourceSpans>(Type::ResourceSpans);
    check_size::<ScopeLogs>(Type::ScopeLogs);
    check_size::<ScopeMetrics>(Type::ScopeMetrics);
    check_size::<ScopeSpans>(Type::ScopeSpans);
    check_size::<Span>(Type::Span);
    check_size::<SummaryDataPoint>(Type::SummaryDataPoint);
    check_size::<ValueAtQuantile>(Type::ValueAtQuantile);
}

#[test]
fn a_single_span_is_checked_as_deep_as_in_a_request() {
    let mut value = vec![0x0a, 1, b'x'];
    for level in 2.. {
        for field in [1, 5] {
            let mut outer = Vec::new();
            crate::wire::writer::put_len(&mut outer, field << 3 | 2, &value);
            value = outer;
        }
        let mut attribute = Vec::new();
        crate::wire::writer::put_len(&mut attribute, 2 << 3 | 2, &value);
        let mut span = Vec::new();
        crate::wire::writer::put_len(&mut span, 9 << 3 | 2, &attribute);
        assert_eq!(check_span(&span).is_ok(), level <= 48, "level {level}");
        if level == 50 {
            break;
        }
    }
    assert!(check_span(&[0x0a, 1, 0]).is_err(), "an id of one byte (F2)");
}

#[test]
fn an_error_names_the_message_the_field_and_the_place() {
    // Request, resource envelope, scope envelope, span with a name of two bytes.
    let request = b"\x0a\x08\x12\x06\x12\x04\x2a\x02\xff\xff";
    let refused = scan(Signal::Traces, request, &ScanLimits::default()).unwrap_err();
    assert_eq!(refused, WireError::InvalidUtf8 { message: "Span", field: 5, offset: 8 });
    assert_eq!(refused.to_string(), "Span field 5 is not UTF-8 at byte 8");
    let request = b"\x0a\x06\x12\x04\x12\x02\x28\x02";
    let refused = scan(Signal::Traces, request, &ScanLimits::default()).unwrap_err();
    let expected = WireError::WrongWireType { message: "Span", field: 5, found: 0, offset: 7 };
    assert_eq!(refused, expected);
}

#[test]
fn packed_numbers_are_charged_for_what_they_become() {
    // Request to data point, with a million one-byte bucket counts.
    let mut message = vec![1; 1_000_000];
    for field in [2, 8, 1, 10, 2, 2, 1] {
        let mut outer = Vec::new();
        crate::wire::writer::put_len(&mut outer, field << 3 | 2, &message);
        message = outer;
    }
    let report = scan(Signal::Metrics, &message, &ScanLimits::default()).unwrap();
    assert_eq!(report.items, 1);
    assert!(report.decoded_size >= 8_000_000, "{}", report.decoded_size);
}
