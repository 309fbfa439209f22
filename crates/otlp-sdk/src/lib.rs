//! An OpenTelemetry SDK for Rust that encodes spans straight into OTLP bytes.
//!
//! One call sets everything up from the standard environment variables and returns a guard that
//! delivers what is held when it is dropped:
//!
//! ```no_run
//! use opentelemetry::KeyValue;
//! use opentelemetry::trace::{Span, Tracer};
//!
//! fn main() -> Result<(), Box<dyn std::error::Error>> {
//!     let telemetry = otlp_sdk::builder().with_service_name("checkout").init()?;
//!
//!     let tracer = opentelemetry::global::tracer("checkout");
//!     let mut span = tracer.start("charge card");
//!     span.set_attribute(KeyValue::new("amount", 4200));
//!     span.end();
//!
//!     println!("{}", telemetry.shutdown()?);
//!     Ok(())
//! }
//! ```
//!
//! - [`trace::TracerProvider`] implements the API traits of `opentelemetry` 0.33. Code that is
//!   instrumented with that API, or with `tracing` through `tracing-opentelemetry`, stays as it is.
//! - **Nothing is lost in silence.** [`trace::Ledger`] balances at any moment:
//!   `ended = delivered + rejected + dropped{reason} + held`.
//! - **It never harms the application.** Delivery runs on a thread and a runtime of its own, so flush
//!   and shutdown work with no runtime, on a runtime's only worker, in `Drop` and in a panic hook.
//!   Nothing on an instrumented thread blocks, panics or returns an error.
//!
//! # Features
//!
//! | feature | default | what it adds |
//! |---|---|---|
//! | `http` | yes | OTLP over HTTP/protobuf for [`init()`] |
//! | `grpc` | no | OTLP over gRPC for [`init()`] |
//! | `tls` | no | TLS and mTLS in the exporters that are enabled |
//!
//! Features only add: which transport is used is decided at run time, by code or by
//! `OTEL_EXPORTER_OTLP_PROTOCOL`.

#![cfg_attr(docsrs, feature(doc_cfg))]

mod clock;
mod config;
mod console;
mod foreign;
mod init;
mod notice;
mod pipeline;
pub mod propagation;
pub mod resource;
mod sync;
pub mod testing;
pub mod trace;
mod value;

pub use self::console::ConsoleExporter;
pub use self::init::{InitError, ShutdownError, TelemetryBuilder, TelemetryGuard, builder, init};

/// The API that the SDK implements, so that both come in one version.
pub use opentelemetry;
/// The official SDK, for the seams of it that are accepted here: `ShouldSample`, `IdGenerator`,
/// `Resource`.
pub use opentelemetry_sdk;
/// Payload, export contract and exporter configuration, shared with the exporters.
pub use otlp_core;
