//! Nobody is served without credentials, and nothing of the body is read before they are.

use std::sync::Arc;
use std::time::Duration;

use otlp_collector::admission::Budget;
use otlp_collector::receivers::otlp::{
    AuthSettings, Authenticator, BasicCredentials, BearerTokens, OtlpReceiver, OtlpSettings,
    StartError,
};
use otlp_core::Signal;
use tokio::io::AsyncWriteExt as _;

use crate::support::{Grpc, Http1, MIB, PROTOBUF, Site, frame, three_of};

fn settings(name: &str) -> OtlpSettings {
    let mut settings = OtlpSettings::on_free_ports();
    let mut auth = AuthSettings::default();
    auth.authenticator = name.to_owned();
    settings.protocols.grpc.as_mut().unwrap().auth = Some(auth.clone());
    settings.protocols.http.as_mut().unwrap().auth = Some(auth);
    settings
}

async fn site(authenticator: impl Authenticator) -> Site {
    let receiver = OtlpReceiver::new(settings("keys"));
    Site::of(receiver.with_authenticator("keys", Arc::new(authenticator)), 64 * MIB).await
}

#[tokio::test]
async fn a_bearer_token_lets_in_and_nothing_else_does() {
    let site = site(BearerTokens::new(["s3cret".into()])).await;
    let (request, _) = three_of(Signal::Traces);
    let grpc = Grpc::to(site.grpc()).await;
    let mut http = Http1::to(site.http()).await;
    for wrong in [None, Some("Bearer wrong"), Some("Bearer "), Some("Basic s3cret")] {
        let headers: Vec<_> = wrong.map(|value| ("authorization", value)).into_iter().collect();
        let reply = grpc.export(Signal::Traces, &headers, &frame(0, &request)).await;
        assert_eq!(reply.status(), 16, "{wrong:?}");
        assert!(!format!("{reply:?}").contains("s3cret"));
        let headers: Vec<_> = [PROTOBUF].into_iter().chain(headers).collect();
        // Of an unknown path no more is told than of a known one.
        for path in ["/v1/traces", "/v1/unknown"] {
            let mut http = Http1::to(site.http()).await;
            let reply = http.request("POST", path, &headers, &request).await;
            assert_eq!((reply.status, reply.header("www-authenticate")), (401, "Bearer"));
        }
    }
    assert!(site.taken().is_empty());
    let good = [("authorization", "Bearer s3cret")];
    let reply = grpc.export(Signal::Traces, &good, &frame(0, &request)).await;
    assert_eq!(reply.status(), 0);
    let reply = http.request("POST", "/v1/traces", &[PROTOBUF, good[0]], &request).await;
    assert_eq!(reply.status, 200);
    drop((grpc, http));
    site.end().await;
}

#[tokio::test]
async fn the_body_is_not_waited_for_without_credentials() {
    let site = site(BasicCredentials::new([("ann", "pass")])).await;
    let mut http = Http1::to(site.http()).await;
    let head = "POST /v1/traces HTTP/1.1\r\nhost: a\r\ncontent-type: application/x-protobuf\r\n\
                content-length: 60000000\r\n\r\n";
    http.0.write_all(head.as_bytes()).await.unwrap();
    let reply = http.reply().await;
    assert_eq!(reply.status, 401);
    assert!(reply.header("www-authenticate").starts_with("Basic "));
    assert_eq!(site.budget.used(), 0);
    drop(http);
    site.end().await;
}

#[tokio::test]
async fn authentication_that_is_set_and_not_there_is_no_start() {
    let receiver = OtlpReceiver::new(settings("keys"));
    let started = receiver.start(Default::default(), Budget::new(1)).await;
    match started {
        Err(StartError::NoAuthenticator { name }) => assert_eq!(name, "keys"),
        Err(other) => panic!("{other}"),
        Ok(running) => {
            running.stop(Duration::ZERO).await;
            panic!("it must not start");
        }
    }
}
