//! The provider: what all tracers share, and the pipelines behind them.

mod builder;

use std::collections::HashMap;
use std::fmt;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering, fence};
use std::sync::{Arc, Weak};
use std::time::{Duration, Instant};

use futures_util::future::join_all;
use opentelemetry::InstrumentationScope;
use opentelemetry::trace::{SpanContext, SpanId, TraceId};
use otlp_core::SpanLimits;
use otlp_core::wire::envelope::ScopeHeader;
use parking_lot::Mutex;

pub use self::builder::TracerProviderBuilder;
use super::id_generator::RandomIdGenerator;
use super::local::{self, COUNTERS, Counted, Counters};
use super::sampler::{Decision, Sampler, SamplingInput, SamplingOutput};
use super::seams;
use super::tracer::Tracer;
use crate::pipeline::{Ledger, Pipeline, PipelineError};
use crate::resource::Resource;
use crate::value::with_wire;

/// Makes tracers and delivers their spans.
///
/// Clones share everything. When the last clone and the last tracer are gone, what is held is
/// delivered within
/// [`BatchConfig::shutdown_timeout`](crate::trace::BatchConfig::shutdown_timeout); call
/// [`shutdown`](Self::shutdown) to know how that went.
///
/// ```
/// use opentelemetry::trace::{Span, Tracer, TracerProvider as _};
/// use otlp_sdk::testing::InMemoryExporter;
/// use otlp_sdk::trace::TracerProvider;
///
/// let exporter = InMemoryExporter::default();
/// let provider = TracerProvider::builder().with_batch_exporter(exporter.clone()).build();
///
/// let mut span = provider.tracer("example").start("work");
/// span.end();
/// provider.force_flush()?;
///
/// assert_eq!(exporter.spans()?.len(), 1);
/// assert_eq!(provider.ledger().delivered, 1);
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Clone, Debug)]
pub struct TracerProvider {
    handle: Arc<Handle>,
}

/// Shuts the pipelines down when the last user of the provider is gone.
#[derive(Debug)]
pub(crate) struct Handle {
    provider: Arc<Provider>,
}

/// What spans reach through their scope. Holds no handle: a recorder in a thread's stock must not
/// keep the pipelines running.
pub(crate) struct Provider {
    pub(crate) id: u64,
    /// `None` where the sampler runs code that is not ours.
    sampler: Option<Sampler>,
    /// Whether the ids are our own generator's.
    ids_are_ours: bool,
    pub(crate) ids_are_random: bool,
    pub(crate) limits: SpanLimits,
    pub(crate) resource: Resource,
    pub(crate) pipelines: Vec<Pipeline>,
    pub(crate) has_processors: bool,
    /// Whether anybody wants spans.
    has_stages: bool,
    pub(super) seams: seams::Slot,
    pub(crate) counters_of_no_thread: Arc<Counters>,
    counters: Mutex<AllCounters>,
    scopes: Mutex<HashMap<InstrumentationScope, Weak<Scope>>>,
    shut_down: AtomicBool,
    panics: AtomicU64,
}

/// A tracer's scope, with its header encoded.
#[derive(Debug)]
pub(crate) struct Scope {
    pub(crate) provider: Arc<Provider>,
    pub(crate) scope: InstrumentationScope,
    pub(crate) header: Arc<ScopeHeader>,
}

#[derive(Debug, Default)]
struct AllCounters {
    threads: Vec<Arc<Counters>>,
    retired: [u64; COUNTERS],
}

impl TracerProvider {
    /// A provider with the defaults of the specification: parent-based always on, random ids,
    /// limits of 128, and no processor until one is added.
    #[must_use]
    pub fn builder() -> TracerProviderBuilder {
        TracerProviderBuilder::default()
    }

    /// Delivers every span that ended before the call, and waits for it, 30 s at most.
    ///
    /// Works from anywhere: with or without a runtime, on its only worker, in `Drop`, in a panic
    /// hook.
    ///
    /// # Errors
    ///
    /// Says what was not delivered and why: what is still held when the time is over, or what was
    /// dropped or rejected, for whatever reason, since a flush told of it the last time.
    pub fn force_flush(&self) -> Result<(), PipelineError> {
        self.force_flush_with_timeout(FLUSH_TIMEOUT)
    }

