//! How often what was decided, and by what.

use std::sync::atomic::{AtomicU64, Ordering};

/// What a decision goes by.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Policy {
    MissingRandomness,
    TraceIdHash,
    TraceIdW3c,
    SamplingRandomness,
    SamplingPriority,
    Attribute,
}

/// Decisions, counted by what they went by.
#[derive(Debug, Default)]
pub(crate) struct SamplerCounts([[AtomicU64; 2]; POLICIES.len()]);

impl SamplerCounts {
    pub(super) fn note(&self, policy: Policy, is_sampled: bool) {
        let counts =
            POLICIES.iter().position(|(it, _)| *it == policy).and_then(|at| self.0.get(at));
        if let Some(count) = counts.and_then(|counts| counts.get(usize::from(is_sampled))) {
            count.fetch_add(1, Ordering::Relaxed);
        }
    }

    /// What there was: the name of the policy, `None` for an attribute; whether items were sampled; how many.
    pub(crate) fn iter(&self) -> impl Iterator<Item = (Option<&'static str>, bool, u64)> {
        let of_policy =
            |((_, name), counts): (&(Policy, Option<&'static str>), &[AtomicU64; 2])| {
                let [dropped, sampled] = counts;
                [
                    (*name, false, dropped.load(Ordering::Relaxed)),
                    (*name, true, sampled.load(Ordering::Relaxed)),
                ]
            };
        POLICIES.iter().zip(&self.0).flat_map(of_policy).filter(|(.., count)| *count > 0)
    }
}

const POLICIES: [(Policy, Option<&str>); 6] = [
    (Policy::MissingRandomness, Some("missing_randomness")),
    (Policy::TraceIdHash, Some("trace_id_hash")),
    (Policy::TraceIdW3c, Some("trace_id_w3c")),
    (Policy::SamplingRandomness, Some("sampling_randomness")),
    (Policy::SamplingPriority, Some("sampling_priority")),
    (Policy::Attribute, None),
];
