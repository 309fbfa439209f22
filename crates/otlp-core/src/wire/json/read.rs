//! From JSON to protobuf, in the order in which the text has it.

use std::fmt;

use base64::Engine as _;
use base64::alphabet;
use base64::engine::DecodePaddingMode;
use base64::engine::general_purpose::{GeneralPurpose, GeneralPurposeConfig};
use serde::de::{
    DeserializeSeed, Deserializer, Error, IgnoredAny, MapAccess, SeqAccess, Unexpected, Visitor,
};

use super::Message;
use crate::export::text::printable;
use crate::wire::definitions::{Definition, Field, Kind};
use crate::wire::reader::NESTING_MAX;
use crate::wire::varint;
use crate::wire::writer::{FIXED32, FIXED64, LEN, VARINT, put_message};

/// Why a text is not the JSON form of a message: what was found where, by line and column.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{0}")]
pub struct JsonError(pub(super) String);

impl From<serde_json::Error> for JsonError {
    fn from(error: serde_json::Error) -> Self {
        // It may quote the text, which comes from outside.
        Self(printable(&error.to_string()))
    }
}

/// The protobuf form of `text`, the JSON form of `message`.
///
/// Names that are not known are passed over (row J5), `null` stands for the default, numbers may be
/// quoted (row J7), ids are read in any case (row J1). Lengths of ids are not checked:
/// [`scan`](crate::wire::scan::scan) does that.
///
/// One pass, without a tree in between. Values may be nested as deep as in protobuf: 100 messages.
///
/// # Errors
///
/// The text is not JSON, a value has another type than its field, an enum stands by its name (row J3), a
/// number does not fit, a field stands twice or beside another member of its oneof, or there is more
/// behind the message.
pub fn read(message: Message, text: &[u8]) -> Result<Vec<u8>, JsonError> {
    let mut out = Vec::with_capacity(text.len() / 2);
    let mut text = serde_json::Deserializer::from_slice(text);
    // Depth is counted by messages instead.
    text.disable_recursion_limit();
    MessageSeed { definition: message.root().definition(), depth: 0, out: &mut out }
        .deserialize(&mut text)?;
    text.end()?;
    Ok(out)
}

/// Reads the fields of a message; says whether there was one, since `null` is none.
struct MessageSeed<'o> {
    definition: &'static Definition,
    depth: u32,
    out: &'o mut Vec<u8>,
}

impl<'de> DeserializeSeed<'de> for MessageSeed<'_> {
    type Value = bool;

    fn deserialize<D: Deserializer<'de>>(self, text: D) -> Result<bool, D::Error> {
        if self.depth > NESTING_MAX {
            return Err(D::Error::custom(format_args!(
                "nested deeper than {NESTING_MAX} messages"
            )));
        }
        text.deserialize_any(self)
    }
}

impl<'de> Visitor<'de> for MessageSeed<'_> {
    type Value = bool;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "an object ({})", self.definition.name)
    }

    fn visit_unit<E>(self) -> Result<bool, E> {
        Ok(false)
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<bool, A::Error> {
        let Self { definition, depth, out } = self;
        let (mut seen, mut one_set) = (0_u64, None);
        while let Some(name) = map.next_key::<Name<'de>>()? {
            let Some(field) = definition.field_named(name.as_str()) else {
                map.next_value::<IgnoredAny>()?;
                continue;
            };
            let bit = 1 << (field.number & 63);
            if seen & bit != 0 {
                return Err(A::Error::custom(format_args!("`{}` stands twice", field.name)));
            }
            seen |= bit;
            let in_oneof = definition.is_in_oneof(field.number);
            let seed = FieldSeed { field, depth, in_oneof, out: &mut *out };
            let set = map.next_value_seed(seed)?;
            if set
                && in_oneof
                && let Some(other) = one_set.replace(field.name)
            {
                let both = format_args!("`{other}` and `{}` exclude each other", field.name);
                return Err(A::Error::custom(both));
            }
        }
        Ok(true)
    }
}

/// A key: borrowed, unless it has escapes.
enum Name<'de> {
    Borrowed(&'de str),
    Owned(String),
}

impl Name<'_> {
    fn as_str(&self) -> &str {
        match self {
            Self::Borrowed(name) => name,
            Self::Owned(name) => name,
        }
    }
}

