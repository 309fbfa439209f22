//! The rows that run in one process, as the child process for them carries them out.

use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Instant;

use crate::effort::Effort;
use crate::ours;
use crate::peers::{appender, fastrace, noop, official, tracing};
use crate::rounds::{self, Gauge, Plan, Rounds, Side};
use crate::rows::{Contest, Kind, Row};
use crate::subject::{Failure, LocalExport, Queue, Sampling, Subject};
use crate::workload::Work;

/// Measures a row that runs in one process.
///
/// # Errors
///
/// The row is of another kind, a flush failed, or spans were lost on the way.
pub fn run(row: &Row, effort: &Effort) -> Result<Rounds, Failure> {
    match row.kind {
        Kind::Spans(contest, gauge) => spans(contest, gauge, effort.plan),
        Kind::ThreadScaling => {
            let ours = deep_ours()?;
            threads(effort.plan, &Threads::rate(&ours, 2), &Threads::rate(&ours, 1))
        }
        Kind::TwoThreads => {
            let (ours, peer) = (deep_ours()?, deep_peer());
            threads(effort.plan, &Threads::cost(&ours, 2), &Threads::cost(&peer, 2))
        }
        Kind::Export(..)
        | Kind::Bridge(_)
        | Kind::Batches(_)
        | Kind::Metrics(_)
        | Kind::Loss { .. }
        | Kind::ServerAway { .. } => Err(format!("{} needs several processes", row.name).into()),
    }
}

fn spans(contest: Contest, gauge: Gauge, plan: Plan) -> Result<Rounds, Failure> {
    match contest {
        Contest::Root { attributes, sampling, export } => {
            let work = Work::Root { attributes };
            let recorded = sampling == Sampling::On;
            let ours = ours::local(sampling, export, Queue::Default)?;
            let peer = official::local(sampling, export, Queue::Default);
            pair(plan, gauge, work, recorded, &ours, &peer)
        }
        Contest::Floor { attributes } => {
            let ours = ours::local(Sampling::Off, LocalExport::Count, Queue::Default)?;
            pair(plan, gauge, Work::Root { attributes }, false, &ours, &noop::local())
        }
        Contest::Tree => {
            let ours = ours::local(Sampling::On, LocalExport::Count, Queue::Default)?;
            let peer = official::local(Sampling::On, LocalExport::Count, Queue::Default);
            pair(plan, gauge, Work::Tree, true, &ours, &peer)
        }
        Contest::Tracing => {
            let ours = tracing::bridged(ours::local_parts());
            let peer = tracing::bridged(official::local_parts(LocalExport::Count));
            pair(plan, gauge, Work::Root { attributes: 10 }, true, &ours, &peer)
        }
        Contest::TracingLayer => {
            let ours = tracing::subscribed(ours::layer_parts());
            let peer = tracing::bridged_alike(official::local_parts(LocalExport::Encode));
            pair(plan, gauge, Work::Root { attributes: 10 }, true, &ours, &peer)
        }
        Contest::Logs => {
            logs(plan, gauge, |export| appender::bridged(ours::logs::local_parts(export)))
        }
        Contest::LogsLayer => {
            logs(plan, gauge, |export| appender::subscribed(ours::logs::layer_parts(export)))
        }
        Contest::FastraceRoot => against_fastrace(plan, gauge, Work::Root { attributes: 10 }),
        Contest::FastraceTree => against_fastrace(plan, gauge, Work::Tree),
    }
}

/// Log records; the work is that of the subjects.
fn logs<S: Subject>(
    plan: Plan,
    gauge: Gauge,
    ours: impl Fn(LocalExport) -> S,
) -> Result<Rounds, Failure> {
    let peer = |export| appender::bridged(official::logs::local_parts(export));
    rounds::check(&ours(LocalExport::Check)).map_err(|error| format!("ours: {error}"))?;
    rounds::check(&peer(LocalExport::Check)).map_err(|error| format!("peer: {error}"))?;
    pair(plan, gauge, WORK, true, &ours(LocalExport::Encode), &peer(LocalExport::Encode))
}

