//! Metrics in full.

use otlp_core::wire::metrics::{
    DataView, ExemplarView, ExponentialHistogramPointView, HistogramPointView, Number,
    NumberPointView, PointKind, PointView, SummaryPointView,
};
use otlp_core::wire::{MetricView, WireError};

use super::super::normal::{Base, buckets};
use super::super::number::{Fixed, Id, Time};
use super::super::page::Page;
use super::{Full, NESTED};

impl Full for MetricView<'_> {
    const TITLES: [&'static str; 3] = ["ResourceMetrics", "ScopeMetrics", "Metric"];

    fn full(&self, page: &mut Page) -> Result<(), WireError> {
        let data = self.data();
        page.line(format_args!("Descriptor:"));
        page.line(format_args!("     -> Name: {}", self.name()));
        page.line(format_args!("     -> Description: {}", self.description()));
        page.line(format_args!("     -> Unit: {}", self.unit()));
        page.line(format_args!("     -> DataType: {}", kind(data.as_ref())));
        page.attributes("     -> Metadata", NESTED, self.metadata())?;
        data.map_or(Ok(()), |data| points(page, data))
    }
}

fn kind(data: Option<&DataView<'_>>) -> &'static str {
    match data {
        Some(DataView::Gauge { .. }) => "Gauge",
        Some(DataView::Sum { .. }) => "Sum",
        Some(DataView::Histogram { .. }) => "Histogram",
        Some(DataView::ExponentialHistogram { .. }) => "ExponentialHistogram",
        Some(DataView::Summary { .. }) => "Summary",
        _ => "Empty",
    }
}

fn points(page: &mut Page, data: DataView<'_>) -> Result<(), WireError> {
    match data {
        DataView::Gauge { points } => each(page, points, number),
        DataView::Sum { points, temporality, is_monotonic } => {
            page.line(format_args!("     -> IsMonotonic: {is_monotonic}"));
            temporal(page, temporality);
            each(page, points, number)
        }
        DataView::Histogram { points, temporality } => {
            temporal(page, temporality);
            each(page, points, histogram)
        }
        DataView::ExponentialHistogram { points, temporality } => {
            temporal(page, temporality);
            each(page, points, exponential)
        }
        DataView::Summary { points } => each(page, points, summary),
        _ => Ok(()),
    }
}

fn each<P>(
    page: &mut Page,
    points: impl Iterator<Item = Result<P, WireError>>,
    show: impl Fn(&mut Page, usize, &P) -> Result<(), WireError>,
) -> Result<(), WireError> {
    for (at, point) in points.enumerate() {
        show(page, at, &point?)?;
    }
    Ok(())
}

fn temporal(page: &mut Page, number: i32) {
    let name = match number {
        0 => "Unspecified",
        1 => "Delta",
        2 => "Cumulative",
        _ => "",
    };
    page.line(format_args!("     -> AggregationTemporality: {name}"));
}

/// What all points begin with.
fn head<'a, K: PointKind<'a>>(
    page: &mut Page,
    name: &str,
    at: usize,
    point: &PointView<'a, K>,
) -> Result<(), WireError> {
    page.line(format_args!("{name} #{at}"));
    page.attributes("Data point attributes", "", point.attributes())?;
    page.line(format_args!("StartTimestamp: {}", Time(point.start_time_unix_nano())));
    page.line(format_args!("Timestamp: {}", Time(point.time_unix_nano())));
    Ok(())
}

fn value(page: &mut Page, before: &str, value: Option<Number>) {
    match value {
        Some(Number::I64(value)) => page.line(format_args!("{before}Value: {value}")),
        Some(Number::F64(value)) => page.line(format_args!("{before}Value: {}", Fixed(value))),
        None => {}
    }
}

fn number(page: &mut Page, at: usize, point: &NumberPointView<'_>) -> Result<(), WireError> {
    head(page, "NumberDataPoints", at, point)?;
    value(page, "", point.value());
    exemplars(page, point.exemplars())
}

/// Count, sum and extremes of a histogram of either kind.
fn totals(page: &mut Page, count: u64, [sum, min, max]: [Option<f64>; 3]) {
    page.line(format_args!("Count: {count}"));
    for (what, value) in [("Sum", sum), ("Min", min), ("Max", max)] {
        if let Some(value) = value {
            page.line(format_args!("{what}: {}", Fixed(value)));
        }
    }
}

fn histogram(page: &mut Page, at: usize, point: &HistogramPointView<'_>) -> Result<(), WireError> {
    head(page, "HistogramDataPoints", at, point)?;
    totals(page, point.count(), [point.sum(), point.min(), point.max()]);
    for (at, bound) in point.explicit_bounds().enumerate() {
        page.line(format_args!("ExplicitBounds #{at}: {}", Fixed(bound?)));
    }
    for (at, count) in point.bucket_counts().enumerate() {
        page.line(format_args!("Buckets #{at}, Count: {}", count?));
    }
    exemplars(page, point.exemplars())
}

fn exponential(
    page: &mut Page,
    at: usize,
    point: &ExponentialHistogramPointView<'_>,
) -> Result<(), WireError> {
    head(page, "ExponentialHistogramDataPoints", at, point)?;
    totals(page, point.count(), [point.sum(), point.min(), point.max()]);
    let base = Base::of(point.scale());
    let bounds = |index: f64| (base.to_the(index), base.to_the(index + 1.0));
    for (index, count) in buckets(point.negative())?.into_iter().rev() {
        let (lower, upper) = bounds(index);
        page.line(format_args!("Bucket [{}, {}), Count: {count}", Fixed(-upper), Fixed(-lower)));
    }
    if point.zero_count() != 0 {
        page.line(format_args!("Bucket [0, 0], Count: {}", point.zero_count()));
    }
    for (index, count) in buckets(point.positive())? {
        let (lower, upper) = bounds(index);
        page.line(format_args!("Bucket ({}, {}], Count: {count}", Fixed(lower), Fixed(upper)));
    }
    exemplars(page, point.exemplars())
}

fn summary(page: &mut Page, at: usize, point: &SummaryPointView<'_>) -> Result<(), WireError> {
    head(page, "SummaryDataPoints", at, point)?;
    page.line(format_args!("Count: {}", point.count()));
    page.line(format_args!("Sum: {}", Fixed(point.sum())));
    for (at, quantile) in point.quantiles().enumerate() {
        let quantile = quantile?;
        let (of, value) = (Fixed(quantile.quantile()), Fixed(quantile.value()));
        page.line(format_args!("QuantileValue #{at}: Quantile {of}, Value {value}"));
    }
    Ok(())
}

fn exemplars<'a>(
    page: &mut Page,
    exemplars: impl Iterator<Item = Result<ExemplarView<'a>, WireError>>,
) -> Result<(), WireError> {
    for (at, exemplar) in exemplars.enumerate() {
        let exemplar = exemplar?;
        if at == 0 {
            page.line(format_args!("Exemplars:"));
        }
        page.line(format_args!("Exemplar #{at}"));
        page.line(format_args!("     -> Trace ID: {}", Id(exemplar.trace_id())));
        page.line(format_args!("     -> Span ID: {}", Id(exemplar.span_id())));
        page.line(format_args!("     -> Timestamp: {}", Time(exemplar.time_unix_nano())));
        value(page, "     -> ", exemplar.value());
        page.attributes("     -> FilteredAttributes", NESTED, exemplar.filtered_attributes())?;
    }
    Ok(())
}
