//! What every queue, exporter and pipeline stage holds: encoded OTLP, by reference count.
//!
//! A [`Payload`] is one valid export request of one signal as a rope of [`Bytes`]. Cloning,
//! merging, splitting, retrying and fanning out move reference counts and never re-encode.

mod body;
#[cfg(feature = "json")]
mod json;
mod rope;

use std::sync::Arc;

use bytes::Bytes;

pub use self::body::Body;
#[cfg(feature = "json")]
pub use self::json::JsonBodyError;
pub use self::rope::Rope;

use self::body::Forms;
use crate::export::{CompressError, Compression};
use crate::signal::Signal;
use crate::wire::{WireError, request};

/// One encoded export request: signal, bytes, item count.
///
/// The bytes are a whole `Export<Signal>ServiceRequest`. Protobuf concatenates, so
/// [`merge`](Self::merge) is an append of parts and [`split`](Self::split) cuts at items and
/// writes new envelopes around untouched slices.
///
/// `clone` is one reference count, whatever the size. The compressed form is made once and shared
/// by all clones, so a retry or a second destination with the same codec pays nothing.
///
/// ```
/// use bytes::Bytes;
/// use otlp_core::{Payload, Signal};
///
/// // An empty request is valid OTLP and has no items.
/// let payload = Payload::from_request(Signal::Traces, Bytes::new())?;
/// assert_eq!((payload.items(), payload.len()), (0, 0));
/// # Ok::<(), otlp_core::wire::WireError>(())
/// ```
#[derive(Clone, Debug)]
pub struct Payload {
    signal: Signal,
    items: usize,
    shared: Arc<Shared>,
}

#[derive(Debug)]
struct Shared {
    rope: Rope,
    compressed: Forms,
    #[cfg(feature = "json")]
    json: json::JsonForms,
}

impl Payload {
    /// Wraps a request whose item count is already known, as an encoder does.
    ///
    /// The caller vouches for both; use [`from_request`](Self::from_request) for bytes from
    /// outside.
    #[must_use]
    pub fn from_parts(signal: Signal, rope: Rope, items: usize) -> Self {
        let shared = Shared {
            rope,
            compressed: Forms::default(),
            #[cfg(feature = "json")]
            json: json::JsonForms::default(),
        };
        Self { signal, items, shared: Arc::new(shared) }
    }

    /// Wraps request bytes from outside and counts their items by walking the envelopes.
    ///
    /// # Errors
    ///
    /// The bytes are not a well-formed chain of envelopes. Items themselves are not looked into;
    /// that is the work of the strict reader in [`wire`](crate::wire).
    pub fn from_request(signal: Signal, request: impl Into<Rope>) -> Result<Self, WireError> {
        let rope = request.into();
        let items = request::count_items(signal, &rope)?;
        Ok(Self::from_parts(signal, rope, items))
    }

    /// The signal that the request belongs to.
    #[must_use]
    pub fn signal(&self) -> Signal {
        self.signal
    }

    /// Number of spans, log records or metric data points.
    #[must_use]
    pub fn items(&self) -> usize {
        self.items
    }

    /// Exact encoded length in bytes, before compression.
    #[must_use]
    pub fn len(&self) -> usize {
        self.shared.rope.len()
    }

    /// Whether the request has no bytes at all.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// The encoded request.
    #[must_use]
    pub fn rope(&self) -> &Rope {
        &self.shared.rope
    }

    /// The request body under `compression`, compressed on first use and shared by all clones.
    ///
    /// Costs CPU once per codec; with [`Compression::None`] it costs a clone of the rope.
    ///
    /// # Errors
    ///
    /// The codec failed, which for in-memory data means that it could not get memory.
    pub fn body(&self, compression: Compression) -> Result<Body, CompressError> {
        self.shared.compressed.body(&self.shared.rope, compression)
    }

    /// The request body in JSON under `compression`, made on first use and shared by all clones.
    ///
    /// `max` bounds the text before compression (row Z1). Costs CPU once per codec, in the order of what
    /// compressing costs; the text itself is kept only where it is not compressed.
    ///
    /// # Errors
    ///
    /// The text is larger than `max`, the request is not OTLP (a string that is not UTF-8), or the codec
    /// failed.
    #[cfg(feature = "json")]
    pub fn json_body(&self, compression: Compression, max: usize) -> Result<Body, JsonBodyError> {
        self.shared.json.body(self.signal, self.rope(), compression, max)
    }

    /// Appends another request of the same signal.
    ///
    /// # Errors
    ///
    /// Gives both back when their signals differ.
    pub fn merge(self, other: Self) -> Result<Self, (Self, Self)> {
        if self.signal != other.signal {
            return Err((self, other));
        }
        let items = self.items.saturating_add(other.items);
        // Without another clone the list of pieces is taken over: merging many costs no squares.
        let mut rope = match Arc::try_unwrap(self.shared) {
            Ok(shared) => shared.rope,
            Err(shared) => shared.rope.clone(),
        };
        rope.append(&other.shared.rope);
        Ok(Self::from_parts(self.signal, rope, items))
    }

    /// Cuts the request into requests of at most `limit` bytes and items, in order.
    ///
    /// Items keep their bytes; only envelopes are written anew. An item that is larger than the
    /// byte limit on its own comes alone in a request over the limit, so that the caller can
    /// count it; nothing is left out. A request within the limit comes back as it is.
    ///
    /// # Errors
    ///
    /// The bytes are not a well-formed chain of envelopes.
    pub fn split(&self, limit: SplitLimit) -> Result<Vec<Self>, WireError> {
        if self.len() <= limit.bytes && self.items <= limit.items {
            return Ok(vec![self.clone()]);
        }
        request::split(self.signal, self.rope(), limit)
    }
}

impl Payload {
    /// Cuts the request into two halves of about the same number of items.
    ///
    /// `None` when there is nothing to divide, as with a single item: a server that calls that too
    /// large will never take it.
    ///
    /// # Errors
    ///
    /// The bytes are not a well-formed chain of envelopes.
    pub fn halve(&self) -> Result<Option<(Self, Self)>, WireError> {
        if self.items < 2 {
            return Ok(None);
        }
        let limit = SplitLimit { items: self.items.div_ceil(2), ..SplitLimit::NONE };
        let mut parts = self.split(limit)?.into_iter();
        let Some(first) = parts.next() else { return Ok(None) };
        let Some(second) = parts.next() else { return Ok(None) };
        // Counting points, a metric that is larger than half stands alone: more than two parts.
        let second = parts.fold(second, |all, part| match all.merge(part) {
            Ok(merged) => merged,
            Err((all, _)) => all,
        });
        Ok(Some((first, second)))
    }
}

/// How large a request may be after [`Payload::split`].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct SplitLimit {
    /// Most encoded bytes per request.
    pub bytes: usize,
    /// Most items per request; 0 is read as 1.
    pub items: usize,
}

impl SplitLimit {
    /// No limit.
    pub const NONE: Self = Self { bytes: usize::MAX, items: usize::MAX };
}

impl Default for SplitLimit {
    fn default() -> Self {
        Self::NONE
    }
}

impl From<Payload> for Bytes {
    /// The request in one piece; free of copies when the rope has a single part.
    fn from(payload: Payload) -> Self {
        payload.rope().to_bytes()
    }
}
