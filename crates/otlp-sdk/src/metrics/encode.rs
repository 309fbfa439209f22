//! What the official SDK has collected, in OTLP bytes.

use std::time::{SystemTime, UNIX_EPOCH};

use bytes::Bytes;
use opentelemetry::KeyValue;
use opentelemetry_sdk::metrics::Temporality;
use opentelemetry_sdk::metrics::data::{
    AggregatedMetrics, Exemplar, ExponentialHistogram, Gauge, Histogram, Metric, MetricData,
    ResourceMetrics, ScopeMetrics, Sum,
};
use otlp_core::metric::{
    self as wire, Buckets, ExponentialHistogramPoint, HistogramPoint, MetricEncoder,
    MetricIdentity, MetricItem, Number, NumberPoint, PointWriter,
};
use otlp_core::wire::envelope::{ScopeItems, build_request, overhead};
use otlp_core::wire::{Entries, Value};
use otlp_core::{Payload, Signal, SplitLimit};

use crate::resource::Resource;
use crate::value::{scope_header, with_wire};

/// Whole requests of what was collected, of at most `max_request_bytes` each, in order; a point that is
/// larger on its own comes alone in a request over the limit, so that the caller can count it. Nothing
/// collected gives no request.
pub(crate) fn payloads(collected: &ResourceMetrics, max_request_bytes: usize) -> Vec<Payload> {
    let resource = Resource::from(collected.resource()).header();
    let (mut scopes, mut points) = (Vec::new(), 0usize);
    let mut encoder = Encoder::new(SplitLimit::NONE);
    for metrics in collected.scope_metrics() {
        let header = scope_header(metrics.scope());
        let room = max_request_bytes.saturating_sub(overhead(&resource, &header));
        encoder.set_limit(SplitLimit { bytes: room.min(ITEM_BYTES), ..SplitLimit::NONE });
        let mut items = Vec::new();
        encoder.encode(metrics, &mut |item| {
            item.put_item(&mut items);
            points = points.saturating_add(item.points() as usize);
        });
        scopes.push((header, Bytes::from(items)));
    }
    let scopes: Vec<_> = scopes
        .iter()
        .map(|(scope, items)| ScopeItems { scope, items: vec![items.clone()] })
        .collect();
    let whole = build_request(Signal::Metrics, &resource, &scopes, points);
    if whole.is_empty() {
        return Vec::new();
    }
    // Our own bytes are well-formed; were they not, the exporter would say so of the whole.
    let limit = SplitLimit { bytes: max_request_bytes, ..SplitLimit::NONE };
    whole.split(limit).unwrap_or_else(|_| vec![whole])
}

/// Encodes scopes one after the other, and keeps its memory for the next.
#[derive(Debug)]
pub(crate) struct Encoder {
    metric: MetricEncoder,
    lists: Lists,
}

/// What a histogram's getters give one by one.
#[derive(Debug, Default)]
struct Lists {
    counts: Vec<u64>,
    negative: Vec<u64>,
    bounds: Vec<f64>,
}

