//! The provider: the official one, with readers of ours.

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use opentelemetry::InstrumentationScope;
use opentelemetry::metrics::noop::NoopMeterProvider;
use opentelemetry::metrics::{Meter, MeterProvider as _};
use opentelemetry_sdk::metrics::{
    Aggregation, Instrument, InstrumentKind, MeterProviderBuilder as SdkBuilder, SdkMeterProvider,
    Stream,
};
use otlp_core::export::{ConfigWarning, EnvReader, Exporter};

use super::config::ReaderConfig;
use super::guarded::{Guarded, Panics};
use super::reader::{PeriodicReader, Shared, settle, settle_async};
use crate::foreign::caught;
use crate::hush::hushed;
use crate::pipeline::{Ledger, PipelineError};
use crate::provider::{FLUSH_TIMEOUT, SHUTDOWN_TIMEOUT};
use crate::resource::Resource;
use crate::say::say;

/// Makes meters, and delivers what they measure.
///
/// It is the official [`SdkMeterProvider`] with readers of ours, and beyond it: a callback of an observable
/// instrument that panics costs its own observation only (the official SDK would never collect anything
/// again), flush and shutdown keep their deadline, and there is a ledger. Clones share everything. When the
/// last one is gone, what was measured is delivered within [`ReaderConfig::shutdown_timeout`]; call
/// [`shutdown`](Self::shutdown) to know how that went.
///
/// ```
/// use opentelemetry::KeyValue;
/// use opentelemetry::metrics::MeterProvider as _;
/// use otlp_sdk::metrics::MeterProvider;
/// use otlp_sdk::testing::InMemoryExporter;
///
/// let provider = MeterProvider::builder().with_exporter(InMemoryExporter::default()).build();
/// let orders = provider.meter("shop").u64_counter("orders").build();
/// orders.add(1, &[KeyValue::new("paid", true)]);
/// orders.add(1, &[KeyValue::new("paid", false)]);
/// provider.force_flush()?;
/// assert_eq!(provider.ledger().delivered, 2);
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
///
/// A callback that never returns stops all collections, since the official SDK waits for it under a lock;
/// creating an instrument then waits as well. Flush and shutdown say so. Creating an instrument takes the same
/// lock, so a callback must not: from any meter of this provider it gets an instrument that measures nothing,
/// and one warning says so (the official SDK would never collect anything again). Create instruments before,
/// and do not have the callback wait for another thread that creates one.
#[derive(Clone, Debug)]
pub struct MeterProvider {
    inner: Arc<Inner>,
}

/// What clones share.
#[derive(Debug)]
struct Inner {
    sdk: Sdk,
    readers: Vec<PeriodicReader>,
    panics: Arc<Panics>,
}

/// The official provider. What it says when it is set up and when it ends is nothing that an application
/// asked for, and a subscriber that hears of it may panic.
#[derive(Debug)]
struct Sdk(Option<SdkMeterProvider>);

impl Sdk {
    fn build(builder: SdkBuilder) -> Self {
        Self(Some(hushed(|| builder.build())))
    }

    fn meter(&self, scope: InstrumentationScope) -> Meter {
        match &self.0 {
            Some(sdk) => sdk.meter_with_scope(scope),
            None => NoopMeterProvider::new().meter_with_scope(scope),
        }
    }

    /// Whether it had not ended before. It may have readers that are not ours.
    fn shutdown(&self) -> bool {
        let end = |sdk: &SdkMeterProvider| caught(|| hushed(|| sdk.shutdown()));
        self.0.as_ref().is_some_and(|sdk| !end(sdk).is_ok_and(|ended| ended.is_err()))
    }
}

impl Drop for Sdk {
    fn drop(&mut self) {
        let sdk = self.0.take();
        let _ = caught(|| hushed(|| drop(sdk)));
    }
}

/// Sets a [`MeterProvider`] up.
#[derive(Default)]
pub struct MeterProviderBuilder {
    resource: Option<Resource>,
    readers: Vec<PeriodicReader>,
    views: Vec<View>,
    changes: Vec<Change>,
    /// From code, and from the environment, which yields to it.
    histograms: [Option<HistogramAggregation>; 2],
}

type Change = Box<dyn FnOnce(SdkBuilder) -> SdkBuilder + Send>;
type View = Box<dyn Fn(&Instrument) -> Option<Stream> + Send + Sync>;

/// What becomes of a histogram's measurements where no view says it
/// (`OTEL_EXPORTER_OTLP_METRICS_DEFAULT_HISTOGRAM_AGGREGATION`).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub enum HistogramAggregation {
    /// Buckets with given bounds: the instrument's, or those of row M2.
    #[default]
    ExplicitBuckets,
    /// Buckets whose bounds grow exponentially: at most 160, as fine as that allows (row M3).
    Base2Exponential,
}

impl MeterProvider {
    /// A provider without readers: nothing is collected until one is added.
    #[must_use]
    pub fn builder() -> MeterProviderBuilder {
        MeterProviderBuilder::default()
    }

