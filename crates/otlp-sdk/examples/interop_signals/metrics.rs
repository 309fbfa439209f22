//! The metrics: what is measured in two rounds, with a collection after each, and what must arrive of it.

use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use opentelemetry::metrics::{Meter, MeterProvider as _};
use opentelemetry_sdk::metrics::{Aggregation, Instrument, Stream, Temporality};
use otlp_core::export::Exporter;
use otlp_sdk::metrics::{MeterProvider, ReaderConfig};
use serde_json::{Value as Json, json};

use super::{Sent, instruments};
use crate::interop_support::{Result, bits, double, merge, resource, scope, scope_json};

/// A metric: how to measure it in a round, and what must arrive.
pub(crate) struct Metric {
    json: Json,
    kind: Kind,
    measure: fn(&Meter, usize),
    /// The points of each series, of cumulative temporality and of delta.
    cumulative: Vec<Series>,
    delta: Vec<Series>,
}

/// Attributes, and a point for each round that has one.
pub(crate) type Series = (Json, Vec<Json>);

/// What temporality depends on.
#[derive(Clone, Copy)]
pub(crate) enum Kind {
    Counter,
    ObservableCounter,
    UpDownCounter,
    Gauge,
    Histogram,
}

/// The round that is measured, for callbacks.
pub(crate) static ROUND: AtomicUsize = AtomicUsize::new(0);

pub(crate) fn send(exporter: impl Exporter, temporality: Temporality) -> Result<Sent> {
    // No collection but those that are asked for.
    let config = ReaderConfig::default()
        .with_temporality(temporality)
        .with_interval(Duration::from_secs(3600));
    let provider = MeterProvider::builder()
        .with_exporter_config(exporter, config)
        .with_resource(resource())
        .with_view(view)
        .build();
    let meter = provider.meter_with_scope(scope());
    let metrics = instruments::all();

    let measure = |round| {
        ROUND.store(round, Ordering::Relaxed);
        metrics.iter().for_each(|metric| (metric.measure)(&meter, round));
    };
    measure(0);
    let flushed = provider.force_flush();
    measure(1);
    let shutdown = flushed.and(provider.shutdown());
    let expected: Vec<_> = metrics.into_iter().map(|metric| metric.expected(temporality)).collect();
    Ok(Sent { report: json!({ "metrics": expected }), ledger: provider.ledger(), shutdown })
}

/// What the defaults of the SDK do not say.
fn view(instrument: &Instrument) -> Option<Stream> {
    let stream = match instrument.name() {
        "sets.many" => Stream::builder().with_cardinality_limit(10_000),
        "sets.limited" => Stream::builder().with_cardinality_limit(3),
        name if name.starts_with("exponential") => {
            Stream::builder().with_aggregation(Aggregation::Base2ExponentialHistogram {
                max_size: 4,
                max_scale: 0,
                record_min_max: true,
            })
        }
        _ => return None,
    };
    stream.build().ok()
}

impl Metric {
    /// A metric with one series, which has no attributes.
    pub(crate) fn new(
        name: &str,
        kind: Kind,
        measure: fn(&Meter, usize),
        cumulative: Vec<Json>,
        delta: Vec<Json>,
    ) -> Self {
        Self::with_series(
            name,
            kind,
            measure,
            vec![(json!({}), cumulative)],
            vec![(json!({}), delta)],
        )
    }

    pub(crate) fn with_series(
        name: &str,
        kind: Kind,
        measure: fn(&Meter, usize),
        cumulative: Vec<Series>,
        delta: Vec<Series>,
    ) -> Self {
        let (data, monotonic) = match kind {
            Kind::Counter | Kind::ObservableCounter => ("sum", Some(true)),
            Kind::UpDownCounter => ("sum", Some(false)),
            Kind::Gauge => ("gauge", None),
            Kind::Histogram => ("histogram", None),
        };
        let json = json!({
            "scope": scope_json("interop"),
            "name": name, "description": "", "unit": "",
            "data": data, "monotonic": monotonic,
        });
        Self { json, kind, measure, cumulative, delta }
    }

    pub(crate) fn described(mut self, description: &str, unit: &str) -> Self {
        merge(&mut self.json, json!({"description": description, "unit": unit}));
        self
    }

    pub(crate) fn exponential(mut self) -> Self {
        merge(&mut self.json, json!({"data": "exponential_histogram"}));
        self
    }

    fn expected(self, preferred: Temporality) -> Json {
        let delta = self.kind.is_delta(preferred);
        let temporality = match self.kind {
            Kind::Gauge => None,
            _ if delta => Some("DELTA"),
            _ => Some("CUMULATIVE"),
        };
        let series = if delta { self.delta } else { self.cumulative };
        let series: Vec<_> = series
            .into_iter()
            .map(|(attributes, points)| json!({"attributes": attributes, "points": points}))
            .collect();
        let mut json = self.json;
        merge(&mut json, json!({"temporality": temporality, "series": series}));
        json
    }
}

impl Kind {
    /// Whether it has delta temporality where this one is preferred (row M11).
    fn is_delta(self, preferred: Temporality) -> bool {
        match (preferred, self) {
            (Temporality::Delta, Self::Counter | Self::ObservableCounter | Self::Histogram)
            | (Temporality::LowMemory, Self::Counter | Self::Histogram) => true,
            // A gauge has none: it tells of what was measured last, or nothing, as delta points do.
            (Temporality::Delta | Temporality::LowMemory, Self::Gauge) => true,
            _ => false,
        }
    }
}

/// Points of a sum or a gauge.
pub(crate) fn ints<const N: usize>(values: [i64; N]) -> Vec<Json> {
    values.iter().map(|value| number(&json!({ "int": value }))).collect()
}

pub(crate) fn floats<const N: usize>(values: [f64; N]) -> Vec<Json> {
    values.iter().map(|value| number(&double(*value))).collect()
}

fn number(value: &Json) -> Json {
    json!({"value": value, "flags": 0, "exemplars": 0})
}

/// What all points of histograms have; `range` is the smallest and the largest value.
pub(crate) fn histogram(count: u64, sum: f64, range: (f64, f64), buckets: Json) -> Json {
    let mut point = json!({
        "count": count, "sum": bits(sum), "min": bits(range.0), "max": bits(range.1),
        "flags": 0, "exemplars": 0,
    });
    merge(&mut point, buckets);
    point
}

pub(crate) fn explicit(counts: &[u64], bounds: &[f64]) -> Json {
    let bounds: Vec<_> = bounds.iter().map(|bound| bits(*bound)).collect();
    json!({"bucket_counts": counts, "explicit_bounds": bounds})
}

/// Buckets are an offset and counts.
pub(crate) fn exponential(
    scale: i32,
    zero_count: u64,
    positive: (i32, &[u64]),
    negative: (i32, &[u64]),
) -> Json {
    json!({
        "scale": scale, "zero_count": zero_count, "zero_threshold": bits(0.0),
        "positive": {"offset": positive.0, "counts": positive.1},
        "negative": {"offset": negative.0, "counts": negative.1},
    })
}
