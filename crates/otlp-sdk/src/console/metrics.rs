//! Metrics as text.

use otlp_core::export::text::printable;
use otlp_core::wire::metrics::{
    DataView, ExemplarView, ExponentialHistogramPointView, HistogramPointView, Number,
    NumberPointView, PointKind, PointView, SummaryPointView,
};
use otlp_core::wire::{MetricView, WireError};

use super::buckets::{ExplicitBuckets, ExponentialBuckets, Quantiles};
use super::page::{Describe, Page, hex, named};
use super::time::rfc3339;

impl Describe for MetricView<'_> {
    fn describe(&self, page: &mut Page) -> Result<(), WireError> {
        page.add(format_args!("metric {}\n", named(self.name())));
        page.line("  about    ", printable(self.description()));
        page.line("  unit     ", printable(self.unit()));
        page.add(format_args!("  kind     {}\n", kind(self.data().as_ref())));
        page.lines("  ", self.metadata())?;
        self.data().map_or(Ok(()), |data| points(page, data))
    }
}

fn kind(data: Option<&DataView<'_>>) -> String {
    match data {
        Some(DataView::Gauge { .. }) => "gauge".to_owned(),
        Some(DataView::Sum { temporality, is_monotonic, .. }) => {
            let monotonic = if *is_monotonic { "monotonic" } else { "not monotonic" };
            format!("sum, {}, {monotonic}", named_temporality(*temporality))
        }
        Some(DataView::Histogram { temporality, .. }) => {
            format!("histogram, {}", named_temporality(*temporality))
        }
        Some(DataView::ExponentialHistogram { temporality, .. }) => {
            format!("exponential histogram, {}", named_temporality(*temporality))
        }
        Some(DataView::Summary { .. }) => "summary".to_owned(),
        _ => "none that is known here".to_owned(),
    }
}

fn named_temporality(number: i32) -> &'static str {
    match number {
        1 => "delta",
        2 => "cumulative",
        _ => "of no valid temporality",
    }
}

fn points(page: &mut Page, data: DataView<'_>) -> Result<(), WireError> {
    match data {
        DataView::Gauge { mut points } | DataView::Sum { mut points, .. } => {
            points.try_for_each(|point| number(page, &point?))
        }
        DataView::Histogram { mut points, .. } => {
            points.try_for_each(|point| histogram(page, &point?))
        }
        DataView::ExponentialHistogram { mut points, .. } => {
            points.try_for_each(|point| exponential(page, &point?))
        }
        DataView::Summary { mut points } => points.try_for_each(|point| summary(page, &point?)),
        _ => Ok(()),
    }
}

fn number(page: &mut Page, point: &NumberPointView<'_>) -> Result<(), WireError> {
    page.add("  point");
    match point.value() {
        Some(value) => page.add(format_args!(" {}", shown(value))),
        None if is_without_value(point.flags()) => {}
        None => page.add(" without a value"),
    }
    times(page, point);
    page.lines("    ", point.attributes())?;
    exemplars(page, point.exemplars())
}

fn histogram(page: &mut Page, point: &HistogramPointView<'_>) -> Result<(), WireError> {
    statistics(page, point.count(), &[point.sum(), point.min(), point.max()]);
    times(page, point);
    page.line("    buckets  ", ExplicitBuckets(point));
    page.lines("    ", point.attributes())?;
    exemplars(page, point.exemplars())
}

fn exponential(
    page: &mut Page,
    point: &ExponentialHistogramPointView<'_>,
) -> Result<(), WireError> {
    statistics(page, point.count(), &[point.sum(), point.min(), point.max()]);
    page.add(format_args!(", scale {}", point.scale()));
    times(page, point);
    page.line("    buckets  ", ExponentialBuckets(point));
    page.lines("    ", point.attributes())?;
    exemplars(page, point.exemplars())
}

fn summary(page: &mut Page, point: &SummaryPointView<'_>) -> Result<(), WireError> {
    statistics(page, point.count(), &[Some(point.sum())]);
    times(page, point);
    page.line("    at       ", Quantiles(point));
    page.lines("    ", point.attributes())
}

/// The values of a distribution, as far as they were kept.
fn statistics(page: &mut Page, count: u64, sum_min_max: &[Option<f64>]) {
    page.add(format_args!("  point count {count}"));
    for (name, value) in ["sum", "min", "max"].into_iter().zip(sum_min_max) {
        if let Some(value) = value {
            page.add(format_args!(", {name} {value:?}"));
        }
    }
}

/// Ends a point's first line, and says since when it counts and when it was taken.
fn times<'a, K: PointKind<'a>>(page: &mut Page, point: &PointView<'a, K>) {
    page.add(if is_without_value(point.flags()) { " (no recorded value)\n" } else { "\n" });
    if point.start_time_unix_nano() != 0 {
        page.add(format_args!("    start    {}\n", rfc3339(point.start_time_unix_nano())));
    }
    page.add(format_args!("    time     {}\n", rfc3339(point.time_unix_nano())));
}

/// Whether what the point stands for has gone.
fn is_without_value(flags: u32) -> bool {
    flags & 1 == 1
}

fn exemplars<'a>(
    page: &mut Page,
    mut exemplars: impl Iterator<Item = Result<ExemplarView<'a>, WireError>>,
) -> Result<(), WireError> {
    exemplars.try_for_each(|it| exemplar(page, &it?))
}

fn exemplar(page: &mut Page, exemplar: &ExemplarView<'_>) -> Result<(), WireError> {
    let value = exemplar.value().map_or_else(|| "none".to_owned(), shown);
    page.add(format_args!("    exemplar {value} at {}", rfc3339(exemplar.time_unix_nano())));
    for (name, id) in [("trace", exemplar.trace_id()), ("span", exemplar.span_id())] {
        if !id.is_empty() {
            page.add(format_args!(", {name} {}", hex(id)));
        }
    }
    page.add('\n');
    page.lines("      ", exemplar.filtered_attributes())
}

fn shown(value: Number) -> String {
    match value {
        Number::I64(value) => value.to_string(),
        // `Debug` tells 1.0 from 1.
        Number::F64(value) => format!("{value:?}"),
    }
}
