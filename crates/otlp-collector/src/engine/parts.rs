//! The parts of a collector that runs.

use std::sync::Arc;

use otlp_core::Signal;

use super::entrance::{EntranceCounts, Gate};
use crate::component::{Node, Running};
use crate::config::{ComponentId, PipelineId};
use crate::fan_out::FanOut;
use crate::sending::Sender;

/// Everything that runs, in the order in which it started.
#[derive(Debug, Default)]
pub(super) struct Parts {
    pub(super) extensions: Vec<Part<dyn Running>>,
    pub(super) senders: Vec<SenderPart>,
    /// Each after those that it hands on to.
    pub(super) pipelines: Vec<PipelinePart>,
    pub(super) connectors: Vec<ConnectorPart>,
    pub(super) receivers: Vec<ReceiverPart>,
}

/// A component, by its name.
#[derive(Debug)]
pub(super) struct Part<C: ?Sized> {
    pub(super) id: ComponentId,
    pub(super) running: Arc<C>,
}

#[derive(Debug)]
pub(super) struct ReceiverPart {
    pub(super) id: ComponentId,
    pub(super) running: Arc<dyn Running>,
    pub(super) junctions: Vec<Arc<FanOut>>,
}

/// An exporter of one signal.
#[derive(Debug)]
pub(super) struct SenderPart {
    pub(super) id: ComponentId,
    pub(super) signal: Signal,
    pub(super) sender: Arc<Sender>,
}

/// A connector, for one signal that goes in.
#[derive(Debug)]
pub(super) struct ConnectorPart {
    pub(super) id: ComponentId,
    pub(super) signal: Signal,
    pub(super) node: Arc<dyn Node>,
    pub(super) hands_on_all: bool,
    pub(super) junctions: Vec<Arc<FanOut>>,
}

#[derive(Debug)]
pub(super) struct PipelinePart {
    pub(super) id: PipelineId,
    /// Who brings batches, each through an entrance of its own.
    pub(super) entrances: Vec<(ComponentId, Arc<Gate>)>,
    /// In the order in which batches pass them.
    pub(super) processors: Vec<Part<dyn Node>>,
    /// Exporters and connectors.
    pub(super) exits: Vec<ComponentId>,
    pub(super) junction: Arc<FanOut>,
}

impl PipelinePart {
    pub(super) fn counts(&self) -> EntranceCounts {
        let counts = self.entrances.iter().map(|(_, gate)| gate.counts());
        counts.fold(EntranceCounts::default(), EntranceCounts::plus)
    }

    /// What its processors have dropped, by processor and reason.
    pub(super) fn dropped(&self) -> Vec<(String, u64)> {
        let drops = self.processors.iter().flat_map(|part| {
            let dropped = part.running.tally().dropped.into_iter();
            dropped.map(|(reason, items)| (format!("{}: {reason}", part.id), items))
        });
        drops.filter(|(_, items)| *items > 0).collect()
    }

    /// What its processors have answered for as taken, and still have.
    pub(super) fn held(&self) -> u64 {
        self.processors.iter().map(|part| part.running.tally().held).sum()
    }

    /// What went on although whoever brought it was told to bring it again.
    pub(super) fn repeatable(&self) -> u64 {
        self.processors.iter().map(|part| part.running.tally().repeatable).sum()
    }
}
