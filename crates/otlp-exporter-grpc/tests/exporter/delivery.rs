//! What arrives at a server.

use bytes::Bytes;
use otlp_core::export::{Compression, Exporter, HeaderProvider, Headers, Outcome};
use otlp_core::{Payload, Rope};
use otlp_testing::{Gate, Reply, Server};

use super::*;

#[tokio::test]
async fn spans_arrive_under_every_compression() {
    // G1
    for compression in [Compression::None, Compression::gzip(), Compression::zstd()] {
        let server = Server::start();
        let exporter = built(builder(server.grpc_endpoint()).with_compression(compression));
        let names: Vec<String> = (0..1000).map(|i| format!("span-{i}")).collect();
        let names: Vec<&str> = names.iter().map(String::as_str).collect();

        let outcome = exporter.export(payload(&names), soon()).await;

        assert!(is_delivered(&outcome), "{compression}: {outcome:?}");
        let spans = server.spans_arrive(1000, PATIENCE).await.unwrap();
        assert_eq!(spans.iter().map(|span| span.record.name()).collect::<Vec<_>>(), names);
        assert_eq!(spans[0].request.header("grpc-encoding"), compression.content_encoding());
        assert_eq!(spans[0].request.wire[0], u8::from(compression != Compression::None));
        assert!(server.problems().is_empty(), "{:?}", server.problems());
    }
}

#[tokio::test]
async fn a_rope_of_many_pieces_arrives_as_one_message() {
    let server = Server::start();
    let exporter = exporter(server.grpc_endpoint());
    let whole: Bytes = payload(&["a", "b", "c"]).into();
    let pieces: Rope = whole.chunks(3).map(Bytes::copy_from_slice).collect();
    let payload = Payload::from_request(Signal::Traces, pieces).unwrap();

    assert!(is_delivered(&exporter.export(payload, soon()).await));

    let requests = server.requests();
    assert_eq!(requests[0].wire.slice(5..), whole);
    let length = (whole.len() + 5).to_string();
    assert_eq!(requests[0].header("content-length"), Some(length.as_str()));
}

#[tokio::test]
async fn one_exporter_carries_every_signal() {
    let server = Server::start();
    let exporter = exporter(server.grpc_endpoint());
    for signal in Signal::ALL {
        let empty = Payload::from_request(signal, Bytes::new()).unwrap();
        assert!(is_delivered(&exporter.export(empty, soon()).await), "{signal}");
    }
    let requests = server.requests();
    let paths: Vec<_> = requests.iter().map(|request| request.path.as_str()).collect();
    assert_eq!(paths, Signal::ALL.map(Signal::grpc_path));
    assert_eq!(server.connections(), 1);
}

#[tokio::test]
async fn a_request_says_what_it_is_and_how_long_it_may_take() {
    let server = Server::start();
    let exporter = built(
        builder(server.grpc_endpoint())
            .with_header("X-Tenant", "blue")
            .with_user_agent_prefix("acme/2.1"),
    );
    assert!(is_delivered(&export(&exporter).await));

    let requests = server.requests();
    let header = |name| requests[0].header(name).unwrap_or_default().to_owned();
    assert_eq!(header("content-type"), "application/grpc");
    assert_eq!(header("te"), "trailers");
    assert_eq!(header("x-tenant"), "blue");
    assert!(header("user-agent").starts_with("acme/2.1 OTel-OTLP-Exporter-Rust/"));
    let timeout = header("grpc-timeout");
    let millis: u64 = timeout.strip_suffix('m').unwrap().parse().unwrap();
    assert!(millis > 0 && millis <= 20_000, "{timeout}");
}

#[tokio::test]
async fn calls_are_in_flight_together_on_one_connection() {
    // G3
    let server = Server::start();
    let gate = Gate::new();
    server.respond_with(otlp_testing::Script::always(Reply::ok().after(&gate)));
    let exporter = exporter(server.grpc_endpoint());
    let opened = async {
        assert!(gate.waiting_reaches(4, PATIENCE).await);
        gate.open();
    };
    let (a, b, c, d, ()) = tokio::join!(
        export(&exporter),
        export(&exporter),
        export(&exporter),
        export(&exporter),
        opened
    );
    assert!([a, b, c, d].iter().all(is_delivered));
    assert_eq!((server.in_flight_max(), server.connections()), (4, 1));
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
        builder(server.grpc_endpoint())
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
    let exporter = built(builder(server.grpc_endpoint()).with_header_provider(provider));
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
    let exact = built(builder(server.grpc_endpoint()).with_max_request_size(payload.len()));
    assert!(is_delivered(&exact.export(payload.clone(), soon()).await));

    // Before compression: this one would fit afterwards.
    let smaller = builder(server.grpc_endpoint())
        .with_compression(Compression::gzip())
        .with_max_request_size(payload.len() - 1);
    let outcome = built(smaller).export(payload, soon()).await;
    assert!(is_too_large(&outcome), "{outcome:?}");
    assert_eq!(kind(&outcome), Some(ErrorKind::RequestTooLarge));
    assert_eq!(server.counts().arrived, 1);
}

#[tokio::test]
async fn partial_success_and_warnings_come_through() {
    // W10, W11
    let server = Server::start();
    let exporter = exporter(server.grpc_endpoint());

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
    server.respond_with(Reply::partial_success(-5, ""));
    assert!(is_delivered(&export(&exporter).await));
}

#[tokio::test]
async fn a_server_that_claims_to_have_rejected_more_than_it_got_is_not_believed() {
    // W10
    let server = Server::start();
    let exporter = exporter(server.grpc_endpoint());
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
    let exporter = exporter(server.grpc_endpoint());
    assert!(is_delivered(&export(&exporter).await));
    for _ in 0..2 {
        exporter.shutdown(soon()).await.unwrap();
    }
    let outcome = export(&exporter).await;
    assert!(is_permanent(&outcome) && kind(&outcome) == Some(ErrorKind::AlreadyShutdown));
    assert_eq!(server.counts().arrived, 1);
}

#[tokio::test]
async fn each_exporter_says_what_it_is_and_which_signal_it_has() {
    for (signal, name) in [
        (Signal::Traces, "otlp_grpc_span_exporter"),
        (Signal::Metrics, "otlp_grpc_metric_exporter"),
        (Signal::Logs, "otlp_grpc_log_exporter"),
    ] {
        let exporter = built(GrpcExporter::builder(signal));
        assert_eq!(exporter.component_type(), name);
    }
}
