//! The processor `probabilistic_sampler`: a share of the traces or log records goes on.

use std::sync::Arc;

use otlp_core::Signal;
use otlp_core::export::Deadline;
use serde::Deserialize;

use crate::component::{BoxError, BoxFuture, Host, Node, Processor, Running, Tally};
use crate::config::ConfigError;
use crate::consumer::{Answer, Batch, Consumer, SharedConsumer};
use crate::edit::{
    Effect, HashSource, MIN_PROBABILITY, Plan, Rule, Sampler, SamplerCounts, SamplerMode, Selector,
    Target,
};
use crate::processors::EditProcessor;
use crate::telemetry::{Instrument, Measurements};

/// The settings of the processor `probabilistic_sampler`: what stands under `processors::probabilistic_sampler`.
///
/// Decides as the Go collector does, item by item and to the bit: of the same settings, every collector samples
/// the same traces. Spans carry what was decided in their trace state (`ot=th:…;rv:…`), log records in the
/// attributes `sampling.threshold` and `sampling.randomness`; what they bring is obeyed and brought up to date.
/// The attribute `sampling.priority` of a span overrides everything: 0 is never sampled, more than 0 always.
///
/// ```
/// use otlp_collector::config::{Config, Source};
/// use otlp_collector::processors::{ProbabilisticSamplerSettings, SamplingMode};
///
/// # fn main() -> Result<(), Box<dyn std::error::Error>> {
/// let yaml = "
/// receivers: {otlp: }
/// processors: {probabilistic_sampler: {mode: proportional, sampling_percentage: 12.5}}
/// exporters: {debug: }
/// service: {pipelines: {traces: {receivers: [otlp], processors: [probabilistic_sampler], exporters: [debug]}}}
/// ";
/// let config = Config::load(&[Source::Yaml(yaml.to_owned())])?;
/// let settings: ProbabilisticSamplerSettings = config.settings.processors[0].settings.read()?;
/// assert_eq!((settings.mode, settings.sampling_precision), (SamplingMode::Proportional, 4));
/// # Ok(())
/// # }
/// ```
#[derive(Clone, Debug, PartialEq, Deserialize)]
#[serde(deny_unknown_fields, default)]
#[non_exhaustive]
pub struct ProbabilisticSamplerSettings {
    /// How many of 100 are sampled; 100 and more is all. Default 0.
    pub sampling_percentage: f64,
    /// How they are chosen. Default `hash_seed`.
    pub mode: SamplingMode,
    /// With `hash_seed`: goes into the hash, so that samplers with different ones choose differently. Default 0.
    pub hash_seed: u32,
    /// Whether what has no randomness, or carries marks that cannot be, is dropped; else it is kept. Default true.
    pub fail_closed: bool,
    /// How many hexadecimal digits of a threshold are kept, 1 to 14. Default 4.
    pub sampling_precision: u8,
    /// Of log records, with `hash_seed`: what is hashed. Default `traceID`.
    pub attribute_source: AttributeSource,
    /// Of log records, with `hash_seed`: the attribute that is hashed where there is no trace ID, or
    /// `attribute_source` is `record`. Default none.
    pub from_attribute: String,
    /// Of log records: the attribute with a percentage for the single record. Default none.
    pub sampling_priority: String,
}

/// How a [probabilistic sampler](ProbabilisticSamplerSettings) chooses.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum SamplingMode {
    /// By a hash of the trace ID, in steps of 1/16384.
    #[default]
    #[serde(alias = "")]
    HashSeed,
    /// By the trace ID's or the trace state's randomness, as W3C Trace Context has it: what was sampled less
    /// before is left as it is.
    Equalizing,
    /// By the same: everything is sampled so much less than it was before.
    Proportional,
}

/// What a [probabilistic sampler](ProbabilisticSamplerSettings) hashes of a log record.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize)]
pub enum AttributeSource {
    /// The trace ID, and the attribute where there is none.
    #[default]
    #[serde(rename = "traceID", alias = "")]
    TraceId,
    /// The attribute.
    #[serde(rename = "record")]
    Record,
}

impl Default for ProbabilisticSamplerSettings {
    fn default() -> Self {
        Self {
            sampling_percentage: 0.0,
            mode: SamplingMode::default(),
            hash_seed: 0,
            fail_closed: true,
            sampling_precision: 4,
            attribute_source: AttributeSource::default(),
            from_attribute: String::new(),
            sampling_priority: String::new(),
        }
    }
}

