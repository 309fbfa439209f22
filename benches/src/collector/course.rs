//! What is measured: one collector, once.

use std::collections::BTreeMap;
use std::path::Path;
use std::process::Command;

use super::contestant::{Collector, Program, Who};
use super::effort::Effort;
use super::ends::{Load, Sink};
use super::load::{LoadReport, LoadTask, Phase};
use super::spans::Edit;
use super::yaml::Setup;
use crate::sink::Expected;
use crate::subject::{Failure, Transport};

/// A measurement, from which one row or several take their figures.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Course {
    /// Closed load through a pipeline.
    Pass(Pass),
    /// The same with an edit, and before it without.
    OnTop(Pass),
    /// A start, and a moment without work.
    Start,
    /// Closed load in requests of all sizes, one size after the other.
    AllSizes,
    /// Ten times as much as the sink takes.
    Overload,
    /// The program's file.
    Binary,
}

/// What goes through a pipeline, and how.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Pass {
    /// How requests come in. They go out over gRPC.
    pub entrance: Transport,
    /// Spans in a request.
    pub spans: usize,
    /// Whether requests are compressed with gzip, coming and going.
    pub gzip: bool,
    /// What is changed.
    pub edit: Edit,
}

impl Pass {
    /// gRPC, not compressed, not changed.
    #[must_use]
    pub const fn of(spans: usize) -> Self {
        Self { entrance: Transport::Grpc, spans, gzip: false, edit: Edit::None }
    }

    fn setup(self) -> Setup {
        let Self { edit, gzip: gzip_out, .. } = self;
        Setup { grpc_port: 0, http_port: 0, sink_port: 0, edit, gzip_out, limit_mib: None }
    }

    fn load(self, collector: &Collector, phases: Vec<Phase>) -> Result<Load, Failure> {
        let Self { entrance: transport, spans, gzip, .. } = self;
        Load::start(LoadTask { transport, port: collector.port(transport), spans, gzip, phases })
    }
}

/// What one measurement can say.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Gauge {
    /// CPU seconds of the collector per million spans.
    Cpu,
    /// The same, less those without the edit.
    CpuOnTop,
    /// Milliseconds within which 99 of 100 requests are answered.
    P99,
    /// MiB of resident memory without work.
    ResidentIdle,
    /// The most MiB that there were.
    ResidentPeak,
    /// MB of the program without symbols.
    Size,
    /// Milliseconds from its start until it listens.
    Start,
}

/// The figures of one measurement, and what a reader should know beside them.
#[derive(Clone, Debug, Default)]
pub struct Sample {
    /// The figures.
    pub figures: BTreeMap<Gauge, f64>,
    /// The rest.
    pub note: String,
}

impl Sample {
    fn of<const N: usize>(figures: [(Gauge, f64); N], note: String) -> Self {
        Self { figures: figures.into(), note }
    }
}

impl Course {
    /// Whether this collector can be measured: the one on `prost` has no program of its own.
    #[must_use]
    pub fn admits(self, who: Who) -> bool {
        self != Self::Binary || who != Who::Prost
    }

    /// Before anything is measured: all that goes through comes out as it has to be.
    ///
    /// # Errors
    ///
    /// A process failed, or a span did not arrive, or not as it has to be.
    pub fn check(self, program: &Program) -> Result<(), Failure> {
        match self {
            Self::Pass(pass) | Self::OnTop(pass) => check(pass, program),
            Self::AllSizes | Self::Overload => check(Pass::of(100), program),
            Self::Start | Self::Binary => Ok(()),
        }
    }

    /// Measures once.
    ///
    /// # Errors
    ///
    /// A process failed, or a span that was accepted did not arrive.
    pub fn run(self, program: &Program, who: Who, effort: &Effort) -> Result<Sample, Failure> {
        match self {
            Self::Pass(pass) => through(pass, program, effort),
            Self::OnTop(pass) => on_top(pass, program, effort),
            Self::Start => start(program, effort),
            Self::AllSizes => all_sizes(program, effort),
            Self::Overload => overload(program, who, effort),
            Self::Binary => binary(program),
        }
    }
}

fn check(pass: Pass, program: &Program) -> Result<(), Failure> {
    let mut sink = Sink::start(Some(Expected::Collected(pass.edit)), None)?;
    let collector = Collector::start(program, sink.under(pass.setup()))?;
    let mut load = pass.load(&collector, vec![Phase::Once])?;
    let report = load.phase()?;
    if report.accepted == 0 || report.refused > 0 {
        return Err(format!("does not take single requests: {report:?}").into());
    }
    sink.take_all(report.accepted)
}

fn through(pass: Pass, program: &Program, effort: &Effort) -> Result<Sample, Failure> {
    let mut sink = Sink::start(None, None)?;
    let collector = Collector::start(program, sink.under(pass.setup()))?;
    let phases = vec![Phase::Closed(effort.warm_up), Phase::Closed(effort.time)];
    let mut load = pass.load(&collector, phases)?;
    let warm_up = load.phase()?;
    sink.take_all(warm_up.accepted)?;
    let cpu = collector.cpu()?;
    let report = load.phase()?;
    sink.take_all(report.accepted)?;
    let cpu = collector.cpu()?.saturating_sub(cpu);
    if report.accepted == 0 {
        return Err(format!("accepted nothing: {report:?}").into());
    }
    let per_million = cpu.as_secs_f64() * 1e6 / report.accepted as f64;
    let p99 = report.p99_micros as f64 / 1e3;
    Ok(Sample::of([(Gauge::Cpu, per_million), (Gauge::P99, p99)], describe(&report, &sink)))
}

