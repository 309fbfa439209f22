//! `init()` brings traces, metrics and logs up, each with its own settings.

#![cfg(feature = "http")]
#![allow(
    clippy::unwrap_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "helpers of tests fail by panicking, as tests do"
)]

mod child;

use std::collections::BTreeMap;
use std::time::{Duration, Instant};

use opentelemetry::logs::{LogRecord as _, Logger as _, LoggerProvider as _};
use opentelemetry::metrics::MeterProvider as _;
use opentelemetry::trace::{Span as _, Tracer as _, TracerProvider as _};
use opentelemetry::{KeyValue, global};
use otlp_core::Signal;
use otlp_core::export::Env;
use otlp_sdk::PipelineError;
use otlp_sdk::testing::InMemoryExporter;
use otlp_sdk::{TelemetryBuilder, TelemetryGuard};
use otlp_testing::{Message, RawAnswer, RawServer, Server};

fn env<'a>(pairs: impl IntoIterator<Item = (&'a str, &'a str)>) -> TelemetryBuilder {
    otlp_sdk::builder().with_env(Env::from_pairs(pairs)).without_globals()
}

/// One item of each signal.
fn one_of_each(telemetry: &TelemetryGuard) {
    telemetry.tracer_provider().tracer("all").start("span").end();
    let logger = telemetry.logger_provider().logger("all");
    let mut record = logger.create_log_record();
    record.set_body("log".into());
    logger.emit(record);
    let meter = telemetry.meter_provider().meter("all");
    meter.u64_counter("count").build().add(1, &[KeyValue::new("k", "v")]);
}

/// Items that have arrived, of each signal.
fn arrived(server: &Server) -> [u64; 3] {
    assert_eq!(server.problems(), [""; 0]);
    Signal::ALL.map(|signal| server.items(signal))
}

fn service_of(message: &Message) -> String {
    let resource = match message {
        Message::Traces(request) => &request.resource_spans[0].resource,
        Message::Metrics(request) => &request.resource_metrics[0].resource,
        Message::Logs(request) => &request.resource_logs[0].resource,
        other => panic!("{other:?}"),
    };
    let attributes = &resource.as_ref().unwrap().attributes;
    let name = attributes.iter().find(|attribute| attribute.key == "service.name").unwrap();
    format!("{:?}", name.value)
}

#[test]
fn everything_arrives_with_no_more_than_an_endpoint() {
    let server = Server::start();
    let endpoint = server.http_endpoint();
    let telemetry =
        env([("OTEL_EXPORTER_OTLP_ENDPOINT", &*endpoint), ("OTEL_SERVICE_NAME", "one")]);
    let telemetry = telemetry.init().unwrap();
    one_of_each(&telemetry);
    let ledgers = telemetry.shutdown().unwrap();
    assert_eq!(arrived(&server), [1, 1, 1]);
    assert_eq!(Signal::ALL.map(|signal| ledgers.of(signal).delivered), [1, 1, 1], "{ledgers}");
    assert_eq!(ledgers.unaccounted(), 0);
    let paths: BTreeMap<_, _> =
        server.requests().iter().map(|it| (it.path.clone(), service_of(&it.message))).collect();
    let services: Vec<_> = paths.values().collect();
    assert!(services.windows(2).all(|two| two[0] == two[1] && two[0].contains("one")), "{paths:?}");
    assert_eq!(Vec::from_iter(paths.keys()), ["/v1/logs", "/v1/metrics", "/v1/traces"]);
}

#[cfg(feature = "grpc")]
#[test]
fn everything_arrives_over_grpc_too() {
    let server = Server::start();
    let endpoint = server.grpc_endpoint();
    let telemetry =
        env([("OTEL_EXPORTER_OTLP_ENDPOINT", &*endpoint), ("OTEL_EXPORTER_OTLP_PROTOCOL", "grpc")])
            .init()
            .unwrap();
    one_of_each(&telemetry);
    telemetry.force_flush().unwrap();
    assert_eq!(arrived(&server), [1, 1, 1]);
}

