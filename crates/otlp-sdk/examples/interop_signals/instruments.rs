//! Every kind of instrument, with the corners of what it can measure.

use std::sync::atomic::Ordering;

use opentelemetry::metrics::Meter;
use opentelemetry::{Array, KeyValue, StringValue, Value};
use serde_json::{Map, Value as Json, json};

use super::metrics::{Kind, Metric, ROUND, Series, explicit, exponential, floats, histogram, ints};
use crate::interop_support::double;

pub(crate) fn all() -> Vec<Metric> {
    [counters(), up_down_counters(), gauges(), histograms(), exponential_histograms(), sets()]
        .into_iter()
        .flatten()
        .collect()
}

fn counters() -> Vec<Metric> {
    let large = u64::MAX as f64;
    let infinite = f64::INFINITY;
    vec![
        Metric::new(
            "counter.u64",
            Kind::Counter,
            |meter, round| {
                // The same instrument in both rounds: it is known by what it is.
                let counter = meter.u64_counter("counter.u64").with_description("ß ✓");
                let counter = counter.with_unit("{item}").build();
                of_round(round, [&[3, 2], &[7]]).for_each(|value| counter.add(value, &[]));
            },
            ints([5, 12]),
            ints([5, 7]),
        )
        .described("ß ✓", "{item}"),
        Metric::new(
            "counter.f64",
            Kind::Counter,
            |meter, round| add(meter, "counter.f64", of_round(round, [&[0.5], &[0.25]])),
            floats([0.5, 0.75]),
            floats([0.5, 0.25]),
        ),
        // The protocol's integers are signed: the nearest number that it has.
        Metric::new(
            "counter.large",
            Kind::Counter,
            |meter, round| {
                let counter = meter.u64_counter("counter.large").build();
                of_round(round, [&[u64::MAX], &[]]).for_each(|value| counter.add(value, &[]));
            },
            floats([large, large]),
            floats([large]),
        ),
        Metric::new(
            "counter.infinite",
            Kind::Counter,
            |meter, round| {
                let values = of_round(round, [&[f64::MAX, f64::MAX], &[1.0]]);
                add(meter, "counter.infinite", values);
            },
            floats([infinite, infinite]),
            floats([infinite, 1.0]),
        ),
        // The official SDK ignores measurements that are not finite, and takes those below zero.
        Metric::new(
            "counter.not_finite",
            Kind::Counter,
            |meter, round| {
                let values = of_round(round, [&[1.0, f64::NAN, f64::INFINITY], &[]]);
                add(meter, "counter.not_finite", values);
            },
            floats([1.0, 1.0]),
            floats([1.0]),
        ),
        Metric::new(
            "counter.negative",
            Kind::Counter,
            |meter, round| add(meter, "counter.negative", of_round(round, [&[-2.5], &[1.0]])),
            floats([-2.5, -1.5]),
            floats([-2.5, 1.0]),
        ),
        Metric::new(
            "observed.counter.u64",
            Kind::ObservableCounter,
            |meter, round| {
                let counter = meter.u64_observable_counter("observed.counter.u64");
                observe(round, || {
                    counter.with_callback(|it| it.observe(now([10, 25]), &[])).build()
                });
            },
            ints([10, 25]),
            ints([10, 15]),
        ),
        Metric::new(
            "observed.counter.f64",
            Kind::ObservableCounter,
            |meter, round| {
                let counter = meter.f64_observable_counter("observed.counter.f64");
                observe(round, || {
                    counter.with_callback(|it| it.observe(now([0.5, 2.0]), &[])).build()
                });
            },
            floats([0.5, 2.0]),
            floats([0.5, 1.5]),
        ),
    ]
}

