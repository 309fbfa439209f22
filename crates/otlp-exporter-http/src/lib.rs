//! Exports encoded OTLP over HTTP with bodies in protobuf, or in JSON.
//!
//! [`HttpExporter`] sends a [`Payload`](otlp_core::Payload) as one `POST` and says what became of
//! it. Retry, queueing and batching belong to whoever drives it, such as the SDK's pipeline.
//!
//! ```
//! use otlp_core::Signal;
//! use otlp_exporter_http::HttpExporter;
//!
//! # fn main() -> Result<(), otlp_exporter_http::BuildError> {
//! // Requests go to http://localhost:4318/v1/traces.
//! let exporter = HttpExporter::builder(Signal::Traces)
//!     .with_endpoint("http://localhost:4318")
//!     .with_header("x-tenant", "blue")
//!     .build()?;
//! # drop(exporter);
//! # Ok(())
//! # }
//! ```
//!
//! - The pieces of a payload go to the socket without being copied into one body, and a payload
//!   is compressed once, however often it is sent. With `http/json` it is converted once, by the task
//!   that drives the export.
//! - Whatever the server answers is bounded: 4 MiB, before and after inflating, and 64 KiB of the
//!   body of an error. Text from the server is escaped and cut before it enters a message.
//! - Redirects are not followed, so headers never reach a host that was not configured.
//! - HTTP/1.1 over `http`; over `https` HTTP/2 where the server offers it. `HTTP_PROXY`,
//!   `HTTPS_PROXY`, `ALL_PROXY` and `NO_PROXY` are honoured as they stand when the exporter is
//!   built.
//! - Building does no network I/O and needs no runtime; connections are made by requests, on the
//!   Tokio runtime that drives them, kept for later requests, and made anew when they were lost.
//! - Header values never appear in a message or in `Debug`, also when the server sends them back.
//!
//! # Features
//!
//! | feature | default | what it adds |
//! |---|---|---|
//! | `json` | no | `http/json`: [`with_protocol`](HttpExporterBuilder::with_protocol); answers in JSON are read, whatever the request was in |
//! | `tls` | no | `https` endpoints, mTLS: rustls with ring; the system's roots or a CA of your own |

#![cfg_attr(docsrs, feature(doc_cfg))]

mod body;
mod builder;
mod encoding;
mod exporter;
mod hint;
#[cfg(feature = "tls")]
mod named_verifier;
mod outcome;
mod proxy;
mod response;
mod retry_after;
#[cfg(feature = "tls")]
mod tls;
mod transport;

pub use otlp_core::export::BuildError;

pub use self::builder::HttpExporterBuilder;
pub use self::exporter::HttpExporter;

#[cfg(doctest)]
#[doc = include_str!("../README.md")]
struct ReadmeDoctests;
