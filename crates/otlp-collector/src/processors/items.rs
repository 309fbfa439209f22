//! What is measured of every processor that hands on what it is given, under the names of the Go collector.

use otlp_core::Signal;

use crate::telemetry::{Instrument, Measurements};

/// Writes down how many items came and how many went on.
pub(super) fn measure_items(all: &mut Measurements, signal: Signal, incoming: u64, outgoing: u64) {
    all.within("otel.signal", signal.name(), |all| {
        all.set(&INCOMING, incoming);
        all.set(&OUTGOING, outgoing);
    });
}

const INCOMING: Instrument = Instrument::counter(
    "otelcol_processor_incoming_items",
    "{item}",
    "Number of items that came to the processor.",
);
const OUTGOING: Instrument = Instrument::counter(
    "otelcol_processor_outgoing_items",
    "{item}",
    "Number of items that the processor has handed on.",
);
