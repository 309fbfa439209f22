//! A program that knows `tracing` only, under the usual bridges with the official SDK, and under our layer.
//!
//! Kept out of it is what differs on purpose: unsigned integers and bytes are text there, and a text in a field
//! `error` has quotes there. Taken out of what arrives: that trace ids are random, which the official SDK does
//! not say, when a record was made, where the official bridge says only when it was observed, and the causes of an
//! error, of which it knows the message only.

use std::error::Error;
use std::io;

use opentelemetry::InstrumentationScope;
use opentelemetry::trace::TracerProvider as _;
use opentelemetry_appender_tracing::layer::OpenTelemetryTracingBridge;
use otlp_core::Signal;
use otlp_sdk::tracing_layer::EventSink;
use otlp_testing::Server;
use tracing::field::Empty;
use tracing::{debug, error, info, info_span, instrument, trace_span, warn};
use tracing_subscriber::layer::SubscriberExt as _;

use crate::received::Received;
use crate::stacks::{Official, ours};

#[instrument(fields(otel.kind = "client", amount = 12.5), err)]
fn charge(card: &str, attempt: i64) -> Result<(), io::Error> {
    debug!(attempt, "charging");
    if attempt < 2 { Err(io::Error::other("card declined")) } else { Ok(()) }
}

fn program() {
    info!("open");
    let checkout = info_span!(
        "checkout",
        otel.name = "POST /checkout",
        otel.kind = "server",
        http.route = "/checkout",
        items = 3_i64,
        retry = false,
        peer = ?std::net::Ipv4Addr::LOCALHOST,
        status = Empty,
        otel.status_code = Empty,
    );
    let audit = info_span!(parent: None, "audit");
    checkout.in_scope(|| {
        info!(name: "cart.loaded", target: "shop::cart", lines = 2_i64, "loaded the {}", "cart");
        let _ = charge("visa", 1);
        charge("visa", 2).unwrap();
        trace_span!("pack").in_scope(|| {
            let cause = io::Error::other("no box");
            warn!(cause = &cause as &(dyn Error + 'static), at = 3_i64, "cannot pack");
        });
        audit.follows_from(&checkout);
        checkout.record("status", 200_i64);
    });
    audit.in_scope(|| error!(code = 5_i64, whole = true, share = 0.5, "not written"));
    info_span!("refund", otel.status_code = "ERROR", otel.status_description = "gave up")
        .in_scope(|| {});
    checkout.record("otel.status_code", "OK");
}

fn scope() -> InstrumentationScope {
    InstrumentationScope::builder("shop").with_version("1.2.3").build()
}

/// Without what the two tell differently on purpose.
fn alike(mut received: Received) -> Received {
    const RANDOM: u32 = 0x2;
    for span in received.spans.iter_mut().flat_map(|group| &mut group.spans) {
        span.flags &= !RANDOM;
        span.links.iter_mut().for_each(|link| link.flags &= !RANDOM);
    }
    for record in received.logs.iter_mut().flat_map(|group| &mut group.log_records) {
        record.flags &= !RANDOM;
        record.time_unix_nano = 0;
        let causes = ["cause", "cause.chain", "exception.stacktrace"];
        record.attributes.retain(|attribute| !causes.contains(&attribute.key.as_str()));
    }
    received
}

#[test]
fn a_program_of_tracing_delivers_the_same_data_on_the_official_stack_and_on_ours() {
    let servers = [Server::start(), Server::start()];
    let stack = Official::start(&servers[0]);
    let spans = tracing_opentelemetry::layer()
        .with_tracer(stack.tracers.tracer_with_scope(scope()))
        .with_threads(false)
        .with_tracked_inactivity(false);
    let bridges = tracing_subscriber::registry()
        .with(spans)
        .with(OpenTelemetryTracingBridge::new(&stack.loggers));
    tracing::subscriber::with_default(bridges, program);
    stack.shut_down();

    let stack = ours(&servers[1]);
    let layer = stack.tracing_layer().with_scope(scope()).with_events(EventSink::Both);
    tracing::subscriber::with_default(tracing_subscriber::registry().with(layer), program);
    assert_eq!(stack.shutdown().unwrap().unaccounted(), 0);

    let items = [(Signal::Traces, 6), (Signal::Logs, 7)];
    let [expected, found] = crate::both(&servers[0], &servers[1], &items).map(alike);
    assert_eq!(found.resources, expected.resources);
    assert_eq!(found.spans, expected.spans);
    assert_eq!(found.logs, expected.logs);
    assert_eq!((found.spans.len(), found.logs.len()), (6, 7));
}
