//! Providers, instruments, and what a server has received of them.

use std::time::Duration;

use opentelemetry::KeyValue;
use opentelemetry::metrics::Meter;
use opentelemetry_proto::tonic::collector::metrics::v1::ExportMetricsServiceRequest;
use opentelemetry_proto::tonic::metrics::v1::metric::Data;
use opentelemetry_proto::tonic::metrics::v1::{Metric, NumberDataPoint, number_data_point};
use opentelemetry_sdk::metrics::{Aggregation, Instrument, Stream};
use otlp_core::Signal;
use otlp_core::export::{Env, retry::RetryPolicy};
use otlp_exporter_http::HttpExporter;
use otlp_sdk::metrics::ReaderConfig;
use otlp_testing::{Message, Server};

/// No collection but those that are asked for.
pub(crate) const NEVER: Duration = Duration::from_secs(3600);

pub(crate) fn http(server: &Server) -> HttpExporter {
    let builder = HttpExporter::builder(Signal::Metrics).with_endpoint(server.http_endpoint());
    builder.build_with(&Env::empty()).unwrap()
}

/// Collects when asked, and knocks often at a server that is away.
pub(crate) fn config() -> ReaderConfig {
    let retry = RetryPolicy::default()
        .with_initial_backoff(Duration::from_millis(5))
        .with_max_backoff(Duration::from_millis(20));
    ReaderConfig::default().with_interval(NEVER).with_retry(retry)
}

pub(crate) fn resource() -> opentelemetry_sdk::Resource {
    opentelemetry_sdk::Resource::builder_empty().with_service_name("metrics test").build()
}

/// Views of histograms whose name says that they are exponential, and room for many attribute sets.
pub(crate) fn exponential(instrument: &Instrument) -> Option<Stream> {
    let aggregation = Aggregation::Base2ExponentialHistogram {
        max_size: 160,
        max_scale: 20,
        record_min_max: true,
    };
    let stream = || Stream::builder().with_aggregation(aggregation).build().ok();
    instrument.name().starts_with("exponential").then(stream).flatten()
}

/// The requests that a server took, as `opentelemetry-proto` decodes them.
pub(crate) fn received(server: &Server) -> Vec<ExportMetricsServiceRequest> {
    let requests = server.requests();
    let accepted = requests.iter().filter(|request| request.accepted > 0);
    accepted
        .map(|request| match &request.message {
            Message::Metrics(message) => message.clone(),
            other => panic!("not metrics: {other:?}"),
        })
        .collect()
}

/// The metrics of requests, in order.
pub(crate) fn metrics(requests: &[ExportMetricsServiceRequest]) -> Vec<Metric> {
    let resources = requests.iter().flat_map(|request| &request.resource_metrics);
    resources.flat_map(|it| &it.scope_metrics).flat_map(|it| it.metrics.clone()).collect()
}

/// The points of every sum or gauge called `name`, in order.
pub(crate) fn points(server: &Server, name: &str) -> Vec<NumberDataPoint> {
    let metrics = metrics(&received(server));
    let named = metrics.into_iter().filter(|metric| metric.name == name);
    named
        .flat_map(|metric| match metric.data {
            Some(Data::Sum(sum)) => sum.data_points,
            Some(Data::Gauge(gauge)) => gauge.data_points,
            data => panic!("{name} is {data:?}"),
        })
        .collect()
}

/// The integers of every sum or gauge called `name`, in order.
pub(crate) fn values(server: &Server, name: &str) -> Vec<i64> {
    points(server, name).iter().map(value).collect()
}

pub(crate) fn value(point: &NumberDataPoint) -> i64 {
    match point.value {
        Some(number_data_point::Value::AsInt(value)) => value,
        value => panic!("{value:?}"),
    }
}

/// Measures something with every kind of instrument.
pub(crate) fn every_instrument(meter: &Meter) {
    let counter = meter.u64_counter("u64.counter").with_unit("By").with_description("all").build();
    let float_counter = meter.f64_counter("f64.counter").build();
    let up_down = meter.i64_up_down_counter("i64.up-down").build();
    let float_up_down = meter.f64_up_down_counter("f64.up-down").build();
    let gauge = meter.i64_gauge("i64.gauge").build();
    let unsigned_gauge = meter.u64_gauge("u64.gauge").build();
    let float_gauge = meter.f64_gauge("f64.gauge").build();
    let histogram = meter.f64_histogram("f64.histogram").build();
    let unsigned = meter.u64_histogram("u64.histogram").with_boundaries(vec![1.0, 9.0]).build();
    let exponential = meter.f64_histogram("exponential").build();
    for n in 0..4_i64 {
        let attributes = [KeyValue::new("n", n), KeyValue::new("text", format!("text {n}"))];
        counter.add(n.unsigned_abs(), &attributes);
        float_counter.add(n as f64 / 3.0, &attributes);
        up_down.add(-n, &attributes);
        float_up_down.add(-1e300 * n as f64, &attributes);
        gauge.record(i64::MIN + n, &attributes);
        unsigned_gauge.record(n.unsigned_abs(), &attributes);
        float_gauge
            .record([f64::NAN, f64::INFINITY, f64::NEG_INFINITY, -0.0][n as usize], &attributes);
        for value in [-(n as f64), 0.0, 1e-300, 5.0, 12_345.0] {
            histogram.record(value, &attributes);
            exponential.record(value, &attributes);
        }
        unsigned.record(n.unsigned_abs(), &attributes);
    }
    let _ = meter
        .u64_observable_counter("u64.observable.counter")
        .with_callback(|it| it.observe(7, &[]))
        .build();
    let _ = meter
        .f64_observable_counter("f64.observable.counter")
        .with_callback(|it| it.observe(0.1, &[]))
        .build();
    let _ = meter
        .i64_observable_up_down_counter("i64.observable.up-down")
        .with_callback(|it| it.observe(-7, &[]))
        .build();
    let _ = meter
        .f64_observable_up_down_counter("f64.observable.up-down")
        .with_callback(|it| it.observe(-0.7, &[]))
        .build();
    let _ = meter
        .u64_observable_gauge("u64.observable.gauge")
        .with_callback(|it| it.observe(7, &[KeyValue::new("k", "v")]))
        .build();
    let _ = meter
        .i64_observable_gauge("i64.observable.gauge")
        .with_callback(|it| it.observe(-7, &[]))
        .build();
    let _ = meter
        .f64_observable_gauge("f64.observable.gauge")
        .with_callback(|it| it.observe(f64::NAN, &[]))
        .build();
}
