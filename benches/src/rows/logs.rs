//! Log records in one process.

use super::{Bar, Contest, Kind, Row};
use crate::peers::appender;
use crate::rounds::Gauge;

pub(super) const ROWS: &[Row] = &[
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
];

const RECORD: &str = "ns/record";
