//! Metrics against `opentelemetry-proto`: decoded to what was pushed, and byte for byte what prost
//! writes; and parts of a metric that are no larger than they may be.

#![allow(
    clippy::unwrap_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "helpers of tests fail by panicking, as tests do"
)]

mod encode_support;

use opentelemetry_proto::tonic::metrics::v1::metric::Data as ProtoData;
use opentelemetry_proto::tonic::metrics::v1::{
    self as proto, Metric, ScopeMetrics, exemplar, number_data_point, summary_data_point,
};
use otlp_core::metric::{
    Buckets, Data, Exemplar, ExponentialHistogram, ExponentialHistogramPoint, Gauge, Histogram,
    HistogramPoint, MetricEncoder, MetricIdentity, MetricItem, Number, NumberPoint, PointWriter,
    Quantile, Sum, Summary, SummaryPoint, Temporality,
};
use otlp_core::{AttributeLimits, SplitLimit};
use proptest::collection::vec;
use proptest::option;
use proptest::prelude::*;
use prost::Message;

use crate::encode_support::{Any, Dict, ModelList, attributes, text};

/// A metric as a test makes it: the fields of every kind of point, of which its kind takes its own.
#[derive(Clone, Debug)]
struct Script {
    name: String,
    description: String,
    unit: String,
    kind: Kind,
    points: Vec<Point>,
}

#[derive(Clone, Copy, Debug)]
enum Kind {
    Gauge,
    Sum(Temporality, bool),
    Histogram(Temporality),
    Exponential(Temporality),
    Summary,
}

#[derive(Clone, Debug)]
struct Point {
    times: (u64, u64),
    value: Option<Number>,
    count: u64,
    sum: Option<f64>,
    min: Option<f64>,
    max: Option<f64>,
    counts: Vec<u64>,
    numbers: Vec<f64>,
    scale: i32,
    positive: Option<(i32, Vec<u64>)>,
    negative: Option<(i32, Vec<u64>)>,
    flags: u32,
    attributes: Dict,
    exemplars: Vec<Example>,
}

#[derive(Clone, Debug)]
struct Example {
    time: u64,
    value: Number,
    context: Option<([u8; 16], [u8; 8])>,
    attributes: Dict,
}

fn script() -> impl Strategy<Value = Script> {
    (text(), text(), text(), kind(), vec(point(), 0..6)).prop_map(
        |(name, description, unit, kind, points)| Script { name, description, unit, kind, points },
    )
}

fn kind() -> impl Strategy<Value = Kind> {
    let temporality = || prop_oneof![Just(Temporality::Delta), Just(Temporality::Cumulative)];
    prop_oneof![
        Just(Kind::Gauge),
        (temporality(), any::<bool>()).prop_map(|(temporality, up)| Kind::Sum(temporality, up)),
        temporality().prop_map(Kind::Histogram),
        temporality().prop_map(Kind::Exponential),
        Just(Kind::Summary),
    ]
}

fn point() -> impl Strategy<Value = Point> {
    let values = (
        option::of(number()),
        any_count(),
        [option::of(double()), option::of(double()), option::of(double())],
    );
    let buckets = || option::of((any::<i32>(), vec(any_count(), 0..6)));
    let lists = (vec(any_count(), 0..6), vec(double(), 0..6), -10..=20_i32, buckets(), buckets());
    let rest = (any::<(u64, u64)>(), 0..2_u32, attributes(), vec(example(), 0..3));
    (values, lists, rest).prop_map(|(values, lists, rest)| {
        let (value, count, [sum, min, max]) = values;
        let (counts, numbers, scale, positive, negative) = lists;
        let (times, flags, attributes, exemplars) = rest;
        let attributes = Dict(attributes);
        Point {
            times,
            value,
            count,
            sum,
            min,
            max,
            counts,
            numbers,
            scale,
            positive,
            negative,
            flags,
            attributes,
            exemplars,
        }
    })
}

