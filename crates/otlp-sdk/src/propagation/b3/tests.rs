//! B3's text as cases (row C3): what its README says of each header, both ways.

use opentelemetry::trace::{TraceFlags, TraceState};
use proptest::prelude::*;

use super::super::carrier::Lines;
use super::super::{Propagators, RANDOM, TraceContextPropagator};
use super::*;

const TRACE: &str = "80f198ee56343ba864fe8b2a57d3eff7";
const SPAN: &str = "e457b5a2e4d86bd1";
const PARENT: &str = "05e3ac9a4f6e3b90";
const CHILD: &str = "00000000000000aa";

const SINGLE_FORM: B3Propagator = B3Propagator::single_header();
const MULTI_FORM: B3Propagator = B3Propagator::multi_header();

fn extract(lines: &Lines) -> Context {
    // Either form reads both.
    let [single, multi] =
        [SINGLE_FORM, MULTI_FORM].map(|form| form.extract_with_context(&Context::new(), lines));
    assert_eq!(single.span().span_context(), multi.span().span_context());
    single
}

fn send(form: B3Propagator, cx: &Context) -> Lines {
    let mut sent = Lines::default();
    form.inject_context(cx, &mut sent);
    sent
}

fn single(value: &str) -> Lines {
    Lines::new([("b3", value)])
}

