//! Data points as they are handed over, and their bytes.

use crate::wire::value::Entries;
use crate::wire::varint::{encoded_len, put};
use crate::wire::writer::{
    FIXED64, LEN, VARINT, fixed64_non_zero_len, key, len_field, len_non_empty_len,
    put_fixed64_non_zero, put_len, put_len_header, put_varint_non_zero, varint_non_zero_len,
};

use super::Number;

/// A point of a gauge or a sum.
///
/// The times of all points are in nanoseconds since the Unix epoch; a start of 0 is not known. Points
/// without a time should be refused by whoever gets them (row F6).
#[derive(Clone, Copy)]
pub struct NumberPoint<'a> {
    /// Since when it counts.
    pub start_time_unix_nano: u64,
    /// When it was taken.
    pub time_unix_nano: u64,
    /// The value; `None` only where `flags` say so.
    pub value: Option<Number>,
    /// Bit 0 says that there is no value.
    pub flags: u32,
    /// What tells it from the other points of its metric.
    pub attributes: &'a dyn Entries,
    /// Examples of what was measured.
    pub exemplars: &'a [Exemplar<'a>],
}

/// A point of a histogram with given bounds.
#[derive(Clone, Copy)]
pub struct HistogramPoint<'a> {
    /// Since when it counts.
    pub start_time_unix_nano: u64,
    /// When it was taken.
    pub time_unix_nano: u64,
    /// How many values there were.
    pub count: u64,
    /// Their sum, if it is kept.
    pub sum: Option<f64>,
    /// The smallest of them, if it is kept.
    pub min: Option<f64>,
    /// The largest of them, if it is kept.
    pub max: Option<f64>,
    /// How many values each bucket has: one more bucket than there are bounds, or none (row F6).
    pub bucket_counts: &'a [u64],
    /// The upper bounds of all buckets but the last one, rising; a bound belongs to its bucket.
    pub explicit_bounds: &'a [f64],
    /// Bit 0 says that there are no values.
    pub flags: u32,
    /// What tells it from the other points of its metric.
    pub attributes: &'a dyn Entries,
    /// Examples of what was measured.
    pub exemplars: &'a [Exemplar<'a>],
}

/// A point of an exponential histogram.
#[derive(Clone, Copy)]
pub struct ExponentialHistogramPoint<'a> {
    /// Since when it counts.
    pub start_time_unix_nano: u64,
    /// When it was taken.
    pub time_unix_nano: u64,
    /// How many values there were.
    pub count: u64,
    /// Their sum, if it is kept.
    pub sum: Option<f64>,
    /// The smallest of them, if it is kept.
    pub min: Option<f64>,
    /// The largest of them, if it is kept.
    pub max: Option<f64>,
    /// Says how fine the buckets are: a bound is `2^(2^-scale)` times the one before it.
    pub scale: i32,
    /// How many values were zero, or no further from it than `zero_threshold`.
    pub zero_count: u64,
    /// Values as close to zero as this count as zero.
    pub zero_threshold: f64,
    /// The buckets of positive values.
    pub positive: Option<Buckets<'a>>,
    /// The buckets of negative values, by their distance from zero.
    pub negative: Option<Buckets<'a>>,
    /// Bit 0 says that there are no values.
    pub flags: u32,
    /// What tells it from the other points of its metric.
    pub attributes: &'a dyn Entries,
    /// Examples of what was measured.
    pub exemplars: &'a [Exemplar<'a>],
}

/// Buckets on one side of zero.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Buckets<'a> {
    /// The index of the first one. Bucket `i` has the values above `base^i`, up to `base^(i+1)`.
    pub offset: i32,
    /// How many values each has.
    pub counts: &'a [u64],
}

/// A point of a summary.
#[derive(Clone, Copy)]
pub struct SummaryPoint<'a> {
    /// Since when it counts.
    pub start_time_unix_nano: u64,
    /// When it was taken.
    pub time_unix_nano: u64,
    /// How many values there were.
    pub count: u64,
    /// Their sum.
    pub sum: f64,
    /// Values at quantiles of the distribution.
    pub quantiles: &'a [Quantile],
    /// Bit 0 says that there are no values.
    pub flags: u32,
    /// What tells it from the other points of its metric.
    pub attributes: &'a dyn Entries,
}

/// The value at a quantile.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Quantile {
    /// From 0 for the smallest value to 1 for the largest.
    pub quantile: f64,
    /// The value there.
    pub value: f64,
}