fn example() -> impl Strategy<Value = Example> {
    let context = option::of((any::<[u8; 16]>(), any::<[u8; 8]>()));
    (any::<u64>(), number(), context, attributes()).prop_map(
        |(time, value, context, attributes)| Example {
            time,
            value,
            context,
            attributes: Dict(attributes),
        },
    )
}

fn number() -> impl Strategy<Value = Number> {
    prop_oneof![any::<i64>().prop_map(Number::I64), double().prop_map(Number::F64)]
}

/// Of any kind, NaN and infinities included; but not the negative zero, for which prost writes no
/// bytes in a field that has no presence.
fn double() -> impl Strategy<Value = f64> {
    any::<u64>().prop_map(f64::from_bits).prop_map(|value| if value == 0.0 { 0.0 } else { value })
}

fn any_count() -> impl Strategy<Value = u64> {
    (any::<u64>(), 0..64_u32).prop_map(|(bits, shift)| bits >> shift)
}

impl Script {
    /// The items that the encoder makes, each with its number of points.
    fn items(&self, encoder: &mut MetricEncoder) -> Vec<(u32, Vec<u8>)> {
        match self.kind {
            Kind::Gauge => self.encode(encoder, Gauge, push_number),
            Kind::Sum(temporality, is_monotonic) => {
                self.encode(encoder, Sum { temporality, is_monotonic }, push_number)
            }
            Kind::Histogram(temporality) => {
                self.encode(encoder, Histogram { temporality }, push_histogram)
            }
            Kind::Exponential(temporality) => {
                self.encode(encoder, ExponentialHistogram { temporality }, push_exponential)
            }
            Kind::Summary => self.encode(encoder, Summary, push_summary),
        }
    }

    fn encode<D: Data>(
        &self,
        encoder: &mut MetricEncoder,
        data: D,
        push: fn(&Point, &[Exemplar<'_>], &mut PointWriter<'_, D>),
    ) -> Vec<(u32, Vec<u8>)> {
        let mut items = Vec::new();
        let identity =
            MetricIdentity { name: &self.name, description: &self.description, unit: &self.unit };
        let mut sink = |item: MetricItem<'_>| {
            let mut bytes = b"before".to_vec();
            item.put_item(&mut bytes);
            assert_eq!(bytes.len(), 6 + item.item_len());
            items.push((item.points(), bytes.split_off(6)));
        };
        encoder.encode(&identity, data, &mut sink, |points| {
            for point in &self.points {
                let exemplars: Vec<_> = point.exemplars.iter().map(Example::exemplar).collect();
                push(point, &exemplars, points);
            }
        });
        items
    }

    fn expected(&self) -> Metric {
        let temporality = |temporality: Temporality| temporality as i32;
        let numbers = || self.points.iter().map(Point::number).collect();
        let data = match self.kind {
            Kind::Gauge => ProtoData::Gauge(proto::Gauge { data_points: numbers() }),
            Kind::Sum(time, is_monotonic) => ProtoData::Sum(proto::Sum {
                data_points: numbers(),
                aggregation_temporality: temporality(time),
                is_monotonic,
            }),
            Kind::Histogram(time) => ProtoData::Histogram(proto::Histogram {
                data_points: self.points.iter().map(Point::histogram).collect(),
                aggregation_temporality: temporality(time),
            }),
            Kind::Exponential(time) => {
                ProtoData::ExponentialHistogram(proto::ExponentialHistogram {
                    data_points: self.points.iter().map(Point::exponential).collect(),
                    aggregation_temporality: temporality(time),
                })
            }
            Kind::Summary => ProtoData::Summary(proto::Summary {
                data_points: self.points.iter().map(Point::summary).collect(),
            }),
        };
        Metric {
            name: self.name.clone(),
            description: self.description.clone(),
            unit: self.unit.clone(),
            metadata: Vec::new(),
            data: Some(data),
        }
    }
}

fn push_number<D: for<'a> Data<Point<'a> = NumberPoint<'a>>>(
    point: &Point,
    exemplars: &[Exemplar<'_>],
    points: &mut PointWriter<'_, D>,
) {
    points.push(&NumberPoint {
        start_time_unix_nano: point.times.0,
        time_unix_nano: point.times.1,
        value: point.value,
        flags: point.flags,
        attributes: &point.attributes,
        exemplars,
    });
}

