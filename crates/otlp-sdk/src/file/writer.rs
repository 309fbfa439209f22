//! The thread that makes lines and writes them.

use std::io::{self, ErrorKind as IoErrorKind};

use otlp_core::Payload;
use otlp_core::export::{DEFAULT_MAX_REQUEST_SIZE, ErrorKind, ExportError, Outcome, attempt};
use otlp_core::wire::json::{Message, WriteError, write_within};
use tokio::sync::mpsc::{Receiver, Sender, channel};
use tokio::sync::oneshot;

use super::output::{Awaited, Output, Panicked};
use crate::pipeline::suppress_for_good;

/// What the thread is asked to do. Nothing is done for those who have ceased to wait.
pub(super) enum Job {
    Line { payload: Payload, reply: oneshot::Sender<Outcome> },
    Flush { reply: oneshot::Sender<Result<(), ExportError>> },
    Stop { reply: oneshot::Sender<Result<(), ExportError>> },
}

/// Starts the thread. It ends after [`Job::Stop`], or when nobody can ask any more.
pub(super) fn start(output: Output, destination: String) -> io::Result<Sender<Job>> {
    let (jobs, inbox) = channel(WAITING_MAX);
    let writer = Writer { output, destination, line: Vec::new() };
    std::thread::Builder::new().name("otlp-file".to_owned()).spawn(move || writer.run(inbox))?;
    Ok(jobs)
}

struct Writer {
    output: Output,
    destination: String,
    /// Kept for the next line.
    line: Vec<u8>,
}

impl Writer {
    fn run(mut self, mut inbox: Receiver<Job>) {
        suppress_for_good();
        while let Some(job) = inbox.blocking_recv() {
            match job {
                Job::Line { reply, .. } if reply.is_closed() => {}
                Job::Line { payload, reply } => {
                    let outcome = self.write(&payload, &|| !reply.is_closed());
                    drop(reply.send(outcome));
                }
                Job::Flush { reply } => {
                    let flushed = self.flush(&|| !reply.is_closed());
                    drop(reply.send(flushed));
                }
                Job::Stop { reply } => {
                    let flushed = self.flush(&|| !reply.is_closed());
                    // The file is free for others when shutdown returns.
                    drop(self);
                    drop(reply.send(flushed));
                    return;
                }
            }
        }
    }

    fn write(&mut self, payload: &Payload, awaited: Awaited<'_>) -> Outcome {
        if payload.is_empty() {
            return Outcome::delivered();
        }
        self.line.clear();
        let (message, request) = (Message::Request(payload.signal()), payload.rope().to_bytes());
        if let Err(error) = write_within(message, &request, LINE_MAX, &mut self.line) {
            return self.no_line(&error);
        }
        self.line.push(b'\n');
        let result = self.output.write_line(&self.line, awaited);
        self.line.clear();
        self.line.shrink_to(LINE_KEPT);
        match result {
            Ok(()) => Outcome::delivered(),
            Err(error) if is_final(&error) => Outcome::permanent(self.failure(error)),
            Err(error) => Outcome::retryable(self.failure(error)),
        }
    }

    fn flush(&mut self, awaited: Awaited<'_>) -> Result<(), ExportError> {
        self.output.flush(awaited).map_err(|error| self.failure(error))
    }

    fn no_line(&self, error: &WriteError) -> Outcome {
        let what = format_args!("line for {}", self.destination);
        match error {
            WriteError::TooLarge { .. } => {
                let text = format!("{what} not written: {error}");
                let error = ExportError::new(ErrorKind::RequestTooLarge, text);
                Outcome::TooLarge { error }
            }
            _ => attempt::not_sent(what, format_args!("the request is not valid OTLP: {error}")),
        }
    }

    fn failure(&self, error: io::Error) -> ExportError {
        let panicked =
            error.get_ref().is_some_and(<dyn std::error::Error + Send + Sync>::is::<Panicked>);
        let kind = if panicked { ErrorKind::Panic } else { ErrorKind::Other };
        let text = format!("{} cannot be written", self.destination);
        ExportError::new(kind, text).with_source(error)
    }
}

/// Whether the same line can never be written: its reader has gone, or the writer does not work.
fn is_final(error: &io::Error) -> bool {
    matches!(
        error.kind(),
        IoErrorKind::BrokenPipe
            | IoErrorKind::WriteZero
            | IoErrorKind::InvalidData
            | IoErrorKind::InvalidInput
            | IoErrorKind::Unsupported
            | IoErrorKind::FileTooLarge
    )
}

/// Most requests that wait for the thread; those who come after them wait for their turn, until their
/// deadline.
const WAITING_MAX: usize = 8;

/// The longest line: what a request over the network may have (row Z1).
const LINE_MAX: usize = DEFAULT_MAX_REQUEST_SIZE;

/// Most memory that is kept from one line to the next.
const LINE_KEPT: usize = 1 << 20;
