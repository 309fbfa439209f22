//! The cases of the W3C Trace Context test suite (row C2), through a service that extracts,
//! starts a span and injects.

use opentelemetry::trace::{SpanContext, TraceFlags, TraceState};
use opentelemetry::{Context, SpanId};
use proptest::prelude::*;

use super::super::carrier::Lines;
use super::super::flags::{RANDOM, child_flags};
use super::*;

const TRACE: &str = "12345678901234567890123456789012";
const PARENT: &str = "00-12345678901234567890123456789012-1234567890123456-00";
const SPAN: &str = "00000000000000aa";
const OTHER_TRACE: &str = "0000000000000000000000000000000b";

/// What a service sends on when it was called with `received` and its sampler leaves the
/// tracestate as it is.
fn service(received: &Lines) -> Lines {
    let cx = TraceContextPropagator::new().extract_with_context(&Context::new(), received);
    send(&start_span(&cx, true, |state| state))
}

/// The context with a child of its span, or with a new root.
fn start_span(cx: &Context, sampled: bool, sampler: impl Fn(TraceState) -> TraceState) -> Context {
    let span = cx.span();
    let parent = span.span_context();
    let (trace_id, flags) = if parent.is_valid() {
        (parent.trace_id(), child_flags(parent.trace_flags(), sampled))
    } else {
        (TraceId::from_hex(OTHER_TRACE).unwrap(), RANDOM.with_sampled(sampled))
    };
    let state = sampler(parent.trace_state().clone());
    let span_id = SpanId::from_hex(SPAN).unwrap();
    cx.with_remote_span_context(SpanContext::new(trace_id, span_id, flags, false, state))
}

fn send(cx: &Context) -> Lines {
    let mut sent = Lines::default();
    TraceContextPropagator::new().inject_context(cx, &mut sent);
    sent
}

fn continued_as(flags: &str) -> String {
    format!("00-{TRACE}-{SPAN}-{flags}")
}

fn assert_restarted(received: &Lines) {
    let sent = service(received);
    assert_eq!(
        sent.one("traceparent"),
        Some(&*format!("00-{OTHER_TRACE}-{SPAN}-03")),
        "{received:?}"
    );
    assert_eq!(sent.one("tracestate"), None, "{received:?}");
}

#[test]
fn without_a_traceparent_a_new_trace_begins_and_tracestate_is_not_looked_at() {
    assert_restarted(&Lines::default());
    assert_restarted(&Lines::new([("tracestate", "foo=1")]));
    assert_restarted(&Lines::new([("tracestate", "foo=1,bar=2")]));
    assert_restarted(&Lines::new([("trace-parent", PARENT)]));
    assert_restarted(&Lines::new([("trace.parent", PARENT)]));
}

#[test]
fn a_valid_traceparent_is_continued_with_a_new_parent_id() {
    for header in [
        "00-12345678901234567890123456789012-1234567890123456-01",
        "cc-12345678901234567890123456789012-1234567890123456-01",
        "01-12345678901234567890123456789012-1234567890123456-01",
        "fe-12345678901234567890123456789012-1234567890123456-01-",
        "cc-12345678901234567890123456789012-1234567890123456-01-what-the-future-will-be-like",
        " 00-12345678901234567890123456789012-1234567890123456-01",
        "\t00-12345678901234567890123456789012-1234567890123456-01",
        "00-12345678901234567890123456789012-1234567890123456-01 ",
        "00-12345678901234567890123456789012-1234567890123456-01\t",
        "\t 00-12345678901234567890123456789012-1234567890123456-01 \t",
    ] {
        let sent = service(&Lines::new([("traceparent", header)]));

        assert_eq!(sent.one("traceparent"), Some(&*continued_as("01")), "{header:?}");
        assert_eq!(sent.one("tracestate"), None, "{header:?}");
    }
}

#[test]
fn header_names_count_in_any_case() {
    for (parent, state) in [
        ("TraceParent", "TraceState"),
        ("TrAcEpArEnT", "TrAcEsTaTe"),
        ("TRACEPARENT", "TRACESTATE"),
    ] {
        let sent = service(&Lines::new([(parent, PARENT), (state, "foo=1")]));

        assert_eq!(sent.one("traceparent"), Some(&*continued_as("01")));
        assert_eq!(sent.one("tracestate"), Some("foo=1"));
    }
}

