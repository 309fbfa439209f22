//! The same measurements through the official way of collecting and converting, and through ours.

use std::sync::{Arc, Weak};
use std::time::Duration;

use opentelemetry::metrics::MeterProvider as _;
use opentelemetry_proto::tonic::collector::metrics::v1::ExportMetricsServiceRequest;
use opentelemetry_proto::tonic::metrics::v1::Metric;
use opentelemetry_proto::tonic::metrics::v1::metric::Data;
use opentelemetry_sdk::error::OTelSdkResult;
use opentelemetry_sdk::metrics::data::ResourceMetrics;
use opentelemetry_sdk::metrics::reader::MetricReader;
use opentelemetry_sdk::metrics::{
    InstrumentKind, ManualReader, Pipeline, SdkMeterProvider, Temporality,
};
use otlp_core::Signal;
use otlp_core::export::{Env, Exporter};
use otlp_exporter_grpc::GrpcExporter;
use otlp_sdk::metrics::PeriodicReader;
use otlp_testing::Server;

use crate::support::{config, every_instrument, exponential, http, received, resource};

/// The official SDK's manual reader, which a test can ask after the provider has taken it.
#[derive(Clone, Debug)]
struct Official(Arc<ManualReader>);

impl MetricReader for Official {
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

/// Without what differs between two collections of the same: order and times.
fn comparable(requests: &[ExportMetricsServiceRequest]) -> Vec<String> {
    let mut all = Vec::new();
    for resource in requests.iter().flat_map(|request| &request.resource_metrics) {
        for scope in &resource.scope_metrics {
            for metric in &scope.metrics {
                let around =
                    (&resource.resource, &resource.schema_url, &scope.scope, &scope.schema_url);
                for point in points_alone(metric.clone()) {
                    all.push(format!("{around:?} {point:?}"));
                }
            }
        }
    }
    all.sort_unstable();
    all
}

/// The metric once for each of its points, with times of which it matters only whether they are there.
fn points_alone(mut metric: Metric) -> Vec<Metric> {
    macro_rules! alone {
        ($kind:ident, $data:ident) => {{
            let points = std::mem::take(&mut $data.data_points);
            points
                .into_iter()
                .map(|mut point| {
                    point.start_time_unix_nano = u64::from(point.start_time_unix_nano > 0);
                    point.time_unix_nano = u64::from(point.time_unix_nano > 0);
                    let mut data = $data.clone();
                    data.data_points = vec![point];
                    Metric { data: Some(Data::$kind(data)), ..metric.clone() }
                })
                .collect()
        }};
    }
    match metric.data.take() {
        Some(Data::Gauge(mut data)) => alone!(Gauge, data),
        Some(Data::Sum(mut data)) => alone!(Sum, data),
        Some(Data::Histogram(mut data)) => alone!(Histogram, data),
        Some(Data::ExponentialHistogram(mut data)) => alone!(ExponentialHistogram, data),
        data => panic!("{data:?}"),
    }
}

fn check(server: &Server, exporter: impl Exporter, temporality: Temporality) {
    let reader = PeriodicReader::builder(exporter)
        .with_config(config().with_temporality(temporality))
        .build();
    let manual = ManualReader::builder().with_temporality(temporality).build();
    let official = Official(Arc::new(manual));
    let provider = SdkMeterProvider::builder()
        .with_resource(resource())
        .with_view(exponential)
        .with_reader(reader.clone())
        .with_reader(official.clone())
        .build();
    every_instrument(&provider.meter("some"));
    let scope = opentelemetry::InstrumentationScope::builder("others")
        .with_version("1.0")
        .with_schema_url("https://example.com/schema")
        .with_attributes([opentelemetry::KeyValue::new("of", "scope")])
        .build();
    every_instrument(&provider.meter_with_scope(scope));

    provider.force_flush().unwrap();
    let mut collected = ResourceMetrics::default();
    official.collect(&mut collected).unwrap();
    let expected = ExportMetricsServiceRequest::from(&collected);
    let (found, expected) = (comparable(&received(server)), comparable(&[expected]));
    // The official SDK leaves out what is not finite.
    assert_eq!(expected.len(), 86);
    assert_eq!(found, expected);
    // What was collected is one request.
    assert_eq!(server.counts().accepted, 1);
    let ledger = reader.ledger();
    assert_eq!((ledger.ended, ledger.delivered), (found.len() as u64, found.len() as u64));
    assert_eq!(ledger.unaccounted(), 0);
    assert_eq!(server.problems(), Vec::<String>::new());
}

// M6, M11: temporality by kind of instrument, as the official SDK decides it.
const TEMPORALITIES: [Temporality; 3] =
    [Temporality::Cumulative, Temporality::Delta, Temporality::LowMemory];

#[test]
fn every_kind_of_instrument_arrives_over_http_as_the_official_exporter_would_send_it() {
    for temporality in TEMPORALITIES {
        let server = Server::start();
        check(&server, http(&server), temporality);
    }
}

#[test]
fn every_kind_of_instrument_arrives_over_grpc_as_the_official_exporter_would_send_it() {
    for temporality in TEMPORALITIES {
        let server = Server::start();
        let builder = GrpcExporter::builder(Signal::Metrics).with_endpoint(server.grpc_endpoint());
        check(&server, builder.build_with(&Env::empty()).unwrap(), temporality);
    }
}
