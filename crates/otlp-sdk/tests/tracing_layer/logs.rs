//! Events as log records.

use opentelemetry::logs::{AnyValue, Severity};
use otlp_sdk::DropReason;
use otlp_sdk::logs::LoggerProvider;
use otlp_sdk::testing::{InMemoryExporter, RecordedLogRecord};
use otlp_sdk::tracing_layer::{EventSink, TracingLayer};
use tracing::{debug, error, info, info_span, warn};

use crate::trace_support::Bench;
use crate::under;

pub(crate) struct Logs {
    pub(crate) bench: Bench,
    exporter: InMemoryExporter,
    provider: LoggerProvider,
}

pub(crate) fn logged(
    configure: impl FnOnce(TracingLayer) -> TracingLayer,
    app: impl FnOnce(),
) -> Logs {
    let (bench, exporter) = (Bench::new(), InMemoryExporter::default());
    let provider = LoggerProvider::builder().with_batch_exporter(exporter.clone()).build();
    let layer = TracingLayer::new(&bench.provider).with_logger_provider(&provider);
    under(configure(layer), app);
    Logs { bench, exporter, provider }
}

impl Logs {
    pub(crate) fn records(&self) -> Vec<RecordedLogRecord> {
        self.provider.force_flush().unwrap();
        assert_eq!(self.provider.ledger().unaccounted(), 0);
        self.exporter.log_records()
    }

    pub(crate) fn record(&self, body: &str) -> RecordedLogRecord {
        let body = Some(AnyValue::from(body.to_owned()));
        self.records().into_iter().find(|record| record.body == body).unwrap()
    }
}

pub(crate) fn text(record: &RecordedLogRecord, key: &str) -> Option<String> {
    match record.attribute(key)? {
        AnyValue::String(text) => Some(text.to_string()),
        other => Some(format!("{other:?}")),
    }
}

#[test]
fn with_a_logger_provider_events_are_log_records_of_their_span() {
    let logs = logged(
        |layer| layer,
        || {
            info!("outside");
            info_span!("work").in_scope(|| {
                warn!(name: "slow.query", target: "db", rows = 3_u64, "slow {}", "query");
            });
        },
    );
    let record = logs.record("slow query");
    let work = logs.bench.find("work");
    assert_eq!(record.severity_number, Some(Severity::Warn));
    assert_eq!((record.severity_text.as_str(), record.event_name.as_str()), ("WARN", "slow.query"));
    assert_eq!((record.scope.name(), text(&record, "rows")), ("db", Some("Int(3)".to_owned())));
    assert_eq!(record.trace_id.unwrap().to_string(), work.trace_id());
    assert_eq!(record.span_id.unwrap().to_string(), work.span_id());
    assert!(record.trace_flags.is_sampled());
    assert_eq!(record.time, Some(record.observed_time), "it is observed while it happens");
    assert_eq!(record.attributes.len(), 1);
    assert!(work.span.events.is_empty(), "an event goes to one place");
    assert_eq!(logs.record("outside").trace_id, None);
    assert_eq!(logs.records().len(), 2);
}

#[test]
fn an_event_that_names_its_span_is_correlated_with_that() {
    let logs = logged(
        |layer| layer,
        || {
            let (first, second) = (info_span!("first"), info_span!("second"));
            second.in_scope(|| {
                info!(parent: &first, "named");
                info!(parent: None, "nowhere");
            });
        },
    );
    let first = logs.bench.find("first");
    assert_eq!(logs.record("named").span_id.unwrap().to_string(), first.span_id());
    assert_eq!(logs.record("nowhere").span_id, None);
}

#[test]
fn without_activation_records_are_correlated_too() {
    let logs = logged(
        |layer| layer.with_context_activation(false),
        || info_span!("work").in_scope(|| info!("told")),
    );
    let work = logs.bench.find("work");
    assert_eq!(logs.record("told").span_id.unwrap().to_string(), work.span_id());
}

