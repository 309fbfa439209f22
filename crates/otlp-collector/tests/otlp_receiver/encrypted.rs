//! TLS and mTLS.

use std::sync::Arc;
use std::time::Duration;

use otlp_collector::admission::Budget;
use otlp_collector::receivers::otlp::{
    OtlpReceiver, OtlpSettings, StartError, TlsServerSettings, TlsVersion,
};
use otlp_core::Signal;
use otlp_core::export::Pem;
use otlp_testing::tls::Certificates;
use rustls::crypto::ring;
use rustls::{ClientConfig, RootCertStore};
use rustls_pki_types::pem::PemObject as _;
use rustls_pki_types::{CertificateDer, PrivateKeyDer, ServerName};
use tokio::io::AsyncReadExt as _;
use tokio::net::TcpStream;
use tokio_rustls::TlsConnector;
use tokio_rustls::client::TlsStream;

use crate::support::{Grpc, Http1, MIB, PROTOBUF, Site, frame, soon, three_of, until};

fn tls(certificates: &Certificates) -> TlsServerSettings {
    let mut tls = TlsServerSettings::default();
    tls.cert_pem = Some(Pem::from_bytes(certificates.server_certificate_pem()));
    tls.key_pem = Some(Pem::from_bytes(certificates.server_key_pem()));
    tls
}

fn settings(tls: &TlsServerSettings) -> OtlpSettings {
    let mut settings = OtlpSettings::on_free_ports();
    settings.protocols.grpc.as_mut().unwrap().tls = Some(tls.clone());
    settings.protocols.http.as_mut().unwrap().tls = Some(tls.clone());
    settings
}