impl<'de> serde::Deserialize<'de> for Name<'de> {
    fn deserialize<D: Deserializer<'de>>(text: D) -> Result<Self, D::Error> {
        struct NameVisitor;
        impl<'de> Visitor<'de> for NameVisitor {
            type Value = Name<'de>;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("a name")
            }

            fn visit_borrowed_str<E>(self, name: &'de str) -> Result<Name<'de>, E> {
                Ok(Name::Borrowed(name))
            }

            fn visit_str<E>(self, name: &str) -> Result<Name<'de>, E> {
                Ok(Name::Owned(name.to_owned()))
            }
        }
        text.deserialize_str(NameVisitor)
    }
}

/// Reads the value of a field; says whether there was one.
struct FieldSeed<'o> {
    field: &'static Field,
    depth: u32,
    /// Then a default value is written too: that it is set means something.
    in_oneof: bool,
    out: &'o mut Vec<u8>,
}

impl<'de> DeserializeSeed<'de> for FieldSeed<'_> {
    type Value = bool;

    fn deserialize<D: Deserializer<'de>>(self, text: D) -> Result<bool, D::Error> {
        let Self { field, depth, in_oneof, out } = self;
        match field.kind {
            Kind::One(message) => framed(field, out, |out| {
                let definition = message.definition();
                MessageSeed { definition, depth: depth + 1, out }.deserialize(text)
            }),
            Kind::List(_) | Kind::Texts => text.deserialize_any(ListVisitor { field, depth, out }),
            Kind::PackedDouble | Kind::PackedFixed64 | Kind::PackedUint64 => {
                framed(field, out, |out| text.deserialize_any(ListVisitor { field, depth, out }))
            }
            kind => {
                // Histograms tell a sum of 0 from no sum. A default may be written anyway, so it is
                // enough to know the type.
                let always = in_oneof || kind == Kind::Double;
                let form = if always { Form::Always } else { Form::UnlessDefault };
                ScalarSeed { field, form, out }.deserialize(text)
            }
        }
    }
}

/// Puts key and length around what `content` writes, if it says that there is something.
fn framed<E>(
    field: &Field,
    out: &mut Vec<u8>,
    content: impl FnOnce(&mut Vec<u8>) -> Result<bool, E>,
) -> Result<bool, E> {
    let start = out.len();
    let mut result = Ok(false);
    // All such fields have numbers below 16.
    put_message(out, (field.number << 3) as u8 | LEN, |out| result = content(out));
    if !matches!(result, Ok(true)) {
        out.truncate(start);
    }
    result
}

/// Reads a list; says whether it has members.
struct ListVisitor<'o> {
    field: &'static Field,
    depth: u32,
    out: &'o mut Vec<u8>,
}

impl<'de> Visitor<'de> for ListVisitor<'_> {
    type Value = bool;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "a list (`{}`)", self.field.name)
    }

    fn visit_unit<E>(self) -> Result<bool, E> {
        Ok(false)
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut list: A) -> Result<bool, A::Error> {
        let Self { field, depth, out } = self;
        let mut any = false;
        while list.next_element_seed(MemberSeed { field, depth, out: &mut *out })?.is_some() {
            any = true;
        }
        Ok(any)
    }
}

/// Reads a member of a list.
struct MemberSeed<'o> {
    field: &'static Field,
    depth: u32,
    out: &'o mut Vec<u8>,
}

impl<'de> DeserializeSeed<'de> for MemberSeed<'_> {
    type Value = ();

    fn deserialize<D: Deserializer<'de>>(self, text: D) -> Result<(), D::Error> {
        let Self { field, depth, out } = self;
        let set = match field.kind {
            Kind::List(message) => framed(field, out, |out| {
                let definition = message.definition();
                MessageSeed { definition, depth: depth + 1, out }.deserialize(text)
            }),
            Kind::Texts => ScalarSeed { field, form: Form::Always, out }.deserialize(text),
            _ => ScalarSeed { field, form: Form::Packed, out }.deserialize(text),
        }?;
        if set { Ok(()) } else { Err(D::Error::custom(format_args!("null in `{}`", field.name))) }
    }
}

/// How a scalar is written.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Form {
    UnlessDefault,
    Always,
    /// Without a key.
    Packed,
}

/// Reads a number, a text, an id; says whether there was one.
struct ScalarSeed<'o> {
    field: &'static Field,
    form: Form,
    out: &'o mut Vec<u8>,
}

impl<'de> DeserializeSeed<'de> for ScalarSeed<'_> {
    type Value = bool;

    fn deserialize<D: Deserializer<'de>>(self, text: D) -> Result<bool, D::Error> {
        text.deserialize_any(self)
    }
}

