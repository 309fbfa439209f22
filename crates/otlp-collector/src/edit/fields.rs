//! Fields of a message, the wanted ones only.

use otlp_core::wire::WireError;
use otlp_core::wire::reader::{Field, FieldValue, Reader, WireType};
use otlp_core::wire::writer::{LEN, key};

/// Goes through the fields of a message. Those with this number, which hold messages, go to `nested` with how
/// many bytes there are from their start and from their end; those in the set `wanted` go to `other`.
#[inline]
pub(super) fn each_field<'a>(
    message: &'a [u8],
    number: u8,
    wanted: u32,
    mut nested: impl FnMut(&'a [u8], usize, usize) -> Result<(), WireError>,
    mut other: impl FnMut(&Field<'a>) -> Result<(), WireError>,
) -> Result<(), WireError> {
    let mut fields = Reader::new(message);
    while fields.skip_to(wanted | 1 << number)? {
        let before = fields.rest().len();
        if let Some((content, behind)) = short_field(fields.rest(), number) {
            fields = Reader::new(behind);
            nested(content, before, behind.len())?;
            continue;
        }
        let Some(field) = fields.next().transpose()? else { break };
        if field.number == u32::from(number) {
            nested(length_delimited(&field, "attributes")?, before, fields.rest().len())?;
        } else {
            other(&field)?;
        }
    }
    Ok(())
}

/// A field with this number that holds fewer than 128 bytes, and what stands behind it: what most fields of
/// most items are, without the detour of the general reader.
#[inline]
fn short_field(fields: &[u8], number: u8) -> Option<(&[u8], &[u8])> {
    match fields {
        [first, len, rest @ ..] if *first == key(number, LEN) && *len < 0x80 => {
            rest.split_at_checked(usize::from(*len))
        }
        _ => None,
    }
}

/// What a field of `message` holds that is a string or a message.
pub(super) fn length_delimited<'a>(
    field: &Field<'a>,
    message: &'static str,
) -> Result<&'a [u8], WireError> {
    match field.value {
        FieldValue::Len(content) => Ok(content),
        _ => Err(wrong_wire_type(field, message)),
    }
}

/// The value of an enum.
pub(super) fn number(field: &Field<'_>, message: &'static str) -> Result<i32, WireError> {
    match field.value {
        // Protobuf keeps the low 32 bits.
        FieldValue::Varint(value) => Ok(value as i32),
        _ => Err(wrong_wire_type(field, message)),
    }
}

#[cold]
fn wrong_wire_type(field: &Field<'_>, message: &'static str) -> WireError {
    let found = match field.value {
        FieldValue::Varint(_) => WireType::Varint,
        FieldValue::Fixed64(_) => WireType::Fixed64,
        FieldValue::Len(_) => WireType::Len,
        FieldValue::Fixed32(_) => WireType::Fixed32,
        FieldValue::Group => WireType::StartGroup,
    };
    let (number, offset) = (field.number, field.offset);
    WireError::WrongWireType { message, field: number, found: found as u8, offset }
}
