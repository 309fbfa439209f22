//! A finished span as a value: cheap to clone, readable without decoding the whole.

use bytes::Bytes;

use crate::wire::WireError;
use crate::wire::trace::SpanView;
use crate::wire::writer::{LEN, key, len_field, put_len};

/// One encoded span: an `opentelemetry.proto.trace.v1.Span` message.
///
/// `clone` is one reference count, whatever the size. Ids and times are read through
/// [`view`](Self::view) without decoding attributes, events or links. Built by
/// [`SpanEncoder::encode`](super::SpanEncoder::encode), with or without the SDK:
///
/// ```
/// use otlp_core::span::{SpanEncoder, SpanIdentity, SpanKind};
/// use otlp_core::wire::Value;
/// use otlp_core::SpanLimits;
///
/// let limits = SpanLimits::default();
/// let identity = SpanIdentity { trace_id: [1; 16], span_id: [2; 8], trace_flags: 1, ..Default::default() };
/// let mut encoder = SpanEncoder::default();
/// encoder.start(identity, "GET /users/{id}", SpanKind::Server, 1_000);
/// encoder.set_attribute("http.response.status_code", Value::I64(200), &limits);
/// let span = encoder.encode(2_500);
///
/// let view = span.view()?;
/// assert_eq!(view.span_id(), &[2; 8]);
/// assert_eq!(view.end_time_unix_nano() - view.start_time_unix_nano(), 1_500);
/// # Ok::<(), otlp_core::wire::WireError>(())
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
#[doc(alias = "ZeroCopySpanData")]
pub struct EncodedSpan {
    bytes: Bytes,
}

impl EncodedSpan {
    /// Takes a span from outside after a strict check of all its bytes.
    ///
    /// # Errors
    ///
    /// The bytes are not a valid `Span` message.
    pub fn from_bytes(bytes: Bytes) -> Result<Self, WireError> {
        crate::wire::scan::check_span(&bytes)?;
        Ok(Self { bytes })
    }

    pub(super) fn from_encoder(bytes: Bytes) -> Self {
        Self { bytes }
    }

    /// The encoded message.
    #[must_use]
    pub fn as_bytes(&self) -> &Bytes {
        &self.bytes
    }

    /// The fields, read on demand.
    ///
    /// # Errors
    ///
    /// Never for a span that the encoder made or [`from_bytes`](Self::from_bytes) checked.
    pub fn view(&self) -> Result<SpanView<'_>, WireError> {
        SpanView::parse(&self.bytes)
    }

    /// Length of the span as an item of its scope, key and length included.
    #[must_use]
    pub fn item_len(&self) -> usize {
        len_field(self.bytes.len())
    }

    /// Appends the span as an item of its scope: field key, length, message.
    pub fn put_item(&self, buf: &mut Vec<u8>) {
        put_len(buf, key(2, LEN), &self.bytes);
    }
}

impl From<EncodedSpan> for Bytes {
    fn from(span: EncodedSpan) -> Self {
        span.bytes
    }
}
