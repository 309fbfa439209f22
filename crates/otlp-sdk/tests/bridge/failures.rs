//! Servers and exporters that fail, behind the official SDK.

use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, OnceLock};
use std::time::{Duration, Instant};

use opentelemetry_sdk::error::OTelSdkError;
use opentelemetry_sdk::trace::{SpanData, SpanExporter as _};
use otlp_core::export::retry::RetryPolicy;
use otlp_core::export::{Deadline, ErrorKind, ExportError, Exporter, Outcome};
use otlp_core::{Payload, Signal};
use otlp_sdk::DropReason;
use otlp_sdk::bridge::{ExportConfig, SpanExporter};
use otlp_testing::{Gate, Reply, Script, ScriptedExporter, Server, Step, Transport};

use crate::support::{
    SOON, TRANSPORTS, batching, busy, config, exporter, finished_spans, make_spans, sums,
};

/// What the official SDK hears of it when a flush fails.
fn failure(result: Result<(), OTelSdkError>) -> String {
    match result {
        Err(OTelSdkError::InternalFailure(text)) => text,
        other => panic!("not a failure with a text: {other:?}"),
    }
}

fn export(exporter: &SpanExporter, count: usize) -> Result<(), OTelSdkError> {
    futures_executor::block_on(exporter.export(finished_spans(count)))
}

// rows B1, B3
#[test]
fn what_may_succeed_later_is_sent_again() {
    for transport in TRANSPORTS {
        let server = Server::start();
        let busy = match transport {
            Transport::Grpc => Reply::grpc(14, "busy"),
            Transport::Http => Reply::http(503),
        };
        server.respond_with([busy.clone(), Reply::close(), busy]);
        let (provider, account) = batching(exporter(&server, transport, Signal::Traces), config());
        make_spans(&provider, 10);
        provider.force_flush().unwrap();
        assert_eq!(sums(&account), (10, 10, 0, 0, 0), "{transport:?}");
        assert_eq!(server.spans().len(), 10);
        assert!(server.counts().arrived >= 3);
        provider.shutdown().unwrap();
    }
}

// row B2
#[test]
fn the_delay_that_the_server_asks_for_is_kept() {
    let server = Server::start();
    server.respond_with([Reply::http(429).with_header("retry-after", "1")]);
    let exporter = exporter(&server, Transport::Http, Signal::Traces);
    let exporter = SpanExporter::with_config(exporter, config());
    let begin = Instant::now();
    export(&exporter, 1).unwrap();
    assert!(begin.elapsed() >= Duration::from_secs(1));
    assert_eq!(sums(&exporter.account()), (1, 1, 0, 0, 0));
}

// row B4
#[test]
fn a_delay_beyond_the_time_of_the_call_ends_it_at_once() {
    let server = Server::start();
    server.respond_with([Reply::http(429).with_header("retry-after", "3600")]);
    let exporter = exporter(&server, Transport::Http, Signal::Traces);
    let exporter = SpanExporter::with_config(exporter, config());
    let text = failure(export(&exporter, 2));
    assert!(text.starts_with("2 spans not delivered (retries_exhausted)"), "{text}");
    assert!(text.contains("asked to wait 300") || text.contains("asked to wait 3600"), "{text}");
    // The server is left alone: the next call does not even try, and says why.
    let text = failure(export(&exporter, 1));
    assert!(text.contains("429"), "{text}");
    assert_eq!(server.counts().arrived, 1);
    assert_eq!(exporter.ledger().dropped(DropReason::RetriesExhausted), 3);
}

// row B4
#[test]
fn nobody_at_the_address_is_told_in_time_with_the_cause() {
    for transport in TRANSPORTS {
        let server = Server::start();
        let exporter = exporter(&server, transport, Signal::Traces);
        server.stop();
        let config = config().with_timeout(Duration::from_millis(300));
        let exporter = SpanExporter::with_config(exporter, config);
        let text = failure(export(&exporter, 5));
        assert!(text.contains("5 spans not delivered (retries_exhausted)"), "{text}");
        assert!(text.to_lowercase().contains("connection refused"), "{text}");
        assert_eq!(exporter.ledger().dropped(DropReason::RetriesExhausted), 5);
        assert_eq!(sums(&exporter.account()), (5, 0, 0, 5, 0));
    }
}

// row B4
#[test]
fn a_server_that_never_answers_holds_nobody_beyond_the_time_of_the_call() {
    let server = Server::start();
    server.respond_with([Reply::never()]);
    let exporter = exporter(&server, Transport::Http, Signal::Traces);
    let config = config().with_timeout(Duration::from_millis(200));
    let exporter = SpanExporter::with_config(exporter, config);
    let text = failure(export(&exporter, 1));
    assert!(text.contains("deadline passed") || text.contains("no answer"), "{text}");
    assert_eq!(sums(&exporter.account()), (1, 0, 0, 1, 0));
}

