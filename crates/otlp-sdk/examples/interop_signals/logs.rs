//! The log records.

use opentelemetry::logs::{AnyValue, LogRecord as _, Logger as _, LoggerProvider as _, Severity};
use opentelemetry::trace::TraceContextExt as _;
use opentelemetry::{Context, SpanId, TraceFlags, TraceId};
use otlp_core::export::Exporter;
use otlp_core::{AttributeLimits, LogRecordLimits, ValueLimits};
use otlp_sdk::logs::{Logger, LoggerProvider};
use serde_json::{Map, Value as Json, json};

use super::Sent;
use crate::interop_support::{
    Result, at, bare_scope_json, double, merge, nanos, remote, resource, scope, scope_json,
};

pub(crate) fn send(exporter: impl Exporter) -> Result<Sent> {
    let provider = LoggerProvider::builder()
        .with_batch_exporter(exporter)
        .with_resource(resource())
        .with_log_record_limits(limits())
        .build();
    let logger = provider.logger_with_scope(scope());

    let mut records = vec![every_field(&logger), nothing(&logger), over_the_limits(&logger)];
    records.extend(correlated(&logger)?);
    records.extend(severities(&logger));
    records.extend(bodies(&logger));
    records.extend(bulk(&provider));

    let shutdown = provider.shutdown();
    Ok(Sent { report: json!({ "records": records }), ledger: provider.ledger(), shutdown })
}

/// Small, so that values are cut and dropped counts come out non-zero.
fn limits() -> LogRecordLimits {
    let value = ValueLimits { length: 64, ..ValueLimits::default() };
    LogRecordLimits { attributes: AttributeLimits { count: 24, value } }
}

/// One record with every field of `LogRecord` set.
fn every_field(logger: &Logger) -> Json {
    let mut record = logger.create_log_record();
    record.set_timestamp(at(1));
    record.set_observed_timestamp(at(2));
    record.set_severity_number(Severity::Warn2);
    record.set_severity_text("Warnung");
    record.set_body("it happened: ßø".into());
    record.set_event_name("interop.event");
    record.set_target("interop::target");
    record.set_trace_context(
        TraceId::from(0x0102_0304_0506_0708_090a_0b0c_0d0e_0f10),
        SpanId::from(0x1112_1314_1516_1718),
        Some(TraceFlags::new(0x81)),
    );
    record.add_attribute("repeated", "first");
    let values = values();
    record.add_attributes(values.iter().map(|(key, value, _)| (*key, value.clone())));
    record.add_attribute("repeated", "last");
    record.add_attribute("string.long", "ß".repeat(100));
    logger.emit(record);

    let mut attributes = values_json(&values);
    merge(
        &mut attributes,
        json!({
            "repeated": {"string": "last"},
            "string.long": {"string": "ß".repeat(64)},
        }),
    );
    expect(
        1,
        json!({
            "observed": nanos(2),
            "severity_number": 14,
            "severity_text": "Warnung",
            "body": {"string": "it happened: ßø"},
            "event_name": "interop.event",
            "scope": scope_json("interop::target"),
            "trace_id": "0102030405060708090a0b0c0d0e0f10",
            "span_id": "1112131415161718",
            "flags": 0x81,
            "attributes": attributes,
        }),
    )
}

/// A record in which nothing was set.
fn nothing(logger: &Logger) -> Json {
    logger.emit(logger.create_log_record());
    expect(0, json!({"time": "0"}))
}

