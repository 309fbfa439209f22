//! Spans and their fields.

use std::error::Error;
use std::fmt;

use otlp_testing::oracle::proto::tonic::common::v1::any_value::Value;
use tracing::field::Empty;
use tracing::{Level, debug_span, info_span, span};

use crate::{traced, traced_by, under};

#[test]
fn nested_spans_are_parents_and_children() {
    let bench = traced(|| {
        info_span!("outer").in_scope(|| {
            info_span!("middle", otel.kind = "client").in_scope(|| {
                debug_span!("inner").in_scope(|| {});
            });
            info_span!("sibling").in_scope(|| {});
            info_span!(parent: None, "another root").in_scope(|| {});
        });
    });
    let (outer, middle) = (bench.find("outer"), bench.find("middle"));
    assert_eq!(bench.names(), ["inner", "middle", "sibling", "another root", "outer"]);
    assert_eq!(bench.find("inner").parent_span_id(), middle.span_id());
    assert_eq!(middle.parent_span_id(), outer.span_id());
    assert_eq!(bench.find("sibling").parent_span_id(), outer.span_id());
    let root = bench.find("another root");
    assert_eq!((outer.parent_span_id(), root.parent_span_id()), (String::new(), String::new()));
    assert_ne!(root.trace_id(), outer.trace_id());
    assert_eq!((outer.span.kind, middle.span.kind), (1, 3));
    // F1: the parent is known, and it is not remote.
    assert_eq!((outer.span.flags, middle.span.flags), (0x103, 0x103));
    assert_eq!(outer.scope.name, "tracing");
    let ledger = bench.ledger();
    assert_eq!((ledger.created, ledger.ended, ledger.delivered), (5, 5, 5));
}

#[test]
fn a_parent_can_be_named() {
    let bench = traced(|| {
        let (first, second) = (info_span!("first"), info_span!("second"));
        second.in_scope(|| drop(info_span!(parent: &first, "child")));
    });
    assert_eq!(bench.find("child").parent_span_id(), bench.find("first").span_id());
}

#[test]
fn fields_become_attributes_of_their_type() {
    let bench = traced(|| {
        let span = info_span!(
            "fields",
            number = -3,
            unsigned = u64::MAX >> 1,
            wide = 7_i128,
            wide_unsigned = 8_u128,
            too_large = u64::MAX,
            too_wide = i128::MIN,
            flag = true,
            ratio = 0.5,
            text = "words",
            debug = ?Some(1),
            display = %"shown",
            bytes = &b"\x00\xff"[..],
            nothing = Empty,
            late = Empty,
        );
        span.record("late", "later");
        span.in_scope(|| span.record("flag", false));
        span.record("no such field", 1);
    });
    let record = bench.find("fields");
    let value = |key| record.attribute(key).map(|it| it.value.clone().unwrap());
    let text = |text: &str| Some(Value::StringValue(text.to_owned()));
    assert_eq!(value("number"), Some(Value::IntValue(-3)));
    assert_eq!(value("unsigned"), Some(Value::IntValue(i64::MAX)));
    assert_eq!(value("wide"), Some(Value::IntValue(7)));
    assert_eq!(value("wide_unsigned"), Some(Value::IntValue(8)));
    assert_eq!(value("too_large"), text("18446744073709551615"));
    assert_eq!(value("too_wide"), text("-170141183460469231731687303715884105728"));
    assert_eq!(value("flag"), Some(Value::BoolValue(false)));
    assert_eq!(value("ratio"), Some(Value::DoubleValue(0.5)));
    assert_eq!(value("text"), text("words"));
    assert_eq!(value("debug"), text("Some(1)"));
    assert_eq!(value("display"), text("shown"));
    assert_eq!(value("bytes"), Some(Value::BytesValue(b"\x00\xff".into())));
    assert_eq!(value("late"), text("later"));
    assert_eq!(value("nothing"), None);
    assert_eq!(value("no such field"), None);
    // W5: `flag` was recorded twice and stands once.
    assert!(record.repeated_keys().is_empty());
}

