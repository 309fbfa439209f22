//! Against the conversion of `opentelemetry-proto`, from the same collection.

use std::sync::Arc;
use std::sync::Weak;
use std::time::Duration;

use opentelemetry::metrics::{Meter, MeterProvider as _};
use opentelemetry::{Array, InstrumentationScope, KeyValue, Value as ApiValue};
use opentelemetry_proto::tonic::collector::metrics::v1::ExportMetricsServiceRequest;
use opentelemetry_proto::tonic::metrics::v1::metric::Data as ProtoData;
use opentelemetry_proto::tonic::metrics::v1::number_data_point;
use opentelemetry_sdk::error::OTelSdkResult;
use opentelemetry_sdk::metrics::reader::MetricReader;
use opentelemetry_sdk::metrics::{
    Aggregation, Instrument, InstrumentKind, ManualReader, Pipeline, SdkMeterProvider, Stream,
};
use prost::Message;

use super::*;

/// A reader that a test can ask after the provider has taken it.
#[derive(Clone, Debug)]
struct Reader(Arc<ManualReader>);

impl MetricReader for Reader {
    fn register_pipeline(&self, pipeline: Weak<Pipeline>) {
        self.0.register_pipeline(pipeline);
    }

    fn collect(&self, collected: &mut ResourceMetrics) -> OTelSdkResult {
        self.0.collect(collected)
    }

    fn force_flush(&self) -> OTelSdkResult {
        Ok(())
    }

    fn shutdown_with_timeout(&self, timeout: Duration) -> OTelSdkResult {
        self.0.shutdown_with_timeout(timeout)
    }

    fn temporality(&self, kind: InstrumentKind) -> Temporality {
        self.0.temporality(kind)
    }
}

fn collect(temporality: Temporality, measure: impl FnOnce(&SdkMeterProvider)) -> ResourceMetrics {
    let reader = Reader(Arc::new(ManualReader::builder().with_temporality(temporality).build()));
    let resource = opentelemetry_sdk::Resource::builder_empty().with_service_name("test").build();
    let provider = SdkMeterProvider::builder()
        .with_resource(resource)
        .with_reader(reader.clone())
        .with_view(exponential)
        .build();
    measure(&provider);
    let mut collected = ResourceMetrics::default();
    reader.collect(&mut collected).unwrap();
    collected
}

fn exponential(instrument: &Instrument) -> Option<Stream> {
    let aggregation = Aggregation::Base2ExponentialHistogram {
        max_size: 160,
        max_scale: 20,
        record_min_max: true,
    };
    let stream = || Stream::builder().with_aggregation(aggregation).build().ok();
    instrument.name().starts_with("exponential").then(stream).flatten()
}

fn attributes(n: i64) -> [KeyValue; 5] {
    [
        KeyValue::new("number", n),
        KeyValue::new("text", format!("text {n}")),
        KeyValue::new("share", n as f64 / 7.0),
        KeyValue::new("even", n % 2 == 0),
        KeyValue::new("list", ApiValue::Array(Array::String(vec!["a".into(), "b".into()]))),
    ]
}

/// Every kind of instrument, with values that are hard to write.
fn every_instrument(meter: &Meter) {
    let counter =
        meter.u64_counter("u64.counter").with_unit("By").with_description("bytes").build();
    let float_counter = meter.f64_counter("f64.counter").build();
    let up_down = meter.i64_up_down_counter("i64.up-down").build();
    let float_up_down = meter.f64_up_down_counter("f64.up-down").build();
    let gauge = meter.i64_gauge("i64.gauge").build();
    let unsigned_gauge = meter.u64_gauge("u64.gauge").build();
    let float_gauge = meter.f64_gauge("f64.gauge").build();
    let histogram = meter.f64_histogram("f64.histogram").build();
    let unsigned_histogram =
        meter.u64_histogram("u64.histogram").with_boundaries(vec![1.0, 10.0]).build();
    let without_bounds = meter.u64_histogram("no.bounds").with_boundaries(vec![]).build();
    let exponential = meter.f64_histogram("exponential").build();
    let unsigned_exponential = meter.u64_histogram("exponential.u64").build();
    for n in 0..5_i64 {
        let attributes = attributes(n);
        counter.add(n.unsigned_abs(), &attributes);
        float_counter.add(n as f64 / 3.0, &attributes);
        up_down.add(-n, &attributes);
        float_up_down.add(-1e300 * n as f64, &attributes);
        gauge.record(i64::MIN + n, &attributes);
        unsigned_gauge.record(n.unsigned_abs(), &attributes);
        for value in [-(n as f64), 0.0, 1e-300, 5.0, 12_345.0] {
            histogram.record(value, &attributes);
            exponential.record(value, &attributes);
        }
        unsigned_histogram.record(n.unsigned_abs(), &attributes);
        without_bounds.record(n.unsigned_abs(), &attributes);
        unsigned_exponential.record(n.unsigned_abs(), &attributes);
    }
    for value in [f64::NAN, f64::INFINITY, f64::NEG_INFINITY, -0.0] {
        float_gauge.record(value, &[KeyValue::new("value", value.to_string())]);
    }
    counter.add(1, &[]);
    let observe = |n: i64| move || n;
    let _ = meter
        .u64_observable_counter("u64.observable.counter")
        .with_callback(|it| it.observe(7, &attributes(7)))
        .build();
    let value = observe(-7);
    let _ = meter
        .i64_observable_up_down_counter("i64.observable.up-down")
        .with_callback(move |it| it.observe(value(), &[]))
        .build();
    let _ = meter
        .f64_observable_gauge("f64.observable.gauge")
        .with_callback(|it| it.observe(-0.5, &[]))
        .build();
}

