//! `verbosity: normal`: a line for each item.

use otlp_core::wire::metrics::{
    BucketsView, DataView, ExponentialHistogramPointView, HistogramPointView, Number,
    NumberPointView, SummaryPointView,
};
use otlp_core::wire::{
    Attributes, LogRecordView, MetricView, RequestView, SignalItem, SpanView, WireError,
};

use super::number::{Fixed, Id, Shortest};
use super::page::{Named, Page};
use super::value::Plain;

/// An item that has a line, or several.
pub(super) trait Brief {
    /// What its resources and scopes are called: `ResourceTraces`, `ScopeTraces`.
    const GROUPS: [&'static str; 2];

    /// Adds the item.
    fn brief(&self, page: &mut Page) -> Result<(), WireError>;
}

/// All items of a request.
pub(super) fn brief<'a, I: SignalItem<'a> + Brief>(
    request: &'a [u8],
    page: &mut Page,
) -> Result<(), WireError> {
    let [resources, scopes] = I::GROUPS;
    for (at, resource) in RequestView::<'a, I>::parse(request)?.resources().enumerate() {
        let resource = resource?;
        let schema_url = resource.schema_url();
        page.part(format_args!("{resources} #{at}{}", Named { name: "", version: "", schema_url }));
        if let Some(resource) = resource.resource() {
            inline(page, " ", " ", resource.attributes())?;
        }
        page.end();
        for (at, scope) in resource.scopes().enumerate() {
            let scope = scope?;
            let (name, version) =
                scope.scope().map_or(("", ""), |scope| (scope.name(), scope.version()));
            let schema_url = scope.schema_url();
            page.part(format_args!("{scopes} #{at}{}", Named { name, version, schema_url }));
            if let Some(scope) = scope.scope() {
                inline(page, " ", " ", scope.attributes())?;
            }
            page.end();
            for item in scope.items() {
                if page.is_full() {
                    return Ok(());
                }
                item?.brief(page)?;
            }
        }
    }
    Ok(())
}

fn inline(
    page: &mut Page,
    mut before: &'static str,
    between: &'static str,
    attributes: Attributes<'_>,
) -> Result<(), WireError> {
    for attribute in attributes {
        let attribute = attribute?;
        page.part(format_args!("{before}{}={}", attribute.key(), Plain(attribute.value())));
        before = between;
    }
    Ok(())
}

impl Brief for SpanView<'_> {
    const GROUPS: [&'static str; 2] = ["ResourceTraces", "ScopeTraces"];

    fn brief(&self, page: &mut Page) -> Result<(), WireError> {
        page.part(format_args!("{} {} {}", self.name(), Id(self.trace_id()), Id(self.span_id())));
        inline(page, " ", " ", self.attributes())?;
        page.end();
        Ok(())
    }
}

impl Brief for LogRecordView<'_> {
    const GROUPS: [&'static str; 2] = ["ResourceLog", "ScopeLog"];

    fn brief(&self, page: &mut Page) -> Result<(), WireError> {
        if let Some(body) = self.body() {
            page.part(format_args!("{}", Plain(body)));
        }
        page.part(format_args!(" "));
        inline(page, "", " ", self.attributes())?;
        page.end();
        Ok(())
    }
}

impl Brief for MetricView<'_> {
    const GROUPS: [&'static str; 2] = ["ResourceMetrics", "ScopeMetrics"];

    fn brief(&self, page: &mut Page) -> Result<(), WireError> {
        let name = self.name();
        match self.data() {
            Some(DataView::Gauge { mut points } | DataView::Sum { mut points, .. }) => {
                points.try_for_each(|point| number(page, name, &point?))
            }
            Some(DataView::Histogram { mut points, .. }) => {
                points.try_for_each(|point| histogram(page, name, &point?))
            }
            Some(DataView::ExponentialHistogram { mut points, .. }) => {
                points.try_for_each(|point| exponential(page, name, &point?))
            }
            Some(DataView::Summary { mut points }) => {
                points.try_for_each(|point| summary(page, name, &point?))
            }
            _ => Ok(()),
        }
    }
}