    /// [`force_flush`](Self::force_flush) with a time limit of your own.
    ///
    /// # Errors
    ///
    /// As for `force_flush`.
    pub fn force_flush_with_timeout(&self, timeout: Duration) -> Result<(), PipelineError> {
        self.handle.provider.force_flush(timeout)
    }

    /// [`force_flush_with_timeout`](Self::force_flush_with_timeout) without blocking the thread,
    /// except for the time that processors of yours take.
    ///
    /// # Errors
    ///
    /// As for `force_flush`.
    pub async fn force_flush_async(&self, timeout: Duration) -> Result<(), PipelineError> {
        let provider = &self.handle.provider;
        let begun = Instant::now();
        let first = provider.ask_processors(timeout, begun, |it, left| it.force_flush(left));
        let left = timeout.saturating_sub(begun.elapsed());
        let asked = provider.pipelines.iter().map(|pipeline| pipeline.force_flush_async(left));
        first.and(join_all(asked).await.into_iter().collect())
    }

    /// Delivers what is held and ends the pipelines, within 5 s. Spans that end later are counted as
    /// `after_shutdown`.
    ///
    /// # Errors
    ///
    /// Says what was not delivered and why. A call while another one is at work waits for it; a later
    /// one gets `AlreadyShutdown`. On the thread of an exporter nothing is begun: it cannot wait for
    /// itself.
    pub fn shutdown(&self) -> Result<(), PipelineError> {
        self.shutdown_with_timeout(SHUTDOWN_TIMEOUT)
    }

    /// [`shutdown`](Self::shutdown) with a time limit of your own.
    ///
    /// # Errors
    ///
    /// As for `shutdown`.
    pub fn shutdown_with_timeout(&self, timeout: Duration) -> Result<(), PipelineError> {
        self.handle.provider.shutdown(|_| timeout)
    }

    /// [`shutdown_with_timeout`](Self::shutdown_with_timeout) without blocking the thread, except
    /// for the time that processors of yours take.
    ///
    /// # Errors
    ///
    /// As for `shutdown`.
    pub async fn shutdown_async(&self, timeout: Duration) -> Result<(), PipelineError> {
        let provider = &self.handle.provider;
        let begun = Instant::now();
        let first = provider.begin_shutdown(timeout, begun)?;
        let left = timeout.saturating_sub(begun.elapsed());
        let asked = provider.pipelines.iter().map(|pipeline| pipeline.shutdown_async(left));
        provider.end_shutdown(first, join_all(asked).await)
    }

    /// What became of every span, at this moment, summed over the pipelines.
    ///
    /// Each pipeline owes every sampled span to its own exporter, so with two of them a span counts
    /// twice; [`ledgers`](Self::ledgers) tells them apart. Locks each thread's buffer for a moment; never blocks an instrumented thread.
    #[must_use]
    pub fn ledger(&self) -> Ledger {
        self.handle.provider.ledger()
    }

    /// What became of every span that was owed to each exporter, in the order in which they were
    /// added. What happened before a span reached an exporter (created, sampled out) is in
    /// [`ledger`](Self::ledger).
    #[must_use]
    pub fn ledgers(&self) -> Vec<Ledger> {
        self.handle.provider.pipelines.iter().map(Pipeline::ledger).collect()
    }

    /// The resource of all spans.
    #[must_use]
    pub fn resource(&self) -> &Resource {
        &self.handle.provider.resource
    }
}

impl opentelemetry::trace::TracerProvider for TracerProvider {
    type Tracer = Tracer;

    /// A tracer; an invalid (empty) name gives a working one (row T1). Asking again for the same
    /// scope is cheap.
    fn tracer_with_scope(&self, scope: InstrumentationScope) -> Tracer {
        let scope = Provider::scope(&self.handle.provider, scope);
        Tracer::new(Arc::clone(&self.handle), scope)
    }
}

impl Drop for Handle {
    fn drop(&mut self) {
        let result = self.provider.shutdown(Pipeline::shutdown_timeout);
        match result {
            Ok(()) | Err(PipelineError::AlreadyShutdown) => {}
            Err(PipelineError::NoWorker(_)) => {
                // On a worker's thread, which cannot wait for itself.
                if !self.provider.shut_down.swap(true, Ordering::AcqRel) {
                    let _ = self.provider.shut_processors_down(SHUTDOWN_TIMEOUT, Instant::now());
                }
                self.provider.pipelines.iter().for_each(Pipeline::start_shutdown);
            }
            Err(error) => {
                let ledger = self.provider.ledger();
                tracing::warn!(target: "otlp_sdk", %error, %ledger, "shutdown at the end of the tracer provider");
            }
        }
        self.provider.let_go();
    }
}

