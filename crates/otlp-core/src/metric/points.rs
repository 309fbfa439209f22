//! Data points as they are handed over, and their bytes: what all have, and those of single numbers.

use crate::wire::value::Entries;
use crate::wire::writer::{
    FIXED64, LEN, VARINT, fixed64_non_zero_len, key, len_field, put_fixed64_non_zero,
    put_len_header, put_varint_non_zero, varint_non_zero_len,
};

use super::Number;
use super::exemplar::Exemplar;

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

/// Points by default have no attributes, no exemplars and nothing in them.
pub(super) const NO_ATTRIBUTES: &dyn Entries = &[];

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
pub(super) const fn times_len(start: u64, time: u64) -> usize {
    fixed64_non_zero_len(start) + fixed64_non_zero_len(time)
}

#[inline]
pub(super) fn put_times(start: u64, time: u64, buf: &mut Vec<u8>) {
    put_fixed64_non_zero(buf, key(2, FIXED64), start);
    put_fixed64_non_zero(buf, key(3, FIXED64), time);
}

#[inline]
pub(super) fn put_fixed64(field_key: u8, bits: u64, buf: &mut Vec<u8>) {
    buf.push(field_key);
    buf.extend_from_slice(&bits.to_le_bytes());
}

#[inline]
pub(super) fn put_double(field_key: u8, value: f64, buf: &mut Vec<u8>) {
    put_fixed64(field_key, value.to_bits(), buf);
}

pub(super) mod sealed {
    pub trait Sealed {}
    impl Sealed for super::NumberPoint<'_> {}
    impl Sealed for super::SummaryPoint<'_> {}
}
