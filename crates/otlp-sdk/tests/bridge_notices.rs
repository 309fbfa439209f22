//! What people are told while a server is away from the official SDK with our exporters. The export
//! threads speak, so the subscriber is the process's, and this test has it to itself.

#![cfg(feature = "http")]
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    reason = "helpers of tests fail by panicking, as tests do"
)]

use std::io::Write;
use std::sync::mpsc;
use std::time::Duration;

use opentelemetry::logs::AnyValue;
use opentelemetry::trace::{Span as _, Tracer as _, TracerProvider as _};
use opentelemetry_appender_tracing::layer::OpenTelemetryTracingBridge;
use opentelemetry_sdk::logs::{InMemoryLogExporter, SdkLoggerProvider};
use opentelemetry_sdk::trace::{
    InMemorySpanExporter, SdkTracerProvider, SpanData, SpanExporter as _,
};
use otlp_core::Signal;
use otlp_core::export::retry::RetryPolicy;
use otlp_core::export::{ErrorKind, ExportError, Outcome};
use otlp_exporter_http::HttpExporter;
use otlp_sdk::DropReason;
use otlp_sdk::bridge::{ExportConfig, LogExporter, SpanExporter};
use otlp_testing::{Gate, Reply, ScriptedExporter, Server, Step};
use tracing_subscriber::filter::dynamic_filter_fn;
use tracing_subscriber::layer::{Layer as _, SubscriberExt as _};
use tracing_subscriber::util::SubscriberInitExt as _;

/// Long enough for anything that is going to happen.
const SOON: Duration = Duration::from_secs(30);

/// A writer that gives each line of the log to a channel.
#[derive(Clone)]
struct Lines(mpsc::Sender<String>);

impl Write for Lines {
    fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
        self.0.send(String::from_utf8_lossy(bytes).into_owned()).ok();
        Ok(bytes.len())
    }

    fn flush(&mut self) -> std::io::Result<()> {
        Ok(())
    }
}

/// What was said.
struct Log(mpsc::Receiver<String>);

impl Log {
    /// The next line; it has all of `parts`.
    fn next(&self, parts: &[&str]) {
        let line = self.0.recv_timeout(SOON).unwrap_or_else(|_| "nothing was said".to_owned());
        for part in parts {
            assert!(line.contains(part), "{part} in {line}");
        }
    }

    /// Nothing was said since.
    fn ends(&self) {
        let rest: Vec<_> = self.0.try_iter().collect();
        assert_eq!(rest, [""; 0]);
    }
}

fn end_span(provider: &SdkTracerProvider) {
    provider.tracer("test").start("span").end();
}

/// Spans as the official SDK hands them to its exporters.
fn finished_spans(count: usize) -> Vec<SpanData> {
    let kept = InMemorySpanExporter::default();
    let provider = SdkTracerProvider::builder().with_simple_exporter(kept.clone()).build();
    (0..count).for_each(|_| end_span(&provider));
    kept.get_finished_spans().unwrap()
}

/// Quick retries, so that the test need not wait for them.
fn config() -> ExportConfig {
    let retry = RetryPolicy::default()
        .with_initial_backoff(Duration::from_millis(10))
        .with_max_backoff(Duration::from_millis(50));
    ExportConfig::default().with_retry(retry).with_timeout(SOON)
}

#[test]
fn each_kind_of_trouble_is_told_once_with_its_cause_and_makes_no_records() {
    let (sender, lines) = mpsc::channel();
    let (lines, log) = (Lines(sender), Log(lines));
    let (server, kept) = (Server::start(), InMemoryLogExporter::default());
    let records = HttpExporter::builder(Signal::Logs).with_endpoint(server.http_endpoint());
    let records = LogExporter::with_config(records.build().unwrap(), config());
    let sent = records.account();
    let logs = SdkLoggerProvider::builder()
        .with_simple_exporter(kept.clone())
        .with_simple_exporter(records)
        .build();
    let ours = |target: &str| target == "otlp_sdk" || target == "program";
    let appender = OpenTelemetryTracingBridge::new(&logs)
        .with_filter(dynamic_filter_fn(move |metadata, _| ours(metadata.target())));
    let fmt = tracing_subscriber::fmt::layer()
        .with_writer(move || lines.clone())
        .with_ansi(false)
        .with_filter(dynamic_filter_fn(move |metadata, _| {
            metadata.target() != "program" && !metadata.target().starts_with("opentelemetry")
        }));
    // The subscriber comes after the exporters, as it has to.
    tracing_subscriber::registry().with(fmt).with(appender).init();

    a_server_that_is_away(&server, &log);
    a_server_that_does_not_like_all(&server, &log);
    a_shutdown_without_time(&log);
    a_shutdown_without_an_answer(&log);
    batches_that_found_no_room(&log);
    records_while_their_own_server_is_away(&server, &log, &kept);

    logs.shutdown().unwrap();
    assert_eq!(server.items(Signal::Logs), 1, "what the program has said, and nothing of ours");
    assert_eq!((sent.ledger().ended, sent.ledger().delivered), (1, 1));
    log.ends();
}