fn against_fastrace(plan: Plan, gauge: Gauge, work: Work) -> Result<Rounds, Failure> {
    let ours = ours::local(Sampling::On, LocalExport::Count, Queue::Default)?;
    pair(plan, gauge, work, true, &ours, &fastrace::local())
}

fn pair(
    plan: Plan,
    gauge: Gauge,
    work: Work,
    recorded: bool,
    ours: &dyn Subject,
    peer: &dyn Subject,
) -> Result<Rounds, Failure> {
    let side = |subject| Side::new(subject, work, recorded);
    rounds::run(plan, gauge, side(ours), side(peer))
}

fn deep_ours() -> Result<impl Subject, Failure> {
    ours::local(Sampling::On, LocalExport::Count, Queue::Deep)
}

fn deep_peer() -> impl Subject {
    official::local(Sampling::On, LocalExport::Count, Queue::Deep)
}

/// Spans that each thread makes between two flushes: two milliseconds and more, so that the start
/// of the threads does not count, and within every deep queue.
const THREAD_BURST: usize = 20_000;

/// Spans that a thread makes before the clock starts.
const THREAD_WARM_UP: usize = 500;

/// One side of a row about threads.
struct Threads<'a> {
    subject: &'a dyn Subject,
    threads: usize,
    /// From (spans, seconds) to the row's unit.
    value: fn(f64, f64) -> f64,
}

impl<'a> Threads<'a> {
    fn rate(subject: &'a dyn Subject, threads: usize) -> Self {
        Self { subject, threads, value: |spans, seconds| spans / seconds }
    }

    fn cost(subject: &'a dyn Subject, threads: usize) -> Self {
        Self { subject, threads, value: |spans, seconds| seconds * 1e9 / spans }
    }
}

fn threads(plan: Plan, ours: &Threads<'_>, peer: &Threads<'_>) -> Result<Rounds, Failure> {
    let bursts = plan.bursts.div_ceil(4);
    measure_threads(bursts, ours)?;
    measure_threads(bursts, peer)?;
    let mut rounds = Rounds::default();
    for round in 0..plan.rounds {
        if round % 2 == 0 {
            rounds.ours.push(measure_threads(bursts, ours)?);
            rounds.peer.push(measure_threads(bursts, peer)?);
        } else {
            rounds.peer.push(measure_threads(bursts, peer)?);
            rounds.ours.push(measure_threads(bursts, ours)?);
        }
    }
    Ok(rounds)
}

fn measure_threads(bursts: usize, side: &Threads<'_>) -> Result<f64, Failure> {
    let before = side.subject.progress().spans();
    let mut seconds = 0.0;
    for _ in 0..bursts {
        seconds += together(side);
        side.subject.flush()?;
    }
    let measured = bursts * side.threads * THREAD_BURST;
    let made = (measured + bursts * side.threads * THREAD_WARM_UP) as u64;
    let came = side.subject.progress().spans() - before;
    if came != made {
        return Err(format!("{came} of {made} spans came through; no figure from that").into());
    }
    Ok((side.value)(measured as f64, seconds))
}

/// Seconds from the moment that all threads are ready until the last one is done.
fn together(side: &Threads<'_>) -> f64 {
    let ready = AtomicUsize::new(0);
    let work = || {
        // The first spans make this thread's buffers; a thread of an application lives long.
        side.subject.make(WORK, THREAD_WARM_UP);
        ready.fetch_add(1, Ordering::SeqCst);
        while ready.load(Ordering::SeqCst) < side.threads {
            std::hint::spin_loop();
        }
        let start = Instant::now();
        side.subject.make(WORK, THREAD_BURST);
        (start, Instant::now())
    };
    let times: Vec<_> = std::thread::scope(|scope| {
        let others: Vec<_> = (1..side.threads).map(|_| scope.spawn(work)).collect();
        let own = work();
        others.into_iter().filter_map(|other| other.join().ok()).chain([own]).collect()
    });
    let start = times.iter().map(|(start, _)| *start).min();
    let end = times.iter().map(|(_, end)| *end).max();
    start.zip(end).map_or(f64::NAN, |(start, end)| (end - start).as_secs_f64())
}

const WORK: Work = Work::Root { attributes: 10 };
