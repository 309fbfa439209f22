//! Fields of a message, read from a slice without copying.
//!
//! Accepts and refuses what prost does at this level: keys above 32 bits, field number 0, the wire
//! types 6 and 7, lengths past the end and unmatched group ends are errors; unknown fields are
//! the caller's to pass over.

use super::WireError;
use super::varint;

/// Most levels that messages and groups may be nested, as in prost.
pub const NESTING_MAX: u32 = 100;

/// How the bytes behind a field key are to be read.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u8)]
pub enum WireType {
    /// A varint.
    Varint = 0,
    /// Eight bytes, little-endian.
    Fixed64 = 1,
    /// A varint length and so many bytes.
    Len = 2,
    /// Fields up to the matching end marker (deprecated; only ever passed over).
    StartGroup = 3,
    /// The end marker of a group.
    EndGroup = 4,
    /// Four bytes, little-endian.
    Fixed32 = 5,
}

/// The value of a field.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum FieldValue<'a> {
    /// Wire type 0: `bool`, enums and the `int` and `uint` types.
    Varint(u64),
    /// Wire type 1: `fixed64`, `sfixed64`, `double`.
    Fixed64(u64),
    /// Wire type 2: `string`, `bytes`, nested messages.
    Len(&'a [u8]),
    /// Wire type 5: `fixed32`, `sfixed32`, `float`.
    Fixed32(u32),
    /// Wire type 3: a group, whose content is not given. OTLP has none, so it can only be unknown.
    Group,
}

/// One field of a message.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Field<'a> {
    /// The field number.
    pub number: u32,
    /// The value.
    pub value: FieldValue<'a>,
    /// Where the value starts: for [`FieldValue::Len`] its first content byte.
    pub offset: usize,
    nesting: u32,
}

/// An iterator over the fields of one message.
///
/// It ends after the first error. Messages may be nested [`NESTING_MAX`] levels deep, counted from
/// the outermost reader, so code that descends by recursion is safe on any input.
///
/// ```
/// use otlp_core::wire::reader::{FieldValue, Reader};
///
/// let mut fields = Reader::new(&[0x08, 0x96, 0x01, 0x12, 0x02, b'h', b'i']);
/// let first = fields.next().unwrap()?;
/// assert_eq!((first.number, first.value), (1, FieldValue::Varint(150)));
/// assert_eq!(fields.next().unwrap()?.value, FieldValue::Len(b"hi"));
/// assert!(fields.next().is_none());
/// # Ok::<(), otlp_core::wire::WireError>(())
/// ```
#[derive(Clone, Copy, Debug)]
pub struct Reader<'a> {
    rest: &'a [u8],
    /// Where the message ends. What is left is counted from here, so that reading moves one slice
    /// and nothing else.
    end: usize,
    /// How many levels may still be entered.
    nesting: u32,
}

impl<'a> Reader<'a> {
    /// Reads the fields of `message`.
    #[must_use]
    pub const fn new(message: &'a [u8]) -> Self {
        Self { rest: message, end: message.len(), nesting: NESTING_MAX }
    }

    /// Reads the fields of a message that stands `levels` deep in another.
    pub(super) const fn within(message: &'a [u8], levels: u32) -> Self {
        let nesting = NESTING_MAX.saturating_sub(levels);
        Self { rest: message, end: message.len(), nesting }
    }

