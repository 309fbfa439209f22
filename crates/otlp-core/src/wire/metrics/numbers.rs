//! Repeated numbers, which stand packed into one field, or each in a field of its own.

use std::marker::PhantomData;

use super::super::WireError;
use super::super::reader::{FieldValue, Input as _, Reader};
use super::super::view::{Merged, Place};

/// An iterator over repeated numbers, in the order in which they stand.
///
/// It ends after an error.
#[derive(Clone, Copy, Debug)]
pub struct Numbers<'a, N> {
    fields: Merged<'a>,
    place: Place,
    form: Form,
    /// What is left of the packed field that was reached.
    packed: Reader<'a>,
    number: PhantomData<fn() -> N>,
}

/// How one number is written.
#[derive(Clone, Copy, Debug)]
enum Form {
    Fixed64,
    Varint,
}

/// A number made from 64 bits.
pub trait PackedNumber: sealed::Sealed {
    #[doc(hidden)]
    fn from_bits(bits: u64) -> Self;
}

impl<'a, N> Numbers<'a, N> {
    /// The eight-byte numbers in field `place`.
    pub(super) const fn fixed64(fields: Merged<'a>, place: Place) -> Self {
        Self::new(fields, place, Form::Fixed64)
    }

    /// The varints in field `place`.
    pub(super) const fn varint(fields: Merged<'a>, place: Place) -> Self {
        Self::new(fields, place, Form::Varint)
    }

    const fn new(fields: Merged<'a>, place: Place, form: Form) -> Self {
        Self { fields, place, form, packed: Reader::new(&[]), number: PhantomData }
    }

    fn next_bits(&mut self) -> Option<Result<u64, WireError>> {
        while self.packed.remaining() == 0 {
            let field = match self.fields.next()? {
                Ok(field) if field.number != self.place.1 => continue,
                Ok(field) => field,
                Err(error) => return Some(Err(error)),
            };
            match (field.value, self.form) {
                (FieldValue::Len(_), _) => match field.packed(self.place.0) {
                    Ok(packed) => self.packed = packed,
                    Err(error) => return Some(Err(error)),
                },
                (FieldValue::Fixed64(bits), Form::Fixed64)
                | (FieldValue::Varint(bits), Form::Varint) => return Some(Ok(bits)),
                _ => return Some(Err(field.wrong_wire_type(self.place.0))),
            }
        }
        Some(match self.form {
            Form::Fixed64 => self.packed.fixed().map(u64::from_le_bytes),
            Form::Varint => self.packed.varint(),
        })
    }
}

impl<N: PackedNumber> Iterator for Numbers<'_, N> {
    type Item = Result<N, WireError>;

    #[inline]
    fn next(&mut self) -> Option<Self::Item> {
        let number = self.next_bits()?;
        if number.is_err() {
            (self.fields, self.packed) = (Merged::whole(Reader::new(&[])), Reader::new(&[]));
        }
        Some(number.map(N::from_bits))
    }
}

impl PackedNumber for u64 {
    fn from_bits(bits: u64) -> Self {
        bits
    }
}

impl PackedNumber for f64 {
    fn from_bits(bits: u64) -> Self {
        Self::from_bits(bits)
    }
}

mod sealed {
    pub trait Sealed {}
    impl Sealed for u64 {}
    impl Sealed for f64 {}
}
