//! Gathers the many small writes of HTTP/2 into few large ones.
//!
//! h2 writes and flushes every DATA frame on its own, and unless the server allows larger ones a
//! frame carries 16 KiB. Here the frames go into a buffer, and a flush is put off until the
//! connection's task is polled next without having written more. A request then takes a few system
//! calls to send, not one for each frame, for one copy into the buffer.

use std::io::{self, IoSlice};
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::task::{Context, Poll, ready};

use bytes::{Buf as _, BytesMut};
use http::Uri;
use hyper::rt::{Read, ReadBuf, ReadBufCursor, Write};
use hyper_util::client::legacy::connect::HttpConnector;
use hyper_util::rt::TokioIo;
use tokio::net::TcpStream;
use tower_service::Service;

/// Most bytes that wait in the buffer; it stays allocated as long as the connection.
const BUFFER_MAX: usize = 128 * 1024;

/// Writes of at least this size go to the socket as they are.
const DIRECT_MIN: usize = 64 * 1024;

/// How much of a peer's first words is read at once; its greeting has some fifty bytes.
const FIRST_WORDS_MAX: usize = 256;

/// Less than this waits one turn more: it is the headers of a request, and the body follows.
const FEW: usize = 1024;

/// A connector whose connections gather.
#[derive(Clone, Debug)]
pub(crate) struct GatherConnector {
    tcp: HttpConnector,
    /// Set when the first byte comes from a peer.
    has_spoken: Arc<AtomicBool>,
}

impl GatherConnector {
    pub(crate) fn new(tcp: HttpConnector, has_spoken: Arc<AtomicBool>) -> Self {
        Self { tcp, has_spoken }
    }
}

type ConnectFuture = Pin<Box<dyn Future<Output = io::Result<Gather<TokioIo<TcpStream>>>> + Send>>;

impl Service<Uri> for GatherConnector {
    type Response = Gather<TokioIo<TcpStream>>;
    type Error = io::Error;
    type Future = ConnectFuture;

    fn poll_ready(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        self.tcp.poll_ready(cx).map_err(io::Error::other)
    }

    fn call(&mut self, uri: Uri) -> Self::Future {
        let connecting = self.tcp.call(uri);
        let has_spoken = Arc::clone(&self.has_spoken);
        Box::pin(async move {
            let io = connecting.await.map_err(io::Error::other)?;
            Ok(Gather::new(io, has_spoken))
        })
    }
}

/// A socket with a write buffer.
#[derive(Debug)]
pub(crate) struct Gather<T> {
    io: T,
    buffer: BytesMut,
    /// Whether something was written after the last call of `poll_flush`.
    is_growing: bool,
    /// Whether what is in the buffer has been put off by a read.
    has_waited: bool,
    /// Set when the first byte has been read.
    has_spoken: Arc<AtomicBool>,
}

impl<T> Gather<T> {
    fn new(io: T, has_spoken: Arc<AtomicBool>) -> Self {
        Self { io, buffer: BytesMut::new(), is_growing: false, has_waited: false, has_spoken }
    }
}

impl<T: Read + Unpin> Gather<T> {
    /// Reads until the peer has spoken once: by way of a buffer of its own, since a cursor does not
    /// tell what was put into it.
    fn poll_first_words(
        &mut self,
        cx: &mut Context<'_>,
        mut buffer: ReadBufCursor<'_>,
    ) -> Poll<io::Result<()>> {
        let mut bytes = [0; FIRST_WORDS_MAX];
        let room = buffer.remaining().min(FIRST_WORDS_MAX);
        let mut words = ReadBuf::new(bytes.get_mut(..room).unwrap_or_default());
        ready!(Pin::new(&mut self.io).poll_read(cx, words.unfilled()))?;
        if !words.filled().is_empty() {
            self.has_spoken.store(true, Ordering::Relaxed);
            buffer.put_slice(words.filled());
        }
        Poll::Ready(Ok(()))
    }
}

impl<T: Write + Unpin> Gather<T> {
    /// Writes the buffer out.
    fn poll_drain(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        while !self.buffer.is_empty() {
            let written = ready!(Pin::new(&mut self.io).poll_write(cx, &self.buffer))?;
            if written == 0 {
                return Poll::Ready(Err(io::ErrorKind::WriteZero.into()));
            }
            self.buffer.advance(written);
        }
        Poll::Ready(Ok(()))
    }

    /// A task reads before it writes, so what it has flushed in its last turn goes out here.
    fn poll_flushed(&mut self, cx: &mut Context<'_>) -> io::Result<()> {
        if self.buffer.len() < FEW && !self.has_waited {
            self.has_waited = true;
            cx.waker().wake_by_ref();
            return Ok(());
        }
        match self.poll_drain(cx) {
            Poll::Ready(result) => result,
            // The socket is full and will wake the task; reading must go on meanwhile.
            Poll::Pending => Ok(()),
        }
    }

    fn gather(&mut self, pieces: &[IoSlice<'_>]) -> usize {
        self.buffer.reserve(BUFFER_MAX.saturating_sub(self.buffer.len()));
        let before = self.buffer.len();
        for piece in pieces {
            let room = BUFFER_MAX.saturating_sub(self.buffer.len());
            let taken = piece.get(..room.min(piece.len())).unwrap_or_default();
            self.buffer.extend_from_slice(taken);
        }
        self.is_growing = true;
        self.has_waited = false;
        self.buffer.len() - before
    }
}

impl<T: Write + Unpin> Write for Gather<T> {
    fn poll_write(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        piece: &[u8],
    ) -> Poll<io::Result<usize>> {
        self.poll_write_vectored(cx, &[IoSlice::new(piece)])
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        pieces: &[IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        let len: usize = pieces.iter().map(|piece| piece.len()).sum();
        if self.buffer.len().saturating_add(len) > BUFFER_MAX || len >= DIRECT_MIN {
            ready!(self.poll_drain(cx))?;
        }
        if len >= DIRECT_MIN {
            return Pin::new(&mut self.io).poll_write_vectored(cx, pieces);
        }
        Poll::Ready(Ok(self.gather(pieces)))
    }

    fn is_write_vectored(&self) -> bool {
        true
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        if self.is_growing {
            // More may follow at once. The task is woken so that this is not forgotten: when it
            // has written nothing more by then, the buffer goes out.
            self.is_growing = false;
            cx.waker().wake_by_ref();
            return Poll::Ready(Ok(()));
        }
        ready!(self.poll_drain(cx))?;
        Pin::new(&mut self.io).poll_flush(cx)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        ready!(self.poll_drain(cx))?;
        Pin::new(&mut self.io).poll_shutdown(cx)
    }
}

impl<T: Read + Write + Unpin> Read for Gather<T> {
    fn poll_read(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buffer: ReadBufCursor<'_>,
    ) -> Poll<io::Result<()>> {
        if !self.is_growing && !self.buffer.is_empty() {
            self.poll_flushed(cx)?;
        }
        if !self.has_spoken.load(Ordering::Relaxed) {
            return self.poll_first_words(cx, buffer);
        }
        Pin::new(&mut self.io).poll_read(cx, buffer)
    }
}

#[cfg(test)]
mod tests;
