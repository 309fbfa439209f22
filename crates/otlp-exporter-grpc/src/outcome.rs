//! From an answer, or the lack of one, to the outcome that the driver acts on (table 1.5).

use std::error::Error;
use std::fmt;
use std::time::Duration;

use otlp_core::export::attempt::{self, Limit};
use otlp_core::export::cause::{Cause, find, raw_texts};
use otlp_core::export::redact::Redactor;
use otlp_core::export::{AnswerStatus, DecompressError, ErrorKind, ExportError, Outcome};
use otlp_core::{Signal, wire::response};

use crate::connection::HEADERS_MAX_WORDS;
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
    /// How many items were sent.
    pub(crate) items: usize,
    pub(crate) attempt: Attempt,
    /// The limit for answers.
    pub(crate) limit: usize,
    /// Takes what was sent out of what the server says.
    pub(crate) redactor: Redactor<'a>,
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
            Ok(answer) if answer.status.is_ok() => {
                self.accepted(&answer).with_status(AnswerStatus::Grpc(answer.status.code.0))
            }
            Ok(answer) => self.refused(&answer.status),
            Err(CallError::NotGrpc(status)) => self.refused(&status),
            // Only the message of a success is inflated.
            Err(CallError::Inflate(error)) if !is_too_large(&error) => {
                self.unread(&error).with_status(AnswerStatus::Grpc(0))
            }
            Err(error) => self.failed(&error),
        }
    }

    fn accepted(self, answer: &Answer) -> Outcome {
        match response::decode_partial_success(self.signal, &answer.message) {
            Ok(partial) => attempt::accepted(self.items, partial, self.redactor),
            Err(error) => self.unread(&error),
        }
    }

    /// A success whose message cannot be read is one all the same, but not without saying so.
    fn unread(self, error: &dyn Error) -> Outcome {
        let error = self.redactor.printable(&error.to_string());
        attempt::unread(format_args!("it is not an OTLP response ({error})"))
    }

    fn refused(self, status: &Status) -> Outcome {
        let hint = hint::for_status(status.code, self.attempt);
        let mut text = format!("{self}: {}", status.code.name());
        if !status.message.is_empty() {
            text.push_str(&format!(": {}", self.redactor.printable(&status.message)));
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
            return attempt::timed_out(self, None);
        }
        let (kind, retryable) = match error {
            CallError::Unanswered(_) if is_connect(error) => (ErrorKind::Connect, true),
            CallError::Unanswered(_) | CallError::BrokenOff(_) => match limit_of_http2(error) {
                Some(kind) => (kind, false),
                None => (ErrorKind::Disconnected, true),
            },
            CallError::ChannelClosed(_) => (ErrorKind::Disconnected, true),
            CallError::Frame(FrameError::TooLarge { .. }) | CallError::Inflate(_) => {
                (ErrorKind::ResponseTooLarge, false)
            }
            // What was delivered of it cannot be known; a frame that is cut is a cut connection.
            CallError::Frame(FrameError::Unfinished) => (ErrorKind::Disconnected, true),
            CallError::Frame(_)
            | CallError::NoMessage
            | CallError::NoStatus
            | CallError::NotGrpc(_) => (ErrorKind::InvalidResponse, false),
        };
        let over = (kind == ErrorKind::ResponseTooLarge).then_some(match error {
            CallError::Unanswered(_) | CallError::BrokenOff(_) => Limit::Headers(HEADERS_MAX_WORDS),
            _ => Limit::Body(self.limit),
        });
        let hint = match error {
            CallError::Unanswered(_) | CallError::BrokenOff(_)
                if kind == ErrorKind::InvalidResponse =>
            {
                Some(hint::MALFORMED)
            }
            // An answer had begun, so the server is of the right kind.
            CallError::BrokenOff(_) => None,
            _ => hint::for_failure(&raw_texts(error), is_silent(error, kind), self.attempt),
        };
        let error = self.error(kind, over, hint, error.telling());
        if retryable { Outcome::retryable(error) } else { Outcome::permanent(error) }
    }

    fn error(
        self,
        kind: ErrorKind,
        over: Option<Limit>,
        hint: Option<&str>,
        cause: &(dyn Error + 'static),
    ) -> ExportError {
        attempt::failure(self, kind, over, hint, Cause::redacted(cause, self.redactor))
    }
}

/// How long the server asks to wait (`RetryInfo`, G6).
fn retry_delay(status: &Status) -> Option<Duration> {
    if status.details.is_empty() {
        return None;
    }
    response::decode_status(&status.details).ok()?.retry_delay
}

const fn is_too_large(error: &DecompressError) -> bool {
    matches!(error, DecompressError::TooLarge { .. })
}

/// Whether there was no connection to send the call on.
fn is_connect(error: &CallError) -> bool {
    find::<tonic::ConnectError>(error).is_some()
}

/// Whether the connection ended without a word about the call. GOAWAY and RST_STREAM are words: who
/// sends them speaks HTTP/2.
fn is_silent(error: &CallError, kind: ErrorKind) -> bool {
    kind == ErrorKind::Disconnected && !find::<h2::Error>(error).is_some_and(h2::Error::is_remote)
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
