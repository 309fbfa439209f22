//! TLS, mTLS, and credentials that an extension brings.

use otlp_core::Signal;
use otlp_core::export::Outcome;
use otlp_testing::Server;
use otlp_testing::tls::Certificates;

use crate::support::{consume, error, payload, sender};

const DIRECT: &str = "sending_queue: {enabled: false}, retry_on_failure: {enabled: false}";

/// Both exporters, to a server with TLS, with these settings of TLS.
fn both(server: &Server, tls: &str) -> [(&'static str, String); 2] {
    let grpc = format!("{{endpoint: '{}', tls: {{{tls}}}, {DIRECT}}}", server.grpc_addr());
    let http = format!("{{endpoint: '{}', tls: {{{tls}}}, {DIRECT}}}", server.http_endpoint());
    [("otlp_grpc", grpc), ("otlp_http", http)]
}

async fn send(name: &str, settings: &str) -> Outcome {
    consume(&sender(name, settings, Signal::Traces), payload(Signal::Traces)).await
}

/// PEM as a text of YAML in one line.
fn text(pem: &str) -> String {
    format!("\"{}\"", pem.replace('\n', "\\n"))
}

#[tokio::test]
async fn a_server_is_verified_with_the_ca_as_file_or_as_text() {
    let certificates = Certificates::generate().unwrap();
    let server = Server::builder().with_tls(&certificates).start().unwrap();
    let folder = tempfile::tempdir().unwrap();
    let files = certificates.write_client_files(folder.path()).unwrap();
    for tls in [
        format!("ca_file: '{}'", files.ca.display()),
        format!("ca_pem: {}", text(certificates.ca_pem())),
        // A CA means that TLS is wanted, as in the Go collector.
        format!("insecure: true, ca_file: '{}'", files.ca.display()),
    ] {
        for (name, settings) in both(&server, &tls) {
            let outcome = send(name, &settings).await;
            assert!(outcome.error().is_none(), "{name} {tls}: {outcome:?}");
        }
    }
    let stranger = Certificates::generate().unwrap();
    for (name, settings) in both(&server, &format!("ca_pem: {}", text(stranger.ca_pem()))) {
        let outcome = send(name, &settings).await;
        assert!(matches!(outcome, Outcome::Retryable { .. }), "{outcome:?}");
        assert!(error(&outcome).contains("certificate"), "{}", error(&outcome));
    }
}

#[tokio::test]
async fn a_client_shows_its_certificate() {
    let certificates = Certificates::generate().unwrap();
    let server = Server::builder().with_mutual_tls(&certificates).start().unwrap();
    let folder = tempfile::tempdir().unwrap();
    let files = certificates.write_client_files(folder.path()).unwrap();
    let ca = format!("ca_file: '{}'", files.ca.display());
    let identity = format!(
        "{ca}, cert_file: '{}', key_file: '{}'",
        files.certificate.display(),
        files.key.display()
    );
    for (name, settings) in both(&server, &ca) {
        assert!(send(name, &settings).await.error().is_some(), "{name}");
    }
    for (name, settings) in both(&server, &identity) {
        server.clear();
        let outcome = send(name, &settings).await;
        assert!(outcome.error().is_none(), "{name}: {outcome:?}");
        assert!(server.requests()[0].client_certificate);
    }
}

#[tokio::test]
async fn a_host_without_a_scheme_is_spoken_to_with_tls_unless_told_otherwise() {
    let server = Server::start();
    let address = server.grpc_addr();
    let ca = text(Certificates::generate().unwrap().ca_pem());
    for endpoint in [address.to_string(), format!("http://{address}"), format!("https://{address}")]
    {
        let settings = format!("{{endpoint: '{endpoint}', tls: {{ca_pem: {ca}}}, {DIRECT}}}");
        assert!(send("otlp_grpc", &settings).await.error().is_some(), "{endpoint}");
    }
    for endpoint in [address.to_string(), format!("http://{address}"), format!("dns:///{address}")]
    {
        let settings = format!("{{endpoint: '{endpoint}', tls: {{insecure: true}}, {DIRECT}}}");
        let outcome = send("otlp_grpc", &settings).await;
        assert!(outcome.error().is_none(), "{endpoint}: {outcome:?}");
    }
}

#[tokio::test]
async fn a_server_may_have_another_name_than_its_address() {
    let certificates = Certificates::generate().unwrap();
    let server = Server::builder().with_tls(&certificates).start().unwrap();
    let ca = text(certificates.ca_pem());
    for (name, is_right) in [("localhost", true), ("other.example", false)] {
        let tls = format!("ca_pem: {ca}, server_name_override: '{name}'");
        for (exporter, settings) in both(&server, &tls) {
            let outcome = send(exporter, &settings).await;
            assert_eq!(outcome.error().is_none(), is_right, "{exporter} {name}: {outcome:?}");
        }
    }
    let tls = format!("ca_pem: {ca}, server_name_override: 'a b'");
    for (exporter, settings) in both(&server, &tls) {
        let destination = crate::support::destination(exporter, &settings).unwrap();
        let host = otlp_collector::component::Host::alone(exporter.parse().unwrap());
        assert!(destination.open(&host, Signal::Traces).is_err(), "{exporter}");
    }
}

#[tokio::test]
async fn the_systems_roots_may_stand_beside_a_ca() {
    let certificates = Certificates::generate().unwrap();
    let server = Server::builder().with_tls(&certificates).start().unwrap();
    let tls =
        format!("ca_pem: {}, include_system_ca_certs_pool: true", text(certificates.ca_pem()));
    for (exporter, settings) in both(&server, &tls) {
        let destination = crate::support::destination(exporter, &settings).unwrap();
        let host = otlp_collector::component::Host::alone(exporter.parse().unwrap());
        match destination.open(&host, Signal::Traces) {
            // A machine without certificates.
            Err(error) => assert!(error.to_string().contains("certificates"), "{error}"),
            Ok(_) => {
                let outcome = send(exporter, &settings).await;
                assert!(outcome.error().is_none(), "{exporter}: {outcome:?}");
            }
        }
    }
}
