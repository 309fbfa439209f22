//! What stands behind an error: looked through, and made fit for a message.

use std::error::Error;
use std::fmt;

use super::headers::HeaderError;
use super::redact::Redactor;
use super::text::printable;

/// Most causes that are looked at behind one error.
const CAUSES_MAX: usize = 8;

/// The texts of an error and of what is behind it, escaped and cut.
///
/// Errors of transport libraries quote what the peer sent (names in certificates, debug data), so
/// exporters put this into an [`ExportError`](super::ExportError) or a
/// [`BuildError`](super::BuildError) instead of the error itself. At most eight causes are kept.
///
/// ```
/// use std::error::Error as _;
/// use otlp_core::export::cause::Cause;
///
/// let error = std::io::Error::other("the peer said:\r\nno");
/// let cause = Cause::of(&error);
/// assert_eq!(cause.to_string(), r"the peer said:\r\nno");
/// assert!(cause.source().is_none());
/// ```
#[derive(Clone, Debug)]
pub struct Cause {
    text: String,
    next: Option<Box<Self>>,
}

impl Cause {
    /// Reads `error` and everything behind it.
    #[must_use]
    pub fn of(error: &(dyn Error + 'static)) -> Self {
        Self::read(error, |text| printable(text.trim()))
    }

    /// As [`of`](Self::of), but without our own secrets, which a peer may have sent back.
    #[must_use]
    pub fn redacted(error: &(dyn Error + 'static), redactor: Redactor<'_>) -> Self {
        Self::read(error, |text| redactor.printable(text))
    }

    fn read(error: &(dyn Error + 'static), shown: impl Fn(&str) -> String) -> Self {
        let mut texts: Vec<String> = causes(error).map(|error| shown(&error.to_string())).collect();
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
        self.next.as_deref().map(|next| next as &(dyn Error + 'static))
    }
}

/// The error and what is behind it, outermost first, at most eight.
pub fn causes<'a>(
    error: &'a (dyn Error + 'static),
) -> impl Iterator<Item = &'a (dyn Error + 'static)> {
    let next = |error: &&'a (dyn Error + 'static)| (*error).source();
    std::iter::successors(Some(error), next).take(CAUSES_MAX)
}

/// The first of the [`causes`] that is an `E`.
#[must_use]
pub fn find<'a, E: Error + 'static>(error: &'a (dyn Error + 'static)) -> Option<&'a E> {
    causes(error).find_map(|error| error.downcast_ref::<E>())
}

/// The texts of the [`causes`] as they are, to look for words in; not for messages.
#[must_use]
pub fn raw_texts(error: &(dyn Error + 'static)) -> String {
    causes(error).map(|error| format!("{error} ")).collect()
}

/// What may be said about a failed header provider. Its own text may quote the credentials, so
/// only errors that are known to hold none are named.
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
    use super::super::headers::Headers;
    use super::*;

    #[derive(Debug, thiserror::Error)]
    #[error("{0}")]
    struct Wrapped(&'static str, #[source] std::io::Error);

    #[test]
    fn a_failed_provider_is_described_without_its_words() {
        let secret: Box<dyn Error> = "token s3cr3t was refused".into();
        assert!(!provider_failure(&*secret).contains("s3cr3t"));
        let missing = std::io::Error::new(std::io::ErrorKind::NotFound, "/run/s3cr3t");
        let text = provider_failure(&missing);
        assert!(text.contains("not found") && !text.contains("s3cr3t"), "{text}");
    }

    #[test]
    fn every_text_is_kept_once_and_escaped() {
        let refused = || std::io::Error::other("re\nfused");
        let cause = Cause::of(&Wrapped("no connection", refused()));
        assert_eq!(cause.to_string(), "no connection");
        assert_eq!(cause.source().unwrap().to_string(), "re\\nfused");
        assert!(Cause::of(&Wrapped("re\nfused", refused())).source().is_none());
    }

    #[test]
    fn a_secret_that_the_peer_has_sent_back_is_hidden_in_every_cause() {
        let headers = Headers::parse("x-key=hunter2").unwrap();
        let error = Wrapped("no hunter2", std::io::Error::other("b\"hunter2\""));
        let cause = Cause::redacted(&error, Redactor::new(&headers));
        assert_eq!(cause.to_string(), "no ***");
        assert_eq!(cause.source().unwrap().to_string(), "b\"***\"");
    }

    #[test]
    fn a_cause_is_found_by_its_type() {
        let error = Wrapped("no connection", std::io::ErrorKind::ConnectionRefused.into());
        let found = find::<std::io::Error>(&error).unwrap();
        assert_eq!(found.kind(), std::io::ErrorKind::ConnectionRefused);
        assert!(find::<HeaderError>(&error).is_none());
        assert_eq!(raw_texts(&error), "no connection connection refused ");
    }
}
