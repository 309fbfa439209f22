//! The life of the connection.

use otlp_core::export::Exporter;
use otlp_testing::{Fault, FaultProxy, Server};
use tonic::transport::Endpoint;

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
    let exporter = exporter(server.grpc_endpoint());
    for _ in 0..3 {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
        let outcome = runtime.block_on(export(&exporter));
        assert!(is_delivered(&outcome), "{outcome:?}");
    }
}

#[test]
fn an_exporter_leaves_a_runtime_that_nobody_drives() {
    let server = Server::start();
    let exporter = exporter(server.grpc_endpoint());
    let idle = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    assert!(is_delivered(&idle.block_on(export(&exporter))));

    let other = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    let deadline = Deadline::after(Instant::now(), Duration::from_millis(300));
    let stuck = other.block_on(exporter.export(payload(&["one"]), deadline));
    assert_eq!(kind(&stuck), Some(ErrorKind::Timeout), "{stuck:?}");
    assert!(is_delivered(&other.block_on(export(&exporter))));
}

#[tokio::test]
async fn a_restarted_server_is_reached_again() {
    let server = Server::start();
    let exporter = exporter(server.grpc_endpoint());
    assert!(is_delivered(&export(&exporter).await));

    for stop in [Server::stop, Server::kill] {
        stop(&server);
        let outcome = export(&exporter).await;
        assert!(is_retryable(&outcome), "{outcome:?}");
        server.restart().unwrap();
        // The first call may still meet the old connection.
        let mut outcome = export(&exporter).await;
        if is_retryable(&outcome) {
            outcome = export(&exporter).await;
        }
        assert!(is_delivered(&outcome), "{outcome:?}");
    }
}

#[tokio::test]
async fn a_server_that_comes_later_is_reached() {
    let server = Server::start();
    server.stop();
    let exporter = exporter(server.grpc_endpoint());
    assert!(is_retryable(&export(&exporter).await));
    server.restart().unwrap();
    assert!(is_delivered(&export(&exporter).await));
}

#[tokio::test]
async fn a_connection_that_has_gone_silent_is_replaced() {
    let server = Server::start();
    let proxy = FaultProxy::start(server.grpc_addr());
    let exporter = exporter(proxy.endpoint("http"));
    assert!(is_delivered(&export(&exporter).await));
    assert_eq!(proxy.connections(), 1);

    proxy.set(Fault::Stall);
    let deadline = Deadline::after(Instant::now(), Duration::from_millis(300));
    let stalled = exporter.export(payload(&["one"]), deadline).await;
    assert_eq!(kind(&stalled), Some(ErrorKind::Timeout));

    // The old connection may be dead for ever; the next call does not wait for it.
    proxy.set(Fault::None);
    assert!(is_delivered(&export(&exporter).await));
    assert_eq!(proxy.connections(), 2);
}

#[tokio::test]
async fn a_channel_of_ones_own_is_used_as_it_is() {
    let server = Server::start();
    let channel = Endpoint::from_shared(server.grpc_endpoint()).unwrap().connect_lazy();
    let exporter = built(
        builder("http://not.used.invalid").with_header("x-tenant", "blue").with_channel(channel),
    );
    assert!(is_delivered(&export(&exporter).await));
    assert_eq!(server.requests()[0].header("x-tenant"), Some("blue"));
}
