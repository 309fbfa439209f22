//! Table 1.5, row by row, and the hints of messages.

use std::time::SystemTime;

use otlp_core::wire::response::Status;
use otlp_testing::{RawAnswer, RawServer, Reply, Server};

use super::*;

#[tokio::test]
async fn every_status_has_the_outcome_of_the_table() {
    // H8, W12
    let server = Server::start();
    let exporter = exporter(server.http_endpoint());
    for status in (300..=308).chain(400..=431).chain([451]).chain(500..=511).chain([599]) {
        server.respond_with(Reply::http(status));
        let outcome = export(&exporter).await;
        let retryable = [429, 502, 503, 504].contains(&status);
        assert_eq!(is_retryable(&outcome), retryable, "{status}: {outcome:?}");
        assert_eq!(is_too_large(&outcome), status == 413, "{status}: {outcome:?}");
        assert_eq!(is_permanent(&outcome), !retryable && status != 413, "{status}: {outcome:?}");
        assert_eq!(kind(&outcome), Some(ErrorKind::HttpStatus(status)));
        assert!(message(&outcome).contains(&status.to_string()), "{outcome:?}");
    }
}

#[tokio::test]
async fn retry_after_is_read_as_seconds_and_as_a_date() {
    // H7
    let server = Server::start();
    let exporter = exporter(server.http_endpoint());
    let after = async |status, value: &str| {
        server.respond_with(Reply::http(status).with_header("retry-after", value));
        match export(&exporter).await {
            Outcome::Retryable { retry_after, .. } => retry_after,
            other => panic!("{other:?}"),
        }
    };
    assert_eq!(after(503, "7").await, Some(Duration::from_secs(7)));
    assert_eq!(after(429, "0").await, Some(Duration::ZERO));
    assert_eq!(after(503, "9223372036854775808").await, Some(Duration::from_secs(1 << 63)));
    assert_eq!(after(503, "99999999999999999999").await, Some(Duration::from_secs(u64::MAX)));
    assert_eq!(after(503, "soon").await, None);
    let date = httpdate::fmt_http_date(SystemTime::now() + Duration::from_secs(3600));
    let wait = after(503, &date).await.unwrap();
    assert!(wait > Duration::from_secs(3000) && wait <= Duration::from_secs(3600), "{wait:?}");
    assert_eq!(after(503, "Sun, 06 Nov 1994 08:49:37 GMT").await, Some(Duration::ZERO));
}

#[tokio::test]
async fn the_words_of_a_status_body_are_shown_and_change_nothing() {
    // H9, H12
    let server = Server::start();
    let exporter = exporter(server.http_endpoint());
    let status = Status { code: 14, message: "bad\nspan".to_owned(), retry_delay: None };
    let reply = Reply::http(400).with_header("content-type", "application/x-protobuf");
    server.respond_with(reply.with_body(status.encode()));
    let outcome = export(&exporter).await;
    assert!(is_permanent(&outcome), "{outcome:?}");
    assert!(message(&outcome).contains("400 Bad Request: bad\\nspan"), "{outcome:?}");

    let delay = Some(Duration::from_secs(9));
    let status = Status { code: 14, message: "full".to_owned(), retry_delay: delay };
    let reply = Reply::http(503).with_header("content-type", "application/x-protobuf");
    server.respond_with(reply.with_body(status.encode()));
    let outcome = export(&exporter).await;
    assert!(matches!(outcome, Outcome::Retryable { retry_after, .. } if retry_after == delay));
}

#[tokio::test]
async fn plain_words_are_escaped_and_cut_and_binary_is_left_out() {
    let server = Server::start();
    let exporter = exporter(server.http_endpoint());
    let said = async |body: Vec<u8>| {
        let reply = Reply::http(400).with_header("content-type", "text/plain");
        server.respond_with(reply.with_body(body));
        message(&export(&exporter).await)
    };
    assert!(said(b"no\x1b[31m tenant".to_vec()).await.contains("no\\u{1b}[31m tenant"));
    assert!(said(vec![b'x'; 50_000]).await.len() < 500);
    assert!(said((0..200).collect()).await.len() < 200);
}

#[tokio::test]
async fn redirects_are_not_followed_and_carry_no_credentials() {
    // S4
    let (server, elsewhere) = (Server::start(), Server::start());
    let target = format!("{}/v1/traces?key=s3cr3t", elsewhere.http_endpoint());
    server.respond_with(otlp_testing::Script::always(Reply::redirect(&target)));
    let exporter = built(builder(server.http_endpoint()).with_header("x-api-key", "s3cr3t"));
    let outcome = export(&exporter).await;
    assert!(is_permanent(&outcome), "{outcome:?}");
    assert_eq!(kind(&outcome), Some(ErrorKind::HttpStatus(307)));
    let text = message(&outcome);
    assert!(text.contains(&elsewhere.http_endpoint()) && text.contains("not followed"), "{text}");
    assert!(!text.contains("s3cr3t"), "{text}");
    assert_eq!((server.counts().arrived, elsewhere.connections()), (1, 0));
}

#[tokio::test]
async fn a_wrong_path_is_named_with_the_right_one() {
    let server = Server::start();
    let exporter =
        built(HttpExporter::builder(Signal::Traces).with_exact_url(server.http_endpoint()));
    let outcome = export(&exporter).await;
    assert!(is_permanent(&outcome), "{outcome:?}");
    let text = message(&outcome);
    let tried = format!("POST {}/: 404", server.http_endpoint());
    assert!(text.contains(&tried) && text.contains("/v1/traces"), "{text}");
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
    let outcome = export(&exporter("http://no-such-host.invalid:4318")).await;
    assert!(is_retryable(&outcome) && kind(&outcome) == Some(ErrorKind::Connect), "{outcome:?}");
    let text = message(&outcome);
    assert!(text.contains("no-such-host.invalid") && text.contains("dns"), "{text}");
}

#[tokio::test]
async fn a_grpc_port_is_recognised() {
    let server = Server::start();
    let outcome = export(&exporter(server.grpc_endpoint())).await;
    assert!(is_retryable(&outcome), "{outcome:?}");
    let text = message(&outcome);
    assert!(text.contains("one for gRPC"), "{text}");
}
