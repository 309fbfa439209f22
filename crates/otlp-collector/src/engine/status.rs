//! How it goes with every part, in plain values.

use std::time::Instant;

use otlp_core::Signal;

use super::entrance::{EntranceCounts, Moments};
use super::parts::{Parts, PipelinePart, SenderPart};
use super::readiness;
use crate::config::{ComponentId, PipelineId};
use crate::sending::{Account, ProgressSnapshot, QueueSizer};

/// What a collector is doing.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Phase {
    /// Its components are being started.
    Starting,
    /// It takes what comes.
    Running,
    /// It takes nothing more, and sends what it has.
    Stopping,
    /// It has ended.
    Stopped,
}

/// How it goes with a collector.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct Status {
    /// What it is doing.
    pub phase: Phase,
    /// When it was started.
    pub started: Instant,
    /// What takes telemetry in.
    pub receivers: Vec<ComponentStatus>,
    /// What stands beside the pipelines.
    pub extensions: Vec<ComponentStatus>,
    /// The pipelines, each after those that it hands on to.
    pub pipelines: Vec<PipelineStatus>,
    /// The exporters, each signal for itself.
    pub exporters: Vec<ExporterStatus>,
}

/// A component that listens.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct ComponentStatus {
    /// Its name.
    pub id: ComponentId,
    /// What it listens for, and where.
    pub listeners: Vec<(&'static str, std::net::SocketAddr)>,
}

/// How it goes with a pipeline.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct PipelineStatus {
    /// Its name.
    pub id: PipelineId,
    /// Receivers and connectors that bring batches.
    pub receivers: Vec<ComponentId>,
    /// Processors, in the order in which batches pass them.
    pub processors: Vec<ComponentId>,
    /// Exporters and connectors that take them.
    pub exporters: Vec<ComponentId>,
    /// What has come in so far.
    pub counts: EntranceCounts,
    /// What its processors have dropped, in items, by processor and reason.
    pub dropped: Vec<(String, u64)>,
    /// When something was last taken.
    pub last_taken: Option<Instant>,
    /// The last refusal, and when it was.
    pub last_refusal: Option<(Instant, String)>,
    /// Why it is not ready, if it is not: see [`is_ready`](Self::is_ready).
    pub problem: Option<String>,
}

impl PipelineStatus {
    /// Whether it takes what comes and moves it: the collector runs, what is inside is answered for within
    /// 30 seconds, not everything has been refused for so long, and no exporter has failed for so long.
    /// A pipeline that nothing comes into is ready.
    #[must_use]
    pub const fn is_ready(&self) -> bool {
        self.problem.is_none()
    }
}

/// How it goes with an exporter.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct ExporterStatus {
    /// Its name.
    pub id: ComponentId,
    /// What it is given.
    pub signal: Signal,
    /// Where it sends to, without secrets.
    pub destination: String,
    /// What waits in its queue, in units of its sizer, and most that may; zero without a queue.
    pub queue: (usize, usize),
    /// These units; `None` without a queue.
    pub queue_sizer: Option<QueueSizer>,
    /// What has become of everything that it was given.
    pub account: Account,
    /// How it went lately.
    pub progress: ProgressSnapshot,
}

pub(super) fn of(parts: &Parts, phase: Phase, started: Instant) -> Status {
    let exporters: Vec<_> = parts.senders.iter().map(exporter).collect();
    let pipelines = parts.pipelines.iter().map(|part| pipeline(part, phase, &exporters)).collect();
    let receivers = parts.receivers.iter();
    let extensions = parts.extensions.iter();
    Status {
        phase,
        started,
        receivers: receivers
            .map(|it| ComponentStatus { id: it.id.clone(), listeners: it.running.listeners() })
            .collect(),
        extensions: extensions
            .map(|it| ComponentStatus { id: it.id.clone(), listeners: it.running.listeners() })
            .collect(),
        pipelines,
        exporters,
    }
}

fn exporter(part: &SenderPart) -> ExporterStatus {
    let sender = &part.sender;
    ExporterStatus {
        id: part.id.clone(),
        signal: part.signal,
        destination: sender.destination(),
        queue: sender.queue_size(),
        queue_sizer: sender.queue_sizer(),
        account: sender.account(),
        progress: sender.progress(),
    }
}

fn pipeline(part: &PipelinePart, phase: Phase, exporters: &[ExporterStatus]) -> PipelineStatus {
    let moments: Vec<Moments> = part.entrances.iter().map(|(_, gate)| gate.moments()).collect();
    let behind =
        |it: &&ExporterStatus| it.signal == part.id.signal() && part.exits.contains(&it.id);
    let exporters: Vec<_> = exporters.iter().filter(behind).collect();
    let last_refusal = moments.iter().filter_map(|it| it.last_refusal.clone());
    PipelineStatus {
        id: part.id.clone(),
        receivers: part.entrances.iter().map(|(id, _)| id.clone()).collect(),
        processors: part.processors.iter().map(|it| it.id.clone()).collect(),
        exporters: part.exits.clone(),
        counts: part.counts(),
        dropped: part.dropped(),
        last_taken: moments.iter().filter_map(|it| it.last_taken).max(),
        last_refusal: last_refusal.max_by_key(|(at, _)| *at),
        problem: readiness::problem(phase, &moments, &exporters),
    }
}
