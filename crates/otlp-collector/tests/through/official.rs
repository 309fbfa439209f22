//! The official SDK, which exports everything twice: directly, and through the collector.

use std::collections::HashMap;
use std::time::{Duration, SystemTime};

use opentelemetry::logs::{AnyValue, LogRecord as _, Logger as _, LoggerProvider as _, Severity};
use opentelemetry::metrics::MeterProvider as _;
use opentelemetry::trace::{
    Event, Link, Span as _, SpanContext, SpanId, SpanKind, Status, TraceContextExt as _,
    TraceFlags, TraceId, TraceState, Tracer as _, TracerProvider as _,
};
use opentelemetry::{Array, Context, InstrumentationScope, KeyValue, StringValue, Value};
use opentelemetry_otlp::{
    Compression, LogExporter, MetricExporter, Protocol, SpanExporter, WithExportConfig as _,
    WithHttpConfig as _, WithTonicConfig as _,
};
use opentelemetry_sdk::Resource;
use opentelemetry_sdk::error::OTelSdkResult;
use opentelemetry_sdk::logs::{LogBatch, SdkLoggerProvider};
use opentelemetry_sdk::metrics::data::ResourceMetrics;
use opentelemetry_sdk::metrics::exporter::PushMetricExporter;
use opentelemetry_sdk::metrics::{Aggregation, Instrument, SdkMeterProvider, Stream, Temporality};
use opentelemetry_sdk::trace::{SdkTracerProvider, SpanData};
use otlp_core::Signal;

/// Where and how the official exporters send.
pub(crate) struct Way {
    pub(crate) endpoint: String,
    pub(crate) protocol: Protocol,
    pub(crate) compression: Option<Compression>,
}

/// Their builders have no trait in common that can be named.
macro_rules! built {
    ($way:expr, $exporter:ident, $signal:ident) => {{
        let Way { endpoint, protocol, compression } = $way;
        if *protocol == Protocol::Grpc {
            let builder = $exporter::builder().with_tonic().with_endpoint(endpoint);
            match *compression {
                Some(compression) => builder.with_compression(compression).build().unwrap(),
                None => builder.build().unwrap(),
            }
        } else {
            let url = format!("{endpoint}/{}", Signal::$signal.http_path());
            let builder =
                $exporter::builder().with_http().with_protocol(*protocol).with_endpoint(url);
            match *compression {
                Some(compression) => builder.with_compression(compression).build().unwrap(),
                None => builder.build().unwrap(),
            }
        }
    }};
}

impl Way {
    fn spans(&self) -> SpanExporter {
        built!(self, SpanExporter, Traces)
    }

    fn metrics(&self) -> MetricExporter {
        built!(self, MetricExporter, Metrics)
    }

    fn logs(&self) -> LogExporter {
        built!(self, LogExporter, Logs)
    }
}

/// Two exporters that are given the same.
#[derive(Debug)]
struct Twice<E>(E, E);

impl opentelemetry_sdk::trace::SpanExporter for Twice<SpanExporter> {
    async fn export(&self, batch: Vec<SpanData>) -> OTelSdkResult {
        self.0.export(batch.clone()).await?;
        self.1.export(batch).await
    }

    fn shutdown_with_timeout(&self, timeout: Duration) -> OTelSdkResult {
        self.0.shutdown_with_timeout(timeout)?;
        self.1.shutdown_with_timeout(timeout)
    }

    fn set_resource(&mut self, resource: &Resource) {
        self.0.set_resource(resource);
        self.1.set_resource(resource);
    }
}

impl PushMetricExporter for Twice<MetricExporter> {
    async fn export(&self, metrics: &ResourceMetrics) -> OTelSdkResult {
        self.0.export(metrics).await?;
        self.1.export(metrics).await
    }

    fn force_flush(&self) -> OTelSdkResult {
        Ok(())
    }

    fn shutdown_with_timeout(&self, timeout: Duration) -> OTelSdkResult {
        self.0.shutdown_with_timeout(timeout)?;
        self.1.shutdown_with_timeout(timeout)
    }

    fn temporality(&self) -> Temporality {
        Temporality::Delta
    }
}

impl opentelemetry_sdk::logs::LogExporter for Twice<LogExporter> {
    async fn export(&self, batch: LogBatch<'_>) -> OTelSdkResult {
        let records = batch.iter().collect::<Vec<_>>();
        self.0.export(LogBatch::new(&records)).await?;
        self.1.export(LogBatch::new(&records)).await
    }

    fn shutdown_with_timeout(&self, timeout: Duration) -> OTelSdkResult {
        self.0.shutdown_with_timeout(timeout)?;
        self.1.shutdown_with_timeout(timeout)
    }

    fn set_resource(&mut self, resource: &Resource) {
        self.0.set_resource(resource);
        self.1.set_resource(resource);
    }
}

/// Sends something of everything, first directly and then through the collector; every step has to succeed.
pub(crate) fn emit(directly: &Way, through: &Way) {
    // Their client wants to be told, once any crate of the build uses it without a provider.
    let _ = rustls::crypto::ring::default_provider().install_default();
    emit_spans(Twice(directly.spans(), through.spans()));
    emit_metrics(Twice(directly.metrics(), through.metrics()));
    emit_logs(Twice(directly.logs(), through.logs()));
}

