use std::time::Duration;

use opentelemetry::trace::{Span as _, Tracer as _, TracerProvider as _};

use super::*;
use crate::testing::InMemoryExporter;
use crate::trace::sampler::Sampler;
use crate::trace::{Tracer, TracerProvider};

fn start() -> (InMemoryExporter, TracerProvider, Span) {
    let exporter = InMemoryExporter::default();
    let provider = TracerProvider::builder().with_batch_exporter(exporter.clone()).build();
    let tracer: Tracer = provider.tracer("clock");
    let span = tracer.start("span");
    (exporter, provider, span)
}

/// Lets the span have started `by` earlier on the system clock, as if that had been set forward
/// meanwhile.
fn set_clock_forward(span: &mut Span, by: Duration) {
    let recorder = span.recorder.as_mut().unwrap();
    recorder.started.unix_nano -= by.as_nanos() as u64;
    let start = recorder.started.unix_nano;
    let identity = recorder.encoder.identity().clone();
    recorder.encoder.start(identity, "span", otlp_core::span::SpanKind::Internal, start);
}

fn duration(exporter: &InMemoryExporter, provider: &TracerProvider) -> Duration {
    provider.force_flush().unwrap();
    let spans = exporter.spans().unwrap();
    let view = spans[0].view().unwrap();
    Duration::from_nanos(view.end_time_unix_nano() - view.start_time_unix_nano())
}

const HOUR: Duration = Duration::from_secs(3600);

#[test]
fn a_boxed_span_keeps_its_duration_when_the_system_clock_is_set_forward() {
    // S8: a boxed span tells the time by the system clock, in its events and at its end.
    let (exporter, provider, mut span) = start();
    set_clock_forward(&mut span, HOUR);
    span.add_event_with_timestamp("now", SystemTime::now(), Vec::new());
    span.end_with_timestamp(SystemTime::now());
    assert!(duration(&exporter, &provider) < HOUR / 2);
    let spans = exporter.spans().unwrap();
    let view = spans[0].view().unwrap();
    let event = view.events().next().unwrap().unwrap();
    let within = view.start_time_unix_nano()..=view.end_time_unix_nano();
    assert!(within.contains(&event.time_unix_nano()));
}

#[test]
fn an_end_that_the_application_chose_is_kept() {
    let (exporter, provider, mut span) = start();
    span.end_with_timestamp(SystemTime::now() + HOUR);
    let duration = duration(&exporter, &provider);
    assert!(duration > HOUR / 2 && duration < HOUR * 2);
}

#[test]
fn the_clock_is_read_at_start_and_end_of_a_recorded_span_and_never_for_another() {
    let reads = |sampler: Sampler| {
        let exporter = InMemoryExporter::default();
        let provider =
            TracerProvider::builder().with_sampler(sampler).with_batch_exporter(exporter).build();
        let tracer = provider.tracer("clock");
        let before = crate::clock::READS.get();
        let mut span = tracer.start("span");
        span.set_attribute(KeyValue::new("key", 1));
        span.end();
        drop(tracer.start_with_context("child", &opentelemetry::Context::new()));
        crate::clock::READS.get() - before
    };
    assert_eq!(reads(Sampler::AlwaysOff), 0);
    assert_eq!(reads(Sampler::trace_id_ratio(0.0).unwrap()), 0);
    assert_eq!(reads(Sampler::AlwaysOn), 4);
}
