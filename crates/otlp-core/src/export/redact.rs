//! Takes what we sent out of what a server says: servers like to quote the credentials that they
//! refuse.

use std::borrow::Cow;

use super::headers::Headers;
use super::secret::{STARS, Secret};
use super::text::printable;

mod fold;
mod forms;

/// Replaces the secrets of one request by `***` in text from its server.
///
/// Secrets are the values of all headers that were sent, and what else is given with
/// [`with_secrets`](Self::with_secrets). Each is found as a whole and by the parts that a server
/// may quote alone: the token after a scheme word (`Bearer abc`), what a `Basic` token says when it
/// is decoded, the values of `name=value` pairs. It is found in any case, and also where the server
/// wrote it percent-encoded, with the escapes of JSON or with those of HTML. At the end of the text
/// its first four bytes are enough, since texts are cut.
///
/// A secret of fewer than four bytes is replaced only where it stands as a word of its own: inside
/// of words it would turn any text into stars, which hides nothing from a reader who can count.
///
/// What a server does beyond that is out of reach: it may quote a part of a token, or encrypt it.
///
/// Costs nothing until it is used, so exporters make one for each attempt.
///
/// ```
/// use otlp_core::export::Headers;
/// use otlp_core::export::redact::Redactor;
///
/// let sent = Headers::parse("authorization=Bearer%20abc-123,x-tenant=7")?;
/// let said = "token ABC-123 is not valid for 7 (17 tried)";
/// assert_eq!(Redactor::new(&sent).printable(said), "token *** is not valid for *** (17 tried)");
/// # Ok::<(), otlp_core::export::HeaderError>(())
/// ```
#[derive(Clone, Copy, Debug)]
pub struct Redactor<'a> {
    headers: &'a Headers,
    provided: Option<&'a Headers>,
    secrets: &'a [Secret],
}

impl<'a> Redactor<'a> {
    /// Hides the values of these headers.
    #[must_use]
    pub const fn new(headers: &'a Headers) -> Self {
        Self { headers, provided: None, secrets: &[] }
    }

    /// Hides the values of these headers too: those that the
    /// [`HeaderProvider`](super::HeaderProvider) had for the attempt.
    #[must_use]
    pub const fn with_provided(mut self, headers: Option<&'a Headers>) -> Self {
        self.provided = headers;
        self
    }

    /// Hides these too, such as the [secrets of the URL](super::Endpoint::secrets).
    #[must_use]
    pub const fn with_secrets(mut self, secrets: &'a [Secret]) -> Self {
        self.secrets = secrets;
        self
    }

    /// Text from the server as a message may show it: without our secrets, without white space
    /// around it, escaped and cut as by [`printable`].
    #[must_use]
    pub fn printable(&self, text: &str) -> String {
        printable(self.redact(text).trim())
    }

    /// The text with `***` for our secrets. Looks at its first 4 KiB and leaves out what follows.
    #[must_use]
    pub fn redact<'t>(&self, text: &'t str) -> Cow<'t, str> {
        let text = start(text, TEXT_MAX);
        let mut spans = fold::spans(text, &self.forms());
        if spans.is_empty() {
            return Cow::Borrowed(text);
        }
        spans.sort_unstable_by_key(|span| (span.start, span.end));
        let mut out = String::with_capacity(text.len());
        let mut done = 0;
        for span in spans {
            // Those that touch or overlap become one; none is empty.
            if done == 0 || span.start > done {
                out.push_str(text.get(done..span.start).unwrap_or_default());
                out.push_str(STARS);
            }
            done = done.max(span.end);
        }
        out.push_str(text.get(done..).unwrap_or_default());
        Cow::Owned(out)
    }

    /// Everything to look for.
    fn forms(&self) -> Vec<String> {
        let headers = self.headers.iter().chain(self.provided.into_iter().flat_map(Headers::iter));
        let values = headers.map(|(_, value)| value).chain(self.secrets);
        let mut forms: Vec<String> = values.flat_map(|value| forms::of(value.expose())).collect();
        forms.sort_unstable();
        forms.dedup();
        forms
    }
}

/// Most bytes of a text that are looked at; a message shows 256.
const TEXT_MAX: usize = 4 << 10;

/// The first `max` bytes, cut at a character.
fn start(text: &str, max: usize) -> &str {
    let end = (0..=max.min(text.len())).rev().find(|end| text.is_char_boundary(*end));
    text.get(..end.unwrap_or(0)).unwrap_or_default()
}

#[cfg(test)]
mod tests;
