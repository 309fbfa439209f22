//! `limits`: what a client may ask for.

use std::time::Duration;

use serde::Deserialize;

use crate::config::duration;

/// What a client may ask for, on both protocols.
#[derive(Clone, Debug, Deserialize)]
#[serde(default, deny_unknown_fields)]
#[non_exhaustive]
pub struct LimitSettings {
    /// Most connections. For one more, the oldest that has made no request within its first second, or for a
    /// minute, is closed; without such a one, the newcomer is. Default 1,024.
    pub max_connections: usize,
    /// Most connections from one address, an IPv6 network of 64 bits counting as one. Default 256.
    pub max_connections_per_peer: usize,
    /// How long a TLS handshake may take. Default 10 s.
    #[serde(deserialize_with = "duration")]
    pub tls_handshake_timeout: Duration,
    /// How long the headers of a request may take, also the first after connecting. One that comes later is
    /// found out up to the same time late. Default 10 s.
    #[serde(deserialize_with = "duration")]
    pub header_timeout: Duration,
    /// How long a request may take to arrive, and how long its answer may take. Default 30 s each.
    #[serde(deserialize_with = "duration")]
    pub request_timeout: Duration,
    /// A connection without requests is closed after this time. Default 6 min: longer than clients wait between
    /// two exports or keep a connection that they do not use (a minute and 90 s mostly, 5 min at most), so that
    /// none is closed while its next request is on its way. Meanwhile it keeps nobody out: where there are too
    /// many, one without a request for a minute makes room.
    #[serde(deserialize_with = "duration")]
    pub idle_timeout: Duration,
    /// How many bytes of a body have to come in a second on average, once it has taken
    /// `min_body_rate_after`. Default 1,024.
    pub min_body_rate: u32,
    /// Default 10 s.
    #[serde(deserialize_with = "duration")]
    pub min_body_rate_after: Duration,
    /// Most members of the protocol's lists in a request: spans, events, attributes and so on. Default
    /// 1,000,000.
    pub max_elements: usize,
    /// Most levels of arrays and maps in a value. Default 32.
    pub max_value_depth: u32,
    /// Most levels of brackets in JSON. Default 64.
    pub max_json_depth: usize,
    /// Most bytes of headers. Default 16 KiB over HTTP/2; an HTTP/1 buffer has 64 KiB.
    pub max_header_bytes: u32,
    /// Largest answer (row Z4). Default 4 MiB.
    pub max_response_size: usize,
    /// How long a request may wait, unread, for room among the bytes that may be here at once, before it is
    /// refused for load. Zero refuses at once. Default 250 ms.
    #[serde(deserialize_with = "duration")]
    pub max_admission_wait: Duration,
    /// After how long a client that was refused for load may come again, unless the pipeline has said.
    /// Default 1 s.
    #[serde(deserialize_with = "duration")]
    pub retry_after: Duration,
}

impl Default for LimitSettings {
    fn default() -> Self {
        Self {
            max_connections: 1024,
            max_connections_per_peer: 256,
            tls_handshake_timeout: Duration::from_secs(10),
            header_timeout: Duration::from_secs(10),
            request_timeout: Duration::from_secs(30),
            idle_timeout: Duration::from_secs(360),
            min_body_rate: 1024,
            min_body_rate_after: Duration::from_secs(10),
            max_elements: 1_000_000,
            max_value_depth: 32,
            max_json_depth: 64,
            max_header_bytes: 16 << 10,
            max_response_size: 4 << 20,
            max_admission_wait: Duration::from_millis(250),
            retry_after: Duration::from_secs(1),
        }
    }
}
