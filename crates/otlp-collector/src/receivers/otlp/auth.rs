//! Who may send: checked by the headers of a request, before its body is read.

use std::fmt;
use std::net::SocketAddr;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::time::Duration;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use futures_util::FutureExt as _;
use http::HeaderMap;
use http::header::{AUTHORIZATION, HeaderValue};
use otlp_core::export::Secret;
use subtle::{Choice, ConstantTimeEq as _};

use super::refusal::{Kind, Refusal};
use crate::component::BoxFuture;

/// Checks who sends. Asked once for each request, before its body is read.
///
/// The check is made where the request is served, so it must not block: what has to be fetched, such as keys,
/// is fetched beforehand. Credentials are compared in constant time, and stay out of every message.
pub trait Authenticator: fmt::Debug + Send + Sync + 'static {
    /// Whether the request may be served.
    ///
    /// # Errors
    ///
    /// It may not; see [`Denied`].
    fn authenticate(&self, request: &Credentials<'_>) -> Result<(), Denied>;

    /// Looks again at credentials that [`authenticate`](Self::authenticate) has called unknown, where that takes
    /// longer than a request may hold a thread, such as comparing a slow hash. What is returned must not block
    /// either: it waits for work that is done elsewhere, and bounds how much of it there is. Default: nothing.
    fn look_closer(
        &self,
        request: &Credentials<'_>,
    ) -> Option<BoxFuture<'static, Result<(), Denied>>> {
        let _ = request;
        None
    }

    /// What `WWW-Authenticate` says to a client that is not known. Default `Bearer`.
    fn challenge(&self) -> HeaderValue {
        HeaderValue::from_static("Bearer")
    }
}

/// What is known of a request before its body.
#[derive(Clone, Copy, Debug)]
#[non_exhaustive]
pub struct Credentials<'a> {
    /// The headers, or the metadata of gRPC.
    pub headers: &'a HeaderMap,
    /// The other end of the connection.
    pub peer: SocketAddr,
}

impl<'a> Credentials<'a> {
    /// What is known of a request.
    #[must_use]
    pub const fn new(headers: &'a HeaderMap, peer: SocketAddr) -> Self {
        Self { headers, peer }
    }
}

/// Why a request is not served.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum Denied {
    /// Nobody knows who sends: UNAUTHENTICATED, 401.
    #[error("the credentials are missing or not valid")]
    Unknown,
    /// The sender is known, and may not: PERMISSION_DENIED, 403.
    #[error("the credentials do not allow this")]
    NotAllowed,
    /// Too many credentials are being looked at, so these were not: UNAVAILABLE, 503.
    #[error("too many credentials are being checked")]
    Busy,
}

/// One of several tokens, as `Authorization: Bearer <token>`.
///
/// ```
/// use otlp_collector::receivers::otlp::BearerTokens;
///
/// let tokens = BearerTokens::new(["s3cret".into()]);
/// assert!(!format!("{tokens:?}").contains("s3cret"));
/// ```
#[derive(Clone, Debug)]
pub struct BearerTokens(Vec<Secret>);

impl BearerTokens {
    /// Any of these tokens will do. Without one, nobody may send.
    pub fn new(tokens: impl IntoIterator<Item = Secret>) -> Self {
        Self(tokens.into_iter().collect())
    }
}

impl Authenticator for BearerTokens {
    fn authenticate(&self, request: &Credentials<'_>) -> Result<(), Denied> {
        let token = scheme(request.headers, "bearer").ok_or(Denied::Unknown)?;
        one_of(self.0.iter().map(Secret::expose), token)
    }
}

/// One of several names with its password, as `Authorization: Basic …`.
#[derive(Clone, Debug)]
pub struct BasicCredentials(Vec<Secret>);

impl BasicCredentials {
    /// Any of these will do: name and password. Without one, nobody may send.
    pub fn new<'a>(users: impl IntoIterator<Item = (&'a str, &'a str)>) -> Self {
        let pairs = users.into_iter().map(|(name, password)| format!("{name}:{password}"));
        Self(pairs.map(|pair| Secret::new(STANDARD.encode(pair))).collect())
    }
}

impl Authenticator for BasicCredentials {
    fn authenticate(&self, request: &Credentials<'_>) -> Result<(), Denied> {
        let given = scheme(request.headers, "basic").ok_or(Denied::Unknown)?;
        one_of(self.0.iter().map(Secret::expose), given)
    }

