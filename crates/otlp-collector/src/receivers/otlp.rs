//! Receives OTLP, over gRPC and HTTP.
//!
//! Into a consumer of your own:
//!
//! ```
//! use std::sync::Arc;
//! use std::time::Duration;
//!
//! use otlp_collector::admission::Budget;
//! use otlp_collector::consumer::{Answer, Batch, Consumer};
//! use otlp_collector::receivers::otlp::{Consumers, OtlpReceiver, OtlpSettings};
//! use otlp_core::export::{Deadline, Outcome};
//!
//! /// Says how much has come.
//! #[derive(Debug)]
//! struct Print;
//!
//! impl Consumer for Print {
//!     fn consume(&self, batch: Batch, _deadline: Deadline) -> Answer<'_> {
//!         println!("{} {}", batch.payload().items(), batch.payload().signal());
//!         Box::pin(async { Outcome::delivered() })
//!     }
//! }
//!
//! # #[tokio::main(flavor = "current_thread")]
//! # async fn main() -> Result<(), otlp_collector::receivers::otlp::StartError> {
//! let consumers = Consumers::all(Arc::new(Print));
//! let receiver = OtlpReceiver::new(OtlpSettings::on_free_ports());
//! let running = receiver.start(consumers, Budget::new(64 << 20)).await?;
//! println!("gRPC at {:?}, HTTP at {:?}", running.grpc_addr(), running.http_addr());
//! running.stop(Duration::from_secs(5)).await;
//! # Ok(())
//! # }
//! ```
//!
//! A request is answered with what the consumer has answered, so that a client is told of success when
//! somebody has taken responsibility, and not before. Nothing is decoded: a request is checked to the last
//! attribute and handed on as the bytes it came in; JSON becomes protobuf in one pass.
//!
//! Everything is bounded: connections, headers, time, bytes (by the [budget](crate::admission)), elements
//! and depth. See [`LimitSettings`] for the numbers. What is refused for load is told when to come again.

mod answer;
mod auth;
mod bind;
mod body;
mod component;
mod connection;
mod cors;
mod counters;
mod decode;
mod doors;
mod grpc;
mod http;
mod http1;
mod http2;
mod inflate;
mod intake;
mod lifetime;
mod listener;
mod prepare;
mod pulse;
mod refusal;
mod settings;
mod shrink;
mod single;
mod slots;
mod socket;
mod start;
mod stream;
mod tls;
#[cfg(unix)]
mod unix;

pub use self::auth::{Authenticator, BasicCredentials, BearerTokens, Credentials, Denied};
pub(crate) use self::auth::{ask, one_of, scheme};
pub(crate) use self::bind::tcp as bind_tcp;
pub use self::counters::{ConnectionCounts, CountersSnapshot, SignalCounts, Transport};
pub use self::settings::{
    AuthSettings, CorsSettings, GrpcSettings, HttpSettings, KeepaliveSettings, LimitSettings,
    OtlpSettings, ProtocolSettings, ServerParameters, SocketKind, TlsServerSettings, TlsVersion,
};
pub use self::start::{OtlpReceiver, RunningReceiver, StartError};
pub use crate::consumer::Consumers;
