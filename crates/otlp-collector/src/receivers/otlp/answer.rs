//! What a request is answered: from the outcome of the pipeline to the messages of the protocol.

use std::time::Duration;

use otlp_core::Signal;
use otlp_core::export::retry::SERVER_DELAY_MAX;
use otlp_core::export::text::printable_within;
use otlp_core::export::{AnswerStatus, ExportError, Outcome};
use otlp_core::wire::json::{self, Message};
use otlp_core::wire::response::{PartialSuccess, Status, encode_response};
use otlp_core::wire::writer::{LEN, VARINT, key, put_len, put_message, put_varint_non_zero};
use serde_json::json;

use super::refusal::{INVALID_ARGUMENT, Kind, RESOURCE_EXHAUSTED, Refusal};

/// What became of a request.
#[derive(Clone, Debug)]
pub(super) enum Answer {
    /// All of it was taken. Without a warning it is the answer without content (row W11).
    Taken(Option<PartialSuccess>),
    /// None of it was taken.
    Refused(Refusal),
}

impl Answer {
    /// Reads what the pipeline has answered. Rows W11, G7, G8, H13, H14.
    pub(super) fn of(outcome: Outcome, retry_after: Duration) -> Self {
        match outcome {
            Outcome::Delivered { warning: None, .. } => Self::Taken(None),
            Outcome::Delivered { warning: Some(message), .. } => Self::partial(0, &message),
            Outcome::PartlyRejected { rejected, message, .. } => Self::partial(rejected, &message),
            Outcome::Retryable { error, retry_after: asked } => {
                let kind = if is_throttled(&error) { Kind::Throttled } else { Kind::Overloaded };
                let after = asked.unwrap_or(retry_after).min(SERVER_DELAY_MAX);
                Self::refused(kind, &error, Some(after))
            }
            Outcome::Permanent { error } => {
                let kind = if is_bad_data(&error) { Kind::Malformed } else { Kind::Internal };
                Self::refused(kind, &error, None)
            }
            Outcome::TooLarge { error } => Self::refused(Kind::TooLarge, &error, None),
            other => {
                let message = format!("the pipeline has answered {other:?}");
                Self::Refused(Refusal::new(Kind::Internal, printable_within(&message, TEXT_MAX)))
            }
        }
    }

    fn partial(rejected: u64, message: &str) -> Self {
        let message = printable_within(message, TEXT_MAX);
        let rejected = i64::try_from(rejected).unwrap_or(i64::MAX);
        if rejected == 0 && message.is_empty() {
            return Self::Taken(None);
        }
        Self::Taken(Some(PartialSuccess { rejected, message }))
    }

    fn refused(kind: Kind, error: &ExportError, retry_after: Option<Duration>) -> Self {
        let message = printable_within(&error.to_string(), TEXT_MAX).into();
        Self::Refused(Refusal { kind, message, retry_after })
    }
}

/// Whether the next hop has said that too much comes, rather than that it is away.
fn is_throttled(error: &ExportError) -> bool {
    match error.status() {
        Some(AnswerStatus::Http(status)) => status == 429,
        Some(AnswerStatus::Grpc(code)) => code == i32::from(RESOURCE_EXHAUSTED),
        _ => false,
    }
}

/// Whether the next hop has said that the data are at fault. What else it refuses, such as our credentials,
/// is no matter of the client's.
fn is_bad_data(error: &ExportError) -> bool {
    match error.status() {
        Some(AnswerStatus::Http(status)) => status == 400,
        Some(AnswerStatus::Grpc(code)) => code == i32::from(INVALID_ARGUMENT),
        _ => false,
    }
}

/// The answer of a request that was taken, in protobuf, of at most `max` bytes: the text goes first (row
/// Z4).
pub(super) fn success(partial: Option<&PartialSuccess>, max: usize) -> Result<Vec<u8>, Refusal> {
    within(partial, max, encode_response)
}

/// The same in JSON (rows H10, J8).
pub(super) fn json_success(
    signal: Signal,
    partial: Option<&PartialSuccess>,
    max: usize,
) -> Result<Vec<u8>, Refusal> {
    within(partial, max, |partial| {
        let mut text = Vec::new();
        // What we have written ourselves reads.
        let _ = json::write(Message::Response(signal), &encode_response(partial), &mut text);
        text
    })
}

fn within(
    partial: Option<&PartialSuccess>,
    max: usize,
    encode: impl Fn(Option<&PartialSuccess>) -> Vec<u8>,
) -> Result<Vec<u8>, Refusal> {
    let whole = encode(partial);
    if whole.len() <= max {
        return Ok(whole);
    }
    let short = partial.map(|partial| PartialSuccess { message: String::new(), ..*partial });
    let short = encode(short.filter(|partial| partial.rejected != 0).as_ref());
    if short.len() <= max {
        return Ok(short);
    }
    Err(Refusal::new(Kind::Internal, "the answer is larger than its limit"))
}

