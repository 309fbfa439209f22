//! OTLP/gRPC over `h2`.

use std::borrow::Cow;
use std::io::Read;

use bytes::{BufMut, Bytes, BytesMut};
use flate2::read::GzDecoder;
use h2::RecvStream;
use h2::client::{ResponseFuture, SendRequest};
use http::{HeaderMap, Request, Uri};
use opentelemetry_proto::tonic::collector::trace::v1::ExportTraceServiceResponse;
use prost::Message;
use tokio::net::TcpStream;

use super::sending::Answer;
use crate::subject::Failure;

/// One place for a call on a connection that it shares.
#[derive(Clone, Debug)]
pub(super) struct Grpc {
    sender: SendRequest<Bytes>,
    uri: Uri,
    gzip: bool,
}

/// Flag, length, message.
pub(super) fn frame(compressed: bool, message: &[u8]) -> Result<Bytes, Failure> {
    let mut frame = BytesMut::with_capacity(PREFIX + message.len());
    frame.put_u8(u8::from(compressed));
    frame.put_u32(u32::try_from(message.len())?);
    frame.put_slice(message);
    Ok(frame.freeze())
}

impl Grpc {
    pub(super) async fn connect(port: u16, gzip: bool) -> Result<Self, Failure> {
        let stream = TcpStream::connect(("127.0.0.1", port)).await?;
        stream.set_nodelay(true)?;
        let (sender, connection) = h2::client::handshake(stream).await?;
        // Its end is seen by the calls.
        tokio::spawn(connection);
        let uri = format!("http://127.0.0.1:{port}{PATH}").parse()?;
        Ok(Self { sender, uri, gzip })
    }

    /// Makes a call and waits for its end.
    pub(super) async fn send(&mut self, message: Bytes) -> Result<Answer, Failure> {
        let mut sender = self.sender.clone().ready().await?;
        let (response, mut stream) = sender.send_request(self.request()?, false)?;
        stream.send_data(message, true)?;
        read(response).await
    }

    fn request(&self) -> Result<Request<()>, http::Error> {
        let mut request = Request::post(self.uri.clone())
            .header("content-type", "application/grpc")
            .header("te", "trailers");
        if self.gzip {
            request = request.header("grpc-encoding", "gzip");
        }
        request.body(())
    }
}

async fn read(response: ResponseFuture) -> Result<Answer, Failure> {
    let (head, mut body) = response.await?.into_parts();
    if head.headers.contains_key(STATUS) {
        return answer(&head.headers, &[]);
    }
    let message = read_body(&mut body).await?;
    let trailers = body.trailers().await?.ok_or("an answer without trailers")?;
    answer(&trailers, &message)
}

async fn read_body(body: &mut RecvStream) -> Result<Vec<u8>, h2::Error> {
    let mut message = Vec::new();
    while let Some(chunk) = body.data().await {
        let chunk = chunk?;
        body.flow_control().release_capacity(chunk.len())?;
        message.extend_from_slice(&chunk);
    }
    Ok(message)
}

fn answer(trailers: &HeaderMap, message: &[u8]) -> Result<Answer, Failure> {
    let status = trailers.get(STATUS).ok_or("an answer without grpc-status")?.to_str()?;
    let text = || {
        let text = trailers.get("grpc-message").and_then(|text| text.to_str().ok());
        format!("grpc-status {status}: {}", text.unwrap_or_default())
    };
    match status {
        "0" => Ok(Answer::Accepted { rejected: rejected(&unframed(message)?)? }),
        // What OTLP calls retryable: CANCELLED, DEADLINE_EXCEEDED, RESOURCE_EXHAUSTED, ABORTED,
        // OUT_OF_RANGE, UNAVAILABLE, DATA_LOSS.
        "1" | "4" | "8" | "10" | "11" | "14" | "15" => Ok(Answer::Refused(text())),
        _ => Err(text().into()),
    }
}

/// The message of an answer. The Go collector compresses it as the request was.
fn unframed(message: &[u8]) -> Result<Cow<'_, [u8]>, Failure> {
    let Some((prefix, message)) = message.split_at_checked(PREFIX) else {
        return Err("an answer without a message".into());
    };
    if prefix.first() == Some(&0) {
        return Ok(message.into());
    }
    let mut inflated = Vec::new();
    GzDecoder::new(message).take(ANSWER_MAX).read_to_end(&mut inflated)?;
    Ok(inflated.into())
}

/// Spans that were not taken of a request that was.
pub(super) fn rejected(message: &[u8]) -> Result<u64, Failure> {
    let response = ExportTraceServiceResponse::decode(message)?;
    let rejected = response.partial_success.map_or(0, |partial| partial.rejected_spans);
    Ok(u64::try_from(rejected)?)
}

/// Flag and length in front of a message.
const PREFIX: usize = 5;
const ANSWER_MAX: u64 = 1 << 20;
const PATH: &str = "/opentelemetry.proto.collector.trace.v1.TraceService/Export";
const STATUS: &str = "grpc-status";
