//! The server process of the end-to-end rows: hyper alone, neither ours nor theirs.
//!
//! It answers every export with success. Uncompressed requests are counted item by item as they
//! come; compressed ones are kept and counted when the report is asked for, so that inflating
//! does not share the machine with the client under measure. In a validating run every item is
//! decoded by `prost` and looked at. A slow sink takes only so many spans a second.

mod check;
mod pace;
mod serve;

use std::io::BufRead;
use std::sync::Arc;

use bytes::Bytes;
use parking_lot::Mutex;
use serde::{Deserialize, Serialize};

use self::check::{inflate, scan};
use self::pace::Pace;
use crate::collector::spans::{self, Edit};
use crate::decode;
use crate::process::write_answer;
use crate::subject::{Failure, Items, Transport};

/// What a sink process has to do.
#[derive(Clone, Copy, Debug, Serialize, Deserialize)]
pub struct SinkTask {
    /// The protocol to speak.
    pub transport: Transport,
    /// What to count.
    pub items: Items,
    /// What every one has to be, where each is decoded and looked at.
    pub expected: Option<Expected>,
    /// Most spans a second, for requests over gRPC that are not compressed.
    pub rate: Option<u64>,
}

/// What a validating sink expects.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Expected {
    /// What the SDKs make of [`crate::workload`].
    Workload,
    /// What the load generator has sent, after a collector has done this to it.
    Collected(Edit),
}

/// The first line that a sink process writes.
#[derive(Clone, Copy, Debug, Serialize, Deserialize)]
pub struct Listening {
    /// Port on 127.0.0.1.
    pub port: u16,
}

/// What has arrived since the report before.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
pub struct SinkReport {
    /// Requests.
    pub requests: u64,
    /// Spans, or data points, in them.
    pub items: u64,
    /// Bytes of the messages on the wire, compressed where they were.
    pub bytes: u64,
    /// The first thing that was wrong with a request.
    pub fault: Option<String>,
}

/// On standard input: from now on the sink is not slow.
pub const RELEASE: &str = "release";

/// Serves until standard input ends; every line on it asks for a report on standard output, but for
/// [`RELEASE`].
///
/// # Errors
///
/// No port can be bound, or standard input or output is gone.
pub fn run(task: SinkTask) -> Result<(), Failure> {
    let inbox = Arc::new(Inbox::new(task.items, task.expected, task.rate));
    let port = serve::start(task.transport, Arc::clone(&inbox))?;
    write_answer(&Listening { port })?;
    for line in std::io::stdin().lock().lines() {
        match line?.as_str() {
            RELEASE => inbox.pace.release(),
            _ => write_answer(&inbox.report())?,
        }
    }
    Ok(())
}

/// Where requests are counted.
#[derive(Debug)]
struct Inbox {
    items: Items,
    expected: Option<Expected>,
    pace: Pace,
    state: Mutex<State>,
}

#[derive(Debug, Default)]
struct State {
    report: SinkReport,
    kept: Vec<(Encoding, Bytes)>,
    kept_bytes: usize,
}

/// How a message is compressed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Encoding {
    Identity,
    Gzip,
    Zstd,
}

/// Most bytes kept between two reports.
const KEPT_BYTES_MAX: usize = 1 << 30;

impl Inbox {
    fn new(items: Items, expected: Option<Expected>, rate: Option<u64>) -> Self {
        Self { items, expected, pace: Pace::new(rate), state: Mutex::default() }
    }

    /// Takes one message, still compressed. Returns how many items it has counted at once.
    fn take(&self, encoding: Encoding, message: Bytes) -> u64 {
        let counted_now = encoding == Encoding::Identity && self.expected.is_none();
        let items = if counted_now { scan(self.items, &message) } else { Ok(0) };
        let counted = *items.as_ref().unwrap_or(&0);
        let mut state = self.state.lock();
        state.report.requests += 1;
        state.report.bytes += message.len() as u64;
        state.count(items);
        if !counted_now {
            state.keep(encoding, message);
        }
        counted
    }

    /// Notes a request that is not an export.
    fn refuse(&self, fault: String) {
        self.state.lock().report.fault.get_or_insert(fault);
    }

    fn report(&self) -> SinkReport {
        let mut state = std::mem::take(&mut *self.state.lock());
        for (encoding, message) in std::mem::take(&mut state.kept) {
            let items = inflate(encoding, message).and_then(|message| self.look_at(message));
            state.count(items);
        }
        state.report
    }

    fn look_at(&self, message: Bytes) -> Result<u64, String> {
        match (self.expected, self.items) {
            (None, items) => scan(items, &message),
            (Some(Expected::Workload), Items::Spans) => decode::spans(message),
            (Some(Expected::Workload), Items::Points) => decode::points(message),
            (Some(Expected::Collected(edit)), Items::Spans) => spans::check(message, edit),
            (Some(Expected::Collected(_)), Items::Points) => Err("points of a collector".into()),
        }
    }
}

impl State {
    fn count(&mut self, items: Result<u64, String>) {
        match items {
            Ok(items) => self.report.items += items,
            Err(fault) => drop(self.report.fault.get_or_insert(fault)),
        }
    }

    fn keep(&mut self, encoding: Encoding, message: Bytes) {
        self.kept_bytes += message.len();
        if self.kept_bytes > KEPT_BYTES_MAX {
            self.count(Err(format!("more than {KEPT_BYTES_MAX} bytes between two reports")));
        } else {
            self.kept.push((encoding, message));
        }
    }
}

#[cfg(test)]
mod tests;