// row W10
#[test]
fn what_the_server_rejects_is_counted_and_not_sent_again() {
    for transport in TRANSPORTS {
        let server = Server::start();
        server.respond_with([Reply::partial_success(3, "too old")]);
        let (provider, account) = batching(exporter(&server, transport, Signal::Traces), config());
        make_spans(&provider, 10);
        let text = failure(provider.force_flush());
        let meant = "3 spans not delivered (rejected): the server said: too old";
        assert!(text.contains(meant), "{text}");
        assert_eq!(sums(&account), (10, 7, 3, 0, 0));
        assert_eq!(server.counts().arrived, 1);
    }
}

// row H8
#[test]
fn what_the_server_refuses_is_told_in_its_words() {
    for (transport, reply) in
        [(Transport::Http, Reply::http(400)), (Transport::Grpc, Reply::grpc(3, "no such field"))]
    {
        let server = Server::start();
        server.respond_with([reply]);
        let exporter =
            SpanExporter::with_config(exporter(&server, transport, Signal::Traces), config());
        let text = failure(export(&exporter, 1));
        assert!(text.starts_with("1 span not delivered (permanent_error)"), "{text}");
        assert!(text.contains("400") || text.contains("no such field"), "{text}");
        assert_eq!(server.counts().arrived, 1);
        export(&exporter, 1).unwrap();
        assert_eq!(sums(&exporter.account()), (2, 1, 0, 1, 0));
    }
}

#[test]
fn what_a_server_finds_too_large_is_sent_in_halves() {
    let server = Server::start();
    server.respond_with(Script::call(|request| {
        if request.items() > 3 { Reply::http(413) } else { Reply::ok() }
    }));
    let exporter = exporter(&server, Transport::Http, Signal::Traces);
    let exporter = SpanExporter::with_config(exporter, config());
    export(&exporter, 10).unwrap();
    assert_eq!(sums(&exporter.account()), (10, 10, 0, 0, 0));
    assert_eq!(server.spans().len(), 10);
    assert!(server.duplicate_spans().is_empty());
}

#[test]
fn a_span_that_alone_is_too_large_is_counted_and_the_others_arrive() {
    let recorded = ScriptedExporter::new();
    recorded.respond_by(|payload| {
        let error = ExportError::new(ErrorKind::HttpStatus(413), "too large");
        let refused = payload.items() > 1 || payload.len() > 10_000;
        if refused { Outcome::TooLarge { error } } else { Outcome::delivered() }.into()
    });
    let exporter = SpanExporter::with_config(recorded, config());
    let mut batch = finished_spans(4);
    batch[2].name = "n".repeat(20_000).into();
    let text = failure(futures_executor::block_on(exporter.export(batch)));
    assert_eq!(text, "1 span not delivered (too_large): too large");
    assert_eq!(sums(&exporter.account()), (4, 3, 0, 1, 0));
}

// row Z1
#[test]
fn a_large_batch_is_cut_before_it_is_sent() {
    let recorded = ScriptedExporter::new();
    let config = config().with_max_request_bytes(2_000);
    let exporter = SpanExporter::with_config(recorded.clone(), config);
    export(&exporter, 200).unwrap();
    assert!(recorded.payloads().iter().all(|payload| payload.len() <= 2_000));
    assert_eq!(recorded.spans().len(), 200);
    assert_eq!(sums(&exporter.account()), (200, 200, 0, 0, 0));
}

#[test]
fn a_panic_of_the_exporter_ends_in_an_error_and_a_count() {
    let recorded = ScriptedExporter::new();
    recorded.respond_with([Step::Panic("boom")]);
    let exporter = SpanExporter::with_config(recorded, config());
    let text = failure(export(&exporter, 2));
    assert_eq!(text, "2 spans not delivered (exporter_panic): the exporter panicked: boom");
    export(&exporter, 2).unwrap();
    assert_eq!(exporter.ledger().dropped(DropReason::ExporterPanic), 2);
    assert_eq!(exporter.ledger().panics, 1);
    assert_eq!(sums(&exporter.account()), (4, 2, 0, 2, 0));
}

#[test]
fn an_exporter_that_never_ends_holds_nobody_beyond_the_time_of_the_call() {
    let recorded = ScriptedExporter::new();
    recorded.respond_with([Step::Hang]);
    let config = config().with_timeout(Duration::from_millis(100));
    let exporter = SpanExporter::with_config(recorded, config);
    let text = failure(export(&exporter, 2));
    assert!(text.contains("retries_exhausted"), "{text}");
    assert_eq!(sums(&exporter.account()), (2, 0, 0, 2, 0));
}

