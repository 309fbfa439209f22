//! What a span of the API becomes: fields, limits, status, events, links, errors.

#![allow(
    clippy::unwrap_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "helpers of tests fail by panicking, as tests do"
)]

mod trace_support;

use std::error::Error;
use std::fmt;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use opentelemetry::trace::{
    Event, Link, Span as _, SpanBuilder, SpanContext, SpanKind, Status, TraceContextExt as _,
    TraceState, Tracer as _, TracerProvider as _,
};
use opentelemetry::{Array, Context, InstrumentationScope, KeyValue, StringValue, Value};
use otlp_sdk::testing::InMemoryExporter;
use otlp_sdk::trace::TracerProvider;
use otlp_sdk::{otlp_core, resource::Resource};
use otlp_testing::oracle::{hex, value_text};

use crate::trace_support::{Bench, remote_parent};

use otlp_core::{AttributeLimits, SpanLimits, ValueLimits};

fn at(seconds: u64) -> SystemTime {
    UNIX_EPOCH + Duration::from_secs(seconds)
}

#[test]
fn everything_that_was_set_is_exported() {
    let bench = Bench::new();
    let (parent_cx, parent) = remote_parent(0x01, "vendor=value");
    let other = remote_parent(0x00, "other=state").1;
    let mut span = bench
        .tracer
        .span_builder("first name")
        .with_kind(SpanKind::Server)
        .with_start_time(at(10))
        .with_attributes([KeyValue::new("at.start", 1), KeyValue::new("twice", "old")])
        .with_events(vec![Event::new("early", at(11), vec![KeyValue::new("e", true)], 3)])
        .with_links(vec![Link::new(other.clone(), vec![KeyValue::new("l", 1.5)], 4)])
        .start_with_context(&bench.tracer, &parent_cx);
    span.set_attribute(KeyValue::new("twice", "new"));
    span.set_attribute(KeyValue::new("list", Value::Array(Array::I64(vec![1, 2]))));
    span.add_event_with_timestamp("late", at(12), vec![]);
    // T14: a link after the start.
    span.add_link(other, vec![]);
    span.update_name("name");
    span.set_status(Status::error("went wrong"));
    span.end_with_timestamp(at(20));

    let record = bench.span();
    let span = &record.span;
    assert_eq!(record.scope.name, "bench");
    assert_eq!((record.name(), span.kind), ("name", 2));
    assert_eq!(record.trace_id(), parent.trace_id().to_string());
    assert_eq!(record.parent_span_id(), parent.span_id().to_string());
    assert_eq!(span.trace_state, "vendor=value");
    assert_eq!(span.start_time_unix_nano, 10_000_000_000);
    assert_eq!(span.end_time_unix_nano, 20_000_000_000);
    let attributes: Vec<_> = span
        .attributes
        .iter()
        .map(|it| (it.key.as_str(), value_text(it.value.as_ref().unwrap())))
        .collect();
    let expected = [("at.start", "1"), ("twice", "new"), ("list", "[1, 2]")];
    assert_eq!(attributes, expected.map(|(key, value)| (key, value.to_owned())));
    let events: Vec<_> = span
        .events
        .iter()
        .map(|it| {
            (it.name.as_str(), it.time_unix_nano, it.attributes.len(), it.dropped_attributes_count)
        })
        .collect();
    assert_eq!(events, [("early", 11_000_000_000, 1, 3), ("late", 12_000_000_000, 0, 0)]);
    assert_eq!(span.links.len(), 2);
    assert_eq!((span.links[0].attributes.len(), span.links[0].dropped_attributes_count), (1, 4));
    assert_eq!(span.links[1].trace_state, "other=state");
    let status = span.status.as_ref().unwrap();
    assert_eq!((status.code, status.message.as_str()), (2, "went wrong"));
    assert_eq!(
        (span.dropped_attributes_count, span.dropped_events_count, span.dropped_links_count),
        (0, 0, 0)
    );
}

