//! What the server received, and the counts of it.

use std::fmt;
use std::ops::Deref;
use std::sync::Arc;

use bytes::Bytes;
use http::{HeaderMap, Version};
use otlp_core::Signal;

use crate::oracle::{Message, SpanRecord};

/// Which listener a request came to.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Transport {
    /// OTLP/gRPC.
    Grpc,
    /// OTLP/HTTP.
    Http,
}

/// One export request as it came in.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct ReceivedRequest {
    /// The listener it came to.
    pub transport: Transport,
    /// Its signal.
    pub signal: Signal,
    /// The path of its URL.
    pub path: String,
    /// Its headers, or its gRPC metadata with the headers of HTTP/2.
    pub headers: HeaderMap,
    /// The HTTP version that it came over.
    pub http_version: Version,
    /// The body exactly as it came: compressed, and with the frame of gRPC.
    pub wire: Bytes,
    /// What the oracle decoded it to.
    pub message: Message,
    /// The number of its connection, from 1 on.
    pub connection: u64,
    /// Whether the client showed a certificate.
    pub client_certificate: bool,
    /// How many of its items the server took; 0 for a refused one.
    pub accepted: usize,
}

impl ReceivedRequest {
    /// Number of spans, data points or log records in it.
    #[must_use]
    pub fn items(&self) -> usize {
        self.message.items()
    }

    /// A header's value, if it is there and is text.
    #[must_use]
    pub fn header(&self, name: &str) -> Option<&str> {
        self.headers.get(name)?.to_str().ok()
    }

    fn accepted_spans(self: &Arc<Self>) -> impl Iterator<Item = ReceivedSpan> + use<> {
        let request = Arc::clone(self);
        let spans = self.message.spans().into_iter().take(self.accepted);
        spans.map(move |record| ReceivedSpan { record, request: Arc::clone(&request) })
    }
}

/// One accepted span, with the request it came in. Reads as a [`SpanRecord`].
#[derive(Clone, Debug)]
pub struct ReceivedSpan {
    /// The span, its scope and its resource.
    pub record: SpanRecord,
    /// The request that brought it.
    pub request: Arc<ReceivedRequest>,
}

impl Deref for ReceivedSpan {
    type Target = SpanRecord;

    fn deref(&self) -> &SpanRecord {
        &self.record
    }
}

/// Counts of one transport, or of both.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct Counts {
    /// Requests that were read and decoded, answered or not.
    pub arrived: u64,
    /// Requests that were answered, whatever the answer, or whose connection was cut on purpose.
    pub answered: u64,
    /// Requests that were accepted in whole or in part.
    pub accepted: u64,
    /// Items that were accepted.
    pub items: u64,
    /// Bytes of the bodies of arrived requests as they came.
    pub wire_bytes: u64,
    /// Bytes of the decoded messages of arrived requests, as `prost` would encode them.
    pub message_bytes: u64,
}

impl Counts {
    fn plus(self, other: Self) -> Self {
        Self {
            arrived: self.arrived + other.arrived,
            answered: self.answered + other.answered,
            accepted: self.accepted + other.accepted,
            items: self.items + other.items,
            wire_bytes: self.wire_bytes + other.wire_bytes,
            message_bytes: self.message_bytes + other.message_bytes,
        }
    }
}

/// Everything received so far, as a predicate of [`wait_until`](super::Server::wait_until) sees it.
#[derive(Debug, Default)]
pub struct ReceivedLog {
    requests: Vec<Arc<ReceivedRequest>>,
    grpc: Counts,
    http: Counts,
    signals: [u64; Signal::ALL.len()],
    problems: Vec<String>,
    in_flight: u64,
    in_flight_max: u64,
    connections: u64,
    connections_open: u64,
}

impl ReceivedLog {
    /// Every answered request; empty when the server only counts.
    #[must_use]
    pub fn requests(&self) -> &[Arc<ReceivedRequest>] {
        &self.requests
    }

    /// The spans of the accepted requests.
    #[must_use]
    pub fn spans(&self) -> Vec<ReceivedSpan> {
        self.requests.iter().flat_map(ReceivedRequest::accepted_spans).collect()
    }