impl Provider {
    /// Whether spans are recorded at all.
    #[inline]
    pub(crate) fn is_active(&self) -> bool {
        self.has_stages && !self.is_shut_down()
    }

    #[inline]
    pub(crate) fn is_shut_down(&self) -> bool {
        self.shut_down.load(Ordering::Relaxed)
    }

    /// The decision where the kind of parent alone makes it.
    #[inline]
    pub(crate) fn at_a_glance(&self, parent: Option<&SpanContext>) -> Option<Decision> {
        self.sampler.as_ref()?.at_a_glance(parent)
    }

    pub(crate) fn sample(&self, input: &SamplingInput<'_>) -> SamplingOutput {
        match &self.sampler {
            Some(sampler) => sampler.sample(input),
            None => self.ask_sampler(input),
        }
    }

    /// The ids of a span that starts. A generator of the user's is asked for the span id later, as the
    /// specification orders it (row T7).
    #[inline]
    pub(crate) fn first_ids(&self, parent: Option<&SpanContext>) -> (TraceId, Option<SpanId>) {
        match parent {
            Some(parent) => (parent.trace_id(), None),
            None if self.ids_are_ours => {
                let (trace_id, span_id) = RandomIdGenerator.new_root();
                (trace_id, Some(span_id))
            }
            None => (self.ask_for_trace_id(), None),
        }
    }

    #[inline]
    pub(crate) fn new_span_id(&self) -> SpanId {
        if self.ids_are_ours { RandomIdGenerator.new_span_id() } else { self.ask_for_span_id() }
    }

    /// A new thread's counters, remembered for the ledger.
    pub(crate) fn register_counters(&self) -> Arc<Counters> {
        let counters = Arc::<Counters>::default();
        let mut all = self.counters.lock();
        all.retire_ended();
        all.threads.push(Arc::clone(&counters));
        counters
    }

    /// A span has ended without part of what was set on it. The pipelines tell people.
    #[cold]
    pub(crate) fn count_limited(&self, sampled: bool) {
        local::count(self, Counted::Limited);
        if sampled {
            self.pipelines.iter().for_each(Pipeline::count_limited);
        }
    }

    #[cold]
    pub(crate) fn count_panic(&self) {
        self.panics.fetch_add(1, Ordering::Relaxed);
    }

    fn scope(self: &Arc<Self>, scope: InstrumentationScope) -> Arc<Scope> {
        let mut scopes = self.scopes.lock();
        if let Some(known) = scopes.get(&scope).and_then(Weak::upgrade) {
            return known;
        }
        if scopes.len() >= SCOPES_MAX {
            scopes.retain(|_, scope| scope.strong_count() > 0);
        }
        let made = Arc::new(Scope {
            provider: Arc::clone(self),
            header: Arc::new(encode_scope(&scope)),
            scope: scope.clone(),
        });
        // Beyond the bounds scopes work as well, they are only not shared.
        if scopes.len() < SCOPES_MAX && made.header.encoded_len() <= SCOPE_BYTES_MAX {
            scopes.insert(scope, Arc::downgrade(&made));
        }
        made
    }

    fn force_flush(&self, timeout: Duration) -> Result<(), PipelineError> {
        let begun = Instant::now();
        let first = self.ask_processors(timeout, begun, |it, left| it.force_flush(left));
        let left = |_: &Pipeline| timeout.saturating_sub(begun.elapsed());
        first.and(self.ask_pipelines(false, left).into_iter().collect())
    }

    fn shutdown(&self, timeout: impl Fn(&Pipeline) -> Duration) -> Result<(), PipelineError> {
        let begun = Instant::now();
        let longest = self.pipelines.iter().map(&timeout).max().unwrap_or(SHUTDOWN_TIMEOUT);
        let first = self.begin_shutdown(longest, begun)?;
        let left = |pipeline: &Pipeline| timeout(pipeline).saturating_sub(begun.elapsed());
        self.end_shutdown(first, self.ask_pipelines(true, left))
    }

