//! A position in a rope that reads across the borders of its parts.

use bytes::Bytes;

use crate::payload::Rope;
use crate::wire::WireError;
use crate::wire::reader::{Input, NESTING_MAX, WireType};
use crate::wire::varint;

/// One kind of message on the way from the request to its items.
#[derive(Clone, Copy, Debug)]
pub(super) struct Level {
    name: &'static str,
    /// Field numbers of the nested messages on the way.
    children: &'static [u32],
    /// The other length-delimited fields of the definition.
    others: &'static [u32],
    /// How many levels may still be entered from here.
    nesting: u32,
}

impl Level {
    pub(super) const REQUEST: Self =
        Self { name: "request", children: &[1], others: &[], nesting: NESTING_MAX };
    pub(super) const RESOURCE: Self = Self {
        name: "resource envelope",
        children: &[2],
        others: &[1, 3],
        nesting: NESTING_MAX - 1,
    };
    pub(super) const SCOPE: Self =
        Self { name: "scope envelope", children: &[2], others: &[1, 3], nesting: NESTING_MAX - 2 };
    /// Gauge, sum, histogram, exponential histogram, summary; name, description, unit, metadata.
    pub(super) const METRIC: Self = Self {
        name: "Metric",
        children: &[5, 7, 9, 10, 11],
        others: &[1, 2, 3, 12],
        nesting: NESTING_MAX - 3,
    };
    /// The data points of each kind of metric data.
    pub(super) const DATA: Self =
        Self { name: "metric data", children: &[1], others: &[], nesting: NESTING_MAX - 4 };
}

/// A position in a rope, and the end of the message that is being read.
#[derive(Clone, Debug)]
pub(super) struct Cursor<'a> {
    /// The part that `head` belongs to.
    part: &'a Bytes,
    /// What is left of that part. May be empty; it may also go on behind `end`.
    head: &'a [u8],
    following: std::slice::Iter<'a, Bytes>,
    offset: usize,
    end: usize,
}

impl<'a> Cursor<'a> {
    pub(super) fn new(rope: &'a Rope) -> Self {
        static NOTHING: Bytes = Bytes::new();
        let mut following = rope.parts().iter();
        let part = following.next().unwrap_or(&NOTHING);
        Self { part, head: part, following, offset: 0, end: rope.len() }
    }

    /// The next nested message of `level`, other fields passed over.
    pub(super) fn next_child(&mut self, level: Level) -> Result<Option<Self>, WireError> {
        Ok(self.next_message(level)?.map(|(_, child)| child))
    }

    /// The next nested message of `level` and its field number, other fields passed over.
    pub(super) fn next_message(&mut self, level: Level) -> Result<Option<(u32, Self)>, WireError> {
        while self.remaining() > 0 {
            if let Some(child) = self.next_field(level)? {
                return Ok(Some(child));
            }
        }
        Ok(None)
    }

    /// Reads one field; gives it back if it is one of the nested messages of `level`.
    pub(super) fn next_field(&mut self, level: Level) -> Result<Option<(u32, Self)>, WireError> {
        let (number, wire_type) = self.key()?;
        let is_child = level.children.contains(&number);
        if wire_type != WireType::Len && (is_child || level.others.contains(&number)) {
            return Err(WireError::WrongWireType {
                message: level.name,
                field: number,
                found: wire_type as u8,
                offset: self.offset,
            });
        }
        if !is_child {
            self.skip_value(number, wire_type, level.nesting)?;
            return Ok(None);
        }
        let length = self.length()?;
        let child = Self { end: self.offset + length, ..self.clone() };
        self.advance(length);
        Ok(Some((number, child)))
    }

    /// The message of the next `length` bytes, of which the caller knows that they are there.
    pub(super) fn limited(&self, length: usize) -> Self {
        Self { end: self.offset + length, ..self.clone() }
    }

    /// What is left of the message, if it stands in a single piece.
    #[inline]
    pub(super) fn as_slice(&self) -> Option<&'a [u8]> {
        let length = self.remaining();
        match self.head.get(..length) {
            None if self.head.is_empty() => self.following.as_slice().first()?.get(..length),
            whole => whole,
        }
    }

    /// Appends the next `length` bytes to `out` without copying them.
    pub(super) fn slice_into(mut self, mut length: usize, out: &mut Rope) {
        while length > 0 && self.refill() {
            let start = self.part.len() - self.head.len();
            let taken = length.min(self.head.len());
            out.push(self.part.slice(start..start + taken));
            self.advance(taken);
            length -= taken;
        }
    }

    /// Makes `head` non-empty; false at the end of the rope.
    fn refill(&mut self) -> bool {
        while self.head.is_empty() {
            let Some(part) = self.following.next() else {
                return false;
            };
            (self.part, self.head) = (part, part);
        }
        true
    }

    /// Reads a varint that may cross the border of parts.
    #[cold]
    fn varint_across(&mut self) -> Result<u64, WireError> {
        let start = self.offset;
        let mut bytes = [0; varint::MAX_LEN];
        let mut filled = 0;
        let mut ahead = self.clone();
        for slot in bytes.iter_mut().take(self.remaining()) {
            if !ahead.refill() {
                break;
            }
            *slot = ahead.head.first().copied().unwrap_or_default();
            ahead.advance(1);
            filled += 1;
            if *slot < 0x80 {
                break;
            }
        }
        let read = bytes.get(..filled).unwrap_or(&bytes);
        let (value, _) = varint::decode(read).map_err(|error| error.rebased(start))?;
        *self = ahead;
        Ok(value)
    }
}

impl Input for Cursor<'_> {
    fn offset(&self) -> usize {
        self.offset
    }

    fn remaining(&self) -> usize {
        self.end.saturating_sub(self.offset)
    }

    #[inline]
    fn varint(&mut self) -> Result<u64, WireError> {
        match varint::decode(self.head) {
            Ok((value, len)) if len <= self.remaining() => {
                self.advance(len);
                Ok(value)
            }
            _ => self.varint_across(),
        }
    }

    #[inline]
    fn advance(&mut self, mut n: usize) {
        self.offset += n;
        loop {
            if let Some(rest) = self.head.get(n..) {
                self.head = rest;
                return;
            }
            n -= self.head.len();
            let Some(part) = self.following.next() else {
                self.head = &[];
                return;
            };
            (self.part, self.head) = (part, part);
        }
    }
}
