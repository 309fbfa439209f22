//! Payloads: what merging, splitting and compressing do to a request, and what they share.

#![allow(
    clippy::unwrap_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "helpers of tests fail by panicking, as tests do"
)]

use std::sync::{Arc, Barrier};

use bytes::Bytes;
use opentelemetry_proto::tonic::collector::trace::v1::ExportTraceServiceRequest;
use opentelemetry_proto::tonic::trace::v1::Span;
use otlp_core::export::{Compression, decompress};
use otlp_core::span::{SpanEncoder, SpanIdentity, SpanKind};
use otlp_core::wire::Value;
use otlp_core::wire::envelope::{ResourceHeader, ScopeHeader, ScopeItems, build_request};
use otlp_core::{Payload, Rope, Signal, SplitLimit};
use proptest::prelude::*;
use prost::Message;

/// A request of one resource with so many spans in each scope; span names count up from `first`.
fn request(service: &str, scopes: &[usize], first: usize) -> Payload {
    let resource = ResourceHeader::encode([("service.name", Value::Str(service))], "url");
    let header = |at| ScopeHeader::encode(&format!("scope-{at}"), "1", [], "");
    let headers: Vec<_> = (0..scopes.len()).map(header).collect();
    let mut number = first;
    let mut items = |count: &usize| {
        let mut piece = Vec::new();
        for _ in 0..*count {
            let mut encoder = SpanEncoder::default();
            encoder.start(SpanIdentity::default(), format!("span-{number}"), SpanKind::Client, 1);
            encoder.put_item(2, &mut piece);
            number += 1;
        }
        vec![Bytes::from(piece)]
    };
    let items: Vec<_> = headers
        .iter()
        .zip(scopes)
        .map(|(scope, count)| ScopeItems { scope, items: items(count) })
        .collect();
    build_request(Signal::Traces, &resource, &items, scopes.iter().sum())
}

fn decode(payload: &Payload) -> ExportTraceServiceRequest {
    let bytes = payload.rope().to_bytes();
    assert_eq!(bytes.len(), payload.len(), "the length is exact and known before");
    ExportTraceServiceRequest::decode(bytes).unwrap()
}

/// Service, scope and name of each span, in order.
fn spans(payload: &Payload) -> Vec<(String, String, String)> {
    let mut all = Vec::new();
    for resource in decode(payload).resource_spans {
        let service = format!("{:?}", resource.resource.as_ref().unwrap().attributes);
        for scope in resource.scope_spans {
            let name = scope.scope.unwrap().name;
            let row = |span: Span| (service.clone(), name.clone(), span.name);
            all.extend(scope.spans.into_iter().map(row));
        }
    }
    assert_eq!(all.len(), payload.items());
    all
}

fn payload() -> impl Strategy<Value = Payload> {
    let scopes = || prop::collection::vec(0usize..9, 0..4);
    (scopes(), scopes()).prop_map(|(a, b)| {
        let first = request("first", &a, 0);
        first.merge(request("second", &b, 100)).unwrap()
    })
}

proptest! {
    #[test]
    fn merging_appends(a in payload(), b in payload()) {
        let merged = a.clone().merge(b.clone()).unwrap();
        prop_assert_eq!(merged.items(), a.items() + b.items());
        prop_assert_eq!(merged.len(), a.len() + b.len());
        prop_assert_eq!(spans(&merged), [spans(&a), spans(&b)].concat());
    }

    #[test]
    fn splitting_keeps_every_span_in_order_and_the_limits(
        payload in payload(),
        bytes in prop_oneof![Just(usize::MAX), 0usize..600],
        items in prop_oneof![Just(usize::MAX), 0usize..12],
    ) {
        let parts = payload.split(SplitLimit { bytes, items }).unwrap();
        let again: Vec<_> = parts.iter().flat_map(spans).collect();
        prop_assert_eq!(again, spans(&payload));
        for part in &parts {
            prop_assert!(part.items() <= items.max(1));
            prop_assert!(part.len() <= bytes || part.items() == 1);
        }
    }

    #[test]
    fn halves_are_even_and_whole(payload in payload()) {
        let halves = payload.halve().unwrap();
        prop_assert_eq!(halves.is_some(), payload.items() >= 2);
        if let Some((a, b)) = halves {
            prop_assert!(a.items() - b.items() <= 1);
            prop_assert_eq!([spans(&a), spans(&b)].concat(), spans(&payload));
        }
    }

    #[test]
    fn a_slice_of_a_rope_is_the_slice_of_its_bytes(
        parts in prop::collection::vec(prop::collection::vec(any::<u8>(), 0..6), 0..6),
        start in 0usize..40,
        end in 0usize..40,
    ) {
        let rope: Rope = parts.iter().cloned().map(Bytes::from).collect();
        let whole = parts.concat();
        let expected: Vec<_> =
            whole.iter().copied().take(end).skip(start).collect();
        let slice = rope.slice(start, end);
        prop_assert_eq!(slice.len(), expected.len());
        prop_assert_eq!(slice.to_bytes(), expected);
    }

    #[test]
    fn ropes_are_equal_by_their_bytes(bytes in prop::collection::vec(any::<u8>(), 1..20), at in 0usize..20) {
        let whole = Bytes::from(bytes);
        let at = at.min(whole.len());
        let cut: Rope = [whole.slice(..at), whole.slice(at..)].into_iter().collect();
        prop_assert_eq!(&cut, &Rope::from(whole.clone()));
        prop_assert_ne!(&cut, &Rope::from(whole.slice(1..)));
        prop_assert!(cut.parts().iter().all(|part| !part.is_empty()));
    }
}

