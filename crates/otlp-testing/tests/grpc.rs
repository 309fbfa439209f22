//! The server over gRPC, seen by the generated client.

mod support;

use std::time::Duration;

use opentelemetry_proto::tonic::collector::logs::v1::ExportLogsServiceRequest;
use opentelemetry_proto::tonic::collector::logs::v1::logs_service_client::LogsServiceClient;
use opentelemetry_proto::tonic::logs::v1::{LogRecord, ResourceLogs, ScopeLogs};
use otlp_core::Signal;
use otlp_testing::{Gate, Reply, Script, Server, Transport};
use support::{PATIENCE, grpc, request};
use tonic::codec::CompressionEncoding;
use tonic::{Code, Request};
use tonic_types::StatusExt as _;

#[tokio::test]
async fn a_span_arrives_with_its_resource_scope_and_metadata() {
    let server = Server::start();
    let mut client = grpc(&server.grpc_endpoint()).await;
    let mut sent = Request::new(request([1, 2]));
    sent.metadata_mut().insert("x-tenant", "blue".parse().unwrap());
    let answer = client.export(sent).await.unwrap().into_inner();
    // W11
    assert_eq!(answer.partial_success, None);

    let spans = server.spans();
    let names: Vec<_> = spans.iter().map(|span| span.name()).collect();
    assert_eq!(names, ["span 1", "span 2"]);
    let first = &spans[0];
    assert_eq!(first.service_name(), "shop");
    assert_eq!(first.scope.name, "tests");
    assert_eq!(first.attribute_text("n").as_deref(), Some("1"));
    assert_eq!(first.request.header("x-tenant"), Some("blue"));
    assert_eq!(first.request.transport, Transport::Grpc);
    let counts = server.counts_of(Transport::Grpc);
    assert_eq!((counts.arrived, counts.answered, counts.accepted, counts.items), (1, 1, 1, 2));
    assert_eq!(counts.wire_bytes, counts.message_bytes + 5);
    assert_eq!(server.counts_of(Transport::Http), Default::default());
    assert!(server.problems().is_empty());
}

#[tokio::test]
async fn gzip_and_zstd_are_accepted_and_shrink_the_body() {
    let server = Server::builder().with_compressed_answers().start().unwrap();
    let client = grpc(&server.grpc_endpoint()).await;
    for encoding in [CompressionEncoding::Gzip, CompressionEncoding::Zstd] {
        server.clear();
        let client = client.clone().send_compressed(encoding);
        client.accept_compressed(CompressionEncoding::Gzip).export(request(0..200)).await.unwrap();
        assert_eq!(server.spans().len(), 200);
        let counts = server.counts();
        assert!(counts.wire_bytes < counts.message_bytes / 2, "{encoding:?}: {counts:?}");
    }
}

#[tokio::test]
async fn logs_are_counted_by_their_records() {
    let server = Server::start();
    let mut client = LogsServiceClient::connect(server.grpc_endpoint()).await.unwrap();
    let scope = ScopeLogs { log_records: vec![LogRecord::default(); 3], ..Default::default() };
    let resource = ResourceLogs { scope_logs: vec![scope], ..Default::default() };
    client.export(ExportLogsServiceRequest { resource_logs: vec![resource] }).await.unwrap();
    assert_eq!(server.items(Signal::Logs), 3);
    assert_eq!(server.items(Signal::Traces), 0);
}

#[tokio::test]
async fn a_script_is_followed_in_order_and_then_all_succeeds() {
    let server = Server::start();
    let mut client = grpc(&server.grpc_endpoint()).await;
    server.respond_with([
        Reply::grpc(14, "busy").with_retry_info(Duration::from_millis(1_500)),
        Reply::partial_success(1, "one is too old"),
        Reply::grpc(Code::InvalidArgument, "bad"),
    ]);
    let status = client.export(request([1, 2])).await.unwrap_err();
    assert_eq!((status.code(), status.message()), (Code::Unavailable, "busy"));
    // G7
    let delay = status.get_details_retry_info().unwrap().retry_delay;
    assert_eq!(delay, Some(Duration::from_millis(1_500)));
    assert!(server.spans().is_empty());

    let answer = client.export(request([1, 2])).await.unwrap().into_inner();
    let partial = answer.partial_success.unwrap();
    assert_eq!((partial.rejected_spans, partial.error_message.as_str()), (1, "one is too old"));
    assert_eq!(server.spans().len(), 1);

    assert_eq!(client.export(request([3])).await.unwrap_err().code(), Code::InvalidArgument);
    client.export(request([4])).await.unwrap();
    let accepted: Vec<_> = server.requests().iter().map(|request| request.accepted).collect();
    assert_eq!(accepted, [0, 1, 0, 1]);
}

