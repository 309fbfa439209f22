//! TLS material from two sides, and the check that a client identity is whole.

use super::ConfigError;
use crate::export::tls::{Pem, TlsConfig};

/// TLS material with the names of the settings that it came from.
pub(super) struct TlsSources {
    pub(super) ca: Option<Sourced>,
    pub(super) client_cert: Option<Sourced>,
    pub(super) client_key: Option<Sourced>,
}

pub(super) struct Sourced {
    pub(super) setting: String,
    pub(super) pem: Pem,
}

impl TlsSources {
    pub(super) fn of(code: &TlsConfig) -> Self {
        let sourced = |pem: &Pem| Sourced { setting: "with_tls".to_owned(), pem: pem.clone() };
        Self {
            ca: code.ca.as_ref().map(sourced),
            client_cert: code.client_cert.as_ref().map(sourced),
            client_key: code.client_key.as_ref().map(sourced),
        }
    }

    pub(super) fn check_identity(&self) -> Result<(), ConfigError> {
        let (setting, problem) = match (&self.client_cert, &self.client_key) {
            (Some(cert), None) => (&cert.setting, "has a client certificate without its key"),
            (None, Some(key)) => (&key.setting, "has a client key without its certificate"),
            _ => return Ok(()),
        };
        Err(ConfigError::new(setting, None, problem, "both or neither"))
    }

    pub(super) fn first_setting(&self) -> Option<&str> {
        let all = [&self.ca, &self.client_cert, &self.client_key];
        all.into_iter().flatten().next().map(|sourced| sourced.setting.as_str())
    }

    /// The material, with what else was set in code.
    pub(super) fn into_config(self, code: &TlsConfig) -> TlsConfig {
        let pem = |sourced: Option<Sourced>| sourced.map(|sourced| sourced.pem);
        TlsConfig {
            ca: pem(self.ca),
            client_cert: pem(self.client_cert),
            client_key: pem(self.client_key),
            ..code.clone()
        }
    }
}
