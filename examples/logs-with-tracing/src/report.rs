//! What arrived: the traces, and the records with the span that each was made in.

use std::collections::BTreeMap;
use std::fmt;
use std::io::{self, Write};

use otlp_sdk::Ledgers;
use otlp_testing::oracle::proto::tonic::logs::v1::LogRecord;
use otlp_testing::oracle::{hex, pairs_text, value_text};
use otlp_testing::{Backend, Message, Server};

use crate::{courier, shop};

/// Prints everything; whether all of it is there and where it belongs.
pub(crate) fn print(backend: &Backend, ledgers: &Ledgers) -> io::Result<bool> {
    let spans_arrived = backend.report(SPANS)?;
    let Some(server) = backend.server() else { return Ok(true) };
    let (lines, mut problems) = (lines(server), Vec::new());
    let mut out = io::stdout().lock();
    for line in &lines {
        writeln!(out, "{line}")?;
        problems.extend(line.problem());
    }
    let arrived = u64::try_from(lines.len()).unwrap_or(u64::MAX);
    if (arrived, ledgers.logs.delivered) != (RECORDS, RECORDS) {
        let delivered = ledgers.logs.delivered;
        problems
            .push(format!("{arrived} records arrived, {delivered} were delivered, not {RECORDS}"));
    }
    if ledgers.traces.delivered != SPANS {
        problems.push(format!("{} spans were delivered, not {SPANS}", ledgers.traces.delivered));
    }
    for problem in &problems {
        writeln!(out, "wrong       {problem}")?;
    }
    Ok(spans_arrived && problems.is_empty())
}

/// A record as a person reads it.
struct Line {
    record: LogRecord,
    /// The scope's name, which is the target.
    target: String,
    /// The name of the span that it was made in.
    span: Option<String>,
}

/// The records in the order of their times.
fn lines(server: &Server) -> Vec<Line> {
    let spans: BTreeMap<_, _> = server
        .spans()
        .iter()
        .map(|span| ((span.trace_id(), span.span_id()), span.name().to_owned()))
        .collect();
    let mut lines = Vec::new();
    for request in server.requests() {
        let Message::Logs(message) = &request.message else { continue };
        for scope in message.resource_logs.iter().flat_map(|it| &it.scope_logs) {
            let target = scope.scope.as_ref().map(|it| it.name.clone()).unwrap_or_default();
            lines.extend(scope.log_records.iter().map(|record| Line {
                record: record.clone(),
                target: target.clone(),
                span: spans.get(&(hex(&record.trace_id), hex(&record.span_id))).cloned(),
            }));
        }
    }
    lines.sort_by_key(|line| line.record.observed_time_unix_nano);
    lines
}

impl Line {
    /// What is wrong with it, if anything.
    fn problem(&self) -> Option<String> {
        let is_in_span = !self.record.trace_id.is_empty();
        let has_order = self.record.attributes.iter().any(|it| it.key == "order.id");
        let least = if self.target == courier::TARGET { INFO } else { DEBUG };
        let what = if is_in_span && self.span.is_none() {
            "is of a span that has not arrived"
        } else if is_in_span && !has_order {
            "does not say which order it is of"
        } else if self.record.severity_number < least {
            "was to be left out"
        } else {
            return None;
        };
        Some(format!("{what}: {self}"))
    }
}

impl fmt::Display for Line {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { record, target, span } = self;
        let body = record.body.as_ref().map(value_text).unwrap_or_default();
        let span = span.as_deref().unwrap_or("-");
        write!(f, "{:<5} {target:<24} {span:<13} {body}", record.severity_text)?;
        if record.attributes.is_empty() {
            return Ok(());
        }
        write!(f, " {{{}}}", pairs_text(&record.attributes))
    }
}

/// Each order is a span with one in it.
const SPANS: u64 = 2 * shop::ORDERS;
/// One at the opening; of each order two, and two more from it and the courier; the last one is told as
/// failed and as cancelled instead.
const RECORDS: u64 = 1 + 4 * shop::ORDERS;
/// The least number of the severity.
const DEBUG: i32 = 5;
const INFO: i32 = 9;

#[cfg(test)]
mod tests {
    use otlp_testing::oracle::proto::tonic::common::v1::KeyValue;

    use super::*;

    fn line(span: Option<&str>) -> Line {
        let attributes = vec![KeyValue { key: "order.id".to_owned(), ..KeyValue::default() }];
        let trace_id = vec![1; 16];
        let record =
            LogRecord { severity_number: INFO, trace_id, attributes, ..LogRecord::default() };
        Line { record, target: "shop".to_owned(), span: span.map(str::to_owned) }
    }

    #[test]
    fn a_record_must_be_where_it_belongs() {
        assert_eq!(line(Some("place order")).problem(), None);
        let lost = line(None);
        assert!(lost.problem().is_some_and(|it| it.contains("has not arrived")));
        let mut outside = line(None);
        (outside.record.trace_id, outside.record.attributes) = (Vec::new(), Vec::new());
        assert_eq!(outside.problem(), None);
        let mut nameless = line(Some("place order"));
        nameless.record.attributes.clear();
        assert!(nameless.problem().is_some_and(|it| it.contains("which order")));
    }

    #[test]
    fn a_record_that_the_filter_should_have_left_out_is_wrong() {
        let mut of_the_shop = line(Some("place order"));
        of_the_shop.record.severity_number = DEBUG;
        assert_eq!(of_the_shop.problem(), None);
        let of_the_courier = Line { target: courier::TARGET.to_owned(), ..of_the_shop };
        assert!(of_the_courier.problem().is_some_and(|it| it.contains("left out")));
    }
}
