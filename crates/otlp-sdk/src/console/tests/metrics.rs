//! The exact text of metrics of each kind, which `opentelemetry-proto` has encoded.

use opentelemetry_proto::tonic::collector::metrics::v1::ExportMetricsServiceRequest;
use opentelemetry_proto::tonic::common::v1::{AnyValue, KeyValue, any_value::Value};
use opentelemetry_proto::tonic::metrics::v1::exponential_histogram_data_point::Buckets;
use opentelemetry_proto::tonic::metrics::v1::metric::Data;
use opentelemetry_proto::tonic::metrics::v1::summary_data_point::ValueAtQuantile;
use opentelemetry_proto::tonic::metrics::v1::{
    Exemplar, ExponentialHistogram, ExponentialHistogramDataPoint, Gauge, Histogram,
    HistogramDataPoint, Metric, NumberDataPoint, ResourceMetrics, ScopeMetrics, Sum, Summary,
    SummaryDataPoint, exemplar, number_data_point,
};
use otlp_core::Signal;
use prost::Message as _;

use super::START;
use super::logs::{attribute, resource, scope};

const MINUTE: u64 = 60_000_000_000;

fn integer(key: &str, value: i64) -> KeyValue {
    attribute(key, Some(AnyValue { value: Some(Value::IntValue(value)) }))
}

fn metric(data: Data) -> Metric {
    Metric { name: "m".to_owned(), data: Some(data), ..Metric::default() }
}

/// A request with this metric, under a resource and a scope.
fn request(metric: Metric) -> Vec<u8> {
    let metrics = vec![metric];
    let scope_metrics =
        vec![ScopeMetrics { scope: scope("shop"), metrics, ..ScopeMetrics::default() }];
    let resource_metrics =
        vec![ResourceMetrics { resource: resource(), scope_metrics, ..ResourceMetrics::default() }];
    ExportMetricsServiceRequest { resource_metrics }.encode_to_vec()
}

/// What is printed of a metric under a resource and a scope.
fn described(metric: Metric) -> String {
    let text = super::super::describe(Signal::Metrics, &request(metric)).unwrap();
    let head = "resource service.name=\"shop\"\nscope shop\n";
    text.strip_prefix(head).unwrap().to_owned()
}

fn exemplar(value: f64) -> Exemplar {
    Exemplar {
        time_unix_nano: START + 1,
        value: Some(exemplar::Value::AsDouble(value)),
        trace_id: vec![0x11; 16],
        span_id: vec![0x22; 8],
        filtered_attributes: vec![integer("customer", 7)],
    }
}

#[test]
fn a_sum_is_shown_with_all_that_it_holds() {
    // R11
    let point = |value, route| NumberDataPoint {
        start_time_unix_nano: START,
        time_unix_nano: START + MINUTE,
        value: Some(value),
        attributes: vec![integer("route", route)],
        ..NumberDataPoint::default()
    };
    let data_points = vec![
        NumberDataPoint {
            exemplars: vec![exemplar(0.5)],
            ..point(number_data_point::Value::AsInt(-3), 1)
        },
        point(number_data_point::Value::AsDouble(f64::NAN), 2),
    ];
    let sum = Sum { data_points, aggregation_temporality: 2, is_monotonic: true };
    let metric = Metric {
        name: "orders".to_owned(),
        description: "Orders\nplaced".to_owned(),
        unit: "{order}".to_owned(),
        metadata: vec![integer("origin", 9)],
        data: Some(Data::Sum(sum)),
    };
    assert_eq!(
        described(metric),
        r"metric orders
  about    Orders\nplaced
  unit     {order}
  kind     sum, cumulative, monotonic
  origin = 9
  point -3
    start    2026-11-21T15:30:00.123456789Z
    time     2026-11-21T15:31:00.123456789Z
    route = 1
    exemplar 0.5 at 2026-11-21T15:30:00.123456790Z, trace 11111111111111111111111111111111, span 2222222222222222
      customer = 7
  point NaN
    start    2026-11-21T15:30:00.123456789Z
    time     2026-11-21T15:31:00.123456789Z
    route = 2
"
    );
}

#[test]
fn a_gauge_tells_a_value_from_none() {
    let point = |value, flags| NumberDataPoint {
        time_unix_nano: START,
        value,
        flags,
        ..NumberDataPoint::default()
    };
    let value = Some(number_data_point::Value::AsDouble(1.0));
    let data_points = vec![point(value, 0), point(None, 1), point(None, 0)];
    assert_eq!(
        described(metric(Data::Gauge(Gauge { data_points }))),
        r"metric m
  kind     gauge
  point 1.0
    time     2026-11-21T15:30:00.123456789Z
  point (no recorded value)
    time     2026-11-21T15:30:00.123456789Z
  point without a value
    time     2026-11-21T15:30:00.123456789Z
"
    );
}

fn histogram(point: HistogramDataPoint) -> String {
    let point = HistogramDataPoint { time_unix_nano: START, ..point };
    let histogram = Histogram { data_points: vec![point], aggregation_temporality: 1 };
    described(metric(Data::Histogram(histogram)))
}

#[test]
fn a_histogram_shows_the_buckets_that_have_values() {
    let text = histogram(HistogramDataPoint {
        count: 10,
        sum: Some(1.25),
        min: Some(-1.0),
        max: Some(90.0),
        bucket_counts: vec![1, 0, 6, 3],
        explicit_bounds: vec![0.0, 0.005, 10.0],
        attributes: vec![integer("route", 1)],
        exemplars: vec![exemplar(90.0)],
        ..HistogramDataPoint::default()
    });
    assert_eq!(
        text,
        r"metric m
  kind     histogram, delta
  point count 10, sum 1.25, min -1.0, max 90.0
    time     2026-11-21T15:30:00.123456789Z
    buckets  (-∞, 0.0] 1, (0.005, 10.0] 6, (10.0, ∞) 3
    route = 1
    exemplar 90.0 at 2026-11-21T15:30:00.123456790Z, trace 11111111111111111111111111111111, span 2222222222222222
      customer = 7
"
    );
}

