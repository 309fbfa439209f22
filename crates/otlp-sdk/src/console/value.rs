//! A value of any type as text on one line, and the bound on what one value may print.

use std::fmt::{self, Display, Write};

use otlp_core::wire::AnyValueView;

/// A value as people read it: `"text"`, `7`, `[1, 2]`, `{"key": true}`, `0x0a0b`, `null`.
///
/// Strings are escaped. Unbounded; see [`put_bounded`].
pub(crate) struct ValueText<'a>(pub(crate) AnyValueView<'a>);

impl Display for ValueText<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.0 {
            AnyValueView::String(text) => write!(f, "{text:?}"),
            AnyValueView::Bool(value) => value.fmt(f),
            AnyValueView::Int(value) => value.fmt(f),
            // `Debug` tells 1.0 from 1.
            AnyValueView::Double(value) => write!(f, "{value:?}"),
            AnyValueView::Bytes(bytes) => {
                f.write_str("0x")?;
                bytes.iter().try_for_each(|byte| write!(f, "{byte:02x}"))
            }
            AnyValueView::Array(elements) => {
                list(f, '[', elements, ']', |f, element| ValueText(element).fmt(f))
            }
            AnyValueView::KeyValueList(entries) => list(f, '{', entries, '}', |f, entry| {
                write!(f, "{:?}: {}", entry.key(), ValueText(entry.value()))
            }),
            // Nothing, or a type of a later version of the protocol.
            _ => f.write_str("null"),
        }
    }
}

/// Writes items with commas between them; bytes that cannot be read end the list with a mark.
fn list<T, E>(
    f: &mut fmt::Formatter<'_>,
    open: char,
    items: impl Iterator<Item = Result<T, E>>,
    close: char,
    show: impl Fn(&mut fmt::Formatter<'_>, T) -> fmt::Result,
) -> fmt::Result {
    f.write_char(open)?;
    for (at, item) in items.enumerate() {
        f.write_str(if at == 0 { "" } else { ", " })?;
        match item {
            Ok(item) => show(f, item)?,
            Err(_) => f.write_str("<not valid OTLP>")?,
        }
    }
    f.write_char(close)
}

/// Appends at most `max` bytes of what `shown` prints; a cut is marked with `…`.
///
/// The printing ends at the cut, so a huge value costs no more than a long one.
pub(super) fn put_bounded(out: &mut String, max: usize, shown: impl Display) {
    let mut bounded = Bounded { out, left: max };
    // The only error is our own: nothing is left.
    if write!(bounded, "{shown}").is_err() {
        out.push('…');
    }
}

struct Bounded<'a> {
    out: &'a mut String,
    left: usize,
}

impl Write for Bounded<'_> {
    fn write_str(&mut self, text: &str) -> fmt::Result {
        let kept = cut(text, self.left);
        self.out.push_str(kept);
        self.left = self.left.saturating_sub(kept.len());
        if kept.len() == text.len() { Ok(()) } else { Err(fmt::Error) }
    }
}

/// The longest part of `text` from its start that has at most `max` bytes.
fn cut(text: &str, max: usize) -> &str {
    let end = (0..=max.min(text.len())).rev().find(|&end| text.is_char_boundary(end));
    text.get(..end.unwrap_or(0)).unwrap_or_default()
}
