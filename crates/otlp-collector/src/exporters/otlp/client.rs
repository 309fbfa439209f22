//! What both exporters have in common: credentials, and what is odd about settings.

use otlp_core::export::{Endpoint, HeaderProvider};

use super::AuthSettings;
use crate::component::{BoxError, Host};

/// In front of the `User-Agent`.
pub(super) const PRODUCT: &str = concat!("otlp-collector/", env!("CARGO_PKG_VERSION"));

/// Who brings credentials, if somebody is named.
pub(super) fn credentials(
    auth: Option<&AuthSettings>,
    host: &Host,
) -> Result<Option<HeaderProvider>, BoxError> {
    auth.map(|auth| host.credentials(&auth.authenticator)).transpose()
}

/// Warns of keys that are set and have no effect.
pub(super) fn warn_ignored(ignored: &[(&str, bool)], warnings: &mut Vec<String>) {
    let set = ignored.iter().filter(|(_, is_set)| *is_set);
    warnings.extend(set.map(|(key, _)| format!("{key} has no effect here")));
}

/// Warns of credentials that others may read.
pub(super) fn warn_open(endpoint: &Endpoint, has_auth: bool, warnings: &mut Vec<String>) {
    let host = endpoint.host();
    let is_near = host == "localhost"
        || host.parse::<std::net::IpAddr>().is_ok_and(|address| address.is_loopback());
    if has_auth && !endpoint.is_tls() && !is_near {
        warnings.push(format!("credentials go to {endpoint} in plain text"));
    }
}
