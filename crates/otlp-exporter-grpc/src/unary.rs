//! One unary call on a channel: bytes in, bytes and a status out.
//!
//! The channel is used as the HTTP/2 client that it is, without generated stubs and without a
//! codec: the request is framed but not copied, the answer is bounded from its first byte.

use std::error::Error;
use std::future::poll_fn;
use std::pin::Pin;
use std::time::Duration;

use bytes::Bytes;
use http::header::CONTENT_TYPE;
use http::{HeaderMap, HeaderName, HeaderValue, Response, StatusCode};
use http_body::Body as _;
use otlp_core::export::{Compression, DecompressError, decompress};
use tokio::time::timeout;
use tonic::body::Body;
use tonic::transport::Channel;
use tower_service::Service;

use crate::frame::{FrameError, Message, MessageReader};
use crate::status::Status;

/// Where a message says how it is compressed.
pub(crate) const GRPC_ENCODING: HeaderName = HeaderName::from_static("grpc-encoding");

/// How long the server may take, for the server to know.
pub(crate) const GRPC_TIMEOUT: HeaderName = HeaderName::from_static("grpc-timeout");

/// The media type of gRPC with protobuf messages, and the prefix of every gRPC media type.
pub(crate) const GRPC_MEDIA_TYPE: HeaderValue = HeaderValue::from_static("application/grpc");

/// What is read of an answer that is not gRPC, to quote it.
const QUOTED_MAX: usize = 1024;

/// How long the body of such an answer may take.
const QUOTING_TIME: Duration = Duration::from_secs(1);

/// A complete answer.
#[derive(Debug)]
pub(crate) struct Answer {
    pub(crate) status: Status,
    /// The message, inflated; empty when the status is a refusal.
    pub(crate) message: Bytes,
}

