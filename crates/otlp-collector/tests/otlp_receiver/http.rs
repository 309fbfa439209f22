//! The protocol over HTTP, in protobuf and JSON.

use std::io::Read as _;
use std::time::Duration;

use opentelemetry_proto::tonic::collector::trace::v1::{
    ExportTraceServiceRequest, ExportTraceServiceResponse,
};
use otlp_collector::receivers::otlp::{CorsSettings, OtlpSettings, Transport};
use otlp_core::Signal;
use otlp_core::export::{ErrorKind, ExportError, Outcome};
use otlp_core::wire::response::decode_status;
use otlp_testing::oracle;
use prost::Message as _;
use serde_json::{Value, json};
use tokio::io::AsyncWriteExt as _;

use crate::support::{
    Grpc, Http1, JSON, MIB, PROTOBUF, Site, bytes_of, deflate, frame, gzip, post, three_of, traces,
    zstd,
};

fn path(signal: Signal) -> String {
    format!("/{}", signal.http_path())
}

#[tokio::test]
async fn every_signal_arrives_in_protobuf_and_in_json_on_one_connection() {
    // H1, H3, H5, H10, H11, H15, W11
    let site = Site::start().await;
    let mut client = Http1::to(site.http()).await;
    for signal in Signal::ALL {
        let (protobuf, text) = three_of(signal);
        for (media, body, answer) in [(PROTOBUF, &protobuf, &b""[..]), (JSON, &text, b"{}")] {
            let reply = client.request("POST", &path(signal), &[media], body).await;
            assert_eq!(reply.status, 200, "{signal} {media:?}: {reply:?}");
            assert_eq!((reply.header("content-type"), &reply.body[..]), (media.1, answer));
            let payload = site.taken().pop().unwrap();
            assert_eq!((payload.signal(), payload.items()), (signal, 3));
            assert_eq!(oracle::Message::of(&payload).unwrap().items(), 3);
        }
    }
    let traces = site.taken().remove(1);
    let traces = ExportTraceServiceRequest::decode(bytes_of(&traces)).unwrap();
    assert_eq!(traces, crate::support::traces(3), "JSON means the same");
    drop((client, traces));
    site.recorder.taken.lock().clear();
    let counters = site.end().await;
    for signal in Signal::ALL {
        let counts = counters.of(Transport::Http, signal);
        assert_eq!((counts.accepted_requests, counts.accepted_items), (2, 6));
    }
    assert_eq!(counters.connections.accepted, 1);
}

#[tokio::test]
async fn parameters_and_case_of_a_content_type_do_not_matter() {
    // H3
    let site = Site::start().await;
    let (protobuf, text) = three_of(Signal::Traces);
    let of = async |media, body: &[u8]| {
        post(site.http(), "/v1/traces", &[("content-type", media)], body).await.status
    };
    assert_eq!(of("application/json; charset=utf-8", &text).await, 200);
    assert_eq!(of("Application/X-Protobuf;x=y", &protobuf).await, 200);
    site.recorder.taken.lock().clear();
    site.end().await;
}

#[tokio::test]
async fn every_compression_is_inflated_in_both_forms() {
    // W1, H4
    let site = Site::start().await;
    let request = traces(1000);
    let forms = [request.encode_to_vec(), serde_json::to_vec(&request).unwrap()];
    for (media, body) in [PROTOBUF, JSON].into_iter().zip(&forms) {
        for (encoding, body) in [
            ("gzip", gzip(body)),
            ("x-gzip", gzip(body)),
            ("zstd", zstd(body)),
            ("deflate", deflate(body)),
            ("zlib", deflate(body)),
            ("identity", body.clone()),
        ] {
            let headers = [media, ("content-encoding", encoding)];
            let reply = post(site.http(), "/v1/traces", &headers, &body).await;
            assert_eq!(reply.status, 200, "{encoding}: {reply:?}");
            let payload = site.taken().pop().unwrap();
            assert_eq!(ExportTraceServiceRequest::decode(bytes_of(&payload)).unwrap(), request);
        }
    }
    site.recorder.taken.lock().clear();
    site.end().await;
}