/// More than the limits allow, at every depth; the body is not limited.
fn over_the_limits(logger: &Logger) -> Json {
    let long = || AnyValue::from("日".repeat(100));
    let mut record = logger.create_log_record();
    record.set_timestamp(at(3));
    record.set_body("x".repeat(100_000).into());
    record.add_attribute("string", long());
    record.add_attribute("bytes", AnyValue::Bytes(Box::new(vec![0xab; 100])));
    record.add_attribute("list", [long(), 1.into()].into_iter().collect::<AnyValue>());
    record.add_attribute("map", [("inside", long())].into_iter().collect::<AnyValue>());
    (4..30_i64).for_each(|n| record.add_attribute(format!("k{n:02}"), n));
    logger.emit(record);

    let cut = json!({"string": "日".repeat(64)});
    let mut attributes = json!({
        "string": cut,
        "bytes": {"bytes": "ab".repeat(64)},
        "list": {"array": [cut, {"int": 1}]},
        "map": {"map": {"inside": cut}},
    });
    let kept = (4..24).map(|n| (format!("k{n:02}"), json!({"int": n}))).collect::<Map<_, _>>();
    merge(&mut attributes, kept.into());
    expect(
        3,
        json!({
            "body": {"string": "x".repeat(100_000)},
            "attributes": attributes,
            "dropped_attributes": 6,
        }),
    )
}

/// Records of the span that is active, and of one that is named without flags.
fn correlated(logger: &Logger) -> Result<[Json; 2]> {
    let active = remote(0xa0a1_a2a3_a4a5_a6a7_a8a9_aaab_acad_aeaf, "")?;
    let emit = |second, ids: Option<(TraceId, SpanId)>| {
        let mut record = logger.create_log_record();
        record.set_timestamp(at(second));
        if let Some((trace_id, span_id)) = ids {
            record.set_trace_context(trace_id, span_id, None);
        }
        logger.emit(record);
    };
    let guard = Context::new().with_remote_span_context(active.clone()).attach();
    emit(4, None);
    emit(5, Some((TraceId::from(1), SpanId::from(2))));
    drop(guard);
    let active = json!({
        "trace_id": active.trace_id().to_string(),
        "span_id": active.span_id().to_string(),
        "flags": 1,
    });
    let named = json!({"trace_id": format!("{:032x}", 1), "span_id": format!("{:016x}", 2)});
    Ok([expect(4, active), expect(5, named)])
}

fn severities(logger: &Logger) -> Vec<Json> {
    SEVERITIES
        .iter()
        .zip(1_u64..)
        .map(|((severity, name), number)| {
            let mut record = logger.create_log_record();
            record.set_timestamp(at(100 + number));
            record.set_severity_number(*severity);
            record.set_severity_text(name);
            logger.emit(record);
            expect(100 + number, json!({"severity_number": number, "severity_text": name}))
        })
        .collect()
}

/// A body of each kind.
fn bodies(logger: &Logger) -> Vec<Json> {
    values()
        .into_iter()
        .zip(200..)
        .map(|((_, value, json), second)| {
            let mut record = logger.create_log_record();
            record.set_timestamp(at(second));
            record.set_body(value);
            logger.emit(record);
            expect(second, json!({ "body": json }))
        })
        .collect()
}

/// More records than a batch holds, from a second scope that has nothing but a name.
fn bulk(provider: &LoggerProvider) -> Vec<Json> {
    let logger = provider.logger("bulk");
    (0..1_000_u64)
        .map(|n| {
            let body = format!("bulk {n}");
            let mut record = logger.create_log_record();
            record.set_timestamp(at(1_000 + n));
            record.set_body(body.clone().into());
            record.set_severity_number(Severity::Info);
            logger.emit(record);
            let scope = bare_scope_json("bulk");
            expect(
                1_000 + n,
                json!({"body": {"string": body}, "severity_number": 9, "scope": scope}),
            )
        })
        .collect()
}

