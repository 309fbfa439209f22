//! What became of one export attempt.

use std::borrow::Cow;
use std::error::Error;
use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use super::status::AnswerStatus;

/// What became of one export attempt; the driver's whole basis for deciding what is next.
#[derive(Clone, Debug)]
#[non_exhaustive]
#[must_use = "an outcome that is not looked at is telemetry lost in silence"]
pub enum Outcome {
    /// The server took everything.
    Delivered {
        /// A warning it sent along: `partial_success` with `rejected` = 0 and a message. Or ours: its
        /// status is a success, but the rest of its answer cannot be read.
        warning: Option<String>,
        /// The status of its answer, if there was one.
        status: Option<AnswerStatus>,
    },
    /// The server took part of it. Final: the rest is counted as rejected and never resent
    /// (OTLP, "Partial Success").
    PartlyRejected {
        /// How many items it refused.
        rejected: u64,
        /// Its reason, in its own words.
        message: String,
        /// The status of its answer, if there was one.
        status: Option<AnswerStatus>,
    },
    /// The same bytes may succeed later.
    Retryable {
        /// What went wrong.
        error: ExportError,
        /// How long the server asked to wait (`RetryInfo`, `Retry-After`), not yet capped.
        retry_after: Option<Duration>,
    },
    /// The same bytes will never succeed.
    Permanent {
        /// What went wrong.
        error: ExportError,
    },
    /// The request as a whole is too large; smaller ones may succeed.
    TooLarge {
        /// What went wrong.
        error: ExportError,
    },
}

impl Outcome {
    /// Full success without a warning.
    pub const fn delivered() -> Self {
        Self::Delivered { warning: None, status: None }
    }

    /// Full success with a warning.
    pub const fn warned(warning: String) -> Self {
        Self::Delivered { warning: Some(warning), status: None }
    }

    /// Success for all but `rejected` items.
    pub const fn partly_rejected(rejected: u64, message: String) -> Self {
        Self::PartlyRejected { rejected, message, status: None }
    }

    /// Says with which status the server has answered. An error that is a status keeps its own.
    pub fn with_status(mut self, answered: AnswerStatus) -> Self {
        let (Self::Delivered { status, .. }
        | Self::PartlyRejected { status, .. }
        | Self::Retryable { error: ExportError { status, .. }, .. }
        | Self::Permanent { error: ExportError { status, .. } }
        | Self::TooLarge { error: ExportError { status, .. } }) = &mut self;
        *status = Some(answered);
        self
    }

    /// The status with which the server has answered, if it has, whatever the outcome.
    #[must_use]
    pub const fn status(&self) -> Option<AnswerStatus> {
        match self {
            Self::Delivered { status, .. } | Self::PartlyRejected { status, .. } => *status,
            Self::Retryable { error, .. }
            | Self::Permanent { error }
            | Self::TooLarge { error } => error.status(),
        }
    }

    /// A failure that may pass, without a delay from the server.
    pub const fn retryable(error: ExportError) -> Self {
        Self::Retryable { error, retry_after: None }
    }

    /// A failure that will not pass.
    pub const fn permanent(error: ExportError) -> Self {
        Self::Permanent { error }
    }

    /// Reads a decoded `partial_success` (protocol rows W10, W11): absent and empty mean full
    /// success, a message alone is a warning, a count is a partial rejection.
    pub fn from_partial_success(partial: Option<(i64, String)>) -> Self {
        match partial {
            None => Self::delivered(),
            Some((rejected, message)) => match u64::try_from(rejected) {
                Ok(rejected) if rejected > 0 => Self::partly_rejected(rejected, message),
                _ if message.is_empty() => Self::delivered(),
                _ => Self::warned(message),
            },
        }
    }

    /// The error, if the attempt failed as a whole.
    #[must_use]
    pub const fn error(&self) -> Option<&ExportError> {
        match self {
            Self::Delivered { .. } | Self::PartlyRejected { .. } => None,
            Self::Retryable { error, .. }
            | Self::Permanent { error }
            | Self::TooLarge { error } => Some(error),
        }
    }
}