#[tokio::test]
async fn http_2_is_served_on_the_same_port() {
    // H2
    let site = Site::start().await;
    let client = Grpc::to(site.http()).await;
    let (protobuf, text) = three_of(Signal::Logs);
    for (media, body, answer) in [(PROTOBUF, &protobuf, &b""[..]), (JSON, &text, b"{}")] {
        let reply = client.send("POST", "/v1/logs", &[media], body).await;
        assert_eq!((reply.http_status, &reply.body[..]), (200, answer));
        assert_eq!(reply.headers["content-type"], media.1);
    }
    let reply = client.send("POST", "/v1/logs", &[PROTOBUF], b"\xff").await;
    assert_eq!(reply.http_status, 400);
    assert_eq!(decode_status(&reply.body).unwrap().code, 3);
    drop(client);
    site.recorder.taken.lock().clear();
    site.end().await;
}

#[tokio::test]
async fn an_empty_request_is_a_success() {
    // W3, W4
    let site = Site::start().await;
    for (media, body) in [(PROTOBUF, &b""[..]), (JSON, b"{}"), (JSON, br#"{"resourceSpans":[]}"#)] {
        let reply = post(site.http(), "/v1/traces", &[media], body).await;
        assert_eq!(reply.status, 200, "{reply:?}");
    }
    assert!(site.taken().is_empty());
    site.end().await;
}

#[tokio::test]
async fn partial_success_is_told_in_the_form_of_the_request() {
    // H11, J6, J8, W11
    let site = Site::start().await;
    let (protobuf, text) = three_of(Signal::Traces);
    site.answer_with(|| Outcome::partly_rejected(2, "too old".to_owned()));
    let reply = post(site.http(), "/v1/traces", &[PROTOBUF], &protobuf).await;
    let partial = ExportTraceServiceResponse::decode(reply.body).unwrap().partial_success.unwrap();
    assert_eq!((reply.status, partial.rejected_spans), (200, 2));
    assert_eq!(partial.error_message, "too old");
    let reply = post(site.http(), "/v1/traces", &[JSON], &text).await;
    let partial: Value = serde_json::from_slice(&reply.body).unwrap();
    let expected = json!({ "partialSuccess": { "rejectedSpans": "2", "errorMessage": "too old" } });
    assert_eq!((reply.status, partial), (200, expected));
    site.recorder.taken.lock().clear();
    site.end().await;
}

#[tokio::test]
async fn every_outcome_has_its_status_in_the_form_of_the_request() {
    // H12, H13, H14, J8
    let site = Site::start().await;
    let (protobuf, text) = three_of(Signal::Metrics);
    let of = |kind| ExportError::new(kind, "be\"cause");
    type Case = (Box<dyn Fn() -> Outcome + Send>, u16, i32, &'static str);
    let asked = move || Outcome::Retryable {
        error: of(ErrorKind::Other),
        retry_after: Some(Duration::from_millis(2300)),
    };
    let cases: [Case; 6] = [
        (Box::new(move || Outcome::retryable(of(ErrorKind::Connect))), 503, 14, "1"),
        (Box::new(asked), 503, 14, "3"),
        (Box::new(move || Outcome::retryable(of(ErrorKind::HttpStatus(429)))), 429, 14, "1"),
        (Box::new(move || Outcome::permanent(of(ErrorKind::Other))), 500, 13, ""),
        (Box::new(move || Outcome::permanent(of(ErrorKind::GrpcStatus(3)))), 400, 3, ""),
        (Box::new(move || Outcome::TooLarge { error: of(ErrorKind::Other) }), 413, 8, ""),
    ];
    for (outcome, status, code, retry_after) in cases {
        *site.recorder.outcome.lock() = outcome;
        let reply = post(site.http(), "/v1/metrics", &[PROTOBUF], &protobuf).await;
        assert_eq!((reply.status, reply.header("retry-after")), (status, retry_after));
        assert_eq!(reply.header("content-type"), PROTOBUF.1);
        let body = decode_status(&reply.body).unwrap();
        assert_eq!((body.code, body.message.as_str()), (code, "be\"cause"));
        assert_eq!(body.retry_delay.is_some(), !retry_after.is_empty());

        let reply = post(site.http(), "/v1/metrics", &[JSON], &text).await;
        assert_eq!((reply.status, reply.header("content-type")), (status, JSON.1));
        let body = otlp_core::wire::json::read_status(&reply.body).unwrap();
        assert_eq!((body.code, body.message.as_str()), (code, "be\"cause"));
        assert_eq!(body.retry_delay.is_some(), !retry_after.is_empty());
    }
    site.recorder.taken.lock().clear();
    site.end().await;
}

#[tokio::test]
async fn what_is_not_otlp_is_400_with_a_bad_request_among_the_details() {
    // H13
    let site = Site::start().await;
    let reply = post(site.http(), "/v1/traces", &[PROTOBUF], b"\x0a\xff").await;
    assert_eq!(reply.status, 400);
    let status = tonic_types::Status::decode(reply.body).unwrap();
    assert_eq!(status.details[0].type_url, "type.googleapis.com/google.rpc.BadRequest");
    let reply = post(site.http(), "/v1/traces", &[JSON], b"{\"resourceSpans\":7}").await;
    assert_eq!(reply.status, 400);
    let status: Value = serde_json::from_slice(&reply.body).unwrap();
    assert_eq!(status["details"][0]["@type"], "type.googleapis.com/google.rpc.BadRequest");
    assert!(status["details"][0]["fieldViolations"][0]["description"].is_string());
    for wrong in [&b"{} {}"[..], b"{", b"\xff", b"{\"resourceSpans\":\"\xff\"}", b""] {
        let reply = post(site.http(), "/v1/traces", &[JSON], wrong).await;
        assert_eq!(reply.status, 400, "{wrong:?}");
    }
    site.end().await;
}

#[tokio::test]
async fn json_is_read_as_the_mapping_says() {
    // J1 to J7, J9
    let site = Site::start().await;
    let span = |rest: &str| {
        let id = r#""traceId":"5B8EFFF798038103D269B633813FC60C","spanId":"eee19b7ec3c1b174""#;
        format!(r#"{{"resourceSpans":[{{"scopeSpans":[{{"spans":[{{{id},{rest}}}]}}]}}]}}"#)
    };
    let taken = async |rest: &str| {
        let reply = post(site.http(), "/v1/traces", &[JSON], span(rest).as_bytes()).await;
        if reply.status != 200 {
            return None;
        }
        let payload = site.taken().pop().unwrap();
        let request = ExportTraceServiceRequest::decode(bytes_of(&payload)).unwrap();
        Some(request.resource_spans[0].scope_spans[0].spans[0].clone())
    };
    let span = taken(r#""kind":2,"parentSpanId":"","startTimeUnixNano":"17","new":[{}]"#).await;
    let span = span.unwrap();
    assert_eq!(span.trace_id[..2], [0x5b, 0x8e]);
    assert_eq!((span.kind, span.start_time_unix_nano), (2, 17));
    assert!(span.parent_span_id.is_empty());
    let number = taken(r#""startTimeUnixNano":17,"name":null,"start_time_unix_nano":5"#).await;
    assert_eq!(number.unwrap().start_time_unix_nano, 17, "snake case is a name like any other");
    assert!(taken(r#""kind":"SPAN_KIND_SERVER""#).await.is_none());
    assert!(taken(r#""traceId":"5B8E""#).await.is_none());
    let value = taken(
        r#""attributes":[{"key":"a","value":{"bytesValue":"aGk="}},{"key":"b","value":{"doubleValue":"NaN"}}]"#,
    );
    assert_eq!(value.await.unwrap().attributes.len(), 2);
    site.recorder.taken.lock().clear();
    site.end().await;
}

#[tokio::test]
async fn a_long_answer_is_compressed_for_a_client_that_takes_it() {
    // H16
    let site = Site::start().await;
    let (protobuf, text) = three_of(Signal::Traces);
    let long = "the quota of the tenant is used up; ".repeat(40);
    site.answer_with(move || Outcome::partly_rejected(2, long.clone()));
    let takes = ("accept-encoding", "deflate, gzip;q=0.9");
    for (media, body) in [(PROTOBUF, &protobuf), (JSON, &text)] {
        let plain = post(site.http(), "/v1/traces", &[media], body).await;
        assert!(plain.status == 200 && plain.body.len() > 1000, "{plain:?}");
        assert_eq!(plain.header("content-encoding"), "");
        let short = post(site.http(), "/v1/traces", &[media, takes], body).await;
        assert_eq!((short.status, short.header("content-encoding")), (200, "gzip"));
        let mut inflated = Vec::new();
        flate2::read::GzDecoder::new(&short.body[..]).read_to_end(&mut inflated).unwrap();
        assert_eq!(inflated, plain.body);
    }
    site.answer_with(Outcome::delivered);
    let reply = post(site.http(), "/v1/traces", &[JSON, takes], &text).await;
    assert_eq!((&reply.body[..], reply.header("content-encoding")), (&b"{}"[..], ""));
    site.recorder.taken.lock().clear();
    site.end().await;
}

#[tokio::test]
async fn wrong_paths_methods_and_types_are_told_apart() {
    let site = Site::start().await;
    let mut client = Http1::to(site.http()).await;
    let reply = client.request("POST", "/v1/trace", &[PROTOBUF], b"").await;
    assert_eq!((reply.status, decode_status(&reply.body).unwrap().code), (404, 12));
    let message = decode_status(&reply.body).unwrap().message;
    assert!(message.contains("is not served here; served are: "), "{message}");
    assert!(message.contains("/v1/traces"), "{message}");
    let reply = client.request("POST", "/v1development/profiles", &[JSON], b"").await;
    assert_eq!((reply.status, reply.header("content-type")), (404, JSON.1));
    // H12: in the encoding of the request where it has one, else in plain text.
    let reply = client.request("GET", "/v1/traces", &[], b"").await;
    assert_eq!((reply.status, reply.header("allow")), (405, "POST"));
    assert!(reply.header("content-type").starts_with("text/plain"));
    let reply = client.request("PUT", "/v1/traces", &[JSON], b"").await;
    assert_eq!((reply.status, reply.header("content-type")), (405, JSON.1));
    for media in ["text/plain", "application/protobuf", "application/jsonp", "\u{e4}", ""] {
        let reply = client.request("POST", "/v1/traces", &[("content-type", media)], b"").await;
        assert_eq!(reply.status, 415, "{media}");
    }
    let reply = client.request("POST", "/v1/traces", &[], b"").await;
    assert_eq!(reply.status, 415);
    for encoding in ["snappy", "lz4", "br", "gzip, gzip", "\u{e4}"] {
        let headers = [PROTOBUF, ("content-encoding", encoding)];
        let reply = client.request("POST", "/v1/traces", &headers, b"").await;
        assert_eq!(reply.status, 415, "{encoding}");
        assert_eq!(reply.header("accept-encoding"), "gzip, zstd, zlib, deflate");
    }
    drop(client);
    site.end().await;
}

#[tokio::test]
async fn paths_and_headers_of_the_answer_can_be_set() {
    // H1
    let mut settings = OtlpSettings::on_free_ports();
    let http = settings.protocols.http.as_mut().unwrap();
    http.traces_url_path = "/in/spans".to_owned();
    http.response_headers.insert("x-from".to_owned(), "here".to_owned());
    http.keep_alives_enabled = false;
    let site = Site::with(settings, 64 * MIB).await;
    let (protobuf, _) = three_of(Signal::Traces);
    let reply = post(site.http(), "/in/spans", &[PROTOBUF], &protobuf).await;
    assert_eq!((reply.status, reply.header("x-from")), (200, "here"));
    assert_eq!(reply.header("connection"), "close");
    let reply = post(site.http(), "/v1/traces", &[PROTOBUF], &protobuf).await;
    assert_eq!((reply.status, reply.header("x-from")), (404, "here"));
    site.recorder.taken.lock().clear();
    site.end().await;
}

#[tokio::test]
async fn pages_of_allowed_origins_may_send() {
    let mut settings = OtlpSettings::on_free_ports();
    let mut cors = CorsSettings::default();
    cors.allowed_origins = vec!["https://*.example.com".to_owned()];
    cors.allowed_headers = vec!["X-Key".to_owned()];
    cors.max_age = 600;
    settings.protocols.http.as_mut().unwrap().cors = Some(cors);
    let site = Site::with(settings, 64 * MIB).await;
    let mut client = Http1::to(site.http()).await;
    let good = ("origin", "https://shop.example.com");
    let asks = ("access-control-request-method", "POST");
    let wants = ("access-control-request-headers", "content-type, x-key");
    let reply = client.request("OPTIONS", "/v1/traces", &[good, asks, wants], b"").await;
    assert_eq!((reply.status, reply.header("access-control-allow-origin")), (204, good.1));
    assert_eq!(reply.header("access-control-allow-headers"), wants.1);
    assert_eq!(reply.header("access-control-max-age"), "600");
    let bad = ("origin", "https://evil.example.org");
    let reply = client.request("OPTIONS", "/v1/traces", &[bad, asks], b"").await;
    assert_eq!((reply.status, reply.header("access-control-allow-origin")), (204, ""));
    let reply = client.request("POST", "/v1/traces", &[good, JSON], b"{}").await;
    assert_eq!((reply.status, reply.header("access-control-allow-origin")), (200, good.1));
    let reply = client.request("POST", "/v1/traces", &[bad, JSON], b"{}").await;
    assert_eq!((reply.status, reply.header("access-control-allow-origin")), (200, ""));
    drop(client);
    site.end().await;
}

#[tokio::test]
async fn a_panic_in_the_pipeline_is_500_and_the_connection_goes_on() {
    let site = Site::start().await;
    let (protobuf, _) = three_of(Signal::Logs);
    let mut client = Http1::to(site.http()).await;
    site.answer_with(|| panic!("on purpose"));
    let reply = client.request("POST", "/v1/logs", &[PROTOBUF], &protobuf).await;
    assert_eq!((reply.status, decode_status(&reply.body).unwrap().code), (500, 13));
    site.answer_with(Outcome::delivered);
    assert_eq!(client.request("POST", "/v1/logs", &[PROTOBUF], &protobuf).await.status, 200);
    drop(client);
    let counters = site.running.stop(Duration::from_secs(5)).await;
    assert_eq!(counters.connections.panics, 1);
}

#[tokio::test]
async fn a_body_may_come_in_chunks_and_be_asked_for() {
    let site = Site::start().await;
    let (protobuf, _) = three_of(Signal::Traces);
    let (start, rest) = protobuf.split_at(7);
    let mut client = Http1::to(site.http()).await;
    let head = "POST /v1/traces HTTP/1.1\r\nhost: a\r\ncontent-type: application/x-protobuf\r\n";
    let chunk =
        |bytes: &[u8]| [format!("{:x}\r\n", bytes.len()).as_bytes(), bytes, b"\r\n"].concat();
    let head_of_chunks = format!("{head}transfer-encoding: chunked\r\n\r\n");
    for part in [head_of_chunks.as_bytes(), &chunk(start), &chunk(rest), b"0\r\n\r\n"] {
        client.0.write_all(part).await.unwrap();
    }
    assert_eq!(client.reply().await.status, 200);
    let asking =
        format!("{head}content-length: {}\r\nexpect: 100-continue\r\n\r\n", protobuf.len());
    client.0.write_all(asking.as_bytes()).await.unwrap();
    assert_eq!(client.reply().await.status, 100);
    client.0.write_all(&protobuf).await.unwrap();
    assert_eq!(client.reply().await.status, 200);
    // One that is refused by its headers is not asked for its body.
    let asking = asking.replace("/v1/traces", "/v1/unknown");
    client.0.write_all(asking.as_bytes()).await.unwrap();
    assert_eq!(client.reply().await.status, 404);
    assert!(site.taken().iter().all(|payload| bytes_of(payload) == protobuf));
    drop(client);
    site.end().await;
}

#[tokio::test]
async fn an_answer_over_its_limit_loses_its_text_and_then_itself() {
    // Z4
    let (request, _) = three_of(Signal::Traces);
    for (max, status, http, rejected) in [(6, 0, 200, 2), (3, 8, 500, 0)] {
        let mut settings = OtlpSettings::on_free_ports();
        settings.limits.max_response_size = max;
        let site = Site::with(settings, MIB).await;
        site.answer_with(|| Outcome::partly_rejected(2, "too old".to_owned()));
        let client = Grpc::to(site.grpc()).await;
        let reply = client.export(Signal::Traces, &[], &frame(0, &request)).await;
        assert_eq!(reply.status(), status);
        if status == 0 {
            let response = ExportTraceServiceResponse::decode(&reply.body[5..]).unwrap();
            let partial = response.partial_success.unwrap();
            assert_eq!((partial.rejected_spans, partial.error_message.as_str()), (rejected, ""));
        }
        let reply = post(site.http(), "/v1/traces", &[PROTOBUF], &request).await;
        assert_eq!(reply.status, http);
        drop(client);
        site.end().await;
    }
}
