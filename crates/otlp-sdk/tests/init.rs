//! `init()` from the environment to a real server, and the guard at the end.
#![cfg(feature = "http")]
#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

use std::sync::{Arc, Mutex};
use std::time::Duration;

use opentelemetry::trace::{Span as _, Tracer as _, TracerProvider as _};
use otlp_core::export::{Env, Protocol};
use otlp_sdk::BatchConfig;
use otlp_sdk::testing::InMemoryExporter;
use otlp_sdk::trace::sampler::Sampler;
use otlp_sdk::{InitError, TelemetryBuilder, TelemetryGuard};
use otlp_testing::Server;

const LONG: Duration = Duration::from_secs(20);

fn env<'a>(pairs: impl IntoIterator<Item = (&'a str, &'a str)>) -> TelemetryBuilder {
    otlp_sdk::builder().with_env(Env::from_pairs(pairs)).without_globals()
}

fn one_span(telemetry: &TelemetryGuard, name: &'static str) {
    telemetry.tracer_provider().tracer("test").start(name).end();
}

#[test]
fn the_environment_alone_is_enough() {
    let server = Server::start();
    let telemetry = env([
        ("OTEL_EXPORTER_OTLP_ENDPOINT", server.http_endpoint().as_str()),
        ("OTEL_SERVICE_NAME", "from-env"),
        ("OTEL_RESOURCE_ATTRIBUTES", "deployment.environment.name=test%20bed"),
    ])
    .init()
    .unwrap();
    one_span(&telemetry, "hello");
    drop(telemetry);

    let spans = server.wait_for_spans(1, LONG).unwrap();
    assert_eq!(spans[0].record.name(), "hello");
    assert_eq!(spans[0].record.service_name(), "from-env");
    let environment = spans[0].record.resource_text("deployment.environment.name");
    assert_eq!(environment.as_deref(), Some("test bed"));
    assert_eq!(server.requests()[0].header("content-type"), Some("application/x-protobuf"));
}

#[test]
fn a_shutdown_with_losses_shows_the_account_and_reads_well_from_main() {
    let telemetry = otlp_sdk::builder()
        .with_env(Env::empty())
        .with_span_exporter(InMemoryExporter::default())
        .with_max_request_size(400)
        .without_globals()
        .init()
        .unwrap();
    let tracer = telemetry.tracer_provider().tracer("test");
    tracer.start("fits").end();
    tracer.start("too large".repeat(100)).end();
    let error = telemetry.shutdown().unwrap_err();
    let text = error.to_string();
    for said in ["1 item was not delivered (too_large 1)", "ended 2 = delivered 1", "too_large 1"] {
        assert!(text.contains(said), "{said} in {text}");
    }
    assert_eq!((format!("{error:?}"), error.ledgers.traces.delivered), (text, 1));
    // Nothing is said twice where the chain of causes is printed.
    assert!(std::error::Error::source(&error).is_none());
    let again = telemetry.shutdown().unwrap_err();
    assert!(again.error.to_string().contains("already shut down"), "{again}");
}

/// Ends telemetry with its first export.
#[derive(Clone, Debug, Default)]
struct EndsTelemetry {
    guard: Arc<std::sync::OnceLock<std::sync::Weak<TelemetryGuard>>>,
    answer: Arc<std::sync::OnceLock<String>>,
    kept: InMemoryExporter,
}

impl otlp_core::export::Exporter for EndsTelemetry {
    async fn export(
        &self,
        payload: otlp_core::Payload,
        deadline: otlp_core::export::Deadline,
    ) -> otlp_core::export::Outcome {
        let guard = self.guard.get().and_then(std::sync::Weak::upgrade);
        if let Some(guard) = guard.filter(|_| self.answer.get().is_none()) {
            let _ = self.answer.set(guard.shutdown().unwrap_err().to_string());
        }
        self.kept.export(payload, deadline).await
    }
}

#[test]
fn a_shutdown_that_was_refused_leaves_the_guard_its_work() {
    let exporter = EndsTelemetry::default();
    let telemetry = otlp_sdk::builder()
        .with_env(Env::empty())
        .with_span_exporter(exporter.clone())
        .without_globals()
        .init()
        .unwrap();
    let telemetry = Arc::new(telemetry);
    exporter.guard.set(Arc::downgrade(&telemetry)).unwrap();
    one_span(&telemetry, "first");
    telemetry.tracer_provider().force_flush().unwrap();
    assert!(exporter.answer.get().unwrap().contains("cannot wait for itself"));
    one_span(&telemetry, "second");
    drop(telemetry);
    let names: Vec<_> = exporter.kept.finished_spans().into_iter().map(|span| span.name).collect();
    assert_eq!(names, ["first", "second"]);
}

