//! Servers that answer wrongly, endlessly or not at all (S4).

use otlp_testing::{Direction, Fault, FaultProxy, RawAnswer, RawServer, Reply, Script, Server};

use super::*;

/// Exports through a proxy that counts, and says how many bytes the server got to send.
async fn answered(reply: Reply) -> (Outcome, u64) {
    let server = Server::start();
    server.respond_with(Script::always(reply));
    let proxy = FaultProxy::start(server.grpc_addr());
    let exporter = built(builder(proxy.endpoint("http")).with_max_response_size(1 << 20));
    let outcome = export(&exporter).await;
    drop(exporter);
    (outcome, proxy.bytes(Direction::Answer))
}

/// Limit, windows, and what sockets and the proxy hold.
const READ_MAX: u64 = 16 << 20;

#[tokio::test]
async fn an_endless_answer_is_cut_at_the_limit() {
    // Z2, S4
    let (outcome, bytes) = answered(Reply::endless_body(10 << 30)).await;
    assert!(is_permanent(&outcome), "{outcome:?}");
    assert!(bytes < READ_MAX, "{bytes}");
    for status in [400, 503] {
        let (outcome, bytes) = answered(Reply::http(status).with_endless_body(10 << 30)).await;
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
}

#[tokio::test]
async fn huge_trailers_are_refused() {
    // S4
    for bytes in [64 << 10, 16 << 20] {
        let (outcome, read) = answered(Reply::huge_trailers(bytes)).await;
        assert!(is_permanent(&outcome), "{bytes}: {outcome:?}");
        assert!(read < READ_MAX, "{read}");
    }
}

#[tokio::test]
async fn garbage_is_not_taken_for_success() {
    let (outcome, _) = answered(Reply::garbage()).await;
    assert!(is_permanent(&outcome), "{outcome:?}");
    assert_eq!(kind(&outcome), Some(ErrorKind::InvalidResponse));
}

#[tokio::test]
async fn an_answer_that_breaks_off_is_retried() {
    // H6 for gRPC: what the server did is not known.
    for reply in [Reply::cut_body(), Reply::close()] {
        let (outcome, _) = answered(reply).await;
        assert!(is_retryable(&outcome), "{outcome:?}");
        assert_eq!(kind(&outcome), Some(ErrorKind::Disconnected), "{outcome:?}");
    }
}

#[tokio::test]
async fn no_answer_ends_at_the_deadline() {
    let server = Server::start();
    server.respond_with(Script::always(Reply::never()));
    let silent = RawServer::start(RawAnswer::Silent);
    let stalled = FaultProxy::start(server.grpc_addr());
    stalled.set(Fault::Stall);
    for endpoint in [server.grpc_endpoint(), silent.endpoint("http"), stalled.endpoint("http")] {
        let exporter = exporter(endpoint);
        let deadline = Deadline::after(Instant::now(), Duration::from_millis(300));
        let outcome = exporter.export(payload(&["one"]), deadline).await;
        assert!(is_retryable(&outcome), "{outcome:?}");
        assert_eq!(kind(&outcome), Some(ErrorKind::Timeout), "{outcome:?}");
    }
}

#[tokio::test]
async fn a_connection_that_is_cut_at_once_is_retried() {
    for answer in [RawAnswer::CloseAtOnce, RawAnswer::Reset, RawAnswer::OnAccept("junk".into())] {
        let raw = RawServer::start(answer.clone());
        let outcome = export(&exporter(raw.endpoint("http"))).await;
        assert!(is_retryable(&outcome), "{answer:?}: {outcome:?}");
    }
}
