//! Points of histograms, of both kinds.

use crate::wire::value::Entries;
use crate::wire::varint::{encoded_len, put};
use crate::wire::writer::{
    FIXED64, LEN, VARINT, fixed64_non_zero_len, key, len_field, len_non_empty_len,
    put_fixed64_non_zero, put_len_header, put_varint_non_zero, varint_non_zero_len,
};

use super::exemplar::Exemplar;
use super::points::{NO_ATTRIBUTES, Point, put_double, put_times, sealed, times_len};

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

impl sealed::Sealed for HistogramPoint<'_> {}
impl sealed::Sealed for ExponentialHistogramPoint<'_> {}

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
