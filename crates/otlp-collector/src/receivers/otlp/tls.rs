//! The server's side of TLS: certificates in, a configuration of rustls out.

use std::path::Path;
use std::sync::Arc;

use otlp_core::export::{Pem, PemSource};
use rustls::crypto::ring;
use rustls::server::WebPkiClientVerifier;
use rustls::version::{TLS12, TLS13};
use rustls::{RootCertStore, ServerConfig};
use rustls_pki_types::pem::PemObject as _;
use rustls_pki_types::{CertificateDer, PrivateKeyDer};

use super::settings::{TlsServerSettings, TlsVersion};

/// Reads the certificates. What is wrong is said without a word of them.
pub(super) fn config(
    settings: &TlsServerSettings,
    protocols: &[&[u8]],
) -> Result<Arc<ServerConfig>, String> {
    let chain = pem("cert", settings.cert_file.as_deref(), settings.cert_pem.as_ref())?;
    let chain = certificates("cert", &chain)?;
    let key = pem("key", settings.key_file.as_deref(), settings.key_pem.as_ref())?;
    let key = PrivateKeyDer::from_pem_slice(&key)
        .map_err(|error| format!("tls::key holds no private key in PEM: {error}"))?;
    let oldest = settings.min_version;
    let newest = settings.max_version.unwrap_or(TlsVersion::V1_3);
    let versions = match (oldest, newest) {
        (TlsVersion::V1_2, TlsVersion::V1_2) => vec![&TLS12],
        (TlsVersion::V1_2, TlsVersion::V1_3) => vec![&TLS13, &TLS12],
        (TlsVersion::V1_3, TlsVersion::V1_3) => vec![&TLS13],
        (TlsVersion::V1_3, TlsVersion::V1_2) => {
            return Err("tls::min_version is newer than tls::max_version".to_owned());
        }
    };
    let provider = Arc::new(ring::default_provider());
    let builder = ServerConfig::builder_with_provider(Arc::clone(&provider))
        .with_protocol_versions(&versions)
        .map_err(|error| error.to_string())?;
    let builder = match &settings.client_ca_file {
        None => builder.with_no_client_auth(),
        Some(file) => {
            let roots = pem("client_ca", Some(file), None)?;
            let mut store = RootCertStore::empty();
            for certificate in certificates("client_ca", &roots)? {
                store.add(certificate).map_err(|error| format!("tls::client_ca_file: {error}"))?;
            }
            let verifier = WebPkiClientVerifier::builder_with_provider(Arc::new(store), provider)
                .build()
                .map_err(|error| format!("tls::client_ca_file: {error}"))?;
            builder.with_client_cert_verifier(verifier)
        }
    };
    let mut config = builder
        .with_single_cert(chain, key)
        .map_err(|error| format!("tls: certificate and key cannot be used: {error}"))?;
    config.alpn_protocols = protocols.iter().map(|protocol| protocol.to_vec()).collect();
    Ok(Arc::new(config))
}

/// The text that is set by its file or itself: one of the two.
fn pem(what: &str, file: Option<&Path>, text: Option<&Pem>) -> Result<Vec<u8>, String> {
    match (file, text.map(Pem::source)) {
        (Some(file), None) => std::fs::read(file)
            .map_err(|error| format!("tls::{what}_file: {}: {error}", file.display())),
        (None, Some(PemSource::Bytes(text))) => Ok(text.to_vec()),
        (None, Some(PemSource::Path(file))) => pem(what, Some(file), None),
        (Some(_), Some(_)) => {
            Err(format!("tls::{what}_file and tls::{what}_pem are set; one of them is needed"))
        }
        (None, _) => Err(format!("tls::{what}_file is missing")),
    }
}

fn certificates(what: &str, pem: &[u8]) -> Result<Vec<CertificateDer<'static>>, String> {
    let chain: Result<Vec<_>, _> = CertificateDer::pem_slice_iter(pem).collect();
    let chain = chain.map_err(|error| format!("tls::{what} is not PEM: {error}"))?;
    if chain.is_empty() {
        return Err(format!("tls::{what} holds no certificate in PEM"));
    }
    Ok(chain)
}
