//! Compresses answers that are worth it, for clients that say that they take it (row H16).

use bytes::Bytes;
use http::Response;
use http::header::{ACCEPT_ENCODING, CONTENT_ENCODING, HeaderMap, HeaderValue};
use otlp_core::export::{Compression, compress};

/// Compresses the body of an answer to a request with these headers, if that is shorter.
pub(super) fn shrink(asked: &HeaderMap, response: &mut Response<Bytes>) {
    if response.body().len() < WORTH || !takes_gzip(asked) {
        return;
    }
    let Ok(short) = compress(&[response.body().clone()], Compression::gzip()) else { return };
    if short.len() < response.body().len() {
        *response.body_mut() = short;
        response.headers_mut().insert(CONTENT_ENCODING, HeaderValue::from_static("gzip"));
    }
}

/// Whether gzip is named in `Accept-Encoding`, and not with a weight of nothing.
fn takes_gzip(headers: &HeaderMap) -> bool {
    let values = headers.get_all(ACCEPT_ENCODING).iter().filter_map(|value| value.to_str().ok());
    values.flat_map(|value| value.split(',')).any(|coding| {
        let mut parts = coding.split(';').map(str::trim);
        let is_gzip = parts.next().is_some_and(|name| name.eq_ignore_ascii_case("gzip"));
        let is_nothing = |weight: &str| weight.parse() == Ok(0.0_f32);
        let weights = |part: &str| part.strip_prefix("q=").is_some_and(is_nothing);
        is_gzip && !parts.any(weights)
    })
}

/// What is shorter leaves in one packet in any case.
const WORTH: usize = 1024;

#[cfg(test)]
mod tests {
    use http::Request;

    use super::*;

    #[test]
    fn gzip_is_taken_where_it_is_named_with_a_weight() {
        let takes = |values: &[&str]| {
            let request = values
                .iter()
                .fold(Request::builder(), |request, value| request.header(ACCEPT_ENCODING, *value));
            takes_gzip(request.body(()).unwrap().headers())
        };
        for yes in ["gzip", "deflate, GZIP", "gzip;q=0.5", "br;q=0, gzip ; q=1"] {
            assert!(takes(&[yes]), "{yes}");
        }
        for no in ["", "identity", "gzip;q=0", "deflate, gzip; q=0.000", "xgzip", "\u{e4}"] {
            assert!(!takes(&[no]), "{no}");
        }
        assert!(takes(&["br", "gzip"]) && !takes(&[]));
    }
}
