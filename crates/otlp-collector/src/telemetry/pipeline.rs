//! What is measured of pipelines and of memory. The Go collector has no counterpart.

use super::{Instrument, Measurements};
use crate::engine::{Board, PipelineStatus};

const RECEIVED: Instrument = Instrument::counter(
    "otelcol_pipeline_received_items",
    "{items}",
    "Number of items that came into the pipeline.",
);
const TAKEN: Instrument = Instrument::counter(
    "otelcol_pipeline_taken_items",
    "{items}",
    "Number of items that the pipeline has answered for as taken.",
);
const REFUSED: Instrument = Instrument::counter(
    "otelcol_pipeline_refused_items",
    "{items}",
    "Number of items that the pipeline has not taken, as whoever brought them was told.",
);
const HELD: Instrument = Instrument::gauge(
    "otelcol_pipeline_held_items",
    "{items}",
    "Number of items that the pipeline has not answered for yet.",
);
const DROPPED: Instrument = Instrument::counter(
    "otelcol_pipeline_dropped_items",
    "{items}",
    "Number of items that a processor has taken and dropped, by its reason.",
);
const READY: Instrument = Instrument::gauge(
    "otelcol_pipeline_ready",
    "1",
    "Whether the pipeline takes what comes and moves it: 1 if so, else 0.",
);
const LOST: Instrument = Instrument::counter(
    "otelcol_pipeline_lost_items",
    "{items}",
    "Number of items that one of several branches has not taken while another has.",
);
const USED: Instrument =
    Instrument::gauge("otelcol_budget_used_bytes", "By", "Bytes of telemetry that are held.");
const CAPACITY: Instrument = Instrument::gauge(
    "otelcol_budget_capacity_bytes",
    "By",
    "Bytes of telemetry that may be held.",
);

/// Writes down what the board knows of pipelines.
pub(crate) fn measure(board: &Board, all: &mut Measurements) {
    all.set(&USED, board.budget().used());
    all.set(&CAPACITY, board.budget().capacity());
    for pipeline in &board.status().pipelines {
        all.within("pipeline", pipeline.id.to_string(), |all| one(pipeline, all));
    }
    for loss in board.ledger().lost {
        all.within("from", loss.from, |all| {
            all.within("to", loss.to, |all| all.set(&LOST, loss.items));
        });
    }
}

fn one(pipeline: &PipelineStatus, all: &mut Measurements) {
    let counts = pipeline.counts;
    all.set(&RECEIVED, counts.received);
    all.set(&TAKEN, counts.taken);
    all.set(&REFUSED, counts.refused);
    all.set(&HELD, counts.held);
    all.set(&READY, u64::from(pipeline.is_ready()));
    for (reason, items) in &pipeline.dropped {
        all.within("reason", reason.as_str(), |all| all.set(&DROPPED, *items));
    }
}
