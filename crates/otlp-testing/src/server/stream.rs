//! Bodies that are made while they are sent, and bodies that break off.

use std::io;
use std::iter::{self, Iterator};
use std::pin::Pin;
use std::task::{Context, Poll};

use bytes::Bytes;
use flate2::{Compress, Compression, Crc, FlushCompress};
use http::HeaderMap;
use http_body::{Body, Frame};

/// What a streamed body does next.
#[derive(Clone, Debug)]
pub(super) enum Piece {
    Data(Bytes),
    Trailers(HeaderMap),
    /// Ends the body in an error: the connection (HTTP/1) or the stream (HTTP/2) is reset.
    Break,
}

/// A body out of an iterator: nothing is made before it is sent.
pub(super) struct Pieces {
    pieces: Box<dyn Iterator<Item = Piece> + Send>,
    breaking: bool,
}

impl Pieces {
    pub(super) fn new(pieces: impl Iterator<Item = Piece> + Send + 'static) -> Self {
        Self { pieces: Box::new(pieces), breaking: false }
    }
}

impl Body for Pieces {
    type Data = Bytes;
    type Error = io::Error;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, io::Error>>> {
        if self.breaking {
            return Poll::Ready(Some(Err(io::ErrorKind::ConnectionReset.into())));
        }
        match self.pieces.next() {
            None => Poll::Ready(None),
            Some(Piece::Data(data)) => Poll::Ready(Some(Ok(Frame::data(data)))),
            Some(Piece::Trailers(trailers)) => Poll::Ready(Some(Ok(Frame::trailers(trailers)))),
            Some(Piece::Break) => {
                // Once round the loop first, so that what was sent before is flushed.
                self.breaking = true;
                context.waker().wake_by_ref();
                Poll::Pending
            }
        }
    }
}

/// `total` bytes in blocks of 64 KiB that share their memory.
pub(super) fn endless(total: u64) -> impl Iterator<Item = Piece> + Send + 'static {
    let block = Bytes::from(vec![b'x'; 64 * 1024]);
    let mut left = total;
    iter::from_fn(move || {
        let take = usize::try_from(left).unwrap_or(usize::MAX).min(block.len());
        left = left.saturating_sub(u64::try_from(take).unwrap_or(u64::MAX));
        (take > 0).then(|| Piece::Data(block.slice(..take)))
    })
}

/// A valid gzip stream of zero bytes that is about a thousandth of what it inflates to.
pub(super) struct Bomb {
    block: Bytes,
    blocks: u64,
    tail: Bytes,
}

impl Bomb {
    /// `inflated` is rounded up to whole MiB.
    pub(super) fn new(inflated: u64) -> Self {
        let zeros = vec![0; MIB];
        let blocks = inflated.div_ceil(MIB as u64).max(1);
        Self { block: deflated(&zeros), blocks, tail: gzip_tail(&zeros, blocks) }
    }

    /// Bytes on the wire.
    pub(super) fn len(&self) -> u64 {
        let around = GZIP_HEAD.len() + self.tail.len();
        self.blocks * self.block.len() as u64 + around as u64
    }

    pub(super) fn pieces(self) -> impl Iterator<Item = Piece> + Send + 'static {
        let Self { block, blocks, tail } = self;
        let head = iter::once(Piece::Data(Bytes::from_static(GZIP_HEAD)));
        let middle = (0..blocks).map(move |_| Piece::Data(block.clone()));
        head.chain(middle).chain(iter::once(Piece::Data(tail)))
    }
}

const MIB: usize = 1 << 20;

/// Magic, deflate, no name, no time, unknown system (RFC 1952).
const GZIP_HEAD: &[u8] = &[0x1f, 0x8b, 8, 0, 0, 0, 0, 0, 0, 0xff];

/// One block that ends at a byte and refers to nothing before it: it can be repeated.
fn deflated(data: &[u8]) -> Bytes {
    let mut block = Vec::with_capacity(16 * 1024);
    let mut deflate = Compress::new(Compression::best(), false);
    // In memory and with room to spare; were it cut short, the bomb would not inflate in the test.
    let _ = deflate.compress_vec(data, &mut block, FlushCompress::Full);
    block.into()
}

/// The empty last block, the checksum and the length modulo 2^32.
fn gzip_tail(data: &[u8], blocks: u64) -> Bytes {
    let mut one = Crc::new();
    one.update(data);
    let mut whole = Crc::new();
    (0..blocks).for_each(|_| whole.combine(&one));
    let length = (blocks * data.len() as u64) as u32;
    let mut tail = vec![0x03, 0x00];
    tail.extend(whole.sum().to_le_bytes());
    tail.extend(length.to_le_bytes());
    tail.into()
}
