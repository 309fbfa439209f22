//! Data points: what all kinds have, and what those of single numbers and of summaries have of their own.

use super::super::WireError;
use super::super::common::Attributes;
use super::super::reader::{Field, Reader};
use super::super::view::{Merged, Place, View, Views};
use super::{ExemplarView, Number};

/// A view of a data point; `K` is what its kind has beyond the others.
#[derive(Clone, Copy, Debug)]
pub struct PointView<'a, K> {
    start_time_unix_nano: u64,
    time_unix_nano: u64,
    flags: u32,
    pub(super) kind: K,
    pub(super) fields: Reader<'a>,
}

/// A kind of data points.
pub trait PointKind<'a>: Default + sealed::Sealed {
    #[doc(hidden)]
    const FLAGS: u32;
    #[doc(hidden)]
    const ATTRIBUTES: Place;

    /// Takes a field over that only this kind has. `fields` are those of the whole point.
    #[doc(hidden)]
    fn take(&mut self, field: &Field<'a>, fields: Reader<'a>) -> Result<(), WireError>;
}

impl<'a, K: PointKind<'a>> PointView<'a, K> {
    /// Since when the point counts, in nanoseconds since the Unix epoch; 0 if that is not known.
    #[must_use]
    pub const fn start_time_unix_nano(&self) -> u64 {
        self.start_time_unix_nano
    }

    /// When the point was taken, in nanoseconds since the Unix epoch. Points with 0 should be refused
    /// (row F6).
    #[must_use]
    pub const fn time_unix_nano(&self) -> u64 {
        self.time_unix_nano
    }

    /// Bit 0 says that there is no value: what the point stands for has gone.
    #[must_use]
    pub const fn flags(&self) -> u32 {
        self.flags
    }

    /// The point's attributes, which tell it from the others of its metric.
    #[must_use]
    pub fn attributes(&self) -> Attributes<'a> {
        Merged::whole(self.fields).views(K::ATTRIBUTES)
    }
}

impl<'a, K: PointKind<'a>> View<'a> for PointView<'a, K> {
    fn read(fields: Reader<'a>) -> Result<Self, WireError> {
        let kind = K::default();
        let mut point = Self { start_time_unix_nano: 0, time_unix_nano: 0, flags: 0, kind, fields };
        let name = K::ATTRIBUTES.0;
        for field in fields {
            let field = field?;
            match field.number {
                2 => point.start_time_unix_nano = field.fixed64(name)?,
                3 => point.time_unix_nano = field.fixed64(name)?,
                number if number == K::FLAGS => point.flags = field.uint32(name)?,
                _ => point.kind.take(&field, fields)?,
            }
        }
        Ok(point)
    }
}

/// What a point of a gauge or a sum has of its own.
#[derive(Clone, Copy, Debug, Default)]
pub struct NumberPoint {
    value: Option<Number>,
}

impl<'a> PointView<'a, NumberPoint> {
    /// The value; `None` if there is none, as bit 0 of [`flags`](Self::flags) then says.
    #[must_use]
    pub const fn value(&self) -> Option<Number> {
        self.kind.value
    }

    /// Examples of what was measured.
    #[must_use]
    pub fn exemplars(&self) -> Views<'a, ExemplarView<'a>> {
        Merged::whole(self.fields).views(&(NUMBER, 5))
    }
}

impl<'a> PointKind<'a> for NumberPoint {
    const FLAGS: u32 = 8;
    const ATTRIBUTES: Place = &(NUMBER, 7);

    fn take(&mut self, field: &Field<'a>, _: Reader<'a>) -> Result<(), WireError> {
        match field.number {
            4 => self.value = Some(Number::F64(field.double(NUMBER)?)),
            6 => self.value = Some(Number::I64(field.fixed64(NUMBER)?.cast_signed())),
            _ => {}
        }
        Ok(())
    }
}

/// What a point of a summary has of its own.
#[derive(Clone, Copy, Debug, Default)]
pub struct SummaryPoint {
    count: u64,
    sum: f64,
}

impl<'a> PointView<'a, SummaryPoint> {
    /// How many values there were.
    #[must_use]
    pub const fn count(&self) -> u64 {
        self.kind.count
    }

    /// Their sum.
    #[must_use]
    pub const fn sum(&self) -> f64 {
        self.kind.sum
    }

    /// Values at quantiles of the distribution.
    #[must_use]
    pub fn quantiles(&self) -> Views<'a, QuantileView> {
        Merged::whole(self.fields).views(&(SUMMARY, 6))
    }
}

impl<'a> PointKind<'a> for SummaryPoint {
    const FLAGS: u32 = 8;
    const ATTRIBUTES: Place = &(SUMMARY, 7);

    fn take(&mut self, field: &Field<'a>, _: Reader<'a>) -> Result<(), WireError> {
        match field.number {
            4 => self.count = field.fixed64(SUMMARY)?,
            5 => self.sum = field.double(SUMMARY)?,
            _ => {}
        }
        Ok(())
    }
}

/// A view of a `ValueAtQuantile`.
#[derive(Clone, Copy, Debug, Default)]
pub struct QuantileView {
    quantile: f64,
    value: f64,
}

impl QuantileView {
    /// The quantile, from 0 for the smallest value to 1 for the largest.
    #[must_use]
    pub const fn quantile(&self) -> f64 {
        self.quantile
    }

    /// The value there.
    #[must_use]
    pub const fn value(&self) -> f64 {
        self.value
    }
}

impl<'a> View<'a> for QuantileView {
    fn read(fields: Reader<'a>) -> Result<Self, WireError> {
        const NAME: &str = "ValueAtQuantile";
        let mut at = Self::default();
        for field in fields {
            let field = field?;
            match field.number {
                1 => at.quantile = field.double(NAME)?,
                2 => at.value = field.double(NAME)?,
                _ => {}
            }
        }
        Ok(at)
    }
}

pub(super) mod sealed {
    pub trait Sealed {}
    impl Sealed for super::NumberPoint {}
    impl Sealed for super::SummaryPoint {}
}

const NUMBER: &str = "NumberDataPoint";
const SUMMARY: &str = "SummaryDataPoint";