#[test]
fn each_signal_is_switched_off_by_its_variable_and_in_code() {
    for (at, signal) in Signal::ALL.into_iter().enumerate() {
        let server = Server::start();
        let endpoint = server.http_endpoint();
        let variable = format!("OTEL_{}_EXPORTER", signal.env_infix());
        let base = [("OTEL_EXPORTER_OTLP_ENDPOINT", &*endpoint)];
        let by_variable = env(base.into_iter().chain([(&*variable, "none")]));
        for builder in [by_variable, env(base).without(signal)] {
            server.clear();
            let telemetry = builder.init().unwrap();
            one_of_each(&telemetry);
            telemetry.shutdown().unwrap();
            let mut expected = [1, 1, 1];
            expected[at] = 0;
            assert_eq!(arrived(&server), expected, "without {signal}");
        }
    }
}

#[test]
fn a_signal_may_have_settings_of_its_own() {
    let (all, logs) = (Server::start(), Server::start());
    let endpoint = logs.http_endpoint();
    let telemetry = env([])
        .with_endpoint(all.http_endpoint())
        .with_header("x-team", "shop")
        .with_signal_settings(Signal::Logs, |it| it.with_endpoint(endpoint))
        .init()
        .unwrap();
    one_of_each(&telemetry);
    telemetry.shutdown().unwrap();
    assert_eq!((arrived(&all), arrived(&logs)), ([1, 1, 0], [0, 0, 1]));
    assert_eq!(logs.requests()[0].header("x-team"), Some("shop"), "what holds for all holds here");
}

#[test]
fn each_signal_takes_exporters_of_the_users() {
    let memory = [(); 3].map(|()| InMemoryExporter::default());
    let [spans, metrics, logs] = memory.clone();
    let telemetry = env([])
        .with_span_exporter(spans)
        .with_metric_exporter(metrics)
        .with_log_exporter(logs)
        .init()
        .unwrap();
    one_of_each(&telemetry);
    telemetry.shutdown().unwrap();
    let signals: Vec<_> = memory.iter().map(|it| it.payloads()[0].signal()).collect();
    assert_eq!(signals, Signal::ALL);
}

#[test]
fn a_disabled_sdk_records_no_signal_and_starts_no_thread() {
    let server = Server::start();
    let endpoint = server.http_endpoint();
    let telemetry =
        env([("OTEL_EXPORTER_OTLP_ENDPOINT", &*endpoint), ("OTEL_SDK_DISABLED", "true")])
            .init()
            .unwrap();
    assert!(!telemetry.logger_provider().logger("all").enabled());
    one_of_each(&telemetry);
    telemetry.force_flush().unwrap();
    telemetry.shutdown().unwrap();
    assert_eq!((arrived(&server), server.connections()), ([0; 3], 0));
}

#[test]
fn the_error_of_each_signal_is_told_and_all_of_them_keep_one_deadline() {
    let (server, silent) = (Server::start(), RawServer::start(RawAnswer::Silent));
    let dead = silent.endpoint("http");
    let telemetry = env([])
        .with_endpoint(dead)
        .with_signal_settings(Signal::Metrics, {
            let endpoint = server.http_endpoint();
            move |it| it.with_endpoint(endpoint)
        })
        .with_shutdown_timeout(Duration::from_secs(1))
        .init()
        .unwrap();
    one_of_each(&telemetry);
    let begun = Instant::now();
    let error = telemetry.shutdown().unwrap_err();
    assert!(begun.elapsed() < Duration::from_secs(4), "not one after the other");
    for signal in [Signal::Traces, Signal::Logs] {
        let told = error.error.of_signal(signal);
        assert!(matches!(told, Some(PipelineError::Timeout { held: 1, .. })), "{signal}: {error}");
    }
    assert!(error.error.of_signal(Signal::Metrics).is_none());
    assert_eq!((arrived(&server), error.ledgers.unaccounted()), ([0, 1, 0], 0));
    let text = error.to_string();
    assert!(text.contains("traces: 1 item was not delivered in time"), "{text}");
    assert!(text.contains("logs: 1 item was not delivered in time"), "{text}");
}

/// Blocks its thread until it is let go.
#[derive(Clone, Debug, Default)]
struct Blocks(std::sync::Arc<(std::sync::Mutex<bool>, std::sync::Condvar)>);

impl Blocks {
    fn let_go(&self) {
        *self.0.0.lock().unwrap() = true;
        self.0.1.notify_all();
    }
}

