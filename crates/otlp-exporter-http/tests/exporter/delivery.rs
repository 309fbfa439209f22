//! What arrives at a server.

use bytes::Bytes;
use otlp_core::Rope;
use otlp_core::export::{Compression, HeaderProvider, Headers, Protocol};
use otlp_testing::{Gate, Reply, Script, Server};

use super::*;

#[tokio::test]
async fn spans_arrive_under_every_compression() {
    // H1, H3, H4
    for compression in [Compression::None, Compression::gzip(), Compression::zstd()] {
        let server = Server::start();
        let exporter = built(builder(server.http_endpoint()).with_compression(compression));
        let names: Vec<String> = (0..1000).map(|i| format!("span-{i}")).collect();
        let names: Vec<&str> = names.iter().map(String::as_str).collect();

        let outcome = exporter.export(payload(&names), soon()).await;

        assert!(is_delivered(&outcome), "{compression}: {outcome:?}");
        let spans = server.spans_arrive(1000, PATIENCE).await.unwrap();
        assert_eq!(spans.iter().map(|span| span.record.name()).collect::<Vec<_>>(), names);
        let request = &spans[0].request;
        assert_eq!(request.path, "/v1/traces");
        assert_eq!(request.header("content-type"), Some("application/x-protobuf"));
        assert_eq!(request.header("content-encoding"), compression.content_encoding());
        let length = request.wire.len().to_string();
        assert_eq!(request.header("content-length"), Some(length.as_str()));
        assert!(server.problems().is_empty(), "{:?}", server.problems());
    }
}

#[tokio::test]
async fn a_rope_of_many_pieces_arrives_as_one_body() {
    let server = Server::start();
    let exporter = exporter(server.http_endpoint());
    let whole: Bytes = payload(&["a", "b", "c"]).into();
    let pieces: Rope = whole.chunks(3).map(Bytes::copy_from_slice).collect();
    let payload = Payload::from_request(Signal::Traces, pieces).unwrap();

    assert!(is_delivered(&exporter.export(payload, soon()).await));

    let requests = server.requests();
    assert_eq!(requests[0].wire, whole);
    let length = whole.len().to_string();
    assert_eq!(requests[0].header("content-length"), Some(length.as_str()));
    assert_eq!(requests[0].header("transfer-encoding"), None);
}

#[tokio::test]
async fn each_signal_has_its_path() {
    let server = Server::start();
    for signal in Signal::ALL {
        let exporter = HttpExporter::builder(signal)
            .with_endpoint(server.http_endpoint())
            .build_with(&Env::empty())
            .unwrap();
        let empty = Payload::from_request(signal, Bytes::new()).unwrap();
        assert!(is_delivered(&exporter.export(empty, soon()).await), "{signal}");
    }
    let requests = server.requests();
    let paths: Vec<_> = requests.iter().map(|request| request.path.as_str()).collect();
    assert_eq!(paths, ["/v1/traces", "/v1/metrics", "/v1/logs"]);
}

#[tokio::test]
async fn a_payload_of_another_signal_is_refused() {
    let server = Server::start();
    let logs = Payload::from_request(Signal::Logs, Bytes::new()).unwrap();
    let outcome = exporter(server.http_endpoint()).export(logs, soon()).await;
    assert!(is_permanent(&outcome) && kind(&outcome) == Some(ErrorKind::Request), "{outcome:?}");
    assert!(message(&outcome).contains("it holds logs, the exporter sends traces"));
    assert_eq!(server.counts().arrived, 0);
}

#[tokio::test]
async fn an_exact_url_is_used_with_its_path_and_query() {
    let server = Server::builder().with_http_path("/in/", Signal::Traces).start().unwrap();
    let url = format!("{}/in/?token=s3cr3t", server.http_endpoint());
    let exporter = built(HttpExporter::builder(Signal::Traces).with_exact_url(url));
    assert!(is_delivered(&export(&exporter).await));
    assert_eq!(server.requests()[0].path, "/in/");
}

#[tokio::test]
async fn a_request_carries_headers_and_a_user_agent() {
    let server = Server::start();
    let exporter = built(
        builder(server.http_endpoint())
            .with_header("X-Tenant", "blue")
            .with_user_agent_prefix("acme/2.1"),
    );
    assert!(is_delivered(&export(&exporter).await));
    let requests = server.requests();
    let header = |name| requests[0].header(name).unwrap_or_default().to_owned();
    assert_eq!(header("x-tenant"), "blue");
    assert!(header("user-agent").starts_with("acme/2.1 OTel-OTLP-Exporter-Rust/"));
}

