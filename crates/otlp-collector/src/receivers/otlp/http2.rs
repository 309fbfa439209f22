//! One HTTP/2 connection, in one task: requests are served where their frames are read, so that small ones
//! cost no wake-up, and the answers to all that came together leave in one write.

mod calls;

use std::future::{Future, poll_fn};
use std::io;
use std::pin::Pin;
use std::task::{Context, Poll, ready};
use std::time::{Duration, Instant};

use bytes::Bytes;
use futures_util::StreamExt as _;
use h2::server::{Builder, Connection, SendResponse};
use h2::{Ping, PingPong, RecvStream};
use http::Request;
use http_body::{Body, Frame};
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::time::{sleep, timeout};

use self::calls::Calls;
use super::lifetime::{End, Lifetime, aside};
use super::pulse::Pulse;

/// What a client may ask of a connection.
#[derive(Clone, Copy, Debug)]
pub(super) struct Http2Limits {
    pub(super) streams: u32,
    pub(super) header_bytes: u32,
}

/// Serves a connection until it ends. `call` sends its answer itself.
pub(super) async fn serve<S, C, F>(stream: S, limits: Http2Limits, mut life: Lifetime, call: C)
where
    S: AsyncRead + AsyncWrite + Unpin,
    C: Fn(Request<RecvStream>, SendResponse<Bytes>) -> F,
    F: Future<Output = ()>,
{
    let handshake = timeout(life.times().head, builder(limits).handshake(stream));
    let mut connection = tokio::select! {
        connection = handshake => match connection {
            Ok(Ok(connection)) => connection,
            _ => return,
        },
        _ = life.end() => return,
    };
    life.of_http2();
    let pulse = std::sync::Arc::clone(life.pulse());
    let pulse = pulse.as_ref();
    let mut pings = connection.ping_pong();
    let (ping, pong) = (life.times().ping, life.times().pong);
    let mut calls = Calls::default();
    loop {
        let mut end = aside(async {
            tokio::select! {
                end = life.end() => end,
                () = lost(&mut pings, pulse, ping, pong) => End::Cut,
            }
        });
        let end = tokio::select! {
            biased;
            () = turn(&mut connection, &mut calls, &call, limits, pulse) => return,
            Some(end) = end.next() => end,
        };
        match end {
            End::Drain => connection.graceful_shutdown(),
            End::Cut => return,
        }
    }
}

fn builder(limits: Http2Limits) -> Builder {
    let mut builder = Builder::new();
    builder
        .initial_window_size(STREAM_WINDOW)
        .initial_connection_window_size(CONNECTION_WINDOW)
        .max_concurrent_streams(limits.streams)
        .max_header_list_size(limits.header_bytes)
        .max_concurrent_reset_streams(RESETS)
        .max_pending_accept_reset_streams(RESETS)
        .max_local_error_reset_streams(Some(OWN_RESETS))
        .max_send_buffer_size(SEND_BUFFER);
    builder
}

/// Reads, serves and writes until the connection ends. Keeps nothing of its own, so it may be dropped and
/// called again.
async fn turn<S, C, F>(
    connection: &mut Connection<S, Bytes>,
    calls: &mut Calls<F>,
    call: &C,
    limits: Http2Limits,
    pulse: &Pulse,
) where
    S: AsyncRead + AsyncWrite + Unpin,
    C: Fn(Request<RecvStream>, SendResponse<Bytes>) -> F,
    F: Future<Output = ()>,
{
    // A client that resets its calls has them served nevertheless, so their number has a bound of its own.
    let calls_max = usize::try_from(limits.streams).unwrap_or(usize::MAX).saturating_mul(2);
    let mut accepted = Vec::new();
    poll_fn(|cx| {
        loop {
            // All that has come is taken before anything is served, and polling until nothing more is there
            // writes what the last round has answered.
            loop {
                if calls.waiting().saturating_add(accepted.len()) >= calls_max {
                    match connection.poll_closed(cx) {
                        Poll::Ready(_) => return Poll::Ready(()),
                        Poll::Pending => break,
                    }
                }
                match connection.poll_accept(cx) {
                    Poll::Ready(Some(Ok(request))) => {
                        pulse.on_request();
                        accepted.push(request);
                    }
                    Poll::Ready(_) => return Poll::Ready(()),
                    Poll::Pending => break,
                }
            }
            let mut is_idle = accepted.is_empty();
            for (request, respond) in accepted.drain(..) {
                if calls.start(call(request, respond), cx).is_ready() {
                    pulse.on_answer();
                }
            }
            while calls.poll_answered(cx).is_ready() {
                pulse.on_answer();
                is_idle = false;
            }
            if is_idle {
                return Poll::Pending;
            }
        }
    })
    .await;
}

/// Resolves when a quiet client does not answer a ping. A fresh start of it, after another branch, only asks
/// later.
async fn lost(pings: &mut Option<PingPong>, pulse: &Pulse, every: Duration, within: Duration) {
    let Some(pings) = pings.as_mut().filter(|_| !every.is_zero()) else {
        return std::future::pending().await;
    };
    loop {
        let quiet = Instant::now().saturating_duration_since(pulse.read_at());
        if let Some(left) = every.checked_sub(quiet).filter(|left| !left.is_zero()) {
            sleep(left).await;
            continue;
        }
        // One that is under way already, from an earlier start, is as good.
        let _ = pings.send_ping(Ping::opaque());
        match timeout(within, poll_fn(|cx| pings.poll_pong(cx))).await {
            Ok(Ok(_)) => sleep(every).await,
            _ => return,
        }
    }
}

/// The body of a request.
pub(super) struct Http2Body(pub(super) RecvStream);

impl Body for Http2Body {
    type Data = Bytes;
    type Error = io::Error;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, io::Error>>> {
        let data = match ready!(self.0.poll_data(cx)) {
            Some(data) => data.map_err(io::Error::other)?,
            None => return Poll::Ready(None),
        };
        // The client may send as much again: what is here is paid for by a ticket. An error means that the
        // stream is gone, and the next poll says so.
        let _ = self.0.flow_control().release_capacity(data.len());
        Poll::Ready(Some(Ok(Frame::data(data))))
    }

    fn is_end_stream(&self) -> bool {
        self.0.is_end_stream()
    }
}

/// What a client may send before its bytes are taken. Each connection may hold as much outside of the
/// budget, so it is no larger than it has to be for one stream to fill a fast line.
const STREAM_WINDOW: u32 = 512 << 10;
const CONNECTION_WINDOW: u32 = 1 << 20;

/// Answers are small: a client that does not read them is held to this.
const SEND_BUFFER: usize = 64 << 10;

/// The library's own default, against rapid resets.
const RESETS: usize = 20;

/// How often a client may make us reset its streams before the connection ends.
const OWN_RESETS: usize = 256;
