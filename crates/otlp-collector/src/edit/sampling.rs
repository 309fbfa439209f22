//! Which spans and log records are sampled, decided from their identity alone, as the Go collector decides.

mod carrier;
mod counts;
mod decide;
mod probability;
mod trace_state;

use std::sync::Arc;

pub(crate) use self::counts::SamplerCounts;
pub(super) use self::decide::{Identity, Sampled};
pub(crate) use self::probability::MIN_PROBABILITY;

use self::probability::{Threshold, scaled_threshold};

/// How a share of the items is chosen, so that collectors with the same settings choose the same.
///
/// What the items carry of earlier decisions (`ot=th` and `ot=rv` in the trace state of spans, the attributes
/// `sampling.threshold` and `sampling.randomness` of log records) is obeyed and brought up to date.
///
/// Comes from the [settings](crate::processors::ProbabilisticSamplerSettings::sampler) of the processor.
#[derive(Clone, Debug)]
pub struct Sampler {
    method: Method,
    fail_closed: bool,
    precision: u8,
    /// Of log records: the attribute that says how likely they are sampled, in percent.
    priority: Option<Box<[u8]>>,
    counts: Arc<SamplerCounts>,
}

/// What a [`Sampler`] goes by.
#[derive(Clone, Debug, PartialEq)]
pub(crate) enum SamplerMode {
    /// A hash of the trace ID or of an attribute, in 2^14 steps.
    HashSeed(HashSource),
    /// What is sampled less than others is left as it is.
    Equalizing,
    /// Everything is sampled so much less than before.
    Proportional,
}

/// What is hashed.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct HashSource {
    pub(crate) seed: u32,
    /// Of log records: whether it is the trace ID, if there is one.
    pub(crate) is_trace_id: bool,
    /// Of log records: an attribute.
    pub(crate) attribute: Option<Box<[u8]>>,
}

#[derive(Clone, Debug)]
enum Method {
    Never,
    Hash(HashSource, Threshold),
    Equalizing(Threshold),
    Proportional(f64),
}

impl Sampler {
    /// A sampler of `percentage`, 0 to 100, with so many hexadecimal digits of it.
    pub(crate) fn new(mode: SamplerMode, percentage: f32, precision: u8) -> Self {
        let percentage = if percentage.is_nan() { 0.0 } else { percentage.clamp(0.0, 100.0) };
        let precision = precision.clamp(1, 14);
        let ratio = (f64::from(percentage) / 100.0).max(MIN_PROBABILITY);
        let method = match mode {
            _ if percentage == 0.0 => Method::Never,
            SamplerMode::HashSeed(source) => match scaled_threshold(percentage) {
                Some(threshold) => Method::Hash(source, threshold),
                None => Method::Never,
            },
            SamplerMode::Equalizing => {
                let threshold = Threshold::of_probability(ratio, precision);
                Method::Equalizing(threshold.unwrap_or(Threshold::ALWAYS))
            }
            SamplerMode::Proportional => Method::Proportional(ratio),
        };
        let counts = Arc::default();
        Self { method, fail_closed: true, precision, priority: None, counts }
    }

    /// Whether what has no randomness, or is marked wrongly, is dropped; it is otherwise kept.
    pub(crate) fn fail_closed(self, fail_closed: bool) -> Self {
        Self { fail_closed, ..self }
    }

    /// The attribute of log records that says how likely they are sampled.
    pub(crate) fn with_priority(self, attribute: &str) -> Self {
        Self { priority: Some(attribute.as_bytes().into()), ..self }
    }

    /// What was decided so far; clones of the sampler share it.
    pub(crate) fn counts(&self) -> Arc<SamplerCounts> {
        Arc::clone(&self.counts)
    }
}
