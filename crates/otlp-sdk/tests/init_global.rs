//! `init()` as an application calls it: from the environment of the process, into its globals.

#![cfg(feature = "http")]
#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

mod child;

use std::collections::HashMap;

use opentelemetry::trace::{
    Span as _, SpanContext, SpanId, TraceContextExt as _, TraceFlags, TraceId, Tracer as _,
};
use opentelemetry::{Context, global};
use otlp_sdk::propagation::TraceContextPropagator;
use otlp_testing::Server;

/// No batch leaves on its own: what arrives was delivered by the guard.
const NO_TIMER: (&str, &str) = ("OTEL_BSP_SCHEDULE_DELAY", "3600000");

fn one_global_span() {
    let mut span = global::tracer("shop").start("check out");
    assert!(span.is_recording());
    span.end();
}

#[test]
fn the_global_tracer_is_installed_and_the_guard_delivers_when_it_is_dropped() {
    let server = Server::start();
    let variables = [
        ("OTEL_EXPORTER_OTLP_ENDPOINT", &*server.http_endpoint()),
        ("OTEL_SERVICE_NAME", "from the process"),
        NO_TIMER,
    ];
    let name = "the_global_tracer_is_installed_and_the_guard_delivers_when_it_is_dropped";
    let parent = child::run(name, &variables, || {
        let _telemetry = otlp_sdk::init().unwrap();
        one_global_span();
    });
    if parent {
        let spans = server.spans();
        assert_eq!(spans.len(), 1);
        let record = &spans[0].record;
        assert_eq!((record.name(), record.scope.name.as_str()), ("check out", "shop"));
        assert_eq!(record.service_name(), "from the process");
    }
}

#[test]
fn a_guard_that_is_never_dropped_delivers_nothing_at_exit() {
    // The other half of the test above: nothing but the guard delivers.
    let server = Server::start();
    let variables = [("OTEL_EXPORTER_OTLP_ENDPOINT", &*server.http_endpoint()), NO_TIMER];
    let name = "a_guard_that_is_never_dropped_delivers_nothing_at_exit";
    let parent = child::run(name, &variables, || {
        std::mem::forget(otlp_sdk::init().unwrap());
        one_global_span();
    });
    if parent {
        assert_eq!(server.counts().arrived, 0);
    }
}

/// A span context of another process.
fn remote() -> Context {
    let parent = SpanContext::new(
        TraceId::from(0x4bf9_2f35_77b3_4da6_a3ce_929d_0e0e_4736),
        SpanId::from(0x00f0_67aa_0ba9_02b7),
        TraceFlags::SAMPLED,
        true,
        "vendor=7".parse().unwrap(),
    );
    Context::new().with_remote_span_context(parent)
}

const REMOTE_PARENT: &str = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01";

/// What the global propagator writes for `cx`.
fn injected(cx: &Context) -> HashMap<String, String> {
    let mut headers = HashMap::new();
    global::get_text_map_propagator(|propagator| propagator.inject_context(cx, &mut headers));
    headers
}

/// What the global propagator reads from the headers of [`remote`].
fn extracted() -> Context {
    let headers = HashMap::from([("traceparent".to_owned(), REMOTE_PARENT.to_owned())]);
    global::get_text_map_propagator(|propagator| {
        propagator.extract_with_context(&Context::new(), &headers)
    })
}

#[test]
fn the_global_propagators_are_installed() {
    child::run("the_global_propagators_are_installed", &[("OTEL_TRACES_EXPORTER", "none")], || {
        assert!(injected(&remote()).is_empty(), "before");
        let _telemetry = otlp_sdk::init().unwrap();
        let headers = injected(&remote());
        assert_eq!(headers["traceparent"], REMOTE_PARENT);
        assert_eq!(headers["tracestate"], "vendor=7");
        let cx = extracted();
        assert!(cx.span().span_context().is_remote());
        assert_eq!(injected(&cx)["traceparent"], REMOTE_PARENT);
        let fields: Vec<_> = global::get_text_map_propagator(|propagator| {
            propagator.fields().map(str::to_owned).collect()
        });
        assert_eq!(fields, ["traceparent", "tracestate", "baggage"]);
    });
}

#[test]
fn a_span_of_the_global_tracer_is_injected_as_the_parent() {
    let name = "a_span_of_the_global_tracer_is_injected_as_the_parent";
    let server = Server::start();
    let variables = [("OTEL_EXPORTER_OTLP_ENDPOINT", &*server.http_endpoint())];
    child::run(name, &variables, || {
        let _telemetry = otlp_sdk::init().unwrap();
        let cx = Context::new().with_span(global::tracer("shop").start("check out"));
        let ids = cx.span().span_context().clone();
        // Sampled, and the trace id is random.
        let expected = format!("00-{}-{}-03", ids.trace_id(), ids.span_id());
        assert!(ids.is_valid());
        assert_eq!(injected(&cx)["traceparent"], expected);
    });
}

#[test]
fn no_propagator_is_installed_where_the_environment_wants_none() {
    let name = "no_propagator_is_installed_where_the_environment_wants_none";
    let variables = [("OTEL_TRACES_EXPORTER", "none"), ("OTEL_PROPAGATORS", "none")];
    child::run(name, &variables, || {
        // So that one that is left in place would be seen.
        global::set_text_map_propagator(TraceContextPropagator::new());
        assert_eq!(injected(&remote())["traceparent"], REMOTE_PARENT);
        let _telemetry = otlp_sdk::init().unwrap();
        assert_eq!(injected(&remote()), HashMap::new());
        assert!(!extracted().has_active_span());
    });
}

#[test]
fn a_disabled_sdk_propagates_and_does_not_record() {
    let name = "a_disabled_sdk_propagates_and_does_not_record";
    child::run(name, &[("OTEL_SDK_DISABLED", "true")], || {
        let _telemetry = otlp_sdk::init().unwrap();
        let span = global::tracer("shop").start_with_context("check out", &remote());
        assert!(!span.is_recording());
        let cx = Context::new().with_span(span);
        assert_eq!(injected(&cx)["traceparent"], REMOTE_PARENT);
    });
}

#[test]
fn without_globals_nothing_is_installed() {
    let name = "without_globals_nothing_is_installed";
    let server = Server::start();
    let variables = [("OTEL_EXPORTER_OTLP_ENDPOINT", &*server.http_endpoint())];
    child::run(name, &variables, || {
        let telemetry = otlp_sdk::builder().without_globals().init().unwrap();
        let span = global::tracer("shop").start("check out");
        assert!(!span.is_recording() && !span.span_context().is_valid());
        assert_eq!(injected(&remote()), HashMap::new());
        assert_eq!(telemetry.shutdown().unwrap().traces.created, 0);
    });
}