#[test]
fn flags_tell_whether_the_parent_and_the_linked_span_are_remote() {
    // F1
    let bench = Bench::new();
    let (remote_cx, remote) = remote_parent(0x03, "");
    let mut root = bench.tracer.start_with_context("root", &Context::new());
    root.add_link(remote, vec![]);
    let child_cx = Context::new().with_span(root);
    bench.tracer.start_with_context("local", &child_cx).end();
    bench.tracer.start_with_context("remote", &remote_cx).end();
    let root_context = child_cx.span().span_context().clone();
    child_cx.span().add_link(root_context, vec![]);
    child_cx.span().end();

    // Sampled and random: 0x03.
    assert_eq!(bench.find("root").span.flags, 0x103);
    assert_eq!(bench.find("local").span.flags, 0x103);
    assert_eq!(bench.find("remote").span.flags, 0x303);
    let links: Vec<_> = bench.find("root").span.links.iter().map(|link| link.flags).collect();
    assert_eq!(links, [0x303, 0x103]);
}

#[test]
fn a_root_has_no_parent_and_a_new_trace_id() {
    // T7, F2
    let bench = Bench::new();
    let first = bench.tracer.start_with_context("first", &Context::new());
    let second = bench.tracer.start_with_context("second", &Context::new());
    assert_ne!(first.span_context().trace_id(), second.span_context().trace_id());
    // T6: creating a span makes it active nowhere.
    assert!(!Context::current().has_active_span());
    // T9: what is made here is not remote.
    assert!(first.span_context().is_valid() && !first.span_context().is_remote());
    drop((first, second));
    assert!(bench.spans().iter().all(|span| span.span.parent_span_id.is_empty()));
}

#[test]
fn an_invalid_parent_counts_as_none() {
    let bench = Bench::new();
    let cx = Context::new().with_remote_span_context(SpanContext::NONE);
    bench.tracer.start_with_context("root", &cx).end();
    assert!(bench.span().span.parent_span_id.is_empty());
}

#[test]
fn every_kind_is_exported_and_internal_is_the_default() {
    // F3
    let bench = Bench::new();
    let kinds = [
        SpanKind::Internal,
        SpanKind::Server,
        SpanKind::Client,
        SpanKind::Producer,
        SpanKind::Consumer,
    ];
    for kind in kinds {
        bench.tracer.span_builder("kind").with_kind(kind).start(&bench.tracer).end();
    }
    bench.tracer.start("default").end();
    let kinds: Vec<_> = bench.spans().iter().map(|span| span.span.kind).collect();
    assert_eq!(kinds, [1, 2, 3, 4, 5, 1]);
}

#[test]
fn nothing_changes_a_span_after_its_end() {
    // T10
    let bench = Bench::new();
    let mut span = bench.tracer.start("name");
    let context = span.span_context().clone();
    span.end();
    assert!(!span.is_recording());
    span.set_attribute(KeyValue::new("late", 1));
    span.add_event("late", vec![]);
    span.add_link(context.clone(), vec![KeyValue::new("late", 1)]);
    span.set_status(Status::Ok);
    span.update_name("late");
    span.record_error(&Plain("late"));
    span.end();
    span.end_with_timestamp(at(5));
    assert_eq!(span.span_context(), &context, "the context stays");
    // An ended span is as good a parent as any, and stays active where it is.
    let cx = Context::new().with_span(span);
    let child = bench.tracer.start_with_context("child", &cx);
    assert_eq!(child.span_context().trace_id(), context.trace_id());
    drop(child);

    let record = bench.find("name");
    assert!(record.span.attributes.is_empty() && record.span.events.is_empty());
    assert!(record.span.links.is_empty() && record.span.status.is_none());
    assert_eq!(bench.ledger().ended, 2);
}

#[test]
fn a_span_that_is_dropped_has_ended() {
    let bench = Bench::new();
    drop(bench.tracer.start("dropped"));
    let record = bench.span();
    assert!(record.span.end_time_unix_nano >= record.span.start_time_unix_nano);
    assert!(record.span.start_time_unix_nano > 1_600_000_000_000_000_000);
}

