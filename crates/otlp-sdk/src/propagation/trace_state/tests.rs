//! What goes out when samplers have added more than fits; the rest is tested through the
//! propagator.

use opentelemetry::SpanId;
use opentelemetry::trace::{TraceContextExt, TraceFlags};

use super::*;

fn header(state: &TraceState) -> String {
    let own = span_context(state.clone());
    trace_state_header(&Context::new(), &own).unwrap_or_default()
}

fn span_context(state: TraceState) -> SpanContext {
    SpanContext::new(TraceId::from(7_u128), SpanId::from(8), TraceFlags::SAMPLED, false, state)
}

#[test]
fn above_8192_bytes_large_members_go_first_and_then_the_last_ones() {
    // W3C, "tracestate Limits". 17 members of 457 bytes fit, 18 do not.
    let large = |n: usize| (format!("{n:k>200}"), "v".repeat(256));
    let small = |n: usize| (format!("s{n}"), "1".to_owned());
    let state = |pairs: Vec<(String, String)>| TraceState::from_key_value(pairs).unwrap();

    let sent = header(&state((0..18).map(large).chain([small(1)]).collect()));

    let kept: Vec<_> = (0..17).map(large).chain([small(1)]).collect();
    let kept: Vec<_> = kept.iter().map(|(key, value)| format!("{key}={value}")).collect();
    assert_eq!(sent, kept.join(","));
}

#[test]
fn a_member_more_than_32_pushes_the_last_one_out() {
    let received = (0..31).map(|n| format!("k{n}=1")).chain(["last@@one=1".into()]);
    let received = received.collect::<Vec<_>>().join(",");
    let checked = CheckedTraceState::parse(&[&received]).unwrap();
    let (state, beside) = checked.for_trace(TraceId::from(7_u128));
    let cx = Context::new().with_value(beside.unwrap());
    let own = span_context(state.insert("ot", "th:8").unwrap());

    let sent = trace_state_header(&cx.with_remote_span_context(own.clone()), &own).unwrap();

    assert_eq!(sent.split(',').count(), 32);
    assert!(sent.starts_with("ot=th:8,k0=1,"));
    assert!(sent.ends_with(",k30=1"));
}

#[test]
fn each_error_has_its_reason() {
    let too_many: Vec<_> = (0..33).map(|n| format!("k{n}=1")).collect();
    let too_long = "a".repeat(8193);
    for (header, error) in [
        (too_many.join(","), TraceStateError::TooManyMembers),
        (too_long, TraceStateError::TooLong),
        ("a=1,a=1".to_owned(), TraceStateError::DuplicateKey),
        ("a".to_owned(), TraceStateError::BadMember),
    ] {
        assert_eq!(CheckedTraceState::parse(&[&header]).unwrap_err(), error);
        assert!(!error.reason().is_empty());
    }
}
