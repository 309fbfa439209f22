//! From settings to running providers.

use std::sync::atomic::{AtomicBool, Ordering};

use opentelemetry::global;
use opentelemetry::metrics::MeterProvider as _;
use opentelemetry::propagation::TextMapPropagator as _;
use otlp_core::Signal;
use otlp_core::export::{BoxedExporter, ConfigWarning, Env, EnvReader, ExporterConfigBuilder};

use super::builder::{Change, TelemetryBuilder};
use super::exporters::{InitError, Made, exporters};
use super::guard::{Providers, TelemetryGuard};
use super::start_up::{Destination, StartUp, one_line};
use crate::config;
use crate::hush::hushed;
use crate::logs::{LoggerProvider, LoggerProviderBuilder};
use crate::metrics::{MeterProvider, MeterProviderBuilder, ReaderConfig};
use crate::pipeline::BatchConfig;
use crate::propagation::Propagators;
use crate::provider::SHUTDOWN_TIMEOUT;
use crate::resource::Resource;
use crate::say::{LogLevel, say};
use crate::trace::sampler::Sampler;
use crate::trace::{TracerProvider, TracerProviderBuilder};

impl TelemetryBuilder {
    /// Sets everything up and says through `tracing`, once, what it is.
    ///
    /// # Errors
    ///
    /// As for [`init`](crate::init()).
    pub fn init(self) -> Result<TelemetryGuard, InitError> {
        let env = self.env.clone().unwrap_or_else(Env::from_process);
        let mut reader = env.reader();
        if let Some(level) = self.log_level.or_else(|| LogLevel::from_env(&mut reader)) {
            level.set();
        }
        let made = self.set_up(&env, &mut reader);
        let mut warnings = reader.into_warnings();
        let mut guard = match made {
            Ok(guard) => guard,
            Err(error) => {
                // What else is wrong must not have to wait until this is mended.
                without_repetition(warnings).iter().for_each(|warning| say!(Warn, "{warning}"));
                return Err(error);
            }
        };
        warnings.append(&mut guard.start_up.warnings);
        let unused = env.unused();
        warnings.extend(unused.iter().filter_map(|name| misspelt(&env, name)));
        guard.start_up.warnings = without_repetition(warnings);
        guard.start_up.unused = Some(unused.join(",")).filter(|unused| !unused.is_empty());
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
        let (resource, warnings) = self.resource.with_env(env.clone()).build_with_warnings();
        let sampler = self.sampler.or_else(|| Sampler::from_env(reader)).unwrap_or_default();
        let start_up = StartUp {
            disabled,
            sampler: Some(sampler.description().into_owned()).filter(|_| !disabled),
            propagated: propagators.fields().map(str::to_owned).collect(),
            resource: Some(one_line(&resource)).filter(|_| !disabled),
            warnings,
            ..StartUp::default()
        };
        let mut plan = Plan {
            settings: self.exporter,
            changes: self.changes,
            given: self.exporters,
            left_out: if disabled { Signal::ALL.to_vec() } else { self.left_out },
            max_request_size: self.max_request_size,
            resource,
            start_up,
        };
        let of_the_spans = self.batch.as_ref().map(|batch| batch.shutdown_timeout);
        let timeout = self.shutdown_timeout.or(of_the_spans).unwrap_or(SHUTDOWN_TIMEOUT);
        let limits = self.limits.unwrap_or_else(|| config::span_limits(reader));
        let batch = self.batch.unwrap_or_else(|| plan.batch(Signal::Traces, reader));
        let tracer = self.tracer.with_sampler(sampler).with_span_limits(limits);
        let tracer = plan.tracer_provider(tracer, &batch, env, reader)?;

        let limits = self.log_limits.unwrap_or_else(|| config::log_record_limits(reader));
        let batch = self.log_batch.unwrap_or_else(|| plan.batch(Signal::Logs, reader));
        let logger = self.logger.with_log_record_limits(limits);
        let logger = plan.logger_provider(logger, &batch, env, reader)?;

        let meter = self.meter.with_env(reader);
        let meter = plan.meter_provider(meter, self.reader, env, reader)?;
        if self.self_observability {
            hushed(|| {
                let scope = meter.meter(env!("CARGO_PKG_NAME"));
                tracer.observe(&scope);
                logger.observe(&scope);
                meter.observe(&scope);
            });
        }
        if self.install {
            if INSTALLED.swap(true, Ordering::Relaxed) {
                say!(
                    Warn,
                    "telemetry is set up once more: from now on the global providers are the new ones"
                );
            }
            hushed(|| {
                global::set_text_map_propagator(propagators);
                global::set_tracer_provider(tracer.clone());
                global::set_meter_provider(meter.clone());
            });
        }
        Ok(TelemetryGuard {
            providers: Providers { tracer, logger, meter },
            timeout,
            ended: AtomicBool::new(false),
            start_up: plan.start_up,
        })
    }
}

/// What goes where, and what is said of it.
struct Plan {
    settings: ExporterConfigBuilder,
    changes: Vec<(Signal, Change)>,
    given: Vec<(Signal, BoxedExporter)>,
    left_out: Vec<Signal>,
    max_request_size: Option<usize>,
    resource: Resource,
    start_up: StartUp,
}

