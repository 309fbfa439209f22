//! The protocol over gRPC, frame by frame.

use std::time::Duration;

use opentelemetry_proto::tonic::collector::trace::v1::ExportTraceServiceResponse;
use otlp_collector::receivers::otlp::{OtlpReceiver, OtlpSettings, Transport};
use otlp_core::Signal;
use otlp_core::export::{ErrorKind, ExportError, Outcome};
use otlp_testing::oracle;
use prost::Message as _;

use crate::support::{Grpc, Site, bytes_of, deflate, frame, gzip, soon, three_of, traces, zstd};

#[tokio::test]
async fn every_signal_arrives_as_it_was_sent_and_full_success_has_no_content() {
    // G1, W11
    let site = Site::start().await;
    let client = Grpc::to(site.grpc()).await;
    for signal in Signal::ALL {
        let (protobuf, _) = three_of(signal);
        let reply = client.export(signal, &[], &frame(0, &protobuf)).await;
        assert_eq!((reply.http_status, reply.status()), (200, 0), "{reply:?}");
        assert_eq!(reply.headers["content-type"], "application/grpc");
        assert_eq!(reply.body, &[0; 5][..]);
        let payload = site.taken().pop().unwrap();
        assert_eq!((payload.signal(), payload.items()), (signal, 3));
        assert_eq!(bytes_of(&payload), protobuf);
        assert_eq!(oracle::Message::of(&payload).unwrap().items(), 3);
        site.recorder.taken.lock().clear();
    }
    drop(client);
    let counters = site.end().await;
    for signal in Signal::ALL {
        let counts = counters.of(Transport::Grpc, signal);
        assert_eq!((counts.accepted_requests, counts.accepted_items), (1, 3));
        assert_eq!((counts.refused_requests, counts.failed_requests), (0, 0));
    }
}

#[tokio::test]
async fn every_compression_is_inflated() {
    // W1
    let site = Site::start().await;
    let client = Grpc::to(site.grpc()).await;
    let request = traces(1000).encode_to_vec();
    let forms = [
        ("gzip", gzip(&request)),
        ("zstd", zstd(&request)),
        ("deflate", deflate(&request)),
        ("GZIP", gzip(&request)),
    ];
    for (encoding, body) in forms {
        let headers = [("grpc-encoding", encoding)];
        let reply = client.export(Signal::Traces, &headers, &frame(1, &body)).await;
        assert_eq!(reply.status(), 0, "{encoding}: {}", reply.message());
        assert_eq!(bytes_of(&site.taken().pop().unwrap()), request);
        // A message may do without what the call has named.
        let reply = client.export(Signal::Traces, &headers, &frame(0, &request)).await;
        assert_eq!(reply.status(), 0);
    }
    let plain = frame(0, &request);
    let reply = client.export(Signal::Traces, &[("grpc-encoding", "identity")], &plain).await;
    assert_eq!(reply.status(), 0);
    drop(client);
    site.recorder.taken.lock().clear();
    site.end().await;
}

#[tokio::test]
async fn an_empty_request_is_a_success_that_nobody_is_told_of() {
    // W3, W4
    let site = Site::start().await;
    let client = Grpc::to(site.grpc()).await;
    for request in [Vec::new(), traces(0).encode_to_vec()] {
        let reply = client.export(Signal::Traces, &[], &frame(0, &request)).await;
        assert_eq!((reply.status(), reply.body.len()), (0, 5));
    }
    assert!(site.taken().is_empty());
    drop(client);
    site.end().await;
}

#[tokio::test]
async fn partial_success_and_warnings_reach_the_client() {
    // W10, W11
    let site = Site::start().await;
    let client = Grpc::to(site.grpc()).await;
    let request = frame(0, &traces(3).encode_to_vec());
    let partial = async || {
        let reply = client.export(Signal::Traces, &[], &request).await;
        assert_eq!(reply.status(), 0);
        let response = ExportTraceServiceResponse::decode(&reply.body[5..]).unwrap();
        response.partial_success.map(|partial| (partial.rejected_spans, partial.error_message))
    };
    site.answer_with(|| Outcome::partly_rejected(2, "too old".to_owned()));
    assert_eq!(partial().await, Some((2, "too old".to_owned())));
    site.answer_with(|| Outcome::warned("slow".to_owned()));
    assert_eq!(partial().await, Some((0, "slow".to_owned())));
    site.answer_with(|| Outcome::partly_rejected(0, String::new()));
    assert_eq!(partial().await, None, "nothing rejected and nothing said is full success");
    drop(client);
    let counts = site.end().await.of(Transport::Grpc, Signal::Traces);
    assert_eq!((counts.accepted_items, counts.failed_items), (7, 2));
}

