//! Servers that answer wrongly, endlessly or not at all (S4).

use otlp_core::export::AnswerStatus;
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
        let text = message(&outcome);
        assert!(text.contains("headers") && text.contains("16 KiB"), "{text}");
        assert!(!text.contains(&(1 << 20).to_string()), "{text}");
        assert!(read < READ_MAX, "{read}");
    }
}

#[tokio::test]
async fn garbage_beside_ok_is_a_success_with_a_warning_that_says_so() {
    let grpc = || Reply::http(200).with_header("content-type", "application/grpc");
    let ok = |body: &'static str| grpc().with_body(body).with_trailer("grpc-status", "0");
    for (reply, said) in [
        (Reply::garbage(), "varint longer than 64 bits"),
        (ok("\x01\0\0\0\x01x").with_header("grpc-encoding", "gzip"), "gzip"),
        (ok("\x01\0\0\0\x01x").with_header("grpc-encoding", "br"), "\"br\""),
    ] {
        let (outcome, _) = answered(reply).await;
        assert_eq!(outcome.status(), Some(AnswerStatus::Grpc(0)), "{outcome:?}");
        match outcome {
            Outcome::Delivered { warning: Some(warning), .. } => {
                assert!(warning.contains("cannot be read") && warning.contains(said), "{warning}");
            }
            other => panic!("{other:?}"),
        }
    }
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

#[tokio::test]
async fn what_is_not_quite_grpc_is_told_apart() {
    let server = Server::start();
    let exporter = exporter(server.grpc_endpoint());
    let grpc = || Reply::http(200).with_header("content-type", "application/grpc");

    // A unary call that succeeds has a message, as all official clients ask.
    server.respond_with(grpc().with_trailer("grpc-status", "0"));
    let no_message = export(&exporter).await;
    assert!(is_permanent(&no_message), "{no_message:?}");
    assert_eq!(kind(&no_message), Some(ErrorKind::InvalidResponse));
    assert!(message(&no_message).contains("OK without a message"), "{no_message:?}");
    for http in [200, 503] {
        server.respond_with(Reply::http(http).with_header("grpc-status", "0"));
        let trailers_only = export(&exporter).await;
        assert!(!is_delivered(&trailers_only), "{http}: {trailers_only:?}");
    }

    let message_and = |code| grpc().with_body("\0\0\0\0\0").with_trailer("grpc-status", code);
    server.respond_with(message_and("0"));
    assert!(is_delivered(&export(&exporter).await));
    server.respond_with(message_and("0").with_trailer("grpc-status", "13"));
    let contradiction = export(&exporter).await;
    assert_eq!(kind(&contradiction), Some(ErrorKind::GrpcStatus(13)), "{contradiction:?}");

    server.respond_with(grpc().with_body("\0\0\0\0\0"));
    let no_status = export(&exporter).await;
    assert!(is_permanent(&no_status), "{no_status:?}");
    assert_eq!(kind(&no_status), Some(ErrorKind::InvalidResponse));

    let two = "\0\0\0\0\0\0\0\0\0\0";
    server.respond_with(grpc().with_body(two).with_trailer("grpc-status", "0"));
    let two_messages = export(&exporter).await;
    assert_eq!(kind(&two_messages), Some(ErrorKind::InvalidResponse), "{two_messages:?}");

    server.respond_with(grpc().with_body("\0\0\0\0\x09cut").with_trailer("grpc-status", "13"));
    let failed = export(&exporter).await;
    assert_eq!(kind(&failed), Some(ErrorKind::GrpcStatus(13)), "{failed:?}");

    let page = Reply::http(200).with_header("content-type", "text/html");
    server.respond_with(page.with_body("<h1>Welcome</h1>"));
    let page = export(&exporter).await;
    assert!(is_permanent(&page) && message(&page).contains("text/html"), "{page:?}");
    assert_eq!(kind(&page), Some(ErrorKind::GrpcStatus(2)));
}

#[tokio::test]
async fn a_compressed_answer_is_read() {
    use otlp_core::export::{Compression, compress};
    use otlp_core::wire::response::{PartialSuccess, encode_response};

    let server = Server::start();
    let partial = PartialSuccess { rejected: 2, message: "x".to_owned() };
    let response = encode_response(Some(&partial));
    for compression in [Compression::gzip(), Compression::zstd()] {
        let message = compress(&[response.clone().into()], compression).unwrap();
        let mut body = vec![1, 0, 0, 0, u8::try_from(message.len()).unwrap()];
        body.extend_from_slice(&message);
        let reply = Reply::http(200)
            .with_header("content-type", "application/grpc+proto")
            .with_header("grpc-encoding", compression.content_encoding().unwrap())
            .with_trailer("grpc-status", "0");
        server.respond_with(reply.with_body(body));
        let exporter = exporter(server.grpc_endpoint());
        let outcome = exporter.export(payload(&["one", "two"]), soon()).await;
        assert!(matches!(outcome, Outcome::PartlyRejected { rejected: 2, .. }), "{outcome:?}");
    }
}

#[tokio::test]
async fn the_exporters_own_timeout_holds_without_a_deadline() {
    // B4
    let silent = RawServer::start(RawAnswer::Silent);
    let exporter = GrpcExporter::builder(Signal::Traces)
        .with_endpoint(silent.endpoint("http"))
        .with_timeout(Duration::from_millis(300))
        .build_with(&Env::empty())
        .unwrap();
    let outcome = exporter.export(payload(&["one"]), Deadline::NEVER).await;
    assert_eq!(kind(&outcome), Some(ErrorKind::Timeout), "{outcome:?}");
}
