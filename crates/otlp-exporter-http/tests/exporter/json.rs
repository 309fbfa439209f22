//! `http/json`: what arrives at a server whose reader is not ours, and what becomes of its answers.

use bytes::Bytes;
use otlp_core::export::{Compression, ExportError, Protocol};
use otlp_testing::oracle::Message;
use otlp_testing::oracle::proto::tonic::collector::logs::v1::ExportLogsServiceRequest;
use otlp_testing::oracle::proto::tonic::collector::metrics::v1::ExportMetricsServiceRequest;
use otlp_testing::oracle::proto::tonic::common::v1::{AnyValue, any_value::Value};
use otlp_testing::oracle::proto::tonic::logs::v1::{LogRecord, ResourceLogs, ScopeLogs};
use otlp_testing::oracle::proto::tonic::metrics::v1::{
    Gauge, Metric, NumberDataPoint, ResourceMetrics, ScopeMetrics, metric, number_data_point,
};
use otlp_testing::{Direction, FaultProxy, Reply, Script, Server};

use super::*;

fn json_builder(endpoint: impl Into<String>) -> HttpExporterBuilder {
    builder(endpoint).with_protocol(Protocol::HttpJson)
}

fn json_exporter(server: &Server) -> HttpExporter {
    built(json_builder(server.http_endpoint()))
}

/// A request with one log record of this body.
fn log(body: String) -> Payload {
    let body = AnyValue { value: Some(Value::StringValue(body)) };
    let record = LogRecord { body: Some(body), ..LogRecord::default() };
    let scope = ScopeLogs { log_records: vec![record], ..ScopeLogs::default() };
    let resource = ResourceLogs { scope_logs: vec![scope], ..ResourceLogs::default() };
    let request = ExportLogsServiceRequest { resource_logs: vec![resource] };
    Payload::from_request(Signal::Logs, request.encode_to_vec()).unwrap()
}

/// A request with one gauge.
fn gauge() -> Payload {
    let point = NumberDataPoint {
        time_unix_nano: u64::MAX,
        value: Some(number_data_point::Value::AsInt(i64::MIN)),
        ..NumberDataPoint::default()
    };
    let data = metric::Data::Gauge(Gauge { data_points: vec![point] });
    let metric = Metric { name: "g".to_owned(), data: Some(data), ..Metric::default() };
    let scope = ScopeMetrics { metrics: vec![metric], ..ScopeMetrics::default() };
    let resource = ResourceMetrics { scope_metrics: vec![scope], ..ResourceMetrics::default() };
    let request = ExportMetricsServiceRequest { resource_metrics: vec![resource] };
    Payload::from_request(Signal::Metrics, request.encode_to_vec()).unwrap()
}

fn warning(outcome: Outcome) -> String {
    match outcome {
        Outcome::Delivered { warning, .. } => warning.unwrap_or_default(),
        other => format!("not delivered: {other:?}"),
    }
}

#[tokio::test]
async fn every_signal_arrives_as_it_was_under_every_compression() {
    // H1, H3, H4
    for compression in [Compression::None, Compression::gzip(), Compression::zstd()] {
        let server = Server::start();
        for payload in [payload(&["a", "größe \u{1f680}"]), gauge(), log("hi".to_owned())] {
            let exporter = built(
                HttpExporter::builder(payload.signal())
                    .with_endpoint(server.http_endpoint())
                    .with_protocol(Protocol::HttpJson)
                    .with_compression(compression),
            );
            let outcome = exporter.export(payload.clone(), soon()).await;
            assert!(is_delivered(&outcome), "{compression}: {outcome:?}");

            let requests = server.requests();
            let request = requests.last().unwrap();
            assert_eq!(request.path, format!("/{}", payload.signal().http_path()));
            assert_eq!(request.header("content-type"), Some("application/json"));
            assert_eq!(request.header("content-encoding"), compression.content_encoding());
            let length = request.wire.len().to_string();
            assert_eq!(request.header("content-length"), Some(length.as_str()));
            // The server has read it with the serde forms of opentelemetry-proto.
            assert_eq!(request.message, Message::of(&payload).unwrap());
        }
        assert!(server.problems().is_empty(), "{:?}", server.problems());
    }
}

#[test]
fn each_exporter_has_the_component_type_of_its_encoding() {
    for (signal, name) in [
        (Signal::Traces, "otlp_http_json_span_exporter"),
        (Signal::Metrics, "otlp_http_json_metric_exporter"),
        (Signal::Logs, "otlp_http_json_log_exporter"),
    ] {
        let exporter = built(HttpExporter::builder(signal).with_protocol(Protocol::HttpJson));
        assert_eq!(exporter.component_type(), name);
    }
}

