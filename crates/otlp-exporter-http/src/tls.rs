//! The rustls configuration of a client: roots, client certificate, one provider.

use std::sync::Arc;
use std::{fs, io};

use otlp_core::export::cause::Cause;
use otlp_core::export::{BuildError, Pem, PemSource, TlsConfig};
use rustls::crypto::{CryptoProvider, ring};
use rustls::{ClientConfig, RootCertStore};
use rustls_pki_types::pem::PemObject as _;
use rustls_pki_types::{CertificateDer, PrivateKeyDer};

use crate::named_verifier::NamedVerifier;

/// Reads the PEM files and puts the configuration together. The server is always verified.
///
/// Roots are those of `config.ca`, else those of the operating system.
pub(crate) fn client_config(config: &TlsConfig) -> Result<ClientConfig, BuildError> {
    let mut client = with_roots(config, roots(config)?)?;
    // H2: HTTP/2 where the server offers it, else HTTP/1.1.
    client.alpn_protocols = vec![b"h2".to_vec(), b"http/1.1".to_vec()];
    Ok(client)
}

/// A configuration that trusts nobody, for a client that connects without TLS: the HTTP library
/// wants one all the same, and reading the system's roots would be work for nothing.
pub(crate) fn unused() -> Result<ClientConfig, BuildError> {
    with_roots(&TlsConfig::new(), RootCertStore::empty())
}

fn with_roots(config: &TlsConfig, roots: RootCertStore) -> Result<ClientConfig, BuildError> {
    // What the application has chosen for the whole process goes first (FIPS builds do so).
    let provider = CryptoProvider::get_default()
        .cloned()
        .unwrap_or_else(|| Arc::new(ring::default_provider()));
    let builder = ClientConfig::builder_with_provider(Arc::clone(&provider))
        .with_safe_default_protocol_versions()
        .map_err(|error| failed("TLS", "cannot be set up", &error))?;
    let builder = match &config.server_name {
        None => builder.with_root_certificates(roots),
        Some(name) => {
            let verifier = NamedVerifier::new(name, roots, provider)?;
            builder.dangerous().with_custom_certificate_verifier(Arc::new(verifier))
        }
    };
    match (&config.client_cert, &config.client_key) {
        (None, None) => Ok(builder.with_no_client_auth()),
        (Some(cert), Some(key)) => builder
            .with_client_auth_cert(certificates(cert, "client certificate")?, private_key(key)?)
            .map_err(|error| failed("client certificate and key", "cannot be used", &error)),
        (Some(_), None) => Err(BuildError::new("client certificate", "is set without its key")),
        (None, Some(_)) => Err(BuildError::new("client key", "is set without its certificate")),
    }
}

fn roots(config: &TlsConfig) -> Result<RootCertStore, BuildError> {
    let mut roots = RootCertStore::empty();
    if config.ca.is_none() || config.system_roots {
        roots.add_parsable_certificates(rustls_native_certs::load_native_certs().certs);
    }
    let Some(ca) = &config.ca else {
        return if roots.is_empty() {
            Err(BuildError::new("TLS", "finds no trusted certificates on this system; set a CA"))
        } else {
            Ok(roots)
        };
    };
    for certificate in certificates(ca, "CA certificate")? {
        roots
            .add(certificate)
            .map_err(|error| failed(format!("CA certificate ({ca})"), "cannot be used", &error))?;
    }
    Ok(roots)
}

fn certificates(pem: &Pem, what: &str) -> Result<Vec<CertificateDer<'static>>, BuildError> {
    let setting = || format!("{what} ({pem})");
    let text = read(pem, what)?;
    let found: Result<Vec<_>, _> = CertificateDer::pem_slice_iter(&text).collect();
    // The reason may quote the file, and somebody may have put a key there by mistake.
    let found = found.map_err(|_| BuildError::new(setting(), NO_PEM))?;
    if found.is_empty() {
        return Err(BuildError::new(setting(), "holds no PEM certificate"));
    }
    Ok(found)
}

const NO_PEM: &str = "is not valid PEM; accepted: -----BEGIN CERTIFICATE-----, lines of base64, \
                      -----END CERTIFICATE-----";

fn private_key(pem: &Pem) -> Result<PrivateKeyDer<'static>, BuildError> {
    let text = read(pem, "client key")?;
    // The reason may quote the file, and the file is a secret.
    PrivateKeyDer::from_pem_slice(&text)
        .map_err(|_| BuildError::new(format!("client key ({pem})"), "holds no PEM private key"))
}

fn read(pem: &Pem, what: &str) -> Result<Vec<u8>, BuildError> {
    match pem.source() {
        PemSource::Bytes(bytes) => Ok(bytes.to_vec()),
        PemSource::Path(path) => fs::read(path).map_err(|error| unreadable(pem, what, &error)),
        _ => Err(BuildError::new(what, "comes from a source that is not supported")),
    }
}

fn unreadable(pem: &Pem, what: &str, error: &io::Error) -> BuildError {
    let hint = pem.hint().map(|hint| format!(" (hint: {hint})")).unwrap_or_default();
    failed(format!("{what} ({pem})"), &format!("cannot be read{hint}"), error)
}

fn failed(
    setting: impl Into<String>,
    problem: &str,
    cause: &(dyn std::error::Error + 'static),
) -> BuildError {
    BuildError::new(setting, problem).with_source(Cause::of(cause))
}
