//! Values as text, in the structs of prost.

use std::collections::BTreeMap;

use base64::Engine as _;
use opentelemetry_proto::tonic::common::v1::AnyValue;
use opentelemetry_proto::tonic::common::v1::any_value::Value;

/// As the Go collector's `AsString`.
pub(crate) fn text(value: &AnyValue) -> String {
    match &value.value {
        Some(Value::StringValue(text)) => text.clone(),
        Some(Value::BoolValue(truth)) => truth.to_string(),
        Some(Value::IntValue(number)) => number.to_string(),
        Some(Value::DoubleValue(number)) if number.is_nan() => "NaN".into(),
        Some(Value::DoubleValue(number)) if number.is_infinite() => {
            if *number > 0.0 {
                "Infinity".into()
            } else {
                "-Infinity".into()
            }
        }
        Some(Value::DoubleValue(number)) => float(*number),
        Some(Value::BytesValue(bytes)) => base64::engine::general_purpose::STANDARD.encode(bytes),
        Some(Value::ArrayValue(_) | Value::KvlistValue(_)) => json(value).unwrap_or_default(),
        _ => String::new(),
    }
}

/// The text that patterns for attributes see.
pub(crate) fn plain(value: &AnyValue) -> Option<String> {
    match &value.value {
        Some(Value::DoubleValue(number)) if number.is_infinite() => {
            Some(if *number > 0.0 { "+Inf".into() } else { "-Inf".into() })
        }
        Some(Value::DoubleValue(number)) => Some(number.to_string()),
        Some(Value::StringValue(_) | Value::BoolValue(_) | Value::IntValue(_)) => Some(text(value)),
        _ => None,
    }
}

fn float(number: f64) -> String {
    let size = number.abs();
    if size != 0.0 && !(1e-6..1e21).contains(&size) {
        let text = format!("{number:e}");
        let (digits, exponent) = text.split_once('e').unwrap();
        let sign = if exponent.starts_with('-') { "" } else { "+" };
        return format!("{digits}e{sign}{exponent}");
    }
    number.to_string()
}

fn json(value: &AnyValue) -> Option<String> {
    Some(match &value.value {
        Some(Value::StringValue(text)) => quoted(text),
        Some(Value::DoubleValue(number)) if !number.is_finite() => return None,
        Some(Value::BytesValue(_)) => format!("\"{}\"", text(value)),
        Some(Value::ArrayValue(array)) => {
            let values: Option<Vec<_>> = array.values.iter().map(json).collect();
            format!("[{}]", values?.join(","))
        }
        Some(Value::KvlistValue(list)) => {
            let empty = AnyValue::default();
            let sorted: BTreeMap<_, _> = list
                .values
                .iter()
                .map(|entry| (&entry.key, entry.value.as_ref().unwrap_or(&empty)))
                .collect();
            let entry = |(key, value): (&String, &AnyValue)| {
                Some(format!("{}:{}", quoted(key), json(value)?))
            };
            let entries: Option<Vec<_>> = sorted.into_iter().map(|(k, v)| entry((k, v))).collect();
            format!("{{{}}}", entries?.join(","))
        }
        None | Some(Value::StringValueStrindex(_)) => "null".into(),
        _ => text(value),
    })
}

fn quoted(text: &str) -> String {
    let mut out = String::new();
    for letter in text.chars() {
        match letter {
            '"' | '\\' => out.extend(['\\', letter]),
            '\n' => out += "\\n",
            '\r' => out += "\\r",
            '\t' => out += "\\t",
            '\u{8}' => out += "\\b",
            '\u{c}' => out += "\\f",
            _ if letter < ' ' || letter == '\u{2028}' || letter == '\u{2029}' => {
                out += &format!("\\u{:04x}", letter as u32);
            }
            _ => out.push(letter),
        }
    }
    format!("\"{out}\"")
}
