//! The exact text of log records, which `opentelemetry-proto` has encoded.

use opentelemetry_proto::tonic::collector::logs::v1::ExportLogsServiceRequest;
use opentelemetry_proto::tonic::common::v1::{
    AnyValue, ArrayValue, InstrumentationScope, KeyValue, KeyValueList, any_value::Value,
};
use opentelemetry_proto::tonic::logs::v1::{LogRecord, ResourceLogs, ScopeLogs};
use opentelemetry_proto::tonic::resource::v1::Resource;
use otlp_core::Signal;
use prost::Message as _;

use super::START;

fn any(value: Value) -> Option<AnyValue> {
    Some(AnyValue { value: Some(value) })
}

fn text(value: &str) -> Option<AnyValue> {
    any(Value::StringValue(value.to_owned()))
}

pub(super) fn attribute(key: &str, value: Option<AnyValue>) -> KeyValue {
    KeyValue { key: key.to_owned(), value, ..KeyValue::default() }
}

pub(super) fn resource() -> Option<Resource> {
    let attributes = vec![attribute("service.name", text("shop"))];
    Some(Resource { attributes, ..Resource::default() })
}

pub(super) fn scope(name: &str) -> Option<InstrumentationScope> {
    Some(InstrumentationScope { name: name.to_owned(), ..InstrumentationScope::default() })
}

/// A request with these records, under a resource and a scope.
pub(super) fn request(log_records: Vec<LogRecord>) -> Vec<u8> {
    let scope_logs =
        vec![ScopeLogs { scope: scope("shop::stock"), log_records, ..ScopeLogs::default() }];
    let resource_logs =
        vec![ResourceLogs { resource: resource(), scope_logs, ..ResourceLogs::default() }];
    ExportLogsServiceRequest { resource_logs }.encode_to_vec()
}

/// What is printed of these records under a resource and a scope.
fn described(log_records: Vec<LogRecord>) -> String {
    let text = super::super::describe(Signal::Logs, &request(log_records)).unwrap();
    let head = "resource service.name=\"shop\"\nscope shop::stock\n";
    text.strip_prefix(head).unwrap().to_owned()
}

/// A record with everything in it.
pub(super) fn record() -> LogRecord {
    LogRecord {
        time_unix_nano: START,
        observed_time_unix_nano: START + 1,
        severity_number: 14,
        severity_text: "Warning".to_owned(),
        body: text("out of \"stock\"\n"),
        attributes: vec![
            attribute("sku", text("A-17")),
            attribute("left", any(Value::IntValue(0))),
        ],
        dropped_attributes_count: 1,
        flags: 0x0301,
        trace_id: b"\x4b\xf9\x2f\x35\x77\xb3\x4d\xa6\xa3\xce\x92\x9d\x0e\x0e\x47\x36".to_vec(),
        span_id: b"\x00\xf0\x67\xaa\x0b\xa9\x02\xb7".to_vec(),
        event_name: "stock.empty".to_owned(),
    }
}

#[test]
fn everything_that_a_log_record_holds_is_shown() {
    // R11
    assert_eq!(
        described(vec![record()]),
        r#"log WARN2 "out of \"stock\"\n"
  time     2026-11-21T15:30:00.123456789Z
  observed 2026-11-21T15:30:00.123456790Z
  severity Warning
  event    stock.empty
  trace    4bf92f3577b34da6a3ce929d0e0e4736, flags 01
  span     00f067aa0ba902b7
  sku = "A-17"
  left = 0
  dropped 1 attribute
"#
    );
}

#[test]
fn a_body_may_be_of_any_type_or_absent() {
    let list = ArrayValue { values: vec![any(Value::IntValue(1)).unwrap(), AnyValue::default()] };
    let entry = attribute("k", any(Value::ArrayValue(list)));
    let map = Value::KvlistValue(KeyValueList { values: vec![entry] });
    let bodies = [
        (None, "log\n"),
        (any(Value::BoolValue(true)), "log true\n"),
        (any(Value::DoubleValue(2.0)), "log 2.0\n"),
        (any(Value::BytesValue(vec![1, 0xff])), "log 0x01ff\n"),
        (any(map), "log {\"k\": [1, null]}\n"),
        (Some(AnyValue::default()), "log null\n"),
    ];
    for (body, expected) in bodies {
        assert_eq!(described(vec![LogRecord { body, ..LogRecord::default() }]), expected);
    }
}

#[test]
fn each_severity_has_its_short_name() {
    let headline = |severity_number, severity_text: &str| {
        let severity_text = severity_text.to_owned();
        described(vec![LogRecord { severity_number, severity_text, ..LogRecord::default() }])
    };
    let names = ["TRACE", "TRACE2", "TRACE3", "TRACE4", "DEBUG"];
    for (number, name) in (1..).zip(names) {
        assert_eq!(headline(number, ""), format!("log {name}\n"));
    }
    assert_eq!(headline(24, ""), "log FATAL4\n");
    assert_eq!(headline(9, "info"), "log INFO\n", "a text that says the same is not repeated");
    assert_eq!(headline(0, "loud"), "log\n  severity loud\n");
    for unknown in [25, -1, i32::MIN, i32::MAX] {
        assert_eq!(headline(unknown, ""), format!("log severity {unknown}\n"));
    }
}

#[test]
fn nothing_in_a_record_can_make_a_line_and_a_huge_one_prints_a_bounded_text() {
    let hostile = "\n\x1b[2J\u{202e}";
    let record = LogRecord {
        body: text(&"b".repeat(100_000)),
        severity_text: hostile.to_owned(),
        event_name: hostile.to_owned(),
        attributes: vec![attribute(hostile, text(hostile))],
        trace_id: vec![0xab; 1_000],
        ..LogRecord::default()
    };
    let printed = described(vec![record]);
    let escaped = r"\n\u{1b}[2J\u{202e}";
    let expected = format!(
        "log \"{body}…\n  severity {escaped}\n  event    {escaped}\n  trace    {trace}…, flags \
         00\n  {escaped} = \"{escaped}\"\n",
        body = "b".repeat(1_023),
        trace = "ab".repeat(32),
    );
    assert_eq!(printed, expected);
}
