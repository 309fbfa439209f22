//! Which pages of other origins may send: the answers that a browser asks for.

use bytes::Bytes;
use http::header::{
    ACCESS_CONTROL_ALLOW_HEADERS, ACCESS_CONTROL_ALLOW_METHODS, ACCESS_CONTROL_ALLOW_ORIGIN,
    ACCESS_CONTROL_EXPOSE_HEADERS, ACCESS_CONTROL_MAX_AGE, ACCESS_CONTROL_REQUEST_HEADERS,
    ACCESS_CONTROL_REQUEST_METHOD, HeaderMap, HeaderValue, ORIGIN, VARY,
};
use http::request::Parts;
use http::{Method, Response, StatusCode};

use super::settings::CorsSettings;

/// The rules, ready to be sent.
#[derive(Debug)]
pub(super) struct Cors {
    origins: Vec<String>,
    /// `None` for all.
    headers: Option<Vec<String>>,
    exposed: Option<HeaderValue>,
    max_age: Option<HeaderValue>,
}

impl Cors {
    /// `None` without an origin: then nothing is allowed, and nothing is said.
    pub(super) fn of(settings: &CorsSettings) -> Result<Option<Self>, String> {
        if settings.allowed_origins.is_empty() {
            return Ok(None);
        }
        let exposed = settings.exposed_headers.join(", ");
        let exposed = HeaderValue::try_from(exposed)
            .map_err(|_| "cors::exposed_headers: a name has characters that no header has")?;
        let all = settings.allowed_headers.iter().any(|name| name == "*");
        let named = || settings.allowed_headers.iter().map(|name| name.to_ascii_lowercase());
        Ok(Some(Self {
            origins: settings.allowed_origins.iter().map(|o| o.to_ascii_lowercase()).collect(),
            headers: (!all).then(|| USUAL.iter().map(|n| (*n).to_owned()).chain(named()).collect()),
            exposed: Some(exposed).filter(|exposed| !exposed.is_empty()),
            max_age: (settings.max_age > 0).then(|| HeaderValue::from(settings.max_age)),
        }))
    }

    /// The answer to a browser that asks beforehand; such a request brings no credentials.
    pub(super) fn preflight(&self, head: &Parts) -> Option<Response<Bytes>> {
        let asks = head.headers.contains_key(ACCESS_CONTROL_REQUEST_METHOD);
        if head.method != Method::OPTIONS || !asks {
            return None;
        }
        let mut response = Response::new(Bytes::new());
        *response.status_mut() = StatusCode::NO_CONTENT;
        let headers = response.headers_mut();
        if !self.mark(head, headers) {
            return Some(response);
        }
        let wanted = head.headers.get(ACCESS_CONTROL_REQUEST_HEADERS);
        if let Some(wanted) = wanted.filter(|wanted| self.allows(wanted)) {
            headers.insert(ACCESS_CONTROL_ALLOW_HEADERS, wanted.clone());
        }
        headers.insert(ACCESS_CONTROL_ALLOW_METHODS, HeaderValue::from_static("POST"));
        if let Some(max_age) = &self.max_age {
            headers.insert(ACCESS_CONTROL_MAX_AGE, max_age.clone());
        }
        Some(response)
    }

    /// Says that a page of this origin may read the answer; says whether it may.
    pub(super) fn mark(&self, head: &Parts, headers: &mut HeaderMap) -> bool {
        headers.append(VARY, HeaderValue::from_static("Origin"));
        let Some(origin) = head.headers.get(ORIGIN) else { return false };
        let text = origin.to_str().unwrap_or_default().to_ascii_lowercase();
        if !self.origins.iter().any(|allowed| matches(allowed, &text)) {
            return false;
        }
        headers.insert(ACCESS_CONTROL_ALLOW_ORIGIN, origin.clone());
        if let Some(exposed) = &self.exposed {
            headers.insert(ACCESS_CONTROL_EXPOSE_HEADERS, exposed.clone());
        }
        true
    }

    fn allows(&self, wanted: &HeaderValue) -> bool {
        let Some(allowed) = &self.headers else { return true };
        let Ok(wanted) = wanted.to_str() else { return false };
        let mut names = wanted.split(',').map(|name| name.trim().to_ascii_lowercase());
        names.all(|name| name.is_empty() || allowed.contains(&name))
    }
}

/// Whether an origin is the one that is allowed, of which one `*` stands for anything.
fn matches(allowed: &str, origin: &str) -> bool {
    match allowed.split_once('*') {
        None => allowed == origin,
        Some((start, end)) => {
            origin.len() >= start.len().saturating_add(end.len())
                && origin.starts_with(start)
                && origin.ends_with(end)
        }
    }
}

/// What every client of OTLP sends.
const USUAL: [&str; 4] = ["accept", "content-type", "content-encoding", "x-requested-with"];

#[cfg(test)]
mod tests {
    use super::matches;

    #[test]
    fn an_origin_is_matched_whole_around_its_star() {
        assert!(matches("*", "https://a.example") && matches("https://a", "https://a"));
        assert!(matches("https://*.example.com", "https://shop.example.com"));
        assert!(!matches("https://*.example.com", "https://example.com"));
        assert!(!matches("https://*.example.com", "https://a.example.com.evil.org"));
        assert!(!matches("ab*bc", "abc"), "the parts must not overlap");
    }
}
