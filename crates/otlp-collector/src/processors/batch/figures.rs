//! What is measured of batches, under the names of the Go collector.

use parking_lot::Mutex;

use crate::telemetry::{Instrument, Measurements, Value};

/// Why a batch was sent.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Trigger {
    Size,
    /// Also the end, as in the Go collector, and what replaces it here: nothing came any more.
    Timeout,
}

/// Batches that were sent, counted.
#[derive(Debug, Default)]
pub(super) struct Figures(Mutex<Counts>);

#[derive(Debug, Default)]
struct Counts {
    by_size: u64,
    by_timeout: u64,
    items: Histogram<{ ITEMS.len() + 1 }>,
    bytes: Histogram<{ BYTES.len() + 1 }>,
}

#[derive(Debug)]
struct Histogram<const N: usize> {
    counts: [u64; N],
    sum: f64,
}

impl<const N: usize> Default for Histogram<N> {
    fn default() -> Self {
        Self { counts: [0; N], sum: 0.0 }
    }
}

impl<const N: usize> Histogram<N> {
    fn record(&mut self, value: usize, bounds: &[f64]) {
        #[expect(clippy::cast_precision_loss, reason = "sizes are far below 2^53")]
        let value = value as f64;
        let bucket = bounds.partition_point(|bound| *bound < value);
        if let Some(count) = self.counts.get_mut(bucket) {
            *count += 1;
        }
        self.sum += value;
    }

    fn value(&self, bounds: &'static [f64]) -> Value {
        Value::Histogram { bounds, counts: self.counts.to_vec(), sum: self.sum }
    }
}

impl Figures {
    /// A request was sent, and taken.
    pub(super) fn sent(&self, trigger: Trigger, items: usize, bytes: usize) {
        let mut counts = self.0.lock();
        match trigger {
            Trigger::Size => counts.by_size += 1,
            Trigger::Timeout => counts.by_timeout += 1,
        }
        counts.items.record(items, &ITEMS);
        counts.bytes.record(bytes, &BYTES);
    }

    pub(super) fn measure(&self, all: &mut Measurements) {
        let counts = self.0.lock();
        all.set(&BY_SIZE, counts.by_size);
        all.set(&BY_TIMEOUT, counts.by_timeout);
        all.set(&SEND_SIZE, counts.items.value(&ITEMS));
        all.set(&SEND_SIZE_BYTES, counts.bytes.value(&BYTES));
        all.set(&CARDINALITY, 1_u64);
    }
}

const BY_SIZE: Instrument = Instrument::counter(
    "otelcol_processor_batch_batch_size_trigger_send",
    "{time}",
    "Number of batches that were sent because of their size.",
);
const BY_TIMEOUT: Instrument = Instrument::counter(
    "otelcol_processor_batch_timeout_trigger_send",
    "{time}",
    "Number of batches that were sent because they had waited.",
);
const SEND_SIZE: Instrument = Instrument::histogram(
    "otelcol_processor_batch_batch_send_size",
    "{unit}",
    "Number of items of the batches that were sent.",
);
const SEND_SIZE_BYTES: Instrument = Instrument::histogram(
    "otelcol_processor_batch_batch_send_size_bytes",
    "By",
    "Number of bytes of the batches that were sent.",
);
const CARDINALITY: Instrument = Instrument::gauge(
    "otelcol_processor_batch_metadata_cardinality",
    "{combination}",
    "Number of sets of batches that are kept apart.",
);

const ITEMS: [f64; 22] = [
    10.0, 25.0, 50.0, 75.0, 100.0, 250.0, 500.0, 750.0, 1e3, 2e3, 3e3, 4e3, 5e3, 6e3, 7e3, 8e3,
    9e3, 1e4, 2e4, 3e4, 5e4, 1e5,
];
/// From 128 B to 16 MiB, doubling.
const BYTES: [f64; 18] = [
    128.0,
    256.0,
    512.0,
    1024.0,
    2048.0,
    4096.0,
    8192.0,
    16_384.0,
    32_768.0,
    65_536.0,
    131_072.0,
    262_144.0,
    524_288.0,
    1_048_576.0,
    2_097_152.0,
    4_194_304.0,
    8_388_608.0,
    16_777_216.0,
];

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_bound_is_part_of_its_bucket() {
        let mut histogram = Histogram::<{ ITEMS.len() + 1 }>::default();
        for value in [0, 10, 11, 100_000, 100_001] {
            histogram.record(value, &ITEMS);
        }
        assert_eq!((histogram.counts[0], histogram.counts[1]), (2, 1));
        assert_eq!((histogram.counts[21], histogram.counts[22]), (1, 1));
        assert_eq!(histogram.counts.iter().sum::<u64>(), 5);
    }
}
