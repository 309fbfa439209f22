//! The logs SDK through its API traits: what is set arrives, in the record's own fields.

#![allow(
    clippy::unwrap_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "helpers of tests fail by panicking, as tests do"
)]

use std::collections::HashMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, SystemTime};

use opentelemetry::logs::{AnyValue, LogRecord as _, Logger as _, LoggerProvider as _, Severity};
use opentelemetry::trace::{
    SpanContext, SpanId, TraceContextExt as _, TraceFlags, TraceId, TraceState,
};
use opentelemetry::{Context, InstrumentationScope, Key, KeyValue};
use otlp_core::wire::AnyValueView;
use otlp_core::{AttributeLimits, LogRecordLimits, ValueLimits};
use otlp_sdk::logs::{
    ActiveLogRecord, LogRecordProcessor, Logger, LoggerProvider, LoggerProviderBuilder,
};
use otlp_sdk::resource::Resource;
use otlp_sdk::testing::{InMemoryExporter, RecordedLogRecord};
use otlp_sdk::{BatchConfig, DropReason, Ledger};
use otlp_testing::Message;

/// A provider with one batch pipeline into memory.
struct Bench {
    exporter: InMemoryExporter,
    provider: LoggerProvider,
    logger: Logger,
}

impl Bench {
    fn new() -> Self {
        Self::with(|builder| builder)
    }

    fn with(configure: impl FnOnce(LoggerProviderBuilder) -> LoggerProviderBuilder) -> Self {
        let exporter = InMemoryExporter::default();
        let builder = LoggerProvider::builder().with_resource(Resource::empty());
        let provider = configure(builder).with_batch_exporter(exporter.clone()).build();
        let logger = provider.logger("bench");
        Self { exporter, provider, logger }
    }

    fn emit(&self, body: &str) {
        let mut record = self.logger.create_log_record();
        record.set_body(body.to_owned().into());
        self.logger.emit(record);
    }

    fn records(&self) -> Vec<RecordedLogRecord> {
        self.provider.force_flush().unwrap();
        for payload in self.exporter.payloads() {
            // A request that prost does not read is none.
            assert_eq!(Message::of(&payload).unwrap().items(), payload.items());
        }
        self.exporter.log_records()
    }

    fn bodies(&self) -> Vec<String> {
        self.records().iter().map(|record| text(record.body.as_ref().unwrap())).collect()
    }

    fn ledger(&self) -> Ledger {
        let ledger = self.provider.ledger();
        assert_eq!(ledger.unaccounted(), 0, "{ledger}");
        ledger
    }
}

fn text(value: &AnyValue) -> String {
    match value {
        AnyValue::String(text) => text.as_str().to_owned(),
        other => panic!("{other:?}"),
    }
}

fn span(flags: TraceFlags) -> SpanContext {
    let (trace_id, span_id) = (TraceId::from(7), SpanId::from(9));
    SpanContext::new(trace_id, span_id, flags, false, TraceState::NONE)
}

#[test]
fn everything_that_is_set_arrives() {
    let bench = Bench::new();
    let scope = InstrumentationScope::builder("lib")
        .with_version("1.2")
        .with_schema_url("https://example.test/1")
        .with_attributes([KeyValue::new("of", "scope")])
        .build();
    let logger = bench.provider.logger_with_scope(scope.clone());
    let (time, observed) = (at(5), at(6));
    let map = HashMap::from([(Key::new("inner"), AnyValue::Bytes(Box::new(vec![0, 255])))]);
    let mut record = logger.create_log_record();
    record.set_timestamp(time);
    record.set_observed_timestamp(observed);
    record.set_severity_number(Severity::Error2);
    record.set_severity_text("ERR");
    record.set_event_name("device.failed");
    record.set_body(AnyValue::Map(Box::new(map.clone())));
    record.add_attributes([("int", AnyValue::Int(-3)), ("float", f64::INFINITY.into())]);
    record.add_attribute("list", AnyValue::from_iter(["a", "b"]));
    record.add_attribute("flag", true);
    record.set_trace_context(TraceId::from(1), SpanId::from(2), Some(TraceFlags::SAMPLED));
    logger.emit(record);

    let records = bench.records();
    let [record] = &records[..] else { panic!("{records:?}") };
    assert_eq!((record.time, record.observed_time), (Some(time), observed));
    assert_eq!(record.severity_number, Some(Severity::Error2));
    assert_eq!(record.severity_text, "ERR");
    assert_eq!(record.event_name, "device.failed");
    assert_eq!(record.body, Some(AnyValue::Map(Box::new(map))));
    assert_eq!(record.attribute("int"), Some(&AnyValue::Int(-3)));
    assert_eq!(record.attribute("float"), Some(&AnyValue::Double(f64::INFINITY)));
    assert_eq!(record.attribute("list"), Some(&AnyValue::from_iter(["a", "b"])));
    assert_eq!(record.attribute("flag"), Some(&AnyValue::Boolean(true)));
    assert_eq!((record.trace_id, record.span_id), (Some(TraceId::from(1)), Some(SpanId::from(2))));
    assert_eq!(record.trace_flags, TraceFlags::SAMPLED);
    assert_eq!(record.scope, scope);
    assert_eq!(bench.ledger().created, 1);
}

