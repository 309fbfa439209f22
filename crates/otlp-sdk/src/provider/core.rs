//! The part of a provider that is the same for every signal.

use std::fmt;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};

use opentelemetry::metrics::Meter;
use otlp_core::Signal;
use otlp_core::export::Exporter;
use otlp_core::wire::envelope::ResourceHeader;

use super::counters::{AllCounters, Counts};
use super::seams::Stage;
use crate::foreign::{caught, in_foreign_code};
use crate::observe;
use crate::pipeline::{BatchConfig, Ledger, Pipeline};
use crate::resource::Resource;
use crate::say::say;

/// Pipelines, counters, state.
#[derive(Debug)]
pub(crate) struct Core {
    pub(crate) id: u64,
    pub(crate) resource: Resource,
    pub(crate) pipelines: Vec<Pipeline>,
    pub(crate) has_processors: bool,
    /// Whether anybody wants items.
    has_stages: bool,
    pub(super) counters: AllCounters,
    pub(super) shut_down: AtomicBool,
    /// Whether a shutdown has returned, whatever it could do in its time: there is nothing to wait for.
    pub(super) ended: AtomicBool,
    observed: AtomicBool,
    panics: AtomicU64,
}

impl Core {
    /// Starts the pipelines, each with a thread of its own.
    pub(crate) fn start<P: ?Sized>(
        resource: Option<Resource>,
        stages: Stages<P>,
    ) -> (Self, Vec<Stage<P>>) {
        static NEXT_ID: AtomicU64 = AtomicU64::new(0);
        // Measured here rather than by the first item.
        crate::clock::Clock::global();
        let resource = resource.unwrap_or_else(|| Resource::builder().build());
        let header = resource.header();
        let (mut pipelines, mut started) = (Vec::new(), Vec::new());
        for stage in stages.0 {
            started.push(match stage {
                NewStage::Processor(processor) => Stage::Processor(processor),
                NewStage::Exporter(start) => {
                    pipelines.push(start(header.clone()));
                    Stage::Pipeline(pipelines.len() - 1)
                }
            });
        }
        let core = Self {
            id: NEXT_ID.fetch_add(1, Ordering::Relaxed),
            resource,
            has_processors: started.len() > pipelines.len(),
            has_stages: !started.is_empty(),
            pipelines,
            counters: AllCounters::default(),
            shut_down: AtomicBool::new(false),
            ended: AtomicBool::new(false),
            observed: AtomicBool::new(false),
            panics: AtomicU64::new(0),
        };
        (core, started)
    }

    /// Whether items are recorded at all.
    #[inline]
    pub(crate) fn is_active(&self) -> bool {
        self.has_stages && !self.is_shut_down()
    }

    #[inline]
    pub(crate) fn is_shut_down(&self) -> bool {
        self.shut_down.load(Ordering::Relaxed)
    }

    #[cold]
    pub(crate) fn count_panic(&self) {
        self.panics.fetch_add(1, Ordering::Relaxed);
    }

    /// Calls user code. A panic in it is counted and goes no further. What `call` had in its hands must be
    /// whole after every single step of it.
    pub(crate) fn guarded<R>(&self, call: impl FnOnce() -> R) -> Option<R> {
        let result = in_foreign_code(|| caught(call));
        result.inspect_err(|_| self.count_panic()).ok()
    }

    /// An item has ended without part of what was set on it: count `at`, and let the pipelines tell
    /// people, if it goes to them.
    #[cold]
    pub(crate) fn count_limited(&self, at: usize, exported: bool) {
        super::local::count(self, at);
        if exported {
            self.pipelines.iter().for_each(Pipeline::count_limited);
        }
    }

    /// The sum of the pipelines' accounts, without what only the signal knows.
    pub(crate) fn ledger(&self) -> Ledger {
        let mut sum = Ledger { panics: self.panics.load(Ordering::Relaxed), ..Ledger::default() };
        for pipeline in &self.pipelines {
            sum.add(&pipeline.ledger());
        }
        sum
    }

    /// Has `meter` tell how the pipelines do. Says whether nobody has asked for that before.
    pub(crate) fn observe(&self, meter: &Meter) -> bool {
        let first = !self.observed.swap(true, Ordering::AcqRel);
        if first {
            self.pipelines.iter().for_each(|pipeline| observe::pipeline(meter, pipeline));
        }
        first
    }

    /// The account of each pipeline.
    pub(crate) fn ledgers(&self) -> Vec<Ledger> {
        self.pipelines.iter().map(Pipeline::ledger).collect()
    }

    /// What threads have counted, summed.
    pub(crate) fn counts(&self) -> Counts {
        self.counters.sums()
    }
}

/// The stages of a provider that is not built yet.
#[derive(Debug)]
pub(crate) struct Stages<P: ?Sized>(Vec<NewStage<P>>);

/// A stage that is not started yet.
pub(crate) enum NewStage<P: ?Sized> {
    Exporter(Box<dyn FnOnce(ResourceHeader) -> Pipeline + Send>),
    Processor(Box<P>),
}

impl<P: ?Sized> Default for Stages<P> {
    fn default() -> Self {
        Self(Vec::new())
    }
}

impl<P: ?Sized> Stages<P> {
    pub(crate) fn add_exporter(
        &mut self,
        signal: Signal,
        exporter: impl Exporter,
        config: BatchConfig,
    ) {
        let start = move |resource| spawn(signal, resource, exporter, config);
        self.0.push(NewStage::Exporter(Box::new(start)));
    }

    pub(crate) fn add_processor(&mut self, processor: Box<P>) {
        self.0.push(NewStage::Processor(processor));
    }
}

impl<P: ?Sized + fmt::Debug> fmt::Debug for NewStage<P> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Exporter(_) => f.write_str("Exporter"),
            Self::Processor(processor) => processor.fmt(f),
        }
    }
}

fn spawn(
    signal: Signal,
    resource: ResourceHeader,
    exporter: impl Exporter,
    config: BatchConfig,
) -> Pipeline {
    let (pipeline, started) = Pipeline::spawn(signal, resource, exporter, config);
    if let Err(error) = started {
        say!(Error, %signal, %error, "the export thread could not be started; everything will be dropped and counted");
    }
    pipeline
}
