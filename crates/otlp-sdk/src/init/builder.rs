//! The settings that code can give, one method each.

use std::fmt;
use std::time::Duration;

use opentelemetry_sdk::metrics::{Instrument, Stream};
use otlp_core::export::{
    BoxedExporter, Compression, Env, Exporter, ExporterConfig, ExporterConfigBuilder,
    HeaderProvider, Headers, Protocol, TlsConfig,
};
use otlp_core::{LogRecordLimits, Signal, SpanLimits};

#[cfg(doc)]
use super::TelemetryGuard;
use crate::logs::{LogRecordProcessor, LoggerProvider, LoggerProviderBuilder};
use crate::metrics::{HistogramAggregation, MeterProvider, MeterProviderBuilder, ReaderConfig};
use crate::pipeline::BatchConfig;
use crate::propagation::Propagators;
use crate::resource::{Resource, ResourceBuilder};
use crate::say::LogLevel;
use crate::trace::id_generator::IdSource;
use crate::trace::sampler::Sampler;
use crate::trace::{SpanProcessor, TracerProvider, TracerProviderBuilder};

/// Settings for [`init`](crate::init()). Each beats its environment variable.
#[derive(Debug)]
#[must_use = "nothing happens before `init`"]
pub struct TelemetryBuilder {
    /// What holds for all signals.
    pub(super) exporter: ExporterConfigBuilder,
    pub(super) changes: Vec<(Signal, Change)>,
    pub(super) exporters: Vec<(Signal, BoxedExporter)>,
    pub(super) left_out: Vec<Signal>,
    pub(super) tracer: TracerProviderBuilder,
    pub(super) logger: LoggerProviderBuilder,
    pub(super) meter: MeterProviderBuilder,
    pub(super) resource: ResourceBuilder,
    pub(super) sampler: Option<Sampler>,
    pub(super) limits: Option<SpanLimits>,
    pub(super) log_limits: Option<LogRecordLimits>,
    pub(super) batch: Option<BatchConfig>,
    pub(super) log_batch: Option<BatchConfig>,
    pub(super) reader: Option<ReaderConfig>,
    pub(super) max_request_size: Option<usize>,
    pub(super) propagators: Option<Propagators>,
    pub(super) shutdown_timeout: Option<Duration>,
    pub(super) env: Option<Env>,
    pub(super) log_level: Option<LogLevel>,
    pub(super) disabled: Option<bool>,
    pub(super) self_observability: bool,
    pub(super) install: bool,
}

/// A change that the user makes to the settings of one signal.
pub(super) struct Change(
    pub(super) Box<dyn FnOnce(ExporterConfigBuilder) -> ExporterConfigBuilder + Send>,
);

impl fmt::Debug for Change {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Change")
    }
}

impl Default for TelemetryBuilder {
    fn default() -> Self {
        Self {
            exporter: ExporterConfig::builder(Signal::Traces),
            changes: Vec::new(),
            exporters: Vec::new(),
            left_out: Vec::new(),
            tracer: TracerProvider::builder(),
            logger: LoggerProvider::builder(),
            meter: MeterProvider::builder(),
            resource: Resource::builder(),
            sampler: None,
            limits: None,
            log_limits: None,
            batch: None,
            log_batch: None,
            reader: None,
            max_request_size: None,
            propagators: None,
            shutdown_timeout: None,
            env: None,
            log_level: None,
            disabled: None,
            self_observability: false,
            install: true,
        }
    }
}

impl TelemetryBuilder {
    /// Names the service: `service.name`. Without it, `OTEL_SERVICE_NAME` or
    /// `unknown_service:<executable>`.
    pub fn with_service_name(mut self, name: impl Into<opentelemetry::Value>) -> Self {
        self.resource = self.resource.with_service_name(name);
        self
    }

    /// Adds what describes this process: attributes, another resource, detectors.
    pub fn with_resource(
        mut self,
        change: impl FnOnce(ResourceBuilder) -> ResourceBuilder,
    ) -> Self {
        self.resource = change(self.resource);
        self
    }

    /// Where to send: a base URL such as `http://collector:4318`. For HTTP the signal's path is
    /// added.
    pub fn with_endpoint(mut self, url: impl Into<String>) -> Self {
        self.exporter = self.exporter.with_endpoint(url);
        self
    }

    /// Settings of one signal's exporter, over those of all: another endpoint, other headers. Called when
    /// everything else has been set.
    ///
    /// ```no_run
    /// use otlp_sdk::otlp_core::Signal;
    ///
    /// # fn main() -> Result<(), Box<dyn std::error::Error>> {
    /// let telemetry = otlp_sdk::builder()
    ///     .with_endpoint("http://collector:4318")
    ///     .with_signal_settings(Signal::Logs, |it| it.with_exact_url("http://logs:9428/insert/otlp"))
    ///     .init()?;
    /// # Ok(())
    /// # }
    /// ```
    pub fn with_signal_settings(
        mut self,
        signal: Signal,
        change: impl FnOnce(ExporterConfigBuilder) -> ExporterConfigBuilder + Send + 'static,
    ) -> Self {
        self.changes.push((signal, Change(Box::new(change))));
        self
    }