    fn challenge(&self) -> HeaderValue {
        HeaderValue::from_static("Basic realm=\"otlp\", charset=\"UTF-8\"")
    }
}

/// Asks an authenticator. One that panics lets nobody in.
pub(super) async fn check(
    authenticator: &dyn Authenticator,
    credentials: &Credentials<'_>,
) -> Result<(), Refusal> {
    let denied = match ask(authenticator, credentials).await {
        Some(Ok(())) => return Ok(()),
        Some(Err(denied)) => denied,
        None => return Err(Refusal::panicked()),
    };
    let kind = match denied {
        Denied::Unknown => Kind::Unauthenticated,
        Denied::NotAllowed => Kind::Forbidden,
        Denied::Busy => return Err(Refusal::overloaded(denied.to_string(), BUSY)),
    };
    Err(Refusal::new(kind, denied.to_string()))
}

/// What an authenticator says; `None` if it panics.
pub(crate) async fn ask(
    authenticator: &dyn Authenticator,
    credentials: &Credentials<'_>,
) -> Option<Result<(), Denied>> {
    let asked = catch_unwind(AssertUnwindSafe(|| match authenticator.authenticate(credentials) {
        Err(Denied::Unknown) => authenticator.look_closer(credentials).ok_or(Err(Denied::Unknown)),
        answer => Err(answer),
    }));
    match asked {
        Ok(Ok(closer)) => AssertUnwindSafe(closer).catch_unwind().await.ok(),
        Ok(Err(answer)) => Some(answer),
        Err(_) => None,
    }
}

/// What follows the name of the scheme in the only `Authorization` header.
pub(crate) fn scheme<'h>(headers: &'h HeaderMap, name: &str) -> Option<&'h [u8]> {
    let mut values = headers.get_all(AUTHORIZATION).iter();
    let value = values.next().filter(|_| values.next().is_none())?.as_bytes();
    let (scheme, rest) = value.split_at_checked(name.len())?;
    let token = rest.strip_prefix(b" ").filter(|_| scheme.eq_ignore_ascii_case(name.as_bytes()))?;
    Some(token.trim_ascii())
}

/// Whether `given` is one of `known`: all are compared, whichever it is.
pub(crate) fn one_of<'a>(known: impl Iterator<Item = &'a str>, given: &[u8]) -> Result<(), Denied> {
    let none = Choice::from(0);
    let found = known.fold(none, |found, known| found | known.as_bytes().ct_eq(given));
    if bool::from(found) { Ok(()) } else { Err(Denied::Unknown) }
}

/// When to come again with credentials that were not looked at.
const BUSY: Duration = Duration::from_secs(1);

#[cfg(test)]
mod tests {
    use super::*;

    fn check(authenticator: &dyn Authenticator, values: &[&str]) -> bool {
        let mut headers = HeaderMap::new();
        for value in values {
            headers.append(AUTHORIZATION, HeaderValue::from_str(value).unwrap());
        }
        let peer = SocketAddr::from(([127, 0, 0, 1], 1));
        authenticator.authenticate(&Credentials { headers: &headers, peer }).is_ok()
    }

    #[test]
    fn a_token_is_taken_whole_and_alone() {
        let tokens = BearerTokens::new(["one".into(), "two".into()]);
        assert!(check(&tokens, &["Bearer one"]) && check(&tokens, &["bearer two"]));
        for wrong in ["", "one", "Bearer", "Bearer ", "Bearer on", "Bearer onee", "Basic one"] {
            assert!(!check(&tokens, &[wrong]), "{wrong}");
        }
        assert!(!check(&tokens, &[]));
        assert!(!check(&tokens, &["Bearer one", "Bearer one"]), "which of the two counts?");
        assert!(!check(&BearerTokens::new([]), &["Bearer "]));
    }

    #[test]
    fn a_name_goes_with_its_own_password() {
        let users = BasicCredentials::new([("ann", "a:b"), ("bob", "c")]);
        let basic = |text: &str| format!("Basic {}", STANDARD.encode(text));
        assert!(check(&users, &[&basic("ann:a:b")]) && check(&users, &[&basic("bob:c")]));
        for wrong in ["ann:c", "bob:a:b", "ann", ":", "ann:a"] {
            assert!(!check(&users, &[&basic(wrong)]), "{wrong}");
        }
    }
}
