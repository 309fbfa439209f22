//! Components other than the batch processor with its exporter: the simple processors and the reader.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use opentelemetry::logs::{Logger as _, LoggerProvider as _};
use opentelemetry::metrics::MeterProvider as _;
use opentelemetry::trace::{Span as _, Tracer as _, TracerProvider as _};
use otlp_sdk::BatchConfig;
use otlp_sdk::logs::LoggerProvider;
use otlp_sdk::trace::TracerProvider;
use otlp_testing::ScriptedExporter;

use crate::watched::Watched;
use crate::{HOUR, SCRIPTED};

#[test]
fn the_simple_processors_have_component_types_of_their_own() {
    // rows O3, O4, O10
    let watched = Watched::start();
    let meter = watched.provider.meter("otlp-sdk");
    let spans = TracerProvider::builder().with_simple_exporter(ScriptedExporter::new()).build();
    let logs = LoggerProvider::builder().with_simple_exporter(ScriptedExporter::new()).build();
    spans.observe(&meter);
    logs.observe(&meter);
    spans.tracer("test").start("span").end();
    let logger = logs.logger("test");
    (0..2).for_each(|_| logger.emit(logger.create_log_record()));
    spans.force_flush().unwrap();
    logs.force_flush().unwrap();

    let told = watched.read();
    for (signal, count) in [("span", 1), ("log", 2)] {
        let component = format!("otel.component.type=simple_{signal}_processor");
        for (key, value) in [
            (format!("otel.sdk.processor.{signal}.processed {component}"), count),
            (format!("otel.sdk.exporter.{signal}.exported {SCRIPTED}"), count),
        ] {
            assert_eq!(told.get(&key), Some(&value), "{key} in {told:#?}");
        }
    }
    assert!(!told.keys().any(|key| key.contains("batching")), "{told:#?}");
}

#[test]
fn a_queue_has_a_capacity_in_items_only_where_it_is_bounded_in_items() {
    // row O3
    for (config, expected) in [
        (BatchConfig::default(), None),
        (BatchConfig::default().with_max_queue_size(100), Some(100)),
    ] {
        let watched = Watched::start();
        let config = config.with_schedule_delay(HOUR);
        let spans = TracerProvider::builder()
            .with_batch_exporter_config(ScriptedExporter::new(), config.clone())
            .build();
        let logs = LoggerProvider::builder()
            .with_batch_exporter_config(ScriptedExporter::new(), config)
            .build();
        let meter = watched.provider.meter("otlp-sdk");
        spans.observe(&meter);
        logs.observe(&meter);
        let told = watched.read();
        for signal in ["span", "log"] {
            let of = |what| {
                let component = format!("otel.component.type=batching_{signal}_processor");
                told.get(&format!("otel.sdk.processor.{signal}.queue.{what} {component}"))
            };
            assert_eq!((of("size"), of("capacity")), (Some(&0), expected.as_ref()), "{told:#?}");
        }
    }
}

#[test]
fn a_collection_that_fails_has_an_error_and_the_next_one_none() {
    // row O8
    let watched = Watched::start();
    let meter = watched.provider.meter("otlp-sdk");
    watched.provider.observe(&meter);
    let fails = Arc::new(AtomicBool::new(true));
    let told = Arc::clone(&fails);
    let _counter = meter
        .u64_observable_counter("fragile")
        .with_callback(move |it| {
            assert!(!told.load(Ordering::Relaxed), "no value to be had");
            it.observe(1, &[]);
        })
        .build();
    watched.provider.force_flush().unwrap_err();
    fails.store(false, Ordering::Relaxed);
    watched.read();

    let told = watched.read();
    let duration = "otel.sdk.metric_reader.collection.duration";
    let component = "otel.component.type=periodic_metric_reader";
    for (key, value) in [
        (format!("{duration} error.type=collection_failed {component}"), 1),
        (format!("{duration} {component}"), 1),
    ] {
        assert_eq!(told.get(&key), Some(&value), "{key} in {told:#?}");
    }
}
