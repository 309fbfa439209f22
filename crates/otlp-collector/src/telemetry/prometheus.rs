//! Measurements as Prometheus reads them: the text format 0.0.4.

use std::borrow::Cow;
use std::fmt::Write as _;

use super::resource::Resource;
use super::settings::PrometheusSettings;
use super::{Instrument, InstrumentKind, Measurements, Point, Value};

/// What an answer says of itself.
pub(super) const CONTENT_TYPE: &str = "text/plain; version=0.0.4; charset=utf-8";

/// Writes everything, with `target_info` at the end, as the Go collector does: counters have no `_total` and
/// names no unit unless that is asked for.
pub(super) fn text(all: &Measurements, resource: &Resource, how: &PrometheusSettings) -> String {
    let constant: Labels<'_> = resource
        .iter()
        .filter(|(key, _)| how.is_constant_label(key))
        .map(|(key, value)| (label_name(key), value))
        .collect();
    let mut out = String::new();
    for (instrument, points) in all.iter() {
        family(instrument, points, &constant, how, &mut out);
    }
    target_info(resource, &mut out);
    out
}

type Labels<'a> = Vec<(Cow<'a, str>, &'a str)>;

fn family(
    instrument: &Instrument,
    points: &[Point],
    constant: &Labels<'_>,
    how: &PrometheusSettings,
    out: &mut String,
) {
    let name = name(instrument, how);
    let kind = match instrument.kind {
        InstrumentKind::Counter => "counter",
        InstrumentKind::Gauge => "gauge",
        InstrumentKind::Histogram => "histogram",
    };
    head(&name, instrument.description, kind, out);
    for point in points {
        let own = point.attributes.iter().map(|(key, value)| (label_name(key), value.as_str()));
        let mut labels: Labels<'_> = own.chain(constant.iter().cloned()).collect();
        labels.sort_by(|(one, _), (other, _)| one.cmp(other));
        // Of two labels of one name the nearer counts.
        labels.dedup_by(|(later, _), (kept, _)| later == kept);
        match &point.value {
            Value::Whole(number) => sample(&name, &labels, number, out),
            Value::Float(number) => sample(&name, &labels, float(*number), out),
            Value::Histogram { bounds, counts, sum } => {
                histogram(&name, &labels, bounds, counts, *sum, out);
            }
        }
    }
}

fn histogram(
    name: &str,
    labels: &Labels<'_>,
    bounds: &[f64],
    counts: &[u64],
    sum: f64,
    out: &mut String,
) {
    let bucket = format!("{name}_bucket");
    let bounds = bounds.iter().copied().chain([f64::INFINITY]);
    let mut total = 0u64;
    for (bound, count) in bounds.zip(counts) {
        total = total.saturating_add(*count);
        let bound = float(bound);
        let mut labels = labels.clone();
        labels.push(("le".into(), &bound));
        sample(&bucket, &labels, total, out);
    }
    sample(&format!("{name}_sum"), labels, float(sum), out);
    sample(&format!("{name}_count"), labels, total, out);
}

fn target_info(resource: &Resource, out: &mut String) {
    let mut labels: Labels<'_> =
        resource.iter().map(|(key, value)| (label_name(key), value)).collect();
    labels.sort_by(|(one, _), (other, _)| one.cmp(other));
    labels.dedup_by(|(later, _), (kept, _)| later == kept);
    head("target_info", "Target metadata", "gauge", out);
    sample("target_info", &labels, 1, out);
}

fn head(name: &str, help: &str, kind: &str, out: &mut String) {
    let help = help.replace('\\', "\\\\").replace('\n', "\\n");
    let _ = writeln!(out, "# HELP {name} {help}\n# TYPE {name} {kind}");
}

fn sample(name: &str, labels: &Labels<'_>, value: impl std::fmt::Display, out: &mut String) {
    out.push_str(name);
    for (at, (key, value)) in labels.iter().enumerate() {
        let value = value.replace('\\', "\\\\").replace('"', "\\\"").replace('\n', "\\n");
        let _ = write!(out, "{}{key}=\"{value}\"", if at == 0 { '{' } else { ',' });
    }
    if !labels.is_empty() {
        out.push('}');
    }
    let _ = writeln!(out, " {value}");
}

/// As Prometheus writes numbers; whole ones have no point.
fn float(number: f64) -> String {
    match number {
        f64::INFINITY => "+Inf".to_owned(),
        f64::NEG_INFINITY => "-Inf".to_owned(),
        number => number.to_string(),
    }
}

fn name(instrument: &Instrument, how: &PrometheusSettings) -> String {
    let mut name = good_name(instrument.name, &[':']).into_owned();
    let unit = match instrument.unit {
        "By" => "_bytes",
        "s" => "_seconds",
        "ms" => "_milliseconds",
        "1" if instrument.kind == InstrumentKind::Gauge => "_ratio",
        _ => "",
    };
    if !how.without_units && !name.ends_with(unit) {
        name.push_str(unit);
    }
    if !how.without_type_suffix && instrument.kind == InstrumentKind::Counter {
        name.push_str("_total");
    }
    name
}

/// The name of an attribute as a label can have it.
fn label_name(key: &str) -> Cow<'_, str> {
    good_name(key, &[])
}

/// A name with `_` for everything that is no letter, no digit and none of `others`.
fn good_name<'a>(name: &'a str, others: &[char]) -> Cow<'a, str> {
    let is_good = |(at, c): (usize, char)| {
        c == '_' || c.is_ascii_alphabetic() || (at > 0 && c.is_ascii_digit()) || others.contains(&c)
    };
    if !name.is_empty() && name.chars().enumerate().all(is_good) {
        return name.into();
    }
    let good = |(at, c)| if is_good((at, c)) { c } else { '_' };
    let name: String = name.chars().enumerate().map(good).collect();
    if name.is_empty() { "_".into() } else { name.into() }
}

#[cfg(test)]
mod tests;
