//! `tls` of a server.

use std::path::PathBuf;
use std::time::Duration;

use otlp_core::export::Pem;
use serde::Deserialize;

use super::{Ignored, Unsupported, limit, warn_ignored};
use crate::config::{ConfigError, duration, pem};

/// TLS of a server: the Go collector's `tls`. Certificates are read at the start, and again if
/// [`reload_interval`](Self::reload_interval) says so.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(default, deny_unknown_fields)]
#[non_exhaustive]
pub struct TlsServerSettings {
    /// The server's certificate chain, leaf first: a file in PEM.
    pub cert_file: Option<PathBuf>,
    /// The same as text.
    #[serde(deserialize_with = "pem")]
    pub cert_pem: Option<Pem>,
    /// The private key: a file in PEM.
    pub key_file: Option<PathBuf>,
    /// The same as text.
    #[serde(deserialize_with = "pem")]
    pub key_pem: Option<Pem>,
    /// Who signs the certificates of clients: a file in PEM. If set, a client has to have one (mTLS).
    pub client_ca_file: Option<PathBuf>,
    /// The oldest version. Default 1.2, which is the oldest there is.
    pub min_version: TlsVersion,
    /// The newest version. Default 1.3.
    pub max_version: Option<TlsVersion>,
    /// After how long the files are read again. If one has changed, new connections have it, and nothing of the
    /// old one is resumed; those that are there go on. Files that cannot be used are warned of, and the last good
    /// ones stay: the Go collector refuses handshakes then. Default 0: never.
    #[serde(deserialize_with = "duration")]
    pub reload_interval: Duration,
    /// Whether files are read again though no interval is set: each 10 s. The Go collector does so with
    /// `client_ca_file` alone. Default false.
    pub client_ca_file_reload: bool,
    ca_file: Ignored,
    ca_pem: Ignored,
    include_system_ca_certs_pool: Ignored,
    cipher_suites: Option<Unsupported>,
    curve_preferences: Option<Unsupported>,
    tpm: Option<Unsupported>,
}

/// A version of TLS. 1.0 and 1.1 are not supported.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Deserialize)]
#[non_exhaustive]
pub enum TlsVersion {
    /// TLS 1.2.
    #[default]
    #[serde(rename = "1.2")]
    V1_2,
    /// TLS 1.3.
    #[serde(rename = "1.3")]
    V1_3,
}

impl TlsServerSettings {
    /// Whether the settings go together. Files are read at the start, and not here.
    pub(super) fn check(&self) -> Result<(), ConfigError> {
        self.identity()?;
        if self.max_version.is_some_and(|newest| newest < self.min_version) {
            return Err(ConfigError::new("it is newer than max_version").under("min_version"));
        }
        Ok(())
    }

    /// The certificate chain and its key, each from a file or as text: a server has both.
    pub(in super::super) fn identity(&self) -> Result<[Pem; 2], ConfigError> {
        let cert = one_of("cert", self.cert_file.as_ref(), self.cert_pem.as_ref())?;
        let key = one_of("key", self.key_file.as_ref(), self.key_pem.as_ref())?;
        Ok([cert, key])
    }

    /// After how long the files are read again, if ever.
    pub(in super::super) fn reload_after(&self) -> Option<Duration> {
        let unset = self.client_ca_file_reload.then_some(RELOAD);
        limit(self.reload_interval).or(unset)
    }

    pub(super) fn warn(&self, protocol: &str, warnings: &mut Vec<String>) {
        let ignored = [
            ("tls::ca_file", self.ca_file.is_some()),
            ("tls::ca_pem", self.ca_pem.is_some()),
            ("tls::include_system_ca_certs_pool", self.include_system_ca_certs_pool.is_some()),
        ];
        warn_ignored(&ignored, protocol, warnings);
    }
}

/// What is set by its file or as text: one of the two.
fn one_of(what: &str, file: Option<&PathBuf>, text: Option<&Pem>) -> Result<Pem, ConfigError> {
    let message = match (file, text) {
        (Some(file), None) => return Ok(Pem::from_path(file)),
        (None, Some(text)) => return Ok(text.clone()),
        (Some(_), Some(_)) => {
            format!("{what}_file and {what}_pem are set; one of them is accepted")
        }
        (None, None) => {
            format!("{what}_file is missing; a server needs a certificate and its key")
        }
    };
    Err(ConfigError::new(message))
}

/// How soon a change is seen where only seeing it was asked for.
const RELOAD: Duration = Duration::from_secs(10);
