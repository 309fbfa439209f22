//! Jaeger's format as cases (row C3), both ways.

use opentelemetry::trace::{TraceFlags, TraceState};
use proptest::prelude::*;

use super::super::carrier::Lines;
use super::*;

const TRACE: &str = "0000000000000000ab5d6f1c2e3b4a59";
const SPAN: &str = "00f067aa0ba902b7";

fn extract(lines: &Lines) -> Context {
    JaegerPropagator::new().extract_with_context(&Context::new(), lines)
}

fn header(value: &str) -> Lines {
    Lines::new([("uber-trace-id", value)])
}

fn send(cx: &Context) -> Lines {
    let mut sent = Lines::default();
    JaegerPropagator::new().inject_context(cx, &mut sent);
    sent
}

fn ids_and_sampled(cx: &Context) -> Option<(String, String, bool)> {
    let span = cx.span();
    let context = span.span_context();
    // No bit but "sampled" is ours to set (trap 15).
    assert!(context.trace_flags().to_u8() < 2);
    assert_eq!(context.is_valid(), context.is_remote());
    let text = (context.trace_id().to_string(), context.span_id().to_string());
    context.is_valid().then(|| (text.0, text.1, context.is_sampled()))
}

fn baggage(cx: &Context) -> Vec<(String, String)> {
    let text = |part: &dyn std::fmt::Display| part.to_string();
    let mut entries: Vec<_> =
        cx.baggage().iter().map(|(name, (value, _))| (text(name), text(value))).collect();
    entries.sort();
    entries
}

fn entry(name: &str, value: &str) -> (String, String) {
    (name.to_owned(), value.to_owned())
}

/// A sampled or unsampled child of the context's span.
fn child(cx: &Context, sampled: bool) -> Context {
    let span = cx.span();
    let flags = TraceFlags::default().with_sampled(sampled);
    let trace_id = span.span_context().trace_id();
    let child = SpanContext::new(trace_id, SpanId::from(0xaa), flags, false, TraceState::NONE);
    cx.with_remote_span_context(child)
}

#[test]
fn the_header_is_read_with_ids_of_any_length() {
    for (value, sampled) in [
        (format!("{TRACE}:{SPAN}:0:1"), true),
        (format!("{TRACE}:{SPAN}:0:01"), true),
        (format!("{TRACE}:{SPAN}:0:0"), false),
        (format!("{TRACE}:{SPAN}:0:3"), true),
        // Firehose, and bits that nobody uses.
        (format!("{TRACE}:{SPAN}:0:9"), true),
        (format!("{TRACE}:{SPAN}:0:ff"), true),
        (format!("{TRACE}:{SPAN}:0:8"), false),
        // Debug without sampled says nothing.
        (format!("{TRACE}:{SPAN}:0:2"), false),
        (format!("{TRACE}:{SPAN}:e457b5a2e4d86bd1:1"), true),
        (format!("{TRACE}:{SPAN}::1"), true),
        ("ab5d6f1c2e3b4a59:f067aa0ba902b7:0:1".to_owned(), true),
        ("AB5D6F1C2E3B4A59:F067AA0BA902B7:0:1".to_owned(), true),
        (format!(" {TRACE}%3A{SPAN}%3a0%3a1 "), true),
    ] {
        let expected = Some((TRACE.to_owned(), SPAN.to_owned(), sampled));
        assert_eq!(ids_and_sampled(&extract(&header(&value))), expected, "{value}");
    }
}

#[test]
fn a_header_that_is_wrong_leaves_the_context_as_it_was() {
    // row C1
    let before = extract(&header(&format!("{TRACE}:{SPAN}:0:1")));
    for value in [
        "",
        ":::",
        "::::",
        &format!("{TRACE}:{SPAN}:0"),
        &format!("{TRACE}:{SPAN}:0:"),
        &format!("{TRACE}:{SPAN}:0:1:"),
        &format!("{TRACE}:{SPAN}:0:001"),
        &format!("{TRACE}:{SPAN}:0:x"),
        &format!("{TRACE}:{SPAN}:x:1"),
        &format!("0:{SPAN}:0:1"),
        &format!("{TRACE}:0:0:1"),
        &format!("{TRACE}:+f067aa0ba902b7:0:1"),
        &format!("-1:{SPAN}:0:1"),
        &format!("0{TRACE}:{SPAN}:0:1"),
        &format!("{TRACE}:0{SPAN}:0:1"),
        &format!("{TRACE}:{SPAN}:0:%ff"),
        &format!("{TRACE}:{SPAN}:0:１"),
    ] {
        let received = header(value);
        assert_eq!(ids_and_sampled(&extract(&received)), None, "{value}");
        let after = JaegerPropagator::new().extract_with_context(&before, &received);
        assert_eq!(after.span().span_context(), before.span().span_context());
    }
}

