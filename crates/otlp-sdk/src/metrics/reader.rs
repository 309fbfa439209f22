//! The periodic reader: what the official SDK calls a `MetricReader`, with our pipeline behind it.

mod ask;

use std::fmt;
use std::io;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, OnceLock, Weak};
use std::time::{Duration, Instant};

use opentelemetry::KeyValue;
use opentelemetry::metrics::{Histogram, Meter};
use opentelemetry_sdk::error::{OTelSdkError, OTelSdkResult};
use opentelemetry_sdk::metrics::data::ResourceMetrics;
use opentelemetry_sdk::metrics::reader::MetricReader;
use opentelemetry_sdk::metrics::{
    InstrumentKind, ManualReader, Pipeline as SdkPipeline, Temporality,
};
use otlp_core::Signal;
use otlp_core::export::Exporter;
use otlp_core::wire::envelope::ResourceHeader;
use parking_lot::Mutex;

pub(super) use self::ask::{ASKED_MAX, Request, Running, settle, settle_async};
use super::collector;
use super::config::ReaderConfig;
use super::guarded::Panics;
use crate::hush::hushed;
use crate::observe;
use crate::pipeline::{Ledger, Pipeline, PipelineError};
use crate::provider::FLUSH_TIMEOUT;
use crate::resource::Resource;
use crate::say::say;

/// Collects metrics at an interval and delivers them. For an
/// [`SdkMeterProvider`](opentelemetry_sdk::metrics::SdkMeterProvider); clones share everything, so keep
/// one to flush, to shut down and to read the ledger.
///
/// The callbacks of observable instruments run on a thread of the reader's own, one collection after the
/// other (row M10), while another thread delivers: a callback that takes long holds up no delivery, and a
/// server that is away holds up no collection. Callbacks may use telemetry: spans and records that they
/// make are kept like others, and measurements they take show in the next collection, so nothing goes
/// round in circles. Exports are suppressed as everywhere. What they must not do is create an instrument:
/// the official provider waits for itself then, for ever. [`MeterProvider`](super::MeterProvider) prevents
/// that.
///
/// Dropping the last clone, as the provider does at its end, shuts the reader down within
/// [`ReaderConfig::shutdown_timeout`].
#[derive(Clone, Debug)]
pub struct PeriodicReader {
    handle: Arc<Handle>,
}

/// Shuts down when the last clone is gone.
#[derive(Debug)]
struct Handle(Arc<Shared>);

/// What the reader and its threads share.
pub(super) struct Shared {
    /// Does what only the SDK's own code can do: it knows how to ask the SDK's pipeline.
    source: ManualReader,
    config: ReaderConfig,
    start: Mutex<Option<Start>>,
    running: OnceLock<Running>,
    shut_down: AtomicBool,
    /// Nothing more is to be collected.
    pub(super) ended: AtomicBool,
    panics: AtomicU64,
    /// Of callbacks that are guarded; those that are not end the SDK's collecting.
    pub(super) callbacks: OnceLock<Arc<Panics>>,
    /// Where it is told how long collections take.
    pub(super) durations: OnceLock<(Histogram<f64>, [KeyValue; 2])>,
    /// Since when the SDK is collecting, and whether people were told that it takes too long.
    collecting: Mutex<Option<(Instant, bool)>>,
}

/// Starts the pipeline, once the resource is known.
type Start = Box<dyn FnOnce(ResourceHeader) -> (Pipeline, Result<(), io::Error>) + Send>;

/// Sets a [`PeriodicReader`] up.
pub struct PeriodicReaderBuilder<E> {
    exporter: E,
    config: ReaderConfig,
}

impl PeriodicReader {
    /// A reader that delivers through `exporter`.
    pub fn builder<E: Exporter>(exporter: E) -> PeriodicReaderBuilder<E> {
        PeriodicReaderBuilder { exporter, config: ReaderConfig::default() }
    }

    /// Collects, delivers everything that is held, and waits for it, 30 s at most.
    ///
    /// # Errors
    ///
    /// Says what could not be collected or was not delivered, and why: a callback that panicked or does
    /// not return, what is still held when the time is over, or what was dropped or rejected since a
    /// flush told of it the last time.
    pub fn force_flush(&self) -> Result<(), PipelineError> {
        self.force_flush_with_timeout(FLUSH_TIMEOUT)
    }

    /// [`force_flush`](Self::force_flush) with a time limit of your own. Callbacks of observable instruments
    /// may take all of it but a second, or half of it where it is below 2 s: a delivery of what is held
    /// begins in any case.
    ///
    /// # Errors
    ///
    /// As for `force_flush`.
    pub fn force_flush_with_timeout(&self, timeout: Duration) -> Result<(), PipelineError> {
        settle(&[self.shared()], timeout, false)
    }

