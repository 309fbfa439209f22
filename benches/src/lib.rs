//! Our SDK and exporters beside the official crates, `tracing-opentelemetry` and `fastrace`.
//!
//! The `compare` program runs both sides interleaved and prints ratios; the criterion benches look
//! at single parts. The `collector` program compares collectors: [`collector`]. What both sides do is in [`workload`], what they are in [`ours`] and
//! [`peers`], and the rows with their bars in [`rows`].

pub mod alloc;
pub mod client;
pub mod collector;
pub mod contest;
pub mod courier;
pub mod decode;
pub mod effort;
pub mod end_to_end;
pub mod measure;
pub mod ours;
pub mod peers;
pub mod process;
pub mod report;
pub mod rounds;
pub mod rows;
pub mod sink;
pub mod stats;
pub mod subject;
pub mod workload;

/// Compiles the examples of the README with the crates that a reader would add. In this crate
/// because it is not published: the README is outside of a package.
#[cfg(doctest)]
#[doc = include_str!("../../README.md")]
struct Readme;
