//! From protobuf to JSON.
//!
//! A message whose fields stand together, as every encoder writes them, is written in one pass, in
//! the order in which they stand. JSON wants the members of a list together, and the last of a
//! repeated singular field; a message where that takes a search is written field by field.

use std::io::Write as _;
use std::ops::{Deref, DerefMut};

use base64::engine::general_purpose::STANDARD;

use super::Message;
use crate::wire::WireError;
use crate::wire::definitions::{Definition, Field, Kind, Type};
use crate::wire::reader::{self, FieldValue, Reader};

/// Appends the JSON form of `bytes`, an encoded `message`, to `out`.
///
/// What stands in the bytes is written, fields with their default value included; unknown fields are
/// passed over. Compact: no white space. Costs two passes over the bytes of each message.
///
/// # Errors
///
/// The bytes are not the message: bad framing, a known field of another wire type, a string that is not
/// UTF-8, nesting beyond 100 levels. `out` then holds a part of the text. Of a field that stands several
/// times only what counts is looked at; [`scan`](crate::wire::scan::scan) checks all of it.
pub fn write(message: Message, bytes: &[u8], out: &mut Vec<u8>) -> Result<(), WireError> {
    match write_within(message, bytes, usize::MAX, out) {
        Err(WriteError::Wire(error)) => Err(error),
        // Memory ends before `usize` does.
        Ok(()) | Err(WriteError::TooLarge { .. }) => Ok(()),
    }
}

/// [`write()`], which stops as soon as `out` has more than `max` bytes.
///
/// JSON can be an order of magnitude larger than the bytes: this bounds the memory that it takes, to `max`
/// and the longest string or packed list.
///
/// # Errors
///
/// As for [`write()`], or there are more than `max` bytes.
///
/// ```
/// use otlp_core::Signal;
/// use otlp_core::wire::json::{Message, WriteError, write_within};
///
/// let (request, mut text) = (b"\x0a\x00\x0a\x00", Vec::new());
/// let result = write_within(Message::Request(Signal::Logs), request, 20, &mut text);
/// assert_eq!(result, Err(WriteError::TooLarge { max: 20 }));
/// ```
pub fn write_within(
    message: Message,
    bytes: &[u8],
    max: usize,
    out: &mut Vec<u8>,
) -> Result<(), WriteError> {
    let mut out = Text { bytes: out, max };
    put_message(Reader::new(bytes), message.root(), &mut out)?;
    out.check()
}

/// Why there is no JSON form.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum WriteError {
    /// The bytes are not the message.
    #[error(transparent)]
    Wire(#[from] WireError),
    /// The text is longer than allowed.
    #[error("the JSON text is over the limit of {max} bytes")]
    TooLarge {
        /// The limit.
        max: usize,
    },
}

/// The text so far, and how long it may become.
struct Text<'o> {
    bytes: &'o mut Vec<u8>,
    max: usize,
}

impl Text<'_> {
    fn check(&self) -> Result<(), WriteError> {
        match self.bytes.len() <= self.max {
            true => Ok(()),
            false => Err(WriteError::TooLarge { max: self.max }),
        }
    }
}

impl Deref for Text<'_> {
    type Target = Vec<u8>;

    fn deref(&self) -> &Vec<u8> {
        self.bytes
    }
}

impl DerefMut for Text<'_> {
    fn deref_mut(&mut self) -> &mut Vec<u8> {
        self.bytes
    }
}

fn put_message(fields: Reader<'_>, message: Type, out: &mut Text<'_>) -> Result<(), WriteError> {
    out.check()?;
    let definition = message.definition();
    let standing = Standing::of(fields, definition)?;
    out.push(b'{');
    if standing.in_runs {
        put_in_order(fields, definition, out)?;
    } else {
        put_by_field(fields, definition, out)?;
    }
    put_insisted_on(message, standing.seen, out);
    out.push(b'}');
    Ok(())
}