impl otlp_core::export::Exporter for Blocks {
    async fn export(
        &self,
        _: otlp_core::Payload,
        _: otlp_core::export::Deadline,
    ) -> otlp_core::export::Outcome {
        let free = self.0.0.lock().unwrap();
        drop(self.0.1.wait_while(free, |free| !*free).unwrap());
        otlp_core::export::Outcome::delivered()
    }
}

/// Telemetry whose export threads are stuck, with 300 ms for its end.
fn stuck(exporter: &Blocks) -> TelemetryGuard {
    let telemetry = env([])
        .with_shutdown_timeout(Duration::from_millis(300))
        // Does not take the limit back.
        .with_batch_config(otlp_sdk::BatchConfig::default())
        .with_span_exporter(exporter.clone())
        .with_metric_exporter(exporter.clone())
        .with_log_exporter(exporter.clone())
        .init()
        .unwrap();
    one_of_each(&telemetry);
    telemetry
}

#[test]
fn the_end_waits_once_for_exporters_that_block_their_threads() {
    let exporter = Blocks::default();
    let begun = Instant::now();
    stuck(&exporter).shutdown().unwrap_err();
    drop(stuck(&exporter));
    assert!(begun.elapsed() < Duration::from_secs(4), "{:?}", begun.elapsed());
    exporter.let_go();
}

#[tokio::test(flavor = "current_thread")]
async fn an_asynchronous_end_does_not_block_when_exporters_do() {
    let exporter = Blocks::default();
    let telemetry = stuck(&exporter);
    let ticks = tokio::spawn(async {
        let mut longest = Duration::ZERO;
        loop {
            let begun = Instant::now();
            tokio::time::sleep(Duration::from_millis(10)).await;
            longest = longest.max(begun.elapsed());
            TICKS.store(longest.as_millis() as u64, std::sync::atomic::Ordering::Relaxed);
        }
    });
    telemetry.shutdown_async().await.unwrap_err();
    ticks.abort();
    let longest = TICKS.load(std::sync::atomic::Ordering::Relaxed);
    assert!(longest < 1_000, "the runtime stood still for {longest} ms");
    exporter.let_go();
}

static TICKS: std::sync::atomic::AtomicU64 = std::sync::atomic::AtomicU64::new(0);

#[test]
fn a_setting_that_all_signals_read_is_reported_once() {
    let warnings = std::sync::Arc::new(std::sync::Mutex::new(Vec::new()));
    let writer = Captured(std::sync::Arc::clone(&warnings));
    let subscriber = tracing_subscriber::fmt().with_writer(move || writer.clone()).finish();
    tracing::subscriber::with_default(subscriber, || {
        drop(env([("OTEL_EXPORTER_OTLP_TIMEOUT", "soon")]).init().unwrap());
    });
    let text = String::from_utf8(warnings.lock().unwrap().clone()).unwrap();
    assert_eq!(text.matches("OTEL_EXPORTER_OTLP_TIMEOUT").count(), 1, "{text}");
}

/// A subscriber whose events panic.
struct Bad;

impl tracing::Subscriber for Bad {
    fn enabled(&self, _: &tracing::Metadata<'_>) -> bool {
        true
    }
    fn new_span(&self, _: &tracing::span::Attributes<'_>) -> tracing::span::Id {
        tracing::span::Id::from_u64(1)
    }
    fn record(&self, _: &tracing::span::Id, _: &tracing::span::Record<'_>) {}
    fn record_follows_from(&self, _: &tracing::span::Id, _: &tracing::span::Id) {}
    fn event(&self, event: &tracing::Event<'_>) {
        panic!("not ours: {:?}", event.metadata());
    }
    fn enter(&self, _: &tracing::span::Id) {}
    fn exit(&self, _: &tracing::span::Id) {}
}

#[test]
fn a_subscriber_that_panics_ends_no_set_up_no_flush_no_shutdown_and_no_drop() {
    // What the API's own macros and meters say on this thread is between them and the subscriber.
    let measure = |telemetry: &_| {
        let nobody = tracing::subscriber::NoSubscriber::default();
        tracing::subscriber::with_default(nobody, || one_of_each(telemetry));
    };
    let server = Server::start();
    tracing::subscriber::with_default(Bad, || {
        let telemetry = env([]).with_self_observability(true).with_endpoint(server.http_endpoint());
        let telemetry = telemetry.init().unwrap();
        measure(&telemetry);
        telemetry.announce();
        telemetry.force_flush().unwrap();
        telemetry.shutdown().unwrap();
        // With losses to tell of, in a drop.
        let dead = env([]).with_endpoint("http://127.0.0.1:1");
        let telemetry = dead.with_shutdown_timeout(Duration::from_millis(100)).init().unwrap();
        measure(&telemetry);
        drop(telemetry);
    });
    let [spans, metrics, logs] = arrived(&server);
    assert!(spans == 1 && logs == 1 && metrics > 1, "{spans} {logs} {metrics}");
}

/// Sets telemetry up and ends it when it is looked at.
struct SetsUp(Server);

impl std::fmt::Debug for SetsUp {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let telemetry = env([]).with_self_observability(true).with_endpoint(self.0.http_endpoint());
        let telemetry = telemetry.init().unwrap();
        one_of_each(&telemetry);
        telemetry.force_flush().unwrap();
        telemetry.shutdown().unwrap();
        f.write_str("set up")
    }
}

