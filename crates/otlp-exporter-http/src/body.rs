//! The pieces of a rope as a request body; the large ones are handed to HTTP as they are.

use std::convert::Infallible;
use std::pin::Pin;
use std::task::{Context, Poll};
use std::vec;

use bytes::Bytes;
use http_body::{Frame, SizeHint};
use otlp_core::Rope;

/// A request body of known length. HTTP/1.1 writes several pieces with one system call.
#[derive(Debug)]
pub(crate) struct RopeBody {
    pieces: vec::IntoIter<Bytes>,
    left: u64,
}

impl RopeBody {
    pub(crate) fn new(rope: &Rope) -> Self {
        Self {
            pieces: rope.gathered(SMALL_PIECE).into_parts().into_iter(),
            left: rope.len() as u64,
        }
    }
}

/// Pieces below this size are copied together: one system call takes sixteen pieces, and each piece
/// becomes a frame of HTTP/2.
const SMALL_PIECE: usize = 2 * 1024;

impl http_body::Body for RopeBody {
    type Data = Bytes;
    type Error = Infallible;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        _: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, Infallible>>> {
        let piece = self.pieces.next();
        self.left = self.left.saturating_sub(piece.as_ref().map_or(0, Bytes::len) as u64);
        Poll::Ready(piece.map(|piece| Ok(Frame::data(piece))))
    }

    fn is_end_stream(&self) -> bool {
        self.pieces.as_slice().is_empty()
    }

    fn size_hint(&self) -> SizeHint {
        SizeHint::with_exact(self.left)
    }
}
