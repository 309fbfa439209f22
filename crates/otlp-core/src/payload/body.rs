//! The form of a payload that goes on the wire, compressed at most once.

use std::sync::OnceLock;

use bytes::Bytes;

use super::Rope;
use crate::export::{CompressError, Compression, compress};

/// A request body: the pieces to send and the compression they are in.
#[derive(Clone, Debug)]
pub struct Body {
    rope: Rope,
    compression: Compression,
}

impl Body {
    /// Exact length on the wire, in bytes.
    #[must_use]
    pub fn len(&self) -> usize {
        self.rope.len()
    }

    /// Whether the body has no bytes.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.rope.is_empty()
    }

    /// The pieces to send, in order.
    #[must_use]
    pub fn rope(&self) -> &Rope {
        &self.rope
    }

    /// How the pieces are compressed: what `Content-Encoding` or `grpc-encoding` must say.
    #[must_use]
    pub fn compression(&self) -> Compression {
        self.compression
    }
}

/// The compressed forms that have been asked for, one slot for each setting that was used first.
///
/// Two slots: a fan-out to a gzip and a zstd destination shares both. A third setting is
/// compressed anew each time, which is slow but right.
#[derive(Debug, Default)]
pub(super) struct Compressed {
    slots: [OnceLock<(Compression, Bytes)>; 2],
}

impl Compressed {
    pub(super) fn body(
        &self,
        rope: &Rope,
        compression: Compression,
    ) -> Result<Body, CompressError> {
        if compression == Compression::None {
            return Ok(Body { rope: rope.clone(), compression });
        }
        for slot in &self.slots {
            if let Some((kept, bytes)) = slot.get() {
                if *kept == compression {
                    return Ok(Body { rope: bytes.clone().into(), compression });
                }
                continue;
            }
            let bytes = compress(rope.parts(), compression)?;
            // Another thread may have filled the slot meanwhile: with the same form, which then
            // serves both, or with another setting's.
            let shared = match slot.set((compression, bytes.clone())) {
                Ok(()) => None,
                Err(_) => slot.get().filter(|(kept, _)| *kept == compression),
            };
            let bytes = shared.map_or(bytes, |(_, shared)| shared.clone());
            return Ok(Body { rope: bytes.into(), compression });
        }
        let bytes = compress(rope.parts(), compression)?;
        Ok(Body { rope: bytes.into(), compression })
    }
}
