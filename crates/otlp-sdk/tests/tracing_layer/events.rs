//! Events of spans.

use otlp_sdk::tracing_layer::EventSink;
use tracing::{Level, error, event, info, info_span, trace, warn};

use crate::{event_text, traced, traced_by};

#[test]
fn events_are_kept_in_order_with_level_and_place() {
    let bench = traced(|| {
        info!("in no span");
        info_span!("work").in_scope(|| {
            info!(attempt = 1, big = u64::MAX, "trying {}", 2);
            event!(name: "named", Level::DEBUG, done = true);
            warn!(target: "elsewhere", "slow");
        });
    });
    let record = bench.find("work");
    let events = &record.span.events;
    let names: Vec<_> = events.iter().map(|event| event.name.as_str()).collect();
    assert_eq!(names, ["trying 2", "named", "slow"]);
    assert_eq!(event_text(&events[0], "attempt").as_deref(), Some("1"));
    assert_eq!(event_text(&events[0], "big").as_deref(), Some("18446744073709551615"));
    assert_eq!(event_text(&events[0], "message"), None);
    assert_eq!(event_text(&events[0], "level").as_deref(), Some("INFO"));
    assert_eq!(event_text(&events[0], "code.file.path").as_deref(), Some(file!()));
    assert_eq!(event_text(&events[1], "done").as_deref(), Some("true"));
    assert_eq!(event_text(&events[2], "target").as_deref(), Some("elsewhere"));
    assert!(events.is_sorted_by_key(|event| event.time_unix_nano));
    let within = record.span.start_time_unix_nano..=record.span.end_time_unix_nano;
    assert!(events.iter().all(|event| within.contains(&event.time_unix_nano)));
}

#[test]
fn an_event_can_name_its_span() {
    let bench = traced(|| {
        let (first, second) = (info_span!("first"), info_span!("second"));
        second.in_scope(|| info!(parent: &first, "there"));
        second.in_scope(|| info!(parent: None, "nowhere"));
    });
    assert_eq!(bench.find("first").span.events.len(), 1);
    assert!(bench.find("second").span.events.is_empty());
}

#[test]
fn an_error_event_fails_its_span() {
    let app = || {
        info_span!("by level").in_scope(|| error!("failed"));
        info_span!("by field").in_scope(|| warn!(error = %"broken pipe"));
        info_span!("described", otel.status_description = "first").in_scope(|| error!("failed"));
        info_span!("fine", otel.status_code = "ok").in_scope(|| error!("failed"));
        info_span!("recorded").in_scope(|| {
            let error = std::io::Error::other("disk full");
            info!(cause = &error as &dyn std::error::Error, "told");
        });
    };
    let bench = traced(app);
    let status = |name| {
        let status = bench.find(name).span.status.unwrap_or_default();
        (status.code, status.message)
    };
    assert_eq!(status("by level"), (2, String::new()));
    assert_eq!(status("by field"), (2, "broken pipe".to_owned()));
    assert_eq!(status("described"), (2, "first".to_owned()));
    assert_eq!(status("fine").0, 1);
    assert_eq!(status("recorded").0, 0);
    let event = &bench.find("by field").span.events[0];
    assert_eq!(event.name, "exception");
    assert_eq!(event_text(event, "exception.message").as_deref(), Some("broken pipe"));
    let recorded = bench.find("recorded");
    assert_eq!(recorded.attribute_text("exception.message").as_deref(), Some("disk full"));
    let event = &recorded.span.events[0];
    assert_eq!(event_text(event, "cause").as_deref(), Some("disk full"));
    assert_eq!(event_text(event, "exception.message").as_deref(), Some("disk full"));

    let bench = traced_by(|layer| layer.with_error_status(false).with_exceptions(false), app);
    assert!(bench.find("by level").span.status.is_none_or(|status| status.code == 0));
    let event = &bench.find("by field").span.events[0];
    assert_eq!(event_text(event, "error").as_deref(), Some("broken pipe"));
    assert_eq!(bench.find("recorded").attribute_text("exception.message"), None);
}

#[test]
fn what_the_program_says_of_an_exception_is_not_replaced_by_ours() {
    // G-L5
    let error = std::io::Error::other("disk full");
    let cause = &error as &dyn std::error::Error;
    let tell = || {
        info_span!("spanned", exception.message = "mine", cause);
        info_span!("around").in_scope(|| info!(exception.message = "mine", cause, "told"));
        info_span!("around too").in_scope(|| info!(cause, exception.message = "mine", "told"));
        info_span!("by name").in_scope(|| info!(exception.message = "mine", error = "ours"));
    };
    let bench = traced(tell);
    let span = bench.find("spanned");
    assert_eq!(span.attribute_text("exception.message").as_deref(), Some("mine"));
    assert_eq!(span.attribute_text("cause").as_deref(), Some("disk full"));
    for name in ["around", "around too", "by name"] {
        let event = &bench.find(name).span.events[0];
        assert_eq!(event_text(event, "exception.message").as_deref(), Some("mine"), "{name}");
    }
    let logs = crate::logs::logged(|layer| layer, tell);
    let told = logs.record("told");
    assert_eq!(crate::logs::text(&told, "exception.message").as_deref(), Some("mine"));
}

#[test]
fn without_anybody_to_take_log_records_events_stay_with_their_span() {
    use otlp_sdk::tracing_layer::EventSink;
    let bench = traced_by(
        |layer| layer.with_events(EventSink::Logs),
        || info_span!("work").in_scope(|| info!("kept")),
    );
    assert_eq!(bench.find("work").span.events.len(), 1);
}

#[test]
fn instrumented_functions_tell_their_errors() {
    #[tracing::instrument(err)]
    fn fails(code: u8) -> Result<(), String> {
        Err(format!("code {code}"))
    }

    let bench = traced(|| fails(7).unwrap_err().clear());
    let record = bench.find("fails");
    assert_eq!(record.attribute_text("code").as_deref(), Some("7"));
    assert_eq!(record.span.status.as_ref().unwrap().message, "code 7");
    assert_eq!(record.span.events[0].name, "exception");
}

#[test]
fn events_can_be_left_out() {
    let app = || info_span!("work").in_scope(|| trace!("event"));
    let bench = traced_by(|layer| layer.with_events(EventSink::Nothing), app);
    assert!(bench.find("work").span.events.is_empty());
    let bench = traced_by(|layer| layer.with_event_filter("info".parse().unwrap()), app);
    assert!(bench.find("work").span.events.is_empty());
}

#[test]
fn more_events_than_the_limit_are_counted() {
    let bench =
        traced(|| info_span!("work").in_scope(|| (0..200).for_each(|at| info!(at, "event"))));
    let record = bench.find("work");
    assert_eq!((record.span.events.len(), record.span.dropped_events_count), (128, 72));
}