#[test]
fn a_bad_traceparent_restarts_the_trace() {
    // Trap 17.
    for header in [
        // Nothing, and half of it.
        "",
        "00",
        "00-12345678901234567890123456789012",
        // Version 00 is 55 characters.
        "00-12345678901234567890123456789012-1234567890123456-01.",
        "00-12345678901234567890123456789012-1234567890123456-01-",
        "00-12345678901234567890123456789012-1234567890123456-01-what-the-future-will-be-like",
        // A later version goes on after a dash.
        "cc-12345678901234567890123456789012-1234567890123456-01.what-the-future-will-be-like",
        "cc-12345678901234567890123456789012-1234567890123456-011",
        "cc-12345678901234567890123456789012-1234567890123456-0",
        // The version.
        "ff-12345678901234567890123456789012-1234567890123456-01",
        "ff-12345678901234567890123456789012-1234567890123456-01-more",
        ".0-12345678901234567890123456789012-1234567890123456-01",
        "0.-12345678901234567890123456789012-1234567890123456-01",
        "CC-12345678901234567890123456789012-1234567890123456-01",
        "000-12345678901234567890123456789012-1234567890123456-01",
        "0000-12345678901234567890123456789012-1234567890123456-01",
        "0-12345678901234567890123456789012-1234567890123456-01",
        // The trace id.
        "00-00000000000000000000000000000000-1234567890123456-01",
        "00-.2345678901234567890123456789012-1234567890123456-01",
        "00-1234567890123456789012345678901.-1234567890123456-01",
        "00-1234567890123456789012345678901A-1234567890123456-01",
        "00-+2345678901234567890123456789012-1234567890123456-01",
        "00-123456789012345678901234567890123-1234567890123456-01",
        "00-1234567890123456789012345678901-1234567890123456-01",
        // The parent id.
        "00-12345678901234567890123456789012-0000000000000000-01",
        "00-12345678901234567890123456789012-.234567890123456-01",
        "00-12345678901234567890123456789012-123456789012345.-01",
        "00-12345678901234567890123456789012-123456789012345F-01",
        "00-12345678901234567890123456789012-12345678901234567-01",
        "00-12345678901234567890123456789012-123456789012345-01",
        // The flags.
        "00-12345678901234567890123456789012-1234567890123456-.0",
        "00-12345678901234567890123456789012-1234567890123456-0.",
        "00-12345678901234567890123456789012-1234567890123456-0A",
        "00-12345678901234567890123456789012-1234567890123456-001",
        "00-12345678901234567890123456789012-1234567890123456-1",
        // The separators.
        "00_12345678901234567890123456789012-1234567890123456-01",
        "00-12345678901234567890123456789012_1234567890123456-01",
        "00-12345678901234567890123456789012-1234567890123456_01",
        // Characters of more than one byte, at the right length in bytes.
        "00-1234567890123456789012345678901\u{e9}1234567890123456-01",
    ] {
        assert_restarted(&Lines::new([("traceparent", header), ("tracestate", "foo=1")]));
    }
}

#[test]
fn a_traceparent_that_comes_twice_restarts_the_trace() {
    let other = "00-12345678901234567890123456789011-1234567890123456-01";
    assert_restarted(&Lines::new([("traceparent", other), ("traceparent", PARENT)]));
    assert_restarted(&Lines::new([("traceparent", PARENT), ("TraceParent", PARENT)]));
}

#[test]
fn the_random_flag_passes_through_and_unknown_flags_do_not() {
    // I3, trap 15.
    for (received, sampled, sent) in [
        ("00", false, "00"),
        ("00", true, "01"),
        ("01", false, "00"),
        ("02", false, "02"),
        ("02", true, "03"),
        ("03", false, "02"),
        ("03", true, "03"),
        ("04", false, "00"),
        ("ff", true, "03"),
        ("fd", false, "00"),
    ] {
        let header = format!("00-{TRACE}-1234567890123456-{received}");
        let received = Lines::new([("traceparent", header.as_str())]);
        let cx = TraceContextPropagator::new().extract_with_context(&Context::new(), &received);

        let lines = send(&start_span(&cx, sampled, |state| state));

        assert_eq!(lines.one("traceparent"), Some(&*continued_as(sent)), "{header}");
    }
}

#[test]
fn a_span_context_with_reserved_flags_is_sent_without_them() {
    let ids = (TraceId::from_hex(TRACE).unwrap(), SpanId::from_hex(SPAN).unwrap());
    let own = SpanContext::new(ids.0, ids.1, TraceFlags::new(0xff), false, TraceState::NONE);

    let sent = send(&Context::new().with_remote_span_context(own));

    assert_eq!(sent.one("traceparent"), Some(&*continued_as("03")));
}