fn up_down_counters() -> Vec<Metric> {
    vec![
        Metric::new(
            "up_down.i64",
            Kind::UpDownCounter,
            |meter, round| {
                let counter = meter.i64_up_down_counter("up_down.i64").build();
                of_round(round, [&[5, -8], &[1]]).for_each(|value| counter.add(value, &[]));
            },
            ints([-3, -2]),
            vec![],
        ),
        Metric::new(
            "up_down.f64",
            Kind::UpDownCounter,
            |meter, round| {
                let counter = meter.f64_up_down_counter("up_down.f64").build();
                of_round(round, [&[-0.5], &[-0.25]]).for_each(|value| counter.add(value, &[]));
            },
            floats([-0.5, -0.75]),
            vec![],
        ),
        Metric::new(
            "observed.up_down.i64",
            Kind::UpDownCounter,
            |meter, round| {
                let counter = meter.i64_observable_up_down_counter("observed.up_down.i64");
                observe(round, || {
                    counter.with_callback(|it| it.observe(now([-4, 4]), &[])).build()
                });
            },
            ints([-4, 4]),
            vec![],
        ),
        Metric::new(
            "observed.up_down.f64",
            Kind::UpDownCounter,
            |meter, round| {
                let counter = meter.f64_observable_up_down_counter("observed.up_down.f64");
                observe(round, || {
                    counter.with_callback(|it| it.observe(now([-0.5, f64::MAX]), &[])).build()
                });
            },
            floats([-0.5, f64::MAX]),
            vec![],
        ),
    ]
}

fn gauges() -> Vec<Metric> {
    let large = u64::MAX as f64;
    let [one, nearest] = [ints([1]), floats([large])];
    let two = || [one.clone(), nearest.clone()].concat();
    let smallest = f64::from_bits(1);
    vec![
        Metric::new(
            "gauge.u64",
            Kind::Gauge,
            |meter, _| meter.u64_gauge("gauge.u64").build().record(now([1, u64::MAX]), &[]),
            two(),
            two(),
        ),
        Metric::new(
            "gauge.i64",
            Kind::Gauge,
            |meter, _| meter.i64_gauge("gauge.i64").build().record(now([i64::MIN, i64::MAX]), &[]),
            ints([i64::MIN, i64::MAX]),
            ints([i64::MIN, i64::MAX]),
        ),
        Metric::new(
            "gauge.f64",
            Kind::Gauge,
            |meter, _| {
                let value = now([-0.0, f64::from_bits(1)]);
                meter.f64_gauge("gauge.f64").build().record(value, &[]);
            },
            floats([-0.0, smallest]),
            floats([-0.0, smallest]),
        ),
        Metric::new(
            "observed.gauge.u64",
            Kind::Gauge,
            |meter, round| {
                let gauge = meter.u64_observable_gauge("observed.gauge.u64");
                observe(round, || {
                    gauge.with_callback(|it| it.observe(now([1, u64::MAX]), &[])).build()
                });
            },
            two(),
            two(),
        ),
        Metric::new(
            "observed.gauge.i64",
            Kind::Gauge,
            |meter, round| {
                let gauge = meter.i64_observable_gauge("observed.gauge.i64");
                observe(round, || gauge.with_callback(|it| it.observe(now([-1, 1]), &[])).build());
            },
            ints([-1, 1]),
            ints([-1, 1]),
        ),
        Metric::new(
            "observed.gauge.f64",
            Kind::Gauge,
            |meter, round| {
                let gauge = meter.f64_observable_gauge("observed.gauge.f64");
                observe(round, || {
                    gauge.with_callback(|it| it.observe(now([0.5, -1.5]), &[])).build()
                });
            },
            floats([0.5, -1.5]),
            floats([0.5, -1.5]),
        ),
    ]
}

