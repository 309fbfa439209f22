//! The SDK's metrics about itself, through the official SDK's meters to a server, against what has happened.

#![allow(
    clippy::unwrap_used,
    clippy::panic,
    reason = "helpers of tests fail by panicking, as tests do"
)]

mod components;
mod operations;
mod watched;

use std::time::Duration;

use opentelemetry::Context;
use opentelemetry::logs::{Logger as _, LoggerProvider as _};
use opentelemetry::metrics::MeterProvider as _;
use opentelemetry::trace::{
    Span as _, SpanContext, SpanId, TraceContextExt as _, TraceFlags, TraceId, TraceState,
    Tracer as _, TracerProvider as _,
};
use otlp_core::export::{Env, ErrorKind, ExportError, Outcome};
use otlp_sdk::BatchConfig;
use otlp_sdk::logs::LoggerProvider;
use otlp_sdk::trace::TracerProvider;
use otlp_sdk::trace::sampler::Sampler;
use otlp_testing::{Gate, Message, ScriptedExporter, Server, Step};

use crate::watched::Watched;

const EXPORTED: &str = "otel.sdk.exporter.span.exported";
const IN_FLIGHT: &str = "otel.sdk.exporter.span.inflight otel.component.type=scripted_exporter";
const PROCESSED: &str = "otel.sdk.processor.span.processed";
const BATCHING: &str = "otel.component.type=batching_span_processor";
const SIZE: &str = "otel.sdk.processor.span.queue.size otel.component.type=batching_span_processor";
const SCRIPTED: &str = "otel.component.type=scripted_exporter";

#[test]
fn spans_are_told_from_their_start_to_their_end() {
    // rows O1 to O7
    let watched = Watched::start();
    let exporter = ScriptedExporter::new();
    let config = BatchConfig::default().with_max_queue_size(100).with_schedule_delay(HOUR);
    let provider =
        TracerProvider::builder().with_batch_exporter_config(exporter.clone(), config).build();
    let meter = watched.provider.meter("otlp-sdk");
    provider.observe(&meter);
    provider.observe(&meter);

    let tracer = provider.tracer("test");
    let remote = SpanContext::new(
        TraceId::from(1),
        SpanId::from(1),
        TraceFlags::default(),
        true,
        TraceState::default(),
    );
    // Of a parent that is not sampled; a root; and its child.
    tracer.start_with_context("dropped", &Context::new().with_remote_span_context(remote)).end();
    let root = tracer.start("root");
    let parent = Context::new().with_remote_span_context(SpanContext::new(
        root.span_context().trace_id(),
        root.span_context().span_id(),
        TraceFlags::SAMPLED,
        false,
        TraceState::default(),
    ));
    let mut child = tracer.start_with_context("child", &parent);
    child.end();

    let told = watched.read();
    let started = "otel.sdk.span.started otel.span.parent.origin";
    for (key, value) in [
        (format!("{started}=remote otel.span.sampling_result=DROP"), 1),
        (format!("{started}=none otel.span.sampling_result=RECORD_AND_SAMPLE"), 1),
        (format!("{started}=local otel.span.sampling_result=RECORD_AND_SAMPLE"), 1),
        ("otel.sdk.span.live otel.span.sampling_result=RECORD_AND_SAMPLE".to_owned(), 1),
        ("otel.sdk.span.live otel.span.sampling_result=RECORD_ONLY".to_owned(), 0),
        (SIZE.to_owned(), 1),
        (format!("otel.sdk.processor.span.queue.capacity {BATCHING}"), 100),
        (format!("{PROCESSED} {BATCHING}"), 0),
        (IN_FLIGHT.to_owned(), 0),
        (format!("{EXPORTED} {SCRIPTED}"), 0),
    ] {
        assert_eq!(told.get(&key), Some(&value), "{key} in {told:#?}");
    }
    drop(root);
    provider.force_flush().unwrap();
    let told = watched.read();
    for (key, value) in [
        ("otel.sdk.span.live otel.span.sampling_result=RECORD_AND_SAMPLE".to_owned(), 0),
        (SIZE.to_owned(), 0),
        (format!("{PROCESSED} {BATCHING}"), 2),
        (format!("{EXPORTED} {SCRIPTED}"), 2),
        (format!("otel.sdk.exporter.operation.duration {SCRIPTED}"), 1),
    ] {
        assert_eq!(told.get(&key), Some(&value), "{key} in {told:#?}");
    }

    // Whoever observes does not keep what is observed.
    drop((tracer, child, provider));
    assert_eq!(exporter.shutdowns(), 1);
}