/// What is sent on for these `tracestate` lines.
fn state_sent(lines: &[&str]) -> Option<String> {
    let states = lines.iter().map(|line| ("tracestate", *line));
    let sent = service(&Lines::new([("traceparent", PARENT)].into_iter().chain(states)));
    // A bad tracestate never costs the traceparent.
    assert_eq!(sent.one("traceparent"), Some(&*continued_as("01")), "{lines:?}");
    sent.one("tracestate").map(str::to_owned)
}

#[test]
fn a_valid_tracestate_is_inherited() {
    for (lines, sent) in [
        (vec!["foo=1,bar=2"], "foo=1,bar=2"),
        // Empty members and empty lines.
        (vec!["foo=1", ""], "foo=1"),
        (vec!["", "foo=1"], "foo=1"),
        (vec![" ", "foo=1", "\t"], "foo=1"),
        (vec!["foo=1,,bar=2,"], "foo=1,bar=2"),
        (vec![", foo=1"], "foo=1"),
        // Lines are one list, in order.
        (vec!["foo=1,bar=2", "rojo=1,congo=2", "baz=3"], "foo=1,bar=2,rojo=1,congo=2,baz=3"),
        // White space around members.
        (vec!["foo=1 \t , \t bar=2, \t baz=3"], "foo=1,bar=2,baz=3"),
        (vec!["foo=1\t \t,\t \tbar=2,\t \tbaz=3"], "foo=1,bar=2,baz=3"),
        (vec![" foo=1"], "foo=1"),
        (vec!["\tfoo=1"], "foo=1"),
        (vec!["foo=1 "], "foo=1"),
        (vec!["foo=1\t"], "foo=1"),
        (vec!["\t foo=1 \t"], "foo=1"),
        // Spaces in front of and within a value belong to it.
        (vec!["foo=  1 2 ,bar=3"], "foo=  1 2,bar=3"),
        // A digit in front.
        (vec!["1foo=1,0=2"], "1foo=1,0=2"),
        // Level 2: `@` anywhere but in front.
        (vec!["foo@=1,bar=2"], "foo@=1,bar=2"),
        (vec!["foo@@bar=1,bar=2"], "foo@@bar=1,bar=2"),
        (vec!["foo@bar@baz=1,bar=2"], "foo@bar@baz=1,bar=2"),
        (
            vec!["special@vendor@tenant=1", "fw529a3039@dt=2"],
            "special@vendor@tenant=1,fw529a3039@dt=2",
        ),
    ] {
        assert_eq!(state_sent(&lines).as_deref(), Some(sent), "{lines:?}");
    }
}

#[test]
fn all_allowed_characters_are_inherited() {
    let letters: String = ('a'..='z').chain('0'..='9').collect();
    let value: String = (' '..='~').filter(|c| !matches!(c, ',' | '=')).collect();
    for key in [format!("{letters}_-*/"), format!("{letters}_-*/@a-z0-9_-*/")] {
        let member = format!("{key}={value}");
        assert_eq!(state_sent(&[&member]), Some(member));
    }
}

#[test]
fn lengths_up_to_the_limits_are_inherited() {
    let members = |keys: std::ops::RangeInclusive<u32>| {
        keys.map(|n| format!("bar{n:02}={n:02}")).collect::<Vec<_>>().join(",")
    };
    for member in [
        members(1..=32),
        format!("{}=1", "z".repeat(256)),
        format!("{}@{}=1", "t".repeat(241), "v".repeat(14)),
        // Level 1 had limits for the two sides of an `@`; level 2 has one for the key.
        format!("{}@v=1", "t".repeat(242)),
        format!("t@{}=1", "v".repeat(15)),
        format!("z={}", "v".repeat(256)),
    ] {
        assert_eq!(state_sent(&[&member]).as_deref(), Some(&*member));
    }
    // Over several lines: 10 + 10 + 10 + 2.
    let lines = [members(1..=10), members(11..=20), members(21..=30), members(31..=32)];
    let lines: Vec<_> = lines.iter().map(String::as_str).collect();
    assert_eq!(state_sent(&lines), Some(members(1..=32)));
    let one_more = [lines.as_slice(), &["bar33=33"]].concat();
    assert_eq!(state_sent(&one_more), None);
}