    /// Whether a gRPC endpoint without a scheme goes without TLS. Default: false.
    pub fn with_insecure(mut self, insecure: bool) -> Self {
        self.exporter = self.exporter.with_insecure(insecure);
        self
    }

    /// Most bytes of one request, before compression: where batches are cut, and what the exporter
    /// refuses (row Z1). Default: cut at 4 MiB, refused above 64 MiB. With
    /// [`with_batch_config`](Self::with_batch_config) its `max_request_bytes` says where to cut.
    pub fn with_max_request_size(mut self, bytes: usize) -> Self {
        self.max_request_size = Some(bytes);
        self.exporter = self.exporter.with_max_request_size(bytes);
        self
    }

    /// Most bytes of one answer, also when it is inflated. Default 4 MiB (row Z2).
    pub fn with_max_response_size(mut self, bytes: usize) -> Self {
        self.exporter = self.exporter.with_max_response_size(bytes);
        self
    }

    /// Puts the name of a distribution in front of our user agent.
    pub fn with_user_agent_prefix(mut self, prefix: impl Into<String>) -> Self {
        self.exporter = self.exporter.with_user_agent_prefix(prefix);
        self
    }

    /// How to send. Default: `http/protobuf`.
    pub fn with_protocol(mut self, protocol: Protocol) -> Self {
        self.exporter = self.exporter.with_protocol(protocol);
        self
    }

    /// Adds a header (gRPC: metadata) to every request.
    pub fn with_header(
        mut self,
        name: impl Into<String>,
        value: impl Into<otlp_core::export::Secret>,
    ) -> Self {
        self.exporter = self.exporter.with_header(name, value);
        self
    }

    /// Adds headers to every request.
    pub fn with_headers(mut self, headers: &Headers) -> Self {
        self.exporter = self.exporter.with_headers(headers);
        self
    }

    /// Asks for headers before every request: tokens that change.
    pub fn with_header_provider(mut self, provider: HeaderProvider) -> Self {
        self.exporter = self.exporter.with_header_provider(provider);
        self
    }

    /// Compresses requests. Default: none.
    pub fn with_compression(mut self, compression: Compression) -> Self {
        self.exporter = self.exporter.with_compression(compression);
        self
    }

    /// Limits one request, from connecting to the answer. Default 10 s; zero means no limit.
    pub fn with_timeout(mut self, timeout: Duration) -> Self {
        self.exporter = self.exporter.with_timeout(timeout);
        self
    }

    /// Certificates. Needs the feature `tls`.
    pub fn with_tls(mut self, tls: TlsConfig) -> Self {
        self.exporter = self.exporter.with_tls(tls);
        self
    }

    /// Sends the spans to this exporter instead of the one that the settings describe. May be called again
    /// for several destinations, each with its own pipeline.
    pub fn with_span_exporter(self, exporter: impl Exporter) -> Self {
        self.with_exporter(Signal::Traces, exporter)
    }

    /// Sends the log records to this exporter instead of the one that the settings describe.
    pub fn with_log_exporter(self, exporter: impl Exporter) -> Self {
        self.with_exporter(Signal::Logs, exporter)
    }

    /// Sends the metrics to this exporter instead of the one that the settings describe.
    pub fn with_metric_exporter(self, exporter: impl Exporter) -> Self {
        self.with_exporter(Signal::Metrics, exporter)
    }

    /// Sends a signal to this exporter instead of the one that the settings describe. May be called again
    /// for several destinations, each with its own pipeline.
    pub fn with_exporter(mut self, signal: Signal, exporter: impl Exporter) -> Self {
        self.exporters.push((signal, exporter.boxed()));
        self
    }

    /// Leaves a signal out, whatever `OTEL_<signal>_EXPORTER` says: nothing of it is recorded and no thread
    /// is started for it.
    pub fn without(mut self, signal: Signal) -> Self {
        self.left_out.push(signal);
        self
    }

    /// Adds a processor, in front of the exporters.
    pub fn with_span_processor(mut self, processor: impl SpanProcessor) -> Self {
        self.tracer = self.tracer.with_span_processor(processor);
        self
    }

    /// Adds a processor of log records, in front of the exporters.
    pub fn with_log_record_processor(mut self, processor: impl LogRecordProcessor) -> Self {
        self.logger = self.logger.with_log_record_processor(processor);
        self
    }

    /// Adds a view: what becomes of the measurements of certain instruments (row M4). A view that chooses
    /// attributes (`with_allowed_attribute_keys`) takes the feature `spec_unstable_metrics_views` of
    /// `opentelemetry_sdk`, which the program enables itself.
    ///
    /// ```no_run
    /// use otlp_sdk::opentelemetry_sdk::metrics::{Instrument, Stream};
    ///
    /// # fn main() -> Result<(), Box<dyn std::error::Error>> {
    /// let bounded = |instrument: &Instrument| {
    ///     let stream = (instrument.name() == "requests").then(Stream::builder)?;
    ///     stream.with_cardinality_limit(100).build().ok()
    /// };
    /// let telemetry = otlp_sdk::builder().with_view(bounded).init()?;
    /// # Ok(())
    /// # }
    /// ```
    pub fn with_view(
        mut self,
        view: impl Fn(&Instrument) -> Option<Stream> + Send + Sync + 'static,
    ) -> Self {
        self.meter = self.meter.with_view(view);
        self
    }

