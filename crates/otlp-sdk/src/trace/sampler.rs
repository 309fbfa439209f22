//! Samplers: which spans are recorded and which are exported.
//!
//! [`Sampler`] is an enum, so that the decision for a span is a few instructions without an
//! allocation; `opentelemetry_sdk`'s [`ShouldSample`] is the seam for samplers of your own, and is
//! in turn implemented by `Sampler`.
//!
//! A sampler runs on the application's thread while a span starts, possibly while the thread's
//! current `Context` is borrowed. It must not attach a `Context` and must not log in place.

use std::borrow::Cow;
use std::sync::Arc;

use opentelemetry::trace::SpanContext;
use opentelemetry_sdk::trace::ShouldSample;

pub mod consistent;
mod env;
mod foreign;
mod parent_based;
mod probability;
mod ratio;
mod sampling;
#[cfg(test)]
mod tests;
mod warning;

pub use self::parent_based::{ParentBased, ParentBasedBuilder};
pub use self::probability::Probability;
pub use self::ratio::TraceIdRatioBased;
pub(crate) use self::sampling::{Decision, SamplingInput, SamplingOutput};

/// Decides for each new span whether it is recorded and whether it is exported.
///
/// The default is [`parent_based`](Self::parent_based) with [`AlwaysOn`](Self::AlwaysOn) at the
/// root, as the specification says.
///
/// ```
/// use otlp_sdk::trace::sampler::Sampler;
///
/// // One trace of ten, decided at its root and followed by everyone behind it.
/// let sampler = Sampler::parent_based(Sampler::trace_id_ratio(0.1)?);
/// # Ok::<(), otlp_sdk::trace::sampler::SamplerError>(())
/// ```
#[derive(Clone, Debug)]
#[non_exhaustive]
pub enum Sampler {
    /// Records and exports every span.
    AlwaysOn,
    /// Drops every span.
    AlwaysOff,
    /// Keeps a fraction of all traces, decided by the trace id; see [`Self::trace_id_ratio`].
    TraceIdRatioBased(TraceIdRatioBased),
    /// Follows the parent's decision; see [`Self::parent_based`].
    ParentBased(Arc<ParentBased>),
    /// Records what the other sampler drops; see [`Self::always_record`].
    AlwaysRecord(Arc<Sampler>),
    /// Keeps a fraction of all traces and says so in the trace state; see [`Self::probability`].
    Probability(Arc<Probability>),
    /// A sampler brought by the user; see [`Self::custom`].
    Custom(Arc<dyn ShouldSample>),
}

impl Sampler {
    /// Keeps the fraction `ratio` (0 to 1) of all traces, decided by the trace id alone.
    ///
    /// The decision is that of the official Rust SDK, so a mixed fleet agrees. It is meant for root
    /// spans: put it into [`parent_based`](Self::parent_based). On a child span it works, but
    /// warns once, since other languages may decide differently for the same trace id. For new
    /// set-ups prefer [`probability`](Self::probability), which every language decides alike.
    ///
    /// # Errors
    ///
    /// [`SamplerError::Ratio`] if `ratio` is below 0, above 1 or NaN.
    pub fn trace_id_ratio(ratio: f64) -> Result<Self, SamplerError> {
        TraceIdRatioBased::new(ratio).map(Self::TraceIdRatioBased)
    }

    /// Keeps children whose parent was sampled, drops children whose parent was not, and asks
    /// `root` about spans without a parent.
    ///
    /// [`ParentBased::builder`] sets a sampler for each of the four kinds of parent.
    #[must_use]
    pub fn parent_based(root: impl Into<Self>) -> Self {
        ParentBased::builder(root).build()
    }

    /// Records, but does not export, what `sampler` drops; everything else is as `sampler` says.
    ///
    /// For span processors that must see every span, such as one that counts or times them. The
    /// sampled flag stays unset, so services behind this one do not start to export.
    #[must_use]
    pub fn always_record(sampler: impl Into<Self>) -> Self {
        Self::AlwaysRecord(Arc::new(sampler.into()))
    }

    /// Keeps the fraction `probability` of all traces, consistently with every other sampler that
    /// follows OpenTelemetry's probability sampling, and writes `ot=th:…` into the trace state of
    /// what it keeps, from which a backend restores the counts.
    ///
    /// The probability is 0 (drops everything) or 2^-56 to 1, and is expressed with 4 hexadecimal
    /// digits; [`Probability::with_precision`] takes another number.
    ///
    /// Cost: a kept span allocates its trace state (`TraceState` of the API owns its strings); a
    /// dropped one allocates nothing.
    ///
    /// # Errors
    ///
    /// [`SamplerError::Probability`] for any other value.
    #[doc(alias = "consistent")]
    pub fn probability(probability: f64) -> Result<Self, SamplerError> {
        Probability::new(probability).map(Self::from)
    }