#[tokio::test]
async fn requests_are_in_flight_together_and_connections_are_kept() {
    // H5
    let server = Server::start();
    let gate = Gate::new();
    server.respond_with(Script::always(Reply::ok().after(&gate)));
    let exporter = exporter(server.http_endpoint());
    let opened = async {
        assert!(gate.waiting_reaches(3, PATIENCE).await);
        gate.open();
    };
    let (a, b, c, ()) =
        tokio::join!(export(&exporter), export(&exporter), export(&exporter), opened);
    assert!([a, b, c].iter().all(is_delivered));
    assert_eq!((server.in_flight_max(), server.connections()), (3, 3));
    for _ in 0..10 {
        assert!(is_delivered(&export(&exporter).await));
    }
    assert_eq!(server.connections(), 3);
}

#[tokio::test]
async fn the_header_provider_is_asked_for_every_request() {
    use std::sync::Arc;
    use std::sync::atomic::{AtomicU32, Ordering};

    let server = Server::start();
    let turn = Arc::new(AtomicU32::new(0));
    let provider = HeaderProvider::new(move || {
        let turn = turn.fetch_add(1, Ordering::Relaxed);
        async move {
            if turn == 1 {
                return Err("token s3cr3t has expired".into());
            }
            let mut headers = Headers::new();
            headers.insert("authorization", format!("Bearer {turn}"))?;
            Ok(headers)
        }
    });
    let exporter = built(
        builder(server.http_endpoint())
            .with_header("authorization", "Bearer old")
            .with_header_provider(provider),
    );

    assert!(is_delivered(&export(&exporter).await));
    let failed = export(&exporter).await;
    assert!(is_retryable(&failed) && kind(&failed) == Some(ErrorKind::Request), "{failed:?}");
    assert!(!format!("{failed:?}").contains("s3cr3t"), "{failed:?}");
    assert!(is_delivered(&export(&exporter).await));

    let requests = server.requests();
    let sent: Vec<_> = requests.iter().map(|r| r.header("authorization").unwrap()).collect();
    assert_eq!(sent, ["Bearer 0", "Bearer 2"]);
}

#[tokio::test]
async fn a_header_provider_that_hangs_ends_at_the_deadline() {
    let server = Server::start();
    let provider = HeaderProvider::new(std::future::pending);
    let exporter = built(builder(server.http_endpoint()).with_header_provider(provider));
    let deadline = Deadline::after(Instant::now(), Duration::from_millis(100));
    let outcome = exporter.export(payload(&["one"]), deadline).await;
    assert_eq!(kind(&outcome), Some(ErrorKind::Timeout), "{outcome:?}");
    assert_eq!(server.connections(), 0);
}

#[tokio::test]
async fn a_request_over_the_limit_is_not_sent() {
    // Z1
    let server = Server::start();
    let payload = payload(&["x".repeat(1000).as_str()]);
    let exact = built(builder(server.http_endpoint()).with_max_request_size(payload.len()));
    assert!(is_delivered(&exact.export(payload.clone(), soon()).await));

    // Before compression: this one would fit afterwards.
    let smaller = builder(server.http_endpoint())
        .with_compression(Compression::gzip())
        .with_max_request_size(payload.len() - 1);
    let outcome = built(smaller).export(payload, soon()).await;
    assert!(is_too_large(&outcome), "{outcome:?}");
    assert_eq!(kind(&outcome), Some(ErrorKind::RequestTooLarge));
    assert_eq!(server.counts().arrived, 1);
}

#[tokio::test]
async fn partial_success_and_warnings_come_through() {
    // W10, W11, H11
    let server = Server::start();
    let exporter = exporter(server.http_endpoint());

    server.respond_with(Reply::partial_success(1, "too\nold"));
    match export(&exporter).await {
        Outcome::PartlyRejected { rejected, message, .. } => {
            assert_eq!((rejected, message.as_str()), (1, "too\\nold"));
        }
        other => panic!("{other:?}"),
    }
    server.respond_with(Reply::partial_success(0, "slow down"));
    match export(&exporter).await {
        Outcome::Delivered { warning, .. } => assert_eq!(warning.as_deref(), Some("slow down")),
        other => panic!("{other:?}"),
    }
    server.respond_with(Reply::partial_success(0, ""));
    assert!(is_delivered(&export(&exporter).await));
}

