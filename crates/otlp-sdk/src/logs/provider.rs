//! The provider: what all loggers share, and the pipelines behind them.

use std::sync::Arc;
use std::time::Duration;

use opentelemetry::InstrumentationScope;
use opentelemetry::logs::Severity;
use opentelemetry::metrics::Meter;
use otlp_core::LogRecordLimits;
use otlp_core::wire::envelope::ScopeHeader;

use super::builder::LoggerProviderBuilder;
use super::logger::Logger;
use super::processor::{ActiveLogRecord, LogRecordProcessor};
use super::record::{Measured, Recorder};
use super::targets::Targets;
use crate::pipeline::{Ledger, PipelineError};
use crate::provider::{
    self, Core, Counts, FLUSH_TIMEOUT, Lifecycle, SHUTDOWN_TIMEOUT, ScopeEntry, Scopes, SeamsSlot,
    Stage, Underway,
};
use crate::resource::Resource;

/// Makes loggers and delivers their records.
///
/// Clones share everything. When the last clone and the last logger are gone, what is held is
/// delivered within
/// [`BatchConfig::shutdown_timeout`](crate::BatchConfig::shutdown_timeout); call
/// [`shutdown`](Self::shutdown) to know how that went. [The module](super) has an example.
#[derive(Clone, Debug)]
pub struct LoggerProvider {
    handle: Arc<Handle>,
}

pub(super) type Handle = provider::Handle<Provider>;

/// What records reach through their scope. Holds no handle: a recorder in a thread's stock must not
/// keep the pipelines running.
#[derive(Debug)]
pub(super) struct Provider {
    pub(super) core: Core,
    pub(super) limits: LogRecordLimits,
    seams: SeamsSlot<dyn LogRecordProcessor, ()>,
    scopes: Scopes<Scope>,
}

/// A logger's scope, with its header encoded.
#[derive(Debug)]
pub(super) struct Scope {
    pub(super) provider: Arc<Provider>,
    pub(super) scope: InstrumentationScope,
    pub(super) header: Arc<ScopeHeader>,
    pub(super) targets: Targets,
}

impl LoggerProvider {
    /// A provider with the defaults of the specification: limits of 128, and no processor until one is
    /// added.
    #[must_use]
    pub fn builder() -> LoggerProviderBuilder {
        LoggerProviderBuilder::default()
    }

    pub(super) fn start(
        core: Core,
        stages: Vec<Stage<dyn LogRecordProcessor>>,
        limits: LogRecordLimits,
    ) -> Self {
        let (seams, scopes) = (SeamsSlot::new(stages, ()), Scopes::default());
        let provider = Arc::new(Provider { core, limits, seams, scopes });
        Self { handle: Arc::new(Handle { provider }) }
    }

    /// Delivers every record that was emitted before the call, and waits for it, 30 s at most. Works from
    /// anywhere, as [`TracerProvider::force_flush`](crate::trace::TracerProvider::force_flush).
    ///
    /// # Errors
    ///
    /// Says what was not delivered and why.
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

    /// Whether records go anywhere.
    #[cfg(feature = "tracing")]
    pub(crate) fn is_active(&self) -> bool {
        self.handle.provider.core.is_active()
    }

    pub(crate) fn start_flush(&self, timeout: Duration) -> Underway<'_> {
        self.handle.provider.start_flush(timeout)
    }

    pub(crate) fn start_shutdown(&self, timeout: Duration) -> Result<Underway<'_>, PipelineError> {
        self.handle.provider.start_shutdown(|_| timeout)
    }

    /// Delivers what is held and ends the pipelines, within 5 s. Records that are emitted later are not
    /// recorded.
    ///
    /// # Errors
    ///
    /// Says what was not delivered and why; see
    /// [`TracerProvider::shutdown`](crate::trace::TracerProvider::shutdown).
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

    /// What became of every record, at this moment, summed over the pipelines: with two of them a record
    /// counts twice; [`ledgers`](Self::ledgers) tells them apart.
    #[must_use]
    pub fn ledger(&self) -> Ledger {
        self.handle.provider.ledger()
    }

    /// What became of every record that was owed to each exporter, in the order in which they were added.
    #[must_use]
    pub fn ledgers(&self) -> Vec<Ledger> {
        self.handle.provider.core.ledgers()
    }

    /// Has `meter` tell how logging does, by the metrics `otel.sdk.log.created`, `otel.sdk.processor.log.*`
    /// and `otel.sdk.exporter.*` of the semantic conventions; see
    /// [`TracerProvider::observe`](crate::trace::TracerProvider::observe).
    ///
    /// `otel.sdk.processor.log.queue.capacity` is told only where the queue is bounded in records: by
    /// [`BatchConfig::with_max_queue_size`](crate::BatchConfig::with_max_queue_size) or
    /// `OTEL_BLRP_MAX_QUEUE_SIZE`. By default its bound is in bytes.
    pub fn observe(&self, meter: &Meter) {
        let provider = &self.handle.provider;
        if !provider.core.observe(meter) {
            return;
        }
        let there = Arc::downgrade(provider);
        let _ = meter
            .u64_observable_counter("otel.sdk.log.created")
            .with_unit("{log_record}")
            .with_callback(move |it| {
                if let Some(provider) = there.upgrade() {
                    let counts = provider.core.counts();
                    it.observe(counts.get(EMITTED).copied().unwrap_or(0), &[]);
                }
            })
            .build();
    }

    /// The resource of all records.
    #[must_use]
    pub fn resource(&self) -> &Resource {
        &self.handle.provider.core.resource
    }
}