/// A single measurement that a point keeps as an example (row M7).
#[derive(Clone, Copy)]
pub struct Exemplar<'a> {
    /// When it was measured.
    pub time_unix_nano: u64,
    /// What was measured.
    pub value: Number,
    /// Trace and span in which it was measured, if there were any.
    pub context: Option<([u8; 16], [u8; 8])>,
    /// Attributes of the measurement that the point's own do not have.
    pub filtered_attributes: &'a dyn Entries,
}

/// A data point of any kind.
pub trait Point: sealed::Sealed {
    #[doc(hidden)]
    const ATTRIBUTES: u8;
    #[doc(hidden)]
    const EXEMPLARS: u8;

    #[doc(hidden)]
    fn attributes(&self) -> &dyn Entries;

    #[doc(hidden)]
    fn exemplars(&self) -> &[Exemplar<'_>];

    /// Length of the message; `nested` is that of its attributes and exemplars.
    #[doc(hidden)]
    fn message_len(&self, nested: usize) -> usize;

    #[doc(hidden)]
    fn put_message(&self, attributes: &[u8], exemplars: &[u8], buf: &mut Vec<u8>);

    #[doc(hidden)]
    fn exemplars_key(&self) -> u8 {
        key(Self::EXEMPLARS, LEN)
    }
}

impl Point for NumberPoint<'_> {
    const ATTRIBUTES: u8 = 7;
    const EXEMPLARS: u8 = 5;

    fn attributes(&self) -> &dyn Entries {
        self.attributes
    }

    fn exemplars(&self) -> &[Exemplar<'_>] {
        self.exemplars
    }

    #[inline]
    fn message_len(&self, nested: usize) -> usize {
        times_len(self.start_time_unix_nano, self.time_unix_nano)
            + if self.value.is_some() { 9 } else { 0 }
            + nested
            + varint_non_zero_len(self.flags.into())
    }

    #[inline]
    fn put_message(&self, attributes: &[u8], exemplars: &[u8], buf: &mut Vec<u8>) {
        put_times(self.start_time_unix_nano, self.time_unix_nano, buf);
        match self.value {
            Some(Number::F64(value)) => put_double(key(4, FIXED64), value, buf),
            Some(Number::I64(value)) => put_fixed64(key(6, FIXED64), value.cast_unsigned(), buf),
            None => {}
        }
        buf.extend_from_slice(exemplars);
        buf.extend_from_slice(attributes);
        put_varint_non_zero(buf, key(8, VARINT), self.flags.into());
    }
}

impl Point for HistogramPoint<'_> {
    const ATTRIBUTES: u8 = 9;
    const EXEMPLARS: u8 = 8;

    fn attributes(&self) -> &dyn Entries {
        self.attributes
    }

    fn exemplars(&self) -> &[Exemplar<'_>] {
        self.exemplars
    }

    fn message_len(&self, nested: usize) -> usize {
        times_len(self.start_time_unix_nano, self.time_unix_nano)
            + fixed64_non_zero_len(self.count)
            + optional_len([self.sum, self.min, self.max])
            + len_non_empty_len(8 * self.bucket_counts.len())
            + len_non_empty_len(8 * self.explicit_bounds.len())
            + nested
            + varint_non_zero_len(self.flags.into())
    }

    fn put_message(&self, attributes: &[u8], exemplars: &[u8], buf: &mut Vec<u8>) {
        put_times(self.start_time_unix_nano, self.time_unix_nano, buf);
        put_fixed64_non_zero(buf, key(4, FIXED64), self.count);
        put_optional(key(5, FIXED64), self.sum, buf);
        put_packed(key(6, LEN), self.bucket_counts, |count| *count, buf);
        put_packed(key(7, LEN), self.explicit_bounds, |bound| bound.to_bits(), buf);
        buf.extend_from_slice(exemplars);
        buf.extend_from_slice(attributes);
        put_varint_non_zero(buf, key(10, VARINT), self.flags.into());
        put_optional(key(11, FIXED64), self.min, buf);
        put_optional(key(12, FIXED64), self.max, buf);
    }
}

