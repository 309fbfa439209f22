//! What can be wrong with OTLP bytes, and where.

use thiserror::Error;

/// Why bytes are not the OTLP message they claim to be.
///
/// Each variant carries the byte offset at which reading stopped, counted from the start of what
/// was handed in. The error holds nothing of the input itself, so it is safe to log and to send
/// back to the peer (a receiver answers `INVALID_ARGUMENT` or 400, rows G8 and H13).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
#[non_exhaustive]
pub enum WireError {
    /// An id has another length than the protocol allows.
    #[error(
        "{message} field {field} is an id of {length} bytes at byte {offset}; 0 or {expected} are allowed"
    )]
    InvalidIdLength {
        /// The message that holds the id.
        message: &'static str,
        /// Its field number.
        field: u32,
        /// The length found.
        length: usize,
        /// The length of a valid id.
        expected: usize,
        /// Where the id starts.
        offset: usize,
    },
    /// A field key that protobuf has no meaning for: field number 0, a key above 32 bits, or one
    /// of the wire types 6 and 7.
    #[error("invalid field key {key} at byte {offset}")]
    InvalidKey {
        /// The key as read.
        key: u64,
        /// Where the key starts.
        offset: usize,
    },
    /// A string field does not hold UTF-8.
    #[error("{message} field {field} is not UTF-8 at byte {offset}")]
    InvalidUtf8 {
        /// The message that holds the string.
        message: &'static str,
        /// Its field number.
        field: u32,
        /// Where the string starts.
        offset: usize,
    },
    /// A length runs past the end of the message that holds it.
    #[error("length {length} at byte {offset} exceeds the {remaining} bytes that are left")]
    LengthBeyondEnd {
        /// The length as read.
        length: u64,
        /// What is left of the enclosing message.
        remaining: usize,
        /// Where the content would start.
        offset: usize,
    },
    /// Messages, values or groups are nested deeper than allowed.
    #[error("nested deeper than {limit} levels at byte {offset}")]
    TooDeep {
        /// The limit that was passed.
        limit: u32,
        /// Where the level above the limit starts.
        offset: usize,
    },
    /// There are more elements than allowed.
    #[error("more than {limit} elements at byte {offset}")]
    TooManyElements {
        /// The limit that was passed.
        limit: usize,
        /// Where the element above the limit starts.
        offset: usize,
    },
    /// The bytes end in the middle of a field.
    #[error("the message ends inside a field at byte {offset}")]
    Truncated {
        /// Where more bytes were needed.
        offset: usize,
    },
    /// A group ends that was not open, or another than the innermost open one.
    #[error("unexpected end of group {field} at byte {offset}")]
    UnexpectedEndGroup {
        /// The field number of the end marker.
        field: u32,
        /// Just behind the end marker's key.
        offset: usize,
    },
    /// A varint has more than ten bytes or more than 64 bits.
    #[error("varint longer than 64 bits at byte {offset}")]
    VarintTooLong {
        /// Where the varint starts.
        offset: usize,
    },
    /// A known field has another wire type than its definition.
    #[error("{message} field {field} has wire type {found} at byte {offset}")]
    WrongWireType {
        /// The message that holds the field.
        message: &'static str,
        /// Its field number.
        field: u32,
        /// The wire type found, as the number on the wire.
        found: u8,
        /// Just behind the field's key.
        offset: usize,
    },
}

impl WireError {
    /// The byte at which reading stopped.
    #[must_use]
    pub const fn offset(&self) -> usize {
        match *self {
            Self::InvalidIdLength { offset, .. }
            | Self::InvalidKey { offset, .. }
            | Self::InvalidUtf8 { offset, .. }
            | Self::LengthBeyondEnd { offset, .. }
            | Self::TooDeep { offset, .. }
            | Self::TooManyElements { offset, .. }
            | Self::Truncated { offset }
            | Self::UnexpectedEndGroup { offset, .. }
            | Self::VarintTooLong { offset }
            | Self::WrongWireType { offset, .. } => offset,
        }
    }

    /// The same error, its offset counted from `base` bytes earlier.
    pub(super) fn rebased(mut self, base: usize) -> Self {
        let offset = self.offset_mut();
        *offset = offset.saturating_add(base);
        self
    }

    fn offset_mut(&mut self) -> &mut usize {
        match self {
            Self::InvalidIdLength { offset, .. }
            | Self::InvalidKey { offset, .. }
            | Self::InvalidUtf8 { offset, .. }
            | Self::LengthBeyondEnd { offset, .. }
            | Self::TooDeep { offset, .. }
            | Self::TooManyElements { offset, .. }
            | Self::Truncated { offset }
            | Self::UnexpectedEndGroup { offset, .. }
            | Self::VarintTooLong { offset }
            | Self::WrongWireType { offset, .. } => offset,
        }
    }
}
