//! What a reader of an error message most probably has to change.

use crate::status::Code;

/// What is known about a failed attempt.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Attempt {
    /// Whether the endpoint begins with `https`.
    pub(crate) tls: bool,
    pub(crate) port: u16,
    /// Whether no byte has ever come from there.
    pub(crate) silent: bool,
}

/// The default port of OTLP/HTTP.
const HTTP_PORT: u16 = 4318;

/// A hint for an answer with a gRPC status.
pub(crate) fn for_status(code: Code, attempt: Attempt) -> Option<&'static str> {
    match code {
        Code::UNIMPLEMENTED => http_port(attempt)
            .or(Some("the server has no OTLP service for this signal at this address; is it one for OTLP/HTTP, \
                 whose port is 4318 as a rule?")),
        Code::UNAUTHENTICATED | Code::PERMISSION_DENIED => {
            Some("check the headers that carry the credentials")
        }
        _ => http_port(attempt),
    }
}

/// A hint for an attempt without an answer, from the texts of its causes. `cut`: there was a
/// connection, but it ended without a word.
pub(crate) fn for_failure(causes: &str, cut: bool, attempt: Attempt) -> Option<&'static str> {
    if attempt.tls && causes.contains("InvalidContentType") {
        return Some("the server does not speak TLS on this port; use http://");
    }
    // The second: a CA of the same name, but another one.
    if ["UnknownIssuer", "BadSignature", "CaUsedAsEndEntity"].iter().any(|e| causes.contains(e)) {
        return Some(
            "set the certificate of the CA that signed the server's: \
             OTEL_EXPORTER_OTLP_CERTIFICATE or with_tls",
        );
    }
    if let Some(hint) = http_port(attempt) {
        return Some(hint);
    }
    // How h2 calls bytes that are not HTTP/2: the first of an HTTP/1.1 answer or a TLS alert.
    let garbled =
        causes.contains("frame with invalid size") || causes.contains("h2 protocol error");
    let no_h2 =
        causes.contains("HTTP/2 was not negotiated") || causes.contains("NoApplicationProtocol");
    match (no_h2, garbled, attempt.tls) {
        (true, ..) => Some("the server offers no HTTP/2 on this port; is it one for OTLP/HTTP?"),
        (_, true, true) => Some("the server does not speak HTTP/2 on this port"),
        (_, true, false) => {
            Some("the server does not speak HTTP/2 on this port; is it one for OTLP/HTTP or https?")
        }
        // Some servers say nothing to a protocol that they do not know. One that speaks HTTP/2
        // greets first.
        (_, _, false) if cut && attempt.silent => {
            Some("not a byte has come from there; is this port one for OTLP/HTTP or https?")
        }
        _ => None,
    }
}

/// A hint for an answer that HTTP/2 has thrown away: it does not say which of the two it was.
pub(crate) const MALFORMED: &str =
    "the answer breaks the rules of HTTP/2, or its headers are over the limit of 16 KiB";

fn http_port(attempt: Attempt) -> Option<&'static str> {
    (attempt.port == HTTP_PORT)
        .then_some("port 4318 is the usual one for OTLP/HTTP; OTLP/gRPC has 4317")
}

#[cfg(test)]
mod tests {
    use super::*;

    const PLAIN: Attempt = Attempt { tls: false, port: 4317, silent: true };

    #[test]
    fn the_wrong_port_and_the_wrong_protocol_are_named() {
        let http = Attempt { port: 4318, ..PLAIN };
        assert!(for_failure("", false, http).unwrap().contains("4317"));
        assert!(for_status(Code::UNIMPLEMENTED, http).unwrap().contains("4317"));
        assert!(for_failure("frame with invalid size", true, PLAIN).unwrap().contains("https?"));
        assert_eq!(for_failure("Connection refused", false, PLAIN), None);
        let tls = Attempt { tls: true, ..PLAIN };
        let corrupt = "received corrupt message of type InvalidContentType";
        assert!(for_failure(corrupt, false, tls).unwrap().contains("http://"));
    }

    #[test]
    fn a_peer_that_speaks_http_2_is_not_suspected() {
        assert!(for_failure("broken pipe", true, PLAIN).unwrap().contains("not a byte"));
        assert_eq!(for_failure("refused stream", false, PLAIN), None);
        let known = Attempt { silent: false, ..PLAIN };
        assert_eq!(for_failure("broken pipe", true, known), None);
    }
}
