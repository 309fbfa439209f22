//! Trace and span ids: random by default, from a generator of yours if you bring one.
//!
//! This runs once or twice for every span, on the application's thread: it must not allocate, take
//! a lock, panic or return the all-zero id.

use std::cell::RefCell;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{SystemTime, UNIX_EPOCH};

use opentelemetry::trace::{SpanId, TraceId};
use opentelemetry_sdk::trace::IdGenerator;
use rand::rngs::SmallRng;
use rand::{RngCore, SeedableRng};

use crate::foreign::{caught, in_foreign_code};

#[cfg(test)]
mod tests;

/// Random ids from a generator per thread that is seeded by the operating system.
///
/// Trace ids have 128 random bits, so they qualify for the random flag of W3C Trace Context Level 2
/// and for consistent sampling. Ids are never zero. They are unique, not secret: do not use them as
/// tokens.
///
/// A thread takes a new seed from the operating system every 65,536 ids on average. A child made by
/// `fork` starts with a copy of its parent's generator on the one thread that survives; [`reseed`]
/// in the child separates the two at once.
///
/// Cost: a few instructions for an id, no allocation; one system call for each seed.
///
/// It also serves as the id generator of the official SDK.
///
/// [`reseed`]: Self::reseed
#[derive(Clone, Copy, Debug, Default)]
#[non_exhaustive]
pub struct RandomIdGenerator;

impl RandomIdGenerator {
    /// The random id generator.
    #[must_use]
    pub const fn new() -> Self {
        Self
    }

    /// Makes this thread's next id start from a new seed. For a child after `fork`.
    pub fn reseed() {
        // Fails only inside a draw on this very thread, which cannot call back here.
        let _ = SEEDED.try_with(|cell| cell.try_borrow_mut().map(|mut slot| *slot = None));
    }

    /// A trace id of 128 random bits, never zero.
    #[inline]
    #[must_use]
    pub fn new_trace_id(self) -> TraceId {
        let (high, low) = draw(|rng| (rng.next_u64(), rng.next_u64()));
        TraceId::from(u128::from(high) << 64 | u128::from(checked(low)))
    }

    /// Both ids of a root span, from one draw.
    #[inline]
    pub(crate) fn new_root(self) -> (TraceId, SpanId) {
        let (high, low, span) = draw(|rng| (rng.next_u64(), rng.next_u64(), rng.next_u64()));
        let trace_id = u128::from(high) << 64 | u128::from(checked(low));
        (TraceId::from(trace_id), SpanId::from(checked(span)))
    }

    /// A span id of 64 random bits, never zero.
    #[inline]
    #[must_use]
    pub fn new_span_id(self) -> SpanId {
        SpanId::from(checked(draw(RngCore::next_u64)))
    }
}

impl IdGenerator for RandomIdGenerator {
    fn new_trace_id(&self) -> TraceId {
        (*self).new_trace_id()
    }

    fn new_span_id(&self) -> SpanId {
        (*self).new_span_id()
    }
}

/// Where a tracer provider takes its ids from.
#[derive(Clone, Debug, Default)]
#[non_exhaustive]
pub enum IdSource {
    /// [`RandomIdGenerator`].
    #[default]
    Random,
    /// A generator brought by the user.
    Custom {
        /// The generator. A zero id from it, or a panic in it, is replaced by a random id.
        generator: Arc<dyn IdGenerator>,
        /// Whether the low 56 bits of its trace ids are uniformly random.
        random: bool,
    },
}

impl IdSource {
    /// Ids from `generator`.
    ///
    /// `random` declares that the low 56 bits of its trace ids are uniformly random. Only then do
    /// root spans carry the random flag (W3C Trace Context Level 2, "Random Trace ID Flag"), on
    /// which consistent samplers downstream rely. When in doubt say `false`.
    ///
    /// ```
    /// use opentelemetry_sdk::trace::RandomIdGenerator;
    /// use otlp_sdk::trace::id_generator::IdSource;
    ///
    /// let ids = IdSource::custom(RandomIdGenerator::default(), true);
    /// assert!(ids.ids_are_random());
    /// ```
    #[must_use]
    pub fn custom(generator: impl IdGenerator + 'static, random: bool) -> Self {
        Self::Custom { generator: Arc::new(generator), random }
    }

    /// The trace id of a new root span; never zero.
    #[inline]
    #[must_use]
    pub fn new_trace_id(&self) -> TraceId {
        self.trace_id_or(|| {})
    }