    /// A sampler of yours, or one made for the official SDK.
    ///
    /// It gets the parent `Context`, the trace id, the name, the kind, the initial attributes and
    /// the links. The trace state in its result replaces the parent's; an empty one clears it.
    ///
    /// Cost: what `sampler` spends; the official samplers clone the parent's trace state.
    #[must_use]
    pub fn custom(sampler: impl ShouldSample + 'static) -> Self {
        Self::Custom(Arc::new(sampler))
    }

    /// The decision where the kind of parent alone makes it, which is so for nearly every span of the
    /// default sampler: no need to put the question then.
    #[inline]
    pub(crate) fn at_a_glance(&self, parent: Option<&SpanContext>) -> Option<Decision> {
        match self {
            Self::ParentBased(sampler) => sampler.at_a_glance(parent),
            other => other.constant(),
        }
    }

    /// The decision that is the same for every span.
    #[inline]
    fn constant(&self) -> Option<Decision> {
        match self {
            Self::AlwaysOn => Some(Decision::RecordAndSample),
            Self::AlwaysOff => Some(Decision::Drop),
            _ => None,
        }
    }

    /// The decision for one span. (P1 to P3)
    pub(crate) fn sample(&self, input: &SamplingInput<'_>) -> SamplingOutput {
        match self {
            Self::AlwaysOn => Decision::RecordAndSample.into(),
            Self::AlwaysOff => Decision::Drop.into(),
            Self::TraceIdRatioBased(sampler) => sampler.sample(input),
            Self::ParentBased(sampler) => sampler.sample(input),
            Self::AlwaysRecord(sampler) => recorded(sampler.sample(input)),
            Self::Probability(sampler) => sampler.sample(input),
            Self::Custom(sampler) => foreign::sample(&**sampler, input),
        }
    }

    /// Whether it asks a custom sampler, anywhere in it.
    pub(crate) fn is_foreign(&self) -> bool {
        match self {
            Self::Custom(_) => true,
            Self::ParentBased(sampler) => sampler.delegates().any(Self::is_foreign),
            Self::AlwaysRecord(sampler) => sampler.is_foreign(),
            _ => false,
        }
    }

    /// The sampler's name and settings, for logs and debug pages, such as
    /// `TraceIdRatioBased{0.000100}`.
    ///
    /// A custom sampler is described by its `Debug` text, cut to 256 bytes.
    #[must_use]
    pub fn description(&self) -> Cow<'static, str> {
        match self {
            Self::AlwaysOn => "AlwaysOnSampler".into(),
            Self::AlwaysOff => "AlwaysOffSampler".into(),
            Self::TraceIdRatioBased(sampler) => sampler.description().into(),
            Self::ParentBased(sampler) => sampler.description().into(),
            Self::AlwaysRecord(sampler) => {
                format!("AlwaysRecord{{{}}}", sampler.description()).into()
            }
            Self::Probability(sampler) => sampler.description().into(),
            Self::Custom(sampler) => foreign::description(&**sampler).into(),
        }
    }
}

impl Default for Sampler {
    fn default() -> Self {
        Self::parent_based(Self::AlwaysOn)
    }
}

/// Why a sampler could not be made.
#[derive(Clone, Copy, Debug, PartialEq, thiserror::Error)]
#[non_exhaustive]
pub enum SamplerError {
    /// Not a ratio.
    #[error("sampling ratio {0} is out of range: accepted are 0 to 1")]
    Ratio(f64),
    /// Not a probability that a threshold can express.
    #[error(
        "sampling probability {0} is out of range: accepted are 0 and 2^-56 (about 1.4e-17) to 1"
    )]
    Probability(f64),
    /// Not a number of digits that a threshold can have.
    #[error("threshold precision {0} is out of range: accepted are 1 to 14 hexadecimal digits")]
    Precision(u8),
}

/// DROP becomes RECORD_ONLY, the rest stays. (P8)
fn recorded(output: SamplingOutput) -> SamplingOutput {
    match output.decision {
        Decision::Drop => SamplingOutput { decision: Decision::RecordOnly, ..output },
        Decision::RecordOnly | Decision::RecordAndSample => output,
    }
}
