//! Secrets stay out of everything that is printed.

use otlp_core::export::{Env, Exporter, ExporterConfig, HeaderProvider, Headers, Protocol};
use otlp_testing::{RawAnswer, RawServer, Reply, Server};

use super::*;

#[tokio::test]
async fn secrets_are_in_no_message_and_no_debug_output() {
    let gone = RawServer::start(RawAnswer::CloseAtOnce).addr();
    let server = Server::start();
    server.respond_with(Reply::grpc(16, "who are you?"));
    for address in [gone, server.grpc_addr()] {
        let builder = builder(format!("http://user:s3cr3t-pw@{address}"))
            .with_header("x-api-key", "s3cr3t-key");
        let text = format!("{builder:?}");
        assert!(!text.contains("s3cr3t"), "{text}");
        let exporter = built(builder);
        let outcome = export(&exporter).await;
        let text =
            format!("{exporter:?} {} {outcome:?} {}", exporter.destination(), message(&outcome));
        assert!(outcome.error().is_some() && text.contains(&address.to_string()));
        assert!(!text.contains("s3cr3t"), "{text}");
    }
    // They did arrive.
    let requests = server.requests();
    assert_eq!(requests[0].header("x-api-key"), Some("s3cr3t-key"));
    assert!(requests[0].header("authorization").is_some_and(|value| value.starts_with("Basic ")));
}

#[test]
fn build_errors_name_the_setting_and_no_secret() {
    let error = builder("ftp://user:s3cr3t@host").build_with(&Env::empty()).unwrap_err();
    let text = format!("{error} {error:?}");
    assert!(text.contains("endpoint") && text.contains("http://"), "{text}");
    assert!(!text.contains("s3cr3t"), "{text}");
}

#[test]
fn a_configuration_for_http_is_refused() {
    let configured = ExporterConfig::builder(Signal::Traces)
        .with_protocol(Protocol::HttpProtobuf)
        .build(&Env::empty())
        .unwrap();
    let error = GrpcExporter::from_config(configured.config).unwrap_err();
    assert!(error.to_string().contains("grpc only"), "{error}");
}

/// An exporter with secrets of every kind, all of which hold `s3cr3t`.
fn with_secrets(address: std::net::SocketAddr) -> GrpcExporter {
    let provider = HeaderProvider::new(|| async {
        let mut headers = Headers::new();
        headers.insert("x-provided", "Token s3cr3t-provided")?;
        Ok(headers)
    });
    let target = format!("http://user:s3cr3t-pw@{address}");
    built(builder(target).with_header("x-key", "Bearer s3cr3t-tok").with_header_provider(provider))
}

/// What a server may quote of the request that it has just seen, and of those parts alone.
async fn echoes(server: &Server, exporter: &GrpcExporter) -> Vec<String> {
    assert!(is_delivered(&export(exporter).await));
    let requests = server.requests();
    let seen = requests.last().unwrap();
    let mut echoes: Vec<_> = ["x-key", "x-provided", "authorization"]
        .iter()
        .map(|name| seen.header(name).unwrap().to_owned())
        .collect();
    let tokens: Vec<_> =
        echoes.iter().map(|echo| echo.split_once(' ').unwrap().1.to_owned()).collect();
    echoes.extend(tokens);
    echoes.extend(["s3cr3t-pw".to_owned(), "user:s3cr3t-pw".to_owned()]);
    echoes.push("Bearer%20s3cr3t-tok".to_owned());
    echoes
}

fn shows_no_secret(outcome: &Outcome) {
    let mut text = format!("{outcome:?} {}", message(outcome));
    let mut cause = outcome.error().and_then(|error| std::error::Error::source(error));
    while let Some(error) = cause {
        text.push_str(&format!(" {error} {error:?}"));
        cause = error.source();
    }
    assert!(text.contains("***"), "{text}");
    // The second: the password in the token of `Basic`.
    assert!(!text.contains("s3cr3t") && !text.contains("czNjcjN0"), "{text}");
}

#[tokio::test]
async fn secrets_that_the_server_sends_back_are_hidden() {
    let server = Server::start();
    let exporter = with_secrets(server.grpc_addr());
    for echo in echoes(&server, &exporter).await {
        let said = format!("bad credentials: {echo}, go away");
        let grpc = || Reply::http(200).with_header("content-type", "application/grpc");
        for reply in [
            Reply::grpc(16, &said),
            Reply::grpc(14, &said),
            Reply::http(401).with_body(said.clone()),
            Reply::http(502).with_header("content-type", &said),
            Reply::partial_success(1, &said),
            Reply::partial_success(0, &said),
            grpc()
                .with_header("grpc-encoding", &said)
                .with_body("\x01\0\0\0\x01x")
                .with_trailer("grpc-status", "0"),
        ] {
            server.respond_with(reply);
            shows_no_secret(&export(&exporter).await);
        }
    }
}

#[tokio::test]
async fn secrets_in_the_farewell_of_a_server_are_hidden() {
    // SETTINGS, and GOAWAY with text.
    let farewell =
        b"\0\0\0\x04\0\0\0\0\0\0\0\x1a\x07\0\0\0\0\0\0\0\0\0\0\0\0\x0bno \"s3cr3t-tok\" .....";
    let raw = RawServer::start(RawAnswer::OnFirstBytes(farewell.as_slice().into()));
    let outcome = export(&with_secrets(raw.addr())).await;
    assert!(is_retryable(&outcome), "{outcome:?}");
    shows_no_secret(&outcome);
}

#[tokio::test]
async fn a_header_provider_that_panics_shows_no_secret() {
    let server = Server::start();
    let provider = HeaderProvider::new(|| async { panic!("token s3cr3t is no token") });
    let exporter = built(builder(server.grpc_endpoint()).with_header_provider(provider));
    let outcome = export(&exporter).await;
    assert!(is_retryable(&outcome) && kind(&outcome) == Some(ErrorKind::Request), "{outcome:?}");
    let text = format!("{outcome:?} {}", message(&outcome));
    assert!(text.contains("panicked") && !text.contains("s3cr3t"), "{text}");
    assert_eq!(server.counts().arrived, 0);
}
