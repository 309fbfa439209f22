//! Secrets stay out of everything that is printed.

use otlp_core::export::{Env, Exporter, HeaderProvider, Headers};
use otlp_core::wire::response::Status;
use otlp_testing::{RawAnswer, RawServer, Reply, Script, Server};

use super::*;

#[tokio::test]
async fn secrets_are_in_no_message_and_no_debug_output() {
    let gone = RawServer::start(RawAnswer::CloseAtOnce).addr();
    let server = Server::start();
    server.respond_with(Reply::http(401).with_body("who are you?"));
    for address in [gone, server.http_addr()] {
        let builder = builder(format!("http://user:s3cr3t-pw@{address}/?key=s3cr3t-q"))
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
fn a_client_of_ones_own_keeps_its_secrets() {
    #[cfg(feature = "tls")]
    let _ = rustls::crypto::ring::default_provider().install_default();
    let headers = [(reqwest::header::AUTHORIZATION, "s3cr3t".parse().unwrap())];
    let headers = headers.into_iter().collect();
    let client = reqwest::Client::builder().default_headers(headers).build().unwrap();
    let builder = builder("http://localhost").with_client(client);
    let text = format!("{builder:?} {:?}", built(builder.clone()));
    assert!(text.contains("localhost") && !text.contains("s3cr3t"), "{text}");
}

/// An exporter with secrets of every kind, all of which hold `s3cr3t`.
fn with_secrets(server: &Server) -> HttpExporter {
    let provider = HeaderProvider::new(|| async {
        let mut headers = Headers::new();
        headers.insert("x-provided", "Token s3cr3t-provided")?;
        Ok(headers)
    });
    let url = format!("http://user:s3cr3t-pw@{}/?key=s3cr3t-query", server.http_addr());
    built(builder(url).with_header("x-key", "Bearer s3cr3t-tok").with_header_provider(provider))
}

/// What a server may quote of the request that it has just seen, and of those parts alone.
async fn echoes(server: &Server, exporter: &HttpExporter) -> Vec<String> {
    assert!(is_delivered(&export(exporter).await));
    let requests = server.requests();
    let seen = requests.last().unwrap();
    let sent = |name| seen.header(name).unwrap().to_owned();
    let mut echoes = vec![
        sent("x-key"),
        sent("x-provided"),
        sent("authorization"),
        "Bearer%20s3cr3t-tok".to_owned(),
        "/v1/traces?key=s3cr3t-query".to_owned(),
        "s3cr3t-query".to_owned(),
        "s3cr3t-pw".to_owned(),
        "user:s3cr3t-pw".to_owned(),
    ];
    let tokens: Vec<_> =
        echoes.iter().filter_map(|echo| Some(echo.split_once(' ')?.1.to_owned())).collect();
    assert_eq!(tokens.len(), 3);
    echoes.extend(tokens);
    echoes
}

fn shows_no_secret(outcome: &Outcome) {
    let mut text = format!("{outcome:?} {}", message(outcome));
    let mut cause = outcome.error().and_then(|error| std::error::Error::source(error));
    while let Some(error) = cause {
        text.push_str(&format!(" {error} {error:?}"));
        cause = error.source();
    }
    // The second: the password in the token of `Basic`.
    assert!(text.contains("***"), "{text}");
    assert!(!text.contains("s3cr3t") && !text.contains("czNjcjN0"), "{text}");
}

#[tokio::test]
async fn secrets_that_the_server_sends_back_are_hidden() {
    let server = Server::start();
    let exporter = with_secrets(&server);
    for echo in echoes(&server, &exporter).await {
        let said = format!("bad credentials: {echo}, go away");
        let status = Status { code: 16, message: said.clone(), retry_delay: None }.encode();
        let protobuf = ("content-type", "application/x-protobuf");
        let text = ("content-type", "text/plain");
        for reply in [
            Reply::http(401).with_header(text.0, text.1).with_body(said.clone()),
            Reply::http(503).with_header(protobuf.0, protobuf.1).with_body(status),
            Reply::http(200).with_header(text.0, text.1).with_body(said.clone()),
            Reply::http(200).with_header("content-type", &said),
            Reply::http(200).with_header("content-encoding", &said).with_body("x"),
            Reply::redirect(&format!("http://elsewhere/{echo}")),
            Reply::partial_success(1, &said),
            Reply::partial_success(0, &said),
        ] {
            server.respond_with(reply.clone());
            let outcome = export(&exporter).await;
            if is_delivered(&outcome) {
                continue; // an empty body has no media type to quote
            }
            // What follows the path of a redirect is left out in any case.
            if !echo.contains('?') || !message(&outcome).contains("elsewhere") {
                shows_no_secret(&outcome);
            }
            assert!(!format!("{outcome:?}").contains("s3cr3t"), "{outcome:?}");
        }
    }
}

#[tokio::test]
async fn what_is_no_secret_of_ours_stays_readable() {
    let server = Server::start();
    let exporter = built(builder(server.http_endpoint()).with_header("x-tenant", "7"));
    let reply = Reply::http(400).with_header("content-type", "text/plain");
    server.respond_with(reply.with_body("17 spans of tenant 7 are too old"));
    let text = message(&export(&exporter).await);
    assert!(text.contains("17 spans of tenant *** are too old"), "{text}");
}

#[tokio::test]
async fn a_header_provider_that_panics_shows_no_secret() {
    let server = Server::start();
    server.respond_with(Script::always(Reply::ok()));
    let provider = HeaderProvider::new(|| async { panic!("token s3cr3t is no token") });
    let exporter = built(builder(server.http_endpoint()).with_header_provider(provider));
    let outcome = export(&exporter).await;
    assert!(is_retryable(&outcome) && kind(&outcome) == Some(ErrorKind::Request), "{outcome:?}");
    let text = format!("{outcome:?} {}", message(&outcome));
    assert!(text.contains("panicked") && !text.contains("s3cr3t"), "{text}");
    assert_eq!(server.connections(), 0);
}
