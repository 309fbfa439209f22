//! One call that sets telemetry up, and the guard that ends it.

use std::fmt;
use std::time::Duration;

use opentelemetry::global;
use otlp_core::export::text::printable;
use otlp_core::export::{
    BoxedExporter, Compression, ConfigError, ConfigWarning, Env, EnvReader, Exporter as _,
    ExporterConfig, ExporterConfigBuilder, HeaderProvider, Headers, Protocol, TlsConfig,
};
use otlp_core::{Signal, SpanLimits};

use crate::config::{self, ExporterKind};
use crate::console::ConsoleExporter;
use crate::foreign::caught;
use crate::pipeline::{BatchConfig, Ledger, PipelineError};
use crate::propagation::Propagators;
use crate::resource::{Resource, ResourceBuilder};
use crate::trace::id_generator::IdSource;
use crate::trace::sampler::Sampler;
use crate::trace::{SpanProcessor, TracerProvider, TracerProviderBuilder};

/// Sets everything up from the environment: exporter, sampler, limits, resource, propagators,
/// installed globally. The guard delivers what is held when it goes.
///
/// Without any variable set, traces go to `http://localhost:4318/v1/traces`.
///
/// ```no_run
/// use opentelemetry::trace::Tracer;
///
/// fn main() -> Result<(), Box<dyn std::error::Error>> {
///     let _telemetry = otlp_sdk::init()?;
///     opentelemetry::global::tracer("my-service").in_span("work", |_cx| { /* … */ });
///     Ok(())
/// }
/// ```
///
/// # Errors
///
/// A setting that cannot be guessed around: an endpoint that is no URL, a certificate without its
/// key, a protocol whose feature is not enabled. Everything else that is wrong in the environment
/// is reported once through `tracing` and replaced by its default.
pub fn init() -> Result<TelemetryGuard, InitError> {
    builder().init()
}

/// [`init`] with settings from code, which beat those from the environment.
pub fn builder() -> TelemetryBuilder {
    TelemetryBuilder::default()
}

/// Keeps telemetry running. Dropping it delivers what is held, within
/// [`BatchConfig::shutdown_timeout`] (5 s unless set), also while a panic unwinds.
///
/// Bind it to a name: `let _telemetry = …`. Bound to `_` it would be dropped at once.
#[must_use = "telemetry ends when the guard is dropped: bind it to a name that lives as long as main"]
#[derive(Debug)]
pub struct TelemetryGuard {
    provider: TracerProvider,
    timeout: Duration,
    start_up: StartUp,
}

impl TelemetryGuard {
    /// The provider that was installed, for tracers of a concrete type: they cost less than those of
    /// [`global::tracer`].
    #[must_use]
    pub fn tracer_provider(&self) -> &TracerProvider {
        &self.provider
    }

    /// Says once more, through `tracing`, what was set up and what was wrong with the settings.
    ///
    /// [`init`] says it too. But a subscriber with a layer of `tracing-opentelemetry` can only be
    /// installed after it, since the layer needs a tracer; then call this to see the messages.
    pub fn announce(&self) {
        self.start_up.announce();
    }

    /// What became of every span, at this moment.
    #[must_use]
    pub fn ledger(&self) -> Ledger {
        self.provider.ledger()
    }

    /// Delivers every span that ended before the call, and waits for it, 30 s at most.
    ///
    /// # Errors
    ///
    /// Says what was not delivered and why; see [`TracerProvider::force_flush`].
    pub fn force_flush(&self) -> Result<(), PipelineError> {
        self.provider.force_flush()
    }

    /// [`force_flush`](Self::force_flush) without blocking the thread.
    ///
    /// # Errors
    ///
    /// As for `force_flush`.
    pub async fn force_flush_async(&self, timeout: Duration) -> Result<(), PipelineError> {
        self.provider.force_flush_async(timeout).await
    }

    /// Ends telemetry now, within [`BatchConfig::shutdown_timeout`], and says how that went.
    ///
    /// # Errors
    ///
    /// Says what was not delivered and why, with the whole account. It is not logged then: handle the
    /// error, or drop the guard, which logs it.
    pub fn shutdown(self) -> Result<Ledger, ShutdownError> {
        let result = self.provider.shutdown_with_timeout(self.timeout);
        let ledger = self.provider.ledger();
        match result {
            Ok(()) => Ok(ledger),
            Err(error) => Err(ShutdownError { error, ledger: Box::new(ledger) }),
        }
    }

