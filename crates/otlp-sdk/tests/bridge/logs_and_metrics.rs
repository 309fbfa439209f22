//! The official logs and metrics SDKs with our exporters: what arrives is what the official conversion
//! makes of the same data.

use std::collections::HashMap;
use std::sync::Arc;
use std::time::{Duration, UNIX_EPOCH};

use opentelemetry::logs::{AnyValue, LogRecord as _, Logger as _, LoggerProvider as _, Severity};
use opentelemetry::metrics::MeterProvider as _;
use opentelemetry::{InstrumentationScope, KeyValue, SpanId, TraceFlags, TraceId};
use opentelemetry_proto::tonic::collector::logs::v1::ExportLogsServiceRequest;
use opentelemetry_proto::tonic::collector::metrics::v1::ExportMetricsServiceRequest;
use opentelemetry_proto::tonic::common::v1::KeyValue as WireKeyValue;
use opentelemetry_proto::tonic::metrics::v1::metric::Data;
use opentelemetry_proto::transform::common::tonic::ResourceAttributesWithSchema;
use opentelemetry_proto::transform::logs::tonic::group_logs_by_resource_and_scope;
use opentelemetry_sdk::Resource;
use opentelemetry_sdk::error::{OTelSdkError, OTelSdkResult};
use opentelemetry_sdk::logs::{LogBatch, LogExporter as OfficialLogExporter, SdkLoggerProvider};
use opentelemetry_sdk::metrics::data::ResourceMetrics;
use opentelemetry_sdk::metrics::exporter::PushMetricExporter as OfficialMetricExporter;
use opentelemetry_sdk::metrics::{
    Aggregation, Instrument, PeriodicReader, SdkMeterProvider, Stream, Temporality,
};
use otlp_core::Signal;
use otlp_sdk::DropReason;
use otlp_sdk::bridge::{LogExporter, PushMetricExporter};
use otlp_testing::{Message, Reply, ScriptedExporter, Server, Transport};
use parking_lot::Mutex;

use crate::support::{TRANSPORTS, config, exporter, sums};

/// An exporter of ours, and what the official conversion makes of what it gets.
#[derive(Clone, Debug)]
struct Both<E, M> {
    ours: E,
    theirs: Arc<Mutex<Vec<M>>>,
    resource: Arc<Mutex<Resource>>,
}

impl<E, M> Both<E, M> {
    fn new(ours: E) -> Self {
        let resource = Arc::new(Mutex::new(Resource::builder_empty().build()));
        Self { ours, theirs: Arc::default(), resource }
    }
}

impl OfficialLogExporter for Both<LogExporter, ExportLogsServiceRequest> {
    fn export(&self, batch: LogBatch<'_>) -> impl Future<Output = OTelSdkResult> + Send {
        let resource = ResourceAttributesWithSchema::from(&*self.resource.lock());
        let resource_logs = group_logs_by_resource_and_scope(&batch, &resource);
        self.theirs.lock().push(ExportLogsServiceRequest { resource_logs });
        self.ours.export(batch)
    }

    fn shutdown_with_timeout(&self, timeout: Duration) -> OTelSdkResult {
        self.ours.shutdown_with_timeout(timeout)
    }

    fn set_resource(&mut self, resource: &Resource) {
        *self.resource.lock() = resource.clone();
        self.ours.set_resource(resource);
    }
}

impl OfficialMetricExporter for Both<PushMetricExporter, ExportMetricsServiceRequest> {
    fn export(&self, metrics: &ResourceMetrics) -> impl Future<Output = OTelSdkResult> + Send {
        self.theirs.lock().push(metrics.into());
        self.ours.export(metrics)
    }

    fn force_flush(&self) -> OTelSdkResult {
        self.ours.force_flush()
    }

    fn shutdown_with_timeout(&self, timeout: Duration) -> OTelSdkResult {
        self.ours.shutdown_with_timeout(timeout)
    }

    fn temporality(&self) -> Temporality {
        self.ours.temporality()
    }
}

fn resource() -> Resource {
    let attributes = [KeyValue::new("service.name", "test"), KeyValue::new("n", 1)];
    Resource::builder_empty().with_schema_url(attributes, "https://example.org/resource").build()
}

fn sort(attributes: &mut [WireKeyValue]) {
    attributes.sort_by(|a, b| a.key.cmp(&b.key));
}

