//! Compressing the parts of a rope into one exact block.

use std::cell::Cell;
use std::thread::LocalKey;

use bytes::Bytes;
use flate2::{Compress, FlushCompress, Status};
use zstd::zstd_safe::{CCtx, CParameter, InBuffer, OutBuffer, ResetDirective, get_error_name};

use super::{Compression, WINDOW_LOG_MAX};

/// Compresses `parts`, one after another, into one body.
///
/// The codec's state and its output buffer are kept per thread, so a call allocates the result
/// and nothing else once it has run. zstd at level 1 takes less time than gzip at level 1
/// (rows `export_http_zstd` and `export_http_gzip_default` of `compare`).
///
/// # Errors
///
/// The codec failed, which for data in memory means that it could not get memory.
///
/// ```
/// use bytes::Bytes;
/// use otlp_core::export::{Compression, compress, decompress};
///
/// let parts = [Bytes::from_static(b"header "), Bytes::from_static(b"body")];
/// let body = compress(&parts, Compression::zstd())?;
/// assert_eq!(decompress(Compression::zstd(), &body, 1024)?, "header body");
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
pub fn compress(parts: &[Bytes], compression: Compression) -> Result<Bytes, CompressError> {
    let mut scratch = take(&SCRATCH);
    scratch.clear();
    let done = match compression {
        Compression::None => {
            parts.iter().for_each(|part| scratch.extend_from_slice(part));
            Ok(())
        }
        Compression::Gzip { level } => gzip(parts, level.min(GZIP_LEVEL_MAX), &mut scratch),
        Compression::Zstd { level } => zstd(parts, level.clamp(-7, 22), &mut scratch),
    };
    // A copy of a quarter of the input is cheaper than a result that keeps a buffer of twice its
    // size alive for as long as it waits in a queue.
    let result = done.map(|()| Bytes::copy_from_slice(&scratch));
    if scratch.capacity() <= SCRATCH_KEPT_MAX {
        let _ = SCRATCH.try_with(|kept| kept.set(scratch));
    }
    result
}

/// A codec failed to compress.
#[derive(Debug, thiserror::Error)]
#[error("{codec} could not compress the request: {reason}")]
pub struct CompressError {
    codec: &'static str,
    reason: String,
}

impl CompressError {
    fn new(codec: &'static str, reason: impl Into<String>) -> Self {
        Self { codec, reason: reason.into() }
    }
}

const GZIP_LEVEL_MAX: u32 = 9;
const GZIP_WINDOW_LOG: u8 = 15;

/// Output buffers above this are given back instead of kept with the thread.
const SCRATCH_KEPT_MAX: usize = 1 << 20;

/// Room is made in steps of this many bytes at least.
const STEP: usize = 16 << 10;

/// A zstd codec with larger tables than this (levels above 5 or so) is given back after use.
const ZSTD_KEPT_MAX: usize = 4 << 20;

thread_local! {
    // Cells that are emptied during use: nothing is borrowed, so no call can panic here.
    static SCRATCH: Cell<Vec<u8>> = const { Cell::new(Vec::new()) };
    static GZIP: Cell<Option<(u32, Compress)>> = const { Cell::new(None) };
    static ZSTD: Cell<Option<CCtx<'static>>> = const { Cell::new(None) };
}

/// Takes what the thread keeps; `None` as well when the thread is ending.
fn take<T: Default>(kept: &'static LocalKey<Cell<T>>) -> T {
    kept.try_with(Cell::take).unwrap_or_default()
}

fn gzip(parts: &[Bytes], level: u32, out: &mut Vec<u8>) -> Result<(), CompressError> {
    let mut codec = match take(&GZIP) {
        Some((kept, mut codec)) if kept == level => {
            codec.reset();
            codec
        }
        _ => Compress::new_gzip(flate2::Compression::new(level), GZIP_WINDOW_LOG),
    };
    for part in parts {
        gzip_part(&mut codec, part, out)?;
    }
    loop {
        out.reserve(STEP);
        if gzip_step(&mut codec, &[], out, FlushCompress::Finish)? == Status::StreamEnd {
            break;
        }
    }
    let _ = GZIP.try_with(|kept| kept.set(Some((level, codec))));
    Ok(())
}

fn gzip_part(codec: &mut Compress, part: &[u8], out: &mut Vec<u8>) -> Result<(), CompressError> {
    let start = codec.total_in();
    loop {
        let read = usize::try_from(codec.total_in() - start).unwrap_or(usize::MAX);
        let Some(rest @ [_, ..]) = part.get(read..) else {
            return Ok(());
        };
        out.reserve((rest.len() / 4).max(STEP));
        gzip_step(codec, rest, out, FlushCompress::None)?;
    }
}

fn gzip_step(
    codec: &mut Compress,
    input: &[u8],
    out: &mut Vec<u8>,
    flush: FlushCompress,
) -> Result<Status, CompressError> {
    codec
        .compress_vec(input, out, flush)
        .map_err(|error| CompressError::new("gzip", error.to_string()))
}

fn zstd(parts: &[Bytes], level: i32, out: &mut Vec<u8>) -> Result<(), CompressError> {
    let no_memory = || CompressError::new("zstd", "out of memory");
    let mut codec = match take(&ZSTD) {
        Some(codec) => codec,
        None => CCtx::try_create().ok_or_else(no_memory)?,
    };
    zstd_frame(&mut codec, parts, level, out)
        .map_err(|code| CompressError::new("zstd", get_error_name(code)))?;
    if codec.sizeof() <= ZSTD_KEPT_MAX {
        let _ = ZSTD.try_with(|kept| kept.set(Some(codec)));
    }
    Ok(())
}

/// One frame over all parts. Errors are the library's codes.
fn zstd_frame(
    codec: &mut CCtx<'static>,
    parts: &[Bytes],
    level: i32,
    out: &mut Vec<u8>,
) -> Result<(), usize> {
    let total: usize = parts.iter().map(Bytes::len).sum();
    codec.reset(ResetDirective::SessionAndParameters)?;
    codec.set_parameter(CParameter::CompressionLevel(level))?;
    if level >= FIRST_LEVEL_WITH_LARGE_WINDOW {
        codec.set_parameter(CParameter::WindowLog(WINDOW_LOG_MAX))?;
    }
    // With the size known, tables fit small batches and the frame says how much will come out.
    codec.set_pledged_src_size(Some(total as u64))?;
    for part in parts {
        let mut input = InBuffer::around(part);
        while input.pos() < part.len() {
            codec.compress_stream(&mut room(out), &mut input)?;
        }
    }
    while codec.end_stream(&mut room(out))? != 0 {}
    Ok(())
}

/// What follows the bytes in `out`, with space for some more.
fn room(out: &mut Vec<u8>) -> OutBuffer<'_, Vec<u8>> {
    out.reserve(STEP);
    let len = out.len();
    OutBuffer::around_pos(out, len)
}

/// From level 20 the library's windows are larger than RFC 9659 allows.
const FIRST_LEVEL_WITH_LARGE_WINDOW: i32 = 20;
