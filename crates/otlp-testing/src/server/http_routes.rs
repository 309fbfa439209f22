//! OTLP/HTTP: path, method and media type, decoding, and the replies that HTTP itself gives.

use std::io::{self, Read};
use std::sync::Arc;

use axum::body::Body;
use axum::extract::State;
use axum::{Extension, Router};
use bytes::Bytes;
use flate2::read::{GzDecoder, GzEncoder};
use http::header::{ACCEPT_ENCODING, CONTENT_ENCODING};
use http::{HeaderMap, HeaderValue, Method, Response, StatusCode};
use tonic::Code;

use super::answer::{Scripted, plain};
use super::format::Format;
use super::listen::{Arrival, MESSAGE_BYTES_MAX};
use super::reply::Kind;
use super::site::Site;
use crate::oracle::Message;

/// Every path as one router; which signal a path is for is the site's to say.
pub(super) fn router(site: &Arc<Site>) -> Router {
    Router::new().fallback(export).with_state(Arc::clone(site))
}

async fn export(
    State(site): State<Arc<Site>>,
    method: Method,
    Extension(arrival): Extension<Arrival>,
) -> Response<Body> {
    let (format, message) = match admit(&site, &method, &arrival) {
        Ok(admitted) => admitted,
        Err(Refusal { problem, response }) => {
            site.problem(format!("{method} {}: {problem}", arrival.path));
            return *response;
        }
    };
    let gzip = site.compress && accepts_gzip(&arrival.headers);
    let signal = message.signal();
    let success = |partial| success(format, format.success(signal, partial), gzip);
    let reply = site.decide(arrival.received(message)).await;
    match reply.kind {
        Kind::Ok => success(None),
        Kind::Partial { rejected, message } => success(Some((rejected, message))),
        Kind::Grpc(status) => status.over_http(format),
        kind => {
            let mut response = Response::new(Body::empty());
            response.extensions_mut().insert(Scripted(kind));
            response
        }
    }
}

/// Why a request never came to be a message.
struct Refusal {
    problem: String,
    // Boxed, since it is much larger than the message it stands in for.
    response: Box<Response<Body>>,
}

/// Path, method, media type and body, in the order that the reference collector looks at them.
fn admit(site: &Site, method: &Method, arrival: &Arrival) -> Result<(Format, Message), Refusal> {
    let signal = site
        .signal_at(&arrival.path)
        .ok_or_else(|| refuse(StatusCode::NOT_FOUND, "no signal is served at this path"))?;
    if method != Method::POST {
        return Err(refuse(StatusCode::METHOD_NOT_ALLOWED, "only POST is served"));
    }
    let format = Format::of(&arrival.headers).ok_or_else(|| {
        let text = "the media type is neither application/x-protobuf nor application/json";
        refuse(StatusCode::UNSUPPORTED_MEDIA_TYPE, text)
    })?;
    let request = inflate(&arrival.headers, arrival.wire.clone(), format)?;
    match format.decode(signal, request) {
        Ok(message) => Ok((format, message)),
        Err(error) => Err(bad(&format!("does not decode: {error}"), format)),
    }
}

/// A refusal in plain text, before OTLP (as the reference collector answers these).
fn refuse(status: StatusCode, text: &str) -> Refusal {
    Refusal { problem: text.to_owned(), response: Box::new(plain(status, text)) }
}

/// 400 with a `google.rpc.Status` (row H13).
fn bad(text: &str, format: Format) -> Refusal {
    let response = format.error(StatusCode::BAD_REQUEST, Code::InvalidArgument, text);
    Refusal { problem: text.to_owned(), response: Box::new(response) }
}

fn inflate(headers: &HeaderMap, wire: Bytes, format: Format) -> Result<Bytes, Refusal> {
    let encoding = headers.get(CONTENT_ENCODING).map(HeaderValue::as_bytes);
    let inflated = match encoding {
        None | Some(b"identity") => return Ok(wire),
        Some(b"gzip") => bounded(GzDecoder::new(wire.as_ref())),
        Some(b"zstd") => zstd::stream::read::Decoder::new(wire.as_ref()).and_then(bounded),
        Some(_) => {
            let text = "the content encoding is not gzip, zstd or identity";
            return Err(refuse(StatusCode::UNSUPPORTED_MEDIA_TYPE, text));
        }
    };
    match inflated {
        Ok(Some(request)) => Ok(request),
        Ok(None) => Err(too_large(format)),
        Err(error) => Err(bad(&format!("does not inflate: {error}"), format)),
    }
}

/// Reads to the end; `None` when there is more than a message may have (row Z3).
fn bounded(reader: impl Read) -> io::Result<Option<Bytes>> {
    let mut inflated = Vec::new();
    let limit = MESSAGE_BYTES_MAX as u64;
    reader.take(limit + 1).read_to_end(&mut inflated)?;
    Ok((inflated.len() <= MESSAGE_BYTES_MAX).then(|| inflated.into()))
}

fn too_large(format: Format) -> Refusal {
    let text = "the request is larger than 64 MiB";
    let status = StatusCode::PAYLOAD_TOO_LARGE;
    let response = format.error(status, Code::ResourceExhausted, text);
    Refusal { problem: text.to_owned(), response: Box::new(response) }
}

fn success(format: Format, message: Vec<u8>, gzip: bool) -> Response<Body> {
    if !gzip {
        return format.response(StatusCode::OK, message);
    }
    let mut body = Vec::new();
    let mut encoder = GzEncoder::new(message.as_slice(), flate2::Compression::fast());
    if let Err(failed) = encoder.read_to_end(&mut body) {
        let status = StatusCode::INTERNAL_SERVER_ERROR;
        return format.error(status, Code::Internal, &failed.to_string());
    }
    let mut response = format.response(StatusCode::OK, body);
    let coding = HeaderValue::from_static("gzip");
    response.headers_mut().insert(CONTENT_ENCODING, coding);
    response
}

fn accepts_gzip(headers: &HeaderMap) -> bool {
    let accepted = headers.get_all(ACCEPT_ENCODING).iter().filter_map(|value| value.to_str().ok());
    accepted.flat_map(|value| value.split(',')).any(|coding| {
        coding.split(';').next().is_some_and(|name| name.trim().eq_ignore_ascii_case("gzip"))
    })
}