fn histograms() -> Vec<Metric> {
    let default = |counts: &[u64]| {
        let bounds = [
            0.0, 5.0, 10.0, 25.0, 50.0, 75.0, 100.0, 250.0, 500.0, 750.0, 1000.0, 2500.0, 5000.0,
            7500.0, 10000.0,
        ];
        explicit(counts, &bounds)
    };
    let first = [1, 1, 1, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 1];
    let both = [2, 1, 1, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 1];
    let second = [1, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0];
    let first = histogram(4, 20_010.125, (0.0, 20_000.0), default(&first));
    let given = histogram(3, 14.0, (1.0, 11.0), explicit(&[1, 1, 1], &[1.0, 10.0]));
    let infinite = explicit(&[0, 2], &[0.0]);
    let infinite = histogram(2, f64::INFINITY, (f64::MAX, f64::MAX), infinite);
    vec![
        Metric::new(
            "explicit.f64",
            Kind::Histogram,
            |meter, round| {
                let values = [&[0.0, 5.0, 5.125, 20_000.0, f64::NAN][..], &[-1.5]];
                let histogram = meter.f64_histogram("explicit.f64").with_unit("s").build();
                of_round(round, values).for_each(|value| histogram.record(value, &[]));
            },
            vec![first.clone(), histogram(5, 20_008.625, (-1.5, 20_000.0), default(&both))],
            vec![first, histogram(1, -1.5, (-1.5, -1.5), default(&second))],
        )
        .described("", "s"),
        Metric::new(
            "explicit.u64",
            Kind::Histogram,
            |meter, round| {
                let histogram = meter.u64_histogram("explicit.u64");
                let histogram = histogram.with_boundaries(vec![1.0, 10.0]).build();
                of_round(round, [&[1, 2, 11], &[]]).for_each(|value| histogram.record(value, &[]));
            },
            vec![given.clone(); 2],
            vec![given],
        ),
        Metric::new(
            "explicit.infinite",
            Kind::Histogram,
            |meter, round| {
                let histogram = meter.f64_histogram("explicit.infinite");
                let histogram = histogram.with_boundaries(vec![0.0]).build();
                let values = of_round(round, [&[f64::MAX, f64::MAX], &[]]);
                values.for_each(|value| histogram.record(value, &[]));
            },
            vec![infinite.clone(); 2],
            vec![infinite],
        ),
    ]
}

/// At most four buckets, at scale 0 or less: from one power of two (without) to the next (with it).
fn exponential_histograms() -> Vec<Metric> {
    // 1, 2 and 4; -3 below zero.
    let first = histogram(5, 4.0, (-3.0, 4.0), exponential(0, 1, (-1, &[1, 1, 1]), (1, &[1])));
    // With 64 a bucket has to reach twice as far: from a power of four to the next.
    let both = exponential(-1, 1, (-1, &[1, 2, 0, 1]), (0, &[1]));
    let second = exponential(0, 0, (5, &[1]), (0, &[]));
    let integers = histogram(2, 16.0, (8.0, 8.0), exponential(0, 0, (2, &[2]), (0, &[])));
    vec![
        Metric::new(
            "exponential.f64",
            Kind::Histogram,
            |meter, round| {
                let histogram = meter.f64_histogram("exponential.f64").build();
                let values = of_round(round, [&[1.0, 2.0, 4.0, 0.0, -3.0], &[64.0]]);
                values.for_each(|value| histogram.record(value, &[]));
            },
            vec![first.clone(), histogram(6, 68.0, (-3.0, 64.0), both)],
            vec![first, histogram(1, 64.0, (64.0, 64.0), second)],
        )
        .exponential(),
        Metric::new(
            "exponential.u64",
            Kind::Histogram,
            |meter, round| {
                let histogram = meter.u64_histogram("exponential.u64").build();
                of_round(round, [&[8, 8], &[]]).for_each(|value| histogram.record(value, &[]));
            },
            vec![integers.clone(); 2],
            vec![integers],
        )
        .exponential(),
    ]
}

