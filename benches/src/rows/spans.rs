//! Spans in one process.

use super::{Bar, Contest, Kind, Row};
use crate::peers::{fastrace, noop, official, tracing};
use crate::rounds::Gauge;
use crate::subject::{LocalExport, Sampling};

pub(super) const ROWS: &[Row] = &[
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
        bars: &[Bar::Ours(1.0)],
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
];

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
const ALLOCATIONS: &str = "allocations/span";
