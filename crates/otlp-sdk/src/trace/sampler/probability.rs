//! The consistent probability sampler. (P7)

use std::sync::Arc;

use opentelemetry::trace::TraceState;

use super::consistent::{self, Randomness, Threshold};
use super::warning::WarnOnce;
use super::{Decision, Sampler, SamplerError, SamplingInput, SamplingOutput};

/// Keeps a fraction of all traces, consistently across services and languages.
///
/// A span is kept if the randomness of its trace, the `rv` of the trace state or else the low 56
/// bits of the trace id, is not below the threshold made from the probability. What is kept carries
/// the threshold as `ot=th:…`; what is dropped carries none. `rv` and all else in the trace state
/// stay as they are.
///
/// If a parent has neither `rv` nor the random flag of W3C Trace Context Level 2, its trace id is
/// presumed to be random all the same, and a warning says so once.
///
/// See [`Sampler::probability`].
#[derive(Debug)]
#[doc(alias = "ProbabilitySampler")]
#[doc(alias = "ConsistentProbabilityBased")]
pub struct Probability {
    probability: f64,
    /// `None` drops everything.
    threshold: Option<Threshold>,
    /// The trace state of kept spans that have inherited none.
    root_state: TraceState,
    presumed_random: WarnOnce,
}

impl Probability {
    /// Keeps the fraction `probability`, 0 or 2^-56 to 1, expressed with 4 hexadecimal digits.
    ///
    /// # Errors
    ///
    /// [`SamplerError::Probability`] for any other value.
    pub fn new(probability: f64) -> Result<Self, SamplerError> {
        Self::with_precision(probability, Threshold::DEFAULT_PRECISION)
    }

    /// Like [`new`](Self::new), with `precision` hexadecimal digits, 1 to 14.
    ///
    /// More digits come closer to the probability and make the trace state longer. Services with
    /// different precisions still decide consistently, since each decides by the rounded threshold.
    ///
    /// ```
    /// use otlp_sdk::trace::sampler::{Probability, Sampler};
    ///
    /// let sampler = Sampler::from(Probability::with_precision(0.1, 6)?);
    /// # Ok::<(), otlp_sdk::trace::sampler::SamplerError>(())
    /// ```
    ///
    /// # Errors
    ///
    /// [`SamplerError::Probability`] as above, [`SamplerError::Precision`] outside of 1 to 14.
    pub fn with_precision(probability: f64, precision: u8) -> Result<Self, SamplerError> {
        // For zero there is no threshold, but the precision must be valid all the same.
        let checked = if probability == 0.0 { 1.0 } else { probability };
        let threshold = Threshold::from_probability(checked, precision)?;
        let threshold = (probability != 0.0).then_some(threshold);
        Ok(Self {
            probability,
            threshold,
            root_state: consistent::with_threshold(&TraceState::NONE, threshold)
                .unwrap_or_default(),
            presumed_random: WarnOnce::default(),
        })
    }

    /// The threshold by which it decides; `None` if it drops everything.
    #[must_use]
    pub const fn threshold(&self) -> Option<Threshold> {
        self.threshold
    }

    #[inline]
    pub(super) fn sample(&self, input: &SamplingInput<'_>) -> SamplingOutput {
        let kept = self.threshold.filter(|threshold| threshold.keeps(self.randomness(input)));
        let trace_state = match (input.parent, kept) {
            (None, None) => return Decision::Drop.into(),
            (None, Some(_)) => Some(self.root_state.clone()),
            (Some(parent), kept) => inherited(parent.trace_state(), kept),
        };
        SamplingOutput { trace_state, ..Decision::keep(kept.is_some()).into() }
    }

    #[inline]
    fn randomness(&self, input: &SamplingInput<'_>) -> Randomness {
        if let Some(parent) = input.parent {
            if let Some(explicit) = consistent::randomness(parent.trace_state()) {
                return explicit;
            }
            if parent.trace_flags().to_u8() & RANDOM_FLAG == 0 {
                self.presumed_random.warn(PRESUMED_RANDOM);
            }
        }
        Randomness::from_trace_id(input.trace_id)
    }

    pub(super) fn description(&self) -> String {
        format!("ProbabilitySampler{{{:.6}}}", self.probability)
    }
}

impl From<Probability> for Sampler {
    fn from(sampler: Probability) -> Self {
        Self::Probability(Arc::new(sampler))
    }
}

/// The parent's trace state with the threshold of what is kept. A threshold that happens to be there
/// already is returned too: "keep the parent's" would let a parent-based sampler take it for the
/// parent's word.
#[inline]
fn inherited(state: &TraceState, kept: Option<Threshold>) -> Option<TraceState> {
    consistent::with_threshold(state, kept).or_else(|| kept.map(|_| state.clone()))
}

/// W3C Trace Context Level 2, "Random Trace ID Flag".
const RANDOM_FLAG: u8 = 0x02;

const PRESUMED_RANDOM: &str = "the probability sampler presumes that trace ids are random, because \
    a parent has neither the random trace flag nor an `rv` in its trace state; \
    if they are not, the kept fraction is not the configured one";
