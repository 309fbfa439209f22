//! One connection, from its first byte: TLS if that is set, then the protocol that it speaks.

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use tokio::io::{AsyncRead, AsyncWrite};
use tokio::sync::watch;
use tokio::time::timeout;

use super::counters::Counters;
use super::grpc::GrpcEnd;
use super::http::HttpEnd;
use super::http2::Http2Limits;
use super::lifetime::{Lifetime, Phase, Times};
use super::pulse::Pulse;
use super::slots::Slots;
use super::socket::Socket;
use super::stream::Stream;
use super::tls::Tls;
use super::{http1, http2};

/// What all connections of a listener share.
pub(super) struct Door {
    pub(super) end: End,
    pub(super) tls: Option<Tls>,
    pub(super) handshake_timeout: Duration,
    pub(super) slots: Slots,
    pub(super) times: Times,
    pub(super) http2: Http2Limits,
}

/// What is spoken.
pub(super) enum End {
    /// HTTP/2 and nothing else.
    Grpc(GrpcEnd),
    /// HTTP/1.1 or HTTP/2, as the client likes (row H2).
    Http(Box<HttpEnd>),
}

impl Door {
    pub(super) fn counters(&self) -> &Counters {
        match &self.end {
            End::Grpc(end) => &end.intake.counters,
            End::Http(end) => &end.intake.counters,
        }
    }
}

/// Serves a connection until it ends.
pub(super) async fn open(
    stream: Stream,
    peer: SocketAddr,
    pulse: Arc<Pulse>,
    door: &Door,
    mut phase: watch::Receiver<Phase>,
) {
    let Some(tls) = &door.tls else {
        return serve(stream, pulse, peer, door, phase).await;
    };
    let handshake = tokio::select! {
        handshake = timeout(door.handshake_timeout, tls.acceptor().accept(stream)) => handshake,
        _ = phase.wait_for(|phase| *phase != Phase::Running) => return,
    };
    match handshake {
        Ok(Ok(stream)) => serve(stream, pulse, peer, door, phase).await,
        _ => door.counters().failed_handshakes.add(1),
    }
}

pub(super) async fn serve<S>(
    stream: S,
    pulse: Arc<Pulse>,
    peer: SocketAddr,
    door: &Door,
    phase: watch::Receiver<Phase>,
) where
    S: AsyncRead + AsyncWrite + Unpin,
{
    let mut socket = Socket::new(stream, Arc::clone(&pulse));
    let mut life = Lifetime::new(pulse, door.times.clone(), phase);
    match &door.end {
        End::Grpc(end) => {
            let call = |request, respond| end.call(request, respond, peer);
            http2::serve(socket, door.http2, life, call).await;
        }
        End::Http(end) => {
            let is_http2 = tokio::select! {
                is_http2 = socket.is_http2() => is_http2,
                // Nothing has begun, so nothing is there to be finished.
                _ = life.end() => return,
            };
            match is_http2 {
                Ok(true) => {
                    let call = |request, respond| end.call(request, respond, peer);
                    http2::serve(socket, door.http2, life, call).await;
                }
                Ok(false) => http1::serve(socket, life, end, peer).await,
                Err(_) => {}
            }
        }
    }
}
