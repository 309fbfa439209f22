//! Inflates a body under its ticket, piece by piece: no size that is declared is believed.

use std::io::{self, Read as _};

use bytes::Bytes;
use bytes::buf::{Buf as _, Reader};
use flate2::bufread::ZlibDecoder;
use otlp_core::export::{Compression, Decompressor};

use super::body::{BodyRules, reserve};
use super::refusal::Refusal;
use crate::admission::Ticket;

/// How a body is compressed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Encoding {
    Identity,
    Gzip,
    Zstd,
    /// What HTTP calls `deflate`: the format of zlib.
    Deflate,
}

impl Encoding {
    /// Reads a `Content-Encoding` or `grpc-encoding` of one name, in any case.
    pub(super) fn of(name: &[u8]) -> Option<Self> {
        let known = NAMES.iter().find(|(known, _)| known.as_bytes().eq_ignore_ascii_case(name));
        known.map(|(_, encoding)| *encoding)
    }
}

const NAMES: [(&str, Encoding); 7] = [
    ("", Encoding::Identity),
    ("identity", Encoding::Identity),
    ("gzip", Encoding::Gzip),
    ("x-gzip", Encoding::Gzip),
    ("zstd", Encoding::Zstd),
    ("deflate", Encoding::Deflate),
    ("zlib", Encoding::Deflate),
];

/// Inflates `wire`, for which and for what comes out the ticket pays; afterwards for the latter alone.
pub(super) async fn inflate(
    encoding: Encoding,
    wire: Bytes,
    ticket: &mut Ticket,
    rules: &BodyRules,
) -> Result<Bytes, Refusal> {
    let wire_len = ticket.bytes();
    let guess = wire.len().saturating_mul(4).clamp(CHUNK, GUESS_MAX);
    let mut codec = Codec::new(encoding, wire, rules.limit)?;
    let mut out = Vec::new();
    let mut since_yield = 0_usize;
    loop {
        let before = out.len();
        let needed = before.saturating_add(CHUNK);
        if needed > out.capacity() {
            // The room for one piece may reach beyond the limit, so it is no sign of a body that does.
            let wanted = before.saturating_mul(2).max(guess).min(rules.limit.saturating_add(CHUNK));
            reserve(&mut out, wire_len, ticket, wanted, needed).map_err(|full| rules.full(full))?;
        }
        if !codec.read(&mut out)? {
            break;
        }
        if out.len() > rules.limit {
            return Err(Refusal::over_limit(rules.limit));
        }
        since_yield = since_yield.saturating_add(out.len().saturating_sub(before));
        if since_yield > YIELD {
            since_yield = 0;
            tokio::task::yield_now().await;
        }
    }
    drop(codec);
    // Room that is paid for and not used is a loss to others for as long as the request is here.
    if out.capacity() / 4 > out.len() / 3 {
        out.shrink_to_fit();
    }
    ticket.shrink_to(out.capacity());
    Ok(out.into())
}

enum Codec {
    Core(Decompressor),
    Deflate(Box<ZlibDecoder<Reader<Bytes>>>),
}

impl Codec {
    fn new(encoding: Encoding, wire: Bytes, limit: usize) -> Result<Self, Refusal> {
        let compression = match encoding {
            Encoding::Identity => Compression::None,
            Encoding::Gzip => Compression::gzip(),
            Encoding::Zstd => Compression::zstd(),
            Encoding::Deflate => {
                return Ok(Self::Deflate(Box::new(ZlibDecoder::new(wire.reader()))));
            }
        };
        Ok(Self::Core(Decompressor::new(compression, wire, limit)?))
    }

    /// Appends up to [`CHUNK`] bytes; false at the end.
    fn read(&mut self, out: &mut Vec<u8>) -> Result<bool, Refusal> {
        match self {
            Self::Core(codec) => Ok(codec.read_into(out)?),
            Self::Deflate(codec) => {
                let read = codec.by_ref().take(CHUNK as u64).read_to_end(out);
                match read.map_err(|error| not_deflate(&error))? {
                    0 if codec.get_ref().get_ref().has_remaining() => {
                        Err(Refusal::malformed("there is more behind the deflate body"))
                    }
                    read => Ok(read > 0),
                }
            }
        }
    }
}

fn not_deflate(error: &io::Error) -> Refusal {
    Refusal::malformed(format!("the body is not valid deflate: {error}"))
}

/// Most bytes that are inflated at a time.
const CHUNK: usize = 64 << 10;

/// Telemetry inflates about fourfold; beyond this the guess is left to what comes.
const GUESS_MAX: usize = 1 << 20;

/// After so many bytes others get their turn: about a millisecond.
const YIELD: usize = 512 << 10;
