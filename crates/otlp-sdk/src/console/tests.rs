//! The exact text of spans, and what hostile content cannot do to it.

mod logs;
mod metrics;

use opentelemetry::trace::{Span as _, Status, Tracer as _, TracerProvider as _};
use opentelemetry::{Array, KeyValue, Value as ApiValue};
use otlp_core::SpanLimits;
use otlp_core::span::{
    LinkContext, ParentContext, SpanEncoder, SpanIdentity, SpanKind, StatusCode,
};
use otlp_core::wire::Value;

use super::time::rfc3339;
use super::*;
use crate::resource::Resource;
use crate::testing::InMemoryExporter;
use crate::trace::TracerProvider;

const START: u64 = 1_795_275_000_123_456_789;

fn describe(request: &[u8]) -> Result<String, WireError> {
    super::describe(Signal::Traces, request)
}

fn identity() -> SpanIdentity {
    SpanIdentity {
        trace_id: *b"\x4b\xf9\x2f\x35\x77\xb3\x4d\xa6\xa3\xce\x92\x9d\x0e\x0e\x47\x36",
        span_id: *b"\x00\xf0\x67\xaa\x0b\xa9\x02\xb7",
        trace_flags: 3,
        ..SpanIdentity::default()
    }
}

/// The request with this one span, under a resource and a scope.
fn request(encoder: &SpanEncoder, end: u64) -> Vec<u8> {
    let message = |field: u8, content: &[u8]| {
        let mut bytes = vec![field << 3 | 2];
        otlp_core::wire::varint::put(&mut bytes, content.len() as u64);
        bytes.extend_from_slice(content);
        bytes
    };
    let name =
        message(1, &[message(1, b"service.name"), message(2, &message(1, b"shop"))].concat());
    let scope = message(1, &[message(1, b"checkout"), message(2, b"1.4.0")].concat());
    let mut scope_spans = scope;
    encoder.encode(end).put_item(&mut scope_spans);
    let schema = message(3, b"https://example.com/schema");
    let resource_spans = [message(1, &name), message(2, &scope_spans), schema].concat();
    message(1, &resource_spans)
}

#[test]
fn everything_that_a_span_holds_is_shown() {
    // R11
    let limits = SpanLimits { events: 1, links: 1, ..SpanLimits::default() };
    let mut encoder = SpanEncoder::default();
    let parent = ParentContext { span_id: [0xb7; 8], is_remote: true };
    let identity =
        SpanIdentity { parent: Some(parent), trace_state: "congo=t61".into(), ..identity() };
    encoder.start(identity, "charge card", SpanKind::Client, START);
    encoder.set_attribute("amount", Value::I64(4200), &limits);
    encoder.set_attribute("rate", Value::F64(1.0), &limits);
    encoder.set_attribute("vip", Value::Bool(true), &limits);
    encoder.set_attribute("who", Value::Str("Zoë \"Z\""), &limits);
    encoder.set_attribute("raw", Value::Bytes(&[1, 0xab]), &limits);
    encoder.set_attribute("none", Value::Empty, &limits);
    let mixed = [Value::I64(1), Value::Str("a")];
    encoder.set_attribute("list", Value::Array(&mixed), &limits);
    let map = [("k", Value::Array(&mixed)), ("l", Value::Bool(false))];
    encoder.set_attribute("map", Value::Map(&map), &limits);
    encoder.add_event("retry", START + 300_000, &limits, |set| set("reason", "timeout".into()));
    encoder.add_event("one too many", START, &limits, |_| {});
    let linked = LinkContext {
        trace_id: [0x11; 16],
        span_id: [0x22; 8],
        trace_flags: 1,
        is_remote: true,
        trace_state: "a=b",
    };
    encoder.add_link(linked, &limits, |set| set("why", Value::I64(7)));
    encoder.add_link(linked, &limits, |_| {});
    encoder.set_status(StatusCode::Error, "declined");

    let text = describe(&request(&encoder, START + 1_250_000)).unwrap();
    assert_eq!(
        text,
        r#"resource service.name="shop" (schema https://example.com/schema)
scope checkout 1.4.0
span charge card
  trace    4bf92f3577b34da6a3ce929d0e0e4736, flags 03
  id       00f067aa0ba902b7
  parent   b7b7b7b7b7b7b7b7 (remote)
  state    congo=t61
  kind     client
  start    2026-11-21T15:30:00.123456789Z
  duration 1.25ms
  status   error "declined"
  amount = 4200
  rate = 1.0
  vip = true
  who = "Zoë \"Z\""
  raw = 0x01ab
  none = null
  list = [1, "a"]
  map = {"k": [1, "a"], "l": false}
  event +300µs retry
    reason = "timeout"
  link 11111111111111111111111111111111 2222222222222222 (remote), state a=b
    why = 7
  dropped 1 event, 1 link
"#
    );
}

#[test]
fn a_span_with_nothing_in_it_is_short() {
    let mut encoder = SpanEncoder::default();
    encoder.start(identity(), "", SpanKind::Internal, START);
    // An end before the start, as a changed clock may make it.
    let text = describe(&request(&encoder, START - 1)).unwrap();
    let (_, span) = text.split_once("1.4.0\n").unwrap();
    assert_eq!(
        span,
        r#"span ""
  trace    4bf92f3577b34da6a3ce929d0e0e4736, flags 03
  id       00f067aa0ba902b7
  kind     internal
  start    2026-11-21T15:30:00.123456789Z
  duration 0ns
  status   unset
"#
    );
}

