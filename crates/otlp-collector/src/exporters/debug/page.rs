//! The text of a request: lines that hold no control characters, and are bounded, each and all of them.

use std::fmt::{self, Display, Write};

use otlp_core::wire::{Attributes, WireError};

use super::value::Typed;

/// Lines, as many as fit.
#[derive(Debug, Default)]
pub(super) struct Page {
    text: String,
    /// Where the line that is being written begins.
    line: usize,
    is_cut: bool,
    is_full: bool,
}

impl Page {
    /// Adds a line. What it holds of control characters, line breaks included, is escaped.
    pub(super) fn line(&mut self, content: fmt::Arguments<'_>) {
        self.part(content);
        self.end();
    }

    /// Adds to the line that is being written.
    pub(super) fn part(&mut self, content: fmt::Arguments<'_>) {
        if self.is_cut || self.is_full {
            return;
        }
        // The only errors are that there is no room, and that a value is not well-formed.
        if self.write_fmt(content).is_err() {
            self.text.push('…');
            self.is_cut = true;
        }
    }

    /// Ends the line.
    pub(super) fn end(&mut self) {
        if !self.is_full {
            self.text.push('\n');
            self.is_full = self.text.len() >= PAGE_MAX;
        }
        self.line = self.text.len();
        self.is_cut = false;
    }

    /// Attributes on a line each, below a header, if there are any.
    pub(super) fn attributes(
        &mut self,
        header: &str,
        indent: &str,
        attributes: Attributes<'_>,
    ) -> Result<(), WireError> {
        let mut is_first = true;
        for attribute in attributes {
            let attribute = attribute?;
            if std::mem::take(&mut is_first) {
                self.line(format_args!("{header}:"));
            }
            let (key, value) = (attribute.key(), Typed(attribute.value()));
            self.line(format_args!("{indent}     -> {key}: {value}"));
        }
        Ok(())
    }

    /// Whether nothing more is shown.
    pub(super) const fn is_full(&self) -> bool {
        self.is_full
    }

    /// The text; the last line says if something is missing.
    pub(super) fn into_text(mut self) -> String {
        if self.is_full {
            self.text.push_str("… the rest is not shown\n");
        }
        self.text
    }
}

impl Write for Page {
    fn write_str(&mut self, text: &str) -> fmt::Result {
        let used = self.text.len().saturating_sub(self.line);
        let room = LINE_MAX.saturating_sub(used);
        let is_plain = |text: &str| text.bytes().all(|byte| (b' '..=b'~').contains(&byte));
        if text.len() <= room && is_plain(text) {
            self.text.push_str(text);
            return Ok(());
        }
        for c in text.chars() {
            if self.text.len().saturating_sub(self.line) >= LINE_MAX {
                return Err(fmt::Error);
            }
            match c {
                '"' | '\'' | '\\' => self.text.push(c),
                _ => self.text.extend(c.escape_debug()),
            }
        }
        Ok(())
    }
}

/// `name` and `version` with what stands before, between and behind them, if they are there.
pub(super) struct Named<'a> {
    pub(super) name: &'a str,
    pub(super) version: &'a str,
    pub(super) schema_url: &'a str,
}

impl Display for Named<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { name, version, schema_url } = self;
        if !name.is_empty() || !version.is_empty() {
            write!(f, " {name}")?;
        }
        if !version.is_empty() {
            write!(f, "@{version}")?;
        }
        if !schema_url.is_empty() {
            write!(f, " [{schema_url}]")?;
        }
        Ok(())
    }
}

/// Most bytes of a line, and of all lines of a request; both are overstepped by a little.
const LINE_MAX: usize = 64 << 10;
const PAGE_MAX: usize = 4 << 20;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nothing_on_a_page_can_command_a_terminal_or_begin_a_line_of_its_own() {
        let mut page = Page::default();
        page.line(format_args!("a\u{1b}[31m\nb\u{9b}\u{202e}\r\"\\ ä"));
        assert_eq!(page.into_text(), "a\\u{1b}[31m\\nb\\u{9b}\\u{202e}\\r\"\\ ä\n");
    }

    #[test]
    fn a_line_and_a_page_end_somewhere() {
        let mut page = Page::default();
        let long = "ä".repeat(LINE_MAX);
        for _ in 0..1000 {
            page.part(format_args!("{long}"));
            page.part(format_args!("{long}"));
            page.end();
        }
        let text = page.into_text();
        assert!(text.len() < PAGE_MAX + 2 * LINE_MAX, "{}", text.len());
        assert!(text.lines().all(|line| line.len() < LINE_MAX + 10));
        assert!(text.ends_with("… the rest is not shown\n"));
    }
}
