//! The rows: their names, what they measure, and the bars that they must reach.

mod bar;

pub use self::bar::Bar;

use crate::client::Load;
use crate::peers::{appender, fastrace, noop, official, tracing};
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

impl Row {
    /// The row of that name.
    #[must_use]
    pub fn named(name: &str) -> Option<&'static Self> {
        ROWS.iter().find(|row| row.name == name)
    }

    /// Whether the ratio is ours / peer, as for rates, not peer / ours, as for costs.
    #[must_use]
    pub fn more_is_better(&self) -> bool {
        matches!(self.kind, Kind::ThreadScaling)
    }
}

const ROOT10: Contest =
    Contest::Root { attributes: 10, sampling: Sampling::On, export: LocalExport::Count };
const ROOT10_ENCODED: Contest =
    Contest::Root { attributes: 10, sampling: Sampling::On, export: LocalExport::Encode };
const ROOT0: Contest =
    Contest::Root { attributes: 0, sampling: Sampling::On, export: LocalExport::Count };
const UNSAMPLED0: Contest =
    Contest::Root { attributes: 0, sampling: Sampling::Off, export: LocalExport::Count };
const UNSAMPLED10: Contest =
    Contest::Root { attributes: 10, sampling: Sampling::Off, export: LocalExport::Count };

const NANOS: &str = "ns/span";
const RECORD: &str = "ns/record";
const ALLOCATIONS: &str = "allocations/span";
const CPU: &str = "CPU s per million delivered spans";
const EXPORT: &str = "CPU ms per export of 10,000 points";
const LOST: &str = "spans lost";

