//! What attackers send, and what merely goes wrong: each is refused with a code that ends it, and for none
//! is more memory taken than the budget has.

use std::io::Read;
use std::time::{Duration, Instant};

use flate2::bufread::GzEncoder;
use opentelemetry_proto::tonic::common::v1::{AnyValue, ArrayValue, any_value};
use otlp_collector::receivers::otlp::{OtlpSettings, Transport};
use otlp_core::Signal;
use otlp_core::wire::response::decode_status;
use prost::Message as _;

use crate::support::{Grpc, JSON, MIB, PROTOBUF, Site, deflate, frame, gzip, post, traces, zstd};

/// Sends a body over both transports, and sees that both refuse it for good in time.
async fn refused(site: &Site, body: &[u8], encoding: Option<&str>, grpc: i32, http: u16) {
    let began = Instant::now();
    let headers: Vec<_> =
        encoding.map(|encoding| ("grpc-encoding", encoding)).into_iter().collect();
    let client = Grpc::to(site.grpc()).await;
    let flag = u8::from(encoding.is_some());
    let reply = client.export(Signal::Traces, &headers, &frame(flag, body)).await;
    assert_eq!((reply.status(), reply.retry_delay()), (grpc, None), "{reply:?}");

    let encoding = encoding.map(|encoding| ("content-encoding", encoding));
    let headers: Vec<_> = [PROTOBUF].into_iter().chain(encoding).collect();
    let reply = post(site.http(), "/v1/traces", &headers, body).await;
    assert_eq!((reply.status, reply.header("retry-after")), (http, ""), "{reply:?}");
    assert_eq!(decode_status(&reply.body).unwrap().code, grpc);
    assert!(began.elapsed() < Duration::from_secs(20), "{:?}", began.elapsed());
    assert!(site.taken().is_empty());
}

/// So many zeros, compressed without ever being there.
fn zeros(bytes: u64) -> std::io::Take<std::io::Repeat> {
    std::io::repeat(0).take(bytes)
}

#[tokio::test]
async fn a_bomb_of_ten_gigabytes_is_too_large() {
    // Z3
    let site = Site::start().await;
    // 64 KiB of zeros make 80 bytes or so; members may be put one after another.
    let mut member = Vec::new();
    let zeros = std::io::BufReader::new(zeros(64 << 20));
    GzEncoder::new(zeros, flate2::Compression::best()).read_to_end(&mut member).unwrap();
    let bomb = member.repeat(160);
    assert!(bomb.len() > 8 * MIB, "10 GB from {} bytes", bomb.len());
    refused(&site, &bomb, Some("gzip"), 8, 413).await;
    // One that stays below what its own bytes allow, and is inflated to the limit.
    refused(&site, &member.repeat(2), Some("gzip"), 8, 413).await;
    site.end().await;
}

#[tokio::test]
async fn bombs_of_the_other_codecs_are_too_large() {
    // Z3
    let site = Site::start().await;
    let zeros = vec![0; 100 * MIB];
    refused(&site, &zstd(&zeros), Some("zstd"), 8, 413).await;
    refused(&site, &deflate(&zeros), Some("deflate"), 8, 413).await;
    site.end().await;
}

#[tokio::test]
async fn a_window_of_128_mib_is_refused() {
    let site = Site::start().await;
    let mut encoder = zstd::Encoder::new(Vec::new(), 1).unwrap();
    encoder.window_log(27).unwrap();
    std::io::copy(&mut &traces(1).encode_to_vec()[..], &mut encoder).unwrap();
    let body = encoder.finish().unwrap();
    refused(&site, &body, Some("zstd"), 3, 400).await;
    site.end().await;
}

#[tokio::test]
async fn a_request_over_the_limit_is_too_large_before_and_after_inflating() {
    // Z3
    let mut settings = OtlpSettings::on_free_ports();
    settings.protocols.grpc.as_mut().unwrap().max_recv_msg_size_mib = 1;
    settings.protocols.http.as_mut().unwrap().max_request_body_size = MIB;
    let site = Site::with(settings, 64 * MIB).await;
    let large = traces(40_000).encode_to_vec();
    assert!(large.len() > MIB && large.len() < 3 * MIB, "{}", large.len());
    refused(&site, &large, None, 8, 413).await;
    refused(&site, &gzip(&large), Some("gzip"), 8, 413).await;
    // What only says that it is large is not waited for.
    let client = Grpc::to(site.grpc()).await;
    let reply = client.export(Signal::Traces, &[], &[0, 0x7f, 0xff, 0xff, 0xff, 0, 0]).await;
    assert_eq!(reply.status(), 8);
    drop(client);
    let counts = site.end().await.of(Transport::Http, Signal::Traces);
    assert_eq!((counts.failed_requests, counts.refused_requests), (2, 0));
}

