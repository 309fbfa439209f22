//! The gRPC message framing: a five-byte prefix before each message.
//!
//! Outgoing, the prefix is put before the pieces of a rope, of which the large ones are handed to
//! HTTP/2 as they are. Incoming, one message is taken apart with a limit that holds from the first byte on.
//! Tonic's codec is not used: it copies every message into a buffer of its own and would compress
//! a body that is compressed already.

use std::convert::Infallible;
use std::pin::Pin;
use std::task::{Context, Poll};
use std::vec;

use bytes::{Bytes, BytesMut};
use http_body::{Frame, SizeHint};
use otlp_core::Rope;

/// Flag and big-endian length.
const PREFIX_LEN: usize = 5;

/// What is set aside before anything has arrived; the rest grows with what comes in, never on the
/// word of a declared length.
const READ_AHEAD: usize = 4 * 1024;

/// One message as a request body.
#[derive(Debug)]
pub(crate) struct MessageBody {
    pieces: vec::IntoIter<Bytes>,
    left: u64,
}

impl MessageBody {
    /// Frames `message`; `None` when it is longer than a frame can say (4 GiB).
    pub(crate) fn new(message: &Rope, compressed: bool) -> Option<Self> {
        let len = u32::try_from(message.len()).ok()?;
        let [a, b, c, d] = len.to_be_bytes();
        let prefix: [u8; PREFIX_LEN] = [u8::from(compressed), a, b, c, d];

        let mut framed = Rope::with_capacity(message.parts().len() + 1);
        framed.push(Bytes::copy_from_slice(&prefix));
        framed.append(message);
        let left = framed.len() as u64;
        Some(Self { pieces: framed.gathered(SMALL_PIECE).into_parts().into_iter(), left })
    }
}

/// Pieces below this size are copied together, since each piece becomes a frame of HTTP/2.
const SMALL_PIECE: usize = 2 * 1024;

impl http_body::Body for MessageBody {
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

/// Takes one message out of response bytes as they arrive.
#[derive(Debug)]
pub(crate) struct MessageReader {
    buffer: BytesMut,
    limit: usize,
}

/// One message as it came.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Message {
    /// The flag of the frame: whether `grpc-encoding` applies.
    pub(crate) compressed: bool,
    /// The bytes after the prefix.
    pub(crate) bytes: Bytes,
}

/// Why response bytes are not one message.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub(crate) enum FrameError {
    /// The declared length is over the limit.
    #[error("a message of {declared} bytes")]
    TooLarge { declared: usize },
    /// The flag is neither 0 nor 1.
    #[error("a message whose compression flag is {0}; only 0 and 1 exist")]
    Flag(u8),
    /// More bytes than the one message of a unary call.
    #[error("more than one message")]
    SecondMessage,
    /// The stream ended inside the message.
    #[error("an unfinished message")]
    Unfinished,
}

impl MessageReader {
    /// A reader that refuses messages of more than `limit` bytes.
    pub(crate) fn new(limit: usize) -> Self {
        Self { buffer: BytesMut::new(), limit }
    }

    /// Adds bytes. What the reader holds never exceeds the limit by more than one chunk.
    ///
    /// # Errors
    ///
    /// As soon as it is certain that the bytes are not one message within the limit.
    pub(crate) fn push(&mut self, chunk: &[u8]) -> Result<(), FrameError> {
        if self.buffer.is_empty() {
            self.buffer.reserve(chunk.len().min(READ_AHEAD));
        }
        self.buffer.extend_from_slice(chunk);
        match self.declared()? {
            Some(len) if self.buffer.len() > len.saturating_add(PREFIX_LEN) => {
                Err(FrameError::SecondMessage)
            }
            _ => Ok(()),
        }
    }

    /// The message; `None` when not a byte has come.
    ///
    /// # Errors
    ///
    /// The bytes end inside the message.
    pub(crate) fn finish(mut self) -> Result<Option<Message>, FrameError> {
        if self.buffer.is_empty() {
            return Ok(None);
        }
        let len = self.declared()?.ok_or(FrameError::Unfinished)?;
        if self.buffer.len() != len.saturating_add(PREFIX_LEN) {
            return Err(FrameError::Unfinished);
        }
        let prefix = self.buffer.split_to(PREFIX_LEN);
        let compressed = prefix.first() == Some(&1);
        Ok(Some(Message { compressed, bytes: self.buffer.freeze() }))
    }

