//! Views of `opentelemetry.proto.common.v1`: values, attributes, instrumentation scope.

use super::WireError;
use super::reader::{Field, Reader};
use super::view::{Merged, View, Views};

/// The attributes of a message, in the order in which they stand.
pub type Attributes<'a> = Views<'a, KeyValueView<'a>>;

impl<'a> Attributes<'a> {
    /// The value of the first attribute called `key`.
    ///
    /// Keys are unique in valid OTLP (row W5). Costs a walk over the attributes before it.
    ///
    /// # Errors
    ///
    /// An attribute on the way is not well-formed.
    pub fn find_value(mut self, key: &str) -> Result<Option<AnyValueView<'a>>, WireError> {
        self.find_map(|attribute| match attribute {
            Ok(attribute) if attribute.key != key => None,
            found => Some(found.map(|attribute| attribute.value)),
        })
        .transpose()
    }
}

/// A view of a `KeyValue`.
#[derive(Clone, Copy, Debug)]
pub struct KeyValueView<'a> {
    key: &'a str,
    value: AnyValueView<'a>,
}

impl<'a> KeyValueView<'a> {
    /// Reads an encoded `KeyValue`.
    ///
    /// # Errors
    ///
    /// As [`View::read`].
    pub fn parse(message: &'a [u8]) -> Result<Self, WireError> {
        Self::read(Reader::new(message))
    }

    /// The key.
    #[must_use]
    pub const fn key(&self) -> &'a str {
        self.key
    }

    /// The value; [`AnyValueView::Empty`] also if there is none.
    #[must_use]
    pub const fn value(&self) -> AnyValueView<'a> {
        self.value
    }
}

impl<'a> View<'a> for KeyValueView<'a> {
    fn read(mut fields: Reader<'a>) -> Result<Self, WireError> {
        const NAME: &str = "KeyValue";
        let (mut key, mut value) = ("", Pieces::None);
        loop {
            let here = fields;
            let Some(field) = fields.next().transpose()? else { break };
            match field.number {
                1 => key = field.text(NAME)?,
                2 => {
                    let piece = field.message(NAME)?;
                    value = match value {
                        Pieces::None => Pieces::One { piece, here },
                        Pieces::One { here, .. } | Pieces::More { here } => Pieces::More { here },
                    };
                }
                // An index into a dictionary that only profiles have: as if absent (row W7).
                3 => {
                    field.int32(NAME)?;
                }
                _ => {}
            }
        }
        let value = match value {
            Pieces::None => AnyValueView::Empty,
            Pieces::One { piece, .. } => AnyValueView::read_fields(piece)?,
            Pieces::More { here } => {
                AnyValueView::read_fields(Merged::whole(here).child(&(NAME, 2)))?
            }
        };
        Ok(Self { key, value })
    }
}

/// In how many pieces a value stands. Nearly always it is one, which needs no merging.
enum Pieces<'a> {
    None,
    One {
        piece: Reader<'a>,
        /// The fields of the enclosing message from the first piece on.
        here: Reader<'a>,
    },
    More {
        here: Reader<'a>,
    },
}

