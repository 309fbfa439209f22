//! What a server answers: `Export<Signal>ServiceResponse`, and `google.rpc.Status` for a failure.
//!
//! Both are small and rare, so they are decoded into owned values. Text is cut to
//! [`MESSAGE_MAX`] bytes; it is in the server's own words, so escape it before it goes anywhere.

use std::time::Duration;

use super::WireError;
use super::reader::Reader;
use super::writer::{
    LEN, VARINT, key, put_len, put_len_non_empty, put_message, put_varint_non_zero,
};
use crate::signal::Signal;

/// Most bytes of a message that are kept; more is cut at a character.
pub const MESSAGE_MAX: usize = 1024;

/// The populated `partial_success` of a response.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct PartialSuccess {
    /// How many items the server rejected. 0 means that it took all and has a warning (row W11);
    /// a negative number, which only a faulty server sends, is given as it is.
    pub rejected: i64,
    /// Why, or the warning.
    pub message: String,
}

/// Reads the response to a request that succeeded, in whole or in part.
///
/// `None` is full success. A `partial_success` without content is the same as none (row W10).
///
/// # Errors
///
/// The bytes are not an `Export<Signal>ServiceResponse`.
///
/// ```
/// use otlp_core::Signal;
/// use otlp_core::wire::response::{PartialSuccess, decode_partial_success, encode_response};
///
/// let partial = PartialSuccess { rejected: 3, message: "too old".into() };
/// let response = encode_response(Some(&partial));
/// assert_eq!(decode_partial_success(Signal::Logs, &response)?, Some(partial));
/// assert_eq!(decode_partial_success(Signal::Logs, b"")?, None);
/// # Ok::<(), otlp_core::wire::WireError>(())
/// ```
pub fn decode_partial_success(
    signal: Signal,
    response: &[u8],
) -> Result<Option<PartialSuccess>, WireError> {
    let (response_name, partial_name) = signal.response_names();
    let (mut rejected, mut message) = (0, "");
    for field in Reader::new(response) {
        let field = field?;
        if field.number != 1 {
            continue;
        }
        for field in field.message(response_name)? {
            let field = field?;
            match field.number {
                1 => rejected = field.varint(partial_name)?.cast_signed(),
                2 => message = field.text(partial_name)?,
                _ => {}
            }
        }
    }
    let populated = rejected != 0 || !message.is_empty();
    Ok(populated.then(|| PartialSuccess { rejected, message: cut(message) }))
}

/// Writes the response of any signal: full success (`None`, no bytes at all, row W11) or partial.
#[must_use]
pub fn encode_response(partial: Option<&PartialSuccess>) -> Vec<u8> {
    let mut out = Vec::new();
    if let Some(partial) = partial {
        put_message(&mut out, key(1, LEN), |out| {
            put_varint_non_zero(out, key(1, VARINT), partial.rejected.cast_unsigned());
            put_len_non_empty(out, key(2, LEN), partial.message.as_bytes());
        });
    }
    out
}

/// A `google.rpc.Status`: the body of an HTTP error (row H12), and what
/// `grpc-status-details-bin` holds.
///
/// Of its details, `RetryInfo` is read; others are passed over.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Status {
    /// The gRPC status code, as the server says. Over HTTP it changes nothing (row H9).
    pub code: i32,
    /// What went wrong.
    pub message: String,
    /// The delay in `RetryInfo`, not capped: a server may ask for any time, so cap it.
    ///
    /// `Some` says that the server expects to recover (row G6). A negative delay is given as
    /// zero, and so is a `RetryInfo` without a delay.
    pub retry_delay: Option<Duration>,
}

/// Reads a `google.rpc.Status`.
///
/// The first `RetryInfo` counts. One that cannot be read is taken as absent: the code and the
/// message are of use without it.
///
/// # Errors
///
/// The bytes are not a `google.rpc.Status`.
pub fn decode_status(status: &[u8]) -> Result<Status, WireError> {
    const NAME: &str = "Status";
    let (mut code, mut message, mut retry_delay) = (0, "", None);
    for field in Reader::new(status) {
        let field = field?;
        match field.number {
            1 => code = field.int32(NAME)?,
            2 => message = field.text(NAME)?,
            3 => retry_delay = retry_delay.or(retry_delay_of(field.message(NAME)?)?),
            _ => {}
        }
    }
    Ok(Status { code, message: cut(message), retry_delay })
}