impl ScalarSeed<'_> {
    fn key(&mut self, wire_type: u8) {
        if self.form != Form::Packed {
            varint::put(self.out, u64::from(self.field.number) << 3 | u64::from(wire_type));
        }
    }

    fn varint(mut self, value: u64) {
        if value != 0 || self.form != Form::UnlessDefault {
            self.key(VARINT);
            varint::put(self.out, value);
        }
    }

    fn fixed64(mut self, value: u64) {
        if value != 0 || self.form != Form::UnlessDefault {
            self.key(FIXED64);
            self.out.extend_from_slice(&value.to_le_bytes());
        }
    }

    fn fixed32(mut self, value: u32) {
        if value != 0 || self.form != Form::UnlessDefault {
            self.key(FIXED32);
            self.out.extend_from_slice(&value.to_le_bytes());
        }
    }

    fn bytes(mut self, value: &[u8]) {
        if !value.is_empty() || self.form != Form::UnlessDefault {
            self.key(LEN);
            varint::put(self.out, value.len() as u64);
            self.out.extend_from_slice(value);
        }
    }

    /// Writes a whole number, if it fits the field.
    fn integer<E: Error>(self, value: i128, found: Unexpected<'_>) -> Result<bool, E> {
        let wrong = |expected: &dyn serde::de::Expected| Err(E::invalid_value(found, expected));
        match self.field.kind {
            // An enum may have values that we do not know.
            Kind::Int32 | Kind::Index | Kind::Enum => match i32::try_from(value) {
                Ok(value) => self.varint(i64::from(value).cast_unsigned()),
                Err(_) => return wrong(&self),
            },
            Kind::Sint32 => match i32::try_from(value) {
                Ok(value) => self.varint(u64::from(zigzag(value))),
                Err(_) => return wrong(&self),
            },
            Kind::Uint32 => match u32::try_from(value) {
                Ok(value) => self.varint(u64::from(value)),
                Err(_) => return wrong(&self),
            },
            Kind::Fixed32 => match u32::try_from(value) {
                Ok(value) => self.fixed32(value),
                Err(_) => return wrong(&self),
            },
            Kind::Int64 => match i64::try_from(value) {
                Ok(value) => self.varint(value.cast_unsigned()),
                Err(_) => return wrong(&self),
            },
            Kind::Sfixed64 => match i64::try_from(value) {
                Ok(value) => self.fixed64(value.cast_unsigned()),
                Err(_) => return wrong(&self),
            },
            Kind::Fixed64 | Kind::PackedFixed64 => match u64::try_from(value) {
                Ok(value) => self.fixed64(value),
                Err(_) => return wrong(&self),
            },
            Kind::PackedUint64 => match u64::try_from(value) {
                Ok(value) => self.varint(value),
                Err(_) => return wrong(&self),
            },
            Kind::Double | Kind::PackedDouble => self.fixed64((value as f64).to_bits()),
            _ => return Err(E::invalid_type(found, &self)),
        }
        Ok(true)
    }

    fn double<E: Error>(self, value: f64, found: Unexpected<'_>) -> Result<bool, E> {
        match self.field.kind {
            Kind::Double | Kind::PackedDouble => {
                self.fixed64(value.to_bits());
                Ok(true)
            }
            // `5.0` and `5e3` are whole numbers too; beyond 2^53 a fraction would have been lost.
            _ if value.fract() == 0.0 && value.abs() <= 9_007_199_254_740_992.0 => {
                self.integer(value as i128, found)
            }
            _ => Err(E::invalid_value(found, &self)),
        }
    }

    /// A number in quotes. (J6, J7)
    fn quoted<E: Error>(self, text: &str) -> Result<bool, E> {
        let found = Unexpected::Str(text);
        let special = match text {
            "NaN" => Some(f64::NAN),
            "Infinity" => Some(f64::INFINITY),
            "-Infinity" => Some(f64::NEG_INFINITY),
            _ => None,
        };
        if let Some(special) = special {
            return match self.field.kind {
                Kind::Double | Kind::PackedDouble => self.double(special, found),
                _ => Err(E::invalid_value(found, &self)),
            };
        }
        let is_decimal = |c: char| c.is_ascii_digit() || matches!(c, '-' | '+' | '.' | 'e' | 'E');
        if text.len() > NUMBER_CHARS_MAX || !text.chars().all(is_decimal) {
            return Err(E::invalid_value(found, &self));
        }
        if let Ok(value) = text.parse::<i128>() {
            return self.integer(value, found);
        }
        match text.parse::<f64>() {
            Ok(value) => self.double(value, found),
            Err(_) => Err(E::invalid_value(found, &self)),
        }
    }
}

