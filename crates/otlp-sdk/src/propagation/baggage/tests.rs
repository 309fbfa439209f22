//! The baggage header both ways (row C6), and its limits.

use opentelemetry::KeyValue;
use opentelemetry::baggage::KeyValueMetadata;
use proptest::prelude::*;

use super::super::carrier::Lines;
use super::*;

/// Name, value and metadata of what is extracted from these lines, by name.
fn extract(lines: &[&str]) -> Vec<(String, String, String)> {
    let received = Lines::new(lines.iter().map(|line| ("baggage", *line)));
    let cx = BaggagePropagator::new().extract_with_context(&Context::new(), &received);
    entries(&cx)
}

fn entries(cx: &Context) -> Vec<(String, String, String)> {
    let text = |part: &dyn std::fmt::Display| part.to_string();
    let entries =
        cx.baggage().iter().map(|(name, (value, meta))| (text(name), text(value), text(meta)));
    let mut entries: Vec<_> = entries.collect();
    entries.sort();
    entries
}

fn inject(cx: &Context) -> Lines {
    let mut sent = Lines::default();
    BaggagePropagator::new().inject_context(cx, &mut sent);
    sent
}

fn entry(name: &str, value: &str, metadata: &str) -> (String, String, String) {
    (name.to_owned(), value.to_owned(), metadata.to_owned())
}

#[test]
fn members_are_read_from_all_lines() {
    for (lines, expected) in [
        (vec!["a=1"], vec![entry("a", "1", "")]),
        (
            vec!["a=1,b=2", "c=3"],
            vec![entry("a", "1", ""), entry("b", "2", ""), entry("c", "3", "")],
        ),
        (vec![" a = 1 \t,\tb=2 "], vec![entry("a", "1", ""), entry("b", "2", "")]),
        // Case-sensitive; of a repeated name the last value stays.
        (vec!["a=1,A=2"], vec![entry("A", "2", ""), entry("a", "1", "")]),
        (vec!["a=1,b=2", "a=3"], vec![entry("a", "3", ""), entry("b", "2", "")]),
        // Values: `=` within, nothing at all, percent-encoding, bytes that are not UTF-8.
        (vec!["a=b==,c="], vec![entry("a", "b==", ""), entry("c", "", "")]),
        (vec!["a=x%20y%2C%3B%25%E4%B8%96"], vec![entry("a", "x y,;%世", "")]),
        (vec!["a=%FFx"], vec![entry("a", "\u{fffd}x", "")]),
        // A name is a token and not percent-decoded.
        (vec!["a%20b=1"], vec![entry("a%20b", "1", "")]),
        // Properties stay as they are.
        (vec!["a=1;p=%20x;q , b=2 ; r"], vec![entry("a", "1", "p=%20x;q"), entry("b", "2", "r")]),
        // Empty and malformed members are skipped, the others stay.
        (vec!["", ",a=1,,", " "], vec![entry("a", "1", "")]),
        (vec!["nonsense,=1,a b=2,\u{e4}=3,a=1,;x=y"], vec![entry("a", "1", "")]),
    ] {
        assert_eq!(extract(&lines), expected, "{lines:?}");
    }
}

#[test]
fn without_a_usable_member_the_context_stays_as_it_is() {
    // C1.
    let cx = Context::new().with_baggage([KeyValue::new("own", "1")]);
    for lines in
        [vec![], vec![("baggage", "")], vec![("baggage", "nonsense")], vec![("baggages", "a=1")]]
    {
        let after = BaggagePropagator::new().extract_with_context(&cx, &Lines::new(lines));
        assert_eq!(entries(&after), [entry("own", "1", "")]);
    }
}

#[test]
fn at_most_64_members_are_read_over_all_lines() {
    let line = |members: std::ops::Range<u32>| {
        members.map(|n| format!("k{n}=v")).collect::<Vec<_>>().join(",")
    };
    assert_eq!(extract(&[&line(0..32), &line(32..64)]).len(), 64);

    let cut = extract(&[&line(0..32), &line(32..64), &line(64..80)]);
    assert_eq!(cut.len(), 64);
    assert!(!cut.iter().any(|(name, ..)| name == "k64"));
    // Malformed ones count: they cost work too.
    let malformed = "x,".repeat(64);
    assert_eq!(extract(&[&malformed, "a=1"]), []);
}

#[test]
fn at_most_8192_bytes_are_read_over_all_lines() {
    // Two lines of 4095 bytes, two commas: the last member begins at byte 8192.
    let long = |name: char| format!("{name}={}", "v".repeat(4093));
    let (a, b) = (long('a'), long('b'));
    assert_eq!(extract(&[&a, &b]).len(), 2);
    assert_eq!(extract(&[&a, &b, "c=1"]).len(), 2);
    assert_eq!(extract(&[&a, "b=1", &b, "c=1"]).len(), 2);
    // One line alone is held to the same limit.
    let exact = format!("a={}", "v".repeat(8190));
    assert_eq!(extract(&[&exact]).len(), 1);
    assert_eq!(extract(&[&format!("{exact}v")]), []);
    assert_eq!(extract(&[&",".repeat(100_000), "a=1"]), []);
}

#[test]
fn members_are_escaped_on_the_way_out() {
    for (value, metadata, sent) in [
        ("1", "", "a=1"),
        ("x y", "", "a=x%20y"),
        ("50%", "", "a=50%25"),
        ("%20", "", "a=%2520"),
        ("a,b;c=d\"\\", "", "a=a%2Cb%3Bc=d%22%5C"),
        ("世\r\n", "", "a=%E4%B8%96%0D%0A"),
        ("", "", "a="),
        ("1", "p=%20x;q", "a=1;p=%20x;q"),
        ("1", "p=a,b\r\nx: y", "a=1;p=a%2Cb%0D%0Ax: y"),
    ] {
        let member = KeyValueMetadata::new("a", value, metadata);
        let sent_lines = inject(&Context::new().with_baggage([member]));
        assert_eq!(sent_lines.one("baggage"), Some(sent));
    }
}

#[test]
fn without_baggage_no_header_is_sent() {
    assert_eq!(inject(&Context::new()), Lines::default());
}

#[test]
fn what_would_exceed_8192_bytes_once_escaped_is_not_sent() {
    // Each byte of the large value takes three on the wire; the small ones fit behind it.
    let large = KeyValue::new("large", ",".repeat(2731));
    let small = (0..10).map(|n| KeyValue::new(format!("s{n}"), "1"));
    let cx = Context::new().with_baggage(small.chain([large]));

    let sent = inject(&cx);
    let header = sent.one("baggage").unwrap();

    assert!(!header.contains("large"));
    assert_eq!(header.split(',').count(), 10);
}

#[test]
fn fields_name_the_header() {
    // C4.
    assert_eq!(BaggagePropagator::new().fields().collect::<Vec<_>>(), ["baggage"]);
}

proptest! {
    #[test]
    fn any_header_is_safe(lines in prop::collection::vec("\\PC{0,60}|([a-z]=[%0-9A-F;,]{0,9},?){0,9}", 0..4)) {
        let lines: Vec<_> = lines.iter().map(String::as_str).collect();
        prop_assert!(extract(&lines).len() <= 64);
    }

    #[test]
    fn every_value_comes_back(value in "\\PC{0,40}", name in "[!#-'*+.^_`|~a-zA-Z0-9-]{1,9}") {
        let cx = Context::new().with_baggage([KeyValue::new(name.clone(), value.clone())]);
        let sent = inject(&cx);

        let header = sent.one("baggage").unwrap();
        prop_assert_eq!(extract(&[header]), [entry(&name, &value, "")]);
    }
}