impl Point for ExponentialHistogramPoint<'_> {
    const ATTRIBUTES: u8 = 1;
    const EXEMPLARS: u8 = 11;

    fn attributes(&self) -> &dyn Entries {
        self.attributes
    }

    fn exemplars(&self) -> &[Exemplar<'_>] {
        self.exemplars
    }

    fn message_len(&self, nested: usize) -> usize {
        let buckets = |buckets: Option<Buckets<'_>>| buckets.map_or(0, |b| len_field(b.len()));
        times_len(self.start_time_unix_nano, self.time_unix_nano)
            + fixed64_non_zero_len(self.count)
            + optional_len([self.sum, self.min, self.max])
            + varint_non_zero_len(zigzag(self.scale))
            + fixed64_non_zero_len(self.zero_count)
            + buckets(self.positive)
            + buckets(self.negative)
            + varint_non_zero_len(self.flags.into())
            + fixed64_non_zero_len(self.zero_threshold.to_bits())
            + nested
    }

    fn put_message(&self, attributes: &[u8], exemplars: &[u8], buf: &mut Vec<u8>) {
        buf.extend_from_slice(attributes);
        put_times(self.start_time_unix_nano, self.time_unix_nano, buf);
        put_fixed64_non_zero(buf, key(4, FIXED64), self.count);
        put_optional(key(5, FIXED64), self.sum, buf);
        put_varint_non_zero(buf, key(6, VARINT), zigzag(self.scale));
        put_fixed64_non_zero(buf, key(7, FIXED64), self.zero_count);
        for (field_key, buckets) in [(key(8, LEN), self.positive), (key(9, LEN), self.negative)] {
            if let Some(buckets) = buckets {
                buckets.put(field_key, buf);
            }
        }
        put_varint_non_zero(buf, key(10, VARINT), self.flags.into());
        buf.extend_from_slice(exemplars);
        put_optional(key(12, FIXED64), self.min, buf);
        put_optional(key(13, FIXED64), self.max, buf);
        put_fixed64_non_zero(buf, key(14, FIXED64), self.zero_threshold.to_bits());
    }
}

impl Buckets<'_> {
    fn len(&self) -> usize {
        varint_non_zero_len(zigzag(self.offset)) + len_non_empty_len(self.counts_len())
    }

    fn counts_len(&self) -> usize {
        self.counts.iter().map(|count| encoded_len(*count)).sum()
    }

    fn put(&self, field_key: u8, buf: &mut Vec<u8>) {
        put_len_header(buf, field_key, self.len());
        put_varint_non_zero(buf, key(1, VARINT), zigzag(self.offset));
        if !self.counts.is_empty() {
            put_len_header(buf, key(2, LEN), self.counts_len());
            self.counts.iter().for_each(|count| put(buf, *count));
        }
    }
}

impl Point for SummaryPoint<'_> {
    const ATTRIBUTES: u8 = 7;
    /// It has none.
    const EXEMPLARS: u8 = 5;

    fn attributes(&self) -> &dyn Entries {
        self.attributes
    }

    fn exemplars(&self) -> &[Exemplar<'_>] {
        &[]
    }

    fn message_len(&self, nested: usize) -> usize {
        times_len(self.start_time_unix_nano, self.time_unix_nano)
            + fixed64_non_zero_len(self.count)
            + fixed64_non_zero_len(self.sum.to_bits())
            + self.quantiles.iter().map(|quantile| len_field(quantile.len())).sum::<usize>()
            + nested
            + varint_non_zero_len(self.flags.into())
    }

    fn put_message(&self, attributes: &[u8], _: &[u8], buf: &mut Vec<u8>) {
        put_times(self.start_time_unix_nano, self.time_unix_nano, buf);
        put_fixed64_non_zero(buf, key(4, FIXED64), self.count);
        put_fixed64_non_zero(buf, key(5, FIXED64), self.sum.to_bits());
        for quantile in self.quantiles {
            put_len_header(buf, key(6, LEN), quantile.len());
            put_fixed64_non_zero(buf, key(1, FIXED64), quantile.quantile.to_bits());
            put_fixed64_non_zero(buf, key(2, FIXED64), quantile.value.to_bits());
        }
        buf.extend_from_slice(attributes);
        put_varint_non_zero(buf, key(8, VARINT), self.flags.into());
    }
}

impl Quantile {
    const fn len(&self) -> usize {
        fixed64_non_zero_len(self.quantile.to_bits()) + fixed64_non_zero_len(self.value.to_bits())
    }
}