    /// What has not been read yet.
    #[must_use]
    pub const fn rest(&self) -> &'a [u8] {
        self.rest
    }

    /// Passes over fields up to the next one that is wanted: bit `n` of `wanted` stands for field number `n`,
    /// and numbers from 32 on are never wanted. False at the end of the message.
    ///
    /// Costs less than taking the fields and leaving them.
    ///
    /// # Errors
    ///
    /// A field on the way is not well-formed; the reader then stands at it.
    #[inline]
    pub fn skip_to(&mut self, wanted: u32) -> Result<bool, WireError> {
        while let Some(&first) = self.rest.first() {
            if first < 0x80 && wanted >> (first >> 3) & 1 == 1 {
                return Ok(true);
            }
            match short_value(first, self.rest) {
                Some(behind) => self.rest = behind,
                None if self.skip_long(wanted)? => return Ok(true),
                None => {}
            }
        }
        Ok(false)
    }

    /// Passes over any field, unless it is wanted. True if it is.
    #[cold]
    fn skip_long(&mut self, wanted: u32) -> Result<bool, WireError> {
        let mut ahead = *self;
        let (number, wire_type) = ahead.key()?;
        if number < u32::BITS && wanted >> number & 1 == 1 {
            return Ok(true);
        }
        ahead.skip_unknown(number, wire_type)?;
        *self = ahead;
        Ok(false)
    }

    #[inline]
    fn field(&mut self) -> Result<Field<'a>, WireError> {
        let (number, wire_type) = self.key()?;
        let mut offset = self.offset();
        let value = match wire_type {
            WireType::Varint => FieldValue::Varint(self.varint()?),
            WireType::Fixed64 => FieldValue::Fixed64(u64::from_le_bytes(self.fixed()?)),
            WireType::Len => {
                let content = self.content()?;
                offset = self.offset() - content.len();
                FieldValue::Len(content)
            }
            WireType::Fixed32 => FieldValue::Fixed32(u32::from_le_bytes(self.fixed()?)),
            WireType::StartGroup | WireType::EndGroup => {
                self.skip_unknown(number, wire_type)?;
                FieldValue::Group
            }
        };
        Ok(Field { number, value, offset, nesting: self.nesting })
    }

    #[inline]
    pub(super) fn fixed<const N: usize>(&mut self) -> Result<[u8; N], WireError> {
        let (value, rest) =
            self.rest.split_first_chunk::<N>().ok_or(WireError::Truncated { offset: self.end })?;
        self.rest = rest;
        Ok(*value)
    }

    /// A length and so many bytes.
    #[inline]
    pub(super) fn content(&mut self) -> Result<&'a [u8], WireError> {
        if let Some((&length, rest)) = self.rest.split_first()
            && length < 0x80
            && let Some((content, rest)) = rest.split_at_checked(usize::from(length))
        {
            self.rest = rest;
            return Ok(content);
        }
        self.long_content()
    }

    fn long_content(&mut self) -> Result<&'a [u8], WireError> {
        let length = self.length()?;
        // The length has been found to be there.
        let (content, rest) = self.rest.split_at_checked(length).unwrap_or((self.rest, &[]));
        self.rest = rest;
        Ok(content)
    }

    /// The message that starts here with its length, one level further down.
    #[inline]
    pub(super) fn nested(&mut self) -> Result<Self, WireError> {
        let rest = self.content()?;
        let end = self.offset();
        let nesting = self.nesting.checked_sub(1).ok_or_else(|| too_deep(end - rest.len()))?;
        Ok(Self { rest, end, nesting })
    }

    /// Whether nothing may be nested in this message.
    pub(super) const fn is_deepest(&self) -> bool {
        self.nesting == 0
    }

    /// Passes over the value of a field that is not known.
    pub(super) fn skip_unknown(
        &mut self,
        number: u32,
        wire_type: WireType,
    ) -> Result<(), WireError> {
        self.skip_value(number, wire_type, self.nesting)
    }
}

impl<'a> Iterator for Reader<'a> {
    type Item = Result<Field<'a>, WireError>;

    #[inline]
    fn next(&mut self) -> Option<Self::Item> {
        if self.rest.is_empty() {
            return None;
        }
        let field = self.field();
        if field.is_err() {
            self.rest = &[];
        }
        Some(field)
    }
}

impl Input for Reader<'_> {
    #[inline]
    fn offset(&self) -> usize {
        self.end - self.rest.len()
    }

    #[inline]
    fn remaining(&self) -> usize {
        self.rest.len()
    }

    #[inline]
    fn varint(&mut self) -> Result<u64, WireError> {
        let (value, len) = varint::decode(self.rest).map_err(|e| e.rebased(self.offset()))?;
        self.advance(len);
        Ok(value)
    }

    #[inline]
    fn advance(&mut self, n: usize) {
        self.rest = self.rest.get(n..).unwrap_or_default();
    }
}

