//! One instrumented program, run on the official stack and on ours, each into a server of its own: what
//! arrives is the same, but for ids and times.
//!
//! Deliberate differences are kept out of the programs: a key that is set twice (theirs arrives twice, ours
//! with the last value, row W5), and what the resource says of the SDK.

#![cfg(feature = "http")]
#![allow(
    clippy::unwrap_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "helpers of tests fail by panicking, as tests do"
)]

mod api;
mod received;
mod stacks;
#[cfg(feature = "tracing")]
mod with_tracing;

use std::time::Duration;

use opentelemetry_proto::tonic::metrics::v1::metric::Data;
use otlp_core::Signal;
use otlp_testing::Server;

use crate::received::Received;
use crate::stacks::Official;

/// What both servers have received, once each has so many items.
fn both(official: &Server, ours: &Server, items: &[(Signal, u64)]) -> [Received; 2] {
    [official, ours].map(|server| {
        for (signal, count) in items {
            server.wait_for_items(*signal, *count, Duration::from_secs(20)).unwrap();
        }
        Received::from(server)
    })
}

#[test]
fn the_same_program_delivers_the_same_data_on_the_official_stack_and_on_ours() {
    let (official, ours) = (Server::start(), Server::start());
    let stack = Official::start(&official);
    api::program(&stack.tracers, &stack.loggers, &stack.meters);
    stack.shut_down();
    let stack = stacks::ours(&ours);
    api::program(stack.tracer_provider(), stack.logger_provider(), stack.meter_provider());
    assert_eq!(stack.shutdown().unwrap().unaccounted(), 0);

    let items = [(Signal::Traces, 3), (Signal::Logs, 2), (Signal::Metrics, 12)];
    let [expected, found] = both(&official, &ours, &items);
    assert_eq!(found.resources, expected.resources);
    assert_eq!(found.spans, expected.spans);
    assert_eq!(found.logs, expected.logs);
    assert_eq!(found.metrics, expected.metrics);
    assert_eq!(found.spans.len(), 3);
    let metrics = &found.metrics[0].metrics;
    let is_exponential = |data: &Option<Data>| matches!(data, Some(Data::ExponentialHistogram(_)));
    let exponential = metrics.iter().filter(|metric| is_exponential(&metric.data));
    assert_eq!((metrics.len(), exponential.count()), (11, 2));
}
