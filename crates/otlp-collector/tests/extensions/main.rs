//! Extensions of a collector that runs, asked over the network.

#![allow(
    clippy::unwrap_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "a test fails by panicking"
)]

mod auth;
mod health;
mod pages;
mod support;
mod zpages;
