//! One span in OTLP bytes: encoded as it is recorded, and as a value of its own.

mod encoded;
mod encoder;

pub use self::encoded::EncodedSpan;
pub use self::encoder::{
    LinkContext, ParentContext, SpanEncoder, SpanIdentity, SpanKind, SpanSizes, StatusCode,
};
