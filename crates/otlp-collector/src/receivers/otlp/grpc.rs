//! One call of gRPC: a unary `Export`, framed and answered by hand.

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::{Duration, Instant};

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD_NO_PAD;
use bytes::Bytes;
use h2::RecvStream;
use h2::server::SendResponse;
use http::header::{ALLOW, CONTENT_TYPE, HeaderMap, HeaderName, HeaderValue};
use http::{Method, Request, Response, StatusCode};
use otlp_core::Signal;
use otlp_core::wire::response::PartialSuccess;
use percent_encoding::{AsciiSet, CONTROLS, utf8_percent_encode};

use super::answer::{self, Answer};
use super::auth::{Authenticator, Credentials};
use super::body::Length;
use super::counters::Transport;
use super::http2::Http2Body;
use super::inflate::Encoding;
use super::intake::{Arrival, Form, Intake};
use super::refusal::{Kind, RESOURCE_EXHAUSTED, Refusal};

/// The gRPC side of a receiver.
#[derive(Debug)]
pub(super) struct GrpcEnd {
    pub(super) intake: Arc<Intake>,
    pub(super) auth: Option<Arc<dyn Authenticator>>,
    /// Largest message.
    pub(super) limit: usize,
}

impl GrpcEnd {
    /// Serves a call. A client that is gone is no error.
    pub(super) async fn call(
        &self,
        request: Request<RecvStream>,
        mut respond: SendResponse<Bytes>,
        peer: SocketAddr,
    ) {
        let started = Instant::now();
        let (head, body) = request.into_parts();
        // What is no gRPC at all is told so in the terms of HTTP.
        if let Err(response) = is_grpc(&head) {
            self.intake.counters.unknown.add(1);
            let _ = respond.send_response(response, true);
            return;
        }
        let answer = match self.admit(&head, peer).await {
            Err(answer) => answer,
            Ok((signal, encoding)) => {
                let timeout = self.intake.limits.request_timeout;
                let arrival = Arrival {
                    transport: Transport::Grpc,
                    signal,
                    form: Form::Protobuf,
                    encoding,
                    length: Length::Framed,
                    limit: self.limit,
                    started,
                    read_timeout: timeout,
                    answer_timeout: asked_timeout(&head.headers)
                        .map_or(timeout, |t| t.min(timeout)),
                    body: Http2Body(body),
                };
                self.intake.take(arrival).await
            }
        };
        match answer {
            Answer::Taken(partial) => self.send_taken(respond, partial.as_ref()),
            Answer::Refused(refusal) => send_refused(respond, &refusal),
        }
    }

    /// What the headers decide, before the body is read.
    async fn admit(
        &self,
        head: &http::request::Parts,
        peer: SocketAddr,
    ) -> Result<(Signal, Encoding), Answer> {
        let path = head.uri.path();
        let signal = Signal::ALL.into_iter().find(|signal| signal.grpc_path() == path);
        let refused = |refusal| self.intake.refuse(Transport::Grpc, signal, refusal);
        if let Some(auth) = &self.auth {
            let credentials = Credentials { headers: &head.headers, peer };
            super::auth::check(auth.as_ref(), &credentials).await.map_err(refused)?;
        }
        let Some(known) = signal.filter(|signal| self.intake.consumer(*signal).is_some()) else {
            return Err(refused(Refusal::new(Kind::Unknown, "nothing here has this method")));
        };
        let encoding =
            head.headers.get(GRPC_ENCODING).map_or(b"".as_slice(), HeaderValue::as_bytes);
        match Encoding::of(encoding) {
            Some(encoding) => Ok((known, encoding)),
            None => {
                let message = format!("the encoding is none of {ACCEPTED}");
                Err(refused(Refusal::new(Kind::UnsupportedEncoding, message)))
            }
        }
    }

    fn send_taken(&self, mut respond: SendResponse<Bytes>, partial: Option<&PartialSuccess>) {
        let message = match partial {
            None => Bytes::from_static(EMPTY),
            Some(_) => match answer::success(partial, self.intake.limits.max_response_size) {
                Ok(message) => framed(&message),
                Err(refusal) => return send_failed(respond, RESOURCE_EXHAUSTED, &refusal.message),
            },
        };
        let mut response = Response::new(());
        response.headers_mut().insert(CONTENT_TYPE, GRPC);
        // All three wait in the connection until it is polled, and leave in one write.
        let Ok(mut stream) = respond.send_response(response, false) else { return };
        let mut trailers = HeaderMap::with_capacity(1);
        trailers.insert(GRPC_STATUS, HeaderValue::from_static("0"));
        if stream.send_data(message, false).is_ok() {
            let _ = stream.send_trailers(trailers);
        }
    }
}

