//! The platform: starts the function, sends events, freezes it in between, and ends it by force.

use std::error::Error;
use std::io::{self, BufRead, BufReader, Write};
use std::process::{Child, ChildStdin, ChildStdout, Command, ExitCode, Stdio};

use otlp_testing::Backend;

/// An event, and how many spans it leaves.
const EVENTS: [(&str, u64); 4] = [("1", 3), ("2", 3), ("three", 2), ("4", 3)];

pub(crate) fn run() -> Result<ExitCode, Box<dyn Error>> {
    let backend = Backend::from_env();
    let mut function = Instance::start(&backend)?;
    let (mut expected, mut in_time) = (0, true);
    for (event, spans) in EVENTS {
        let answer = function.invoke(event)?;
        function.signal("STOP")?;
        expected += spans;
        let arrived = backend.server().map(|server| count(server.spans().len()));
        in_time &= arrived.is_none_or(|arrived| arrived == expected);
        let arrived = arrived.map_or("unknown".to_owned(), |arrived| arrived.to_string());
        let line = format!("{event:<11} {answer:<60}");
        writeln!(io::stdout(), "{line} frozen; arrived: {arrived} of {expected} spans")?;
        function.signal("CONT")?;
    }
    drop(function);
    let exact = backend.report(expected)? && in_time;
    Ok(if exact { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}

fn count(number: usize) -> u64 {
    u64::try_from(number).unwrap_or(u64::MAX)
}

/// A running function.
struct Instance {
    process: Child,
    events: ChildStdin,
    answers: BufReader<ChildStdout>,
}

impl Instance {
    /// The cold start. The function is set up by its environment alone.
    fn start(backend: &Backend) -> Result<Self, Box<dyn Error>> {
        let mut command = Command::new(std::env::current_exe()?);
        command.arg("function").env("OTEL_SERVICE_NAME", "lambda-style-flush");
        if let Some(server) = backend.server() {
            command.env("OTEL_EXPORTER_OTLP_ENDPOINT", server.http_endpoint());
        }
        let mut process = command.stdin(Stdio::piped()).stdout(Stdio::piped()).spawn()?;
        let pipes = process.stdin.take().zip(process.stdout.take());
        let (events, answers) = pipes.ok_or("the function has no pipes")?;
        Ok(Self { process, events, answers: BufReader::new(answers) })
    }

    fn invoke(&mut self, event: &str) -> Result<String, Box<dyn Error>> {
        writeln!(self.events, "{event}")?;
        let mut answer = String::new();
        self.answers.read_line(&mut answer)?;
        match answer.strip_suffix('\n') {
            Some(answer) => Ok(answer.to_owned()),
            None => Err(format!("the function ended without an answer to {event:?}").into()),
        }
    }

    /// Freezes or thaws every thread of it. Where there are no such signals it runs on.
    fn signal(&self, name: &str) -> Result<(), Box<dyn Error>> {
        if !cfg!(unix) {
            return Ok(());
        }
        let id = self.process.id().to_string();
        let status = Command::new("kill").args(["-s", name, &id]).status()?;
        if status.success() { Ok(()) } else { Err(format!("kill -s {name}: {status}").into()) }
    }
}

impl Drop for Instance {
    /// Ends it by force: no destructor of its own runs, no buffer is written.
    fn drop(&mut self) {
        // It may have ended by itself.
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}
