//! The proxy between us and the server, for messages: when it fails, the server is not to blame.

use std::fmt;
use std::net::IpAddr;

use hyper::Uri;
use hyper_util::client::proxy::matcher::{Intercept, Matcher};
use otlp_core::export::Secret;

/// The proxy that the HTTP library's own client takes for a URL. Shows no user and password.
#[derive(Clone, Debug)]
pub(crate) struct Proxy {
    shown: String,
    secrets: Vec<Secret>,
}

impl Proxy {
    /// Reads the proxy variables with the reader of the HTTP library. `None` when the URL is reached
    /// directly.
    pub(crate) fn of(url: &str) -> Option<Self> {
        let url: Uri = url.parse().ok()?;
        if is_this_machine(&url) {
            return None;
        }
        warn_of_unusable(&url);
        Self::read(&Matcher::from_system().intercept(&url)?)
    }

    /// A proxy that is set for everything, by its URL. `None` if it is none.
    pub(crate) fn named(proxy: &Secret, url: &str) -> Option<Self> {
        let (url, proxy) = (url.parse().ok()?, proxy.expose().to_owned());
        let found = Matcher::builder().all(proxy).build().intercept(&url)?;
        Self::read(&found).filter(|_| has_valid_port(found.uri()))
    }

    fn read(proxy: &Intercept) -> Option<Self> {
        let uri = proxy.uri();
        let scheme = uri.scheme_str().unwrap_or("http");
        let port = uri.port().map(|port| format!(":{port}")).unwrap_or_default();
        let basic = proxy.basic_auth().and_then(|value| value.to_str().ok()).map(Secret::from);
        let raw = proxy.raw_auth().into_iter().flat_map(|(user, password)| [user, password]);
        Some(Self {
            shown: format!("{scheme}://{}{port}", uri.host()?),
            secrets: basic.into_iter().chain(raw.map(Secret::from)).collect(),
        })
    }

    /// User and password, in the forms that are sent.
    pub(crate) fn secrets(&self) -> &[Secret] {
        &self.secrets
    }
}

impl fmt::Display for Proxy {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.shown)
    }
}

/// Whether the URL is one of this very machine, by its name or address. No proxy can reach it for us,
/// so none is asked, as in Go's standard library.
pub(crate) fn is_this_machine(url: &Uri) -> bool {
    let host = url.host().unwrap_or_default();
    let address = host.trim_start_matches('[').trim_end_matches(']').parse::<IpAddr>();
    host.eq_ignore_ascii_case("localhost") || address.is_ok_and(|address| address.is_loopback())
}

/// The library passes over a variable or port that it cannot read, without a word.
fn warn_of_unusable(url: &Uri) {
    let names = match url.scheme_str() {
        Some("https") => ["HTTPS_PROXY", "https_proxy", "ALL_PROXY", "all_proxy"],
        _ => ["HTTP_PROXY", "http_proxy", "ALL_PROXY", "all_proxy"],
    };
    for name in names {
        let value = std::env::var(name).unwrap_or_default();
        if !value.is_empty() && !is_usable(value, url) {
            tracing::warn!(
                target: "otlp_exporter_http",
                "{name} is not used as it is: it is not the URL of a proxy; accepted: \
                 http://host:port"
            );
        }
    }
}

fn is_usable(value: String, url: &Uri) -> bool {
    let proxy = Matcher::builder().all(value).build().intercept(url);
    proxy.is_some_and(|proxy| has_valid_port(proxy.uri()))
}

/// Whether the port is a number, or there is none. The library takes any text for one and then uses
/// the default port of the scheme.
fn has_valid_port(uri: &Uri) -> bool {
    let authority = uri.authority().map(|authority| authority.as_str()).unwrap_or_default();
    let port = uri.host().and_then(|host| authority.strip_prefix(host)).unwrap_or_default();
    port.is_empty() || uri.port_u16().is_some()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn proxy(setting: &'static str) -> Option<Proxy> {
        let url = Uri::from_static("http://collector:4318/");
        Proxy::read(&Matcher::builder().all(setting).build().intercept(&url)?)
    }

    #[test]
    fn a_proxy_is_named_without_user_and_password() {
        for (setting, shown) in [
            ("http://user:hunter2@proxy:3128/path", "http://proxy:3128"),
            ("user:hunter2@proxy", "http://proxy"),
            ("https://hunter2@[::1]:3128", "https://[::1]:3128"),
            ("socks5://user:hunter2@proxy:1080", "socks5://proxy:1080"),
        ] {
            let proxy = proxy(setting).unwrap();
            assert_eq!(proxy.to_string(), shown);
            assert!(!format!("{proxy:?}").contains("hunter2"), "{proxy:?}");
            assert!(!proxy.secrets().is_empty());
        }
        assert!(proxy("http://proxy:3128").unwrap().secrets().is_empty());
    }

    #[test]
    fn this_machine_is_known_by_name_and_address() {
        for url in
            ["http://localhost:4318", "http://LOCALHOST/", "http://127.1.2.3/", "http://[::1]:1/"]
        {
            assert!(is_this_machine(&url.parse().unwrap()), "{url}");
        }
        for url in ["http://localhost.example/", "http://10.0.0.1/", "http://[::2]/", "http://c/"] {
            assert!(!is_this_machine(&url.parse().unwrap()), "{url}");
        }
    }

    #[test]
    fn what_is_no_proxy_is_not_usable() {
        let url = Uri::from_static("http://collector:4318/");
        assert!(is_usable("http://proxy:3128".to_owned(), &url));
        for value in ["http://proxy:notaport", "ftp://proxy", "http://"] {
            assert!(!is_usable(value.to_owned(), &url), "{value}");
        }
    }
}
