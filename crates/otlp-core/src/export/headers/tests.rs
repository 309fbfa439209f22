use std::future::Future;
use std::pin::pin;
use std::task::{Context, Poll, Waker};

use super::*;

fn pairs(headers: &Headers) -> Vec<(&str, &str)> {
    headers.iter().map(|(name, value)| (name, value.expose())).collect()
}

#[test]
fn lists_are_read_in_the_baggage_form() {
    for (text, expected) in [
        ("", vec![]),
        ("a=b", vec![("a", "b")]),
        (" A-Key = b , c=d ,, ", vec![("a-key", "b"), ("c", "d")]),
        ("authorization=Basic YWJj==", vec![("authorization", "Basic YWJj==")]),
        ("a=x%2Cy%3Dz%20w", vec![("a", "x,y=z w")]),
        ("a=1,b=2,A=3", vec![("a", "3"), ("b", "2")]),
        ("a=", vec![("a", "")]),
        ("a=b;meta=c", vec![("a", "b;meta=c")]),
        ("a=50%,b=%zz", vec![("a", "50%"), ("b", "%zz")]),
        ("a=1+1", vec![("a", "1+1")]),
    ] {
        assert_eq!(pairs(&Headers::parse(text).unwrap()), expected, "{text}");
    }
}

#[test]
fn errors_name_the_header_or_its_place_and_never_the_value() {
    for (text, expected) in [
        ("a=1,S3CR3T", "member 2 of the list has no \"=\" after the header name"),
        ("S3CR3T=,Bearer S3CR3T=", "the header name in member 2 of the list is not valid"),
        ("=S3CR3T", "the header name in member 1 of the list is not valid"),
        (
            "x-key=S3CR3T%0d%0a",
            "the value of header \"x-key\" holds characters that a header cannot carry",
        ),
        (
            "x-key=S3CR3T%ff",
            "the value of header \"x-key\" holds characters that a header cannot carry",
        ),
        (
            "x-key=S3CR3Té",
            "the value of header \"x-key\" holds characters that a header cannot carry",
        ),
        ("host=S3CR3T", "header \"host\" is set by the exporter and cannot be overridden"),
    ] {
        let error = Headers::parse(text).unwrap_err();
        assert_eq!(error.to_string(), expected, "{text}");
        assert!(!format!("{error:?}").contains("S3CR3T"));
    }
    let mut headers = Headers::new();
    let error = headers.insert("a\r\nb", "S3CR3T").unwrap_err().to_string();
    assert!(error.starts_with("header name \"a\\r\\nb\" is not valid; accepted are "), "{error}");
    let error = headers.insert("x", "S3CR3T\n").unwrap_err().to_string();
    assert!(error.contains("\"x\"") && !error.contains("S3CR3T"), "{error}");
}

#[test]
fn one_bad_member_does_not_cost_the_others() {
    let (headers, errors) = Headers::parse_usable("a=1,oops,te=trailers,b=2");
    assert_eq!(pairs(&headers), [("a", "1"), ("b", "2")]);
    assert_eq!(
        errors,
        [HeaderError::NoEquals { position: 2 }, HeaderError::Reserved { name: "te".to_owned() }],
    );
}

#[test]
fn headers_of_the_exporter_are_reserved_in_any_case() {
    for name in [
        "Content-Type",
        "content-encoding",
        "Content-Length",
        "Host",
        "TE",
        "grpc-timeout",
        "GRPC-Encoding",
        "connection",
        "transfer-encoding",
        "upgrade",
        "user-agent",
    ] {
        let error = Headers::new().insert(name, "x").unwrap_err();
        assert_eq!(error, HeaderError::Reserved { name: name.to_ascii_lowercase() });
    }
    Headers::new().insert("authorization", "x").unwrap();
}

#[test]
fn setting_again_replaces_in_place_and_merging_does_the_same() {
    let mut headers = Headers::parse("a=1,b=2").unwrap();
    headers.insert("A", " 3\t").unwrap();
    headers.merge(&Headers::parse("c=4,b=5").unwrap()).unwrap();
    assert_eq!(pairs(&headers), [("a", "3"), ("b", "5"), ("c", "4")]);
    assert_eq!(headers.get("B").unwrap().expose(), "5");
    assert_eq!((headers.len(), headers.is_empty()), (3, false));
}

#[test]
fn the_list_is_bounded_in_number_and_in_bytes() {
    let mut headers = Headers::new();
    for i in 0..64 {
        headers.insert(&format!("x-{i}"), "v").unwrap();
    }
    let full = HeaderError::TooMany { name: "y".to_owned() };
    assert_eq!(headers.insert("y", "v"), Err(full.clone()));
    headers.insert("x-63", "replaced").unwrap();
    let mut headers = Headers::new();
    assert_eq!(headers.insert("y", "v".repeat(64 << 10)), Err(full));
    headers.insert("y", "v".repeat((64 << 10) - 1)).unwrap();
}

#[test]
fn values_never_print() {
    let headers = Headers::parse("authorization=Bearer%20S3CR3T").unwrap();
    assert_eq!(format!("{headers:?}"), r#"{"authorization": ***}"#);
}

#[test]
fn a_provider_is_asked_each_time_and_prints_nothing() {
    let provider = HeaderProvider::new({
        let calls = std::sync::atomic::AtomicUsize::new(0);
        move || {
            let call = calls.fetch_add(1, std::sync::atomic::Ordering::Relaxed);
            async move {
                match call {
                    0 | 1 => Ok(Headers::parse(&format!("authorization=S3CR3T-{call}"))?),
                    _ => Err("the token service is away".into()),
                }
            }
        }
    });
    let clone = provider.clone();
    assert_eq!(format!("{clone:?}"), "HeaderProvider");
    assert_eq!(pairs(&ready(provider.headers()).unwrap()), [("authorization", "S3CR3T-0")]);
    assert_eq!(pairs(&ready(clone.headers()).unwrap()), [("authorization", "S3CR3T-1")]);
    assert_eq!(ready(clone.headers()).unwrap_err().to_string(), "the token service is away");
}

fn ready<T>(future: impl Future<Output = T>) -> T {
    match pin!(future).poll(&mut Context::from_waker(Waker::noop())) {
        Poll::Ready(value) => value,
        Poll::Pending => panic!("not ready at once"),
    }
}
