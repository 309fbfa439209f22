//! The measurements that both sides export: ten instruments with a thousand attribute sets each.

use opentelemetry::KeyValue;
use opentelemetry::metrics::Meter;

use super::{address, scattered};

/// Attribute sets of each instrument: under the official SDK's limit of 2,000.
pub const SETS: usize = 1_000;

/// Data points of a collection.
pub const POINTS: u64 = ((COUNTERS.len() + HISTOGRAMS.len() + GAUGES.len()) * SETS) as u64;

/// Names of the counters, of integers.
pub const COUNTERS: [&str; 4] =
    ["http.server.requests", "app.orders", "app.cache.hits", "app.bytes.sent"];

/// Names of the histograms, of floating-point numbers and with the default bounds.
pub const HISTOGRAMS: [&str; 3] =
    ["http.server.request.duration", "app.queue.duration", "db.client.operation.duration"];

/// Names of the gauges, of floating-point numbers.
pub const GAUGES: [&str; 3] = ["app.queue.length", "app.temperature", "system.cpu.utilization"];

/// The attribute that numbers the sets.
pub const SET: &str = "app.shard";

/// Measures once with every instrument and attribute set.
pub fn record(meter: &Meter) {
    let counters = COUNTERS.map(|name| meter.u64_counter(name).with_unit("1").build());
    let histograms = HISTOGRAMS.map(|name| meter.f64_histogram(name).with_unit("ms").build());
    let gauges = GAUGES.map(|name| meter.f64_gauge(name).with_unit("1").build());
    for set in 0..SETS {
        let attributes = attributes(set);
        counters.iter().for_each(|counter| counter.add(count(set), &attributes));
        histograms.iter().for_each(|histogram| histogram.record(amount(set), &attributes));
        gauges.iter().for_each(|gauge| gauge.record(amount(set), &attributes));
    }
}

/// Three strings and an integer.
fn attributes(set: usize) -> [KeyValue; 4] {
    [
        KeyValue::new("http.request.method", "GET"),
        KeyValue::new("http.route", "/users/{id}"),
        KeyValue::new("server.address", address(set)),
        KeyValue::new(SET, set as i64),
    ]
}

/// What a counter has for this set.
#[must_use]
pub fn count(set: usize) -> u64 {
    scattered(set, 0xff_ffff).unsigned_abs()
}

/// What a histogram or gauge has for this set.
#[must_use]
pub fn amount(set: usize) -> f64 {
    scattered(set, 0xffff) as f64 * 0.125
}
