//! Views of `opentelemetry.proto.metrics.v1` and of the metrics service's request.

mod exemplar;
mod histograms;
mod numbers;
mod points;

pub use self::exemplar::ExemplarView;
pub use self::histograms::{BucketsView, ExponentialHistogramPoint, HistogramPoint};
pub use self::numbers::{Numbers, PackedNumber};
pub use self::points::{NumberPoint, PointKind, PointView, QuantileView, SummaryPoint};

use super::WireError;
use super::common::Attributes;
use super::groups::{Names, RequestView, ResourceGroupView, ScopeGroupView, SignalItem, sealed};
use super::reader::Reader;
use super::view::{Merged, View, Views};

/// A view of an `ExportMetricsServiceRequest`.
///
/// Its items are metrics. What the protocol counts and rejects are their data points.
///
/// ```
/// use otlp_core::wire::MetricsRequestView;
///
/// // One resource, one scope, one metric named "hi".
/// let request = b"\x0a\x08\x12\x06\x12\x04\x0a\x02hi";
/// let mut names = Vec::new();
/// for resource in MetricsRequestView::parse(request)?.resources() {
///     for scope in resource?.scopes() {
///         for metric in scope?.items() {
///             names.push(metric?.name());
///         }
///     }
/// }
/// assert_eq!(names, ["hi"]);
/// # Ok::<(), otlp_core::wire::WireError>(())
/// ```
pub type MetricsRequestView<'a> = RequestView<'a, MetricView<'a>>;

/// A view of a `ResourceMetrics`.
pub type ResourceMetricsView<'a> = ResourceGroupView<'a, MetricView<'a>>;

/// A view of a `ScopeMetrics`.
pub type ScopeMetricsView<'a> = ScopeGroupView<'a, MetricView<'a>>;

/// A view of a `NumberDataPoint`: a point of a gauge or a sum.
pub type NumberPointView<'a> = PointView<'a, NumberPoint>;

/// A view of a `HistogramDataPoint`.
pub type HistogramPointView<'a> = PointView<'a, HistogramPoint>;

/// A view of an `ExponentialHistogramDataPoint`.
pub type ExponentialHistogramPointView<'a> = PointView<'a, ExponentialHistogramPoint<'a>>;

/// A view of a `SummaryDataPoint`.
pub type SummaryPointView<'a> = PointView<'a, SummaryPoint>;

/// The value of a point or an exemplar.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Number {
    /// A signed integer.
    I64(i64),
    /// A floating-point number; NaN and infinities are kept.
    F64(f64),
}

impl sealed::Sealed for MetricView<'_> {}

impl<'a> SignalItem<'a> for MetricView<'a> {
    const NAMES: Names = Names {
        request: &("ExportMetricsServiceRequest", 1),
        resource: &("ResourceMetrics", 1),
        scopes: &("ResourceMetrics", 2),
        scope: &("ScopeMetrics", 1),
        items: &("ScopeMetrics", 2),
    };
}

/// A view of a `Metric`.
#[derive(Clone, Copy, Debug)]
pub struct MetricView<'a> {
    name: &'a str,
    description: &'a str,
    unit: &'a str,
    data: Option<DataView<'a>>,
    fields: Reader<'a>,
}

/// The data of a metric, one of five kinds.
///
/// A temporality is 1 for delta and 2 for cumulative; 0 is not valid (row F6).
#[derive(Clone, Copy, Debug)]
#[non_exhaustive]
pub enum DataView<'a> {
    /// Values that are looked at now and then.
    Gauge {
        /// One for each set of attributes.
        points: Views<'a, NumberPointView<'a>>,
    },
    /// Values that add up.
    Sum {
        /// One for each set of attributes.
        points: Views<'a, NumberPointView<'a>>,
        /// 1 delta, 2 cumulative.
        temporality: i32,
        /// Whether it never falls.
        is_monotonic: bool,
    },
    /// Counts of values in buckets with given bounds.
    Histogram {
        /// One for each set of attributes.
        points: Views<'a, HistogramPointView<'a>>,
        /// 1 delta, 2 cumulative.
        temporality: i32,
    },
    /// Counts of values in buckets whose bounds grow exponentially.
    ExponentialHistogram {
        /// One for each set of attributes.
        points: Views<'a, ExponentialHistogramPointView<'a>>,
        /// 1 delta, 2 cumulative.
        temporality: i32,
    },
    /// Quantiles that somebody else has computed.
    Summary {
        /// One for each set of attributes.
        points: Views<'a, SummaryPointView<'a>>,
    },
}