#[test]
fn an_operation_is_all_of_its_attempts_and_each_loss_has_its_reason() {
    // rows O4 to O7
    let watched = Watched::start();
    let exporter = ScriptedExporter::new();
    let config = BatchConfig::default().with_max_queue_size(4).with_schedule_delay(HOUR);
    let provider =
        TracerProvider::builder().with_batch_exporter_config(exporter.clone(), config).build();
    provider.observe(&watched.provider.meter("otlp-sdk"));
    let tracer = provider.tracer("test");
    let spans = |count: usize| (0..count).for_each(|_| tracer.start("span").end());

    // While an export hangs, its spans are in flight: not queued, not exported.
    let gate = Gate::new();
    exporter.respond_with([Step::Hold(gate.clone(), Outcome::delivered())]);
    spans(2);
    let flushed = std::thread::scope(|scope| {
        let flush = scope.spawn(|| provider.force_flush());
        assert!(gate.wait_for_waiting(1, Duration::from_secs(30)));
        let told = watched.read();
        assert_eq!((told.get(IN_FLIGHT), told.get(SIZE)), (Some(&2), Some(&0)), "{told:#?}");
        assert_eq!(told.get(&format!("{PROCESSED} {BATCHING}")), Some(&2));
        assert_eq!(told.get(&format!("{EXPORTED} {SCRIPTED}")), Some(&0));
        gate.open();
        flush.join().unwrap()
    });
    flushed.unwrap();

    // A request that is refused for good, one that is refused in part, and spans beyond the queue.
    let refused = ExportError::new(ErrorKind::HttpStatus(400), "bad request");
    exporter.respond_with([Outcome::permanent(refused).into()]);
    spans(3);
    provider.force_flush().unwrap_err();
    let message = "no".to_owned();
    exporter.respond_with([Outcome::partly_rejected(1, message).into()]);
    spans(2);
    provider.force_flush().unwrap_err();
    // Another attempt belongs to the same operation.
    let busy = ExportError::new(ErrorKind::HttpStatus(503), "busy");
    exporter.respond_with([Outcome::retryable(busy).into()]);
    spans(1);
    provider.force_flush().unwrap();
    provider.shutdown().unwrap();
    spans(5);

    let told = watched.read();
    let with_error = |name: &str, component: &str, error: &str| {
        let error = format!("error.type={error} ");
        format!("{name} {error}{component}")
    };
    let duration = "otel.sdk.exporter.operation.duration";
    for (key, value) in [
        (format!("{EXPORTED} {SCRIPTED}"), 2 + 1 + 1),
        (with_error(EXPORTED, SCRIPTED, "permanent_error"), 3),
        (with_error(EXPORTED, SCRIPTED, "rejected"), 1),
        (IN_FLIGHT.to_owned(), 0),
        (format!("{PROCESSED} {BATCHING}"), 8),
        (format!("{duration} {SCRIPTED}"), 2),
        (with_error(duration, SCRIPTED, "rejected"), 1),
        (
            format!(
                "{duration} error.type=permanent_error http.response.status_code=400 {SCRIPTED}"
            ),
            1,
        ),
    ] {
        assert_eq!(told.get(&key), Some(&value), "{key} in {told:#?}");
    }
}