#[tokio::test]
async fn a_connection_goes_on_after_calls_that_were_refused_half_read() {
    let mut settings = OtlpSettings::on_free_ports();
    settings.protocols.grpc.as_mut().unwrap().max_recv_msg_size_mib = 1;
    let site = Site::with(settings, 64 * MIB).await;
    let client = Grpc::to(site.grpc()).await;
    // More in all than the window of the connection.
    let large = frame(0, &vec![0; 3 * MIB]);
    for _ in 0..5 {
        let reply = client.export(Signal::Traces, &[], &large).await;
        assert_eq!((reply.status(), reply.retry_delay()), (8, None));
    }
    let good = frame(0, &traces(10_000).encode_to_vec());
    assert_eq!(client.export(Signal::Traces, &[], &good).await.status(), 0);
    drop(client);
    site.end().await;
}

#[tokio::test]
async fn a_request_of_just_the_limit_is_taken() {
    // Z3
    let site = Site::with(OtlpSettings::on_free_ports(), 256 * MIB).await;
    // One unknown field of bytes fills it up (row W2).
    let filler = 64 * MIB - 6;
    let mut request = vec![0x9a, 0x06];
    prost::encoding::encode_varint(filler as u64, &mut request);
    request.resize(64 * MIB, 0);
    assert_eq!(request.len(), 64 * MIB);
    let reply = post(site.http(), "/v1/traces", &[PROTOBUF], &request).await;
    assert_eq!(reply.status, 200, "{reply:?}");
    let reply =
        post(site.http(), "/v1/traces", &[PROTOBUF, ("content-encoding", "gzip")], &gzip(&request))
            .await;
    assert_eq!(reply.status, 200, "{reply:?}");
    request.push(0);
    let reply = post(site.http(), "/v1/traces", &[PROTOBUF], &request).await;
    assert_eq!(reply.status, 413, "{reply:?}");
    site.end().await;
}

#[tokio::test]
async fn a_million_empty_spans_are_too_many() {
    let site = Site::start().await;
    let empty_spans = |spans: usize| {
        let mut request = [0x12, 0].repeat(spans);
        for key in [0x12, 0x0a] {
            let mut outer = vec![key];
            prost::encoding::encode_varint(request.len() as u64, &mut outer);
            outer.append(&mut request);
            request = outer;
        }
        request
    };
    let request = empty_spans(1_000_001);
    refused(&site, &request, None, 8, 413).await;
    refused(&site, &gzip(&request), Some("gzip"), 8, 413).await;
    // Fewer of them that would take more memory than all requests may together.
    refused(&site, &empty_spans(900_000), None, 8, 413).await;
    site.end().await;
}

#[tokio::test]
async fn a_value_of_a_hundred_thousand_levels_is_malformed() {
    let site = Site::start().await;
    let nested = |levels: usize| {
        // From the innermost outwards, and so from the last byte to the first.
        let mut reversed = Vec::new();
        for _ in 0..levels {
            // A value, in an array, in a value.
            for key in [0x0a, 0x2a] {
                let mut len = Vec::new();
                prost::encoding::encode_varint(reversed.len() as u64, &mut len);
                reversed.extend(len.into_iter().rev());
                reversed.push(key);
            }
        }
        reversed.reverse();
        reversed
    };
    let request = |value: &[u8]| {
        // Request, resource envelope, resource, attribute, value.
        [0x12, 0x0a, 0x0a, 0x0a].into_iter().fold(value.to_vec(), |inner, key| {
            let mut outer = vec![key];
            prost::encoding::encode_varint(inner.len() as u64, &mut outer);
            outer.extend(inner);
            outer
        })
    };
    refused(&site, &request(&nested(100_000)), None, 3, 400).await;
    refused(&site, &request(&nested(33)), None, 3, 400).await;
    let fine = request(&nested(20));
    let reply = post(site.http(), "/v1/traces", &[PROTOBUF], &fine).await;
    assert_eq!(reply.status, 200, "{reply:?}");
    site.end().await;
}

#[tokio::test]
async fn any_value_is_taken_as_an_attribute() {
    // W6
    let site = Site::start().await;
    let mut request = traces(1);
    let mixed = any_value::Value::ArrayValue(ArrayValue {
        values: vec![
            AnyValue { value: None },
            AnyValue { value: Some(any_value::Value::BytesValue(vec![0, 255])) },
            AnyValue { value: Some(any_value::Value::DoubleValue(f64::NAN)) },
        ],
    });
    let resource = request.resource_spans[0].resource.as_mut().unwrap();
    resource.attributes[0].value = Some(AnyValue { value: Some(mixed) });
    let reply = post(site.http(), "/v1/traces", &[PROTOBUF], &request.encode_to_vec()).await;
    assert_eq!(reply.status, 200);
    site.end().await;
}

