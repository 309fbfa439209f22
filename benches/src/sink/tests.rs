//! The sink counts what a client of the official crates sends, and notices what is missing.

use std::time::Duration;

use opentelemetry_proto::transform::common::tonic::ResourceAttributesWithSchema;

use super::*;
use crate::client::Load;
use crate::peers::official;
use crate::subject::{Codec, Queue, Subject, Target};
use crate::workload::{self, Work};
use crate::{courier, ours};

fn inbox(validate: bool) -> Arc<Inbox> {
    Arc::new(Inbox::new(Items::Spans, validate.then_some(Expected::Workload), None))
}

fn arrived(transport: Transport, codec: Codec, validate: bool) -> SinkReport {
    let inbox = inbox(validate);
    let port = serve::start(transport, Arc::clone(&inbox)).unwrap();
    let client = official::remote(&target(transport, codec, port)).unwrap();
    client.make(Work::Root { attributes: 10 }, 700);
    client.flush().unwrap();
    client.shutdown(Duration::from_secs(30)).unwrap();
    inbox.report()
}

#[test]
fn every_transport_and_codec_is_counted_and_validated_alike() {
    for transport in [Transport::Http, Transport::Grpc] {
        for codec in [Codec::None, Codec::Gzip, Codec::Zstd] {
            for validate in [false, true] {
                let report = arrived(transport, codec, validate);
                assert_eq!(report.fault, None, "{transport:?} {codec:?}");
                assert_eq!(report.items, 700, "{transport:?} {codec:?}");
                assert!(report.requests >= 2, "batches hold at most 512: {report:?}");
            }
        }
    }
}

#[test]
fn a_span_without_its_attributes_fails_the_validation() {
    let inbox = inbox(true);
    let span = opentelemetry_proto::tonic::trace::v1::Span::default();
    inbox.take(Encoding::Identity, request_with(span));
    let fault = inbox.report().fault.unwrap();
    assert!(fault.contains("bad trace id"), "{fault}");
}

#[test]
fn damaged_bytes_are_a_fault_and_not_a_count() {
    let span = opentelemetry_proto::tonic::trace::v1::Span::default();
    let whole =
        request_with(opentelemetry_proto::tonic::trace::v1::Span { name: "x".repeat(300), ..span });
    for damaged in [whole.slice(..whole.len() - 1), Bytes::from_static(&[0xff; 11])] {
        let inbox = inbox(false);
        inbox.take(Encoding::Identity, damaged);
        let report = inbox.report();
        assert_eq!(report.items, 0);
        assert!(report.fault.is_some());
    }
}

#[test]
fn a_report_starts_the_count_anew() {
    let inbox = inbox(false);
    inbox.take(Encoding::Identity, official_batch());
    assert_eq!(inbox.report().items, 0, "an empty batch has a resource and no span");
    assert_eq!(inbox.report().requests, 0);
}

#[test]
fn both_sides_deliver_every_data_point_as_it_was_measured() {
    for load in [Load::Metrics, Load::CollectedMetrics] {
        for validate in [false, true] {
            let inbox = Inbox::new(Items::Points, validate.then_some(Expected::Workload), None);
            let inbox = Arc::new(inbox);
            let port = serve::start(Transport::Http, Arc::clone(&inbox)).unwrap();
            let target = target(Transport::Http, Codec::None, port);
            for side in [ours::bridge::courier, official::courier] {
                let client = courier::run(&mut *side(load, &target).unwrap(), 0, 1).unwrap();
                let report = inbox.report();
                assert_eq!(report.fault, None, "{load:?}");
                assert_eq!(report.items, client.ended, "{load:?}");
                assert_eq!(client.measured, workload::metrics::POINTS);
            }
        }
    }
}

#[test]
fn both_sides_deliver_every_span_of_the_batches_that_they_are_handed() {
    for transport in [Transport::Http, Transport::Grpc] {
        let inbox = inbox(true);
        let port = serve::start(transport, Arc::clone(&inbox)).unwrap();
        let target = target(transport, Codec::None, port);
        for side in [ours::bridge::courier, official::courier] {
            let mut courier = side(Load::SpanBatches, &target).unwrap();
            let client = courier::run(&mut *courier, 1, 2).unwrap();
            let report = inbox.report();
            assert_eq!(report.fault, None, "{transport:?}");
            assert_eq!(report.items, 3 * workload::BATCH as u64, "{transport:?}");
            assert!(client.account.is_none_or(|account| account.balances()));
        }
    }
}

#[test]
fn spans_where_points_are_awaited_are_a_fault() {
    let inbox = Arc::new(Inbox::new(Items::Points, None, None));
    let port = serve::start(Transport::Http, Arc::clone(&inbox)).unwrap();
    let client = official::remote(&target(Transport::Http, Codec::None, port)).unwrap();
    client.make(Work::Root { attributes: 10 }, 1);
    assert!(client.flush().is_err());
    assert!(inbox.report().fault.unwrap().contains("another path"));
}

fn target(transport: Transport, codec: Codec, port: u16) -> Target {
    let endpoint = format!("http://127.0.0.1:{port}");
    Target { transport, codec, endpoint, queue: Queue::Default }
}

fn official_batch() -> Bytes {
    official::encode(Vec::new(), &ResourceAttributesWithSchema::default()).into()
}

fn request_with(span: opentelemetry_proto::tonic::trace::v1::Span) -> Bytes {
    use opentelemetry_proto::tonic::collector::trace::v1::ExportTraceServiceRequest;
    use opentelemetry_proto::tonic::common::v1::KeyValue;
    use opentelemetry_proto::tonic::resource::v1::Resource;
    use opentelemetry_proto::tonic::trace::v1::{ResourceSpans, ScopeSpans};
    use prost::Message;

    let attributes = vec![KeyValue { key: "service.name".to_owned(), ..KeyValue::default() }];
    let resource = Some(Resource { attributes, ..Resource::default() });
    let scope_spans = vec![ScopeSpans { spans: vec![span], ..ScopeSpans::default() }];
    let resource_spans = vec![ResourceSpans { resource, scope_spans, ..ResourceSpans::default() }];
    ExportTraceServiceRequest { resource_spans }.encode_to_vec().into()
}