/// The context with a child of its span.
fn child(cx: &Context, sampled: bool) -> Context {
    let span = cx.span();
    let flags = TraceFlags::default().with_sampled(sampled);
    let id = SpanId::from_hex(CHILD).unwrap();
    let trace_id = span.span_context().trace_id();
    let child = SpanContext::new(trace_id, id, flags, false, TraceState::NONE);
    cx.with_remote_span_context(child)
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

fn assert_parent(lines: &Lines, trace: &str, sampled: bool) {
    let expected = Some((trace.to_owned(), SPAN.to_owned(), sampled));
    assert_eq!(ids_and_sampled(&extract(lines)), expected, "{lines:?}");
}

fn assert_none(lines: &Lines) {
    assert_eq!(ids_and_sampled(&extract(lines)), None, "{lines:?}");
}

#[test]
fn the_single_header_is_read_in_all_its_forms() {
    for (value, sampled) in [
        (format!("{TRACE}-{SPAN}"), false),
        (format!("{TRACE}-{SPAN}-0"), false),
        (format!("{TRACE}-{SPAN}-1"), true),
        (format!("{TRACE}-{SPAN}-d"), true),
        (format!("{TRACE}-{SPAN}-1-{PARENT}"), true),
        (format!("{TRACE}-{SPAN}-0-{PARENT}"), false),
        (format!("{TRACE}-{SPAN}-d-{PARENT}"), true),
        (format!("{TRACE}-{SPAN}-{PARENT}"), false),
        (format!(" {TRACE}-{SPAN}-1\t"), true),
    ] {
        assert_parent(&single(&value), TRACE, sampled);
    }
    // 64 bits, as Zipkin's first clients had it.
    assert_parent(
        &single(&format!("64fe8b2a57d3eff7-{SPAN}-1")),
        "000000000000000064fe8b2a57d3eff7",
        true,
    );
}

#[test]
fn a_single_header_that_is_wrong_gives_no_parent() {
    let upper = TRACE.to_uppercase();
    for value in [
        "",
        "0",
        "1",
        "d",
        "-",
        "----",
        TRACE,
        &format!("{TRACE}-"),
        &format!("{TRACE}-{SPAN}-"),
        &format!("{TRACE}-{SPAN}-2"),
        &format!("{TRACE}-{SPAN}-true"),
        &format!("{TRACE}-{SPAN}-D"),
        &format!("{TRACE}-{SPAN}-1-"),
        &format!("{TRACE}-{SPAN}-1-{PARENT}-"),
        &format!("{TRACE}-{SPAN}-1-0000000000000000"),
        &format!("{TRACE}-{SPAN}-{PARENT}-1"),
        &format!("{upper}-{SPAN}-1"),
        &format!("0{TRACE}-{SPAN}-1"),
        &format!("{}-{SPAN}-1", &TRACE[1..]),
        &format!("{TRACE}-{}-1", &SPAN[1..]),
        &format!("{TRACE}-0{SPAN}-1"),
        &format!("00000000000000000000000000000000-{SPAN}-1"),
        &format!("0000000000000000-{SPAN}-1"),
        &format!("{TRACE}-0000000000000000-1"),
        &format!("+{}-{SPAN}-1", &TRACE[1..]),
        "80f198ee56343ba864fe8b2a57d3effé-e457b5a2e4d86bd1-1",
    ] {
        assert_none(&single(value));
    }
}

#[test]
fn the_headers_of_each_field_are_read_in_any_case() {
    for (fields, sampled) in [
        (vec![], false),
        (vec![("X-B3-Sampled", "1")], true),
        (vec![("X-B3-Sampled", "0")], false),
        (vec![("x-b3-sampled", "true")], true),
        (vec![("x-b3-sampled", "false")], false),
        (vec![("X-B3-Flags", "1")], true),
        // Debug beats a contradiction beside it.
        (vec![("X-B3-Flags", "1"), ("X-B3-Sampled", "0")], true),
        (vec![("X-B3-Flags", "0"), ("X-B3-Sampled", "1")], true),
        (vec![("X-B3-Flags", "0")], false),
        (vec![("X-B3-ParentSpanId", PARENT), ("X-B3-Sampled", "1")], true),
        // The first value wins.
        (vec![("X-B3-Sampled", "1"), ("X-B3-Sampled", "0")], true),
    ] {
        let ids = [("X-B3-TraceId", TRACE), ("x-b3-spanid", SPAN)];
        assert_parent(&Lines::new(ids.into_iter().chain(fields)), TRACE, sampled);
    }
}

#[test]
fn headers_of_each_field_that_are_wrong_give_no_parent() {
    for lines in [
        vec![],
        vec![("X-B3-Sampled", "0")],
        vec![("X-B3-Flags", "1")],
        vec![("X-B3-TraceId", TRACE)],
        vec![("X-B3-SpanId", SPAN)],
        vec![("X-B3-TraceId", TRACE), ("X-B3-SpanId", "")],
        vec![("X-B3-TraceId", "0"), ("X-B3-SpanId", SPAN)],
        vec![("X-B3-TraceId", TRACE), ("X-B3-SpanId", SPAN), ("X-B3-Sampled", "yes")],
    ] {
        assert_none(&Lines::new(lines));
    }
}

#[test]
fn the_single_header_comes_first_and_a_bad_one_does_not_hide_the_others() {
    let multi = [("X-B3-TraceId", TRACE), ("X-B3-SpanId", SPAN), ("X-B3-Sampled", "0")];
    let both = format!("{TRACE}-{SPAN}-1");
    assert_parent(&Lines::new(multi.into_iter().chain([("b3", &*both)])), TRACE, true);
    assert_parent(&Lines::new(multi.into_iter().chain([("b3", "nonsense")])), TRACE, false);
}

#[test]
fn what_cannot_be_read_leaves_the_context_as_it_was() {
    // row C1
    let cx = extract(&single(&format!("{TRACE}-{SPAN}-1")));
    let after = SINGLE_FORM.extract_with_context(&cx, &single("nonsense"));
    assert_eq!(after.span().span_context(), cx.span().span_context());
}

#[test]
fn a_child_is_sent_in_the_chosen_form_and_never_with_its_parent() {
    for (received, sampled, decision) in [
        ("1", true, "1"),
        ("0", false, "0"),
        ("1", false, "0"),
        // A decision that was left open has been made where a span was started.
        ("", false, "0"),
        ("", true, "1"),
        // Debug stays, whatever a sampler here said.
        ("d", true, "d"),
        ("d", false, "d"),
    ] {
        let header = format!("{TRACE}-{SPAN}-{received}");
        let cx = child(&extract(&single(header.trim_end_matches('-'))), sampled);

        let sent = send(SINGLE_FORM, &cx);
        assert_eq!(sent, single(&format!("{TRACE}-{CHILD}-{decision}")), "{received:?}");

        let decision = match decision {
            "d" => ("x-b3-flags", "1"),
            decision => ("x-b3-sampled", decision),
        };
        let fields = [("x-b3-traceid", TRACE), ("x-b3-spanid", CHILD), decision];
        assert_eq!(send(MULTI_FORM, &cx), Lines::new(fields), "{received:?}");
    }
}

#[test]
fn what_came_is_handed_on_as_it_came_where_no_span_was_started() {
    for header in ["", "-0", "-1", "-d"] {
        let header = format!("{TRACE}-{SPAN}{header}");
        let cx = extract(&single(&header));
        assert_eq!(send(SINGLE_FORM, &cx), single(&header));
        let fields = send(MULTI_FORM, &cx);
        assert_eq!(send(SINGLE_FORM, &extract(&fields)), single(&header));
    }
}

#[test]
fn debug_is_of_its_trace_and_of_its_extraction_alone() {
    let debug = extract(&single(&format!("{TRACE}-{SPAN}-d")));

    // Another trace in the same context.
    let other = SpanContext::new(
        TraceId::from(7),
        SpanId::from(8),
        TraceFlags::SAMPLED,
        false,
        TraceState::NONE,
    );
    let sent = send(SINGLE_FORM, &debug.with_remote_span_context(other));
    assert!(sent.one("b3").unwrap().ends_with("-1"), "{sent:?}");

    // The same trace, extracted again without it.
    let again = single(&format!("{TRACE}-{SPAN}-1"));
    let cx = SINGLE_FORM.extract_with_context(&debug, &again);
    assert_eq!(send(SINGLE_FORM, &cx), again);
}

#[test]
fn beside_w3c_the_trace_state_and_the_random_flag_of_the_same_parent_stay() {
    let traceparent = format!("00-{TRACE}-{SPAN}-03");
    let w3c = [("traceparent", &*traceparent), ("tracestate", "vendor=1")];
    let b3 = format!("{TRACE}-{SPAN}-1");
    let received = Lines::new(w3c.into_iter().chain([("b3", &*b3)]));
    let both = Propagators::none().with(TraceContextPropagator::new()).with(SINGLE_FORM);

    let cx = both.extract_with_context(&Context::new(), &received);
    let mut sent = Lines::default();
    both.inject_context(&cx, &mut sent);

    assert_eq!(sent, received);
    assert!(cx.span().span_context().trace_flags().to_u8() & RANDOM.to_u8() != 0);
}

#[test]
fn an_invalid_span_context_sends_nothing() {
    assert_eq!(send(SINGLE_FORM, &Context::new()), Lines::default());
    assert_eq!(send(MULTI_FORM, &Context::new()), Lines::default());
}

#[test]
fn fields_name_the_headers_of_the_chosen_form() {
    // row C4
    assert_eq!(SINGLE_FORM.fields().collect::<Vec<_>>(), ["b3"]);
    let multi = ["x-b3-traceid", "x-b3-spanid", "x-b3-sampled", "x-b3-flags"];
    assert_eq!(MULTI_FORM.fields().collect::<Vec<_>>(), multi);
    assert_eq!(B3Propagator::default().form, Form::Single);
}

proptest! {
    #[test]
    fn every_span_context_comes_back(
        trace in 1_u128..,
        span in 1_u64..,
        sampled: bool,
        multi: bool,
    ) {
        let own = SpanContext::new(
            TraceId::from(trace),
            SpanId::from(span),
            TraceFlags::default().with_sampled(sampled),
            true,
            TraceState::NONE,
        );
        let form = if multi { MULTI_FORM } else { SINGLE_FORM };
        let cx = extract(&send(form, &Context::new().with_remote_span_context(own.clone())));

        let span = cx.span();
        prop_assert_eq!(span.span_context(), &own);
    }

    #[test]
    fn any_headers_are_safe_and_what_goes_out_is_taken_in_again(
        single in "([0-9a-f]{16}|[0-9a-f]{32})-[0-9a-f]{15,17}(-[01d2]?){0,2}|\\PC{0,80}",
        fields in prop::collection::vec(
            (
                prop::sample::select(vec!["X-B3-TraceId", "X-B3-SpanId", "X-B3-Sampled", "X-B3-Flags"]),
                "[0-9a-f]{16}|[0-9a-f]{32}|[01]|\\PC{0,40}",
            ),
            0..6,
        ),
    ) {
        let fields = fields.iter().map(|(name, value)| (*name, value.as_str()));
        let cx = extract(&Lines::new(fields.chain([("b3", single.as_str())])));

        for form in [SINGLE_FORM, MULTI_FORM] {
            let sent = send(form, &cx);
            prop_assert_eq!(sent == Lines::default(), ids_and_sampled(&cx).is_none());
            prop_assert_eq!(&send(form, &extract(&sent)), &sent);
        }
    }
}
