//! A connection's bytes: what was read to find out the protocol comes first, and closing waits a little.

use std::io;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, ready};
use std::time::Duration;

use bytes::{Buf as _, Bytes, BytesMut};
use tokio::io::{AsyncRead, AsyncReadExt as _, AsyncWrite, ReadBuf};
use tokio::time::{Sleep, sleep};

use super::pulse::Pulse;

/// A stream, and the pulse that it sets.
pub(super) struct Socket<S> {
    stream: S,
    pulse: Arc<Pulse>,
    /// What was read before.
    first: Bytes,
    lingering: Option<Lingering>,
}

/// What is still read after the last answer.
struct Lingering {
    until: Pin<Box<Sleep>>,
    left: usize,
}

impl<S: AsyncRead + AsyncWrite + Unpin> Socket<S> {
    pub(super) fn new(stream: S, pulse: Arc<Pulse>) -> Self {
        Self { stream, pulse, first: Bytes::new(), lingering: None }
    }

    /// Reads on until the bytes are the start of HTTP/2, or are not.
    pub(super) async fn is_http2(&mut self) -> io::Result<bool> {
        let mut first = BytesMut::with_capacity(PREFACE.len());
        let is_http2 = loop {
            let read = (&mut self.stream).take((PREFACE.len() - first.len()) as u64);
            let mut read = std::pin::pin!(read);
            let read = read.read_buf(&mut first).await?;
            if read == 0 || !PREFACE.starts_with(&first) {
                break false;
            }
            if first.len() == PREFACE.len() {
                break true;
            }
        };
        if !first.is_empty() {
            self.pulse.on_read();
        }
        self.first = first.freeze();
        Ok(is_http2)
    }

    /// Reads what the client is still sending, and forgets it: closing with unread bytes resets the
    /// connection, and may take our answer with it before the client has read it.
    fn poll_linger(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        let lingering = self
            .lingering
            .get_or_insert_with(|| Lingering { until: Box::pin(sleep(LINGER)), left: LINGER_MAX });
        let mut space = [0; 4096];
        while lingering.until.as_mut().poll(cx).is_pending() {
            let mut space = ReadBuf::new(&mut space);
            ready!(Pin::new(&mut self.stream).poll_read(cx, &mut space))?;
            let read = space.filled().len();
            lingering.left = lingering.left.saturating_sub(read);
            if read == 0 || lingering.left == 0 {
                break;
            }
        }
        Poll::Ready(Ok(()))
    }
}

impl<S: AsyncRead + Unpin> AsyncRead for Socket<S> {
    fn poll_read(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buf: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        if self.first.has_remaining() {
            let len = self.first.len().min(buf.remaining());
            buf.put_slice(&self.first.split_to(len));
            return Poll::Ready(Ok(()));
        }
        let before = buf.filled().len();
        ready!(Pin::new(&mut self.stream).poll_read(cx, buf))?;
        if buf.filled().len() > before {
            self.pulse.on_read();
        }
        Poll::Ready(Ok(()))
    }
}

impl<S: AsyncRead + AsyncWrite + Unpin> AsyncWrite for Socket<S> {
    fn poll_write(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.stream).poll_write(cx, bytes)
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        bytes: &[io::IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.stream).poll_write_vectored(cx, bytes)
    }

    fn is_write_vectored(&self) -> bool {
        self.stream.is_write_vectored()
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_flush(cx)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        if self.lingering.is_none() {
            ready!(Pin::new(&mut self.stream).poll_shutdown(cx))?;
            if !self.pulse.has_unread() {
                return Poll::Ready(Ok(()));
            }
        }
        self.poll_linger(cx)
    }
}

/// What every HTTP/2 connection starts with.
const PREFACE: &[u8] = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n";

/// How long, and how many bytes, a client may still send that was answered before its end.
const LINGER: Duration = Duration::from_secs(2);
const LINGER_MAX: usize = 128 << 20;
