//! Servers that answer wrongly, endlessly or not at all (S4).

use otlp_core::export::AnswerStatus;
use otlp_testing::{Direction, Fault, FaultProxy, RawAnswer, RawServer, Reply, Script, Server};

use super::*;

/// Exports through a proxy that counts, and says how many bytes the server got to send.
async fn answered(reply: Reply) -> (Outcome, u64) {
    let server = Server::start();
    server.respond_with(Script::always(reply));
    let proxy = FaultProxy::start(server.http_addr());
    let exporter = built(builder(proxy.endpoint("http")).with_max_response_size(1 << 20));
    let outcome = export(&exporter).await;
    drop(exporter);
    (outcome, proxy.bytes(Direction::Answer))
}

/// Limit, and what sockets and the proxy hold.
const READ_MAX: u64 = 16 << 20;

#[tokio::test]
async fn an_endless_answer_is_cut_at_the_limit() {
    // Z2, S4
    let (outcome, bytes) = answered(Reply::endless_body(10 << 30)).await;
    assert!(is_permanent(&outcome), "{outcome:?}");
    assert_eq!(kind(&outcome), Some(ErrorKind::ResponseTooLarge), "{outcome:?}");
    assert!(message(&outcome).contains("the limit for answers is 1048576 bytes"), "{outcome:?}");
    assert!(bytes < READ_MAX, "{bytes}");
    for status in [400, 503] {
        let (outcome, bytes) = answered(Reply::http(status).with_endless_body(10 << 30)).await;
        assert_eq!(kind(&outcome), Some(ErrorKind::HttpStatus(status)));
        assert_eq!(is_retryable(&outcome), status == 503, "{outcome:?}");
        assert!(bytes < READ_MAX, "{bytes}");
    }
}

#[tokio::test]
async fn a_compressed_bomb_is_cut_at_the_limit() {
    // Z2, S4
    let (outcome, _) = answered(Reply::gzip_bomb(1 << 30)).await;
    assert!(is_permanent(&outcome), "{outcome:?}");
    assert_eq!(kind(&outcome), Some(ErrorKind::ResponseTooLarge), "{outcome:?}");
    let (outcome, _) = answered(Reply::http(503).with_gzip_bomb(1 << 30)).await;
    assert!(is_retryable(&outcome), "{outcome:?}");
}

#[tokio::test]
async fn headers_without_end_are_refused() {
    // S4
    let (outcome, read) = answered(Reply::huge_trailers(16 << 20)).await;
    assert!(is_permanent(&outcome), "{outcome:?}");
    assert_eq!(kind(&outcome), Some(ErrorKind::ResponseTooLarge), "{outcome:?}");
    assert!(read < READ_MAX, "{read}");
    // The limit that was exceeded is named, and not the one for bodies.
    let text = message(&outcome);
    assert!(text.contains("headers") && text.contains("408 KiB"), "{text}");
    assert!(!text.contains(&(1 << 20).to_string()), "{text}");
}

#[tokio::test]
async fn a_success_that_cannot_be_read_is_one_with_a_warning_that_says_so() {
    let protobuf = |body: &'static str| {
        Reply::http(200).with_header("content-type", "application/x-protobuf").with_body(body)
    };
    for (reply, said) in [
        (Reply::garbage(), "varint longer than 64 bits"),
        (protobuf("accepted"), ": accepted"),
        (protobuf("x").with_header("content-encoding", "gzip"), "gzip"),
        (protobuf("x").with_header("content-encoding", "br"), "\"br\""),
    ] {
        let (outcome, _) = answered(reply).await;
        assert_eq!(outcome.status(), Some(AnswerStatus::Http(200)), "{outcome:?}");
        match outcome {
            Outcome::Delivered { warning: Some(warning), .. } => {
                assert!(warning.contains("cannot be read") && warning.contains(said), "{warning}");
            }
            other => panic!("{other:?}"),
        }
    }
}

#[tokio::test]
async fn a_web_page_is_not_taken_for_success() {
    let page = || Reply::http(200).with_header("content-type", "text/html").with_body("<h1>");
    for reply in [page(), page().with_header("content-encoding", "br")] {
        let (outcome, _) = answered(reply).await;
        assert!(is_permanent(&outcome), "{outcome:?}");
        assert_eq!(kind(&outcome), Some(ErrorKind::InvalidResponse));
    }
}

#[tokio::test]
async fn an_answer_that_breaks_off_is_retried() {
    // H6
    for reply in [Reply::cut_body(), Reply::close()] {
        let (outcome, _) = answered(reply).await;
        assert!(is_retryable(&outcome), "{outcome:?}");
        assert_eq!(kind(&outcome), Some(ErrorKind::Disconnected), "{outcome:?}");
    }
}

#[tokio::test]
async fn an_error_whose_body_never_ends_is_still_that_error() {
    let head = "HTTP/1.1 400 Bad Request\r\ncontent-length: 100\r\n\r\npart of it";
    let raw = RawServer::start(RawAnswer::OnRequest(head.into()));
    let outcome = export(&exporter(raw.endpoint("http"))).await;
    assert!(is_permanent(&outcome), "{outcome:?}");
    assert!(message(&outcome).contains("part of it"), "{outcome:?}");
}

#[tokio::test]
async fn no_answer_ends_at_the_deadline() {
    let server = Server::start();
    server.respond_with(Script::always(Reply::never()));
    let silent = RawServer::start(RawAnswer::Silent);
    let stalled = FaultProxy::start(server.http_addr());
    stalled.set(Fault::Stall);
    for endpoint in [server.http_endpoint(), silent.endpoint("http"), stalled.endpoint("http")] {
        let exporter = exporter(endpoint);
        let deadline = Deadline::after(Instant::now(), Duration::from_millis(300));
        let outcome = exporter.export(payload(&["one"]), deadline).await;
        assert!(is_retryable(&outcome), "{outcome:?}");
        assert_eq!(kind(&outcome), Some(ErrorKind::Timeout), "{outcome:?}");
    }
}

#[tokio::test]
async fn what_is_no_http_is_retried() {
    // H6
    for answer in [RawAnswer::CloseAtOnce, RawAnswer::Reset, RawAnswer::OnRequest("junk".into())] {
        let raw = RawServer::start(answer.clone());
        let outcome = export(&exporter(raw.endpoint("http"))).await;
        assert!(is_retryable(&outcome), "{answer:?}: {outcome:?}");
    }
}

#[tokio::test]
async fn the_exporters_own_timeout_holds_without_a_deadline() {
    // B4
    let silent = RawServer::start(RawAnswer::Silent);
    let exporter = HttpExporter::builder(Signal::Traces)
        .with_endpoint(silent.endpoint("http"))
        .with_timeout(Duration::from_millis(300))
        .build_with(&Env::empty())
        .unwrap();
    let outcome = exporter.export(payload(&["one"]), Deadline::NEVER).await;
    assert_eq!(kind(&outcome), Some(ErrorKind::Timeout), "{outcome:?}");
}