#[test]
fn a_call_site_says_where_it_is() {
    let app = || {
        let line = line!() + 1;
        info_span!("place", target = "own").in_scope(|| {});
        assert!(line > 0);
    };
    let record = traced(app).find("place");
    let text = |key| record.attribute_text(key);
    assert_eq!(text("code.file.path").as_deref(), Some(file!()));
    assert_eq!(text("code.module.name").as_deref(), Some(module_path!()));
    assert!(text("code.line.number").is_some_and(|line| line.parse::<u32>().unwrap() < line!()));
    // A field of that name wins, and the key stands once.
    assert_eq!(text("target").as_deref(), Some("own"));
    assert!(record.repeated_keys().is_empty());
    assert_eq!((text("level"), text("thread.id"), text("busy_ns")), (None, None, None));

    let all = traced_by(
        |layer| layer.with_level(true).with_threads(true).with_tracked_inactivity(true),
        || info_span!(target: "elsewhere", "place").in_scope(|| {}),
    );
    let record = all.find("place");
    assert_eq!(record.attribute_text("level").as_deref(), Some("INFO"));
    assert_eq!(record.attribute_text("target").as_deref(), Some("elsewhere"));
    assert_eq!(record.attribute_text("thread.name").as_deref(), std::thread::current().name());
    assert!(record.attribute_text("thread.id").unwrap().parse::<u64>().unwrap() > 0);
    let nanos = |key| record.attribute_text(key).unwrap().parse::<u64>().unwrap();
    assert!(nanos("busy_ns") + nanos("idle_ns") > 0);

    let none = traced_by(|layer| layer.with_location(false).with_target(false), app);
    assert_eq!(none.find("place").span.attributes.len(), 1);
}

#[test]
fn busy_and_idle_add_up() {
    let bench = traced_by(
        |layer| layer.with_tracked_inactivity(true),
        || {
            let span = info_span!("work");
            let started = std::time::Instant::now();
            while started.elapsed().as_micros() < 300 {}
            span.in_scope(|| {
                let started = std::time::Instant::now();
                while started.elapsed().as_micros() < 500 {}
                // Entered twice at once: busy once.
                span.in_scope(|| {});
            });
        },
    );
    let record = bench.find("work");
    let nanos = |key| record.attribute_text(key).unwrap().parse::<u64>().unwrap();
    assert!(nanos("busy_ns") >= 500_000 && nanos("idle_ns") >= 300_000);
    assert!(nanos("busy_ns") <= record.duration_nanos().unwrap());
}

#[test]
fn special_fields_say_what_opentelemetry_knows() {
    let bench = traced(|| {
        let fields = info_span!(
            "static",
            otel.name = "GET /users",
            otel.kind = "SERVER",
            otel.status_description = "down",
            otel.status_code = %Level::ERROR,
        );
        drop(fields);
        let late = info_span!(
            "late",
            otel.name = Empty,
            otel.kind = Empty,
            otel.status_code = Empty,
            otel.status_message = Empty,
        );
        late.record("otel.name", "renamed");
        late.record("otel.kind", "consumer");
        late.record("otel.status_message", "old name");
        late.in_scope(|| {
            late.record("otel.status_code", "error");
        });
        let fine = info_span!("fine", otel.status_code = "ok", otel.kind = "unheard of");
        fine.record("otel.status_code", "ERROR");
    });
    let record = bench.find("GET /users");
    assert_eq!(record.span.kind, 2);
    let status = record.span.status.as_ref().unwrap();
    assert_eq!((status.code, status.message.as_str()), (2, "down"));
    assert!(record.span.attributes.iter().all(|attribute| !attribute.key.starts_with("otel.")));

    let record = bench.find("renamed");
    assert_eq!(record.span.kind, 5);
    let status = record.span.status.as_ref().unwrap();
    assert_eq!((status.code, status.message.as_str()), (2, "old name"));

    // T13: Ok is final.
    let record = bench.find("fine");
    assert_eq!((record.span.status.unwrap().code, record.span.kind), (1, 1));
}

#[test]
fn a_special_field_that_says_nothing_is_an_attribute_to_be_seen() {
    let bench = traced(|| {
        let typo = info_span!("typo", otel.kind = "sever", otel.status_code = Empty);
        typo.record("otel.status_code", "broken");
        drop(info_span!("known", otel.kind = "Internal", otel.status_code = "unset"));
        drop(info_span!("number", otel.kind = 2));
    });
    let typo = bench.find("typo");
    assert_eq!((typo.span.kind, typo.span.status.as_ref().map(|status| status.code)), (1, None));
    assert_eq!(typo.attribute_text("otel.kind").as_deref(), Some("sever"));
    assert_eq!(typo.attribute_text("otel.status_code").as_deref(), Some("broken"));
    let known = bench.find("known");
    assert!(known.span.attributes.iter().all(|attribute| !attribute.key.starts_with("otel.")));
    assert_eq!(bench.find("number").attribute_text("otel.kind").as_deref(), Some("2"));
}

