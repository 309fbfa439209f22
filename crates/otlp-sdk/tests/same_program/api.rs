//! A program that knows the API only: every kind of telemetry, with most of what it may hold.

use std::time::SystemTime;

use opentelemetry::logs::{AnyValue, LogRecord as _, Logger as _, LoggerProvider, Severity};
use opentelemetry::metrics::MeterProvider;
use opentelemetry::trace::{
    Link, Span as _, SpanContext, SpanId, SpanKind, Status, TraceContextExt as _, TraceFlags,
    TraceId, TraceState, Tracer as _, TracerProvider,
};
use opentelemetry::{Array, Context, InstrumentationScope, KeyValue, StringValue, Value};

use crate::stacks::EXPONENTIAL;

/// The program. It knows the API only.
pub(crate) fn program<T, L>(tracers: &T, loggers: &L, meters: &impl MeterProvider)
where
    T: TracerProvider,
    T::Tracer: Send + Sync,
    <T::Tracer as opentelemetry::trace::Tracer>::Span: Send + Sync + 'static,
    L: LoggerProvider,
{
    let scope = InstrumentationScope::builder("shop")
        .with_version("1.2.3")
        .with_schema_url("https://example.test/shop/1")
        .with_attributes([KeyValue::new("team", "checkout"), KeyValue::new("tier", 1)])
        .build();
    let tracer = tracers.tracer_with_scope(scope.clone());
    let logger = loggers.logger_with_scope(scope.clone());
    let meter = meters.meter_with_scope(scope);

    let mut root = tracer
        .span_builder("checkout")
        .with_kind(SpanKind::Server)
        .with_attributes([KeyValue::new("http.route", "/checkout"), KeyValue::new("retry", false)])
        .start_with_context(&tracer, &remote_parent());
    root.set_attribute(KeyValue::new("items", 3));
    root.set_attribute(KeyValue::new("total", 12.5));
    root.set_attribute(KeyValue::new("names", array(["a", "", "ü"])));
    root.set_attribute(KeyValue::new("counts", Value::Array(Array::I64(vec![1, -2, i64::MAX]))));
    root.set_attribute(KeyValue::new("flags", Value::Array(Array::Bool(vec![true, false]))));
    root.set_attribute(KeyValue::new("parts", Value::Array(Array::F64(vec![0.1, f64::INFINITY]))));
    root.add_event("cart loaded", vec![KeyValue::new("lines", 2)]);
    root.add_link(remote_span("vendor=1"), vec![KeyValue::new("why", "queued")]);
    let inside = Context::new().with_span(root);

    let mut child = tracer
        .span_builder("charge")
        .with_kind(SpanKind::Client)
        .with_links(vec![Link::new(inside.span().span_context().clone(), Vec::new(), 0)])
        .start_with_context(&tracer, &inside);
    child.add_event_with_timestamp("sent", SystemTime::now(), Vec::new());
    child.set_status(Status::error("card declined"));
    child.update_name("charge card");
    child.end();
    tracers.tracer("other").start_with_context("quiet", &inside).end();
    inside.span().set_status(Status::Ok);
    {
        let _active = inside.clone().attach();
        let mut record = logger.create_log_record();
        record.set_severity_number(Severity::Warn);
        record.set_severity_text("WARN");
        record.set_body("card declined".into());
        record.set_target("shop::payment");
        record.add_attribute("card", "visa");
        record.add_attribute("tries", 2);
        logger.emit(record);
    }
    inside.span().end();

    let mut event = logger.create_log_record();
    event.set_event_name("order.placed");
    event.set_timestamp(SystemTime::now());
    event.set_body(AnyValue::from_iter([("id", AnyValue::Int(7))]));
    event.add_attribute("raw", AnyValue::Bytes(Box::new(vec![0, 159, 255])));
    event.add_attribute("list", AnyValue::from_iter([1.5, -0.0]));
    logger.emit(event);

    measure(&meter);
}

/// Every kind of instrument.
fn measure(meter: &opentelemetry::metrics::Meter) {
    let of = |paid: bool| [KeyValue::new("paid", paid), KeyValue::new("shop", "north")];
    let orders = meter.u64_counter("orders").with_unit("{order}").with_description("Orders.");
    let orders = orders.build();
    orders.add(2, &of(true));
    orders.add(3, &of(false));
    let open = meter.i64_up_down_counter("open").build();
    open.add(5, &[]);
    open.add(-7, &[]);
    meter.f64_counter("revenue").build().add(0.1, &of(true));
    let sizes = meter.f64_histogram("size").with_boundaries(vec![1.0, 10.0]).build();
    [0.5, 1.0, 7.0, 1e9].iter().for_each(|size| sizes.record(*size, &of(true)));
    meter.u64_histogram("lines").build().record(3, &[]);
    let delays = meter.f64_histogram(EXPONENTIAL).with_unit("ms").build();
    [0.0, 1e-3, 1.0, 1.5, -2.0, 1e9].iter().for_each(|delay| delays.record(*delay, &of(false)));
    let sizes = meter.u64_histogram(format!("{EXPONENTIAL}.whole")).build();
    [0, 1, 1024].iter().for_each(|size| sizes.record(*size, &[]));
    meter.i64_gauge("level").build().record(-4, &[]);
    meter.f64_gauge("odd").build().record(-1.5, &[]);
    let seen = meter.u64_observable_counter("seen");
    let _seen = seen.with_callback(|observer| observer.observe(11, &[])).build();
    let heat = meter.f64_observable_gauge("heat");
    let _heat = heat.with_callback(|it| it.observe(36.6, &[KeyValue::new("at", "core")])).build();
}

fn array<const N: usize>(texts: [&'static str; N]) -> Value {
    Value::Array(Array::String(texts.map(StringValue::from).to_vec()))
}

fn remote_span(state: &str) -> SpanContext {
    let (trace_id, span_id) = (TraceId::from(0xabc), SpanId::from(0xdef));
    SpanContext::new(trace_id, span_id, TraceFlags::SAMPLED, true, state.parse().unwrap())
}

fn remote_parent() -> Context {
    let (trace_id, span_id) = (TraceId::from(0x123), SpanId::from(0x456));
    let state: TraceState = "a=1,b=2".parse().unwrap();
    let parent = SpanContext::new(trace_id, span_id, TraceFlags::SAMPLED, true, state);
    Context::new().with_remote_span_context(parent)
}
