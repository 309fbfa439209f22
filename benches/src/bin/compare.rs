//! `compare`: our crates beside the official ones, in one run, as ratios.

use std::fs::File;
use std::io::{self, Write};
use std::process::ExitCode;
use std::time::{Duration, Instant};

use otlp_benches::alloc::CountingAllocator;
use otlp_benches::client::Host;
use otlp_benches::effort::Effort;
use otlp_benches::end_to_end;
use otlp_benches::process::{self, Task};
use otlp_benches::report::{self, Figures};
use otlp_benches::rounds::Rounds;
use otlp_benches::rows::{self, Kind, Row};
use otlp_benches::subject::{Codec, Failure};

#[global_allocator]
static ALLOCATOR: CountingAllocator = CountingAllocator;

const USAGE: &str = "\
usage: compare [--quick | --smoke] [--only ROW]... [--json FILE]

  --quick      all rows within three minutes; the figures are rougher
  --smoke      one short round of each row, to see that they work; the figures mean nothing
  --only ROW   this row only; may be given several times
  --json FILE  writes one JSON object a line: row, unit, ours, peer, peer_name, ratio
  --list       names the rows

Ratios are peer / ours within a round (span_threads2: ours with two threads / with one). A ratio
against nothing lost or allocated is infinite, which JSON writes as null. Ends with 1 when a row
could not be measured; a bar that is not reached is said in the table.";

fn main() -> ExitCode {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let result = match arguments.as_slice() {
        [child, task] if child == process::CHILD => process::carry_out(task).map(|()| true),
        _ => Options::parse(&arguments).and_then(|options| compare(&options)),
    };
    match result {
        Ok(true) => ExitCode::SUCCESS,
        Ok(false) => ExitCode::FAILURE,
        Err(error) => {
            // Nothing is left to do when standard error is gone too.
            let _ = writeln!(io::stderr(), "compare: {error}");
            ExitCode::FAILURE
        }
    }
}

/// What the command line asks for.
struct Options {
    effort: Effort,
    rows: Vec<&'static Row>,
    json: Option<File>,
    list: bool,
}

impl Options {
    fn parse(arguments: &[String]) -> Result<Self, Failure> {
        let mut options = Self { effort: Effort::FULL, rows: Vec::new(), json: None, list: false };
        let mut arguments = arguments.iter().map(String::as_str);
        while let Some(argument) = arguments.next() {
            match argument {
                "--quick" => options.effort = Effort::QUICK,
                "--smoke" => options.effort = Effort::SMOKE,
                "--list" | "--help" | "-h" => options.list = true,
                "--only" => options.rows.push(named(value(argument, arguments.next())?)?),
                "--json" => options.json = Some(create(value(argument, arguments.next())?)?),
                other => return Err(format!("unknown argument {other:?}\n{USAGE}").into()),
            }
        }
        if options.rows.is_empty() {
            options.rows.extend(rows::all());
        }
        Ok(options)
    }
}

fn value<'a>(argument: &str, value: Option<&'a str>) -> Result<&'a str, Failure> {
    value.ok_or_else(|| format!("{argument} needs a value\n{USAGE}").into())
}

fn named(name: &str) -> Result<&'static Row, Failure> {
    Row::named(name).ok_or_else(|| {
        let known: Vec<_> = rows::all().map(|row| row.name).collect();
        format!("--only {name:?}: no such row; the rows are {}", known.join(", ")).into()
    })
}

fn create(path: &str) -> Result<File, Failure> {
    File::create(path).map_err(|error| format!("--json {path:?}: {error}").into())
}

/// Measures and prints row by row; `false` when one could not be measured.
fn compare(options: &Options) -> Result<bool, Failure> {
    let mut out = io::stdout().lock();
    if options.list {
        writeln!(out, "{USAGE}\n\nrows:")?;
        rows::all().try_for_each(|row| writeln!(out, "  {}", row.name))?;
        return Ok(true);
    }
    let (start, mut notes, mut complete) = (Instant::now(), Vec::new(), true);
    report::head(&mut out)?;
    for row in &options.rows {
        match measure(row, &options.effort) {
            Ok((figures, rounds)) => {
                report::line(&mut out, row.bars, &figures)?;
                if let Some(mut json) = options.json.as_ref() {
                    report::json(&mut json, &figures)?;
                }
                notes.extend(rounds.notes.into_iter().map(|note| (row.name, note)));
            }
            Err(error) => {
                complete = false;
                writeln!(out, "| {} | could not be measured: {error} |", row.name)?;
            }
        }
    }
    writeln!(out, "\n{:.0} s in all\n", start.elapsed().as_secs_f64())?;
    notes.iter().try_for_each(|(row, note)| writeln!(out, "{row}: {note}"))?;
    Ok(complete)
}

fn measure(row: &Row, effort: &Effort) -> Result<(Figures, Rounds), Failure> {
    let rounds = match row.kind {
        Kind::Spans(..) | Kind::ThreadScaling | Kind::TwoThreads => {
            let task = Task::Row { name: row.name.to_owned(), effort: *effort };
            process::ask(&task, ROW_PATIENCE)?
        }
        Kind::Export(transport, codec) => end_to_end::export(effort, Host::Ours, transport, codec)?,
        Kind::Bridge(transport) => {
            end_to_end::export(effort, Host::Official, transport, Codec::None)?
        }
        Kind::Batches(transport) => end_to_end::batches(effort, transport)?,
        Kind::Metrics(load) => end_to_end::metrics(effort, load)?,
        Kind::Loss { transport, rate } => end_to_end::loss(effort, transport, rate)?,
        Kind::ServerAway { rate } => end_to_end::server_away(effort, rate)?,
    };
    let figures = Figures::of(row, &rounds).ok_or("no rounds")?;
    Ok((figures, rounds))
}

const ROW_PATIENCE: Duration = Duration::from_secs(600);
