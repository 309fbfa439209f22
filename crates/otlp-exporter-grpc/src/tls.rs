//! TLS of the channel: roots, client certificate, checked when the exporter is built.

use std::error::Error as _;
use std::time::Duration;
use std::{fs, io};

use otlp_core::export::cause::Cause;
use otlp_core::export::{BuildError, ExporterConfig, Pem, PemSource, TlsConfig};
use rustls_pki_types::pem::{self, PemObject as _};
use rustls_pki_types::{CertificateDer, PrivateKeyDer};
use tonic::transport::{Certificate, ClientTlsConfig, Endpoint, Identity};

/// Sets up TLS for an `https` endpoint; the server is always verified.
///
/// Roots are those of the configured CA, else those of the operating system. The provider is the
/// one that the application has installed for its process, else ring.
pub(crate) fn secured(
    endpoint: Endpoint,
    config: &ExporterConfig,
    handshake_timeout: Duration,
) -> Result<Endpoint, BuildError> {
    // Without the brackets of an IPv6 address, which are no part of a server's name.
    let name = config.tls.server_name.as_deref().unwrap_or(config.endpoint.host());
    let tls = ClientTlsConfig::new().domain_name(name).timeout(handshake_timeout);
    let tls = with_roots(tls, &config.tls)?;
    let tls = with_identity(tls, &config.tls)?;
    endpoint.tls_config(tls).map_err(|error| {
        // The outermost text is "transport error", which it is not.
        let cause = error.source().unwrap_or(&error);
        BuildError::new("TLS", "cannot be set up").with_source(Cause::of(cause))
    })
}

fn with_roots(tls: ClientTlsConfig, config: &TlsConfig) -> Result<ClientTlsConfig, BuildError> {
    match &config.ca {
        None => Ok(tls.with_native_roots()),
        Some(ca) => {
            let ca = Certificate::from_pem(certificates(ca, "CA certificate")?);
            let tls = if config.system_roots { tls.with_native_roots() } else { tls };
            Ok(tls.ca_certificate(ca))
        }
    }
}

fn with_identity(tls: ClientTlsConfig, config: &TlsConfig) -> Result<ClientTlsConfig, BuildError> {
    match (&config.client_cert, &config.client_key) {
        (None, None) => Ok(tls),
        (Some(cert), Some(key)) => {
            let cert = certificates(cert, "client certificate")?;
            Ok(tls.identity(Identity::from_pem(cert, private_key(key)?)))
        }
        (Some(_), None) => Err(BuildError::new("client certificate", "is set without its key")),
        (None, Some(_)) => Err(BuildError::new("client key", "is set without its certificate")),
    }
}

/// Tonic skips what it cannot read, which would end in a puzzling handshake error much later.
fn certificates(pem: &Pem, what: &str) -> Result<Vec<u8>, BuildError> {
    let text = read(pem, what)?;
    let setting = || format!("{what} ({pem})");
    let found: Result<Vec<_>, pem::Error> = CertificateDer::pem_slice_iter(&text).collect();
    match found {
        Ok(found) if found.is_empty() => {
            Err(BuildError::new(setting(), "holds no PEM certificate"))
        }
        Ok(_) => Ok(text),
        // The reason may quote the file, and somebody may have put a key there by mistake.
        Err(_) => Err(BuildError::new(setting(), NO_PEM)),
    }
}

const NO_PEM: &str = "is not valid PEM; accepted: -----BEGIN CERTIFICATE-----, lines of base64, \
                      -----END CERTIFICATE-----";

fn private_key(pem: &Pem) -> Result<Vec<u8>, BuildError> {
    let text = read(pem, "client key")?;
    match PrivateKeyDer::from_pem_slice(&text) {
        Ok(_) => Ok(text),
        // The reason could quote the file, and the file is a secret.
        Err(_) => Err(BuildError::new(format!("client key ({pem})"), "holds no PEM private key")),
    }
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
    BuildError::new(format!("{what} ({pem})"), format!("cannot be read{hint}"))
        .with_source(Cause::of(error))
}