#[test]
fn calls_that_nobody_awaits_are_carried_out_within_the_bound() {
    let recorded = ScriptedExporter::new();
    let gate = Gate::new();
    recorded.respond_with(vec![Step::Hold(gate.clone(), Outcome::delivered()); 4]);
    let one = payload_bytes();
    let config = config().with_max_held_bytes(3 * one + one / 2);
    let exporter = SpanExporter::with_config(recorded, config);
    for _ in 0..5 {
        // Handed in by the call; dropped before it is answered.
        drop(exporter.export(finished_spans(1)));
    }
    assert_eq!(exporter.ledger().dropped(DropReason::QueueFull), 2);
    gate.open();
    exporter.force_flush().unwrap();
    assert_eq!(sums(&exporter.account()), (5, 3, 0, 2, 0));
}

/// What one span of [`finished_spans`] takes.
fn payload_bytes() -> usize {
    let recorded = ScriptedExporter::new();
    let exporter = SpanExporter::with_config(recorded.clone(), ExportConfig::default());
    export(&exporter, 1).unwrap();
    recorded.payloads()[0].len()
}

#[test]
fn while_a_server_fails_one_request_at_a_time_knocks() {
    let (recorded, failed) = (ScriptedExporter::new(), Gate::new());
    recorded.respond_with([Step::Hold(failed.clone(), busy())]);
    let exporter = SpanExporter::with_config(recorded.clone(), config());
    drop(exporter.export(finished_spans(1)));
    assert!(failed.wait_for_waiting(1, SOON));
    let most = Arc::new(AtomicUsize::new(0));
    recorded.respond_by({
        let (recorded, most, mut knocks) = (recorded.clone(), Arc::clone(&most), 0);
        move |_| {
            knocks += 1;
            if knocks > 5 {
                return Outcome::delivered().into();
            }
            most.fetch_max(recorded.concurrent(), Ordering::Relaxed);
            Step::Delay(Duration::from_millis(5), busy())
        }
    });
    failed.open();
    futures_executor::block_on(recorded.finished_reach(1));
    std::thread::scope(|scope| {
        for _ in 0..6 {
            scope.spawn(|| export(&exporter, 1).unwrap());
        }
    });
    exporter.force_flush().unwrap();
    assert_eq!(sums(&exporter.account()), (7, 7, 0, 0, 0));
    assert_eq!(most.load(Ordering::Relaxed), 1);
}

/// Calls back into the exporter that wraps it, from the export thread.
#[derive(Debug)]
struct Recursive {
    wrapping: Arc<OnceLock<SpanExporter>>,
    /// Where telemetry is suppressed, none can be made.
    spans: Vec<SpanData>,
}

impl Exporter for Recursive {
    async fn export(&self, _: Payload, _: Deadline) -> Outcome {
        let wrapping = self.wrapping.get().unwrap();
        let flushed = failure(wrapping.force_flush());
        let exported = failure(wrapping.export(self.spans.clone()).await);
        assert_eq!(flushed, exported);
        Outcome::permanent(ExportError::new(ErrorKind::Other, flushed))
    }
}

#[test]
fn on_the_export_thread_nobody_waits_for_the_export_thread() {
    let wrapping = Arc::new(OnceLock::new());
    let exporter = Recursive { wrapping: Arc::clone(&wrapping), spans: finished_spans(3) };
    let exporter = SpanExporter::with_config(exporter, config());
    wrapping.set(exporter.clone()).unwrap();
    let text = failure(export(&exporter, 1));
    assert!(text.contains("called on the export thread itself"), "{text}");
    assert_eq!(sums(&exporter.account()), (4, 0, 0, 4, 0));
}

// OTEL_BSP_EXPORT_TIMEOUT=0
#[test]
fn a_timeout_of_zero_is_no_limit() {
    let recorded = ScriptedExporter::new();
    recorded.respond_with([busy().into(), busy().into()]);
    let config = config().with_timeout(Duration::ZERO);
    let exporter = SpanExporter::with_config(recorded.clone(), config);
    export(&exporter, 1).unwrap();
    exporter.force_flush().unwrap();
    assert!(recorded.deadlines().iter().all(|deadline| *deadline == Deadline::NEVER));
    assert_eq!(sums(&exporter.account()), (1, 1, 0, 0, 0));
}

#[test]
fn without_retries_one_failure_is_the_end() {
    let recorded = ScriptedExporter::new();
    recorded.respond_with([busy().into()]);
    let config = config().with_retry(RetryPolicy::never());
    let exporter = SpanExporter::with_config(recorded.clone(), config);
    let text = failure(export(&exporter, 1));
    assert_eq!(text, "1 span not delivered (retries_exhausted): busy");
    assert_eq!(recorded.exports(), 1);
}
