//! Sets a logger provider up.

use otlp_core::export::Exporter;
use otlp_core::{LogRecordLimits, Signal};

use super::processor::LogRecordProcessor;
use super::provider::LoggerProvider;
use crate::pipeline::BatchConfig;
use crate::provider::{Core, Stages};
use crate::resource::Resource;

/// Sets a [`LoggerProvider`] up.
#[derive(Debug, Default)]
pub struct LoggerProviderBuilder {
    limits: LogRecordLimits,
    resource: Option<Resource>,
    stages: Stages<dyn LogRecordProcessor>,
}

impl LoggerProviderBuilder {
    /// Adds a batch processor with its defaults and this exporter at its end.
    #[must_use]
    pub fn with_batch_exporter(self, exporter: impl Exporter) -> Self {
        self.with_batch_exporter_config(exporter, BatchConfig::for_signal(Signal::Logs))
    }

    /// Adds a batch processor with settings of your own. To change one of them start from
    /// [`BatchConfig::for_signal`] or [`BatchConfig::from_env`].
    #[must_use]
    pub fn with_batch_exporter_config(
        mut self,
        exporter: impl Exporter,
        config: BatchConfig,
    ) -> Self {
        self.stages.add_exporter(Signal::Logs, exporter, config);
        self
    }

    /// Adds a simple processor: a request per record, without waiting for others, one at a time. For
    /// debugging.
    ///
    /// The request is sent by the exporter's own thread, so `emit` returns before it: call
    /// [`LoggerProvider::force_flush`] before looking at what arrived.
    #[must_use]
    pub fn with_simple_exporter(self, exporter: impl Exporter) -> Self {
        self.with_batch_exporter_config(exporter, BatchConfig::simple())
    }

    /// Adds a processor of your own.
    #[must_use]
    pub fn with_log_record_processor(mut self, processor: impl LogRecordProcessor) -> Self {
        self.stages.add_processor(Box::new(processor));
        self
    }

    /// Sets the resource. Default: [`Resource::builder`] with what the environment says.
    #[must_use]
    pub fn with_resource(mut self, resource: impl Into<Resource>) -> Self {
        self.resource = Some(resource.into());
        self
    }

    /// Sets the limits of every record. Default: those of the specification.
    #[must_use]
    pub fn with_log_record_limits(mut self, limits: LogRecordLimits) -> Self {
        self.limits = limits;
        self
    }

    /// Starts the pipelines, each with a thread of its own.
    #[must_use]
    pub fn build(self) -> LoggerProvider {
        let (core, stages) = Core::start(self.resource, self.stages);
        LoggerProvider::start(core, stages, self.limits)
    }
}