    /// A guard of nothing: spans are not recorded and nothing is sent. For a program that prefers to
    /// run without telemetry when it cannot be set up:
    ///
    /// ```no_run
    /// # use otlp_sdk::TelemetryGuard;
    /// let _telemetry = otlp_sdk::init().unwrap_or_else(|error| {
    ///     eprintln!("no telemetry: {error}");
    ///     TelemetryGuard::disabled()
    /// });
    /// ```
    pub fn disabled() -> Self {
        Self {
            provider: TracerProvider::builder().build(),
            timeout: Duration::ZERO,
            start_up: StartUp::default(),
        }
    }
}

/// What was lost at the end of telemetry.
///
/// Its `Debug` text is the same as its `Display` text, since that is what a program shows whose
/// `main` returns it.
#[derive(thiserror::Error)]
#[non_exhaustive]
#[error("telemetry ended with losses: {error}; {ledger}")]
pub struct ShutdownError {
    /// What went wrong.
    #[source]
    pub error: PipelineError,
    /// What became of every span.
    pub ledger: Box<Ledger>,
}

impl fmt::Debug for ShutdownError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

impl Drop for TelemetryGuard {
    fn drop(&mut self) {
        match self.provider.shutdown_with_timeout(self.timeout) {
            Ok(()) | Err(PipelineError::AlreadyShutdown) => {}
            Err(error) => {
                let ledger = self.provider.ledger();
                tracing::warn!(target: "otlp_sdk", %error, %ledger, "telemetry ended with losses");
            }
        }
    }
}

/// Settings for [`init`]. Each beats its environment variable.
#[derive(Debug)]
#[must_use = "nothing happens before `init`"]
pub struct TelemetryBuilder {
    exporter: ExporterConfigBuilder,
    exporters: Vec<BoxedExporter>,
    provider: TracerProviderBuilder,
    resource: ResourceBuilder,
    sampler: Option<Sampler>,
    limits: Option<SpanLimits>,
    batch: Option<BatchConfig>,
    max_request_size: Option<usize>,
    propagators: Option<Propagators>,
    shutdown_timeout: Duration,
    env: Option<Env>,
    disabled: Option<bool>,
    install: bool,
}