fn log_program(provider: &SdkLoggerProvider) {
    let scope = InstrumentationScope::builder("library")
        .with_version("1")
        .with_schema_url("https://example.org/scope")
        .with_attributes([KeyValue::new("k", true)])
        .build();
    let loggers = [provider.logger("plain"), provider.logger_with_scope(scope)];
    for (number, logger) in loggers.iter().cycle().take(6).enumerate() {
        let mut record = logger.create_log_record();
        record.set_timestamp(UNIX_EPOCH + Duration::from_nanos(number as u64));
        record.set_severity_number(Severity::Warn3);
        record.set_severity_text("WARNING");
        record.set_body(AnyValue::from(format!("message {number}")));
        record.add_attribute("text", "words");
        record.add_attribute("int", -1);
        record.add_attribute("bytes", AnyValue::Bytes(Box::new(vec![0, 255])));
        let list = vec![AnyValue::Int(1), AnyValue::Double(0.5), AnyValue::Boolean(true)];
        record.add_attribute("list", AnyValue::ListAny(Box::new(list)));
        let map = HashMap::from([("inner".into(), AnyValue::from("value"))]);
        record.add_attribute("map", AnyValue::Map(Box::new(map)));
        if number % 3 == 0 {
            record.set_target("module::path");
            record.set_event_name("event");
        }
        if number % 3 == 1 {
            let (trace, span) = (TraceId::from(7_u128), SpanId::from(8_u64));
            record.set_trace_context(trace, span, Some(TraceFlags::SAMPLED));
        }
        logger.emit(record);
    }
    provider.logger("empty").emit(provider.logger("empty").create_log_record());
}

fn normal_logs(mut request: ExportLogsServiceRequest) -> ExportLogsServiceRequest {
    for resource in &mut request.resource_logs {
        sort(&mut resource.resource.as_mut().unwrap().attributes);
        resource.scope_logs.sort_by_key(|scope| {
            let names = scope.scope.clone().unwrap();
            (names.name, names.version)
        });
    }
    request
}

#[test]
fn logs_arrive_as_the_official_conversion_makes_them() {
    for transport in TRANSPORTS {
        let server = Server::start();
        let ours = LogExporter::with_config(exporter(&server, transport, Signal::Logs), config());
        let (account, both) = (ours.account(), Both::new(ours));
        let provider = SdkLoggerProvider::builder()
            .with_resource(resource())
            .with_batch_exporter(both.clone())
            .build();
        log_program(&provider);
        drop(both.ours);
        provider.force_flush().unwrap();
        provider.shutdown().unwrap();
        assert_eq!(sums(&account), (7, 7, 0, 0, 0), "{transport:?}");
        let requests = server.requests();
        let Message::Logs(ours) = &requests[0].message else { panic!("{requests:?}") };
        let theirs = both.theirs.lock().remove(0);
        assert_eq!(theirs.resource_logs[0].scope_logs.len(), 5);
        assert_eq!(normal_logs(ours.clone()), normal_logs(theirs));
    }
}

// row W5
#[test]
fn of_a_repeated_key_the_last_value_is_sent() {
    let recorded = ScriptedExporter::new();
    let ours = LogExporter::with_config(recorded.clone(), config());
    let provider = SdkLoggerProvider::builder().with_simple_exporter(ours).build();
    let logger = provider.logger("test");
    let mut record = logger.create_log_record();
    record.add_attributes([("k", 1), ("other", 2), ("k", 3)]);
    logger.emit(record);
    let Message::Logs(request) = &recorded.messages()[0] else { panic!() };
    let record = &request.resource_logs[0].scope_logs[0].log_records[0];
    let kept: Vec<_> = record.attributes.iter().map(|it| it.key.as_str()).collect();
    assert_eq!((kept, record.dropped_attributes_count), (vec!["k", "other"], 0));
}

#[test]
fn a_body_of_ten_megabytes_arrives_alone_and_a_larger_one_than_any_request_is_counted() {
    let recorded = ScriptedExporter::new();
    let ours = LogExporter::with_config(recorded.clone(), config());
    let account = ours.account();
    let provider = SdkLoggerProvider::builder().with_batch_exporter(ours).build();
    let logger = provider.logger("test");
    let mut emit = |bytes: usize| {
        let mut record = logger.create_log_record();
        record.set_body(AnyValue::Bytes(Box::new(vec![7; bytes])));
        logger.emit(record);
    };
    [10, 10_000_000, 20, 70_000_000, 30].into_iter().for_each(&mut emit);
    let error = provider.force_flush().unwrap_err().to_string();
    assert!(error.contains("1 log_record not delivered (too_large)"), "{error}");
    assert_eq!(sums(&account), (5, 4, 0, 1, 0));
    assert_eq!(account.ledger().dropped(DropReason::TooLarge), 1);
    let items: Vec<_> = recorded.payloads().iter().map(|it| it.items()).collect();
    assert_eq!(items, [1, 1, 2]);
}

fn metric_program(provider: &SdkMeterProvider) {
    let scope = InstrumentationScope::builder("library")
        .with_version("1")
        .with_schema_url("https://example.org/scope")
        .build();
    for meter in [provider.meter("plain"), provider.meter_with_scope(scope)] {
        let counter = meter.u64_counter("counter").with_unit("1").with_description("d").build();
        let sum = meter.i64_up_down_counter("sum").build();
        let gauge = meter.f64_gauge("gauge").build();
        let histogram = meter.f64_histogram("histogram").with_unit("s").build();
        let exponential = meter.f64_histogram("exponential").build();
        for number in 0..50 {
            let attributes = [KeyValue::new("n", number), KeyValue::new("even", number % 2 == 0)];
            counter.add(number as u64, &attributes);
            sum.add(-number, &attributes);
            gauge.record(0.5, &attributes);
            histogram.record(number as f64, &attributes[1..]);
            exponential.record(-(number as f64) * 1e6, &attributes[1..]);
            exponential.record(number as f64 * 1e-6, &attributes[1..]);
        }
    }
}