impl<'de> Visitor<'de> for ScalarSeed<'_> {
    type Value = bool;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let expected = match self.field.kind {
            Kind::Bool => "true or false",
            Kind::Bytes => "base64",
            Kind::Double | Kind::PackedDouble => "a number",
            Kind::Enum => "the number of an enum",
            Kind::Fixed32 | Kind::Uint32 => "a whole number of 32 bits, not negative",
            Kind::Int32 | Kind::Index | Kind::Sint32 => "a whole number of 32 bits",
            Kind::Fixed64 | Kind::PackedFixed64 | Kind::PackedUint64 => {
                "a whole number of 64 bits, not negative"
            }
            Kind::Int64 | Kind::Sfixed64 => "a whole number of 64 bits",
            Kind::TraceId | Kind::SpanId => "hexadecimal digits in pairs",
            Kind::Text | Kind::Texts => "a text",
            Kind::One(_) | Kind::List(_) => "an object",
        };
        write!(f, "{expected} (`{}`)", self.field.name)
    }

    fn visit_unit<E>(self) -> Result<bool, E> {
        Ok(false)
    }

    fn visit_bool<E: Error>(self, value: bool) -> Result<bool, E> {
        if self.field.kind != Kind::Bool {
            return Err(E::invalid_type(Unexpected::Bool(value), &self));
        }
        self.varint(u64::from(value));
        Ok(true)
    }

    fn visit_i64<E: Error>(self, value: i64) -> Result<bool, E> {
        self.integer(i128::from(value), Unexpected::Signed(value))
    }

    fn visit_u64<E: Error>(self, value: u64) -> Result<bool, E> {
        self.integer(i128::from(value), Unexpected::Unsigned(value))
    }

    fn visit_f64<E: Error>(self, value: f64) -> Result<bool, E> {
        match self.field.kind {
            Kind::Bool | Kind::Bytes | Kind::Text | Kind::Texts | Kind::TraceId | Kind::SpanId => {
                Err(E::invalid_type(Unexpected::Float(value), &self))
            }
            _ => self.double(value, Unexpected::Float(value)),
        }
    }

    fn visit_str<E: Error>(self, text: &str) -> Result<bool, E> {
        match self.field.kind {
            Kind::Text | Kind::Texts => self.bytes(text.as_bytes()),
            Kind::TraceId | Kind::SpanId => match unhex(text) {
                Some(id) => self.bytes(&id),
                None => return Err(E::invalid_value(Unexpected::Str(text), &self)),
            },
            Kind::Bytes => match unbase64(text) {
                Some(bytes) => self.bytes(&bytes),
                None => return Err(E::invalid_value(Unexpected::Str(text), &self)),
            },
            Kind::Bool | Kind::Enum => {
                return Err(E::invalid_type(Unexpected::Str(text), &self));
            }
            _ => return self.quoted(text),
        }
        Ok(true)
    }
}

const fn zigzag(value: i32) -> u32 {
    (value << 1 ^ value >> 31).cast_unsigned()
}

fn unhex(text: &str) -> Option<Vec<u8>> {
    let digit = |byte: u8| char::from(byte).to_digit(16).map(|digit| digit as u8);
    let (pairs, rest) = text.as_bytes().as_chunks::<2>();
    if !rest.is_empty() {
        return None;
    }
    pairs.iter().map(|[high, low]| Some(digit(*high)? << 4 | digit(*low)?)).collect()
}

/// Standard or URL-safe, with padding or without, as proto3 JSON has it.
fn unbase64(text: &str) -> Option<Vec<u8>> {
    const LENIENT: GeneralPurposeConfig = GeneralPurposeConfig::new()
        .with_decode_padding_mode(DecodePaddingMode::Indifferent)
        .with_decode_allow_trailing_bits(true);
    const STANDARD: GeneralPurpose = GeneralPurpose::new(&alphabet::STANDARD, LENIENT);
    const URL_SAFE: GeneralPurpose = GeneralPurpose::new(&alphabet::URL_SAFE, LENIENT);
    let url_safe = text.contains(['-', '_']);
    if url_safe { URL_SAFE.decode(text).ok() } else { STANDARD.decode(text).ok() }
}

/// Longer than any number that fits.
const NUMBER_CHARS_MAX: usize = 400;