#[test]
fn status_follows_its_rules() {
    // T13
    let error = Status::error;
    type Exported = Option<(i32, &'static str)>;
    let cases: [(&[Status], Exported); 7] = [
        (&[], None),
        (&[Status::Unset], None),
        (&[error("a"), Status::Unset], Some((2, "a"))),
        (&[error("a"), error("b")], Some((2, "b"))),
        (&[error("a"), Status::Ok], Some((1, ""))),
        (&[Status::Ok, error("late")], Some((1, ""))),
        (&[error("")], Some((2, ""))),
    ];
    for (steps, expected) in cases {
        let bench = Bench::new();
        let mut span = bench.tracer.start("status");
        steps.iter().cloned().for_each(|status| span.set_status(status));
        span.end();
        let status = bench.span().span.status;
        let status = status.as_ref().map(|it| (it.code, it.message.as_str()));
        assert_eq!(status, expected, "{steps:?}");
    }
}

#[test]
fn empty_values_are_kept() {
    // T15
    let bench = Bench::new();
    let mut span = bench.tracer.start("empty");
    let values: [Value; 5] =
        [0i64.into(), false.into(), 0.0.into(), "".into(), Value::Array(Array::String(vec![]))];
    for (number, value) in values.into_iter().enumerate() {
        span.set_attribute(KeyValue::new(number.to_string(), value));
    }
    span.set_attribute(KeyValue::new("", "a key must not be empty"));
    span.end();
    let span = bench.span().span;
    assert_eq!(span.attributes.len(), 5);
    assert!(span.attributes.iter().all(|it| it.value.as_ref().unwrap().value.is_some()));
    assert_eq!(span.dropped_attributes_count, 1);
}

#[test]
fn arrays_of_every_type_are_exported() {
    let bench = Bench::new();
    let mut span = bench.tracer.start("arrays");
    let arrays: [(&'static str, Array); 4] = [
        ("bool", Array::Bool(vec![true, false])),
        ("i64", Array::I64(vec![-1, 0])),
        ("f64", Array::F64(vec![0.5])),
        ("string", Array::String(vec![StringValue::from("a"), StringValue::from("")])),
    ];
    for (key, array) in arrays {
        span.set_attribute(KeyValue::new(key, Value::Array(array)));
    }
    span.end();
    let record = bench.span();
    for (key, text) in
        [("bool", "[true, false]"), ("i64", "[-1, 0]"), ("f64", "[0.5]"), ("string", "[a, ]")]
    {
        assert_eq!(record.attribute_text(key).as_deref(), Some(text));
    }
}

#[test]
fn links_without_a_valid_context_are_kept_if_they_say_anything() {
    // T14
    let bench = Bench::new();
    let mut span = bench.tracer.start("links");
    let stateful = SpanContext::new(
        SpanContext::NONE.trace_id(),
        SpanContext::NONE.span_id(),
        SpanContext::NONE.trace_flags(),
        false,
        "a=b".parse::<TraceState>().unwrap(),
    );
    span.add_link(SpanContext::NONE, vec![]);
    span.add_link(SpanContext::NONE, vec![KeyValue::new("why", "attributes")]);
    span.add_link(stateful, vec![]);
    span.end();
    let links = bench.span().span.links;
    assert_eq!(links.len(), 2);
    assert_eq!((links[0].attributes.len(), links[1].trace_state.as_str()), (1, "a=b"));
}

#[test]
fn every_limit_holds_and_is_counted() {
    // L1, L2, L7
    let limits = SpanLimits {
        attributes: AttributeLimits {
            count: 2,
            value: ValueLimits { length: 3, ..ValueLimits::DEFAULT },
        },
        events: 2,
        links: 1,
        attributes_per_event: 1,
        attributes_per_link: 0,
    };
    let bench = Bench::with(|builder| builder.with_span_limits(limits));
    let three = || vec![KeyValue::new("a", "äöüß"), KeyValue::new("b", 2), KeyValue::new("c", 3)];
    let linked = remote_parent(1, "").1;
    let mut span = bench
        .tracer
        .span_builder("limits")
        .with_attributes(three())
        .with_events((0..2).map(|_| Event::new("event", at(1), three(), 5)).collect())
        .start(&bench.tracer);
    // Replaced although it is full.
    span.set_attribute(KeyValue::new("a", Value::Array(Array::String(vec!["日本語です".into()]))));
    (0..3).for_each(|_| span.add_event("event", three()));
    (0..3).for_each(|_| span.add_link(linked.clone(), three()));
    span.end();

    let record = bench.span();
    assert_eq!(record.attribute_text("a").as_deref(), Some("[日本語]"));
    let span = record.span;
    assert_eq!((span.attributes.len(), span.dropped_attributes_count), (2, 1));
    assert_eq!((span.events.len(), span.dropped_events_count), (2, 3));
    assert_eq!((span.links.len(), span.dropped_links_count), (1, 2));
    let event = &span.events[0];
    assert_eq!((event.attributes.len(), event.dropped_attributes_count), (1, 2 + 5));
    assert_eq!(value_text(event.attributes[0].value.as_ref().unwrap()), "äöü");
    assert_eq!((span.links[0].attributes.len(), span.links[0].dropped_attributes_count), (0, 3));
}

#[test]
fn the_default_limits_are_128_each() {
    // L7
    let bench = Bench::new();
    let linked = remote_parent(1, "").1;
    let many = || (0..130).map(|n| KeyValue::new(n.to_string(), n)).collect::<Vec<_>>();
    let mut span = bench.tracer.start("limits");
    span.set_attributes(many());
    (0..130).for_each(|_| span.add_event("event", vec![]));
    (0..130).for_each(|_| span.add_link(linked.clone(), vec![]));
    span.end();
    let mut other = bench.tracer.start("inner limits");
    other.add_event("event", many());
    other.add_link(linked, many());
    other.set_attribute(KeyValue::new("long", "x".repeat(100_000)));
    other.end();

    let span = bench.find("limits").span;
    assert_eq!((span.attributes.len(), span.dropped_attributes_count), (128, 2));
    assert_eq!((span.events.len(), span.dropped_events_count), (128, 2));
    assert_eq!((span.links.len(), span.dropped_links_count), (128, 2));
    let other = bench.find("inner limits");
    assert_eq!(
        (other.span.events[0].attributes.len(), other.span.events[0].dropped_attributes_count),
        (128, 2)
    );
    assert_eq!(
        (other.span.links[0].attributes.len(), other.span.links[0].dropped_attributes_count),
        (128, 2)
    );
    assert_eq!(other.attribute_text("long").unwrap().len(), 100_000);
}

#[test]
fn events_and_links_keep_their_order() {
    // T14
    let bench = Bench::new();
    let mut span = bench.tracer.start("order");
    for number in 0..20 {
        span.add_event(format!("{number}"), vec![]);
        span.add_link(remote_parent(1, "").1, vec![KeyValue::new("number", number)]);
    }
    span.end();
    let span = bench.span().span;
    assert!(span.events.iter().enumerate().all(|(at, event)| event.name == at.to_string()));
    assert!(span.events.is_sorted_by_key(|event| event.time_unix_nano));
    let numbers: Vec<_> = span
        .links
        .iter()
        .map(|link| value_text(link.attributes[0].value.as_ref().unwrap()))
        .collect();
    assert_eq!(numbers, (0..20).map(|number| number.to_string()).collect::<Vec<_>>());
}

#[test]
fn times_out_of_the_ordinary_do_no_harm() {
    let bench = Bench::new();
    let before_1970 = UNIX_EPOCH - Duration::from_secs(5);
    let start = |name: &'static str, time| {
        bench.tracer.span_builder(name).with_start_time(time).start(&bench.tracer)
    };
    start("end before start", at(10)).end_with_timestamp(at(5));
    start("before 1970", before_1970).end_with_timestamp(before_1970);
    start("after 2554", at(1 << 40)).end_with_timestamp(at(1 << 41));
    start("future", SystemTime::now() + Duration::from_secs(1000)).end();

    let times = |name| {
        let span = bench.find(name).span;
        (span.start_time_unix_nano, span.end_time_unix_nano)
    };
    assert_eq!(times("end before start"), (10_000_000_000, 10_000_000_000));
    assert_eq!(times("before 1970"), (0, 0));
    assert_eq!(times("after 2554"), (u64::MAX, u64::MAX));
    let (start, end) = times("future");
    assert_eq!(start, end);
}

#[derive(Debug)]
struct Plain(&'static str);

impl fmt::Display for Plain {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.0)
    }
}

