//! Builds what runs from what was read, from the ends of the pipelines to their beginnings.

use std::collections::HashMap;
use std::sync::Arc;

use otlp_core::Signal;

use super::blueprint::{Blueprint, find};
use super::board::Board;
use super::collector::Collector;
use super::entrance::Entrance;
use super::parts::{ConnectorPart, Part, PipelinePart, ReceiverPart, SenderPart};
use super::start::StartError;
use super::status::Phase;
use crate::admission::Budget;
use crate::component::{Destination, Host, Provided};
use crate::config::{ComponentId, PipelineId, PipelineSettings};
use crate::consumer::{Consumers, SharedConsumer};
use crate::fan_out::FanOut;
use crate::sending::{MemoryStorage, Sender};

/// Starts everything, or nothing.
pub(super) async fn start(blueprint: &Blueprint, budget: Budget) -> Result<Collector, StartError> {
    let collector = Collector::new(Board::new(budget.clone()));
    let provided = blueprint.extensions.iter().map(|it| {
        let authenticator = it.component.authenticator();
        let credentials = it.component.credentials();
        (it.id.to_string(), Provided { authenticator, credentials })
    });
    let provided = Arc::new(provided.collect());
    let board = collector.board().clone();
    let mut assembly = Assembly {
        blueprint,
        budget,
        provided,
        board,
        heads: HashMap::new(),
        exits: HashMap::new(),
    };
    match assembly.all().await {
        Ok(()) => {
            collector.board().enter(Phase::Running);
            Ok(collector)
        }
        Err(error) => {
            collector.give_up().await;
            Err(error)
        }
    }
}

/// What is there so far.
struct Assembly<'a> {
    blueprint: &'a Blueprint,
    budget: Budget,
    provided: Arc<HashMap<String, Provided>>,
    board: Board,
    /// The first node of each pipeline, before its entrances.
    heads: HashMap<PipelineId, SharedConsumer>,
    /// Exporters and connectors, by what goes in.
    exits: HashMap<(ComponentId, Signal), SharedConsumer>,
}

