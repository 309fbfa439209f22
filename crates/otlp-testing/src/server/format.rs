//! The two encodings of OTLP/HTTP, and responses in them.

use axum::body::Body;
use bytes::Bytes;
use http::header::CONTENT_TYPE;
use http::{HeaderMap, HeaderValue, Response, StatusCode};
use otlp_core::Signal;
use prost::Message as _;
use tonic::Code;

use super::grpc::{Partial, logs_response, metrics_response, trace_response};
use crate::oracle::Message;

/// How a request, and so its response (row H10), is encoded.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Format {
    Protobuf,
    Json,
}

impl Format {
    /// What the `content-type` says; parameters of the media type are tolerated.
    pub(super) fn of(headers: &HeaderMap) -> Option<Self> {
        let value = headers.get(CONTENT_TYPE)?.to_str().ok()?;
        let media_type = value.split(';').next()?.trim();
        let formats = [Self::Protobuf, Self::Json];
        formats.into_iter().find(|format| media_type.eq_ignore_ascii_case(format.media_type()))
    }

    pub(super) const fn media_type(self) -> &'static str {
        match self {
            Self::Protobuf => "application/x-protobuf",
            Self::Json => "application/json",
        }
    }

    pub(super) fn decode(self, signal: Signal, request: Bytes) -> Result<Message, String> {
        match self {
            Self::Protobuf => Message::decode(signal, request).map_err(|error| error.to_string()),
            Self::Json => Message::decode_json(signal, &request).map_err(|error| error.to_string()),
        }
    }

    /// The body of an accepting response: `Export<Signal>ServiceResponse` (row H11).
    pub(super) fn success(self, signal: Signal, partial: Partial) -> Vec<u8> {
        match signal {
            Signal::Metrics => self.encode(&metrics_response(partial)),
            Signal::Logs => self.encode(&logs_response(partial)),
            _ => self.encode(&trace_response(partial)),
        }
    }

    /// An error response with a `google.rpc.Status` as body (rows H12, J8).
    pub(super) fn error(self, status: StatusCode, code: Code, message: &str) -> Response<Body> {
        let (number, text) = (i32::from(code), message.to_owned());
        let body = match self {
            Self::Json => {
                serde_json::json!({ "code": number, "message": text }).to_string().into_bytes()
            }
            Self::Protobuf => {
                tonic_types::Status { code: number, message: text, details: vec![] }.encode_to_vec()
            }
        };
        self.response(status, body)
    }

    /// A response of an encoded body.
    pub(super) fn response(self, status: StatusCode, body: Vec<u8>) -> Response<Body> {
        let mut response = Response::new(Body::from(body));
        *response.status_mut() = status;
        let media_type = HeaderValue::from_static(self.media_type());
        response.headers_mut().insert(CONTENT_TYPE, media_type);
        response
    }

    fn encode<M: prost::Message + serde::Serialize>(self, message: &M) -> Vec<u8> {
        match self {
            Self::Protobuf => message.encode_to_vec(),
            // Structs of numbers and strings: writing them into memory does not fail.
            Self::Json => serde_json::to_vec(message).unwrap_or_default(),
        }
    }
}
