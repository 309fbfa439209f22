//! Values whose code misbehaves.

use std::fmt;

use opentelemetry::trace::{Span as _, Tracer as _};
use otlp_sdk::trace::Tracer;
use tracing::field::{Empty, debug};
use tracing::{info, info_span};

use crate::{traced, traced_with};

struct Panics;

impl fmt::Debug for Panics {
    fn fmt(&self, _: &mut fmt::Formatter<'_>) -> fmt::Result {
        panic!("not ours")
    }
}

/// Uses telemetry while it is formatted.
struct Nosy(Tracer);

impl fmt::Debug for Nosy {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.start("of the field").set_attribute(opentelemetry::KeyValue::new("key", 1));
        info_span!("tracing in the field", of = "field").in_scope(|| info!("event in the field"));
        f.write_str("nosy")
    }
}

struct Huge;

impl fmt::Debug for Huge {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        loop {
            f.write_str("and so on ")?;
        }
    }
}

#[test]
fn a_value_that_panics_is_noted_and_nothing_else_is_lost() {
    let bench = traced(|| {
        let span = info_span!("work", before = 1, bad = ?Panics, after = 2, late = Empty);
        span.record("late", debug(Panics));
        span.in_scope(|| {
            info!(bad = ?Panics, good = 3, "event");
            info!("message {:?}", Panics);
        });
    });
    let record = bench.find("work");
    let text = |key| record.attribute_text(key).unwrap();
    assert_eq!((text("before"), text("after")), ("1".to_owned(), "2".to_owned()));
    assert!(text("bad").contains("panicked") && text("late").contains("panicked"));
    assert_eq!(record.span.events.len(), 2);
    assert_eq!(crate::event_text(&record.span.events[0], "good").as_deref(), Some("3"));
    assert!(record.span.events[1].name.contains("panicked"));
    assert_eq!(bench.ledger().panics, 4);
}

#[test]
fn a_value_that_uses_telemetry_gets_it() {
    // With one dispatcher alone `tracing` asks nobody about a call site that is first reached within one of
    // its callbacks, and takes that for "never".
    let _another = tracing::Dispatch::new(tracing_subscriber::registry());
    let bench = traced_with(
        |builder| builder,
        |bench| {
            let nosy = || Nosy(bench.tracer.clone());
            let span = info_span!("outer", early = ?nosy(), late = Empty);
            span.in_scope(|| {
                // `tracing` ignores what is used within its own callbacks, except in this one.
                span.record("late", debug(nosy()));
                info!(event = ?nosy(), "event");
            });
        },
    );
    let mut names = bench.names();
    names.sort_unstable();
    assert_eq!(
        names,
        ["of the field", "of the field", "of the field", "outer", "tracing in the field"]
    );
    let outer = bench.find("outer");
    assert_eq!(outer.attribute_text("early").as_deref(), Some("nosy"));
    assert_eq!(outer.attribute_text("late").as_deref(), Some("nosy"));
    assert_eq!(outer.span.events.len(), 1);
    let inner = bench.find("tracing in the field");
    assert_eq!(inner.parent_span_id(), outer.span_id());
    assert_eq!(inner.span.events.len(), 1);
}

#[test]
fn a_value_without_an_end_is_cut() {
    let bench = traced(|| {
        info_span!("work", huge = ?Huge).in_scope(|| info!(huge = ?Huge, "{:?}", Huge));
    });
    let record = bench.find("work");
    let len = record.attribute_text("huge").unwrap().len();
    assert!((1_000_000..2_000_000).contains(&len), "{len}");
    let event = &record.span.events[0];
    assert!(event.name.len() > 1_000_000);
    // Name and field.
    assert_eq!((record.span.dropped_attributes_count, event.dropped_attributes_count), (1, 2));
    assert_eq!(bench.ledger().limited, 1);
}

#[test]
fn a_span_with_an_event_that_was_cut_is_limited() {
    let bench = traced(|| info_span!("work").in_scope(|| info!(huge = ?Huge, "event")));
    let record = bench.find("work");
    assert_eq!(record.span.dropped_attributes_count, 0);
    assert_eq!(record.span.events[0].dropped_attributes_count, 1);
    assert_eq!(bench.ledger().limited, 1);
}

#[test]
fn a_value_that_records_itself_comes_to_an_end() {
    struct Recursive(tracing::Span);

    impl fmt::Debug for Recursive {
        fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
            self.0.record("late", debug(Self(self.0.clone())));
            f.write_str("recursive")
        }
    }

    let bench = traced(|| {
        let span = info_span!("work", late = Empty);
        span.record("late", debug(Recursive(span.clone())));
    });
    assert_eq!(bench.find("work").attribute_text("late").as_deref(), Some("recursive"));
    assert_eq!(bench.ledger().panics, 0);
}