    /// The id of a new span; never zero.
    #[inline]
    #[must_use]
    pub fn new_span_id(&self) -> SpanId {
        self.span_id_or(|| {})
    }

    /// The trace id of a new root span; `on_panic` is called if a custom generator panics.
    pub(crate) fn trace_id_or(&self, on_panic: impl FnOnce()) -> TraceId {
        match self {
            Self::Random => RandomIdGenerator.new_trace_id(),
            Self::Custom { generator, .. } => guarded(|| generator.new_trace_id(), on_panic)
                .filter(|id| *id != TraceId::INVALID)
                .unwrap_or_else(|| RandomIdGenerator.new_trace_id()),
        }
    }

    /// The id of a new span; `on_panic` is called if a custom generator panics.
    #[inline]
    pub(crate) fn span_id_or(&self, on_panic: impl FnOnce()) -> SpanId {
        match self {
            Self::Random => RandomIdGenerator.new_span_id(),
            Self::Custom { generator, .. } => guarded(|| generator.new_span_id(), on_panic)
                .filter(|id| *id != SpanId::INVALID)
                .unwrap_or_else(|| RandomIdGenerator.new_span_id()),
        }
    }

    /// Whether the trace ids qualify for the random flag (specification: trace SDK, "Random trace
    /// flag").
    #[inline]
    #[must_use]
    pub const fn ids_are_random(&self) -> bool {
        match self {
            Self::Random => true,
            Self::Custom { random, .. } => *random,
        }
    }
}

impl From<RandomIdGenerator> for IdSource {
    fn from(_: RandomIdGenerator) -> Self {
        Self::Random
    }
}

/// Telemetry never harms the application: a panic in a foreign generator ends here. Nothing of ours
/// is touched while it runs, so there is no state to be left half changed.
fn guarded<T>(generate: impl FnOnce() -> T, on_panic: impl FnOnce()) -> Option<T> {
    in_foreign_code(|| caught(generate)).inspect_err(|_| on_panic()).ok()
}

thread_local! {
    // Nothing in here has a destructor, so it stays usable while the thread's other locals are
    // destroyed, which is when the last spans of a thread may still start.
    static SEEDED: RefCell<Option<SmallRng>> = const { RefCell::new(None) };
}

#[inline]
fn draw<T>(bits: impl Fn(&mut SmallRng) -> T) -> T {
    let drawn = SEEDED.try_with(|cell| {
        let mut slot = cell.try_borrow_mut().ok()?;
        Some(bits(slot.get_or_insert_with(seeded_rng)))
    });
    match drawn {
        Ok(Some(drawn)) => drawn,
        _ => bits(&mut seeded_rng()),
    }
}

/// The drawn bits, never all zero.
#[inline]
fn checked(bits: u64) -> u64 {
    if bits & SEED_USED_UP == 0 { last_of_seed(bits) } else { bits }
}

/// One id of 65,536 has these bits unset and is the last of its seed: one test for that and for
/// zero, and no counter. The bits are as random as before, since the next seed does not depend on
/// them.
///
/// It bounds what two copies of a process (`fork`, a restored machine snapshot) have in common; at
/// one system call for so many ids it costs nothing that could be measured.
const SEED_USED_UP: u64 = 0xffff;

#[cold]
fn last_of_seed(bits: u64) -> u64 {
    RandomIdGenerator::reseed();
    bits.max(1)
}

#[cold]
fn seeded_rng() -> SmallRng {
    SmallRng::try_from_os_rng().unwrap_or_else(|_| SmallRng::seed_from_u64(weak_seed()))
}

/// A seed for a system whose random source fails: different in each process, thread and call.
fn weak_seed() -> u64 {
    static CALLS: AtomicU64 = AtomicU64::new(0);
    let call = CALLS.fetch_add(1, Ordering::Relaxed);
    let nanos = SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, |d| d.as_nanos());
    let address = (&raw const call).addr() as u64;
    // Each source is spread over all bits by an odd factor before they are mixed.
    (nanos as u64)
        ^ call.wrapping_mul(0x9e37_79b9_7f4a_7c15)
        ^ u64::from(std::process::id()).wrapping_mul(0xd6e8_feb8_6659_fd93)
        ^ address.wrapping_mul(0xa076_1d64_78bd_642f)
}