impl ProbabilisticSamplerSettings {
    /// Whether the settings go together.
    ///
    /// # Errors
    ///
    /// Names the key, what is wrong with it, and what is accepted; the Go collector refuses the same.
    pub fn validate(&self) -> Result<(), ConfigError> {
        let ratio = f64::from(self.percentage()) / 100.0;
        if !ratio.is_finite() || ratio < 0.0 || ratio > 0.0 && ratio < MIN_PROBABILITY {
            let text = "it must be 0, or a number from 100/2^56 on; 100 and more is all";
            return Err(ConfigError::new(text).under("sampling_percentage"));
        }
        if !(1..=14).contains(&self.sampling_precision) {
            let text = "it must be a whole number from 1 to 14";
            return Err(ConfigError::new(text).under("sampling_precision"));
        }
        Ok(())
    }

    /// In single precision, as the Go collector has it: it decides which buckets are sampled.
    fn percentage(&self) -> f32 {
        self.sampling_percentage as f32
    }

    /// What decides by these settings, for a [`Rule`] made in code. Settings that are not
    /// [valid](Self::validate) count as the nearest that are.
    #[must_use]
    pub fn sampler(&self) -> Sampler {
        let mode = match self.mode {
            SamplingMode::HashSeed => SamplerMode::HashSeed(HashSource {
                seed: self.hash_seed,
                is_trace_id: self.attribute_source == AttributeSource::TraceId,
                attribute: some(&self.from_attribute).map(|it| it.as_bytes().into()),
            }),
            SamplingMode::Equalizing => SamplerMode::Equalizing,
            SamplingMode::Proportional => SamplerMode::Proportional,
        };
        let sampler = Sampler::new(mode, self.percentage(), self.sampling_precision)
            .fail_closed(self.fail_closed);
        match some(&self.sampling_priority) {
            Some(attribute) => sampler.with_priority(attribute),
            None => sampler,
        }
    }
}

fn some(text: &str) -> Option<&str> {
    Some(text).filter(|text| !text.is_empty())
}

impl Processor for ProbabilisticSamplerSettings {
    fn check(&self, signal: Signal) -> Result<(), ConfigError> {
        match signal {
            Signal::Traces | Signal::Logs => Ok(()),
            _ => {
                let text =
                    format!("probabilistic_sampler is for traces and logs, not for {signal}");
                Err(ConfigError::new(text))
            }
        }
    }

    fn start(
        &self,
        _host: &Host,
        signal: Signal,
        next: SharedConsumer,
    ) -> Result<Arc<dyn Node>, BoxError> {
        self.check(signal)?;
        let sampler = self.sampler();
        let counts = sampler.counts();
        let (selector, effect) = (Selector::default(), Effect::Sample(sampler));
        let plan = Plan::new(signal, vec![Rule { target: Target::Item, selector, effect }]);
        let node = EditProcessor::new(plan, next);
        Ok(Arc::new(Sampling { node, counts, signal, attribute: self.from_attribute.clone() }))
    }
}

/// An edit that drops what is not sampled.
#[derive(Debug)]
struct Sampling {
    node: EditProcessor,
    counts: Arc<SamplerCounts>,
    signal: Signal,
    /// What its policy is called where an attribute is hashed.
    attribute: String,
}

impl Consumer for Sampling {
    fn consume(&self, batch: Batch, deadline: Deadline) -> Answer<'_> {
        self.node.consume(batch, deadline)
    }

    fn holds(&self) -> bool {
        self.node.holds()
    }
}

impl Running for Sampling {
    fn stop(&self, deadline: Deadline) -> BoxFuture<'_, ()> {
        self.node.stop(deadline)
    }

    fn measure(&self, measurements: &mut Measurements) {
        self.node.measure(measurements);
        let instrument = match self.signal {
            Signal::Logs => &LOGS_SAMPLED,
            _ => &TRACES_SAMPLED,
        };
        for (policy, is_sampled, count) in self.counts.iter() {
            measurements.within("policy", policy.unwrap_or(&self.attribute), |all| {
                all.within("sampled", is_sampled.to_string(), |all| all.set(instrument, count));
            });
        }
    }
}

impl Node for Sampling {
    fn tally(&self) -> Tally {
        Tally::of_dropped("not_sampled", self.node.counts().dropped)
    }
}

const TRACES_SAMPLED: Instrument = Instrument::counter(
    "otelcol_processor_probabilistic_sampler_count_traces_sampled",
    "1",
    "Number of spans that were sampled, and that were not.",
);
const LOGS_SAMPLED: Instrument = Instrument::counter(
    "otelcol_processor_probabilistic_sampler_count_logs_sampled",
    "1",
    "Number of log records that were sampled, and that were not.",
);
