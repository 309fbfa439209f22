//! One log record in OTLP bytes, encoded as it is set.

mod encoder;

pub use self::encoder::{LogContext, LogRecordEncoder, LogRecordSizes};