impl Status {
    /// Writes the status, with a `RetryInfo` if there is a delay (rows G7, G9).
    #[must_use]
    pub fn encode(&self) -> Vec<u8> {
        let mut out = Vec::new();
        // A negative `int32` is sign-extended on the wire.
        let code = i64::from(self.code).cast_unsigned();
        put_varint_non_zero(&mut out, key(1, VARINT), code);
        put_len_non_empty(&mut out, key(2, LEN), self.message.as_bytes());
        if let Some(delay) = self.retry_delay {
            put_message(&mut out, key(3, LEN), |out| put_retry_info(out, delay));
        }
        out
    }
}

/// The delay in a detail (`google.protobuf.Any`), if it is a `RetryInfo`.
fn retry_delay_of(detail: Reader<'_>) -> Result<Option<Duration>, WireError> {
    const NAME: &str = "Any";
    let (mut type_url, mut value) = ("", [].as_slice());
    for field in detail {
        let field = field?;
        match field.number {
            1 => type_url = field.text(NAME)?,
            2 => value = field.bytes(NAME)?,
            _ => {}
        }
    }
    // What stands before the last slash does not belong to the type.
    if type_url.rsplit('/').next() != Some(RETRY_INFO) {
        return Ok(None);
    }
    Ok(read_retry_info(value).ok())
}

fn read_retry_info(retry_info: &[u8]) -> Result<Duration, WireError> {
    let (mut seconds, mut nanos) = (0, 0);
    for field in Reader::new(retry_info) {
        let field = field?;
        if field.number != 1 {
            continue;
        }
        for field in field.message("RetryInfo")? {
            let field = field?;
            match field.number {
                1 => seconds = field.varint("Duration")?.cast_signed(),
                2 => nanos = field.int32("Duration")?,
                _ => {}
            }
        }
    }
    Ok(duration(seconds, nanos))
}

/// Any pair of numbers as a duration; the protocol's rules for them are not relied on.
fn duration(seconds: i64, nanos: i32) -> Duration {
    // At most 2^63 * 10^9 + 2^31, far within 127 bits.
    let total = i128::from(seconds) * i128::from(NANOS_PER_SECOND) + i128::from(nanos);
    let total = u128::try_from(total).unwrap_or(0);
    let per_second = u128::from(NANOS_PER_SECOND);
    let seconds = u64::try_from(total / per_second).unwrap_or(u64::MAX);
    let nanos = u32::try_from(total % per_second).unwrap_or(0);
    Duration::new(seconds, nanos)
}

fn put_retry_info(any: &mut Vec<u8>, delay: Duration) {
    let type_url = [TYPE_URL_PREFIX, RETRY_INFO].concat();
    put_len(any, key(1, LEN), type_url.as_bytes());
    put_message(any, key(2, LEN), |retry_info| {
        put_message(retry_info, key(1, LEN), |duration| {
            let seconds = delay.as_secs().min(DURATION_SECONDS_MAX);
            put_varint_non_zero(duration, key(1, VARINT), seconds);
            put_varint_non_zero(duration, key(2, VARINT), u64::from(delay.subsec_nanos()));
        });
    });
}

/// The start of `text`, cut at a character.
fn cut(text: &str) -> String {
    let mut end = text.len().min(MESSAGE_MAX);
    while !text.is_char_boundary(end) {
        end -= 1;
    }
    text.get(..end).unwrap_or_default().to_owned()
}

pub(super) const RETRY_INFO: &str = "google.rpc.RetryInfo";
const TYPE_URL_PREFIX: &str = "type.googleapis.com/";
const NANOS_PER_SECOND: u32 = 1_000_000_000;

/// The longest `google.protobuf.Duration`: about 10,000 years.
const DURATION_SECONDS_MAX: u64 = 315_576_000_000;

#[cfg(test)]
mod tests;
