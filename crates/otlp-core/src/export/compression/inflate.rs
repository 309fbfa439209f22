//! Inflating bodies from outside, chunk by chunk, under one limit.

use std::cell::Cell;
use std::fmt;
use std::io::{self, Read};

use bytes::buf::Reader;
use bytes::{Buf, Bytes};
use flate2::bufread::MultiGzDecoder;
use zstd::zstd_safe::{DCtx, DParameter, InBuffer, OutBuffer, ResetDirective, get_error_name};

use super::{Compression, WINDOW_LOG_MAX};

/// Inflates a whole body of at most `limit` bytes once inflated (Z2, Z3).
///
/// Memory grows with what comes out, never with what a header promises; it stays below `limit`
/// plus one byte, and for zstd the window (8 MiB at most). An uncompressed body comes back
/// without a copy.
///
/// # Errors
///
/// More than `limit` bytes would come out, the body is cut short or is not what `compression`
/// says.
///
/// ```
/// use bytes::Bytes;
/// use otlp_core::export::{Compression, DecompressError, compress, decompress};
///
/// let bomb = compress(&[Bytes::from(vec![0; 1_000_000])], Compression::gzip())?;
/// let refused = decompress(Compression::gzip(), &bomb, 65_536);
/// assert!(matches!(refused, Err(DecompressError::TooLarge { limit: 65_536 })));
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
pub fn decompress(
    compression: Compression,
    body: &Bytes,
    limit: usize,
) -> Result<Bytes, DecompressError> {
    if compression == Compression::None {
        return if body.len() > limit {
            Err(DecompressError::TooLarge { limit })
        } else {
            Ok(body.clone())
        };
    }
    // Telemetry inflates about fourfold; what has arrived is a safe measure for a first guess.
    let mut out = Vec::with_capacity(body.len().saturating_mul(4).min(limit));
    let mut inflating = Decompressor::new(compression, body.clone(), limit)?;
    while inflating.read_into(&mut out)? {}
    out.shrink_to_fit();
    Ok(out.into())
}

/// Inflates a body piece by piece, so that the caller can reserve memory as it is needed.
///
/// ```
/// use bytes::Bytes;
/// use otlp_core::export::{Compression, Decompressor, compress};
///
/// let body = compress(&[Bytes::from(vec![7; 100_000])], Compression::zstd())?;
/// let mut inflating = Decompressor::new(Compression::zstd(), body, 1 << 20)?;
/// let mut total = 0;
/// while let Some(chunk) = inflating.next_chunk()? {
///     total += chunk.len();
/// }
/// assert_eq!(total, 100_000);
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
pub struct Decompressor {
    codec: Codec,
    /// Bytes that may still come out.
    left: usize,
    limit: usize,
}

impl Decompressor {
    /// Starts on `body`, of which at most `limit` bytes may come out.
    ///
    /// # Errors
    ///
    /// The codec could not get memory.
    pub fn new(
        compression: Compression,
        body: Bytes,
        limit: usize,
    ) -> Result<Self, DecompressError> {
        let codec = match compression {
            Compression::None => Codec::Identity(body),
            Compression::Gzip { .. } if body.is_empty() => {
                return Err(DecompressError::Truncated { codec: "gzip" });
            }
            Compression::Gzip { .. } => Codec::Gzip(Box::new(MultiGzDecoder::new(body.reader()))),
            Compression::Zstd { .. } => Codec::Zstd(ZstdReader::new(body)?),
        };
        Ok(Self { codec, left: limit, limit })
    }

    /// The next piece, of at most 64 KiB; `None` at the end of the body.
    ///
    /// # Errors
    ///
    /// As for [`decompress`]. After an error the body is lost; do not ask again.
    pub fn next_chunk(&mut self) -> Result<Option<Bytes>, DecompressError> {
        let mut chunk = Vec::new();
        if self.read_into(&mut chunk)? { Ok(Some(chunk.into())) } else { Ok(None) }
    }

    /// Appends the next piece, of at most 64 KiB, to `out`; false at the end of the body. Room that is
    /// there is used before more is reserved.
    ///
    /// # Errors
    ///
    /// As for [`decompress`]. After an error the body is lost; do not ask again.
    pub fn read_into(&mut self, out: &mut Vec<u8>) -> Result<bool, DecompressError> {
        // One byte more than allowed tells a body of exactly the limit from a larger one.
        let room = self.left.saturating_add(1).min(CHUNK);
        let before = out.len();
        if out.capacity() - before < room {
            let growth = before.clamp(room, self.left.saturating_add(1).max(room));
            out.reserve_exact(growth);
        }
        let result = self.codec.read(room, out);
        let read = out.len() - before;
        if let Err(error) = result {
            let has_begun = read > 0 || self.left < self.limit;
            return Err(if has_begun { self.codec.behind_end(error) } else { error });
        }
        match self.left.checked_sub(read) {
            Some(left) => self.left = left,
            None => return Err(DecompressError::TooLarge { limit: self.limit }),
        }
        Ok(read > 0)
    }
}

impl fmt::Debug for Decompressor {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let codec = self.codec.name();
        f.debug_struct("Decompressor")
            .field("codec", &codec)
            .field("left", &self.left)
            .finish_non_exhaustive()
    }
}

