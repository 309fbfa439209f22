use super::*;
use crate::{AttributeLimits, ValueLimits};

fn no_attributes(_set: &mut dyn FnMut(&str, Value<'_>)) {}

#[test]
fn ok_is_final_and_only_an_error_has_a_description() {
    // T13
    use StatusCode::{Error, Ok, Unset};
    let story = |steps: &[(StatusCode, &'static str)]| {
        let mut encoder = SpanEncoder::default();
        steps.iter().for_each(|(code, text)| encoder.set_status(*code, *text));
        let (code, text) = encoder.status();
        (code, text.to_owned())
    };
    assert_eq!(story(&[(Unset, "no")]), (Unset, String::new()));
    assert_eq!(story(&[(Error, "a"), (Unset, "no")]), (Error, "a".to_owned()));
    assert_eq!(story(&[(Error, "a"), (Error, "b")]), (Error, "b".to_owned()));
    assert_eq!(story(&[(Error, "a"), (Ok, "no")]), (Ok, String::new()));
    assert_eq!(story(&[(Ok, ""), (Error, "no"), (Unset, "no")]), (Ok, String::new()));
}

#[test]
fn events_and_links_beyond_the_limit_are_counted() {
    let limits = SpanLimits { events: 2, links: 1, ..SpanLimits::default() };
    let link = LinkContext {
        trace_id: [1; 16],
        span_id: [2; 8],
        trace_flags: 1,
        is_remote: false,
        trace_state: "",
    };
    let mut encoder = SpanEncoder::default();
    for _ in 0..5 {
        encoder.add_event("event", 1, &limits, no_attributes);
        encoder.add_link(link, &limits, no_attributes);
    }
    let counts = |encoder: &SpanEncoder| {
        let kept = [encoder.events().len(), encoder.links().len()];
        assert_eq!(kept, [encoder.events().count(), encoder.links().count()]);
        (kept, [encoder.dropped_events(), encoder.dropped_links()])
    };
    assert_eq!(counts(&encoder), ([2, 1], [3, 4]));
    encoder.clear();
    assert_eq!(counts(&encoder), ([0, 0], [0, 0]));
}

#[test]
fn the_bytes_of_all_events_are_bounded_and_the_rest_is_counted() {
    let limits = SpanLimits { events: u32::MAX, ..SpanLimits::default() };
    let name = "x".repeat(1024 * 1024);
    let mut encoder = SpanEncoder::default();
    for _ in 0..40 {
        encoder.add_event(&name, 1, &limits, no_attributes);
    }
    assert_eq!((encoder.events().len(), encoder.dropped_events()), (32, 8));
    encoder.clear();
    assert!(encoder.memory() <= 2 * items::ITEMS_BYTES_KEPT, "{}", encoder.memory());
}

#[test]
fn an_event_with_a_long_content_costs_no_memory_but_its_own() {
    // The length is known before the content is written: nothing moves, and a buffer that has been
    // used before is not left for another.
    let limits = SpanLimits::default();
    let text = "x".repeat(500);
    let mut encoder = SpanEncoder::default();
    let record = |encoder: &mut SpanEncoder| {
        encoder.add_event("event", 1, &limits, |set| set("key", Value::Str(&text)));
        encoder.events.buf.as_ptr()
    };
    let first = record(&mut encoder);
    encoder.clear();
    assert_eq!(record(&mut encoder), first);
}

#[test]
fn an_event_of_encoded_attributes_is_that_of_the_same_attributes() {
    let limits = SpanLimits { events: 1, ..SpanLimits::default() };
    let (mut one, mut other) = (SpanEncoder::default(), SpanEncoder::default());
    one.add_event("event", 7, &limits, |set| {
        set("key", Value::I64(1));
        set("text", Value::Str("words"));
    });
    let mut list = SpanEncoder::event_attribute_list();
    list.set("key", Value::I64(1), &limits.event_attributes());
    list.set("text", Value::Str("words"), &limits.event_attributes());
    other.add_encoded_event("event", 7, &limits, &list);
    assert_eq!(one.encode(9).as_bytes(), other.encode(9).as_bytes());
    other.add_encoded_event("too many", 7, &limits, &list);
    other.add_dropped_events(1);
    assert_eq!((other.events().len(), other.dropped_events()), (1, 2));
}

#[test]
fn attributes_that_an_event_has_lost_make_the_span_limited() {
    let limits = SpanLimits { attributes_per_event: 1, ..SpanLimits::default() };
    let mut encoder = SpanEncoder::default();
    let add = |encoder: &mut SpanEncoder, keys: &[&str]| {
        encoder.add_event("event", 1, &limits, |set| {
            keys.iter().for_each(|key| set(key, Value::Bool(true)));
        });
        encoder.is_limited()
    };
    assert!(!add(&mut encoder, &["a"]));
    assert!(add(&mut encoder, &["a", "b"]));
    encoder.clear();
    assert!(!add(&mut encoder, &["a"]));
}

/// Arrays within an array, and an integer in the innermost.
struct Nested(u8);

impl crate::wire::Elements for Nested {
    fn for_each(&self, visit: &mut dyn FnMut(Value<'_>)) {
        match self.0 {
            1 => visit(Value::I64(7)),
            levels => visit(Value::Array(&Self(levels - 1))),
        }
    }
}

#[test]
fn what_stands_too_deep_in_a_value_makes_the_span_limited() {
    // L3
    let value = ValueLimits { depth: 3, ..ValueLimits::DEFAULT };
    let attributes = AttributeLimits { value, ..AttributeLimits::default() };
    let limits = SpanLimits { attributes, ..SpanLimits::default() };
    let mut encoder = SpanEncoder::default();
    for (levels, is_limited) in [(3, false), (4, true), (3, false)] {
        encoder.clear();
        encoder.set_attribute("key", Value::Array(&Nested(levels)), &limits);
        assert_eq!(encoder.is_limited(), is_limited, "{levels}, in an attribute");
        encoder.clear();
        encoder.add_event("event", 1, &limits, |set| set("key", Value::Array(&Nested(levels))));
        assert_eq!(encoder.is_limited(), is_limited, "{levels}, in an event");
    }
}

#[test]
fn a_name_that_is_copied_uses_memory_that_was_there() {
    let mut encoder = SpanEncoder::default();
    encoder.copy_name("GET /users/{id}");
    let first = encoder.name().as_ptr();
    encoder.clear();
    assert_eq!(encoder.name(), "");
    encoder.copy_name("GET /users");
    assert_eq!((encoder.name(), encoder.name().as_ptr()), ("GET /users", first));
    encoder.copy_name(&"x".repeat(1000));
    encoder.clear();
    assert_eq!(encoder.spare_name.capacity(), 0, "a long one is not kept");
}