#[test]
fn the_active_span_and_the_time_of_observation_are_filled_in() {
    // G-L2
    let bench = Bench::new();
    let before = SystemTime::now();
    let active = Context::new().with_remote_span_context(span(TraceFlags::SAMPLED));
    {
        let _active = active.attach();
        bench.emit("inside");
        let mut record = bench.logger.create_log_record();
        record.set_trace_context(TraceId::from(1), SpanId::INVALID, None);
        record.set_body("told".into());
        bench.logger.emit(record);
    }
    bench.emit("outside");
    let records = bench.records();
    let ids: Vec<_> = records.iter().map(|record| (record.trace_id, record.span_id)).collect();
    let inside = (Some(TraceId::from(7)), Some(SpanId::from(9)));
    assert_eq!(ids, [inside, (Some(TraceId::from(1)), None), (None, None)]);
    assert_eq!(records[0].trace_flags, TraceFlags::SAMPLED);
    let observed = records[0].observed_time;
    let slack = Duration::from_secs(1);
    assert!(observed + slack > before && observed < SystemTime::now() + slack, "{observed:?}");
    assert_eq!(records[0].time, None, "nobody has said when it happened");
}

#[test]
fn invalid_ids_mean_no_trace() {
    // F7
    let bench = Bench::new();
    let mut record = bench.logger.create_log_record();
    record.set_trace_context(TraceId::INVALID, SpanId::from(1), Some(TraceFlags::SAMPLED));
    let active = Context::new().with_remote_span_context(span(TraceFlags::SAMPLED));
    let _active = active.attach();
    bench.logger.emit(record);
    let record = &bench.records()[0];
    assert_eq!((record.trace_id, record.span_id), (None, None));
    assert_eq!(record.trace_flags, TraceFlags::default());
}

#[test]
fn the_last_value_of_a_key_wins_and_what_is_too_much_is_counted() {
    // W5, G-L5
    let attributes =
        AttributeLimits { count: 2, value: ValueLimits { length: 3, ..ValueLimits::DEFAULT } };
    let bench = Bench::with(|it| it.with_log_record_limits(LogRecordLimits { attributes }));
    let mut record = bench.logger.create_log_record();
    record.set_body("a long body".into());
    record.add_attributes([("a", "first"), ("b", "second"), ("c", "third"), ("a", "last")]);
    bench.logger.emit(record);
    let record = &bench.records()[0];
    assert_eq!(record.body, Some("a long body".into()), "limits hold for attributes only");
    assert_eq!(record.attributes, [("a".into(), "las".into()), ("b".into(), "sec".into())]);
    assert_eq!(record.dropped_attributes, 1);
    assert_eq!(bench.ledger().limited, 1);
}