impl Error for Plain {}

#[derive(Debug)]
struct Outer(Plain);

impl fmt::Display for Outer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("outer")
    }
}

impl Error for Outer {
    fn source(&self) -> Option<&(dyn Error + 'static)> {
        Some(&self.0)
    }
}

/// An error that is its own cause.
#[derive(Debug)]
struct Endless;

impl fmt::Display for Endless {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("again")
    }
}

impl Error for Endless {
    fn source(&self) -> Option<&(dyn Error + 'static)> {
        Some(&Self)
    }
}

/// An error whose text panics.
#[derive(Debug)]
struct Panics;

impl fmt::Display for Panics {
    fn fmt(&self, _: &mut fmt::Formatter<'_>) -> fmt::Result {
        panic!("no words");
    }
}

impl Error for Panics {}

#[test]
fn an_error_becomes_an_exception_event_with_its_causes() {
    // T16
    let bench = Bench::new();
    let mut span = bench.tracer.start("error");
    span.record_error(&Outer(Plain("inner")));
    span.record_error(&Plain("alone"));
    span.end();
    let events = bench.span().span.events;
    let texts = |at: usize| -> Vec<_> {
        let pairs = events[at].attributes.iter();
        pairs.map(|it| (it.key.clone(), value_text(it.value.as_ref().unwrap()))).collect()
    };
    assert!(events.iter().all(|event| event.name == "exception"));
    let pair = |key: &str, value: &str| (key.to_owned(), value.to_owned());
    let with_cause =
        [pair("exception.message", "outer"), pair("exception.stacktrace", "caused by: inner\n")];
    assert_eq!(texts(0), with_cause);
    assert_eq!(texts(1), [pair("exception.message", "alone")]);
}