#[test]
fn a_child_is_sent_in_full_length_without_its_parent() {
    let id = "00000000000000aa";
    for (received, sampled, flags) in [
        ("1", true, "1"),
        ("1", false, "0"),
        ("0", false, "0"),
        ("3", true, "3"),
        // Debug goes with sampled or not at all.
        ("3", false, "0"),
    ] {
        let cx = extract(&header(&format!("{TRACE}:{SPAN}:0:{received}")));
        let sent = send(&child(&cx, sampled));
        assert_eq!(sent, header(&format!("{TRACE}:{id}:0:{flags}")), "{received}");
    }
    assert_eq!(send(&Context::new()), Lines::default());
}

#[test]
fn baggage_goes_both_ways_beside_a_trace_and_without_one() {
    let received = Lines::new([
        ("uberctx-tenant", "a%2C b"),
        ("Uberctx-Region", " eu "),
        ("uberctx-", "no name"),
        ("uberctx-bad;name", "1"),
        ("uberct\u{e9}-x", "1"),
        ("other", "1"),
    ]);
    let cx = extract(&received);
    assert_eq!(baggage(&cx), [entry("Region", "eu"), entry("tenant", "a, b")]);
    assert_eq!(baggage(&extract(&send(&cx))), baggage(&cx));
    assert!(!cx.has_active_span());
}

#[test]
fn baggage_is_added_to_what_the_context_has() {
    let own = Context::new().with_baggage([KeyValue::new("a", "1"), KeyValue::new("b", "2")]);
    let received = Lines::new([("uberctx-b", "3"), ("uberctx-c", "4")]);
    let cx = JaegerPropagator::new().extract_with_context(&own, &received);
    assert_eq!(baggage(&cx), [entry("a", "1"), entry("b", "3"), entry("c", "4")]);
}

#[test]
fn baggage_that_no_header_can_hold_is_not_sent() {
    let cx = Context::new().with_baggage([
        KeyValue::new("fine", "line\r\nbreak %"),
        KeyValue::new("not fine", "1"),
        KeyValue::new("", "1"),
    ]);
    assert_eq!(send(&cx), Lines::new([("uberctx-fine", "line%0D%0Abreak%20%25")]));
}

#[test]
fn baggage_is_bounded_both_ways() {
    // row C6, whose limits are taken over: the format has none.
    let names: Vec<_> = (0..100).map(|n| format!("uberctx-{n}")).collect();
    let many = Lines::new(names.iter().map(|name| (&**name, "1")));
    assert_eq!(baggage(&extract(&many)).len(), 64);

    let long = "x".repeat(3000);
    let names: Vec<_> = (0..4).map(|n| format!("uberctx-{n}")).collect();
    let much = Lines::new(names.iter().map(|name| (&**name, &*long)));
    assert_eq!(baggage(&extract(&much)).len(), 2);

    // A character of three bytes is nine when it is escaped.
    let wide = "\u{20ac}".repeat(600);
    let cx =
        Context::new().with_baggage([KeyValue::new("a", wide.clone()), KeyValue::new("b", wide)]);
    assert_eq!(send(&cx).0.len(), 1);
}

#[test]
fn fields_name_the_header_whose_name_is_known() {
    // row C4
    assert_eq!(JaegerPropagator::new().fields().collect::<Vec<_>>(), ["uber-trace-id"]);
}

proptest! {
    #[test]
    fn every_span_context_comes_back(trace in 1_u128.., span in 1_u64.., sampled: bool) {
        let own = SpanContext::new(
            TraceId::from(trace),
            SpanId::from(span),
            TraceFlags::default().with_sampled(sampled),
            true,
            TraceState::NONE,
        );
        let cx = extract(&send(&Context::new().with_remote_span_context(own.clone())));

        let span = cx.span();
        prop_assert_eq!(span.span_context(), &own);
    }

    #[test]
    fn any_headers_are_safe_and_what_goes_out_is_taken_in_again(
        trace in "[0-9a-fA-F]{1,33}(:|%3A)[0-9a-f]{1,17}:[0-9a-f]{0,2}:[0-9a-f]{1,3}|\\PC{0,80}",
        entries in prop::collection::vec(("(uberctx-)?[a-z]{0,3}|\\PC{0,12}", "\\PC{0,20}"), 0..6),
    ) {
        let entries = entries.iter().map(|(name, value)| (name.as_str(), value.as_str()));
        let cx = extract(&Lines::new(entries.chain([("uber-trace-id", trace.as_str())])));
        let again = extract(&send(&cx));

        prop_assert_eq!(ids_and_sampled(&again), ids_and_sampled(&cx));
        prop_assert_eq!(baggage(&again), baggage(&cx));
    }
}
