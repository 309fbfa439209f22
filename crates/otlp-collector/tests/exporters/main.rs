//! The exporters of a configuration, against servers and files.

#![expect(
    clippy::unwrap_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "helpers of tests are tests"
)]

mod debug;
mod file;
mod otlp;
mod secure;
mod settings;
mod support;
mod whole;