fn measure(provider: &SdkMeterProvider) {
    let scope = InstrumentationScope::builder("with everything")
        .with_version("1.2.3")
        .with_schema_url("https://example.com/schema")
        .with_attributes([KeyValue::new("of", "scope")])
        .build();
    every_instrument(&provider.meter_with_scope(scope));
    every_instrument(&provider.meter("plain"));
}

fn decode(payload: &Payload) -> ExportMetricsServiceRequest {
    let bytes = Bytes::from(payload.clone());
    assert_eq!(bytes.len(), payload.len());
    ExportMetricsServiceRequest::decode(bytes).unwrap()
}

/// As text: NaN does not equal itself.
fn text(request: &ExportMetricsServiceRequest) -> String {
    format!("{request:#?}")
}

#[test]
fn what_is_collected_is_encoded_as_the_official_exporter_does_it() {
    // M6, M11: temporality is the SDK's and stays as it is.
    for temporality in [Temporality::Cumulative, Temporality::Delta, Temporality::LowMemory] {
        let collected = collect(temporality, measure);
        let payloads = payloads(&collected, 1 << 22);
        let [payload] = &payloads[..] else { panic!("{} requests", payloads.len()) };
        assert_eq!(payload.signal(), Signal::Metrics);
        assert!(payload.items() > 100, "{} points", payload.items());
        assert_eq!(text(&decode(payload)), text(&ExportMetricsServiceRequest::from(&collected)));
        let counted = Payload::from_request(Signal::Metrics, Bytes::from(payload.clone())).unwrap();
        assert_eq!(payload.items(), counted.items());
    }
}

#[test]
fn many_points_become_requests_within_the_limit_and_none_is_lost() {
    let collected = collect(Temporality::Cumulative, |provider| {
        let counter = provider.meter("many").u64_counter("requests").build();
        (0..1_500).for_each(|n| counter.add(1, &attributes(n)));
    });
    let payloads = payloads(&collected, 20_000);
    assert!(payloads.len() > 5, "{} requests", payloads.len());
    let mut found = Vec::new();
    for payload in &payloads {
        assert!(payload.len() <= 20_000, "{} bytes", payload.len());
        let mut request = decode(payload);
        let mut of_request = Vec::new();
        for metric in request.resource_metrics.remove(0).scope_metrics.remove(0).metrics {
            assert_eq!(metric.name, "requests");
            let Some(ProtoData::Sum(sum)) = metric.data else { panic!("not a sum") };
            assert!(sum.is_monotonic);
            of_request.extend(sum.data_points);
        }
        assert_eq!(of_request.len(), payload.items());
        found.extend(of_request);
    }
    let mut whole = ExportMetricsServiceRequest::from(&collected);
    let metric = whole.resource_metrics.remove(0).scope_metrics.remove(0).metrics.remove(0);
    let Some(ProtoData::Sum(sum)) = metric.data else { panic!("not a sum") };
    assert_eq!(found, sum.data_points);
}

#[test]
fn nothing_collected_is_no_request() {
    assert!(payloads(&ResourceMetrics::default(), 1 << 20).is_empty());
    let unused = collect(Temporality::Cumulative, |provider| {
        let _ = provider.meter("unused").u64_counter("unused").build();
    });
    assert!(payloads(&unused, 1 << 20).is_empty());
}

#[test]
fn integers_beyond_the_protocols_are_sent_as_floating_point_numbers() {
    let collected = collect(Temporality::Cumulative, |provider| {
        provider.meter("big").u64_gauge("gauge").build().record(u64::MAX, &[]);
    });
    let request = decode(&payloads(&collected, 1 << 20)[0]);
    let metric = &request.resource_metrics[0].scope_metrics[0].metrics[0];
    let Some(ProtoData::Gauge(gauge)) = &metric.data else { panic!("not a gauge") };
    let value = number_data_point::Value::AsDouble(18_446_744_073_709_551_615.0);
    assert_eq!(gauge.data_points[0].value, Some(value));
}

#[test]
fn a_key_that_was_given_twice_comes_once() {
    // W5
    let collected = collect(Temporality::Cumulative, |provider| {
        let counter = provider.meter("twice").u64_counter("counter").build();
        counter.add(1, &[KeyValue::new("k", 1), KeyValue::new("l", 2), KeyValue::new("k", 3)]);
    });
    let request = decode(&payloads(&collected, 1 << 20)[0]);
    let metric = &request.resource_metrics[0].scope_metrics[0].metrics[0];
    let Some(ProtoData::Sum(sum)) = &metric.data else { panic!("not a sum") };
    let mut keys: Vec<_> =
        sum.data_points[0].attributes.iter().map(|attribute| attribute.key.as_str()).collect();
    keys.sort_unstable();
    assert_eq!(keys, ["k", "l"]);
}
