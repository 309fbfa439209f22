//! Which certificates a TLS connection uses. Names them only: files are read by the exporter.

use std::fmt;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use super::secret::STARS;
use super::text::printable;

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
    /// Whether the default roots are trusted beside `ca`. Default false.
    pub system_roots: bool,
    /// The name that the server's certificate has to have, where that is not the host of the endpoint.
    pub server_name: Option<String>,
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

    /// Trusts the default roots too, beside a CA.
    #[must_use]
    pub const fn with_system_roots(mut self) -> Self {
        self.system_roots = true;
        self
    }

    /// The name that the server's certificate has to have, where that is not the host of the endpoint: behind a
    /// tunnel, or where the endpoint is an address. The server is verified as before, only by this name.
    #[must_use]
    pub fn with_server_name(mut self, name: impl Into<String>) -> Self {
        self.server_name = Some(name.into());
        self
    }

    /// Whether nothing is set.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        let Self { ca, client_cert, client_key, system_roots, server_name } = self;
        let has_pem = ca.is_some() || client_cert.is_some() || client_key.is_some();
        !has_pem && !system_roots && server_name.is_none()
    }
}

/// PEM text, by path or by value.
///
/// Prints its path, or only the length of its bytes, since they may be a private key. A path that
/// looks like PEM text, which is a common mistake in variables, prints as `***`.
///
/// ```
/// use otlp_core::export::{Pem, PemSource};
///
/// let ca = Pem::from_path("/etc/ssl/collector-ca.pem");
/// assert!(matches!(ca.source(), PemSource::Path(_)));
/// assert_eq!(format!("{:?}", Pem::from_bytes("-----BEGIN …")), "Pem(14 bytes given in code)");
/// assert_eq!(format!("{:?}", Pem::from_path("-----BEGIN …")), "Pem(***)");
/// ```
#[derive(Clone)]
pub struct Pem {
    source: Inner,
    /// The variable that named the path.
    variable: Option<Arc<str>>,
}

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
        Inner::Path(path.into().into()).into()
    }

    /// The PEM text itself.
    #[must_use]
    pub fn from_bytes(pem: impl Into<Vec<u8>>) -> Self {
        Inner::Bytes(pem.into().into()).into()
    }

    /// Says in messages which variable named the path.
    pub(super) fn named_by(mut self, variable: &str) -> Self {
        self.variable = Some(variable.into());
        self
    }

    /// Where the text comes from.
    #[must_use]
    pub fn source(&self) -> PemSource<'_> {
        match &self.source {
            Inner::Path(path) => PemSource::Path(path),
            Inner::Bytes(bytes) => PemSource::Bytes(bytes),
        }
    }

    /// Why it most probably cannot be read: the path looks like the text of a certificate or key
    /// itself. A file may have such a name all the same, so this is a hint and not an error.
    ///
    /// ```
    /// use otlp_core::export::Pem;
    ///
    /// assert!(Pem::from_path("-----BEGIN PRIVATE KEY-----\nMC4CAQ…").hint().is_some());
    /// assert!(Pem::from_path("/etc/ssl/client.key").hint().is_none());
    /// ```
    #[must_use]
    pub fn hint(&self) -> Option<&'static str> {
        match &self.source {
            Inner::Path(path) if !is_plausible(path) => Some(
                "the variable and Pem::from_path take the path of a PEM file, and this looks like \
                 the text of one, which only Pem::from_bytes takes",
            ),
            _ => None,
        }
    }
}

impl From<Inner> for Pem {
    fn from(source: Inner) -> Self {
        Self { source, variable: None }
    }
}

/// Equal when they come from the same place, whoever named it.
impl PartialEq for Pem {
    fn eq(&self, other: &Self) -> bool {
        self.source == other.source
    }
}

impl Eq for Pem {}

