//! Secrets stay out of everything that is printed.

use otlp_core::export::{Env, Exporter};
use otlp_testing::{RawAnswer, RawServer, Reply, Server};

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