    /// [`force_flush_with_timeout`](Self::force_flush_with_timeout) without blocking the thread.
    ///
    /// # Errors
    ///
    /// As for `force_flush`.
    pub async fn force_flush_async(&self, timeout: Duration) -> Result<(), PipelineError> {
        settle_async(&[self.shared()], timeout, false).await
    }

    /// Collects once more, delivers what is held and ends, within [`ReaderConfig::shutdown_timeout`].
    ///
    /// # Errors
    ///
    /// Says what could not be collected or was not delivered, and why. A call while another one is at work
    /// waits for it; a later one gets `AlreadyShutdown`. On the threads of the reader itself nothing is
    /// begun: they cannot wait for themselves.
    pub fn shutdown(&self) -> Result<(), PipelineError> {
        self.shutdown_with_timeout(self.shared().config.shutdown_timeout)
    }

    /// [`shutdown`](Self::shutdown) with a time limit of your own, which holds also while a callback does
    /// not return: the last collection may take all of it but a second, or half of it where it is below 2 s.
    ///
    /// # Errors
    ///
    /// As for `shutdown`.
    pub fn shutdown_with_timeout(&self, timeout: Duration) -> Result<(), PipelineError> {
        settle(&[self.shared()], timeout, true)
    }

    /// [`shutdown_with_timeout`](Self::shutdown_with_timeout) without blocking the thread.
    ///
    /// # Errors
    ///
    /// As for `shutdown`.
    pub async fn shutdown_async(&self, timeout: Duration) -> Result<(), PipelineError> {
        settle_async(&[self.shared()], timeout, true).await
    }

    /// What became of every data point that was collected, at this moment: `ended` is their number.
    #[must_use]
    pub fn ledger(&self) -> Ledger {
        let shared = self.shared();
        let mut ledger = shared.running.get().map(Running::ledger).unwrap_or_default();
        ledger.panics += shared.panics.load(Ordering::Relaxed);
        ledger
    }

    /// Has `meter` tell how the reader does, by the metrics `otel.sdk.exporter.*` and
    /// `otel.sdk.metric_reader.collection.duration` of the semantic conventions; see
    /// [`TracerProvider::observe`](crate::trace::TracerProvider::observe). The meter may be one of the
    /// provider that has this reader. Before a provider has taken the reader, and from the second call on,
    /// nothing happens.
    pub fn observe(&self, meter: &Meter) {
        let shared = self.shared();
        let Some(running) = shared.running.get() else { return };
        if shared.durations.get().is_none() {
            let _ = shared.durations.set(observe::collections(meter));
            running.observe(meter);
        }
    }

    /// Lets the reader tell of panics that its collections have caused and survived.
    pub(super) fn share_panics(&self, panics: &Arc<Panics>) {
        self.shared().callbacks.get_or_init(|| Arc::clone(panics));
    }

    pub(super) fn shared(&self) -> &Shared {
        &self.handle.0
    }
}

impl<E: Exporter> PeriodicReaderBuilder<E> {
    /// Sets everything at once.
    #[must_use]
    pub fn with_config(mut self, config: ReaderConfig) -> Self {
        self.config = config;
        self
    }

    /// Sets [`ReaderConfig::interval`].
    #[must_use]
    pub fn with_interval(mut self, interval: Duration) -> Self {
        self.config.interval = interval;
        self
    }

    /// Sets [`ReaderConfig::timeout`].
    #[must_use]
    pub fn with_timeout(mut self, timeout: Duration) -> Self {
        self.config.timeout = timeout;
        self
    }

    /// Sets [`ReaderConfig::temporality`].
    #[must_use]
    pub fn with_temporality(mut self, temporality: Temporality) -> Self {
        self.config.temporality = temporality;
        self
    }

    /// The reader. Its threads start when a provider takes it: only then the resource is known.
    #[must_use]
    pub fn build(self) -> PeriodicReader {
        let Self { exporter, config } = self;
        let batch = config.batch();
        let start: Start =
            Box::new(move |resource| Pipeline::spawn(Signal::Metrics, resource, exporter, batch));
        let shared = Shared {
            source: ManualReader::builder().with_temporality(config.temporality).build(),
            config,
            start: Mutex::new(Some(start)),
            running: OnceLock::new(),
            shut_down: AtomicBool::new(false),
            ended: AtomicBool::new(false),
            panics: AtomicU64::new(0),
            callbacks: OnceLock::new(),
            durations: OnceLock::new(),
            collecting: Mutex::new(None),
        };
        PeriodicReader { handle: Arc::new(Handle(Arc::new(shared))) }
    }
}

impl<E> fmt::Debug for PeriodicReaderBuilder<E> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("PeriodicReaderBuilder")
            .field("config", &self.config)
            .finish_non_exhaustive()
    }
}

impl MetricReader for PeriodicReader {
    /// Starts collecting from the provider. A reader has one provider: the second one gets nothing from it
    /// (row M9).
    fn register_pipeline(&self, pipeline: Weak<SdkPipeline>) {
        Shared::register(&self.handle.0, pipeline);
    }

