//! The load generator: a process that sends prepared requests to a collector and hears the answers.
//!
//! gRPC is `h2` alone, HTTP is hyper's HTTP/1.1 client: neither ours nor those of the collectors.

mod grpc;
mod http;
mod sending;

use std::io::{BufRead, Write};
use std::time::Duration;

use bytes::Bytes;
use flate2::Compression;
use flate2::write::GzEncoder;
use serde::{Deserialize, Serialize};

use self::sending::{Client, Sending};
use super::spans;
use crate::process::write_answer;
use crate::subject::{Failure, Transport};

/// What a load generator has to do.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct LoadTask {
    /// The protocol to speak.
    pub transport: Transport,
    /// Port on 127.0.0.1.
    pub port: u16,
    /// Spans in a request.
    pub spans: usize,
    /// Whether requests are compressed with gzip.
    pub gzip: bool,
    /// What to do, one after the other; each begins with a line on standard input.
    pub phases: Vec<Phase>,
}

/// One part of the work.
#[derive(Clone, Copy, Debug, Serialize, Deserialize)]
pub enum Phase {
    /// Every prepared request once.
    Once,
    /// For this time, the next as soon as the one before is answered.
    Closed(Duration),
    /// For this time, so many spans a second, unless answers take too long.
    Paced(Duration, u64),
}

/// What became of a phase.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
pub struct LoadReport {
    /// Spans that the collector has said it has accepted.
    pub accepted: u64,
    /// Spans of requests that it said may come again.
    pub refused: u64,
    /// What the first of those was told.
    pub refusal: Option<String>,
    /// The first thing that should not happen: another answer, a broken connection.
    pub fault: Option<String>,
    /// How long it took.
    pub seconds: f64,
    /// Half of the requests were answered within so many microseconds.
    pub p50_micros: u64,
    /// 99 of 100 were.
    pub p99_micros: u64,
    /// All were.
    pub max_micros: u64,
}

/// Carries out the phases, each when it is asked for, and answers with its [`LoadReport`].
///
/// # Errors
///
/// The collector cannot be connected to, or standard input or output is gone.
pub fn run(task: &LoadTask) -> Result<(), Failure> {
    let messages = prepare(task)?;
    let mut builder = tokio::runtime::Builder::new_multi_thread();
    let runtime = builder.worker_threads(1).enable_all().build()?;
    let clients = runtime.block_on(Client::connect(task))?;
    let mut sending = Sending::new(clients, messages, task.spans as u64);
    let mut lines = std::io::stdin().lock().lines();
    for phase in &task.phases {
        lines.next().transpose()?;
        write_answer(&runtime.block_on(sending.run(*phase)))?;
    }
    // The parent may still have something to wait for, and the connections are its collector's.
    lines.next().transpose()?;
    Ok(())
}

fn prepare(task: &LoadTask) -> Result<Vec<Bytes>, Failure> {
    let mut messages = spans::requests(task.spans);
    for message in &mut messages {
        if task.gzip {
            *message = deflate(message)?;
        }
        if task.transport == Transport::Grpc {
            *message = grpc::frame(task.gzip, message)?;
        }
    }
    Ok(messages)
}

fn deflate(message: &[u8]) -> std::io::Result<Bytes> {
    let mut gzip = GzEncoder::new(Vec::new(), Compression::new(GZIP_LEVEL));
    gzip.write_all(message)?;
    Ok(gzip.finish()?.into())
}

/// What SDKs use.
const GZIP_LEVEL: u32 = 6;

#[cfg(test)]
mod tests;