    /// Collects, delivers everything that is held, and waits for it, 30 s at most.
    ///
    /// # Errors
    ///
    /// As [`PeriodicReader::force_flush`]; of several errors the first.
    pub fn force_flush(&self) -> Result<(), PipelineError> {
        self.force_flush_with_timeout(FLUSH_TIMEOUT)
    }

    /// [`force_flush`](Self::force_flush) with a time limit of your own.
    ///
    /// # Errors
    ///
    /// As for `force_flush`.
    pub fn force_flush_with_timeout(&self, timeout: Duration) -> Result<(), PipelineError> {
        settle(&self.inner.shared(), timeout, false)
    }

    /// [`force_flush_with_timeout`](Self::force_flush_with_timeout) without blocking the thread.
    ///
    /// # Errors
    ///
    /// As for `force_flush`.
    pub async fn force_flush_async(&self, timeout: Duration) -> Result<(), PipelineError> {
        settle_async(&self.inner.shared(), timeout, false).await
    }

    /// Collects once more, delivers what is held and ends, within 5 s. What is measured later is lost.
    ///
    /// # Errors
    ///
    /// As [`PeriodicReader::shutdown`]; of several errors the first.
    pub fn shutdown(&self) -> Result<(), PipelineError> {
        self.shutdown_with_timeout(SHUTDOWN_TIMEOUT)
    }

    /// [`shutdown`](Self::shutdown) with a time limit of your own.
    ///
    /// # Errors
    ///
    /// As for `shutdown`.
    pub fn shutdown_with_timeout(&self, timeout: Duration) -> Result<(), PipelineError> {
        let result = settle(&self.inner.shared(), timeout, true);
        self.inner.end_sdk(result)
    }

    /// [`shutdown_with_timeout`](Self::shutdown_with_timeout) without blocking the thread.
    ///
    /// # Errors
    ///
    /// As for `shutdown`.
    pub async fn shutdown_async(&self, timeout: Duration) -> Result<(), PipelineError> {
        let result = settle_async(&self.inner.shared(), timeout, true).await;
        self.inner.end_sdk(result)
    }

    /// What became of every data point that was collected, at this moment, summed over the readers: with
    /// two of them each is owed to both, and counts twice. `panics` has those of callbacks and views too.
    #[must_use]
    pub fn ledger(&self) -> Ledger {
        self.inner.ledger()
    }

    /// Has `meter`, which may be one of this provider, tell how the readers do; see
    /// [`PeriodicReader::observe`].
    pub fn observe(&self, meter: &Meter) {
        self.inner.readers.iter().for_each(|reader| reader.observe(meter));
    }

    /// The account of each reader, in the order in which they were added.
    #[must_use]
    pub fn ledgers(&self) -> Vec<Ledger> {
        self.inner.readers.iter().map(PeriodicReader::ledger).collect()
    }
}

impl Inner {
    fn ledger(&self) -> Ledger {
        let mut sum = Ledger { panics: self.panics.count(), ..Ledger::default() };
        self.readers.iter().for_each(|reader| sum.add(&reader.ledger()));
        sum
    }

    fn shared(&self) -> Vec<&Shared> {
        self.readers.iter().map(PeriodicReader::shared).collect()
    }

    /// The readers have ended: the SDK makes instruments that do nothing from now on. It asks the readers
    /// again, which answer at once.
    fn end_sdk(&self, result: Result<(), PipelineError>) -> Result<(), PipelineError> {
        if !matches!(result, Err(PipelineError::NoWorker(_))) {
            let first = self.sdk.shutdown();
            if !first && self.readers.is_empty() {
                return Err(PipelineError::AlreadyShutdown);
            }
        }
        result
    }
}

impl opentelemetry::metrics::MeterProvider for MeterProvider {
    fn meter_with_scope(&self, scope: InstrumentationScope) -> Meter {
        let meter = self.inner.sdk.meter(scope);
        Guarded::meter(meter, &self.inner.panics)
    }
}

impl Drop for Inner {
    /// The official provider would shut its readers down one after the other.
    fn drop(&mut self) {
        let readers = self.shared();
        let longest = readers.iter().map(|reader| reader.config().shutdown_timeout).max();
        match settle(&readers, longest.unwrap_or_default(), true) {
            // On a thread of ours: the readers know what to do then, when they go.
            Ok(()) | Err(PipelineError::AlreadyShutdown | PipelineError::NoWorker(_)) => {}
            Err(error) => {
                let ledger = self.ledger();
                say!(Warn, %error, %ledger, "shutdown at the end of the meter provider");
            }
        }
    }
}

impl MeterProviderBuilder {
    /// Sets the resource. Default: [`Resource::builder`] with what the environment says.
    #[must_use]
    pub fn with_resource(mut self, resource: impl Into<Resource>) -> Self {
        self.resource = Some(resource.into());
        self
    }

    /// Adds a [`PeriodicReader`] with its defaults and this exporter at its end.
    #[must_use]
    pub fn with_exporter(self, exporter: impl Exporter) -> Self {
        self.with_exporter_config(exporter, ReaderConfig::default())
    }