/// `tracing` panics where a subscriber is changed from within one.
#[test]
fn telemetry_may_be_set_up_and_ended_in_the_middle_of_an_event() {
    let said = std::sync::Arc::new(std::sync::Mutex::new(Vec::new()));
    let writer = Captured(std::sync::Arc::clone(&said));
    let subscriber = tracing_subscriber::fmt().with_writer(move || writer.clone()).finish();
    let field = SetsUp(Server::start());
    tracing::subscriber::with_default(subscriber, || tracing::info!(?field, "event"));
    let [spans, metrics, logs] = arrived(&field.0);
    assert!(spans == 1 && logs == 1 && metrics > 1, "{spans} {logs} {metrics}");
    let said = String::from_utf8(said.lock().unwrap().clone()).unwrap();
    assert!(said.contains("event field=set up"), "{said}");
}

#[test]
fn a_subscriber_that_panics_ends_no_set_up_of_the_global_providers() {
    child::run("a_subscriber_that_panics_ends_no_set_up_of_the_global_providers", &[], || {
        let server = Server::start();
        tracing::subscriber::with_default(Bad, || {
            let telemetry = otlp_sdk::builder().with_endpoint(server.http_endpoint());
            telemetry.init().unwrap().shutdown().unwrap();
        });
    });
}

#[test]
fn spans_that_are_open_at_shutdown_are_told_of_and_a_record_after_it_is_counted() {
    let said = std::sync::Arc::new(std::sync::Mutex::new(Vec::new()));
    let writer = Captured(std::sync::Arc::clone(&said));
    let subscriber = tracing_subscriber::fmt().with_writer(move || writer.clone()).finish();
    let memory = InMemoryExporter::default;
    let telemetry =
        env([]).with_span_exporter(memory()).with_log_exporter(memory()).without(Signal::Metrics);
    let telemetry = telemetry.init().unwrap();
    let tracer = telemetry.tracer_provider().tracer("all");
    tracer.start("ended").end();
    let open = tracer.start("open");
    let loggers = telemetry.logger_provider().clone();
    tracing::subscriber::with_default(subscriber, || telemetry.shutdown().unwrap());
    drop(open);
    let said = String::from_utf8(said.lock().unwrap().clone()).unwrap();
    assert!(said.contains("spans are open") && said.contains("open=1"), "{said}");
    let logger = loggers.logger("late");
    assert!(!logger.event_enabled(opentelemetry::logs::Severity::Info, "late", None));
    assert_eq!(loggers.ledger().started_after_shutdown, 1);
    assert!(loggers.ledger().to_string().ends_with("; started after shutdown 1"));
}

#[test]
fn a_second_set_up_is_told_of() {
    child::run("a_second_set_up_is_told_of", &[], || {
        let said = std::sync::Arc::new(std::sync::Mutex::new(Vec::new()));
        let writer = Captured(std::sync::Arc::clone(&said));
        let subscriber = tracing_subscriber::fmt().with_writer(move || writer.clone()).finish();
        tracing::subscriber::with_default(subscriber, || {
            let first = otlp_sdk::init().unwrap();
            drop(otlp_sdk::init().unwrap());
            drop(first);
        });
        let said = String::from_utf8(said.lock().unwrap().clone()).unwrap();
        assert_eq!(said.matches("set up once more").count(), 1, "{said}");
    });
}

