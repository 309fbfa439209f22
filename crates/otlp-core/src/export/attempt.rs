//! What an attempt has in common over every transport: what is done before the request goes out,
//! and the outcomes of one that did not.
//!
//! `what` names the attempt in messages, without secrets: "POST http://localhost:4318/v1/traces".

use std::error::Error;
use std::fmt::Display;

use super::cause::{Cause, provider_failure};
use super::compression::Compression;
use super::headers::{HeaderProvider, Headers};
use super::outcome::{ErrorKind, ExportError, Outcome};
use crate::payload::{Body, Payload};
use crate::wire::WireError;

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

/// The headers that the provider has for this attempt.
///
/// # Errors
///
/// The outcome when the provider fails: retryable, and without its words, which may quote the
/// credentials.
pub async fn provided_headers(
    what: impl Display,
    provider: &HeaderProvider,
) -> Result<Headers, Outcome> {
    provider.headers().await.map_err(|error| {
        let text = format!("{what} not sent: {}", provider_failure(&*error));
        Outcome::retryable(ExportError::new(ErrorKind::Request, text))
    })
}

/// The outcome of a request that cannot be made, now or later.
pub fn not_sent(what: impl Display, problem: impl Display) -> Outcome {
    let text = format!("{what} not sent: {problem}");
    Outcome::permanent(ExportError::new(ErrorKind::Request, text))
}

/// The outcome of a request that was not answered in time.
pub fn timed_out(what: impl Display) -> Outcome {
    let text = format!("{what}: the deadline passed before the server had answered");
    Outcome::retryable(ExportError::new(ErrorKind::Timeout, text))
}

/// The error of a request that failed: its hint, and what of its `cause` is fit for a message.
///
/// `limit` is the one for answers; it is named when the answer was
/// [too large](ErrorKind::ResponseTooLarge).
#[must_use]
pub fn failure(
    what: impl Display,
    kind: ErrorKind,
    limit: usize,
    hint: Option<&str>,
    cause: &(dyn Error + 'static),
) -> ExportError {
    let mut text = format!("{what} failed");
    if kind == ErrorKind::ResponseTooLarge {
        text.push_str(&format!(" (the limit for answers is {limit} bytes)"));
    }
    if let Some(hint) = hint {
        text.push_str(&format!(" (hint: {hint})"));
    }
    ExportError::new(kind, text).with_source(Cause::of(cause))
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
    let text = format!("{what} not sent: {size} bytes are over the limit of {max}");
    Err(Outcome::TooLarge { error: ExportError::new(ErrorKind::RequestTooLarge, text) })
}

/// The server answered with success, and then with bytes that are no export response.
#[derive(Debug, thiserror::Error)]
#[error("the server's answer is not an OTLP response")]
pub struct NotOtlp(#[from] WireError);

#[cfg(test)]
mod tests {
    use super::*;
    use crate::payload::Rope;
    use crate::signal::Signal;

    #[test]
    fn a_failure_names_limit_hint_and_cause() {
        let cause = std::io::Error::other("cut\noff");
        let text = |kind, hint| failure("POST it", kind, 9, hint, &cause).to_string();
        assert_eq!(
            text(ErrorKind::Disconnected, Some("try https")),
            r"POST it failed (hint: try https): cut\noff"
        );
        assert_eq!(
            text(ErrorKind::ResponseTooLarge, None),
            r"POST it failed (the limit for answers is 9 bytes): cut\noff"
        );
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
