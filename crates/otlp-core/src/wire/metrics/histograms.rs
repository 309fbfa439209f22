//! Data points of histograms, of both kinds.

use super::super::WireError;
use super::super::reader::{Field, Reader};
use super::super::view::{Merged, Place, Views};
use super::points::{PointKind, PointView, sealed};
use super::{ExemplarView, Numbers};

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

impl sealed::Sealed for HistogramPoint {}
impl sealed::Sealed for ExponentialHistogramPoint<'_> {}

const HISTOGRAM: &str = "HistogramDataPoint";
const EXPONENTIAL: &str = "ExponentialHistogramDataPoint";
const BUCKETS: &str = "Buckets";
