//! From the views of a request to data points.

use opentelemetry::{InstrumentationScope, SpanId, TraceId};
use opentelemetry_sdk::metrics::Temporality;
use otlp_core::Payload;
use otlp_core::wire::metrics::{
    BucketsView, DataView, ExemplarView, ExponentialHistogramPoint, HistogramPoint, Number,
    NumberPoint, PointKind, PointView, SummaryPoint,
};
use otlp_core::wire::{MetricView, Views, WireError};

use super::super::recorded::{attributes, for_each_item, time};
use super::{Distribution, MetricKind, PointValue, RecordedDataPoint, RecordedExemplar, Shape};
use crate::resource::Resource;

/// The data points of a request for metrics.
pub(in super::super) fn read(payload: &Payload) -> Result<Vec<RecordedDataPoint>, WireError> {
    let mut points = Vec::with_capacity(payload.items());
    for_each_item::<MetricView<'_>>(&payload.rope().to_bytes(), |view, scope, resource| {
        points.append(&mut Metric { view, scope, resource }.points()?);
        Ok(())
    })?;
    Ok(points)
}

/// What the points of a metric share.
struct Metric<'m, 'a> {
    view: MetricView<'a>,
    scope: &'m InstrumentationScope,
    resource: &'m Resource,
}

impl<'a> Metric<'_, 'a> {
    fn points(&self) -> Result<Vec<RecordedDataPoint>, WireError> {
        match self.view.data() {
            Some(DataView::Gauge { points }) => self.all(points, MetricKind::Gauge, None),
            Some(DataView::Sum { points, temporality, is_monotonic }) => {
                self.all(points, MetricKind::Sum { is_monotonic }, known(temporality))
            }
            Some(DataView::Histogram { points, temporality }) => {
                self.all(points, MetricKind::Histogram, known(temporality))
            }
            Some(DataView::ExponentialHistogram { points, temporality }) => {
                self.all(points, MetricKind::ExponentialHistogram, known(temporality))
            }
            Some(DataView::Summary { points }) => self.all(points, MetricKind::Summary, None),
            _ => Ok(Vec::new()),
        }
    }

    fn all<K: Measured<'a>>(
        &self,
        points: Views<'a, PointView<'a, K>>,
        kind: MetricKind,
        temporality: Option<Temporality>,
    ) -> Result<Vec<RecordedDataPoint>, WireError> {
        points.map(|point| self.point(&point?, kind, temporality)).collect()
    }

    fn point<K: Measured<'a>>(
        &self,
        point: &PointView<'a, K>,
        kind: MetricKind,
        temporality: Option<Temporality>,
    ) -> Result<RecordedDataPoint, WireError> {
        let start = point.start_time_unix_nano();
        // Bit 0 says that there is no value.
        let is_absent = point.flags() & 1 == 1;
        Ok(RecordedDataPoint {
            name: self.view.name().to_owned(),
            description: self.view.description().to_owned(),
            unit: self.view.unit().to_owned(),
            kind,
            temporality,
            attributes: attributes(point.attributes())?,
            value: if is_absent { PointValue::Absent } else { K::value(point)? },
            start_time: (start != 0).then(|| time(start)),
            time: time(point.time_unix_nano()),
            exemplars: K::exemplars(point)?,
            scope: self.scope.clone(),
            resource: self.resource.clone(),
        })
    }
}

/// What is read of a point by its kind.
trait Measured<'a>: PointKind<'a> {
    fn value(point: &PointView<'a, Self>) -> Result<PointValue, WireError>;

    fn exemplars(point: &PointView<'a, Self>) -> Result<Vec<RecordedExemplar>, WireError>;
}

impl<'a> Measured<'a> for NumberPoint {
    fn value(point: &PointView<'a, Self>) -> Result<PointValue, WireError> {
        Ok(number(point.value()))
    }

    fn exemplars(point: &PointView<'a, Self>) -> Result<Vec<RecordedExemplar>, WireError> {
        point.exemplars().map(|it| exemplar(&it?)).collect()
    }
}

impl<'a> Measured<'a> for HistogramPoint {
    fn value(point: &PointView<'a, Self>) -> Result<PointValue, WireError> {
        Ok(PointValue::Distribution(Distribution {
            count: point.count(),
            sum: point.sum(),
            min: point.min(),
            max: point.max(),
            shape: Shape::Buckets {
                bounds: point.explicit_bounds().collect::<Result<_, _>>()?,
                counts: point.bucket_counts().collect::<Result<_, _>>()?,
            },
        }))
    }

    fn exemplars(point: &PointView<'a, Self>) -> Result<Vec<RecordedExemplar>, WireError> {
        point.exemplars().map(|it| exemplar(&it?)).collect()
    }
}

impl<'a> Measured<'a> for ExponentialHistogramPoint<'a> {
    fn value(point: &PointView<'a, Self>) -> Result<PointValue, WireError> {
        Ok(PointValue::Distribution(Distribution {
            count: point.count(),
            sum: point.sum(),
            min: point.min(),
            max: point.max(),
            shape: Shape::Exponential {
                scale: point.scale(),
                zero_count: point.zero_count(),
                zero_threshold: point.zero_threshold(),
                positive: buckets(point.positive())?,
                negative: buckets(point.negative())?,
            },
        }))
    }

    fn exemplars(point: &PointView<'a, Self>) -> Result<Vec<RecordedExemplar>, WireError> {
        point.exemplars().map(|it| exemplar(&it?)).collect()
    }
}

impl<'a> Measured<'a> for SummaryPoint {
    fn value(point: &PointView<'a, Self>) -> Result<PointValue, WireError> {
        let quantiles = point.quantiles().map(|it| it.map(|it| (it.quantile(), it.value())));
        Ok(PointValue::Distribution(Distribution {
            count: point.count(),
            sum: Some(point.sum()),
            min: None,
            max: None,
            shape: Shape::Quantiles(quantiles.collect::<Result<_, _>>()?),
        }))
    }

    fn exemplars(_: &PointView<'a, Self>) -> Result<Vec<RecordedExemplar>, WireError> {
        Ok(Vec::new())
    }
}

fn buckets(view: Option<BucketsView<'_>>) -> Result<(i32, Vec<u64>), WireError> {
    let Some(view) = view else { return Ok((0, Vec::new())) };
    Ok((view.offset(), view.bucket_counts().collect::<Result<_, _>>()?))
}

fn exemplar(view: &ExemplarView<'_>) -> Result<RecordedExemplar, WireError> {
    Ok(RecordedExemplar {
        value: number(view.value()),
        time: time(view.time_unix_nano()),
        trace_id: view.valid_trace_id().map(TraceId::from_bytes),
        span_id: view.valid_span_id().map(SpanId::from_bytes),
        filtered_attributes: attributes(view.filtered_attributes())?,
    })
}

fn number(value: Option<Number>) -> PointValue {
    match value {
        Some(Number::I64(value)) => PointValue::I64(value),
        Some(Number::F64(value)) => PointValue::F64(value),
        None => PointValue::Absent,
    }
}

/// Nothing else is valid (row F6).
fn known(temporality: i32) -> Option<Temporality> {
    match temporality {
        1 => Some(Temporality::Delta),
        2 => Some(Temporality::Cumulative),
        _ => None,
    }
}
