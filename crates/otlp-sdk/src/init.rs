//! One call that sets telemetry up, and the guard that ends it.

mod exporters;
mod guard;
mod start_up;

use std::time::Duration;

use opentelemetry::global;
use otlp_core::export::{
    BoxedExporter, Compression, Env, EnvReader, ExporterConfig, ExporterConfigBuilder,
    HeaderProvider, Headers, Protocol, TlsConfig,
};
use otlp_core::{Signal, SpanLimits};

pub use self::exporters::InitError;
use self::exporters::exporters;
pub use self::guard::{ShutdownError, TelemetryGuard};
use self::start_up::{StartUp, destination, one_line};
use crate::config;
use crate::pipeline::BatchConfig;
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
/// A setting that cannot be guessed around: an endpoint that is no URL, a header from code that
/// is none, a client certificate without its key, a certificate that cannot be read or used, a
/// protocol or `https` whose feature is not enabled. Everything else that is wrong in the
/// environment is reported once through `tracing` and replaced by its default.
pub fn init() -> Result<TelemetryGuard, InitError> {
    builder().init()
}

/// [`init`] with settings from code, which beat those from the environment.
pub fn builder() -> TelemetryBuilder {
    TelemetryBuilder::default()
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
            let mut batch = BatchConfig::from_env(Signal::Traces, reader);
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
