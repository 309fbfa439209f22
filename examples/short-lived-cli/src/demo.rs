//! Each command as a user would run it, and what arrived.

use std::error::Error;
use std::io::{self, Write};
use std::process::{Command, ExitCode};

use opentelemetry::Context;
use otlp_sdk::propagation::{Propagators, inject_command};
use otlp_testing::Backend;

/// A command, how it ends, and how many spans it leaves.
const COMMANDS: [(&str, &str, u64); 4] = [
    ("build", "with success", 3),
    ("fail", "with an error", 1),
    ("panic", "with a panic", 1),
    ("nonsense", "with an error", 1),
];

pub(crate) fn run() -> Result<ExitCode, Box<dyn Error>> {
    let backend = Backend::from_env();
    let mut as_expected = true;
    for (name, end, _) in COMMANDS {
        let code = command(&backend, name)?.status()?.code();
        writeln!(io::stdout(), "{name:<11} ended {end}: {code:?}")?;
        as_expected &= code == Some(expected_code(end));
    }
    let spans = COMMANDS.iter().map(|(_, _, spans)| spans).sum();
    let arrived = backend.report(spans)?;
    let traces = backend.server().map(|server| {
        let spans = server.spans();
        let ids = spans.iter().map(|span| span.record.trace_id());
        ids.collect::<std::collections::BTreeSet<_>>().len()
    });
    // The steps of the build are in the build's trace.
    let joined = traces.is_none_or(|traces| traces == COMMANDS.len());
    let exact = arrived && joined && as_expected;
    Ok(if exact { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}

/// This program, set up by the environment alone, as a command-line tool is.
fn command(backend: &Backend, name: &str) -> io::Result<Command> {
    let mut command = Command::new(std::env::current_exe()?);
    command.arg(name).env("OTEL_SERVICE_NAME", "short-lived-cli");
    // Whatever trace we are in: each command begins one.
    inject_command(&Propagators::default(), &Context::new(), &mut command);
    if let Some(server) = backend.server() {
        command.env("OTEL_EXPORTER_OTLP_ENDPOINT", server.http_endpoint());
    }
    Ok(command)
}

/// What Rust's runtime makes of each end.
fn expected_code(end: &str) -> i32 {
    match end {
        "with success" => 0,
        "with a panic" => 101,
        _ => 1,
    }
}