#[test]
fn a_histogram_without_buckets_or_with_too_many_is_shown_as_it_is() {
    let bare = histogram(HistogramDataPoint { count: 2, ..HistogramDataPoint::default() });
    assert!(bare.contains("\n  point count 2\n") && !bare.contains("buckets"), "{bare}");
    let one = HistogramDataPoint { bucket_counts: vec![7], ..HistogramDataPoint::default() };
    assert!(histogram(one).contains("  buckets  (-∞, ∞) 7\n"));
    let many =
        HistogramDataPoint { bucket_counts: vec![7; 100_000], ..HistogramDataPoint::default() };
    let longest = histogram(many).lines().map(str::len).max();
    assert!(longest.is_some_and(|len| len < 1_100), "{longest:?}");
}

fn exponential(point: ExponentialHistogramDataPoint) -> String {
    let point = ExponentialHistogramDataPoint { time_unix_nano: START, ..point };
    let histogram = ExponentialHistogram { data_points: vec![point], aggregation_temporality: 2 };
    described(metric(Data::ExponentialHistogram(histogram)))
}

#[test]
fn exponential_buckets_are_shown_with_the_bounds_that_they_stand_for() {
    // Bucket i has the values above base^i, up to base^(i+1).
    let text = exponential(ExponentialHistogramDataPoint {
        count: 12,
        sum: Some(20.0),
        scale: 1,
        zero_count: 3,
        zero_threshold: 0.25,
        positive: Some(Buckets { offset: -2, bucket_counts: vec![1, 0, 4, 2] }),
        negative: Some(Buckets { offset: 2, bucket_counts: vec![2] }),
        ..ExponentialHistogramDataPoint::default()
    });
    assert_eq!(
        text,
        r"metric m
  kind     exponential histogram, cumulative
  point count 12, sum 20.0, scale 1
    time     2026-11-21T15:30:00.123456789Z
    buckets  [-2.82843, -2.0) 2, [-0.25, 0.25] 3, (0.5, 0.707107] 1, (1.0, 1.41421] 4, (1.41421, 2.0] 2
"
    );
}

#[test]
fn no_scale_or_offset_makes_a_bound_that_is_no_number() {
    for scale in [i32::MIN, -2_000, 0, 20, i32::MAX] {
        for offset in [i32::MIN, -1, 0, i32::MAX] {
            let buckets = || Some(Buckets { offset, bucket_counts: vec![1, 1] });
            let text = exponential(ExponentialHistogramDataPoint {
                scale,
                positive: buckets(),
                negative: buckets(),
                zero_count: 1,
                ..ExponentialHistogramDataPoint::default()
            });
            assert!(text.contains(", 0 1, (") && !text.contains("NaN"), "{text}");
        }
    }
}

#[test]
fn a_summary_shows_its_quantiles() {
    let at = |quantile, value| ValueAtQuantile { quantile, value };
    let point = SummaryDataPoint {
        time_unix_nano: START,
        count: 4,
        sum: 10.0,
        quantile_values: vec![at(0.5, 2.0), at(0.99, 4.0)],
        attributes: vec![integer("route", 1)],
        ..SummaryDataPoint::default()
    };
    assert_eq!(
        described(metric(Data::Summary(Summary { data_points: vec![point] }))),
        r"metric m
  kind     summary
  point count 4, sum 10.0
    time     2026-11-21T15:30:00.123456789Z
    at       0.5 2.0, 0.99 4.0
    route = 1
"
    );
}

#[test]
fn a_metric_of_nothing_is_shown_and_nothing_in_it_can_make_a_line() {
    let hostile = "\n\x1b[2J\u{202e}".to_owned();
    let metric = Metric {
        name: hostile.clone(),
        description: hostile.clone(),
        unit: hostile,
        ..Metric::default()
    };
    let escaped = r"\n\u{1b}[2J\u{202e}";
    let expected = format!(
        "metric {escaped}\n  about    {escaped}\n  unit     {escaped}\n  kind     none that is \
         known here\n"
    );
    assert_eq!(described(metric), expected);
}

/// A request for a metric of each kind.
pub(super) fn requests() -> Vec<Vec<u8>> {
    let number = NumberDataPoint {
        value: Some(number_data_point::Value::AsInt(1)),
        exemplars: vec![exemplar(0.5)],
        ..NumberDataPoint::default()
    };
    let histogram = HistogramDataPoint {
        bucket_counts: vec![1, 2],
        explicit_bounds: vec![0.5],
        ..HistogramDataPoint::default()
    };
    let buckets = Buckets { offset: 2, bucket_counts: vec![2, 300] };
    let exponential = ExponentialHistogramDataPoint {
        scale: 1,
        positive: Some(buckets.clone()),
        negative: Some(buckets),
        ..ExponentialHistogramDataPoint::default()
    };
    let summary = SummaryDataPoint {
        quantile_values: vec![ValueAtQuantile { quantile: 0.5, value: 2.0 }],
        ..SummaryDataPoint::default()
    };
    let kinds = [
        Data::Gauge(Gauge { data_points: vec![number] }),
        Data::Histogram(Histogram { data_points: vec![histogram], ..Histogram::default() }),
        Data::ExponentialHistogram(ExponentialHistogram {
            data_points: vec![exponential],
            ..ExponentialHistogram::default()
        }),
        Data::Summary(Summary { data_points: vec![summary] }),
    ];
    kinds.into_iter().map(|data| request(metric(data))).collect()
}
