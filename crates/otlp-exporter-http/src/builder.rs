//! What the user says about an HTTP exporter, and the way from there to one.

use std::fmt;
use std::time::Duration;

use otlp_core::Signal;
use otlp_core::export::{
    BuildError, Compression, ConfigWarning, Env, ExporterConfig, ExporterConfigBuilder,
    HeaderProvider, Headers, Protocol, Secret, TlsConfig,
};
use reqwest::Client;

use crate::exporter::HttpExporter;
use crate::transport::Transport;

/// Builds a [`HttpExporter`]. What is not set here comes from the environment
/// (`OTEL_EXPORTER_OTLP_*`), then from the specification's defaults.
#[derive(Clone)]
#[must_use = "a builder does nothing until it is built"]
pub struct HttpExporterBuilder {
    config: ExporterConfigBuilder,
    client: Option<Client>,
    transport: Transport,
}

impl HttpExporterBuilder {
    pub(crate) fn new(signal: Signal) -> Self {
        let config = ExporterConfig::builder(signal).with_protocols(PROTOCOLS);
        Self { config, client: None, transport: Transport::default() }
    }

    /// The encoding: [`Protocol::HttpProtobuf`], the default, or [`Protocol::HttpJson`], which needs the
    /// feature `json`. Without it `OTEL_EXPORTER_OTLP_PROTOCOL` and `OTEL_EXPORTER_OTLP_<SIGNAL>_PROTOCOL`
    /// choose between the two; `grpc` there gives a warning, since this exporter does not speak it.
    ///
    /// JSON is for servers that take nothing else, and for people who read along: it is two to three times
    /// as large and costs the conversion of each request.
    pub fn with_protocol(self, protocol: Protocol) -> Self {
        self.map(|config| config.with_protocol(protocol))
    }

    /// The base URL of the server; the path of the signal (`/v1/traces`) is appended. Default
    /// `http://localhost:4318`.
    pub fn with_endpoint(self, url: impl Into<String>) -> Self {
        self.map(|config| config.with_endpoint(url))
    }

    /// The URL that requests go to, taken as it is: nothing is appended.
    pub fn with_exact_url(self, url: impl Into<String>) -> Self {
        self.map(|config| config.with_exact_url(url))
    }

    /// Adds a header. It replaces one of that name from the environment.
    pub fn with_header(self, name: impl Into<String>, value: impl Into<Secret>) -> Self {
        self.map(|config| config.with_header(name, value))
    }

    /// Adds several headers.
    pub fn with_headers(self, headers: &Headers) -> Self {
        self.map(|config| config.with_headers(headers))
    }

    /// Asks for headers before every request: credentials that expire. A failing provider makes the
    /// request fail as retryable; its error text is not repeated, since it may quote the credentials.
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

    /// Most bytes of a request, before compression and after; a larger one is not sent (Z1). For JSON that
    /// is the text. Default 64 MiB.
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

    /// The proxy for every request, loopback included, instead of those that the environment names:
    /// `http://[user:password@]host:port`, also `https` and `socks5`.
    pub fn with_proxy(mut self, url: impl Into<Secret>) -> Self {
        self.transport.proxy = Some(url.into());
        self
    }

    /// How many connections are kept for later requests, and for how long they may be idle; 0 closes each
    /// after its request (HTTP/1.1). Default 8 and 50 s. As many as there are requests at a time are enough.
    pub fn with_idle_connections(mut self, max: usize, timeout: Duration) -> Self {
        self.transport.idle_max = max;
        self.transport.idle_timeout = timeout;
        self
    }

    /// Sends with a client of your own: another proxy, another resolver, other pool settings.
    ///
    /// The one place where a type of the HTTP library is in the public API, so it follows that
    /// library's versions. TLS, proxy, redirects and connection settings are then the client's:
    /// give it `redirect::Policy::none()`, or it will carry your headers to wherever a server
    /// redirects to. Endpoint, headers, compression, limits and deadlines stay the exporter's. The
    /// client's default headers and proxy are not known here: messages do not name the proxy, and
    /// do not hide those headers when a server sends them back.
    pub fn with_client(mut self, client: Client) -> Self {
        self.client = Some(client);
        self
    }

    /// Builds the exporter from what is set here and from this process's environment.
    ///
    /// Reads the PEM files, but opens no connection and needs no runtime. Variables that cannot be
    /// used as they are give one `tracing` warning each.
    ///
    /// # Errors
    ///
    /// A bad value given in code, a protocol that is not one over HTTP or not compiled in, an endpoint
    /// that cannot be used, an `https` endpoint without the feature `tls`, a PEM file that cannot be read.
    pub fn build(self) -> Result<HttpExporter, BuildError> {
        self.build_with(&Env::from_process())
    }

    /// Builds the exporter from what is set here and from `env` instead of the process's
    /// environment.
    ///
    /// # Errors
    ///
    /// As for [`build`](Self::build).
    pub fn build_with(self, env: &Env) -> Result<HttpExporter, BuildError> {
        let (exporter, warnings) = self.build_with_warnings(env)?;
        for warning in warnings {
            tracing::warn!(target: "otlp_exporter_http", "{warning}");
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
    ) -> Result<(HttpExporter, Vec<ConfigWarning>), BuildError> {
        let configured = self.config.build(env)?;
        let exporter = HttpExporter::new(configured.config, self.client, &self.transport)?;
        Ok((exporter, configured.warnings))
    }

    fn map(self, set: impl FnOnce(ExporterConfigBuilder) -> ExporterConfigBuilder) -> Self {
        Self { config: set(self.config), ..self }
    }
}

impl fmt::Debug for HttpExporterBuilder {
    /// Without the client, which would print its default headers.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let own_client = self.client.is_some();
        f.debug_struct("HttpExporterBuilder")
            .field("config", &self.config)
            .field("transport", &self.transport)
            .field("own_client", &own_client)
            .finish()
    }
}

/// What the environment may choose, with the default first.
const PROTOCOLS: &[Protocol] = match cfg!(feature = "json") {
    true => &[Protocol::HttpProtobuf, Protocol::HttpJson],
    false => &[Protocol::HttpProtobuf],
};