#[tokio::test]
async fn a_closure_decides_by_the_request() {
    let server = Server::start();
    let mut client = grpc(&server.grpc_endpoint()).await;
    server.respond_with(Script::call(|request| match request.items() {
        0..=2 => Reply::ok(),
        _ => Reply::grpc(Code::ResourceExhausted, "too many"),
    }));
    client.export(request([1, 2])).await.unwrap();
    let refused = client.export(request([3, 4, 5])).await.unwrap_err();
    assert_eq!(refused.code(), Code::ResourceExhausted);
    assert_eq!(server.spans().len(), 2);
}

#[tokio::test]
async fn a_gate_holds_the_answer_and_the_data() {
    let server = Server::start();
    let gate = Gate::new();
    server.respond_with(Reply::ok().after(&gate));
    let mut client = grpc(&server.grpc_endpoint()).await;
    let export = tokio::spawn(async move { client.export(request([1])).await });
    assert!(gate.waiting_reaches(1, PATIENCE).await);
    assert!(server.spans().is_empty());
    assert_eq!(server.in_flight(), 1);
    gate.open();
    export.await.unwrap().unwrap();
    assert_eq!(server.spans().len(), 1);
    assert_eq!(server.in_flight_max(), 1);
}

#[tokio::test]
async fn a_paused_server_takes_requests_and_answers_when_it_is_resumed() {
    let server = Server::start();
    server.pause();
    let mut client = grpc(&server.grpc_endpoint()).await;
    let export = tokio::spawn(async move { client.export(request([1])).await });
    server.until(PATIENCE, |log| log.counts().arrived == 1).await.unwrap();
    assert_eq!(server.counts().answered, 0);
    server.resume();
    export.await.unwrap().unwrap();
    assert_eq!(server.counts().answered, 1);
}

#[tokio::test]
async fn a_closed_connection_is_an_error_and_the_next_call_works() {
    let server = Server::start();
    server.respond_with([Reply::close(), Reply::close().with_data_taken()]);
    let mut client = grpc(&server.grpc_endpoint()).await;
    client.export(request([1])).await.unwrap_err();
    assert!(server.spans().is_empty());
    // A client that reconnects in the background may need more than one try to be there again.
    client.export(request([2])).await.unwrap_err();
    while server.spans().is_empty() {
        client.export(request([2])).await.ok();
    }
    client.export(request([2])).await.unwrap();
    // W9
    assert!(!server.duplicate_spans().is_empty());
    assert!(server.connections() >= 3);
}

#[tokio::test]
async fn never_is_never_until_the_server_stops() {
    let server = Server::start();
    server.respond_with(Reply::never());
    let mut client = grpc(&server.grpc_endpoint()).await;
    let export = tokio::spawn(async move { client.export(request([1])).await });
    server.until(PATIENCE, |log| log.counts().arrived == 1).await.unwrap();
    assert_eq!((server.counts().answered, server.in_flight()), (0, 1));
    server.kill();
    export.await.unwrap().unwrap_err();
    assert_eq!(server.in_flight(), 0);
}

#[tokio::test]
async fn answers_that_are_no_protobuf_are_errors() {
    let server = Server::start();
    let mut client = grpc(&server.grpc_endpoint()).await;
    let replies = [
        Reply::garbage(),
        Reply::cut_body(),
        Reply::endless_body(10 << 30),
        Reply::gzip_bomb(64 << 20),
        Reply::huge_trailers(1 << 20),
        Reply::http(503).with_body("upstream connect error"),
        Reply::http(200).with_trailer("grpc-status", "99"),
    ];
    for reply in replies {
        let name = format!("{reply:?}");
        server.respond_with(reply);
        let mut client = client.clone().accept_compressed(CompressionEncoding::Gzip);
        let status = client.export(request([1])).await;
        assert!(status.is_err(), "{}", &name[..name.len().min(200)]);
    }
    server.respond_with([]);
    client.export(request([1])).await.unwrap();
    assert_eq!(server.spans().len(), 1);
}

