//! Data points: each is looked at beside what was measured.

use opentelemetry_proto::tonic::common::v1::KeyValue;
use opentelemetry_proto::tonic::metrics::v1::metric::Data;
use opentelemetry_proto::tonic::metrics::v1::number_data_point::Value;
use opentelemetry_proto::tonic::metrics::v1::{HistogramDataPoint, Metric, NumberDataPoint};

use super::{integer, string};
use crate::workload::{address, metrics};

/// The number of points of a metric, all of them right.
pub(super) fn check(metric: &Metric) -> Result<u64, String> {
    let name = metric.name.as_str();
    match metric.data.as_ref().ok_or("no data")? {
        Data::Sum(sum) if metrics::COUNTERS.contains(&name) => {
            let cumulative = sum.is_monotonic && sum.aggregation_temporality == CUMULATIVE;
            each(&sum.data_points, |point| cumulative && is_count(point))
        }
        Data::Gauge(gauge) if metrics::GAUGES.contains(&name) => {
            each(&gauge.data_points, is_amount)
        }
        Data::Histogram(histogram) if metrics::HISTOGRAMS.contains(&name) => {
            let cumulative = histogram.aggregation_temporality == CUMULATIVE;
            each(&histogram.data_points, |point| cumulative && is_distribution(point))
        }
        _ => Err("a metric that was not measured".to_owned()),
    }
}

fn each<T: std::fmt::Debug>(points: &[T], is_right: impl Fn(&T) -> bool) -> Result<u64, String> {
    match points.iter().find(|point| !is_right(point)) {
        None => Ok(points.len() as u64),
        Some(wrong) => Err(format!("a wrong point: {wrong:?}")),
    }
}

fn is_count(point: &NumberDataPoint) -> bool {
    let expected = set(&point.attributes).map(metrics::count);
    let value = match point.value {
        Some(Value::AsInt(value)) => u64::try_from(value).ok(),
        _ => None,
    };
    expected.is_some() && value == expected && point.start_time_unix_nano > 0 && timed(point)
}

fn is_amount(point: &NumberDataPoint) -> bool {
    let expected = set(&point.attributes).map(|set| Value::AsDouble(metrics::amount(set)));
    expected.is_some() && point.value == expected && timed(point)
}

fn timed(point: &NumberDataPoint) -> bool {
    point.time_unix_nano >= point.start_time_unix_nano && point.time_unix_nano > 0
}

fn is_distribution(point: &HistogramDataPoint) -> bool {
    let Some(amount) = set(&point.attributes).map(metrics::amount) else {
        return false;
    };
    let in_buckets: u64 = point.bucket_counts.iter().sum();
    let same = [point.sum, point.min, point.max].iter().all(|value| *value == Some(amount));
    same && (point.count, in_buckets) == (1, 1)
        && point.bucket_counts.len() == point.explicit_bounds.len() + 1
        && point.time_unix_nano >= point.start_time_unix_nano
        && point.start_time_unix_nano > 0
}

/// The number of the attribute set, if all four attributes are those of it.
fn set(attributes: &[KeyValue]) -> Option<usize> {
    let set = usize::try_from(integer(attributes, metrics::SET)?).ok()?;
    let expected = [
        ("http.request.method", "GET"),
        ("http.route", "/users/{id}"),
        ("server.address", address(set)),
    ];
    let right = expected.iter().all(|(key, value)| string(attributes, key) == Some(value));
    (right && attributes.len() == 4 && set < metrics::SETS).then_some(set)
}

/// `AGGREGATION_TEMPORALITY_CUMULATIVE`.
const CUMULATIVE: i32 = 2;
