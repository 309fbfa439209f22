//! Data points: what all kinds have, and what each kind has of its own.

use super::super::WireError;
use super::super::common::Attributes;
use super::super::reader::{Field, Reader};
use super::super::view::{Merged, Place, View, Views};
use super::{ExemplarView, Number, Numbers};

/// A view of a data point; `K` is what its kind has beyond the others.
#[derive(Clone, Copy, Debug)]
pub struct PointView<'a, K> {
    start_time_unix_nano: u64,
    time_unix_nano: u64,
    flags: u32,
    kind: K,
    fields: Reader<'a>,
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

/// What a point of a histogram has of its own.
#[derive(Clone, Copy, Debug, Default)]
pub struct HistogramPoint {
    count: u64,
    sum: Option<f64>,
    min: Option<f64>,
    max: Option<f64>,
}

impl<'a> PointView<'a, HistogramPoint> {
    /// How many values there were.
    #[must_use]
    pub const fn count(&self) -> u64 {
        self.kind.count
    }

    /// Their sum, if it was kept.
    #[must_use]
    pub const fn sum(&self) -> Option<f64> {
        self.kind.sum
    }

    /// The smallest of them, if it was kept.
    #[must_use]
    pub const fn min(&self) -> Option<f64> {
        self.kind.min
    }

    /// The largest of them, if it was kept.
    #[must_use]
    pub const fn max(&self) -> Option<f64> {
        self.kind.max
    }

    /// How many values each bucket has: one more bucket than there are bounds, or none (row F6).
    #[must_use]
    pub const fn bucket_counts(&self) -> Numbers<'a, u64> {
        Numbers::fixed64(Merged::whole(self.fields), &(HISTOGRAM, 6))
    }

    /// The upper bounds of all buckets but the last one; a bound belongs to its bucket.
    #[must_use]
    pub const fn explicit_bounds(&self) -> Numbers<'a, f64> {
        Numbers::fixed64(Merged::whole(self.fields), &(HISTOGRAM, 7))
    }

    /// Examples of what was measured.
    #[must_use]
    pub fn exemplars(&self) -> Views<'a, ExemplarView<'a>> {
        Merged::whole(self.fields).views(&(HISTOGRAM, 8))
    }
}

impl<'a> PointKind<'a> for HistogramPoint {
    const FLAGS: u32 = 10;
    const ATTRIBUTES: Place = &(HISTOGRAM, 9);

    fn take(&mut self, field: &Field<'a>, _: Reader<'a>) -> Result<(), WireError> {
        match field.number {
            4 => self.count = field.fixed64(HISTOGRAM)?,
            5 => self.sum = Some(field.double(HISTOGRAM)?),
            11 => self.min = Some(field.double(HISTOGRAM)?),
            12 => self.max = Some(field.double(HISTOGRAM)?),
            _ => {}
        }
        Ok(())
    }
}

/// What a point of an exponential histogram has of its own.
#[derive(Clone, Copy, Debug, Default)]
pub struct ExponentialHistogramPoint<'a> {
    values: HistogramPoint,
    scale: i32,
    zero_count: u64,
    zero_threshold: f64,
    positive: Option<BucketsView<'a>>,
    negative: Option<BucketsView<'a>>,
}

impl<'a> PointView<'a, ExponentialHistogramPoint<'a>> {
    /// How many values there were.
    #[must_use]
    pub const fn count(&self) -> u64 {
        self.kind.values.count
    }

    /// Their sum, if it was kept.
    #[must_use]
    pub const fn sum(&self) -> Option<f64> {
        self.kind.values.sum
    }

    /// The smallest of them, if it was kept.
    #[must_use]
    pub const fn min(&self) -> Option<f64> {
        self.kind.values.min
    }

    /// The largest of them, if it was kept.
    #[must_use]
    pub const fn max(&self) -> Option<f64> {
        self.kind.values.max
    }

    /// Says how fine the buckets are: a bound is `2^(2^-scale)` times the one before it.
    #[must_use]
    pub const fn scale(&self) -> i32 {
        self.kind.scale
    }

    /// How many values were zero, or no further from it than [`zero_threshold`](Self::zero_threshold).
    #[must_use]
    pub const fn zero_count(&self) -> u64 {
        self.kind.zero_count
    }

    /// Values as close to zero as this count as zero.
    #[must_use]
    pub const fn zero_threshold(&self) -> f64 {
        self.kind.zero_threshold
    }

    /// The buckets of positive values.
    #[must_use]
    pub const fn positive(&self) -> Option<BucketsView<'a>> {
        self.kind.positive
    }

    /// The buckets of negative values, by their distance from zero.
    #[must_use]
    pub const fn negative(&self) -> Option<BucketsView<'a>> {
        self.kind.negative
    }

    /// Examples of what was measured.
    #[must_use]
    pub fn exemplars(&self) -> Views<'a, ExemplarView<'a>> {
        Merged::whole(self.fields).views(&(EXPONENTIAL, 11))
    }
}

impl<'a> PointKind<'a> for ExponentialHistogramPoint<'a> {
    const FLAGS: u32 = 10;
    const ATTRIBUTES: Place = &(EXPONENTIAL, 1);

    fn take(&mut self, field: &Field<'a>, fields: Reader<'a>) -> Result<(), WireError> {
        let buckets = |place| BucketsView::read_merged(Merged::whole(fields).child(place));
        match field.number {
            4 => self.values.count = field.fixed64(EXPONENTIAL)?,
            5 => self.values.sum = Some(field.double(EXPONENTIAL)?),
            6 => self.scale = field.sint32(EXPONENTIAL)?,
            7 => self.zero_count = field.fixed64(EXPONENTIAL)?,
            8 if self.positive.is_none() => self.positive = Some(buckets(&(EXPONENTIAL, 8))?),
            9 if self.negative.is_none() => self.negative = Some(buckets(&(EXPONENTIAL, 9))?),
            12 => self.values.min = Some(field.double(EXPONENTIAL)?),
            13 => self.values.max = Some(field.double(EXPONENTIAL)?),
            14 => self.zero_threshold = field.double(EXPONENTIAL)?,
            _ => {}
        }
        Ok(())
    }
}

/// A view of the `Buckets` on one side of zero.
#[derive(Clone, Copy, Debug)]
pub struct BucketsView<'a> {
    offset: i32,
    fields: Merged<'a>,
}

impl<'a> BucketsView<'a> {
    /// The index of the first bucket. Bucket `i` has the values above `base^i`, up to `base^(i+1)`.
    #[must_use]
    pub const fn offset(&self) -> i32 {
        self.offset
    }

    /// How many values each bucket has.
    #[must_use]
    pub const fn bucket_counts(&self) -> Numbers<'a, u64> {
        Numbers::varint(self.fields, &(BUCKETS, 2))
    }

    fn read_merged(fields: Merged<'a>) -> Result<Self, WireError> {
        let mut offset = 0;
        for field in fields {
            let field = field?;
            if field.number == 1 {
                offset = field.sint32(BUCKETS)?;
            }
        }
        Ok(Self { offset, fields })
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

mod sealed {
    pub trait Sealed {}
    impl Sealed for super::NumberPoint {}
    impl Sealed for super::HistogramPoint {}
    impl Sealed for super::ExponentialHistogramPoint<'_> {}
    impl Sealed for super::SummaryPoint {}
}

const NUMBER: &str = "NumberDataPoint";
const HISTOGRAM: &str = "HistogramDataPoint";
const EXPONENTIAL: &str = "ExponentialHistogramDataPoint";
const BUCKETS: &str = "Buckets";
const SUMMARY: &str = "SummaryDataPoint";
