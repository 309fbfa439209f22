//! Two destinations, one of them dead: the other gets everything in time, whichever comes first.

#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

use std::net::SocketAddr;
use std::thread;
use std::time::Duration;

use opentelemetry::trace::{Span as _, Tracer as _, TracerProvider as _};
use otlp_core::Signal;
use otlp_core::export::Env;
use otlp_exporter_http::HttpExporter;
use otlp_sdk::trace::TracerProvider;
use otlp_sdk::{BatchConfig, DropReason, PipelineError};
use otlp_testing::{RawAnswer, RawServer, Server};
use tokio::net::TcpSocket;
use tokio::runtime::{Builder, Runtime};

const SPANS: u64 = 100;
/// The dead destination uses all of it.
const TIMEOUT: Duration = Duration::from_secs(2);
/// No batch leaves on its own.
const NEVER: Duration = Duration::from_secs(3600);

/// A destination that takes nothing.
enum Dead {
    /// A port that is taken but not listened on.
    Refuses(TcpSocket),
    Silent(RawServer),
}

impl Dead {
    fn refuses() -> Self {
        let socket = TcpSocket::new_v4().unwrap();
        socket.bind(SocketAddr::from(([127, 0, 0, 1], 0))).unwrap();
        Self::Refuses(socket)
    }

    fn silent() -> Self {
        Self::Silent(RawServer::start(RawAnswer::Silent))
    }

    fn name(&self) -> &'static str {
        match self {
            Self::Refuses(_) => "refuses connections",
            Self::Silent(_) => "silent",
        }
    }

    fn endpoint(&self) -> String {
        match self {
            Self::Refuses(socket) => format!("http://{}", socket.local_addr().unwrap()),
            Self::Silent(server) => server.endpoint("http"),
        }
    }
}

fn exporter(endpoint: String) -> HttpExporter {
    let builder = HttpExporter::builder(Signal::Traces).with_endpoint(endpoint);
    builder.build_with(&Env::empty()).unwrap()
}

fn runtime() -> Runtime {
    Builder::new_current_thread().enable_all().build().unwrap()
}

/// Whether the spans that the dead destination owes are still there after a call.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Then {
    Held,
    Dropped,
}

type Call = fn(&TracerProvider) -> Result<(), PipelineError>;

/// Makes the call with both kinds of dead destinations, in both orders.
fn check(call: Call, then: Then) {
    thread::scope(|scope| {
        for dead_first in [true, false] {
            for dead in [Dead::refuses, Dead::silent] {
                scope.spawn(move || check_one(call, then, &dead(), dead_first));
            }
        }
    });
}

fn two_destinations(server: &Server, dead: &Dead, dead_first: bool) -> TracerProvider {
    let mut endpoints = [server.http_endpoint(), dead.endpoint()];
    if dead_first {
        endpoints.reverse();
    }
    let config = BatchConfig::default().with_schedule_delay(NEVER).with_shutdown_timeout(TIMEOUT);
    let provider = endpoints.into_iter().fold(TracerProvider::builder(), |builder, endpoint| {
        builder.with_batch_exporter_config(exporter(endpoint), config.clone())
    });
    let provider = provider.build();
    let tracer = provider.tracer("destinations");
    (0..SPANS).for_each(|_| tracer.start("span").end());
    provider
}

fn check_one(call: Call, then: Then, dead: &Dead, dead_first: bool) {
    let server = Server::start();
    let provider = two_destinations(&server, dead, dead_first);
    let result = call(&provider);
    let ledger = provider.ledger();
    let case = format!("{}, dead first: {dead_first}: {result:?}; {ledger}", dead.name());

    assert_eq!(server.counts().items, SPANS, "{case}");
    assert!(server.duplicate_spans().is_empty(), "{case}");
    // The caller is told of the dead one.
    assert!(matches!(result, Err(PipelineError::Timeout { held: SPANS, .. })), "{case}");
    let owed = match then {
        Then::Held => (SPANS, 0),
        Then::Dropped => (0, SPANS),
    };
    assert_eq!((ledger.held, ledger.dropped(DropReason::ShutdownTimeout)), owed, "{case}");
    assert_eq!((ledger.ended, ledger.delivered), (2 * SPANS, SPANS), "{case}");
    assert_eq!(ledger.unaccounted(), 0, "{case}");
    // So that the end does not wait for the dead one once more.
    let _ = provider.shutdown_with_timeout(Duration::ZERO);
}

#[test]
fn a_flush_reaches_the_healthy_destination() {
    check(|provider| provider.force_flush_with_timeout(TIMEOUT), Then::Held);
}

#[test]
fn a_shutdown_reaches_the_healthy_destination() {
    check(|provider| provider.shutdown_with_timeout(TIMEOUT), Then::Dropped);
}

#[test]
fn an_asynchronous_flush_reaches_the_healthy_destination() {
    check(|provider| runtime().block_on(provider.force_flush_async(TIMEOUT)), Then::Held);
}

#[test]
fn an_asynchronous_shutdown_reaches_the_healthy_destination() {
    check(|provider| runtime().block_on(provider.shutdown_async(TIMEOUT)), Then::Dropped);
}

#[test]
fn the_drop_of_the_last_handle_reaches_the_healthy_destination() {
    thread::scope(|scope| {
        for dead_first in [true, false] {
            for dead in [Dead::refuses, Dead::silent] {
                scope.spawn(move || {
                    let (server, dead) = (Server::start(), dead());
                    drop(two_destinations(&server, &dead, dead_first));
                    let case = format!("{}, dead first: {dead_first}", dead.name());
                    assert_eq!(server.counts().items, SPANS, "{case}");
                });
            }
        }
    });
}
