//! What an attempt has in common over every transport: what is done before the request goes out,
//! and the outcomes of one that did not.
//!
//! `what` names the attempt in messages, without secrets: "POST http://localhost:4318/v1/traces".

use std::fmt::{self, Display};
use std::time::Duration;

use super::cause::{Cause, provider_failure};
use super::compression::Compression;
use super::headers::{HeaderProvider, Headers};
use super::outcome::{ErrorKind, ExportError, Outcome};
use super::redact::Redactor;
#[cfg(feature = "json")]
use crate::payload::JsonBodyError;
use crate::payload::{Body, Payload};
#[cfg(feature = "json")]
use crate::wire::json::WriteError;
use crate::wire::response::PartialSuccess;

/// The body to send, compressed.
///
/// # Errors
///
/// The outcome when it has more than `max` bytes, before or after compression (Z1), or cannot be
/// compressed.
pub fn body(
    what: impl Display,
    payload: &Payload,
    compression: Compression,
    max: usize,
) -> Result<Body, Outcome> {
    check_size(&what, payload.len(), max)?;
    let body = payload
        .body(compression)
        .map_err(|error| not_sent(&what, format_args!("it cannot be compressed: {error}")))?;
    // Bytes that do not compress grow a little.
    check_size(&what, body.len(), max)?;
    Ok(body)
}

/// The body to send in JSON, compressed.
///
/// # Errors
///
/// The outcome when it has more than `max` bytes, before or after compression (Z1), has no JSON form, or
/// cannot be compressed.
#[cfg(feature = "json")]
pub fn json_body(
    what: impl Display,
    payload: &Payload,
    compression: Compression,
    max: usize,
) -> Result<Body, Outcome> {
    let body = payload.json_body(compression, max).map_err(|error| match error {
        JsonBodyError::Json(error @ WriteError::TooLarge { .. }) => over_limit(&what, error),
        JsonBodyError::Json(error) => not_sent(
            &what,
            format_args!("it cannot be written in JSON, since it is not OTLP: {error}"),
        ),
        JsonBodyError::Compress(error) => {
            not_sent(&what, format_args!("it cannot be compressed: {error}"))
        }
    })?;
    check_size(&what, body.len(), max)?;
    Ok(body)
}

/// The headers that the provider has for this attempt.
///
/// # Errors
///
/// The outcome when the provider fails or panics: retryable, and without its words, which may quote
/// the credentials.
pub async fn provided_headers(
    what: impl Display,
    provider: &HeaderProvider,
) -> Result<Headers, Outcome> {
    let problem = match provider.caught().await {
        Some(Ok(headers)) => return Ok(headers),
        Some(Err(error)) => provider_failure(&*error),
        None => "the header provider panicked; its words are left out, since they may quote \
                 credentials"
            .to_owned(),
    };
    let text = format!("{what} not sent: {problem}");
    Err(Outcome::retryable(ExportError::new(ErrorKind::Request, text)))
}

/// The outcome of a request that cannot be made, now or later.
pub fn not_sent(what: impl Display, problem: impl Display) -> Outcome {
    let text = format!("{what} not sent: {problem}");
    Outcome::permanent(ExportError::new(ErrorKind::Request, text))
}

/// The outcome of a request that was not answered in time. `timeout` is what the configuration gives to
/// a request; its deadline may have been sooner.
pub fn timed_out(what: impl Display, timeout: Option<Duration>) -> Outcome {
    let timeout = timeout.map_or_else(String::new, |it| format!(" (timeout of a request: {it:?})"));
    let text = format!("{what}: the deadline passed before the server had answered{timeout}");
    Outcome::retryable(ExportError::new(ErrorKind::Timeout, text))
}

/// The outcome of a request with `sent` items that the server took, with what it said beside that
/// (W10, W11).
///
/// A server that claims to have rejected more than it was sent has rejected all of it.
pub fn accepted(sent: usize, partial: Option<PartialSuccess>, redactor: Redactor<'_>) -> Outcome {
    let Some(PartialSuccess { rejected, message }) = partial else { return Outcome::delivered() };
    let message = redactor.printable(&message);
    let Some(count) = u64::try_from(rejected).ok().filter(|count| *count > 0) else {
        return Outcome::from_partial_success(Some((0, message)));
    };
    let reason = if message.is_empty() { "no reason given".to_owned() } else { message };
    let sent = sent as u64;
    if count <= sent {
        return Outcome::partly_rejected(count, reason);
    }
    let reason = format!("the server claims {count} of {sent}, more than it was sent: {reason}");
    match sent {
        0 => Outcome::warned(reason),
        _ => Outcome::partly_rejected(sent, reason),
    }
}

/// The outcome of a success whose answer cannot be read, which `problem` says: the server has taken
/// everything. To send it again would double it, and to count it as lost would be as wrong.
pub fn unread(problem: impl Display) -> Outcome {
    Outcome::warned(format!(
        "the status of the answer says that all was taken; the rest of it cannot be read: {problem}"
    ))
}

/// A limit for what a server answers, to be named when an answer is over it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Limit {
    /// The bytes of its body or message.
    Body(usize),
    /// Its headers or trailers, in words: `16 KiB`.
    Headers(&'static str),
}

impl Display for Limit {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Body(bytes) => write!(f, "the limit for answers is {bytes} bytes"),
            Self::Headers(words) => write!(f, "the limit for headers of an answer is {words}"),
        }
    }
}

/// The error of a request that failed: the limit that the answer is over, the hint, and what of its
/// cause is fit for a message.
#[must_use]
pub fn failure(
    what: impl Display,
    kind: ErrorKind,
    over: Option<Limit>,
    hint: Option<&str>,
    cause: Cause,
) -> ExportError {
    let mut text = format!("{what} failed");
    if let Some(limit) = over {
        text.push_str(&format!(" ({limit})"));
    }
    if let Some(hint) = hint {
        text.push_str(&format!(" (hint: {hint})"));
    }
    ExportError::new(kind, text).with_source(cause)
}

