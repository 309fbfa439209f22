//! A message as a line: with tabs, or as an object.

use std::fmt::Write as _;
use std::time::SystemTime;

use otlp_core::export::text::printable_within;
use serde_json::Value;
use tracing::Level;

use crate::clock::rfc3339;

/// What a line is made of.
pub(super) struct Line<'a> {
    pub(super) time: SystemTime,
    pub(super) level: Level,
    pub(super) caller: Option<(&'a str, u32)>,
    pub(super) message: &'a str,
    pub(super) fields: &'a [&'a [(String, Value)]],
}

impl Line<'_> {
    /// Time, level, place, text and fields, with tabs between them.
    pub(super) fn console(&self) -> String {
        let mut line = format!("{}\t{}", rfc3339(self.time), self.level());
        if let Some((file, number)) = self.caller {
            let _ = write!(line, "\t{}:{number}", end_of(file));
        }
        let _ = write!(line, "\t{}", printable_within(self.message, TEXT_MAX));
        if self.fields().next().is_some() {
            line.push_str("\t{");
            self.put_fields(&mut line, ", ");
            line.push('}');
        }
        line.push('\n');
        line
    }

    /// An object with the keys of the Go collector.
    pub(super) fn json(&self) -> String {
        let time = rfc3339(self.time);
        let mut line = format!("{{\"level\":\"{}\",\"ts\":\"{time}\"", self.level());
        if let Some((file, number)) = self.caller {
            let _ = write!(line, ",\"caller\":{}", text(&format!("{}:{number}", end_of(file))));
        }
        let _ = write!(line, ",\"msg\":{}", text(self.message));
        if self.fields().next().is_some() {
            line.push(',');
            self.put_fields(&mut line, ",");
        }
        line.push_str("}\n");
        line
    }

    fn fields(&self) -> impl Iterator<Item = &(String, Value)> {
        self.fields.iter().flat_map(|fields| fields.iter())
    }

    fn put_fields(&self, line: &mut String, between: &str) {
        for (at, (key, value)) in self.fields().enumerate() {
            let value = match value {
                Value::String(value) => text(value),
                other => other.to_string(),
            };
            let between = if at == 0 { "" } else { between };
            let _ = write!(line, "{between}{}:{value}", text(key));
        }
    }

    fn level(&self) -> &'static str {
        match self.level {
            Level::ERROR => "error",
            Level::WARN => "warn",
            Level::INFO => "info",
            _ => "debug",
        }
    }
}

/// Text as JSON has it, cut where it is too long.
fn text(text: &str) -> String {
    let mut end = text.len().min(TEXT_MAX);
    while !text.is_char_boundary(end) {
        end = end.saturating_sub(1);
    }
    let kept = text.get(..end).unwrap_or_default();
    let cut = if end < text.len() { "…" } else { "" };
    Value::String(format!("{kept}{cut}")).to_string()
}

/// The file with its folder: more of a path says nothing.
fn end_of(file: &str) -> &str {
    let mut slashes = file.rmatch_indices(['/', '\\']);
    slashes.nth(1).and_then(|(at, _)| file.get(at.saturating_add(1)..)).unwrap_or(file)
}

/// Most bytes of a text in a line.
const TEXT_MAX: usize = 8 << 10;
