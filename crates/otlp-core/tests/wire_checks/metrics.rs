//! What views of metrics read is what prost decodes.

use std::fmt::Debug;

use opentelemetry_proto::tonic::collector::metrics::v1::ExportMetricsServiceRequest;
use opentelemetry_proto::tonic::metrics::v1::exponential_histogram_data_point::Buckets;
use opentelemetry_proto::tonic::metrics::v1::metric::Data;
use opentelemetry_proto::tonic::metrics::v1::summary_data_point::ValueAtQuantile;
use opentelemetry_proto::tonic::metrics::v1::{
    Exemplar, ExponentialHistogramDataPoint, HistogramDataPoint, Metric, NumberDataPoint,
    SummaryDataPoint, exemplar, number_data_point,
};
use otlp_core::wire::metrics::{
    BucketsView, DataView, ExemplarView, ExponentialHistogramPointView, HistogramPointView, Number,
    NumberPointView, Numbers, PackedNumber, QuantileView, SummaryPointView,
};
use otlp_core::wire::{MetricView, MetricsRequestView, Views, WireError};
use prost::Message;

use super::views::{
    same_key_value, same_list, same_option, same_resource, same_scope, visit_attributes,
};

/// Bytes that prost decodes read the same through views; other bytes give errors, not panics.
pub(crate) fn agree_with_prost(data: &[u8]) {
    match ExportMetricsServiceRequest::decode(data) {
        Ok(decoded) => same_request(data, &decoded),
        Err(_) => {
            let _ = visit(data);
        }
    }
}

/// Views of `data` show exactly `decoded`.
pub(crate) fn same_request(data: &[u8], decoded: &ExportMetricsServiceRequest) {
    let request = MetricsRequestView::parse(data).unwrap();
    same_list(request.resources(), &decoded.resource_metrics, |view, message| {
        assert_eq!(view.schema_url(), message.schema_url);
        same_option(view.resource(), message.resource.as_ref(), same_resource);
        same_list(view.scopes(), &message.scope_metrics, |view, message| {
            assert_eq!(view.schema_url(), message.schema_url);
            same_option(view.scope(), message.scope.as_ref(), same_scope);
            same_list(view.items(), &message.metrics, same_metric);
        });
    });
}

fn same_metric(view: MetricView<'_>, message: &Metric) {
    assert_eq!(view.name(), message.name);
    assert_eq!(view.description(), message.description);
    assert_eq!(view.unit(), message.unit);
    same_list(view.metadata(), &message.metadata, same_key_value);
    same_data(view.data(), message.data.as_ref());
    // NaN does not equal itself, so the messages are compared as text.
    assert_eq!(format!("{:?}", Metric::decode(view.encoded()).unwrap()), format!("{message:?}"));
}

fn same_data(view: Option<DataView<'_>>, message: Option<&Data>) {
    let (view, message) = match (view, message) {
        (None, None) => return,
        (view, message) => (view.unwrap(), message.unwrap()),
    };
    match (view, message) {
        (DataView::Gauge { points }, Data::Gauge(message)) => {
            same_list(points, &message.data_points, same_number_point);
        }
        (DataView::Sum { points, temporality, is_monotonic }, Data::Sum(message)) => {
            assert_eq!(temporality, message.aggregation_temporality);
            assert_eq!(is_monotonic, message.is_monotonic);
            same_list(points, &message.data_points, same_number_point);
        }
        (DataView::Histogram { points, temporality }, Data::Histogram(message)) => {
            assert_eq!(temporality, message.aggregation_temporality);
            same_list(points, &message.data_points, same_histogram_point);
        }
        (
            DataView::ExponentialHistogram { points, temporality },
            Data::ExponentialHistogram(message),
        ) => {
            assert_eq!(temporality, message.aggregation_temporality);
            same_list(points, &message.data_points, same_exponential_point);
        }
        (DataView::Summary { points }, Data::Summary(message)) => {
            same_list(points, &message.data_points, same_summary_point);
        }
        (view, message) => panic!("{view:?} is not {message:?}"),
    }
}

fn same_number_point(view: NumberPointView<'_>, message: &NumberDataPoint) {
    assert_eq!(view.start_time_unix_nano(), message.start_time_unix_nano);
    assert_eq!(view.time_unix_nano(), message.time_unix_nano);
    assert_eq!(view.flags(), message.flags);
    let value = message.value.map(|value| match value {
        number_data_point::Value::AsDouble(value) => Number::F64(value),
        number_data_point::Value::AsInt(value) => Number::I64(value),
    });
    same_text(view.value(), value);
    same_list(view.attributes(), &message.attributes, same_key_value);
    same_list(view.exemplars(), &message.exemplars, same_exemplar);
}

fn same_histogram_point(view: HistogramPointView<'_>, message: &HistogramDataPoint) {
    assert_eq!(view.start_time_unix_nano(), message.start_time_unix_nano);
    assert_eq!(view.time_unix_nano(), message.time_unix_nano);
    assert_eq!(view.flags(), message.flags);
    assert_eq!(view.count(), message.count);
    same_text([view.sum(), view.min(), view.max()], [message.sum, message.min, message.max]);
    same_numbers(view.bucket_counts(), &message.bucket_counts);
    same_numbers(view.explicit_bounds(), &message.explicit_bounds);
    same_list(view.attributes(), &message.attributes, same_key_value);
    same_list(view.exemplars(), &message.exemplars, same_exemplar);
}