#[tokio::test]
async fn every_outcome_has_its_status_and_a_hint_where_it_may_pass() {
    // G7, G8, G9
    let site = Site::start().await;
    let client = Grpc::to(site.grpc()).await;
    let request = frame(0, &traces(1).encode_to_vec());
    let error = || ExportError::new(ErrorKind::Other, "the next hop says 100 % näh\n");
    let asked = move || Outcome::Retryable {
        error: error(),
        retry_after: Some(Duration::from_millis(300)),
    };
    let bad = || Outcome::permanent(ExportError::new(ErrorKind::HttpStatus(400), "bad"));
    type Case = (Box<dyn Fn() -> Outcome + Send>, i32, Option<Duration>);
    let cases: [Case; 5] = [
        (Box::new(move || Outcome::retryable(error())), 14, Some(Duration::from_secs(1))),
        (Box::new(asked), 14, Some(Duration::from_millis(300))),
        (Box::new(move || Outcome::permanent(error())), 13, None),
        (Box::new(bad), 3, None),
        (Box::new(move || Outcome::TooLarge { error: error() }), 8, None),
    ];
    for (outcome, status, delay) in cases {
        *site.recorder.outcome.lock() = outcome;
        let reply = client.export(Signal::Traces, &[], &request).await;
        assert_eq!(reply.status(), status, "{reply:?}");
        assert_eq!(reply.retry_delay(), delay);
        if status == 3 {
            let details = reply.details();
            assert_eq!(details.code, 3);
            assert!(details.details[0].type_url.ends_with("google.rpc.BadRequest"));
        } else {
            assert_eq!(reply.message(), r"the next hop says 100 %25 n%C3%A4h\n");
        }
    }
    drop(client);
    let counts = site.end().await.of(Transport::Grpc, Signal::Traces);
    assert_eq!((counts.refused_requests, counts.refused_items), (2, 2));
    assert_eq!((counts.failed_requests, counts.failed_items), (3, 3));
}

#[tokio::test]
async fn what_is_not_otlp_is_an_invalid_argument_with_its_reason() {
    // G8
    let site = Site::start().await;
    let client = Grpc::to(site.grpc()).await;
    let whole = traces(3).encode_to_vec();
    let bad_utf8 = b"\x0a\x08\x12\x06\x12\x04\x2a\x02h\xff".to_vec();
    let bad_id = b"\x0a\x08\x12\x06\x12\x04\x0a\x02hi".to_vec();
    for wrong in [whole[..whole.len() - 1].to_vec(), bad_utf8, bad_id, b"\xff".to_vec()] {
        let reply = client.export(Signal::Traces, &[], &frame(0, &wrong)).await;
        assert_eq!(reply.status(), 3, "{reply:?}");
        assert!(!reply.message().is_empty());
        let details = reply.details();
        assert!(details.details[0].type_url.ends_with("google.rpc.BadRequest"));
    }
    drop(client);
    let counts = site.end().await.of(Transport::Grpc, Signal::Traces);
    assert_eq!(counts.failed_requests, 4);
}

#[tokio::test]
async fn unknown_methods_and_signals_without_a_pipeline_are_unimplemented() {
    let site = Site::start().await;
    let client = Grpc::to(site.grpc()).await;
    let grpc = [("content-type", "application/grpc+proto")];
    for path in [
        "/opentelemetry.proto.collector.trace.v1.TraceService/Import",
        "/opentelemetry.proto.collector.profiles.v1development.ProfilesService/Export",
        "/",
    ] {
        let reply = client.send("POST", path, &grpc, &frame(0, b"")).await;
        assert_eq!((reply.http_status, reply.status()), (200, 12), "{path}");
    }
    drop(client);
    site.end().await;

    let running = OtlpReceiver::new(OtlpSettings::on_free_ports())
        .start(Default::default(), otlp_collector::admission::Budget::new(1 << 20))
        .await
        .unwrap();
    let client = Grpc::to(running.grpc_addr().unwrap()).await;
    let reply = client.export(Signal::Logs, &[], &frame(0, b"")).await;
    assert_eq!(reply.status(), 12);
    drop(client);
    running.stop(Duration::from_secs(5)).await;
}

