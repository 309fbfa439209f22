//! Sets a provider up.

use std::fmt;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};

use otlp_core::export::Exporter;
use otlp_core::wire::envelope::ResourceHeader;
use otlp_core::{Signal, SpanLimits};
use parking_lot::Mutex;

use super::super::id_generator::IdSource;
use super::super::processor::SpanProcessor;
use super::super::sampler::Sampler;
use super::super::seams::{self, Seams, Stage};
use super::{Handle, Provider, TracerProvider};
use crate::pipeline::{BatchConfig, Pipeline};
use crate::resource::Resource;

/// Sets a [`TracerProvider`] up.
#[derive(Debug, Default)]
pub struct TracerProviderBuilder {
    sampler: Option<Sampler>,
    ids: IdSource,
    limits: SpanLimits,
    resource: Option<Resource>,
    stages: Vec<NewStage>,
}

enum NewStage {
    Exporter(Box<dyn FnOnce(ResourceHeader) -> Pipeline + Send>),
    Processor(Box<dyn SpanProcessor>),
}

impl fmt::Debug for NewStage {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Exporter(_) => f.write_str("Exporter"),
            Self::Processor(processor) => processor.fmt(f),
        }
    }
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
        let start = |resource| spawn(resource, exporter, config);
        self.stages.push(NewStage::Exporter(Box::new(start)));
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
        self.stages.push(NewStage::Processor(Box::new(processor)));
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
        static NEXT_ID: AtomicU64 = AtomicU64::new(0);
        // Measured here rather than by the first span.
        crate::clock::Clock::global();
        let resource = self.resource.unwrap_or_else(|| Resource::builder().build());
        let header = resource.header();
        let (mut pipelines, mut stages) = (Vec::new(), Vec::new());
        for stage in self.stages {
            stages.push(match stage {
                NewStage::Processor(processor) => Stage::Processor(processor),
                NewStage::Exporter(start) => {
                    let pipeline = start(header.clone());
                    pipelines.push(pipeline);
                    Stage::Pipeline(pipelines.len() - 1)
                }
            });
        }
        let sampler = self.sampler.unwrap_or_default();
        let (ours, foreign) =
            if sampler.is_foreign() { (None, Some(sampler)) } else { (Some(sampler), None) };
        let ids_are_ours = matches!(self.ids, IdSource::Random);
        let (ids_are_random, has_stages) = (self.ids.ids_are_random(), !stages.is_empty());
        let ids = (!ids_are_ours).then_some(self.ids);
        let seams = Seams { stages, sampler: foreign, ids };
        let provider = Provider {
            id: NEXT_ID.fetch_add(1, Ordering::Relaxed),
            sampler: ours,
            ids_are_ours,
            ids_are_random,
            limits: self.limits,
            resource,
            pipelines,
            has_processors: seams.has_processors(),
            has_stages,
            seams: seams::Slot::from_pointee(seams),
            counters_of_no_thread: Arc::default(),
            counters: Mutex::default(),
            scopes: Mutex::default(),
            shut_down: AtomicBool::new(false),
            panics: AtomicU64::new(0),
        };
        TracerProvider { handle: Arc::new(Handle { provider: Arc::new(provider) }) }
    }
}

fn spawn(resource: ResourceHeader, exporter: impl Exporter, config: BatchConfig) -> Pipeline {
    let (pipeline, started) = Pipeline::spawn(Signal::Traces, resource, exporter, config);
    if let Err(error) = started {
        tracing::error!(target: "otlp_sdk", %error, "the export thread could not be started; every span will be dropped and counted");
    }
    pipeline
}