impl Exemplar<'_> {
    /// Length of the message; `attributes` is that of the filtered ones.
    pub(super) const fn message_len(&self, attributes: usize) -> usize {
        let context = if self.context.is_some() { (2 + 8) + (2 + 16) } else { 0 };
        fixed64_non_zero_len(self.time_unix_nano) + 9 + context + attributes
    }

    pub(super) fn put_message(&self, attributes: &[u8], buf: &mut Vec<u8>) {
        put_fixed64_non_zero(buf, key(2, FIXED64), self.time_unix_nano);
        match self.value {
            Number::F64(value) => put_double(key(3, FIXED64), value, buf),
            Number::I64(value) => put_fixed64(key(6, FIXED64), value.cast_unsigned(), buf),
        }
        if let Some((trace_id, span_id)) = &self.context {
            put_len(buf, key(4, LEN), span_id);
            put_len(buf, key(5, LEN), trace_id);
        }
        buf.extend_from_slice(attributes);
    }
}

/// Points by default have no attributes, no exemplars and nothing in them.
const NO_ATTRIBUTES: &dyn Entries = &[];

impl Default for NumberPoint<'_> {
    fn default() -> Self {
        Self {
            start_time_unix_nano: 0,
            time_unix_nano: 0,
            value: None,
            flags: 0,
            attributes: NO_ATTRIBUTES,
            exemplars: &[],
        }
    }
}

impl Default for HistogramPoint<'_> {
    fn default() -> Self {
        Self {
            start_time_unix_nano: 0,
            time_unix_nano: 0,
            count: 0,
            sum: None,
            min: None,
            max: None,
            bucket_counts: &[],
            explicit_bounds: &[],
            flags: 0,
            attributes: NO_ATTRIBUTES,
            exemplars: &[],
        }
    }
}

impl Default for ExponentialHistogramPoint<'_> {
    fn default() -> Self {
        Self {
            start_time_unix_nano: 0,
            time_unix_nano: 0,
            count: 0,
            sum: None,
            min: None,
            max: None,
            scale: 0,
            zero_count: 0,
            zero_threshold: 0.0,
            positive: None,
            negative: None,
            flags: 0,
            attributes: NO_ATTRIBUTES,
            exemplars: &[],
        }
    }
}

impl Default for SummaryPoint<'_> {
    fn default() -> Self {
        Self {
            start_time_unix_nano: 0,
            time_unix_nano: 0,
            count: 0,
            sum: 0.0,
            quantiles: &[],
            flags: 0,
            attributes: NO_ATTRIBUTES,
        }
    }
}

#[inline]
const fn times_len(start: u64, time: u64) -> usize {
    fixed64_non_zero_len(start) + fixed64_non_zero_len(time)
}

#[inline]
fn put_times(start: u64, time: u64, buf: &mut Vec<u8>) {
    put_fixed64_non_zero(buf, key(2, FIXED64), start);
    put_fixed64_non_zero(buf, key(3, FIXED64), time);
}

#[inline]
fn put_fixed64(field_key: u8, bits: u64, buf: &mut Vec<u8>) {
    buf.push(field_key);
    buf.extend_from_slice(&bits.to_le_bytes());
}

#[inline]
fn put_double(field_key: u8, value: f64, buf: &mut Vec<u8>) {
    put_fixed64(field_key, value.to_bits(), buf);
}

/// Fields that tell whether they are there are written also when they are zero.
#[inline]
fn put_optional(field_key: u8, value: Option<f64>, buf: &mut Vec<u8>) {
    if let Some(value) = value {
        put_double(field_key, value, buf);
    }
}

#[inline]
fn optional_len(values: [Option<f64>; 3]) -> usize {
    9 * values.iter().flatten().count()
}

fn put_packed<T>(field_key: u8, numbers: &[T], bits: fn(&T) -> u64, buf: &mut Vec<u8>) {
    if numbers.is_empty() {
        return;
    }
    put_len_header(buf, field_key, 8 * numbers.len());
    for number in numbers {
        buf.extend_from_slice(&bits(number).to_le_bytes());
    }
}

/// A `sint32`, with its sign as the lowest bit.
const fn zigzag(value: i32) -> u64 {
    ((value << 1) ^ (value >> 31)).cast_unsigned() as u64
}

mod sealed {
    pub trait Sealed {}
    impl Sealed for super::NumberPoint<'_> {}
    impl Sealed for super::HistogramPoint<'_> {}
    impl Sealed for super::ExponentialHistogramPoint<'_> {}
    impl Sealed for super::SummaryPoint<'_> {}
}