/// The `google.rpc.Status` of a refusal in protobuf, with the details that help: rows H12, H13, G7, G8.
pub(super) fn status(refusal: &Refusal) -> Vec<u8> {
    if refusal.kind != Kind::Malformed {
        return Status {
            code: refusal.kind.grpc().into(),
            message: refusal.message.clone().into_owned(),
            retry_delay: refusal.retry_after,
        }
        .encode();
    }
    let mut out = Vec::new();
    put_varint_non_zero(&mut out, key(1, VARINT), refusal.kind.grpc().into());
    put_len(&mut out, key(2, LEN), refusal.message.as_bytes());
    put_message(&mut out, key(3, LEN), |any| {
        put_len(any, key(1, LEN), BAD_REQUEST.as_bytes());
        put_message(any, key(2, LEN), |bad_request| {
            put_message(bad_request, key(1, LEN), |violation| {
                put_len(violation, key(2, LEN), refusal.message.as_bytes());
            });
        });
    });
    out
}

/// The same in JSON (row J8).
pub(super) fn json_status(refusal: &Refusal) -> Vec<u8> {
    let (code, message) = (refusal.kind.grpc(), &refusal.message);
    let details = match (refusal.kind, refusal.retry_after) {
        (Kind::Malformed, _) => {
            json!([{ "@type": BAD_REQUEST, "fieldViolations": [{ "description": message }] }])
        }
        (_, Some(delay)) => {
            let delay = format!("{}.{:09}s", delay.as_secs(), delay.subsec_nanos());
            json!([{ "@type": RETRY_INFO, "retryDelay": delay }])
        }
        _ => return json!({ "code": code, "message": message }).to_string().into_bytes(),
    };
    json!({ "code": code, "message": message, "details": details }).to_string().into_bytes()
}

/// Most bytes of a text from the pipeline.
const TEXT_MAX: usize = 1024;

const BAD_REQUEST: &str = "type.googleapis.com/google.rpc.BadRequest";
const RETRY_INFO: &str = "type.googleapis.com/google.rpc.RetryInfo";

#[cfg(test)]
mod tests {
    use otlp_core::export::ErrorKind;

    use super::*;

    fn error(kind: ErrorKind) -> ExportError {
        ExportError::new(kind, "because")
    }

    fn refusal(outcome: Outcome) -> Refusal {
        match Answer::of(outcome, Duration::from_secs(1)) {
            Answer::Refused(refusal) => refusal,
            taken => panic!("{taken:?}"),
        }
    }

    #[test]
    fn a_downstream_error_has_a_status_by_what_the_client_can_do() {
        // G7, G8, H13, H14
        let of = |outcome| {
            let refusal = refusal(outcome);
            (refusal.kind.grpc(), refusal.kind.http().as_u16(), refusal.retry_after)
        };
        let second = Some(Duration::from_secs(1));
        assert_eq!(of(Outcome::retryable(error(ErrorKind::Connect))), (14, 503, second));
        assert_eq!(of(Outcome::retryable(error(ErrorKind::GrpcStatus(8)))), (14, 429, second));
        assert_eq!(of(Outcome::retryable(error(ErrorKind::HttpStatus(429)))), (14, 429, second));
        let after = Some(Duration::from_secs(7200));
        let outcome = Outcome::Retryable { error: error(ErrorKind::Other), retry_after: after };
        assert_eq!(of(outcome), (14, 503, Some(SERVER_DELAY_MAX)));
        assert_eq!(of(Outcome::permanent(error(ErrorKind::Other))), (13, 500, None));
        assert_eq!(of(Outcome::permanent(error(ErrorKind::HttpStatus(400)))), (3, 400, None));
        assert_eq!(of(Outcome::permanent(error(ErrorKind::GrpcStatus(16)))), (13, 500, None));
        let outcome = Outcome::TooLarge { error: error(ErrorKind::RequestTooLarge) };
        assert_eq!(of(outcome), (8, 413, None));
    }

    #[test]
    fn an_answer_over_its_limit_loses_its_text_first() {
        // Z4, W11
        let partial = PartialSuccess { rejected: 3, message: "too old".to_owned() };
        assert_eq!(success(Some(&partial), 100).unwrap(), encode_response(Some(&partial)));
        let short = PartialSuccess { rejected: 3, message: String::new() };
        assert_eq!(success(Some(&partial), 6).unwrap(), encode_response(Some(&short)));
        assert_eq!(success(Some(&partial), 2).unwrap_err().kind, Kind::Internal);
        let warning = PartialSuccess { rejected: 0, message: "slow".to_owned() };
        assert_eq!(success(Some(&warning), 0).unwrap(), b"");
        assert_eq!(json_success(Signal::Logs, None, 2).unwrap(), b"{}");
    }
}