impl Default for TelemetryBuilder {
    fn default() -> Self {
        Self {
            exporter: ExporterConfig::builder(Signal::Traces),
            exporters: Vec::new(),
            provider: TracerProvider::builder(),
            resource: Resource::builder(),
            sampler: None,
            limits: None,
            batch: None,
            max_request_size: None,
            propagators: None,
            shutdown_timeout: Duration::from_secs(5),
            env: None,
            disabled: None,
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

    /// Where to send, exactly: nothing is added. For HTTP.
    pub fn with_exact_url(mut self, url: impl Into<String>) -> Self {
        self.exporter = self.exporter.with_exact_url(url);
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

    /// Sends to this exporter instead of the one that the settings describe. May be called again
    /// for several destinations, each with its own pipeline.
    pub fn with_exporter(mut self, exporter: impl otlp_core::export::Exporter) -> Self {
        self.exporters.push(exporter.boxed());
        self
    }

    /// Adds a processor, in front of the exporters.
    pub fn with_span_processor(mut self, processor: impl SpanProcessor) -> Self {
        self.provider = self.provider.with_span_processor(processor);
        self
    }

    /// Sets the sampler. Default: parent-based always on.
    pub fn with_sampler(mut self, sampler: impl Into<Sampler>) -> Self {
        self.sampler = Some(sampler.into());
        self
    }

    /// Sets where ids come from. Default: random.
    pub fn with_id_generator(mut self, ids: impl Into<IdSource>) -> Self {
        self.provider = self.provider.with_id_generator(ids);
        self
    }

    /// Sets the limits of every span, in place of all their variables. To change one of them start
    /// from [`span_limits_from_env`](crate::trace::span_limits_from_env).
    pub fn with_span_limits(mut self, limits: SpanLimits) -> Self {
        self.limits = Some(limits);
        self
    }

    /// Sets batching, queue and retry, in place of all `OTEL_BSP_*`. To change one of them start from
    /// [`BatchConfig::from_env`].
    pub fn with_batch_config(mut self, batch: BatchConfig) -> Self {
        self.shutdown_timeout = batch.shutdown_timeout;
        self.batch = Some(batch);
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

    /// Records nothing and sends nothing; propagators go on working. Beats `OTEL_SDK_DISABLED`.
    pub fn with_disabled(mut self, disabled: bool) -> Self {
        self.disabled = Some(disabled);
        self
    }

    /// Leaves the global provider and propagators alone.
    pub fn without_globals(mut self) -> Self {
        self.install = false;
        self
    }

    /// Sets everything up and says through `tracing`, once, what it is.
    ///
    /// # Errors
    ///
    /// As for [`init`].
    pub fn init(self) -> Result<TelemetryGuard, InitError> {
        let env = self.env.clone().unwrap_or_else(Env::from_process);
        let mut reader = env.reader();
        let mut guard = self.set_up(&env, &mut reader)?;
        let mut warnings = reader.into_warnings();
        warnings.append(&mut guard.start_up.warnings);
        guard.start_up.warnings = warnings;
        guard.start_up.unused = Some(env.unused().join(",")).filter(|unused| !unused.is_empty());
        guard.announce();
        Ok(guard)
    }

    fn set_up(self, env: &Env, reader: &mut EnvReader<'_>) -> Result<TelemetryGuard, InitError> {
        let disabled = reader.bool("OTEL_SDK_DISABLED").unwrap_or(false);
        let disabled = self.disabled.unwrap_or(disabled);
        let propagators = match self.propagators {
            Some(propagators) => propagators,
            None => Propagators::from_env(reader),
        };
        let sampler = self.sampler.or_else(|| Sampler::from_env(reader)).unwrap_or_default();
        let limits = self.limits.unwrap_or_else(|| config::span_limits(reader));
        let batch = self.batch.unwrap_or_else(|| {
            let mut batch = config::batch(reader);
            batch.max_request_bytes = self.max_request_size.unwrap_or(batch.max_request_bytes);
            batch
        });
        let (resource, warnings) = self.resource.with_env(env.clone()).build_with_warnings();
        let mut start_up = StartUp {
            sampler: Some(sampler.description().into_owned()).filter(|_| !disabled),
            resource: Some(one_line(&resource)).filter(|_| !disabled),
            warnings,
            ..StartUp::default()
        };

        let mut provider =
            self.provider.with_resource(resource).with_sampler(sampler).with_span_limits(limits);
        if disabled {
            // Propagators go on working; spans are not recorded (OTEL_SDK_DISABLED).
            start_up.destinations.push("nowhere: the SDK is disabled".to_owned());
            provider = TracerProvider::builder();
        } else if self.exporters.is_empty() {
            let made = exporters(&self.exporter, env, reader, &batch)?;
            start_up.warnings.extend(made.warnings);
            start_up.protocol = made.protocol;
            for (exporter, config) in made.exporters {
                start_up.destinations.push(destination(&exporter));
                provider = provider.with_batch_exporter_config(exporter, config);
            }
        } else {
            for exporter in self.exporters {
                start_up.destinations.push(destination(&exporter));
                provider = provider.with_batch_exporter_config(exporter, batch.clone());
            }
        }
        let provider = provider.build();
        if self.install {
            global::set_text_map_propagator(propagators);
            global::set_tracer_provider(provider.clone());
        }
        Ok(TelemetryGuard { provider, timeout: self.shutdown_timeout, start_up })
    }
}

/// What is said at the start.
#[derive(Debug, Default)]
struct StartUp {
    destinations: Vec<String>,
    protocol: Option<Protocol>,
    sampler: Option<String>,
    resource: Option<String>,
    unused: Option<String>,
    warnings: Vec<ConfigWarning>,
}

impl StartUp {
    fn announce(&self) {
        for warning in &self.warnings {
            tracing::warn!(target: "otlp_sdk", "{warning}");
        }
        let destinations = match self.destinations.as_slice() {
            [] => "nowhere: OTEL_TRACES_EXPORTER is none".to_owned(),
            all => all.join(", "),
        };
        tracing::info!(
            target: "otlp_sdk",
            traces = %destinations,
            protocol = self.protocol.map(Protocol::name),
            sampler = self.sampler.as_deref(),
            resource = self.resource.as_deref(),
            unused_variables = self.unused.as_deref(),
            "telemetry is set up"
        );
    }
}

/// The attributes of a resource, escaped and bounded: they come from outside.
fn one_line(resource: &Resource) -> String {
    let attributes: Vec<_> = resource
        .iter()
        .take(RESOURCE_ATTRIBUTES_SHOWN)
        .map(|(key, value)| format!("{}={}", printable(key.as_str()), printable(&value.as_str())))
        .collect();
    attributes.join(",")
}

/// What an exporter calls its destination; it may be one that is not ours, and so may panic.
fn destination(exporter: &BoxedExporter) -> String {
    caught(|| exporter.destination()).unwrap_or_else(|_| {
        "an exporter that panics when it is asked for its destination".to_owned()
    })
}

struct Made {
    exporters: Vec<(BoxedExporter, BatchConfig)>,
    protocol: Option<Protocol>,
    warnings: Vec<ConfigWarning>,
}

/// The exporters that the settings ask for.
fn exporters(
    settings: &ExporterConfigBuilder,
    env: &Env,
    reader: &mut EnvReader<'_>,
    batch: &BatchConfig,
) -> Result<Made, InitError> {
    let mut made = Made { exporters: Vec::new(), protocol: None, warnings: Vec::new() };
    for kind in config::exporters(reader, "OTEL_TRACES_EXPORTER") {
        match kind {
            ExporterKind::None => {}
            ExporterKind::Console => {
                made.exporters.push((ConsoleExporter::new().boxed(), config::console_batch()));
            }
            ExporterKind::Otlp => {
                let configured = settings.clone().build(env)?;
                made.warnings.extend(configured.warnings);
                let mut batch = batch.clone();
                batch.max_request_bytes =
                    batch.max_request_bytes.min(configured.config.max_request_size);
                let (exporter, protocol) =
                    otlp_exporter(configured.config, env, &mut made.warnings)?;
                made.protocol = Some(protocol);
                made.exporters.push((exporter, batch));
            }
        }
    }
    Ok(made)
}

/// The exporter for a protocol, chosen at run time among those that were compiled in.
fn otlp_exporter(
    mut config: ExporterConfig,
    env: &Env,
    warnings: &mut Vec<ConfigWarning>,
) -> Result<(BoxedExporter, Protocol), InitError> {
    if config.protocol == Protocol::HttpJson {
        warnings.push(ConfigWarning::new(
            protocol_setting(env),
            "http/json is not available for traces yet",
            "grpc, http/protobuf",
            &"http/protobuf, which goes to the same endpoint",
        ));
        config.protocol = Protocol::HttpProtobuf;
    }
    let protocol = config.protocol;
    let exporter = match protocol {
        Protocol::Grpc => grpc_exporter(config)?,
        _ => http_exporter(config)?,
    };
    Ok((exporter, protocol))
}

/// Who chose the protocol. Code leaves the variables unread, and then they say something else.
fn protocol_setting(env: &Env) -> &'static str {
    let says_json = |name: &&'static str| {
        env.reader().string(name).is_some_and(|value| value.eq_ignore_ascii_case("http/json"))
    };
    ["OTEL_EXPORTER_OTLP_TRACES_PROTOCOL", "OTEL_EXPORTER_OTLP_PROTOCOL"]
        .into_iter()
        .find(says_json)
        .unwrap_or("with_protocol")
}

#[cfg(feature = "grpc")]
fn grpc_exporter(config: ExporterConfig) -> Result<BoxedExporter, InitError> {
    let exporter = otlp_exporter_grpc::GrpcExporter::from_config(config);
    exporter.map(|it| it.boxed()).map_err(|error| InitError::Exporter(Box::new(error)))
}

#[cfg(not(feature = "grpc"))]
fn grpc_exporter(_config: ExporterConfig) -> Result<BoxedExporter, InitError> {
    Err(InitError::MissingFeature { protocol: "grpc", feature: "grpc" })
}

#[cfg(feature = "http")]
fn http_exporter(config: ExporterConfig) -> Result<BoxedExporter, InitError> {
    let exporter = otlp_exporter_http::HttpExporter::from_config(config);
    exporter.map(|it| it.boxed()).map_err(|error| InitError::Exporter(Box::new(error)))
}

#[cfg(not(feature = "http"))]
fn http_exporter(_config: ExporterConfig) -> Result<BoxedExporter, InitError> {
    Err(InitError::MissingFeature { protocol: "http/protobuf", feature: "http" })
}

/// Why telemetry could not be set up.
///
/// Its `Debug` text is the same as its `Display` text, since that is what a program shows whose
/// `main` returns it.
#[derive(thiserror::Error)]
#[non_exhaustive]
pub enum InitError {
    /// A setting is wrong; the text names it, its value and what is accepted.
    #[error(transparent)]
    Config(#[from] ConfigError),
    /// The exporter could not be made, for example because a certificate cannot be read.
    #[error("the exporter could not be made: {0}")]
    Exporter(#[source] Box<dyn std::error::Error + Send + Sync>),
    /// The protocol that was asked for is not compiled in.
    #[error(
        "the protocol {protocol} was asked for, but `otlp-sdk` was built without its feature `{feature}`"
    )]
    MissingFeature {
        /// The protocol.
        protocol: &'static str,
        /// The feature that brings it.
        feature: &'static str,
    },
}

impl fmt::Debug for InitError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

/// A start-up line is read by people.
const RESOURCE_ATTRIBUTES_SHOWN: usize = 32;
