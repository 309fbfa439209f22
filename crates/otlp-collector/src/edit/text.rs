//! Values as text, as the Go collector writes them.

use std::borrow::Cow;
use std::collections::BTreeMap;
use std::fmt::Write as _;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use otlp_core::wire::{AnyValueView, WireError};

/// A value as text: what `convert` to a string gives, and what a log's body is compared as.
///
/// Numbers are written as JavaScript does, bytes in base64, arrays and maps as JSON with sorted keys.
pub(super) fn text_of(value: AnyValueView<'_>) -> Result<Cow<'_, [u8]>, WireError> {
    Ok(match value {
        AnyValueView::Double(number) => double(number).into_bytes().into(),
        AnyValueView::Bytes(bytes) => STANDARD.encode(bytes).into_bytes().into(),
        AnyValueView::Array(_) | AnyValueView::KeyValueList(_) => {
            let mut out = String::new();
            match put_json(&mut out, value)? {
                IsJson(true) => out.into_bytes().into(),
                // JSON has no form for NaN and infinities, so Go gives up and leaves nothing.
                IsJson(false) => Cow::Borrowed(&[]),
            }
        }
        other => plain_text_of(other).unwrap_or_default(),
    })
}

/// A value as the text that patterns for attributes see: none for arrays, maps, bytes and nothing.
pub(super) fn plain_text_of(value: AnyValueView<'_>) -> Option<Cow<'_, [u8]>> {
    Some(match value {
        AnyValueView::String(text) => Cow::Borrowed(text.as_bytes()),
        AnyValueView::Bool(true) => Cow::Borrowed(b"true"),
        AnyValueView::Bool(false) => Cow::Borrowed(b"false"),
        AnyValueView::Int(number) => number.to_string().into_bytes().into(),
        AnyValueView::Double(number) => decimal(number).into_bytes().into(),
        _ => return None,
    })
}

/// Never with an exponent.
fn decimal(number: f64) -> String {
    match number {
        f64::INFINITY => "+Inf".to_owned(),
        f64::NEG_INFINITY => "-Inf".to_owned(),
        _ => number.to_string(),
    }
}

/// With an exponent where JavaScript has one.
fn double(number: f64) -> String {
    let size = number.abs();
    match number {
        f64::INFINITY => "Infinity".to_owned(),
        f64::NEG_INFINITY => "-Infinity".to_owned(),
        _ if size >= 1e21 => format!("{number:e}").replace('e', "e+"),
        _ if size < 1e-6 && size > 0.0 => format!("{number:e}"),
        _ => number.to_string(),
    }
}

/// Whether everything had a form in JSON.
struct IsJson(bool);

/// Calls itself for what is nested, at most as deep as the reader of the wire format goes.
fn put_json(out: &mut String, value: AnyValueView<'_>) -> Result<IsJson, WireError> {
    match value {
        AnyValueView::String(text) => put_json_text(out, text),
        AnyValueView::Bool(truth) => out.push_str(if truth { "true" } else { "false" }),
        AnyValueView::Int(number) => out.push_str(&number.to_string()),
        AnyValueView::Double(number) if number.is_finite() => out.push_str(&double(number)),
        AnyValueView::Double(_) => return Ok(IsJson(false)),
        AnyValueView::Bytes(bytes) => {
            out.push('"');
            STANDARD.encode_string(bytes, out);
            out.push('"');
        }
        AnyValueView::Array(values) => {
            out.push('[');
            for (at, value) in values.enumerate() {
                out.push_str(if at == 0 { "" } else { "," });
                if !put_json(out, value?)?.0 {
                    return Ok(IsJson(false));
                }
            }
            out.push(']');
        }
        AnyValueView::KeyValueList(entries) => {
            out.push('{');
            // Sorted, and the last value of a key that is repeated.
            let mut sorted = BTreeMap::new();
            for entry in entries {
                let entry = entry?;
                sorted.insert(entry.key(), entry.value());
            }
            for (at, (key, value)) in sorted.into_iter().enumerate() {
                out.push_str(if at == 0 { "" } else { "," });
                put_json_text(out, key);
                out.push(':');
                if !put_json(out, value)?.0 {
                    return Ok(IsJson(false));
                }
            }
            out.push('}');
        }
        _ => out.push_str("null"),
    }
    Ok(IsJson(true))
}

fn put_json_text(out: &mut String, text: &str) {
    out.push('"');
    for letter in text.chars() {
        match letter {
            '"' => out.push_str("\\\""),
            '\\' => out.push_str("\\\\"),
            '\n' => out.push_str("\\n"),
            '\r' => out.push_str("\\r"),
            '\t' => out.push_str("\\t"),
            '\u{8}' => out.push_str("\\b"),
            '\u{c}' => out.push_str("\\f"),
            '\0'..='\u{1f}' | '\u{2028}' | '\u{2029}' => {
                // Writing to a string does not fail.
                let _ = write!(out, "\\u{:04x}", u32::from(letter));
            }
            _ => out.push(letter),
        }
    }
    out.push('"');
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::edit::Literal;

    fn text(literal: &Literal) -> String {
        let encoded = literal.encode();
        let text = text_of(AnyValueView::parse(&encoded).unwrap()).unwrap();
        String::from_utf8(text.into_owned()).unwrap()
    }

    #[test]
    fn numbers_are_written_as_javascript_does() {
        let cases = [
            (1.0, "1"),
            (-0.0, "-0"),
            (0.1, "0.1"),
            (1e20, "100000000000000000000"),
            (1.5e21, "1.5e+21"),
            (1e300, "1e+300"),
            (1e-6, "0.000001"),
            (-1.5e-7, "-1.5e-7"),
            (f64::NAN, "NaN"),
            (f64::NEG_INFINITY, "-Infinity"),
        ];
        for (number, expected) in cases {
            assert_eq!(text(&Literal::Double(number)), expected);
        }
        assert_eq!(text(&Literal::Int(-7)), "-7");
        assert_eq!(text(&Literal::Bool(true)), "true");
    }

    #[test]
    fn arrays_and_maps_are_json_and_bytes_are_base64() {
        let map = Literal::Map(vec![
            ("b".into(), Literal::Array(vec![Literal::Double(1e-7), Literal::Bytes(vec![0xff])])),
            ("a<".into(), "\"\u{1}\n\u{2028}é".into()),
            ("a<".into(), Literal::Bool(false)),
        ]);
        assert_eq!(text(&map), r#"{"a<":false,"b":[1e-7,"/w=="]}"#);
        let array = Literal::Array(vec!["\"\\\u{1}\n\u{2028}é".into(), Literal::Array(vec![])]);
        assert_eq!(text(&array), r#"["\"\\\u0001\n\u2028é",[]]"#);
        assert_eq!(text(&Literal::Bytes(b"hi".to_vec())), "aGk=");
        assert_eq!(text(&Literal::Array(vec![Literal::Double(f64::NAN)])), "");
    }

    #[test]
    fn patterns_see_numbers_without_an_exponent_and_no_arrays() {
        let plain = |value| plain_text_of(value).map(Cow::into_owned);
        assert_eq!(plain(AnyValueView::Double(1e21)).unwrap(), b"1000000000000000000000");
        assert_eq!(plain(AnyValueView::Double(f64::INFINITY)).unwrap(), b"+Inf");
        assert_eq!(plain(AnyValueView::Bytes(b"x")), None);
        assert_eq!(plain(AnyValueView::Empty), None);
    }
}
