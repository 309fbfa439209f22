//! The OTLP receiver over real sockets: each row of the protocol, each bad input, and real clients.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    clippy::print_stdout,
    reason = "a test fails by panicking, and a measurement is printed"
)]

mod auth;
mod bad;
mod clients;
mod connections;
mod crowd;
mod encrypted;
mod ends;
#[cfg(target_os = "linux")]
mod floods;
mod grpc;
mod http;
#[cfg(target_os = "linux")]
mod load;
#[cfg(target_os = "linux")]
mod said;
mod support;
#[cfg(unix)]
mod unix;