impl<'a> Field<'a> {
    /// The content of a `string` field of `message`.
    pub(super) fn text(&self, message: &'static str) -> Result<&'a str, WireError> {
        let bytes = self.bytes(message)?;
        std::str::from_utf8(bytes).map_err(|_| WireError::InvalidUtf8 {
            message,
            field: self.number,
            offset: self.offset,
        })
    }

    /// The content of a `bytes` field of `message`.
    pub(crate) fn bytes(&self, message: &'static str) -> Result<&'a [u8], WireError> {
        match self.value {
            FieldValue::Len(bytes) => Ok(bytes),
            _ => Err(self.wrong_wire_type(message)),
        }
    }

    /// The message nested in `message` by this field.
    pub(super) fn message(&self, message: &'static str) -> Result<Reader<'a>, WireError> {
        let nesting = self.nesting.checked_sub(1).ok_or_else(|| too_deep(self.offset))?;
        let rest = self.bytes(message)?;
        Ok(Reader { rest, end: self.offset + rest.len(), nesting })
    }

    /// The message whose pieces, of which this field is one, were put together in `bytes`.
    #[cfg(feature = "json")]
    pub(super) fn merged<'b>(&self, bytes: &'b [u8]) -> Result<Reader<'b>, WireError> {
        let nesting = self.nesting.checked_sub(1).ok_or_else(|| too_deep(self.offset))?;
        Ok(Reader { rest: bytes, end: self.offset + bytes.len(), nesting })
    }

    /// The numbers that this field of `message` holds packed.
    pub(super) fn packed(&self, message: &'static str) -> Result<Reader<'a>, WireError> {
        let rest = self.bytes(message)?;
        Ok(Reader { rest, end: self.offset + rest.len(), nesting: self.nesting })
    }

    /// The value of a varint field of `message`.
    pub(super) fn varint(&self, message: &'static str) -> Result<u64, WireError> {
        match self.value {
            FieldValue::Varint(value) => Ok(value),
            _ => Err(self.wrong_wire_type(message)),
        }
    }

    /// The value of a `uint32` field of `message`; protobuf keeps the low 32 bits.
    pub(super) fn uint32(&self, message: &'static str) -> Result<u32, WireError> {
        self.varint(message).map(|value| value as u32)
    }

    /// The value of an `int32` or enum field of `message`; protobuf keeps the low 32 bits.
    pub(super) fn int32(&self, message: &'static str) -> Result<i32, WireError> {
        self.varint(message).map(|value| value as i32)
    }

    /// The value of a `sint32` field of `message`, where the sign is the lowest bit.
    pub(super) fn sint32(&self, message: &'static str) -> Result<i32, WireError> {
        self.uint32(message).map(|value| (value >> 1).cast_signed() ^ -((value & 1).cast_signed()))
    }

    /// The value of a `double` field of `message`.
    pub(super) fn double(&self, message: &'static str) -> Result<f64, WireError> {
        self.fixed64(message).map(f64::from_bits)
    }

    /// The value of an eight-byte field of `message`.
    pub(super) fn fixed64(&self, message: &'static str) -> Result<u64, WireError> {
        match self.value {
            FieldValue::Fixed64(value) => Ok(value),
            _ => Err(self.wrong_wire_type(message)),
        }
    }

    /// The value of a four-byte field of `message`.
    pub(super) fn fixed32(&self, message: &'static str) -> Result<u32, WireError> {
        match self.value {
            FieldValue::Fixed32(value) => Ok(value),
            _ => Err(self.wrong_wire_type(message)),
        }
    }

    pub(super) fn wrong_wire_type(&self, message: &'static str) -> WireError {
        let found = match self.value {
            FieldValue::Varint(_) => WireType::Varint,
            FieldValue::Fixed64(_) => WireType::Fixed64,
            FieldValue::Len(_) => WireType::Len,
            FieldValue::Fixed32(_) => WireType::Fixed32,
            FieldValue::Group => WireType::StartGroup,
        };
        let (field, found) = (self.number, found as u8);
        WireError::WrongWireType { message, field, found, offset: self.offset }
    }
}

/// Bytes that fields are read from: a slice, or a rope.
pub(super) trait Input {
    /// Where the next byte is.
    fn offset(&self) -> usize;

    /// How many bytes the message still has.
    fn remaining(&self) -> usize;

    /// Reads a varint.
    fn varint(&mut self) -> Result<u64, WireError>;

    /// Passes over `n` bytes, of which the caller knows that they are there.
    fn advance(&mut self, n: usize);

    /// Reads a field key.
    #[inline]
    fn key(&mut self) -> Result<(u32, WireType), WireError> {
        let offset = self.offset();
        let key = self.varint()?;
        split_key(key).ok_or(WireError::InvalidKey { key, offset })
    }

    /// Reads the length of a field whose content must be there.
    #[inline]
    fn length(&mut self) -> Result<usize, WireError> {
        let length = self.varint()?;
        match usize::try_from(length) {
            Ok(within) if within <= self.remaining() => Ok(within),
            _ => Err(WireError::LengthBeyondEnd {
                length,
                remaining: self.remaining(),
                offset: self.offset(),
            }),
        }
    }

    /// Passes over the value of a field; `nesting` levels may still be entered, the field's own
    /// included.
    fn skip_value(
        &mut self,
        number: u32,
        wire_type: WireType,
        nesting: u32,
    ) -> Result<(), WireError> {
        let Some(inner_nesting) = nesting.checked_sub(1) else {
            return Err(too_deep(self.offset()));
        };
        match wire_type {
            WireType::Varint => self.varint().map(drop),
            WireType::Fixed64 => self.skip_fixed(8),
            WireType::Fixed32 => self.skip_fixed(4),
            WireType::Len => self.length().map(|n| self.advance(n)),
            WireType::StartGroup => self.skip_group(number, inner_nesting),
            WireType::EndGroup => {
                Err(WireError::UnexpectedEndGroup { field: number, offset: self.offset() })
            }
        }
    }

    /// Passes over a group up to its end marker.
    fn skip_group(&mut self, number: u32, nesting: u32) -> Result<(), WireError> {
        loop {
            match self.key()? {
                (inner, WireType::EndGroup) if inner == number => return Ok(()),
                (inner, wire_type) => self.skip_value(inner, wire_type, nesting)?,
            }
        }
    }

    /// Passes over a value of `n` bytes.
    fn skip_fixed(&mut self, n: usize) -> Result<(), WireError> {
        if self.remaining() < n {
            return Err(WireError::Truncated { offset: self.offset() + self.remaining() });
        }
        self.advance(n);
        Ok(())
    }
}

/// What stands behind a field whose key is the single byte `first`, if its value is of fixed length, or as
/// short as most are. The key is checked where this gives nothing.
#[inline]
fn short_value(first: u8, field: &[u8]) -> Option<&[u8]> {
    match (first & 7, field) {
        _ if !(8..0x80).contains(&first) => None,
        (0, [_, value, behind @ ..]) if *value < 0x80 => Some(behind),
        (1, _) => field.get(9..),
        (2, [_, length, behind @ ..]) if *length < 0x80 => behind.get(usize::from(*length)..),
        (5, _) => field.get(5..),
        _ => None,
    }
}

#[cold]
fn too_deep(offset: usize) -> WireError {
    WireError::TooDeep { limit: NESTING_MAX, offset }
}

#[inline]
fn split_key(key: u64) -> Option<(u32, WireType)> {
    let key = u32::try_from(key).ok()?;
    let wire_type = match key & 7 {
        0 => WireType::Varint,
        1 => WireType::Fixed64,
        2 => WireType::Len,
        3 => WireType::StartGroup,
        4 => WireType::EndGroup,
        5 => WireType::Fixed32,
        _ => return None,
    };
    let number = key >> 3;
    (number > 0).then_some((number, wire_type))
}

#[cfg(test)]
mod tests;
