//! The client process of an end-to-end row: one side, one exporter, so much to send.

use std::time::{Duration, Instant};

use serde::{Deserialize, Serialize};

use crate::courier;
use crate::measure::{process_cpu, resident_bytes};
use crate::ours;
use crate::peers::official;
use crate::subject::{Account, Failure, Subject, Target};
use crate::workload::Work;

/// What a client process has to do.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct ClientTask {
    /// Which stack.
    pub side: SideName,
    /// Where to and how.
    pub target: Target,
    /// What to do.
    pub job: Job,
}

/// Which stack a client process runs.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum SideName {
    /// Ours.
    Ours,
    /// The official crates.
    Peer,
}

/// What a client process does.
#[derive(Clone, Copy, Debug, Serialize, Deserialize)]
pub enum Job {
    /// Makes spans, which an SDK exports.
    Spans(Host, Pace),
    /// Calls the exporter itself, one call after the other.
    Exports {
        /// With what.
        load: Load,
        /// Calls before the clock starts.
        warm_up: u64,
        /// Calls while it runs.
        exports: u64,
    },
}

/// The SDK in front of our exporter. The peer always has its own.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Host {
    /// Ours.
    Ours,
    /// The official one, through our bridge.
    Official,
}

/// What is handed to an exporter in one call.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Load {
    /// A batch of the official SDK's finished spans.
    SpanBatches,
    /// What the official SDK has collected once.
    Metrics,
    /// What the official SDK collects for this call: each side's periodic reader is flushed.
    CollectedMetrics,
}

/// In which way a client makes its spans.
#[derive(Clone, Copy, Debug, Serialize, Deserialize)]
pub enum Pace {
    /// As fast as the exporter takes them: the producer waits while [`WINDOW`] are on the way.
    Lossless {
        /// Made before the clock starts: connection, buffers, compression contexts.
        warm_up: u64,
        /// Made while it runs.
        spans: u64,
    },
    /// At a rate, whatever becomes of them; then flush and shutdown.
    Paced {
        /// Spans in all.
        spans: u64,
        /// Spans per second.
        rate: u64,
    },
    /// The same with nobody listening, so nothing to flush; watches resident memory.
    Away {
        /// Spans in all.
        spans: u64,
        /// Spans per second.
        rate: u64,
    },
}

/// What a client process found.
#[derive(Clone, Copy, Debug, Default, Serialize, Deserialize)]
pub struct ClientReport {
    /// Items that were made or handed over, warm-up included.
    pub ended: u64,
    /// Those of them while the clock ran.
    pub measured: u64,
    /// Those that the exporter says the server took, warm-up included.
    pub exported: u64,
    /// Process CPU while the clock ran, flush included.
    pub cpu_seconds: f64,
    /// Wall clock of the same.
    pub wall_seconds: f64,
    /// Wall clock until the last span had ended.
    pub made_seconds: f64,
    /// Most resident memory over that before the provider was made.
    pub resident_growth: u64,
    /// What the side itself says about them at the end.
    pub account: Option<Account>,
    /// How often the producer had to flush to get the stack to move.
    pub stalls: u64,
}

/// Spans on the way, at most, in a lossless row.
pub const WINDOW: u64 = 8_192;

/// Spans between two looks at the window, and between two looks at the clock.
const STEP: u64 = 64;

/// Carries out the task.
///
/// # Errors
///
/// The exporter cannot be built, a lossless client could not flush, or memory cannot be read.
pub fn run(task: &ClientTask) -> Result<ClientReport, Failure> {
    let before = resident_bytes()?;
    let target = &task.target;
    match task.job {
        Job::Spans(host, pace) => match (task.side, host) {
            (SideName::Ours, Host::Ours) => drive(&ours::remote(target)?, pace, before),
            (SideName::Ours, Host::Official) => drive(&ours::bridge::remote(target)?, pace, before),
            (SideName::Peer, _) => drive(&official::remote(target)?, pace, before),
        },
        Job::Exports { load, warm_up, exports } => {
            let mut courier = match task.side {
                SideName::Ours => ours::bridge::courier(load, target)?,
                SideName::Peer => official::courier(load, target)?,
            };
            courier::run(&mut *courier, warm_up, exports)
        }
    }
}

fn drive(subject: &dyn Subject, pace: Pace, resident: u64) -> Result<ClientReport, Failure> {
    match pace {
        Pace::Lossless { warm_up, spans } => lossless(subject, warm_up, spans),
        Pace::Paced { spans, rate } => paced(subject, spans, rate),
        Pace::Away { spans, rate } => away(subject, spans, rate, resident),
    }
}

