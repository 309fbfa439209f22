//! Collectors beside each other: ours, the same pipeline on `prost`, and the Go collector.
//!
//! Collector, load generator and sink are processes of their own. What is sent and what has to arrive is
//! in [`spans`], who takes part in [`contestant`], what is measured in [`course`], and the rows with their
//! bars in [`rows`].

pub mod build;
pub mod contest;
pub mod contestant;
pub mod course;
pub mod effort;
mod ends;
pub mod histogram;
pub mod load;
pub mod prost;
pub mod rows;
pub mod spans;
mod vitals;
mod yaml;