#[tokio::test]
async fn a_million_brackets_are_malformed() {
    let site = Site::start().await;
    let text = |open: &str, close: &str| {
        format!(r#"{{"x":{}{}}}"#, open.repeat(1_000_000), close.repeat(1_000_000))
    };
    for text in [text("[", "]"), text("[", ""), text(r#"{"a":"#, "}")] {
        let reply = post(site.http(), "/v1/traces", &[JSON], text.as_bytes()).await;
        assert_eq!((reply.status, reply.header("content-type")), (400, JSON.1));
        let headers = [JSON, ("content-encoding", "gzip")];
        let reply = post(site.http(), "/v1/traces", &headers, &gzip(text.as_bytes())).await;
        assert_eq!(reply.status, 400);
    }
    let wide = format!(r#"{{"resourceSpans":[{}{{}}]}}"#, "{},".repeat(1_000_001));
    let reply = post(site.http(), "/v1/traces", &[JSON], wide.as_bytes()).await;
    assert_eq!(reply.status, 413, "{reply:?}");
    site.end().await;
}

#[tokio::test]
async fn a_request_cut_at_any_byte_is_refused_or_whole() {
    // G8, H13: what is cut between two fields of the request itself is a request of its own.
    let site = Site::start().await;
    let request = traces(2).encode_to_vec();
    let client = Grpc::to(site.grpc()).await;
    for end in 1..request.len() {
        let reply = client.export(Signal::Traces, &[], &frame(0, &request[..end])).await;
        assert_eq!(reply.status(), 3, "{end}");
    }
    for body in [gzip(&request), zstd(&request), deflate(&request)] {
        let encoding = match body[0] {
            0x1f => "gzip",
            0x28 => "zstd",
            _ => "deflate",
        };
        let headers = [("grpc-encoding", encoding)];
        for end in 0..body.len() {
            let reply = client.export(Signal::Traces, &headers, &frame(1, &body[..end])).await;
            assert_eq!(reply.status(), 3, "{encoding} {end}: {reply:?}");
        }
        let more = [body.as_slice(), b"more"].concat();
        let reply = client.export(Signal::Traces, &headers, &frame(1, &more)).await;
        assert_eq!(reply.status(), 3, "{encoding} with more behind");
        let said = reply.message();
        if encoding == "gzip" {
            assert!(said.contains("what stands behind its end is no gzip"), "{said}");
            let half = &body[..body.len() / 2];
            let reply = client.export(Signal::Traces, &headers, &frame(1, half)).await;
            assert!(reply.message().contains("ends in the middle"), "{reply:?}");
        }
    }
    drop(client);
    assert!(site.taken().is_empty());
    site.end().await;
}

#[tokio::test]
async fn a_full_budget_refuses_with_a_hint_and_is_free_again_with_the_answer() {
    // G9, H14
    let request = traces(1000).encode_to_vec();
    let site = Site::with(OtlpSettings::on_free_ports(), request.len() * 2).await;
    site.hold();
    let grpc = Grpc::to(site.grpc()).await;
    let http = site.http();
    let framed = frame(0, &request);
    let held = tokio::spawn({
        let (grpc, framed) = (grpc.clone(), framed.clone());
        async move { grpc.export(Signal::Traces, &[], &framed).await }
    });
    site.reached(1).await;
    assert!(site.budget.used() >= request.len());

    let reply = grpc.export(Signal::Traces, &[], &framed).await;
    assert_eq!((reply.status(), reply.retry_delay()), (14, Some(Duration::from_secs(1))));
    let reply = post(http, "/v1/traces", &[PROTOBUF], &request).await;
    assert_eq!((reply.status, reply.header("retry-after")), (503, "1"));
    let headers = [PROTOBUF, ("content-encoding", "gzip")];
    let reply = post(http, "/v1/traces", &headers, &gzip(&request)).await;
    assert_eq!((reply.status, reply.header("retry-after")), (503, "1"), "while inflating");
    // What would not fit into an empty budget either is not asked to come again.
    let reply = post(http, "/v1/traces", &[PROTOBUF], &request.repeat(3)).await;
    assert_eq!((reply.status, reply.header("retry-after")), (413, ""));

    site.recorder.gate.add_permits(100);
    assert_eq!(held.await.unwrap().status(), 0);
    let reply = post(http, "/v1/traces", &[PROTOBUF], &request).await;
    assert_eq!(reply.status, 200);
    drop(grpc);
    let counters = site.end().await;
    let counts = counters.of(Transport::Http, Signal::Traces);
    assert_eq!(
        (counts.accepted_requests, counts.refused_requests, counts.failed_requests),
        (1, 2, 1)
    );
    assert_eq!(counters.of(Transport::Grpc, Signal::Traces).refused_requests, 1);
}

#[tokio::test]
async fn many_bombs_at_once_stay_within_the_budget() {
    let site = Site::start().await;
    let mut bomb = Vec::new();
    let zeros = std::io::BufReader::new(zeros(100 << 20));
    GzEncoder::new(zeros, flate2::Compression::best()).read_to_end(&mut bomb).unwrap();
    let headers = [PROTOBUF, ("content-encoding", "gzip")];
    let bombs = (0..16).map(|_| post(site.http(), "/v1/traces", &headers, &bomb));
    for reply in futures_util::future::join_all(bombs).await {
        assert!(matches!(reply.status, 413 | 503), "{reply:?}");
        assert!(site.budget.used() <= site.budget.capacity());
    }
    let honest = traces(10).encode_to_vec();
    assert_eq!(post(site.http(), "/v1/traces", &[PROTOBUF], &honest).await.status, 200);
    site.end().await;
}
