//! `protocols::grpc`.

use std::time::Duration;

use serde::Deserialize;

use super::{AuthSettings, Ignored, TlsServerSettings, Unsupported, warn_ignored, warn_open};
use crate::config::duration;

/// OTLP over gRPC: the Go collector's `protocols::grpc`.
#[derive(Clone, Debug, Deserialize)]
#[serde(default, deny_unknown_fields)]
#[non_exhaustive]
pub struct GrpcSettings {
    /// Host and port, or the file of a Unix socket. Default `localhost:4317`; port 0 takes a free one.
    pub endpoint: String,
    /// `tcp` (default), `tcp4`, `tcp6` or `unix`. Sockets of other kinds are not supported.
    pub transport: SocketKind,
    /// TLS; without it the transport is plain text.
    pub tls: Option<TlsServerSettings>,
    /// Largest message in MiB, before and after inflating (row Z3). Default 64; 0 means the default. The Go
    /// collector's default is 4.
    pub max_recv_msg_size_mib: usize,
    /// Most calls of one connection at a time. Default 128; 0 means the default.
    pub max_concurrent_streams: u32,
    /// When connections are checked, and for how long they live.
    pub keepalive: KeepaliveSettings,
    /// Who checks the credentials, before a body is read. Default nobody.
    pub auth: Option<AuthSettings>,
    /// Accepted; nothing after the receiver sees the metadata of a request.
    pub include_metadata: bool,
    read_buffer_size: Ignored,
    write_buffer_size: Ignored,
    dialer: Option<Unsupported>,
    middlewares: Option<Unsupported>,
}

/// Which sockets are listened on.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
#[non_exhaustive]
pub enum SocketKind {
    /// TCP over IPv4 or IPv6.
    #[default]
    Tcp,
    /// TCP over IPv4.
    Tcp4,
    /// TCP over IPv6.
    Tcp6,
    /// A Unix socket, of which the endpoint is the file. The file is removed at the end; one that a run before has
    /// left is replaced. All clients count as one address, which authenticators see as `0.0.0.0:0`.
    Unix,
}

/// `keepalive`.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(default, deny_unknown_fields)]
#[non_exhaustive]
pub struct KeepaliveSettings {
    /// What the server does.
    pub server_parameters: ServerParameters,
    /// What a client may do. Accepted without effect: clients that ping too often are bounded by the
    /// transport.
    enforcement_policy: Ignored,
}

/// `keepalive::server_parameters`.
#[derive(Clone, Debug, Deserialize)]
#[serde(default, deny_unknown_fields)]
#[non_exhaustive]
pub struct ServerParameters {
    /// A connection without calls is closed after this time. Default: `limits::idle_timeout`; 0 means the
    /// default.
    #[serde(deserialize_with = "duration")]
    pub max_connection_idle: Duration,
    /// A connection is closed after this time, more or less a tenth, once its calls have ended. Default 0:
    /// never.
    #[serde(deserialize_with = "duration")]
    pub max_connection_age: Duration,
    /// How long the calls of a connection that is too old may still take. Default 0: as long as a request
    /// may take.
    #[serde(deserialize_with = "duration")]
    pub max_connection_age_grace: Duration,
    /// A connection on which nothing has come for this time is pinged. Default 30 s; 0 means never. The Go
    /// collector's default is 2 h.
    #[serde(deserialize_with = "duration")]
    pub time: Duration,
    /// How long the client may take to answer a ping. Default 20 s.
    #[serde(deserialize_with = "duration")]
    pub timeout: Duration,
}

impl Default for ServerParameters {
    fn default() -> Self {
        Self {
            max_connection_idle: Duration::ZERO,
            max_connection_age: Duration::ZERO,
            max_connection_age_grace: Duration::ZERO,
            time: Duration::from_secs(30),
            timeout: Duration::from_secs(20),
        }
    }
}

impl Default for GrpcSettings {
    fn default() -> Self {
        Self {
            endpoint: "localhost:4317".to_owned(),
            transport: SocketKind::Tcp,
            tls: None,
            max_recv_msg_size_mib: 64,
            max_concurrent_streams: STREAMS,
            keepalive: KeepaliveSettings::default(),
            auth: None,
            include_metadata: false,
            read_buffer_size: None,
            write_buffer_size: None,
            dialer: None,
            middlewares: None,
        }
    }
}

impl GrpcSettings {
    /// Largest message in bytes.
    #[must_use]
    pub fn max_recv_msg_size(&self) -> usize {
        match self.max_recv_msg_size_mib {
            0 => 64 << 20,
            mib => mib.saturating_mul(1 << 20),
        }
    }

    pub(in super::super) fn streams(&self) -> u32 {
        match self.max_concurrent_streams {
            0 => STREAMS,
            streams => streams,
        }
    }

    pub(super) fn warn(&self, warnings: &mut Vec<String>) {
        let keepalive = &self.keepalive;
        let ignored = [
            ("include_metadata", self.include_metadata),
            ("read_buffer_size", self.read_buffer_size.is_some()),
            ("write_buffer_size", self.write_buffer_size.is_some()),
            ("keepalive::enforcement_policy", keepalive.enforcement_policy.is_some()),
        ];
        warn_ignored(&ignored, "grpc", warnings);
        if self.transport != SocketKind::Unix {
            warn_open(&self.endpoint, self.auth.is_some(), "grpc", warnings);
        }
        if let Some(tls) = &self.tls {
            tls.warn("grpc", warnings);
        }
    }
}

/// Most streams of one connection, unless set otherwise.
pub(in super::super) const STREAMS: u32 = 128;
