//! Each setting of `init()` has its effect, from code and from the environment.

#![allow(clippy::unwrap_used, reason = "helpers of tests fail by panicking, as tests do")]

mod child;

use std::io::Write;
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use opentelemetry::logs::{AnyValue, LogRecord as _, Logger as _, LoggerProvider as _};
use opentelemetry::metrics::MeterProvider as _;
use opentelemetry::propagation::TextMapPropagator as _;
use opentelemetry::trace::{Span as _, Tracer as _, TracerProvider as _};
use opentelemetry::{Key, global};
use opentelemetry_sdk::metrics::{Instrument, Stream, Temporality};
use otlp_core::export::{Env, ErrorKind, ExportError, Outcome};
use otlp_core::{AttributeLimits, LogRecordLimits, Signal, ValueLimits};
use otlp_sdk::logs::{ActiveLogRecord, LogRecordProcessor};
use otlp_sdk::metrics::{HistogramAggregation, ReaderConfig};
use otlp_sdk::propagation::{BaggagePropagator, Propagators, TraceContextPropagator};
use otlp_sdk::testing::{InMemoryExporter, MetricKind, RecordedLogRecord, Shape};
use otlp_sdk::{BatchConfig, LogLevel, TelemetryBuilder, TelemetryGuard};
use otlp_testing::{ScriptedExporter, Step};

/// What was exported of each signal.
#[derive(Default)]
struct Memory {
    spans: InMemoryExporter,
    metrics: InMemoryExporter,
    logs: InMemoryExporter,
}

impl Memory {
    /// In the order of [`Signal::ALL`].
    fn all(&self) -> [&InMemoryExporter; 3] {
        [&self.spans, &self.metrics, &self.logs]
    }

    fn items(&self) -> [usize; 3] {
        let Self { spans, metrics, logs } = self;
        [spans.finished_spans().len(), metrics.data_points().len(), logs.log_records().len()]
    }

    fn requests(&self) -> [usize; 3] {
        self.all().map(|exporter| exporter.payloads().len())
    }

    fn one_log_record(&self) -> RecordedLogRecord {
        let [record]: [_; 1] = self.logs.log_records().try_into().unwrap();
        record
    }
}

/// Settings from these variables alone, with exporters to `memory`.
fn to<'a>(
    memory: &Memory,
    variables: impl IntoIterator<Item = (&'a str, &'a str)>,
) -> TelemetryBuilder {
    let exporters = Signal::ALL.into_iter().zip(memory.all());
    exporters.fold(env(variables), |it, (signal, to)| it.with_exporter(signal, to.clone()))
}

fn env<'a>(variables: impl IntoIterator<Item = (&'a str, &'a str)>) -> TelemetryBuilder {
    otlp_sdk::builder().with_env(Env::from_pairs(variables)).without_globals()
}

/// Nothing leaves before it is asked for.
const ONLY_WHEN_ASKED: [(&str, &str); 3] = [
    ("OTEL_BSP_SCHEDULE_DELAY", "3600000"),
    ("OTEL_BLRP_SCHEDULE_DELAY", "3600000"),
    ("OTEL_METRIC_EXPORT_INTERVAL", "3600000"),
];

fn one_of_each(telemetry: &TelemetryGuard) {
    telemetry.tracer_provider().tracer("all").start("span").end();
    log(telemetry, "log");
    telemetry.meter_provider().meter("all").u64_counter("count").build().add(1, &[]);
}

/// A log record with two attributes.
fn log(telemetry: &TelemetryGuard, body: &'static str) {
    let logger = telemetry.logger_provider().logger("all");
    let mut record = logger.create_log_record();
    record.set_body(body.into());
    record.add_attribute("first", "value of it");
    record.add_attribute("second", 2);
    logger.emit(record);
}

fn delivered(telemetry: &TelemetryGuard) -> [u64; 3] {
    let ledgers = telemetry.ledger();
    Signal::ALL.map(|signal| ledgers.of(signal).delivered)
}

#[test]
fn a_view_has_its_effect() {
    // row M4
    let renamed = |instrument: &Instrument| {
        let stream = (instrument.name() == "count").then(Stream::builder)?;
        stream.with_name("renamed").build().ok()
    };
    let memory = Memory::default();
    let telemetry = to(&memory, []).with_view(renamed).init().unwrap();
    one_of_each(&telemetry);
    telemetry.shutdown().unwrap();
    let names: Vec<_> = memory.metrics.data_points().into_iter().map(|point| point.name).collect();
    assert_eq!(names, ["renamed"]);
}

