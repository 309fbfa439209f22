//! `otlp_grpc` and `otlp_http` against a server made of the official crates.

use otlp_collector::component::Host;
use otlp_collector::exporters::otlp::OtlpGrpcSettings;
use otlp_core::Signal;
use otlp_core::export::{Compression, ErrorKind, Outcome};
use otlp_testing::{Message, Reply, Script, Server};

use crate::support::{consume, destination, payload, sender, soon};

/// Both exporters, to a server in plain text, with more settings.
fn both(server: &Server, more: &str) -> [(&'static str, String); 2] {
    let grpc = format!("{{endpoint: '{}', tls: {{insecure: true}}, {more}}}", server.grpc_addr());
    let http = format!("{{endpoint: '{}', {more}}}", server.http_endpoint());
    [("otlp_grpc", grpc), ("otlp_http", http)]
}

const DIRECT: &str = "sending_queue: {enabled: false}, retry_on_failure: {enabled: false}";

#[tokio::test]
async fn what_is_sent_arrives_unchanged_in_every_encoding() {
    // G1, H1 to H4, W1
    for compression in ["none", "gzip", "zstd", "''"] {
        for encoding in ["", "encoding: json,"] {
            for signal in Signal::ALL {
                let server = Server::start();
                let more = format!("compression: {compression}, {DIRECT}");
                for (name, settings) in both(&server, &more) {
                    let is_grpc = name == "otlp_grpc";
                    if is_grpc && !encoding.is_empty() {
                        continue;
                    }
                    server.clear();
                    let settings = settings.replacen('{', &format!("{{{encoding}"), 1);
                    let sender = sender(name, &settings, signal);
                    let outcome = consume(&sender, payload(signal)).await;
                    assert!(matches!(outcome, Outcome::Delivered { .. }), "{outcome:?}");
                    let requests = server.requests();
                    assert_eq!(requests.len(), 1, "{:?}", server.problems());
                    assert_eq!(requests[0].message, Message::of(&payload(signal)).unwrap());
                    let encoding = if is_grpc { "grpc-encoding" } else { "content-encoding" };
                    let named = requests[0].header(encoding).unwrap_or("none");
                    assert_eq!(named, if compression == "''" { "none" } else { compression });
                    let agent = requests[0].header("user-agent").unwrap();
                    assert!(agent.starts_with("otlp-collector/"), "{agent}");
                    assert_eq!(sender.account().sent, 3);
                }
            }
        }
    }
}

#[tokio::test]
async fn gzip_is_the_default_and_its_level_can_be_set() {
    let server = Server::start();
    for (level, more) in [(1, ""), (9, "compression_params: {level: 9},")] {
        for (name, settings) in both(&server, &format!("{more} {DIRECT}")) {
            server.clear();
            let sender = sender(name, &settings, Signal::Traces);
            let outcome = consume(&sender, payload(Signal::Traces)).await;
            assert!(outcome.error().is_none(), "{outcome:?}");
            let expected = payload(Signal::Traces).body(Compression::Gzip { level }).unwrap();
            // A message of gRPC begins with five bytes of frame.
            let frame = if name == "otlp_grpc" { 5 } else { 0 };
            assert_eq!(server.requests()[0].wire[frame..], expected.rope().to_bytes());
        }
    }
}

#[tokio::test]
async fn headers_and_the_user_agent_are_sent_and_never_shown() {
    let server = Server::start();
    for headers in [
        "headers: {x-tenant: s3cr3t, 'User-Agent': agent/1}",
        "headers: [{name: x-tenant, value: s3cr3t}, {name: User-Agent, value: agent/1}]",
    ] {
        for (name, settings) in both(&server, &format!("{headers}, {DIRECT}")) {
            server.clear();
            let destination = destination(name, &settings).unwrap();
            assert!(!format!("{destination:?}").contains("s3cr3t"), "{destination:?}");
            let sender = crate::support::start(destination.as_ref(), name, Signal::Logs);
            let outcome = consume(&sender, payload(Signal::Logs)).await;
            assert!(outcome.error().is_none(), "{outcome:?}");
            let request = &server.requests()[0];
            assert_eq!(request.header("x-tenant"), Some("s3cr3t"));
            let agent = request.header("user-agent").unwrap();
            assert!(agent.starts_with("agent/1 "), "{agent}");
            assert!(!format!("{sender:?}").contains("s3cr3t"), "{sender:?}");
        }
    }
}

#[tokio::test]
async fn each_signal_may_have_a_url_of_its_own() {
    // H6, H7
    let server = Server::builder().with_http_path("/in/spans", Signal::Traces).start().unwrap();
    let url = server.http_endpoint();
    let settings = format!("{{endpoint: '{url}/', traces_endpoint: '{url}/in/spans', {DIRECT}}}");
    for (signal, path) in [
        (Signal::Traces, "/in/spans"),
        (Signal::Metrics, "/v1/metrics"),
        (Signal::Logs, "/v1/logs"),
    ] {
        server.clear();
        let outcome = consume(&sender("otlp_http", &settings, signal), payload(signal)).await;
        assert!(outcome.error().is_none(), "{outcome:?}");
        assert_eq!(server.requests()[0].path, path);
    }
    let only = format!("{{logs_endpoint: '{url}/v1/logs'}}");
    let destination = destination("otlphttp", &only).unwrap();
    let host = Host::alone("otlphttp".parse().unwrap());
    let refused = destination.open(&host, Signal::Traces).unwrap_err().to_string();
    assert!(refused.contains("traces_endpoint"), "{refused}");
    assert!(destination.open(&host, Signal::Logs).is_ok());
}

#[tokio::test]
async fn a_partial_success_is_counted_as_rejected_and_not_sent_again() {
    // W10
    let server = Server::start();
    server.respond_with(Script::always(Reply::partial_success(2, "no room")));
    for (name, settings) in both(&server, "sending_queue: {enabled: false}") {
        server.clear();
        let sender = sender(name, &settings, Signal::Traces);
        let outcome = consume(&sender, payload(Signal::Traces)).await;
        assert!(matches!(outcome, Outcome::PartlyRejected { rejected: 2, .. }), "{outcome:?}");
        let account = sender.account();
        assert_eq!((account.sent, account.rejected, account.unaccounted()), (1, 2, 0));
        assert_eq!(server.counts().arrived, 1);
    }
}

#[tokio::test]
async fn what_may_pass_is_tried_again_and_what_may_not_is_not() {
    let server = Server::start();
    let quick = "sending_queue: {enabled: false}, retry_on_failure: {initial_interval: 1ms}";
    for (name, settings) in both(&server, quick) {
        let (busy, wrong) = match name {
            "otlp_grpc" => (Reply::grpc(14, "busy"), Reply::grpc(3, "wrong")),
            _ => (Reply::http(503), Reply::http(400)),
        };
        server.clear();
        server.respond_with([busy, Reply::ok(), wrong]);
        let sender = sender(name, &settings, Signal::Traces);
        let outcome = consume(&sender, payload(Signal::Traces)).await;
        assert!(outcome.error().is_none(), "{outcome:?}");
        assert_eq!(server.counts().arrived, 2);
        let outcome = consume(&sender, payload(Signal::Traces)).await;
        assert!(matches!(outcome, Outcome::Permanent { .. }), "{outcome:?}");
        let account = sender.account();
        assert_eq!((account.sent, account.returned, account.unaccounted()), (3, 3, 0), "{account}");
    }
}

#[tokio::test]
async fn a_dead_server_is_tried_for_its_time_and_then_the_account_says_failed() {
    let server = Server::start();
    let brief =
        "retry_on_failure: {initial_interval: 1ms, max_interval: 1ms, max_elapsed_time: 50ms}";
    for (name, settings) in both(&server, brief) {
        let sender = sender(name, &settings, Signal::Traces);
        server.stop();
        // The queue has it, so it is answered for.
        let outcome = consume(&sender, payload(Signal::Traces)).await;
        assert!(outcome.error().is_none(), "{outcome:?}");
        sender.shutdown(soon()).await;
        let account = sender.account();
        assert_eq!((account.received, account.failed, account.unaccounted()), (3, 3, 0));
        let progress = sender.progress();
        assert!(format!("{progress:?}").contains("refused"), "{progress:?}");
        server.restart().unwrap();
    }
}

#[tokio::test]
async fn an_answer_that_does_not_come_ends_with_the_timeout() {
    let server = Server::start();
    server.respond_with(Script::always(Reply::never()));
    for (name, settings) in both(&server, &format!("timeout: 100ms, {DIRECT}")) {
        let sender = sender(name, &settings, Signal::Traces);
        let outcome = consume(&sender, payload(Signal::Traces)).await;
        assert!(matches!(outcome, Outcome::Retryable { .. }), "{outcome:?}");
        let kind = outcome.error().map(otlp_core::export::ExportError::kind);
        assert_eq!(kind, Some(ErrorKind::Timeout));
    }
}

#[tokio::test]
async fn settings_in_code_do_the_same() {
    let server = Server::start();
    let mut settings = OtlpGrpcSettings::to(server.grpc_addr().to_string());
    settings.tls.insecure = true;
    settings.headers.insert("x-tenant", "blue");
    settings.check().unwrap();
    let sender = crate::support::start(&settings, "otlp_grpc", Signal::Metrics);
    assert!(consume(&sender, payload(Signal::Metrics)).await.error().is_none());
    sender.shutdown(soon()).await;
    assert_eq!(sender.account().sent, 3);
    assert_eq!(server.requests()[0].header("x-tenant"), Some("blue"));
}