fn emit_spans(exporter: Twice<SpanExporter>) {
    let provider = SdkTracerProvider::builder()
        .with_resource(resource())
        .with_batch_exporter(exporter)
        .build();
    let tracer = provider.tracer_with_scope(scope());
    let kinds = [
        SpanKind::Client,
        SpanKind::Server,
        SpanKind::Producer,
        SpanKind::Consumer,
        SpanKind::Internal,
    ];
    let parent = Context::new().with_remote_span_context(elsewhere());
    for kind in kinds {
        let mut span = tracer
            .span_builder(TEXT)
            .with_kind(kind)
            .with_attributes(attributes())
            .with_links(vec![Link::new(elsewhere(), attributes(), 3)])
            .with_events(vec![Event::new("built", SystemTime::UNIX_EPOCH, attributes(), 2)])
            .start_with_context(&tracer, &parent);
        span.add_event("added", attributes());
        span.set_status(Status::error(TEXT));
    }
    let mut root = tracer.start("");
    root.set_status(Status::Ok);
    drop(root);
    provider.shutdown().unwrap();
}

fn emit_metrics(exporter: Twice<MetricExporter>) {
    let exponential = |instrument: &Instrument| {
        let is_it = instrument.name() == "exponential";
        let aggregation = Aggregation::Base2ExponentialHistogram {
            max_size: 160,
            max_scale: 20,
            record_min_max: true,
        };
        is_it.then(|| Stream::builder().with_aggregation(aggregation).build().unwrap())
    };
    let provider = SdkMeterProvider::builder()
        .with_resource(resource())
        .with_view(exponential)
        .with_periodic_exporter(exporter)
        .build();
    let meter = provider.meter_with_scope(scope());
    let counter = meter.u64_counter("counter").with_unit("By").with_description(TEXT).build();
    counter.add(1 << 62, &attributes());
    counter.add(1, &[]);
    meter.f64_counter("counter.double").build().add(0.1, &attributes());
    meter.i64_up_down_counter("up.down").build().add(-5, &[]);
    meter.f64_gauge("gauge").build().record(f64::MIN, &attributes());
    meter.i64_gauge("gauge.int").build().record(0, &[]);
    let explicit = meter.f64_histogram("explicit").with_boundaries(vec![0.0, 0.5, 1e3]).build();
    let exponential = meter.f64_histogram("exponential").build();
    for value in [0.0, 0.1, 0.7, 5e-300, 1e9] {
        explicit.record(value, &attributes());
        exponential.record(value, &attributes());
    }
    let observed = meter.i64_observable_gauge("observed");
    let _observed = observed.with_callback(|it| it.observe(i64::MIN, &[])).build();
    provider.shutdown().unwrap();
}

fn emit_logs(exporter: Twice<LogExporter>) {
    let provider = SdkLoggerProvider::builder()
        .with_resource(resource())
        .with_batch_exporter(exporter)
        .build();
    let logger = provider.logger_with_scope(scope());
    let bytes = || AnyValue::Bytes(Box::new(vec![0, 255, 254]));
    let list = AnyValue::ListAny(Box::new(vec![bytes(), AnyValue::Int(-1)]));
    let map = AnyValue::Map(Box::new(HashMap::from([("key".into(), list.clone())])));
    for body in [TEXT.into(), i64::MAX.into(), 0.1.into(), true.into(), bytes(), list, map] {
        let mut record = logger.create_log_record();
        record.set_severity_number(Severity::Warn3);
        record.set_severity_text("WARN");
        record.set_timestamp(
            SystemTime::UNIX_EPOCH + Duration::from_nanos(1_700_000_000_000_000_001),
        );
        record.set_body(body.clone());
        record.add_attribute("attribute", body);
        record.set_trace_context(
            elsewhere().trace_id(),
            elsewhere().span_id(),
            Some(TraceFlags::SAMPLED),
        );
        logger.emit(record);
    }
    let mut empty = logger.create_log_record();
    empty.set_event_name("an.event");
    logger.emit(empty);
    provider.shutdown().unwrap();
}

const TEXT: &str = "größe 日本 🚀 \0 \u{1f} \u{2028} \"quoted\" \\ /";

fn resource() -> Resource {
    let builder = Resource::builder_empty().with_service_name("sends from Rust");
    builder.with_schema_url(attributes(), "https://opentelemetry.io/schemas/1.37.0").build()
}

/// The only one: their exporters put several in an order that changes from one export to the next.
fn scope() -> InstrumentationScope {
    let builder = InstrumentationScope::builder("first.scope").with_version("1.2.3");
    builder.with_schema_url("https://example.com/schema").with_attributes(attributes()).build()
}

fn elsewhere() -> SpanContext {
    let (trace, span) = (TraceId::from_bytes([0xab; 16]), SpanId::from_bytes([0xcd; 8]));
    let state = TraceState::from_key_value([("vendor", "x:1"), ("other", "y")]).unwrap();
    SpanContext::new(trace, span, TraceFlags::SAMPLED, true, state)
}

/// A value of every kind that the API has. No infinity and no NaN: the official crates do not read them in JSON.
fn attributes() -> Vec<KeyValue> {
    let texts = vec![StringValue::from(""), StringValue::from(TEXT)];
    let values: [(&'static str, Value); 12] = [
        ("string", TEXT.into()),
        ("string.empty", "".into()),
        ("bool", true.into()),
        ("bool.false", false.into()),
        ("int.min", i64::MIN.into()),
        ("int.zero", 0.into()),
        ("double", 0.1.into()),
        ("double.negative.zero", (-0.0).into()),
        ("strings", Value::Array(Array::String(texts))),
        ("bools", Value::Array(Array::Bool(vec![true, false]))),
        ("ints", Value::Array(Array::I64(vec![-1, 0, i64::MAX]))),
        ("doubles", Value::Array(Array::F64(vec![f64::MAX, 5e-324]))),
    ];
    values.into_iter().map(|(key, value)| KeyValue::new(key, value)).collect()
}
