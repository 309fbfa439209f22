//! The other end of a connection, without a socket.

use std::io;
use std::pin::Pin;
use std::task::{Context, Poll};

use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};

/// Gives bytes in chunks, waits a while for what the server makes of them, and ends.
pub(super) struct Wire {
    bytes: Vec<u8>,
    read: usize,
    chunk: usize,
    patience: u32,
    written: Vec<u8>,
}

impl Wire {
    pub(super) fn new(bytes: Vec<u8>, chunk: usize) -> Self {
        Self { bytes, read: 0, chunk, patience: 200, written: Vec::new() }
    }

    pub(super) fn written(&self) -> &[u8] {
        &self.written
    }
}

impl AsyncRead for Wire {
    fn poll_read(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buf: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        let left = self.bytes.len() - self.read;
        if left == 0 && self.patience > 0 {
            // Each time that the server has nothing to do is one time less.
            self.patience -= 1;
            cx.waker().wake_by_ref();
            return Poll::Pending;
        }
        let len = left.min(self.chunk).min(buf.remaining());
        let end = self.read + len;
        buf.put_slice(&self.bytes[self.read..end]);
        self.read = end;
        Poll::Ready(Ok(()))
    }
}

impl AsyncWrite for Wire {
    fn poll_write(
        mut self: Pin<&mut Self>,
        _cx: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        self.written.extend_from_slice(bytes);
        Poll::Ready(Ok(bytes.len()))
    }

    fn poll_flush(self: Pin<&mut Self>, _cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Poll::Ready(Ok(()))
    }

    fn poll_shutdown(self: Pin<&mut Self>, _cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Poll::Ready(Ok(()))
    }
}
