//! The core of OTLP for Rust: wire format, payload, export contract, retry decisions and exporter
//! configuration.
//!
//! Sans-I/O: no socket, thread or clock read, and the environment is read in one file. Time and
//! randomness are arguments. OTLP bytes are the data model: a span is encoded once, where it
//! happens, and from then on it is a slice of [`bytes::Bytes`] that is never re-encoded.

#![cfg_attr(docsrs, feature(doc_cfg))]

pub mod export;
mod limits;
pub mod log;
pub mod metric;
mod payload;
mod signal;
pub mod span;
pub mod time;
pub mod wire;

pub use self::limits::{AttributeLimits, LogRecordLimits, SpanLimits, ValueLimits};
#[cfg(feature = "json")]
pub use self::payload::JsonBodyError;
pub use self::payload::{Body, Payload, Rope, SplitLimit};
pub use self::signal::{ExporterType, Signal};

#[cfg(doctest)]
#[doc = include_str!("../README.md")]
struct ReadmeDoctests;