    /// Sets what becomes of histograms that no view speaks of. Default: explicit buckets
    /// (`OTEL_EXPORTER_OTLP_METRICS_DEFAULT_HISTOGRAM_AGGREGATION`).
    pub fn with_histogram_aggregation(mut self, aggregation: HistogramAggregation) -> Self {
        self.meter = self.meter.with_histogram_aggregation(aggregation);
        self
    }

    /// Sets the sampler. Default: parent-based always on.
    pub fn with_sampler(mut self, sampler: impl Into<Sampler>) -> Self {
        self.sampler = Some(sampler.into());
        self
    }

    /// Sets where ids come from. Default: random.
    pub fn with_id_generator(mut self, ids: impl Into<IdSource>) -> Self {
        self.tracer = self.tracer.with_id_generator(ids);
        self
    }

    /// Sets the limits of every span, in place of all their variables. To change one of them start
    /// from [`span_limits_from_env`](crate::trace::span_limits_from_env).
    pub fn with_span_limits(mut self, limits: SpanLimits) -> Self {
        self.limits = Some(limits);
        self
    }

    /// Sets the limits of every log record, in place of all their variables. To change one of them start
    /// from [`log_record_limits_from_env`](crate::logs::log_record_limits_from_env).
    pub fn with_log_record_limits(mut self, limits: LogRecordLimits) -> Self {
        self.log_limits = Some(limits);
        self
    }

    /// Sets batching, queue and retry of the spans, in place of all `OTEL_BSP_*`. To change one of them
    /// start from [`BatchConfig::from_env`].
    pub fn with_batch_config(mut self, batch: BatchConfig) -> Self {
        self.batch = Some(batch);
        self
    }

    /// Sets batching, queue and retry of the log records, in place of all `OTEL_BLRP_*`. To change one of
    /// them start from [`BatchConfig::from_env`].
    pub fn with_log_batch_config(mut self, batch: BatchConfig) -> Self {
        self.log_batch = Some(batch);
        self
    }

    /// Sets how often metrics are collected, their temporality, queue and retry, in place of their variables.
    /// To change one of them start from [`ReaderConfig::from_env`], and hand the same [`Env`] over, so that
    /// what was read of it is not reported as unused:
    ///
    /// ```no_run
    /// use std::time::Duration;
    /// use otlp_sdk::metrics::ReaderConfig;
    /// use otlp_sdk::otlp_core::export::Env;
    ///
    /// # fn main() -> Result<(), Box<dyn std::error::Error>> {
    /// let env = Env::from_process();
    /// let often = ReaderConfig::from_env(&mut env.reader()).with_interval(Duration::from_secs(5));
    /// let telemetry = otlp_sdk::builder().with_env(env).with_metric_reader_config(often).init()?;
    /// # Ok(())
    /// # }
    /// ```
    pub fn with_metric_reader_config(mut self, config: ReaderConfig) -> Self {
        self.reader = Some(config);
        self
    }

    /// How long [`TelemetryGuard::shutdown`] and its `Drop` wait, for all signals together. Default: what
    /// [`with_batch_config`](Self::with_batch_config) says, or 5 s.
    pub fn with_shutdown_timeout(mut self, timeout: Duration) -> Self {
        self.shutdown_timeout = Some(timeout);
        self
    }

    /// Sets the propagators. Default: W3C trace context and baggage.
    pub fn with_propagators(mut self, propagators: Propagators) -> Self {
        self.propagators = Some(propagators);
        self
    }

    /// Reads these variables instead of the process's own.
    pub fn with_env(mut self, env: Env) -> Self {
        self.env = Some(env);
        self
    }

    /// Sets which messages of the SDK itself reach `tracing`, in the whole process. Default: info and above
    /// (`OTEL_LOG_LEVEL`).
    pub fn with_log_level(mut self, level: LogLevel) -> Self {
        self.log_level = Some(level);
        self
    }

    /// Records nothing and sends nothing; propagators go on working. Beats `OTEL_SDK_DISABLED`.
    pub fn with_disabled(mut self, disabled: bool) -> Self {
        self.disabled = Some(disabled);
        self
    }

    /// Has the SDK tell of itself by the metrics `otel.sdk.*` of the semantic conventions, through its own
    /// meter provider: spans started and live, what the queues hold, what was exported, the reason of each
    /// loss, and how long exports and collections take. Default: false. See
    /// [`TracerProvider::observe`](crate::trace::TracerProvider::observe), also for when the capacity of the
    /// queues is told.
    pub fn with_self_observability(mut self, observed: bool) -> Self {
        self.self_observability = observed;
        self
    }

    /// Leaves the global providers and propagators alone.
    pub fn without_globals(mut self) -> Self {
        self.install = false;
        self
    }
}