impl fmt::Display for Pem {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.source {
            Inner::Path(path) => f.write_str(&shown(path))?,
            Inner::Bytes(bytes) => write!(f, "{} bytes given in code", bytes.len())?,
        }
        match &self.variable {
            Some(variable) => write!(f, ", from {variable}"),
            None => Ok(()),
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
            Self::Path(path) => write!(f, "Path({})", shown(path)),
            Self::Bytes(bytes) => write!(f, "Bytes({} bytes)", bytes.len()),
        }
    }
}

/// A path as a message may show it.
fn shown(path: &Path) -> String {
    if is_plausible(path) {
        format!("\"{}\"", printable(&path.to_string_lossy()))
    } else {
        STARS.to_owned()
    }
}

/// Longest path that is taken for one (`PATH_MAX` of Linux).
const PATH_BYTES_MAX: usize = 4096;

/// Longest name of a file or folder on all common file systems.
const NAME_BYTES_MAX: usize = 255;

/// Shortest text of a private key without PEM's frame: those of Ed25519 have 64 letters.
const KEY_BYTES_MIN: usize = 40;

/// Whether this can be meant as a path. When in doubt it is not: what is taken for a path gets
/// into messages, and then it must not be a private key.
fn is_plausible(path: &Path) -> bool {
    let text = path.to_string_lossy();
    let is_framed = text.contains("-----") || text.chars().any(char::is_control);
    let is_long = text.len() > PATH_BYTES_MAX
        || path.components().any(|name| name.as_os_str().len() > NAME_BYTES_MAX);
    !is_framed && !is_long && !is_base64(&text)
}

/// Whether this may be base64, as a key without its frame or a PEM text that was encoded is. A file
/// has an extension, or a path that begins at a root or at `.`.
fn is_base64(text: &str) -> bool {
    let is_letter = |b: u8| b.is_ascii_alphanumeric() || b"+/=-_ ".contains(&b);
    text.len() >= KEY_BYTES_MIN && !text.starts_with('/') && text.bytes().all(is_letter)
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

    #[test]
    fn what_is_no_path_is_not_shown_as_one() {
        let pem =
            "-----BEGIN PRIVATE KEY-----\nMC4CAQAwBQYDK2VwBCIEIBs3cr3t\n-----END PRIVATE KEY-----";
        for text in [
            pem.to_owned(),
            pem.replace('\n', " "),
            pem.replace('\n', "\\n"),
            "MC4CAQAwBQYDK2VwBCIEIBs3cr3tMC4CAQAwBQYDK2VwBCIEIBs3cr3tABCDEFGH".to_owned(),
            "LS0tLS1CRUdJTiBQUklWQVRFIEtFWS0tLS0ts3cr3tLS0tLS1CRUdJTiBQUklW".to_owned(),
            "s3cr3t\nkey".to_owned(),
            format!("/{}", "s3cr3t".repeat(100)),
            format!("{}/x.pem", "/s3cr3t".repeat(1000)),
        ] {
            let pem = Pem::from_path(&text);
            let tls = TlsConfig::new().with_client_identity(pem.clone(), pem.clone());
            let shown = format!("{pem} {pem:?} {:?} {tls:?}", pem.source());
            assert!(shown.contains(STARS) && !shown.contains("s3cr3t"), "{shown}");
            assert!(pem.hint().is_some(), "{text}");
        }
    }

    #[test]
    fn paths_are_shown_as_they_are() {
        for path in [
            "client.key",
            "/etc/ssl/private/client-key",
            "certs/production/otel/collector/client-2026.key",
            r"C:\certs\client.key",
            "/var/lib/docker/volumes/0123456789abcdef0123456789abcdef0123456789abcdef/_data/key",
            "schlüssel/größe.pem",
        ] {
            let pem = Pem::from_path(path);
            assert_eq!((pem.to_string(), pem.hint()), (format!("\"{path}\""), None));
        }
        assert_eq!(Pem::from_bytes("-----BEGIN").hint(), None);
    }
}