/// A client that trusts `server`, and is who `identity` says.
fn client(
    server: &Certificates,
    identity: Option<&Certificates>,
    protocol: &[u8],
    versions: &[&'static rustls::SupportedProtocolVersion],
) -> TlsConnector {
    let mut roots = RootCertStore::empty();
    roots.add(CertificateDer::from_pem_slice(server.ca_pem().as_bytes()).unwrap()).unwrap();
    let builder = ClientConfig::builder_with_provider(Arc::new(ring::default_provider()))
        .with_protocol_versions(versions)
        .unwrap()
        .with_root_certificates(roots);
    let mut config = match identity {
        None => builder.with_no_client_auth(),
        Some(identity) => {
            let chain =
                CertificateDer::from_pem_slice(identity.client_certificate_pem().as_bytes());
            let key = PrivateKeyDer::from_pem_slice(identity.client_key_pem().as_bytes());
            builder.with_client_auth_cert(vec![chain.unwrap()], key.unwrap()).unwrap()
        }
    };
    config.alpn_protocols = vec![protocol.to_vec()];
    TlsConnector::from(Arc::new(config))
}

async fn connect(
    connector: &TlsConnector,
    addr: std::net::SocketAddr,
) -> std::io::Result<TlsStream<TcpStream>> {
    let stream = TcpStream::connect(addr).await.unwrap();
    let name = ServerName::try_from("localhost").unwrap();
    soon(connector.connect(name, stream)).await
}

#[tokio::test]
async fn both_protocols_are_served_over_tls() {
    // H2
    let certificates = Certificates::generate().unwrap();
    let site = Site::with(settings(&tls(&certificates)), MIB).await;
    let (request, _) = three_of(Signal::Traces);
    let h2 = client(&certificates, None, b"h2", rustls::DEFAULT_VERSIONS);
    let grpc = Grpc::over(connect(&h2, site.grpc()).await.unwrap()).await;
    assert_eq!(grpc.export(Signal::Traces, &[], &frame(0, &request)).await.status(), 0);
    let over_h2 = Grpc::over(connect(&h2, site.http()).await.unwrap()).await;
    let reply = over_h2.send("POST", "/v1/traces", &[PROTOBUF], &request).await;
    assert_eq!(reply.http_status, 200);
    for versions in [&[&rustls::version::TLS12][..], &[&rustls::version::TLS13]] {
        let h1 = client(&certificates, None, b"http/1.1", versions);
        let mut http = Http1(connect(&h1, site.http()).await.unwrap());
        let reply = http.request("POST", "/v1/traces", &[PROTOBUF], &request).await;
        assert_eq!(reply.status, 200);
    }
    drop((grpc, over_h2));
    assert_eq!(site.end().await.connections.failed_handshakes, 0);
}

#[tokio::test]
async fn with_a_ca_for_clients_only_its_clients_are_served() {
    let certificates = Certificates::generate().unwrap();
    let stranger = Certificates::generate().unwrap();
    let folder = tempfile::tempdir().unwrap();
    let ca = folder.path().join("ca.pem");
    std::fs::write(&ca, certificates.ca_pem()).unwrap();
    let mut tls = tls(&certificates);
    tls.client_ca_file = Some(ca);
    let site = Site::with(settings(&tls), MIB).await;
    let (request, _) = three_of(Signal::Traces);
    for identity in [None, Some(&stranger)] {
        let connector = client(&certificates, identity, b"h2", rustls::DEFAULT_VERSIONS);
        // With TLS 1.3 the client learns of it by its first read.
        if let Ok(mut stream) = connect(&connector, site.grpc()).await {
            assert!(soon(stream.read_u8()).await.is_err());
        }
    }
    let known = client(&certificates, Some(&certificates), b"h2", rustls::DEFAULT_VERSIONS);
    let grpc = Grpc::over(connect(&known, site.grpc()).await.unwrap()).await;
    assert_eq!(grpc.export(Signal::Traces, &[], &frame(0, &request)).await.status(), 0);
    drop(grpc);
    assert_eq!(site.end().await.connections.failed_handshakes, 2);
}

#[tokio::test]
async fn certificates_that_change_are_read_again_and_bad_ones_leave_the_last_good_ones() {
    let [first, second] = [(); 2].map(|()| Certificates::generate().unwrap());
    let folder = tempfile::tempdir().unwrap();
    let file = |name: &str| folder.path().join(name);
    let write = |name: &str, text: &str| std::fs::write(file(name), text).unwrap();
    let put = |certificates: &Certificates| {
        write("cert.pem", certificates.server_certificate_pem());
        write("key.pem", certificates.server_key_pem());
        write("ca.pem", certificates.ca_pem());
    };
    put(&first);
    let mut tls = TlsServerSettings::default();
    (tls.cert_file, tls.key_file) = (Some(file("cert.pem")), Some(file("key.pem")));
    tls.client_ca_file = Some(file("ca.pem"));
    tls.reload_interval = Duration::from_millis(20);
    let site = Site::with(settings(&tls), MIB).await;
    let (request, _) = three_of(Signal::Traces);
    let request = frame(0, &request);
    let who =
        |certificates| client(certificates, Some(certificates), b"h2", rustls::DEFAULT_VERSIONS);
    let [old, new] = [who(&first), who(&second)];
    let grpc = Grpc::over(connect(&old, site.grpc()).await.unwrap()).await;
    assert_eq!(grpc.export(Signal::Traces, &[], &request).await.status(), 0);

    put(&second);
    let renewed = soon(async {
        loop {
            match connect(&new, site.grpc()).await {
                Ok(stream) => break Grpc::over(stream).await,
                Err(_) => tokio::time::sleep(Duration::from_millis(20)).await,
            }
        }
    });
    assert_eq!(renewed.await.export(Signal::Traces, &[], &request).await.status(), 0);
    assert!(connect(&old, site.grpc()).await.is_err(), "who was trusted before is no more");
    assert_eq!(
        grpc.export(Signal::Traces, &[], &request).await.status(),
        0,
        "what is open goes on"
    );

    // A key that does not belong to its certificate, as while both are being replaced.
    let before = site.running.counters().connections.failed_reloads;
    write("key.pem", first.server_key_pem());
    until(|| site.running.counters().connections.failed_reloads > before).await;
    let kept = Grpc::over(connect(&new, site.grpc()).await.unwrap()).await;
    assert_eq!(kept.export(Signal::Traces, &[], &request).await.status(), 0);
    drop((grpc, kept));
    site.recorder.taken.lock().clear();
    site.end().await;
}

#[tokio::test]
async fn a_handshake_that_takes_too_long_is_given_up() {
    let certificates = Certificates::generate().unwrap();
    let mut settings = settings(&tls(&certificates));
    settings.limits.tls_handshake_timeout = Duration::from_millis(200);
    let site = Site::with(settings, MIB).await;
    let mut silent = TcpStream::connect(site.grpc()).await.unwrap();
    assert_eq!(soon(silent.read(&mut [0; 10])).await.unwrap_or(0), 0);
    assert_eq!(site.end().await.connections.failed_handshakes, 1);
}

#[tokio::test]
async fn certificates_that_cannot_be_used_are_said_by_their_setting() {
    let certificates = Certificates::generate().unwrap();
    let good = tls(&certificates);
    let mut missing = TlsServerSettings::default();
    missing.cert_file = Some("/nowhere/cert.pem".into());
    missing.key_pem = good.key_pem.clone();
    let mut no_key = good.clone();
    no_key.key_pem = None;
    let mut swapped = good.clone();
    swapped.cert_pem = good.key_pem.clone();
    let mut foreign = good.clone();
    foreign.key_pem = Some(Pem::from_bytes(certificates.client_key_pem()));
    let mut both = good.clone();
    both.cert_file = Some("/nowhere/cert.pem".into());
    let mut versions = good.clone();
    versions.min_version = TlsVersion::V1_3;
    versions.max_version = Some(TlsVersion::V1_2);
    for (tls, said) in [
        (missing, "/nowhere/cert.pem"),
        (no_key, "tls::key_file is missing"),
        (swapped, "tls::cert holds no certificate"),
        (foreign, "cannot be used"),
        (both, "one of them is accepted"),
        (versions, "newer"),
    ] {
        let started = OtlpReceiver::new(settings(&tls)).start(Default::default(), Budget::new(1));
        match started.await {
            Err(StartError::Tls { protocol: "grpc", message }) => {
                assert!(message.contains(said), "{message}");
            }
            other => panic!("{said}: {other:?}"),
        }
    }
}
