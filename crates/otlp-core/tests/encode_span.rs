//! Whole spans and requests against `opentelemetry-proto`: decoded to what was set, and byte for
//! byte what prost writes.

#![allow(
    clippy::unwrap_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "helpers of tests fail by panicking, as tests do"
)]

mod encode_support;

use bytes::Bytes;
use opentelemetry_proto::tonic::collector::trace::v1::ExportTraceServiceRequest;
use opentelemetry_proto::tonic::common::v1::InstrumentationScope;
use opentelemetry_proto::tonic::resource::v1::Resource;
use opentelemetry_proto::tonic::trace::v1::{ResourceSpans, ScopeSpans, Span};
use otlp_core::span::{EncodedSpan, SpanEncoder, SpanIdentity, SpanKind};
use otlp_core::wire::Value;
use otlp_core::wire::envelope::{ResourceHeader, ScopeHeader, ScopeItems, build_request, overhead};
use otlp_core::{AttributeLimits, Payload, Signal, SpanLimits};
use proptest::prelude::*;
use prost::Message;

use crate::encode_support::{Any, ModelList, Script, attributes, script, text};

proptest! {
    #[test]
    fn a_span_is_what_prost_encodes_and_decodes_to_what_was_set(script in script()) {
        let mut encoder = SpanEncoder::default();
        script.record(&mut encoder);
        let encoded = encoder.encode(script.end);
        let expected = script.expected();

        prop_assert_eq!(&Span::decode(encoded.as_bytes().clone()).unwrap(), &expected);
        prop_assert_eq!(encoded.as_bytes(), &expected.encode_to_vec());
    }

    #[test]
    fn an_item_is_the_span_as_a_field_of_its_scope(script in script()) {
        let mut encoder = SpanEncoder::default();
        script.record(&mut encoder);
        let mut item = b"before".to_vec();
        encoder.put_item(script.end, &mut item);
        prop_assert_eq!(item.len(), 6 + encoder.item_len(script.end));

        let encoded = encoder.encode(script.end);
        let mut again = b"before".to_vec();
        encoded.put_item(&mut again);
        prop_assert_eq!(&again, &item);
        prop_assert_eq!(item.len(), 6 + encoded.item_len());

        let scope = ScopeSpans { spans: vec![script.expected()], ..ScopeSpans::default() };
        prop_assert_eq!(&item[6..], &scope.encode_to_vec()[..]);
    }

    #[test]
    fn nothing_of_a_span_is_left_in_the_next(first in script(), second in script()) {
        let mut used = SpanEncoder::default();
        first.record(&mut used);
        used.clear();
        second.record(&mut used);
        let mut fresh = SpanEncoder::default();
        second.record(&mut fresh);
        prop_assert_eq!(used.encode(second.end), fresh.encode(second.end));
    }

    #[test]
    fn an_encoded_span_passes_the_strict_check_and_reads_back(script in script()) {
        let mut encoder = SpanEncoder::default();
        script.record(&mut encoder);
        let bytes = encoder.encode(script.end).as_bytes().clone();
        let span = EncodedSpan::from_bytes(bytes).unwrap();
        let (view, expected) = (span.view().unwrap(), script.expected());
        prop_assert_eq!(view.trace_id(), &expected.trace_id[..]);
        prop_assert_eq!(view.span_id(), &expected.span_id[..]);
        prop_assert_eq!(view.parent_span_id(), &expected.parent_span_id[..]);
        prop_assert_eq!(view.name(), &expected.name);
        prop_assert_eq!(view.start_time_unix_nano(), expected.start_time_unix_nano);
        prop_assert_eq!(view.end_time_unix_nano(), expected.end_time_unix_nano);
    }

    #[test]
    fn a_request_is_what_prost_encodes(request in request()) {
        let (payload, expected) = (request.build(), request.expected());
        let bytes = payload.rope().to_bytes();
        prop_assert_eq!(&ExportTraceServiceRequest::decode(bytes.clone()).unwrap(), &expected);
        prop_assert_eq!(&bytes, &expected.encode_to_vec());
        prop_assert_eq!(payload.len(), bytes.len());
        let items: usize = request.scopes.iter().map(|scope| scope.spans.len()).sum();
        prop_assert_eq!(payload.items(), items);
        let counted = Payload::from_request(Signal::Traces, bytes).unwrap();
        prop_assert_eq!(counted.items(), items);
    }

    #[test]
    fn the_overhead_of_a_request_is_never_underrated(request in request()) {
        let Some(scope) = request.scopes.first() else { return Ok(()) };
        let alone = Request { scopes: vec![scope.clone()], ..request.clone() };
        let items: usize = alone.scopes[0].items().iter().map(Bytes::len).sum();
        let bound = overhead(&request.resource_header(), &scope.header()) + items;
        prop_assert!(alone.build().len() <= bound);
    }
}

/// A whole request as a test sets it.
#[derive(Clone, Debug)]
struct Request {
    resource: Vec<(String, Any)>,
    resource_url: String,
    scopes: Vec<Scope>,
}

#[derive(Clone, Debug)]
struct Scope {
    name: String,
    version: String,
    url: String,
    attributes: Vec<(String, Any)>,
    spans: Vec<Script>,
}

