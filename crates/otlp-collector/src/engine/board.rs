//! What the collector knows of itself.

use std::fmt;
use std::sync::Arc;
use std::time::Instant;

use parking_lot::RwLock;

use super::ledger::Ledger;
use super::parts::Parts;
use super::status::{self, Phase, Status};
use crate::admission::Budget;
use crate::clock::now;
use crate::telemetry::{Measurements, exporter};

/// What the collector knows of itself: for extensions that show it, and for its own telemetry. Clones share it.
#[derive(Clone)]
pub struct Board(Arc<State>);

struct State {
    budget: Budget,
    started: Instant,
    phase: RwLock<Phase>,
    parts: RwLock<Parts>,
}

impl Board {
    pub(super) fn new(budget: Budget) -> Self {
        let (phase, parts) = (RwLock::new(Phase::Starting), RwLock::default());
        Self(Arc::new(State { budget, started: now(), phase, parts }))
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
    /// `pipeline`, `exporter` with `data_type`, `connector`, `extension`.
    #[must_use]
    pub fn measurements(&self) -> Measurements {
        let mut all = Measurements::default();
        let parts = self.0.parts.read();
        for it in &parts.receivers {
            all.within("receiver", it.id.to_string(), |all| it.running.measure(all));
        }
        for pipeline in &parts.pipelines {
            all.within("pipeline", pipeline.id.to_string(), |all| {
                for it in &pipeline.processors {
                    all.within("processor", it.id.to_string(), |all| it.running.measure(all));
                }
            });
        }
        for it in &parts.senders {
            all.within("exporter", it.id.to_string(), |all| {
                exporter::measure(&it.sender, it.signal, all);
            });
        }
        for it in &parts.connectors {
            all.within("connector", it.id.to_string(), |all| it.node.measure(all));
        }
        for it in &parts.extensions {
            all.within("extension", it.id.to_string(), |all| it.running.measure(all));
        }
        all
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
