//! Exports over loopback, and what becomes of spans that nobody takes in time.

use super::{Bar, Kind, Row};
use crate::client::Load;
use crate::peers::official;
use crate::subject::{Codec, Transport};

pub(super) const ROWS: &[Row] = &[
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

const CPU: &str = "CPU s per million delivered spans";
const EXPORT: &str = "CPU ms per export of 10,000 points";
const LOST: &str = "spans lost";
