//! What a collector tells of itself: read as Prometheus does, and received as OTLP by servers that are not ours.

#![allow(
    clippy::unwrap_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "a test fails by panicking"
)]

#[path = "../extensions/support.rs"]
#[allow(dead_code, reason = "shared with the tests of extensions")]
mod support;

mod pull;
mod push;
