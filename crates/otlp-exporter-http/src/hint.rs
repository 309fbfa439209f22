//! What a reader of an error message most probably has to change.

/// What is known about a failed attempt.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Attempt<'a> {
    /// Whether the URL begins with `https`.
    pub(crate) tls: bool,
    pub(crate) port: u16,
    /// The path that requests of this signal usually have.
    pub(crate) usual_path: &'a str,
    /// The path that was used.
    pub(crate) path: &'a str,
    /// Whether there is a proxy between us and the server.
    pub(crate) proxied: bool,
    /// Whether the server has answered anything before, so that it is the right one.
    pub(crate) answered: bool,
}

const CLIENT_CERTIFICATE: &str = "the server asks for a client certificate: \
     OTEL_EXPORTER_OTLP_CLIENT_CERTIFICATE and OTEL_EXPORTER_OTLP_CLIENT_KEY, or with_tls";

/// The default port of OTLP/gRPC.
const GRPC_PORT: u16 = 4317;

/// A hint for an answer with an error status.
pub(crate) fn for_status(status: u16, attempt: Attempt<'_>) -> Option<String> {
    let path = attempt.path.trim_end_matches('/');
    match status {
        404 | 405 if !path.ends_with(attempt.usual_path) => Some(format!(
            "the path is {}, while OTLP servers usually listen on /{}; an endpoint that is set \
             for one signal is used as it is",
            attempt.path, attempt.usual_path
        )),
        404 | 405 => Some("is this the URL of an OTLP/HTTP server?".to_owned()),
        401 | 403 => Some("check the headers that carry the credentials".to_owned()),
        407 => Some("the proxy asks for credentials".to_owned()),
        415 => Some("the server takes no protobuf, or not this compression".to_owned()),
        300..=399 => {
            Some("redirects are not followed; set the endpoint to the final URL".to_owned())
        }
        _ => grpc_port(attempt),
    }
}

/// How an attempt without an answer ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Failure {
    NoConnection,
    /// The connection ended.
    Cut,
    /// The peer speaks our HTTP, and has refused the request, or we its answer.
    Refused,
    /// Something came back that is not HTTP.
    Garbled,
}

/// A hint for an attempt without an answer, from the texts of its causes.
pub(crate) fn for_failure(causes: &str, failure: Failure, attempt: Attempt<'_>) -> Option<String> {
    if attempt.tls && causes.contains("InvalidContentType") {
        return Some("the server does not speak TLS on this port; use http://".to_owned());
    }
    // The second: a CA of the same name, but another one.
    if ["UnknownIssuer", "BadSignature", "CaUsedAsEndEntity"].iter().any(|e| causes.contains(e)) {
        return Some(
            "set the certificate of the CA that signed the server's: \
             OTEL_EXPORTER_OTLP_CERTIFICATE or with_tls"
                .to_owned(),
        );
    }
    if causes.contains("CertificateRequired") {
        return Some(CLIENT_CERTIFICATE.to_owned());
    }
    if failure == Failure::NoConnection && attempt.proxied {
        return Some(PROXY.to_owned());
    }
    if let Some(hint) = grpc_port(attempt) {
        return Some(hint);
    }
    let tls = if attempt.tls { "" } else { " or https" };
    match failure {
        Failure::Garbled => Some(format!(
            "the server does not speak HTTP/1.1 on this port; is it one for gRPC{tls}?"
        )),
        // Some servers say nothing to a protocol that they do not know.
        Failure::Cut if !attempt.answered && !attempt.proxied => {
            let tls =
                if attempt.tls { ", or does the server ask for a client certificate" } else { tls };
            Some(format!("no answer has ever come from there; is this port one for gRPC{tls}?"))
        }
        Failure::Cut | Failure::Refused | Failure::NoConnection => None,
    }
}

/// A hint for an answer that HTTP/2 has thrown away: it does not say which of the two it was.
pub(crate) const MALFORMED: &str =
    "the answer breaks the rules of HTTP/2, or its headers are over the limit of 16 KiB";

const PROXY: &str = "it may be the proxy that cannot be reached; it comes from the settings, or from HTTP_PROXY, \
                     HTTPS_PROXY or ALL_PROXY, and NO_PROXY lists hosts that need none";

fn grpc_port(attempt: Attempt<'_>) -> Option<String> {
    (attempt.port == GRPC_PORT)
        .then(|| "port 4317 is the usual one for OTLP/gRPC; OTLP/HTTP has 4318".to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    const PLAIN: Attempt<'static> = Attempt {
        tls: false,
        port: 4318,
        usual_path: "v1/traces",
        path: "/",
        proxied: false,
        answered: false,
    };

    #[test]
    fn a_missing_path_is_named() {
        let hint = for_status(404, PLAIN).unwrap();
        assert!(hint.contains("the path is /,") && hint.contains("/v1/traces"), "{hint}");
        let right = Attempt { path: "/base/v1/traces/", ..PLAIN };
        assert!(!for_status(404, right).unwrap().contains("the path is"));
    }

    #[test]
    fn the_wrong_port_and_the_wrong_protocol_are_named() {
        let grpc = Attempt { port: 4317, ..PLAIN };
        assert!(for_failure("", Failure::NoConnection, grpc).unwrap().contains("4318"));
        assert!(for_failure("", Failure::Garbled, PLAIN).unwrap().contains("gRPC or https"));
        assert_eq!(for_failure("Connection refused", Failure::NoConnection, PLAIN), None);
        let tls = Attempt { tls: true, ..PLAIN };
        let corrupt = "received corrupt message of type InvalidContentType";
        assert!(for_failure(corrupt, Failure::NoConnection, tls).unwrap().contains("http://"));
    }

    #[test]
    fn a_server_that_has_answered_before_is_not_suspected() {
        let hint = for_failure("reset", Failure::Cut, PLAIN).unwrap();
        assert!(hint.contains("no answer has ever come"), "{hint}");
        let known = Attempt { answered: true, ..PLAIN };
        assert_eq!(for_failure("reset", Failure::Cut, known), None);
        assert_eq!(for_failure("REFUSED_STREAM", Failure::Refused, PLAIN), None);
    }

    #[test]
    fn behind_a_proxy_the_proxy_is_suspected() {
        let proxied = Attempt { proxied: true, port: 4317, ..PLAIN };
        let hint = for_failure("refused", Failure::NoConnection, proxied).unwrap();
        assert!(hint.contains("HTTP_PROXY") && hint.contains("NO_PROXY"), "{hint}");
        let proxied = Attempt { port: 4318, ..proxied };
        assert_eq!(for_failure("reset", Failure::Cut, proxied), None);
    }
}
