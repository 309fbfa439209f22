//! What arrived, as a table: a row for each metric and set of attributes.

use std::collections::BTreeMap;
use std::fmt;
use std::sync::Arc;

use otlp_testing::oracle::pairs_text;
use otlp_testing::oracle::proto::tonic::common::v1::KeyValue;
use otlp_testing::oracle::proto::tonic::metrics::v1::metric::Data;
use otlp_testing::oracle::proto::tonic::metrics::v1::number_data_point::Value;
use otlp_testing::oracle::proto::tonic::metrics::v1::{
    HistogramDataPoint, Metric, NumberDataPoint,
};
use otlp_testing::{Message, ReceivedRequest};

/// The series by name and attributes.
#[derive(Default)]
pub(crate) struct Table {
    rows: BTreeMap<(String, String), Row>,
    /// Most points that a metric had in one collection, by its name.
    widest: BTreeMap<String, usize>,
}

/// What a back end makes of the points of one series.
struct Row {
    kind: String,
    unit: String,
    total: Total,
    points: u64,
}

enum Total {
    Number(f64),
    Distribution { count: u64, sum: f64, buckets: Vec<u64>, bounds: Vec<f64> },
}

impl Table {
    /// The requests in the order in which they came.
    pub(crate) fn of(requests: &[Arc<ReceivedRequest>]) -> Self {
        let mut table = Self::default();
        for request in requests {
            let Message::Metrics(message) = &request.message else { continue };
            let scopes = message.resource_metrics.iter().flat_map(|it| &it.scope_metrics);
            scopes.flat_map(|scope| &scope.metrics).for_each(|metric| table.add(metric));
        }
        table
    }

    /// How many points arrived.
    pub(crate) fn points(&self) -> u64 {
        self.rows.values().map(|row| row.points).sum()
    }

    /// The sum over all attributes; of a histogram, how many values there were.
    pub(crate) fn total(&self, name: &str) -> f64 {
        self.of_metric(name).map(|row| row.total.number()).sum()
    }

    /// How often the metric was collected, as far as its series show.
    pub(crate) fn collections(&self, name: &str) -> u64 {
        self.of_metric(name).map(|row| row.points).max().unwrap_or_default()
    }

    /// Most series that the metric had in one collection.
    pub(crate) fn series_at_once(&self, name: &str) -> usize {
        self.widest.get(name).copied().unwrap_or_default()
    }

    /// Whether the metric is a histogram with these bounds, in all its series.
    pub(crate) fn has_bounds(&self, name: &str, expected: &[f64]) -> bool {
        let is_right = |row: &Row| matches!(&row.total, Total::Distribution { bounds, .. } if bounds == expected);
        self.of_metric(name).count() > 0 && self.of_metric(name).all(is_right)
    }

    fn of_metric(&self, name: &str) -> impl Iterator<Item = &Row> {
        self.rows.iter().filter(move |((of, _), _)| of == name).map(|(_, row)| row)
    }

    fn add(&mut self, metric: &Metric) {
        let widest = self.widest.entry(metric.name.clone()).or_default();
        *widest = (*widest).max(points_of(metric));
        match &metric.data {
            Some(Data::Gauge(gauge)) => self.numbers(metric, "gauge", 0, &gauge.data_points),
            Some(Data::Sum(sum)) => {
                let kind = if sum.is_monotonic { "counter" } else { "up-down counter" };
                self.numbers(metric, kind, sum.aggregation_temporality, &sum.data_points);
            }
            Some(Data::Histogram(histogram)) => {
                for point in &histogram.data_points {
                    let total = Total::of(point);
                    let temporality = histogram.aggregation_temporality;
                    self.point(metric, "histogram", temporality, &point.attributes, total);
                }
            }
            _ => {}
        }
    }

    fn numbers(&mut self, of: &Metric, kind: &str, temporality: i32, points: &[NumberDataPoint]) {
        for point in points {
            let total = match point.value {
                #[expect(clippy::cast_precision_loss, reason = "the shop has no such numbers")]
                Some(Value::AsInt(value)) => Total::Number(value as f64),
                Some(Value::AsDouble(value)) => Total::Number(value),
                None => continue,
            };
            self.point(of, kind, temporality, &point.attributes, total);
        }
    }

    fn point(
        &mut self,
        of: &Metric,
        kind: &str,
        temporality: i32,
        attributes: &[KeyValue],
        total: Total,
    ) {
        let kind = match temporality {
            DELTA => format!("{kind}, delta"),
            CUMULATIVE => format!("{kind}, cumulative"),
            _ => kind.to_owned(),
        };
        let row = self.rows.entry((of.name.clone(), pairs_text(attributes))).or_insert(Row {
            kind,
            unit: of.unit.clone(),
            total: Total::Number(0.0),
            points: 0,
        });
        row.points += 1;
        // A cumulative point has all the points before it in it already.
        row.total = if temporality == DELTA { total.plus(&row.total) } else { total };
    }
}