#[test]
fn a_bad_member_costs_the_whole_tracestate_and_not_the_traceparent() {
    for lines in [
        // Keys that come twice, in one line and in two.
        vec!["foo=1,foo=1"],
        vec!["foo=1,foo=2"],
        vec!["foo=1", "foo=1"],
        vec!["foo=1", "foo=2"],
        // Keys.
        vec!["foo =1"],
        vec!["FOO=1"],
        vec!["foo.bar=1"],
        vec!["=1,bar=2"],
        vec!["_foo=1,bar=2"],
        vec!["@foo=1,bar=2"],
        vec!["f\u{f6}o=1"],
        // Values.
        vec!["foo=bar=baz"],
        vec!["foo=,bar=3"],
        vec!["foo= ,bar=3"],
        vec!["foo=a\tb"],
        vec!["foo=a\u{7f}"],
        vec!["foo=\u{e4}"],
        vec!["foo=a\nb=c"],
        // No pair.
        vec!["foo", "bar=3"],
    ] {
        assert_eq!(state_sent(&lines), None, "{lines:?}");
    }
}

#[test]
fn lengths_over_the_limits_cost_the_whole_tracestate() {
    let long_key = format!("{}=1", "z".repeat(257));
    let long_value = format!("z={}", "v".repeat(257));
    assert_eq!(state_sent(&["foo=1", &long_key]), None);
    assert_eq!(state_sent(&["foo=1", &long_value]), None);
}

#[test]
fn the_byte_limit_counts_all_lines_together() {
    let line = |key: char, len: usize| format!("{key}={}", "v".repeat(len - 2));
    // 31 lines of 256 bytes and 31 commas leave 225 bytes for the last one.
    let keys = || ('a'..='z').chain('0'..='4');
    let full: Vec<_> = keys().map(|key| line(key, 256)).collect();
    for (last, kept) in [(225, true), (226, false)] {
        let lines: Vec<_> = full.iter().cloned().chain([line('5', last)]).collect();
        let lines: Vec<_> = lines.iter().map(String::as_str).collect();

        assert_eq!(state_sent(&lines), kept.then(|| lines.join(",")));
    }
}

#[test]
fn an_empty_tracestate_is_not_sent() {
    assert_eq!(state_sent(&[""]), None);
    assert_eq!(state_sent(&["", " ,, "]), None);
}

#[test]
fn an_invalid_span_context_sends_nothing() {
    assert_eq!(send(&Context::new()), Lines::default());
    let half = SpanContext::new(
        TraceId::from_hex(TRACE).unwrap(),
        SpanId::INVALID,
        TraceFlags::SAMPLED,
        false,
        TraceState::from_key_value([("foo", "1")]).unwrap(),
    );
    assert_eq!(send(&Context::new().with_remote_span_context(half)), Lines::default());
}

#[test]
fn a_failed_extraction_leaves_the_context_as_it_is() {
    // C1.
    #[derive(Debug, PartialEq)]
    struct Own(u8);
    let before = Lines::new([("traceparent", PARENT), ("tracestate", "a@@b=1")]);
    let cx = TraceContextPropagator::new().extract_with_context(&Context::new(), &before);
    let cx = cx.with_value(Own(1));

    for bad in ["", "00-0-0-0"] {
        let received = Lines::new([("traceparent", bad), ("tracestate", "foo=1")]);
        let after = TraceContextPropagator::new().extract_with_context(&cx, &received);

        assert_eq!(after.span().span_context(), cx.span().span_context());
        assert_eq!(after.get::<Own>(), Some(&Own(1)));
        assert_eq!(send(&after), Lines::new([("traceparent", PARENT), ("tracestate", "a@@b=1")]));
    }
}

#[test]
fn an_extracted_parent_is_remote_and_has_what_the_api_can_hold_of_tracestate() {
    let received = Lines::new([("traceparent", PARENT), ("tracestate", "a=1,b@@c=2,d=3")]);
    let cx = TraceContextPropagator::new().extract_with_context(&Context::new(), &received);

    let span = cx.span();
    assert!(span.span_context().is_remote());
    assert_eq!(span.span_context().trace_state().header(), "a=1,d=3");
}

#[test]
fn a_later_extraction_is_not_mixed_up_with_an_earlier_one_of_the_same_trace() {
    let extract = |cx: &Context, state: Option<&str>| {
        let state = state.map(|state| ("tracestate", state));
        let received = Lines::new([("traceparent", PARENT)].into_iter().chain(state));
        TraceContextPropagator::new().extract_with_context(cx, &received)
    };
    let first = extract(&Context::new(), Some("a@@b=1"));

    for (second, sent) in
        [(None, None), (Some("c=2"), Some("c=2")), (Some("d@@e=3"), Some("d@@e=3"))]
    {
        assert_eq!(send(&extract(&first, second)).one("tracestate"), sent);
    }
}

#[test]
fn a_new_trace_in_the_same_context_does_not_inherit_the_tracestate() {
    let received = Lines::new([("traceparent", PARENT), ("tracestate", "a@@b=1,c=2")]);
    let cx = TraceContextPropagator::new().extract_with_context(&Context::new(), &received);
    let root = start_span(&Context::new(), true, |state| state);
    let cx = cx.with_remote_span_context(root.span().span_context().clone());

    assert_eq!(send(&cx).one("tracestate"), None);
}