impl opentelemetry::logs::LoggerProvider for LoggerProvider {
    type Logger = Logger;

    /// A logger; an invalid (empty) name gives a working one, which keeps it (row G-L1). Asking again for
    /// the same scope is cheap.
    fn logger_with_scope(&self, scope: InstrumentationScope) -> Logger {
        let provider = &self.handle.provider;
        let scope = provider.scopes.entry(scope, |scope, header| Scope {
            provider: Arc::clone(provider),
            scope,
            header,
            targets: Targets::default(),
        });
        Logger::new(Arc::clone(&self.handle), scope)
    }
}

impl Lifecycle for Provider {
    type Processor = dyn LogRecordProcessor;
    type Others = ();
    const NAME: &'static str = "logger provider";

    fn core(&self) -> &Core {
        &self.core
    }

    fn seams(&self) -> &SeamsSlot<dyn LogRecordProcessor, ()> {
        &self.seams
    }
}

impl Provider {
    /// Takes a record: processors see it and pipelines take it, in the order in which they were added.
    pub(super) fn emit(&self, recorder: &mut Recorder) {
        provider::count(&self.core, EMITTED);
        recorder.complete();
        if self.core.has_processors {
            self.emit_through_processors(recorder);
        } else {
            let header = recorder.header();
            provider::append_to_all(&self.core, &Measured::new(recorder), &header);
        }
        if recorder.encoder.is_limited() {
            self.core.count_limited(LIMITED, true);
        }
    }

    #[cold]
    fn emit_through_processors(&self, recorder: &mut Recorder) {
        let done = self.seams.with(&self.core, |seams| {
            for stage in &seams.stages {
                match stage {
                    Stage::Pipeline(at) => {
                        let header = recorder.header();
                        provider::append(&self.core, *at, &Measured::new(recorder), &header);
                    }
                    Stage::Processor(processor) => {
                        self.core
                            .guarded(|| processor.on_emit(&mut ActiveLogRecord::new(recorder)));
                    }
                }
            }
        });
        if done.is_none() {
            // After shutdown: the pipelines count it.
            let header = recorder.header();
            provider::append_to_all(&self.core, &Measured::new(recorder), &header);
        }
    }

    /// Whether anybody wants a record of this kind: any exporter, or a processor that says so (row
    /// G-L4).
    pub(super) fn wants(&self, severity: Severity, target: &str, name: Option<&str>) -> bool {
        if !self.core.pipelines.is_empty() {
            return true;
        }
        let asked = self.seams.with(&self.core, |seams| {
            seams.processors().any(|processor| {
                let answer = self.core.guarded(|| processor.event_enabled(severity, target, name));
                answer.unwrap_or(false)
            })
        });
        asked.unwrap_or(false)
    }

    /// A record that was emitted where none is recorded.
    #[cold]
    pub(super) fn not_recorded(&self) {
        let after = self.core.is_shut_down();
        provider::count(&self.core, if after { AFTER_SHUTDOWN } else { NOT_RECORDED });
    }

    fn ledger(&self) -> Ledger {
        let mut ledger = self.core.ledger();
        let counts: Counts = self.core.counts();
        let of = |at: usize| counts.get(at).copied().unwrap_or(0);
        ledger.sampled_out = of(NOT_RECORDED);
        ledger.started_after_shutdown = of(AFTER_SHUTDOWN);
        ledger.limited = of(LIMITED);
        ledger.created = of(EMITTED) + ledger.sampled_out + ledger.started_after_shutdown;
        ledger
    }
}

impl ScopeEntry for Scope {
    fn bytes(&self) -> usize {
        self.header.encoded_len()
    }
}

/// Places among the counts.
const EMITTED: usize = 0;
const NOT_RECORDED: usize = 1;
const AFTER_SHUTDOWN: usize = 2;
const LIMITED: usize = 3;
