//! What the user says in code.

use std::time::Duration;

use super::resolve::resolve;
use super::{ConfigError, Configured, Protocol};
use crate::export::compression::Compression;
use crate::export::env::Env;
use crate::export::headers::{HeaderProvider, Headers};
use crate::export::secret::Secret;
use crate::export::tls::TlsConfig;
use crate::signal::Signal;

/// Collects what is set in code; [`build`](Self::build) adds the environment and the defaults.
///
/// What is not set here comes from the environment, so a value set here can no longer be changed
/// by whoever runs the program.
#[derive(Clone, Debug)]
#[must_use = "a builder does nothing until it is built"]
pub struct ExporterConfigBuilder {
    pub(super) signal: Signal,
    pub(super) protocol: Option<Protocol>,
    /// Those among which the environment may choose; empty for all.
    pub(super) protocols: &'static [Protocol],
    pub(super) endpoint: Option<Target>,
    pub(super) insecure: Option<bool>,
    pub(super) headers: Vec<(String, Secret)>,
    pub(super) header_provider: Option<HeaderProvider>,
    pub(super) timeout: Option<Duration>,
    pub(super) compression: Option<Compression>,
    pub(super) tls: TlsConfig,
    pub(super) max_request_size: Option<usize>,
    pub(super) max_response_size: Option<usize>,
    pub(super) user_agent_prefix: Option<String>,
}

/// An endpoint as it was given, with the rule that applies to it. The text is hidden in `Debug`,
/// since a URL may hold a password.
#[derive(Clone, Debug)]
pub(super) enum Target {
    Base(Secret),
    Exact(Secret),
}

impl ExporterConfigBuilder {
    pub(super) fn new(signal: Signal) -> Self {
        Self {
            signal,
            protocol: None,
            protocols: &[],
            endpoint: None,
            insecure: None,
            headers: Vec::new(),
            header_provider: None,
            timeout: None,
            compression: None,
            tls: TlsConfig::default(),
            max_request_size: None,
            max_response_size: None,
            user_agent_prefix: None,
        }
    }

    /// Transport and encoding. Default `http/protobuf`.
    ///
    /// Variables: `OTEL_EXPORTER_OTLP_PROTOCOL`, `OTEL_EXPORTER_OTLP_<SIGNAL>_PROTOCOL`.
    pub fn with_protocol(mut self, protocol: Protocol) -> Self {
        self.protocol = Some(protocol);
        self
    }

    /// What the exporter speaks, with its default first: where code names no protocol, the environment
    /// chooses among these, and one that it names beside them gives a warning.
    pub fn with_protocols(mut self, protocols: &'static [Protocol]) -> Self {
        self.protocols = protocols;
        self
    }

    /// The same settings for another signal, as far as they are not of one signal alone.
    pub fn for_signal(mut self, signal: Signal) -> Self {
        self.signal = signal;
        self
    }

    /// The base URL of the server; over HTTP the signal's path (`/v1/traces`) is appended.
    /// Default `http://localhost:4318`, for gRPC `http://localhost:4317`.
    ///
    /// gRPC also takes `host:port`, see [`with_insecure`](Self::with_insecure).
    ///
    /// Variable: `OTEL_EXPORTER_OTLP_ENDPOINT`.
    pub fn with_endpoint(mut self, url: impl Into<String>) -> Self {
        self.endpoint = Some(Target::Base(Secret::new(url.into())));
        self
    }

    /// The URL of this signal, taken as it is: nothing is appended. The last of this and
    /// [`with_endpoint`](Self::with_endpoint) counts; with gRPC they mean the same.
    ///
    /// Variable: `OTEL_EXPORTER_OTLP_<SIGNAL>_ENDPOINT`.
    pub fn with_exact_url(mut self, url: impl Into<String>) -> Self {
        self.endpoint = Some(Target::Exact(Secret::new(url.into())));
        self
    }

    /// Whether a gRPC endpoint without a scheme (`host:port`) is plaintext. Default false: TLS.
    /// Has no effect on an endpoint with a scheme.
    ///
    /// Variables: `OTEL_EXPORTER_OTLP_INSECURE`, `OTEL_EXPORTER_OTLP_<SIGNAL>_INSECURE`.
    pub fn with_insecure(mut self, insecure: bool) -> Self {
        self.insecure = Some(insecure);
        self
    }

    /// Adds a header. It replaces the header of that name from the environment; other headers
    /// from there stay.
    ///
    /// Variables: `OTEL_EXPORTER_OTLP_HEADERS`, `OTEL_EXPORTER_OTLP_<SIGNAL>_HEADERS`.
    pub fn with_header(mut self, name: impl Into<String>, value: impl Into<Secret>) -> Self {
        self.headers.push((name.into(), value.into()));
        self
    }

    /// Adds several headers, as [`with_header`](Self::with_header) does.
    pub fn with_headers(mut self, headers: &Headers) -> Self {
        let pairs = headers.iter().map(|(name, value)| (name.to_owned(), value.clone()));
        self.headers.extend(pairs);
        self
    }

    /// Asks for headers before every request: credentials that expire. Default none.
    pub fn with_header_provider(mut self, provider: HeaderProvider) -> Self {
        self.header_provider = Some(provider);
        self
    }

    /// Limit of one attempt, from connecting to the whole answer; zero is no limit. Default 10 s.
    ///
    /// Variables: `OTEL_EXPORTER_OTLP_TIMEOUT`, `OTEL_EXPORTER_OTLP_<SIGNAL>_TIMEOUT`, in
    /// milliseconds.
    pub fn with_timeout(mut self, timeout: Duration) -> Self {
        self.timeout = Some(timeout);
        self
    }

    /// How requests are compressed. Default none.
    ///
    /// Variables: `OTEL_EXPORTER_OTLP_COMPRESSION`, `OTEL_EXPORTER_OTLP_<SIGNAL>_COMPRESSION`.
    pub fn with_compression(mut self, compression: Compression) -> Self {
        self.compression = Some(compression);
        self
    }

    /// Certificates. Default: the exporter's trust roots, no client certificate.
    ///
    /// The CA is taken from here or from the environment; so is the pair of client certificate
    /// and key, as one.
    ///
    /// Variables: `OTEL_EXPORTER_OTLP_CERTIFICATE`, `…_CLIENT_CERTIFICATE`, `…_CLIENT_KEY`, each
    /// also with `<SIGNAL>_`.
    pub fn with_tls(mut self, tls: TlsConfig) -> Self {
        self.tls = tls;
        self
    }

    /// Most bytes of a request; a larger one is not sent. At least 1. Default 64 MiB.
    pub fn with_max_request_size(mut self, bytes: usize) -> Self {
        self.max_request_size = Some(bytes);
        self
    }

    /// Most bytes of a response, after decompression too. At least 1. Default 4 MiB.
    pub fn with_max_response_size(mut self, bytes: usize) -> Self {
        self.max_response_size = Some(bytes);
        self
    }

    /// What a distribution puts in front of the `User-Agent`, such as `acme-agent/2.1`.
    /// Default none.
    pub fn with_user_agent_prefix(mut self, prefix: impl Into<String>) -> Self {
        self.user_agent_prefix = Some(prefix.into());
        self
    }

    /// Resolves code, environment and defaults.
    ///
    /// Bad values in variables give warnings, and the next source counts.
    ///
    /// # Errors
    ///
    /// A bad value given in code; an endpoint that cannot be used, also from a variable, because
    /// falling back to another host would send credentials there; a client certificate without
    /// its key or the other way round.
    pub fn build(self, env: &Env) -> Result<Configured, ConfigError> {
        resolve(self, env)
    }
}
