//! Where requests go: a validated URL and the rules by which it is made from a setting.

use std::fmt;

use http::Uri;
use http::uri::Authority;
use percent_encoding::percent_decode_str;

use super::config::Protocol;
use super::secret::{STARS, Secret, shown};
use crate::signal::Signal;

/// A validated `http` or `https` URL.
///
/// `Display` and `Debug` show scheme, host, port and path; a query is shown as `?***`. A
/// `user:password@` in the setting is taken out of the URL and offered as
/// [`basic_auth`](Self::basic_auth).
///
/// ```
/// use otlp_core::Signal;
/// use otlp_core::export::Endpoint;
///
/// // A base URL, as in `OTEL_EXPORTER_OTLP_ENDPOINT`: the signal's path is appended.
/// let base = Endpoint::base("http://collector:4318/otlp", Signal::Traces)?;
/// assert_eq!(base.url(), "http://collector:4318/otlp/v1/traces");
/// // The URL of one signal: taken as it is.
/// assert_eq!(Endpoint::exact("https://collector")?.url(), "https://collector/");
/// # Ok::<(), otlp_core::export::EndpointError>(())
/// ```
#[derive(Clone)]
pub struct Endpoint {
    url: String,
    /// Where the path begins in `url`.
    path_start: usize,
    /// Where the path ends and the query begins.
    path_end: usize,
    tls: bool,
    host: String,
    port: u16,
    basic_auth: Option<Secret>,
}

impl Endpoint {
    /// A URL that is used as it is, as in `OTEL_EXPORTER_OTLP_TRACES_ENDPOINT`. An empty path
    /// becomes `/`.
    ///
    /// # Errors
    ///
    /// It is not an absolute `http` or `https` URL with a host.
    pub fn exact(url: &str) -> Result<Self, EndpointError> {
        Self::parse(url, |path| path.to_owned())
    }

    /// A base URL, as in `OTEL_EXPORTER_OTLP_ENDPOINT`: the signal's path (`v1/traces`) is
    /// appended to its path; a query stays behind it.
    ///
    /// # Errors
    ///
    /// It is not an absolute `http` or `https` URL with a host.
    pub fn base(url: &str, signal: Signal) -> Result<Self, EndpointError> {
        Self::parse(url, |path| {
            format!("{}/{}", path.strip_suffix('/').unwrap_or(path), signal.http_path())
        })
    }

    /// A gRPC target: an `http` or `https` URL, or `host:port`, which means TLS unless
    /// `insecure`. A scheme is stronger than `insecure`. A missing port is 443 or 80.
    ///
    /// A path is left out: the path of a gRPC request is its method.
    /// [`has_path`](Self::has_path) tells beforehand.
    ///
    /// # Errors
    ///
    /// It is neither of the two. `unix:`, `dns:` and other resolver forms are not supported.
    pub fn grpc(target: &str, insecure: bool) -> Result<Self, EndpointError> {
        let target = target.trim();
        if target.contains("://") {
            return Self::parse(target, |_| "/".to_owned());
        }
        if has_resolver_scheme(target) {
            return Err(EndpointError::new(target, "is a form that is not supported", GRPC_FORMS));
        }
        let scheme = if insecure { "http" } else { "https" };
        let parsed = Self::parse(&format!("{scheme}://{target}"), |_| "/".to_owned());
        // The message shows what was given, not what it was made into.
        parsed.map_err(|error| EndpointError::new(target, error.problem, GRPC_FORMS))
    }

    /// Whether a setting has a path besides `/`.
    #[must_use]
    pub fn has_path(setting: &str) -> bool {
        let rest = setting.split_once("://").map_or(setting, |(_, rest)| rest);
        rest.split(['?', '#'])
            .next()
            .and_then(|rest| rest.split_once('/'))
            .is_some_and(|(_, path)| !path.trim().is_empty())
    }

    /// `http://localhost:4318/v1/<signal>` for HTTP, `http://localhost:4317` for gRPC.
    #[must_use]
    pub fn default_for(protocol: Protocol, signal: Signal) -> Self {
        let path = match protocol {
            Protocol::Grpc => "/".to_owned(),
            Protocol::HttpProtobuf | Protocol::HttpJson => format!("/{}", signal.http_path()),
        };
        let (host, port) = ("localhost", protocol.default_port());
        Self::assemble(false, &format!("{host}:{port}"), &path, None)
            .with_host(host.to_owned(), port)
    }

    /// The whole URL, query included, without user and password. May hold secrets in its query.
    #[must_use]
    pub fn url(&self) -> &str {
        &self.url
    }

