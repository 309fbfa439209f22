//! What is measured of every processor, under the names of the Go collector.

use super::{Instrument, Measurements};

const INCOMING: Instrument = Instrument::counter(
    "otelcol_processor_incoming_items",
    "{items}",
    "Number of items that came to the processor.",
);
const OUTGOING: Instrument = Instrument::counter(
    "otelcol_processor_outgoing_items",
    "{items}",
    "Number of items that the processor has handed on.",
);

/// Writes down what has passed a processor.
pub(crate) fn measure(incoming: u64, outgoing: u64, all: &mut Measurements) {
    all.set(&INCOMING, incoming);
    all.set(&OUTGOING, outgoing);
}
