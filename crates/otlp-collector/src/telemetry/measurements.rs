//! Numbers of a moment, with their names: what a page or an export of metrics is made of.

use std::collections::BTreeMap;
use std::panic::{AssertUnwindSafe, catch_unwind};

/// What is measured: the name, unit and meaning of a metric.
///
/// ```
/// use otlp_collector::telemetry::{Instrument, Measurements};
///
/// const SENT: Instrument = Instrument::counter("otelcol_exporter_sent_spans", "{spans}", "Spans sent.");
///
/// let mut measurements = Measurements::default();
/// measurements.within("exporter", "otlp", |it| it.set(&SENT, 7_u64));
/// let (instrument, points) = measurements.iter().next().unwrap();
/// assert_eq!(instrument.name, "otelcol_exporter_sent_spans");
/// assert_eq!(points[0].attributes, [("exporter", "otlp".to_owned())]);
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Instrument {
    /// Such as `otelcol_exporter_sent_spans`.
    pub name: &'static str,
    /// As UCUM writes it: `By`, `s`, `{spans}`.
    pub unit: &'static str,
    /// A sentence.
    pub description: &'static str,
    /// What its values are.
    pub kind: InstrumentKind,
}

/// What the values of an instrument are.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum InstrumentKind {
    /// A count since the start, which only grows.
    Counter,
    /// A value of this moment.
    Gauge,
    /// How often a value fell between which bounds, since the start.
    Histogram,
}

impl Instrument {
    /// A count since the start.
    #[must_use]
    pub const fn counter(
        name: &'static str,
        unit: &'static str,
        description: &'static str,
    ) -> Self {
        Self { name, unit, description, kind: InstrumentKind::Counter }
    }

    /// A value of this moment.
    #[must_use]
    pub const fn gauge(name: &'static str, unit: &'static str, description: &'static str) -> Self {
        Self { name, unit, description, kind: InstrumentKind::Gauge }
    }

    /// How often a value fell between which bounds.
    #[must_use]
    pub const fn histogram(
        name: &'static str,
        unit: &'static str,
        description: &'static str,
    ) -> Self {
        Self { name, unit, description, kind: InstrumentKind::Histogram }
    }
}

/// One value of an instrument.
#[derive(Clone, Debug, PartialEq)]
pub struct Point {
    /// What tells it from others.
    pub attributes: Vec<(&'static str, String)>,
    /// The value.
    pub value: Value,
}

/// A value.
#[derive(Clone, Debug, PartialEq)]
#[non_exhaustive]
pub enum Value {
    /// A whole number.
    Whole(u64),
    /// Another number.
    Float(f64),
    /// How often a value fell between which bounds: one count more than there are bounds.
    Histogram {
        /// Upper bounds, each part of its bucket, in rising order.
        bounds: &'static [f64],
        /// How often, for each bucket.
        counts: Vec<u64>,
        /// The sum of the values.
        sum: f64,
    },
}

impl From<u64> for Value {
    fn from(value: u64) -> Self {
        Self::Whole(value)
    }
}

impl From<usize> for Value {
    fn from(value: usize) -> Self {
        Self::Whole(value as u64)
    }
}

impl From<f64> for Value {
    fn from(value: f64) -> Self {
        Self::Float(value)
    }
}

/// The values of all instruments at one moment.
#[derive(Clone, Debug, Default)]
pub struct Measurements {
    metrics: BTreeMap<&'static str, (Instrument, Vec<Point>)>,
    /// What everything that is written down now has in common.
    around: Vec<(&'static str, String)>,
}

impl Measurements {
    /// Writes down a value.
    pub fn set(&mut self, instrument: &Instrument, value: impl Into<Value>) {
        let (_, points) =
            self.metrics.entry(instrument.name).or_insert_with(|| (*instrument, Vec::new()));
        points.push(Point { attributes: self.around.clone(), value: value.into() });
    }

    /// Everything that `write` writes down has this attribute.
    pub fn within(
        &mut self,
        key: &'static str,
        value: impl Into<String>,
        write: impl FnOnce(&mut Self),
    ) {
        self.around.push((key, value.into()));
        write(self);
        self.around.pop();
    }

    /// Everything that `write` writes down has the value of the attribute `of` under `key` as well.
    pub(crate) fn within_again(
        &mut self,
        of: &str,
        key: &'static str,
        write: impl FnOnce(&mut Self),
    ) {
        match self.around.iter().rev().find(|(name, _)| *name == of).cloned() {
            Some((_, value)) => self.within(key, value, write),
            None => write(self),
        }
    }

    /// Has somebody write down what they have counted. What they wrote before they panicked stays.
    pub(crate) fn of(&mut self, write: impl FnOnce(&mut Self)) {
        let depth = self.around.len();
        // That they panic is told by the process's panic hook.
        let _ = catch_unwind(AssertUnwindSafe(|| write(self)));
        self.around.truncate(depth);
    }

    /// All instruments with their values, by name.
    pub fn iter(&self) -> impl Iterator<Item = (&Instrument, &[Point])> {
        self.metrics.values().map(|(instrument, points)| (instrument, points.as_slice()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const COUNT: Instrument = Instrument::counter("count", "{items}", "Items.");

    #[test]
    fn who_panics_while_it_is_asked_leaves_the_others_numbers_right() {
        let mut all = Measurements::default();
        all.within("receiver", "one", |all| {
            all.of(|all| all.within("transport", "grpc", |_| panic!("boom")));
            all.set(&COUNT, 1u64);
        });
        let (_, points) = all.iter().next().unwrap();
        assert_eq!(points[0].attributes, [("receiver", "one".to_owned())]);
    }
}