fn head(page: &mut Page, name: &str, attributes: Attributes<'_>) -> Result<(), WireError> {
    page.part(format_args!("{name}{{"));
    inline(page, "", ",", attributes)?;
    page.part(format_args!("}} "));
    Ok(())
}

fn number(page: &mut Page, name: &str, point: &NumberPointView<'_>) -> Result<(), WireError> {
    head(page, name, point.attributes())?;
    match point.value() {
        Some(Number::I64(value)) => page.part(format_args!("{value}")),
        Some(Number::F64(value)) => page.part(format_args!("{}", Shortest(value))),
        None => {}
    }
    page.end();
    Ok(())
}

/// Count, sum and extremes of a histogram of either kind.
fn totals(page: &mut Page, count: u64, [sum, min, max]: [Option<f64>; 3]) {
    page.part(format_args!("count={count}"));
    for (what, value) in [("sum", sum), ("min", min), ("max", max)] {
        if let Some(value) = value {
            page.part(format_args!(" {what}={}", Shortest(value)));
        }
    }
}

fn histogram(page: &mut Page, name: &str, point: &HistogramPointView<'_>) -> Result<(), WireError> {
    head(page, name, point.attributes())?;
    totals(page, point.count(), [point.sum(), point.min(), point.max()]);
    let mut bounds = point.explicit_bounds();
    for count in point.bucket_counts() {
        match bounds.next().transpose()? {
            Some(bound) => page.part(format_args!(" le{}={}", Shortest(bound), count?)),
            None => page.part(format_args!(" {}", count?)),
        }
    }
    page.end();
    Ok(())
}

fn exponential(
    page: &mut Page,
    name: &str,
    point: &ExponentialHistogramPointView<'_>,
) -> Result<(), WireError> {
    head(page, name, point.attributes())?;
    totals(page, point.count(), [point.sum(), point.min(), point.max()]);
    let base = Base::of(point.scale());
    let negative = buckets(point.negative())?;
    for (index, count) in negative.into_iter().rev() {
        page.part(format_args!(" le{}={count}", Shortest(-base.to_the(index))));
    }
    if point.zero_count() != 0 {
        page.part(format_args!(" zero={}", point.zero_count()));
    }
    for (index, count) in buckets(point.positive())? {
        page.part(format_args!(" le{}={count}", Shortest(base.to_the(index + 1.0))));
    }
    page.end();
    Ok(())
}

fn summary(page: &mut Page, name: &str, point: &SummaryPointView<'_>) -> Result<(), WireError> {
    head(page, name, point.attributes())?;
    page.part(format_args!("count={} sum={}", point.count(), Fixed(point.sum())));
    for quantile in point.quantiles() {
        let quantile = quantile?;
        let (of, value) = (Shortest(quantile.quantile()), Shortest(quantile.value()));
        page.part(format_args!(" q{of}={value}"));
    }
    page.end();
    Ok(())
}

/// The base of an exponential histogram.
pub(super) struct Base(f64);

impl Base {
    /// That of a scale.
    pub(super) fn of(scale: i32) -> Self {
        Self(std::f64::consts::LN_2 * 2_f64.powi(scale.saturating_neg()))
    }

    /// The bound with an index.
    pub(super) fn to_the(&self, index: f64) -> f64 {
        (index * self.0).exp()
    }
}

/// The buckets with their indices.
pub(super) fn buckets(buckets: Option<BucketsView<'_>>) -> Result<Vec<(f64, u64)>, WireError> {
    let Some(buckets) = buckets else { return Ok(Vec::new()) };
    let offset = f64::from(buckets.offset());
    let counts = buckets.bucket_counts().collect::<Result<Vec<u64>, _>>()?;
    Ok((0_u32..).zip(counts).map(|(at, count)| (offset + f64::from(at), count)).collect())
}