/// Attribute sets: of all kinds of values, many, and more than allowed.
fn sets() -> Vec<Metric> {
    let set = |attributes: Json, value: i64| -> [Series; 2] {
        [(attributes.clone(), ints([value, value])), (attributes, ints([value]))]
    };
    let metric = |name, measure, sets: Vec<[Series; 2]>| {
        let (cumulative, delta) = sets.into_iter().map(|[both, first]| (both, first)).unzip();
        Metric::with_series(name, Kind::Counter, measure, cumulative, delta)
    };
    let numbered = |n: i64| json!({"n": {"int": n}});
    let values = values();
    let together = values.iter().zip(0..).map(|((_, json), n)| (format!("k{n}"), json.clone()));
    let together = set(together.collect::<Map<_, _>>().into(), 1);
    let alone = values.iter().map(|(_, json)| set(json!({ "value": json }), 1));
    vec![
        metric("sets.kinds", add_kinds, alone.chain([together]).collect()),
        metric(
            "sets.many",
            |meter, round| add_numbered(meter, "sets.many", round, 5_000),
            (0..5_000).map(|n| set(numbered(n), 1)).collect(),
        ),
        metric(
            "sets.limited",
            |meter, round| add_numbered(meter, "sets.limited", round, 5),
            (0..3)
                .map(|n| set(numbered(n), 1))
                .chain([set(json!({"otel.metric.overflow": {"bool": true}}), 2)])
                .collect(),
        ),
    ]
}

fn add_kinds(meter: &Meter, round: usize) {
    if round > 0 {
        return;
    }
    let counter = meter.u64_counter("sets.kinds").build();
    let values = values();
    values.iter().for_each(|(value, _)| counter.add(1, &[KeyValue::new("value", value.clone())]));
    let together = values.into_iter().zip(0..);
    let together = together.map(|((value, _), n)| KeyValue::new(format!("k{n}"), value));
    counter.add(1, &together.collect::<Vec<_>>());
}

fn add_numbered(meter: &Meter, name: &'static str, round: usize, sets: i64) {
    if round == 0 {
        let counter = meter.u64_counter(name).build();
        (0..sets).for_each(|n| counter.add(1, &[KeyValue::new("n", n)]));
    }
}

/// Each kind of attribute value.
fn values() -> Vec<(Value, Json)> {
    let strings = vec![StringValue::from("a"), StringValue::from("")];
    vec![
        (true.into(), json!({"bool": true})),
        (i64::MIN.into(), json!({"int": i64::MIN})),
        (i64::MAX.into(), json!({"int": i64::MAX})),
        (f64::NAN.into(), double(f64::NAN)),
        (f64::NEG_INFINITY.into(), double(f64::NEG_INFINITY)),
        ((-0.0).into(), double(-0.0)),
        ("日本 \u{1f680}\u{0}".into(), json!({"string": "日本 \u{1f680}\u{0}"})),
        ("".into(), json!({"string": ""})),
        ("x".repeat(100_000).into(), json!({"string": "x".repeat(100_000)})),
        (
            Value::Array(Array::Bool(vec![true, false])),
            json!({"array": [{"bool": true}, {"bool": false}]}),
        ),
        (Value::Array(Array::I64(vec![-1, 1])), json!({"array": [{"int": -1}, {"int": 1}]})),
        (Value::Array(Array::F64(vec![0.1])), json!({"array": [double(0.1)]})),
        (Value::Array(strings.into()), json!({"array": [{"string": "a"}, {"string": ""}]})),
        (Value::Array(Array::I64(vec![])), json!({"array": []})),
    ]
}

fn add(meter: &Meter, name: &'static str, values: impl Iterator<Item = f64>) {
    let counter = meter.f64_counter(name).build();
    values.for_each(|value| counter.add(value, &[]));
}

fn of_round<'a, T: Copy>(
    round: usize,
    values: [&'a [T]; 2],
) -> impl Iterator<Item = T> + use<'a, T> {
    let [first, second] = values;
    if round == 0 { first } else { second }.iter().copied()
}

/// Callbacks are registered once.
fn observe<T>(round: usize, register: impl FnOnce() -> T) {
    if round == 0 {
        register();
    }
}

/// What a callback finds in this round.
fn now<T>(values: [T; 2]) -> T {
    let [first, second] = values;
    if ROUND.load(Ordering::Relaxed) == 0 { first } else { second }
}
