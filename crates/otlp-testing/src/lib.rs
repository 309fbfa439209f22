//! What the tests, examples and benches of OTLP for Rust run against.
//!
//! - [`Server`]: a loopback OTLP server over gRPC and HTTP that keeps what it received and
//!   answers what a [`Script`] says.
//! - [`oracle`]: decoding by `opentelemetry-proto` and `prost`, so that our own wire code is never
//!   its own judge; [`TraceTree`] prints a trace.
//! - [`RawServer`] and [`FaultProxy`]: sockets that misbehave below HTTP.
//! - [`ScriptedExporter`]: an exporter for pipeline tests without a network.
//! - [`Backend`]: where an example sends, and what arrived.
//! - [`Account`]: ended spans against what the server saw.
//! - [`tls`]: certificates for one test run.
//!
//! Not published. Everything binds to 127.0.0.1 on a free port and runs on threads of its own, so
//! it serves synchronous tests and any runtime, also one whose clock is paused.

mod account;
mod backend;
mod background;
mod exporter;
mod gate;
pub mod oracle;
mod proxy;
mod raw;
mod server;
pub mod tls;

pub use self::account::{Account, Verdict};
pub use self::backend::Backend;
pub use self::exporter::{ScriptedExporter, Step};
pub use self::gate::Gate;
pub use self::oracle::{Message, SpanKey, SpanRecord, TraceTree};
pub use self::proxy::{Direction, Fault, FaultProxy};
pub use self::raw::{RawAnswer, RawServer};
pub use self::server::{
    Counts, ReceivedLog, ReceivedRequest, ReceivedSpan, Reply, Script, Server, ServerBuilder,
    Transport, WaitError,
};
