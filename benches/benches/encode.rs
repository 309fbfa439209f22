//! From spans to the bytes of a request, and what a copy of a span costs.

#![allow(missing_docs, reason = "criterion's macros write undocumented items")]

use std::hint::black_box;
use std::time::UNIX_EPOCH;

use bytes::Bytes;
use criterion::{BatchSize, BenchmarkId, Criterion, Throughput, criterion_group, criterion_main};
use opentelemetry::Value as ApiValue;
use opentelemetry_proto::tonic::collector::trace::v1::ExportTraceServiceRequest;
use opentelemetry_proto::transform::common::tonic::ResourceAttributesWithSchema;
use opentelemetry_sdk::Resource;
use opentelemetry_sdk::trace::SpanData;
use otlp_benches::peers::official;
use otlp_benches::workload::Work;
use otlp_core::span::{SpanEncoder, SpanIdentity, SpanKind};
use otlp_core::wire::Value;
use otlp_core::wire::envelope::{ResourceHeader, ScopeHeader, ScopeItems, build_request};
use otlp_core::{Payload, Signal, SpanLimits};
use prost::Message;

criterion_group!(benches, encode, clone);
criterion_main!(benches);

/// What the default configurations put into one request.
const BATCH: usize = 512;

fn encode(criterion: &mut Criterion) {
    let spans = official::made(Work::Root { attributes: 10 }, BATCH);
    let (resource, ours) = (theirs_resource(), Ours::new());
    assert_same_spans(&ours.request(&spans), &official::encode(spans.clone(), &resource));

    let mut group = criterion.benchmark_group("encode");
    group.throughput(Throughput::Elements(BATCH as u64));
    group.bench_function("ours", |bencher| {
        bencher.iter(|| ours.request(black_box(&spans)));
    });
    group.bench_function("official", |bencher| {
        // It consumes the spans; the copies are made outside the clock.
        let encode = |spans| official::encode(spans, &resource);
        bencher.iter_batched(|| spans.clone(), encode, BatchSize::SmallInput);
    });
    group.finish();
}

fn clone(criterion: &mut Criterion) {
    let mut group = criterion.benchmark_group("clone");
    for attributes in [0, 10, 100] {
        let spans = official::made(Work::Root { attributes }, 1);
        let encoded: Vec<_> = spans.iter().map(|span| recorded(span).encode(end(span))).collect();
        group.bench_function(BenchmarkId::new("ours", attributes), |bencher| {
            bencher.iter(|| black_box(&encoded).clone());
        });
        group.bench_function(BenchmarkId::new("official", attributes), |bencher| {
            bencher.iter(|| black_box(&spans).clone());
        });
    }
    let request = Ours::new().request(&official::made(Work::Root { attributes: 10 }, BATCH));
    group.bench_function(BenchmarkId::new("ours", "request of 512 spans"), |bencher| {
        bencher.iter(|| black_box(&request).clone());
    });
    group.finish();
}

/// Our headers, made once as a provider does.
struct Ours {
    resource: ResourceHeader,
    scope: ScopeHeader,
    limits: SpanLimits,
}

impl Ours {
    fn new() -> Self {
        Self {
            resource: ResourceHeader::encode([("service.name", Value::Str("bench"))], ""),
            scope: ScopeHeader::encode("bench", "", [], ""),
            limits: SpanLimits::default(),
        }
    }

    /// The way of spans that exist as values; the SDK encodes while it records.
    fn request(&self, spans: &[SpanData]) -> Payload {
        let (mut encoder, mut items) = (SpanEncoder::default(), Vec::with_capacity(256 << 10));
        for span in spans {
            record(&mut encoder, span, &self.limits);
            encoder.put_item(end(span), &mut items);
            encoder.clear();
        }
        let scope = ScopeItems { scope: &self.scope, items: vec![items.into()] };
        build_request(Signal::Traces, &self.resource, &[scope], spans.len())
    }
}

fn recorded(span: &SpanData) -> SpanEncoder {
    let mut encoder = SpanEncoder::default();
    record(&mut encoder, span, &SpanLimits::default());
    encoder
}

fn record(encoder: &mut SpanEncoder, span: &SpanData, limits: &SpanLimits) {
    let context = &span.span_context;
    let identity = SpanIdentity {
        trace_id: context.trace_id().to_bytes(),
        span_id: context.span_id().to_bytes(),
        trace_flags: context.trace_flags().to_u8(),
        ..SpanIdentity::default()
    };
    let start = nanos(span.start_time.duration_since(UNIX_EPOCH).ok());
    encoder.start(identity, span.name.clone(), SpanKind::Internal, start);
    for attribute in &span.attributes {
        let value = match &attribute.value {
            ApiValue::String(text) => Value::Str(text.as_str()),
            ApiValue::I64(number) => Value::I64(*number),
            ApiValue::F64(number) => Value::F64(*number),
            ApiValue::Bool(flag) => Value::Bool(*flag),
            _ => Value::Empty,
        };
        encoder.set_attribute(attribute.key.as_str(), value, limits);
    }
}

fn end(span: &SpanData) -> u64 {
    nanos(span.end_time.duration_since(UNIX_EPOCH).ok())
}

fn nanos(since_epoch: Option<std::time::Duration>) -> u64 {
    since_epoch.and_then(|time| u64::try_from(time.as_nanos()).ok()).unwrap_or(0)
}

fn theirs_resource() -> ResourceAttributesWithSchema {
    (&Resource::builder_empty().with_service_name("bench").build()).into()
}

/// Both sides are timed only if they make the same spans, with the same attributes.
fn assert_same_spans(ours: &Payload, theirs: &[u8]) {
    let spans = |request: Bytes| {
        let request = ExportTraceServiceRequest::decode(request).unwrap_or_default();
        let scopes = request.resource_spans.into_iter().flat_map(|spans| spans.scope_spans);
        scopes.flat_map(|scope| scope.spans).collect::<Vec<_>>()
    };
    let ours = spans(ours.rope().to_bytes());
    let theirs = spans(Bytes::copy_from_slice(theirs));
    assert_eq!(ours.len(), BATCH);
    for (our, their) in ours.iter().zip(&theirs) {
        assert_eq!((&our.trace_id, &our.span_id), (&their.trace_id, &their.span_id));
        assert_eq!((our.start_time_unix_nano, our.end_time_unix_nano), times(their));
        assert_eq!((&our.name, &our.attributes), (&their.name, &their.attributes));
    }
}

fn times(span: &opentelemetry_proto::tonic::trace::v1::Span) -> (u64, u64) {
    (span.start_time_unix_nano, span.end_time_unix_nano)
}