fn same_exponential_point(
    view: ExponentialHistogramPointView<'_>,
    message: &ExponentialHistogramDataPoint,
) {
    assert_eq!(view.start_time_unix_nano(), message.start_time_unix_nano);
    assert_eq!(view.time_unix_nano(), message.time_unix_nano);
    assert_eq!(view.flags(), message.flags);
    assert_eq!(view.count(), message.count);
    same_text([view.sum(), view.min(), view.max()], [message.sum, message.min, message.max]);
    assert_eq!(view.scale(), message.scale);
    assert_eq!(view.zero_count(), message.zero_count);
    same_text(view.zero_threshold(), message.zero_threshold);
    same_option(view.positive(), message.positive.as_ref(), same_buckets);
    same_option(view.negative(), message.negative.as_ref(), same_buckets);
    same_list(view.attributes(), &message.attributes, same_key_value);
    same_list(view.exemplars(), &message.exemplars, same_exemplar);
}

fn same_buckets(view: BucketsView<'_>, message: &Buckets) {
    assert_eq!(view.offset(), message.offset);
    same_numbers(view.bucket_counts(), &message.bucket_counts);
}

fn same_summary_point(view: SummaryPointView<'_>, message: &SummaryDataPoint) {
    assert_eq!(view.start_time_unix_nano(), message.start_time_unix_nano);
    assert_eq!(view.time_unix_nano(), message.time_unix_nano);
    assert_eq!(view.flags(), message.flags);
    assert_eq!(view.count(), message.count);
    same_text(view.sum(), message.sum);
    same_list(view.quantiles(), &message.quantile_values, same_quantile);
    same_list(view.attributes(), &message.attributes, same_key_value);
}

fn same_quantile(view: QuantileView, message: &ValueAtQuantile) {
    same_text((view.quantile(), view.value()), (message.quantile, message.value));
}

fn same_exemplar(view: ExemplarView<'_>, message: &Exemplar) {
    assert_eq!(view.time_unix_nano(), message.time_unix_nano);
    assert_eq!(view.trace_id(), message.trace_id);
    assert_eq!(view.span_id(), message.span_id);
    let value = message.value.map(|value| match value {
        exemplar::Value::AsDouble(value) => Number::F64(value),
        exemplar::Value::AsInt(value) => Number::I64(value),
    });
    same_text(view.value(), value);
    same_list(view.filtered_attributes(), &message.filtered_attributes, same_key_value);
}

fn same_numbers<N: PackedNumber + Debug>(view: Numbers<'_, N>, message: &[N]) {
    let view: Vec<N> = view.collect::<Result<_, _>>().unwrap();
    same_text(view.as_slice(), message);
}

/// NaN does not equal itself, but it reads the same.
fn same_text<T: Debug>(view: T, message: T) {
    assert_eq!(format!("{view:?}"), format!("{message:?}"));
}

/// Reads everything that views of metrics can show.
fn visit(data: &[u8]) -> Result<(), WireError> {
    for resource in MetricsRequestView::parse(data)?.resources() {
        for scope in resource?.scopes() {
            for metric in scope?.items() {
                let metric = metric?;
                visit_attributes(metric.metadata())?;
                metric.data().map_or(Ok(()), visit_data)?;
            }
        }
    }
    Ok(())
}

fn visit_data(data: DataView<'_>) -> Result<(), WireError> {
    match data {
        DataView::Gauge { mut points } | DataView::Sum { mut points, .. } => {
            points.try_for_each(|point| {
                let point = point?;
                visit_attributes(point.attributes())?;
                visit_exemplars(point.exemplars())
            })
        }
        DataView::Histogram { mut points, .. } => points.try_for_each(|point| {
            let point = point?;
            visit_attributes(point.attributes())?;
            point.bucket_counts().try_for_each(|count| count.map(drop))?;
            point.explicit_bounds().try_for_each(|bound| bound.map(drop))?;
            visit_exemplars(point.exemplars())
        }),
        DataView::ExponentialHistogram { mut points, .. } => points.try_for_each(|point| {
            let point = point?;
            visit_attributes(point.attributes())?;
            for buckets in point.positive().into_iter().chain(point.negative()) {
                buckets.bucket_counts().try_for_each(|count| count.map(drop))?;
            }
            visit_exemplars(point.exemplars())
        }),
        DataView::Summary { mut points } => points.try_for_each(|point| {
            let point = point?;
            visit_attributes(point.attributes())?;
            point.quantiles().try_for_each(|quantile| quantile.map(drop))
        }),
        _ => Ok(()),
    }
}

fn visit_exemplars<'a>(mut exemplars: Views<'a, ExemplarView<'a>>) -> Result<(), WireError> {
    exemplars.try_for_each(|exemplar| visit_attributes(exemplar?.filtered_attributes()))
}