#[tokio::test]
async fn the_limit_of_a_request_holds_for_the_text_before_compression() {
    // Z1
    let server = Server::start();
    let payload = payload(&["x".repeat(1000).as_str()]);
    let length = payload.json_body(Compression::None, usize::MAX).unwrap().len();
    assert!(length > payload.len());
    let tried = async |max: usize, compression: Compression| {
        let builder = json_builder(server.http_endpoint());
        let exporter = built(builder.with_compression(compression).with_max_request_size(max));
        exporter.export(payload.clone(), soon()).await
    };
    for compression in [Compression::None, Compression::gzip()] {
        let outcome = tried(length - 1, compression).await;
        assert!(is_too_large(&outcome), "{outcome:?}");
        assert_eq!(kind(&outcome), Some(ErrorKind::RequestTooLarge));
        assert!(message(&outcome).contains(&format!("limit of {} bytes", length - 1)));
        assert!(is_delivered(&tried(length, compression).await));
    }
    assert_eq!(server.counts().arrived, 2);
}

#[tokio::test]
async fn a_log_of_ten_megabytes_arrives() {
    let server = Server::builder().with_http_path("/logs", Signal::Logs).start().unwrap();
    let body = "ä\n\u{1}".repeat(10 << 18);
    assert!(body.len() >= 10 << 20);
    let exporter = HttpExporter::builder(Signal::Logs)
        .with_endpoint(server.http_endpoint())
        .with_protocol(Protocol::HttpJson)
        .with_compression(Compression::gzip());
    let payload = log(body);
    let outcome = built(exporter).export(payload.clone(), soon()).await;
    assert!(is_delivered(&outcome), "{outcome:?}");
    assert!(server.requests()[0].message == Message::of(&payload).unwrap());
}

#[tokio::test]
async fn what_is_not_utf_8_is_not_sent_and_says_where() {
    let server = Server::start();
    let request = Bytes::from_static(b"\x0a\x08\x12\x06\x12\x04\x2a\x02h\xff");
    let payload = Payload::from_request(Signal::Traces, request).unwrap();
    let outcome = json_exporter(&server).export(payload, soon()).await;
    assert!(is_permanent(&outcome) && kind(&outcome) == Some(ErrorKind::Request), "{outcome:?}");
    let text = message(&outcome);
    assert!(text.contains("cannot be written in JSON") && text.contains("Span field 5"), "{text}");
    assert_eq!(server.counts().arrived, 0);
}

#[tokio::test]
async fn rejections_and_warnings_come_through() {
    // W10, W11, H11, J8
    let server = Server::start();
    let exporter = json_exporter(&server);
    server.respond_with(Reply::partial_success(1, "too\nold"));
    match export(&exporter).await {
        Outcome::PartlyRejected { rejected, message, .. } => {
            assert_eq!((rejected, message.as_str()), (1, "too\\nold"));
        }
        other => panic!("{other:?}"),
    }
    server.respond_with(Reply::partial_success(0, "slow down"));
    assert_eq!(warning(export(&exporter).await), "slow down");
    server.respond_with(Reply::partial_success(0, ""));
    assert!(is_delivered(&export(&exporter).await));
}

