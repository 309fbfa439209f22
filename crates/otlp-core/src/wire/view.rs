//! What all views share: how they are made, iterated, and merged.

use std::marker::PhantomData;

use super::WireError;
use super::reader::{Field, Reader};

/// A borrowed, read-only look at one message in its encoded form.
///
/// Making a view reads the message's own fields once and remembers where nested messages stand;
/// those are read when they are asked for. The order of fields does not matter. As protobuf has
/// it, the last value of a repeated singular field wins, and singular messages that occur more
/// than once are merged. Unknown fields are passed over (row W2).
///
/// Views are made by [`Views`], and by `parse` where it makes sense to start. A view never
/// allocates and never panics; bytes that are not well-formed give an error when they are reached.
/// A view checks what it reads and no more: use [`scan`](super::scan) to check a whole request.
pub trait View<'a>: Sized {
    /// Reads the fields of the message that `fields` stands at.
    ///
    /// # Errors
    ///
    /// The message is not well-formed, a known field has another wire type than its definition, or
    /// a string is not UTF-8.
    fn read(fields: Reader<'a>) -> Result<Self, WireError>;
}

/// An iterator over the nested messages of one field, in the order in which they stand.
///
/// It ends after an error in the enclosing message; an error inside one element is given for that
/// element, and the next one follows.
#[derive(Clone, Copy, Debug)]
pub struct Views<'a, V> {
    messages: Messages<'a>,
    view: PhantomData<fn() -> V>,
}

impl<'a, V: View<'a>> Iterator for Views<'a, V> {
    type Item = Result<V, WireError>;

    fn next(&mut self) -> Option<Self::Item> {
        Some(self.messages.next()?.and_then(V::read))
    }
}

/// The fields of a singular message, which may stand in several pieces: protobuf merges them, as
/// if they were one message with the fields of all.
///
/// Two levels suffice: in OTLP, a singular message within a singular message is only the array or
/// map within an attribute's value.
#[derive(Clone, Copy, Debug)]
pub(super) struct Merged<'a> {
    fields: Reader<'a>,
    /// Where the further pieces are.
    pieces: Pieces<'a>,
    /// Where the further messages are that `pieces` looks into.
    parents: Pieces<'a>,
}

impl<'a> Merged<'a> {
    /// The message in one piece.
    pub(super) const fn whole(fields: Reader<'a>) -> Self {
        Self { fields, pieces: Pieces::NONE, parents: Pieces::NONE }
    }

    /// The singular message in field `place` of `self`.
    pub(super) const fn child(self, place: Place) -> Self {
        let pieces = Pieces { fields: self.fields, place };
        Self { fields: Reader::new(&[]), pieces, parents: self.pieces }
    }

    /// The repeated messages in field `place` of `self`.
    pub(super) const fn views<V>(self, place: Place) -> Views<'a, V> {
        Views { messages: Messages { fields: self, place }, view: PhantomData }
    }

    fn next_piece(&mut self) -> Option<Result<Reader<'a>, WireError>> {
        loop {
            if let Some(piece) = self.pieces.next() {
                return Some(piece);
            }
            match self.parents.next()? {
                Ok(parent) => self.pieces.fields = parent,
                Err(error) => return Some(Err(error)),
            }
        }
    }
}

impl<'a> From<Reader<'a>> for Merged<'a> {
    fn from(fields: Reader<'a>) -> Self {
        Self::whole(fields)
    }
}

impl<'a> Iterator for Merged<'a> {
    type Item = Result<Field<'a>, WireError>;

    #[inline]
    fn next(&mut self) -> Option<Self::Item> {
        let error = loop {
            match self.fields.next() {
                Some(Ok(field)) => return Some(Ok(field)),
                Some(Err(error)) => break error,
                None => {}
            }
            match self.next_piece()? {
                Ok(piece) => self.fields = piece,
                Err(error) => break error,
            }
        };
        *self = Self::whole(Reader::new(&[]));
        Some(Err(error))
    }
}

/// A field: the name of the message that has it, and its number. By reference, since views carry
/// several and are passed by value.
pub(super) type Place = &'static (&'static str, u32);

/// The messages in one field of a message that stands in one piece.
#[derive(Clone, Copy, Debug)]
struct Pieces<'a> {
    fields: Reader<'a>,
    place: Place,
}

impl Pieces<'_> {
    const NONE: Self = Self { fields: Reader::new(&[]), place: &("", 0) };
}

impl<'a> Iterator for Pieces<'a> {
    type Item = Result<Reader<'a>, WireError>;

    fn next(&mut self) -> Option<Self::Item> {
        let place = self.place;
        self.fields.find_map(|field| nested(field, place))
    }
}

/// The messages in one field of a message that may stand in several pieces.
#[derive(Clone, Copy, Debug)]
struct Messages<'a> {
    fields: Merged<'a>,
    place: Place,
}

impl<'a> Iterator for Messages<'a> {
    type Item = Result<Reader<'a>, WireError>;

    fn next(&mut self) -> Option<Self::Item> {
        let place = self.place;
        self.fields.find_map(|field| nested(field, place))
    }
}

/// The message nested in `field`, if it is the field that is looked for.
fn nested<'a>(
    field: Result<Field<'a>, WireError>,
    &(name, number): Place,
) -> Option<Result<Reader<'a>, WireError>> {
    match field {
        Ok(field) if field.number != number => None,
        Ok(field) => Some(field.message(name)),
        Err(error) => Some(Err(error)),
    }
}
