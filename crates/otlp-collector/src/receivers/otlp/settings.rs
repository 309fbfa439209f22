//! The settings of the receiver, under the Go collector's keys.

mod grpc;
mod http;
mod limits;
mod tls;

use std::time::Duration;

use serde::Deserialize;

pub(super) use self::grpc::STREAMS;
pub use self::grpc::{GrpcSettings, KeepaliveSettings, ServerParameters, SocketKind};
pub(super) use self::http::ALGORITHMS;
pub use self::http::{CorsSettings, HttpSettings};
pub use self::limits::LimitSettings;
pub use self::tls::{TlsServerSettings, TlsVersion};
use crate::config::{ConfigError, Ignored, Unsupported};

/// The settings of the receiver: what stands under `receivers::otlp`.
///
/// Keys and meaning are the Go collector's. Where it has none, as for the number of connections, they
/// stand under `limits`. A key of the Go collector that is not supported is an error if leaving it out
/// could do harm, else a [warning](Self::warnings).
///
/// ```
/// use otlp_collector::config::{Config, Source};
/// use otlp_collector::receivers::otlp::OtlpSettings;
///
/// # fn main() -> Result<(), Box<dyn std::error::Error>> {
/// let yaml = "
/// receivers:
///   otlp:
///     protocols:
///       grpc:
///         max_recv_msg_size_mib: 16
///       http:
///         endpoint: localhost:0
/// exporters: {debug: }
/// service: {pipelines: {traces: {receivers: [otlp], exporters: [debug]}}}
/// ";
/// let config = Config::load(&[Source::Yaml(yaml.to_owned())])?;
/// let settings: OtlpSettings = config.settings.receivers[0].settings.read()?;
/// let grpc = settings.protocols.grpc.ok_or("grpc")?;
/// assert_eq!((grpc.endpoint.as_str(), grpc.max_recv_msg_size()), ("localhost:4317", 16 << 20));
/// # Ok(())
/// # }
/// ```
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(default, deny_unknown_fields)]
#[non_exhaustive]
pub struct OtlpSettings {
    /// Which protocols are served, and where. One at least.
    pub protocols: ProtocolSettings,
    /// What a client may ask for; ours, without a counterpart in the Go collector.
    pub limits: LimitSettings,
}

/// The protocols; the Go collector's `protocols`. One that is not named is not served.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(default, deny_unknown_fields)]
#[non_exhaustive]
pub struct ProtocolSettings {
    /// OTLP over gRPC.
    pub grpc: Option<GrpcSettings>,
    /// OTLP over HTTP, in protobuf and JSON.
    pub http: Option<HttpSettings>,
}

/// Who checks the credentials: the Go collector's `auth`.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(default, deny_unknown_fields)]
#[non_exhaustive]
pub struct AuthSettings {
    /// The name of the extension, such as `bearertokenauth`. The receiver does not start unless it is
    /// given an [`Authenticator`](super::Authenticator) for it.
    pub authenticator: String,
    request_params: Option<Unsupported>,
}

impl OtlpSettings {
    /// Both protocols at their default addresses, 127.0.0.1:4317 and 127.0.0.1:4318.
    #[must_use]
    pub fn both() -> Self {
        let (grpc, http) = (Some(GrpcSettings::default()), Some(HttpSettings::default()));
        Self { protocols: ProtocolSettings { grpc, http }, ..Self::default() }
    }

    /// Both protocols on free ports of the loopback interface, as tests want them.
    #[must_use]
    pub fn on_free_ports() -> Self {
        let mut settings = Self::both();
        if let Some(grpc) = &mut settings.protocols.grpc {
            "127.0.0.1:0".clone_into(&mut grpc.endpoint);
        }
        if let Some(http) = &mut settings.protocols.http {
            "127.0.0.1:0".clone_into(&mut http.endpoint);
        }
        settings
    }

    /// Whether the settings go together. What is in files is seen at the start, and not here.
    ///
    /// # Errors
    ///
    /// Names the key, what is wrong with it, and what is accepted.
    pub fn check(&self) -> Result<(), ConfigError> {
        let grpc = self.protocols.grpc.as_ref().and_then(|it| it.tls.as_ref());
        let http = self.protocols.http.as_ref().and_then(|it| it.tls.as_ref());
        for (protocol, tls) in [("grpc", grpc), ("http", http)] {
            tls.map_or(Ok(()), TlsServerSettings::check)
                .map_err(|error| error.under("tls").under(protocol).under("protocols"))?;
        }
        Ok(())
    }

    /// What is set and has no effect, and what may not be meant: listening to the world.
    #[must_use]
    pub fn warnings(&self) -> Vec<String> {
        let mut warnings = Vec::new();
        if let Some(grpc) = &self.protocols.grpc {
            grpc.warn(&mut warnings);
        }
        if let Some(http) = &self.protocols.http {
            http.warn(&mut warnings);
        }
        warnings
    }
}

/// Warns of what is set and has no effect.
fn warn_ignored(ignored: &[(&str, bool)], protocol: &str, warnings: &mut Vec<String>) {
    let set = ignored.iter().filter(|(_, is_set)| *is_set);
    warnings.extend(set.map(|(key, _)| format!("protocols::{protocol}::{key} has no effect here")));
}

/// Warns of an address that others can reach without being told who they are.
fn warn_open(endpoint: &str, has_auth: bool, protocol: &str, warnings: &mut Vec<String>) {
    let host = endpoint.rsplit_once(':').map_or(endpoint, |(host, _)| host);
    let is_loopback = host == "localhost"
        || host
            .trim_matches(['[', ']'])
            .parse::<std::net::IpAddr>()
            .is_ok_and(|address| address.is_loopback());
    if !is_loopback && !has_auth {
        warnings.push(format!(
            "protocols::{protocol}::endpoint: \"{endpoint}\" may be reached from outside, and no authentication is set"
        ));
    }
}

/// A time of which zero, as in Go, means none.
pub(super) fn limit(time: Duration) -> Option<Duration> {
    Some(time).filter(|time| !time.is_zero())
}

#[cfg(test)]
mod tests;