/// Why an export attempt failed: a kind for programs, a text for people, the cause behind it.
///
/// The text names what was tried and what came back. It never holds a header value or any other
/// secret, and text from outside is escaped and cut to 256 bytes.
#[derive(Clone)]
pub struct ExportError {
    kind: ErrorKind,
    message: Cow<'static, str>,
    source: Option<Arc<dyn Error + Send + Sync>>,
    status: Option<AnswerStatus>,
}

impl ExportError {
    /// An error of `kind` with a text that stands alone.
    #[must_use]
    pub fn new(kind: ErrorKind, message: impl Into<Cow<'static, str>>) -> Self {
        Self { kind, message: message.into(), source: None, status: None }
    }

    /// Adds the error behind it.
    #[must_use]
    pub fn with_source(mut self, source: impl Into<Box<dyn Error + Send + Sync>>) -> Self {
        self.source = Some(Arc::from(source.into()));
        self
    }

    /// What kind of failure it is.
    #[must_use]
    pub const fn kind(&self) -> ErrorKind {
        self.kind
    }

    /// The status with which the server has answered, if it has: the one that is the error, or that of an
    /// answer which could not be used.
    #[must_use]
    pub const fn status(&self) -> Option<AnswerStatus> {
        match self.kind {
            ErrorKind::HttpStatus(status) => Some(AnswerStatus::Http(status)),
            ErrorKind::GrpcStatus(code) => Some(AnswerStatus::Grpc(code)),
            _ => self.status,
        }
    }
}

impl fmt::Display for ExportError {
    /// The text and, after it, every cause: the real reason is usually the last one.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.message)?;
        let mut last = self.message.to_string();
        let mut cause = self.source.as_deref().map(|e| e as &dyn Error);
        while let Some(error) = cause {
            // Libraries like to repeat the cause in their own text; say each thing once.
            let text = error.to_string();
            if !last.ends_with(&text) {
                write!(f, ": {text}")?;
                last = text;
            }
            cause = error.source();
        }
        Ok(())
    }
}

impl fmt::Debug for ExportError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "ExportError({:?}: {self})", self.kind)
    }
}

impl Error for ExportError {
    fn source(&self) -> Option<&(dyn Error + 'static)> {
        self.source.as_deref().map(|e| e as &(dyn Error + 'static))
    }
}

/// The kinds of failure, sorted by what the reader can do about them.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum ErrorKind {
    /// No connection: refused, unknown host, reset, TLS handshake failed.
    Connect,
    /// The deadline passed before the server had answered.
    Timeout,
    /// The connection ended before the answer was complete.
    Disconnected,
    /// The server answered with an HTTP status that is not a success.
    HttpStatus(u16),
    /// The server answered with a gRPC status that is not OK.
    GrpcStatus(i32),
    /// The answer is none of this protocol: a web page, or no complete answer of gRPC. A success whose
    /// message cannot be read is no error, but a warning with [`Outcome::Delivered`].
    InvalidResponse,
    /// The server's answer is larger than the configured limit.
    ResponseTooLarge,
    /// The request is larger than the configured limit and was not sent.
    RequestTooLarge,
    /// The request could not be made: a header callback failed, compression failed.
    Request,
    /// The exporter was shut down before.
    AlreadyShutdown,
    /// A panic was caught.
    Panic,
    /// Something else.
    Other,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_answer_has_its_status_whatever_the_outcome() {
        let ok = AnswerStatus::Grpc(0);
        assert_eq!(Outcome::delivered().with_status(ok).status(), Some(ok));
        assert_eq!(Outcome::partly_rejected(1, String::new()).with_status(ok).status(), Some(ok));
        assert_eq!(Outcome::delivered().status(), None);
        let busy = Outcome::retryable(ExportError::new(ErrorKind::HttpStatus(503), "busy"));
        assert_eq!(busy.with_status(ok).status(), Some(AnswerStatus::Http(503)));
        let garbage = Outcome::permanent(ExportError::new(ErrorKind::InvalidResponse, "garbage"));
        assert_eq!(garbage.status(), None);
        assert_eq!(garbage.with_status(ok).status(), Some(ok));
    }
}
