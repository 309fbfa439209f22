//! The stacks that we compare with.

pub mod appender;
pub mod fastrace;
pub mod noop;
pub mod official;
pub mod tracing;
