//! From an answer, or the lack of one, to the outcome that the driver acts on (table 1.5).

use std::error::Error;
use std::fmt;
use std::time::{Duration, SystemTime};

use bytes::Bytes;
use otlp_core::Signal;
use otlp_core::export::attempt::{self, Limit};
use otlp_core::export::cause::{Cause, find, raw_texts};
use otlp_core::export::redact::Redactor;
use otlp_core::export::{DecompressError, Endpoint, ErrorKind, ExportError, Outcome};
use otlp_core::wire::response as wire;
use reqwest::StatusCode;
use reqwest::header::{CONTENT_TYPE, HeaderMap, LOCATION};

use crate::encoding::{self, Encoding};
use crate::hint::{self, Attempt, Failure};
use crate::proxy::Proxy;
use crate::response::{BodyError, Media};
use crate::retry_after::retry_after;
use crate::transport::HEADERS_MAX_WORDS;

/// What was tried, for messages.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Tried<'a> {
    pub(crate) endpoint: &'a Endpoint,
    pub(crate) proxy: Option<&'a Proxy>,
    pub(crate) signal: Signal,
    pub(crate) encoding: Encoding,
    /// How many items were sent.
    pub(crate) items: usize,
    /// The limit for answers.
    pub(crate) limit: usize,
    /// Whether the server has answered anything before.
    pub(crate) answered: bool,
    /// Takes what was sent out of what the server says.
    pub(crate) redactor: Redactor<'a>,
}

impl fmt::Display for Tried<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        // An endpoint shows no query and no password.
        write!(f, "POST {}", self.endpoint)?;
        self.proxy.map_or(Ok(()), |proxy| write!(f, " through the proxy {proxy}"))
    }
}

