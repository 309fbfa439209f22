//! `tls` of a client.

use std::path::PathBuf;

use otlp_core::export::{Pem, TlsConfig};
use serde::Deserialize;

use super::TlsVersion;
use crate::config::{ConfigError, Ignored, Unsupported, pem};

/// TLS of a client: the Go collector's `tls`. Certificates are read once, at the start.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(default, deny_unknown_fields)]
#[non_exhaustive]
pub struct TlsClientSettings {
    /// Whether gRPC goes in plain text. Default false. No effect on an `https` endpoint, or where a CA is set; over
    /// HTTP the scheme alone decides.
    pub insecure: bool,
    /// Whom to trust, instead of the system's roots: a file in PEM.
    pub ca_file: Option<PathBuf>,
    /// The same as text.
    #[serde(deserialize_with = "pem")]
    pub ca_pem: Option<Pem>,
    /// The client's certificate chain, leaf first: a file in PEM (mTLS).
    pub cert_file: Option<PathBuf>,
    /// The same as text.
    #[serde(deserialize_with = "pem")]
    pub cert_pem: Option<Pem>,
    /// The client's private key: a file in PEM.
    pub key_file: Option<PathBuf>,
    /// The same as text.
    #[serde(deserialize_with = "pem")]
    pub key_pem: Option<Pem>,
    /// The oldest version. Default 1.2, which is the oldest there is; 1.3 is not supported as the oldest.
    pub min_version: TlsVersion,
    /// The newest version. Default 1.3; an older one is not supported.
    pub max_version: Option<TlsVersion>,
    /// The name that the server's certificate has to have, where that is not the host of the endpoint. It is also
    /// asked for (SNI) over gRPC, not over HTTP.
    pub server_name_override: String,
    /// Whether the system's roots are trusted beside a CA that is set. Default false.
    pub include_system_ca_certs_pool: bool,
    insecure_skip_verify: bool,
    include_insecure_cipher_suites: bool,
    reload_interval: Ignored,
    cipher_suites: Option<Unsupported>,
    curve_preferences: Option<Unsupported>,
    tpm: Option<Unsupported>,
}

impl TlsClientSettings {
    /// Whether an endpoint without a scheme is spoken to in plain text.
    pub(super) const fn is_plain(&self) -> bool {
        self.insecure && self.ca_file.is_none() && self.ca_pem.is_none()
    }

    /// The certificates.
    pub(super) fn resolve(&self) -> Result<TlsConfig, ConfigError> {
        self.check_supported().map_err(|error| error.under("tls"))?;
        let ca = one_of("ca", self.ca_file.as_ref(), self.ca_pem.as_ref())?;
        let cert = one_of("cert", self.cert_file.as_ref(), self.cert_pem.as_ref())?;
        let key = one_of("key", self.key_file.as_ref(), self.key_pem.as_ref())?;
        let mut tls = TlsConfig::new();
        tls.ca = ca;
        tls.system_roots = self.include_system_ca_certs_pool;
        let name = Some(self.server_name_override.clone());
        tls.server_name = name.filter(|name| !name.is_empty());
        match (cert, key) {
            (Some(cert), Some(key)) => Ok(tls.with_client_identity(cert, key)),
            (None, None) => Ok(tls),
            (Some(_), None) => Err(missing("cert_file", "key_file")),
            (None, Some(_)) => Err(missing("key_file", "cert_file")),
        }
    }

    fn check_supported(&self) -> Result<(), ConfigError> {
        let unsupported = |key: &str, accepted: &str| {
            let text = "the Go collector knows this, and it is not supported here; accepted:";
            Err(ConfigError::new(format!("{text} {accepted}")).under(key))
        };
        match self {
            Self { insecure_skip_verify: true, .. } => {
                unsupported("insecure_skip_verify", "false; name who signed in ca_file")
            }
            Self { include_insecure_cipher_suites: true, .. } => {
                unsupported("include_insecure_cipher_suites", "false")
            }
            Self { min_version: TlsVersion::V1_3, .. } => unsupported("min_version", "1.2"),
            Self { max_version: Some(TlsVersion::V1_2), .. } => unsupported("max_version", "1.3"),
            _ => Ok(()),
        }
    }

    pub(super) const fn ignored(&self) -> [(&'static str, bool); 1] {
        [("tls::reload_interval", self.reload_interval.is_some())]
    }
}

fn one_of(
    what: &str,
    file: Option<&PathBuf>,
    text: Option<&Pem>,
) -> Result<Option<Pem>, ConfigError> {
    match (file, text) {
        (Some(_), Some(_)) => {
            let message = format!("{what}_file and {what}_pem are set; one of them is accepted");
            Err(ConfigError::new(message).under("tls"))
        }
        (Some(file), None) => Ok(Some(Pem::from_path(file))),
        (None, text) => Ok(text.cloned()),
    }
}

fn missing(set: &str, other: &str) -> ConfigError {
    ConfigError::new(format!("{set} is set without {other}; accepted: both or neither"))
        .under("tls")
}