/// Why there is no answer.
#[derive(Debug, thiserror::Error)]
pub(crate) enum CallError {
    /// The channel cannot carry calls any more; the call was not sent.
    #[error("the channel's task has ended")]
    ChannelClosed(#[source] tonic::transport::Error),
    /// No connection, or it ended before the answer began.
    #[error(transparent)]
    Unanswered(tonic::transport::Error),
    /// The connection or the stream ended inside the answer.
    #[error("the answer broke off")]
    BrokenOff(#[source] tonic::Status),
    /// The answer is HTTP, but not gRPC.
    #[error("{}", .0.message)]
    NotGrpc(Status),
    /// The body is not one gRPC message within the limit.
    #[error("the answer is not one gRPC message: it has {0}")]
    Frame(#[source] FrameError),
    /// The message does not inflate within the limit.
    #[error(transparent)]
    Inflate(#[from] DecompressError),
    /// The status is OK, but a unary call that succeeds has one message.
    #[error("the answer says OK without a message, so what the server did is not known")]
    NoMessage,
    /// The stream ended properly, but without a status.
    #[error("the answer ended without a gRPC status")]
    NoStatus,
}

impl CallError {
    /// The outermost error that says something: the channel's own wrapper says only "transport
    /// error".
    pub(crate) fn telling(&self) -> &(dyn Error + 'static) {
        match self {
            Self::Unanswered(error) => error.source().unwrap_or(error),
            other => other,
        }
    }
}

/// Waits until the channel takes a call.
///
/// # Errors
///
/// It never will again: its task has ended, with the runtime that it was spawned on.
pub(crate) async fn ready(channel: &mut Channel) -> Result<(), CallError> {
    poll_fn(|cx| channel.poll_ready(cx)).await.map_err(CallError::ChannelClosed)
}

/// Sends `request` on a channel that is [`ready`] and reads the answer, of which at most `limit`
/// bytes are taken (Z2).
pub(crate) async fn call(
    channel: &mut Channel,
    request: http::Request<Body>,
    limit: usize,
) -> Result<Answer, CallError> {
    let response = channel.call(request).await.map_err(CallError::Unanswered)?;
    read_answer(response, limit).await
}

async fn read_answer(response: Response<Body>, limit: usize) -> Result<Answer, CallError> {
    let (head, body) = response.into_parts();
    let early = Status::from_headers(&head.headers);
    if let (Some(status), true) = (&early, body.is_end_stream()) {
        // "Trailers-Only": these headers are the trailers.
        return answer(status.clone(), None, &head.headers, limit);
    }
    // What a head says before a body is no status yet, least of all OK. A refusal is kept for an
    // answer that ends without one.
    let refusal = early.filter(|status| !status.is_ok());
    if head.status != StatusCode::OK || !is_grpc(&head.headers) {
        return match refusal {
            Some(status) => Ok(Answer { status, message: Bytes::new() }),
            None => Err(CallError::NotGrpc(quote(head.status, &head.headers, body).await)),
        };
    }
    match (read_message(body, limit).await, refusal) {
        (Ok((message, Some(status))), _) => answer(status, message, &head.headers, limit),
        (_, Some(status)) => Ok(Answer { status, message: Bytes::new() }),
        (Ok((_, None)), None) => Err(CallError::NoStatus),
        (Err(error), None) => Err(error),
    }
}

/// A status, and beside OK the one message of a unary call.
fn answer(
    status: Status,
    message: Option<Message>,
    headers: &HeaderMap,
    limit: usize,
) -> Result<Answer, CallError> {
    if !status.is_ok() {
        return Ok(Answer { status, message: Bytes::new() });
    }
    let message = inflate(message.ok_or(CallError::NoMessage)?, headers, limit)?;
    Ok(Answer { status, message })
}

/// The message of the body and the status in its trailers.
async fn read_message(
    mut body: Body,
    limit: usize,
) -> Result<(Option<Message>, Option<Status>), CallError> {
    let mut reader = MessageReader::new(limit);
    let mut status = None;
    while let Some(frame) = poll_fn(|cx| Pin::new(&mut body).poll_frame(cx)).await {
        let frame = frame.map_err(CallError::BrokenOff)?;
        match frame.into_data() {
            Ok(chunk) => reader.push(&chunk).map_err(CallError::Frame)?,
            Err(frame) => {
                status = frame.into_trailers().ok().as_ref().and_then(Status::from_headers);
            }
        }
    }
    // A status other than OK explains a missing or cut message, so it comes first.
    let failed = status.as_ref().is_some_and(|status| !status.is_ok());
    let message = match reader.finish() {
        Ok(message) => message,
        Err(_) if failed => None,
        Err(error) => return Err(CallError::Frame(error)),
    };
    Ok((message, status))
}

/// We never ask for compressed answers, but one that comes is read.
fn inflate(message: Message, headers: &HeaderMap, limit: usize) -> Result<Bytes, DecompressError> {
    if !message.compressed {
        return Ok(message.bytes);
    }
    let encoding = headers.get(GRPC_ENCODING).and_then(|v| v.to_str().ok()).unwrap_or_default();
    let compression = Compression::from_content_encoding(encoding)?;
    decompress(compression, &message.bytes, limit)
}

fn is_grpc(headers: &HeaderMap) -> bool {
    headers
        .get(CONTENT_TYPE)
        .is_some_and(|value| value.as_bytes().starts_with(GRPC_MEDIA_TYPE.as_bytes()))
}

/// The status of an answer that is not gRPC, with the beginning of what it says.
async fn quote(http: StatusCode, headers: &HeaderMap, body: Body) -> Status {
    let mut text = Vec::new();
    // The status is known, so a body that comes drop by drop is not waited for.
    let _ = timeout(QUOTING_TIME, read_start(body, &mut text)).await;
    let mut status = Status::from_http(http);
    if let Some(media) = headers.get(CONTENT_TYPE) {
        status.message.push_str(&format!(" ({})", String::from_utf8_lossy(media.as_bytes())));
    }
    if !text.is_empty() {
        status.message.push_str(&format!(": {}", String::from_utf8_lossy(&text)));
    }
    status
}

async fn read_start(mut body: Body, text: &mut Vec<u8>) {
    while text.len() < QUOTED_MAX {
        let frame = poll_fn(|cx| Pin::new(&mut body).poll_frame(cx)).await;
        let Some(Ok(frame)) = frame else { return };
        if let Ok(chunk) = frame.into_data() {
            text.extend(chunk.iter().take(QUOTED_MAX.saturating_sub(text.len())));
        }
    }
}