#[tokio::test]
async fn a_status_in_json_has_words_and_a_delay_and_changes_nothing_else() {
    // H7, H9, H12
    let server = Server::start();
    let exporter = json_exporter(&server);
    let answered = async |status, body: &'static str| {
        server.respond_with(Reply::http(status).with_body(body));
        export(&exporter).await
    };
    let outcome = answered(400, r#"{"code":14,"message":"bad\nspan","details":[]}"#).await;
    assert!(is_permanent(&outcome), "{outcome:?}");
    assert!(message(&outcome).contains("400 Bad Request: bad\\nspan"), "{outcome:?}");

    let info = r#"{"message":"full","details":[{"@type":"type.googleapis.com/google.rpc.RetryInfo","retryDelay":"1.5s"}]}"#;
    match answered(503, info).await {
        Outcome::Retryable { error, retry_after } => {
            assert!(ExportError::to_string(&error).contains(": full"), "{error}");
            assert_eq!(retry_after, Some(Duration::from_millis(1500)));
        }
        other => panic!("{other:?}"),
    }
    // The header is stronger.
    server.respond_with(Reply::http(429).with_header("retry-after", "7").with_body(info));
    let outcome = export(&exporter).await;
    let seven = Some(Duration::from_secs(7));
    assert!(matches!(outcome, Outcome::Retryable { retry_after, .. } if retry_after == seven));

    // What is no status is quoted.
    for body in [r#"{"error":"no such tenant"}"#, r#"{"code":"no such tenant"}"#, "no such tenant"]
    {
        let outcome = answered(404, body).await;
        assert!(is_permanent(&outcome), "{outcome:?}");
        assert!(message(&outcome).contains("no such tenant"), "{outcome:?}");
    }
}

#[tokio::test]
async fn a_success_that_cannot_be_read_is_delivered_with_a_warning_that_says_why() {
    let server = Server::start();
    let exporter = built(json_builder(server.http_endpoint()).with_header("x-key", "s3cr3t-tok"));
    let long =
        format!(r#"{{"partialSuccess":{{"rejectedSpans":"{}s3cr3t-tok"}}}}"#, "x".repeat(215));
    for (body, said) in [
        ("[]", "ExportTraceServiceResponse"),
        (r#"{"partialSuccess":[]}"#, "ExportTracePartialSuccess"),
        (r#"{"partialSuccess":{"rejectedSpans":{}}}"#, "`rejectedSpans`"),
        (r#"{"partialSuccess":{"rejectedSpans":"many s3cr3t-tok"}}"#, "many ***"),
        (r#"{"partialSuccess":{"errorMessage":7}}"#, "`errorMessage`"),
        (long.as_str(), "rejectedSpans"),
        ("OK", "not an OTLP response in JSON"),
        (r#"{"partialSuccess":"#, "EOF"),
    ] {
        server.respond_with(Reply::http(200).with_body(body.to_owned()));
        let text = warning(export(&exporter).await);
        assert!(text.contains(said) && text.contains("cannot be read"), "{body}: {text}");
        assert!(!text.contains("s3cr") && !text.contains("not delivered"), "{text}");
    }
}

#[tokio::test]
async fn what_a_response_has_beyond_the_protocol_is_passed_over() {
    // J5
    let server = Server::start();
    let exporter = json_exporter(&server);
    let deep = "[".repeat(1_000_000) + &"]".repeat(1_000_000);
    let deep = format!(r#"{{"deep":{deep},"partialSuccess":{{"rejectedSpans":1,"new":{{}}}}}}"#);
    server.respond_with(Reply::http(200).with_body(deep));
    let outcome = export(&exporter).await;
    assert!(matches!(outcome, Outcome::PartlyRejected { rejected: 1, .. }), "{outcome:?}");
    for body in ["{}", " {}\n", "null", r#"{"status":"ok"}"#, ""] {
        server.respond_with(Reply::http(200).with_body(body));
        assert!(is_delivered(&export(&exporter).await), "{body}");
    }
}

#[tokio::test]
async fn an_answer_of_a_hundred_megabytes_is_cut_at_the_limit() {
    // Z2
    let server = Server::start();
    let proxy = FaultProxy::start(server.http_addr());
    let exporter = built(json_builder(proxy.endpoint("http")));
    for reply in [Reply::endless_body(100 << 20), Reply::gzip_bomb(100 << 20)] {
        server.respond_with(Script::always(reply));
        let outcome = export(&exporter).await;
        assert!(is_permanent(&outcome), "{outcome:?}");
        assert_eq!(kind(&outcome), Some(ErrorKind::ResponseTooLarge), "{outcome:?}");
    }
    drop(exporter);
    assert!(proxy.bytes(Direction::Answer) < 50 << 20);
}

#[tokio::test]
async fn an_answer_in_the_other_encoding_is_read() {
    // H10, of a server that does not obey it
    let server = Server::start();
    let json = Reply::http(200).with_header("content-type", "application/json; charset=utf-8");
    let body = r#"{"partialSuccess":{"rejectedSpans":"1","errorMessage":"old"}}"#;
    server.respond_with(json.with_body(body));
    let outcome = export(&exporter(server.http_endpoint())).await;
    assert!(matches!(outcome, Outcome::PartlyRejected { rejected: 1, .. }), "{outcome:?}");

    let partial = otlp_core::wire::response::PartialSuccess { rejected: 1, message: "x".into() };
    let protobuf = Reply::http(200).with_header("content-type", "application/x-protobuf");
    let body = otlp_core::wire::response::encode_response(Some(&partial));
    server.respond_with(protobuf.with_body(body));
    let outcome = export(&json_exporter(&server)).await;
    assert!(matches!(outcome, Outcome::PartlyRejected { rejected: 1, .. }), "{outcome:?}");
}