#[test]
fn an_error_without_end_is_cut() {
    let bench = Bench::new();
    let mut span = bench.tracer.start("error");
    span.record_error(&Endless);
    span.end();
    let events = bench.span().span.events;
    let stack = value_text(events[0].attributes[1].value.as_ref().unwrap());
    assert!(stack.len() > 60_000 && stack.len() < 70_000);
}

#[test]
fn an_error_whose_text_panics_does_not_harm_the_application() {
    // T21
    let bench = Bench::new();
    let mut span = bench.tracer.start("error");
    span.record_error(&Panics);
    assert!(span.is_recording());
    span.set_attribute(KeyValue::new("after", 1));
    span.end();
    let record = bench.span();
    assert_eq!(record.span.events.len(), 1);
    assert_eq!(record.attribute_text("after").as_deref(), Some("1"));
    assert_eq!(bench.ledger().panics, 1);
}

#[test]
fn an_error_whose_text_starts_a_span_gets_both() {
    // S7
    struct Nosy(opentelemetry::trace::TraceId, otlp_sdk::trace::Tracer);

    impl fmt::Debug for Nosy {
        fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
            f.write_str("Nosy")
        }
    }

    impl fmt::Display for Nosy {
        fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
            let mut inner = self.1.start("inner");
            inner.set_attribute(KeyValue::new("outer", self.0.to_string()));
            f.write_str("nosy")
        }
    }

    impl Error for Nosy {}

    let bench = Bench::new();
    let mut span = bench.tracer.start("outer");
    span.record_error(&Nosy(span.span_context().trace_id(), bench.tracer.clone()));
    span.end();
    assert_eq!(bench.names(), ["inner", "outer"]);
    assert_eq!(bench.find("outer").span.events.len(), 1);
}

#[test]
fn scopes_stand_apart_and_keep_all_they_were_given() {
    // T1
    let bench = Bench::new();
    let scope = InstrumentationScope::builder("library")
        .with_version("1.2")
        .with_schema_url("https://example.com/schema")
        .with_attributes([KeyValue::new("short", "name")])
        .build();
    bench.provider.tracer_with_scope(scope).start("of library").end();
    bench.provider.tracer("").start("of nobody").end();
    bench.tracer.start("of bench").end();

    let record = bench.find("of library");
    assert_eq!((record.scope.name.as_str(), record.scope.version.as_str()), ("library", "1.2"));
    assert_eq!(record.scope.attributes[0].key, "short");
    assert_eq!(&*record.scope_schema_url, "https://example.com/schema");
    assert_eq!(bench.find("of nobody").scope.name, "");
    assert_eq!(bench.find("of bench").scope.name, "bench");
}