#[test]
fn a_value_that_is_nested_too_deep_is_emptied_there_and_counted() {
    // L3: neither a body nor a value has a dropped count of its own.
    let nested = |levels| {
        let list = |inner| AnyValue::ListAny(Box::new(vec![inner]));
        (0..levels).fold(AnyValue::from("leaf"), |inner, _| list(inner))
    };
    let leaves = |record: &RecordedLogRecord| format!("{:?}", record.body).matches("leaf").count();
    let bench = Bench::new();
    for (body, attribute) in [(47, 45), (48, 1), (1, 46), (48, 46)] {
        let mut record = bench.logger.create_log_record();
        record.set_body(nested(body));
        record.add_attribute("deep", nested(attribute));
        bench.logger.emit(record);
    }
    let kept: Vec<_> = bench.records().iter().map(leaves).collect();
    assert_eq!(kept, [1, 0, 1, 0]);
    assert_eq!(bench.ledger().limited, 3);
}

#[test]
fn a_logger_without_a_name_works_and_keeps_what_it_was_given() {
    // G-L1
    let bench = Bench::new();
    let scope = InstrumentationScope::builder("").with_version("1").build();
    for logger in [bench.provider.logger(""), bench.provider.logger_with_scope(scope)] {
        let mut record = logger.create_log_record();
        record.set_body("kept".into());
        logger.emit(record);
    }
    let records = bench.records();
    assert!(records.iter().all(|record| record.body == Some("kept".into())), "{records:?}");
    let mut scopes: Vec<_> =
        records.iter().map(|record| (record.scope.name(), record.scope.version())).collect();
    scopes.sort_unstable();
    assert_eq!(scopes, [("", None), ("", Some("1"))]);
    assert_eq!(bench.ledger().delivered, 2);
}

#[test]
fn a_target_stands_for_the_name_of_the_scope() {
    let bench = Bench::new();
    let scope = InstrumentationScope::builder("bridge").with_version("1").build();
    let logger = bench.provider.logger_with_scope(scope);
    for target in ["app::a", "app::b", "app::a"] {
        let mut record = logger.create_log_record();
        record.set_target(target);
        logger.emit(record);
    }
    logger.emit(logger.create_log_record());
    let records = bench.records();
    let mut scopes: Vec<_> =
        records.iter().map(|record| (record.scope.name(), record.scope.version())).collect();
    scopes.sort_unstable();
    let of = |name| (name, Some("1"));
    assert_eq!(scopes, [of("app::a"), of("app::a"), of("app::b"), of("bridge")]);
    let requests: Vec<_> = bench.exporter.payloads();
    let groups = |request: &otlp_core::Payload| match Message::of(request).unwrap() {
        Message::Logs(logs) => logs.resource_logs[0].scope_logs.len(),
        other => panic!("{other:?}"),
    };
    assert_eq!(requests.iter().map(groups).sum::<usize>(), 3, "one group for each name");
}

#[test]
fn more_targets_than_are_remembered_work_as_well() {
    let bench = Bench::new();
    for at in 0..5000 {
        let mut record = bench.logger.create_log_record();
        record.set_target(format!("target-{at}"));
        bench.logger.emit(record);
    }
    let records = bench.records();
    let mut names: Vec<_> = records.iter().map(|record| record.scope.name().to_owned()).collect();
    names.sort_unstable();
    names.dedup();
    assert_eq!(names.len(), 5000);
}

/// Changes records, and remembers what it saw.
#[derive(Clone, Debug, Default)]
struct Mark(Arc<AtomicUsize>);

impl LogRecordProcessor for Mark {
    fn on_emit(&self, record: &mut ActiveLogRecord<'_>) {
        let seen = self.0.fetch_add(1, Ordering::Relaxed);
        record.set_attribute("seen", i64::try_from(seen).unwrap());
        record.remove_attribute("secret");
        if let Some(AnyValueView::String(body)) = record.body() {
            let body = format!("{body}!");
            record.set_body(body);
        }
        record.set_severity(Severity::Fatal, "marked");
        record.set_event_name("marked");
    }
}