fn on_top(pass: Pass, program: &Program, effort: &Effort) -> Result<Sample, Failure> {
    let plain = through(Pass { edit: Edit::None, ..pass }, program, effort)?;
    let mut sample = through(pass, program, effort)?;
    let cpu = |sample: &Sample| sample.figures.get(&Gauge::Cpu).copied().unwrap_or(f64::NAN);
    let (without, with) = (cpu(&plain), cpu(&sample));
    sample.figures.insert(Gauge::CpuOnTop, with - without);
    sample.note.push_str(&format!("; CPU {without:.3} s per M spans without the edit"));
    Ok(sample)
}

fn start(program: &Program, effort: &Effort) -> Result<Sample, Failure> {
    let sink = Sink::start(None, None)?;
    let collector = Collector::start(program, sink.under(Pass::of(100).setup()))?;
    std::thread::sleep(effort.idle);
    let start = collector.start.as_secs_f64() * 1e3;
    let figures = [(Gauge::Start, start), (Gauge::ResidentIdle, collector.resident()?)];
    Ok(Sample::of(figures, String::new()))
}

fn all_sizes(program: &Program, effort: &Effort) -> Result<Sample, Failure> {
    let mut sink = Sink::start(None, None)?;
    let collector = Collector::start(program, sink.under(Pass::of(100).setup()))?;
    let mut note = Vec::new();
    for spans in [10, 100, 1_000] {
        let mut load = Pass::of(spans).load(&collector, vec![Phase::Closed(effort.time)])?;
        let report = load.phase()?;
        sink.take_all(report.accepted)?;
        note.push(format!("after requests of {spans} {:.1} MiB", collector.resident_peak()?));
    }
    let peak = collector.resident_peak()?;
    Ok(Sample::of([(Gauge::ResidentPeak, peak)], note.join(", ")))
}

/// The figure counts for ours only if nothing is lost; what others lose is said beside theirs.
fn overload(program: &Program, who: Who, effort: &Effort) -> Result<Sample, Failure> {
    let mut sink = Sink::start(None, Some(SLOW_RATE))?;
    let setup = Setup { limit_mib: Some(OVERLOAD_LIMIT_MIB), ..Pass::of(100).setup() };
    let collector = Collector::start(program, sink.under(setup))?;
    let paced = Phase::Paced(effort.overload, OVERLOAD * SLOW_RATE);
    let report = Pass::of(100).load(&collector, vec![paced])?.phase()?;
    sink.release()?;
    let drained = sink.take_all(report.accepted);
    let peak = collector.resident_peak()?;
    let mut note = describe(&report, &sink);
    match drained {
        Ok(()) => note.push_str("; nothing that was accepted was lost"),
        Err(error) if who == Who::Ours => {
            return Err(format!("{error}; {note}; {}", collector.last_words()).into());
        }
        Err(error) => note.push_str(&format!("; {error}")),
    }
    Ok(Sample::of([(Gauge::ResidentPeak, peak)], note))
}

fn binary(program: &Program) -> Result<Sample, Failure> {
    let Program::Binary(path) = program else {
        return Err("the collector on prost has no program of its own".into());
    };
    let (before, after) = (path.metadata()?.len(), stripped(path)?);
    let megabytes = |bytes: u64| bytes as f64 / 1e6;
    let note = format!("{:.1} MB with symbols", megabytes(before));
    Ok(Sample::of([(Gauge::Size, megabytes(after))], note))
}

fn stripped(path: &Path) -> Result<u64, Failure> {
    let directory = tempfile::tempdir()?;
    let copy = directory.path().join("stripped");
    let status = Command::new("strip").arg("-o").arg(&copy).arg(path).status();
    let status = status.map_err(|error| format!("strip (of binutils): {error}"))?;
    if !status.success() {
        return Err(format!("strip: {status}").into());
    }
    Ok(copy.metadata()?.len())
}

fn describe(report: &LoadReport, sink: &Sink) -> String {
    let LoadReport { accepted, refused, seconds, p50_micros, p99_micros, max_micros, .. } = report;
    let mut text = format!(
        "{:.0} k spans/s accepted, answered within {p50_micros} µs (p50), {p99_micros} (p99), {max_micros} \
         (longest), {:.0} spans a request at the sink",
        *accepted as f64 / seconds / 1e3,
        sink.spans_per_request(),
    );
    if *refused > 0 {
        let reason = report.refusal.as_deref().unwrap_or("partial success");
        text.push_str(&format!("; {refused} spans refused, beside {accepted} accepted ({reason})"));
    }
    text
}

/// Spans a second that the sink takes under overload.
const SLOW_RATE: u64 = 20_000;
/// How many times as much is sent.
const OVERLOAD: u64 = 10;
/// The memory limiter's limit under overload.
pub const OVERLOAD_LIMIT_MIB: u32 = 128;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_a_program_has_a_size() {
        assert!(binary(&Program::Prost).is_err());
        assert!(!Course::Binary.admits(Who::Prost) && Course::Binary.admits(Who::Go));
    }
}