    /// Scheme, host and port: `https://collector:4317`.
    #[must_use]
    pub fn origin(&self) -> &str {
        self.url.get(..self.path_start).unwrap_or_default()
    }

    /// Whether the connection is encrypted.
    #[must_use]
    pub fn is_tls(&self) -> bool {
        self.tls
    }

    /// The host: a name, an IPv4 address, or an IPv6 address without brackets.
    #[must_use]
    pub fn host(&self) -> &str {
        &self.host
    }

    /// The port; 443 or 80 when the URL has none.
    #[must_use]
    pub fn port(&self) -> u16 {
        self.port
    }

    /// The path, at least `/`, without the query.
    #[must_use]
    pub fn path(&self) -> &str {
        self.url.get(self.path_start..self.path_end).unwrap_or("/")
    }

    /// `Basic …`, made of the user and password that the setting had before its host.
    #[must_use]
    pub fn basic_auth(&self) -> Option<&Secret> {
        self.basic_auth.as_ref()
    }

    /// What in the setting may be secret: user and password, as the value of a `Basic` header, and
    /// the query. For [`Redactor::with_secrets`](super::redact::Redactor::with_secrets).
    #[must_use]
    pub fn secrets(&self) -> Vec<Secret> {
        let query = self.url.get(self.path_end..).and_then(|query| query.strip_prefix('?'));
        self.basic_auth.clone().into_iter().chain(query.map(Secret::from)).collect()
    }

    fn parse(url: &str, path: impl FnOnce(&str) -> String) -> Result<Self, EndpointError> {
        let url = url.trim();
        let error = |problem| EndpointError::new(url, problem, URL_FORMS);
        let (scheme, rest) = url.split_once("://").ok_or_else(|| error("has no scheme"))?;
        let tls = match scheme.to_ascii_lowercase().as_str() {
            "http" => false,
            "https" => true,
            _ => return Err(error("has a scheme that is not supported")),
        };
        let (rest, fragment) = rest.split_once('#').map_or((rest, None), |(r, f)| (r, Some(f)));
        if fragment.is_some() {
            return Err(error("has a fragment (#…)"));
        }
        let split = rest.find(['/', '?']).unwrap_or(rest.len());
        let (authority, target) = rest.split_at_checked(split).unwrap_or((rest, ""));
        let (user, authority) = match authority.rsplit_once('@') {
            Some((user, authority)) => (Some(user), authority),
            None => (None, authority),
        };
        let (host, port) = host_and_port(authority).map_err(error)?;
        let (old_path, query) =
            target.split_once('?').map_or((target, None), |(path, query)| (path, Some(query)));
        // A raw `/` in a password ends the host early; the rest of it would be shown as a path.
        if old_path.contains('@') {
            return Err(error(
                "has an \"@\" in its path (as part of a user, a password or a path: %40)",
            ));
        }
        let mut new_path = path(old_path);
        if new_path.is_empty() {
            new_path.push('/');
        }
        let port = port.unwrap_or(if tls { 443 } else { 80 });
        let endpoint = Self::assemble(tls, &authority.to_ascii_lowercase(), &new_path, query)
            .with_host(host, port);
        // The last word on characters belongs to the grammar of the HTTP library.
        if endpoint.url.parse::<Uri>().is_err() {
            return Err(error("is not a valid URL"));
        }
        Ok(Self { basic_auth: user.map(basic_auth), ..endpoint })
    }

    fn assemble(tls: bool, authority: &str, path: &str, query: Option<&str>) -> Self {
        let mut url = if tls { "https://" } else { "http://" }.to_owned() + authority;
        let path_start = url.len();
        url.push_str(path);
        let path_end = url.len();
        if let Some(query) = query {
            url.push('?');
            url.push_str(query);
        }
        Self { url, path_start, path_end, tls, host: String::new(), port: 0, basic_auth: None }
    }

    fn with_host(mut self, host: String, port: u16) -> Self {
        self.host = host;
        self.port = port;
        self
    }
}

impl fmt::Display for Endpoint {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.url.get(..self.path_end).unwrap_or_default())?;
        if self.url.len() > self.path_end {
            write!(f, "?{STARS}")?;
        }
        Ok(())
    }
}

impl fmt::Debug for Endpoint {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Endpoint({self})")
    }
}

/// A setting that is no endpoint. Shows it without user, password and query.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("endpoint \"{value}\" {problem}; accepted: {accepted}")]
pub struct EndpointError {
    value: String,
    problem: &'static str,
    accepted: &'static str,
}

impl EndpointError {
    fn new(value: &str, problem: &'static str, accepted: &'static str) -> Self {
        Self { value: shown(&without_secrets(value)), problem, accepted }
    }