#[test]
fn processors_change_a_record_in_order_and_what_comes_later_sees_it() {
    // G-L3
    let (before, between) = (InMemoryExporter::default(), Mark::default());
    let bench = Bench::with(|builder| {
        let builder = builder.with_batch_exporter(before.clone());
        builder.with_log_record_processor(between.clone()).with_log_record_processor(between)
    });
    let mut record = bench.logger.create_log_record();
    record.set_target("module");
    record.set_body("body".into());
    record.add_attribute("secret", "password");
    bench.logger.emit(record);

    let after = &bench.records()[0];
    assert_eq!(after.body, Some("body!!".into()));
    assert_eq!(after.attributes, [("seen".into(), AnyValue::Int(1))]);
    assert_eq!((after.severity_number, &*after.event_name), (Some(Severity::Fatal), "marked"));
    let before = &before.log_records()[0];
    assert_eq!(before.body, Some("body".into()));
    assert_eq!(before.attribute("secret"), Some(&"password".into()));
    assert_eq!((before.scope.name(), after.scope.name()), ("module", "module"));
    assert_eq!(bench.ledger().ended, 2, "owed to both");
}

/// Wants only errors.
#[derive(Debug)]
struct Errors;

impl LogRecordProcessor for Errors {
    fn on_emit(&self, _record: &mut ActiveLogRecord<'_>) {}

    fn event_enabled(&self, severity: Severity, target: &str, name: Option<&str>) -> bool {
        assert_eq!((target, name), ("target", Some("name")));
        severity >= Severity::Error
    }
}

#[test]
fn a_logger_is_enabled_if_anybody_wants_the_record() {
    // G-L4
    let enabled = |builder: LoggerProviderBuilder| {
        let logger = builder.with_resource(Resource::empty()).build().logger("x");
        [Severity::Info, Severity::Error].map(|it| logger.event_enabled(it, "target", Some("name")))
    };
    let builder = LoggerProvider::builder;
    assert_eq!(enabled(builder()), [false, false], "nobody is there");
    assert_eq!(enabled(builder().with_log_record_processor(Errors)), [false, true]);
    let both = builder().with_log_record_processor(Errors);
    assert_eq!(enabled(both.with_batch_exporter(InMemoryExporter::default())), [true, true]);
}

#[test]
fn a_processor_that_panics_and_one_that_logs_harm_nobody() {
    #[derive(Debug)]
    struct Broken(std::sync::OnceLock<Logger>);
    impl LogRecordProcessor for Broken {
        fn on_emit(&self, _record: &mut ActiveLogRecord<'_>) {
            let logger = self.0.get().unwrap();
            let mut record = logger.create_log_record();
            record.set_body("from a processor".into());
            logger.emit(record);
            panic!("not ours");
        }
    }
    #[derive(Debug)]
    struct Shared(Arc<Broken>);
    impl LogRecordProcessor for Shared {
        fn on_emit(&self, record: &mut ActiveLogRecord<'_>) {
            self.0.on_emit(record);
        }
    }
    let broken = Arc::new(Broken(std::sync::OnceLock::new()));
    let bench = Bench::with(|it| it.with_log_record_processor(Shared(Arc::clone(&broken))));
    broken.0.set(bench.logger.clone()).unwrap();
    bench.emit("ours");
    let mut bodies = bench.bodies();
    bodies.sort_unstable();
    assert_eq!(bodies, ["from a processor", "ours"]);
    let ledger = bench.ledger();
    assert_eq!((ledger.panics, ledger.sampled_out), (2, 1), "what that one logged is not recorded");
}

#[test]
fn nothing_is_recorded_where_telemetry_is_suppressed() {
    let bench = Bench::new();
    {
        let _suppressed = Context::enter_telemetry_suppressed_scope();
        assert!(!bench.logger.enabled());
        assert!(!bench.logger.event_enabled(Severity::Info, "", None));
        bench.emit("suppressed");
    }
    bench.emit("heard");
    assert_eq!(bench.bodies(), ["heard"]);
    assert_eq!((bench.ledger().created, bench.ledger().sampled_out), (2, 1));
}

#[test]
fn a_record_that_is_not_emitted_is_forgotten() {
    let bench = Bench::new();
    let mut record = bench.logger.create_log_record();
    record.set_body("never said".into());
    record.set_target("elsewhere");
    drop(record);
    bench.logger.emit(bench.logger.create_log_record());
    let records = bench.records();
    assert_eq!((records.len(), records[0].body.clone()), (1, None));
    assert_eq!(records[0].scope.name(), "bench");
}

#[test]
fn a_record_made_by_one_logger_goes_out_by_the_one_that_emits_it() {
    let (first, second) = (Bench::new(), Bench::new());
    let mut record = first.logger.create_log_record();
    record.set_target("t");
    second.logger.emit(record);
    second.logger.emit(first.logger.create_log_record());
    assert_eq!((first.records().len(), second.records().len()), (0, 2));
}

#[test]
fn what_is_emitted_after_shutdown_is_counted() {
    let bench = Bench::new();
    bench.emit("before");
    let open = bench.logger.create_log_record();
    bench.provider.shutdown().unwrap();
    assert!(!bench.logger.enabled());
    bench.logger.emit(open);
    bench.emit("after");
    let ledger = bench.ledger();
    assert_eq!((ledger.delivered, ledger.dropped(DropReason::AfterShutdown)), (1, 1), "{ledger}");
    assert_eq!((ledger.created, ledger.started_after_shutdown), (3, 1));
}

#[test]
fn the_last_user_of_a_provider_delivers_what_is_held() {
    let Bench { exporter, provider, logger } = Bench::new();
    logger.emit(logger.create_log_record());
    drop(provider);
    assert_eq!(exporter.log_records().len(), 0, "somebody can still log");
    drop(logger);
    assert_eq!(exporter.log_records().len(), 1);
}

#[test]
fn a_body_of_ten_megabytes_is_delivered_where_a_request_may_be_that_large_and_else_counted() {
    let body = "x".repeat(10 * 1024 * 1024);
    let large = BatchConfig::default().with_max_request_bytes(16 * 1024 * 1024);
    let exporter = InMemoryExporter::default();
    let provider = LoggerProvider::builder()
        .with_batch_exporter_config(exporter.clone(), large)
        .with_batch_exporter(InMemoryExporter::default())
        .build();
    let logger = provider.logger("large");
    let mut record = logger.create_log_record();
    record.set_body(body.clone().into());
    logger.emit(record);
    provider.force_flush().unwrap_err();
    assert_eq!(exporter.log_records()[0].body, Some(body.into()));
    let [taken, refused] = provider.ledgers().try_into().unwrap();
    assert_eq!((taken.delivered, refused.dropped(DropReason::TooLarge)), (1, 1));

    // Larger than any request: not even encoded.
    let mut record = logger.create_log_record();
    record.set_body("x".repeat(65 * 1024 * 1024).into());
    logger.emit(record);
    let [first, second] = provider.ledgers().try_into().unwrap();
    let counts = [first, second].map(|ledger| ledger.dropped(DropReason::TooLarge));
    assert_eq!(counts, [1, 2]);
    assert_eq!([first.unaccounted(), second.unaccounted()], [0, 0]);
}

#[test]
fn records_of_many_threads_arrive_each_once() {
    let bench = Bench::new();
    std::thread::scope(|scope| {
        for thread in 0..4 {
            let bench = &bench;
            scope.spawn(move || (0..500).for_each(|at| bench.emit(&format!("{thread}/{at}"))));
        }
    });
    let mut bodies = bench.bodies();
    bodies.sort_unstable();
    bodies.dedup();
    assert_eq!(bodies.len(), 2000);
    assert_eq!(bench.ledger().delivered, 2000);
}

#[test]
fn a_thread_that_logs_in_the_destructor_of_a_local_loses_nothing() {
    struct LogsAtTheEnd(Arc<Bench>);
    impl Drop for LogsAtTheEnd {
        fn drop(&mut self) {
            self.0.emit("last words");
        }
    }
    thread_local! {
        static LAST: std::cell::RefCell<Option<LogsAtTheEnd>> =
            const { std::cell::RefCell::new(None) };
    }
    let bench = Arc::new(Bench::new());
    let logs_at_the_end = LogsAtTheEnd(Arc::clone(&bench));
    std::thread::spawn(move || {
        LAST.set(Some(logs_at_the_end));
        LAST.with_borrow(|last| last.as_ref().unwrap().0.emit("first"));
    })
    .join()
    .unwrap();
    let mut bodies = bench.bodies();
    bodies.sort_unstable();
    assert_eq!(bodies, ["first", "last words"]);
}

fn at(seconds: u64) -> SystemTime {
    SystemTime::UNIX_EPOCH + Duration::from_secs(seconds)
}
