//! `otlp_http`.

use std::time::Duration;

use otlp_core::Signal;
use otlp_core::export::{
    BoxedExporter, Compression, Endpoint, Env, Exporter as _, Headers, Protocol, Secret, TlsConfig,
};
use otlp_exporter_http::HttpExporter;
use serde::{Deserialize, Deserializer};

use super::client::{PRODUCT, credentials, warn_ignored, warn_open};
use super::{AuthSettings, CompressionParams, CompressionType, HeaderSettings, TlsClientSettings};
use crate::component::{BoxError, Destination, Host};
use crate::config::{ConfigError, Ignored, Unsupported, duration, some_duration};
use crate::exporters::told::Told;
use crate::sending::{QueueSettings, RetrySettings, SendingSettings};

/// OTLP over HTTP: what stands under `exporters::otlp_http`, or `exporters::otlphttp`.
#[derive(Clone, Debug, Deserialize)]
#[serde(default, deny_unknown_fields)]
#[non_exhaustive]
pub struct OtlpHttpSettings {
    /// The base URL; `/v1/traces`, `/v1/metrics` and `/v1/logs` are appended. Needed, unless all signals that are
    /// sent have their own.
    pub endpoint: String,
    /// The URL of traces, as it is.
    pub traces_endpoint: String,
    /// The URL of metrics, as it is.
    pub metrics_endpoint: String,
    /// The URL of logs, as it is.
    pub logs_endpoint: String,
    /// The encoding of requests. Default proto.
    pub encoding: HttpEncoding,
    /// How requests are compressed. Default gzip.
    pub compression: CompressionType,
    /// How hard.
    pub compression_params: CompressionParams,
    /// TLS of an `https` URL.
    pub tls: TlsClientSettings,
    /// Headers of every request. Default none.
    pub headers: HeaderSettings,
    /// Limit of one attempt; zero is no limit. Default 30 s.
    #[serde(deserialize_with = "duration")]
    pub timeout: Duration,
    /// Who brings credentials. Default nobody.
    pub auth: Option<AuthSettings>,
    /// The proxy for every request. Default: what `HTTP_PROXY`, `HTTPS_PROXY` and `NO_PROXY` say.
    #[serde(deserialize_with = "secret")]
    pub proxy_url: Option<Secret>,
    /// Connections that wait for the next request. Default: as many as `sending_queue::num_consumers`, for 50 s.
    pub keepalive: IdleConnectionSettings,
    /// What waits for the server.
    pub sending_queue: QueueSettings,
    /// What becomes of a request that fails.
    pub retry_on_failure: RetrySettings,
    /// The older way to write `keepalive::idle_conn_timeout`.
    #[serde(deserialize_with = "some_duration")]
    idle_conn_timeout: Option<Duration>,
    /// The older way to write `keepalive::max_idle_conns_per_host`.
    max_idle_conns_per_host: Option<usize>,
    /// The older way to write `keepalive::enabled: false`.
    disable_keep_alives: bool,
    profiles_endpoint: Ignored,
    max_idle_conns: Ignored,
    max_conns_per_host: Ignored,
    http2_read_idle_timeout: Ignored,
    http2_ping_timeout: Ignored,
    force_attempt_http2: Ignored,
    read_buffer_size: Ignored,
    write_buffer_size: Ignored,
    cookies: Option<Unsupported>,
    middlewares: Option<Unsupported>,
    #[serde(skip)]
    told: Told,
}

/// `encoding`.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
#[non_exhaustive]
pub enum HttpEncoding {
    /// Protobuf.
    #[default]
    Proto,
    /// JSON, for servers that take nothing else.
    Json,
}

