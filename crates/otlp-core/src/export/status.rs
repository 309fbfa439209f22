//! The status of an answer, in the words of its transport.

/// The status with which a server has answered a request.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum AnswerStatus {
    /// A status of HTTP, such as 200.
    Http(u16),
    /// A status code of gRPC, such as 0 for `OK`.
    Grpc(i32),
}

/// The name of a gRPC status code as the documents of gRPC write it, if they have the code.
///
/// ```
/// use otlp_core::export::grpc_status_name;
///
/// assert_eq!(grpc_status_name(14), Some("UNAVAILABLE"));
/// assert_eq!(grpc_status_name(99), None);
/// ```
#[must_use]
pub fn grpc_status_name(code: i32) -> Option<&'static str> {
    usize::try_from(code).ok().and_then(|at| GRPC_NAMES.get(at)).copied()
}

/// By code.
const GRPC_NAMES: [&str; 17] = [
    "OK",
    "CANCELLED",
    "UNKNOWN",
    "INVALID_ARGUMENT",
    "DEADLINE_EXCEEDED",
    "NOT_FOUND",
    "ALREADY_EXISTS",
    "PERMISSION_DENIED",
    "RESOURCE_EXHAUSTED",
    "FAILED_PRECONDITION",
    "ABORTED",
    "OUT_OF_RANGE",
    "UNIMPLEMENTED",
    "INTERNAL",
    "UNAVAILABLE",
    "DATA_LOSS",
    "UNAUTHENTICATED",
];