#[tokio::test]
async fn an_answer_is_read_whatever_its_media_type_says() {
    // H3, leniently
    let server = Server::start();
    let exporter = exporter(server.http_endpoint());
    let answered = async |status, media: &str, body: &'static str| {
        let reply = Reply::http(status).with_header("content-type", media).with_body(body);
        server.respond_with(reply);
        export(&exporter).await
    };
    assert!(is_delivered(&answered(202, "text/plain", "").await));
    assert!(is_delivered(&answered(200, "application/protobuf; charset=utf-8", "").await));
    assert!(is_delivered(&answered(200, "application/json", " {}\n").await));
    match answered(200, "text/plain", "thank\nyou").await {
        Outcome::Delivered { warning: Some(warning), .. } => {
            assert!(warning.contains("text/plain") && warning.contains("thank\\nyou"), "{warning}");
        }
        other => panic!("{other:?}"),
    }
    let page = answered(200, "text/html", "<h1>Welcome</h1>").await;
    assert!(is_permanent(&page) && kind(&page) == Some(ErrorKind::InvalidResponse), "{page:?}");
}

#[tokio::test]
async fn a_compressed_answer_is_read() {
    // H16
    let server = Server::start();
    let response = otlp_core::wire::response::PartialSuccess { rejected: 2, message: "x".into() };
    let response = otlp_core::wire::response::encode_response(Some(&response));
    for compression in [Compression::gzip(), Compression::zstd()] {
        let body = otlp_core::export::compress(&[response.clone().into()], compression).unwrap();
        let encoding = compression.content_encoding().unwrap();
        let reply = Reply::http(200)
            .with_header("content-type", "application/x-protobuf")
            .with_header("content-encoding", encoding);
        server.respond_with(reply.with_body(body));
        let exporter = exporter(server.http_endpoint());
        let outcome = exporter.export(payload(&["one", "two"]), soon()).await;
        assert!(matches!(outcome, Outcome::PartlyRejected { rejected: 2, .. }), "{outcome:?}");
    }
}

#[tokio::test]
async fn a_server_that_claims_to_have_rejected_more_than_it_got_is_not_believed() {
    // W10
    let server = Server::start();
    let exporter = exporter(server.http_endpoint());
    let rejected = async |count, message: &str| {
        server.respond_with(Reply::partial_success(count, message));
        match exporter.export(payload(&["a", "b", "c"]), soon()).await {
            Outcome::PartlyRejected { rejected, message, .. } => (rejected, message),
            other => panic!("{other:?}"),
        }
    };
    let claim = "the server claims 1000 of 3, more than it was sent: ";
    assert_eq!(rejected(1000, "").await, (3, format!("{claim}no reason given")));
    assert_eq!(rejected(1000, "full").await, (3, format!("{claim}full")));
    assert_eq!(rejected(3, "").await, (3, "no reason given".to_owned()));
}

#[tokio::test]
async fn after_shutdown_nothing_is_sent() {
    let server = Server::start();
    let exporter = exporter(server.http_endpoint());
    assert!(is_delivered(&export(&exporter).await));
    for _ in 0..2 {
        exporter.shutdown(soon()).await.unwrap();
    }
    let outcome = export(&exporter).await;
    assert!(is_permanent(&outcome) && kind(&outcome) == Some(ErrorKind::AlreadyShutdown));
    assert_eq!(server.counts().arrived, 1);
}

fn refusal(protocol: Protocol) -> String {
    let builder = HttpExporter::builder(Signal::Traces).with_protocol(protocol);
    let error = builder.build_with(&Env::empty()).unwrap_err();
    assert_eq!(error.setting(), "protocol");
    error.to_string()
}

#[test]
fn grpc_is_refused_with_the_crate_that_speaks_it() {
    let text = refusal(Protocol::Grpc);
    assert!(text.contains("otlp-exporter-grpc"), "{text}");
}

#[cfg(not(feature = "json"))]
#[test]
fn json_that_is_not_built_in_is_refused_with_its_feature() {
    let text = refusal(Protocol::HttpJson);
    assert!(text.contains("enable the feature `json`"), "{text}");
}

/// Without the feature `json` the answer is not looked into, and that is said.
#[cfg(not(feature = "json"))]
#[tokio::test]
async fn an_answer_in_json_is_a_success_with_a_warning() {
    let server = Server::start();
    let reply = Reply::http(200).with_header("content-type", "application/json");
    server.respond_with(reply.with_body(r#"{"partialSuccess":{"rejectedSpans":"1"}}"#));
    match export(&exporter(server.http_endpoint())).await {
        Outcome::Delivered { warning: Some(warning), .. } => {
            assert!(warning.contains("cannot be read: it is application/json"), "{warning}");
        }
        other => panic!("{other:?}"),
    }
}

#[test]
fn each_exporter_says_what_it_is_and_which_signal_it_has() {
    for (signal, name) in [
        (Signal::Traces, "otlp_http_span_exporter"),
        (Signal::Metrics, "otlp_http_metric_exporter"),
        (Signal::Logs, "otlp_http_log_exporter"),
    ] {
        let exporter = built(HttpExporter::builder(signal));
        assert_eq!(exporter.component_type(), name);
    }
}
