//! The life of connections.

use otlp_testing::{Fault, FaultProxy, Server};

use super::*;

#[test]
fn an_exporter_is_built_without_a_runtime_and_refuses_to_run_without_one() {
    let exporter = exporter("http://127.0.0.1:1");
    let mut export = std::pin::pin!(export(&exporter));
    let mut context = std::task::Context::from_waker(std::task::Waker::noop());
    match export.as_mut().poll(&mut context) {
        std::task::Poll::Ready(outcome) => assert!(message(&outcome).contains("Tokio runtime")),
        std::task::Poll::Pending => panic!("waits for nothing"),
    }
}

#[test]
fn an_exporter_survives_the_runtime_that_it_began_on() {
    let server = Server::start();
    let exporter = exporter(server.http_endpoint());
    for _ in 0..3 {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
        let outcome = runtime.block_on(export(&exporter));
        assert!(is_delivered(&outcome), "{outcome:?}");
    }
}

#[tokio::test]
async fn a_restarted_server_is_reached_again() {
    let server = Server::start();
    let exporter = exporter(server.http_endpoint());
    assert!(is_delivered(&export(&exporter).await));

    for stop in [Server::stop, Server::kill] {
        stop(&server);
        let outcome = export(&exporter).await;
        assert!(is_retryable(&outcome), "{outcome:?}");
        server.restart().unwrap();
        let outcome = export(&exporter).await;
        assert!(is_delivered(&outcome), "{outcome:?}");
    }
}

#[tokio::test]
async fn a_connection_that_has_gone_silent_is_replaced() {
    let server = Server::start();
    let proxy = FaultProxy::start(server.http_addr());
    let exporter = exporter(proxy.endpoint("http"));
    assert!(is_delivered(&export(&exporter).await));

    proxy.set(Fault::Stall);
    let deadline = Deadline::after(Instant::now(), Duration::from_millis(300));
    let stalled = exporter.export(payload(&["one"]), deadline).await;
    assert_eq!(kind(&stalled), Some(ErrorKind::Timeout));

    proxy.set(Fault::None);
    assert!(is_delivered(&export(&exporter).await));
    assert_eq!(proxy.connections(), 2);
}

#[tokio::test]
async fn a_client_of_ones_own_is_used_as_it_is() {
    let server = Server::start();
    #[cfg(feature = "tls")]
    let _ = rustls::crypto::ring::default_provider().install_default();
    let client = reqwest::Client::builder()
        .resolve("collector.invalid", server.http_addr())
        .build()
        .unwrap();
    let endpoint = format!("http://collector.invalid:{}", server.http_addr().port());
    let exporter = built(builder(endpoint).with_header("x-tenant", "blue").with_client(client));
    assert!(is_delivered(&export(&exporter).await));
    assert_eq!(server.requests()[0].header("x-tenant"), Some("blue"));
}

#[tokio::test]
async fn connections_are_kept_for_later_requests_unless_none_are_to_be() {
    for (builder, connections) in [
        (builder as fn(String) -> HttpExporterBuilder, 1),
        (|url| builder(url).with_idle_connections(0, Duration::from_secs(50)), 3),
    ] {
        let server = Server::start();
        let exporter = built(builder(server.http_endpoint()));
        for _ in 0..3 {
            assert!(is_delivered(&export(&exporter).await));
        }
        assert_eq!(server.connections(), connections);
    }
}