    /// The setting as it may be shown.
    #[must_use]
    pub fn value(&self) -> &str {
        &self.value
    }

    /// What is wrong with it.
    #[must_use]
    pub fn problem(&self) -> &str {
        self.problem
    }

    /// What would be accepted.
    #[must_use]
    pub fn accepted(&self) -> &str {
        self.accepted
    }
}

const URL_FORMS: &str = "http://host[:port][/path] or https://host[:port][/path]";
const GRPC_FORMS: &str =
    "http://host[:port], https://host[:port], or host[:port] for TLS (plaintext when insecure)";

/// Whether a gRPC target names a resolver (`unix:…`, `dns:…`), the known ones by name.
fn has_resolver_scheme(target: &str) -> bool {
    const KNOWN: [&str; 8] =
        ["dns", "ipv4", "ipv6", "passthrough", "unix", "unix-abstract", "vsock", "xds"];
    // A host of one of these names still works as `dns:53`: what follows is a port.
    target.split_once(':').is_some_and(|(scheme, rest)| {
        KNOWN.iter().any(|known| known.eq_ignore_ascii_case(scheme)) && rest.parse::<u16>().is_err()
    })
}

/// Splits `host`, `host:port` or `[v6]:port`; the host comes back without brackets.
fn host_and_port(authority: &str) -> Result<(String, Option<u16>), &'static str> {
    let (host, port) = match authority.strip_prefix('[') {
        Some(rest) => {
            let (host, rest) = rest.split_once(']').ok_or("has an IPv6 address without \"]\"")?;
            host.parse::<std::net::Ipv6Addr>().map_err(|_| "has an invalid IPv6 address")?;
            (host, rest)
        }
        None => {
            let split = authority.find(':').unwrap_or(authority.len());
            authority.split_at_checked(split).unwrap_or((authority, ""))
        }
    };
    let port = match port.strip_prefix(':') {
        None if port.is_empty() => None,
        Some(digits) if digits.contains(':') => {
            return Err("has an IPv6 address without brackets, or more than one port");
        }
        Some(digits) => Some(parse_port(digits)?),
        None => return Err("has something other than a port after the host"),
    };
    if host.is_empty() {
        return Err("has no host");
    }
    if authority.parse::<Authority>().is_err() {
        return Err("has an invalid host");
    }
    Ok((host.to_ascii_lowercase(), port))
}

fn parse_port(digits: &str) -> Result<u16, &'static str> {
    const PROBLEM: &str = "has a port that is not a number from 1 to 65535";
    let is_number = digits.bytes().all(|b| b.is_ascii_digit());
    digits.parse().ok().filter(|port| *port != 0 && is_number).ok_or(PROBLEM)
}

/// A setting as a message may show it. Works on any text, also on what is no URL.
fn without_secrets(setting: &str) -> String {
    let (scheme, rest) = match setting.split_once("://") {
        Some((scheme, rest)) => (format!("{scheme}://"), rest),
        None => (String::new(), setting),
    };
    // A password may hold a raw `/`, `?` or `#`, so the last `@` decides what is user and password.
    let end_of_user = || rest.rsplit_once('@').or_else(|| rest.rsplit_once("%40"));
    let (user, rest) = match end_of_user() {
        Some((_, rest)) => (format!("{STARS}@"), rest),
        None => (String::new(), rest),
    };
    let (rest, query) = match rest.find(['?', '#']).and_then(|at| rest.split_at_checked(at)) {
        Some((rest, query)) => (rest, format!("{}{STARS}", query.get(..1).unwrap_or_default())),
        None => (rest, String::new()),
    };
    format!("{scheme}{user}{rest}{query}")
}

/// The value of an `authorization` header for `user:password`, percent-encoded as in a URL.
fn basic_auth(user: &str) -> Secret {
    let mut decoded: Vec<u8> = percent_decode_str(user).collect();
    if !user.contains(':') {
        decoded.push(b':');
    }
    Secret::from(format!("Basic {}", base64(&decoded)))
}

/// Base64 with padding (RFC 4648, section 4).
fn base64(bytes: &[u8]) -> String {
    const ALPHABET: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    let mut out = String::with_capacity(bytes.len().div_ceil(3) * 4);
    for group in bytes.chunks(3) {
        let word =
            (0..3).fold(0u32, |word, i| word << 8 | u32::from(group.get(i).copied().unwrap_or(0)));
        for i in 0..4 {
            let index = (word >> (18 - 6 * i)) & 63;
            let letter = ALPHABET.get(index as usize).copied().unwrap_or(b'=');
            out.push(if i <= group.len() { char::from(letter) } else { '=' });
        }
    }
    out
}

#[cfg(test)]
mod tests;
