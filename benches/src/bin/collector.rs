//! `collector`: our collector beside the same pipeline on `prost` and beside the Go collector.

use std::fs::File;
use std::io::{self, Write};
use std::path::PathBuf;
use std::process::ExitCode;
use std::time::Instant;

use otlp_benches::collector::build;
use otlp_benches::collector::contest::{self, Results};
use otlp_benches::collector::contestant::{Program, Who};
use otlp_benches::collector::course::Course;
use otlp_benches::collector::effort::Effort;
use otlp_benches::collector::rows::{ROWS, Row};
use otlp_benches::process;
use otlp_benches::report;
use otlp_benches::subject::Failure;

const USAGE: &str = "\
usage: collector [--quick | --smoke] [--go PATH] [--ours PATH | --self-check] [--only ROW]... [--json FILE]

  --quick       all rows within six minutes; the figures are rougher
  --smoke       one short round of each row, to see that they work; the figures mean nothing
  --go PATH     the program of a Go collector; without it the only peer is the pipeline on prost
  --ours PATH   the program of our collector; without it `cargo build --release` makes it
  --self-check  the pipeline on prost in our place as well: its ratios should be 1
  --only ROW    this row, and what it is on top of pass_100; may be given several times
  --json FILE   writes one JSON object a line: row, unit, ours, peer, peer_name, ratio; a line per peer
  --list        names the rows

Ratios are peer / ours within a round. Ends with 1 when a row could not be measured; a bar that is not
reached is said in the table.";

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
            let _ = writeln!(io::stderr(), "collector: {error}");
            ExitCode::FAILURE
        }
    }
}

/// What the command line asks for.
struct Options {
    effort: Effort,
    rows: Vec<&'static Row>,
    ours: Option<Program>,
    go: Option<PathBuf>,
    json: Option<File>,
    list: bool,
}

impl Options {
    fn parse(arguments: &[String]) -> Result<Self, Failure> {
        let mut options = Self {
            effort: Effort::FULL,
            rows: Vec::new(),
            ours: None,
            go: None,
            json: None,
            list: false,
        };
        let mut arguments = arguments.iter().map(String::as_str);
        while let Some(argument) = arguments.next() {
            let mut value = || {
                let value = arguments.next();
                value.ok_or_else(|| format!("{argument} needs a value\n{USAGE}"))
            };
            match argument {
                "--quick" => options.effort = Effort::QUICK,
                "--smoke" => options.effort = Effort::SMOKE,
                "--self-check" => options.ours = Some(Program::Prost),
                "--list" | "--help" | "-h" => options.list = true,
                "--go" => options.go = Some(value()?.into()),
                "--ours" => options.ours = Some(Program::Binary(value()?.into())),
                "--only" => options.rows.extend(named(value()?)?),
                "--json" => options.json = Some(create(value()?)?),
                other => return Err(format!("unknown argument {other:?}\n{USAGE}").into()),
            }
        }
        if options.rows.is_empty() {
            // In a self-check there is no program of ours that could be large or small.
            let is_self_check = matches!(options.ours, Some(Program::Prost));
            let rows = ROWS.iter().filter(|row| !is_self_check || row.course != Course::Binary);
            options.rows.extend(rows);
        }
        Ok(options)
    }

    /// Who takes part.
    fn field(&self) -> Result<Vec<(Who, Program)>, Failure> {
        let ours = self.ours.clone().map_or_else(build::ours, Ok)?;
        let mut field = vec![(Who::Ours, ours), (Who::Prost, Program::Prost)];
        field.extend(self.go.clone().map(|path| (Who::Go, Program::Binary(path))));
        Ok(field)
    }

    /// What has to be done for the rows, each once, in their order.
    fn courses(&self) -> Vec<Course> {
        let mut courses = Vec::new();
        for row in &self.rows {
            if !courses.contains(&row.course) {
                courses.push(row.course);
            }
        }
        courses
    }
}

/// The row of that name, and the one that says what it is on top of another.
fn named(name: &str) -> Result<Vec<&'static Row>, Failure> {
    let on_top = format!("{name}_on_top");
    let found: Vec<_> = ROWS.iter().filter(|row| row.name == name || row.name == on_top).collect();
    if found.is_empty() {
        let known: Vec<_> = ROWS.iter().map(|row| row.name).collect();
        let known = known.join(", ");
        return Err(format!("--only {name:?}: no such row; the rows are {known}").into());
    }
    Ok(found)
}

fn create(path: &str) -> Result<File, Failure> {
    File::create(path).map_err(|error| format!("--json {path:?}: {error}").into())
}

/// Measures and prints; `false` when a row could not be measured.
fn compare(options: &Options) -> Result<bool, Failure> {
    let mut out = io::stdout().lock();
    if options.list {
        writeln!(out, "{USAGE}\n\nrows:")?;
        ROWS.iter().try_for_each(|row| writeln!(out, "  {}", row.name))?;
        return Ok(true);
    }
    let field = options.field()?;
    let (start, mut notes, mut complete) = (Instant::now(), Vec::new(), true);
    report::head(&mut out)?;
    for course in options.courses() {
        let rows: Vec<_> =
            options.rows.iter().copied().filter(|row| row.course == course).collect();
        match contest::run(course, &field, &options.effort) {
            Ok(results) => {
                for row in &rows {
                    print(&mut out, options, row, &results)?;
                }
                let names: Vec<_> = rows.iter().map(|row| row.name).collect();
                let names = names.join(", ");
                let of_course = results.notes();
                notes.extend(
                    of_course.map(|(who, note)| format!("{names}: {}: {note}", who.name())),
                );
            }
            Err(error) => {
                complete = false;
                for row in &rows {
                    writeln!(out, "| {} | could not be measured: {error} |", row.name)?;
                }
            }
        }
    }
    writeln!(out, "\n{:.0} s in all\n", start.elapsed().as_secs_f64())?;
    notes.iter().try_for_each(|note| writeln!(out, "{note}"))?;
    Ok(complete)
}

fn print(
    out: &mut impl Write,
    options: &Options,
    row: &Row,
    results: &Results,
) -> Result<(), Failure> {
    for figures in results.figures(row) {
        report::line(out, &row.bars_against(figures.peer_name), &figures)?;
        if let Some(mut json) = options.json.as_ref() {
            report::json(&mut json, &figures)?;
        }
    }
    Ok(())
}
