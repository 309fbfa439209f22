//! The scan's verdict is prost's verdict.

use opentelemetry_proto::tonic::collector::logs::v1::ExportLogsServiceRequest;
use opentelemetry_proto::tonic::collector::metrics::v1::ExportMetricsServiceRequest;
use opentelemetry_proto::tonic::collector::trace::v1::ExportTraceServiceRequest;
use opentelemetry_proto::tonic::metrics::v1::{Metric, metric::Data};
use otlp_core::wire::request::count_items;
use otlp_core::wire::scan::{ScanLimits, scan};
use otlp_core::{Rope, Signal};
use prost::Message;

/// No limits but prost's own.
pub(crate) fn loose() -> ScanLimits {
    let mut limits = ScanLimits::default();
    limits.depth = u32::MAX;
    limits.elements = usize::MAX;
    limits.id_lengths = false;
    limits
}

/// Without limits of its own the scan refuses exactly what prost refuses; with limits it refuses
/// more and never less. What passes is counted as prost decodes it.
pub(crate) fn agrees_with_prost(data: &[u8]) {
    for signal in Signal::ALL {
        let expected = decoded_items(signal, data);
        let found = scan(signal, data, &loose());
        assert_eq!(
            expected.is_some(),
            found.is_ok(),
            "{signal}: prost says {expected:?}, scan {found:?}"
        );
        let strict = scan(signal, data, &ScanLimits::default());
        assert!(found.is_ok() || strict.is_err(), "{signal}: strict passes what loose refuses");
        if let Some(expected) = expected {
            let rope = Rope::from(data.to_vec());
            assert_eq!(count_items(signal, &rope), Ok(expected), "{signal}");
        } else if let Err(error) = found {
            assert!(error.offset() <= data.len(), "{signal}: {error}");
        }
    }
}

/// How many items prost decodes; `None` if it refuses the bytes.
fn decoded_items(signal: Signal, data: &[u8]) -> Option<usize> {
    match signal {
        Signal::Traces => ExportTraceServiceRequest::decode(data).ok().map(|request| {
            let scopes = request.resource_spans.iter().flat_map(|r| &r.scope_spans);
            scopes.map(|s| s.spans.len()).sum()
        }),
        Signal::Logs => ExportLogsServiceRequest::decode(data).ok().map(|request| {
            let scopes = request.resource_logs.iter().flat_map(|r| &r.scope_logs);
            scopes.map(|s| s.log_records.len()).sum()
        }),
        Signal::Metrics => ExportMetricsServiceRequest::decode(data).ok().map(|request| {
            let scopes = request.resource_metrics.iter().flat_map(|r| &r.scope_metrics);
            scopes.flat_map(|s| &s.metrics).map(points).sum()
        }),
        other => panic!("no oracle for {other}"),
    }
}

/// How many data points a metric has.
pub(crate) fn points(metric: &Metric) -> usize {
    match &metric.data {
        None => 0,
        Some(Data::Gauge(data)) => data.data_points.len(),
        Some(Data::Sum(data)) => data.data_points.len(),
        Some(Data::Histogram(data)) => data.data_points.len(),
        Some(Data::ExponentialHistogram(data)) => data.data_points.len(),
        Some(Data::Summary(data)) => data.data_points.len(),
    }
}