#[tokio::test]
async fn what_is_no_grpc_is_refused_in_the_terms_of_http() {
    let site = Site::start().await;
    let client = Grpc::to(site.grpc()).await;
    let path = Signal::Traces.grpc_path();
    let reply = client.send("POST", path, &[("content-type", "text/plain")], b"x").await;
    assert_eq!(reply.http_status, 415);
    let reply = client.send("POST", path, &[], b"x").await;
    assert_eq!(reply.http_status, 415);
    let reply = client.send("GET", path, &[("content-type", "application/grpc")], b"").await;
    assert_eq!((reply.http_status, reply.headers["allow"].as_bytes()), (405, &b"POST"[..]));
    drop(client);
    site.end().await;
}

#[tokio::test]
async fn frames_that_are_not_one_whole_message_are_refused() {
    let site = Site::start().await;
    let client = Grpc::to(site.grpc()).await;
    let message = traces(1).encode_to_vec();
    let whole = frame(0, &message);
    let two = [whole.clone(), whole.clone()].concat();
    let longer = [&[0, 0, 0, 1, 0], message.as_slice()].concat();
    type Case<'a> = (&'a str, Vec<u8>, &'a [(&'a str, &'a str)], i32);
    let cases: [Case<'_>; 8] = [
        ("no message", Vec::new(), &[], 12),
        ("two messages", two, &[], 12),
        ("half a prefix", whole[..3].to_vec(), &[], 3),
        ("truncated", whole[..whole.len() - 1].to_vec(), &[], 3),
        ("shorter than it says", longer, &[], 3),
        ("compressed without an encoding", frame(1, &gzip(&message)), &[], 13),
        ("a flag that does not exist", frame(2, &message), &[], 13),
        ("not what it says", frame(1, &message), &[("grpc-encoding", "gzip")], 3),
    ];
    for (what, body, headers, status) in cases {
        let reply = client.export(Signal::Traces, headers, &body).await;
        assert_eq!(reply.status(), status, "{what}: {reply:?}");
    }
    let snappy = [("grpc-encoding", "snappy")];
    let reply = client.export(Signal::Traces, &snappy, &frame(1, &message)).await;
    assert_eq!(reply.status(), 12);
    // grpc-js stops compressing where there is a blank.
    assert_eq!(reply.headers["grpc-accept-encoding"], "gzip,zstd,deflate,identity");
    assert!(site.taken().is_empty());
    drop(client);
    site.end().await;
}

#[tokio::test]
async fn pipelined_calls_are_served_together() {
    // G3
    let site = Site::start().await;
    let client = Grpc::to(site.grpc()).await;
    let request = frame(0, &traces(10).encode_to_vec());
    // With the first answer the client has our settings, and keeps to the number of streams in them.
    assert_eq!(client.export(Signal::Traces, &[], &request).await.status(), 0);
    let calls = (0..299).map(|_| client.export(Signal::Traces, &[], &request));
    let replies = soon(futures_util::future::join_all(calls)).await;
    assert!(replies.iter().all(|reply| reply.status() == 0));
    drop(client);
    site.recorder.taken.lock().clear();
    let counts = site.end().await.of(Transport::Grpc, Signal::Traces);
    assert_eq!((counts.accepted_requests, counts.accepted_items), (300, 3000));
}

#[tokio::test]
async fn a_panic_in_the_pipeline_is_answered_and_counted_and_nothing_else() {
    let site = Site::start().await;
    let client = Grpc::to(site.grpc()).await;
    let request = frame(0, &traces(1).encode_to_vec());
    site.answer_with(|| panic!("on purpose"));
    for _ in 0..2 {
        let reply = client.export(Signal::Traces, &[], &request).await;
        assert_eq!(reply.status(), 13);
        assert!(!reply.message().contains("purpose"));
    }
    site.answer_with(Outcome::delivered);
    assert_eq!(client.export(Signal::Traces, &[], &request).await.status(), 0);
    drop(client);
    let counters = site.running.stop(Duration::from_secs(5)).await;
    assert_eq!(counters.connections.panics, 2);
    site.recorder.taken.lock().clear();
    assert_eq!(site.budget.used(), 0);
}

#[tokio::test]
async fn a_pipeline_that_does_not_answer_in_the_time_of_the_client_is_a_retryable_failure() {
    let site = Site::start().await;
    site.hold();
    let client = Grpc::to(site.grpc()).await;
    let request = frame(0, &traces(1).encode_to_vec());
    let reply = client.export(Signal::Traces, &[("grpc-timeout", "100m")], &request).await;
    assert_eq!(reply.status(), 14, "{reply:?}");
    assert!(reply.retry_delay().is_some());
    drop(client);
    site.end().await;
}
