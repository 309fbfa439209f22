//! A call of gRPC, made by a client that is not ours.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD_NO_PAD;
use bytes::{Bytes, BytesMut};
use http::{HeaderMap, Request};
use opentelemetry_proto::tonic::collector::trace::v1::ExportTraceServiceResponse;
use otlp_collector::receivers::otlp::Transport;
use prost::Message as _;

use super::plan::Plan;
use super::{CODES, RpcStatus, Served, items_by_prost};

/// A call has one status, and a message if that is 0.
pub(super) async fn is_answered(plan: Plan, body: &[u8]) -> usize {
    let body = match plan.is_framed() {
        true => framed(plan, body),
        false => body.to_vec(),
    };
    let mut request = Request::post(format!("http://test{}", path(plan)))
        .header("content-type", "application/grpc")
        .header("te", "trailers");
    if !plan.encoding().is_empty() {
        request = request.header("grpc-encoding", plan.encoding());
    }
    let (reply, served) = exchange(Transport::Grpc, plan, request, &body).await;
    assert_eq!(reply.status, 200);
    assert_eq!(reply.headers["content-type"], "application/grpc");
    let ended =
        if reply.headers.contains_key("grpc-status") { &reply.headers } else { &reply.trailers };
    let status: i32 = ended["grpc-status"].to_str().expect("ASCII").parse().expect("a number");
    if status == 0 {
        let message = unframed(&reply.body).expect("one message that is not compressed");
        let answer = ExportTraceServiceResponse::decode(message).expect("an answer");
        let rejected = answer.partial_success.map_or(0, |partial| partial.rejected_spans);
        assert_eq!(rejected, if plan.outcome() == 0 { served.taken.len() as i64 } else { 0 });
    } else {
        assert!(CODES.contains(&status), "{status}");
        assert!(reply.body.is_empty());
        if let Some(details) = ended.get("grpc-status-details-bin") {
            let details = STANDARD_NO_PAD.decode(details.as_bytes()).expect("base64");
            assert_eq!(RpcStatus::decode(&details[..]).expect("a status").code, status);
        }
    }
    assert!(served.taken.len() <= 1);
    is_counted_once(plan, Transport::Grpc, &served);
    took_what_was_sent(plan, &body, &served, status);
    served.took_what_prost_reads()
}

/// What is not compressed arrives as it was sent, if prost finds anything in it.
fn took_what_was_sent(plan: Plan, body: &[u8], served: &Served, status: i32) {
    let (Some(signal), Some(message)) = (plan.signal(), unframed(body)) else { return };
    if let [(taken, request, _)] = &served.taken[..] {
        assert_eq!((*taken, &request[..]), (signal, message));
    } else if status == 0 {
        assert_eq!(items_by_prost(signal, message), Some(0));
    }
}

pub(super) fn is_counted_once(plan: Plan, transport: Transport, served: &Served) {
    let Some(signal) = plan.signal() else {
        assert_eq!(served.counters.unknown_requests, 1);
        return;
    };
    let counts = served.counters.of(transport, signal);
    let requests = counts.accepted_requests + counts.refused_requests + counts.failed_requests;
    assert_eq!((requests, counts.abandoned_requests), (1, 0), "{counts:?}");
    let items: usize = served.taken.iter().map(|(_, _, items)| items).sum();
    let counted = counts.accepted_items + counts.refused_items + counts.failed_items;
    assert_eq!(counted, items as u64);
}

fn path(plan: Plan) -> &'static str {
    plan.signal().map_or("/opentelemetry.proto.Unknown/Export", |signal| signal.grpc_path())
}

/// The one message of a body that is not compressed.
fn unframed(body: &[u8]) -> Option<&[u8]> {
    let [0, a, b, c, d, message @ ..] = body else { return None };
    let len = u32::from_be_bytes([*a, *b, *c, *d]) as usize;
    (message.len() == len).then_some(message)
}

fn framed(plan: Plan, message: &[u8]) -> Vec<u8> {
    let flag = u8::from(!matches!(plan.encoding(), "" | "identity"));
    let len = u32::try_from(message.len()).expect("a fuzzer's input is short");
    [&[flag], &len.to_be_bytes()[..], message].concat()
}

pub(super) struct Reply {
    pub(super) status: u16,
    pub(super) headers: HeaderMap,
    pub(super) trailers: HeaderMap,
    pub(super) body: Bytes,
}

/// Makes one request over HTTP/2, and ends the connection.
pub(super) async fn exchange(
    transport: Transport,
    plan: Plan,
    request: http::request::Builder,
    body: &[u8],
) -> (Reply, Served) {
    let (ours, theirs) = tokio::io::duplex(1 << 16);
    let server = Served::of(transport, theirs, plan);
    let client = async {
        let (client, connection) = h2::client::handshake(ours).await.expect("HTTP/2");
        let driven = tokio::spawn(connection);
        let mut client = client.ready().await.expect("a stream");
        let request = request.body(()).expect("good headers");
        let (response, mut stream) =
            client.send_request(request, body.is_empty()).expect("a stream");
        // The answer may come before all is sent.
        for chunk in plan.chunks(body) {
            let _ = stream.send_data(Bytes::copy_from_slice(chunk), false);
        }
        if !body.is_empty() {
            let _ = stream.send_data(Bytes::new(), true);
        }
        let response = response.await.expect("an answer");
        let (status, headers) = (response.status().as_u16(), response.headers().clone());
        let mut body = response.into_body();
        let mut bytes = BytesMut::new();
        while let Some(data) = body.data().await {
            bytes.extend_from_slice(&data.expect("a whole answer"));
        }
        let trailers = body.trailers().await.expect("a whole answer").unwrap_or_default();
        drop((body, stream, client));
        let _ = driven.await;
        Reply { status, headers, trailers, body: bytes.freeze() }
    };
    let (served, reply) = tokio::join!(server, client);
    (reply, served)
}
