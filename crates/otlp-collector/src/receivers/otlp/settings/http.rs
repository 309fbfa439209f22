//! `protocols::http`.

use std::collections::BTreeMap;
use std::time::Duration;

use serde::Deserialize;

use super::grpc::SocketKind;
use super::{AuthSettings, Ignored, TlsServerSettings, Unsupported, warn_ignored, warn_open};
use crate::config::duration;

/// OTLP over HTTP/1.1 and HTTP/2: the Go collector's `protocols::http`.
#[derive(Clone, Debug, Deserialize)]
#[serde(default, deny_unknown_fields)]
#[non_exhaustive]
pub struct HttpSettings {
    /// Host and port, or the file of a Unix socket. Default `localhost:4318`; port 0 takes a free one.
    pub endpoint: String,
    /// `tcp` (default), `tcp4`, `tcp6` or `unix`. Sockets of other kinds are not supported.
    pub transport: SocketKind,
    /// TLS; without it the transport is plain text.
    pub tls: Option<TlsServerSettings>,
    /// Which pages of other origins may send. Default none.
    pub cors: Option<CorsSettings>,
    /// Who checks the credentials, before a body is read. Default nobody.
    pub auth: Option<AuthSettings>,
    /// Largest body in bytes, before and after inflating (row Z3). Default 64 MiB; 0 means the default. The
    /// Go collector's default is 20 MiB.
    pub max_request_body_size: usize,
    /// Which values of `Content-Encoding` are taken, of `gzip`, `zstd`, `zlib` and `deflate`; the empty text
    /// stands for no encoding. Default all of them. The Go collector takes `snappy` and `lz4` too.
    pub compression_algorithms: Vec<String>,
    /// Headers of every answer.
    pub response_headers: BTreeMap<String, String>,
    /// Where traces are posted. Default `/v1/traces`.
    pub traces_url_path: String,
    /// Where metrics are posted. Default `/v1/metrics`.
    pub metrics_url_path: String,
    /// Where logs are posted. Default `/v1/logs`.
    pub logs_url_path: String,
    /// How long a request may take to arrive. Default 0: `limits::request_timeout`.
    #[serde(deserialize_with = "duration")]
    pub read_timeout: Duration,
    /// How long the headers of a request may take to arrive. Default 0: `limits::header_timeout`.
    #[serde(deserialize_with = "duration")]
    pub read_header_timeout: Duration,
    /// How long the answer may take. Default 0: `limits::request_timeout`.
    #[serde(deserialize_with = "duration")]
    pub write_timeout: Duration,
    /// A connection without requests is closed after this time. Default 0: `limits::idle_timeout`.
    #[serde(deserialize_with = "duration")]
    pub idle_timeout: Duration,
    /// A connection is closed after this time, more or less a tenth, so that clients spread over what stands
    /// behind a balancer: over HTTP/1 the next answer says `Connection: close`, over HTTP/2 it is GOAWAY, and no
    /// request is lost by either. Default 0: never.
    #[serde(deserialize_with = "duration")]
    pub max_connection_age: Duration,
    /// How long a connection that is too old may wait for that next answer, and how long its requests may take
    /// then. Default 0: as long as a request may take.
    #[serde(deserialize_with = "duration")]
    pub max_connection_age_grace: Duration,
    /// Whether a connection serves more than one request. Default true.
    pub keep_alives_enabled: bool,
    /// Accepted; nothing after the receiver sees the headers of a request.
    pub include_metadata: bool,
    profiles_url_path: Ignored,
    middlewares: Option<Unsupported>,
}

/// `cors`.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(default, deny_unknown_fields)]
#[non_exhaustive]
pub struct CorsSettings {
    /// Origins such as `https://*.example.com`; each may have one `*`. Default none.
    pub allowed_origins: Vec<String>,
    /// Headers that a page may send beside the usual ones; `*` means all. Default none.
    pub allowed_headers: Vec<String>,
    /// Headers of the answer that a page may read. Default none.
    pub exposed_headers: Vec<String>,
    /// For how many seconds a browser may remember the answer. Default 0: as the browser likes.
    pub max_age: u64,
}

impl Default for HttpSettings {
    fn default() -> Self {
        Self {
            endpoint: "localhost:4318".to_owned(),
            transport: SocketKind::Tcp,
            tls: None,
            cors: None,
            auth: None,
            max_request_body_size: MAX_BODY,
            compression_algorithms: ALGORITHMS.map(str::to_owned).to_vec(),
            response_headers: BTreeMap::new(),
            traces_url_path: "/v1/traces".to_owned(),
            metrics_url_path: "/v1/metrics".to_owned(),
            logs_url_path: "/v1/logs".to_owned(),
            read_timeout: Duration::ZERO,
            read_header_timeout: Duration::ZERO,
            write_timeout: Duration::ZERO,
            idle_timeout: Duration::ZERO,
            max_connection_age: Duration::ZERO,
            max_connection_age_grace: Duration::ZERO,
            keep_alives_enabled: true,
            include_metadata: false,
            profiles_url_path: None,
            middlewares: None,
        }
    }
}

impl HttpSettings {
    /// Largest body in bytes.
    #[must_use]
    pub fn max_body(&self) -> usize {
        match self.max_request_body_size {
            0 => MAX_BODY,
            bytes => bytes,
        }
    }

    pub(super) fn warn(&self, warnings: &mut Vec<String>) {
        let ignored = [
            ("include_metadata", self.include_metadata),
            ("profiles_url_path", self.profiles_url_path.is_some()),
        ];
        warn_ignored(&ignored, "http", warnings);
        if self.transport != SocketKind::Unix {
            warn_open(&self.endpoint, self.auth.is_some(), "http", warnings);
        }
        if let Some(tls) = &self.tls {
            tls.warn("http", warnings);
        }
    }
}

const MAX_BODY: usize = 64 << 20;

/// The values of `Content-Encoding` that are known.
pub(in super::super) const ALGORITHMS: [&str; 5] = ["", "gzip", "zstd", "zlib", "deflate"];
