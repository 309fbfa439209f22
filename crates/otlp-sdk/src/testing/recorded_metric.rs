//! The data points of metrics read back from their bytes into the API's own types.

mod read;

use std::time::SystemTime;

use opentelemetry::{InstrumentationScope, KeyValue, SpanId, TraceId, Value};
use opentelemetry_sdk::metrics::Temporality;

pub(super) use self::read::read;
use crate::resource::Resource;

/// A data point with the metric that it belongs to, as a value of the API's types, for assertions.
///
/// Read from the bytes that were exported, so it shows what a server gets: times in whole nanoseconds
/// since 1970, unsigned counters as signed integers.
#[derive(Clone, Debug, PartialEq)]
#[non_exhaustive]
#[doc(alias = "MetricData")]
pub struct RecordedDataPoint {
    /// The name of the metric.
    pub name: String,
    /// What the metric is about; may be empty.
    pub description: String,
    /// The unit, in UCUM; may be empty.
    pub unit: String,
    /// The kind of the metric.
    pub kind: MetricKind,
    /// Since when the point counts: a start that stays, or the point before it. `None` for kinds that
    /// have none, gauges and summaries.
    pub temporality: Option<Temporality>,
    /// What tells the point from the others of its metric.
    pub attributes: Vec<KeyValue>,
    /// The value.
    pub value: PointValue,
    /// Since when the point counts, if that was said.
    pub start_time: Option<SystemTime>,
    /// When the point was taken.
    pub time: SystemTime,
    /// Examples of what was measured.
    pub exemplars: Vec<RecordedExemplar>,
    /// The scope of the meter.
    pub scope: InstrumentationScope,
    /// The provider's resource; all points of a request share it.
    pub resource: Resource,
}

/// The kind of a metric.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum MetricKind {
    /// Values that are looked at now and then.
    Gauge,
    /// Values that add up.
    Sum {
        /// Whether it never falls: a counter does not, an up-down counter may.
        is_monotonic: bool,
    },
    /// Counts of values in buckets with given bounds.
    Histogram,
    /// Counts of values in buckets whose bounds grow exponentially.
    ExponentialHistogram,
    /// Quantiles that somebody else has computed.
    Summary,
}

/// The value of a data point or an exemplar. Made from numbers by `into()`, so that assertions are short.
#[derive(Clone, Debug, PartialEq)]
#[non_exhaustive]
pub enum PointValue {
    /// There is none: what the point stands for has gone.
    Absent,
    /// An integer.
    I64(i64),
    /// A floating-point number.
    F64(f64),
    /// A distribution of values.
    Distribution(Distribution),
}

/// How values were distributed: what a point of a histogram or a summary has.
#[derive(Clone, Debug, Default, PartialEq)]
#[non_exhaustive]
pub struct Distribution {
    /// How many values there were.
    pub count: u64,
    /// Their sum, if it was kept.
    pub sum: Option<f64>,
    /// The smallest of them, if it was kept.
    pub min: Option<f64>,
    /// The largest of them, if it was kept.
    pub max: Option<f64>,
    /// The buckets or the quantiles.
    pub shape: Shape,
}

/// What is known of a distribution beside its totals.
#[derive(Clone, Debug, PartialEq)]
#[non_exhaustive]
pub enum Shape {
    /// Buckets with given bounds.
    Buckets {
        /// The upper bounds of all buckets but the last one; a bound belongs to its bucket.
        bounds: Vec<f64>,
        /// How many values each bucket has: one more than there are bounds, or none.
        counts: Vec<u64>,
    },
    /// Buckets with the bounds `base^i`, where base is `2^(2^-scale)`.
    Exponential {
        /// How fine the buckets are.
        scale: i32,
        /// How many values were zero.
        zero_count: u64,
        /// Values as close to zero as this count as zero.
        zero_threshold: f64,
        /// The index `i` of the first bucket of positive values, and how many values each has.
        positive: (i32, Vec<u64>),
        /// The same for negative values, by their distance from zero.
        negative: (i32, Vec<u64>),
    },
    /// Quantiles from 0 to 1, each with the value there.
    Quantiles(Vec<(f64, f64)>),
}

/// A single measurement that a point keeps as an example.
#[derive(Clone, Debug, PartialEq)]
#[non_exhaustive]
pub struct RecordedExemplar {
    /// What was measured.
    pub value: PointValue,
    /// When it was measured.
    pub time: SystemTime,
    /// The trace in which it was measured.
    pub trace_id: Option<TraceId>,
    /// The span in which it was measured.
    pub span_id: Option<SpanId>,
    /// Attributes of the measurement that the point's own do not have.
    pub filtered_attributes: Vec<KeyValue>,
}

impl RecordedDataPoint {
    /// The value of an attribute.
    #[must_use]
    pub fn attribute(&self, key: &str) -> Option<&Value> {
        let found = self.attributes.iter().find(|attribute| attribute.key.as_str() == key);
        found.map(|attribute| &attribute.value)
    }

    /// Whether it has these attributes and no others, in whatever order.
    #[must_use]
    pub fn has_attributes(&self, attributes: &[KeyValue]) -> bool {
        self.attributes.len() == attributes.len()
            && attributes.iter().all(|it| self.attribute(it.key.as_str()) == Some(&it.value))
    }
}

impl PointValue {
    /// What a point of a histogram or a summary has; `None` for a number.
    #[must_use]
    pub fn distribution(&self) -> Option<&Distribution> {
        if let Self::Distribution(distribution) = self { Some(distribution) } else { None }
    }
}

impl From<i64> for PointValue {
    fn from(value: i64) -> Self {
        Self::I64(value)
    }
}

impl From<f64> for PointValue {
    fn from(value: f64) -> Self {
        Self::F64(value)
    }
}

impl Default for Shape {
    fn default() -> Self {
        Self::Buckets { bounds: Vec::new(), counts: Vec::new() }
    }
}

#[cfg(test)]
mod tests;
