//! Values of attributes as the Go collector prints them.

use std::fmt::{self, Display, Write as _};

use base64::display::Base64Display;
use base64::engine::general_purpose::STANDARD;
use otlp_core::wire::{AnyValueView, Attributes, WireError};

use super::number::Script;

/// The value itself: `text`, `7`, `[1,"a"]`, `{"key":true}`.
pub(super) struct Plain<'a>(pub(super) AnyValueView<'a>);

/// The value with its type: `Str(text)`, `Slice([1,"a"])`.
pub(super) struct Typed<'a>(pub(super) AnyValueView<'a>);

/// The value as JSON, its keys sorted.
struct Json<'a>(AnyValueView<'a>, u32);

impl Display for Plain<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.0 {
            AnyValueView::String(text) => f.write_str(text),
            AnyValueView::Bytes(bytes) => Base64Display::new(bytes, &STANDARD).fmt(f),
            AnyValueView::Empty => Ok(()),
            value => Json(value, 0).fmt(f),
        }
    }
}

impl Display for Typed<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let name = match self.0 {
            AnyValueView::String(_) => "Str",
            AnyValueView::Bool(_) => "Bool",
            AnyValueView::Int(_) => "Int",
            AnyValueView::Double(_) => "Double",
            AnyValueView::Array(_) => "Slice",
            AnyValueView::KeyValueList(_) => "Map",
            AnyValueView::Bytes(_) => "Bytes",
            _ => "Empty",
        };
        write!(f, "{name}({})", Plain(self.0))
    }
}

impl Display for Json<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self(value, depth) = *self;
        match value {
            AnyValueView::String(text) => quoted(f, text),
            AnyValueView::Bool(value) => value.fmt(f),
            AnyValueView::Int(value) => value.fmt(f),
            AnyValueView::Double(value) => Script(value).fmt(f),
            AnyValueView::Bytes(bytes) => write!(f, "\"{}\"", Base64Display::new(bytes, &STANDARD)),
            AnyValueView::Array(_) | AnyValueView::KeyValueList(_) if depth > DEPTH_MAX => {
                f.write_str("…")
            }
            AnyValueView::Array(mut elements) => {
                f.write_char('[')?;
                let mut before = "";
                let all = elements.try_for_each(|element| {
                    let element = element.map_err(|_| fmt::Error)?;
                    write!(f, "{before}{}", Json(element, depth + 1))?;
                    before = ",";
                    Ok(())
                });
                all.and_then(|()| f.write_char(']'))
            }
            AnyValueView::KeyValueList(entries) => {
                let entries = sorted(entries).map_err(|_| fmt::Error)?;
                f.write_char('{')?;
                for (at, (key, value)) in entries.into_iter().enumerate() {
                    f.write_str(if at == 0 { "" } else { "," })?;
                    quoted(f, key)?;
                    write!(f, ":{}", Json(value, depth + 1))?;
                }
                f.write_char('}')
            }
            _ => f.write_str("null"),
        }
    }
}

/// By key; of several that are equal the last.
fn sorted(entries: Attributes<'_>) -> Result<Vec<(&str, AnyValueView<'_>)>, WireError> {
    let entries = entries.map(|entry| entry.map(|entry| (entry.key(), entry.value())));
    let mut entries: Vec<_> = entries.collect::<Result<_, _>>()?;
    entries.reverse();
    entries.sort_by_key(|(key, _)| *key);
    entries.dedup_by_key(|(key, _)| *key);
    Ok(entries)
}

/// A string of JSON. What a terminal would take for a command is escaped by the [page](super::page).
fn quoted(f: &mut fmt::Formatter<'_>, text: &str) -> fmt::Result {
    f.write_char('"')?;
    for c in text.chars() {
        match c {
            '"' => f.write_str("\\\"")?,
            '\\' => f.write_str("\\\\")?,
            '\n' => f.write_str("\\n")?,
            '\r' => f.write_str("\\r")?,
            '\t' => f.write_str("\\t")?,
            c if c < ' ' => write!(f, "\\u{:04x}", u32::from(c))?,
            c => f.write_char(c)?,
        }
    }
    f.write_char('"')
}

/// What is nested deeper is not shown. A request that a receiver has taken has less.
const DEPTH_MAX: u32 = 128;
