//! Metrics from the official SDK's instruments to a server, through our readers.

#![expect(
    clippy::unwrap_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "a test fails by panicking"
)]

mod callbacks;
mod delivery;
mod lifecycle;
mod oracle;
mod settings;
mod support;
