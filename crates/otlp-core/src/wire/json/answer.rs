//! What a server answers in JSON (row J8), read into the same values as its protobuf form.

use std::time::Duration;

use serde_json::Value;

use super::{JsonError, Message, read};
use crate::signal::Signal;
use crate::wire::WireError;
use crate::wire::response::{
    PartialSuccess, RETRY_INFO, Status, decode_partial_success, decode_status,
};

/// [`decode_partial_success`] for a response in JSON.
///
/// # Errors
///
/// The text is not an `Export<Signal>ServiceResponse`.
///
/// ```
/// use otlp_core::Signal;
/// use otlp_core::wire::json::read_partial_success;
///
/// let text = br#"{"partialSuccess":{"rejectedSpans":"3","errorMessage":"too old"}}"#;
/// let partial = read_partial_success(Signal::Traces, text)?.ok_or("full success")?;
/// assert_eq!((partial.rejected, partial.message.as_str()), (3, "too old"));
/// assert_eq!(read_partial_success(Signal::Traces, b"{}")?, None);
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
pub fn read_partial_success(
    signal: Signal,
    text: &[u8],
) -> Result<Option<PartialSuccess>, JsonError> {
    Ok(decode_partial_success(signal, &read(Message::Response(signal), text)?)?)
}

/// [`decode_status`] for a status in JSON, the delay of a `RetryInfo` among its details included.
///
/// # Errors
///
/// The text is not a `google.rpc.Status`.
pub fn read_status(text: &[u8]) -> Result<Status, JsonError> {
    let status = decode_status(&read(Message::Status, text)?)?;
    Ok(Status { retry_delay: retry_delay(text), ..status })
}

impl From<WireError> for JsonError {
    fn from(error: WireError) -> Self {
        Self(error.to_string())
    }
}

/// The delay of the first `RetryInfo`. Details that cannot be read are taken as absent, as in protobuf.
fn retry_delay(text: &[u8]) -> Option<Duration> {
    let status: Value = serde_json::from_slice(text).ok()?;
    let details = status.get("details")?.as_array()?;
    let info = details.iter().find(|detail| {
        let name = detail.get("@type").and_then(Value::as_str);
        name.and_then(|name| name.rsplit('/').next()) == Some(RETRY_INFO)
    })?;
    match info.get("retryDelay") {
        None | Some(Value::Null) => Some(Duration::ZERO),
        Some(delay) => duration(delay.as_str()?),
    }
}

/// `google.protobuf.Duration`: seconds with up to nine decimals and an `s`. Below zero it is zero.
fn duration(text: &str) -> Option<Duration> {
    let number = text.strip_suffix('s')?;
    let (number, negative) = match number.strip_prefix('-') {
        Some(number) => (number, true),
        None => (number, false),
    };
    let (seconds, decimals) = number.split_once('.').unwrap_or((number, "0"));
    let all_digits = |text: &str| !text.is_empty() && text.bytes().all(|b| b.is_ascii_digit());
    if !all_digits(seconds) || !all_digits(decimals) || decimals.len() > 9 {
        return None;
    }
    let nanos = format!("{decimals:0<9}").parse().ok()?;
    // More digits than fit are a very long time.
    let seconds = seconds.parse().unwrap_or(u64::MAX);
    Some(if negative { Duration::ZERO } else { Duration::new(seconds, nanos) })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_signal_has_its_rejections() {
        // J6, J8
        for (signal, field) in [
            (Signal::Traces, "rejectedSpans"),
            (Signal::Metrics, "rejectedDataPoints"),
            (Signal::Logs, "rejectedLogRecords"),
        ] {
            for number in ["3", "\"3\"", "3.0"] {
                let text = format!(r#"{{"partialSuccess":{{"{field}":{number}}},"new":[{{}}]}}"#);
                let partial = read_partial_success(signal, text.as_bytes()).unwrap().unwrap();
                assert_eq!((partial.rejected, partial.message.as_str()), (3, ""));
            }
        }
        for full in ["{}", "null", r#"{"partialSuccess":null}"#, r#"{"partialSuccess":{}}"#] {
            assert_eq!(
                read_partial_success(Signal::Logs, full.as_bytes()).unwrap(),
                None,
                "{full}"
            );
        }
    }

    #[test]
    fn wrong_types_in_a_response_are_named() {
        for (text, said) in [
            ("[]", "ExportTraceServiceResponse"),
            ("7", "ExportTraceServiceResponse"),
            (r#"{"partialSuccess":[]}"#, "ExportTracePartialSuccess"),
            (r#"{"partialSuccess":"no"}"#, "ExportTracePartialSuccess"),
            (r#"{"partialSuccess":{"rejectedSpans":{}}}"#, "`rejectedSpans`"),
            (r#"{"partialSuccess":{"rejectedSpans":true}}"#, "`rejectedSpans`"),
            (r#"{"partialSuccess":{"rejectedSpans":"many"}}"#, "`rejectedSpans`"),
            (r#"{"partialSuccess":{"rejectedSpans":1.5}}"#, "`rejectedSpans`"),
            (r#"{"partialSuccess":{"errorMessage":7}}"#, "`errorMessage`"),
            (r#"{"partialSuccess":{"errorMessage":["no"]}}"#, "`errorMessage`"),
            ("", "EOF"),
            ("OK", "expected"),
        ] {
            let error = read_partial_success(Signal::Traces, text.as_bytes()).unwrap_err();
            assert!(error.to_string().contains(said), "{text}: {error}");
        }
    }

    #[test]
    fn a_status_has_its_message_and_the_delay_of_its_details() {
        // H12
        let status = |details: &str| {
            let text = format!(r#"{{"code":14,"message":"full","details":[{details}]}}"#);
            let status = read_status(text.as_bytes()).unwrap();
            assert_eq!((status.code, status.message.as_str()), (14, "full"));
            status.retry_delay
        };
        let info = |delay: &str| {
            status(&format!(
                r#"7,{{"@type":"x/google.rpc.Help"}},{{"@type":"type.googleapis.com/google.rpc.RetryInfo","retryDelay":{delay}}}"#
            ))
        };
        assert_eq!(info("\"9s\""), Some(Duration::from_secs(9)));
        assert_eq!(info("\"1.000340012s\""), Some(Duration::new(1, 340_012)));
        assert_eq!(info("\"0.5s\""), Some(Duration::from_millis(500)));
        assert_eq!(info("\"-3s\""), Some(Duration::ZERO));
        assert_eq!(info("null"), Some(Duration::ZERO));
        assert_eq!(info("\"99999999999999999999s\""), Some(Duration::from_secs(u64::MAX)));
        for wrong in ["9", "\"9\"", "\"s\"", "\"1.s\"", "\"+1s\"", "\"1.0000000001s\"", "[]"] {
            assert_eq!(info(wrong), None, "{wrong}");
        }
        assert_eq!(status(""), None);
        let deep = "[".repeat(100_000) + &"]".repeat(100_000);
        assert_eq!(status(&deep), None);
        assert!(read_status(br#"{"code":"UNAVAILABLE"}"#).is_err());
    }
}
