//! What is measured of an exporter, under the names of the Go collector.

use otlp_core::Signal;

use super::{Instrument, Measurements};
use crate::sending::Sender;

/// The instruments that have the name of what a signal consists of.
struct Instruments {
    sent: Instrument,
    failed: Instrument,
    refused: Instrument,
}

macro_rules! instruments {
    ($items:literal, $words:literal) => {
        Instruments {
            sent: Instrument::counter(
                concat!("otelcol_exporter_sent_", $items),
                concat!("{", $items, "}"),
                concat!("Number of ", $words, " that the destination has taken."),
            ),
            failed: Instrument::counter(
                concat!("otelcol_exporter_send_failed_", $items),
                concat!("{", $items, "}"),
                concat!("Number of ", $words, " that were rejected or given up."),
            ),
            refused: Instrument::counter(
                concat!("otelcol_exporter_enqueue_failed_", $items),
                concat!("{", $items, "}"),
                concat!("Number of ", $words, " for which there was no room."),
            ),
        }
    };
}

const SPANS: Instruments = instruments!("spans", "spans");
const METRIC_POINTS: Instruments = instruments!("metric_points", "metric points");
const LOG_RECORDS: Instruments = instruments!("log_records", "log records");

const QUEUE_SIZE: Instrument = Instrument::gauge(
    "otelcol_exporter_queue_size",
    "{batches}",
    "What waits in the sending queue, in units of its sizer.",
);
const QUEUE_CAPACITY: Instrument = Instrument::gauge(
    "otelcol_exporter_queue_capacity",
    "{batches}",
    "Most that may wait in the sending queue, in units of its sizer.",
);

/// Writes down what a sender has counted.
pub(crate) fn measure(sender: &Sender, signal: Signal, all: &mut Measurements) {
    let instruments = match signal {
        Signal::Metrics => &METRIC_POINTS,
        Signal::Logs => &LOG_RECORDS,
        _ => &SPANS,
    };
    let account = sender.account();
    let failed = account.rejected.saturating_add(account.failed).saturating_add(account.returned);
    all.set(&instruments.sent, account.sent);
    all.set(&instruments.failed, failed);
    all.set(&instruments.refused, account.refused);
    let (size, capacity) = sender.queue_size();
    if capacity > 0 {
        all.within("data_type", signal.name(), |all| {
            all.set(&QUEUE_SIZE, size);
            all.set(&QUEUE_CAPACITY, capacity);
        });
    }
}
