//! Log records on the wire: what a server made from the official crates receives over every transport is what
//! the official SDK and its conversion to OTLP make of the same calls.

#![cfg(all(feature = "http", feature = "grpc"))]
#![allow(
    clippy::unwrap_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "helpers of tests fail by panicking, as tests do"
)]

mod logs_support;

use std::time::{Duration, SystemTime};

use opentelemetry::logs::{AnyValue, LogRecord as _, Logger, LoggerProvider as _, Severity};
use opentelemetry::{InstrumentationScope, KeyValue, SpanId, TraceFlags, TraceId};
use opentelemetry_proto::tonic::logs::v1::SeverityNumber;
use opentelemetry_sdk::logs::SdkLoggerProvider;
use otlp_core::Signal;
use otlp_core::export::{BoxedExporter, Compression, Env, Exporter};
use otlp_exporter_grpc::GrpcExporter;
use otlp_exporter_http::HttpExporter;
use otlp_sdk::logs::LoggerProvider;
use otlp_testing::{Reply, Server};

use crate::logs_support::{Official, normalised, scopes_of};

const BULK: u64 = 1_000;
const UNAVAILABLE: i32 = 14;

fn compressions() -> [Compression; 3] {
    [Compression::None, Compression::gzip(), Compression::zstd()]
}

fn grpc(server: &Server, compression: Compression) -> BoxedExporter {
    let builder = GrpcExporter::builder(Signal::Logs).with_endpoint(server.grpc_endpoint());
    builder.with_compression(compression).build_with(&Env::empty()).unwrap().boxed()
}

fn http(server: &Server, compression: Compression) -> BoxedExporter {
    let builder = HttpExporter::builder(Signal::Logs).with_endpoint(server.http_endpoint());
    builder.with_compression(compression).build_with(&Env::empty()).unwrap().boxed()
}

fn scope() -> InstrumentationScope {
    InstrumentationScope::builder("some")
        .with_version("1.0")
        .with_schema_url("https://example.com/schema")
        .with_attributes([KeyValue::new("of", "scope")])
        .build()
}

/// Everything that the API can set. Maps have one entry, since they have no order.
fn program(logger: &impl Logger) {
    for (second, severity) in (1..).zip(severities()) {
        let mut record = logger.create_log_record();
        record.set_timestamp(at(second));
        record.set_severity_number(severity);
        record.set_severity_text(severity.name());
        logger.emit(record);
    }
    for (second, value) in (100..).zip(values()) {
        let mut record = logger.create_log_record();
        record.set_timestamp(at(second));
        record.set_body(value);
        logger.emit(record);
    }
    let mut record = logger.create_log_record();
    record.set_timestamp(at(200));
    record.set_observed_timestamp(at(201));
    record.set_body("everything".into());
    record.set_event_name("an.event");
    record.set_target("my::module");
    let (trace_id, span_id) = (TraceId::from(7), SpanId::from(9));
    record.set_trace_context(trace_id, span_id, Some(TraceFlags::new(0x81)));
    let keys = (0..).map(|n| format!("key {n}"));
    record.add_attributes(keys.zip(values()));
    logger.emit(record);
    logger.emit(logger.create_log_record());
    for n in 0..BULK {
        let mut record = logger.create_log_record();
        record.set_timestamp(at(1_000 + n));
        record.set_body(format!("bulk {n}").into());
        record.add_attribute("n", n as i64);
        logger.emit(record);
    }
}

