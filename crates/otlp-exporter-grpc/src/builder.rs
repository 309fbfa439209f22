//! What the user says about a gRPC exporter, and the way from there to one.

use std::time::Duration;

use otlp_core::Signal;
use otlp_core::export::{
    BuildError, Compression, ConfigWarning, Env, ExporterConfig, ExporterConfigBuilder,
    HeaderProvider, Headers, Protocol, Secret, TlsConfig,
};
use tonic::transport::Channel;

use crate::connection::KeepAlive;
use crate::exporter::GrpcExporter;

/// Builds a [`GrpcExporter`]. What is not set here comes from the environment
/// (`OTEL_EXPORTER_OTLP_*`), then from the specification's defaults.
#[derive(Clone, Debug)]
#[must_use = "a builder does nothing until it is built"]
pub struct GrpcExporterBuilder {
    config: ExporterConfigBuilder,
    channel: Option<Channel>,
    keep_alive: KeepAlive,
}

impl GrpcExporterBuilder {
    pub(crate) fn new(signal: Signal) -> Self {
        let config = ExporterConfig::builder(signal).with_protocols(&[Protocol::Grpc]);
        Self { config, channel: None, keep_alive: KeepAlive::default() }
    }

    /// The server: an `http` or `https` URL, or `host:port`, which means TLS unless
    /// [`with_insecure`](Self::with_insecure). Default `http://localhost:4317`.
    pub fn with_endpoint(self, target: impl Into<String>) -> Self {
        self.map(|config| config.with_endpoint(target))
    }

    /// Whether an endpoint without a scheme is plaintext. Default false.
    pub fn with_insecure(self, insecure: bool) -> Self {
        self.map(|config| config.with_insecure(insecure))
    }

    /// Adds a header (gRPC metadata). It replaces one of that name from the environment.
    pub fn with_header(self, name: impl Into<String>, value: impl Into<Secret>) -> Self {
        self.map(|config| config.with_header(name, value))
    }

    /// Adds several headers.
    pub fn with_headers(self, headers: &Headers) -> Self {
        self.map(|config| config.with_headers(headers))
    }

    /// Asks for headers before every call: credentials that expire. A failing provider makes the
    /// call fail as retryable; its error text is not repeated, since it may quote the credentials.
    pub fn with_header_provider(self, provider: HeaderProvider) -> Self {
        self.map(|config| config.with_header_provider(provider))
    }

    /// Limit of one attempt, from connecting to the whole answer; zero is no limit.
    /// Default 10 s.
    pub fn with_timeout(self, timeout: Duration) -> Self {
        self.map(|config| config.with_timeout(timeout))
    }

    /// How requests are compressed. Default none.
    pub fn with_compression(self, compression: Compression) -> Self {
        self.map(|config| config.with_compression(compression))
    }

    /// Certificates for an `https` endpoint. Default: the system's roots, no client certificate.
    pub fn with_tls(self, tls: TlsConfig) -> Self {
        self.map(|config| config.with_tls(tls))
    }

    /// Most bytes of a request; a larger one is not sent (Z1). Default 64 MiB.
    pub fn with_max_request_size(self, bytes: usize) -> Self {
        self.map(|config| config.with_max_request_size(bytes))
    }

    /// Most bytes of an answer, after inflating too (Z2). Default 4 MiB.
    pub fn with_max_response_size(self, bytes: usize) -> Self {
        self.map(|config| config.with_max_response_size(bytes))
    }

    /// What a distribution puts in front of the `User-Agent`. Default none.
    pub fn with_user_agent_prefix(self, prefix: impl Into<String>) -> Self {
        self.map(|config| config.with_user_agent_prefix(prefix))
    }

    /// When a connection on which nothing comes from the server is pinged: after `interval`, 10 s at least;
    /// given up when the answer does not come within `timeout`; and whether also while no call is open,
    /// which servers refuse unless they were told to allow it. Default 30 s, 20 s, only while a call is open.
    pub fn with_keep_alive(
        mut self,
        interval: Duration,
        timeout: Duration,
        while_idle: bool,
    ) -> Self {
        self.keep_alive = KeepAlive::new(interval, timeout, while_idle);
        self
    }

    /// Sends over a channel of your own: another resolver, a Unix socket, load balancing, an
    /// interceptor below the exporter.
    ///
    /// The one place where a type of the transport library is in the public API, so it follows
    /// that library's versions. Endpoint, TLS and connection settings are then the channel's;
    /// headers, compression, limits and deadlines stay the exporter's. The channel must live on a
    /// runtime that keeps running, and is never replaced. Headers that it adds on its own are not
    /// known here, so they are not hidden when a server sends them back.
    pub fn with_channel(mut self, channel: Channel) -> Self {
        self.channel = Some(channel);
        self
    }

    /// Builds the exporter from what is set here and from this process's environment.
    ///
    /// Reads the PEM files, but opens no connection and needs no runtime. Variables that cannot be
    /// used as they are give one `tracing` warning each.
    ///
    /// # Errors
    ///
    /// A bad value given in code, an endpoint that cannot be used, an `https` endpoint without
    /// the feature `tls`, a PEM file that cannot be read.
    pub fn build(self) -> Result<GrpcExporter, BuildError> {
        self.build_with(&Env::from_process())
    }

    /// Builds the exporter from what is set here and from `env` instead of the process's
    /// environment.
    ///
    /// # Errors
    ///
    /// As for [`build`](Self::build).
    pub fn build_with(self, env: &Env) -> Result<GrpcExporter, BuildError> {
        let (exporter, warnings) = self.build_with_warnings(env)?;
        for warning in warnings {
            tracing::warn!(target: "otlp_exporter_grpc", "{warning}");
        }
        Ok(exporter)
    }

    /// [`build_with`](Self::build_with), with what could not be used as it is, to be logged by the caller: a
    /// program that builds its exporters before there is a subscriber would not see it otherwise.
    ///
    /// # Errors
    ///
    /// As for [`build`](Self::build).
    pub fn build_with_warnings(
        self,
        env: &Env,
    ) -> Result<(GrpcExporter, Vec<ConfigWarning>), BuildError> {
        let configured = self.config.build(env)?;
        let exporter = GrpcExporter::new(configured.config, self.channel, self.keep_alive)?;
        Ok((exporter, configured.warnings))
    }

    fn map(self, set: impl FnOnce(ExporterConfigBuilder) -> ExporterConfigBuilder) -> Self {
        Self { config: set(self.config), ..self }
    }
}
