//! Measurements as an OTLP request.

use std::time::{SystemTime, UNIX_EPOCH};

use bytes::Bytes;
use otlp_core::metric::{
    self as wire, HistogramPoint, MetricEncoder, MetricIdentity, MetricItem, Number, NumberPoint,
    PointWriter, Temporality,
};
use otlp_core::wire::envelope::{ResourceHeader, ScopeHeader, ScopeItems, build_request};
use otlp_core::wire::{Entries, Value as Wire};
use otlp_core::{Payload, Signal, SplitLimit};

use super::resource::Resource;
use super::{Instrument, InstrumentKind, Measurements, Point, Value};

/// A request with everything that was measured: counts since `start`, values of `now`.
pub(super) fn request(
    all: &Measurements,
    resource: &Resource,
    start: SystemTime,
    now: SystemTime,
) -> Payload {
    let times = Times { start: nanos(start), now: nanos(now) };
    let mut encoder = MetricEncoder::new(SplitLimit::NONE);
    let (mut items, mut count) = (Vec::new(), 0usize);
    let mut sink = |item: MetricItem<'_>| {
        item.put_item(&mut items);
        count = count.saturating_add(item.points() as usize);
    };
    for (instrument, points) in all.iter() {
        times.encode(&mut encoder, instrument, points, &mut sink);
    }
    let resource =
        ResourceHeader::encode(resource.iter().map(|(key, value)| (key, value.into())), "");
    let none: [(&str, Wire<'_>); 0] = [];
    let scope = ScopeHeader::encode(env!("CARGO_PKG_NAME"), env!("CARGO_PKG_VERSION"), none, "");
    let scopes = [ScopeItems { scope: &scope, items: vec![Bytes::from(items)] }];
    build_request(Signal::Metrics, &resource, &scopes, count)
}

/// In nanoseconds since the Unix epoch.
struct Times {
    start: u64,
    now: u64,
}

impl Times {
    fn encode(
        &self,
        encoder: &mut MetricEncoder,
        instrument: &Instrument,
        points: &[Point],
        sink: &mut dyn FnMut(MetricItem<'_>),
    ) {
        let Instrument { name, unit, description, .. } = *instrument;
        let identity = MetricIdentity { name, description, unit };
        let temporality = Temporality::Cumulative;
        match instrument.kind {
            InstrumentKind::Counter => {
                let sum = wire::Sum { temporality, is_monotonic: true };
                encoder.encode(&identity, sum, sink, |to| {
                    self.numbers(points, self.start, |point| to.push(point));
                });
            }
            InstrumentKind::Gauge => encoder.encode(&identity, wire::Gauge, sink, |to| {
                self.numbers(points, 0, |point| to.push(point));
            }),
            InstrumentKind::Histogram => {
                let histogram = wire::Histogram { temporality };
                encoder.encode(&identity, histogram, sink, |to| self.histograms(points, to));
            }
        }
    }

    fn numbers(&self, points: &[Point], start: u64, mut push: impl FnMut(&NumberPoint<'_>)) {
        for point in points {
            let value = match &point.value {
                Value::Whole(number) => whole(*number),
                Value::Float(number) => Number::F64(*number),
                // A histogram has an instrument of its own.
                Value::Histogram { .. } => continue,
            };
            push(&NumberPoint {
                start_time_unix_nano: start,
                time_unix_nano: self.now,
                value: Some(value),
                attributes: &Attributes(&point.attributes),
                ..NumberPoint::default()
            });
        }
    }

    fn histograms(&self, points: &[Point], to: &mut PointWriter<'_, wire::Histogram>) {
        for point in points {
            let Value::Histogram { bounds, counts, sum } = &point.value else { continue };
            to.push(&HistogramPoint {
                start_time_unix_nano: self.start,
                time_unix_nano: self.now,
                count: counts.iter().fold(0, |all, count| all.saturating_add(*count)),
                sum: Some(*sum),
                bucket_counts: counts,
                explicit_bounds: bounds,
                attributes: &Attributes(&point.attributes),
                ..HistogramPoint::default()
            });
        }
    }
}

/// The protocol's integers are signed; what is beyond them goes as the nearest other number.
fn whole(number: u64) -> Number {
    i64::try_from(number).map_or(Number::F64(number as f64), Number::I64)
}

struct Attributes<'a>(&'a [(&'static str, String)]);

impl Entries for Attributes<'_> {
    fn for_each(&self, f: &mut dyn FnMut(&str, Wire<'_>)) {
        for (key, value) in self.0 {
            f(key, value.as_str().into());
        }
    }
}

fn nanos(time: SystemTime) -> u64 {
    let since_epoch = time.duration_since(UNIX_EPOCH).unwrap_or_default();
    u64::try_from(since_epoch.as_nanos()).unwrap_or(u64::MAX)
}

#[cfg(test)]
mod tests {
    use opentelemetry_proto::tonic::collector::metrics::v1::ExportMetricsServiceRequest;
    use opentelemetry_proto::tonic::metrics::v1::metric::Data;
    use opentelemetry_proto::tonic::metrics::v1::number_data_point::Value as Proto;
    use prost::Message as _;

    use super::super::settings::ResourceSettings;
    use super::*;

    const COUNT: Instrument = Instrument::counter("a_count", "{spans}", "Spans.");
    const TIME: Instrument = Instrument::gauge("b_time", "s", "Time.");
    const SIZES: Instrument = Instrument::histogram("c_sizes", "{items}", "Sizes.");

    #[test]
    fn the_oracle_reads_what_was_measured() {
        let mut all = Measurements::default();
        all.within("receiver", "otlp", |all| {
            all.set(&COUNT, 7u64);
            all.set(&COUNT, u64::MAX);
        });
        all.set(&TIME, 1.5);
        let counts = vec![1, 0, 2];
        all.set(&SIZES, Value::Histogram { bounds: &[10.0, 25.0], counts, sum: 61.0 });
        let resource = Resource::new(&ResourceSettings::default());
        let at = |seconds| UNIX_EPOCH + std::time::Duration::from_secs(seconds);
        let payload = request(&all, &resource, at(1), at(2));
        assert_eq!(payload.items(), 4);
        let bytes = payload.rope().to_bytes();
        let request = ExportMetricsServiceRequest::decode(bytes).unwrap();
        let resource_metrics = &request.resource_metrics[0];
        let attributes = &resource_metrics.resource.as_ref().unwrap().attributes;
        assert!(attributes.iter().any(|it| it.key == "service.instance.id"));
        let scope = &resource_metrics.scope_metrics[0];
        assert_eq!(scope.scope.as_ref().unwrap().name, "otlp-collector");
        let [count, time, sizes] = &scope.metrics[..] else { panic!("{:?}", scope.metrics) };
        assert_eq!((count.name.as_str(), count.unit.as_str()), ("a_count", "{spans}"));
        let Some(Data::Sum(sum)) = &count.data else { panic!("{count:?}") };
        assert!(sum.is_monotonic && sum.aggregation_temporality == 2);
        assert_eq!(sum.data_points[0].value, Some(Proto::AsInt(7)));
        assert_eq!(sum.data_points[1].value, Some(Proto::AsDouble(u64::MAX as f64)));
        assert_eq!(sum.data_points[0].start_time_unix_nano, 1_000_000_000);
        assert_eq!(sum.data_points[0].time_unix_nano, 2_000_000_000);
        assert_eq!(sum.data_points[0].attributes[0].key, "receiver");
        let Some(Data::Gauge(gauge)) = &time.data else { panic!("{time:?}") };
        assert_eq!(gauge.data_points[0].value, Some(Proto::AsDouble(1.5)));
        let Some(Data::Histogram(histogram)) = &sizes.data else { panic!("{sizes:?}") };
        let point = &histogram.data_points[0];
        assert_eq!((point.count, point.sum), (3, Some(61.0)));
        assert_eq!(point.bucket_counts, [1, 0, 2]);
        assert_eq!(point.explicit_bounds, [10.0, 25.0]);
    }
}