fn values() -> Vec<AnyValue> {
    let bytes = |bytes: &[u8]| AnyValue::from(bytes);
    let list = |items: Vec<AnyValue>| items.into_iter().collect::<AnyValue>();
    let map = |key: &'static str, value: AnyValue| [(key, value)].into_iter().collect::<AnyValue>();
    let empty = || std::iter::empty::<(&str, AnyValue)>().collect::<AnyValue>();
    vec![
        "plain".into(),
        "".into(),
        "日本 \u{1f680}\u{0}".into(),
        "x".repeat(100_000).into(),
        true.into(),
        false.into(),
        0.into(),
        i64::MIN.into(),
        i64::MAX.into(),
        1.5.into(),
        (-0.0).into(),
        f64::NAN.into(),
        f64::NEG_INFINITY.into(),
        bytes(&[0, 0xff]),
        bytes(&[]),
        list(vec![]),
        empty(),
        list(vec!["a".into(), 1.into(), list(vec![bytes(b"b")]), map("k", 0.5.into())]),
        map("größe", map("", list(vec![false.into(), empty()]))),
    ]
}

fn severities() -> [Severity; 24] {
    use Severity::*;
    [
        Trace, Trace2, Trace3, Trace4, Debug, Debug2, Debug3, Debug4, Info, Info2, Info3, Info4,
        Warn, Warn2, Warn3, Warn4, Error, Error2, Error3, Error4, Fatal, Fatal2, Fatal3, Fatal4,
    ]
}

fn at(second: u64) -> SystemTime {
    SystemTime::UNIX_EPOCH + Duration::from_secs(1_700_000_000 + second)
}

/// What the official crates make of the program, one text for each record: so that one NaN is like another.
fn expected() -> Vec<String> {
    let official = Official::default();
    let provider = SdkLoggerProvider::builder().with_simple_exporter(official.clone()).build();
    program(&provider.logger_with_scope(scope()));
    texts(official.scopes())
}

fn texts(scopes: Vec<opentelemetry_proto::tonic::logs::v1::ScopeLogs>) -> Vec<String> {
    normalised(scopes).iter().map(|group| format!("{group:?}")).collect()
}

/// What the server has taken.
fn found(server: &Server) -> Vec<String> {
    let requests = server.requests();
    let taken = requests.iter().filter(|request| request.accepted > 0);
    texts(taken.flat_map(|request| scopes_of(&request.message)).collect())
}

fn check(server: &Server, exporter: BoxedExporter) {
    let provider = LoggerProvider::builder().with_batch_exporter(exporter).build();
    program(&provider.logger_with_scope(scope()));
    provider.shutdown().unwrap();

    let expected = expected();
    assert_eq!(expected.len(), 24 + values().len() + 2 + BULK as usize);
    let found = found(server);
    assert_eq!(found.len(), expected.len());
    for (found, expected) in found.iter().zip(&expected) {
        assert_eq!(found, expected);
    }
    let ledger = provider.ledger();
    assert_eq!((ledger.delivered, ledger.ended), (expected.len() as u64, expected.len() as u64));
    assert_eq!(ledger.unaccounted(), 0, "{ledger}");
    assert_eq!(server.problems(), Vec::<String>::new());
}

#[test]
fn every_record_arrives_over_grpc_as_the_official_sdk_would_send_it() {
    // G1
    for compression in compressions() {
        let server = Server::start();
        check(&server, grpc(&server, compression));
    }
}

#[test]
fn every_record_arrives_over_http_as_the_official_sdk_would_send_it() {
    for compression in compressions() {
        let server = Server::start();
        check(&server, http(&server, compression));
    }
}

#[test]
fn every_record_arrives_once_where_a_grpc_server_is_away_for_a_request() {
    let server = Server::start();
    server.respond_with(
        Reply::grpc(UNAVAILABLE, "not now").with_retry_info(Duration::from_millis(1)),
    );
    check(&server, grpc(&server, Compression::None));
    assert!(server.counts().arrived > server.counts().accepted);
}

#[test]
fn a_severity_is_the_number_that_the_protocol_has_for_it() {
    for severity in severities() {
        let official = SeverityNumber::try_from(severity as i32).unwrap();
        let name = official.as_str_name().strip_prefix("SEVERITY_NUMBER_").unwrap();
        assert_eq!(name, severity.name());
    }
}