impl Assembly<'_> {
    async fn all(&mut self) -> Result<(), StartError> {
        let blueprint = self.blueprint;
        for it in &blueprint.extensions {
            let host = self.host(&it.id);
            let started = it.component.start(&host).await;
            let running = Arc::from(started.map_err(StartError::of("extension", &it.id))?);
            self.board.edit(|parts| parts.extensions.push(Part { id: it.id.clone(), running }));
        }
        for pipeline in &blueprint.pipelines {
            self.head(pipeline)?;
        }
        for it in &blueprint.receivers {
            let fed = |pipeline: &&PipelineSettings| pipeline.receivers.contains(&it.id);
            let pipelines: Vec<_> = blueprint.pipelines.iter().filter(fed).collect();
            if pipelines.is_empty() {
                continue;
            }
            let (consumers, junctions) = self.consumers(&it.id, &pipelines)?;
            let host = self.host(&it.id);
            let started = it.component.start(&host, consumers).await;
            let running = Arc::from(started.map_err(StartError::of("receiver", &it.id))?);
            let part = ReceiverPart { id: it.id.clone(), running, junctions };
            self.board.edit(|parts| parts.receivers.push(part));
        }
        Ok(())
    }

    fn host(&self, id: &ComponentId) -> Host {
        let (budget, provided) = (self.budget.clone(), Arc::clone(&self.provided));
        Host::new(id.clone(), budget, provided, self.board.clone())
    }

    /// The first node of a pipeline. That no circle leads back here was checked.
    fn head(&mut self, pipeline: &PipelineSettings) -> Result<SharedConsumer, StartError> {
        if let Some(head) = self.heads.get(&pipeline.id) {
            return Ok(Arc::clone(head));
        }
        let signal = pipeline.id.signal();
        let mut branches = Vec::new();
        for id in &pipeline.exporters {
            branches.push((id.to_string(), self.exit(id, signal)?));
        }
        let junction = Arc::new(FanOut::new(branches));
        let mut head: SharedConsumer = Arc::clone(&junction) as SharedConsumer;
        let mut processors = Vec::new();
        for id in pipeline.processors.iter().rev() {
            let Some(processor) = find(&self.blueprint.processors, id) else { continue };
            let started = processor.start(&self.host(id), signal, head);
            let running = started.map_err(StartError::of("processor", id))?;
            head = Arc::clone(&running) as SharedConsumer;
            processors.insert(0, Part { id: id.clone(), running });
        }
        let part = PipelinePart {
            id: pipeline.id.clone(),
            entrances: Vec::new(),
            processors,
            exits: pipeline.exporters.clone(),
            junction,
        };
        self.board.edit(|parts| parts.pipelines.push(part));
        self.heads.insert(pipeline.id.clone(), Arc::clone(&head));
        Ok(head)
    }

    /// An exporter or a connector.
    fn exit(&mut self, id: &ComponentId, signal: Signal) -> Result<SharedConsumer, StartError> {
        if let Some(exit) = self.exits.get(&(id.clone(), signal)) {
            return Ok(Arc::clone(exit));
        }
        let exit = match find(&self.blueprint.exporters, id) {
            Some(destination) => self.sender(id, signal, destination)?,
            None => self.connector(id, signal)?,
        };
        self.exits.insert((id.clone(), signal), Arc::clone(&exit));
        Ok(exit)
    }

    fn sender(
        &self,
        id: &ComponentId,
        signal: Signal,
        destination: &dyn Destination,
    ) -> Result<SharedConsumer, StartError> {
        let failed = || StartError::of("exporter", id);
        let exporter = destination.open(&self.host(id), signal).map_err(failed())?;
        let storage = Arc::new(MemoryStorage);
        let name = id.to_string();
        let sender = Sender::start_with(&name, exporter, destination.sending(), storage);
        let sender = Arc::new(sender.map_err(|error| failed()(error.into()))?);
        let part = SenderPart { id: id.clone(), signal, sender: Arc::clone(&sender) };
        self.board.edit(|parts| parts.senders.push(part));
        Ok(sender)
    }

    fn connector(
        &mut self,
        id: &ComponentId,
        signal: Signal,
    ) -> Result<SharedConsumer, StartError> {
        let pipelines = self.blueprint.behind(id, signal);
        let (consumers, junctions) = self.consumers(id, &pipelines)?;
        let Some(connector) = find(&self.blueprint.connectors, id) else {
            return Err(StartError::of("exporter", id)("it is not configured".into()));
        };
        let started = connector.start(&self.host(id), signal, &consumers);
        let node = started.map_err(StartError::of("connector", id))?;
        let part = ConnectorPart {
            id: id.clone(),
            signal,
            node: Arc::clone(&node),
            hands_on_all: connector.hands_on_all(),
            junctions,
        };
        self.board.edit(|parts| parts.connectors.push(part));
        Ok(node)
    }

    /// The way into pipelines, for somebody who brings batches.
    fn consumers(
        &mut self,
        origin: &ComponentId,
        pipelines: &[&PipelineSettings],
    ) -> Result<(Consumers, Vec<Arc<FanOut>>), StartError> {
        let (mut consumers, mut junctions) = (Consumers::default(), Vec::new());
        for signal in Signal::ALL {
            let mut branches = Vec::new();
            for pipeline in pipelines.iter().filter(|it| it.id.signal() == signal) {
                branches.push((pipeline.id.to_string(), self.entrance(origin, pipeline)?));
            }
            if !branches.is_empty() {
                let junction = Arc::new(FanOut::new(branches));
                consumers = consumers.with(signal, Arc::clone(&junction) as SharedConsumer);
                junctions.push(junction);
            }
        }
        Ok((consumers, junctions))
    }

    fn entrance(
        &mut self,
        origin: &ComponentId,
        pipeline: &PipelineSettings,
    ) -> Result<SharedConsumer, StartError> {
        let entrance = Entrance::new(self.head(pipeline)?);
        let gate = Arc::clone(entrance.gate());
        self.board.edit(|parts| {
            if let Some(part) = parts.pipelines.iter_mut().find(|it| it.id == pipeline.id) {
                part.entrances.push((origin.clone(), gate));
            }
        });
        Ok(Arc::new(entrance))
    }
}
