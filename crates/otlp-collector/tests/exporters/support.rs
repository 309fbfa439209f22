//! An exporter as a configuration describes it, with the sender that drives it.

use std::time::{Duration, Instant};

use opentelemetry_proto::tonic::collector::logs::v1::ExportLogsServiceRequest;
use opentelemetry_proto::tonic::collector::metrics::v1::ExportMetricsServiceRequest;
use opentelemetry_proto::tonic::collector::trace::v1::ExportTraceServiceRequest;
use opentelemetry_proto::tonic::common::v1::{AnyValue, any_value};
use opentelemetry_proto::tonic::logs::v1::{LogRecord, ResourceLogs, ScopeLogs};
use opentelemetry_proto::tonic::metrics::v1::{
    Gauge, Metric, NumberDataPoint, ResourceMetrics, ScopeMetrics, metric, number_data_point,
};
use opentelemetry_proto::tonic::trace::v1::{ResourceSpans, ScopeSpans, Span};
use otlp_collector::component::{Destination, Host};
use otlp_collector::config::{ComponentSettings, Config, Source};
use otlp_collector::consumer::{Batch, Consumer as _};
use otlp_collector::registry::Registry;
use otlp_collector::sending::Sender;
use otlp_core::export::{Deadline, Outcome};
use otlp_core::{Payload, Signal};
use prost::Message as _;

/// How long a test waits for what must happen.
pub(crate) const PATIENCE: Duration = Duration::from_secs(20);

/// The exporter with this name and these settings, which are YAML in one line.
pub(crate) fn destination(name: &str, settings: &str) -> Result<Box<dyn Destination>, String> {
    let yaml = format!(
        "receivers: {{otlp: {{protocols: {{http: }}}}}}\nexporters: {{{name}: {settings}}}\n\
         service: {{pipelines: {{traces: {{receivers: [otlp], exporters: [{name}]}}}}}}"
    );
    read(&yaml).map(|mut all| all.remove(0).1)
}

/// An exporter and its name.
pub(crate) type Named = (String, Box<dyn Destination>);

/// All exporters of a configuration.
pub(crate) fn read(yaml: &str) -> Result<Vec<Named>, String> {
    let sources = [Source::Yaml(yaml.to_owned())];
    let config = Config::load_with(&sources, &|_| None).map_err(|error| error.to_string())?;
    let factories = Registry::standard().exporters;
    let create = |it: &ComponentSettings| {
        let name = it.id.component_type();
        let factory = factories.iter().find(|factory| factory.types().contains(&name));
        let factory = factory.ok_or_else(|| format!("no factory for {name}"))?;
        let created = factory.create(&it.id, &it.settings).map_err(|error| error.to_string())?;
        Ok((it.id.to_string(), created))
    };
    config.settings.exporters.iter().map(create).collect()
}

/// The exporter, opened for a signal and driven.
pub(crate) fn sender(name: &str, settings: &str, signal: Signal) -> Sender {
    let destination = destination(name, settings).unwrap();
    start(destination.as_ref(), name, signal)
}

pub(crate) fn start(destination: &dyn Destination, name: &str, signal: Signal) -> Sender {
    let host = Host::alone(name.parse().unwrap());
    let exporter = destination.open(&host, signal).unwrap();
    Sender::start(exporter, destination.sending()).unwrap()
}

pub(crate) async fn consume(sender: &Sender, payload: Payload) -> Outcome {
    sender.consume(Batch::without_ticket(payload), soon()).await
}

pub(crate) fn soon() -> Deadline {
    Deadline::after(Instant::now(), PATIENCE)
}

pub(crate) fn error(outcome: &Outcome) -> String {
    outcome.error().map(ToString::to_string).unwrap_or_default()
}

/// A request of a signal, of three items.
pub(crate) fn payload(signal: Signal) -> Payload {
    let request = match signal {
        Signal::Metrics => metrics().encode_to_vec(),
        Signal::Logs => logs().encode_to_vec(),
        _ => traces().encode_to_vec(),
    };
    Payload::from_request(signal, request).unwrap()
}

pub(crate) fn traces() -> ExportTraceServiceRequest {
    let span = |number: u8| Span {
        trace_id: vec![1; 16],
        span_id: vec![number; 8],
        name: format!("span {number}"),
        ..Span::default()
    };
    let scope = ScopeSpans { spans: (1..=3).map(span).collect(), ..ScopeSpans::default() };
    let resource = ResourceSpans { scope_spans: vec![scope], ..ResourceSpans::default() };
    ExportTraceServiceRequest { resource_spans: vec![resource] }
}

fn metrics() -> ExportMetricsServiceRequest {
    let point = |number| NumberDataPoint {
        value: Some(number_data_point::Value::AsInt(number)),
        ..NumberDataPoint::default()
    };
    let gauge = Gauge { data_points: (1..=3).map(point).collect() };
    let metric = Metric {
        name: "level".to_owned(),
        data: Some(metric::Data::Gauge(gauge)),
        ..Metric::default()
    };
    let scope = ScopeMetrics { metrics: vec![metric], ..ScopeMetrics::default() };
    let resource = ResourceMetrics { scope_metrics: vec![scope], ..ResourceMetrics::default() };
    ExportMetricsServiceRequest { resource_metrics: vec![resource] }
}

fn logs() -> ExportLogsServiceRequest {
    let text = |text: String| AnyValue { value: Some(any_value::Value::StringValue(text)) };
    let record =
        |number| LogRecord { body: Some(text(format!("log {number}"))), ..LogRecord::default() };
    let scope = ScopeLogs { log_records: (1..=3).map(record).collect(), ..ScopeLogs::default() };
    let resource = ResourceLogs { scope_logs: vec![scope], ..ResourceLogs::default() };
    ExportLogsServiceRequest { resource_logs: vec![resource] }
}
