//! The official SDK and ours, each with the exporters of the other.

#![cfg(all(feature = "http", feature = "grpc"))]
#![allow(
    clippy::unwrap_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "helpers of tests fail by panicking, as tests do"
)]

#[path = "../child/mod.rs"]
mod child;
mod contexts;
mod environment;
mod failures;
mod foreign;
mod lifecycle;
mod logs_and_metrics;
mod same_data;
mod support;