fn meter_provider(exporter: impl OfficialMetricExporter) -> SdkMeterProvider {
    let view = |instrument: &Instrument| {
        let aggregation = Aggregation::Base2ExponentialHistogram {
            max_size: 20,
            max_scale: 10,
            record_min_max: true,
        };
        let stream = Stream::builder().with_aggregation(aggregation);
        (instrument.name() == "exponential").then(|| stream.build().unwrap())
    };
    let reader = PeriodicReader::builder(exporter).with_interval(Duration::from_secs(3600)).build();
    SdkMeterProvider::builder()
        .with_resource(resource())
        .with_view(view)
        .with_reader(reader)
        .build()
}

/// Points and scopes come in no order; large metrics come in parts.
fn normal_metrics(mut request: ExportMetricsServiceRequest) -> ExportMetricsServiceRequest {
    for resource in &mut request.resource_metrics {
        sort(&mut resource.resource.as_mut().unwrap().attributes);
        resource.scope_metrics.sort_by_key(|scope| scope.scope.clone().unwrap().name);
        for metric in resource.scope_metrics.iter_mut().flat_map(|scope| &mut scope.metrics) {
            match metric.data.as_mut().unwrap() {
                Data::Gauge(gauge) => {
                    gauge.data_points.sort_by_key(|point| format!("{:?}", point.attributes));
                }
                Data::Sum(sum) => {
                    sum.data_points.sort_by_key(|point| format!("{:?}", point.attributes));
                }
                Data::Histogram(histogram) => {
                    histogram.data_points.sort_by_key(|point| format!("{:?}", point.attributes));
                }
                Data::ExponentialHistogram(histogram) => {
                    histogram.data_points.sort_by_key(|point| format!("{:?}", point.attributes));
                }
                Data::Summary(_) => panic!("the SDK makes none"),
            }
        }
    }
    request
}

#[test]
fn metrics_arrive_as_the_official_conversion_makes_them() {
    for (transport, temporality) in
        [(Transport::Grpc, Temporality::Cumulative), (Transport::Http, Temporality::Delta)]
    {
        let server = Server::start();
        let exporter = exporter(&server, transport, Signal::Metrics);
        let ours =
            PushMetricExporter::with_config(exporter, config()).with_temporality(temporality);
        let (account, both) = (ours.account(), Both::new(ours));
        let provider = meter_provider(both.clone());
        metric_program(&provider);
        drop(both.ours);
        provider.force_flush().unwrap();
        let points = 2 * (3 * 50 + 2 * 2);
        assert_eq!(sums(&account), (points, points, 0, 0, 0), "{transport:?}");
        let requests = server.requests();
        let Message::Metrics(ours) = &requests[0].message else { panic!("{requests:?}") };
        let theirs = both.theirs.lock().remove(0);
        assert_eq!(normal_metrics(ours.clone()), normal_metrics(theirs));
        provider.shutdown().unwrap();
        assert_eq!(account.ledger().unaccounted(), 0);
    }
}

#[test]
fn metrics_that_the_server_rejects_are_counted_by_their_points() {
    let server = Server::start();
    server.respond_with([Reply::partial_success(3, "too many series")]);
    let exporter = exporter(&server, Transport::Http, Signal::Metrics);
    let ours = PushMetricExporter::with_config(exporter, config());
    let account = ours.account();
    let provider = meter_provider(ours);
    metric_program(&provider);
    let error = provider.force_flush().unwrap_err();
    assert!(matches!(error, OTelSdkError::InternalFailure(_)), "{error}");
    assert_eq!(account.ledger().rejected, 3);
    assert_eq!(account.ledger().unaccounted(), 0);
}

// row Z1
#[test]
fn a_metric_of_many_series_is_cut_into_requests() {
    let recorded = ScriptedExporter::new();
    let ours =
        PushMetricExporter::with_config(recorded.clone(), config().with_max_request_bytes(20_000));
    let account = ours.account();
    let provider = meter_provider(ours);
    let counter = provider.meter("test").u64_counter("many").build();
    for number in 0..1_999 {
        counter.add(1, &[KeyValue::new("number", number)]);
    }
    provider.force_flush().unwrap();
    assert!(recorded.payloads().len() > 1);
    assert!(recorded.payloads().iter().all(|payload| payload.len() <= 20_000));
    assert_eq!(sums(&account), (1_999, 1_999, 0, 0, 0));
}

#[test]
fn nothing_collected_is_no_request() {
    let recorded = ScriptedExporter::new();
    let provider = meter_provider(PushMetricExporter::with_config(recorded.clone(), config()));
    provider.force_flush().unwrap();
    provider.shutdown().unwrap();
    assert_eq!((recorded.exports(), recorded.shutdowns()), (0, 1));
}