#[test]
fn another_signal_is_not_merged_and_nothing_is_lost() {
    let traces = request("a", &[2], 0);
    let logs = Payload::from_parts(Signal::Logs, Rope::new(), 0);
    let (traces, logs) = traces.merge(logs).unwrap_err();
    assert_eq!((traces.signal(), traces.items()), (Signal::Traces, 2));
    assert_eq!(logs.signal(), Signal::Logs);
}

#[test]
fn a_thousand_payloads_merge_in_one_go() {
    let mut all = request("a", &[1], 0);
    for number in 1..1000 {
        all = all.merge(request("a", &[1], number)).unwrap();
    }
    let names: Vec<_> = spans(&all).into_iter().map(|(_, _, name)| name).collect();
    assert_eq!(names, (0..1000).map(|number| format!("span-{number}")).collect::<Vec<_>>());
}

#[test]
fn a_clone_shares_the_rope_and_the_compressed_body() {
    let payload = request("a", &[30, 30], 0);
    let clone = payload.clone();
    assert!(std::ptr::eq(payload.rope(), clone.rope()));

    for compression in [Compression::gzip(), Compression::zstd()] {
        let first = payload.body(compression).unwrap();
        let second = clone.body(compression).unwrap();
        let [first_part] = first.rope().parts() else { panic!("one piece") };
        let [second_part] = second.rope().parts() else { panic!("one piece") };
        assert_eq!(first_part.as_ptr(), second_part.as_ptr(), "compressed once");
        assert_eq!((first.compression(), first.len()), (compression, first_part.len()));
        let plain = decompress(compression, first_part, usize::MAX).unwrap();
        assert_eq!(plain, payload.rope().to_bytes());
    }
    // A third setting works as well, though nothing keeps it.
    let third = payload.body(Compression::Gzip { level: 9 }).unwrap();
    let plain = decompress(Compression::gzip(), &third.rope().to_bytes(), usize::MAX).unwrap();
    assert_eq!(plain, payload.rope().to_bytes());
}

#[test]
fn threads_that_compress_at_once_get_one_body() {
    let payload = request("a", &[200], 0);
    let threads = 4;
    let barrier = Arc::new(Barrier::new(threads));
    let bodies: Vec<_> = (0..threads)
        .map(|_| {
            let (payload, barrier) = (payload.clone(), Arc::clone(&barrier));
            std::thread::spawn(move || {
                barrier.wait();
                payload.body(Compression::gzip()).unwrap().rope().parts()[0].as_ptr().addr()
            })
        })
        .collect();
    let mut addresses: Vec<_> = bodies.into_iter().map(|thread| thread.join().unwrap()).collect();
    addresses.dedup();
    assert_eq!(addresses.len(), 1);
}

#[test]
fn an_uncompressed_body_is_the_rope_itself() {
    let payload = request("a", &[3, 3], 0);
    let body = payload.body(Compression::None).unwrap();
    assert_eq!(body.rope(), payload.rope());
    let ours = payload.rope().parts().iter().map(|part| part.as_ptr());
    assert!(body.rope().parts().iter().map(|part| part.as_ptr()).eq(ours));
}

#[test]
fn a_request_from_outside_is_counted_or_refused() {
    let whole = request("a", &[3, 2], 0).rope().to_bytes();
    let payload = Payload::from_request(Signal::Traces, whole.clone()).unwrap();
    assert_eq!(payload.items(), 5);
    assert_eq!(Bytes::from(payload), whole);
    assert!(Payload::from_request(Signal::Traces, whole.slice(..whole.len() - 1)).is_err());
}
