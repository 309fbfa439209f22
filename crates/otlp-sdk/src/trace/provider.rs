//! The provider: what all tracers share, and the pipelines behind them.

mod builder;

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use opentelemetry::InstrumentationScope;
use opentelemetry::metrics::Meter;
use opentelemetry::trace::{SpanContext, SpanId, TraceId};
use otlp_core::SpanLimits;
use otlp_core::wire::envelope::ScopeHeader;

pub use self::builder::TracerProviderBuilder;
use super::counts::{self, Counted};
use super::id_generator::RandomIdGenerator;
use super::processor::SpanProcessor;
use super::sampler::{Decision, Sampler, SamplingInput, SamplingOutput};
use super::seams;
use super::tracer::Tracer;
use crate::pipeline::{Ledger, PipelineError};
use crate::provider::{
    self, Core, FLUSH_TIMEOUT, Lifecycle, SHUTDOWN_TIMEOUT, ScopeEntry, Scopes, Underway,
};
use crate::resource::Resource;

/// Makes tracers and delivers their spans.
///
/// Clones share everything. When the last clone and the last tracer are gone, what is held is
/// delivered within
/// [`BatchConfig::shutdown_timeout`](crate::BatchConfig::shutdown_timeout); call
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

pub(crate) type Handle = provider::Handle<Provider>;

/// What spans reach through their scope. Holds no handle: a recorder in a thread's stock must not
/// keep the pipelines running.
pub(crate) struct Provider {
    pub(crate) core: Core,
    /// `None` where the sampler runs code that is not ours.
    sampler: Option<Sampler>,
    /// Whether the ids are our own generator's.
    ids_are_ours: bool,
    pub(crate) ids_are_random: bool,
    pub(crate) limits: SpanLimits,
    pub(super) seams: seams::Slot,
    scopes: Scopes<Scope>,
}

/// A tracer's scope, with its header encoded.
#[derive(Debug)]
pub(crate) struct Scope {
    pub(crate) provider: Arc<Provider>,
    pub(crate) scope: InstrumentationScope,
    pub(crate) header: Arc<ScopeHeader>,
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
        self.handle.provider.force_flush_async(timeout).await
    }

    pub(crate) fn start_flush(&self, timeout: Duration) -> Underway<'_> {
        self.handle.provider.start_flush(timeout)
    }

    pub(crate) fn start_shutdown(&self, timeout: Duration) -> Result<Underway<'_>, PipelineError> {
        self.handle.provider.start_shutdown(|_| timeout)
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
        self.handle.provider.shutdown_async(timeout).await
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
        self.handle.provider.core.ledgers()
    }

    /// Has `meter` tell how tracing does, by the metrics `otel.sdk.span.*`, `otel.sdk.processor.span.*` and
    /// `otel.sdk.exporter.*` of the semantic conventions: spans started and live, what the queue holds and
    /// may hold, what was processed and exported, with the reason of each loss, and how long exports take.
    ///
    /// What the queue may hold, `otel.sdk.processor.span.queue.capacity`, is told only where the queue is
    /// bounded in spans: by [`BatchConfig::with_max_queue_size`](crate::BatchConfig::with_max_queue_size) or
    /// `OTEL_BSP_MAX_QUEUE_SIZE`. By default its bound is in bytes, which are not the unit of this metric.
    ///
    /// They are read from the [ledger](Self::ledger) when the meter's provider collects, and cost nothing
    /// between. They do not keep this provider. A second call does nothing.
    ///
    /// ```
    /// use opentelemetry::metrics::MeterProvider as _;
    /// use otlp_sdk::metrics::MeterProvider;
    /// use otlp_sdk::testing::InMemoryExporter;
    /// use otlp_sdk::trace::TracerProvider;
    ///
    /// let metrics = MeterProvider::builder().with_exporter(InMemoryExporter::default()).build();
    /// let traces = TracerProvider::builder().with_batch_exporter(InMemoryExporter::default()).build();
    /// traces.observe(&metrics.meter("otlp-sdk"));
    /// ```
    pub fn observe(&self, meter: &Meter) {
        let provider = &self.handle.provider;
        if provider.core.observe(meter) {
            super::observe::spans(meter, provider);
        }
    }

    /// The resource of all spans.
    #[must_use]
    pub fn resource(&self) -> &Resource {
        &self.handle.provider.core.resource
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

impl Lifecycle for Provider {
    type Processor = dyn SpanProcessor;
    type Others = seams::Others;
    const NAME: &'static str = "tracer provider";

    fn core(&self) -> &Core {
        &self.core
    }

    fn open(&self) -> u64 {
        super::observe::live(&self.core).map(|(_, count)| count).sum()
    }

    fn seams(&self) -> &seams::Slot {
        &self.seams
    }
}

impl Provider {
    /// Whether no parent could make the sampler keep a span.
    #[cfg(feature = "tracing")]
    #[inline]
    pub(crate) fn always_drops(&self) -> bool {
        matches!(self.sampler, Some(Sampler::AlwaysOff))
    }

    /// Whether the sampler runs code that is not ours, which may want to see attributes.
    #[cfg(feature = "tracing")]
    #[inline]
    pub(crate) fn has_foreign_sampler(&self) -> bool {
        self.sampler.is_none()
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

    #[inline]
    pub(crate) fn count(&self, what: Counted) {
        provider::count(&self.core, what.at());
    }

    /// Counts a span as something else than before: its sampler was asked again.
    #[cfg(feature = "tracing")]
    pub(crate) fn recount(&self, before: Counted, now: Counted) {
        if before != now {
            provider::uncount(&self.core, before.at());
            self.count(now);
        }
    }

    pub(crate) fn scope(self: &Arc<Self>, scope: InstrumentationScope) -> Arc<Scope> {
        self.scopes.entry(scope, |scope, header| Scope {
            provider: Arc::clone(self),
            scope,
            header,
        })
    }

    fn ledger(&self) -> Ledger {
        let mut ledger = self.core.ledger();
        counts::add_to(&mut ledger, &self.core.counts());
        ledger
    }
}

impl ScopeEntry for Scope {
    fn bytes(&self) -> usize {
        self.header.encoded_len()
    }
}

impl fmt::Debug for Provider {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Provider")
            .field("sampler", &self.sampler)
            .field("limits", &self.limits)
            .field("seams", &self.seams)
            .field("core", &self.core)
            .finish_non_exhaustive()
    }
}