type Sink<'a> = &'a mut dyn FnMut(MetricItem<'_>);

impl Encoder {
    /// An encoder whose items keep `limit`.
    pub(crate) fn new(limit: SplitLimit) -> Self {
        Self { metric: MetricEncoder::new(limit), lists: Lists::default() }
    }

    /// From now on items keep `limit`.
    pub(crate) fn set_limit(&mut self, limit: SplitLimit) {
        self.metric.set_limit(limit);
    }

    /// Encodes the metrics of a scope; `sink` gets the items.
    pub(crate) fn encode(&mut self, metrics: &ScopeMetrics, sink: Sink<'_>) {
        for metric in metrics.metrics() {
            match metric.data() {
                AggregatedMetrics::F64(data) => self.data(metric, data, sink),
                AggregatedMetrics::U64(data) => self.data(metric, data, sink),
                AggregatedMetrics::I64(data) => self.data(metric, data, sink),
            }
        }
    }

    fn data<T: Measured>(&mut self, metric: &Metric, data: &MetricData<T>, sink: Sink<'_>) {
        let identity = MetricIdentity {
            name: metric.name(),
            description: metric.description(),
            unit: metric.unit(),
        };
        let Self { metric, lists } = self;
        match data {
            MetricData::Gauge(gauge) => {
                metric.encode(&identity, wire::Gauge, sink, |points| push_gauge(gauge, points));
            }
            MetricData::Sum(sum) => {
                let temporality = temporality(sum.temporality());
                let data = wire::Sum { temporality, is_monotonic: sum.is_monotonic() };
                metric.encode(&identity, data, sink, |points| push_sum(sum, points));
            }
            MetricData::Histogram(histogram) => {
                let data = wire::Histogram { temporality: temporality(histogram.temporality()) };
                metric.encode(&identity, data, sink, |points| lists.push(histogram, points));
            }
            MetricData::ExponentialHistogram(histogram) => {
                let temporality = temporality(histogram.temporality());
                let data = wire::ExponentialHistogram { temporality };
                metric.encode(&identity, data, sink, |points| {
                    lists.push_exponential(histogram, points);
                });
            }
        }
    }
}

fn push_gauge<T: Measured>(gauge: &Gauge<T>, points: &mut PointWriter<'_, wire::Gauge>) {
    let start_time_unix_nano = gauge.start_time().map_or(0, nanos);
    let time_unix_nano = nanos(gauge.time());
    for point in gauge.data_points() {
        with_exemplars(point.exemplars(), |exemplars| {
            points.push(&NumberPoint {
                start_time_unix_nano,
                time_unix_nano,
                value: Some(point.value().number()),
                flags: 0,
                attributes: &Attributes(|| point.attributes()),
                exemplars,
            });
        });
    }
}

fn push_sum<T: Measured>(sum: &Sum<T>, points: &mut PointWriter<'_, wire::Sum>) {
    let (start_time_unix_nano, time_unix_nano) = (nanos(sum.start_time()), nanos(sum.time()));
    for point in sum.data_points() {
        with_exemplars(point.exemplars(), |exemplars| {
            points.push(&NumberPoint {
                start_time_unix_nano,
                time_unix_nano,
                value: Some(point.value().number()),
                flags: 0,
                attributes: &Attributes(|| point.attributes()),
                exemplars,
            });
        });
    }
}

impl Lists {
    fn push<T: Measured>(
        &mut self,
        histogram: &Histogram<T>,
        points: &mut PointWriter<'_, wire::Histogram>,
    ) {
        let start_time_unix_nano = nanos(histogram.start_time());
        let time_unix_nano = nanos(histogram.time());
        for point in histogram.data_points() {
            refill(&mut self.counts, point.bucket_counts());
            refill(&mut self.bounds, point.bounds());
            with_exemplars(point.exemplars(), |exemplars| {
                points.push(&HistogramPoint {
                    start_time_unix_nano,
                    time_unix_nano,
                    count: point.count(),
                    sum: Some(point.sum().float()),
                    min: point.min().map(Measured::float),
                    max: point.max().map(Measured::float),
                    bucket_counts: &self.counts,
                    explicit_bounds: &self.bounds,
                    flags: 0,
                    attributes: &Attributes(|| point.attributes()),
                    exemplars,
                });
            });
        }
    }

    fn push_exponential<T: Measured>(
        &mut self,
        histogram: &ExponentialHistogram<T>,
        points: &mut PointWriter<'_, wire::ExponentialHistogram>,
    ) {
        let start_time_unix_nano = nanos(histogram.start_time());
        let time_unix_nano = nanos(histogram.time());
        for point in histogram.data_points() {
            let (positive, negative) = (point.positive_bucket(), point.negative_bucket());
            refill(&mut self.counts, positive.counts());
            refill(&mut self.negative, negative.counts());
            let buckets = |offset, counts| Some(Buckets { offset, counts });
            with_exemplars(point.exemplars(), |exemplars| {
                points.push(&ExponentialHistogramPoint {
                    start_time_unix_nano,
                    time_unix_nano,
                    count: point.count() as u64,
                    sum: Some(point.sum().float()),
                    min: point.min().map(Measured::float),
                    max: point.max().map(Measured::float),
                    scale: point.scale().into(),
                    zero_count: point.zero_count(),
                    zero_threshold: point.zero_threshold(),
                    positive: buckets(positive.offset(), &self.counts),
                    negative: buckets(negative.offset(), &self.negative),
                    flags: 0,
                    attributes: &Attributes(|| point.attributes()),
                    exemplars,
                });
            });
        }
    }
}

/// What instruments measure.
trait Measured: Copy {
    fn number(self) -> Number;
    fn float(self) -> f64;
}

impl Measured for i64 {
    fn number(self) -> Number {
        Number::I64(self)
    }

    fn float(self) -> f64 {
        self as f64
    }
}

impl Measured for u64 {
    /// The protocol's integers are signed. What is beyond them is sent as the nearest floating-point
    /// number: it says more than a zero or a wrong sign would.
    fn number(self) -> Number {
        i64::try_from(self).map_or_else(|_| Number::F64(self.float()), Number::I64)
    }

    fn float(self) -> f64 {
        self as f64
    }
}

impl Measured for f64 {
    fn number(self) -> Number {
        Number::F64(self)
    }

    fn float(self) -> f64 {
        self
    }
}

/// Attributes as often as they are asked for: what makes the iterator over them.
struct Attributes<F>(F);

impl<'a, F, I> Entries for Attributes<F>
where
    F: Fn() -> I,
    I: Iterator<Item = &'a KeyValue>,
{
    fn for_each(&self, f: &mut dyn FnMut(&str, Value<'_>)) {
        for attribute in self.0() {
            with_wire(&attribute.value, |value| f(attribute.key.as_str(), value));
        }
    }
}

/// Calls `push` with the wire form of the exemplars, for which nothing is allocated if there are none.
fn with_exemplars<'a, T: Measured + 'a>(
    exemplars: impl Iterator<Item = &'a Exemplar<T>>,
    push: impl FnOnce(&[wire::Exemplar<'_>]),
) {
    let attributes: Vec<_> = exemplars
        .map(|exemplar| (exemplar, Attributes(|| exemplar.filtered_attributes())))
        .collect();
    let exemplars: Vec<_> = attributes
        .iter()
        .map(|(exemplar, attributes)| wire::Exemplar {
            time_unix_nano: nanos(exemplar.time()),
            value: exemplar.value.number(),
            context: context(*exemplar.trace_id(), *exemplar.span_id()),
            filtered_attributes: attributes,
        })
        .collect();
    push(&exemplars);
}

/// Where the measurement was taken; ids of zeros say that it was nowhere.
fn context(trace_id: [u8; 16], span_id: [u8; 8]) -> Option<([u8; 16], [u8; 8])> {
    (trace_id != [0; 16] && span_id != [0; 8]).then_some((trace_id, span_id))
}

/// The kinds of instruments have been told apart by the SDK: what is not delta is cumulative.
fn temporality(temporality: Temporality) -> wire::Temporality {
    match temporality {
        Temporality::Delta => wire::Temporality::Delta,
        _ => wire::Temporality::Cumulative,
    }
}

fn nanos(time: SystemTime) -> u64 {
    let since_epoch = time.duration_since(UNIX_EPOCH).unwrap_or_default();
    u64::try_from(since_epoch.as_nanos()).unwrap_or(u64::MAX)
}

fn refill<T>(list: &mut Vec<T>, items: impl Iterator<Item = T>) {
    list.clear();
    list.extend(items);
}

/// Most bytes of one item, if it has more points than one: small enough for the pipeline's buffers, and
/// for a request that a server calls too large to be cut in two. Pieces of a metric stay pieces in their
/// request: to join them there, each would have to be parsed again, and a split would have to undo it.
pub(crate) const ITEM_BYTES: usize = 56 * 1024;

#[cfg(test)]
mod tests;