#[test]
fn errors_reach_the_span_whatever_becomes_of_the_event() {
    let app = || {
        info_span!("by level").in_scope(|| error!("failed"));
        info_span!("by field").in_scope(|| warn!(error = %"broken pipe"));
        info_span!("told").in_scope(|| {
            let error = std::io::Error::other("disk full");
            info!(cause = &error as &dyn std::error::Error, "told");
        });
    };
    for sink in [EventSink::Logs, EventSink::Both, EventSink::SpanEvents] {
        let logs = logged(|layer| layer.with_events(sink), app);
        let status = |name| {
            let status = logs.bench.find(name).span.status.unwrap_or_default();
            (status.code, status.message)
        };
        assert_eq!(status("by level"), (2, String::new()), "{sink:?}");
        assert_eq!(status("by field"), (2, "broken pipe".to_owned()), "{sink:?}");
        let told = logs.bench.find("told");
        assert_eq!(told.attribute_text("exception.message").as_deref(), Some("disk full"));
        let (events, records) = (told.span.events.len(), logs.records().len());
        let expected = match sink {
            EventSink::Logs => (0, 3),
            EventSink::Both => (1, 3),
            _ => (1, 0),
        };
        assert_eq!((events, records), expected);
    }
}

#[test]
fn records_of_the_log_crate_keep_their_place() {
    let logs = logged(
        |layer| layer.with_log_location(true),
        || {
            // As `tracing-log` makes them.
            tracing::event!(
                target: "log",
                tracing::Level::INFO,
                { "log.target" = "hyper::client", "log.file" = "client.rs", "log.line" = 7 },
                "connected"
            );
        },
    );
    let record = logs.record("connected");
    assert_eq!(record.scope.name(), "hyper::client");
    assert_eq!(text(&record, "code.file.path").as_deref(), Some("client.rs"));
    assert_eq!(text(&record, "code.line.number").as_deref(), Some("Int(7)"));
    assert_eq!(text(&record, "log.target"), None);
}

#[test]
fn suppressed_and_filtered_events_make_no_records() {
    let logs = logged(
        |layer| layer.with_event_filter("info".parse().unwrap()),
        || {
            debug!("whispered");
            let _suppressed = opentelemetry::Context::enter_telemetry_suppressed_scope();
            info!("suppressed");
        },
    );
    assert!(logs.records().is_empty());
}

/// Row G-L5: limits are for attributes, not for the body.
#[test]
fn a_formatted_body_is_whole_and_a_formatted_field_that_is_cut_is_counted() {
    let long = "x".repeat(2 << 20);
    let logs = logged(|layer| layer, || info!(field = %long, "{long}"));
    let ledger = logs.provider.ledger();
    assert_eq!((ledger.created, ledger.limited), (1, 1));
    assert_eq!(text(&logs.record(&long), "field").map(|field| field.len()), Some(1 << 20));

    let logs = logged(|layer| layer, || info!("{long}"));
    assert!(logs.record(&long).attributes.is_empty());
    assert_eq!(logs.provider.ledger().limited, 0);
}

#[test]
fn a_message_larger_than_a_request_is_dropped_and_counted_formatted_or_not() {
    let long = "x".repeat(10 << 20);
    let formatted = logged(|layer| layer, || info!("{long}"));
    let text = logged(|layer| layer, || info!(message = long.as_str()));
    for logs in [formatted, text] {
        assert!(logs.provider.force_flush().is_err());
        let ledger = logs.provider.ledger();
        assert_eq!((ledger.delivered, ledger.unaccounted()), (0, 0));
        assert_eq!(ledger.dropped(DropReason::TooLarge), 1);
    }
}

#[test]
fn a_body_without_an_end_is_refused_as_too_large() {
    struct Endless;
    impl std::fmt::Debug for Endless {
        fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
            let piece = "and so on ".repeat(1000);
            loop {
                f.write_str(&piece)?;
            }
        }
    }
    let logs = logged(|layer| layer, || info!("{:?}", Endless));
    assert!(logs.provider.force_flush().is_err());
    assert_eq!(logs.provider.ledger().dropped(DropReason::TooLarge), 1);
}
