//! What is measured of a receiver, under the names of the Go collector.

use otlp_core::Signal;

use super::{Instrument, Measurements};
use crate::receivers::otlp::{ConnectionCounts, CountersSnapshot, SignalCounts, Transport};

/// The instruments that have the name of what a signal consists of.
struct Instruments {
    accepted: Instrument,
    refused: Instrument,
    failed: Instrument,
}

macro_rules! instruments {
    ($items:literal, $words:literal) => {
        Instruments {
            accepted: Instrument::counter(
                concat!("otelcol_receiver_accepted_", $items),
                concat!("{", $items, "}"),
                concat!("Number of ", $words, " that the pipelines have taken."),
            ),
            refused: Instrument::counter(
                concat!("otelcol_receiver_refused_", $items),
                concat!("{", $items, "}"),
                concat!("Number of ", $words, " that were refused for load and may come again."),
            ),
            failed: Instrument::counter(
                concat!("otelcol_receiver_failed_", $items),
                concat!("{", $items, "}"),
                concat!("Number of ", $words, " that were refused for good."),
            ),
        }
    };
}

const SPANS: Instruments = instruments!("spans", "spans");
const METRIC_POINTS: Instruments = instruments!("metric_points", "metric points");
const LOG_RECORDS: Instruments = instruments!("log_records", "log records");

const REQUESTS: Instrument = Instrument::counter(
    "otelcol_receiver_requests",
    "{requests}",
    "Number of requests, by their outcome.",
);
const CONNECTIONS: Instrument = Instrument::counter(
    "otelcol_receiver_connections",
    "{connections}",
    "Number of connections, by what became of them.",
);
const PANICS: Instrument = Instrument::counter(
    "otelcol_receiver_panics",
    "{panics}",
    "Number of panics that were caught.",
);

const OPEN: Instrument = Instrument::gauge(
    "otelcol_receiver_open_connections",
    "{connections}",
    "Number of connections that are there now.",
);
const FAILED_RELOADS: Instrument = Instrument::counter(
    "otelcol_receiver_failed_certificate_reloads",
    "{reloads}",
    "Number of times that certificates were read again and could not be used.",
);
const UNKNOWN: Instrument = Instrument::counter(
    "otelcol_receiver_unknown_requests",
    "{requests}",
    "Number of requests that name no signal.",
);

/// Writes down what a receiver has counted: of each signal, once something of it has come.
pub(crate) fn measure(counters: &CountersSnapshot, all: &mut Measurements) {
    for (transport, name) in [(Transport::Grpc, "grpc"), (Transport::Http, "http")] {
        all.within("transport", name, |all| {
            for signal in Signal::ALL {
                let counts = counters.of(transport, signal);
                if counts != SignalCounts::default() {
                    of_signal(signal, &counts, all);
                }
            }
        });
    }
    of_connections(&counters.connections, all);
    all.set(&UNKNOWN, counters.unknown_requests);
}

fn of_signal(signal: Signal, counts: &SignalCounts, all: &mut Measurements) {
    let instruments = match signal {
        Signal::Metrics => &METRIC_POINTS,
        Signal::Logs => &LOG_RECORDS,
        _ => &SPANS,
    };
    all.set(&instruments.accepted, counts.accepted_items);
    all.set(&instruments.refused, counts.refused_items);
    all.set(&instruments.failed, counts.failed_items);
    all.within("otel_signal", signal.name(), |all| {
        for (outcome, requests) in [
            ("success", counts.accepted_requests),
            ("refused", counts.refused_requests),
            ("failure", counts.failed_requests),
            ("abandoned", counts.abandoned_requests),
        ] {
            all.within("outcome", outcome, |all| all.set(&REQUESTS, requests));
        }
    });
}

fn of_connections(counts: &ConnectionCounts, all: &mut Measurements) {
    for (outcome, connections) in [
        ("accepted", counts.accepted),
        ("refused", counts.refused),
        ("evicted", counts.evicted),
        ("accept_error", counts.accept_errors),
        ("failed_handshake", counts.failed_handshakes),
    ] {
        all.within("outcome", outcome, |all| all.set(&CONNECTIONS, connections));
    }
    all.set(&OPEN, counts.open);
    all.set(&FAILED_RELOADS, counts.failed_reloads);
    all.set(&PANICS, counts.panics);
}