/// Each kind of value at its corners.
fn values() -> Vec<(&'static str, AnyValue, Json)> {
    let map = |entries: Vec<(&'static str, AnyValue)>| entries.into_iter().collect::<AnyValue>();
    let list = |items: Vec<AnyValue>| items.into_iter().collect::<AnyValue>();
    let bytes = |bytes: &[u8]| AnyValue::from(bytes);
    vec![
        ("string", "plain".into(), json!({"string": "plain"})),
        ("string.empty", "".into(), json!({"string": ""})),
        ("string.unicode", "日本 \u{1f680}\u{0}".into(), json!({"string": "日本 \u{1f680}\u{0}"})),
        ("bool.true", true.into(), json!({"bool": true})),
        ("bool.false", false.into(), json!({"bool": false})),
        ("int.zero", 0_i64.into(), json!({"int": 0})),
        ("int.min", i64::MIN.into(), json!({"int": i64::MIN})),
        ("int.max", i64::MAX.into(), json!({"int": i64::MAX})),
        ("double", 1.5.into(), double(1.5)),
        ("double.nan", f64::NAN.into(), double(f64::NAN)),
        ("double.negative_zero", (-0.0).into(), double(-0.0)),
        ("double.infinite", f64::NEG_INFINITY.into(), double(f64::NEG_INFINITY)),
        ("bytes", bytes(&[0, 0xff, 0xfe, 0xfb]), json!({"bytes": "00fffefb"})),
        ("bytes.empty", bytes(&[]), json!({"bytes": ""})),
        ("list.empty", list(vec![]), json!({"array": []})),
        ("map.empty", map(vec![]), json!({"map": {}})),
        (
            "list",
            list(vec!["a".into(), 1_i64.into(), list(vec![bytes(b"\x01")]), map(vec![])]),
            json!({"array": [
                {"string": "a"}, {"int": 1}, {"array": [{"bytes": "01"}]}, {"map": {}}
            ]}),
        ),
        (
            "map",
            map(vec![
                ("", true.into()),
                ("list", list(vec![f64::INFINITY.into(), "".into()])),
                ("map", map(vec![("größe", (-1_i64).into())])),
            ]),
            json!({"map": {
                "": {"bool": true},
                "list": {"array": [double(f64::INFINITY), {"string": ""}]},
                "map": {"map": {"größe": {"int": -1}}},
            }}),
        ),
    ]
}

fn values_json(values: &[(&'static str, AnyValue, Json)]) -> Json {
    let fields = values.iter().map(|(key, _, json)| ((*key).to_owned(), json.clone()));
    fields.collect::<Map<_, _>>().into()
}

/// The fields that every record has, with some of them changed.
fn expect(second: u64, changes: Json) -> Json {
    let mut record = json!({
        "time": nanos(second),
        // The time of the emission.
        "observed": "now",
        "severity_number": 0, "severity_text": "",
        "body": null,
        "event_name": "",
        "trace_id": "", "span_id": "", "flags": 0,
        "attributes": {}, "dropped_attributes": 0,
        "scope": scope_json("interop"),
    });
    merge(&mut record, changes);
    record
}

const SEVERITIES: [(Severity, &str); 24] = [
    (Severity::Trace, "TRACE"),
    (Severity::Trace2, "TRACE2"),
    (Severity::Trace3, "TRACE3"),
    (Severity::Trace4, "TRACE4"),
    (Severity::Debug, "DEBUG"),
    (Severity::Debug2, "DEBUG2"),
    (Severity::Debug3, "DEBUG3"),
    (Severity::Debug4, "DEBUG4"),
    (Severity::Info, "INFO"),
    (Severity::Info2, "INFO2"),
    (Severity::Info3, "INFO3"),
    (Severity::Info4, "INFO4"),
    (Severity::Warn, "WARN"),
    (Severity::Warn2, "WARN2"),
    (Severity::Warn3, "WARN3"),
    (Severity::Warn4, "WARN4"),
    (Severity::Error, "ERROR"),
    (Severity::Error2, "ERROR2"),
    (Severity::Error3, "ERROR3"),
    (Severity::Error4, "ERROR4"),
    (Severity::Fatal, "FATAL"),
    (Severity::Fatal2, "FATAL2"),
    (Severity::Fatal3, "FATAL3"),
    (Severity::Fatal4, "FATAL4"),
];