#[test]
fn spans_that_find_the_queue_full_are_processed_with_that_error() {
    // rows O4, O6
    let watched = Watched::start();
    let config = BatchConfig::default().with_max_queue_size(4).with_schedule_delay(HOUR);
    let exporter = ScriptedExporter::new();
    exporter.respond_by(|_| Step::Hang);
    let provider = TracerProvider::builder().with_batch_exporter_config(exporter, config).build();
    provider.observe(&watched.provider.meter("otlp-sdk"));
    let tracer = provider.tracer("test");
    (0..50).for_each(|_| tracer.start("span").end());
    provider.shutdown_with_timeout(Duration::from_millis(50)).unwrap_err();
    let told = watched.read();
    let full = format!("{PROCESSED} error.type=queue_full {BATCHING}");
    let cut = format!("{EXPORTED} error.type=shutdown_timeout {SCRIPTED}");
    let ledger = provider.ledger();
    let dropped = |reason| i64::try_from(ledger.dropped(reason)).unwrap();
    let expected = dropped(otlp_sdk::DropReason::QueueFull);
    assert!(expected > 0);
    assert_eq!(told.get(&full), Some(&expected), "{told:#?}");
    // The others: in a request that was cut off, or never tried.
    let never = format!("{PROCESSED} error.type=shutdown_timeout {BATCHING}");
    let [cut, never] = [cut, never].map(|key| told.get(&key).copied().unwrap_or(0));
    assert_eq!(cut + never, dropped(otlp_sdk::DropReason::ShutdownTimeout), "{told:#?}");
    assert!(cut > 0);
}

#[test]
fn spans_that_only_processors_see_live_and_end_too() {
    // row O2
    #[derive(Debug)]
    struct Nothing;
    impl otlp_sdk::trace::SpanProcessor for Nothing {}
    let watched = Watched::start();
    let provider = TracerProvider::builder()
        .with_sampler(Sampler::always_record(Sampler::AlwaysOff))
        .with_span_processor(Nothing)
        .build();
    provider.observe(&watched.provider.meter("otlp-sdk"));
    let tracer = provider.tracer("test");
    tracer.start("ended").end();
    let open = tracer.start("open");
    let live = "otel.sdk.span.live otel.span.sampling_result=RECORD_ONLY";
    assert_eq!(watched.read().get(live), Some(&1));
    drop(open);
    assert_eq!(watched.read().get(live), Some(&0));
}

#[test]
fn log_records_are_told_and_the_reader_tells_of_itself() {
    // rows O4 to O10
    let watched = Watched::start();
    let meter = watched.provider.meter("otlp-sdk");
    let provider = LoggerProvider::builder().with_batch_exporter(ScriptedExporter::new()).build();
    provider.observe(&meter);
    watched.provider.observe(&meter);
    let logger = provider.logger("test");
    (0..3).for_each(|_| logger.emit(logger.create_log_record()));
    provider.force_flush().unwrap();
    let told = watched.read();
    for (key, value) in [
        ("otel.sdk.log.created".to_owned(), 3),
        (
            "otel.sdk.processor.log.processed otel.component.type=batching_log_processor"
                .to_owned(),
            3,
        ),
        (format!("otel.sdk.exporter.log.exported {SCRIPTED}"), 3),
    ] {
        assert_eq!(told.get(&key), Some(&value), "{key} in {told:#?}");
    }
    // What the first collection has cost shows in the second, with the server that it went to.
    let first = i64::try_from(watched.provider.ledger().delivered).unwrap();
    let told = watched.read();
    let address = watched.server.http_addr();
    let component = format!(
        "otel.component.type=otlp_http_metric_exporter server.address=127.0.0.1 server.port={}",
        address.port()
    );
    for (key, value) in [
        (format!("otel.sdk.exporter.metric_data_point.exported {component}"), first),
        (format!("otel.sdk.exporter.metric_data_point.inflight {component}"), 0),
        (
            format!(
                "otel.sdk.exporter.operation.duration http.response.status_code=200 {component}"
            ),
            1,
        ),
        (
            "otel.sdk.metric_reader.collection.duration otel.component.type=periodic_metric_reader"
                .to_owned(),
            1,
        ),
    ] {
        assert_eq!(told.get(&key), Some(&value), "{key} in {told:#?}");
    }
}

