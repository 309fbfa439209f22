//! The trace id ratio sampler: deterministic by trace id, blind to the parent. (P6)

use std::sync::Arc;

use opentelemetry::trace::TraceId;

use super::warning::WarnOnce;
use super::{Decision, Sampler, SamplerError, SamplingInput, SamplingOutput};

/// Keeps a fraction of all traces, decided by the trace id alone.
///
/// A trace kept at one ratio is kept at every higher ratio. See [`Sampler::trace_id_ratio`].
#[derive(Clone, Debug)]
#[doc(alias = "TraceIdRatioBasedSampler")]
pub struct TraceIdRatioBased {
    ratio: f64,
    upper_bound: u64,
    used_on_child: Arc<WarnOnce>,
}

impl TraceIdRatioBased {
    /// Keeps the fraction `ratio` of all traces.
    ///
    /// # Errors
    ///
    /// [`SamplerError::Ratio`] if `ratio` is below 0, above 1 or NaN.
    pub fn new(ratio: f64) -> Result<Self, SamplerError> {
        if (0.0..=1.0).contains(&ratio) {
            Ok(Self::in_range(ratio))
        } else {
            Err(SamplerError::Ratio(ratio))
        }
    }

    /// The official SDK takes any number: from 1 on it keeps everything, below 0 (and for NaN)
    /// nothing.
    pub(super) fn clamped(ratio: f64) -> Self {
        Self::in_range(if ratio > 0.0 { ratio.min(1.0) } else { 0.0 })
    }

    /// The fraction of traces that is kept, 0 to 1.
    #[must_use]
    pub const fn ratio(&self) -> f64 {
        self.ratio
    }

    fn in_range(ratio: f64) -> Self {
        // Exact: a scaling by a power of two, at most 2^63. For 1 every trace is below the bound.
        let upper_bound = (ratio * (1_u64 << 63) as f64) as u64;
        Self { ratio, upper_bound, used_on_child: Arc::default() }
    }

    #[inline]
    pub(super) fn sample(&self, input: &SamplingInput<'_>) -> SamplingOutput {
        if input.parent.is_some() {
            self.used_on_child.warn(USED_ON_CHILD);
        }
        Decision::keep(self.keeps(input.trace_id)).into()
    }

    /// The comparison of the official Rust SDK: the upper 63 of the low 64 bits.
    #[inline]
    fn keeps(&self, trace_id: TraceId) -> bool {
        let low = u128::from_be_bytes(trace_id.to_bytes()) as u64;
        low >> 1 < self.upper_bound
    }

    pub(super) fn description(&self) -> String {
        format!("TraceIdRatioBased{{{:.6}}}", self.ratio)
    }
}

impl From<TraceIdRatioBased> for Sampler {
    fn from(sampler: TraceIdRatioBased) -> Self {
        Self::TraceIdRatioBased(sampler)
    }
}

const USED_ON_CHILD: &str = "the TraceIdRatioBased sampler decides about a span that has a parent; \
    traces may come out incomplete where services differ in language or ratio. \
    Use it as the root of a parent-based sampler, or use the probability sampler";

#[cfg(test)]
mod tests {
    use rand::rngs::SmallRng;
    use rand::{RngCore, SeedableRng};

    use super::*;

    fn trace_ids(seed: u64, count: usize) -> impl Iterator<Item = TraceId> {
        let mut rng = SmallRng::seed_from_u64(seed);
        (0..count).map(move |_| {
            TraceId::from(u128::from(rng.next_u64()) << 64 | u128::from(rng.next_u64()))
        })
    }

    // P6
    #[test]
    fn the_kept_fraction_is_the_ratio() {
        const TRACES: usize = 100_000;
        for ratio in [0.01, 0.1, 0.25, 0.5, 0.9] {
            let sampler = TraceIdRatioBased::new(ratio).unwrap();
            let kept = trace_ids(1, TRACES).filter(|id| sampler.keeps(*id)).count() as f64;
            let mean = TRACES as f64 * ratio;
            let five_deviations = 5.0 * (mean * (1.0 - ratio)).sqrt();
            assert!((kept - mean).abs() < five_deviations, "{kept} kept at {ratio}");
        }
    }

    // P6
    #[test]
    fn a_higher_ratio_keeps_all_that_a_lower_one_keeps() {
        let ratios = [0.0, 1e-9, 0.001, 0.01, 0.1, 0.3, 0.5, 0.999, 1.0];
        let samplers = ratios.map(|ratio| TraceIdRatioBased::new(ratio).unwrap());
        for id in trace_ids(2, 10_000) {
            let kept = samplers.each_ref().map(|sampler| sampler.keeps(id));
            assert!(kept.is_sorted(), "{id}: {kept:?}");
        }
    }

    #[test]
    fn nothing_is_kept_at_zero_and_everything_at_one() {
        let (none, all) = (TraceIdRatioBased::new(0.0), TraceIdRatioBased::new(1.0));
        let (none, all) = (none.unwrap(), all.unwrap());
        let extremes = [TraceId::from(1), TraceId::from(u128::MAX), TraceId::from(1 << 64)];
        for id in trace_ids(3, 1_000).chain(extremes) {
            assert!(!none.keeps(id));
            assert!(all.keeps(id));
        }
    }

    #[test]
    fn what_is_not_a_ratio_is_an_error_that_names_it() {
        for (ratio, shown) in
            [(-0.1, "-0.1"), (1.1, "1.1"), (f64::NAN, "NaN"), (f64::INFINITY, "inf")]
        {
            let text = TraceIdRatioBased::new(ratio).unwrap_err().to_string();
            assert!(text.contains(shown) && text.contains("0 to 1"), "{text}");
        }
    }
}
