//! The two stacks, each from the API to a server.

use opentelemetry::KeyValue;
use opentelemetry_otlp::{Protocol, WithExportConfig as _};
use opentelemetry_sdk::logs::SdkLoggerProvider;
use opentelemetry_sdk::metrics::{Aggregation, Instrument, SdkMeterProvider, Stream};
use opentelemetry_sdk::trace::SdkTracerProvider;
use otlp_core::Signal;
use otlp_core::export::Env;
use otlp_sdk::TelemetryGuard;
use otlp_testing::Server;

/// How the names of histograms begin whose buckets are exponential, by a view of both stacks.
pub(crate) const EXPONENTIAL: &str = "exponential";

fn exponential(instrument: &Instrument) -> Option<Stream> {
    let aggregation = Aggregation::Base2ExponentialHistogram {
        max_size: 160,
        max_scale: 20,
        record_min_max: true,
    };
    let stream = || Stream::builder().with_aggregation(aggregation).build().ok();
    instrument.name().starts_with(EXPONENTIAL).then(stream).flatten()
}

/// The official SDK with the official exporters.
pub(crate) struct Official {
    pub(crate) tracers: SdkTracerProvider,
    pub(crate) loggers: SdkLoggerProvider,
    pub(crate) meters: SdkMeterProvider,
}

impl Official {
    pub(crate) fn start(server: &Server) -> Self {
        // Its client has TLS here, since features unite, and takes no provider by itself.
        let _ = rustls::crypto::ring::default_provider().install_default();
        let resource = opentelemetry_sdk::Resource::builder_empty()
            .with_attribute(KeyValue::new("service.name", "shop"))
            .build();
        let url = |signal: Signal| format!("{}/{}", server.http_endpoint(), signal.http_path());
        let spans = opentelemetry_otlp::SpanExporter::builder()
            .with_http()
            .with_protocol(Protocol::HttpBinary)
            .with_endpoint(url(Signal::Traces))
            .build()
            .unwrap();
        let logs = opentelemetry_otlp::LogExporter::builder()
            .with_http()
            .with_protocol(Protocol::HttpBinary)
            .with_endpoint(url(Signal::Logs))
            .build()
            .unwrap();
        let metrics = opentelemetry_otlp::MetricExporter::builder()
            .with_http()
            .with_protocol(Protocol::HttpBinary)
            .with_endpoint(url(Signal::Metrics))
            .build()
            .unwrap();
        Self {
            tracers: SdkTracerProvider::builder()
                .with_resource(resource.clone())
                .with_batch_exporter(spans)
                .build(),
            loggers: SdkLoggerProvider::builder()
                .with_resource(resource.clone())
                .with_batch_exporter(logs)
                .build(),
            meters: SdkMeterProvider::builder()
                .with_resource(resource)
                .with_view(exponential)
                .with_periodic_exporter(metrics)
                .build(),
        }
    }

    pub(crate) fn shut_down(self) {
        self.tracers.shutdown().unwrap();
        self.loggers.shutdown().unwrap();
        self.meters.shutdown().unwrap();
    }
}

/// Our SDK with our exporters.
pub(crate) fn ours(server: &Server) -> TelemetryGuard {
    otlp_sdk::builder()
        .with_env(Env::empty())
        .with_service_name("shop")
        .with_endpoint(server.http_endpoint())
        .with_view(exponential)
        .without_globals()
        .init()
        .unwrap()
}