/// `keepalive`: connections that wait for the next request.
#[derive(Clone, Copy, Debug, Deserialize)]
#[serde(default, deny_unknown_fields)]
#[non_exhaustive]
pub struct IdleConnectionSettings {
    /// Whether connections are kept at all. Default true.
    pub enabled: bool,
    /// How long. Default 50 s; the Go collector's is 90 s, and its servers close after 60 s.
    #[serde(deserialize_with = "duration")]
    pub idle_conn_timeout: Duration,
    /// Most that are kept. Default 0: as many as requests are sent at once.
    pub max_idle_conns_per_host: usize,
    max_idle_conns: Ignored,
}

impl Default for IdleConnectionSettings {
    fn default() -> Self {
        let idle_conn_timeout = Duration::from_secs(50);
        Self { enabled: true, idle_conn_timeout, max_idle_conns_per_host: 0, max_idle_conns: None }
    }
}

impl Default for OtlpHttpSettings {
    fn default() -> Self {
        Self {
            endpoint: String::new(),
            traces_endpoint: String::new(),
            metrics_endpoint: String::new(),
            logs_endpoint: String::new(),
            encoding: HttpEncoding::default(),
            compression: CompressionType::default(),
            compression_params: CompressionParams::default(),
            tls: TlsClientSettings::default(),
            headers: HeaderSettings::default(),
            timeout: Duration::from_secs(30),
            auth: None,
            proxy_url: None,
            keepalive: IdleConnectionSettings::default(),
            sending_queue: QueueSettings::default(),
            retry_on_failure: RetrySettings::default(),
            idle_conn_timeout: None,
            max_idle_conns_per_host: None,
            disable_keep_alives: false,
            profiles_endpoint: None,
            max_idle_conns: None,
            max_conns_per_host: None,
            http2_read_idle_timeout: None,
            http2_ping_timeout: None,
            force_attempt_http2: None,
            read_buffer_size: None,
            write_buffer_size: None,
            cookies: None,
            middlewares: None,
            told: Told::default(),
        }
    }
}

/// Settings that were found to be right.
struct Resolved {
    headers: Headers,
    product: Option<String>,
    compression: Compression,
    tls: TlsConfig,
}

impl OtlpHttpSettings {
    /// To this base URL, with the default of everything else.
    #[must_use]
    pub fn to(endpoint: impl Into<String>) -> Self {
        Self { endpoint: endpoint.into(), ..Self::default() }
    }

    /// Whether the settings go together.
    ///
    /// # Errors
    ///
    /// Names the key, what is wrong with it, and what is accepted.
    pub fn check(&self) -> Result<(), ConfigError> {
        self.sending().check().map_err(|error| ConfigError::new(error.to_string()))?;
        let signals = Signal::ALL.map(|signal| self.url(signal).map(|url| url.is_some()));
        let mut is_any = false;
        for found in signals {
            is_any |= found?;
        }
        if !is_any {
            return Err(ConfigError::new(
                "it is empty; accepted: a URL such as http://backend:4318",
            )
            .under("endpoint"));
        }
        self.resolve().map(drop)
    }

    fn resolve(&self) -> Result<Resolved, ConfigError> {
        let (headers, product) = self.headers.resolve()?;
        let compression = self.compression.at(self.compression_params)?;
        Ok(Resolved { headers, product, compression, tls: self.tls.resolve()? })
    }

    /// Where requests of a signal go; `None` if that is not said.
    fn url(&self, signal: Signal) -> Result<Option<Endpoint>, ConfigError> {
        let (key, own) = match signal {
            Signal::Metrics => ("metrics_endpoint", &self.metrics_endpoint),
            Signal::Logs => ("logs_endpoint", &self.logs_endpoint),
            _ => ("traces_endpoint", &self.traces_endpoint),
        };
        let (key, read) = match (own.is_empty(), self.endpoint.is_empty()) {
            (false, _) => (key, Endpoint::exact(own)),
            (true, false) => ("endpoint", Endpoint::base(&self.endpoint, signal)),
            (true, true) => return Ok(None),
        };
        read.map(Some).map_err(|error| {
            let message = format!(
                "\"{}\" {}; accepted: {}",
                error.value(),
                error.problem(),
                error.accepted()
            );
            ConfigError::new(message).under(key)
        })
    }

