//! Sets a provider up.

use std::sync::Arc;

use otlp_core::export::Exporter;
use otlp_core::{Signal, SpanLimits};

use super::super::id_generator::IdSource;
use super::super::processor::SpanProcessor;
use super::super::sampler::Sampler;
use super::super::seams::{self, Others};
use super::{Handle, Provider, TracerProvider};
use crate::pipeline::BatchConfig;
use crate::provider::{Core, Scopes, Stages};
use crate::resource::Resource;

/// Sets a [`TracerProvider`] up.
#[derive(Debug, Default)]
pub struct TracerProviderBuilder {
    sampler: Option<Sampler>,
    ids: IdSource,
    limits: SpanLimits,
    resource: Option<Resource>,
    stages: Stages<dyn SpanProcessor>,
}

impl TracerProviderBuilder {
    /// Adds a batch processor with its defaults and this exporter at its end.
    #[must_use]
    pub fn with_batch_exporter(self, exporter: impl Exporter) -> Self {
        self.with_batch_exporter_config(exporter, BatchConfig::default())
    }

    /// Adds a batch processor with settings of your own.
    #[must_use]
    pub fn with_batch_exporter_config(
        mut self,
        exporter: impl Exporter,
        config: BatchConfig,
    ) -> Self {
        self.stages.add_exporter(Signal::Traces, exporter, config);
        self
    }

    /// Adds a simple processor: a request per span, without waiting for others, one at a time. For
    /// debugging.
    ///
    /// The request is sent by the exporter's own thread, so `end` returns before it: call
    /// [`TracerProvider::force_flush`] before looking at what arrived.
    #[must_use]
    pub fn with_simple_exporter(self, exporter: impl Exporter) -> Self {
        self.with_batch_exporter_config(exporter, BatchConfig::simple())
    }

    /// Adds a processor of your own.
    #[must_use]
    pub fn with_span_processor(mut self, processor: impl SpanProcessor) -> Self {
        self.stages.add_processor(Box::new(processor));
        self
    }

    /// Sets the sampler. Default: parent-based always on (row P4).
    #[must_use]
    pub fn with_sampler(mut self, sampler: impl Into<Sampler>) -> Self {
        self.sampler = Some(sampler.into());
        self
    }

    /// Sets where ids come from. Default: random.
    #[must_use]
    pub fn with_id_generator(mut self, ids: impl Into<IdSource>) -> Self {
        self.ids = ids.into();
        self
    }

    /// Sets the resource. Default: [`Resource::builder`] with what the environment says.
    #[must_use]
    pub fn with_resource(mut self, resource: impl Into<Resource>) -> Self {
        self.resource = Some(resource.into());
        self
    }

    /// Sets the limits of every span. Default: those of the specification.
    #[must_use]
    pub fn with_span_limits(mut self, limits: SpanLimits) -> Self {
        self.limits = limits;
        self
    }

    /// Starts the pipelines, each with a thread of its own.
    #[must_use]
    pub fn build(self) -> TracerProvider {
        let (core, stages) = Core::start(self.resource, self.stages);
        let sampler = self.sampler.unwrap_or_default();
        let (ours, foreign) =
            if sampler.is_foreign() { (None, Some(sampler)) } else { (Some(sampler), None) };
        let ids_are_ours = matches!(self.ids, IdSource::Random);
        let ids_are_random = self.ids.ids_are_random();
        let others = Others { sampler: foreign, ids: (!ids_are_ours).then_some(self.ids) };
        let provider = Provider {
            core,
            sampler: ours,
            ids_are_ours,
            ids_are_random,
            limits: self.limits,
            seams: seams::Slot::new(stages, others),
            scopes: Scopes::default(),
        };
        TracerProvider { handle: Arc::new(Handle { provider: Arc::new(provider) }) }
    }
}
