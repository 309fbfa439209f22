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

    /// The same bytes in fewer pieces: runs of pieces shorter than `min` are copied together, into
    /// pieces of about eight times `min`; the others are shared as they are.
    ///
    /// For writing to a socket: a system call takes only so many pieces, and over HTTP/2 each one
    /// becomes a frame.
    #[must_use]
    pub fn gathered(&self, min: usize) -> Self {
        let mut out = Self::with_capacity(self.parts.len());
        let mut small = BytesMut::new();
        for part in &self.parts {
            let is_small = part.len() < min;
            if !is_small || small.len() >= min.saturating_mul(8) {
                out.push(small.split().freeze());
            }
            if is_small {
                small.extend_from_slice(part);
            } else {
                out.push(part.clone());
            }
        }
        out.push(small.freeze());
        out
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn small_pieces_are_gathered_and_large_ones_are_not_copied() {
        let (small, large) = (Bytes::from_static(b"xy"), Bytes::from(vec![1; 100]));
        let rope = Rope::from_iter([&small, &large, &small, &small, &large].map(Bytes::clone));
        let gathered = rope.gathered(100);
        assert_eq!(gathered, rope);
        let lengths: Vec<_> = gathered.parts().iter().map(Bytes::len).collect();
        assert_eq!(lengths, [2, 100, 4, 100]);
        assert_eq!(gathered.parts()[1].as_ptr(), large.as_ptr());
    }

    #[test]
    fn what_is_gathered_is_cut_into_pieces_of_bounded_size() {
        let rope = Rope::from_iter(vec![Bytes::from_static(b"xy"); 1_000]);
        let gathered = rope.gathered(10);
        assert_eq!(gathered, rope);
        assert!(gathered.parts().iter().all(|piece| piece.len() <= 80 + 2));
        assert_eq!(gathered.parts().len(), 25);
        assert!(Rope::new().gathered(10).parts().is_empty());
    }
}