    /// Collects for the caller: what it gets is not exported by this reader.
    fn collect(&self, collected: &mut ResourceMetrics) -> OTelSdkResult {
        if self.shared().shut_down.load(Ordering::Acquire) {
            return Err(OTelSdkError::AlreadyShutdown);
        }
        self.shared().source.collect(collected)
    }

    fn force_flush(&self) -> OTelSdkResult {
        official(FLUSH_TIMEOUT, Self::force_flush(self))
    }

    fn shutdown_with_timeout(&self, timeout: Duration) -> OTelSdkResult {
        match Self::shutdown_with_timeout(self, timeout) {
            // The provider ends after its reader was shut down by whoever kept a clone: nothing is wrong.
            Err(PipelineError::AlreadyShutdown) => Ok(()),
            result => official(timeout, result),
        }
    }

    fn shutdown(&self) -> OTelSdkResult {
        MetricReader::shutdown_with_timeout(self, self.shared().config.shutdown_timeout)
    }

    fn temporality(&self, kind: InstrumentKind) -> Temporality {
        self.shared().source.temporality(kind)
    }
}

impl Shared {
    fn register(self: &Arc<Self>, pipeline: Weak<SdkPipeline>) {
        let mut start = self.start.lock();
        if self.shut_down.load(Ordering::Acquire) || start.is_none() {
            return;
        }
        self.source.register_pipeline(pipeline);
        // The provider has no instruments yet: what is collected is the resource.
        let mut collected = ResourceMetrics::default();
        if let Err(error) = self.source.collect(&mut collected) {
            say!(Error, %error, "the meter provider tells no resource; its metrics will not be delivered");
            return;
        }
        let Some(start) = start.take() else { return };
        let resource = Resource::from(collected.resource()).header();
        let (pipeline, started) = start(resource.clone());
        let (running, collector) = collector::Collector::new(self, pipeline, resource);
        let running = self.running.get_or_init(|| running);
        let this = Arc::downgrade(self);
        running.look_after(move || {
            if let Some(this) = this.upgrade() {
                this.tell_of_hanging();
            }
        });
        let started = started.and_then(|()| collector.spawn(running));
        if let Err(error) = started {
            say!(Error, %error, "a thread for metrics could not be started; they will not be delivered");
        }
    }

    pub(super) fn config(&self) -> &ReaderConfig {
        &self.config
    }

    /// Collects, which runs the user's callbacks. Whoever takes long is told of.
    pub(super) fn collect(&self, collected: &mut ResourceMetrics) -> OTelSdkResult {
        *self.collecting.lock() = Some((Instant::now(), false));
        let result = match self.callbacks.get() {
            // They are heard all the same. Nobody else would lift the hush for them.
            Some(_guarded) => hushed(|| self.source.collect(collected)),
            None => self.source.collect(collected),
        };
        self.collected();
        result
    }

    /// A collection has ended, if only by a panic.
    pub(super) fn collected(&self) {
        *self.collecting.lock() = None;
    }

    /// A callback that does not return stops all collections, and nobody else would say so.
    fn tell_of_hanging(&self) {
        let patience = match self.config.timeout {
            Duration::ZERO => self.config.interval,
            timeout => timeout,
        };
        let mut collecting = self.collecting.lock();
        let Some((since, told @ false)) = collecting.as_mut() else { return };
        let since = since.elapsed();
        if since <= patience {
            return;
        }
        *told = true;
        drop(collecting);
        say!(
            Error,
            ?since,
            "callbacks of observable instruments do not return; no metrics are collected meanwhile"
        );
    }

    #[cold]
    pub(super) fn count_panic(&self) {
        self.panics.fetch_add(1, Ordering::Relaxed);
    }
}

impl fmt::Debug for Shared {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("PeriodicReader")
            .field("config", &self.config)
            .field("shut_down", &self.shut_down)
            .finish_non_exhaustive()
    }
}

impl Drop for Handle {
    fn drop(&mut self) {
        let shared = &*self.0;
        match settle(&[shared], shared.config.shutdown_timeout, true) {
            Ok(()) | Err(PipelineError::AlreadyShutdown) => {}
            // On a thread of ours, which cannot wait for itself.
            Err(PipelineError::NoWorker(_)) => shared.start_shutdown(),
            Err(error) => {
                say!(Warn, %error, "shutdown at the end of the metric reader");
            }
        }
    }
}

/// The official SDK's errors say less.
fn official(timeout: Duration, result: Result<(), PipelineError>) -> OTelSdkResult {
    result.map_err(|error| match error {
        PipelineError::AlreadyShutdown => OTelSdkError::AlreadyShutdown,
        PipelineError::Timeout { .. } => OTelSdkError::Timeout(timeout),
        other => OTelSdkError::InternalFailure(other.to_string()),
    })
}
