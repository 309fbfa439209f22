//! A request of HTTP.

use http::Request;
use opentelemetry_proto::tonic::collector::trace::v1::ExportTraceServiceResponse;
use otlp_collector::receivers::otlp::Transport;
use prost::Message as _;

use super::calls::{exchange, is_counted_once};
use super::plan::Plan;
use super::wire::Wire;
use super::{CODES, RpcStatus, Served};

const PROTOBUF: &str = "application/x-protobuf";
const JSON: &str = "application/json";

pub(super) async fn is_answered_over_http2(plan: Plan, body: &[u8]) -> usize {
    let mut request =
        Request::builder().method(plan.method()).uri(format!("http://test{}", path(plan)));
    for (name, value) in headers(plan) {
        request = request.header(name, value);
    }
    let (reply, served) = exchange(Transport::Http, plan, request, body).await;
    let media = reply.headers["content-type"].to_str().expect("ASCII");
    says_what_was_done(plan, body, &served, reply.status, media, &reply.body);
    served.took_what_prost_reads()
}

pub(super) async fn is_answered_over_http1(plan: Plan, body: &[u8]) -> usize {
    let mut head = format!("{} {} HTTP/1.1\r\nhost: test\r\n", plan.method(), path(plan));
    for (name, value) in headers(plan) {
        head += &format!("{name}: {value}\r\n");
    }
    let mut bytes = head.into_bytes();
    if plan.has_length() {
        bytes.extend(format!("content-length: {}\r\n\r\n", body.len()).bytes());
        bytes.extend(body);
    } else {
        bytes.extend(b"transfer-encoding: chunked\r\n\r\n");
        for chunk in plan.chunks(body) {
            bytes.extend(format!("{:x}\r\n", chunk.len()).bytes());
            bytes.extend(chunk);
            bytes.extend(b"\r\n");
        }
        bytes.extend(b"0\r\n\r\n");
    }
    let mut wire = Wire::new(bytes, plan.chunk().max(body.len() / 256 + 1));
    let served = Served::of(Transport::Http, &mut wire, plan).await;
    let reply = Text::read(wire.written()).expect("an answer");
    says_what_was_done(plan, body, &served, reply.status, reply.media, reply.body);
    assert!(reply.rest.is_empty(), "one answer to one request");
    served.took_what_prost_reads()
}

/// Whatever comes over an HTTP/1 connection, what goes back are whole answers.
pub(super) async fn text_is_met_with_text(plan: Plan, text: &[u8]) -> usize {
    let mut wire = Wire::new(text.to_vec(), plan.chunk());
    let served = Served::of(Transport::Http, &mut wire, plan).await;
    let mut rest = wire.written();
    while !rest.is_empty() {
        rest = if rest == CONTINUE { &[] } else { rest.strip_prefix(CONTINUE).unwrap_or(rest) };
        let Some(reply) = Text::read(rest) else { break };
        assert!(STATUSES.contains(&reply.status), "{}", reply.status);
        rest = reply.rest;
    }
    served.took_what_prost_reads()
}

fn says_what_was_done(
    plan: Plan,
    sent: &[u8],
    served: &Served,
    status: u16,
    media: &str,
    body: &[u8],
) {
    assert!(STATUSES.contains(&status), "{status}");
    // Rows H10 to H12: in the encoding of the request, if it has one.
    match plan.content_type() {
        form @ (PROTOBUF | JSON) => assert_eq!(media, form),
        _ => assert!(media.starts_with("text/plain") && status != 200),
    }
    let rejected = if plan.outcome() == 0 { served.taken.len() as i64 } else { 0 };
    match (status, media) {
        (200, PROTOBUF) => {
            let answer = ExportTraceServiceResponse::decode(body).expect("an answer");
            assert_eq!(answer.partial_success.map_or(0, |it| it.rejected_spans), rejected);
        }
        (200, _) => {
            let answer: serde_json::Value = serde_json::from_slice(body).expect("JSON");
            assert_eq!(answer.get("partialSuccess").is_some(), rejected > 0);
        }
        (_, PROTOBUF) => {
            let status = RpcStatus::decode(body).expect("a status");
            assert!(CODES.contains(&status.code) && !status.message.is_empty());
        }
        (_, JSON) => {
            let status: serde_json::Value = serde_json::from_slice(body).expect("JSON");
            assert!(status["message"].is_string() && status["code"].is_u64());
        }
        _ => assert!(!body.is_empty()),
    }
    assert!(served.taken.len() <= 1);
    is_counted_once(plan, Transport::Http, served);
    if let ([(_, request, _)], PROTOBUF, "") = (&served.taken[..], media, plan.encoding()) {
        assert_eq!(request, sent);
    }
}

fn path(plan: Plan) -> String {
    plan.signal().map_or_else(|| "/v1/unknown".to_owned(), |it| format!("/{}", it.http_path()))
}

fn headers(plan: Plan) -> impl Iterator<Item = (&'static str, &'static str)> {
    let headers = [("content-type", plan.content_type()), ("content-encoding", plan.encoding())];
    headers.into_iter().filter(|(_, value)| !value.is_empty())
}

/// An answer of HTTP/1, and what stands behind it.
struct Text<'w> {
    status: u16,
    media: &'w str,
    body: &'w [u8],
    rest: &'w [u8],
}

impl<'w> Text<'w> {
    /// None if the connection has ended within it.
    fn read(written: &'w [u8]) -> Option<Self> {
        let end = written.windows(4).position(|four| four == b"\r\n\r\n")?;
        let head = std::str::from_utf8(&written[..end]).expect("our headers are text");
        let mut lines = head.lines();
        let status = lines.next()?.strip_prefix("HTTP/1.").expect("HTTP/1");
        let status = status.get(2..5)?.parse().expect("a status");
        let mut headers = lines.filter_map(|line| line.split_once(": "));
        let headers: Vec<_> = headers.by_ref().collect();
        let of = |name| headers.iter().find(|(known, _)| *known == name).map(|(_, value)| *value);
        let len = of("content-length").map_or(0, |len| len.parse().expect("a length"));
        let behind = &written[end + 4..];
        let (body, rest) = behind.split_at_checked(len)?;
        Some(Self { status, media: of("content-type").unwrap_or(""), body, rest })
    }
}

const CONTINUE: &[u8] = b"HTTP/1.1 100 Continue\r\n\r\n";

/// All that an HTTP client may meet; 431 and 414 are the transport's own.
const STATUSES: [u16; 12] = [200, 204, 400, 404, 405, 413, 414, 415, 429, 431, 500, 503];
