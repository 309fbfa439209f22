//! Exports encoded OTLP over gRPC.
//!
//! [`GrpcExporter`] sends a [`Payload`](otlp_core::Payload) as one unary call and says what became
//! of it. Retry, queueing and batching belong to whoever drives it, such as the SDK's pipeline.
//!
//! ```
//! use otlp_core::Signal;
//! use otlp_exporter_grpc::GrpcExporter;
//!
//! # fn main() -> Result<(), otlp_exporter_grpc::BuildError> {
//! let exporter = GrpcExporter::builder(Signal::Traces)
//!     .with_endpoint("http://localhost:4317")
//!     .with_header("x-tenant", "blue")
//!     .build()?;
//! # drop(exporter);
//! # Ok(())
//! # }
//! ```
//!
//! - The pieces of a payload are framed as they are, without a codec, and a payload is compressed
//!   once, however often it is sent. HTTP/2 frames are gathered into large writes, so that a request
//!   takes a few system calls to send and not one for each frame of 16 KiB.
//! - Whatever the server answers is bounded: 4 MiB of message, before and after inflating, 16 KiB
//!   of headers and trailers. Text from the server is escaped and cut before it enters a message.
//! - Building does no network I/O and needs no runtime; the connection is made by the first call,
//!   on the Tokio runtime that drives it, and again whenever it was lost.
//! - Header values never appear in a message or in `Debug`, also when the server sends them back.
//!
//! # Features
//!
//! | feature | default | what it adds |
//! |---|---|---|
//! | `tls` | no | `https` endpoints, mTLS: rustls with ring; the system's roots or a CA of your own |

#![cfg_attr(docsrs, feature(doc_cfg))]

mod builder;
mod connection;
mod exporter;
mod frame;
mod gather;
mod hint;
mod outcome;
mod status;
#[cfg(feature = "tls")]
mod tls;
mod unary;

pub use otlp_core::export::BuildError;

pub use self::builder::GrpcExporterBuilder;
pub use self::exporter::GrpcExporter;

#[cfg(doctest)]
#[doc = include_str!("../README.md")]
struct ReadmeDoctests;