/// Under the batch processor: its flush lasts, but people know why at once.
fn a_server_that_is_away(server: &Server, log: &Log) {
    let exporter = HttpExporter::builder(Signal::Traces).with_endpoint(server.http_endpoint());
    let url = format!("destination=\"{}/v1/traces\"", server.http_endpoint());
    let exporter = SpanExporter::with_config(exporter.build().unwrap(), config());
    let account = exporter.account();
    let provider = SdkTracerProvider::builder().with_batch_exporter(exporter).build();
    server.stop();
    end_span(&provider);
    let flush = std::thread::spawn({
        let provider = provider.clone();
        move || provider.force_flush()
    });
    let cause = "onnection refused";
    log.next(&["WARN", "otlp_sdk", "will be tried again", "signal=\"traces\"", &url, cause]);
    server.restart().unwrap();
    flush.join().unwrap().unwrap();
    log.next(&["INFO", "otlp_sdk", "exports succeed again", &url]);
    provider.shutdown().unwrap();
    assert_eq!(account.ledger().delivered, 1);
    log.ends();
}

fn a_server_that_does_not_like_all(server: &Server, log: &Log) {
    let exporter = HttpExporter::builder(Signal::Traces).with_endpoint(server.http_endpoint());
    let exporter = SpanExporter::with_config(exporter.build().unwrap(), config());
    server.respond_with([
        Reply::partial_success(1, "too\nold"),
        Reply::partial_success(0, "hurry"),
        Reply::http(400),
    ]);
    let export = || futures_executor::block_on(exporter.export(finished_spans(2)));
    export().unwrap_err();
    log.next(&["WARN", "the server rejected part", "rejected=1", "old"]);
    export().unwrap();
    log.next(&["WARN", "took the request and sent a warning", "hurry"]);
    export().unwrap_err();
    log.next(&["ERROR", "dropped and counted", "items=2", "permanent_error", "400"]);
    exporter.shutdown().unwrap();
    log.ends();
}

fn a_shutdown_without_time(log: &Log) {
    let recorded = ScriptedExporter::new();
    let refused = std::io::Error::other("connection refused (os error 111)");
    let error = ExportError::new(ErrorKind::Connect, "cannot reach it").with_source(refused);
    recorded.respond_by(move |_| Outcome::retryable(error.clone()).into());
    let exporter = SpanExporter::with_config(recorded, config());
    let waiting = exporter.export(finished_spans(4));
    log.next(&["WARN", "will be tried again", "scripted_exporter", "items=4", "refused"]);
    let error = exporter.shutdown_with_timeout(Duration::from_millis(100)).unwrap_err().to_string();
    let why = "4 spans not delivered in time: cannot reach it: connection refused (os error 111)";
    assert!(error.contains(why), "{error}");
    // All of it is said and counted when the answer comes: the program may end with it.
    assert_eq!(exporter.ledger().dropped(DropReason::ShutdownTimeout), 4);
    assert_eq!(exporter.ledger().held, 0);
    let said: Vec<_> = log.0.try_iter().collect();
    let dropped = said.first().expect("the drop is said before the answer");
    for part in ["ERROR", "dropped and counted", "items=4", "shutdown_timeout", why] {
        assert!(dropped.contains(part), "{part} in {dropped}");
    }
    // Whether the second attempt came in time to be held back is a matter of luck.
    assert!(said.iter().skip(1).all(|line| line.contains("more attempts failed")), "{said:?}");
    let error = futures_executor::block_on(waiting).unwrap_err().to_string();
    assert!(error.contains("(shutdown_timeout)") && error.contains("os error 111"), "{error}");
    log.ends();
}

fn a_shutdown_without_an_answer(log: &Log) {
    let recorded = ScriptedExporter::new();
    recorded.respond_with([Step::Hang]);
    let exporter = SpanExporter::with_config(recorded, config());
    drop(exporter.export(finished_spans(1)));
    let error = exporter.shutdown_with_timeout(Duration::from_millis(50)).unwrap_err().to_string();
    let why = "1 span not delivered in time: no answer from scripted_exporter yet";
    assert!(error.contains(why), "{error}");
    log.next(&["ERROR", "items=1", "shutdown_timeout", why]);
    log.ends();
}

fn batches_that_found_no_room(log: &Log) {
    let (recorded, gate) = (ScriptedExporter::new(), Gate::new());
    recorded.respond_with([Step::Hold(gate.clone(), Outcome::delivered())]);
    let exporter = SpanExporter::with_config(recorded, config().with_max_held_bytes(1));
    drop(exporter.export(finished_spans(1)));
    futures_executor::block_on(exporter.export(finished_spans(3))).unwrap_err();
    gate.open();
    exporter.shutdown().unwrap();
    log.next(&["ERROR", "not taken into the export queue", "queue_full=3", "max_queue_bytes=1 "]);
    log.ends();
}

/// The hard case: the record is exported while it is emitted, the server of the records is away, and
/// the appender is told that.
fn records_while_their_own_server_is_away(server: &Server, log: &Log, kept: &InMemoryLogExporter) {
    server.stop();
    let program = std::thread::spawn(|| tracing::info!(target: "program", "work"));
    log.next(&["WARN", "otlp_sdk", "will be tried again", "signal=\"logs\"", "/v1/logs"]);
    server.restart().unwrap();
    program.join().unwrap();
    log.next(&["INFO", "exports succeed again", "signal=\"logs\""]);
    let records = kept.get_emitted_logs().unwrap();
    let bodies: Vec<_> = records.iter().map(|it| it.record.body().cloned()).collect();
    assert_eq!(bodies, [Some(AnyValue::from("work"))], "not one record of ours");
}