impl Tried<'_> {
    /// The outcome of a request that was answered with a success and this body.
    pub(crate) fn accepted(self, headers: &HeaderMap, body: &Bytes) -> Outcome {
        if body.is_empty() {
            return Outcome::delivered();
        }
        match self.media(headers) {
            Media::Protobuf => self.read_success(body),
            #[cfg(feature = "json")]
            Media::Json => self.read_json_success(body),
            Media::Html => self.web_page(),
            _ => self.unknown_success(headers, body),
        }
    }

    /// The answer in JSON, whatever the request was in: what it rejects is counted.
    #[cfg(feature = "json")]
    fn read_json_success(self, body: &[u8]) -> Outcome {
        match otlp_core::wire::json::read_partial_success(self.signal, body) {
            Ok(partial) => attempt::accepted(self.items, partial, self.redactor),
            Err(error) => {
                // It quotes the answer, and is cut: a secret is then looked for by its start.
                let error = error.to_string();
                let error = self.redactor.printable(error.trim_end_matches('…'));
                self.unread(format!("it is not an OTLP response in JSON ({error})"), body)
            }
        }
    }

    fn read_success(self, body: &[u8]) -> Outcome {
        match wire::decode_partial_success(self.signal, body) {
            Ok(partial) => attempt::accepted(self.items, partial, self.redactor),
            Err(error) => {
                let error = self.redactor.printable(&error.to_string());
                self.unread(format!("it is not an OTLP response ({error})"), body)
            }
        }
    }

    /// The success of another kind of server, which has taken nothing.
    fn web_page(self) -> Outcome {
        let problem =
            format!("{self}: the answer is a web page (hint: is this the URL of an OTLP server?)");
        Outcome::permanent(ExportError::new(ErrorKind::InvalidResponse, problem))
    }

    /// A success in words that are not ours.
    fn unknown_success(self, headers: &HeaderMap, body: &[u8]) -> Outcome {
        // The empty response in JSON, which careless servers send whatever the request was.
        if body.trim_ascii() == b"{}" {
            return Outcome::delivered();
        }
        let media = headers.get(CONTENT_TYPE).and_then(|v| v.to_str().ok()).unwrap_or_default();
        let media = self.redactor.printable(media);
        self.unread(format!("it is {media} instead of {}", self.encoding.media_type()), body)
    }

    /// A success whose body cannot be read is one all the same, but not without saying so.
    fn unread(self, mut problem: String, body: &[u8]) -> Outcome {
        let quoted = self.quote(body);
        if !quoted.is_empty() {
            problem.push_str(": ");
            problem.push_str(&quoted);
        }
        attempt::unread(problem)
    }

    /// The outcome of a request that was answered with an error or a redirect.
    pub(crate) fn refused(
        self,
        status: StatusCode,
        headers: &HeaderMap,
        body: &[u8],
        now: SystemTime,
    ) -> Outcome {
        let code = status.as_u16();
        let error =
            ExportError::new(ErrorKind::HttpStatus(code), self.refusal(status, headers, body));
        match code {
            413 => Outcome::TooLarge { error },
            429 | 502 | 503 | 504 => {
                Outcome::Retryable { error, retry_after: self.delay(headers, body, now) }
            }
            _ => Outcome::permanent(error),
        }
    }

    fn refusal(self, status: StatusCode, headers: &HeaderMap, body: &[u8]) -> String {
        let mut text = format!("{self}: {status}");
        if let Some(location) = headers.get(LOCATION).filter(|_| status.is_redirection()) {
            // What follows the path may hold a secret.
            let location = String::from_utf8_lossy(location.as_bytes());
            let location = location.split(['?', '#']).next().unwrap_or_default();
            text.push_str(&format!(" to {}", self.redactor.printable(without_user(location))));
        }
        let words = self.words(headers, body);
        if !words.is_empty() {
            text.push_str(&format!(": {words}"));
        }
        if let Some(hint) = hint::for_status(status.as_u16(), self.attempt()) {
            text.push_str(&format!(" (hint: {hint})"));
        }
        text
    }

    /// The outcome of a request that got no answer.
    pub(crate) fn unanswered(self, error: reqwest::Error) -> Outcome {
        // The library puts the whole URL into its messages, and a URL may hold secrets.
        let error = error.without_url();
        if error.is_builder() {
            return Outcome::permanent(self.error(ErrorKind::Request, None, None, &error));
        }
        let hyper = find::<hyper::Error>(&error);
        let texts = raw_texts(&error);
        if let Some(outcome) = self.thrown_away(&error, &texts) {
            return outcome;
        }
        let (kind, failure) = match () {
            () if error.is_connect() => (ErrorKind::Connect, Failure::NoConnection),
            () if hyper.is_some_and(hyper::Error::is_parse) => {
                (ErrorKind::InvalidResponse, Failure::Garbled)
            }
            () if find::<h2::Error>(&error).is_some() => {
                (ErrorKind::Disconnected, Failure::Refused)
            }
            () => (ErrorKind::Disconnected, Failure::Cut),
        };
        let hint = hint::for_failure(&texts, failure, self.attempt());
        // The outermost text says no more than that it failed.
        let cause = error.source().unwrap_or(&error);
        Outcome::retryable(self.error(kind, None, hint.as_deref(), cause))
    }

    /// The outcome of an answer that the HTTP library has thrown away, because its headers are over
    /// a limit or it breaks the protocol. The next one would be the same; all else may be the server
    /// restarting.
    fn thrown_away(self, error: &reqwest::Error, texts: &str) -> Option<Outcome> {
        let cause = error.source().unwrap_or(error);
        let h2 = find::<h2::Error>(error).filter(|h2| h2.is_library());
        let (kind, over, hint) = match h2.and_then(h2::Error::reason) {
            // What h2 says of headers that are far too long or too many.
            Some(h2::Reason::ENHANCE_YOUR_CALM) => {
                (ErrorKind::ResponseTooLarge, Some(Limit::Headers(HEADERS_MAX_WORDS)), None)
            }
            Some(h2::Reason::PROTOCOL_ERROR) if h2.is_some_and(h2::Error::is_reset) => {
                (ErrorKind::InvalidResponse, None, Some(hint::MALFORMED))
            }
            _ if texts.contains("message head is too large") => {
                (ErrorKind::ResponseTooLarge, Some(Limit::Headers("408 KiB in 100 lines")), None)
            }
            _ => return None,
        };
        Some(Outcome::permanent(self.error(kind, over, hint, cause)))
    }

    /// The outcome of a request whose success came with a body that did not come whole, or does not
    /// inflate.
    pub(crate) fn unreadable(self, headers: &HeaderMap, error: BodyError) -> Outcome {
        if let BodyError::BrokenOff(error) = &error
            && let Some(outcome) = self.thrown_away(error, "")
        {
            return outcome;
        }
        let (kind, retryable) = match &error {
            BodyError::BrokenOff(_) => (ErrorKind::Disconnected, true),
            BodyError::TooLarge { .. } | BodyError::Inflate(DecompressError::TooLarge { .. }) => {
                (ErrorKind::ResponseTooLarge, false)
            }
            BodyError::Inflate(_) if self.media(headers) == Media::Html => return self.web_page(),
            BodyError::Inflate(error) => {
                return self.unread(self.redactor.printable(&error.to_string()), &[]);
            }
        };
        let error = match error {
            BodyError::BrokenOff(error) => BodyError::BrokenOff(error.without_url()),
            other => other,
        };
        let over = (kind == ErrorKind::ResponseTooLarge).then_some(Limit::Body(self.limit));
        let error = self.error(kind, over, None, &error);
        if retryable { Outcome::retryable(error) } else { Outcome::permanent(error) }
    }

    fn attempt(&self) -> Attempt<'_> {
        Attempt {
            tls: self.endpoint.is_tls(),
            port: self.endpoint.port(),
            usual_path: self.signal.http_path(),
            path: self.endpoint.path(),
            proxied: self.proxy.is_some(),
            answered: self.answered,
        }
    }

    fn error(
        self,
        kind: ErrorKind,
        over: Option<Limit>,
        hint: Option<&str>,
        cause: &(dyn Error + 'static),
    ) -> ExportError {
        attempt::failure(self, kind, over, hint, Cause::redacted(cause, self.redactor))
    }

    /// What the server says, without our secrets, escaped and cut: the message of its
    /// `google.rpc.Status` (H12), else the text of the body.
    fn words(self, headers: &HeaderMap, body: &[u8]) -> String {
        let media = self.media(headers);
        match encoding::status(media, body) {
            Some(status) if !status.message.is_empty() => self.redactor.printable(&status.message),
            _ if media == Media::Html => String::new(),
            _ => self.quote(body),
        }
    }

    /// How long the server asks to wait: `Retry-After`, else a `RetryInfo` in its status (H7).
    fn delay(self, headers: &HeaderMap, body: &[u8], now: SystemTime) -> Option<Duration> {
        retry_after(headers, now)
            .or_else(|| encoding::status(self.media(headers), body)?.retry_delay)
    }

    fn media(self, headers: &HeaderMap) -> Media {
        Media::of(headers, self.encoding.media())
    }

    /// A body as text, if it is text.
    fn quote(self, body: &[u8]) -> String {
        let start = body.get(..body.len().min(1024)).unwrap_or_default();
        let text = String::from_utf8_lossy(start);
        // Binary that nobody can read stays out.
        let unreadable = text.chars().filter(|c| c.is_control() || *c == '\u{fffd}').count();
        if unreadable * 8 > text.len() { String::new() } else { self.redactor.printable(&text) }
    }
}

fn without_user(url: &str) -> &str {
    match url.rsplit_once('@') {
        Some((_, rest)) => rest,
        None => url,
    }
}