#[tokio::test]
async fn a_shutdown_may_be_awaited() {
    let telemetry = otlp_sdk::builder()
        .with_env(Env::empty())
        .with_span_exporter(InMemoryExporter::default())
        .without_globals()
        .init()
        .unwrap();
    one_span(&telemetry, "hello");
    assert_eq!(telemetry.tracer_provider().ledgers().len(), 1);
    assert_eq!(telemetry.shutdown_async().await.unwrap().traces.delivered, 1);
}

#[test]
fn a_guard_of_nothing_records_nothing() {
    let telemetry = otlp_sdk::TelemetryGuard::disabled();
    assert!(!telemetry.tracer_provider().tracer("test").start("span").is_recording());
    assert_eq!(telemetry.shutdown().unwrap().traces.created, 1);
}

#[cfg(feature = "grpc")]
#[test]
fn the_protocol_is_chosen_at_run_time() {
    let server = Server::start();
    let telemetry = env([
        ("OTEL_EXPORTER_OTLP_PROTOCOL", "GRPC"),
        ("OTEL_EXPORTER_OTLP_ENDPOINT", server.grpc_endpoint().as_str()),
    ])
    .init()
    .unwrap();
    one_span(&telemetry, "hello");
    telemetry.shutdown().unwrap();
    assert_eq!(server.counts_of(otlp_testing::Transport::Grpc).items, 1);
}

#[cfg(not(feature = "grpc"))]
#[test]
fn a_protocol_that_is_not_compiled_in_is_an_error_that_names_the_feature() {
    let error = env([("OTEL_EXPORTER_OTLP_PROTOCOL", "grpc")]).init().unwrap_err();
    assert!(error.to_string().contains("feature `grpc`"), "{error}");
}

#[test]
fn code_beats_the_environment() {
    let server = Server::start();
    let telemetry = env([
        ("OTEL_EXPORTER_OTLP_ENDPOINT", "http://127.0.0.1:1"),
        ("OTEL_EXPORTER_OTLP_PROTOCOL", "grpc"),
        ("OTEL_SERVICE_NAME", "env"),
        ("OTEL_TRACES_SAMPLER", "always_off"),
        ("OTEL_BSP_MAX_EXPORT_BATCH_SIZE", "1"),
    ])
    .with_endpoint(server.http_endpoint())
    .with_protocol(Protocol::HttpProtobuf)
    .with_service_name("code")
    .with_sampler(Sampler::AlwaysOn)
    .with_batch_config(BatchConfig::default())
    .init()
    .unwrap();
    for _ in 0..10 {
        one_span(&telemetry, "hello");
    }
    telemetry.shutdown().unwrap();
    assert_eq!(server.requests().len(), 1);
    assert_eq!(server.spans()[0].record.service_name(), "code");
}

#[test]
fn a_disabled_sdk_records_nothing_and_reaches_nobody() {
    let server = Server::start();
    let endpoint = server.http_endpoint();
    for switch in [("OTEL_SDK_DISABLED", "TRUE"), ("OTEL_TRACES_EXPORTER", "none")] {
        let pairs = [("OTEL_EXPORTER_OTLP_ENDPOINT", endpoint.as_str()), switch];
        let telemetry = env(pairs).init().unwrap();
        let span = telemetry.tracer_provider().tracer("test").start("nothing");
        assert!(!span.is_recording());
        drop(span);
        telemetry.force_flush().unwrap();
        assert_eq!(telemetry.ledger().traces.ended, 0);
    }
    assert_eq!(server.connections(), 0);
}

#[test]
fn the_guard_delivers_while_a_panic_unwinds() {
    let server = Server::start();
    let endpoint = server.http_endpoint();
    let panicking = std::thread::spawn(move || {
        let telemetry = env([("OTEL_EXPORTER_OTLP_ENDPOINT", endpoint.as_str())]).init().unwrap();
        one_span(&telemetry, "last words");
        panic!("the application fails");
    });
    assert!(panicking.join().is_err());
    let spans = server.wait_for_spans(1, LONG).unwrap();
    assert_eq!(spans[0].record.name(), "last words");
}

#[test]
fn settings_that_cannot_be_guessed_around_are_errors_that_name_them() {
    for (name, value) in [
        ("OTEL_EXPORTER_OTLP_ENDPOINT", "not a url"),
        ("OTEL_EXPORTER_OTLP_TRACES_ENDPOINT", "ftp://collector"),
    ] {
        let error = env([(name, value)]).init().unwrap_err();
        assert!(matches!(error, InitError::Config(_)), "{error:?}");
        assert!(error.to_string().contains(name), "{error}");
    }
}

