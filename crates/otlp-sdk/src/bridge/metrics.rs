//! Metrics of the official SDK.

use std::time::Duration;

use opentelemetry_sdk::error::OTelSdkResult;
use opentelemetry_sdk::metrics::Temporality;
use opentelemetry_sdk::metrics::data::ResourceMetrics;
use otlp_core::export::EnvReader;
use otlp_core::{Payload, Rope, Signal};

use super::groups::Encoded;
use super::hosted::{Exported, Hosted};
use crate::metrics::{encode, temporality_from_env};

/// One of our exporters for `SdkMeterProvider`, where its own periodic reader is wanted.
///
/// [`metrics::PeriodicReader`](crate::metrics::PeriodicReader) does without the official one and holds what
/// could not be delivered yet.
///
/// ```no_run
/// # use otlp_sdk::otlp_core::export::Exporter;
/// use otlp_sdk::bridge::PushMetricExporter;
/// use otlp_sdk::opentelemetry_sdk::metrics::SdkMeterProvider;
///
/// # fn provider(exporter: impl Exporter) -> SdkMeterProvider {
/// SdkMeterProvider::builder().with_periodic_exporter(PushMetricExporter::new(exporter)).build()
/// # }
/// ```
pub type PushMetricExporter = Hosted<Metrics>;

/// What a [`PushMetricExporter`] exports.
#[derive(Clone, Debug, Default)]
pub struct Metrics {
    temporality: Temporality,
}

impl Exported for Metrics {
    const SIGNAL: Signal = Signal::Metrics;

    fn from_env(env: &mut EnvReader<'_>) -> Self {
        Self { temporality: temporality_from_env(env).unwrap_or_default() }
    }
}

impl Hosted<Metrics> {
    /// What the SDK is to count from: a start that stays, or the points before (row M11). Default
    /// cumulative, and with [`new`](Hosted::new) what
    /// `OTEL_EXPORTER_OTLP_METRICS_TEMPORALITY_PREFERENCE` says.
    #[must_use]
    pub fn with_temporality(mut self, temporality: Temporality) -> Self {
        self.signal.temporality = temporality;
        self
    }
}

impl opentelemetry_sdk::metrics::exporter::PushMetricExporter for Hosted<Metrics> {
    fn export(&self, metrics: &ResourceMetrics) -> impl Future<Output = OTelSdkResult> + Send {
        let payload = whole(encode::payloads(metrics, self.link.max_request_bytes()));
        self.link.export(Encoded { payload, too_large: 0 })
    }

    fn force_flush(&self) -> OTelSdkResult {
        self.link.force_flush()
    }

    fn shutdown_with_timeout(&self, timeout: Duration) -> OTelSdkResult {
        self.link.shutdown(timeout)
    }

    fn temporality(&self) -> Temporality {
        self.signal.temporality
    }
}

/// The requests as one, which is cut again where it is sent: what matters is that no metric is larger
/// than a request.
fn whole(requests: Vec<Payload>) -> Payload {
    let mut rope = Rope::new();
    let mut points = 0;
    for request in requests {
        rope.append(request.rope());
        points += request.items();
    }
    Payload::from_parts(Signal::Metrics, rope, points)
}