/// Every row, in the order in which they run.
pub const ROWS: &[Row] = &[
    Row {
        name: "span_root10_caller",
        unit: NANOS,
        peer_name: official::NAME,
        kind: Kind::Spans(ROOT10, Gauge::CallerTime),
        bars: &[Bar::Ratio(6.0), Bar::Ours(150.0)],
    },
    Row {
        name: "span_root10_cpu_encoded",
        unit: NANOS,
        peer_name: official::NAME,
        kind: Kind::Spans(ROOT10_ENCODED, Gauge::ProcessCpu),
        bars: &[Bar::Ratio(12.0)],
    },
    Row {
        name: "span_root10_allocs",
        unit: ALLOCATIONS,
        peer_name: official::NAME,
        kind: Kind::Spans(ROOT10, Gauge::CallerAllocations),
        bars: &[Bar::OursAlways(0.0)],
    },
    Row {
        name: "span_root10_allocs_process",
        unit: ALLOCATIONS,
        peer_name: official::NAME,
        kind: Kind::Spans(ROOT10_ENCODED, Gauge::ProcessAllocations),
        bars: &[],
    },
    Row {
        name: "span_root0_caller",
        unit: NANOS,
        peer_name: official::NAME,
        kind: Kind::Spans(ROOT0, Gauge::CallerTime),
        bars: &[],
    },
    Row {
        name: "span_tree_caller",
        unit: NANOS,
        peer_name: official::NAME,
        kind: Kind::Spans(Contest::Tree, Gauge::CallerTime),
        bars: &[],
    },
    Row {
        name: "span_unsampled0",
        unit: NANOS,
        peer_name: official::NAME,
        kind: Kind::Spans(UNSAMPLED0, Gauge::CallerTime),
        bars: &[Bar::Ratio(5.0)],
    },
    Row {
        name: "span_unsampled10",
        unit: NANOS,
        peer_name: official::NAME,
        kind: Kind::Spans(UNSAMPLED10, Gauge::CallerTime),
        bars: &[Bar::Ratio(5.0)],
    },
    Row {
        name: "span_unsampled10_allocs",
        unit: ALLOCATIONS,
        peer_name: official::NAME,
        kind: Kind::Spans(UNSAMPLED10, Gauge::CallerAllocations),
        bars: &[Bar::OursAlways(0.0)],
    },
    Row {
        name: "span_unsampled0_floor",
        unit: NANOS,
        peer_name: noop::NAME,
        kind: Kind::Spans(Contest::Floor { attributes: 0 }, Gauge::CallerTime),
        bars: &[],
    },
    Row {
        name: "span_unsampled10_floor",
        unit: NANOS,
        peer_name: noop::NAME,
        kind: Kind::Spans(Contest::Floor { attributes: 10 }, Gauge::CallerTime),
        bars: &[],
    },
    Row {
        name: "span_threads2",
        unit: "spans/s",
        peer_name: "ours with one thread",
        kind: Kind::ThreadScaling,
        bars: &[Bar::Ratio(1.8)],
    },
    Row {
        name: "span_threads2_wall",
        unit: NANOS,
        peer_name: official::NAME,
        kind: Kind::TwoThreads,
        bars: &[],
    },
    Row {
        name: "span_root10_tracing",
        unit: NANOS,
        peer_name: tracing::NAME,
        kind: Kind::Spans(Contest::Tracing, Gauge::CallerTime),
        bars: &[],
    },
    Row {
        name: "tracing10_caller",
        unit: NANOS,
        peer_name: tracing::NAME,
        kind: Kind::Spans(Contest::TracingLayer, Gauge::CallerTime),
        bars: &[Bar::Ours(450.0)],
    },
    Row {
        name: "tracing10_cpu_encoded",
        unit: NANOS,
        peer_name: tracing::NAME,
        kind: Kind::Spans(Contest::TracingLayer, Gauge::ProcessCpu),
        bars: &[Bar::Ratio(8.0)],
    },
    Row {
        name: "tracing10_allocs",
        unit: ALLOCATIONS,
        peer_name: tracing::NAME,
        kind: Kind::Spans(Contest::TracingLayer, Gauge::CallerAllocations),
        bars: &[Bar::OursAlways(1.0)],
    },
    Row {
        name: "span_root10_fastrace",
        unit: NANOS,
        peer_name: fastrace::NAME,
        kind: Kind::Spans(Contest::FastraceRoot, Gauge::CallerTime),
        bars: &[],
    },
    Row {
        name: "span_tree_fastrace",
        unit: NANOS,
        peer_name: fastrace::NAME,
        kind: Kind::Spans(Contest::FastraceTree, Gauge::CallerTime),
        bars: &[],
    },
    Row {
        name: "log4_cpu_encoded",
        unit: RECORD,
        peer_name: appender::NAME,
        kind: Kind::Spans(Contest::Logs, Gauge::ProcessCpu),
        bars: &[Bar::Ratio(6.0)],
    },
    Row {
        name: "log4_caller",
        unit: RECORD,
        peer_name: appender::NAME,
        kind: Kind::Spans(Contest::Logs, Gauge::CallerTime),
        bars: &[],
    },
    Row {
        name: "log4_layer_cpu_encoded",
        unit: RECORD,
        peer_name: appender::NAME,
        kind: Kind::Spans(Contest::LogsLayer, Gauge::ProcessCpu),
        bars: &[],
    },
    Row {
        name: "export_grpc_none",
        unit: CPU,
        peer_name: official::NAME_WITH_EXPORTER,
        kind: Kind::Export(Transport::Grpc, Codec::None),
        bars: &[Bar::Ratio(8.0)],
    },
    Row {
        name: "export_http_none",
        unit: CPU,
        peer_name: official::NAME_WITH_EXPORTER,
        kind: Kind::Export(Transport::Http, Codec::None),
        bars: &[Bar::Ratio(14.0)],
    },
    Row {
        name: "export_grpc_gzip",
        unit: CPU,
        peer_name: official::NAME_WITH_EXPORTER,
        kind: Kind::Export(Transport::Grpc, Codec::Gzip),
        bars: &[Bar::Ratio(2.0)],
    },
    Row {
        name: "export_http_gzip",
        unit: CPU,
        peer_name: official::NAME_WITH_EXPORTER,
        kind: Kind::Export(Transport::Http, Codec::Gzip),
        bars: &[Bar::Ratio(2.0)],
    },
    Row {
        name: "export_http_gzip_default",
        unit: CPU,
        peer_name: official::NAME_WITH_EXPORTER,
        kind: Kind::Export(Transport::Http, Codec::GzipDefault),
        bars: &[Bar::Ratio(4.0)],
    },
    Row {
        name: "export_http_zstd",
        unit: CPU,
        peer_name: official::NAME_WITH_EXPORTER,
        kind: Kind::Export(Transport::Http, Codec::Zstd),
        bars: &[Bar::Ratio(4.0)],
    },
    Row {
        name: "export_grpc_zstd",
        unit: CPU,
        peer_name: official::NAME_WITH_EXPORTER,
        kind: Kind::Export(Transport::Grpc, Codec::Zstd),
        bars: &[Bar::Ratio(4.0)],
    },
    Row {
        name: "bridge_grpc",
        unit: CPU,
        peer_name: official::NAME_OF_EXPORTER,
        kind: Kind::Bridge(Transport::Grpc),
        bars: &[Bar::Ratio(3.0)],
    },
    Row {
        name: "bridge_http",
        unit: CPU,
        peer_name: official::NAME_OF_EXPORTER,
        kind: Kind::Bridge(Transport::Http),
        bars: &[Bar::Ratio(3.0)],
    },
    Row {
        name: "bridge_grpc_exporter",
        unit: CPU,
        peer_name: official::NAME_OF_EXPORTER,
        kind: Kind::Batches(Transport::Grpc),
        bars: &[],
    },
    Row {
        name: "bridge_http_exporter",
        unit: CPU,
        peer_name: official::NAME_OF_EXPORTER,
        kind: Kind::Batches(Transport::Http),
        bars: &[],
    },
    Row {
        name: "metrics_10k",
        unit: EXPORT,
        peer_name: official::NAME_OF_EXPORTER,
        kind: Kind::Metrics(Load::Metrics),
        bars: &[Bar::Ratio(4.0)],
    },
    Row {
        name: "metrics_10k_reader",
        unit: EXPORT,
        peer_name: official::NAME_OF_EXPORTER,
        kind: Kind::Metrics(Load::CollectedMetrics),
        bars: &[],
    },
    Row {
        name: "loss_1m",
        unit: LOST,
        peer_name: official::NAME_WITH_EXPORTER,
        kind: Kind::Loss { transport: Transport::Http, rate: 1_000_000 },
        bars: &[Bar::OursAlways(0.0)],
    },
    Row {
        name: "loss_1m_grpc",
        unit: LOST,
        peer_name: official::NAME_WITH_EXPORTER,
        kind: Kind::Loss { transport: Transport::Grpc, rate: 1_000_000 },
        bars: &[Bar::OursAlways(0.0)],
    },
    Row {
        name: "loss_3m",
        unit: LOST,
        peer_name: official::NAME_WITH_EXPORTER,
        kind: Kind::Loss { transport: Transport::Http, rate: 3_000_000 },
        bars: &[],
    },
    Row {
        name: "rss_server_away",
        unit: "MiB of growth",
        peer_name: official::NAME_WITH_EXPORTER,
        kind: Kind::ServerAway { rate: 100_000 },
        bars: &[Bar::QueueAndMebibytes(32.0)],
    },
];

#[cfg(test)]
mod tests {
    use std::collections::HashSet;

    use super::*;

    #[test]
    fn names_are_unique_and_find_their_row() {
        let names: HashSet<_> = ROWS.iter().map(|row| row.name).collect();
        assert_eq!(names.len(), ROWS.len());
        assert!(ROWS.iter().all(|row| Row::named(row.name).unwrap().name == row.name));
        assert!(Row::named("span_root11_caller").is_none());
    }
}
