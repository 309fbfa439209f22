//! Who shuts what down, and when.

use std::sync::{Mutex, mpsc};
use std::time::{Duration, Instant};

use opentelemetry_sdk::error::OTelSdkError;
use opentelemetry_sdk::trace::{SdkTracerProvider, SpanExporter as _};
use otlp_core::export::{Deadline, ExportError, Exporter, Outcome};
use otlp_core::{Payload, Signal};
use otlp_sdk::DropReason;
use otlp_sdk::bridge::SpanExporter;
use otlp_testing::{Gate, ScriptedExporter, Server, Step, Transport};

use crate::support::{SOON, batching, config, exporter, finished_spans, make_spans, sums};

/// Waits for what another thread is about to do.
fn until(what: &str, reached: impl Fn() -> bool) {
    let begin = Instant::now();
    while !reached() {
        assert!(begin.elapsed() < SOON, "{what}");
        std::thread::sleep(Duration::from_millis(1));
    }
}

#[test]
fn after_shutdown_nothing_is_taken_and_that_is_said() {
    let recorded = ScriptedExporter::new();
    let exporter = SpanExporter::with_config(recorded.clone(), config());
    let provider = SdkTracerProvider::builder().with_simple_exporter(exporter.clone()).build();
    make_spans(&provider, 2);
    exporter.shutdown().unwrap();
    assert!(matches!(exporter.shutdown(), Err(OTelSdkError::AlreadyShutdown)));
    assert!(matches!(exporter.force_flush(), Err(OTelSdkError::AlreadyShutdown)));
    let result = futures_executor::block_on(exporter.export(finished_spans(3)));
    assert!(matches!(result, Err(OTelSdkError::AlreadyShutdown)));
    assert_eq!(exporter.ledger().dropped(DropReason::AfterShutdown), 3);
    assert_eq!(recorded.shutdowns(), 0, "the provider still uses it");
    make_spans(&provider, 1);
    provider.shutdown().unwrap();
    assert_eq!(recorded.shutdowns(), 1);
    assert_eq!(sums(&exporter.account()), (6, 3, 0, 3, 0));
}

#[test]
fn providers_that_share_an_exporter_do_not_end_it_for_each_other() {
    let server = Server::start();
    let shared =
        SpanExporter::with_config(exporter(&server, Transport::Http, Signal::Traces), config());
    let account = shared.account();
    let of = |name: &'static str| {
        let resource = opentelemetry_sdk::Resource::builder_empty().with_service_name(name).build();
        let builder = SdkTracerProvider::builder().with_resource(resource);
        builder.with_batch_exporter(shared.clone()).build()
    };
    let (first, second) = (of("first"), of("second"));
    drop(shared);
    make_spans(&first, 1);
    first.shutdown().unwrap();
    make_spans(&second, 2);
    second.shutdown().unwrap();
    assert_eq!(sums(&account), (3, 3, 0, 0, 0));
    let services: Vec<_> = server.spans().iter().map(|span| service(&span.record)).collect();
    assert_eq!(services, ["first", "second", "second"]);
}

fn service(span: &otlp_testing::SpanRecord) -> String {
    let attributes = &span.resource.attributes;
    let name = attributes.iter().find(|it| it.key == "service.name").unwrap();
    otlp_testing::oracle::value_text(name.value.as_ref().unwrap())
}

#[test]
fn dropping_the_last_exporter_shuts_the_wrapped_one_down_and_ends_the_thread() {
    /// Says when it is dropped.
    #[derive(Debug)]
    struct Counted(ScriptedExporter, Gate);
    impl Drop for Counted {
        fn drop(&mut self) {
            self.1.open();
        }
    }
    impl Exporter for Counted {
        async fn export(&self, payload: Payload, deadline: Deadline) -> Outcome {
            self.0.export(payload, deadline).await
        }
        async fn shutdown(&self, deadline: Deadline) -> Result<(), ExportError> {
            self.0.shutdown(deadline).await
        }
    }
    let (recorded, dropped) = (ScriptedExporter::new(), Gate::new());
    let exporter = SpanExporter::with_config(Counted(recorded.clone(), dropped.clone()), config());
    let another = exporter.clone();
    drop(exporter);
    assert_eq!(recorded.shutdowns(), 0);
    drop(another);
    until("the exporter is dropped with its thread", || dropped.is_open());
    assert_eq!(recorded.shutdowns(), 1);
}

