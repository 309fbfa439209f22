//! Fields of the spans around an event, on its log record.

use std::collections::BTreeMap;

use opentelemetry::logs::AnyValue;
use opentelemetry_appender_tracing::layer::{OpenTelemetryTracingBridge, TracingSpanAttributes};
use opentelemetry_sdk::logs::{InMemoryLogExporter, SdkLoggerProvider};
use otlp_sdk::logs::LoggerProvider;
use otlp_sdk::otlp_core::{AttributeLimits, LogRecordLimits, SpanLimits};
use otlp_sdk::testing::{InMemoryExporter, RecordedLogRecord};
use otlp_sdk::tracing_layer::{OtelSpanExt as _, TracingLayer};
use tracing::field::Empty;
use tracing::{Span, debug_span, info, info_span};
use tracing_subscriber::layer::SubscriberExt as _;
use tracing_subscriber::{registry, reload};

use crate::logs::{Logs, logged, text};
use crate::trace_support::{Bench, remote_parent};
use crate::under;

fn with_fields(app: impl FnOnce()) -> Logs {
    logged(|layer| layer.with_span_fields(true), app)
}

/// All attributes of a record, as text.
fn attributes(record: &RecordedLogRecord) -> Vec<(&str, String)> {
    let text = |key: &str| text(record, key).unwrap();
    let mut all: Vec<_> = record.attributes.iter().map(|(key, _)| key.as_str()).collect();
    all.sort_unstable();
    all.into_iter().map(|key| (key, text(key))).collect()
}

