//! The gRPC status of an answer: where it stands, how it is read, what its code means.
//!
//! Tonic's own reader of the status headers is not used: it panics when
//! `grpc-status-details-bin` is not base64, and that text is the server's to choose.

use bytes::Bytes;
use http::{HeaderMap, HeaderName, StatusCode};
use otlp_core::export::grpc_status_name;
use percent_encoding::percent_decode;
use tonic::metadata::MetadataMap;

/// Where the details stand, in base64.
const DETAILS: HeaderName = HeaderName::from_static("grpc-status-details-bin");

/// Longest details that are looked into. `RetryInfo` takes some sixty bytes.
const DETAILS_MAX: usize = 64 * 1024;

/// A gRPC status as the server gave it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Status {
    pub(crate) code: Code,
    /// The server's own words, still raw.
    pub(crate) message: String,
    /// An encoded `google.rpc.Status`, empty when there is none.
    pub(crate) details: Bytes,
}

impl Status {
    /// Reads the status out of trailers, or out of the headers of an answer without a body
    /// ("Trailers-Only"). `None` when there is no `grpc-status`. Of several that contradict each
    /// other, a refusal counts.
    pub(crate) fn from_headers(headers: &HeaderMap) -> Option<Self> {
        let codes = headers.get_all("grpc-status").iter();
        let code = codes
            .map(|text| Code::parse(text.as_bytes()))
            .reduce(|first, next| if first == Code::OK { next } else { first })?;
        let message = headers.get("grpc-message").map(|text| {
            // What does not decode is kept as well as it goes, never thrown away (gRPC over
            // HTTP/2, "Status-Message").
            percent_decode(text.as_bytes()).decode_utf8_lossy().into_owned()
        });
        Some(Self { code, message: message.unwrap_or_default(), details: details(headers) })
    }

    /// The status that an HTTP status stands for when the answer has none of its own ("HTTP to
    /// gRPC Status Code Mapping").
    pub(crate) fn from_http(status: StatusCode) -> Self {
        let code = match status.as_u16() {
            400 => Code::INTERNAL,
            401 => Code::UNAUTHENTICATED,
            403 => Code::PERMISSION_DENIED,
            404 => Code::UNIMPLEMENTED,
            429 | 502 | 503 | 504 => Code::UNAVAILABLE,
            _ => Code::UNKNOWN,
        };
        let message = format!("HTTP status {} without a gRPC status", status.as_u16());
        Self { code, message, details: Bytes::new() }
    }
}

impl Status {
    /// Whether the server took the request.
    pub(crate) fn is_ok(&self) -> bool {
        self.code == Code::OK
    }
}

fn details(headers: &HeaderMap) -> Bytes {
    let Some(value) = headers.get(DETAILS).filter(|value| value.len() <= DETAILS_MAX) else {
        return Bytes::new();
    };
    let metadata = MetadataMap::from_headers(HeaderMap::from_iter([(DETAILS, value.clone())]));
    let decoded = metadata.get_bin(DETAILS.as_str()).map(|value| value.to_bytes());
    // A hint that cannot be read is no hint.
    decoded.and_then(Result::ok).unwrap_or_default()
}

/// A gRPC status code.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Code(pub(crate) i32);

impl Code {
    pub(crate) const OK: Self = Self(0);
    pub(crate) const CANCELLED: Self = Self(1);
    pub(crate) const UNKNOWN: Self = Self(2);
    pub(crate) const DEADLINE_EXCEEDED: Self = Self(4);
    pub(crate) const PERMISSION_DENIED: Self = Self(7);
    pub(crate) const RESOURCE_EXHAUSTED: Self = Self(8);
    pub(crate) const ABORTED: Self = Self(10);
    pub(crate) const OUT_OF_RANGE: Self = Self(11);
    pub(crate) const UNIMPLEMENTED: Self = Self(12);
    pub(crate) const INTERNAL: Self = Self(13);
    pub(crate) const UNAVAILABLE: Self = Self(14);
    pub(crate) const DATA_LOSS: Self = Self(15);
    pub(crate) const UNAUTHENTICATED: Self = Self(16);

    /// Reads the decimal text of `grpc-status`; anything else is UNKNOWN, as gRPC asks.
    fn parse(text: &[u8]) -> Self {
        std::str::from_utf8(text)
            .ok()
            .and_then(|text| text.parse::<u8>().ok())
            .map_or(Self::UNKNOWN, |code| Self(i32::from(code)))
    }

    /// What messages call it.
    pub(crate) fn name(self) -> &'static str {
        grpc_status_name(self.0).unwrap_or("an undefined status code")
    }

    /// Whether the same request may succeed later. `throttled`: the server sent `RetryInfo`
    /// (OTLP/gRPC, "Failures"; row G5).
    pub(crate) fn is_retryable(self, throttled: bool) -> bool {
        match self {
            Self::CANCELLED
            | Self::DEADLINE_EXCEEDED
            | Self::ABORTED
            | Self::OUT_OF_RANGE
            | Self::UNAVAILABLE
            | Self::DATA_LOSS => true,
            Self::RESOURCE_EXHAUSTED => throttled,
            _ => false,
        }
    }
}

