//! Below HTTP: raw answers, cut lines, TLS.

mod support;

use std::io::{Read as _, Write as _};
use std::net::TcpStream;
use std::time::Duration;

use otlp_testing::tls::Certificates;
use otlp_testing::{Direction, Fault, FaultProxy, Gate, RawAnswer, RawServer, Server};
use prost::Message as _;
use support::{PATIENCE, grpc, http, install_provider, request};
use tonic::transport::{Certificate, ClientTlsConfig, Endpoint, Identity};

async fn post_to(endpoint: String, ids: std::ops::Range<u8>) -> reqwest::Result<reqwest::Response> {
    let post = http().post(format!("{endpoint}/v1/traces")).body(request(ids).encode_to_vec());
    post.header("content-type", "application/x-protobuf").send().await
}

#[tokio::test]
async fn a_raw_answer_is_given_byte_for_byte() {
    let server = RawServer::start(RawAnswer::OnRequest("HTTP/1.1 418 Teapot\r\n\r\nshort".into()));
    let response = post_to(server.endpoint("http"), 0..100).await.unwrap();
    assert_eq!(response.status(), 418);
    assert_eq!(response.text().await.unwrap(), "short");
    assert_eq!(server.connections(), 1);
    assert!(server.received().starts_with(b"POST /v1/traces HTTP/1.1\r\n"));
    assert!(server.received().ends_with(&request(0..100).encode_to_vec()));
}

#[test]
fn raw_servers_speak_first_close_and_stay_silent() {
    let speaks = RawServer::start(RawAnswer::OnAccept("SSH-2.0-x\r\n".into()));
    let mut text = String::new();
    TcpStream::connect(speaks.addr()).unwrap().read_to_string(&mut text).unwrap();
    assert_eq!(text, "SSH-2.0-x\r\n");

    let closes = RawServer::start(RawAnswer::CloseAtOnce);
    assert_eq!(TcpStream::connect(closes.addr()).unwrap().read(&mut [0; 8]).unwrap(), 0);

    let resets = RawServer::start(RawAnswer::Reset);
    // The reset may overtake the end of the connect.
    let read = TcpStream::connect(resets.addr()).and_then(|mut stream| stream.read(&mut [0; 8]));
    assert_eq!(read.unwrap_err().kind(), std::io::ErrorKind::ConnectionReset);

    let silent = RawServer::start(RawAnswer::Silent);
    let mut stream = TcpStream::connect(silent.addr()).unwrap();
    stream.write_all(b"hello").unwrap();
    assert!(silent.wait_for_connections(1, PATIENCE));
    drop(silent);
    // The line ends, with or without a reset, only when the server ends.
    assert!(!matches!(stream.read(&mut [0; 8]), Ok(1..)));
}

#[tokio::test]
async fn tls_against_a_plain_port_is_an_error() {
    let plain =
        RawServer::start(RawAnswer::OnFirstBytes("HTTP/1.1 400 Bad Request\r\n\r\n".into()));
    let error = post_to(plain.endpoint("https"), 0..1).await.unwrap_err();
    assert!(error.is_connect(), "{error:?}");
    assert_eq!(plain.received()[0], 0x16, "a TLS handshake record");
}

#[tokio::test]
async fn a_healthy_proxy_passes_everything() {
    let server = Server::start();
    let proxy = FaultProxy::start(server.http_addr());
    assert_eq!(post_to(proxy.endpoint("http"), 0..9).await.unwrap().status(), 200);
    assert_eq!(server.spans().len(), 9);
    assert_eq!((proxy.connections(), proxy.cuts()), (1, 0));
    assert!(proxy.bytes(Direction::Request) > proxy.bytes(Direction::Answer));
}

#[tokio::test]
async fn a_cut_request_never_arrives_and_a_cut_answer_does() {
    let server = Server::start();
    let proxy = FaultProxy::start(server.http_addr());
    proxy.set(Fault::CutAfter { bytes: 200, direction: Direction::Request });
    post_to(proxy.endpoint("http"), 0..100).await.unwrap_err();
    assert_eq!(proxy.bytes(Direction::Request), 200);
    assert_eq!(server.spans().len(), 0);

    proxy.set(Fault::CutAfter { bytes: 20, direction: Direction::Answer });
    post_to(proxy.endpoint("http"), 0..3).await.unwrap_err();
    // W9: taken, and the sender does not know.
    assert_eq!(server.spans().len(), 3);
    assert_eq!(proxy.cuts(), 2);
}

#[tokio::test]
async fn a_refusing_proxy_cuts_and_refuses_and_comes_back() {
    let server = Server::start();
    let proxy = FaultProxy::start(server.grpc_addr());
    let mut client = grpc(&proxy.endpoint("http")).await;
    client.export(request([1])).await.unwrap();
    proxy.set(Fault::Refuse);
    client.export(request([2])).await.unwrap_err();
    let error = TcpStream::connect(proxy.addr()).unwrap_err();
    assert_eq!(error.kind(), std::io::ErrorKind::ConnectionRefused);
    proxy.set(Fault::None);
    grpc(&proxy.endpoint("http")).await.export(request([3])).await.unwrap();
    assert_eq!(server.spans().len(), 2);
}

