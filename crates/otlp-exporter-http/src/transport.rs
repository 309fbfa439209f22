//! The client of the HTTP library: connections, TLS, proxy.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::time::Duration;

use otlp_core::export::cause::Cause;
use otlp_core::export::{BuildError, ExporterConfig, Secret};
use reqwest::redirect::Policy;
use reqwest::{Client, ClientBuilder};

use crate::proxy::{Proxy, is_this_machine};

/// What is set of connections beside what all exporters have.
#[derive(Clone, Debug)]
pub(crate) struct Transport {
    /// A proxy for everything; `None` asks the environment.
    pub(crate) proxy: Option<Secret>,
    /// Most connections that are kept.
    pub(crate) idle_max: usize,
    /// How long a connection is kept for the next request.
    pub(crate) idle_timeout: Duration,
}

impl Default for Transport {
    fn default() -> Self {
        Self { proxy: None, idle_max: POOL_MAX_IDLE, idle_timeout: POOL_IDLE_TIMEOUT }
    }
}

impl Transport {
    /// The client, and the proxy that it takes.
    pub(crate) fn client(
        &self,
        config: &ExporterConfig,
    ) -> Result<(Client, Option<Proxy>), BuildError> {
        let builder = secured(tuned(Client::builder(), self), config)?;
        let url = config.endpoint.url();
        let Some(proxy) = &self.proxy else {
            let is_near = url.parse().is_ok_and(|url| is_this_machine(&url));
            let builder = if is_near { builder.no_proxy() } else { builder };
            return Ok((build(builder)?, Proxy::of(url)));
        };
        // The reason may quote the URL, which may hold a password.
        let refused =
            || BuildError::new("proxy", "is not the URL of a proxy; accepted: http://host:port");
        let named = Proxy::named(proxy, url).ok_or_else(refused)?;
        let proxy = reqwest::Proxy::all(proxy.expose()).map_err(|_| refused())?;
        Ok((build(builder.no_proxy().proxy(proxy))?, Some(named)))
    }
}

fn build(builder: ClientBuilder) -> Result<Client, BuildError> {
    // The library panics when another crate has switched on its TLS and nobody has chosen a
    // provider; with our own feature `tls` that cannot happen.
    match catch_unwind(AssertUnwindSafe(|| builder.build())) {
        Ok(Ok(client)) => Ok(client),
        Ok(Err(error)) => {
            let cause = Cause::of(&error.without_url()).to_string();
            Err(BuildError::new("HTTP client", cause))
        }
        Err(_) => Err(BuildError::new(
            "HTTP client",
            "cannot be built: the TLS of reqwest is enabled without a crypto provider; enable the \
             feature `tls` of otlp-exporter-http, or install a provider first",
        )),
    }
}

/// The settings of the client that do not come from the configuration.
fn tuned(client: ClientBuilder, transport: &Transport) -> ClientBuilder {
    client
        // Headers go to the host that was configured and to no other.
        .redirect(Policy::none())
        .referer(false)
        // One attempt is one attempt; the driver counts them.
        .retry(reqwest::retry::never())
        .connect_timeout(CONNECT_TIMEOUT)
        .tcp_nodelay(true)
        .tcp_keepalive(KEEP_ALIVE_INTERVAL)
        // Servers close idle connections too, and the one who closes first loses no request.
        .pool_idle_timeout(transport.idle_timeout)
        .pool_max_idle_per_host(transport.idle_max)
        .http2_keep_alive_interval(KEEP_ALIVE_INTERVAL)
        .http2_keep_alive_timeout(KEEP_ALIVE_TIMEOUT)
        .http2_keep_alive_while_idle(false)
        .http2_initial_stream_window_size(STREAM_WINDOW)
        .http2_initial_connection_window_size(CONNECTION_WINDOW)
        .http2_max_header_list_size(HEADER_LIST_MAX)
}

/// How long a connection, TLS handshake included, may take.
const CONNECT_TIMEOUT: Duration = Duration::from_secs(10);

/// A ping goes out after this long without a byte from the server, while a request is open.
const KEEP_ALIVE_INTERVAL: Duration = Duration::from_secs(30);

/// A connection whose ping is not answered in this time is given up.
const KEEP_ALIVE_TIMEOUT: Duration = Duration::from_secs(20);

/// How long a connection is kept for the next request. The Go collector closes after 60 s.
const POOL_IDLE_TIMEOUT: Duration = Duration::from_secs(50);

/// Most connections that are kept; twice the default of concurrent exports.
const POOL_MAX_IDLE: usize = 8;

/// How much of answers the server may send ahead. Answers are small; a hostile one that is large
/// costs no more than this.
const STREAM_WINDOW: u32 = 64 * 1024;
const CONNECTION_WINDOW: u32 = 1024 * 1024;

/// Most bytes of headers in an answer over HTTP/2.
const HEADER_LIST_MAX: u32 = 16 * 1024;

/// [`HEADER_LIST_MAX`] in words.
pub(crate) const HEADERS_MAX_WORDS: &str = "16 KiB";

#[cfg(feature = "tls")]
fn secured(client: ClientBuilder, config: &ExporterConfig) -> Result<ClientBuilder, BuildError> {
    let tls = match config.endpoint.is_tls() {
        true => crate::tls::client_config(&config.tls)?,
        false => crate::tls::unused()?,
    };
    Ok(client.tls_backend_preconfigured(tls))
}

#[cfg(not(feature = "tls"))]
fn secured(client: ClientBuilder, config: &ExporterConfig) -> Result<ClientBuilder, BuildError> {
    if !config.endpoint.is_tls() {
        return Ok(client);
    }
    let problem = format!(
        "{} needs TLS, which is not built in; enable the feature `tls` (of otlp-sdk, \
         or of otlp-exporter-http) \
         or use http://",
        config.endpoint
    );
    Err(BuildError::new("endpoint", problem))
}
