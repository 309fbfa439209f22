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

impl Body {
    pub(super) fn new(rope: Rope, compression: Compression) -> Self {
        Self { rope, compression }
    }
}

/// The forms that have been asked for, one slot for each setting that was used first.
///
/// Two slots: a fan-out to a gzip and a zstd destination shares both. A third setting is made anew each
/// time, which is slow but right.
#[derive(Debug, Default)]
pub(super) struct Forms {
    slots: [OnceLock<(Compression, Bytes)>; 2],
}

impl Forms {
    /// `rope` under `compression`.
    pub(super) fn body(
        &self,
        rope: &Rope,
        compression: Compression,
    ) -> Result<Body, CompressError> {
        if compression == Compression::None {
            return Ok(Body::new(rope.clone(), compression));
        }
        let bytes = self.kept_or(compression, || compress(rope.parts(), compression))?;
        Ok(Body::new(bytes.into(), compression))
    }

    /// The form that is kept for `compression`, else the one that `make` makes, which is then kept if
    /// there is room.
    pub(super) fn kept_or<E>(
        &self,
        compression: Compression,
        make: impl FnOnce() -> Result<Bytes, E>,
    ) -> Result<Bytes, E> {
        for slot in &self.slots {
            if let Some((kept, bytes)) = slot.get() {
                if *kept == compression {
                    return Ok(bytes.clone());
                }
                continue;
            }
            let bytes = make()?;
            // Another thread may have filled the slot meanwhile: with the same form, which then
            // serves both, or with another setting's.
            let shared = match slot.set((compression, bytes.clone())) {
                Ok(()) => None,
                Err(_) => slot.get().filter(|(kept, _)| *kept == compression),
            };
            return Ok(shared.map_or(bytes, |(_, shared)| shared.clone()));
        }
        make()
    }
}
