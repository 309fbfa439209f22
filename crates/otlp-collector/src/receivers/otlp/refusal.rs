//! Why a request is not taken, whatever the transport.

use std::borrow::Cow;
use std::time::Duration;

use http::StatusCode;
use otlp_core::export::DecompressError;
use otlp_core::wire::WireError;

use crate::admission::Full;

/// A request that is not taken.
#[derive(Clone, Debug)]
pub(super) struct Refusal {
    pub(super) kind: Kind,
    pub(super) message: Cow<'static, str>,
    /// When the client may come again; only for what may succeed later.
    pub(super) retry_after: Option<Duration>,
}

/// What the client can do about it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Kind {
    /// Nothing: it is not OTLP (rows G8, H13).
    Malformed,
    /// Send less at a time (row Z3).
    TooLarge,
    /// Come again later (rows G7, G9, H14).
    Overloaded,
    /// The same, said by the next hop in other words.
    Throttled,
    /// Say who it is.
    Unauthenticated,
    /// Nothing: who it is does not suffice.
    Forbidden,
    /// Another path or method of gRPC.
    Unknown,
    /// POST.
    WrongMethod,
    /// Another content type.
    UnsupportedMedia,
    /// Another compression.
    UnsupportedEncoding,
    /// One message in a call.
    Cardinality,
    /// Nothing: it is a fault of ours, or of what comes after.
    Internal,
}

impl Refusal {
    pub(super) fn new(kind: Kind, message: impl Into<Cow<'static, str>>) -> Self {
        Self { kind, message: message.into(), retry_after: None }
    }

    pub(super) fn malformed(message: impl Into<Cow<'static, str>>) -> Self {
        Self::new(Kind::Malformed, message)
    }

    pub(super) fn too_large(message: impl Into<Cow<'static, str>>) -> Self {
        Self::new(Kind::TooLarge, message)
    }

    pub(super) fn overloaded(message: impl Into<Cow<'static, str>>, after: Duration) -> Self {
        Self { kind: Kind::Overloaded, message: message.into(), retry_after: Some(after) }
    }

    /// No room in the budget: for now, or for ever.
    pub(super) fn full(full: Full, after: Duration) -> Self {
        if full.is_hopeless() {
            return Self::too_large("the request is larger than all that may be here at once");
        }
        Self::overloaded("too much is under way", after)
    }

    pub(super) fn over_limit(limit: usize) -> Self {
        Self::too_large(format!("the request is larger than the limit of {limit} bytes"))
    }

    /// A panic in what comes after.
    pub(super) fn panicked() -> Self {
        Self::new(Kind::Internal, "the request met a fault in the collector")
    }

    pub(super) fn is_for_load(&self) -> bool {
        matches!(self.kind, Kind::Overloaded | Kind::Throttled)
    }
}

impl From<WireError> for Refusal {
    fn from(error: WireError) -> Self {
        match error {
            WireError::TooManyElements { .. } => Self::too_large(error.to_string()),
            _ => Self::malformed(error.to_string()),
        }
    }
}

impl From<DecompressError> for Refusal {
    fn from(error: DecompressError) -> Self {
        match error {
            DecompressError::TooLarge { limit } => Self::over_limit(limit),
            _ => Self::malformed(error.to_string()),
        }
    }
}

impl Kind {
    /// The status of gRPC.
    pub(super) const fn grpc(self) -> u8 {
        match self {
            Self::Malformed => INVALID_ARGUMENT,
            Self::TooLarge => RESOURCE_EXHAUSTED,
            Self::Overloaded | Self::Throttled => UNAVAILABLE,
            Self::Unauthenticated => UNAUTHENTICATED,
            Self::Forbidden => PERMISSION_DENIED,
            Self::Unknown
            | Self::WrongMethod
            | Self::UnsupportedMedia
            | Self::UnsupportedEncoding
            | Self::Cardinality => UNIMPLEMENTED,
            Self::Internal => INTERNAL,
        }
    }

    /// The status of HTTP.
    pub(super) const fn http(self) -> StatusCode {
        match self {
            Self::Malformed | Self::Cardinality => StatusCode::BAD_REQUEST,
            Self::TooLarge => StatusCode::PAYLOAD_TOO_LARGE,
            Self::Overloaded => StatusCode::SERVICE_UNAVAILABLE,
            Self::Throttled => StatusCode::TOO_MANY_REQUESTS,
            Self::Unauthenticated => StatusCode::UNAUTHORIZED,
            Self::Forbidden => StatusCode::FORBIDDEN,
            Self::Unknown => StatusCode::NOT_FOUND,
            Self::WrongMethod => StatusCode::METHOD_NOT_ALLOWED,
            Self::UnsupportedMedia | Self::UnsupportedEncoding => {
                StatusCode::UNSUPPORTED_MEDIA_TYPE
            }
            Self::Internal => StatusCode::INTERNAL_SERVER_ERROR,
        }
    }
}

pub(super) const INVALID_ARGUMENT: u8 = 3;
const PERMISSION_DENIED: u8 = 7;
pub(super) const RESOURCE_EXHAUSTED: u8 = 8;
const UNIMPLEMENTED: u8 = 12;
pub(super) const INTERNAL: u8 = 13;
const UNAVAILABLE: u8 = 14;
const UNAUTHENTICATED: u8 = 16;
