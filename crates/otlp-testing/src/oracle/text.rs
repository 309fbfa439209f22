//! Values and ids as a person reads them.

use std::fmt::Write as _;

use opentelemetry_proto::tonic::common::v1::any_value::Value;
use opentelemetry_proto::tonic::common::v1::{AnyValue, KeyValue};

/// Lowercase hex of an id.
#[must_use]
pub fn hex(bytes: &[u8]) -> String {
    bytes.iter().fold(String::with_capacity(bytes.len() * 2), |mut text, byte| {
        let _ = write!(text, "{byte:02x}");
        text
    })
}

/// A value as text: strings bare, arrays in brackets, maps in braces, bytes as `0x…`.
#[must_use]
pub fn value_text(value: &AnyValue) -> String {
    match &value.value {
        None => String::new(),
        Some(Value::StringValue(text)) => text.clone(),
        Some(Value::BoolValue(flag)) => flag.to_string(),
        Some(Value::IntValue(number)) => number.to_string(),
        Some(Value::DoubleValue(number)) => number.to_string(),
        Some(Value::BytesValue(bytes)) => format!("0x{}", hex(bytes)),
        Some(Value::ArrayValue(array)) => {
            let values: Vec<_> = array.values.iter().map(value_text).collect();
            format!("[{}]", values.join(", "))
        }
        Some(Value::KvlistValue(map)) => format!("{{{}}}", pairs_text(&map.values)),
        Some(other) => format!("{other:?}"),
    }
}

/// Attributes as `key=value`, separated by commas.
#[must_use]
pub fn pairs_text(pairs: &[KeyValue]) -> String {
    let pairs: Vec<_> = pairs
        .iter()
        .map(|pair| {
            let value = pair.value.as_ref().map(value_text).unwrap_or_default();
            format!("{}={value}", pair.key)
        })
        .collect();
    pairs.join(", ")
}
