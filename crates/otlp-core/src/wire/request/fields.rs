//! The fields of a message that stands in a rope, each with its place in the whole.

use std::borrow::Cow;

use super::cursor::Cursor;
use crate::payload::Rope;
use crate::wire::WireError;
use crate::wire::reader::{Input as _, NESTING_MAX, WireType};

/// An iterator over the fields of one message in a rope, wherever that is cut into pieces.
///
/// For code that edits the envelopes of a request: every field says where it stands, counted from the start
/// of the rope, and nothing is copied. What stands in a single piece is better read with
/// [`Reader`](crate::wire::reader::Reader).
///
/// It ends after the first error, and allows the same nesting as the reader.
///
/// ```
/// use otlp_core::Rope;
/// use otlp_core::wire::request::RopeFields;
///
/// let pieces = [&b"\x0a\x02h"[..], b"i\x10\x01"].map(bytes::Bytes::from_static);
/// let rope = Rope::from_iter(pieces);
/// let first = RopeFields::new(&rope).next().unwrap()?;
/// assert_eq!((first.number(), first.start(), first.content_start(), first.end()), (1, 0, 2, 4));
/// assert_eq!(&*first.content()?, b"hi");
/// # Ok::<(), otlp_core::wire::WireError>(())
/// ```
#[derive(Clone, Debug)]
pub struct RopeFields<'a> {
    cursor: Cursor<'a>,
    /// How many levels may still be entered.
    nesting: u32,
}

/// One field of a message in a rope, with its place in the whole.
#[derive(Clone, Debug)]
pub struct RopeField<'a> {
    number: u32,
    wire_type: WireType,
    start: usize,
    content: Cursor<'a>,
    nesting: u32,
}

impl<'a> RopeFields<'a> {
    /// The fields of the message that `rope` holds.
    #[must_use]
    pub fn new(rope: &'a Rope) -> Self {
        Self { cursor: Cursor::new(rope), nesting: NESTING_MAX }
    }

    fn field(&mut self) -> Result<RopeField<'a>, WireError> {
        let start = self.cursor.offset();
        let (number, wire_type) = self.cursor.key()?;
        let content = match wire_type {
            WireType::Len => {
                let length = self.cursor.length()?;
                let content = self.cursor.limited(length);
                self.cursor.advance(length);
                content
            }
            _ => {
                let before = self.cursor.clone();
                self.cursor.skip_value(number, wire_type, self.nesting)?;
                before.limited(self.cursor.offset() - before.offset())
            }
        };
        Ok(RopeField { number, wire_type, start, content, nesting: self.nesting })
    }
}

impl<'a> Iterator for RopeFields<'a> {
    type Item = Result<RopeField<'a>, WireError>;

    #[inline]
    fn next(&mut self) -> Option<Self::Item> {
        if self.cursor.remaining() == 0 {
            return None;
        }
        let field = self.field();
        if field.is_err() {
            self.cursor = self.cursor.limited(0);
        }
        Some(field)
    }
}

impl<'a> RopeField<'a> {
    /// The field number.
    #[must_use]
    pub const fn number(&self) -> u32 {
        self.number
    }

    /// Where its key starts.
    #[must_use]
    pub const fn start(&self) -> usize {
        self.start
    }

    /// Where its value starts: behind the length, if it has one.
    #[must_use]
    pub fn content_start(&self) -> usize {
        self.content.offset()
    }

    /// Where it ends.
    #[must_use]
    pub fn end(&self) -> usize {
        self.content.offset() + self.content.remaining()
    }

    /// The fields of the message that it holds.
    ///
    /// # Errors
    ///
    /// It holds no message, or one that is nested too deep.
    pub fn fields(&self) -> Result<RopeFields<'a>, WireError> {
        self.check_length_delimited()?;
        let offset = self.content.offset();
        let nesting =
            self.nesting.checked_sub(1).ok_or(WireError::TooDeep { limit: NESTING_MAX, offset })?;
        Ok(RopeFields { cursor: self.content.clone(), nesting })
    }

    /// What it holds, as one slice: copied only if it stands in several pieces.
    ///
    /// # Errors
    ///
    /// Its wire type is that of a number.
    #[inline]
    pub fn content(&self) -> Result<Cow<'a, [u8]>, WireError> {
        self.check_length_delimited()?;
        Ok(match self.content.as_slice() {
            Some(slice) => Cow::Borrowed(slice),
            None => Cow::Owned(self.to_rope().to_bytes().into()),
        })
    }

    /// What it holds, as a rope of slices.
    #[must_use]
    pub fn to_rope(&self) -> Rope {
        let mut rope = Rope::new();
        self.content.clone().slice_into(self.content.remaining(), &mut rope);
        rope
    }

    fn check_length_delimited(&self) -> Result<(), WireError> {
        match self.wire_type {
            WireType::Len => Ok(()),
            found => Err(WireError::WrongWireType {
                message: "request",
                field: self.number,
                found: found as u8,
                offset: self.content.offset(),
            }),
        }
    }
}

#[cfg(test)]
mod tests {
    use bytes::Bytes;

    use super::*;

    /// A varint, a nested message with a string and a fixed64, a group.
    const MESSAGE: &[u8] = b"\x08\x96\x01\x12\x0d\x0a\x02hi\x11abcdefgh\x1b\x08\x01\x1c";

    #[test]
    fn fields_are_the_same_wherever_the_rope_is_cut() {
        for at in 0..=MESSAGE.len() {
            let (head, tail) = MESSAGE.split_at(at);
            let rope = Rope::from_iter([head, tail].map(Bytes::copy_from_slice));
            let fields: Vec<_> = RopeFields::new(&rope).map(Result::unwrap).collect();
            let places = |field: &RopeField<'_>| {
                (field.number(), field.start(), field.content_start(), field.end())
            };
            let found: Vec<_> = fields.iter().map(places).collect();
            assert_eq!(found, [(1, 0, 1, 3), (2, 3, 5, 18), (3, 18, 19, 22)], "cut at {at}");
            assert_eq!(&*fields[1].content().unwrap(), &MESSAGE[5..18]);
            let inner: Vec<_> = fields[1].fields().unwrap().map(Result::unwrap).collect();
            let found: Vec<_> = inner.iter().map(places).collect();
            assert_eq!(found, [(1, 5, 7, 9), (2, 9, 10, 18)], "cut at {at}");
            assert_eq!(&*inner[0].content().unwrap(), b"hi");
        }
    }

    #[test]
    fn what_stands_in_one_piece_is_not_copied() {
        let rope = Rope::from(Bytes::from_static(MESSAGE));
        let field = RopeFields::new(&rope).nth(1).unwrap().unwrap();
        assert_eq!(field.content().unwrap().as_ptr(), MESSAGE[5..].as_ptr());
    }

    #[test]
    fn numbers_hold_no_messages_and_damage_ends_the_walk() {
        let rope = Rope::from(Bytes::from_static(MESSAGE));
        let number = RopeFields::new(&rope).next().unwrap().unwrap();
        assert!(number.content().is_err() && number.fields().is_err());
        let cut = Rope::from(Bytes::from_static(&MESSAGE[..10]));
        let fields: Vec<_> = RopeFields::new(&cut).collect();
        assert!(fields.len() == 2 && fields[0].is_ok() && fields[1].is_err());
    }
}
