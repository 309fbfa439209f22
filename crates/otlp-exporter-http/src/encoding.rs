//! The two encodings of OTLP over HTTP; JSON only with the feature `json`.

use std::fmt::Display;

use otlp_core::export::attempt;
use otlp_core::export::{BuildError, Compression, Outcome, Protocol};
use otlp_core::wire::response::{Status, decode_status};
use otlp_core::{Body, ExporterType, Payload, Signal};

use crate::response::Media;

/// How requests are encoded.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Encoding {
    Protobuf,
    #[cfg(feature = "json")]
    Json,
}

impl Encoding {
    /// The encoding of a protocol, if it is one of HTTP and compiled in.
    pub(crate) fn of(protocol: Protocol) -> Result<Self, BuildError> {
        let problem = match protocol {
            Protocol::HttpProtobuf => return Ok(Self::Protobuf),
            #[cfg(feature = "json")]
            Protocol::HttpJson => return Ok(Self::Json),
            #[cfg(not(feature = "json"))]
            Protocol::HttpJson => {
                "is http/json, which is not built in; enable the feature `json` (of otlp-sdk, or of \
                 otlp-exporter-http), or use http/protobuf"
            }
            _ => "is not one over HTTP; otlp-exporter-grpc speaks grpc",
        };
        Err(BuildError::new("protocol", problem))
    }

    /// What `Content-Type` must say. (H3)
    pub(crate) const fn media_type(self) -> &'static str {
        match self {
            Self::Protobuf => "application/x-protobuf",
            #[cfg(feature = "json")]
            Self::Json => "application/json",
        }
    }

    /// The media of an answer that does not say what it is: that of the request. (H10)
    pub(crate) const fn media(self) -> Media {
        match self {
            Self::Protobuf => Media::Protobuf,
            #[cfg(feature = "json")]
            Self::Json => Media::Json,
        }
    }

    /// The body of a request. Made once for a payload, however often it is sent.
    pub(crate) fn body(
        self,
        what: impl Display,
        payload: &Payload,
        compression: Compression,
        max: usize,
    ) -> Result<Body, Outcome> {
        match self {
            Self::Protobuf => attempt::body(what, payload, compression, max),
            #[cfg(feature = "json")]
            Self::Json => attempt::json_body(what, payload, compression, max),
        }
    }

    /// The `otel.component.type` of an exporter.
    pub(crate) const fn component_type(self, signal: Signal) -> &'static str {
        signal.exporter_type(match self {
            Self::Protobuf => ExporterType::Http,
            #[cfg(feature = "json")]
            Self::Json => ExporterType::HttpJson,
        })
    }
}

/// The `google.rpc.Status` that the body of an error is (H12), if it can be read as one.
pub(crate) fn status(media: Media, body: &[u8]) -> Option<Status> {
    match media {
        Media::Protobuf => decode_status(body).ok(),
        #[cfg(feature = "json")]
        Media::Json => otlp_core::wire::json::read_status(body).ok(),
        _ => None,
    }
}
