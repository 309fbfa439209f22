//! Text from outside on its way into a message: escaped and cut.

/// Most bytes of one text from outside in a message.
const PRINTABLE_MAX: usize = 256;

/// Text from outside as a message may show it: on one line, at most 256 bytes.
///
/// Control and other invisible characters are escaped as Rust writes them; what is cut off is
/// marked with `…`. Quotes and backslashes stay, so a text that went through here before comes
/// out unchanged.
///
/// ```
/// use otlp_core::export::text::printable;
///
/// assert_eq!(printable("no\nroute \u{1b}[31m"), r"no\nroute \u{1b}[31m");
/// ```
#[must_use]
pub fn printable(text: &str) -> String {
    printable_within(text, PRINTABLE_MAX)
}

/// [`printable`] with another bound, in bytes; the mark of a cut comes on top.
#[must_use]
pub fn printable_within(text: &str, max: usize) -> String {
    let mut out = String::with_capacity(text.len().min(max));
    for c in text.chars() {
        let before = out.len();
        match c {
            // Harmless in a log line, and unreadable when escaped.
            '"' | '\'' | '\\' => out.push(c),
            _ => out.extend(c.escape_debug()),
        }
        if out.len() > max {
            out.truncate(before);
            out.push('…');
            break;
        }
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn control_characters_are_escaped_and_quotes_stay_readable() {
        assert_eq!(printable("a\nb\u{1b}[31m \"c\""), "a\\nb\\u{1b}[31m \"c\"");
        assert_eq!(printable("it's — ä"), "it's — ä");
    }

    #[test]
    fn long_text_is_cut_at_a_character() {
        let cut = printable(&"ä".repeat(1000));
        assert_eq!(cut, format!("{}…", "ä".repeat(128)));
        assert!(printable(&"\n".repeat(1000)).len() <= PRINTABLE_MAX + '…'.len_utf8());
        assert_eq!(printable_within("abc", 2), "ab…");
    }

    #[test]
    fn text_that_was_escaped_before_is_left_alone() {
        let once = printable("a\r\n\u{202e}\\");
        assert_eq!(printable(&once), once);
    }
}