/// A view of an `AnyValue`.
///
/// Any value is valid in any place, also bytes, an array of mixed types or nothing (row W6).
#[derive(Clone, Copy, Debug)]
#[non_exhaustive]
pub enum AnyValueView<'a> {
    /// A value without a type, or one of a type that this version does not know.
    Empty,
    /// A string.
    String(&'a str),
    /// A boolean.
    Bool(bool),
    /// A signed integer.
    Int(i64),
    /// A floating-point number.
    Double(f64),
    /// An array of values, which may differ in type.
    Array(Views<'a, AnyValueView<'a>>),
    /// A list of keys and values.
    KeyValueList(Attributes<'a>),
    /// Bytes.
    Bytes(&'a [u8]),
}

impl<'a> View<'a> for AnyValueView<'a> {
    fn read(fields: Reader<'a>) -> Result<Self, WireError> {
        Self::read_fields(fields)
    }
}

impl<'a> AnyValueView<'a> {
    /// Reads an encoded `AnyValue`.
    ///
    /// # Errors
    ///
    /// As [`View::read`].
    pub fn parse(message: &'a [u8]) -> Result<Self, WireError> {
        Self::read(Reader::new(message))
    }

    /// The fields are a `oneof`, of which the last one wins; arrays and maps that follow each other
    /// directly are merged.
    pub(super) fn read_fields<F>(mut fields: F) -> Result<Self, WireError>
    where
        F: Iterator<Item = Result<Field<'a>, WireError>> + Into<Merged<'a>> + Copy,
    {
        const NAME: &str = "AnyValue";
        let mut value = AnyValueView::Empty;
        loop {
            let here = fields;
            let Some(field) = fields.next().transpose()? else {
                break;
            };
            value = match field.number {
                1 => Self::String(field.text(NAME)?),
                2 => Self::Bool(field.varint(NAME)? != 0),
                3 => Self::Int(field.varint(NAME)?.cast_signed()),
                4 => Self::Double(f64::from_bits(field.fixed64(NAME)?)),
                5 => {
                    field.message(NAME)?;
                    match value {
                        Self::Array(_) => value,
                        _ => Self::Array(here.into().child(&(NAME, 5)).views(&("ArrayValue", 1))),
                    }
                }
                6 => {
                    field.message(NAME)?;
                    match value {
                        Self::KeyValueList(_) => value,
                        _ => Self::KeyValueList(
                            here.into().child(&(NAME, 6)).views(&("KeyValueList", 1)),
                        ),
                    }
                }
                7 => Self::Bytes(field.bytes(NAME)?),
                // An index into a dictionary that only profiles have: as if absent (row W7).
                8 => field.int32(NAME).map(|_| Self::Empty)?,
                _ => value,
            };
        }
        Ok(value)
    }
}

/// A view of an `InstrumentationScope`.
#[derive(Clone, Copy, Debug)]
pub struct ScopeView<'a> {
    name: &'a str,
    version: &'a str,
    dropped_attributes_count: u32,
    fields: Merged<'a>,
}

impl<'a> ScopeView<'a> {
    /// Reads an encoded `InstrumentationScope`.
    ///
    /// # Errors
    ///
    /// As [`View::read`].
    pub fn parse(message: &'a [u8]) -> Result<Self, WireError> {
        Self::read(Reader::new(message))
    }

    /// The name, by convention that of the library; may be empty.
    #[must_use]
    pub const fn name(&self) -> &'a str {
        self.name
    }

    /// The version; empty if not known.
    #[must_use]
    pub const fn version(&self) -> &'a str {
        self.version
    }

    /// How many attributes were discarded.
    #[must_use]
    pub const fn dropped_attributes_count(&self) -> u32 {
        self.dropped_attributes_count
    }

    /// The scope's attributes.
    #[must_use]
    pub fn attributes(&self) -> Attributes<'a> {
        self.fields.views(&(Self::NAME, 3))
    }

    const NAME: &'static str = "InstrumentationScope";

    pub(super) fn read_merged(fields: Merged<'a>) -> Result<Self, WireError> {
        let mut scope = Self { name: "", version: "", dropped_attributes_count: 0, fields };
        for field in fields {
            let field = field?;
            match field.number {
                1 => scope.name = field.text(Self::NAME)?,
                2 => scope.version = field.text(Self::NAME)?,
                4 => scope.dropped_attributes_count = field.uint32(Self::NAME)?,
                _ => {}
            }
        }
        Ok(scope)
    }
}

impl<'a> View<'a> for ScopeView<'a> {
    fn read(fields: Reader<'a>) -> Result<Self, WireError> {
        Self::read_merged(Merged::whole(fields))
    }
}