/// Whether the server says that the message is over its limit.
///
/// OTLP gives size no code of its own: servers answer RESOURCE_EXHAUSTED (Go, Java, C++, .NET) or
/// OUT_OF_RANGE (tonic), and only the words tell it from overload.
pub(crate) fn says_too_large(status: &Status) -> bool {
    if !matches!(status.code, Code::RESOURCE_EXHAUSTED | Code::OUT_OF_RANGE) {
        return false;
    }
    let text = status.message.to_ascii_lowercase();
    let about_size = ["message", "request", "body", "payload"].iter().any(|w| text.contains(w));
    let over = [
        "larger than max",
        "larger than the max",
        "length too large",
        "exceeds maximum",
        "exceeds the maximum",
        "exceeds the limit",
        "exceeds limit",
        "too large",
        "too big",
    ];
    about_size && over.iter().any(|words| text.contains(words))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn headers(pairs: &[(&'static str, &str)]) -> HeaderMap {
        let mut headers = HeaderMap::new();
        for (name, value) in pairs {
            headers.append(http::HeaderName::from_static(name), value.parse().unwrap());
        }
        headers
    }

    #[test]
    fn code_message_and_details_are_read() {
        let read = Status::from_headers(&headers(&[
            ("grpc-status", "14"),
            ("grpc-message", "over%20load %E2%9C%93"),
            ("grpc-status-details-bin", "aGk="),
        ]));
        let status = read.unwrap();
        assert_eq!(status.code, Code::UNAVAILABLE);
        assert_eq!(status.message, "over load ✓");
        assert_eq!(status.details, "hi");
    }

    #[test]
    fn hostile_headers_are_read_as_well_as_it_goes() {
        // Reading these with the library's reader would panic.
        let status = Status::from_headers(&headers(&[
            ("grpc-status", "-1"),
            ("grpc-message", "%FF%zz"),
            ("grpc-status-details-bin", "!!!"),
        ]))
        .unwrap();
        assert_eq!(status.code, Code::UNKNOWN);
        assert_eq!(status.message, "\u{fffd}%zz");
        assert_eq!(status.details, "");
        assert_eq!(Code(99).name(), "an undefined status code");
    }

    #[test]
    fn of_several_statuses_a_refusal_counts() {
        let code = |codes: &[&str]| {
            let pairs: Vec<_> = codes.iter().map(|code| ("grpc-status", *code)).collect();
            Status::from_headers(&headers(&pairs)).map(|status| status.code)
        };
        assert_eq!(code(&["0", "13"]), Some(Code::INTERNAL));
        assert_eq!(code(&["13", "0"]), Some(Code::INTERNAL));
        assert_eq!(code(&["0", "0"]), Some(Code::OK));
        assert_eq!(code(&[]), None);
    }

    #[test]
    fn details_without_padding_are_read_and_huge_ones_are_not() {
        let read = |text: &str| {
            let pairs = [("grpc-status", "8"), ("grpc-status-details-bin", text)];
            Status::from_headers(&headers(&pairs)).unwrap().details
        };
        assert_eq!(read("aGk"), "hi");
        assert_eq!(read(&"AAAA".repeat(DETAILS_MAX)), "");
    }

    #[test]
    fn an_answer_without_a_status_gets_the_one_of_its_http_status() {
        let code = |http| Status::from_http(StatusCode::from_u16(http).unwrap()).code;
        assert_eq!(code(400), Code::INTERNAL);
        assert_eq!(code(401), Code::UNAUTHENTICATED);
        assert_eq!(code(403), Code::PERMISSION_DENIED);
        assert_eq!(code(404), Code::UNIMPLEMENTED);
        for http in [429, 502, 503, 504] {
            assert_eq!(code(http), Code::UNAVAILABLE);
        }
        for http in [200, 302, 413, 500] {
            assert_eq!(code(http), Code::UNKNOWN);
        }
    }

    #[test]
    fn exactly_the_codes_of_the_protocol_are_retryable() {
        // G5, table 1.5
        let retryable = [1, 4, 10, 11, 14, 15];
        for code in 0..=20 {
            let expected = retryable.contains(&code);
            assert_eq!(Code(code).is_retryable(false), expected, "{}", Code(code).name());
            let expected = expected || code == 8;
            assert_eq!(Code(code).is_retryable(true), expected, "{}", Code(code).name());
        }
    }

    #[test]
    fn the_words_of_common_servers_for_too_large_are_known() {
        let says = |code, message: &str| {
            says_too_large(&Status { code, message: message.to_owned(), details: Bytes::new() })
        };
        for words in [
            "grpc: received message larger than max (5000000 vs. 4194304)",
            "grpc: received message after decompression larger than max 4194304",
            "gRPC message exceeds maximum size 4194304: 5000000",
            "Received message exceeds the maximum configured message size.",
            "request body too large",
        ] {
            assert!(says(Code::RESOURCE_EXHAUSTED, words), "{words}");
        }
        assert!(says(
            Code::OUT_OF_RANGE,
            "Error, decoded message length too large: found 5 bytes, the limit is: 4 bytes"
        ));
        assert!(!says(Code::RESOURCE_EXHAUSTED, "sending queue is full"));
        assert!(!says(Code::UNAVAILABLE, "message too large"));
    }
}
