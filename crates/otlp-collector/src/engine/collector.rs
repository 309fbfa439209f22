//! A collector that runs, and how it ends.

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use futures_util::future::join_all;
use otlp_core::export::Deadline;

use super::board::Board;
use super::entrance::Gate;
use super::ledger::Ledger;
use super::parts::Parts;
use super::status::Phase;
use crate::clock::now;
use crate::component::Running;

/// A collector that runs until it is [stopped](Self::stop). Dropped, it is cut: what it holds is given up.
#[derive(Debug)]
#[must_use = "dropped, it ends at once"]
pub struct Collector {
    board: Board,
}

impl Collector {
    pub(super) const fn new(board: Board) -> Self {
        Self { board }
    }

    /// What it knows of itself.
    #[must_use]
    pub const fn board(&self) -> &Board {
        &self.board
    }

    /// Where its receivers listen: their names, what for, and the address with the port that was taken for port 0.
    #[must_use]
    pub fn listeners(&self) -> Vec<(String, &'static str, SocketAddr)> {
        self.board.read(|parts| {
            let of = |id: String, running: &Arc<dyn Running>| {
                let listeners = running.listeners().into_iter();
                listeners
                    .map(move |(what, address)| (id.clone(), what, address))
                    .collect::<Vec<_>>()
            };
            parts.receivers.iter().flat_map(|it| of(it.id.to_string(), &it.running)).collect()
        })
    }

    /// Where a receiver listens for a protocol: `otlp`, `grpc`.
    #[must_use]
    pub fn listener(&self, receiver: &str, protocol: &str) -> Option<SocketAddr> {
        let found = self.listeners().into_iter();
        let mut found = found.filter(|(id, what, _)| id == receiver && *what == protocol);
        found.next().map(|(_, _, address)| address)
    }

    /// Ends it: receivers take nothing more at once, and have until half the time to answer what they have; then
    /// pipelines empty themselves; what waits to be sent has until `deadline`. Returns the account of everything,
    /// which also goes to the log.
    pub async fn stop(self, deadline: Deadline) -> Ledger {
        self.board.enter(Phase::Stopping);
        let of_receivers = part_of(deadline);
        self.answer_by(most_of(of_receivers));
        self.stop_receivers(of_receivers).await;
        self.empty_pipelines(part_of(deadline)).await;
        self.stop_senders(deadline).await;
        // What was under way has ended with the senders, and its answers are on their way back.
        self.until_empty(Deadline::after(now(), LAST_ANSWERS)).await;
        self.until_nobody_is_late(Deadline::after(now(), LAST_ANSWERS)).await;
        self.stop_extensions(deadline).await;
        self.board.enter(Phase::Stopped);
        self.board.keep_measurements();
        let ledger = self.board.ledger();
        ledger.log();
        ledger
    }

    /// Stops what was started of a collector that does not start.
    pub(super) async fn give_up(self) {
        let deadline = Deadline::after(now(), GIVE_UP);
        self.stop_receivers(deadline).await;
        self.empty_pipelines(deadline).await;
        self.stop_senders(deadline).await;
        self.stop_extensions(deadline).await;
    }

    async fn stop_receivers(&self, deadline: Deadline) {
        let receivers = self.board.read(|parts| {
            parts.receivers.iter().map(|it| Arc::clone(&it.running)).collect::<Vec<_>>()
        });
        join_all(receivers.iter().map(|it| it.stop(deadline))).await;
    }

    /// From the first pipelines to those behind them.
    async fn empty_pipelines(&self, deadline: Deadline) {
        let nodes = self.board.read(|parts| {
            let pipelines = parts.pipelines.iter().rev();
            let nodes = pipelines.map(|it| {
                let processors = it.processors.iter().map(|it| Arc::clone(&it.running));
                (gates(it.entrances.iter()), processors.collect::<Vec<_>>())
            });
            nodes.collect::<Vec<_>>()
        });
        for (gates, processors) in nodes {
            for processor in &processors {
                processor.stop(deadline).await;
            }
            empty(&gates, deadline).await;
        }
        let connectors = self.board.read(|parts| {
            parts.connectors.iter().map(|it| Arc::clone(&it.node)).collect::<Vec<_>>()
        });
        for connector in connectors {
            connector.stop(deadline).await;
        }
    }

    /// Who waits for a delivery is answered before his connection is cut.
    fn answer_by(&self, deadline: Deadline) {
        self.board.read(|parts| parts.senders.iter().for_each(|it| it.sender.answer_by(deadline)));
    }

    async fn stop_senders(&self, deadline: Deadline) {
        let senders = self.board.read(|parts| {
            parts.senders.iter().map(|it| Arc::clone(&it.sender)).collect::<Vec<_>>()
        });
        join_all(senders.iter().map(|it| it.shutdown(deadline))).await;
    }

    async fn until_empty(&self, deadline: Deadline) {
        let gates = self
            .board
            .read(|parts| gates(parts.pipelines.iter().flat_map(|it| it.entrances.iter())));
        empty(&gates, deadline).await;
    }

    /// What a branch has answered when nobody waited for it any more is in the books, too.
    async fn until_nobody_is_late(&self, deadline: Deadline) {
        let junctions = self.board.read(|parts| {
            let of_receivers = parts.receivers.iter().flat_map(|it| it.junctions.iter());
            let of_connectors = parts.connectors.iter().flat_map(|it| it.junctions.iter());
            let of_pipelines = parts.pipelines.iter().map(|it| &it.junction);
            of_receivers.chain(of_connectors).chain(of_pipelines).cloned().collect::<Vec<_>>()
        });
        in_time(join_all(junctions.iter().map(|it| it.until_empty())), deadline).await;
    }

    /// The last first.
    async fn stop_extensions(&self, deadline: Deadline) {
        let extensions = self.board.read(|parts| {
            parts.extensions.iter().map(|it| Arc::clone(&it.running)).collect::<Vec<_>>()
        });
        for extension in extensions.iter().rev() {
            extension.stop(deadline).await;
        }
    }
}

impl Drop for Collector {
    /// Extensions know the board, and the board knows them.
    fn drop(&mut self) {
        self.board.enter(Phase::Stopped);
        let parts = self.board.edit(std::mem::take::<Parts>);
        drop(parts);
    }
}

fn gates<'a, I: 'a>(entrances: impl Iterator<Item = &'a (I, Arc<Gate>)>) -> Vec<Arc<Gate>> {
    entrances.map(|(_, gate)| Arc::clone(gate)).collect()
}

async fn empty(gates: &[Arc<Gate>], deadline: Deadline) {
    in_time(join_all(gates.iter().map(|gate| gate.until_empty())), deadline).await;
}

async fn in_time<T>(work: impl Future<Output = T>, deadline: Deadline) {
    match deadline.instant() {
        None => drop(work.await),
        Some(at) => drop(tokio::time::timeout_at(at.into(), work).await),
    }
}

/// Half of what is left, for those who are followed by others.
fn part_of(deadline: Deadline) -> Deadline {
    let now = now();
    match deadline.remaining(now) {
        Some(left) => Deadline::after(now, left / 2),
        None => deadline,
    }
}

/// All but the time that answers need on their way.
fn most_of(deadline: Deadline) -> Deadline {
    let now = now();
    match deadline.remaining(now) {
        Some(left) => Deadline::after(now, left.mul_f64(0.9)),
        None => deadline,
    }
}

const GIVE_UP: Duration = Duration::from_secs(5);
const LAST_ANSWERS: Duration = Duration::from_secs(1);