    /// What is set and has no effect, and what may not be meant.
    #[must_use]
    pub fn warnings(&self) -> Vec<String> {
        let mut warnings = Vec::new();
        let ignored = [
            ("profiles_endpoint", self.profiles_endpoint.is_some()),
            ("max_idle_conns", self.max_idle_conns.is_some()),
            ("keepalive::max_idle_conns", self.keepalive.max_idle_conns.is_some()),
            ("max_conns_per_host", self.max_conns_per_host.is_some()),
            ("http2_read_idle_timeout", self.http2_read_idle_timeout.is_some()),
            ("http2_ping_timeout", self.http2_ping_timeout.is_some()),
            ("force_attempt_http2", self.force_attempt_http2.is_some()),
            ("read_buffer_size", self.read_buffer_size.is_some()),
            ("write_buffer_size", self.write_buffer_size.is_some()),
        ];
        warn_ignored(&ignored, &mut warnings);
        warn_ignored(&self.tls.ignored(), &mut warnings);
        for signal in Signal::ALL {
            if let Ok(Some(endpoint)) = self.url(signal) {
                warn_open(&endpoint, self.auth.is_some(), &mut warnings);
            }
        }
        warnings
    }

    /// Most connections that are kept, and for how long.
    fn idle_connections(&self) -> (usize, Duration) {
        let timeout = self.idle_conn_timeout.unwrap_or(self.keepalive.idle_conn_timeout);
        let set = self.max_idle_conns_per_host.unwrap_or(self.keepalive.max_idle_conns_per_host);
        match (set, self.keepalive.enabled && !self.disable_keep_alives) {
            (_, false) => (0, timeout),
            (0, true) => (self.sending_queue.num_consumers.get(), timeout),
            (most, true) => (most, timeout),
        }
    }
}

impl Destination for OtlpHttpSettings {
    fn needs(&self) -> Vec<(&'static str, String)> {
        self.auth.iter().map(|auth| ("auth", auth.authenticator.clone())).collect()
    }

    fn open(&self, host: &Host, signal: Signal) -> Result<BoxedExporter, BoxError> {
        self.told.warn(host, || self.warnings());
        let Resolved { headers, product, compression, tls } = self.resolve()?;
        let url = self.url(signal)?.ok_or_else(|| {
            format!("neither endpoint nor {}_endpoint is set, and one is needed", signal.name())
        })?;
        let (idle_max, idle_timeout) = self.idle_connections();
        let mut builder = HttpExporter::builder(signal)
            .with_exact_url(url.url())
            .with_protocol(match self.encoding {
                HttpEncoding::Proto => Protocol::HttpProtobuf,
                HttpEncoding::Json => Protocol::HttpJson,
            })
            .with_headers(&headers)
            .with_user_agent_prefix(product.unwrap_or_else(|| PRODUCT.to_owned()))
            .with_timeout(self.timeout)
            .with_idle_connections(idle_max, idle_timeout)
            .with_compression(compression);
        if let Some(basic) = url.basic_auth().filter(|_| headers.get("authorization").is_none()) {
            builder = builder.with_header("authorization", basic.clone());
        }
        if url.is_tls() {
            builder = builder.with_tls(tls);
        }
        if let Some(proxy) = &self.proxy_url {
            builder = builder.with_proxy(proxy.clone());
        }
        if let Some(provider) = credentials(self.auth.as_ref(), host)? {
            builder = builder.with_header_provider(provider);
        }
        Ok(builder.build_with(&Env::empty())?.boxed())
    }

    fn sending(&self) -> SendingSettings {
        SendingSettings::default()
            .with_timeout(self.timeout)
            .with_retry(self.retry_on_failure.clone())
            .with_queue(self.sending_queue.clone())
    }
}

fn secret<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Option<Secret>, D::Error> {
    let text = String::deserialize(deserializer)?;
    Ok(Some(text).filter(|text| !text.is_empty()).map(Secret::from))
}
