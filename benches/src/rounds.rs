//! Interleaved rounds in one process: each round runs both sides, one after the other, in an order
//! that turns round by round, so that a slow moment of the machine meets both.

use std::time::{Duration, Instant};

use serde::{Deserialize, Serialize};

use crate::alloc;
use crate::measure::process_cpu;
use crate::subject::{Failure, Subject};
use crate::workload::Work;

/// Spans between two flushes: under the 2,048 that the peer's default queue holds, so that no
/// span is dropped, which would be cheaper than exporting it.
pub const BURST: usize = 2_000;

/// How much is measured.
#[derive(Clone, Copy, Debug, Serialize, Deserialize)]
pub struct Plan {
    /// Rounds; ratios are taken within a round.
    pub rounds: usize,
    /// Bursts of [`BURST`] spans per side and round.
    pub bursts: usize,
}

/// What one row measures.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Gauge {
    /// Wall-clock nanoseconds on the calling thread per span, flush not included.
    CallerTime,
    /// CPU nanoseconds of the whole process per span, until every byte is made.
    ProcessCpu,
    /// Heap allocations of the calling thread per span.
    CallerAllocations,
    /// Heap allocations of the whole process per span, until every byte is made.
    ProcessAllocations,
}

/// The rounds of a row: one value of each side per round.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
pub struct Rounds {
    /// Our side.
    pub ours: Vec<f64>,
    /// The peer.
    pub peer: Vec<f64>,
    /// What a reader should know beside the figures.
    pub notes: Vec<String>,
}

/// One side of a row: what makes the spans and what they are.
pub struct Side<'a> {
    subject: &'a dyn Subject,
    work: Work,
    recorded: bool,
    made: u64,
}

impl<'a> Side<'a> {
    /// A side that has not made any span yet. Where spans are `recorded`, every one of them must
    /// come through the exporter.
    #[must_use]
    pub fn new(subject: &'a dyn Subject, work: Work, recorded: bool) -> Self {
        Self { subject, work, recorded, made: 0 }
    }

    fn burst(&mut self) {
        self.subject.make(self.work, BURST);
        if self.recorded {
            self.made += BURST as u64;
        }
    }

    /// Ends when all is through: some stacks go on after their flush has returned.
    fn settle(&self) -> Result<(), Failure> {
        self.subject.flush()?;
        let progress = self.subject.progress();
        if progress.wait_for(self.made, PATIENCE) && progress.spans() == self.made {
            return Ok(());
        }
        let (came, made) = (progress.spans(), self.made);
        Err(format!("{came} of {made} items came through the exporter; no figure from that").into())
    }
}

/// Before anything is measured: whatever is made comes through an exporter that looks at it.
///
/// # Errors
///
/// What it makes does not come through, or not as it was made.
pub fn check(subject: &dyn Subject) -> Result<(), Failure> {
    let mut side = Side::new(subject, Work::Root { attributes: 10 }, true);
    side.burst();
    side.settle()
}

/// Measures both sides.
///
/// # Errors
///
/// A flush failed, or spans of a recorded row did not come through.
pub fn run<'a>(
    plan: Plan,
    gauge: Gauge,
    mut ours: Side<'a>,
    mut peer: Side<'a>,
) -> Result<Rounds, Failure> {
    for _ in 0..WARM_UP_BURSTS {
        for side in [&mut ours, &mut peer] {
            side.burst();
            side.settle()?;
        }
    }
    let mut rounds = Rounds::default();
    for round in 0..plan.rounds {
        if round % 2 == 0 {
            rounds.ours.push(measure(plan, gauge, &mut ours)?);
            rounds.peer.push(measure(plan, gauge, &mut peer)?);
        } else {
            rounds.peer.push(measure(plan, gauge, &mut peer)?);
            rounds.ours.push(measure(plan, gauge, &mut ours)?);
        }
    }
    Ok(rounds)
}

fn measure(plan: Plan, gauge: Gauge, side: &mut Side<'_>) -> Result<f64, Failure> {
    // The other side has just used the caches.
    side.burst();
    side.settle()?;
    let total = match gauge {
        Gauge::CallerTime => caller_time(plan, side)?,
        Gauge::ProcessCpu => process_time(plan, side)?,
        Gauge::CallerAllocations => caller_allocations(plan, side)?,
        Gauge::ProcessAllocations => process_allocations(plan, side)?,
    };
    Ok(total / (plan.bursts * BURST) as f64)
}

fn caller_time(plan: Plan, side: &mut Side<'_>) -> Result<f64, Failure> {
    let mut total = Duration::ZERO;
    for _ in 0..plan.bursts {
        let start = Instant::now();
        side.burst();
        total += start.elapsed();
        side.settle()?;
    }
    Ok(nanos(total))
}

fn process_time(plan: Plan, side: &mut Side<'_>) -> Result<f64, Failure> {
    let start = process_cpu();
    for _ in 0..plan.bursts {
        side.burst();
        side.settle()?;
    }
    Ok(nanos(process_cpu() - start))
}

/// A flush is not a span: it may allocate for its answer.
fn caller_allocations(plan: Plan, side: &mut Side<'_>) -> Result<f64, Failure> {
    let mut total = 0;
    for _ in 0..plan.bursts {
        alloc::start();
        side.burst();
        total += alloc::stop().caller;
        side.settle()?;
    }
    Ok(total as f64)
}

fn process_allocations(plan: Plan, side: &mut Side<'_>) -> Result<f64, Failure> {
    alloc::start();
    let done = (0..plan.bursts).try_for_each(|_| {
        side.burst();
        side.settle()
    });
    let counted = alloc::stop();
    done.map(|()| counted.process as f64)
}

fn nanos(duration: Duration) -> f64 {
    duration.as_secs_f64() * 1e9
}

/// Enough to fill pools, grow buffers and learn the branches.
const WARM_UP_BURSTS: usize = 5;

/// For spans that are through the exporter some time after the flush.
const PATIENCE: Duration = Duration::from_secs(2);
