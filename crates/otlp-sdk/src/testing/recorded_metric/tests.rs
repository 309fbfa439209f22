//! What is measured comes back, and every kind that `opentelemetry-proto` can encode.

use std::time::{Duration, UNIX_EPOCH};

use opentelemetry::metrics::MeterProvider as _;
use opentelemetry_proto::tonic::collector::metrics::v1::ExportMetricsServiceRequest;
use opentelemetry_proto::tonic::common::v1::{AnyValue, KeyValue as ProtoKeyValue, any_value};
use opentelemetry_proto::tonic::metrics::v1::exponential_histogram_data_point::Buckets;
use opentelemetry_proto::tonic::metrics::v1::metric::Data;
use opentelemetry_proto::tonic::metrics::v1::summary_data_point::ValueAtQuantile;
use opentelemetry_proto::tonic::metrics::v1::{
    Exemplar, ExponentialHistogram, ExponentialHistogramDataPoint, Gauge, Histogram,
    HistogramDataPoint, Metric, NumberDataPoint, ResourceMetrics, ScopeMetrics, Sum, Summary,
    SummaryDataPoint, exemplar, number_data_point,
};
use otlp_core::{Payload, Signal};
use prost::Message as _;

use super::*;
use crate::metrics::{MeterProvider, ReaderConfig};
use crate::testing::InMemoryExporter;

fn provider(temporality: Temporality) -> (InMemoryExporter, MeterProvider) {
    let exporter = InMemoryExporter::default();
    let config = ReaderConfig::default().with_temporality(temporality);
    let builder = MeterProvider::builder()
        .with_resource(Resource::new([KeyValue::new("service.name", "shop")]));
    (exporter.clone(), builder.with_exporter_config(exporter, config).build())
}

#[test]
fn a_counter_comes_back_with_what_it_is_and_whose() {
    let (exporter, provider) = provider(Temporality::Cumulative);
    let scope = InstrumentationScope::builder("checkout").with_version("1.4").build();
    let meter = provider.meter_with_scope(scope.clone());
    let orders =
        meter.u64_counter("orders").with_unit("{order}").with_description("Orders placed").build();
    let (paid, unpaid) = ([KeyValue::new("paid", true)], [KeyValue::new("paid", false)]);
    orders.add(2, &paid);
    orders.add(1, &unpaid);
    provider.force_flush().unwrap();

    assert_eq!(exporter.data_points().len(), 2);
    let found = exporter.data_point("orders", &paid).unwrap();
    assert!(found.start_time.unwrap() <= found.time && found.time > UNIX_EPOCH);
    assert_eq!(
        found,
        RecordedDataPoint {
            name: "orders".to_owned(),
            description: "Orders placed".to_owned(),
            unit: "{order}".to_owned(),
            kind: MetricKind::Sum { is_monotonic: true },
            temporality: Some(Temporality::Cumulative),
            attributes: paid.to_vec(),
            value: 2.into(),
            start_time: found.start_time,
            time: found.time,
            exemplars: Vec::new(),
            scope,
            resource: Resource::new([KeyValue::new("service.name", "shop")]),
        }
    );
    assert_eq!(found.attribute("paid"), Some(&true.into()));
    assert_eq!(exporter.data_point("orders", &[]), None, "other attributes, other points");
    assert_eq!(exporter.data_point("other", &paid), None);
}

#[test]
fn of_several_collections_the_last_one_is_found() {
    for (temporality, after_two) in [(Temporality::Cumulative, 5), (Temporality::Delta, 3)] {
        let (exporter, provider) = provider(temporality);
        let counter = provider.meter("test").i64_up_down_counter("balance").build();
        let attributes = [KeyValue::new("a", 1), KeyValue::new("b", "2")];
        let swapped = [attributes[1].clone(), attributes[0].clone()];
        // The specification keeps up-down counters cumulative under `delta` (row M11).
        let counted = provider.meter("test").f64_counter("counted").build();
        for value in [2, 3] {
            counter.add(value, &attributes);
            counted.add(f64::from(i32::try_from(value).unwrap()), &attributes);
            provider.force_flush().unwrap();
        }
        let found = exporter.data_point("balance", &swapped).unwrap();
        assert_eq!((found.kind, found.value), (MetricKind::Sum { is_monotonic: false }, 5.into()));
        let found = exporter.data_point("counted", &swapped).unwrap();
        assert_eq!(found.value, f64::from(after_two).into());
        assert_eq!(found.temporality, Some(temporality));
        assert_eq!(exporter.data_points().len(), 4);
        exporter.reset();
        assert_eq!(exporter.data_points(), []);
    }
}

