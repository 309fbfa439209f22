//! Log records as text.

use otlp_core::wire::{LogRecordView, WireError};

use super::page::{Describe, Page, hex, named};
use super::time::rfc3339;
use super::value::ValueText;

impl Describe for LogRecordView<'_> {
    fn describe(&self, page: &mut Page) -> Result<(), WireError> {
        headline(page, self);
        times(page, self);
        origin(page, self);
        page.lines("  ", self.attributes())?;
        if page.dropped("  dropped", &[(self.dropped_attributes_count(), "attribute")]) {
            page.add('\n');
        }
        Ok(())
    }
}

/// What people look for: how bad, and what.
fn headline(page: &mut Page, record: &LogRecordView<'_>) {
    page.add("log");
    if record.severity_number() != 0 {
        page.add(format_args!(" {}", severity(record.severity_number())));
    }
    if let Some(body) = record.body() {
        page.add(' ');
        page.bounded(ValueText(body));
    }
    page.add('\n');
}

fn times(page: &mut Page, record: &LogRecordView<'_>) {
    let (time, observed) = (record.time_unix_nano(), record.observed_time_unix_nano());
    if time != 0 {
        page.add(format_args!("  time     {}\n", rfc3339(time)));
    }
    if observed != 0 && observed != time {
        page.add(format_args!("  observed {}\n", rfc3339(observed)));
    }
}

fn origin(page: &mut Page, record: &LogRecordView<'_>) {
    let text = record.severity_text();
    if !text.is_empty() && !text.eq_ignore_ascii_case(&severity(record.severity_number())) {
        page.add(format_args!("  severity {}\n", named(text)));
    }
    if !record.event_name().is_empty() {
        page.add(format_args!("  event    {}\n", named(record.event_name())));
    }
    if !record.trace_id().is_empty() {
        let (trace, flags) = (hex(record.trace_id()), record.flags() & 0xff);
        page.add(format_args!("  trace    {trace}, flags {flags:02x}\n"));
    }
    if !record.span_id().is_empty() {
        page.add(format_args!("  span     {}\n", hex(record.span_id())));
    }
}

/// The short name that the data model gives a number: `INFO`, `INFO2`.
fn severity(number: i32) -> String {
    let Some((at, name)) = number.checked_sub(1).and_then(|at| {
        let name = SEVERITIES.get(usize::try_from(at / 4).ok()?)?;
        (at >= 0).then_some((at, name))
    }) else {
        return format!("severity {number}");
    };
    match at % 4 {
        0 => (*name).to_owned(),
        more => format!("{name}{}", more + 1),
    }
}

const SEVERITIES: [&str; 6] = ["TRACE", "DEBUG", "INFO", "WARN", "ERROR", "FATAL"];
