//! The rows: their names, what they measure, and the bars that they must reach.

mod bar;
mod logs;
mod loopback;
mod spans;

pub use self::bar::Bar;

use crate::client::Load;
use crate::rounds::Gauge;
use crate::subject::{Codec, LocalExport, Sampling, Transport};

/// One row of the comparison.
#[derive(Clone, Copy, Debug)]
pub struct Row {
    /// Its name in the table, in JSON and after `--only`.
    pub name: &'static str,
    /// Unit of both sides.
    pub unit: &'static str,
    /// What it is compared with.
    pub peer_name: &'static str,
    /// How it is measured.
    pub kind: Kind,
    /// What it must reach; empty for rows that only inform.
    pub bars: &'static [Bar],
}

/// How a row is measured.
#[derive(Clone, Copy, Debug)]
pub enum Kind {
    /// Both sides interleaved in one process. The items are spans, or log records.
    Spans(Contest, Gauge),
    /// Spans per second of ours with two threads, against ours with one. The ratio is
    /// ours / peer.
    ThreadScaling,
    /// Both sides with two threads, interleaved in one process.
    TwoThreads,
    /// Client CPU per million delivered spans; client processes alternate, the sink is another.
    Export(Transport, Codec),
    /// The same with the official SDK on both sides, and our exporter in it.
    Bridge(Transport),
    /// Client CPU per million spans whose batches are handed to the exporters of the row before.
    Batches(Transport),
    /// Client CPU per export of data points: see [`Load`].
    Metrics(Load),
    /// Spans lost at a paced rate into the sink, default configuration.
    Loss {
        /// The transport.
        transport: Transport,
        /// Spans per second.
        rate: u64,
    },
    /// Growth of resident memory while nobody listens at the endpoint, default configuration.
    ServerAway {
        /// Spans per second.
        rate: u64,
    },
}

/// Who meets whom in one process, and over which spans.
#[derive(Clone, Copy, Debug)]
pub enum Contest {
    /// Root spans through the API of `opentelemetry`, ours against the official SDK.
    Root {
        /// Attributes, set one by one.
        attributes: usize,
        /// Recorded or not.
        sampling: Sampling,
        /// What the exporter does.
        export: LocalExport,
    },
    /// Root spans that are not recorded, against the API with nothing behind it.
    Floor {
        /// Attributes, set one by one.
        attributes: usize,
    },
    /// Trees of ten through the same API.
    Tree,
    /// Root spans of ten fields through `tracing` and its bridge, ours against the official SDK.
    Tracing,
    /// The same spans through our layer, against that bridge over the official SDK and its encoder.
    TracingLayer,
    /// Log records with four attributes through `tracing` and its appender, ours against the
    /// official SDK.
    Logs,
    /// The same records through our layer, against that appender over the official SDK.
    LogsLayer,
    /// Root spans of ten attributes: ours through the API, `fastrace` through its own.
    FastraceRoot,
    /// Trees of ten, the same way.
    FastraceTree,
}

/// Every row, in the order in which they run.
pub fn all() -> impl Iterator<Item = &'static Row> {
    [spans::ROWS, logs::ROWS, loopback::ROWS].into_iter().flatten()
}

impl Row {
    /// The row of that name.
    #[must_use]
    pub fn named(name: &str) -> Option<&'static Self> {
        all().find(|row| row.name == name)
    }

    /// Whether the ratio is ours / peer, as for rates, not peer / ours, as for costs.
    #[must_use]
    pub fn more_is_better(&self) -> bool {
        matches!(self.kind, Kind::ThreadScaling)
    }
}

#[cfg(test)]
mod tests {
    use std::collections::HashSet;

    use super::*;

    #[test]
    fn names_are_unique_and_find_their_row() {
        let names: HashSet<_> = all().map(|row| row.name).collect();
        assert_eq!(names.len(), all().count());
        assert!(all().all(|row| Row::named(row.name).unwrap().name == row.name));
        assert!(Row::named("span_root11_caller").is_none());
    }
}