#[test]
fn histograms_are_aggregated_as_code_says_or_else_the_environment() {
    // row M3
    const VARIABLE: &str = "OTEL_EXPORTER_OTLP_METRICS_DEFAULT_HISTOGRAM_AGGREGATION";
    const EXPONENTIAL: &str = "base2_exponential_bucket_histogram";
    use HistogramAggregation::{Base2Exponential, ExplicitBuckets};
    for (variable, code, expected) in [
        (None, None, MetricKind::Histogram),
        (None, Some(Base2Exponential), MetricKind::ExponentialHistogram),
        (Some(EXPONENTIAL), None, MetricKind::ExponentialHistogram),
        (Some(EXPONENTIAL), Some(ExplicitBuckets), MetricKind::Histogram),
    ] {
        let memory = Memory::default();
        let mut builder = to(&memory, variable.map(|value| (VARIABLE, value)));
        if let Some(code) = code {
            builder = builder.with_histogram_aggregation(code);
        }
        let telemetry = builder.init().unwrap();
        telemetry.meter_provider().meter("all").f64_histogram("time").build().record(1.5, &[]);
        telemetry.shutdown().unwrap();
        let kinds: Vec<_> =
            memory.metrics.data_points().into_iter().map(|point| point.kind).collect();
        assert_eq!(kinds, [expected], "{variable:?} {code:?}");
    }
}

#[test]
fn exponential_histograms_have_at_most_160_buckets_and_begin_with_scale_20() {
    // row M3
    let memory = Memory::default();
    let builder =
        to(&memory, []).with_histogram_aggregation(HistogramAggregation::Base2Exponential);
    let telemetry = builder.init().unwrap();
    let meter = telemetry.meter_provider().meter("all");
    meter.f64_histogram("one").build().record(1.5, &[]);
    let many = meter.f64_histogram("many").build();
    (1..=10_000).for_each(|value| many.record(f64::from(value), &[]));
    telemetry.shutdown().unwrap();
    let shape = |name| {
        let point = memory.metrics.data_point(name, &[]).unwrap();
        match &point.value.distribution().unwrap().shape {
            Shape::Exponential { scale, positive: (_, counts), .. } => (*scale, counts.len()),
            shape => panic!("{shape:?}"),
        }
    };
    assert_eq!(shape("one"), (20, 1));
    let (scale, buckets) = shape("many");
    assert!(scale < 20 && (81..=160).contains(&buckets), "{buckets} of scale {scale}");
}

#[derive(Debug)]
struct Mark;

impl LogRecordProcessor for Mark {
    fn on_emit(&self, record: &mut ActiveLogRecord<'_>) {
        record.set_attribute("marked", true);
    }
}

#[test]
fn a_processor_of_log_records_sees_them_before_the_exporter() {
    // row G-L3
    let memory = Memory::default();
    let telemetry = to(&memory, []).with_log_record_processor(Mark).init().unwrap();
    log(&telemetry, "one");
    telemetry.shutdown().unwrap();
    let record = memory.one_log_record();
    assert_eq!(record.attribute("marked"), Some(&AnyValue::Boolean(true)));
}

#[test]
fn log_records_are_cut_as_code_says_or_else_the_environment() {
    // rows L4, G-L5
    let none = LogRecordLimits::default();
    let cut = LogRecordLimits {
        attributes: AttributeLimits {
            count: 1,
            value: ValueLimits { length: 5, ..ValueLimits::DEFAULT },
        },
    };
    let variables = [
        ("OTEL_LOGRECORD_ATTRIBUTE_COUNT_LIMIT", "1"),
        ("OTEL_LOGRECORD_ATTRIBUTE_VALUE_LENGTH_LIMIT", "5"),
    ];
    for (variables, code, expected) in [
        (&[][..], None, (2, 0, "value of it")),
        (&[], Some(cut), (1, 1, "value")),
        (&variables, None, (1, 1, "value")),
        (&variables, Some(none), (2, 0, "value of it")),
    ] {
        let memory = Memory::default();
        let mut builder = to(&memory, variables.iter().copied());
        if let Some(code) = code {
            builder = builder.with_log_record_limits(code);
        }
        let telemetry = builder.init().unwrap();
        log(&telemetry, "one");
        telemetry.shutdown().unwrap();
        let record = memory.one_log_record();
        let (count, dropped, first) = expected;
        assert_eq!((record.attributes.len(), record.dropped_attributes), (count, dropped));
        let told = format!("{variables:?} {code:?}");
        assert_eq!(record.attributes.first(), Some(&(Key::new("first"), first.into())), "{told}");
    }
}