#[test]
fn a_histogram_and_a_gauge_come_back() {
    let (exporter, provider) = provider(Temporality::Delta);
    let meter = provider.meter("test");
    let sizes = meter.f64_histogram("sizes").with_boundaries(vec![1.0, 10.0]).build();
    [0.5, 1.0, 20.0].into_iter().for_each(|size| sizes.record(size, &[]));
    meter.f64_gauge("heat").build().record(0.5, &[]);
    provider.force_flush().unwrap();

    let found = exporter.data_point("sizes", &[]).unwrap();
    assert_eq!((found.kind, found.temporality), (MetricKind::Histogram, Some(Temporality::Delta)));
    assert_eq!(
        found.value.distribution(),
        Some(&Distribution {
            count: 3,
            sum: Some(21.5),
            min: Some(0.5),
            max: Some(20.0),
            shape: Shape::Buckets { bounds: vec![1.0, 10.0], counts: vec![2, 0, 1] },
        })
    );
    let found = exporter.data_point("heat", &[]).unwrap();
    assert_eq!((found.kind, found.temporality), (MetricKind::Gauge, None));
    assert_eq!((found.value.distribution(), &found.value), (None, &0.5.into()));
}

/// The points of one metric that the oracle has encoded.
fn points_of(data: Data) -> Vec<RecordedDataPoint> {
    let metrics = vec![Metric { data: Some(data), ..Metric::default() }];
    let scope_metrics = vec![ScopeMetrics { metrics, ..ScopeMetrics::default() }];
    let resource_metrics = vec![ResourceMetrics { scope_metrics, ..ResourceMetrics::default() }];
    let request = ExportMetricsServiceRequest { resource_metrics }.encode_to_vec();
    read(&Payload::from_request(Signal::Metrics, request).unwrap()).unwrap()
}

fn distribution(data: Data) -> (MetricKind, Distribution) {
    let point = points_of(data).remove(0);
    (point.kind, point.value.distribution().unwrap().clone())
}

#[test]
fn kinds_that_our_sdk_makes_seldom_or_never_are_read_as_well() {
    let point = ExponentialHistogramDataPoint {
        count: 9,
        scale: -1,
        zero_count: 2,
        zero_threshold: 0.5,
        positive: Some(Buckets { offset: -3, bucket_counts: vec![1, 300] }),
        ..ExponentialHistogramDataPoint::default()
    };
    let shape = Shape::Exponential {
        scale: -1,
        zero_count: 2,
        zero_threshold: 0.5,
        positive: (-3, vec![1, 300]),
        negative: (0, Vec::new()),
    };
    let data = ExponentialHistogram { data_points: vec![point], aggregation_temporality: 1 };
    let expected = Distribution { count: 9, shape, ..Distribution::default() };
    let found = distribution(Data::ExponentialHistogram(data));
    assert_eq!(found, (MetricKind::ExponentialHistogram, expected));

    let quantile_values = vec![ValueAtQuantile { quantile: 0.5, value: 7.0 }];
    let point =
        SummaryDataPoint { count: 2, sum: 14.0, quantile_values, ..SummaryDataPoint::default() };
    let shape = Shape::Quantiles(vec![(0.5, 7.0)]);
    let expected = Distribution { count: 2, sum: Some(14.0), shape, ..Distribution::default() };
    let found = distribution(Data::Summary(Summary { data_points: vec![point] }));
    assert_eq!(found, (MetricKind::Summary, expected));
}

#[test]
fn exemplars_come_back_with_their_span() {
    let value = any_value::Value::StringValue("z".to_owned());
    let value = Some(AnyValue { value: Some(value) });
    let filtered = ProtoKeyValue { key: "customer".to_owned(), value, ..ProtoKeyValue::default() };
    let exemplar = Exemplar {
        time_unix_nano: 5,
        value: Some(exemplar::Value::AsInt(-4)),
        trace_id: vec![1; 16],
        span_id: vec![2; 8],
        filtered_attributes: vec![filtered],
    };
    let bare = Exemplar::default();
    let point =
        HistogramDataPoint { exemplars: vec![exemplar, bare], ..HistogramDataPoint::default() };
    let data = Histogram { data_points: vec![point], aggregation_temporality: 2 };
    let found = points_of(Data::Histogram(data)).remove(0).exemplars;
    let expected = RecordedExemplar {
        value: (-4).into(),
        time: UNIX_EPOCH + Duration::from_nanos(5),
        trace_id: Some(TraceId::from_bytes([1; 16])),
        span_id: Some(SpanId::from_bytes([2; 8])),
        filtered_attributes: vec![KeyValue::new("customer", "z")],
    };
    assert_eq!(found[0], expected);
    assert_eq!((&found[1].value, found[1].trace_id), (&PointValue::Absent, None));
}

#[test]
fn what_is_not_there_is_not_made_up() {
    // F6: there is no temporality 0, and bit 0 of the flags says that a value is not one.
    let point = |value, flags| NumberDataPoint { value, flags, ..NumberDataPoint::default() };
    let value = Some(number_data_point::Value::AsInt(3));
    let data_points = vec![point(value, 0), point(value, 1), point(None, 0)];
    let sum = Sum { data_points, aggregation_temporality: 0, is_monotonic: false };
    let found = points_of(Data::Sum(sum));
    let values: Vec<_> = found.iter().map(|it| it.value.clone()).collect();
    assert_eq!(values, [3.into(), PointValue::Absent, PointValue::Absent]);
    assert_eq!((found[0].temporality, found[0].start_time), (None, None));
    assert_eq!(points_of(Data::Gauge(Gauge::default())), []);
}
