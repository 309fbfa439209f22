//! A byte string in reference-counted pieces.

use bytes::{Bytes, BytesMut};

/// A byte string made of [`Bytes`] pieces, with its exact length kept beside it.
#[derive(Clone, Debug, Default)]
pub struct Rope {
    parts: Vec<Bytes>,
    len: usize,
}

impl Rope {
    /// An empty rope.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// An empty rope with room for `parts` pieces.
    #[must_use]
    pub fn with_capacity(parts: usize) -> Self {
        Self { parts: Vec::with_capacity(parts), len: 0 }
    }

    /// Exact length in bytes.
    #[must_use]
    pub fn len(&self) -> usize {
        self.len
    }

    /// Whether there are no bytes.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.len == 0
    }

    /// The pieces in order. None of them is empty.
    #[must_use]
    pub fn parts(&self) -> &[Bytes] {
        &self.parts
    }

    /// Appends a piece; an empty one is left out.
    pub fn push(&mut self, part: Bytes) {
        if !part.is_empty() {
            self.len = self.len.saturating_add(part.len());
            self.parts.push(part);
        }
    }

    /// Appends the pieces of another rope.
    pub fn append(&mut self, other: &Self) {
        self.parts.extend_from_slice(&other.parts);
        self.len = self.len.saturating_add(other.len);
    }

    /// The bytes from `start` to `end` as a rope of slices, without copying.
    ///
    /// A range beyond the end is cut to it, and one that ends before it starts is empty.
    #[must_use]
    pub fn slice(&self, start: usize, end: usize) -> Self {
        let mut out = Self::new();
        if start >= end {
            return out;
        }
        let mut at = 0;
        for part in &self.parts {
            let part_end = at + part.len();
            if part_end > start && at < end {
                out.push(part.slice(start.max(at) - at..end.min(part_end) - at));
            }
            at = part_end;
            if at >= end {
                break;
            }
        }
        out
    }

    /// The whole in one piece; copies only when there is more than one.
    #[must_use]
    pub fn to_bytes(&self) -> Bytes {
        match self.parts.as_slice() {
            [] => Bytes::new(),
            [only] => only.clone(),
            parts => {
                let mut whole = BytesMut::with_capacity(self.len);
                for part in parts {
                    whole.extend_from_slice(part);
                }
                whole.freeze()
            }
        }
    }

    /// Takes the pieces out.
    #[must_use]
    pub fn into_parts(self) -> Vec<Bytes> {
        self.parts
    }
}

impl From<Bytes> for Rope {
    fn from(bytes: Bytes) -> Self {
        let mut rope = Self::new();
        rope.push(bytes);
        rope
    }
}

impl From<Vec<u8>> for Rope {
    fn from(bytes: Vec<u8>) -> Self {
        Bytes::from(bytes).into()
    }
}

impl FromIterator<Bytes> for Rope {
    fn from_iter<I: IntoIterator<Item = Bytes>>(parts: I) -> Self {
        let mut rope = Self::new();
        for part in parts {
            rope.push(part);
        }
        rope
    }
}

impl PartialEq for Rope {
    /// Equal bytes, however they are cut.
    fn eq(&self, other: &Self) -> bool {
        self.len == other.len && self.parts.iter().flatten().eq(other.parts.iter().flatten())
    }
}

impl Eq for Rope {}