#[test]
fn errors_are_told_with_their_causes() {
    #[derive(Debug)]
    struct Failed(Option<std::io::Error>);

    impl fmt::Display for Failed {
        fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
            f.write_str("failed")
        }
    }

    impl Error for Failed {
        fn source(&self) -> Option<&(dyn Error + 'static)> {
            self.0.as_ref().map(|error| error as _)
        }
    }

    let app = || {
        let error = Failed(Some(std::io::Error::other("disk full")));
        let _ = info_span!("work", cause = &error as &dyn Error);
    };
    let record = traced(app).find("work");
    let text = |key| record.attribute_text(key);
    assert_eq!(text("cause").as_deref(), Some("failed"));
    assert_eq!(text("cause.chain").as_deref(), Some("[disk full]"));
    assert_eq!(text("exception.message").as_deref(), Some("failed"));
    assert_eq!(text("exception.stacktrace").as_deref(), Some("[disk full]"));

    let record = traced_by(|layer| layer.with_exceptions(false), app).find("work");
    assert_eq!(record.attribute_text("cause").as_deref(), Some("failed"));
    assert_eq!(record.attribute_text("exception.message"), None);
}

#[test]
fn follows_from_becomes_a_link() {
    let bench = traced(|| {
        let cause = info_span!("cause");
        let effect = info_span!("effect");
        effect.follows_from(&cause);
        effect.follows_from(tracing::span::Id::from_u64(1 << 40));
        cause.in_scope(|| {});
    });
    let (cause, effect) = (bench.find("cause"), bench.find("effect"));
    assert_eq!(effect.span.links.len(), 1);
    assert_eq!(effect.span.links[0].span_id, cause.span.span_id);
    assert_eq!(effect.span.links[0].trace_id, cause.span.trace_id);
    assert_eq!(effect.parent_span_id(), "");
}

#[test]
fn a_span_ends_when_it_is_left_last() {
    let bench = traced(|| {
        let parent = info_span!("parent");
        let child = parent.in_scope(|| info_span!("child"));
        drop(parent);
        child.in_scope(|| {});
    });
    let (parent, child) = (bench.find("parent"), bench.find("child"));
    assert!(parent.span.end_time_unix_nano <= child.span.end_time_unix_nano);
    assert!(parent.span.start_time_unix_nano <= parent.span.end_time_unix_nano);
    assert!(child.span.start_time_unix_nano <= child.span.end_time_unix_nano);
}

#[test]
fn limits_hold_and_are_counted() {
    let limits = otlp_sdk::otlp_core::SpanLimits {
        attributes: otlp_sdk::otlp_core::AttributeLimits { count: 6, ..Default::default() },
        ..Default::default()
    };
    let bench = crate::traced_with(
        |builder| builder.with_span_limits(limits),
        |_| drop(info_span!("many", a = 1, b = 2, c = 3, d = 4)),
    );
    let record = bench.find("many");
    assert_eq!((record.span.attributes.len(), record.span.dropped_attributes_count), (6, 2));
    // What a place in the code says of itself gives way.
    assert!(["a", "b", "c", "d"].iter().all(|key| record.attribute_text(key).is_some()));
    assert_eq!(bench.ledger().limited, 1);
}

#[test]
fn many_spans_on_one_thread_each_have_their_own_fields() {
    let bench = traced(|| {
        let open: Vec<_> = (0..300).map(|number| span!(Level::INFO, "n", number)).collect();
        drop(open);
    });
    let mut numbers: Vec<u32> = (bench.spans().iter())
        .map(|span| span.attribute_text("number").unwrap().parse().unwrap())
        .collect();
    numbers.sort_unstable();
    assert_eq!(numbers, (0..300).collect::<Vec<_>>());
}

#[test]
fn spans_that_outlive_the_layer_end_with_it() {
    let bench = crate::trace_support::Bench::new();
    let layer = otlp_sdk::tracing_layer::TracingLayer::new(&bench.provider);
    let (layer, handle) = tracing_subscriber::reload::Layer::new(Some(layer));
    use tracing_subscriber::layer::SubscriberExt as _;
    let subscriber = tracing_subscriber::registry().with(layer);
    tracing::subscriber::with_default(subscriber, || {
        let open = info_span!("open");
        let entered = open.enter();
        handle.reload(None).unwrap();
        drop(info_span!("after"));
        drop(entered);
    });
    assert_eq!(bench.names(), ["open"]);
    assert_eq!(bench.ledger().created, 1);
}

#[test]
fn after_shutdown_spans_are_counted_and_nothing_breaks() {
    let bench = crate::trace_support::Bench::new();
    under(otlp_sdk::tracing_layer::TracingLayer::new(&bench.provider), || {
        let open = info_span!("open at shutdown");
        bench.provider.shutdown().unwrap();
        open.in_scope(|| info_span!("after").in_scope(|| tracing::info!("event")));
    });
    let ledger = bench.ledger();
    assert_eq!((ledger.created, ledger.started_after_shutdown), (2, 1));
    assert_eq!((ledger.ended, ledger.dropped_total()), (1, 1));
}
