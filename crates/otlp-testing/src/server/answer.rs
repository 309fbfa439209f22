//! Turning a scripted reply into an HTTP response.

use std::iter;
use std::time::Duration;

use axum::body::Body;
use bytes::Bytes;
use http::header::{CONTENT_ENCODING, CONTENT_LENGTH, CONTENT_TYPE, RETRY_AFTER};
use http::{HeaderName, HeaderValue, Response, StatusCode, Version};
use tonic::Code;
use tonic_types::{ErrorDetails, StatusExt as _};

use super::Transport;
use super::format::Format;
use super::reply::{Content, GrpcStatus, HttpAnswer, Kind};
use super::stream::{Bomb, Piece, Pieces, endless};

/// What a handler leaves for the connection to carry out: replies below the protocol.
#[derive(Clone, Debug)]
pub(super) struct Scripted(pub(super) Kind);

impl GrpcStatus {
    /// The status as tonic sends it, details included.
    pub(super) fn status(&self) -> tonic::Status {
        if let Some(details) = &self.details {
            return tonic::Status::with_details(self.code, &self.message, details.clone());
        }
        match self.retry_delay {
            None => tonic::Status::new(self.code, &self.message),
            delay => {
                let details = ErrorDetails::with_retry_info(delay);
                tonic::Status::with_error_details(self.code, &self.message, details)
            }
        }
    }

    /// The response that the reference collector makes of it over HTTP (rows H12, H14).
    pub(super) fn over_http(&self, format: Format) -> Response<Body> {
        let status = http_status(self.code);
        let mut response = format.error(status, self.code, &self.message);
        if let Some(details) = &self.details {
            *response.body_mut() = details.clone().into();
        }
        if let Some(delay) = self.retry_delay {
            response.headers_mut().insert(RETRY_AFTER, whole_seconds(delay));
        }
        response
    }
}

/// A response in plain text, as servers answer what never reached OTLP.
pub(super) fn plain(status: StatusCode, text: &str) -> Response<Body> {
    let mut response = Response::new(Body::from(text.to_owned()));
    *response.status_mut() = status;
    response.headers_mut().insert(CONTENT_TYPE, HeaderValue::from_static("text/plain"));
    response
}

/// A scripted HTTP answer, in the form that `transport` needs.
///
/// `format` is that of the request.
pub(super) fn raw(
    answer: HttpAnswer,
    transport: Transport,
    format: Format,
    version: Version,
) -> Response<Body> {
    let HttpAnswer { status, headers, content, mut trailers } = answer;
    let mut response = Response::new(Body::empty());
    *response.status_mut() = status;
    *response.headers_mut() = headers;
    let defaults = default_headers(&content, transport, format);
    for (name, value) in defaults {
        response.headers_mut().entry(name).or_insert(value);
    }
    if transport == Transport::Grpc && matches!(content, Content::Message(_)) {
        trailers.entry("grpc-status").or_insert(HeaderValue::from_static("0"));
    }
    if version < Version::HTTP_2 {
        response.headers_mut().extend(std::mem::take(&mut trailers));
    }
    let last = (!trailers.is_empty()).then_some(Piece::Trailers(trailers));
    *response.body_mut() = body(content, transport, last);
    response
}

fn default_headers(
    content: &Content,
    transport: Transport,
    format: Format,
) -> impl Iterator<Item = (HeaderName, HeaderValue)> + use<> {
    let grpc = transport == Transport::Grpc;
    let content_type = if grpc { "application/grpc" } else { format.media_type() };
    let encoding = matches!(content, Content::GzipBomb { .. }).then(|| {
        let name = if grpc { HeaderName::from_static("grpc-encoding") } else { CONTENT_ENCODING };
        (name, HeaderValue::from_static("gzip"))
    });
    let length = match content {
        Content::CutAfter(start) if !grpc => Some(start.len() + CUT_BYTES),
        _ => None,
    };
    let length = length.map(|length| (CONTENT_LENGTH, HeaderValue::from(length)));
    let content_type = (CONTENT_TYPE, HeaderValue::from_static(content_type));
    iter::once(content_type).chain(encoding).chain(length)
}

fn body(content: Content, transport: Transport, last: Option<Piece>) -> Body {
    let frame = |compressed, length| match transport {
        Transport::Grpc => Some(grpc_frame(compressed, length)),
        Transport::Http => None,
    };
    let (frame, pieces): (_, Box<dyn Iterator<Item = Piece> + Send>) = match content {
        Content::Raw(bytes) => (None, Box::new(data(bytes))),
        Content::Message(bytes) => (frame(false, bytes.len() as u64), Box::new(data(bytes))),
        Content::CutAfter(start) => {
            let length = start.len() + CUT_BYTES;
            let cut = data(start).chain(iter::once(Piece::Break));
            (frame(false, length as u64), Box::new(cut))
        }
        Content::Endless { total } => (frame(false, total), Box::new(endless(total))),
        Content::GzipBomb { inflated } => {
            let bomb = Bomb::new(inflated);
            (frame(true, bomb.len()), Box::new(bomb.pieces()))
        }
    };
    Body::new(Pieces::new(frame.into_iter().chain(pieces).chain(last)))
}

/// A piece of these bytes, or none when there are no bytes: some clients dislike empty frames.
fn data(bytes: Bytes) -> impl Iterator<Item = Piece> + Send + 'static {
    (!bytes.is_empty()).then_some(Piece::Data(bytes)).into_iter()
}

/// The head of a gRPC message: a compression flag and a length of 32 bits.
fn grpc_frame(compressed: bool, length: u64) -> Piece {
    let length = u32::try_from(length).unwrap_or(u32::MAX);
    let mut head = vec![u8::from(compressed)];
    head.extend(length.to_be_bytes());
    Piece::Data(head.into())
}

/// The mapping of the reference collector.
fn http_status(code: Code) -> StatusCode {
    match code {
        Code::Ok => StatusCode::OK,
        Code::Cancelled
        | Code::DeadlineExceeded
        | Code::Aborted
        | Code::OutOfRange
        | Code::Unavailable
        | Code::DataLoss => StatusCode::SERVICE_UNAVAILABLE,
        Code::ResourceExhausted => StatusCode::TOO_MANY_REQUESTS,
        Code::InvalidArgument => StatusCode::BAD_REQUEST,
        Code::Unauthenticated => StatusCode::UNAUTHORIZED,
        Code::PermissionDenied => StatusCode::FORBIDDEN,
        Code::Unimplemented => StatusCode::NOT_FOUND,
        _ => StatusCode::INTERNAL_SERVER_ERROR,
    }
}

/// `Retry-After` has no fractions; a fraction becomes a whole second, so never too short.
fn whole_seconds(delay: Duration) -> HeaderValue {
    HeaderValue::from(delay.as_secs() + u64::from(delay.subsec_nanos() > 0))
}

/// How many bytes a cut body lacks.
const CUT_BYTES: usize = 60;
