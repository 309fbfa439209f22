//! A context reaches a child process through its environment (row C5).

#![allow(
    clippy::unwrap_used,
    clippy::panic,
    clippy::print_stdout,
    reason = "helpers of tests fail by panicking, as tests do; a child tells by printing"
)]

#[path = "child/mod.rs"]
mod child;
mod trace_support;

use std::process::Command;

use opentelemetry::baggage::BaggageExt;
use opentelemetry::propagation::TextMapPropagator as _;
use opentelemetry::trace::{Span as _, TraceContextExt as _, Tracer as _};
use opentelemetry::{Context, KeyValue};
use otlp_sdk::propagation::{EnvCarrier, Propagators, inject_command};

use self::trace_support::Bench;

/// What a process that starts now believes of itself: its root span's parent, state and baggage.
fn tell() {
    let parent = Propagators::default().extract(&EnvCarrier::from_process());
    let bench = Bench::new();
    bench.tracer.start_with_context("root", &parent).end();
    let root = bench.span().span;
    let (trace_id, parent_span_id) = (hex(&root.trace_id), hex(&root.parent_span_id));
    let tenant = parent.baggage().get("tenant").map_or("none".to_owned(), ToString::to_string);
    println!("told: [{trace_id} {parent_span_id}] [{}] [{tenant}]", root.trace_state);
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

/// Runs [`the_grandchild`] in a process of its own and returns what it told.
fn told(configure: impl FnOnce(&mut Command)) -> String {
    let mut command = Command::new(std::env::current_exe().unwrap());
    command.args(["--exact", "the_grandchild", "--nocapture"]).env(GRANDCHILD, "1");
    configure(&mut command);
    let output = command.output().unwrap();
    let text = String::from_utf8(output.stdout).unwrap();
    let line = text.lines().find_map(|line| line.split_once("told: ")).map(|(_, told)| told);
    line.unwrap_or_else(|| panic!("{text}")).to_owned()
}

/// Does something only as a child of the tests below.
#[test]
fn the_grandchild() {
    if std::env::var_os(GRANDCHILD).is_some() {
        tell();
    }
}

const GRANDCHILD: &str = "OTLP_SDK_TEST_GRANDCHILD";

const INHERITED: [(&str, &str); 3] = [
    ("TRACEPARENT", "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01"),
    ("TRACESTATE", "vendor=old"),
    ("BAGGAGE", "tenant=old"),
];

#[test]
fn a_child_process_continues_the_trace_of_its_parent() {
    // The process in the middle has a caller of its own, whose variables its child inherits.
    child::run("a_child_process_continues_the_trace_of_its_parent", &INHERITED, || {
        let bench = Bench::new();
        let span = bench.tracer.start_with_context("parent", &Context::new());
        let ids = format!("[{} {}]", span.span_context().trace_id(), span.span_context().span_id());
        let cx = Context::new().with_span(span);
        let propagators = Propagators::default();

        let alone = told(|command| inject_command(&propagators, &cx, command));
        // Neither the state nor the baggage of the caller is ours.
        assert_eq!(alone, format!("{ids} [] [none]"));

        let cx = cx.with_baggage([KeyValue::new("tenant", "a, b = \u{e9}")]);
        let with_baggage = told(|command| inject_command(&propagators, &cx, command));
        assert_eq!(with_baggage, format!("{ids} [] [a, b = \u{e9}]"));
    });
}

#[test]
fn a_context_without_a_span_takes_the_callers_trace_away() {
    child::run("a_context_without_a_span_takes_the_callers_trace_away", &INHERITED, || {
        let told = told(|command| {
            inject_command(&Propagators::default(), &Context::new(), command);
        });
        let (ids, rest) = told.split_once(']').unwrap();
        assert!(ids.ends_with(' '), "a parent: {told}");
        assert_eq!(rest, " [] [none]");
    });
}

#[test]
fn a_process_in_the_middle_that_does_nothing_hands_its_environment_on() {
    child::run(
        "a_process_in_the_middle_that_does_nothing_hands_its_environment_on",
        &INHERITED,
        || {
            assert_eq!(
                told(|_| {}),
                "[0af7651916cd43dd8448eb211c80319c b7ad6b7169203331] [vendor=old] [old]"
            );
        },
    );
}

#[test]
fn an_environment_that_makes_no_sense_starts_a_new_trace() {
    for value in
        ["", "00-nonsense", "\u{1f980}", "00-00000000000000000000000000000000-0000000000000000-01"]
    {
        let told = told(|command| {
            command.env("TRACEPARENT", value).env("TRACESTATE", value).env("BAGGAGE", value);
        });
        let (ids, rest) = told.split_once(']').unwrap();
        assert_eq!((ids.len(), ids.ends_with(' ')), (1 + 32 + 1, true), "{told}");
        assert_eq!(rest, " [] [none]");
    }
}