fn points_of(metric: &Metric) -> usize {
    match &metric.data {
        Some(Data::Gauge(gauge)) => gauge.data_points.len(),
        Some(Data::Sum(sum)) => sum.data_points.len(),
        Some(Data::Histogram(histogram)) => histogram.data_points.len(),
        _ => 0,
    }
}

impl Total {
    fn of(point: &HistogramDataPoint) -> Self {
        Self::Distribution {
            count: point.count,
            sum: point.sum.unwrap_or_default(),
            buckets: point.bucket_counts.clone(),
            bounds: point.explicit_bounds.clone(),
        }
    }

    fn plus(self, before: &Self) -> Self {
        match (self, before) {
            (Self::Number(now), Self::Number(before)) => Self::Number(now + before),
            (
                Self::Distribution { count, sum, mut buckets, bounds },
                Self::Distribution { count: more, sum: further, buckets: others, .. },
            ) => {
                for (bucket, other) in buckets.iter_mut().zip(others) {
                    *bucket += other;
                }
                Self::Distribution { count: count + more, sum: sum + further, buckets, bounds }
            }
            (now, _) => now,
        }
    }

    fn number(&self) -> f64 {
        match self {
            Self::Number(number) => *number,
            #[expect(clippy::cast_precision_loss, reason = "the shop has not so many customers")]
            Self::Distribution { count, .. } => *count as f64,
        }
    }
}

impl fmt::Display for Total {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Number(number) => write!(f, "{number}"),
            Self::Distribution { count, sum, buckets, bounds } => {
                write!(f, "{count} values, sum {sum:.3}:")?;
                let above = std::iter::once(f64::NEG_INFINITY).chain(bounds.iter().copied());
                let filled = above.zip(buckets).filter(|(_, count)| **count > 0);
                filled.into_iter().try_for_each(|(bound, count)| write!(f, " >{bound} {count}"))
            }
        }
    }
}

impl fmt::Display for Table {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        line(f, "metric", "kind", "attributes", "points", "in all")?;
        for ((name, attributes), row) in &self.rows {
            let value = format!("{} {}", row.total, row.unit);
            line(f, name, &row.kind, attributes, &row.points.to_string(), &value)?;
        }
        Ok(())
    }
}

fn line(
    f: &mut fmt::Formatter<'_>,
    name: &str,
    kind: &str,
    attributes: &str,
    points: &str,
    value: &str,
) -> fmt::Result {
    writeln!(f, "{name:<23} {kind:<27} {attributes:<26} {points:>6}  {value}")
}

const DELTA: i32 = 1;
const CUMULATIVE: i32 = 2;

#[cfg(test)]
mod tests {
    use otlp_testing::oracle::proto::tonic::metrics::v1::{Histogram, Sum};

    use super::*;

    fn metric(data: Data) -> Metric {
        Metric { name: "m".to_owned(), data: Some(data), ..Metric::default() }
    }

    fn sum(temporality: i32, value: i64) -> Metric {
        let value = Some(Value::AsInt(value));
        let data_points = vec![NumberDataPoint { value, ..NumberDataPoint::default() }];
        let aggregation_temporality = temporality;
        metric(Data::Sum(Sum { data_points, aggregation_temporality, is_monotonic: true }))
    }

    fn histogram(buckets: [u64; 2]) -> Metric {
        let point = HistogramDataPoint {
            count: buckets.iter().sum(),
            bucket_counts: buckets.to_vec(),
            explicit_bounds: vec![1.0],
            ..HistogramDataPoint::default()
        };
        let data_points = vec![point];
        metric(Data::Histogram(Histogram { data_points, aggregation_temporality: DELTA }))
    }

    #[test]
    fn delta_points_add_up_and_a_cumulative_one_has_those_before_it() {
        for (temporality, total) in [(DELTA, 7.0), (CUMULATIVE, 4.0)] {
            let mut table = Table::default();
            [3, 4].into_iter().for_each(|value| table.add(&sum(temporality, value)));
            assert_eq!((table.total("m"), table.points()), (total, 2));
            assert_eq!((table.rows.len(), table.total("other")), (1, 0.0));
            assert_eq!((table.collections("m"), table.series_at_once("m")), (2, 1));
            assert_eq!((table.collections("other"), table.series_at_once("other")), (0, 0));
        }
    }

    #[test]
    fn buckets_add_up_each_on_its_own() {
        let mut table = Table::default();
        [[1, 0], [2, 3]].into_iter().for_each(|buckets| table.add(&histogram(buckets)));
        assert_eq!(table.total("m"), 6.0);
        assert!(table.has_bounds("m", &[1.0]));
        assert!(!table.has_bounds("m", &[2.0]) && !table.has_bounds("other", &[1.0]));
        assert!(table.to_string().contains(" 6 values, sum 0.000: >-inf 3 >1 3 "), "{table}");
    }
}