fn pairs<const N: usize>(pairs: [(&'static str, &str); N]) -> Vec<(&'static str, String)> {
    pairs.map(|(key, text)| (key, text.to_owned())).to_vec()
}

#[test]
fn those_of_the_event_win_over_those_of_the_innermost_span() {
    let logs = with_fields(|| {
        let _outer = info_span!("outer", user = 7, who = "outer", far = true).entered();
        let _inner = info_span!("inner", who = "inner", what = "inner").entered();
        info!(what = "event", "told");
    });
    let expected =
        pairs([("far", "Boolean(true)"), ("user", "Int(7)"), ("what", "event"), ("who", "inner")]);
    assert_eq!(attributes(&logs.record("told")), expected);
}

#[test]
fn an_event_has_those_of_the_spans_it_is_in_and_of_no_others() {
    let logs = with_fields(|| {
        let named = info_span!(parent: None, "named", named = 1);
        let below = info_span!(parent: &named, "below", below = 2);
        let _entered = info_span!("entered", entered = 3).entered();
        info!(parent: None, "root");
        info!(parent: &below, "parent");
        info_span!(parent: None, "apart", apart = 4).in_scope(|| info!("apart"));
    });
    assert_eq!(attributes(&logs.record("root")), []);
    let expected = pairs([("below", "Int(2)"), ("named", "Int(1)")]);
    assert_eq!(attributes(&logs.record("parent")), expected);
    assert_eq!(attributes(&logs.record("apart")), pairs([("apart", "Int(4)")]));
}

/// As the spans of a future that is polled after that of its caller has been left.
#[test]
fn a_span_around_counts_though_nothing_has_entered_it() {
    let logs = with_fields(|| {
        let request = info_span!("request", request = "a");
        let query = request.in_scope(|| info_span!("query", query = "b"));
        std::thread::scope(|scope| {
            let dispatch = tracing::dispatcher::get_default(Clone::clone);
            let poll = || query.in_scope(|| info!("polled"));
            scope.spawn(move || tracing::dispatcher::with_default(&dispatch, poll));
        });
    });
    let expected = pairs([("query", "b"), ("request", "a")]);
    assert_eq!(attributes(&logs.record("polled")), expected);
}

#[test]
fn what_else_a_span_has_stays_with_the_span() {
    let configure =
        |layer: TracingLayer| layer.with_span_fields(true).with_threads(true).with_level(true);
    let logs = logged(configure, || {
        let error = std::io::Error::other("disk full");
        let span = info_span!(
            "work",
            otel.name = "renamed",
            otel.kind = "server",
            otel.status_code = "sever",
            cause = &error as &dyn std::error::Error,
        );
        span.set_attribute("set", 1).unwrap();
        span.in_scope(|| info!("told"));
    });
    let expected = pairs([("cause", "disk full"), ("otel.status_code", "sever")]);
    assert_eq!(attributes(&logs.record("told")), expected);
    let span = logs.bench.find("renamed");
    let of_the_span = ["set", "exception.message", "thread.id", "target", "level"];
    assert!(of_the_span.iter().all(|key| span.attribute_text(key).is_some()));
}

#[test]
fn a_field_may_be_called_as_what_a_call_site_says_of_itself() {
    let configure = |layer: TracingLayer| layer.with_span_fields(true).with_log_location(true);
    let logs = logged(configure, || {
        let span = info_span!("work", target = "db-7", level = 3, code.line.number = 0);
        span.in_scope(|| info!("told"));
    });
    let record = logs.record("told");
    assert_eq!(text(&record, "target").as_deref(), Some("db-7"));
    assert_eq!(text(&record, "level").as_deref(), Some("Int(3)"));
    assert_ne!(
        text(&record, "code.line.number").as_deref(),
        Some("Int(0)"),
        "the event's own wins"
    );
}

#[test]
fn a_span_that_is_not_recorded_has_fields_too() {
    let (unsampled, _) = remote_parent(0, "");
    let logs = with_fields(|| {
        let _attached = unsampled.attach();
        let span = info_span!("unsampled", user = 7, late = Empty).entered();
        span.record("late", "now");
        info!("told");
    });
    let expected = pairs([("late", "now"), ("user", "Int(7)")]);
    assert_eq!(attributes(&logs.record("told")), expected);
    assert!(logs.bench.spans().is_empty());
}

#[test]
fn without_traces_spans_have_fields_too() {
    let exporter = InMemoryExporter::default();
    let loggers = LoggerProvider::builder().with_batch_exporter(exporter.clone()).build();
    let tracers = otlp_sdk::trace::TracerProvider::builder().build();
    let layer = TracingLayer::new(&tracers).with_logger_provider(&loggers).with_span_fields(true);
    under(layer, || info_span!("work", user = 7).in_scope(|| info!("told")));
    loggers.force_flush().unwrap();
    assert_eq!(attributes(&exporter.log_records()[0]), pairs([("user", "Int(7)")]));
}

#[test]
fn what_is_recorded_later_counts_from_then_on() {
    let logs = with_fields(|| {
        let span = info_span!("work", status = Empty, user = 1).entered();
        info!("before");
        span.record("status", 200);
        span.record("user", 2);
        info!("after");
    });
    assert_eq!(attributes(&logs.record("before")), pairs([("user", "Int(1)")]));
    let expected = pairs([("status", "Int(200)"), ("user", "Int(2)")]);
    assert_eq!(attributes(&logs.record("after")), expected);
}

#[test]
fn they_take_what_room_the_event_leaves_whatever_the_span_may_hold() {
    let (bench, exporter) = (spans_of_one_attribute(), InMemoryExporter::default());
    let attributes_max = AttributeLimits { count: 3, ..AttributeLimits::default() };
    let loggers = LoggerProvider::builder()
        .with_batch_exporter(exporter.clone())
        .with_log_record_limits(LogRecordLimits { attributes: attributes_max })
        .build();
    let layer = TracingLayer::new(&bench.provider).with_logger_provider(&loggers);
    under(layer.with_span_fields(true), || {
        let _outer = info_span!("outer", out = 1).entered();
        let _inner = info_span!("inner", a = 1, b = 2).entered();
        info!(own = 1, "told");
    });
    loggers.force_flush().unwrap();
    let records = exporter.log_records();
    let keys: Vec<_> = attributes(&records[0]).into_iter().map(|(key, _)| key).collect();
    assert_eq!((keys, records[0].dropped_attributes), (vec!["a", "b", "own"], 1));
}

fn spans_of_one_attribute() -> Bench {
    let attributes = AttributeLimits { count: 1, ..AttributeLimits::default() };
    Bench::with(|builder| builder.with_span_limits(SpanLimits { attributes, ..Default::default() }))
}

#[test]
fn a_span_that_a_filter_leaves_out_has_none_and_those_around_it_have() {
    let configure = |layer: TracingLayer| {
        layer.with_span_fields(true).with_span_filter("info".parse().unwrap())
    };
    let logs = logged(configure, || {
        let _outer = info_span!("outer", outer = 1).entered();
        let _left_out = debug_span!("left out", left_out = 2).entered();
        let _inner = info_span!("inner", inner = 3).entered();
        info!("told");
    });
    let expected = pairs([("inner", "Int(3)"), ("outer", "Int(1)")]);
    assert_eq!(attributes(&logs.record("told")), expected);
}

#[test]
fn a_layer_that_is_put_in_later_knows_the_spans_from_then_on() {
    let (bench, exporter) = (Bench::new(), InMemoryExporter::default());
    let loggers = LoggerProvider::builder().with_batch_exporter(exporter.clone()).build();
    let layer = || {
        let layer = TracingLayer::new(&bench.provider).with_logger_provider(&loggers);
        layer.with_span_fields(true)
    };
    let (reloaded, handle) = reload::Layer::new(layer());
    tracing::subscriber::with_default(registry().with(reloaded), || {
        let old = info_span!("old", old = 1, late = Empty).entered();
        info!("before");
        handle.reload(layer()).unwrap();
        info!("between");
        old.record("late", 2);
        let _new = info_span!("new", new = 3).entered();
        info!("after");
    });
    loggers.force_flush().unwrap();
    let records = exporter.log_records();
    let of = |at: usize| attributes(&records[at]);
    assert_eq!(of(0), pairs([("old", "Int(1)")]));
    assert_eq!((of(1), of(2)), (vec![], pairs([("new", "Int(3)")])));
}

/// Where the official appender sets a key twice, the last counts.
#[test]
fn they_are_those_of_the_official_appender() {
    fn app() {
        let request = info_span!("request", user = 7_i64, host = %"example.org", status = Empty);
        let query = request.in_scope(|| info_span!("query", host = "db", rows = u64::MAX));
        let apart = info_span!(parent: None, "apart", apart = 0.5);
        request.record("status", true);
        query.in_scope(|| info!(user = "event", "in"));
        apart.in_scope(|| {
            info!(parent: &query, "named");
            info!(parent: None, "root");
            info!("apart");
        });
        Span::none().in_scope(|| info!("outside"));
    }
    let logs = with_fields(app);
    let ours: Vec<_> = (logs.records().iter())
        .map(|record| told(record.attributes.iter().map(|(key, value)| (key, value))))
        .collect();

    let exporter = InMemoryLogExporter::default();
    let provider = SdkLoggerProvider::builder().with_simple_exporter(exporter.clone()).build();
    let appender = OpenTelemetryTracingBridge::builder(&provider)
        .with_tracing_span_attributes(TracingSpanAttributes::all())
        .build();
    tracing::subscriber::with_default(registry().with(appender), app);
    let theirs: Vec<_> = (exporter.get_emitted_logs().unwrap().iter())
        .map(|log| told(log.record.attributes_iter().map(|(key, value)| (key, value))))
        .collect();
    assert_eq!(ours, theirs);
}

fn told<'a>(
    attributes: impl Iterator<Item = (&'a opentelemetry::Key, &'a AnyValue)>,
) -> BTreeMap<String, String> {
    attributes.map(|(key, value)| (key.to_string(), format!("{value:?}"))).collect()
}
