//! Child processes: what they are told, and how their answers come back.
//!
//! A child is this same program with a [`Task`] as its argument. It answers with JSON lines on
//! standard output. The parent only starts children and reads; it never measures itself.

use std::ffi::OsStr;
use std::io::{BufRead, BufReader, Write};
use std::process::{Child, ChildStdin, Command, ExitStatus, Stdio};
use std::sync::mpsc::{Receiver, RecvTimeoutError, channel};
use std::thread;
use std::time::Duration;

use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};

use crate::client::{self, ClientTask};
use crate::collector::load::{self, LoadTask};
use crate::collector::prost::{self, ProstTask};
use crate::contest;
use crate::effort::Effort;
use crate::rows::Row;
use crate::sink::{self, SinkTask};
use crate::subject::Failure;

/// The first argument of a child process; the second is its [`Task`] as JSON.
pub const CHILD: &str = "child";

/// What a child process is for.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub enum Task {
    /// Measures a row that runs in one process; answers with [`crate::rounds::Rounds`].
    Row {
        /// Its name.
        name: String,
        /// How long.
        effort: Effort,
    },
    /// Makes spans and exports them; answers with [`client::ClientReport`].
    Client(ClientTask),
    /// Takes exports; answers with [`sink::Listening`], then with reports.
    Sink(SinkTask),
    /// Sends requests to a collector; answers each line with a [`load::LoadReport`].
    Load(LoadTask),
    /// Is a collector that decodes and encodes; answers nothing.
    Prost(ProstTask),
}

/// The child's side: carries out a task.
///
/// # Errors
///
/// The argument is no task, or the task failed.
pub fn carry_out(task: &str) -> Result<(), Failure> {
    match serde_json::from_str(task)? {
        Task::Row { name, effort } => {
            let row = Row::named(&name).ok_or_else(|| format!("no row {name:?}"))?;
            answer(&contest::run(row, &effort)?)
        }
        Task::Client(task) => answer(&client::run(&task)?),
        Task::Sink(task) => sink::run(task),
        Task::Load(task) => load::run(&task),
        Task::Prost(task) => prost::run(&task),
    }
}

fn answer(value: &impl Serialize) -> Result<(), Failure> {
    write_answer(value)?;
    // Threads of a stack that still try to export must not keep the process.
    std::process::exit(0)
}

/// Starts a child, waits for its one answer, and ends it.
///
/// # Errors
///
/// It cannot be started, fails, or does not answer within `patience`.
pub fn ask<T: DeserializeOwned>(task: &Task, patience: Duration) -> Result<T, Failure> {
    Running::start(task)?.read(patience)
}

/// A command without the variables that would configure a stack.
pub(crate) fn unsurrounded(program: impl AsRef<OsStr>) -> Command {
    let mut command = Command::new(program);
    for (name, _) in std::env::vars_os().filter(|(name, _)| changes_a_stack(name)) {
        command.env_remove(name);
    }
    command
}

/// Writes a line of JSON to standard output: an answer of a child that goes on.
pub(crate) fn write_answer(value: &impl Serialize) -> Result<(), Failure> {
    let mut out = std::io::stdout().lock();
    serde_json::to_writer(&mut out, value)?;
    out.write_all(b"\n")?;
    Ok(out.flush()?)
}

/// Variables that would configure one stack or the other behind the rows' backs.
fn changes_a_stack(name: &OsStr) -> bool {
    let name = name.to_string_lossy().to_ascii_lowercase();
    name.starts_with("otel_") || name.ends_with("_proxy")
}

/// A child process that is ended when this is dropped.
#[derive(Debug)]
pub struct Running {
    child: Child,
    stdin: Option<ChildStdin>,
    lines: Receiver<std::io::Result<String>>,
}

impl Running {
    /// Starts a child.
    ///
    /// # Errors
    ///
    /// This program cannot be started again.
    pub fn start(task: &Task) -> Result<Self, Failure> {
        let mut command = unsurrounded(std::env::current_exe()?);
        command.arg(CHILD).arg(serde_json::to_string(task)?);
        let mut child = command.stdin(Stdio::piped()).stdout(Stdio::piped()).spawn()?;
        let stdin = child.stdin.take();
        let stdout = child.stdout.take().ok_or("a child without standard output")?;
        let (sender, lines) = channel();
        thread::spawn(move || {
            BufReader::new(stdout).lines().try_for_each(|line| sender.send(line))
        });
        Ok(Self { child, stdin, lines })
    }

    /// Asks for the next answer.
    ///
    /// # Errors
    ///
    /// The child is gone.
    pub fn prompt(&mut self) -> Result<(), Failure> {
        self.say("")
    }

    /// Writes a line to the child's standard input.
    ///
    /// # Errors
    ///
    /// The child is gone.
    pub fn say(&mut self, line: &str) -> Result<(), Failure> {
        let stdin = self.stdin.as_mut().ok_or("a child without standard input")?;
        stdin.write_all(line.as_bytes())?;
        stdin.write_all(b"\n")?;
        Ok(stdin.flush()?)
    }

    /// The process id of the child.
    #[must_use]
    pub fn id(&self) -> u32 {
        self.child.id()
    }

    /// Whether it has ended, and how.
    ///
    /// # Errors
    ///
    /// The operating system does not say.
    pub fn ended(&mut self) -> std::io::Result<Option<ExitStatus>> {
        self.child.try_wait()
    }

    /// Reads the next answer.
    ///
    /// # Errors
    ///
    /// The child ended without one (its own message is on standard error), wrote something else,
    /// or took longer than `patience`.
    pub fn read<T: DeserializeOwned>(&mut self, patience: Duration) -> Result<T, Failure> {
        match self.lines.recv_timeout(patience) {
            Ok(line) => Ok(serde_json::from_str(&line?)?),
            Err(RecvTimeoutError::Timeout) => {
                Err(format!("no answer from a child process within {patience:?}").into())
            }
            Err(RecvTimeoutError::Disconnected) => {
                Err(format!("a child process failed: {}", self.child.wait()?).into())
            }
        }
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        // Both fail only when it has ended already.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}
