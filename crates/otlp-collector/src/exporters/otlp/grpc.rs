//! `otlp_grpc`.

use std::time::Duration;

use otlp_core::Signal;
use otlp_core::export::{BoxedExporter, Endpoint, Env, Exporter as _, Headers, TlsConfig};
use otlp_exporter_grpc::GrpcExporter;
use serde::Deserialize;

use super::client::{PRODUCT, credentials, warn_ignored, warn_open};
use super::{AuthSettings, CompressionParams, CompressionType, HeaderSettings, TlsClientSettings};
use crate::component::{BoxError, Destination, Host};
use crate::config::{ConfigError, Ignored, Unsupported, duration};
use crate::exporters::told::Told;
use crate::sending::{QueueSettings, RetrySettings, SendingSettings};

/// OTLP over gRPC: what stands under `exporters::otlp_grpc`, or `exporters::otlp`.
#[derive(Clone, Debug, Deserialize)]
#[serde(default, deny_unknown_fields)]
#[non_exhaustive]
pub struct OtlpGrpcSettings {
    /// The server: `host:port`, also after `http://`, `https://` or `dns:///`. Needed.
    ///
    /// It is spoken to with TLS unless `tls::insecure` is set. As in the Go collector `http://` does not change
    /// that; `https://` means TLS whatever is set.
    pub endpoint: String,
    /// How requests are compressed. Default gzip.
    pub compression: CompressionType,
    /// How hard; ours, the Go collector has it for HTTP only.
    pub compression_params: CompressionParams,
    /// TLS.
    pub tls: TlsClientSettings,
    /// Headers (gRPC metadata) of every call. Default none.
    pub headers: HeaderSettings,
    /// Limit of one attempt; zero is no limit. Default 5 s.
    #[serde(deserialize_with = "duration")]
    pub timeout: Duration,
    /// When a quiet connection is pinged. Default: after 30 s, while calls are open.
    pub keepalive: Option<KeepaliveClientSettings>,
    /// Who brings credentials. Default nobody.
    pub auth: Option<AuthSettings>,
    /// Which of the addresses of a name are used. One connection is kept, whatever is set.
    pub balancer_name: Option<BalancerName>,
    /// What stands first in the `User-Agent`. Default `otlp-collector/` and the version.
    pub user_agent: String,
    /// What waits for the server.
    pub sending_queue: QueueSettings,
    /// What becomes of a request that fails.
    pub retry_on_failure: RetrySettings,
    wait_for_ready: bool,
    read_buffer_size: Ignored,
    write_buffer_size: Ignored,
    authority: Option<Unsupported>,
    middlewares: Option<Unsupported>,
    #[serde(skip)]
    told: Told,
}

/// `keepalive`.
#[derive(Clone, Copy, Debug, Default, Deserialize)]
#[serde(default, deny_unknown_fields)]
#[non_exhaustive]
pub struct KeepaliveClientSettings {
    /// A connection on which nothing has come for this time is pinged; 10 s at least. Default 0: 30 s.
    #[serde(deserialize_with = "duration")]
    pub time: Duration,
    /// How long the server may take to answer a ping. Default 0: 20 s.
    #[serde(deserialize_with = "duration")]
    pub timeout: Duration,
    /// Whether it is pinged also while no call is open. Default false.
    pub permit_without_stream: bool,
}

/// `balancer_name`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "snake_case")]
#[non_exhaustive]
pub enum BalancerName {
    /// All addresses in turn.
    RoundRobin,
    /// The first that answers.
    PickFirst,
}

impl Default for OtlpGrpcSettings {
    fn default() -> Self {
        Self {
            endpoint: String::new(),
            compression: CompressionType::default(),
            compression_params: CompressionParams::default(),
            tls: TlsClientSettings::default(),
            headers: HeaderSettings::default(),
            timeout: Duration::from_secs(5),
            keepalive: None,
            auth: None,
            balancer_name: None,
            user_agent: String::new(),
            sending_queue: QueueSettings::default(),
            retry_on_failure: RetrySettings::default(),
            wait_for_ready: false,
            read_buffer_size: None,
            write_buffer_size: None,
            authority: None,
            middlewares: None,
            told: Told::default(),
        }
    }
}

/// Settings that were found to be right.
struct Resolved {
    endpoint: Endpoint,
    headers: Headers,
    product: Option<String>,
    compression: otlp_core::export::Compression,
    tls: TlsConfig,
}