fn lossless(subject: &dyn Subject, warm_up: u64, spans: u64) -> Result<ClientReport, Failure> {
    let mut stalls = 0;
    stalls += make_lossless(subject, warm_up)?;
    subject.flush()?;
    let (cpu, wall) = (process_cpu(), Instant::now());
    stalls += make_lossless(subject, spans)?;
    let made_seconds = wall.elapsed().as_secs_f64();
    subject.flush()?;
    let report = ClientReport {
        ended: warm_up + spans,
        measured: spans,
        cpu_seconds: (process_cpu() - cpu).as_secs_f64(),
        wall_seconds: wall.elapsed().as_secs_f64(),
        made_seconds,
        stalls,
        ..ClientReport::default()
    };
    subject.shutdown(SHUTDOWN_TIMEOUT)?;
    Ok(finished(subject, report))
}

/// Returns how often the exporter did not move by itself.
fn make_lossless(subject: &dyn Subject, spans: u64) -> Result<u64, Failure> {
    let progress = subject.progress();
    let start = progress.spans();
    let (mut made, mut stalls) = (0, 0);
    while made < spans {
        let step = STEP.min(spans - made);
        subject.make(WORK, step as usize);
        made += step;
        let on_the_way = made.saturating_sub(progress.spans() - start);
        if on_the_way > WINDOW && !progress.wait_for(start + made - WINDOW / 2, STALL) {
            stalls += 1;
            subject.flush()?;
        }
    }
    Ok(stalls)
}

fn paced(subject: &dyn Subject, spans: u64, rate: u64) -> Result<ClientReport, Failure> {
    let (cpu, wall) = (process_cpu(), Instant::now());
    make_paced(subject, spans, rate, || Ok(()))?;
    let made_seconds = wall.elapsed().as_secs_f64();
    // A stack that loses spans may report so here; the sink has the count.
    let _ = subject.flush();
    let report = ClientReport {
        ended: spans,
        measured: spans,
        cpu_seconds: (process_cpu() - cpu).as_secs_f64(),
        wall_seconds: wall.elapsed().as_secs_f64(),
        made_seconds,
        ..ClientReport::default()
    };
    let _ = subject.shutdown(SHUTDOWN_TIMEOUT);
    Ok(finished(subject, report))
}

fn away(
    subject: &dyn Subject,
    spans: u64,
    rate: u64,
    resident: u64,
) -> Result<ClientReport, Failure> {
    let (cpu, wall) = (process_cpu(), Instant::now());
    let (mut most, mut next_look) = (resident, wall);
    make_paced(subject, spans, rate, || {
        let now = Instant::now();
        if now >= next_look {
            next_look = now + RESIDENT_INTERVAL;
            most = most.max(resident_bytes()?);
        }
        Ok(())
    })?;
    let report = ClientReport {
        ended: spans,
        measured: spans,
        cpu_seconds: (process_cpu() - cpu).as_secs_f64(),
        wall_seconds: wall.elapsed().as_secs_f64(),
        made_seconds: wall.elapsed().as_secs_f64(),
        resident_growth: most.max(resident_bytes()?).saturating_sub(resident),
        ..ClientReport::default()
    };
    // Nobody can take what is held, so this fails; only an account makes it worth the wait.
    if subject.account().is_some() {
        let _ = subject.shutdown(AWAY_SHUTDOWN_TIMEOUT);
    }
    Ok(finished(subject, report))
}

/// Makes what is due, then sleeps for a tick. Sleeping leaves the core to the exporter.
fn make_paced(
    subject: &dyn Subject,
    spans: u64,
    rate: u64,
    mut every_step: impl FnMut() -> Result<(), Failure>,
) -> Result<(), Failure> {
    let start = Instant::now();
    let mut made = 0;
    while made < spans {
        let due = (start.elapsed().as_secs_f64() * rate as f64) as u64;
        let step = due.min(spans).saturating_sub(made);
        if step == 0 {
            std::thread::sleep(TICK);
        }
        subject.make(WORK, step.min(STEP) as usize);
        made += step.min(STEP);
        every_step()?;
    }
    Ok(())
}

fn finished(subject: &dyn Subject, report: ClientReport) -> ClientReport {
    let (exported, account) = (subject.progress().spans(), subject.account());
    ClientReport { exported, account, ..report }
}

const WORK: Work = Work::Root { attributes: 10 };

/// How long a lossless producer waits before it calls the exporter stuck.
const STALL: Duration = Duration::from_millis(500);

/// Sleep of a paced producer that is ahead.
const TICK: Duration = Duration::from_micros(250);

/// Between two looks at resident memory.
const RESIDENT_INTERVAL: Duration = Duration::from_millis(50);

/// What an application would give its telemetry at exit.
const SHUTDOWN_TIMEOUT: Duration = Duration::from_secs(10);

/// Enough to give up what nobody takes.
const AWAY_SHUTDOWN_TIMEOUT: Duration = Duration::from_secs(1);