impl<'a> MetricView<'a> {
    /// Reads an encoded `Metric`.
    ///
    /// # Errors
    ///
    /// As [`View::read`].
    pub fn parse(message: &'a [u8]) -> Result<Self, WireError> {
        Self::read(Reader::new(message))
    }

    /// The name.
    #[must_use]
    pub const fn name(&self) -> &'a str {
        self.name
    }

    /// What it is about; may be empty.
    #[must_use]
    pub const fn description(&self) -> &'a str {
        self.description
    }

    /// The unit, in UCUM; may be empty.
    #[must_use]
    pub const fn unit(&self) -> &'a str {
        self.unit
    }

    /// The points with their kind; `None` if there are none, or of a kind that is not known here.
    #[must_use]
    pub const fn data(&self) -> Option<DataView<'a>> {
        self.data
    }

    /// Attributes of the metric itself, which not even a merger of its points makes use of.
    #[must_use]
    pub fn metadata(&self) -> Attributes<'a> {
        Merged::whole(self.fields).views(&(Self::NAME, 12))
    }

    /// The encoded metric, without key and length.
    #[must_use]
    pub fn encoded(&self) -> &'a [u8] {
        self.fields.rest()
    }

    const NAME: &'static str = "Metric";
}

impl<'a> View<'a> for MetricView<'a> {
    fn read(fields: Reader<'a>) -> Result<Self, WireError> {
        let mut metric = Self { name: "", description: "", unit: "", data: None, fields };
        let (mut rest, mut data) = (fields, None);
        loop {
            let here = rest;
            let Some(field) = rest.next().transpose()? else { break };
            match field.number {
                1 => metric.name = field.text(Self::NAME)?,
                2 => metric.description = field.text(Self::NAME)?,
                3 => metric.unit = field.text(Self::NAME)?,
                // A `oneof`: pieces of one kind are merged, another kind takes its place.
                kind @ (5 | 7 | 9 | 10 | 11) => {
                    field.message(Self::NAME)?;
                    if data.is_none_or(|(before, _)| before != kind) {
                        data = Some((kind, here));
                    }
                }
                _ => {}
            }
        }
        if let Some((kind, here)) = data {
            metric.data = DataView::read_merged(kind, Merged::whole(here))?;
        }
        Ok(metric)
    }
}

impl<'a> DataView<'a> {
    /// The data in field `kind` of a metric, from the first piece on.
    fn read_merged(kind: u32, metric: Merged<'a>) -> Result<Option<Self>, WireError> {
        Ok(Some(match kind {
            5 => Self::Gauge { points: metric.child(&(METRIC, 5)).views(&("Gauge", 1)) },
            7 => {
                let sum = metric.child(&(METRIC, 7));
                let (temporality, is_monotonic) = read_sum(sum)?;
                Self::Sum { points: sum.views(&("Sum", 1)), temporality, is_monotonic }
            }
            9 => {
                let histogram = metric.child(&(METRIC, 9));
                let temporality = read_temporality(histogram, HISTOGRAM)?;
                Self::Histogram { points: histogram.views(&(HISTOGRAM, 1)), temporality }
            }
            10 => {
                let histogram = metric.child(&(METRIC, 10));
                let temporality = read_temporality(histogram, EXPONENTIAL)?;
                let points = histogram.views(&(EXPONENTIAL, 1));
                Self::ExponentialHistogram { points, temporality }
            }
            11 => Self::Summary { points: metric.child(&(METRIC, 11)).views(&("Summary", 1)) },
            _ => return Ok(None),
        }))
    }
}

fn read_sum(fields: Merged<'_>) -> Result<(i32, bool), WireError> {
    let (mut temporality, mut is_monotonic) = (0, false);
    for field in fields {
        let field = field?;
        match field.number {
            2 => temporality = field.int32("Sum")?,
            3 => is_monotonic = field.varint("Sum")? != 0,
            _ => {}
        }
    }
    Ok((temporality, is_monotonic))
}

fn read_temporality(fields: Merged<'_>, name: &'static str) -> Result<i32, WireError> {
    let mut temporality = 0;
    for field in fields {
        let field = field?;
        if field.number == 2 {
            temporality = field.int32(name)?;
        }
    }
    Ok(temporality)
}

const METRIC: &str = "Metric";
const HISTOGRAM: &str = "Histogram";
const EXPONENTIAL: &str = "ExponentialHistogram";
