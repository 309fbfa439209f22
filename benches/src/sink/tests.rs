//! The sink counts what a client of the official crates sends, and notices what is missing.

use std::time::Duration;

use opentelemetry_proto::transform::common::tonic::ResourceAttributesWithSchema;

use super::*;
use crate::peers::official;
use crate::subject::{Codec, Queue, Subject, Target};
use crate::workload::Work;

fn inbox(validate: bool) -> Arc<Inbox> {
    Arc::new(Inbox::new(Items::Spans, validate))
}

fn arrived(transport: Transport, codec: Codec, validate: bool) -> SinkReport {
    let inbox = inbox(validate);
    let port = serve::start(transport, Arc::clone(&inbox)).unwrap();
    let endpoint = format!("http://127.0.0.1:{port}");
    let target = Target { transport, codec, endpoint, queue: Queue::Default };
    let client = official::remote(&target).unwrap();
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