impl OtlpGrpcSettings {
    /// To this endpoint, with the default of everything else.
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
        self.resolve().map(drop)
    }

    fn resolve(&self) -> Result<Resolved, ConfigError> {
        let (headers, product) = self.headers.resolve()?;
        Ok(Resolved {
            endpoint: self.target().map_err(|error| error.under("endpoint"))?,
            headers,
            product,
            compression: self.compression.at(self.compression_params)?,
            tls: self.tls.resolve()?,
        })
    }

    /// The endpoint. Plain text only where that is asked for.
    fn target(&self) -> Result<Endpoint, ConfigError> {
        let (is_secure, target) = match self.endpoint.trim().split_once("://") {
            None => (false, self.endpoint.trim()),
            Some(("http", target)) => (false, target),
            Some(("https", target)) => (true, target),
            // The authority of a resolver, `dns://1.1.1.1/host:port`, would be another server to ask.
            Some(("dns" | "passthrough", target)) if !target.is_empty() => {
                let target = target.strip_prefix('/').unwrap_or(target);
                match target.contains('/') {
                    false => (false, target),
                    true => return Err(ConfigError::new(no_endpoint(&self.endpoint))),
                }
            }
            Some(_) => return Err(ConfigError::new(no_endpoint(&self.endpoint))),
        };
        if target.is_empty() {
            return Err(ConfigError::new("it is empty; accepted: host:port"));
        }
        // A call names its own path; what it says after a `?` may be a secret.
        if target.contains(['/', '?', '#']) {
            let text =
                "it has something behind the port; accepted: host:port, such as backend:4317";
            return Err(ConfigError::new(text));
        }
        let scheme = if self.tls.is_plain() && !is_secure { "http" } else { "https" };
        let endpoint = Endpoint::grpc(&format!("{scheme}://{target}"), false).map_err(|error| {
            ConfigError::new(format!("\"{}\" {}", error.value(), error.problem()))
        })?;
        let after_host = target.rsplit_once(']').map_or(target, |(_, after)| after);
        match after_host.rsplit_once(':') {
            Some((_, port)) if !port.is_empty() => Ok(endpoint),
            _ => Err(ConfigError::new("it has no port; accepted: host:port, such as backend:4317")),
        }
    }

    /// What is set and has no effect, and what may not be meant.
    #[must_use]
    pub fn warnings(&self) -> Vec<String> {
        let mut warnings = Vec::new();
        let ignored = [
            ("wait_for_ready", self.wait_for_ready),
            ("read_buffer_size", self.read_buffer_size.is_some()),
            ("write_buffer_size", self.write_buffer_size.is_some()),
        ];
        warn_ignored(&ignored, &mut warnings);
        warn_ignored(&self.tls.ignored(), &mut warnings);
        if self.balancer_name == Some(BalancerName::RoundRobin) {
            warnings.push(
                "balancer_name: one connection is kept, to the first address that answers"
                    .to_owned(),
            );
        }
        if self.endpoint.trim().starts_with("http://") && !self.tls.is_plain() {
            let text = "endpoint: it is spoken to with TLS, whatever its scheme; for plain text set tls::insecure";
            warnings.push(text.to_owned());
        }
        if let Ok(endpoint) = self.target() {
            warn_open(&endpoint, self.auth.is_some(), &mut warnings);
        }
        warnings
    }
}

/// What is no endpoint is shown without what may be a password.
fn no_endpoint(text: &str) -> String {
    let scheme = text.trim().split_once("://").map_or("", |(scheme, _)| scheme);
    let scheme = otlp_core::export::text::printable_within(scheme, 32);
    format!(
        "\"{scheme}://\" is not supported in this form; accepted: host:port, http://, https://, dns:///host:port"
    )
}

impl Destination for OtlpGrpcSettings {
    fn needs(&self) -> Vec<(&'static str, String)> {
        self.auth.iter().map(|auth| ("auth", auth.authenticator.clone())).collect()
    }

    fn open(&self, host: &Host, signal: Signal) -> Result<BoxedExporter, BoxError> {
        self.told.warn(host, || self.warnings());
        let Resolved { endpoint, headers, product, compression, tls } = self.resolve()?;
        let own = Some(self.user_agent.clone()).filter(|own| !own.is_empty());
        let mut builder = GrpcExporter::builder(signal)
            .with_endpoint(endpoint.origin())
            .with_headers(&headers)
            .with_user_agent_prefix(own.or(product).unwrap_or_else(|| PRODUCT.to_owned()))
            .with_timeout(self.timeout)
            .with_compression(compression);
        if endpoint.is_tls() {
            builder = builder.with_tls(tls);
        }
        if let Some(keepalive) = self.keepalive {
            let (time, timeout) = (keepalive.time, keepalive.timeout);
            let time = if time.is_zero() { Duration::from_secs(30) } else { time };
            let timeout = if timeout.is_zero() { Duration::from_secs(20) } else { timeout };
            builder = builder.with_keep_alive(time, timeout, keepalive.permit_without_stream);
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
