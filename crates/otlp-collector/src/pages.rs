//! A small HTTP server for pages about the collector itself: health, status, metrics.
//!
//! A connection brings one request and has a few seconds for it; where there are too many, the oldest makes room.
//! So whoever opens connections and does nothing, or reads slowly, keeps nobody out and holds nothing for long.

mod server;
mod settings;

use bytes::Bytes;
use http::StatusCode;
use percent_encoding::percent_decode_str;

pub(crate) use self::server::PageServer;
pub use self::settings::PageServerSettings;

/// Makes pages. Called on the runtime, so it must not block.
pub(crate) trait Pages: Send + Sync + 'static {
    /// The page for a request; `None` where there is none.
    fn page(&self, request: &PageRequest<'_>) -> Option<Page>;
}

/// What is asked for.
#[derive(Clone, Copy, Debug)]
pub(crate) struct PageRequest<'a> {
    pub(crate) path: &'a str,
    pub(crate) query: &'a str,
}

impl PageRequest<'_> {
    /// A parameter of the query, decoded.
    pub(crate) fn parameter(&self, name: &str) -> Option<String> {
        let pairs = self.query.split('&').map(|pair| pair.split_once('=').unwrap_or((pair, "")));
        let (_, value) = pairs.into_iter().find(|(key, _)| *key == name)?;
        let value = value.replace('+', " ");
        Some(percent_decode_str(&value).decode_utf8_lossy().into_owned())
    }
}

/// What is answered.
#[derive(Clone, Debug)]
pub(crate) struct Page {
    pub(crate) status: StatusCode,
    pub(crate) content_type: &'static str,
    pub(crate) body: Bytes,
}

impl Page {
    pub(crate) fn new(content_type: &'static str, body: impl Into<Bytes>) -> Self {
        Self { status: StatusCode::OK, content_type, body: body.into() }
    }

    pub(crate) fn html(body: String) -> Self {
        Self::new("text/html; charset=utf-8", body)
    }

    pub(crate) fn json(value: &serde_json::Value) -> Self {
        Self::new("application/json", value.to_string())
    }

    pub(crate) fn text(status: StatusCode, body: impl Into<String>) -> Self {
        Self::new("text/plain; charset=utf-8", body.into()).with_status(status)
    }

    pub(crate) fn with_status(mut self, status: StatusCode) -> Self {
        self.status = status;
        self
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_parameter_is_found_by_its_whole_name_and_decoded() {
        let request = PageRequest {
            path: "/",
            query: "pipelines=no&pipeline=traces%2Fa+b&pipeline=later&flag",
        };
        assert_eq!(request.parameter("pipeline").as_deref(), Some("traces/a b"));
        assert_eq!(request.parameter("flag").as_deref(), Some(""));
        assert_eq!(request.parameter("pipe"), None);
    }
}