#[derive(Clone)]
struct Captured(std::sync::Arc<std::sync::Mutex<Vec<u8>>>);

impl std::io::Write for Captured {
    fn write(&mut self, text: &[u8]) -> std::io::Result<usize> {
        self.0.lock().unwrap().extend_from_slice(text);
        Ok(text.len())
    }

    fn flush(&mut self) -> std::io::Result<()> {
        Ok(())
    }
}

#[test]
fn the_global_meter_provider_is_installed() {
    let server = Server::start();
    let variables = [("OTEL_EXPORTER_OTLP_ENDPOINT", &*server.http_endpoint())];
    let parent = child::run("the_global_meter_provider_is_installed", &variables, || {
        let _telemetry = otlp_sdk::init().unwrap();
        global::meter("shop").u64_counter("orders").build().add(2, &[]);
    });
    if parent {
        assert_eq!(arrived(&server), [0, 1, 0]);
    }
}

#[test]
fn the_sdk_says_no_more_of_itself_than_the_variable_allows() {
    let name = "the_sdk_says_no_more_of_itself_than_the_variable_allows";
    child::run(name, &[("OTEL_LOG_LEVEL", "warn"), ("OTEL_METRIC_EXPORT_INTERVAL", "x")], || {
        let said = std::sync::Arc::new(std::sync::Mutex::new(Vec::new()));
        let writer = Captured(std::sync::Arc::clone(&said));
        let subscriber = tracing_subscriber::fmt().with_writer(move || writer.clone()).finish();
        tracing::subscriber::with_default(subscriber, || drop(otlp_sdk::init().unwrap()));
        let said = String::from_utf8(said.lock().unwrap().clone()).unwrap();
        assert!(said.contains("OTEL_METRIC_EXPORT_INTERVAL"), "{said}");
        assert!(!said.contains("telemetry is set up"), "{said}");
    });
}

#[test]
fn the_console_prints_every_signal() {
    // R11
    let name = "the_console_prints_every_signal";
    let variables = [
        ("OTEL_TRACES_EXPORTER", "console"),
        ("OTEL_METRICS_EXPORTER", "console"),
        ("OTEL_LOGS_EXPORTER", "console"),
        ("OTEL_SERVICE_NAME", "looked at"),
    ];
    let printed = child::output(name, &variables, || {
        let telemetry = otlp_sdk::init().unwrap();
        one_of_each(&telemetry);
        let ledgers = telemetry.shutdown().unwrap();
        assert_eq!(Signal::ALL.map(|signal| ledgers.of(signal).delivered), [1, 1, 1], "{ledgers}");
    });
    let Some(printed) = printed else { return };
    for item in ["\nspan span\n  trace ", "\nmetric count\n  kind     sum", "\nlog \"log\"\n"] {
        let (before, _) = printed.split_once(item).unwrap_or_else(|| panic!("{item}: {printed}"));
        let head = before.rsplit_once("resource ").unwrap().1;
        assert!(head.contains("service.name=\"looked at\"") && head.ends_with("\nscope all"));
    }
}

#[cfg(feature = "tracing")]
#[test]
fn the_guards_layer_makes_spans_and_log_records_of_tracing() {
    use tracing_subscriber::layer::SubscriberExt as _;

    for (exporter, expected) in [("otlp", [1, 0, 1]), ("none", [1, 0, 0])] {
        let server = Server::start();
        let telemetry = env([("OTEL_LOGS_EXPORTER", exporter)]);
        let telemetry = telemetry.with_endpoint(server.http_endpoint()).init().unwrap();
        let subscriber = tracing_subscriber::registry().with(telemetry.tracing_layer());
        tracing::subscriber::with_default(subscriber, || {
            // Words of our own are no telemetry.
            telemetry.announce();
            tracing::info_span!("work").in_scope(|| {
                telemetry.announce();
                tracing::info!("working");
            });
        });
        telemetry.shutdown().unwrap();
        assert_eq!(arrived(&server), expected, "{exporter}");
        let events = server.spans()[0].record.span.events.len();
        assert_eq!(events == 1, exporter == "none", "each event is in one place");
    }
}
