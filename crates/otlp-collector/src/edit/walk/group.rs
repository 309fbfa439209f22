//! What a resource or a scope is, read from the envelope that it heads.

use std::borrow::Cow;

use otlp_core::wire::WireError;
use otlp_core::wire::request::RopeField;
use otlp_core::wire::writer::{LEN, key, put_message};

use crate::edit::attributes::Attributes;
use crate::edit::fields::length_delimited;
use crate::edit::tape::Tape;

/// The pieces of the message in field 1 of an envelope. Nearly always it is one, or none.
pub(super) struct Pieces<'a>(Vec<Piece<'a>>);

struct Piece<'a> {
    content: Cow<'a, [u8]>,
    start: usize,
}

impl<'a> Pieces<'a> {
    /// Looks through the fields of an envelope, which costs a step for each of its children.
    pub(super) fn read(envelope: &RopeField<'a>) -> Result<Self, WireError> {
        let mut pieces = Vec::new();
        for field in envelope.fields()? {
            let field = field?;
            if field.number() == 1 {
                pieces.push(Piece { content: field.content()?, start: field.content_start() });
            }
        }
        Ok(Self(pieces))
    }
}

/// A resource or a scope.
pub(super) struct Group<'g> {
    pub(super) attributes: Attributes<'g>,
    /// Of a scope.
    pub(super) name: &'g [u8],
    pub(super) version: &'g [u8],
    /// The number of the field that attributes stand in.
    number: u8,
    /// Where the content of the last piece starts.
    last: Option<usize>,
}

impl<'g> Group<'g> {
    /// A `Resource`.
    pub(super) fn resource(pieces: &'g Pieces<'_>) -> Result<Self, WireError> {
        Self::read(pieces, 1, 0)
    }

    /// An `InstrumentationScope`.
    pub(super) fn scope(pieces: &'g Pieces<'_>) -> Result<Self, WireError> {
        Self::read(pieces, 3, 1 << 1 | 1 << 2)
    }

    /// With attributes in field `number`, and name and version in those that are `wanted`.
    fn read(pieces: &'g Pieces<'_>, number: u8, wanted: u32) -> Result<Self, WireError> {
        let (mut name, mut version) = (&[][..], &[][..]);
        let mut attributes = Attributes::default();
        for piece in &pieces.0 {
            attributes.read(&piece.content, piece.start, number, wanted, |field| {
                match field.number {
                    1 => name = length_delimited(field, "InstrumentationScope")?,
                    _ => version = length_delimited(field, "InstrumentationScope")?,
                }
                Ok(())
            })?;
        }
        let last = pieces.0.last().map(|piece| piece.start);
        Ok(Self { attributes, name, version, number, last })
    }

    /// Puts a group that the envelope has no message for on the tape: in front of everything else.
    pub(super) fn write_if_absent(&self, envelope: &RopeField<'_>, tape: &mut Tape<'_>) {
        if self.last.is_none() && self.attributes.is_changed() {
            let start = envelope.content_start();
            put_message(tape.replace(start, start), key(1, LEN), |out| {
                self.attributes.put_added(out, self.number);
            });
        }
    }

    /// Puts what changed in one piece of the message on the tape.
    pub(super) fn write(&self, piece: &RopeField<'_>, tape: &mut Tape<'_>) {
        if self.attributes.is_changed() {
            let range = (piece.content_start(), piece.end());
            tape.enter(piece);
            self.attributes.write(tape, range, self.number, self.last == Some(range.0));
            tape.leave();
        }
    }
}