#[tokio::test]
async fn a_cut_body_is_a_reset_stream_not_an_end() {
    let server = Server::start();
    server.respond_with(Reply::cut_body());
    let response = support::http_2(&server.grpc_endpoint(), &[0, 0, 0, 0, 0]).await;
    assert_eq!(response.status(), 200);
    response.bytes().await.unwrap_err();
}

#[tokio::test]
async fn details_go_out_as_they_are_given() {
    let server = Server::start();
    server.respond_with(
        Reply::grpc(14, "odd").with_details(&[0x1a, 0xff, 0xff, 0xff, 0xff, 0x07][..]),
    );
    let mut client = grpc(&server.grpc_endpoint()).await;
    let status = client.export(request([1])).await.unwrap_err();
    assert_eq!(status.details(), [0x1a, 0xff, 0xff, 0xff, 0xff, 0x07]);
}

#[tokio::test]
async fn a_request_that_does_not_decode_is_a_problem_not_a_request() {
    let server = Server::start();
    let reply = support::http_2(&server.grpc_endpoint(), &[0, 0, 0, 0, 2, 0xff, 0xff]).await;
    assert_eq!(reply.headers().get("grpc-status").unwrap(), "13");
    assert_eq!(server.counts().arrived, 0);
    let problems = server.problems();
    assert_eq!(problems.len(), 1, "{problems:?}");
    assert!(problems[0].contains("TraceService/Export"), "{problems:?}");
}

#[tokio::test]
async fn a_server_comes_back_on_its_ports_and_remembers() {
    let server = Server::start();
    let endpoint = server.grpc_endpoint();
    grpc(&endpoint).await.export(request([1])).await.unwrap();
    server.stop();
    server.stop();
    let refused =
        tonic::transport::Endpoint::from_shared(endpoint.clone()).unwrap().connect().await;
    refused.unwrap_err();
    server.restart().unwrap();
    grpc(&endpoint).await.export(request([2])).await.unwrap();
    assert_eq!(server.grpc_endpoint(), endpoint);
    assert_eq!(server.spans().len(), 2);
}

#[tokio::test]
async fn another_server_takes_the_ports_of_one_that_is_gone() {
    let first = Server::start();
    let ports = (first.grpc_addr().port(), first.http_addr().port());
    assert!(Server::start_at(ports.0, ports.1).is_err());
    drop(first);
    let second = Server::start_at(ports.0, ports.1).unwrap();
    grpc(&second.grpc_endpoint()).await.export(request([1])).await.unwrap();
    assert_eq!(second.spans().len(), 1);
}

#[tokio::test]
async fn stopping_answers_what_is_under_way() {
    let server = std::sync::Arc::new(Server::start());
    let gate = Gate::new();
    server.respond_with(Reply::ok().after(&gate));
    let mut client = grpc(&server.grpc_endpoint()).await;
    let export = tokio::spawn(async move { client.export(request([1])).await });
    assert!(gate.waiting_reaches(1, PATIENCE).await);
    let stopping = std::sync::Arc::clone(&server);
    let stopped = tokio::task::spawn_blocking(move || stopping.stop());
    gate.open();
    stopped.await.unwrap();
    export.await.unwrap().unwrap();
    assert_eq!(server.spans().len(), 1);
}

#[test]
fn waiting_in_vain_says_what_had_arrived() {
    let server = Server::start();
    let error = server.wait_for_spans(1, Duration::from_millis(1)).unwrap_err();
    assert!(error.to_string().contains("0 requests had arrived"), "{error}");
}

#[tokio::test(start_paused = true)]
async fn waiting_does_not_run_a_paused_clock_ahead() {
    let server = Server::start();
    let before = tokio::time::Instant::now();
    let other_timer = tokio::spawn(tokio::time::sleep(Duration::from_secs(3600)));
    server.until(Duration::from_millis(20), |_| false).await.unwrap_err();
    assert_eq!(before.elapsed(), Duration::ZERO);
    other_timer.abort();
}