    /// Accepted items of a signal.
    #[must_use]
    pub fn items(&self, signal: Signal) -> u64 {
        let row = Signal::ALL.iter().zip(&self.signals).find(|(of, _)| **of == signal);
        row.map_or(0, |(_, count)| *count)
    }

    /// The counts of both transports together.
    #[must_use]
    pub fn counts(&self) -> Counts {
        self.grpc.plus(self.http)
    }

    /// The counts of one transport.
    #[must_use]
    pub fn counts_of(&self, transport: Transport) -> Counts {
        match transport {
            Transport::Grpc => self.grpc,
            Transport::Http => self.http,
        }
    }

    /// Connections accepted since the start.
    #[must_use]
    pub fn connections(&self) -> u64 {
        self.connections
    }

    /// Connections that are open at this moment.
    #[must_use]
    pub fn connections_open(&self) -> u64 {
        self.connections_open
    }

    /// What a correct client never causes.
    #[must_use]
    pub fn problems(&self) -> &[String] {
        &self.problems
    }

    /// Requests held or being answered at this moment.
    #[must_use]
    pub fn in_flight(&self) -> u64 {
        self.in_flight
    }

    /// The most of them at the same time.
    #[must_use]
    pub fn in_flight_max(&self) -> u64 {
        self.in_flight_max
    }
}

impl ReceivedLog {
    pub(super) fn arrive(&mut self, request: &ReceivedRequest) {
        let counts = self.counts_mut(request.transport);
        counts.arrived += 1;
        counts.wire_bytes += wide(request.wire.len());
        counts.message_bytes += wide(request.message.encoded_len());
        self.in_flight += 1;
        self.in_flight_max = self.in_flight_max.max(self.in_flight);
    }

    pub(super) fn answer(&mut self, request: ReceivedRequest, accepts: bool, keep: bool) {
        let counts = self.counts_mut(request.transport);
        counts.answered += 1;
        counts.accepted += u64::from(accepts);
        counts.items += wide(request.accepted);
        let row = Signal::ALL.iter().zip(&mut self.signals).find(|(of, _)| **of == request.signal);
        if let Some((_, count)) = row {
            *count += wide(request.accepted);
        }
        if keep {
            self.requests.push(Arc::new(request));
        }
    }

    /// Counts a connection and gives its number.
    pub(super) fn connect(&mut self) -> u64 {
        self.connections += 1;
        self.connections_open += 1;
        self.connections
    }

    pub(super) fn disconnect(&mut self) {
        self.connections_open = self.connections_open.saturating_sub(1);
    }

    pub(super) fn leave(&mut self) {
        self.in_flight = self.in_flight.saturating_sub(1);
    }

    pub(super) fn problem(&mut self, text: String) {
        if self.problems.len() < PROBLEMS_MAX {
            self.problems.push(text);
        }
    }

    /// Forgets everything but connections and what is in flight.
    pub(super) fn clear(&mut self) {
        *self = Self {
            in_flight: self.in_flight,
            in_flight_max: self.in_flight,
            connections: self.connections,
            connections_open: self.connections_open,
            ..Self::default()
        };
    }

    fn counts_mut(&mut self, transport: Transport) -> &mut Counts {
        match transport {
            Transport::Grpc => &mut self.grpc,
            Transport::Http => &mut self.http,
        }
    }
}

/// A wait that ended without what it waited for, and what had arrived by then.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct WaitError {
    pub(super) counts: Counts,
    pub(super) problems: Vec<String>,
}

impl fmt::Display for WaitError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Counts { arrived, answered, accepted, items, .. } = self.counts;
        write!(
            f,
            "timed out; by then {arrived} requests had arrived, {answered} were answered, \
             {accepted} accepted with {items} items"
        )?;
        match self.problems.first() {
            Some(first) => write!(f, "; {} problems, the first: {first}", self.problems.len()),
            None => Ok(()),
        }
    }
}

impl std::error::Error for WaitError {}

/// How many problems are kept.
const PROBLEMS_MAX: usize = 1_000;

fn wide(count: usize) -> u64 {
    u64::try_from(count).unwrap_or(u64::MAX)
}
