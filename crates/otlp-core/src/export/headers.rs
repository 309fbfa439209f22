//! Extra request headers: validated once, values never shown, and a callback for those that change.

use std::error::Error;
use std::fmt;
use std::future::{Future, poll_fn};
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::pin::Pin;
use std::sync::Arc;
use std::task::Poll;

use http::header::HeaderName;
use percent_encoding::percent_decode_str;

use super::secret::{Secret, shown};

/// Headers to send with each request: lower-case names in order, values hidden.
///
/// A name stands once; setting it again replaces the value. The list is bounded: 64 headers and
/// 64 KiB of text.
///
/// ```
/// use otlp_core::export::Headers;
///
/// let headers = Headers::parse("Authorization=Bearer%20abc,x-tenant=7")?;
/// assert_eq!(headers.get("authorization").unwrap().expose(), "Bearer abc");
/// assert_eq!(format!("{headers:?}"), r#"{"authorization": ***, "x-tenant": ***}"#);
/// # Ok::<(), otlp_core::export::HeaderError>(())
/// ```
#[derive(Clone, Default)]
pub struct Headers {
    list: Vec<(String, Secret)>,
}

impl Headers {
    /// No headers.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// Reads `name=value,name=value` (W3C Baggage form, as in `OTEL_EXPORTER_OTLP_HEADERS`):
    /// values are percent-decoded, `;` has no special meaning, empty members are skipped.
    ///
    /// # Errors
    ///
    /// The first member that cannot be used. The error names the header or the member's position,
    /// never the value.
    pub fn parse(text: &str) -> Result<Self, HeaderError> {
        let (headers, errors) = Self::parse_usable(text);
        match errors.into_iter().next() {
            Some(error) => Err(error),
            None => Ok(headers),
        }
    }

    /// As [`parse`](Self::parse), but keeps the usable members beside what is wrong with others.
    #[must_use]
    pub fn parse_usable(text: &str) -> (Self, Vec<HeaderError>) {
        let mut headers = Self::new();
        let mut errors = Vec::new();
        for (at, member) in text.split(',').enumerate() {
            if !member.trim().is_empty()
                && let Err(error) = headers.insert_member(at + 1, member)
            {
                errors.push(error);
            }
        }
        (headers, errors)
    }

    fn insert_member(&mut self, position: usize, member: &str) -> Result<(), HeaderError> {
        let Some((name, value)) = member.split_once('=') else {
            return Err(HeaderError::NoEquals { position });
        };
        // A secret with a comma in it ends up here in pieces, so this text is not shown either.
        let name = parse_name(name.trim()).ok_or(HeaderError::NameAt { position })?;
        let Ok(value) = percent_decode_str(value.trim()).decode_utf8() else {
            return Err(HeaderError::Value { name });
        };
        self.insert_parsed(name, &Secret::from(value.as_ref()))
    }

    /// Sets a header, replacing its earlier value.
    ///
    /// # Errors
    ///
    /// The name is not an HTTP token, belongs to the exporter ([`HeaderError::Reserved`]), the
    /// value holds something else than visible ASCII, spaces and tabs, or the list is full.
    pub fn insert(&mut self, name: &str, value: impl Into<Secret>) -> Result<(), HeaderError> {
        let parsed = parse_name(name.trim());
        let name = parsed.ok_or_else(|| HeaderError::Name { name: shown(name) })?;
        self.insert_parsed(name, &value.into())
    }

    fn insert_parsed(&mut self, name: String, value: &Secret) -> Result<(), HeaderError> {
        if is_reserved(&name) {
            return Err(HeaderError::Reserved { name });
        }
        let text = value.expose().trim_matches([' ', '\t']);
        if !text.bytes().all(|b| b == b'\t' || (b' '..=b'~').contains(&b)) {
            return Err(HeaderError::Value { name });
        }
        self.set(name, Secret::from(text))
    }

    fn set(&mut self, name: String, value: Secret) -> Result<(), HeaderError> {
        let others = || self.list.iter().filter(|(known, _)| *known != name);
        let bytes: usize = others().map(|(n, v)| n.len() + v.expose().len()).sum();
        if others().count() >= HEADERS_MAX || bytes + name.len() + value.expose().len() > BYTES_MAX
        {
            return Err(HeaderError::TooMany { name });
        }
        match self.list.iter_mut().find(|(known, _)| *known == name) {
            Some((_, kept)) => *kept = value,
            None => self.list.push((name, value)),
        }
        Ok(())
    }

    /// Sets the headers of `other`, which replace equal names here.
    ///
    /// # Errors
    ///
    /// The list is full.
    pub fn merge(&mut self, other: &Self) -> Result<(), HeaderError> {
        other.list.iter().try_for_each(|(name, value)| self.set(name.clone(), value.clone()))
    }

    /// The value of a header, by its name in any case.
    #[must_use]
    pub fn get(&self, name: &str) -> Option<&Secret> {
        self.list.iter().find(|(known, _)| known.eq_ignore_ascii_case(name)).map(|(_, value)| value)
    }

    /// Names (lower case) and values, in order.
    pub fn iter(&self) -> impl Iterator<Item = (&str, &Secret)> {
        self.list.iter().map(|(name, value)| (name.as_str(), value))
    }

    /// Number of headers.
    #[must_use]
    pub fn len(&self) -> usize {
        self.list.len()
    }

    /// Whether there are none.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.list.is_empty()
    }
}