impl Scope {
    fn header(&self) -> ScopeHeader {
        let attributes = self.attributes.iter().map(|(key, any)| (key.as_str(), any.value()));
        ScopeHeader::encode(&self.name, &self.version, attributes, &self.url)
    }

    /// All but the first span in one piece, the first alone, and an empty piece.
    fn items(&self) -> Vec<Bytes> {
        let mut encoder = SpanEncoder::default();
        let mut encode = |scripts: &[Script]| {
            let mut piece = Vec::new();
            for script in scripts {
                encoder.clear();
                script.record(&mut encoder);
                encoder.put_item(script.end, &mut piece);
            }
            Bytes::from(piece)
        };
        let (first, rest) = self.spans.split_at(self.spans.len().min(1));
        vec![encode(first), Bytes::new(), encode(rest)]
    }

    fn expected(&self) -> ScopeSpans {
        let attributes = ModelList::of(&self.attributes, &AttributeLimits::EXEMPT);
        ScopeSpans {
            scope: Some(InstrumentationScope {
                name: self.name.clone(),
                version: self.version.clone(),
                attributes: attributes.list,
                dropped_attributes_count: attributes.dropped,
            }),
            spans: self.spans.iter().map(Script::expected).collect(),
            schema_url: self.url.clone(),
        }
    }
}

impl Request {
    fn resource_header(&self) -> ResourceHeader {
        let attributes = self.resource.iter().map(|(key, any)| (key.as_str(), any.value()));
        ResourceHeader::encode(attributes, &self.resource_url)
    }

    fn build(&self) -> Payload {
        let headers: Vec<_> = self.scopes.iter().map(Scope::header).collect();
        let scopes: Vec<_> = headers
            .iter()
            .zip(&self.scopes)
            .map(|(scope, it)| ScopeItems { scope, items: it.items() })
            .collect();
        let count = self.scopes.iter().map(|scope| scope.spans.len()).sum();
        build_request(Signal::Traces, &self.resource_header(), &scopes, count)
    }

    /// Row W3: no empty scope, and no resource without scopes.
    fn expected(&self) -> ExportTraceServiceRequest {
        let filled = self.scopes.iter().filter(|scope| !scope.spans.is_empty());
        let scope_spans: Vec<_> = filled.map(Scope::expected).collect();
        if scope_spans.is_empty() {
            return ExportTraceServiceRequest::default();
        }
        let attributes = ModelList::of(&self.resource, &AttributeLimits::EXEMPT);
        let resource = Resource {
            attributes: attributes.list,
            dropped_attributes_count: attributes.dropped,
            ..Resource::default()
        };
        let schema_url = self.resource_url.clone();
        let resource_spans =
            vec![ResourceSpans { resource: Some(resource), scope_spans, schema_url }];
        ExportTraceServiceRequest { resource_spans }
    }
}

fn request() -> impl Strategy<Value = Request> {
    let spans = prop::collection::vec(script(), 0..4);
    let scope = (text(), text(), text(), attributes(), spans).prop_map(
        |(name, version, url, attributes, spans)| Scope { name, version, url, attributes, spans },
    );
    (attributes(), text(), prop::collection::vec(scope, 0..4))
        .prop_map(|(resource, resource_url, scopes)| Request { resource, resource_url, scopes })
}

#[test]
fn a_root_span_has_no_parent_field_at_all() {
    // F2: empty, not eight zero bytes.
    let mut encoder = SpanEncoder::default();
    encoder.start(SpanIdentity::default(), "root", SpanKind::default(), 1);
    let span = Span::decode(encoder.encode(2).as_bytes().clone()).unwrap();
    assert!(span.parent_span_id.is_empty());
    // F1: "remoteness is known, and it is local"; F3: INTERNAL is 1, never 0.
    assert_eq!((span.flags, span.kind), (0x100, 1));
}

#[test]
fn numbers_that_are_none_are_kept() {
    let limits = SpanLimits::default();
    let mut encoder = SpanEncoder::default();
    for (key, number) in [("nan", f64::NAN), ("inf", f64::INFINITY), ("-0", -0.0)] {
        encoder.set_attribute(key, Value::F64(number), &limits);
    }
    let span = Span::decode(encoder.encode(0).as_bytes().clone()).unwrap();
    let numbers: Vec<_> = span
        .attributes
        .into_iter()
        .map(|it| match it.value.unwrap().value.unwrap() {
            opentelemetry_proto::tonic::common::v1::any_value::Value::DoubleValue(it) => it,
            other => panic!("{other:?}"),
        })
        .collect();
    assert!(numbers[0].is_nan());
    assert_eq!(numbers[1], f64::INFINITY);
    assert_eq!(numbers[2].to_bits(), (-0.0f64).to_bits());
}

#[test]
fn a_clone_of_an_encoded_span_shares_its_bytes() {
    let span = SpanEncoder::default().encode(7);
    assert_eq!(span.clone().as_bytes().as_ptr(), span.as_bytes().as_ptr());
    let bytes = Bytes::from(span.clone());
    assert_eq!(bytes.as_ptr(), span.as_bytes().as_ptr());
}