/// The outcome of every request after shutdown.
pub fn already_shutdown() -> Outcome {
    let problem = "the exporter was shut down";
    Outcome::permanent(ExportError::new(ErrorKind::AlreadyShutdown, problem))
}

/// The outcome of a request that is driven by something else than a Tokio runtime.
pub fn no_runtime() -> Outcome {
    let problem = "the exporter must be driven on a Tokio runtime with time and I/O";
    Outcome::permanent(ExportError::new(ErrorKind::Request, problem))
}

fn check_size(what: impl Display, size: usize, max: usize) -> Result<(), Outcome> {
    if size <= max {
        return Ok(());
    }
    Err(over_limit(what, format_args!("{size} bytes are over the limit of {max}")))
}

fn over_limit(what: impl Display, problem: impl Display) -> Outcome {
    let text = format!("{what} not sent: {problem}");
    Outcome::TooLarge { error: ExportError::new(ErrorKind::RequestTooLarge, text) }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::payload::Rope;
    use crate::signal::Signal;

    #[test]
    fn a_failure_names_limit_hint_and_cause() {
        let text = |kind, over, hint| {
            let cause = Cause::of(&std::io::Error::other("cut\noff"));
            failure("POST it", kind, over, hint, cause).to_string()
        };
        assert_eq!(
            text(ErrorKind::Disconnected, None, Some("try https")),
            r"POST it failed (hint: try https): cut\noff"
        );
        assert_eq!(
            text(ErrorKind::ResponseTooLarge, Some(Limit::Body(9)), None),
            r"POST it failed (the limit for answers is 9 bytes): cut\noff"
        );
        assert_eq!(
            text(ErrorKind::ResponseTooLarge, Some(Limit::Headers("1 KiB")), None),
            r"POST it failed (the limit for headers of an answer is 1 KiB): cut\noff"
        );
    }

    fn took(sent: usize, rejected: i64, message: &str) -> Outcome {
        let headers = Headers::parse("x-key=hunter2").unwrap();
        let partial = PartialSuccess { rejected, message: message.to_owned() };
        accepted(sent, Some(partial), Redactor::new(&headers))
    }

    #[test]
    fn what_a_server_rejected_has_a_count_and_a_reason() {
        // W10, W11
        let rejected = |sent, rejected, message| match took(sent, rejected, message) {
            Outcome::PartlyRejected { rejected, message, .. } => (rejected, message),
            other => panic!("{other:?}"),
        };
        assert_eq!(rejected(3, 2, "no\nhunter2"), (2, r"no\n***".to_owned()));
        assert_eq!(rejected(3, 3, " "), (3, "no reason given".to_owned()));
        let claim = "the server claims 1000 of 3, more than it was sent: ";
        assert_eq!(rejected(3, 1000, ""), (3, format!("{claim}no reason given")));
        assert_eq!(rejected(3, 1000, "full"), (3, format!("{claim}full")));
    }

    #[test]
    fn a_server_that_rejected_nothing_has_at_most_a_warning() {
        // W10, W11
        let warning = |sent, rejected, message| match took(sent, rejected, message) {
            Outcome::Delivered { warning, .. } => warning,
            other => panic!("{other:?}"),
        };
        assert_eq!(warning(3, 0, "slow, hunter2").as_deref(), Some("slow, ***"));
        assert_eq!(warning(3, -1, ""), None);
        assert!(warning(0, 1, "").unwrap().contains("1 of 0"));
        let headers = Headers::new();
        let none = accepted(3, None, Redactor::new(&headers));
        assert!(matches!(none, Outcome::Delivered { warning: None, .. }));
    }

    #[test]
    fn a_provider_that_panics_is_described_without_its_words() {
        struct Bomb;
        impl Drop for Bomb {
            fn drop(&mut self) {
                std::panic::panic_any("s3cr3t again");
            }
        }
        let at_once = HeaderProvider::new(|| -> std::future::Ready<_> { panic!("token s3cr3t") });
        let later = HeaderProvider::new(|| async { panic!("token s3cr3t") });
        let bomb = HeaderProvider::new(|| async { std::panic::panic_any(Bomb) });
        for provider in [at_once, later, bomb] {
            let mut headers = std::pin::pin!(provided_headers("POST it", &provider));
            let mut cx = std::task::Context::from_waker(std::task::Waker::noop());
            let std::task::Poll::Ready(Err(outcome)) = headers.as_mut().poll(&mut cx) else {
                panic!("waits or succeeds")
            };
            let text = format!("{outcome:?}");
            assert!(text.contains("panicked") && !text.contains("s3cr3t"), "{text}");
            assert!(matches!(outcome, Outcome::Retryable { .. }));
        }
    }

    #[test]
    fn a_body_over_the_limit_is_not_sent() {
        // Z1
        let payload = Payload::from_parts(Signal::Logs, Rope::from(vec![7; 100]), 1);
        let sized = |compression, max| body("POST it", &payload, compression, max);
        assert_eq!(sized(Compression::None, 100).unwrap().len(), 100);
        let outcome = sized(Compression::None, 99).unwrap_err();
        let text = outcome.error().unwrap().to_string();
        assert_eq!(text, "POST it not sent: 100 bytes are over the limit of 99");
        assert!(matches!(outcome, Outcome::TooLarge { .. }));
        // Small enough on the wire is not enough: the server inflates it.
        assert!(sized(Compression::gzip(), 99).is_err());
    }
}