fn push_histogram(
    point: &Point,
    exemplars: &[Exemplar<'_>],
    points: &mut PointWriter<'_, Histogram>,
) {
    points.push(&HistogramPoint {
        start_time_unix_nano: point.times.0,
        time_unix_nano: point.times.1,
        count: point.count,
        sum: point.sum,
        min: point.min,
        max: point.max,
        bucket_counts: &point.counts,
        explicit_bounds: &point.numbers,
        flags: point.flags,
        attributes: &point.attributes,
        exemplars,
    });
}

fn push_exponential(
    point: &Point,
    exemplars: &[Exemplar<'_>],
    points: &mut PointWriter<'_, ExponentialHistogram>,
) {
    fn buckets(side: &Option<(i32, Vec<u64>)>) -> Option<Buckets<'_>> {
        side.as_ref().map(|(offset, counts)| Buckets { offset: *offset, counts })
    }
    points.push(&ExponentialHistogramPoint {
        start_time_unix_nano: point.times.0,
        time_unix_nano: point.times.1,
        count: point.count,
        sum: point.sum,
        min: point.min,
        max: point.max,
        scale: point.scale,
        zero_count: point.count,
        zero_threshold: point.threshold(),
        positive: buckets(&point.positive),
        negative: buckets(&point.negative),
        flags: point.flags,
        attributes: &point.attributes,
        exemplars,
    });
}

fn push_summary(point: &Point, _: &[Exemplar<'_>], points: &mut PointWriter<'_, Summary>) {
    let quantiles: Vec<_> = point.quantiles().collect();
    points.push(&SummaryPoint {
        start_time_unix_nano: point.times.0,
        time_unix_nano: point.times.1,
        count: point.count,
        sum: point.threshold(),
        quantiles: &quantiles,
        flags: point.flags,
        attributes: &point.attributes,
    });
}

impl Point {
    fn threshold(&self) -> f64 {
        self.sum.unwrap_or_default()
    }

    fn quantiles(&self) -> impl Iterator<Item = Quantile> {
        self.numbers.iter().map(|value| Quantile { quantile: 0.5, value: *value })
    }

    fn number(&self) -> proto::NumberDataPoint {
        proto::NumberDataPoint {
            attributes: kept(&self.attributes),
            start_time_unix_nano: self.times.0,
            time_unix_nano: self.times.1,
            exemplars: self.exemplars.iter().map(Example::expected).collect(),
            flags: self.flags,
            value: self.value.map(|value| match value {
                Number::I64(value) => number_data_point::Value::AsInt(value),
                Number::F64(value) => number_data_point::Value::AsDouble(value),
            }),
        }
    }

    fn histogram(&self) -> proto::HistogramDataPoint {
        proto::HistogramDataPoint {
            attributes: kept(&self.attributes),
            start_time_unix_nano: self.times.0,
            time_unix_nano: self.times.1,
            count: self.count,
            sum: self.sum,
            bucket_counts: self.counts.clone(),
            explicit_bounds: self.numbers.clone(),
            exemplars: self.exemplars.iter().map(Example::expected).collect(),
            flags: self.flags,
            min: self.min,
            max: self.max,
        }
    }

    fn exponential(&self) -> proto::ExponentialHistogramDataPoint {
        use proto::exponential_histogram_data_point::Buckets;
        let buckets = |side: &Option<(i32, Vec<u64>)>| {
            side.clone().map(|(offset, bucket_counts)| Buckets { offset, bucket_counts })
        };
        proto::ExponentialHistogramDataPoint {
            attributes: kept(&self.attributes),
            start_time_unix_nano: self.times.0,
            time_unix_nano: self.times.1,
            count: self.count,
            sum: self.sum,
            scale: self.scale,
            zero_count: self.count,
            positive: buckets(&self.positive),
            negative: buckets(&self.negative),
            flags: self.flags,
            exemplars: self.exemplars.iter().map(Example::expected).collect(),
            min: self.min,
            max: self.max,
            zero_threshold: self.threshold(),
        }
    }

    fn summary(&self) -> proto::SummaryDataPoint {
        let quantile =
            |Quantile { quantile, value }| summary_data_point::ValueAtQuantile { quantile, value };
        proto::SummaryDataPoint {
            attributes: kept(&self.attributes),
            start_time_unix_nano: self.times.0,
            time_unix_nano: self.times.1,
            count: self.count,
            sum: self.threshold(),
            quantile_values: self.quantiles().map(quantile).collect(),
            flags: self.flags,
        }
    }
}

impl Example {
    fn exemplar(&self) -> Exemplar<'_> {
        Exemplar {
            time_unix_nano: self.time,
            value: self.value,
            context: self.context,
            filtered_attributes: &self.attributes,
        }
    }

    fn expected(&self) -> proto::Exemplar {
        let ids = self.context.map(|(trace_id, span_id)| (trace_id.to_vec(), span_id.to_vec()));
        let (trace_id, span_id) = ids.unwrap_or_default();
        proto::Exemplar {
            filtered_attributes: kept(&self.attributes),
            time_unix_nano: self.time,
            span_id,
            trace_id,
            value: Some(match self.value {
                Number::I64(value) => exemplar::Value::AsInt(value),
                Number::F64(value) => exemplar::Value::AsDouble(value),
            }),
        }
    }
}

/// Attributes of metrics: unique keys (row W5), no limits (row L5).
fn kept(attributes: &Dict) -> Vec<opentelemetry_proto::tonic::common::v1::KeyValue> {
    ModelList::of(&attributes.0, &AttributeLimits::EXEMPT).list
}

fn decode(item: &[u8]) -> Metric {
    let mut scope = ScopeMetrics::decode(item).unwrap();
    assert_eq!(scope.metrics.len(), 1);
    scope.metrics.remove(0)
}

/// The points of a metric, as text: NaN does not equal itself.
fn points(metric: &Metric) -> Vec<String> {
    fn texts<T: std::fmt::Debug>(points: &[T]) -> Vec<String> {
        points.iter().map(|point| format!("{point:?}")).collect()
    }
    match metric.data.as_ref().unwrap() {
        ProtoData::Gauge(data) => texts(&data.data_points),
        ProtoData::Sum(data) => texts(&data.data_points),
        ProtoData::Histogram(data) => texts(&data.data_points),
        ProtoData::ExponentialHistogram(data) => texts(&data.data_points),
        ProtoData::Summary(data) => texts(&data.data_points),
    }
}

fn without_points(mut metric: Metric) -> Metric {
    match metric.data.as_mut().unwrap() {
        ProtoData::Gauge(data) => data.data_points.clear(),
        ProtoData::Sum(data) => data.data_points.clear(),
        ProtoData::Histogram(data) => data.data_points.clear(),
        ProtoData::ExponentialHistogram(data) => data.data_points.clear(),
        ProtoData::Summary(data) => data.data_points.clear(),
    }
    metric
}

fn with_first_point_of(other: Metric, mut metric: Metric) -> Metric {
    match (metric.data.as_mut().unwrap(), other.data.unwrap()) {
        (ProtoData::Gauge(data), ProtoData::Gauge(other)) => {
            data.data_points.push(other.data_points[0].clone());
        }
        (ProtoData::Sum(data), ProtoData::Sum(other)) => {
            data.data_points.push(other.data_points[0].clone());
        }
        (ProtoData::Histogram(data), ProtoData::Histogram(other)) => {
            data.data_points.push(other.data_points[0].clone());
        }
        (ProtoData::ExponentialHistogram(data), ProtoData::ExponentialHistogram(other)) => {
            data.data_points.push(other.data_points[0].clone());
        }
        (ProtoData::Summary(data), ProtoData::Summary(other)) => {
            data.data_points.push(other.data_points[0].clone());
        }
        (data, other) => panic!("{data:?} is not of the kind of {other:?}"),
    }
    metric
}

proptest! {
    // W5, L5, F6: also NaN, infinities and negative sums, which stay as they are. M7: exemplars with the
    // attributes that were filtered, and the span.
    #[test]
    fn a_metric_is_what_prost_encodes_and_decodes_to_what_was_pushed(script in script()) {
        let items = script.items(&mut MetricEncoder::new(SplitLimit::NONE));
        if script.points.is_empty() {
            prop_assert!(items.is_empty(), "a metric without points is none (row W3)");
            return Ok(());
        }
        let expected = ScopeMetrics { metrics: vec![script.expected()], ..Default::default() };
        prop_assert_eq!(items.len(), 1);
        prop_assert_eq!(items[0].0 as usize, script.points.len());
        prop_assert_eq!(format!("{:?}", decode(&items[0].1)), format!("{:?}", script.expected()));
        prop_assert_eq!(&items[0].1, &expected.encode_to_vec());
    }

    #[test]
    fn parts_keep_the_limit_and_have_all_points_in_order(
        script in script(), bytes in 0..2_000_usize, most in 1..5_usize
    ) {
        let limit = SplitLimit { bytes, items: most };
        let items = script.items(&mut MetricEncoder::new(limit));
        let (mut all, whole) = (Vec::new(), script.expected());
        for (at, (count, item)) in items.iter().enumerate() {
            let part = decode(item);
            let of_part = points(&part);
            prop_assert_eq!(of_part.len(), *count as usize);
            prop_assert!(*count == 1 || item.len() <= bytes && *count as usize <= most);
            // A part ends where it is full.
            if let Some((_, next)) = items.get(at + 1) && (*count as usize) < most {
                let metrics = vec![with_first_point_of(decode(next), part.clone())];
                let joined = ScopeMetrics { metrics, ..Default::default() };
                prop_assert!(joined.encoded_len() > bytes);
            }
            all.extend(of_part);
            prop_assert_eq!(without_points(part), without_points(whole.clone()));
        }
        prop_assert_eq!(all, points(&whole));
    }

    #[test]
    fn nothing_of_a_metric_is_left_in_the_next(first in script(), second in script()) {
        let limit = SplitLimit { bytes: 300, items: 3 };
        let mut used = MetricEncoder::new(limit);
        first.items(&mut used);
        prop_assert_eq!(second.items(&mut used), second.items(&mut MetricEncoder::new(limit)));
    }
}

#[test]
fn attributes_without_a_key_are_left_out_and_told() {
    let attributes = Dict(vec![(String::new(), Any::I64(1)), ("k".into(), Any::I64(2))]);
    let mut limited = Vec::new();
    let mut encoder = MetricEncoder::new(SplitLimit { bytes: usize::MAX, items: 2 });
    encoder.encode(
        &MetricIdentity::default(),
        Gauge,
        &mut |item| limited.push(item.limited()),
        |points| {
            for attributes in [&attributes, &Dict(vec![]), &Dict(vec![]), &attributes, &attributes]
            {
                points.push(&NumberPoint { attributes, ..NumberPoint::default() });
            }
        },
    );
    assert_eq!(limited, [1, 1, 1]);
}

#[test]
fn a_part_is_filled_to_the_byte() {
    let point =
        NumberPoint { time_unix_nano: 1, value: Some(Number::I64(1)), ..NumberPoint::default() };
    let items = |count: usize, bytes| {
        let mut items = Vec::new();
        let mut sink = |item: MetricItem<'_>| items.push((item.points(), item.item_len()));
        let mut encoder = MetricEncoder::new(SplitLimit { bytes, ..SplitLimit::NONE });
        encoder.encode(&MetricIdentity::default(), Gauge, &mut sink, |points| {
            (0..count).for_each(|_| points.push(&point));
        });
        items
    };
    let [(5, of_five)] = items(5, usize::MAX)[..] else { panic!("five points in one item") };
    assert_eq!(items(10, of_five), [(5, of_five), (5, of_five)]);
    let counts: Vec<_> = items(10, of_five - 1).iter().map(|(count, _)| *count).collect();
    assert_eq!(counts, [4, 4, 2]);
    assert_eq!(items(10, 0).len(), 10, "a point that is too large comes alone");
}
