//! Regular expressions as the Go collector writes them.

use std::fmt;

use regex::bytes::{Captures, Regex};
use serde::de::{Deserialize, Deserializer, Error as _};

/// A regular expression in the syntax of Go, which is that of RE2.
///
/// Matching takes time linear in the input, whatever the expression. It matches anywhere in a text unless it
/// says otherwise with `^` and `$`. As in Go, `\d`, `\w`, `\s` and `\b` know ASCII only. What Go has beyond
/// that and this has not is refused: octal escapes, `\C`.
#[derive(Clone)]
pub struct Pattern {
    source: Box<str>,
    regex: Regex,
}

impl Pattern {
    /// Compiles an expression.
    ///
    /// # Errors
    ///
    /// Says what is wrong with it: its syntax, or that it would take more than 10 MiB.
    pub fn new(source: &str) -> Result<Self, PatternError> {
        let regex = Regex::new(&translated(source)).map_err(|error| {
            let cause = error.to_string();
            // The error of a syntax shows the expression on lines of its own; the last line says what it is.
            let last = cause.lines().last().unwrap_or_default().trim();
            let cause = last.strip_prefix("error: ").unwrap_or(last).to_owned();
            PatternError { pattern: source.to_owned(), cause }
        })?;
        Ok(Self { source: source.into(), regex })
    }

    /// Whether it matches anywhere in `text`.
    #[must_use]
    pub fn is_match(&self, text: &[u8]) -> bool {
        self.regex.is_match(text)
    }

    /// The expression as it was written.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.source
    }

    /// The names of its groups but the first, which is the whole match.
    pub(super) fn group_names(&self) -> impl Iterator<Item = Option<&str>> {
        self.regex.capture_names().skip(1)
    }

    pub(super) fn captures<'t>(&self, text: &'t [u8]) -> Option<Captures<'t>> {
        self.regex.captures(text)
    }
}

impl fmt::Debug for Pattern {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Pattern({:?})", self.source)
    }
}

impl<'de> Deserialize<'de> for Pattern {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        Self::new(&String::deserialize(deserializer)?).map_err(D::Error::custom)
    }
}

/// Why a text is no regular expression.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("\"{pattern}\" is not a regular expression: {cause}")]
pub struct PatternError {
    pattern: String,
    cause: String,
}

/// An expression of Go in the syntax of the `regex` crate, where the same letters mean all of Unicode, and
/// where some signs within brackets mean more.
fn translated(source: &str) -> String {
    let mut out = String::with_capacity(source.len());
    let mut rest = source.chars().peekable();
    let mut in_class = false;
    while let Some(sign) = rest.next() {
        match sign {
            '\\' => match rest.next() {
                Some('Q') => put_literal(&mut out, &mut rest),
                Some(letter) => put_escape(&mut out, letter, in_class),
                None => out.push('\\'),
            },
            '[' if !in_class => {
                in_class = true;
                out.push('[');
                if rest.next_if_eq(&'^').is_some() {
                    out.push('^');
                }
                // The first sign is a member, even if it is the one that ends the brackets.
                if rest.next_if_eq(&']').is_some() {
                    out.push_str("\\]");
                }
            }
            '[' if rest.peek() == Some(&':') => put_named_class(&mut out, &mut rest),
            ']' => {
                in_class = false;
                out.push(']');
            }
            '[' | '&' | '~' if in_class => out.extend(['\\', sign]),
            _ => out.push(sign),
        }
    }
    out
}

fn put_escape(out: &mut String, letter: char, in_class: bool) {
    match letter {
        'd' => out.push_str("[0-9]"),
        'D' => out.push_str("[^0-9]"),
        'w' => out.push_str("[0-9A-Za-z_]"),
        'W' => out.push_str("[^0-9A-Za-z_]"),
        's' => out.push_str(r"[\t\n\f\r ]"),
        'S' => out.push_str(r"[^\t\n\f\r ]"),
        'b' if !in_class => out.push_str(r"(?-u:\b)"),
        'B' if !in_class => out.push_str(r"(?-u:\B)"),
        _ => out.extend(['\\', letter]),
    }
}

/// `[:alpha:]` within brackets, as it stands.
fn put_named_class(out: &mut String, rest: &mut std::iter::Peekable<std::str::Chars<'_>>) {
    out.push('[');
    for sign in rest.by_ref() {
        out.push(sign);
        if sign == ']' {
            break;
        }
    }
}

/// What stands between `\Q` and `\E`, which means itself.
fn put_literal(out: &mut String, rest: &mut std::iter::Peekable<std::str::Chars<'_>>) {
    let mut literal = String::new();
    while let Some(sign) = rest.next() {
        if sign == '\\' && rest.next_if_eq(&'E').is_some() {
            break;
        }
        literal.push(sign);
    }
    out.push_str(&regex::escape(&literal));
}

#[cfg(test)]
mod tests {
    use super::*;

    fn is_match(pattern: &str, text: &str) -> bool {
        Pattern::new(pattern).unwrap().is_match(text.as_bytes())
    }

    #[test]
    fn an_expression_matches_anywhere_unless_it_is_anchored() {
        assert!(is_match("b+", "abbc") && !is_match("^b+$", "abbc"));
    }

    #[test]
    fn the_classes_of_perl_know_ascii_only_and_a_dot_takes_a_whole_letter() {
        assert!(is_match(r"^\d\w\s$", "1_ ") && !is_match(r"\d", "٣") && !is_match(r"\w", "ß"));
        assert!(is_match("^.$", "€") && is_match(r"^\W$", "€") && is_match("(?i)^É$", "é"));
        assert!(
            is_match(r"\bß", "aß") && is_match(r"^[\d-]+$", "1-2") && is_match(r"^[^\W]$", "a")
        );
    }

    #[test]
    fn brackets_mean_what_they_mean_in_go() {
        assert!(is_match("^[[a]$", "[") && is_match("^[]a]+$", "]a") && is_match("^[^]]$", "a"));
        assert!(is_match("^[a&&b]+$", "a&b") && is_match("^[[:digit:]x]+$", "1x"));
        assert!(is_match(r"^\Qa.b[\E.$", "a.b[c") && !is_match(r"^\Qa.b\E$", "axb"));
    }

    #[test]
    fn what_is_no_expression_is_named_with_its_cause() {
        let error = Pattern::new("a(b").unwrap_err().to_string();
        assert_eq!(error, "\"a(b\" is not a regular expression: unclosed group");
        assert!(Pattern::new(r"\C").is_err() && Pattern::new("a{1000}{1000}{1000}").is_err());
    }
}