#[test]
fn each_metric_has_the_unit_that_the_conventions_give_it() {
    // rows O1 to O9
    let watched = Watched::start();
    let meter = watched.provider.meter("otlp-sdk");
    let config = BatchConfig::default().with_max_queue_size(100).with_schedule_delay(HOUR);
    let exporter = || ScriptedExporter::new();
    let traces =
        TracerProvider::builder().with_batch_exporter_config(exporter(), config.clone()).build();
    let logs = LoggerProvider::builder().with_batch_exporter_config(exporter(), config).build();
    traces.observe(&meter);
    logs.observe(&meter);
    watched.provider.observe(&meter);
    traces.tracer("test").start("span").end();
    let logger = logs.logger("test");
    logger.emit(logger.create_log_record());
    traces.force_flush().unwrap();
    logs.force_flush().unwrap();
    // Durations of collections show one collection later.
    watched.metrics();

    let told = watched.metrics();
    let mut told: Vec<_> =
        told.iter().map(|metric| (metric.name.as_str(), metric.unit.as_str())).collect();
    told.sort_unstable();
    told.dedup();
    let expected = [
        ("otel.sdk.exporter.log.exported", "{log_record}"),
        ("otel.sdk.exporter.log.inflight", "{log_record}"),
        ("otel.sdk.exporter.metric_data_point.exported", "{data_point}"),
        ("otel.sdk.exporter.metric_data_point.inflight", "{data_point}"),
        ("otel.sdk.exporter.operation.duration", "s"),
        ("otel.sdk.exporter.span.exported", "{span}"),
        ("otel.sdk.exporter.span.inflight", "{span}"),
        ("otel.sdk.log.created", "{log_record}"),
        ("otel.sdk.metric_reader.collection.duration", "s"),
        ("otel.sdk.processor.log.processed", "{log_record}"),
        ("otel.sdk.processor.log.queue.capacity", "{log_record}"),
        ("otel.sdk.processor.log.queue.size", "{log_record}"),
        ("otel.sdk.processor.span.processed", "{span}"),
        ("otel.sdk.processor.span.queue.capacity", "{span}"),
        ("otel.sdk.processor.span.queue.size", "{span}"),
        ("otel.sdk.span.live", "{span}"),
        ("otel.sdk.span.started", "{span}"),
    ];
    assert_eq!(told, expected);
}

#[test]
fn init_has_all_signals_tell_of_themselves_if_asked() {
    let server = Server::start();
    let env = Env::from_pairs([
        ("OTEL_EXPORTER_OTLP_ENDPOINT", server.http_endpoint().as_str()),
        ("OTEL_METRIC_EXPORT_INTERVAL", "3600000"),
    ]);
    for (observed, expected) in [(true, 4), (false, 0)] {
        server.clear();
        let builder = otlp_sdk::builder().with_env(env.clone()).without_globals();
        let telemetry = builder.with_self_observability(observed).init().unwrap();
        telemetry.tracer_provider().tracer("test").start("span").end();
        telemetry.shutdown().unwrap();
        let requests = server.requests();
        let metrics = requests.iter().filter_map(|request| match &request.message {
            Message::Metrics(request) => Some(request),
            _ => None,
        });
        let names: Vec<_> = metrics
            .flat_map(|request| &request.resource_metrics)
            .flat_map(|resource| &resource.scope_metrics)
            .flat_map(|scope| scope.metrics.iter().map(|metric| metric.name.as_str()))
            .filter(|name| {
                matches!(
                    *name,
                    "otel.sdk.span.started"
                        | "otel.sdk.log.created"
                        | "otel.sdk.exporter.span.exported"
                        | "otel.sdk.exporter.metric_data_point.exported"
                )
            })
            .collect();
        assert_eq!(names.len(), expected, "{names:?}");
    }
}

const HOUR: Duration = Duration::from_secs(3600);