#[test]
fn log_records_are_batched_as_code_says_or_else_the_environment() {
    // row G-L3
    let by_one = BatchConfig::default().with_max_export_batch_size(1);
    for (variable, code, requests) in [
        ("OTEL_BSP_MAX_EXPORT_BATCH_SIZE", None, 1),
        ("OTEL_BSP_MAX_EXPORT_BATCH_SIZE", Some(by_one), 3),
        ("OTEL_BLRP_MAX_EXPORT_BATCH_SIZE", None, 3),
        ("OTEL_BLRP_MAX_EXPORT_BATCH_SIZE", Some(BatchConfig::default()), 1),
    ] {
        let memory = Memory::default();
        let mut builder = to(&memory, ONLY_WHEN_ASKED.into_iter().chain([(variable, "1")]));
        let told = format!("{variable} {code:?}");
        if let Some(code) = code {
            builder = builder.with_log_batch_config(code);
        }
        let telemetry = builder.init().unwrap();
        ["one", "two", "three"].into_iter().for_each(|body| log(&telemetry, body));
        telemetry.shutdown().unwrap();
        assert_eq!((memory.requests(), memory.items()), ([0, 0, requests], [0, 0, 3]), "{told}");
    }
}

#[test]
fn the_export_of_log_records_is_limited_by_their_own_variables() {
    let exporter = ScriptedExporter::new();
    let variables = [("OTEL_BLRP_EXPORT_TIMEOUT", "2000"), ("OTEL_BLRP_MAX_QUEUE_SIZE", "1")];
    let telemetry = env(variables)
        .with_log_exporter(exporter.clone())
        .without(Signal::Traces)
        .without(Signal::Metrics)
        .with_shutdown_timeout(Duration::ZERO)
        .init()
        .unwrap();
    log(&telemetry, "one");
    telemetry.force_flush().unwrap();
    let [deadline] = *exporter.deadlines() else { unreachable!("one export") };
    assert!(deadline.remaining(Instant::now()).unwrap() <= Duration::from_secs(2), "{deadline:?}");

    // One is held as long as its export lasts, so there is no room for another.
    exporter.respond_with([Step::Hang]);
    log(&telemetry, "held");
    log(&telemetry, "refused");
    let logs = telemetry.ledger().logs;
    assert_eq!((logs.delivered, logs.dropped(otlp_sdk::DropReason::QueueFull)), (1, 1), "{logs}");
}

#[test]
fn the_settings_of_the_metric_reader_have_their_effect() {
    // rows M9, M11
    let often = ReaderConfig::default()
        .with_interval(Duration::from_millis(10))
        .with_temporality(Temporality::Delta);
    let memory = Memory::default();
    let telemetry = to(&memory, ONLY_WHEN_ASKED).with_metric_reader_config(often).init().unwrap();
    one_of_each(&telemetry);
    let begun = Instant::now();
    while memory.metrics.data_points().is_empty() {
        assert!(begun.elapsed() < Duration::from_secs(30), "collected once an hour");
        std::thread::yield_now();
    }
    let point = memory.metrics.data_point("count", &[]).unwrap();
    assert_eq!((point.temporality, point.value), (Some(Temporality::Delta), 1.into()));
}

#[test]
fn code_says_whether_the_sdk_is_disabled_whatever_the_variable_says() {
    for (variable, code, expected) in
        [("false", true, [0, 0, 0]), ("true", false, [1, 1, 1]), ("true", true, [0, 0, 0])]
    {
        let memory = Memory::default();
        let builder = to(&memory, [("OTEL_SDK_DISABLED", variable)]).with_disabled(code);
        let telemetry = builder.init().unwrap();
        one_of_each(&telemetry);
        telemetry.shutdown().unwrap();
        assert_eq!(memory.items(), expected, "{variable} {code}");
    }
}

#[test]
fn the_propagators_from_code_are_installed_also_where_the_sdk_is_disabled() {
    let name = "the_propagators_from_code_are_installed_also_where_the_sdk_is_disabled";
    let fields =
        || global::get_text_map_propagator(|it| it.fields().map(str::to_owned).collect::<Vec<_>>());
    child::run(name, &[("OTEL_PROPAGATORS", "baggage"), ("OTEL_SDK_DISABLED", "true")], || {
        drop(otlp_sdk::init().unwrap());
        assert_eq!(fields(), Vec::from_iter(BaggagePropagator::new().fields()));
        let ours = Propagators::none().with(TraceContextPropagator::new());
        drop(otlp_sdk::builder().with_propagators(ours).init().unwrap());
        assert_eq!(fields(), Vec::from_iter(TraceContextPropagator::new().fields()));
    });
}

#[derive(Clone, Default)]
struct Captured(Arc<Mutex<Vec<u8>>>);

impl Write for Captured {
    fn write(&mut self, text: &[u8]) -> std::io::Result<usize> {
        self.0.lock().unwrap().extend_from_slice(text);
        Ok(text.len())
    }

    fn flush(&mut self) -> std::io::Result<()> {
        Ok(())
    }
}

