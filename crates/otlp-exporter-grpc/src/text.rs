//! Text from outside on its way into our messages: escaped, cut, and never a secret.

use std::error::Error;
use std::fmt;

use otlp_core::export::HeaderError;

/// Longest piece of outside text that a message carries, in bytes.
const OUTSIDE_TEXT_MAX: usize = 256;

/// Most causes that are kept of one error.
const CAUSES_MAX: usize = 8;

/// Escapes control and other unprintable characters and cuts to 256 bytes.
pub(crate) fn outside(text: &str) -> String {
    let mut out = String::with_capacity(text.len().min(OUTSIDE_TEXT_MAX));
    for c in text.trim().chars() {
        let before = out.len();
        match c {
            // Harmless in a log line, and unreadable when escaped.
            '"' | '\'' | '\\' => out.push(c),
            _ => out.extend(c.escape_debug()),
        }
        if out.len() > OUTSIDE_TEXT_MAX {
            out.truncate(before);
            out.push('…');
            break;
        }
    }
    out
}

/// The texts of an error and of its causes, escaped and cut.
///
/// The errors of the transport libraries quote what the peer sent (certificate names, debug data),
/// so they are not handed on as they are.
#[derive(Debug)]
pub(crate) struct Cause {
    text: String,
    next: Option<Box<Self>>,
}

impl Cause {
    /// Reads `error` and everything behind it.
    pub(crate) fn of(error: &(dyn Error + 'static)) -> Self {
        let mut texts: Vec<String> = causes(error).map(|e| outside(&e.to_string())).collect();
        // Wrappers like to repeat the text of what they wrap.
        texts.dedup();
        let next =
            texts.drain(1..).rev().fold(None, |next, text| Some(Box::new(Self { text, next })));
        Self { text: texts.pop().unwrap_or_default(), next }
    }
}

impl fmt::Display for Cause {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.text)
    }
}

impl Error for Cause {
    fn source(&self) -> Option<&(dyn Error + 'static)> {
        self.next.as_deref().map(|e| e as &(dyn Error + 'static))
    }
}

/// The error and what is behind it, outermost first, at most eight.
pub(crate) fn causes<'a>(
    error: &'a (dyn Error + 'static),
) -> impl Iterator<Item = &'a (dyn Error + 'static)> {
    let next = |error: &&'a (dyn Error + 'static)| (*error).source();
    std::iter::successors(Some(error), next).take(CAUSES_MAX)
}

/// The first of them of type `E`.
pub(crate) fn find<'a, E: Error + 'static>(error: &'a (dyn Error + 'static)) -> Option<&'a E> {
    causes(error).find_map(|error| error.downcast_ref::<E>())
}

/// Their texts as they are, to look for words in; not for messages.
pub(crate) fn raw_texts(error: &(dyn Error + 'static)) -> String {
    causes(error).map(|error| format!("{error} ")).collect()
}

/// What may be said about a failed header provider. Its own text may quote the credentials, so only
/// errors that are known to hold none are named.
pub(crate) fn provider_failure(error: &(dyn Error + 'static)) -> String {
    let known = find::<std::io::Error>(error)
        .map(|error| error.kind().to_string())
        .or_else(|| find::<HeaderError>(error).map(HeaderError::to_string));
    match known {
        Some(reason) => format!("the header provider failed: {reason}"),
        None => "the header provider failed; its message is left out, since it may quote \
                 credentials"
            .to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn control_characters_are_escaped_and_quotes_stay_readable() {
        assert_eq!(outside("a\nb\u{1b}[31m \"c\""), "a\\nb\\u{1b}[31m \"c\"");
    }

    #[test]
    fn long_text_is_cut_at_a_character() {
        let cut = outside(&"ä".repeat(1000));
        assert!(cut.len() <= OUTSIDE_TEXT_MAX + '…'.len_utf8());
        assert!(cut.ends_with("ä…"));
    }

    #[test]
    fn a_failed_provider_is_described_without_its_words() {
        let secret: Box<dyn Error> = "token s3cr3t was refused".into();
        assert!(!provider_failure(&*secret).contains("s3cr3t"));
        let missing = std::io::Error::new(std::io::ErrorKind::NotFound, "/run/s3cr3t");
        let text = provider_failure(&missing);
        assert!(text.contains("not found") && !text.contains("s3cr3t"), "{text}");
    }

    #[test]
    fn every_cause_is_kept_once() {
        let io = std::io::Error::new(std::io::ErrorKind::ConnectionRefused, "re\nfused");
        let outer = std::io::Error::other(io);
        let cause = Cause::of(&outer);
        assert_eq!(cause.to_string(), "re\\nfused");
        assert!(cause.source().is_none());
    }
}
