//! The JSON form of a payload, made and compressed at most once.

use std::sync::OnceLock;

use bytes::Bytes;

use super::body::Forms;
use super::{Body, Rope};
use crate::export::{CompressError, Compression, compress};
use crate::signal::Signal;
use crate::wire::json::{Message, WriteError, write_within};

/// Why a payload has no body in JSON.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum JsonBodyError {
    /// The text is too long, or the payload is not OTLP.
    #[error(transparent)]
    Json(#[from] WriteError),
    /// The codec failed, which for in-memory data means that it could not get memory.
    #[error(transparent)]
    Compress(#[from] CompressError),
}

/// The JSON forms that have been asked for. Beside a compressed form the text itself is not kept: a retry
/// sends what was sent before.
#[derive(Debug, Default)]
pub(super) struct JsonForms {
    forms: Forms,
    /// Length of the text before compression.
    length: OnceLock<usize>,
}

impl JsonForms {
    pub(super) fn body(
        &self,
        signal: Signal,
        rope: &Rope,
        compression: Compression,
        max: usize,
    ) -> Result<Body, JsonBodyError> {
        if self.length.get().is_some_and(|length| *length > max) {
            return Err(WriteError::TooLarge { max }.into());
        }
        let bytes = self.forms.kept_or(compression, || {
            let text = text(signal, rope, max)?;
            let _ = self.length.set(text.len());
            match compression {
                Compression::None => Ok::<_, JsonBodyError>(text),
                _ => Ok(compress(&[text], compression)?),
            }
        })?;
        Ok(Body::new(bytes.into(), compression))
    }
}

fn text(signal: Signal, rope: &Rope, max: usize) -> Result<Bytes, WriteError> {
    let request = rope.to_bytes();
    // Spans take about twice their bytes; what is over is given back.
    let mut text = Vec::with_capacity(request.len().saturating_mul(2).min(max));
    write_within(Message::Request(signal), &request, max, &mut text)?;
    text.shrink_to_fit();
    Ok(text.into())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::payload::Payload;

    /// One resource, one scope, one span named "hi".
    fn payload() -> Payload {
        let request = b"\x0a\x08\x12\x06\x12\x04\x2a\x02hi";
        Payload::from_request(Signal::Traces, Bytes::from_static(request)).unwrap()
    }

    const TEXT: &[u8] = br#"{"resourceSpans":[{"scopeSpans":[{"spans":[{"name":"hi"}]}]}]}"#;

    #[test]
    fn a_payload_is_converted_once_for_all_clones() {
        let payload = payload();
        for compression in [Compression::None, Compression::gzip()] {
            let first = payload.json_body(compression, TEXT.len()).unwrap();
            let again = payload.clone().json_body(compression, usize::MAX).unwrap();
            assert_eq!(first.compression(), compression);
            let start = |body: &Body| body.rope().parts()[0].as_ptr();
            assert_eq!(start(&first), start(&again), "{compression}");
            let bytes = first.rope().to_bytes();
            let text = crate::export::decompress(compression, &bytes, 1 << 20).unwrap();
            assert_eq!(&text[..], TEXT);
        }
        // A third setting is made anew, and is the same text.
        assert!(payload.json_body(Compression::zstd(), TEXT.len()).is_ok());
    }

    #[test]
    fn the_limit_holds_for_the_text_whatever_was_made_before() {
        // Z1
        let too_large = |payload: &Payload, compression| {
            let result = payload.json_body(compression, TEXT.len() - 1);
            matches!(result, Err(JsonBodyError::Json(WriteError::TooLarge { .. })))
        };
        let payload = payload();
        assert!(too_large(&payload, Compression::None));
        for compression in [Compression::None, Compression::gzip()] {
            assert!(payload.json_body(compression, TEXT.len()).is_ok());
            assert!(too_large(&payload, compression), "{compression}");
        }
    }

    #[test]
    fn a_string_that_is_not_utf_8_is_an_error_that_names_its_field() {
        let request = b"\x0a\x08\x12\x06\x12\x04\x2a\x02h\xff";
        let payload = Payload::from_request(Signal::Traces, Bytes::from_static(request)).unwrap();
        let error = payload.json_body(Compression::None, usize::MAX).unwrap_err().to_string();
        assert!(error.contains("Span field 5 is not UTF-8"), "{error}");
    }
}
