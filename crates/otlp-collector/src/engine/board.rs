//! What the collector knows of itself.

use std::fmt;
use std::sync::Arc;
use std::time::Instant;

use otlp_core::Signal;
use parking_lot::{Mutex, RwLock};

use super::ledger::Ledger;
use super::parts::{Parts, PipelinePart};
use super::status::{self, Phase, Status};
use crate::admission::Budget;
use crate::clock::now;
use crate::component::{Node, Running};
use crate::config::PipelineId;
use crate::sending::Sender;
use crate::telemetry::{Measurements, exporter, pipeline};

/// What the collector knows of itself: for extensions that show it, and for its own telemetry. Clones share it.
#[derive(Clone)]
pub struct Board(Arc<State>);

struct State {
    budget: Budget,
    started: Instant,
    phase: RwLock<Phase>,
    parts: RwLock<Parts>,
    /// The numbers of the end.
    last: Mutex<Option<Measurements>>,
}

impl Board {
    pub(super) fn new(budget: Budget) -> Self {
        let (phase, parts) = (RwLock::new(Phase::Starting), RwLock::default());
        Self(Arc::new(State { budget, started: now(), phase, parts, last: Mutex::default() }))
    }

    /// What it is doing.
    #[must_use]
    pub fn phase(&self) -> Phase {
        *self.0.phase.read()
    }

    /// When it was started.
    #[must_use]
    pub fn started(&self) -> Instant {
        self.0.started
    }

    /// The bytes that may be here at once, and those that are.
    #[must_use]
    pub fn budget(&self) -> &Budget {
        &self.0.budget
    }

    /// How it goes with every pipeline and every exporter.
    #[must_use]
    pub fn status(&self) -> Status {
        let phase = self.phase();
        status::of(&self.0.parts.read(), phase, self.0.started)
    }

    /// What has become of every item so far.
    #[must_use]
    pub fn ledger(&self) -> Ledger {
        Ledger::of(&self.0.parts.read())
    }

    /// What every component has counted. The attributes say which it is: `receiver`, `processor` with
    /// `pipeline` and `otel_signal`, `exporter` with `data_type`, `connector`, `extension`.
    /// After the end they are those of the end.
    #[must_use]
    pub fn measurements(&self) -> Measurements {
        if let Some(last) = &*self.0.last.lock() {
            return last.clone();
        }
        let mut all = Measurements::default();
        for (label, id, running) in self.running() {
            all.within(label, id, |all| all.of(|all| running.measure(all)));
        }
        for (pipeline, id, node) in self.nodes() {
            all.within("pipeline", pipeline.to_string(), |all| {
                all.within("otel_signal", pipeline.signal().name(), |all| {
                    all.within("processor", id, |all| all.of(|all| node.measure(all)));
                });
            });
        }
        for (id, signal, sender) in self.senders() {
            all.within("exporter", id, |all| exporter::measure(&sender, signal, all));
        }
        pipeline::measure(self, &mut all);
        all
    }

    /// Keeps the numbers, of which nothing will change any more.
    pub(super) fn keep_measurements(&self) {
        let last = self.measurements();
        *self.0.last.lock() = Some(last);
    }

    /// Receivers, connectors and extensions. What they count is asked outside the lock, since they may be others'.
    fn running(&self) -> Vec<(&'static str, String, Arc<dyn Running>)> {
        let parts = self.0.parts.read();
        let receivers = parts
            .receivers
            .iter()
            .map(|it| ("receiver", it.id.to_string(), Arc::clone(&it.running)));
        let connectors = parts
            .connectors
            .iter()
            .map(|it| ("connector", it.id.to_string(), Arc::clone(&it.node) as Arc<dyn Running>));
        let extensions = parts
            .extensions
            .iter()
            .map(|it| ("extension", it.id.to_string(), Arc::clone(&it.running)));
        receivers.chain(connectors).chain(extensions).collect()
    }

    fn nodes(&self) -> Vec<(PipelineId, String, Arc<dyn Node>)> {
        let parts = self.0.parts.read();
        let of = |pipeline: &PipelinePart| {
            let nodes = pipeline.processors.iter();
            nodes
                .map(|it| (pipeline.id.clone(), it.id.to_string(), Arc::clone(&it.running)))
                .collect::<Vec<_>>()
        };
        parts.pipelines.iter().flat_map(of).collect()
    }

    fn senders(&self) -> Vec<(String, Signal, Arc<Sender>)> {
        let parts = self.0.parts.read();
        let senders = parts.senders.iter();
        senders.map(|it| (it.id.to_string(), it.signal, Arc::clone(&it.sender))).collect()
    }

    pub(super) fn enter(&self, phase: Phase) {
        *self.0.phase.write() = phase;
    }

    pub(super) fn edit<T>(&self, edit: impl FnOnce(&mut Parts) -> T) -> T {
        edit(&mut self.0.parts.write())
    }

    /// The parts, to end them: what has ended is still there for the ledger.
    pub(super) fn read<T>(&self, read: impl FnOnce(&Parts) -> T) -> T {
        read(&self.0.parts.read())
    }
}

impl Default for Board {
    /// Of a collector without parts.
    fn default() -> Self {
        Self::new(Budget::new(usize::MAX))
    }
}

impl fmt::Debug for Board {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Board({:?})", self.phase())
    }
}