/// Whether a request is gRPC at all; if not, an answer that is none either.
fn is_grpc(head: &http::request::Parts) -> Result<(), Response<()>> {
    if head.method != Method::POST {
        let mut response = Response::new(());
        *response.status_mut() = StatusCode::METHOD_NOT_ALLOWED;
        response.headers_mut().insert(ALLOW, HeaderValue::from_static("POST"));
        return Err(response);
    }
    let media = head.headers.get(CONTENT_TYPE).map_or(b"".as_slice(), HeaderValue::as_bytes);
    let media = media.split(|byte| *byte == b';').next().unwrap_or_default().trim_ascii();
    if MEDIA.iter().any(|known| known.eq_ignore_ascii_case(media)) {
        return Ok(());
    }
    let mut response = Response::new(());
    *response.status_mut() = StatusCode::UNSUPPORTED_MEDIA_TYPE;
    Err(response)
}

/// How long the client waits: `grpc-timeout`, at most eight digits and a unit.
fn asked_timeout(headers: &HeaderMap) -> Option<Duration> {
    let text = headers.get(GRPC_TIMEOUT)?.to_str().ok()?;
    let (number, unit) = text.split_at_checked(text.len().checked_sub(1)?)?;
    if number.is_empty() || number.len() > 8 || !number.bytes().all(|byte| byte.is_ascii_digit()) {
        return None;
    }
    let number = number.parse().ok()?;
    Some(match unit {
        "H" => Duration::from_secs(u64::checked_mul(number, 3600)?),
        "M" => Duration::from_secs(u64::checked_mul(number, 60)?),
        "S" => Duration::from_secs(number),
        "m" => Duration::from_millis(number),
        "u" => Duration::from_micros(number),
        "n" => Duration::from_nanos(number),
        _ => return None,
    })
}

/// A message that is not compressed, in its frame.
fn framed(message: &[u8]) -> Bytes {
    let len = u32::try_from(message.len()).unwrap_or(u32::MAX);
    [&[0], len.to_be_bytes().as_slice(), message].concat().into()
}

/// Answers with a status and its details (rows G7 to G9), without a message.
fn send_refused(mut respond: SendResponse<Bytes>, refusal: &Refusal) {
    let mut response = failed(refusal.kind.grpc(), &refusal.message);
    let headers = response.headers_mut();
    if refusal.retry_after.is_some() || refusal.kind == Kind::Malformed {
        let details = STANDARD_NO_PAD.encode(answer::status(refusal));
        if let Ok(details) = HeaderValue::try_from(details) {
            headers.insert(GRPC_STATUS_DETAILS, details);
        }
    }
    if refusal.kind == Kind::UnsupportedEncoding {
        headers.insert(GRPC_ACCEPT_ENCODING, HeaderValue::from_static(ACCEPTED));
    }
    let _ = respond.send_response(response, true);
}

fn send_failed(mut respond: SendResponse<Bytes>, code: u8, message: &str) {
    let _ = respond.send_response(failed(code, message), true);
}

/// Headers that are trailers at the same time.
fn failed(code: u8, message: &str) -> Response<()> {
    let mut response = Response::new(());
    let headers = response.headers_mut();
    headers.insert(CONTENT_TYPE, GRPC);
    headers.insert(GRPC_STATUS, HeaderValue::from(u16::from(code)));
    let message = utf8_percent_encode(message, MESSAGE).to_string();
    if let Ok(message) = HeaderValue::try_from(message) {
        headers.insert(GRPC_MESSAGE, message);
    }
    response
}

const MEDIA: [&[u8]; 2] = [b"application/grpc", b"application/grpc+proto"];
const GRPC: HeaderValue = HeaderValue::from_static("application/grpc");
const GRPC_STATUS: HeaderName = HeaderName::from_static("grpc-status");
const GRPC_MESSAGE: HeaderName = HeaderName::from_static("grpc-message");
const GRPC_STATUS_DETAILS: HeaderName = HeaderName::from_static("grpc-status-details-bin");
const GRPC_TIMEOUT: HeaderName = HeaderName::from_static("grpc-timeout");
const GRPC_ENCODING: HeaderName = HeaderName::from_static("grpc-encoding");
const GRPC_ACCEPT_ENCODING: HeaderName = HeaderName::from_static("grpc-accept-encoding");

/// Without blanks: grpc-js stops compressing where it finds one.
const ACCEPTED: &str = "gzip,zstd,deflate,identity";

/// A message of no bytes in its frame: full success (row W11).
const EMPTY: &[u8] = &[0; 5];

/// What a message of gRPC has percent-encoded; what is beyond ASCII is in any case.
const MESSAGE: &AsciiSet = &CONTROLS.add(b'%');

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_timeout_has_eight_digits_and_a_unit() {
        let of = |text: &str| {
            let mut headers = HeaderMap::new();
            headers.insert(GRPC_TIMEOUT, HeaderValue::from_str(text).unwrap());
            asked_timeout(&headers)
        };
        assert_eq!(of("10S"), Some(Duration::from_secs(10)));
        assert_eq!(of("99999999H"), Some(Duration::from_secs(99_999_999 * 3600)));
        assert_eq!(of("250m"), Some(Duration::from_millis(250)));
        for wrong in ["", "S", "10", "999999999S", "-1S", "1.5S", "10s"] {
            assert_eq!(of(wrong), None, "{wrong}");
        }
    }
}
