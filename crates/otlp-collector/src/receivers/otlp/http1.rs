//! One HTTP/1 connection.

use std::convert::Infallible;
use std::net::SocketAddr;
use std::pin::{Pin, pin};
use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::Instant;

use bytes::Bytes;
use futures_util::StreamExt as _;
use http::header::{CONNECTION, HeaderValue};
use http::{Request, Response};
use http_body::{Body, Frame, SizeHint};
use http_body_util::Full;
use hyper::body::Incoming;
use hyper::server::conn::http1::Builder;
use hyper::service::service_fn;
use hyper_util::rt::{TokioIo, TokioTimer};
use tokio::io::{AsyncRead, AsyncWrite};

use super::http::HttpEnd;
use super::lifetime::{End, Lifetime, aside};
use super::pulse::Pulse;

/// Serves a connection until it ends.
pub(super) async fn serve<S>(stream: S, mut life: Lifetime, end: &HttpEnd, peer: SocketAddr)
where
    S: AsyncRead + AsyncWrite + Unpin,
{
    let pulse = Arc::clone(life.pulse());
    let aged_at = life.aged_at();
    let service = service_fn(async |request| {
        let mut response = respond(request, &pulse, end, peer).await;
        if aged_at.is_some_and(|at| Instant::now() >= at) {
            response.headers_mut().insert(CONNECTION, HeaderValue::from_static("close"));
        }
        Ok::<_, Infallible>(response)
    });
    let connection = Builder::new()
        .timer(TokioTimer::new())
        // Our own times tell a slow client from an idle one.
        .header_read_timeout(None)
        .keep_alive(end.keeps_alive())
        .max_headers(HEADERS)
        .max_buf_size(BUFFER)
        .serve_connection(TokioIo::new(stream), service);
    let mut connection = pin!(connection);
    loop {
        let mut ending = aside(life.end());
        let ending = tokio::select! {
            biased;
            _ = connection.as_mut() => return,
            Some(ending) = ending.next() => ending,
        };
        match ending {
            End::Drain => connection.as_mut().graceful_shutdown(),
            End::Cut => return,
        }
    }
}

async fn respond(
    request: Request<Incoming>,
    pulse: &Pulse,
    end: &HttpEnd,
    peer: SocketAddr,
) -> Response<Full<Bytes>> {
    pulse.on_request();
    let _serving = Serving(pulse);
    let (head, body) = request.into_parts();
    let mut body = Followed { body, has_ended: false };
    let response = end.answer(&head, &mut body, peer).await;
    let mut response = response.map(Full::new);
    if !body.has_ended && !body.is_end_stream() {
        pulse.on_unread();
        // The rest is not waited for, and so nothing can come behind it.
        response.headers_mut().insert(CONNECTION, HeaderValue::from_static("close"));
    }
    response
}

/// A body that knows whether it was read to its end: one in chunks does not say so itself.
struct Followed {
    body: Incoming,
    has_ended: bool,
}

impl Body for Followed {
    type Data = Bytes;
    type Error = hyper::Error;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, hyper::Error>>> {
        let polled = Pin::new(&mut self.body).poll_frame(cx);
        self.has_ended |= matches!(polled, Poll::Ready(None));
        polled
    }

    fn is_end_stream(&self) -> bool {
        self.body.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        self.body.size_hint()
    }
}

/// A request that is being served, also if its client leaves.
struct Serving<'p>(&'p Pulse);

impl Drop for Serving<'_> {
    fn drop(&mut self) {
        self.0.on_answer();
    }
}

/// Most headers of a request.
const HEADERS: usize = 100;

/// Most bytes of headers, and of what is read at a time.
const BUFFER: usize = 64 << 10;
