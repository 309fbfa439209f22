//! The `tracing` layer, read back through `opentelemetry-proto`.

#![cfg(feature = "tracing")]
#![allow(
    clippy::unwrap_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "helpers of tests fail by panicking, as tests do"
)]

mod bad_values;
mod contexts;
mod events;
mod late_parents;
mod logs;
mod same_data;
mod set_ups;
mod settled;
mod span_fields;
mod spans;
mod threads;
#[path = "../trace_support/mod.rs"]
mod trace_support;
mod without_traces;

use otlp_sdk::trace::TracerProviderBuilder;
use otlp_sdk::tracing_layer::TracingLayer;
use otlp_testing::oracle::{proto, value_text};
use proto::tonic::trace::v1::span::Event;
use tracing_subscriber::layer::SubscriberExt as _;

use crate::trace_support::Bench;

/// Runs `app` under a subscriber that has only the layer, with a provider of its own.
fn traced(app: impl FnOnce()) -> Bench {
    traced_by(|layer| layer, app)
}

/// The same with settings.
fn traced_by(configure: impl FnOnce(TracingLayer) -> TracingLayer, app: impl FnOnce()) -> Bench {
    let bench = Bench::new();
    under(configure(TracingLayer::new(&bench.provider)), app);
    bench
}

/// The same with a provider that is set up otherwise.
fn traced_with(
    configure: impl FnOnce(TracerProviderBuilder) -> TracerProviderBuilder,
    app: impl FnOnce(&Bench),
) -> Bench {
    let bench = Bench::with(configure);
    under(TracingLayer::new(&bench.provider), || app(&bench));
    bench
}

fn under(layer: TracingLayer, app: impl FnOnce()) {
    tracing::subscriber::with_default(tracing_subscriber::registry().with(layer), app);
}

/// An attribute of an event, as text.
fn event_text(event: &Event, key: &str) -> Option<String> {
    let found = event.attributes.iter().find(|attribute| attribute.key == key)?;
    found.value.as_ref().map(value_text)
}
