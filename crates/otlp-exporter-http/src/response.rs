//! Reading an answer: bounded on the wire, bounded when inflated, and never trusted.

use std::time::Duration;

use bytes::{Bytes, BytesMut};
use otlp_core::export::{Compression, DecompressError, decompress};
use reqwest::Response;
use reqwest::header::{CONTENT_ENCODING, CONTENT_TYPE, HeaderMap};
use tokio::time::{Instant, timeout_at};

/// Most bytes that are read of the body of an error answer. It only explains; what is over is cut.
const ERROR_BODY_MAX: usize = 64 * 1024;

/// How long the body of an error answer may take. The outcome is known by then, so a server that
/// sends it drop by drop gains nothing.
const ERROR_BODY_TIME: Duration = Duration::from_secs(1);

/// Why the body of a success could not be read.
#[derive(Debug, thiserror::Error)]
pub(crate) enum BodyError {
    /// The connection ended inside the body.
    #[error("the answer broke off")]
    BrokenOff(#[source] reqwest::Error),
    /// It has more bytes than the limit (Z2).
    #[error("the answer is larger than the limit of {limit} bytes")]
    TooLarge { limit: usize },
    /// It does not inflate within the limit.
    #[error(transparent)]
    Inflate(#[from] DecompressError),
}

/// The whole body, inflated, of at most `limit` bytes on the wire and inflated.
pub(crate) async fn read(response: &mut Response, limit: usize) -> Result<Bytes, BodyError> {
    let compression = encoding(response.headers())?;
    let declared = response.content_length().unwrap_or(0);
    if usize::try_from(declared).map_or(true, |declared| declared > limit) {
        return Err(BodyError::TooLarge { limit });
    }
    let mut body = BytesMut::new();
    while let Some(chunk) = response.chunk().await.map_err(BodyError::BrokenOff)? {
        if body.len().saturating_add(chunk.len()) > limit {
            return Err(BodyError::TooLarge { limit });
        }
        body.extend_from_slice(&chunk);
    }
    if body.is_empty() {
        return Ok(Bytes::new());
    }
    Ok(decompress(compression, &body.freeze(), limit)?)
}

/// As much of the body of an error answer as comes soon and can be read.
pub(crate) async fn read_error(response: &mut Response, deadline: Option<Instant>) -> Bytes {
    let soon = Instant::now() + ERROR_BODY_TIME;
    let until = deadline.map_or(soon, |deadline| deadline.min(soon));
    let compression = encoding(response.headers());
    let mut body = BytesMut::new();
    let mut cut = false;
    while let Ok(Ok(Some(chunk))) = timeout_at(until, response.chunk()).await {
        let room = ERROR_BODY_MAX - body.len();
        cut = chunk.len() > room;
        body.extend(chunk.into_iter().take(room));
        if cut {
            break;
        }
    }
    match compression {
        Ok(Compression::None) => body.freeze(),
        // A compressed body that was cut says nothing.
        Ok(compression) if !cut => {
            decompress(compression, &body.freeze(), ERROR_BODY_MAX).unwrap_or_default()
        }
        _ => Bytes::new(),
    }
}

/// How the server declares the body to be compressed. We never ask for it, but one that comes is
/// read.
fn encoding(headers: &HeaderMap) -> Result<Compression, DecompressError> {
    let value = headers.get(CONTENT_ENCODING);
    Compression::from_content_encoding(value.and_then(|v| v.to_str().ok()).unwrap_or_default())
}

/// What the media type of an answer says about its body.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Media {
    /// Protobuf.
    Protobuf,
    /// JSON.
    Json,
    /// A page for people: this was no OTLP server.
    Html,
    /// Something else.
    Other,
}

impl Media {
    /// Reads `Content-Type` leniently: parameters are skipped; where it says nothing, the answer is
    /// `asked`, in the form that the request had.
    pub(crate) fn of(headers: &HeaderMap, asked: Self) -> Self {
        let Some(value) = headers.get(CONTENT_TYPE).and_then(|v| v.to_str().ok()) else {
            return asked;
        };
        let essence = value.split(';').next().unwrap_or_default().trim().to_ascii_lowercase();
        match essence.as_str() {
            "" | "application/octet-stream" => asked,
            "text/html" | "application/xhtml+xml" => Self::Html,
            other if other.contains("protobuf") => Self::Protobuf,
            other if other.ends_with("/json") || other.ends_with("+json") => Self::Json,
            _ => Self::Other,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_media_type_is_read_leniently() {
        let media = |value: &str, asked| {
            Media::of(&HeaderMap::from_iter([(CONTENT_TYPE, value.parse().unwrap())]), asked)
        };
        for asked in [Media::Protobuf, Media::Json] {
            assert_eq!(Media::of(&HeaderMap::new(), asked), asked);
            for value in ["", "application/octet-stream"] {
                assert_eq!(media(value, asked), asked, "{value}");
            }
            for value in [
                "application/x-protobuf",
                "Application/X-Protobuf; charset=utf-8",
                "application/vnd.google.protobuf",
            ] {
                assert_eq!(media(value, asked), Media::Protobuf, "{value}");
            }
            for value in ["application/json", "Application/JSON;charset=utf-8", "text/x+json"] {
                assert_eq!(media(value, asked), Media::Json, "{value}");
            }
            assert_eq!(media("text/html; charset=utf-8", asked), Media::Html);
            assert_eq!(media("text/plain", asked), Media::Other);
        }
    }
}