#[test]
fn what_a_sampler_changes_is_applied_to_the_whole_received_tracestate() {
    // P2 and W3C, "Mutating the tracestate Field".
    type Sampler = fn(TraceState) -> TraceState;
    let cases: [(&str, &str, Sampler, Option<&str>); 9] = [
        ("unchanged", "a=1,b@@c=2,d=3", |s| s, Some("a=1,b@@c=2,d=3")),
        (
            "added",
            "a=1,b@@c=2,d=3",
            |s| s.insert("ot", "th:8").unwrap(),
            Some("ot=th:8,a=1,b@@c=2,d=3"),
        ),
        (
            "changed",
            "b@@c=2,a=1,ot=th:c",
            |s| s.insert("ot", "th:8").unwrap(),
            Some("ot=th:8,b@@c=2,a=1"),
        ),
        ("removed", "a=1,b@@c=2,ot=th:8", |s| s.delete("ot").unwrap(), Some("a=1,b@@c=2")),
        ("cleared", "a=1,b@@c=2", |_| TraceState::NONE, None),
        // The API's type shows nothing of it, so that "unchanged" and "cleared" look the same.
        ("nothing visible", "b@@c=2", |_| TraceState::NONE, Some("b@@c=2")),
        (
            "replaced",
            "a=1,b@@c=2",
            |_| TraceState::from_key_value([("x", "y")]).unwrap(),
            Some("x=y,b@@c=2"),
        ),
        (
            "all visible, added",
            "a=1,b=2",
            |s| s.insert("ot", "th:8").unwrap(),
            Some("ot=th:8,a=1,b=2"),
        ),
        ("all visible, cleared", "a=1,b=2", |_| TraceState::NONE, None),
    ];
    for (what, received, sampler, sent) in cases {
        let lines = Lines::new([("traceparent", PARENT), ("tracestate", received)]);
        let cx = TraceContextPropagator::new().extract_with_context(&Context::new(), &lines);

        let child = start_span(&cx, true, sampler);
        let grandchild = start_span(&child, true, |state| state);

        assert_eq!(send(&child).one("tracestate"), sent, "{what}");
        assert_eq!(send(&grandchild).one("tracestate"), sent, "{what}, grandchild");
    }
}

#[test]
fn members_that_a_sampler_made_up_without_regard_for_w3c_are_not_sent() {
    // T18: the API's type takes line breaks, and empty keys.
    let state = |pairs: &[(&str, &str)]| TraceState::from_key_value(pairs.iter().copied()).unwrap();
    let made_up =
        state(&[("a", "1\r\nx-evil: 1"), ("", "2"), ("b", ""), ("c", "ok "), ("d", "\u{e4}")]);

    let sent = send(&start_span(&Context::new(), true, |_| made_up.clone()));

    assert_eq!(sent.one("tracestate"), Some("c=ok"));
}

#[test]
fn fields_name_both_headers() {
    // C4.
    let propagator = TraceContextPropagator::new();
    assert_eq!(propagator.fields().collect::<Vec<_>>(), ["traceparent", "tracestate"]);
}

proptest! {
    #[test]
    fn any_headers_are_safe_and_what_goes_out_is_taken_in_again(
        parent in "(00|cc|ff)-[0-9a-f]{30,34}-[0-9a-f]{15,17}-[0-9a-f]{2}|\\PC{0,80}",
        states in prop::collection::vec("([a-z@]{1,4}=[ -~]{0,4}[,;]?){0,6}|\\PC{0,40}", 0..4),
    ) {
        let states = states.iter().map(|state| ("tracestate", state.as_str()));
        let lines = Lines::new([("traceparent", parent.as_str())].into_iter().chain(states));

        let sent = service(&lines);
        let again = service(&sent);

        prop_assert_eq!(sent, again);
    }

    #[test]
    fn every_span_context_comes_back(trace in 1_u128.., span in 1_u64.., flags in 0_u8..4) {
        let own = SpanContext::new(
            TraceId::from(trace),
            SpanId::from(span),
            TraceFlags::new(flags),
            true,
            TraceState::from_key_value([("a", "1"), ("b", "2")]).unwrap(),
        );
        let sent = send(&Context::new().with_remote_span_context(own.clone()));
        let cx = TraceContextPropagator::new().extract_with_context(&Context::new(), &sent);

        let span = cx.span();
        prop_assert_eq!(span.span_context(), &own);
    }
}