/// What the SDK says while `work` runs.
fn said(work: impl FnOnce()) -> String {
    let said = Captured::default();
    let writer = said.clone();
    let subscriber = tracing_subscriber::fmt().with_writer(move || writer.clone()).finish();
    tracing::subscriber::with_default(subscriber, work);
    String::from_utf8(said.0.lock().unwrap().clone()).unwrap()
}

#[test]
fn the_sdk_says_no_more_of_itself_than_code_allows() {
    let name = "the_sdk_says_no_more_of_itself_than_code_allows";
    child::run(name, &[], || {
        // (variable, code, whether warnings are said, whether messages of the level "info" are)
        for (variable, code, warns, informs) in [
            ("error", LogLevel::Info, true, true),
            ("info", LogLevel::Warn, true, false),
            ("info", LogLevel::Off, false, false),
        ] {
            let variables = [("OTEL_LOG_LEVEL", variable), ("OTEL_BLRP_SCHEDULE_DELAY", "soon")];
            let builder = to(&Memory::default(), variables).with_log_level(code);
            let text = said(|| drop(builder.init().unwrap()));
            let is_said = |what: &str| text.contains(what);
            let told = (is_said("OTEL_BLRP_SCHEDULE_DELAY"), is_said("telemetry is set up"));
            assert_eq!(told, (warns, informs), "{variable} {code:?}: {text}");
        }
    });
}

#[tokio::test]
async fn a_flush_and_a_shutdown_that_are_awaited_deliver_every_signal() {
    let memory = Memory::default();
    let telemetry = to(&memory, ONLY_WHEN_ASKED).init().unwrap();
    one_of_each(&telemetry);
    assert_eq!(delivered(&telemetry), [0, 0, 0]);
    telemetry.force_flush_async(Duration::from_secs(30)).await.unwrap();
    assert_eq!(delivered(&telemetry), [1, 1, 1]);
    assert_eq!(memory.requests(), [1, 1, 1]);

    one_of_each(&telemetry);
    let ledgers = telemetry.shutdown_async().await.unwrap();
    assert_eq!(Signal::ALL.map(|signal| ledgers.of(signal).delivered), [2, 2, 2], "{ledgers}");
    assert_eq!((ledgers.unaccounted(), memory.requests()), (0, [2; 3]));
}

#[tokio::test]
async fn a_flush_and_a_shutdown_that_are_awaited_tell_which_signal_failed() {
    for failing in Signal::ALL {
        let exporter = ScriptedExporter::new();
        let refused = || Outcome::permanent(ExportError::new(ErrorKind::Other, "refused"));
        exporter.respond_by(move |_| refused().into());
        let telemetry = Signal::ALL
            .into_iter()
            .filter(|signal| *signal != failing)
            .fold(env(ONLY_WHEN_ASKED), |it, signal| {
                it.with_exporter(signal, InMemoryExporter::default())
            })
            .with_exporter(failing, exporter)
            .init()
            .unwrap();
        one_of_each(&telemetry);
        let error = telemetry.force_flush_async(Duration::from_secs(30)).await.unwrap_err();
        one_of_each(&telemetry);
        let last = telemetry.shutdown_async().await.unwrap_err();
        for error in [error, last.error] {
            let failed: Vec<_> = error.errors.iter().map(|(signal, _)| *signal).collect();
            assert_eq!(failed, [failing], "{error}");
        }
    }
}

/// The names of this process's threads, which Linux cuts off at 15 bytes.
#[cfg(target_os = "linux")]
fn threads() -> Vec<String> {
    let tasks = std::fs::read_dir("/proc/self/task").unwrap();
    let name = |task: std::io::Result<std::fs::DirEntry>| {
        std::fs::read_to_string(task.unwrap().path().join("comm")).unwrap().trim_end().to_owned()
    };
    tasks.map(name).collect()
}

#[cfg(target_os = "linux")]
#[test]
fn a_disabled_sdk_starts_no_thread_and_one_that_is_not_one_for_each_signal() {
    let name = "a_disabled_sdk_starts_no_thread_and_one_that_is_not_one_for_each_signal";
    child::run(name, &[], || {
        let before = threads();
        let memory = Memory::default();
        let by_variable = to(&memory, [("OTEL_SDK_DISABLED", "true")]);
        for builder in [by_variable, to(&memory, []).with_disabled(true)] {
            let telemetry = builder.init().unwrap();
            one_of_each(&telemetry);
            telemetry.force_flush().unwrap();
            assert_eq!(threads(), before, "while it is there");
            telemetry.shutdown().unwrap();
        }
        assert_eq!((threads(), memory.items()), (before, [0, 0, 0]));

        let telemetry = to(&memory, []).init().unwrap();
        one_of_each(&telemetry);
        telemetry.force_flush().unwrap();
        let now = threads();
        for signal in Signal::ALL {
            assert!(now.contains(&format!("otlp-{signal}")), "{signal}: {now:?}");
        }
    });
}