/// A body could not be inflated.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum DecompressError {
    /// It inflates to more than the limit.
    #[error("the body inflates to more than the limit of {limit} bytes")]
    TooLarge {
        /// The limit, in bytes.
        limit: usize,
    },
    /// Its last bytes are missing.
    #[error("the {codec} body ends in the middle")]
    Truncated {
        /// The codec that was tried.
        codec: &'static str,
    },
    /// It is not what it claims to be, was damaged, or asks for too large a window.
    #[error("the body is not valid {codec}: {reason}")]
    Corrupt {
        /// The codec that was tried.
        codec: &'static str,
        /// What the codec says.
        reason: String,
    },
    /// The encoding is not one that we know.
    #[error("unsupported content encoding \"{encoding}\"; accepted: gzip, zstd, identity")]
    UnsupportedEncoding {
        /// Its name, escaped and cut.
        encoding: String,
    },
}

/// Most bytes that are inflated at a time.
const CHUNK: usize = 64 << 10;

enum Codec {
    Identity(Bytes),
    Gzip(Box<MultiGzDecoder<Reader<Bytes>>>),
    Zstd(ZstdReader),
}

impl Codec {
    fn name(&self) -> &'static str {
        match self {
            Self::Identity(_) => "identity",
            Self::Gzip(_) => "gzip",
            Self::Zstd(_) => "zstd",
        }
    }

    /// The error, in the words for what follows a whole gzip body: bytes too few to be the header of another.
    fn behind_end(&self, error: DecompressError) -> DecompressError {
        match (self, error) {
            (Self::Gzip(reader), DecompressError::Truncated { codec })
                if reader.header().is_none() =>
            {
                let reason = "what stands behind its end is no gzip".to_owned();
                DecompressError::Corrupt { codec, reason }
            }
            (_, error) => error,
        }
    }

    /// Appends some bytes, about `room` at most, or nothing at the end of the body.
    fn read(&mut self, room: usize, out: &mut Vec<u8>) -> Result<(), DecompressError> {
        match self {
            Self::Identity(body) => {
                out.extend_from_slice(&body.split_to(room.min(body.len())));
                Ok(())
            }
            Self::Gzip(reader) => reader
                .by_ref()
                .take(room as u64)
                .read_to_end(out)
                .map(drop)
                .map_err(|error| gzip_error(&error)),
            // `out` has room for `room` bytes or a little more; the caller checks the limit.
            Self::Zstd(reader) => reader.read(out),
        }
    }
}

fn gzip_error(error: &io::Error) -> DecompressError {
    match error.kind() {
        io::ErrorKind::UnexpectedEof => DecompressError::Truncated { codec: "gzip" },
        _ => DecompressError::Corrupt { codec: "gzip", reason: error.to_string() },
    }
}

/// A zstd body of one or more frames.
struct ZstdReader {
    /// `None` after an error: a failed context is not used again.
    context: Option<DCtx<'static>>,
    body: Bytes,
    /// Whether the last byte that was read ended a frame.
    between_frames: bool,
}

impl ZstdReader {
    fn new(body: Bytes) -> Result<Self, DecompressError> {
        let kept = ZSTD.try_with(Cell::take).ok().flatten();
        let context = match kept {
            Some(context) => context,
            None => bounded_context()?,
        };
        Ok(Self { context: Some(context), body, between_frames: false })
    }

    /// Fills what `out` has reserved.
    fn read(&mut self, out: &mut Vec<u8>) -> Result<(), DecompressError> {
        let before = out.len();
        while out.len() == before && !(self.body.is_empty() && self.between_frames) {
            let had_input = !self.body.is_empty();
            self.step(out)?;
            if out.len() == before && !had_input && !self.between_frames {
                return Err(DecompressError::Truncated { codec: "zstd" });
            }
        }
        Ok(())
    }

    fn step(&mut self, out: &mut Vec<u8>) -> Result<(), DecompressError> {
        let Some(mut context) = self.context.take() else {
            return Err(zstd_error("the body failed before"));
        };
        let mut input = InBuffer::around(&self.body);
        let len = out.len();
        let hint = context
            .decompress_stream(&mut OutBuffer::around_pos(out, len), &mut input)
            .map_err(|code| zstd_error(get_error_name(code)))?;
        let read = input.pos();
        self.between_frames = hint == 0;
        self.body.advance(read);
        self.context = Some(context);
        Ok(())
    }
}

impl Drop for ZstdReader {
    fn drop(&mut self) {
        let Some(mut context) = self.context.take() else {
            return;
        };
        if context.sizeof() <= ZSTD_KEPT_MAX && context.reset(ResetDirective::SessionOnly).is_ok() {
            let _ = ZSTD.try_with(|kept| kept.set(Some(context)));
        }
    }
}

/// A context with a larger window than this is given back after use.
const ZSTD_KEPT_MAX: usize = 2 << 20;

thread_local! {
    static ZSTD: Cell<Option<DCtx<'static>>> = const { Cell::new(None) };
}

fn bounded_context() -> Result<DCtx<'static>, DecompressError> {
    let mut context = DCtx::try_create().ok_or_else(|| zstd_error("out of memory"))?;
    context
        .set_parameter(DParameter::WindowLogMax(WINDOW_LOG_MAX))
        .map_err(|code| zstd_error(get_error_name(code)))?;
    Ok(context)
}

fn zstd_error(reason: &str) -> DecompressError {
    DecompressError::Corrupt { codec: "zstd", reason: reason.to_owned() }
}
