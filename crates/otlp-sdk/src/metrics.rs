//! Metrics: the official SDK aggregates, our pipeline delivers.

#[allow(dead_code, reason = "the reader and the bridge use it")]
pub(crate) mod encode;
