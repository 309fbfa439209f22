//! Short cuts for what nearly all bytes of a request are: attributes with a short key and a plain
//! value, in the order in which everybody writes them.
//!
//! They halve the cost of a scan. Whatever does not fit them exactly takes the general way.

use crate::wire::varint;

/// Checks an attribute with an ASCII key and a string, boolean, integer or floating-point value.
///
/// Gives the bytes of text in it; `None` says nothing but that the attribute is not of this shape.
#[inline]
pub(super) fn plain_attribute(attribute: &[u8]) -> Option<usize> {
    let (key, rest) = short_field(attribute, KEY)?;
    let (value, rest) = short_field(rest, VALUE)?;
    if !rest.is_empty() || !is_short_ascii(key) {
        return None;
    }
    Some(key.len() + plain_value(value)?)
}

#[inline]
fn plain_value(value: &[u8]) -> Option<usize> {
    match value.split_first()? {
        (&STRING, _) => {
            let (text, rest) = short_field(value, STRING)?;
            (rest.is_empty() && is_short_ascii(text)).then_some(text.len())
        }
        (&(BOOL | INT), number) => {
            let (_, len) = varint::decode(number).ok()?;
            (len == number.len()).then_some(0)
        }
        (&DOUBLE, number) => (number.len() == size_of::<f64>()).then_some(0),
        _ => None,
    }
}

/// The content of the first field and what follows it, if it has this key and a one-byte length.
#[inline]
fn short_field(fields: &[u8], key: u8) -> Option<(&[u8], &[u8])> {
    match fields {
        [found, length, rest @ ..] if *found == key && *length < 0x80 => {
            rest.split_at_checked(usize::from(*length))
        }
        _ => None,
    }
}

/// Whether `text` is ASCII, as nearly all keys and values are, and short enough that the general
/// check would spend more on choosing its method than on the bytes.
#[inline]
pub(super) fn is_short_ascii(text: &[u8]) -> bool {
    if text.len() > 64 {
        return false;
    }
    let (words, _) = text.as_chunks::<8>();
    let mut bits = words.iter().fold(0, |bits, word| bits | u64::from_ne_bytes(*word));
    // The last word may overlap the one before it.
    match text.last_chunk::<8>() {
        Some(last) => bits |= u64::from_ne_bytes(*last),
        None => bits |= text.iter().fold(0, |bits, byte| bits | u64::from(*byte)),
    }
    bits & 0x8080_8080_8080_8080 == 0
}

/// `KeyValue.key` and `KeyValue.value`.
const KEY: u8 = 0x0a;
const VALUE: u8 = 0x12;

/// Fields 1 to 4 of `AnyValue`.
const STRING: u8 = 0x0a;
const BOOL: u8 = 0x10;
const INT: u8 = 0x18;
const DOUBLE: u8 = 0x21;
