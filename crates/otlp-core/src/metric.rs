//! Metrics in OTLP bytes: what a metric is made of, and the encoder that writes it.
//!
//! Aggregation is not done here. Whoever has aggregated hands over points, which go straight into
//! bytes; a metric with many points becomes several of the same identity, so that no item is too large
//! to be batched, halved or retried.

mod encoder;
mod exemplar;
mod histograms;
mod points;

use crate::wire::writer::{VARINT, key};

pub use self::encoder::{MetricEncoder, MetricItem, PointWriter};
pub use self::exemplar::Exemplar;
pub use self::histograms::{Buckets, ExponentialHistogramPoint, HistogramPoint};
pub use self::points::{NumberPoint, Point, Quantile, SummaryPoint};
pub use crate::wire::metrics::Number;

/// What tells a metric from the others of its scope, beside the kind of its data.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct MetricIdentity<'a> {
    /// The instrument's name.
    pub name: &'a str,
    /// What it is about; may be empty.
    pub description: &'a str,
    /// The unit, in UCUM; may be empty.
    pub unit: &'a str,
}

/// `AggregationTemporality` of the protocol. There is no way to leave it open (row F6).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u8)]
pub enum Temporality {
    /// Points tell what happened since the points before them.
    Delta = 1,
    /// Points tell what happened since a start that stays.
    Cumulative = 2,
}

/// Values that are looked at now and then.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Gauge;

/// Values that add up.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Sum {
    /// Since when the points count.
    pub temporality: Temporality,
    /// Whether it never falls.
    pub is_monotonic: bool,
}

/// Counts of values in buckets with given bounds.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Histogram {
    /// Since when the points count.
    pub temporality: Temporality,
}

/// Counts of values in buckets whose bounds grow exponentially.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ExponentialHistogram {
    /// Since when the points count.
    pub temporality: Temporality,
}

/// Quantiles that somebody else has computed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Summary;

/// The data of a metric: [`Gauge`], [`Sum`], [`Histogram`], [`ExponentialHistogram`] or [`Summary`].
pub trait Data: Copy + sealed::Sealed {
    /// What its points are.
    type Point<'a>: Point;

    /// The field of the metric that it is.
    #[doc(hidden)]
    const FIELD: u8;

    /// Writes what comes after the points.
    #[doc(hidden)]
    fn put_tail(&self, buf: &mut Vec<u8>);
}

impl Data for Gauge {
    type Point<'a> = NumberPoint<'a>;
    const FIELD: u8 = 5;

    fn put_tail(&self, _: &mut Vec<u8>) {}
}

impl Data for Sum {
    type Point<'a> = NumberPoint<'a>;
    const FIELD: u8 = 7;

    fn put_tail(&self, buf: &mut Vec<u8>) {
        put_temporality(self.temporality, buf);
        if self.is_monotonic {
            buf.extend_from_slice(&[key(3, VARINT), 1]);
        }
    }
}

impl Data for Histogram {
    type Point<'a> = HistogramPoint<'a>;
    const FIELD: u8 = 9;

    fn put_tail(&self, buf: &mut Vec<u8>) {
        put_temporality(self.temporality, buf);
    }
}

impl Data for ExponentialHistogram {
    type Point<'a> = ExponentialHistogramPoint<'a>;
    const FIELD: u8 = 10;

    fn put_tail(&self, buf: &mut Vec<u8>) {
        put_temporality(self.temporality, buf);
    }
}

impl Data for Summary {
    type Point<'a> = SummaryPoint<'a>;
    const FIELD: u8 = 11;

    fn put_tail(&self, _: &mut Vec<u8>) {}
}

fn put_temporality(temporality: Temporality, buf: &mut Vec<u8>) {
    buf.extend_from_slice(&[key(2, VARINT), temporality as u8]);
}

mod sealed {
    pub trait Sealed {}
    impl Sealed for super::Gauge {}
    impl Sealed for super::Sum {}
    impl Sealed for super::Histogram {}
    impl Sealed for super::ExponentialHistogram {}
    impl Sealed for super::Summary {}
}
