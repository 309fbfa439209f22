//! Table 1.5, row by row, and the hints of messages.

use bytes::Bytes;
use otlp_core::export::Outcome;
use otlp_testing::{RawAnswer, RawServer, Reply, Server};

use super::*;

#[tokio::test]
async fn every_status_code_has_the_outcome_of_the_table() {
    // G5, W12
    let server = Server::start();
    let exporter = exporter(server.grpc_endpoint());
    for code in 1..=16 {
        server.respond_with(Reply::grpc(code, "because"));
        let outcome = export(&exporter).await;
        let expected = [1, 4, 10, 11, 14, 15].contains(&code);
        assert_eq!(is_retryable(&outcome), expected, "{code}: {outcome:?}");
        assert_eq!(is_permanent(&outcome), !expected, "{code}: {outcome:?}");
        assert_eq!(kind(&outcome), Some(ErrorKind::GrpcStatus(code)));
        assert!(message(&outcome).contains("because"), "{outcome:?}");
    }
}

#[tokio::test]
async fn retry_info_makes_resource_exhausted_retryable_and_sets_the_delay() {
    // G6
    let server = Server::start();
    let exporter = exporter(server.grpc_endpoint());
    for (code, seconds) in [(8, 7), (14, 3), (8, 0), (14, u64::MAX)] {
        let delay = Duration::from_secs(seconds);
        server.respond_with(Reply::grpc(code, "full").with_retry_info(delay));
        match export(&exporter).await {
            // A protobuf duration ends at ten thousand years.
            Outcome::Retryable { retry_after: Some(after), .. } => {
                assert!(after == delay || after.as_secs() >= 300_000_000_000, "{after:?}");
            }
            other => panic!("{code}: {other:?}"),
        }
    }
    server.respond_with(Reply::grpc(13, "bug").with_retry_info(Duration::from_secs(1)));
    assert!(is_permanent(&export(&exporter).await));
}

#[tokio::test]
async fn details_that_cannot_be_read_are_no_retry_info() {
    let server = Server::start();
    let exporter = exporter(server.grpc_endpoint());
    for details in [b"".as_slice(), b"\xff\xff\xff", &[0x1a; 2000]] {
        let reply = Reply::grpc(8, "full").with_details(Bytes::copy_from_slice(details));
        server.respond_with(reply);
        assert!(is_permanent(&export(&exporter).await));
    }
    // Not even base64: the transport library's own reader would panic.
    let reply = Reply::http(200)
        .with_header("content-type", "application/grpc")
        .with_header("grpc-status", "8")
        .with_header("grpc-status-details-bin", "!!!");
    server.respond_with(reply);
    let outcome = export(&exporter).await;
    assert!(is_permanent(&outcome), "{outcome:?}");
    assert_eq!(kind(&outcome), Some(ErrorKind::GrpcStatus(8)));
}

#[tokio::test]
async fn a_server_that_calls_the_message_too_large_asks_for_smaller_ones() {
    let server = Server::start();
    let exporter = exporter(server.grpc_endpoint());
    let go = "grpc: received message larger than max (5000000 vs. 4194304)";
    server.respond_with(Reply::grpc(8, go));
    assert!(is_too_large(&export(&exporter).await));
    let tonic = "Error, decoded message length too large: found 5 bytes, the limit is: 4 bytes";
    server.respond_with(Reply::grpc(11, tonic));
    assert!(is_too_large(&export(&exporter).await));
    // A throttling server that mentions a message is still a throttling server.
    server.respond_with(Reply::grpc(8, go).with_retry_info(Duration::from_secs(1)));
    assert!(is_retryable(&export(&exporter).await));
}

#[tokio::test]
async fn an_answer_without_a_grpc_status_is_mapped_from_http() {
    let server = Server::start();
    let exporter = exporter(server.grpc_endpoint());
    for (http, code) in [
        (400, 13),
        (401, 16),
        (403, 7),
        (404, 12),
        (429, 14),
        (502, 14),
        (503, 14),
        (504, 14),
        (500, 2),
        (413, 2),
        (302, 2),
    ] {
        server.respond_with(Reply::http(http).with_body("from a proxy"));
        let outcome = export(&exporter).await;
        assert_eq!(kind(&outcome), Some(ErrorKind::GrpcStatus(code)), "{http}");
        assert_eq!(is_retryable(&outcome), code == 14, "{http}: {outcome:?}");
        assert!(message(&outcome).contains("from a proxy"), "{outcome:?}");
    }
}

#[tokio::test]
async fn messages_are_decoded_escaped_and_cut() {
    let server = Server::start();
    let exporter = exporter(server.grpc_endpoint());
    server.respond_with(Reply::grpc(3, "größer\n\u{1b}[31mred"));
    let text = message(&export(&exporter).await);
    assert!(text.contains("INVALID_ARGUMENT: größer\\n\\u{1b}[31mred"), "{text}");
    server.respond_with(Reply::grpc(3, &"x".repeat(5000)));
    let text = message(&export(&exporter).await);
    assert!(text.len() < 600, "{}", text.len());
}

#[tokio::test]
async fn a_refused_connection_names_the_address_and_the_cause() {
    let gone = RawServer::start(RawAnswer::CloseAtOnce).endpoint("http");
    let outcome = export(&exporter(gone.clone())).await;
    assert!(is_retryable(&outcome) && kind(&outcome) == Some(ErrorKind::Connect), "{outcome:?}");
    let text = message(&outcome);
    assert!(text.contains("refused") && text.contains(&gone), "{text}");
}

#[tokio::test]
async fn an_unknown_host_is_named() {
    let outcome = export(&exporter("http://no-such-host.invalid:4317")).await;
    assert!(is_retryable(&outcome) && kind(&outcome) == Some(ErrorKind::Connect), "{outcome:?}");
    let text = message(&outcome);
    assert!(text.contains("no-such-host.invalid") && text.contains("dns"), "{text}");
}

#[tokio::test]
async fn a_server_that_speaks_http_1_is_recognised() {
    let answer = b"HTTP/1.1 400 Bad Request\r\ncontent-length: 0\r\n\r\n".as_slice();
    let raw = RawServer::start(RawAnswer::OnFirstBytes(answer.into()));
    let outcome = export(&exporter(raw.endpoint("http"))).await;
    assert!(is_retryable(&outcome), "{outcome:?}");
    let text = message(&outcome);
    assert!(text.contains("does not speak HTTP/2") && text.contains("OTLP/HTTP"), "{text}");
}

#[tokio::test]
async fn the_http_port_of_a_server_is_recognised() {
    let server = Server::start();
    let outcome = export(&exporter(server.http_endpoint())).await;
    assert!(!is_delivered(&outcome), "{outcome:?}");
    assert!(message(&outcome).contains("hint:"), "{outcome:?}");
}