impl fmt::Debug for Headers {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_map().entries(self.iter()).finish()
    }
}

/// A header that cannot be used. Never holds a value.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum HeaderError {
    /// The name is not an HTTP token.
    #[error(
        "header name \"{name}\" is not valid; accepted are letters, digits and !#$%&'*+-.^_`|~"
    )]
    Name {
        /// The name, escaped and cut.
        name: String,
    },
    /// The name in one member of a list is not an HTTP token.
    #[error("the header name in member {position} of the list is not valid")]
    NameAt {
        /// The member, counted from 1.
        position: usize,
    },
    /// A member of a list has no `=`.
    #[error("member {position} of the list has no \"=\" after the header name")]
    NoEquals {
        /// The member, counted from 1.
        position: usize,
    },
    /// The value holds something else than visible ASCII, spaces and tabs.
    #[error("the value of header \"{name}\" holds characters that a header cannot carry")]
    Value {
        /// The header.
        name: String,
    },
    /// The exporter itself sets this header.
    #[error("header \"{name}\" is set by the exporter and cannot be overridden")]
    Reserved {
        /// The header.
        name: String,
    },
    /// The list would hold more than 64 headers or 64 KiB.
    #[error("header \"{name}\" does not fit: at most 64 headers with 64 KiB of text are accepted")]
    TooMany {
        /// The header.
        name: String,
    },
}

/// Makes extra headers for each request, for credentials that expire.
///
/// The callback runs before every attempt, under the request's deadline, so it should keep its
/// token and fetch a new one only when needed. Its headers replace static ones of the same name.
/// When it fails or panics, the request is not sent and counts as failed. Messages do not repeat its
/// words, which may quote the credentials; but a panic has gone through the process's panic hook by
/// then, which prints them unless it was set to do otherwise.
///
/// ```
/// use otlp_core::export::{HeaderProvider, Headers};
///
/// use std::sync::{Arc, RwLock};
///
/// // Something else of the application keeps this up to date.
/// let token = Arc::new(RwLock::new("abc".to_owned()));
/// let provider = HeaderProvider::new(move || {
///     let token = token.read().map(|token| token.clone()).unwrap_or_default();
///     async move {
///         let mut headers = Headers::new();
///         headers.insert("authorization", format!("Bearer {token}"))?;
///         Ok(headers)
///     }
/// });
/// # drop(provider);
/// ```
#[derive(Clone)]
pub struct HeaderProvider(Arc<Callback>);

/// What a [`HeaderProvider`] may fail with.
pub type HeaderProviderError = Box<dyn Error + Send + Sync>;

type HeadersFuture = Pin<Box<dyn Future<Output = Result<Headers, HeaderProviderError>> + Send>>;
type Callback = dyn Fn() -> HeadersFuture + Send + Sync;

impl HeaderProvider {
    /// Wraps a callback. It must not block the thread.
    pub fn new<F, Fut>(callback: F) -> Self
    where
        F: Fn() -> Fut + Send + Sync + 'static,
        Fut: Future<Output = Result<Headers, HeaderProviderError>> + Send + 'static,
    {
        Self(Arc::new(move || Box::pin(callback())))
    }

    /// Asks for the headers of one request.
    ///
    /// # Errors
    ///
    /// Whatever the callback fails with.
    pub async fn headers(&self) -> Result<Headers, HeaderProviderError> {
        (self.0)().await
    }

    /// As [`headers`](Self::headers), but `None` when the callback panics, before or after it has
    /// returned its future.
    pub(crate) async fn caught(&self) -> Option<Result<Headers, HeaderProviderError>> {
        let mut future = caught(|| (self.0)())?;
        poll_fn(|cx| match caught(|| future.as_mut().poll(cx)) {
            None => Poll::Ready(None),
            Some(polled) => polled.map(Some),
        })
        .await
    }
}

/// `None` when `work` panics. The panic's words are dropped here.
fn caught<T>(work: impl FnOnce() -> T) -> Option<T> {
    let payload = match catch_unwind(AssertUnwindSafe(work)) {
        Ok(value) => return Some(value),
        Err(payload) => payload,
    };
    // A payload may panic when it is dropped, and so may that one's payload.
    if let Err(again) = catch_unwind(AssertUnwindSafe(|| drop(payload))) {
        std::mem::forget(again);
    }
    None
}

impl fmt::Debug for HeaderProvider {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("HeaderProvider")
    }
}

/// Most headers in one list.
const HEADERS_MAX: usize = 64;

/// Most bytes of names and values in one list; servers refuse far less.
const BYTES_MAX: usize = 64 << 10;

/// The lower-case form of a valid name.
fn parse_name(name: &str) -> Option<String> {
    HeaderName::from_bytes(name.as_bytes()).ok().map(|name| name.as_str().to_owned())
}

/// Headers that say how the body is framed or what the exporter is; a user's value would make the
/// request invalid or untrue.
fn is_reserved(name: &str) -> bool {
    const RESERVED: [&str; 16] = [
        "accept-encoding",
        "connection",
        "content-encoding",
        "content-length",
        "content-type",
        "expect",
        "host",
        "http2-settings",
        "keep-alive",
        "proxy-connection",
        "te",
        "trailer",
        "transfer-encoding",
        "upgrade",
        "user-agent",
        "accept",
    ];
    name.starts_with("grpc-") || RESERVED.contains(&name)
}

#[cfg(test)]
mod tests;