#[test]
fn the_resource_stands_around_all_spans() {
    let resource = Resource::new([KeyValue::new("service.name", "shop")]);
    let bench = Bench::with(|builder| builder.with_resource(resource));
    bench.tracer.start("span").end();
    assert_eq!(bench.span().service_name(), "shop");
}

#[test]
fn without_a_processor_nothing_is_recorded_and_the_context_passes_through() {
    // T4, T5
    let provider = TracerProvider::builder().with_resource(Resource::empty()).build();
    let tracer = provider.tracer("nobody listens");
    assert!(!tracer.enabled());
    let (cx, parent) = remote_parent(1, "a=b");
    let span = tracer.start_with_context("span", &cx);
    assert!(!span.is_recording());
    assert_eq!(span.span_context(), &parent);
    let root = tracer.start_with_context("span", &Context::new());
    assert_eq!(root.span_context(), &SpanContext::NONE);
    let ledger = provider.ledger();
    assert_eq!((ledger.created, ledger.sampled_out, ledger.ended), (2, 2, 0));
}

#[test]
fn a_suppressed_context_makes_no_spans() {
    let bench = Bench::new();
    let cx = Context::new().with_telemetry_suppressed();
    let span = bench.tracer.start_with_context("suppressed", &cx);
    assert!(!span.is_recording() && !span.span_context().is_valid());
    drop(span);
    assert!(bench.spans().is_empty());
    let ledger = bench.ledger();
    assert_eq!((ledger.created, ledger.sampled_out), (1, 1));
}

#[test]
fn ids_are_the_same_in_hex_and_in_bytes() {
    // T17
    let bench = Bench::new();
    let span = bench.tracer.start("ids");
    let context = span.span_context().clone();
    drop(span);
    let span = bench.span().span;
    assert_eq!(hex(&span.trace_id), context.trace_id().to_string());
    assert_eq!(span.span_id, context.span_id().to_bytes());
}

#[test]
fn a_builder_by_hand_is_as_good() {
    let bench = Bench::new();
    let mut builder = SpanBuilder::from_name("by hand");
    builder.attributes = Some((0..200).map(|n| KeyValue::new("same", n)).collect());
    bench.tracer.build_with_context(builder, &Context::new()).end();
    let record = bench.span();
    assert_eq!(record.attribute_text("same").as_deref(), Some("199"), "T12: the last value wins");
    assert_eq!((record.span.attributes.len(), record.span.dropped_attributes_count), (1, 0));
}

#[test]
fn spans_that_lose_something_to_their_limits_are_counted() {
    // L2
    let provider = TracerProvider::builder()
        .with_batch_exporter(otlp_sdk::testing::InMemoryExporter::default())
        .with_span_limits(SpanLimits { events: 1, ..SpanLimits::default() })
        .build();
    let tracer = provider.tracer("test");
    for events in 0..4 {
        let mut span = tracer.start("span");
        (0..events).for_each(|_| span.add_event("event", Vec::new()));
    }
    let ledger = provider.ledger();
    assert_eq!((ledger.created, ledger.ended, ledger.limited), (4, 4, 2), "{ledger}");
}

#[test]
fn resource_and_scope_are_exempt_from_limits() {
    // L5
    let many = || (0..300).map(|at| KeyValue::new(format!("{at}"), "x".repeat(100)));
    let exporter = InMemoryExporter::default();
    let limits = SpanLimits::default();
    assert!(limits.attributes.count < 300);
    let provider = TracerProvider::builder()
        .with_resource(Resource::builder().with_attributes(many()).build())
        .with_span_limits(limits)
        .with_batch_exporter(exporter.clone())
        .build();
    let scope = InstrumentationScope::builder("many").with_attributes(many()).build();
    provider.tracer_with_scope(scope).start("span").end();
    provider.force_flush().unwrap();
    let span = exporter.finished_span("span").unwrap();
    assert_eq!(span.scope.attributes().count(), 300);
    assert!(many().all(|it| span.resource.get(it.key.as_str()) == Some(&it.value)));
}
