//! From an answer, or the lack of one, to the outcome that the driver acts on (table 1.5).

use std::error::Error;
use std::fmt;
use std::time::Duration;

use otlp_core::export::cause::{find, raw_texts};
use otlp_core::export::text::printable;
use otlp_core::export::{DecompressError, ErrorKind, ExportError, Outcome, attempt};
use otlp_core::{Signal, wire::response};

use crate::frame::FrameError;
use crate::hint::{self, Attempt};
use crate::status::{Status, says_too_large};
use crate::unary::{Answer, CallError};

/// What was tried, for messages.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Tried<'a> {
    /// Scheme, host and port.
    pub(crate) origin: &'a str,
    pub(crate) signal: Signal,
    pub(crate) attempt: Attempt,
    /// The limit for answers.
    pub(crate) limit: usize,
}

impl fmt::Display for Tried<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "POST {}{}", self.origin, self.signal.grpc_path())
    }
}

impl Tried<'_> {
    /// The outcome of a call that was answered, or broke.
    pub(crate) fn outcome(self, result: Result<Answer, CallError>) -> Outcome {
        match result {
            Ok(answer) if answer.status.is_ok() => self.accepted(&answer),
            Ok(answer) => self.refused(&answer.status),
            Err(CallError::NotGrpc(status)) => self.refused(&status),
            Err(error) => self.failed(&error),
        }
    }

    fn accepted(self, answer: &Answer) -> Outcome {
        match response::decode_partial_success(self.signal, &answer.message) {
            Ok(partial) => Outcome::from_partial_success(
                partial.map(|partial| (partial.rejected, printable(partial.message.trim()))),
            ),
            Err(error) => {
                let error = attempt::NotOtlp::from(error);
                Outcome::permanent(self.error(ErrorKind::InvalidResponse, None, &error))
            }
        }
    }

    fn refused(self, status: &Status) -> Outcome {
        let hint = hint::for_status(status.code, self.attempt);
        let mut text = format!("{self}: {}", status.code.name());
        if !status.message.is_empty() {
            text.push_str(&format!(": {}", printable(status.message.trim())));
        }
        if let Some(hint) = hint {
            text.push_str(&format!(" (hint: {hint})"));
        }
        let error = ExportError::new(ErrorKind::GrpcStatus(status.code.0), text);
        let retry_after = retry_delay(status);
        if retry_after.is_none() && says_too_large(status) {
            return Outcome::TooLarge { error };
        }
        if status.code.is_retryable(retry_after.is_some()) {
            return Outcome::Retryable { error, retry_after };
        }
        Outcome::permanent(error)
    }

    fn failed(self, error: &CallError) -> Outcome {
        if find::<tonic::TimeoutExpired>(error).is_some() {
            return attempt::timed_out(self);
        }
        let (kind, retryable) = match error {
            CallError::Unanswered(_) if is_connect(error) => (ErrorKind::Connect, true),
            CallError::Unanswered(_) | CallError::BrokenOff(_) => match limit_of_http2(error) {
                Some(kind) => (kind, false),
                None => (ErrorKind::Disconnected, true),
            },
            CallError::ChannelClosed(_) => (ErrorKind::Disconnected, true),
            CallError::Frame(FrameError::TooLarge { .. })
            | CallError::Inflate(DecompressError::TooLarge { .. }) => {
                (ErrorKind::ResponseTooLarge, false)
            }
            // What was delivered of it cannot be known; a frame that is cut is a cut connection.
            CallError::Frame(FrameError::Unfinished) => (ErrorKind::Disconnected, true),
            CallError::Frame(_)
            | CallError::Inflate(_)
            | CallError::NoStatus
            | CallError::NotGrpc(_) => (ErrorKind::InvalidResponse, false),
        };
        let causes = raw_texts(error);
        let hint = match error {
            // An answer had begun, so the server is of the right kind.
            CallError::BrokenOff(_) => None,
            _ => hint::for_failure(&causes, kind == ErrorKind::Disconnected, self.attempt),
        };
        let error = self.error(kind, hint, error.telling());
        if retryable { Outcome::retryable(error) } else { Outcome::permanent(error) }
    }

    fn error(
        self,
        kind: ErrorKind,
        hint: Option<&str>,
        cause: &(dyn Error + 'static),
    ) -> ExportError {
        attempt::failure(self, kind, self.limit, hint, cause)
    }
}

/// How long the server asks to wait (`RetryInfo`, G6).
fn retry_delay(status: &Status) -> Option<Duration> {
    if status.details.is_empty() {
        return None;
    }
    response::decode_status(&status.details).ok()?.retry_delay
}

/// Whether there was no connection to send the call on.
fn is_connect(error: &CallError) -> bool {
    find::<tonic::ConnectError>(error).is_some()
}

/// Headers or trailers beyond what HTTP/2 is set to take. h2 resets the stream, or the connection,
/// and says that it did so itself; the answer is too large, and the next one would be again.
fn limit_of_http2(error: &CallError) -> Option<ErrorKind> {
    let h2 = find::<h2::Error>(error)?;
    let reason = h2.reason()?;
    match (h2.is_library(), reason) {
        (true, h2::Reason::ENHANCE_YOUR_CALM) => Some(ErrorKind::ResponseTooLarge),
        (true, h2::Reason::PROTOCOL_ERROR) if h2.is_reset() => Some(ErrorKind::InvalidResponse),
        _ => None,
    }
}