    /// The length that the prefix declares, once the prefix is complete.
    fn declared(&self) -> Result<Option<usize>, FrameError> {
        let Some((&[flag, a, b, c, d], _)) = self.buffer.split_first_chunk::<PREFIX_LEN>() else {
            return Ok(None);
        };
        if flag > 1 {
            return Err(FrameError::Flag(flag));
        }
        let declared = usize::try_from(u32::from_be_bytes([a, b, c, d])).unwrap_or(usize::MAX);
        if declared > self.limit {
            return Err(FrameError::TooLarge { declared });
        }
        Ok(Some(declared))
    }
}

#[cfg(test)]
mod tests {
    use http_body::Body as _;

    use super::*;

    fn pieces(mut body: MessageBody) -> Vec<u8> {
        let mut cx = Context::from_waker(std::task::Waker::noop());
        let mut out = Vec::new();
        while let Poll::Ready(Some(Ok(frame))) = Pin::new(&mut body).poll_frame(&mut cx) {
            out.extend_from_slice(&frame.into_data().unwrap());
        }
        assert!(body.is_end_stream());
        assert_eq!(body.size_hint().exact(), Some(0));
        out
    }

    #[test]
    fn the_prefix_carries_the_flag_and_the_length_of_all_pieces() {
        let rope: Rope =
            [Bytes::from_static(b"ab"), Bytes::from_static(b"cde")].into_iter().collect();
        let body = MessageBody::new(&rope, true).unwrap();
        assert_eq!(body.size_hint().exact(), Some(10));
        assert_eq!(pieces(body), b"\x01\0\0\0\x05abcde");
    }

    #[test]
    fn the_prefix_shares_a_frame_with_small_pieces_and_large_ones_are_not_copied() {
        let (small, large) = (Bytes::from_static(b"xy"), Bytes::from(vec![1; SMALL_PIECE]));
        let rope = Rope::from_iter([small, large.clone()]);
        let body = MessageBody::new(&rope, false).unwrap();
        let lengths: Vec<_> = body.pieces.as_slice().iter().map(Bytes::len).collect();
        assert_eq!(lengths, [PREFIX_LEN + 2, SMALL_PIECE]);
        assert_eq!(body.pieces.as_slice()[1].as_ptr(), large.as_ptr());
    }

    #[test]
    fn an_empty_message_is_a_prefix() {
        let body = MessageBody::new(&Rope::new(), false).unwrap();
        assert!(!body.is_end_stream());
        assert_eq!(pieces(body), b"\0\0\0\0\0");
    }

    #[test]
    fn a_message_is_read_whatever_the_chunks() {
        let wire = b"\x00\0\0\0\x03xyz";
        for chunk in 1..=wire.len() {
            let mut reader = MessageReader::new(3);
            for part in wire.chunks(chunk) {
                reader.push(part).unwrap();
            }
            let message = reader.finish().unwrap().unwrap();
            assert_eq!(message, Message { compressed: false, bytes: Bytes::from_static(b"xyz") });
        }
    }

    #[test]
    fn a_declared_length_over_the_limit_is_refused_before_the_message_comes() {
        // Z2
        let mut reader = MessageReader::new(3);
        let declared = usize::try_from(u32::MAX).unwrap();
        assert_eq!(reader.push(b"\x00\xff\xff\xff\xff"), Err(FrameError::TooLarge { declared }));
    }

    #[test]
    fn what_is_not_one_message_is_refused() {
        let refused = |wire: &[u8]| {
            let mut reader = MessageReader::new(100);
            match reader.push(wire) {
                Err(error) => error,
                Ok(()) => reader.finish().unwrap_err(),
            }
        };
        assert_eq!(refused(b"\x02\0\0\0\0"), FrameError::Flag(2));
        assert_eq!(refused(b"\x00\0\0\0\0\0"), FrameError::SecondMessage);
        assert_eq!(refused(b"\x00\0\0\0\x01"), FrameError::Unfinished);
        assert_eq!(refused(b"\x00\0"), FrameError::Unfinished);
        assert_eq!(MessageReader::new(1).finish(), Ok(None));
    }
}