#[test]
fn what_else_is_wrong_is_told_when_the_set_up_fails() {
    let settings =
        [("OTEL_EXPORTER_OTLP_ENDPOINT", "not a url"), ("OTEL_BSP_SCHEDULE_DELAY", "soon")];
    let (all, error) = capture(|| env(settings).init().unwrap_err());
    assert!(matches!(error, InitError::Config(_)), "{error:?}");
    assert!(all.contains("OTEL_BSP_SCHEDULE_DELAY=\"soon\" is not a whole number"), "{all}");
}

#[test]
fn the_start_up_line_says_where_it_sends_and_what_it_ignored() {
    let (all, telemetry) = capture(|| {
        env([
            ("OTEL_EXPORTER_OTLP_ENDPOINT", "http://user:hunter2@localhost:9/base"),
            ("OTEL_EXPORTER_OTLP_HEADERS", "api-key=hunter2"),
            ("OTEL_TRACES_SAMPLER", "traceidratio"),
            ("OTEL_TRACES_SAMPLER_ARG", "lots"),
            ("OTEL_BSP_MAX_QUEUE_SISE", "17"),
        ])
        .init()
        .unwrap()
    });
    drop(telemetry);
    for said in [
        "http://localhost:9/base/v1/traces",
        "OTEL_BSP_MAX_QUEUE_SISE is not known; accepted: OTEL_BSP_MAX_QUEUE_SIZE;",
        "unused_variables=\"OTEL_BSP_MAX_QUEUE_SISE\"",
        "propagated_headers=traceparent,tracestate,baggage",
        "OTEL_TRACES_SAMPLER_ARG",
        "lots",
        "TraceIdRatioBased{1",
        "/v1/traces over http/protobuf",
        "telemetry.sdk.name=otlp-rs",
    ] {
        assert!(all.contains(said), "{said} in:\n{all}");
    }
    assert!(!all.contains("hunter2"), "{all}");
    assert_eq!(all.matches("telemetry is set up").count(), 1, "{all}");
    assert_eq!(all.matches("INFO").count(), 1, "{all}");
}

#[cfg(feature = "json")]
#[test]
fn json_is_chosen_at_run_time() {
    let server = Server::start();
    let telemetry = env([
        ("OTEL_EXPORTER_OTLP_PROTOCOL", "http/json"),
        ("OTEL_EXPORTER_OTLP_ENDPOINT", server.http_endpoint().as_str()),
    ])
    .init()
    .unwrap();
    one_span(&telemetry, "hello");
    telemetry.shutdown().unwrap();
    assert_eq!(server.spans()[0].record.name(), "hello");
    assert_eq!(server.requests()[0].header("content-type"), Some("application/json"));
}

#[cfg(not(feature = "json"))]
#[test]
fn json_that_is_not_compiled_in_is_an_error_that_names_the_feature() {
    let error = env([("OTEL_EXPORTER_OTLP_PROTOCOL", "http/json")]).init().unwrap_err();
    let text = error.to_string();
    assert!(text.contains("http/json") && text.contains("feature `json`"), "{text}");
}

#[tokio::test]
async fn an_asynchronous_flush_waits_without_blocking() {
    let server = Server::start();
    let endpoint = server.http_endpoint();
    let telemetry = env([("OTEL_EXPORTER_OTLP_ENDPOINT", endpoint.as_str())]).init().unwrap();
    one_span(&telemetry, "hello");
    telemetry.force_flush_async(LONG).await.unwrap();
    assert_eq!(server.spans().len(), 1);
    assert_eq!(telemetry.ledger().traces.delivered, 1);
}

/// Runs `f` and collects the messages that it writes through `tracing`.
fn capture<T>(f: impl FnOnce() -> T) -> (String, T) {
    let lines = Lines::default();
    let writer = lines.clone();
    let subscriber = tracing_subscriber::fmt()
        .with_writer(move || writer.clone())
        .with_ansi(false)
        .without_time()
        .finish();
    let result = tracing::subscriber::with_default(subscriber, f);
    let text = String::from_utf8(lines.0.lock().unwrap().clone()).unwrap();
    (text, result)
}

#[derive(Clone, Default)]
struct Lines(Arc<Mutex<Vec<u8>>>);

impl std::io::Write for Lines {
    fn write(&mut self, text: &[u8]) -> std::io::Result<usize> {
        self.0.lock().unwrap().extend_from_slice(text);
        Ok(text.len())
    }

    fn flush(&mut self) -> std::io::Result<()> {
        Ok(())
    }
}