    /// Adds a [`PeriodicReader`] with settings of your own.
    #[must_use]
    pub fn with_exporter_config(self, exporter: impl Exporter, config: ReaderConfig) -> Self {
        self.with_reader(PeriodicReader::builder(exporter).with_config(config).build())
    }

    /// Adds a reader, of which you keep a clone.
    #[must_use]
    pub fn with_reader(mut self, reader: PeriodicReader) -> Self {
        self.readers.push(reader);
        self
    }

    /// Adds a view of the official SDK (row M4): what becomes of the measurements of certain instruments.
    /// One that panics says nothing; the panic is counted.
    #[must_use]
    pub fn with_view(
        mut self,
        view: impl Fn(&Instrument) -> Option<Stream> + Send + Sync + 'static,
    ) -> Self {
        self.views.push(Box::new(view));
        self
    }

    /// Sets what becomes of histograms that no view speaks of. Default: explicit buckets. Beats the
    /// environment.
    #[must_use]
    pub fn with_histogram_aggregation(mut self, aggregation: HistogramAggregation) -> Self {
        self.histograms[0] = Some(aggregation);
        self
    }

    /// Changes the official provider before it is built: for what has no method here, such as readers that
    /// others made, which are shut down with the provider.
    ///
    /// Views belong into [`with_view`](Self::with_view): the default for histograms does not know of those
    /// that are added here, and such a histogram would have two streams.
    #[must_use]
    pub fn with_sdk(
        mut self,
        change: impl FnOnce(SdkBuilder) -> SdkBuilder + Send + 'static,
    ) -> Self {
        self.changes.push(Box::new(change));
        self
    }

    /// Takes over what the variables say that concern the provider and not a reader (for those see
    /// [`ReaderConfig::from_env`]), where code has said nothing: the histogram aggregation, and the exemplar filter, which gives a
    /// warning, since the official SDK does not sample exemplars.
    #[must_use]
    pub fn with_env(mut self, env: &mut EnvReader<'_>) -> Self {
        let accepted = [
            ("explicit_bucket_histogram", HistogramAggregation::ExplicitBuckets),
            ("base2_exponential_bucket_histogram", HistogramAggregation::Base2Exponential),
        ];
        self.histograms[1] =
            env.one_of(HISTOGRAM_AGGREGATION, &accepted, &"explicit_bucket_histogram");
        warn_of_exemplars(env);
        self
    }

    /// The provider. Its readers start collecting.
    #[must_use]
    pub fn build(self) -> MeterProvider {
        let Self { resource, readers, views, changes, histograms } = self;
        let resource = resource.unwrap_or_else(|| Resource::builder().build());
        let panics = Arc::<Panics>::default();
        let mut sdk = SdkMeterProvider::builder().with_resource((&resource).into());
        let views: Arc<[_]> = views.into_iter().map(|view| panics.view(view)).collect();
        for at in 0..views.len() {
            let views = Arc::clone(&views);
            sdk = sdk.with_view(move |instrument: &Instrument| views.get(at)?(instrument));
        }
        let [code, env] = histograms;
        if code.or(env) == Some(HistogramAggregation::Base2Exponential) {
            // Views are not merged: one of the user's stands alone.
            sdk = sdk.with_view(move |instrument: &Instrument| {
                let is_free = || views.iter().all(|view| view(instrument).is_none());
                let is_histogram = instrument.kind() == InstrumentKind::Histogram;
                (is_histogram && is_free()).then(exponential).flatten()
            });
        }
        sdk = changes.into_iter().fold(sdk, |sdk, change| change(sdk));
        for reader in &readers {
            reader.share_panics(&panics);
            sdk = sdk.with_reader(reader.clone());
        }
        MeterProvider { inner: Arc::new(Inner { sdk: Sdk::build(sdk), readers, panics }) }
    }
}

impl fmt::Debug for MeterProviderBuilder {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("MeterProviderBuilder")
            .field("resource", &self.resource)
            .field("readers", &self.readers)
            .field("views", &self.views.len())
            .field("changes", &self.changes.len())
            .field("histograms", &self.histograms)
            .finish()
    }
}

/// Row M3.
fn exponential() -> Option<Stream> {
    let aggregation = Aggregation::Base2ExponentialHistogram {
        max_size: 160,
        max_scale: 20,
        record_min_max: true,
    };
    Stream::builder().with_aggregation(aggregation).build().ok()
}

fn warn_of_exemplars(env: &mut EnvReader<'_>) {
    let accepted = [("always_on", true), ("always_off", false), ("trace_based", true)];
    if let Some(true) = env.one_of(EXEMPLAR_FILTER, &accepted, &"always_off") {
        let reason = "has no effect: the official metrics SDK does not sample exemplars";
        env.warn(ConfigWarning::new(EXEMPLAR_FILTER, reason, "always_off", &"always_off"));
    }
}

const HISTOGRAM_AGGREGATION: &str = "OTEL_EXPORTER_OTLP_METRICS_DEFAULT_HISTOGRAM_AGGREGATION";
const EXEMPLAR_FILTER: &str = "OTEL_METRICS_EXEMPLAR_FILTER";
