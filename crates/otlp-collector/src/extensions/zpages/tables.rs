//! What is shown, as tables.

use std::fmt::Display;
use std::time::Instant;

use serde_json::{Map, Value};

use super::rates::{self, Rates};
use crate::clock::now;
use crate::engine::{Board, ComponentStatus, ExporterStatus, PipelineStatus, Status};
use crate::sending::QueueSizer;

/// A table with a title.
#[derive(Debug)]
pub(super) struct Table {
    pub(super) title: &'static str,
    pub(super) rows: Vec<Row>,
}

/// Columns with their values; all rows of a table have the same.
pub(super) type Row = Vec<(&'static str, Value)>;

pub(super) fn service(board: &Board, status: &Status) -> Table {
    let uptime = now().saturating_duration_since(status.started).as_secs();
    let budget = board.budget();
    let row = vec![
        ("version", env!("CARGO_PKG_VERSION").into()),
        ("phase", format!("{:?}", status.phase).to_lowercase().into()),
        ("uptime (s)", uptime.into()),
        ("bytes held", budget.used().into()),
        ("bytes allowed", budget.capacity().into()),
        ("receivers", listeners(&status.receivers).into()),
    ];
    Table { title: "service", rows: vec![row] }
}

pub(super) fn pipelines(status: &Status, rates: &Rates) -> Table {
    let rows = status.pipelines.iter().map(|it| pipeline(it, rates)).collect();
    Table { title: "pipelines", rows }
}

pub(super) fn exporters(status: &Status, rates: &Rates) -> Table {
    let rows = status.exporters.iter().map(|it| exporter(it, rates)).collect();
    Table { title: "exporters", rows }
}

pub(super) fn extensions(status: &Status) -> Table {
    let row = |it: &ComponentStatus| -> Row {
        let listeners = listeners(std::slice::from_ref(it));
        vec![("extension", it.id.to_string().into()), ("listens at", listeners.into())]
    };
    Table { title: "extensions", rows: status.extensions.iter().map(row).collect() }
}

fn pipeline(it: &PipelineStatus, rates: &Rates) -> Row {
    let counts = it.counts;
    let refusal = it.last_refusal.as_ref();
    vec![
        ("pipeline", it.id.to_string().into()),
        ("ready", it.is_ready().into()),
        ("problem", it.problem.clone().into()),
        ("receivers", list(&it.receivers).into()),
        ("processors", list(&it.processors).into()),
        ("exporters", list(&it.exporters).into()),
        ("received/s", rate(rates.of(&rates::pipeline(&it.id), counts.received, now()))),
        ("received", counts.received.into()),
        ("taken", counts.taken.into()),
        ("refused", counts.refused.into()),
        ("held", counts.held.into()),
        ("dropped", drops(&it.dropped).into()),
        ("panics", counts.panics.into()),
        ("last taken (s ago)", ago(it.last_taken)),
        ("last refusal (s ago)", ago(refusal.map(|(at, _)| *at))),
        ("last refusal", refusal.map(|(_, why)| why.clone()).into()),
    ]
}

fn exporter(it: &ExporterStatus, rates: &Rates) -> Row {
    let (account, progress) = (it.account, &it.progress);
    let (size, capacity) = it.queue;
    let error = progress.last_error.as_ref();
    vec![
        ("exporter", it.id.to_string().into()),
        ("signal", it.signal.to_string().into()),
        ("destination", it.destination.clone().into()),
        ("sent/s", rate(rates.of(&rates::exporter(&it.id, it.signal), account.sent, now()))),
        ("queue", size.into()),
        ("queue capacity", capacity.into()),
        ("queue counts", it.queue_sizer.map(unit).into()),
        ("received", account.received.into()),
        ("sent", account.sent.into()),
        ("rejected", account.rejected.into()),
        ("failed", account.failed.into()),
        ("returned", account.returned.into()),
        ("held", account.held.into()),
        ("refused", account.refused.into()),
        ("unaccounted", account.unaccounted().to_string().into()),
        ("last success (s ago)", ago(progress.last_success)),
        ("failing since (s)", ago(progress.failing_since)),
        ("last error (s ago)", ago(error.map(|(at, _)| *at))),
        ("last error", error.map(|(_, error)| error.clone()).into()),
    ]
}

/// What the sizes of a queue count.
const fn unit(sizer: QueueSizer) -> &'static str {
    match sizer {
        QueueSizer::Requests => "requests",
        QueueSizer::Items => "items",
        QueueSizer::Bytes => "bytes",
    }
}

/// All tables, each as a list of objects under its title.
pub(super) fn json(tables: &[Table]) -> Value {
    let object = |row: &Row| -> Value {
        let cells = row.iter().map(|(column, value)| ((*column).to_owned(), value.clone()));
        Value::Object(cells.collect())
    };
    let list = |table: &Table| table.rows.iter().map(object).collect::<Vec<_>>();
    let all: Map<_, _> =
        tables.iter().map(|table| (table.title.to_owned(), list(table).into())).collect();
    Value::Object(all)
}

fn list(names: &[impl Display]) -> String {
    names.iter().map(ToString::to_string).collect::<Vec<_>>().join(", ")
}

fn drops(dropped: &[(String, u64)]) -> String {
    let each = dropped.iter().map(|(reason, items)| format!("{reason} {items}"));
    each.collect::<Vec<_>>().join(", ")
}

fn listeners(components: &[ComponentStatus]) -> String {
    let each = components.iter().flat_map(|it| {
        it.listeners.iter().map(move |(what, address)| format!("{} {what} {address}", it.id))
    });
    each.collect::<Vec<_>>().join(", ")
}

fn ago(then: Option<Instant>) -> Value {
    then.map(|then| now().saturating_duration_since(then).as_secs()).into()
}

/// One digit behind the point is more than a minute tells.
fn rate(rate: Option<f64>) -> Value {
    rate.map(|rate| (rate * 10.0).round() / 10.0).into()
}