impl Plan {
    fn tracer_provider(
        &mut self,
        mut builder: TracerProviderBuilder,
        batch: &BatchConfig,
        env: &Env,
        reader: &mut EnvReader<'_>,
    ) -> Result<TracerProvider, InitError> {
        let made = self.exporters(Signal::Traces, env, reader)?;
        if self.is_left_out(Signal::Traces) {
            return Ok(TracerProvider::builder().build());
        }
        builder = builder.with_resource(self.resource.clone());
        for made in made {
            let config = self.batch_for(&made, batch);
            builder = builder.with_batch_exporter_config(made.exporter, config);
        }
        Ok(builder.build())
    }

    fn logger_provider(
        &mut self,
        mut builder: LoggerProviderBuilder,
        batch: &BatchConfig,
        env: &Env,
        reader: &mut EnvReader<'_>,
    ) -> Result<LoggerProvider, InitError> {
        let made = self.exporters(Signal::Logs, env, reader)?;
        if self.is_left_out(Signal::Logs) {
            return Ok(LoggerProvider::builder().build());
        }
        builder = builder.with_resource(self.resource.clone());
        for made in made {
            let config = self.batch_for(&made, batch);
            builder = builder.with_batch_exporter_config(made.exporter, config);
        }
        Ok(builder.build())
    }

    fn meter_provider(
        &mut self,
        mut builder: MeterProviderBuilder,
        given: Option<ReaderConfig>,
        env: &Env,
        reader: &mut EnvReader<'_>,
    ) -> Result<MeterProvider, InitError> {
        let is_given = given.is_some();
        let config = given.unwrap_or_else(|| self.reader_config(reader));
        let made = self.exporters(Signal::Metrics, env, reader)?;
        if self.is_left_out(Signal::Metrics) {
            return Ok(MeterProvider::builder().build());
        }
        builder = builder.with_resource(self.resource.clone());
        for made in made {
            let bytes = self.request_bytes(&made, config.max_request_bytes);
            let mut config = config.clone().with_max_request_bytes(bytes);
            if made.prints && !is_given {
                config = config.for_console(reader);
            }
            builder = builder.with_exporter_config(made.exporter, config);
        }
        Ok(builder.build())
    }

    fn is_left_out(&self, signal: Signal) -> bool {
        self.left_out.contains(&signal)
    }

    /// The exporters of a signal: those that were given, or those that the settings describe.
    fn exporters(
        &mut self,
        signal: Signal,
        env: &Env,
        reader: &mut EnvReader<'_>,
    ) -> Result<Vec<Made>, InitError> {
        if self.is_left_out(signal) {
            return Ok(Vec::new());
        }
        let mut made = self.given(signal);
        if made.is_empty() {
            let settings = self.settings_of(signal);
            let warnings: &mut Vec<ConfigWarning> = &mut self.start_up.warnings;
            made = exporters(&settings, signal, env, reader, warnings)?;
        }
        let destinations =
            made.iter().map(|made| Destination::of(signal, &made.exporter, made.protocol));
        self.start_up.destinations.extend(destinations);
        Ok(made)
    }

    fn given(&mut self, signal: Signal) -> Vec<Made> {
        let given = self.given.extract_if(.., |(of, _)| *of == signal);
        given.map(|(_, exporter)| Made::without_limit(exporter)).collect()
    }

    fn settings_of(&mut self, signal: Signal) -> ExporterConfigBuilder {
        let changes = self.changes.extract_if(.., |(of, _)| *of == signal);
        let settings = self.settings.clone().for_signal(signal);
        changes.fold(settings, |settings, (_, Change(change))| change(settings))
    }

    fn batch(&self, signal: Signal, reader: &mut EnvReader<'_>) -> BatchConfig {
        let batch = BatchConfig::from_env(signal, reader);
        match self.max_request_size {
            Some(bytes) => batch.with_max_request_bytes(bytes),
            None => batch,
        }
    }

    fn batch_for(&self, made: &Made, batch: &BatchConfig) -> BatchConfig {
        if made.prints {
            return config::console_batch();
        }
        let bytes = self.request_bytes(made, batch.max_request_bytes);
        batch.clone().with_max_request_bytes(bytes)
    }

    /// Where requests are cut. The default is what servers take, which is no measure for a file.
    fn request_bytes(&self, made: &Made, asked: usize) -> usize {
        let default = BatchConfig::default().max_request_bytes;
        let is_default = self.max_request_size.is_none() && asked == default;
        let asked = if made.is_file && is_default { FILE_REQUEST_BYTES } else { asked };
        asked.min(made.max_request_bytes)
    }

    fn reader_config(&self, reader: &mut EnvReader<'_>) -> ReaderConfig {
        let config = ReaderConfig::from_env(reader);
        match self.max_request_size {
            Some(bytes) => config.with_max_request_bytes(bytes),
            None => config,
        }
    }
}

/// A variable that all signals read is reported once, also where what is said names the URL of each.
fn without_repetition(mut warnings: Vec<ConfigWarning>) -> Vec<ConfigWarning> {
    let mut told = std::collections::HashSet::new();
    warnings.retain(|warning| {
        told.insert((warning.setting.clone(), warning.value.clone(), warning.accepted.clone()))
    });
    warnings
}

/// A variable that nothing has read, if it is but a slip away from one that something has looked for.
fn misspelt(env: &Env, name: &str) -> Option<ConfigWarning> {
    let meant = env.meant_by(name)?;
    Some(ConfigWarning::new(name, "is not known", meant, &"it as unset"))
}

/// Whether the globals of this process were installed before.
static INSTALLED: AtomicBool = AtomicBool::new(false);

/// As text, several times as large, this still fits into a line.
const FILE_REQUEST_BYTES: usize = 16 << 20;
