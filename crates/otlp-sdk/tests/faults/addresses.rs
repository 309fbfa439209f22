//! The wrong place: port, path, host, protocol, TLS on one side only.

use std::net::SocketAddr;

use otlp_core::export::{Pem, TlsConfig};
use otlp_sdk::DropReason;
use otlp_testing::Server;
use otlp_testing::tls::Certificates;
#[cfg(feature = "grpc")]
use otlp_testing::{RawAnswer, RawServer, Reply, Script};
use tokio::net::TcpSocket;

use super::{Over, Setup};

/// A port that is taken but not listened on: connections are refused, and nobody else can get it.
pub(crate) struct Nobody(TcpSocket);

impl Nobody {
    pub(crate) fn new() -> Self {
        let socket = TcpSocket::new_v4().unwrap();
        socket.bind(SocketAddr::from(([127, 0, 0, 1], 0))).unwrap();
        Self(socket)
    }

    pub(crate) fn endpoint(&self) -> String {
        format!("http://{}", self.0.local_addr().unwrap())
    }
}

#[test]
fn a_port_where_nobody_listens_is_a_refused_connection() {
    for &over in Over::ALL {
        let nobody = Nobody::new();
        let end = Setup::once(over, nobody.endpoint()).start().end_with(3);
        let tried = over.tried(&nobody.endpoint());
        end.lost(3, DropReason::RetriesExhausted).says(&[&tried, "Connection refused"]);
    }
}

#[test]
fn an_unknown_host_is_named_as_one() {
    for &over in Over::ALL {
        // A label of 64 characters is in no name system, so the look-up stays on this machine.
        let endpoint = format!("http://{}.invalid:9", "x".repeat(64));
        let end = Setup::once(over, endpoint.clone()).start().end_with(2);
        end.lost(2, DropReason::RetriesExhausted)
            .says(&[&over.tried(&endpoint), "failed to lookup address information"]);
    }
}

#[test]
fn a_wrong_path_is_a_404_with_the_path() {
    let server = Server::start();
    let endpoint = format!("{}/wrong", server.http_endpoint());
    let end = Setup::once(Over::Http, endpoint.clone()).start().end_with(2);
    end.lost(2, DropReason::PermanentError).says(&[&Over::Http.tried(&endpoint), "404 Not Found"]);
    assert_eq!(server.counts().items, 0);
}

#[test]
fn a_signals_endpoint_without_its_path_is_a_404_with_a_hint() {
    let server = Server::start();
    let endpoint = server.http_endpoint();
    let setup = Setup::once(Over::Http, endpoint.clone());
    let mut end =
        setup.variable("OTEL_EXPORTER_OTLP_TRACES_ENDPOINT", &*endpoint).start().end_with(2);
    // It was said at the start already.
    let at_start = end.messages.remove(0);
    let said = at_start.field("message");
    assert!(said.contains("OTEL_EXPORTER_OTLP_TRACES_ENDPOINT has no path"), "{said}");
    let hint = "the path is /, while OTLP servers usually listen on /v1/traces";
    end.lost(2, DropReason::PermanentError).says(&["404 Not Found", hint]);
}

#[cfg(feature = "grpc")]
#[test]
fn a_grpc_server_without_the_service_is_named_as_one() {
    let server = Server::start();
    server.respond_with(Script::always(Reply::grpc(12, "unknown service TraceService")));
    let endpoint = server.grpc_endpoint();
    let end = Setup::once(Over::Grpc, endpoint.clone()).start().end_with(2);
    end.lost(2, DropReason::PermanentError).says(&[
        &Over::Grpc.tried(&endpoint),
        "UNIMPLEMENTED: unknown service TraceService",
        "the server has no OTLP service for this signal at this address",
    ]);
    assert_eq!(server.counts().items, 0);
}

#[cfg(feature = "grpc")]
#[test]
fn the_other_protocols_port_is_recognised() {
    let server = Server::start();
    let end = Setup::once(Over::Http, server.grpc_endpoint()).start().end_with(2);
    end.lost(2, DropReason::RetriesExhausted)
        .says(&[&Over::Http.tried(&server.grpc_endpoint()), "one for gRPC or https?"]);
    assert_eq!(server.counts().arrived, 0);
}

#[cfg(feature = "grpc")]
#[test]
fn a_server_of_http_1_is_recognised_by_grpc() {
    let answer = "HTTP/1.1 400 Bad Request\r\ncontent-length: 0\r\nconnection: close\r\n\r\n";
    let server = RawServer::start(RawAnswer::OnFirstBytes(answer.into()));
    let endpoint = server.endpoint("http");
    let end = Setup::once(Over::Grpc, endpoint.clone()).start().end_with(2);
    end.lost(2, DropReason::RetriesExhausted)
        .says(&[&Over::Grpc.tried(&endpoint), "is it one for OTLP/HTTP or https?"]);
}

fn trusting(certificates: &Certificates) -> TlsConfig {
    TlsConfig::new().with_ca(Pem::from_bytes(certificates.ca_pem()))
}

#[test]
fn tls_to_a_plain_port_says_to_use_http() {
    let certificates = Certificates::generate().unwrap();
    let server = Server::start();
    for &over in Over::ALL {
        let endpoint = over.endpoint(&server).replace("http://", "https://");
        let setup = Setup::once(over, endpoint.clone()).tls(trusting(&certificates));
        setup.start().end_with(2).lost(2, DropReason::RetriesExhausted).says(&[
            &over.tried(&endpoint),
            "InvalidContentType",
            "the server does not speak TLS on this port; use http://",
        ]);
    }
    assert_eq!(server.counts().arrived, 0);
}

#[test]
fn plain_text_to_a_tls_port_asks_whether_it_is_https() {
    let certificates = Certificates::generate().unwrap();
    let server = Server::builder().with_tls(&certificates).start().unwrap();
    for &over in Over::ALL {
        let endpoint = over.endpoint(&server).replace("https://", "http://");
        let end = Setup::once(over, endpoint.clone()).start().end_with(2);
        end.lost(2, DropReason::RetriesExhausted).says(&[&over.tried(&endpoint), "or https?"]);
    }
    assert_eq!(server.counts().arrived, 0);
}

#[test]
fn a_server_with_a_certificate_of_somebody_else_is_not_trusted() {
    let (ours, theirs) = (Certificates::generate().unwrap(), Certificates::generate().unwrap());
    let server = Server::builder().with_tls(&theirs).start().unwrap();
    for &over in Over::ALL {
        let endpoint = over.endpoint(&server);
        let end = Setup::once(over, endpoint.clone()).tls(trusting(&ours)).start().end_with(2);
        end.lost(2, DropReason::RetriesExhausted).says(&[
            &over.tried(&endpoint),
            "invalid peer certificate",
            "set the certificate of the CA that signed the server's",
        ]);
    }
    assert_eq!(server.counts().arrived, 0);
}
