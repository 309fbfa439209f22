//! OTLP in JSON, both ways: protobuf bytes to JSON text and back, without a data model between.
//!
//! The mapping is proto3 JSON with OTLP's own rules (rows J1 to J9): trace and span ids in hex, enums as
//! numbers, 64-bit integers as decimal strings, names in lower camel case, unknown names passed over.
//!
//! ```
//! use otlp_core::Signal;
//! use otlp_core::wire::json::{self, Message};
//!
//! // One resource, one scope, one span named "hi".
//! let request = b"\x0a\x08\x12\x06\x12\x04\x2a\x02hi";
//! let message = Message::Request(Signal::Traces);
//! let mut text = Vec::new();
//! json::write(message, request, &mut text)?;
//! assert_eq!(text, br#"{"resourceSpans":[{"scopeSpans":[{"spans":[{"name":"hi"}]}]}]}"#);
//! assert_eq!(json::read(message, &text)?, request);
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```

mod answer;
mod read;
mod write;

use super::definitions::Type;
use crate::signal::Signal;

pub use self::answer::{read_partial_success, read_status};
pub use self::read::{JsonError, read};
pub use self::write::{WriteError, write, write_within};

#[cfg(test)]
mod tests;

/// A message that has a JSON form.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Message {
    /// `Export<Signal>ServiceRequest`, which is `TracesData` and so on as well.
    Request(Signal),
    /// `Export<Signal>ServiceResponse`.
    Response(Signal),
    /// `google.rpc.Status`, the body of a failed HTTP request. Its details are passed over.
    Status,
}

impl Message {
    const fn root(self) -> Type {
        match self {
            Self::Request(Signal::Traces) => Type::TraceRequest,
            Self::Request(Signal::Metrics) => Type::MetricsRequest,
            Self::Request(Signal::Logs) => Type::LogsRequest,
            Self::Response(Signal::Traces) => Type::TraceResponse,
            Self::Response(Signal::Metrics) => Type::MetricsResponse,
            Self::Response(Signal::Logs) => Type::LogsResponse,
            Self::Status => Type::RpcStatus,
        }
    }
}