#[test]
fn shutdown_keeps_its_time_and_counts_what_it_leaves() {
    let recorded = ScriptedExporter::new();
    recorded.respond_with([Step::Hang]);
    let exporter = SpanExporter::with_config(recorded.clone(), config());
    let waiting = exporter.clone();
    let call = std::thread::spawn(move || {
        let provider = SdkTracerProvider::builder().with_simple_exporter(waiting).build();
        make_spans(&provider, 1);
        provider
    });
    until("the span is being exported", || recorded.exports() == 1);
    // Its clone is still open: this one waits for what was handed in before.
    let begin = Instant::now();
    let error = exporter.shutdown_with_timeout(Duration::from_millis(100)).unwrap_err();
    assert!(begin.elapsed() < SOON);
    assert!(error.to_string().contains("1 span not delivered in time"), "{error}");
    assert_eq!(sums(&exporter.account()), (1, 0, 0, 0, 1));
    drop(call);
}

/// Hands spans in and does not wait for them.
fn hand_in(exporter: &SpanExporter, count: usize) {
    drop(exporter.export(finished_spans(count)));
}

#[test]
fn the_last_shutdown_drops_what_cannot_be_delivered_in_its_time() {
    let recorded = ScriptedExporter::new();
    recorded.respond_with([Step::Hang]);
    let exporter = SpanExporter::with_config(recorded, config());
    hand_in(&exporter, 4);
    exporter.shutdown_with_timeout(Duration::from_millis(50)).unwrap_err();
    let account = exporter.account();
    assert_eq!(account.ledger().dropped(DropReason::ShutdownTimeout), 4);
    assert_eq!(sums(&account), (4, 0, 0, 4, 0));
}

#[test]
fn an_exporter_that_blocks_its_thread_holds_no_shutdown_and_is_named_in_its_error() {
    /// Blocks whoever polls it.
    #[derive(Debug)]
    struct Blocking(Mutex<mpsc::Receiver<()>>);
    impl Exporter for Blocking {
        async fn export(&self, _: Payload, _: Deadline) -> Outcome {
            let _ = self.0.lock().unwrap().recv();
            Outcome::delivered()
        }
        fn destination(&self) -> String {
            "the blocking one".to_owned()
        }
    }
    let (blocked, until_dropped) = mpsc::channel();
    let exporter = SpanExporter::with_config(Blocking(Mutex::new(until_dropped)), config());
    hand_in(&exporter, 2);
    let error = exporter.shutdown_with_timeout(Duration::from_millis(50)).unwrap_err().to_string();
    let why = "2 spans not delivered in time: no answer from the blocking one yet";
    assert!(error.contains("does not answer within 50ms") && error.contains(why), "{error}");
    drop(blocked);
    let account = exporter.account();
    until("the call is over", || account.ledger().held == 0);
    assert_eq!(sums(&account), (2, 2, 0, 0, 0));
}

#[test]
fn a_flush_waits_for_calls_that_nobody_awaits() {
    let (recorded, gate) = (ScriptedExporter::new(), Gate::new());
    recorded.respond_with([Step::Hold(gate.clone(), Outcome::delivered())]);
    let exporter = SpanExporter::with_config(recorded.clone(), config());
    hand_in(&exporter, 4);
    let account = exporter.account();
    let flush = std::thread::spawn(move || exporter.force_flush());
    assert!(gate.wait_for_waiting(1, SOON));
    assert_eq!(sums(&account), (4, 0, 0, 0, 4));
    gate.open();
    flush.join().unwrap().unwrap();
    assert_eq!(sums(&account), (4, 4, 0, 0, 0));
    assert_eq!(recorded.flushes(), 1);
}

#[test]
fn a_second_shutdown_of_the_provider_is_told_so() {
    let (provider, account) = batching(ScriptedExporter::new(), config());
    make_spans(&provider, 1);
    provider.shutdown().unwrap();
    assert!(matches!(provider.shutdown(), Err(OTelSdkError::AlreadyShutdown)));
    assert_eq!(sums(&account), (1, 1, 0, 0, 0));
}

#[test]
fn what_the_exporter_leaves_behind_may_panic_when_it_is_dropped() {
    /// Panics when it is dropped.
    #[derive(Debug)]
    struct Bomb;
    impl Drop for Bomb {
        fn drop(&mut self) {
            panic!("dropped");
        }
    }
    /// Never answers, and keeps a bomb in every call.
    #[derive(Debug)]
    struct Hanging(Gate);
    impl Exporter for Hanging {
        async fn export(&self, _: Payload, _: Deadline) -> Outcome {
            let _bomb = Bomb;
            self.0.opened().await;
            std::future::pending().await
        }
    }
    let calls = Gate::new();
    let exporter = SpanExporter::with_config(Hanging(calls.clone()), config());
    hand_in(&exporter, 1);
    hand_in(&exporter, 2);
    assert!(calls.wait_for_waiting(2, SOON));
    exporter.shutdown_with_timeout(Duration::from_millis(50)).unwrap_err();
    let account = exporter.account();
    until("both calls are let go", || account.ledger().panics == 2);
    assert_eq!(sums(&account), (3, 0, 0, 3, 0));
    assert_eq!(account.ledger().dropped(DropReason::ShutdownTimeout), 3);
}
