//! Requests decoded by `prost`, every item looked at for what its workload has put there.

mod points;

use bytes::Bytes;
use opentelemetry_proto::tonic::collector::logs::v1::ExportLogsServiceRequest;
use opentelemetry_proto::tonic::collector::metrics::v1::ExportMetricsServiceRequest;
use opentelemetry_proto::tonic::collector::trace::v1::ExportTraceServiceRequest;
use opentelemetry_proto::tonic::common::v1::any_value::Value;
use opentelemetry_proto::tonic::common::v1::{AnyValue, KeyValue};
use opentelemetry_proto::tonic::logs::v1::LogRecord;
use opentelemetry_proto::tonic::resource::v1::Resource;
use opentelemetry_proto::tonic::trace::v1::Span;
use prost::Message;

use crate::workload::{self, logs};

/// The number of spans in a request of [`crate::workload::Work::Root`] with ten attributes.
///
/// # Errors
///
/// It does not decode, or a span is not as it was made.
pub fn spans(request: Bytes) -> Result<u64, String> {
    let request: ExportTraceServiceRequest = message(request)?;
    let mut count = 0;
    for group in &request.resource_spans {
        resource(group.resource.as_ref())?;
        for span in group.scope_spans.iter().flat_map(|scope| &scope.spans) {
            check_span(span).map_err(|what| format!("{what}: {span:?}"))?;
            count += 1;
        }
    }
    Ok(count)
}

/// The number of log records in a request of [`logs::run`].
///
/// # Errors
///
/// It does not decode, or a record is not as it was made.
pub fn records(request: Bytes) -> Result<u64, String> {
    let request: ExportLogsServiceRequest = message(request)?;
    let mut count = 0;
    for group in &request.resource_logs {
        resource(group.resource.as_ref())?;
        for logs in &group.scope_logs {
            if logs.scope.as_ref().is_none_or(|scope| scope.name != logs::TARGET) {
                return Err(format!("a wrong scope: {:?}", logs.scope));
            }
            for record in &logs.log_records {
                check_record(record).map_err(|what| format!("{what}: {record:?}"))?;
                count += 1;
            }
        }
    }
    Ok(count)
}

/// The number of data points in a request of [`workload::metrics::record`].
///
/// # Errors
///
/// It does not decode, or a point is not as it was measured.
pub fn points(request: Bytes) -> Result<u64, String> {
    let request: ExportMetricsServiceRequest = message(request)?;
    let mut count = 0;
    for group in &request.resource_metrics {
        resource(group.resource.as_ref())?;
        for metric in group.scope_metrics.iter().flat_map(|scope| &scope.metrics) {
            count += points::check(metric).map_err(|what| format!("{what} in {}", metric.name))?;
        }
    }
    Ok(count)
}

fn message<T: Message + Default>(request: Bytes) -> Result<T, String> {
    T::decode(request).map_err(|error| error.to_string())
}

fn resource(resource: Option<&Resource>) -> Result<(), &'static str> {
    let attributes = &resource.ok_or("no resource")?.attributes;
    let named = attributes.iter().any(|attribute| attribute.key == "service.name");
    if named { Ok(()) } else { Err("a resource without service.name") }
}

fn check_span(span: &Span) -> Result<(), &'static str> {
    if span.trace_id.len() != 16 || span.trace_id.iter().all(|byte| *byte == 0) {
        return Err("bad trace id");
    }
    if span.span_id.len() != 8 || span.span_id.iter().all(|byte| *byte == 0) {
        return Err("bad span id");
    }
    if span.name != workload::NAME {
        return Err("wrong name");
    }
    if span.attributes.len() != 10 || span.dropped_attributes_count != 0 {
        return Err("not ten attributes");
    }
    if span.start_time_unix_nano == 0 || span.end_time_unix_nano < span.start_time_unix_nano {
        return Err("bad times");
    }
    Ok(())
}

fn check_record(record: &LogRecord) -> Result<(), &'static str> {
    if record.body.as_ref().and_then(text) != Some(logs::BODY) {
        return Err("wrong body");
    }
    if record.severity_number != 9 || record.severity_text != "INFO" {
        return Err("wrong severity");
    }
    if !record.event_name.starts_with("event ") {
        return Err("no event name");
    }
    if record.observed_time_unix_nano == 0 {
        return Err("no time");
    }
    if record.attributes.len() != 4 || record.dropped_attributes_count != 0 {
        return Err("not four attributes");
    }
    let number = integer(&record.attributes, "app.sequence").ok_or("no app.sequence")?;
    let number = usize::try_from(number).map_err(|_| "app.sequence is negative")?;
    let expected = [
        ("http.request.method", "GET"),
        ("http.route", "/users/{id}"),
        ("server.address", workload::address(number)),
    ];
    let right = expected.iter().all(|(key, value)| string(&record.attributes, key) == Some(value));
    if right { Ok(()) } else { Err("wrong attributes") }
}

fn attribute<'a>(attributes: &'a [KeyValue], key: &str) -> Option<&'a AnyValue> {
    attributes.iter().find(|attribute| attribute.key == key)?.value.as_ref()
}

fn string<'a>(attributes: &'a [KeyValue], key: &str) -> Option<&'a str> {
    attribute(attributes, key).and_then(text)
}

fn text(value: &AnyValue) -> Option<&str> {
    match &value.value {
        Some(Value::StringValue(text)) => Some(text),
        _ => None,
    }
}

fn integer(attributes: &[KeyValue], key: &str) -> Option<i64> {
    match attribute(attributes, key)?.value {
        Some(Value::IntValue(number)) => Some(number),
        _ => None,
    }
}
