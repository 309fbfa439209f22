//! The pieces of a rope as a request body; the large ones are handed to HTTP as they are.

use std::convert::Infallible;
use std::pin::Pin;
use std::task::{Context, Poll};
use std::vec;

use bytes::{Bytes, BytesMut};
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
        Self { pieces: gathered(rope.parts()).into_iter(), left: rope.len() as u64 }
    }
}

/// The pieces to send. Large ones go out as they are; runs of small ones are copied together, since
/// one system call takes sixteen pieces, and each piece becomes a frame of HTTP/2.
fn gathered(parts: &[Bytes]) -> Vec<Bytes> {
    let mut pieces = Vec::with_capacity(parts.len());
    let mut small = BytesMut::new();
    for part in parts {
        let is_small = part.len() < SMALL_PIECE;
        if !small.is_empty() && (!is_small || small.len() >= GATHERED_MAX) {
            pieces.push(small.split().freeze());
        }
        if is_small {
            small.extend_from_slice(part);
        } else {
            pieces.push(part.clone());
        }
    }
    if !small.is_empty() {
        pieces.push(small.freeze());
    }
    pieces
}

/// Pieces below this size are not worth a place of their own.
const SMALL_PIECE: usize = 2 * 1024;

/// Small pieces are copied into buffers of about this size.
const GATHERED_MAX: usize = 16 * 1024;

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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn small_pieces_share_a_buffer_and_large_ones_are_not_copied() {
        let large = Bytes::from(vec![1; SMALL_PIECE]);
        let small = Bytes::from_static(b"xy");
        let parts = [small.clone(), large.clone(), small.clone(), small.clone(), large.clone()];
        let pieces = gathered(&parts);
        assert_eq!(pieces.concat(), parts.concat());
        let lengths: Vec<_> = pieces.iter().map(Bytes::len).collect();
        assert_eq!(lengths, [2, SMALL_PIECE, 4, SMALL_PIECE]);
        assert_eq!(pieces[1].as_ptr(), large.as_ptr());

        let pieces = gathered(&vec![small; 100_000]);
        assert!(pieces.iter().all(|piece| piece.len() <= GATHERED_MAX + 2));
        assert_eq!(pieces.concat().len(), 200_000);
    }
}