    /// No span is recorded from here on, and the processors are shut down, once. The answer is theirs;
    /// `None` from the second call on.
    fn begin_shutdown(
        &self,
        timeout: Duration,
        begun: Instant,
    ) -> Result<Option<Result<(), PipelineError>>, PipelineError> {
        if self.pipelines.iter().any(Pipeline::is_workers_thread) {
            return Err(PipelineError::WORKERS_THREAD);
        }
        if self.shut_down.swap(true, Ordering::AcqRel) {
            return Ok(None);
        }
        Ok(Some(self.shut_processors_down(timeout, begun)))
    }

    fn shut_processors_down(&self, timeout: Duration, begun: Instant) -> Result<(), PipelineError> {
        self.ask_processors(timeout, begun, |it, left| it.shutdown(left))
    }

    /// What a shutdown answers: the first error. The second call has waited for the first, if that was
    /// still at work; otherwise every pipeline, if there is one, says that it was shut down before.
    fn end_shutdown(
        &self,
        first: Option<Result<(), PipelineError>>,
        answers: Vec<Result<(), PipelineError>>,
    ) -> Result<(), PipelineError> {
        match first {
            Some(first) => answers.into_iter().fold(first, Result::and),
            None if answers.is_empty() => Err(PipelineError::AlreadyShutdown),
            None => answers.into_iter().collect(),
        }
    }

    /// Asks every pipeline, then waits for every answer: a destination that is away must not use up
    /// the time of one that is there (row W8).
    fn ask_pipelines(
        &self,
        shutdown: bool,
        timeout: impl Fn(&Pipeline) -> Duration,
    ) -> Vec<Result<(), PipelineError>> {
        let ask = |pipeline| Pipeline::ask(pipeline, timeout(pipeline), shutdown);
        let asked: Vec<_> = self.pipelines.iter().map(ask).collect();
        // All answers first: the error of one must not hide that another is still at work.
        asked.into_iter().map(|asked| asked?.answer()).collect()
    }

    fn ledger(&self) -> Ledger {
        let mut sum = Ledger { panics: self.panics.load(Ordering::Relaxed), ..Ledger::default() };
        for pipeline in &self.pipelines {
            sum.add(&pipeline.ledger());
        }
        let mut all = self.counters.lock();
        all.retire_ended();
        let threads = all.threads.iter().chain([&self.counters_of_no_thread]);
        [sum.created, sum.sampled_out, sum.record_only, sum.limited, sum.started_after_shutdown] =
            threads.fold(all.retired, |sum, counters| add(sum, counters.read()));
        sum
    }
}

impl fmt::Debug for Provider {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Provider")
            .field("sampler", &self.sampler)
            .field("limits", &self.limits)
            .field("seams", &self.seams)
            .field("shut_down", &self.shut_down)
            .finish_non_exhaustive()
    }
}

impl AllCounters {
    fn retire_ended(&mut self) {
        let retired = &mut self.retired;
        self.threads.retain(|counters| {
            let ended = Arc::strong_count(counters) == 1;
            if ended {
                // Pairs with the release in the drop of the thread's clone: its last counts are seen.
                fence(Ordering::Acquire);
                *retired = add(*retired, counters.read());
            }
            !ended
        });
    }
}

fn add(mut sums: [u64; COUNTERS], counts: [u64; COUNTERS]) -> [u64; COUNTERS] {
    for (sum, count) in sums.iter_mut().zip(counts) {
        *sum += count;
    }
    sums
}

fn encode_scope(scope: &InstrumentationScope) -> ScopeHeader {
    let mut attributes = otlp_core::wire::AttributeList::new(3);
    for attribute in scope.attributes() {
        let set = |value: otlp_core::wire::Value<'_>| {
            attributes.set(attribute.key.as_str(), value, &otlp_core::AttributeLimits::EXEMPT);
        };
        with_wire(&attribute.value, set);
    }
    ScopeHeader::from_attributes(
        scope.name(),
        scope.version().unwrap_or_default(),
        &attributes,
        scope.schema_url().unwrap_or_default(),
    )
}

const FLUSH_TIMEOUT: Duration = Duration::from_secs(30);
const SHUTDOWN_TIMEOUT: Duration = Duration::from_secs(5);
/// Scopes that are remembered. A program has some dozens; this bounds one that makes up names.
const SCOPES_MAX: usize = 1024;
/// Largest of them.
const SCOPE_BYTES_MAX: usize = 4 * 1024;
