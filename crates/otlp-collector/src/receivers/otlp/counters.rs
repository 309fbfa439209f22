//! What was taken and what was not, in plain numbers.

use std::sync::atomic::{AtomicU64, Ordering};

use otlp_core::Signal;
use otlp_core::wire::response::PartialSuccess;

use super::answer::Answer;

/// How a request came.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Transport {
    /// gRPC.
    Grpc,
    /// HTTP, in protobuf or JSON.
    Http,
}

/// Numbers, since the start, of one signal over one transport.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct SignalCounts {
    /// Requests that the pipeline has taken, all or part of them.
    pub accepted_requests: u64,
    /// Items that the pipeline has taken.
    pub accepted_items: u64,
    /// Requests that were refused for load, here or by the pipeline: they may succeed later.
    pub refused_requests: u64,
    /// Items of them, as far as they were read.
    pub refused_items: u64,
    /// Requests that were refused for good: not OTLP, too large, not allowed, met by a fault.
    pub failed_requests: u64,
    /// Items of them as far as they were read, and those that a partial success has rejected.
    pub failed_items: u64,
    /// Requests whose client was gone before the answer.
    pub abandoned_requests: u64,
}

/// Numbers of the connections, since the start.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct ConnectionCounts {
    /// Connections that were taken.
    pub accepted: u64,
    /// Those of them that are there now.
    pub open: u64,
    /// Connections that were closed at once: too many in all, or of one peer.
    pub refused: u64,
    /// Connections without a request that were ended to make room for others.
    pub evicted: u64,
    /// Times that none could be taken, for want of file handles most likely.
    pub accept_errors: u64,
    /// TLS handshakes that failed or took too long.
    pub failed_handshakes: u64,
    /// Times that certificates were read again and could not be used.
    pub failed_reloads: u64,
    /// Panics that were caught.
    pub panics: u64,
}

/// All numbers of a receiver at one moment.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct CountersSnapshot {
    signals: [[SignalCounts; 3]; 2],
    /// Requests that name no signal: for a path that nobody serves, or on the port of gRPC and not of gRPC.
    pub unknown_requests: u64,
    /// The connections.
    pub connections: ConnectionCounts,
}

impl CountersSnapshot {
    /// The numbers of one signal over one transport.
    #[must_use]
    pub fn of(&self, transport: Transport, signal: Signal) -> SignalCounts {
        let [grpc, http] = self.signals;
        let [traces, metrics, logs] = if transport == Transport::Grpc { grpc } else { http };
        match signal {
            Signal::Traces => traces,
            Signal::Metrics => metrics,
            Signal::Logs => logs,
            _ => SignalCounts::default(),
        }
    }
}

/// The numbers, as they grow. No other memory is read because of one, so none needs an ordering.
#[derive(Debug, Default)]
pub(super) struct Counters {
    signals: [[SignalCounters; 3]; 2],
    pub(super) unknown: Counter,
    pub(super) accepted: Counter,
    pub(super) closed: Counter,
    pub(super) refused: Counter,
    pub(super) evicted: Counter,
    pub(super) accept_errors: Counter,
    pub(super) failed_handshakes: Counter,
    pub(super) failed_reloads: Counter,
    pub(super) panics: Counter,
}

#[derive(Debug, Default)]
pub(super) struct Counter(AtomicU64);

impl Counter {
    pub(super) fn add(&self, number: u64) {
        self.0.fetch_add(number, Ordering::Relaxed);
    }

    fn get(&self) -> u64 {
        self.0.load(Ordering::Relaxed)
    }
}

#[derive(Debug, Default)]
pub(super) struct SignalCounters {
    accepted_requests: Counter,
    accepted_items: Counter,
    refused_requests: Counter,
    refused_items: Counter,
    failed_requests: Counter,
    failed_items: Counter,
    abandoned_requests: Counter,
}

impl Counters {
    pub(super) fn of(&self, transport: Transport, signal: Signal) -> &SignalCounters {
        let [grpc, http] = &self.signals;
        let [traces, metrics, logs] = if transport == Transport::Grpc { grpc } else { http };
        match signal {
            Signal::Metrics => metrics,
            Signal::Logs => logs,
            _ => traces,
        }
    }

    pub(super) fn snapshot(&self) -> CountersSnapshot {
        let signals =
            self.signals.each_ref().map(|transport| transport.each_ref().map(SignalCounters::get));
        // What is closed has been accepted before.
        let closed = self.closed.get();
        let accepted = self.accepted.get();
        let connections = ConnectionCounts {
            accepted,
            open: accepted.saturating_sub(closed),
            refused: self.refused.get(),
            evicted: self.evicted.get(),
            accept_errors: self.accept_errors.get(),
            failed_handshakes: self.failed_handshakes.get(),
            failed_reloads: self.failed_reloads.get(),
            panics: self.panics.get(),
        };
        CountersSnapshot { signals, unknown_requests: self.unknown.get(), connections }
    }
}

impl SignalCounters {
    /// Counts a request of so many items by what it was answered.
    pub(super) fn note(&self, answer: &Answer, items: usize) {
        let items = u64::try_from(items).unwrap_or(u64::MAX);
        match answer {
            Answer::Taken(partial) => {
                let rejected = rejected(partial.as_ref()).min(items);
                self.accepted_requests.add(1);
                self.accepted_items.add(items.saturating_sub(rejected));
                if rejected > 0 {
                    self.failed_items.add(rejected);
                }
            }
            Answer::Refused(refusal) if refusal.is_for_load() => {
                self.refused_requests.add(1);
                self.refused_items.add(items);
            }
            Answer::Refused(_) => {
                self.failed_requests.add(1);
                self.failed_items.add(items);
            }
        }
    }

    pub(super) fn note_abandoned(&self) {
        self.abandoned_requests.add(1);
    }

    fn get(&self) -> SignalCounts {
        SignalCounts {
            accepted_requests: self.accepted_requests.get(),
            accepted_items: self.accepted_items.get(),
            refused_requests: self.refused_requests.get(),
            refused_items: self.refused_items.get(),
            failed_requests: self.failed_requests.get(),
            failed_items: self.failed_items.get(),
            abandoned_requests: self.abandoned_requests.get(),
        }
    }
}

fn rejected(partial: Option<&PartialSuccess>) -> u64 {
    partial.map_or(0, |partial| u64::try_from(partial.rejected).unwrap_or(0))
}