/// Writes what some readers insist on, although it may be left out as every default may: the official
/// Rust types refuse a whole request for an attribute without a key.
fn put_insisted_on(message: Type, seen: u64, out: &mut Vec<u8>) {
    let fields: &[(u32, &[u8])] = match message {
        Type::KeyValue => &[(1, br#""key":"""#)],
        Type::ArrayValue | Type::KeyValueList => &[(1, br#""values":[]"#)],
        Type::EntityRef => &[
            (1, br#""schemaUrl":"""#),
            (2, br#""type":"""#),
            (3, br#""idKeys":[]"#),
            (4, br#""descriptionKeys":[]"#),
        ],
        _ => &[],
    };
    for (number, default) in fields {
        if seen & (1 << number) == 0 {
            if out.last() != Some(&b'{') {
                out.push(b',');
            }
            out.extend_from_slice(default);
        }
    }
}

/// How the fields of a message stand.
struct Standing {
    /// Every field stands in one run, and singular fields and those of a oneof stand once.
    in_runs: bool,
    /// The known fields that are there, a bit for each number.
    seen: u64,
}

impl Standing {
    fn of(fields: Reader<'_>, definition: &Definition) -> Result<Self, WireError> {
        let (mut in_runs, mut seen, mut last, mut one_set) = (true, 0_u64, 0, false);
        for field in fields {
            let number = field?.number;
            let Some(known) = definition.field(number) else { continue };
            let bit = 1 << (number & 63);
            let again = seen & bit != 0;
            let in_oneof = definition.is_in_oneof(number);
            if again && (number != last || !is_list(known.kind)) || in_oneof && one_set {
                in_runs = false;
            }
            one_set |= in_oneof;
            seen |= bit;
            last = number;
        }
        Ok(Self { in_runs, seen })
    }
}

fn put_in_order(
    fields: Reader<'_>,
    definition: &Definition,
    out: &mut Text<'_>,
) -> Result<(), WriteError> {
    let (mut open, mut first) = (None, true);
    for field in fields {
        let field = field?;
        let Some(known) = definition.field(field.number) else { continue };
        if open == Some(field.number) {
            out.push(b',');
        } else {
            close(&mut open, out);
            put_name(known, &mut first, out);
            if is_list(known.kind) {
                out.push(b'[');
                open = Some(field.number);
            }
        }
        put_value(&field, known, definition, out)?;
    }
    close(&mut open, out);
    Ok(())
}

fn close(open: &mut Option<u32>, out: &mut Vec<u8>) {
    if open.take().is_some() {
        out.push(b']');
    }
}

/// Writes one field after the other, wherever its pieces stand.
fn put_by_field(
    fields: Reader<'_>,
    definition: &Definition,
    out: &mut Text<'_>,
) -> Result<(), WriteError> {
    let chosen = chosen_of_oneof(fields, definition)?;
    let mut first = true;
    for known in definition.fields() {
        // What stands in front of another member of its oneof was unset by that.
        let unset = match chosen {
            Some(chosen) if definition.is_in_oneof(known.number) => {
                if chosen.number != known.number {
                    continue;
                }
                chosen.since
            }
            _ => 0,
        };
        let mut own = Vec::new();
        for (at, field) in fields.enumerate() {
            let field = field?;
            if field.number == known.number && at >= unset {
                own.push(field);
            }
        }
        if !own.is_empty() {
            put_name(known, &mut first, out);
            put_pieces(&own, known, definition, out)?;
        }
    }
    Ok(())
}

/// The member of the oneof that is set, and since which field.
#[derive(Clone, Copy)]
struct Chosen {
    number: u32,
    since: usize,
}

fn chosen_of_oneof(
    fields: Reader<'_>,
    definition: &Definition,
) -> Result<Option<Chosen>, WireError> {
    let mut chosen: Option<Chosen> = None;
    for (since, field) in fields.enumerate() {
        let number = field?.number;
        if definition.is_in_oneof(number) && chosen.is_none_or(|it| it.number != number) {
            chosen = Some(Chosen { number, since });
        }
    }
    Ok(chosen)
}

/// All members of a list, the pieces of a message put together, or the last of a scalar.
fn put_pieces(
    own: &[reader::Field<'_>],
    known: &Field,
    definition: &Definition,
    out: &mut Text<'_>,
) -> Result<(), WriteError> {
    match (known.kind, own) {
        (kind, _) if is_list(kind) => {
            out.push(b'[');
            for (at, field) in own.iter().enumerate() {
                if at > 0 {
                    out.push(b',');
                }
                put_value(field, known, definition, out)?;
            }
            out.push(b']');
            Ok(())
        }
        (Kind::One(message), [first, _, ..]) => {
            let mut merged = Vec::new();
            for field in own {
                merged.extend_from_slice(field.bytes(definition.name)?);
            }
            put_message(first.merged(&merged)?, message, out)
        }
        (_, own) => own.last().map_or(Ok(()), |field| put_value(field, known, definition, out)),
    }
}

const fn is_list(kind: Kind) -> bool {
    matches!(
        kind,
        Kind::List(_) | Kind::Texts | Kind::PackedDouble | Kind::PackedFixed64 | Kind::PackedUint64
    )
}

fn put_name(known: &Field, first: &mut bool, out: &mut Vec<u8>) {
    if !std::mem::replace(first, false) {
        out.push(b',');
    }
    out.push(b'"');
    out.extend_from_slice(known.name.as_bytes());
    out.extend_from_slice(b"\":");
}

/// One value; of a packed list its members, with commas between.
fn put_value(
    field: &reader::Field<'_>,
    known: &Field,
    definition: &Definition,
    out: &mut Text<'_>,
) -> Result<(), WriteError> {
    match (known.kind, field.value) {
        (Kind::Bool, FieldValue::Varint(value)) => {
            out.extend_from_slice(if value == 0 { b"false" } else { b"true" });
        }
        (Kind::Enum | Kind::Int32 | Kind::Index, FieldValue::Varint(value)) => {
            put_number(value as i32, out);
        }
        (Kind::Uint32, FieldValue::Varint(value)) => put_number(value as u32, out),
        (Kind::Sint32, FieldValue::Varint(value)) => put_number(zigzag(value as u32), out),
        (Kind::Int64, FieldValue::Varint(value)) => put_quoted(value.cast_signed(), out),
        (Kind::Fixed32, FieldValue::Fixed32(value)) => put_number(value, out),
        (Kind::Fixed64 | Kind::PackedFixed64, FieldValue::Fixed64(value)) => put_quoted(value, out),
        (Kind::Sfixed64, FieldValue::Fixed64(value)) => put_quoted(value.cast_signed(), out),
        (Kind::Double | Kind::PackedDouble, FieldValue::Fixed64(value)) => {
            put_double(f64::from_bits(value), out);
        }
        (Kind::PackedUint64, FieldValue::Varint(value)) => put_quoted(value, out),
        (Kind::Text | Kind::Texts, FieldValue::Len(_)) => {
            put_text(field.text(definition.name)?, out);
        }
        (Kind::Bytes, FieldValue::Len(bytes)) => put_base64(bytes, out),
        (Kind::TraceId | Kind::SpanId, FieldValue::Len(bytes)) => put_hex(bytes, out),
        (Kind::One(message) | Kind::List(message), FieldValue::Len(_)) => {
            put_message(field.message(definition.name)?, message, out)?;
        }
        (Kind::PackedDouble | Kind::PackedFixed64 | Kind::PackedUint64, FieldValue::Len(bytes)) => {
            put_packed(field, known.kind, bytes, out)?;
        }
        _ => return Err(field.wrong_wire_type(definition.name).into()),
    }
    Ok(())
}

fn put_packed(
    field: &reader::Field<'_>,
    kind: Kind,
    bytes: &[u8],
    out: &mut Text<'_>,
) -> Result<(), WriteError> {
    let mut first = true;
    let mut comma = |out: &mut Text<'_>| {
        if !std::mem::replace(&mut first, false) {
            out.push(b',');
        }
    };
    if kind == Kind::PackedUint64 {
        let mut rest = bytes;
        while !rest.is_empty() {
            let (value, used) = crate::wire::varint::decode(rest)?;
            comma(out);
            put_quoted(value, out);
            rest = rest.get(used..).unwrap_or_default();
        }
        return Ok(());
    }
    let (chunks, rest) = bytes.as_chunks::<8>();
    if !rest.is_empty() {
        return Err(WireError::Truncated { offset: field.offset + bytes.len() }.into());
    }
    for chunk in chunks {
        comma(out);
        match kind {
            Kind::PackedDouble => put_double(f64::from_le_bytes(*chunk), out),
            _ => put_quoted(u64::from_le_bytes(*chunk), out),
        }
    }
    Ok(())
}

const fn zigzag(value: u32) -> i32 {
    (value >> 1).cast_signed() ^ (value & 1).cast_signed().wrapping_neg()
}

fn put_number(number: impl itoa::Integer, out: &mut Vec<u8>) {
    out.extend_from_slice(itoa::Buffer::new().format(number).as_bytes());
}

/// 64 bits do not fit a number of JavaScript. (J6)
fn put_quoted(number: impl itoa::Integer, out: &mut Vec<u8>) {
    out.push(b'"');
    put_number(number, out);
    out.push(b'"');
}

/// What JSON has no number for stands as a string. (J7)
fn put_double(number: f64, out: &mut Vec<u8>) {
    let special: &[u8] = match number {
        _ if number.is_nan() => br#""NaN""#,
        f64::INFINITY => br#""Infinity""#,
        f64::NEG_INFINITY => br#""-Infinity""#,
        _ => b"",
    };
    out.extend_from_slice(special);
    if special.is_empty() {
        // Writing into memory does not fail.
        let _ = serde_json::to_writer(out, &number);
    }
}

fn put_text(text: &str, out: &mut Vec<u8>) {
    // Writing into memory does not fail.
    let _ = serde_json::to_writer(out, text);
}

fn put_base64(bytes: &[u8], out: &mut Vec<u8>) {
    // Writing into memory does not fail.
    let _ = write!(out, "\"{}\"", base64::display::Base64Display::new(bytes, &STANDARD));
}

fn put_hex(bytes: &[u8], out: &mut Vec<u8>) {
    let digit = |nibble: u8| nibble + if nibble < 10 { b'0' } else { b'a' - 10 };
    out.push(b'"');
    out.extend(bytes.iter().flat_map(|byte| [digit(byte >> 4), digit(byte & 15)]));
    out.push(b'"');
}