#[test]
fn a_span_of_the_sdk_is_shown_and_nothing_in_it_can_make_a_line() {
    let exporter = InMemoryExporter::default();
    let provider = TracerProvider::builder()
        .with_resource(Resource::new([KeyValue::new("service.name", "a\nb")]))
        .with_simple_exporter(exporter.clone())
        .build();
    let mut span = provider.tracer("scope\nname").start("span\x1b[2J");
    span.set_attribute(KeyValue::new("text\n", "a\nb"));
    span.set_attribute(KeyValue::new("list", ApiValue::Array(Array::I64(vec![1, 2]))));
    span.add_event("event\n", vec![KeyValue::new("k", "\u{202e}")]);
    span.set_status(Status::error("bad\n"));
    span.end();
    provider.force_flush().unwrap();

    let text = describe(&exporter.payloads()[0].rope().to_bytes()).unwrap();
    // Ids and times differ each time.
    let varies = |line: &&str| {
        ["  trace ", "  id ", "  start ", "  duration "].iter().any(|it| line.starts_with(it))
    };
    let lines: Vec<&str> = text.lines().filter(|line| !varies(line)).collect();
    let event = lines.iter().position(|line| line.starts_with("  event +")).unwrap();
    assert!(lines[event].ends_with(" event\\n"), "{text}");
    let others: Vec<&str> =
        lines.iter().enumerate().filter(|(at, _)| *at != event).map(|(_, line)| *line).collect();
    assert_eq!(
        others,
        [
            "resource service.name=\"a\\nb\"",
            "scope scope\\nname",
            "span span\\u{1b}[2J",
            "  kind     internal",
            "  status   error \"bad\\n\"",
            "  text\\n = \"a\\nb\"",
            "  list = [1, 2]",
            "    k = \"\\u{202e}\"",
        ]
    );
}

#[test]
fn what_one_value_prints_is_bounded() {
    let limits = SpanLimits::default();
    let mut encoder = SpanEncoder::default();
    encoder.start(identity(), "n".repeat(10_000), SpanKind::Internal, START);
    encoder.set_attribute("long", Value::Str(&"ä".repeat(10_000)), &limits);
    let numbers = [Value::I64(7); 10_000];
    encoder.set_attribute("list", Value::Array(&numbers), &limits);
    encoder.set_status(StatusCode::Error, "s".repeat(10_000));
    let text = describe(&request(&encoder, START)).unwrap();
    for line in text.lines() {
        assert!(line.len() < 1_100, "{} bytes: {line}", line.len());
    }
    // One byte is the quote, and a character is not cut.
    assert!(text.contains(&format!("  long = \"{}…\n", "ä".repeat(511))), "{text}");
    assert!(text.contains(&format!("span {}…\n", "n".repeat(256))));
    assert!(text.contains("  list = [7, 7, 7"));
}

#[test]
fn times_are_utc_and_know_leap_years() {
    for (unix_nano, text) in [
        (0, "1970-01-01T00:00:00.000000000Z"),
        (951_782_399_999_999_999, "2000-02-28T23:59:59.999999999Z"),
        (951_782_400_000_000_000, "2000-02-29T00:00:00.000000000Z"),
        (951_868_800_000_000_000, "2000-03-01T00:00:00.000000000Z"),
        (1_709_251_199_000_000_001, "2024-02-29T23:59:59.000000001Z"),
        (4_107_542_400_000_000_000, "2100-03-01T00:00:00.000000000Z"),
        (u64::MAX, "2554-07-21T23:34:33.709551615Z"),
    ] {
        assert_eq!(rfc3339(unix_nano), text);
    }
}

#[tokio::test]
async fn what_is_not_valid_is_refused_whatever_signal_it_is_of() {
    for signal in Signal::ALL {
        let garbage = otlp_core::Rope::from(bytes::Bytes::from_static(b"\x0a\xff"));
        let garbage = Payload::from_parts(signal, garbage, 1);
        let outcome = ConsoleExporter::new().export(garbage, Deadline::NEVER).await;
        assert!(format!("{outcome:?}").contains("not valid OTLP"), "{outcome:?}");
    }
}

#[test]
fn no_byte_that_is_wrong_makes_it_panic_or_print_a_control_character() {
    let mut encoder = SpanEncoder::default();
    encoder.start(identity(), "name", SpanKind::Internal, START);
    encoder.add_event("event", START, &SpanLimits::default(), |set| set("k", Value::I64(7)));
    let mut samples = vec![
        (Signal::Traces, request(&encoder, START)),
        (Signal::Logs, logs::request(vec![logs::record()])),
    ];
    samples.extend(metrics::requests().into_iter().map(|sample| (Signal::Metrics, sample)));
    let (mut shown, mut refused) = (0, 0);
    for (signal, sample) in samples {
        for at in 0..sample.len() {
            for value in [0, 1, 0x0a, 0x7f, 0x80, 0xff] {
                let mut changed = sample.clone();
                changed[at] = value;
                let Ok(text) = super::describe(signal, &changed) else {
                    refused += 1;
                    continue;
                };
                shown += 1;
                assert!(!text.replace('\n', "").contains(char::is_control), "{text:?}");
            }
        }
    }
    assert!(shown > 1_000 && refused > 1_000, "{shown} {refused}");
}
