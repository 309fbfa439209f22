//! The one HTTP/2 connection of an exporter: made on first use, replaced when it seems dead.

use std::fmt;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::Duration;

use hyper_util::client::legacy::connect::HttpConnector;
use parking_lot::Mutex;
use tonic::transport::{Channel, Endpoint};

use crate::gather::GatherConnector;

/// How long a TCP connection and, after it, a TLS handshake may take.
pub(crate) const CONNECT_TIMEOUT: Duration = Duration::from_secs(10);

/// A ping goes out after this long without a byte from the server, while a call is open.
const PING_AFTER_IDLE: Duration = Duration::from_secs(30);

/// A connection whose ping is not answered in this time is given up.
const PING_TIMEOUT: Duration = Duration::from_secs(20);

/// Pings more often than this make servers close the connection (gRPC, "too many pings").
const PING_INTERVAL_MIN: Duration = Duration::from_secs(10);

/// When a connection on which nothing comes is pinged.
#[derive(Clone, Copy, Debug)]
pub(crate) struct KeepAlive {
    interval: Duration,
    timeout: Duration,
    while_idle: bool,
}

impl KeepAlive {
    pub(crate) fn new(interval: Duration, timeout: Duration, while_idle: bool) -> Self {
        Self { interval: interval.max(PING_INTERVAL_MIN), timeout, while_idle }
    }
}

impl Default for KeepAlive {
    /// No pings on an idle connection: servers answer those with GOAWAY (gRPC, "too many pings").
    fn default() -> Self {
        Self { interval: PING_AFTER_IDLE, timeout: PING_TIMEOUT, while_idle: false }
    }
}

/// How much of answers the server may send ahead. Answers are small; a hostile one that is large
/// costs no more than this.
const STREAM_WINDOW: u32 = 64 * 1024;
const CONNECTION_WINDOW: u32 = 1024 * 1024;

/// Most bytes of headers, and of trailers, in an answer.
const HEADER_LIST_MAX: u32 = 16 * 1024;

/// [`HEADER_LIST_MAX`] in words.
pub(crate) const HEADERS_MAX_WORDS: &str = "16 KiB";

/// The settings of HTTP/2 that do not come from the configuration.
pub(crate) fn tuned(endpoint: Endpoint, keep_alive: KeepAlive) -> Endpoint {
    endpoint
        .connect_timeout(CONNECT_TIMEOUT)
        .http2_keep_alive_interval(keep_alive.interval)
        .keep_alive_timeout(keep_alive.timeout)
        .keep_alive_while_idle(keep_alive.while_idle)
        .initial_stream_window_size(STREAM_WINDOW)
        .initial_connection_window_size(CONNECTION_WINDOW)
        .http2_max_header_list_size(HEADER_LIST_MAX)
}

/// The settings of TCP. Nagle's algorithm is off: it waits for acknowledgements that the other
/// side delays.
fn tcp() -> HttpConnector {
    let mut connector = HttpConnector::new();
    connector.enforce_http(false);
    connector.set_nodelay(true);
    connector.set_keepalive(Some(PING_AFTER_IDLE));
    connector.set_connect_timeout(Some(CONNECT_TIMEOUT));
    connector
}

/// Hands out the channel.
///
/// A tonic channel reconnects on its own after an error. What it does not notice for a long time
/// is a peer that has vanished without a word, and it lives on the runtime that it was made on.
/// So a channel on which a call ran into its deadline, and no other call was answered meanwhile,
/// is replaced, and so is one whose runtime has ended.
pub(crate) struct Connection {
    source: Source,
    current: Mutex<State>,
    has_answered: AtomicBool,
    /// Whether a peer has sent any byte, on any connection of ours.
    has_spoken: Arc<AtomicBool>,
}

enum Source {
    Endpoint(Box<Endpoint>),
    /// The user's own; it is never replaced.
    Channel(Channel),
}

enum State {
    Unused,
    Open(Lane),
    Closed,
}

/// A channel and how many answers have come over it.
#[derive(Clone)]
pub(crate) struct Lane {
    pub(crate) channel: Channel,
    answers: Arc<AtomicU64>,
}

impl Connection {
    pub(crate) fn to(endpoint: Endpoint) -> Self {
        Self::from_source(Source::Endpoint(Box::new(endpoint)))
    }

    pub(crate) fn over(channel: Channel) -> Self {
        Self::from_source(Source::Channel(channel))
    }

    fn from_source(source: Source) -> Self {
        let current = Mutex::new(State::Unused);
        Self { source, current, has_answered: AtomicBool::new(false), has_spoken: Arc::default() }
    }

    /// The lane for one call; `None` after [`close`](Self::close).
    ///
    /// Must be called inside a Tokio runtime: the first call spawns the channel's task.
    pub(crate) fn lane(&self) -> Option<Lane> {
        let mut state = self.current.lock();
        match &*state {
            State::Open(lane) => Some(lane.clone()),
            State::Closed => None,
            State::Unused => {
                let channel = match &self.source {
                    Source::Endpoint(endpoint) => {
                        let spoken = Arc::clone(&self.has_spoken);
                        endpoint.connect_with_connector_lazy(GatherConnector::new(tcp(), spoken))
                    }
                    Source::Channel(channel) => channel.clone(),
                };
                let lane = Lane { channel, answers: Arc::default() };
                *state = State::Open(lane.clone());
                Some(lane)
            }
        }
    }

    /// Lets the next call make a new connection. Calls that are still open keep theirs.
    pub(crate) fn replace(&self, lane: &Lane) {
        let mut state = self.current.lock();
        if matches!(&*state, State::Open(open) if Arc::ptr_eq(&open.answers, &lane.answers)) {
            *state = State::Unused;
        }
    }

    /// Notes that the server has answered on this lane.
    pub(crate) fn count_answer(&self, lane: &Lane) {
        lane.answers.fetch_add(1, Ordering::Relaxed);
        self.has_answered.store(true, Ordering::Relaxed);
    }

    /// Whether the server has ever answered, on any lane.
    pub(crate) fn has_answered(&self) -> bool {
        self.has_answered.load(Ordering::Relaxed)
    }

    /// Whether all that connected us were silent: not a byte has ever come. `false` for a channel of
    /// the user's own, of which that is not known.
    pub(crate) fn is_silent(&self) -> bool {
        matches!(self.source, Source::Endpoint(_)) && !self.has_spoken.load(Ordering::Relaxed)
    }

    /// Gives the connection up for good.
    pub(crate) fn close(&self) {
        *self.current.lock() = State::Closed;
    }
}

impl Lane {
    /// How many answers have come over this lane so far.
    pub(crate) fn answers(&self) -> u64 {
        self.answers.load(Ordering::Relaxed)
    }
}

impl fmt::Debug for Connection {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let state = match &*self.current.lock() {
            State::Unused => "unused",
            State::Open(_) => "open",
            State::Closed => "closed",
        };
        let own = matches!(self.source, Source::Channel(_));
        f.debug_struct("Connection").field("state", &state).field("own_channel", &own).finish()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pings_are_never_so_frequent_that_servers_close_the_connection() {
        let keep_alive = KeepAlive::new(Duration::from_secs(1), PING_TIMEOUT, true);
        assert_eq!((keep_alive.interval, keep_alive.while_idle), (PING_INTERVAL_MIN, true));
        let keep_alive = KeepAlive::new(Duration::from_secs(60), PING_TIMEOUT, false);
        assert_eq!(keep_alive.interval, Duration::from_secs(60));
    }
}
