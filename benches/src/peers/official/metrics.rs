//! The official meter provider, its periodic reader and its exporter.

use std::sync::{Arc, Weak};
use std::time::Duration;

use opentelemetry::metrics::MeterProvider as _;
use opentelemetry_otlp::{MetricExporter, Protocol, WithExportConfig};
use opentelemetry_sdk::error::OTelSdkResult;
use opentelemetry_sdk::metrics::data::ResourceMetrics;
use opentelemetry_sdk::metrics::reader::MetricReader;
use opentelemetry_sdk::metrics::{
    InstrumentKind, ManualReader, PeriodicReader, Pipeline, SdkMeterProvider, Temporality,
};

use super::{choose_tls, resource};
use crate::courier::{Flushes, ReadAccount};
use crate::subject::{Failure, Target, Transport};
use crate::workload;

/// What this SDK collects after [`workload::metrics::record`].
///
/// # Errors
///
/// The SDK says that it cannot collect.
pub fn collected() -> Result<ResourceMetrics, Failure> {
    let reader = SharedReader::default();
    let _provider = measured(reader.clone());
    let mut collected = ResourceMetrics::default();
    reader.collect(&mut collected)?;
    Ok(collected)
}

/// A meter provider with this reader, after [`workload::metrics::record`].
pub fn measured(reader: impl MetricReader) -> SdkMeterProvider {
    let provider =
        SdkMeterProvider::builder().with_resource(resource()).with_reader(reader).build();
    workload::metrics::record(&provider.meter("bench"));
    provider
}

/// Over HTTP, without compression.
pub(super) fn exporter(target: &Target) -> Result<MetricExporter, Failure> {
    if target.transport != Transport::Http {
        return Err("metrics are compared over HTTP only".into());
    }
    choose_tls();
    let exporter = MetricExporter::builder()
        .with_http()
        .with_protocol(Protocol::HttpBinary)
        .with_endpoint(format!("{}/v1/metrics", target.endpoint))
        .build()?;
    Ok(exporter)
}

/// The exporter behind a periodic reader.
pub(super) fn flushes(target: &Target, account: ReadAccount) -> Result<Flushes, Failure> {
    let reader = PeriodicReader::builder(exporter(target)?).with_interval(NEVER).build();
    Ok(Flushes::new(reader, account))
}

/// Only flushes collect.
const NEVER: Duration = Duration::from_secs(24 * 60 * 60);

/// A reader that stays in reach when the provider has it.
#[derive(Clone, Debug, Default)]
struct SharedReader(Arc<ManualReader>);

impl MetricReader for SharedReader {
    fn register_pipeline(&self, pipeline: Weak<Pipeline>) {
        self.0.register_pipeline(pipeline);
    }

    fn collect(&self, collected: &mut ResourceMetrics) -> OTelSdkResult {
        self.0.collect(collected)
    }

    fn force_flush(&self) -> OTelSdkResult {
        self.0.force_flush()
    }

    fn shutdown_with_timeout(&self, timeout: Duration) -> OTelSdkResult {
        self.0.shutdown_with_timeout(timeout)
    }

    fn temporality(&self, kind: InstrumentKind) -> Temporality {
        self.0.temporality(kind)
    }
}

#[cfg(test)]
mod tests {
    use opentelemetry_proto::tonic::collector::metrics::v1::ExportMetricsServiceRequest;
    use prost::Message;

    use super::*;
    use crate::decode;

    #[test]
    fn a_collection_has_every_point_as_it_was_measured() {
        let request = ExportMetricsServiceRequest::from(&collected().unwrap());
        let points = decode::points(request.encode_to_vec().into());
        assert_eq!(points, Ok(workload::metrics::POINTS));
    }

    #[test]
    fn a_point_with_another_value_or_attribute_is_found() {
        let provider = SdkMeterProvider::builder().with_resource(resource());
        let reader = SharedReader::default();
        let provider = provider.with_reader(reader.clone()).build();
        let counter = provider.meter("bench").u64_counter(workload::metrics::COUNTERS[0]).build();
        counter.add(7, &[]);
        let mut collected = ResourceMetrics::default();
        reader.collect(&mut collected).unwrap();
        let request = ExportMetricsServiceRequest::from(&collected);
        let fault = decode::points(request.encode_to_vec().into()).unwrap_err();
        assert!(fault.contains("a wrong point"), "{fault}");
    }
}
