//! Where pages are served: the keys that the Go collector's HTTP servers have in common.

use std::collections::BTreeMap;

use http::{HeaderMap, HeaderName, HeaderValue};
use serde::Deserialize;
use serde::de::DeserializeOwned;

use crate::config::{ConfigError, Ignored, Node, Unsupported};
use crate::receivers::otlp::{AuthSettings, SocketKind};

/// Where an extension serves its pages, over HTTP/1.1 and without TLS.
///
/// The Go collector's keys for a server. Those that protect it and are not supported (`tls`) are errors; those
/// that tune it have no effect: connections, times and sizes are bounded here without being asked.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(default)]
#[non_exhaustive]
pub struct PageServerSettings {
    /// Host and port. Port 0 takes a free one. The default is the extension's.
    pub endpoint: String,
    /// `tcp` (default), `tcp4` or `tcp6`.
    pub transport: SocketKind,
    /// Who checks the credentials: the name of an extension such as `bearertokenauth`. Default nobody.
    pub auth: Option<AuthSettings>,
    /// Headers of every answer. Default none.
    pub response_headers: BTreeMap<String, String>,
    tls: Option<Unsupported>,
    cors: Option<Unsupported>,
    middlewares: Option<Unsupported>,
    max_request_body_size: Ignored,
    include_metadata: Ignored,
    compression_algorithms: Ignored,
    read_timeout: Ignored,
    read_header_timeout: Ignored,
    write_timeout: Ignored,
    idle_timeout: Ignored,
    keep_alives_enabled: Ignored,
}

impl PageServerSettings {
    /// The keys, for a section that has others beside them.
    const KEYS: &[&str] = &[
        "endpoint",
        "transport",
        "auth",
        "response_headers",
        "tls",
        "cors",
        "middlewares",
        "max_request_body_size",
        "include_metadata",
        "compression_algorithms",
        "read_timeout",
        "read_header_timeout",
        "write_timeout",
        "idle_timeout",
        "keep_alives_enabled",
    ];

    /// The part of a section that is not about the server; `keys` are the section's own.
    pub(crate) fn beside<T: DeserializeOwned + Default>(
        node: &Node,
        keys: &[&str],
    ) -> Result<T, ConfigError> {
        if node.is_null() {
            return Ok(T::default());
        }
        node.has_only(&[keys, Self::KEYS].concat())?;
        node.read()
    }

    /// The part of a section that is about the server, checked.
    pub(crate) fn read(node: &Node, defaults: Self) -> Result<Self, ConfigError> {
        if node.is_null() {
            return Ok(defaults);
        }
        let mut settings: Self = node.read()?;
        if node.get("endpoint").is_none() {
            settings.endpoint = defaults.endpoint;
        }
        settings.check()?;
        Ok(settings)
    }

    /// A server at this address.
    #[must_use]
    pub fn at(endpoint: impl Into<String>) -> Self {
        Self { endpoint: endpoint.into(), ..Self::default() }
    }

    /// What can be said to be wrong without opening anything.
    fn check(&self) -> Result<(), ConfigError> {
        if self.endpoint.is_empty() {
            return Err(ConfigError::new("it must name host and port").under("endpoint"));
        }
        if self.transport == SocketKind::Unix {
            let message = "pages are not served on Unix sockets; accepted: tcp, tcp4, tcp6";
            return Err(ConfigError::new(message).under("transport"));
        }
        self.headers().map(drop)
    }

    /// The headers of every answer.
    pub(crate) fn headers(&self) -> Result<HeaderMap, ConfigError> {
        let mut headers = HeaderMap::new();
        for (name, value) in &self.response_headers {
            let wrong = |what| {
                let message = format!("the {what} of the header \"{name}\" is not valid");
                ConfigError::new(message).under("response_headers")
            };
            let parsed = HeaderName::try_from(name.as_str()).map_err(|_| wrong("name"))?;
            headers.insert(parsed, HeaderValue::try_from(value).map_err(|_| wrong("value"))?);
        }
        Ok(headers)
    }

    /// What is set and has no effect, and what may not be meant.
    pub(crate) fn warnings(&self) -> Vec<String> {
        let ignored = [
            ("max_request_body_size", &self.max_request_body_size),
            ("include_metadata", &self.include_metadata),
            ("compression_algorithms", &self.compression_algorithms),
            ("read_timeout", &self.read_timeout),
            ("read_header_timeout", &self.read_header_timeout),
            ("write_timeout", &self.write_timeout),
            ("idle_timeout", &self.idle_timeout),
            ("keep_alives_enabled", &self.keep_alives_enabled),
        ];
        let set = ignored.iter().filter(|(_, key)| key.is_some());
        set.map(|(key, _)| format!("{key} has no effect here")).collect()
    }
}
