//! The configuration that OTLP exporters share, resolved into one plain struct.
//!
//! What is given in code beats the variable of the signal, that beats the generic variable, and
//! that beats the default. This is decided in one place, [`ExporterConfigBuilder::build`].

mod build_error;
mod builder;
mod resolve;
mod tls_sources;

use std::fmt;
use std::time::Duration;

pub use self::build_error::BuildError;
pub use self::builder::ExporterConfigBuilder;
use super::compression::Compression;
use super::endpoint::Endpoint;
use super::env::ConfigWarning;
use super::headers::{HeaderProvider, Headers};
use super::text::printable;
use super::tls::TlsConfig;
use crate::signal::Signal;

/// Everything that an exporter of one signal has to know. Prints no secrets.
///
/// ```
/// use otlp_core::Signal;
/// use otlp_core::export::{Env, ExporterConfig};
///
/// let env = Env::from_pairs([("OTEL_EXPORTER_OTLP_ENDPOINT", "https://collector")]);
/// let configured = ExporterConfig::builder(Signal::Traces)
///     .with_header("authorization", "Bearer abc")
///     .build(&env)?;
/// assert_eq!(configured.config.endpoint.url(), "https://collector/v1/traces");
/// assert!(configured.warnings.is_empty());
/// # Ok::<(), otlp_core::export::ConfigError>(())
/// ```
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct ExporterConfig {
    /// The signal that is exported.
    pub signal: Signal,
    /// Transport and encoding. Default [`Protocol::HttpProtobuf`].
    pub protocol: Protocol,
    /// Where requests go.
    pub endpoint: Endpoint,
    /// Headers of every request.
    pub headers: Headers,
    /// Asked for more headers before every request. They replace equal names in `headers`.
    pub header_provider: Option<HeaderProvider>,
    /// Limit of one attempt, from connecting to the whole answer; `None` is no limit. Default 10 s.
    pub timeout: Option<Duration>,
    /// How requests are compressed. Default none.
    pub compression: Compression,
    /// Certificates. Has no effect on an `http` endpoint.
    pub tls: TlsConfig,
    /// Most bytes of a request, before and after compression; a larger one is not sent (Z1).
    /// Default 64 MiB.
    pub max_request_size: usize,
    /// Most bytes of a response, before and after decompression; a larger one is a permanent
    /// error (Z2). Default 4 MiB.
    pub max_response_size: usize,
    /// The `User-Agent` header.
    pub user_agent: String,
}

impl ExporterConfig {
    /// Starts the configuration of an exporter of `signal`.
    pub fn builder(signal: Signal) -> ExporterConfigBuilder {
        ExporterConfigBuilder::new(signal)
    }
}

/// Default of [`ExporterConfig::timeout`] (`OTEL_EXPORTER_OTLP_TIMEOUT`).
pub const DEFAULT_TIMEOUT: Duration = Duration::from_secs(10);

/// Default of [`ExporterConfig::max_request_size`] (OTLP, request size limit).
pub const DEFAULT_MAX_REQUEST_SIZE: usize = 64 << 20;

/// Default of [`ExporterConfig::max_response_size`] (OTLP, response size limit).
pub const DEFAULT_MAX_RESPONSE_SIZE: usize = 4 << 20;

/// A resolved configuration and what was wrong on the way.
#[derive(Clone, Debug)]
#[non_exhaustive]
#[must_use = "warnings that nobody logs leave the user without a clue"]
pub struct Configured {
    /// The configuration.
    pub config: ExporterConfig,
    /// Settings that were not used as they are. To be logged by whoever has a logger.
    pub warnings: Vec<ConfigWarning>,
}

/// Transport and encoding of OTLP (`OTEL_EXPORTER_OTLP_PROTOCOL`).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Protocol {
    /// gRPC over HTTP/2 with protobuf bodies: `grpc`.
    Grpc,
    /// HTTP POST with protobuf bodies: `http/protobuf`. The default.
    #[default]
    HttpProtobuf,
    /// HTTP POST with JSON bodies: `http/json`.
    HttpJson,
}

impl Protocol {
    pub(crate) const NAMES: [(&'static str, Self); 3] = [
        ("grpc", Self::Grpc),
        ("http/protobuf", Self::HttpProtobuf),
        ("http/json", Self::HttpJson),
    ];

    /// The name as configuration spells it.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Grpc => "grpc",
            Self::HttpProtobuf => "http/protobuf",
            Self::HttpJson => "http/json",
        }
    }

    /// The port of the default endpoint: 4317 for gRPC (G2), 4318 for HTTP (H1).
    #[must_use]
    pub const fn default_port(self) -> u16 {
        match self {
            Self::Grpc => 4317,
            Self::HttpProtobuf | Self::HttpJson => 4318,
        }
    }
}

impl fmt::Display for Protocol {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

/// A setting without which nothing sensible can be sent: the endpoint, the TLS identity, or any
/// bad value given in code.
///
/// Its text names the builder method or the variable, the value and what would be accepted.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{setting}{} {problem}; accepted: {accepted}", shown_value(value.as_deref()))]
pub struct ConfigError {
    setting: String,
    value: Option<String>,
    problem: String,
    accepted: String,
}

impl ConfigError {
    /// `value` is escaped and cut here; pass `None` for what may be a secret.
    pub(crate) fn new(
        setting: impl Into<String>,
        value: Option<&str>,
        problem: impl Into<String>,
        accepted: impl Into<String>,
    ) -> Self {
        Self {
            setting: setting.into(),
            value: value.map(printable),
            problem: problem.into(),
            accepted: accepted.into(),
        }
    }

    /// The builder method or the variable.
    #[must_use]
    pub fn setting(&self) -> &str {
        &self.setting
    }

    /// What is wrong.
    #[must_use]
    pub fn problem(&self) -> &str {
        &self.problem
    }

    /// What would be accepted.
    #[must_use]
    pub fn accepted(&self) -> &str {
        &self.accepted
    }
}

fn shown_value(value: Option<&str>) -> String {
    value.map(|value| format!("=\"{value}\"")).unwrap_or_default()
}

#[cfg(test)]
mod tests;
