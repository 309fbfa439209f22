//! Which certificates a TLS connection uses. Names them only: files are read by the exporter.

use std::fmt;
use std::path::{Path, PathBuf};
use std::sync::Arc;

/// TLS material of one exporter. Empty means: the exporter's default trust roots, no client
/// certificate. The server is always verified.
#[derive(Clone, Debug, Default)]
#[non_exhaustive]
pub struct TlsConfig {
    /// Certificates to trust, **instead of** the default roots
    /// (`OTEL_EXPORTER_OTLP_CERTIFICATE`). May hold several.
    pub ca: Option<Pem>,
    /// The client's certificate chain, leaf first (`OTEL_EXPORTER_OTLP_CLIENT_CERTIFICATE`).
    pub client_cert: Option<Pem>,
    /// The client's private key (`OTEL_EXPORTER_OTLP_CLIENT_KEY`).
    pub client_key: Option<Pem>,
}

impl TlsConfig {
    /// No settings.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// Trusts these certificates instead of the default roots.
    #[must_use]
    pub fn with_ca(mut self, ca: Pem) -> Self {
        self.ca = Some(ca);
        self
    }

    /// Identifies this client (mutual TLS): certificate chain and private key.
    #[must_use]
    pub fn with_client_identity(mut self, cert: Pem, key: Pem) -> Self {
        self.client_cert = Some(cert);
        self.client_key = Some(key);
        self
    }

    /// Whether nothing is set.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.ca.is_none() && self.client_cert.is_none() && self.client_key.is_none()
    }
}

/// PEM text, by path or by value.
///
/// Prints its path, or only the length of its bytes, since they may be a private key.
///
/// ```
/// use otlp_core::export::{Pem, PemSource};
///
/// let ca = Pem::from_path("/etc/ssl/collector-ca.pem");
/// assert!(matches!(ca.source(), PemSource::Path(_)));
/// assert_eq!(format!("{:?}", Pem::from_bytes("-----BEGIN …")), "Pem(14 bytes given in code)");
/// ```
#[derive(Clone, PartialEq, Eq)]
pub struct Pem(Inner);

#[derive(Clone, PartialEq, Eq)]
enum Inner {
    Path(Arc<Path>),
    Bytes(Arc<[u8]>),
}

/// Where PEM text comes from.
#[derive(Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum PemSource<'a> {
    /// A file, to be read when the connection is set up.
    Path(&'a Path),
    /// The text itself.
    Bytes(&'a [u8]),
}

impl Pem {
    /// A file to be read when the exporter is built.
    #[must_use]
    pub fn from_path(path: impl Into<PathBuf>) -> Self {
        Self(Inner::Path(path.into().into()))
    }

    /// The PEM text itself.
    #[must_use]
    pub fn from_bytes(pem: impl Into<Vec<u8>>) -> Self {
        Self(Inner::Bytes(pem.into().into()))
    }

    /// Where the text comes from.
    #[must_use]
    pub fn source(&self) -> PemSource<'_> {
        match &self.0 {
            Inner::Path(path) => PemSource::Path(path),
            Inner::Bytes(bytes) => PemSource::Bytes(bytes),
        }
    }
}

impl fmt::Display for Pem {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.0 {
            // Debug escapes what does not belong into a message.
            Inner::Path(path) => write!(f, "{path:?}"),
            Inner::Bytes(bytes) => write!(f, "{} bytes given in code", bytes.len()),
        }
    }
}

impl fmt::Debug for Pem {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Pem({self})")
    }
}

impl fmt::Debug for PemSource<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Path(path) => write!(f, "Path({path:?})"),
            Self::Bytes(bytes) => write!(f, "Bytes({} bytes)", bytes.len()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn key_material_never_prints() {
        let tls = TlsConfig::new()
            .with_ca(Pem::from_path("/etc/ca.pem"))
            .with_client_identity(Pem::from_bytes("CERT"), Pem::from_bytes("PRIVATE"));
        let text = format!("{tls:?} {:?}", tls.client_key.as_ref().map(Pem::source));
        assert!(text.contains("/etc/ca.pem") && text.contains("7 bytes"), "{text}");
        assert!(!text.contains("PRIVATE") && !text.contains("80, 82"), "{text}");
    }
}