#[tokio::test]
async fn a_gated_proxy_holds_bytes_until_the_gate_opens() {
    let server = Server::start();
    let proxy = FaultProxy::start(server.http_addr());
    let gate = Gate::new();
    proxy.set(Fault::Gated(gate.clone()));
    let export = tokio::spawn(post_to(proxy.endpoint("http"), 0..2));
    // Both directions of the one connection wait.
    assert!(gate.waiting_reaches(2, PATIENCE).await);
    assert_eq!((proxy.bytes(Direction::Request), server.counts().arrived), (0, 0));
    gate.open();
    assert_eq!(export.await.unwrap().unwrap().status(), 200);
}

#[test]
fn a_stalled_line_passes_nothing_until_the_fault_changes() {
    let server = RawServer::start(RawAnswer::OnFirstBytes("answer".into()));
    let proxy = FaultProxy::start(server.addr());
    proxy.set(Fault::Stall);
    let mut stream = TcpStream::connect(proxy.addr()).unwrap();
    stream.write_all(b"request").unwrap();
    assert!(proxy.wait_for_connections(1, PATIENCE));
    // A line that wrongly passes bytes has the time to show it; a right one never does.
    stream.set_read_timeout(Some(Duration::from_millis(50))).unwrap();
    stream.read(&mut [0; 8]).unwrap_err();
    assert_eq!((proxy.bytes(Direction::Request), server.received().len()), (0, 0));
    proxy.set(Fault::None);
    stream.set_read_timeout(Some(PATIENCE)).unwrap();
    let mut answer = String::new();
    stream.read_to_string(&mut answer).unwrap();
    assert_eq!(answer, "answer");
}

fn tls_of(certificates: &Certificates) -> ClientTlsConfig {
    install_provider();
    ClientTlsConfig::new().ca_certificate(Certificate::from_pem(certificates.ca_pem()))
}

fn identity(certificates: &Certificates) -> Identity {
    Identity::from_pem(certificates.client_certificate_pem(), certificates.client_key_pem())
}

/// One export over gRPC with TLS; the number of spans that the server has then.
#[expect(clippy::unwrap_used, reason = "a helper of tests fails where the test would")]
async fn export_with(server: &Server, tls: ClientTlsConfig) -> Result<usize, String> {
    let endpoint = Endpoint::from_shared(server.grpc_endpoint()).unwrap().tls_config(tls).unwrap();
    let channel = endpoint.connect_lazy();
    let mut client =
        opentelemetry_proto::tonic::collector::trace::v1::trace_service_client::TraceServiceClient::new(
            channel,
        );
    client.export(request([1])).await.map_err(|status| status.to_string())?;
    Ok(server.spans().len())
}

#[tokio::test]
async fn tls_serves_who_trusts_the_ca_and_nobody_else() {
    let certificates = Certificates::generate().unwrap();
    let server = Server::builder().with_tls(&certificates).start().unwrap();
    assert!(server.grpc_endpoint().starts_with("https://127.0.0.1:"));
    assert_eq!(export_with(&server, tls_of(&certificates)).await, Ok(1));
    let strangers = Certificates::generate().unwrap();
    export_with(&server, tls_of(&strangers)).await.unwrap_err();
    assert!(!server.spans()[0].request.client_certificate);
}

#[tokio::test]
async fn mutual_tls_serves_who_shows_a_certificate_of_the_ca() {
    let certificates = Certificates::generate().unwrap();
    let server = Server::builder().with_mutual_tls(&certificates).start().unwrap();
    export_with(&server, tls_of(&certificates)).await.unwrap_err();
    let strangers = Certificates::generate().unwrap();
    export_with(&server, tls_of(&certificates).identity(identity(&strangers))).await.unwrap_err();
    let known = tls_of(&certificates).identity(identity(&certificates));
    assert_eq!(export_with(&server, known).await, Ok(1));
    assert!(server.spans()[0].request.client_certificate);
    assert!(!server.problems().is_empty(), "the refused handshakes are noted");
}

#[tokio::test]
async fn http_speaks_tls_in_both_versions() {
    let certificates = Certificates::generate().unwrap();
    let server = Server::builder().with_tls(&certificates).start().unwrap();
    install_provider();
    let ca = reqwest::Certificate::from_pem(certificates.ca_pem().as_bytes()).unwrap();
    let builder = || reqwest::Client::builder().no_proxy().tls_certs_only([ca.clone()]);
    for (client, version) in [
        (builder().build().unwrap(), reqwest::Version::HTTP_2),
        (builder().http1_only().build().unwrap(), reqwest::Version::HTTP_11),
    ] {
        let post = client.post(format!("{}/v1/traces", server.http_endpoint()));
        let post = post.header("content-type", "application/x-protobuf");
        let response = post.body(request([1]).encode_to_vec()).send().await.unwrap();
        assert_eq!(response.version(), version);
    }
    assert_eq!(server.duplicate_spans().len(), 1);
}

#[test]
fn client_files_hold_what_a_client_needs_and_no_server_key() {
    let certificates = Certificates::generate().unwrap();
    let folder = tempfile::tempdir().unwrap();
    let files = certificates.write_client_files(folder.path()).unwrap();
    let read = |path| std::fs::read_to_string(path).unwrap();
    assert_eq!(read(&files.ca), certificates.ca_pem());
    assert_eq!(read(&files.certificate), certificates.client_certificate_pem());
    assert_eq!(read(&files.key), certificates.client_key_pem());
    assert!(!format!("{certificates:?}").contains("PRIVATE"));
    certificates.write_client_files(&folder.path().join("missing")).unwrap_err();
}
