//! The rows of collectors: their names, what they measure, and the bars that they must reach.

use super::contestant::Who;
use super::course::{Course, Gauge, OVERLOAD_LIMIT_MIB, Pass};
use super::spans::Edit;
use crate::rows::Bar;
use crate::subject::Transport;

/// One row.
#[derive(Clone, Copy, Debug)]
pub struct Row {
    /// Its name in the table, in JSON and after `--only`.
    pub name: &'static str,
    /// Unit of all sides.
    pub unit: &'static str,
    /// What is done.
    pub course: Course,
    /// What of it is looked at.
    pub gauge: Gauge,
    /// What it must reach against every peer.
    pub bars: &'static [Bar],
    /// What it must reach against the Go collector beside that.
    pub go_bars: &'static [Bar],
}

impl Row {
    /// The row of that name.
    #[must_use]
    pub fn named(name: &str) -> Option<&'static Self> {
        ROWS.iter().find(|row| row.name == name)
    }

    /// What it must reach against that peer.
    pub fn bars_against(&self, peer_name: &str) -> Vec<Bar> {
        let is_go = peer_name == Who::Go.name();
        let of_go = if is_go { self.go_bars } else { &[] };
        self.bars.iter().chain(of_go).copied().collect()
    }
}

/// Every row, in the order in which they run.
pub const ROWS: &[Row] = &[
    cpu("pass_100", Course::Pass(Pass::of(100)), &[Bar::Ratio(6.0)], &[]),
    Row {
        name: "p99",
        unit: "ms",
        course: Course::Pass(Pass::of(100)),
        gauge: Gauge::P99,
        bars: &[Bar::Ours(5.0)],
        go_bars: &[Bar::Ratio(3.0)],
    },
    cpu("pass_10", Course::Pass(Pass::of(10)), &[], &[Bar::Ratio(3.0)]),
    cpu("pass_1000", Course::Pass(Pass::of(1_000)), &[], &[Bar::Ratio(6.0)]),
    cpu("http_100", Course::Pass(HTTP), &[], &[Bar::Ratio(8.0)]),
    cpu("resource_insert", Course::OnTop(RESOURCE_INSERT), &[], &[]),
    on_top("resource_insert_on_top", Course::OnTop(RESOURCE_INSERT), &[Bar::Ours(0.1)]),
    cpu("attribute_upsert", Course::OnTop(ATTRIBUTE_UPSERT), &[], &[]),
    on_top("attribute_upsert_on_top", Course::OnTop(ATTRIBUTE_UPSERT), &[Bar::Ours(0.3)]),
    cpu("gzip", Course::Pass(GZIP), &[], &[Bar::Ratio(3.0)]),
    memory("rss_idle", Course::Start, Gauge::ResidentIdle, &[Bar::Ours(10.0)]),
    memory("rss_load", Course::AllSizes, Gauge::ResidentPeak, &[Bar::OursAlways(50.0)]),
    memory(
        "rss_overload",
        Course::Overload,
        Gauge::ResidentPeak,
        &[Bar::OursAlways(OVERLOAD_LIMIT_MIB as f64 + 32.0)],
    ),
    Row {
        name: "binary",
        unit: "MB",
        course: Course::Binary,
        gauge: Gauge::Size,
        bars: &[Bar::Ours(15.0)],
        go_bars: &[],
    },
    Row {
        name: "start",
        unit: "ms",
        course: Course::Start,
        gauge: Gauge::Start,
        bars: &[Bar::Ours(20.0)],
        go_bars: &[],
    },
];

const HTTP: Pass = Pass { entrance: Transport::Http, ..Pass::of(100) };
const GZIP: Pass = Pass { gzip: true, ..Pass::of(100) };
const RESOURCE_INSERT: Pass = Pass { edit: Edit::ResourceInsert, ..Pass::of(100) };
const ATTRIBUTE_UPSERT: Pass = Pass { edit: Edit::AttributeUpsert, ..Pass::of(100) };

const fn cpu(
    name: &'static str,
    course: Course,
    bars: &'static [Bar],
    go_bars: &'static [Bar],
) -> Row {
    Row { name, unit: "CPU s per M spans", course, gauge: Gauge::Cpu, bars, go_bars }
}

const fn on_top(name: &'static str, course: Course, bars: &'static [Bar]) -> Row {
    let unit = "CPU s per M spans on top of pass_100";
    Row { name, unit, course, gauge: Gauge::CpuOnTop, bars, go_bars: &[] }
}

const fn memory(name: &'static str, course: Course, gauge: Gauge, bars: &'static [Bar]) -> Row {
    Row { name, unit: "MiB", course, gauge, bars, go_bars: &[] }
}
