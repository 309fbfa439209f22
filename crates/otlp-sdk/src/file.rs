//! The OTLP file exporter: requests as lines of JSON, to standard output, a file or any writer.

mod builder;
mod line_file;
mod output;
mod rotation;
mod writer;

use std::fmt;
use std::pin::pin;
use std::time::Instant;

use futures_timer::Delay;
use futures_util::future::{Either, select};
use otlp_core::export::text::printable;
use otlp_core::export::{Deadline, ErrorKind, ExportError, Exporter, Outcome, attempt};
use otlp_core::{ExporterType, Payload, Signal};
use parking_lot::Mutex;
use tokio::sync::mpsc::Sender;
use tokio::sync::oneshot;

pub use self::builder::FileExporterBuilder;
pub use self::rotation::Rotation;

use self::writer::Job;

/// Writes each request as one line of OTLP/JSON: `TracesData`, `MetricsData` or `LogsData` (JSON Lines,
/// specification rows X1 and X2), for a collector's file receiver, a log shipper, or `jq`.
///
/// ```no_run
/// use otlp_core::Signal;
/// use otlp_sdk::file::{FileExporter, Rotation};
/// use otlp_sdk::trace::TracerProvider;
///
/// # fn main() -> Result<(), Box<dyn std::error::Error>> {
/// let exporter = FileExporter::builder(Signal::Traces)
///     .with_path("/var/log/shop/traces.jsonl")
///     .with_rotation(Rotation::at(64 << 20).with_kept_files(4))
///     .build()?;
/// let provider = TracerProvider::builder().with_batch_exporter(exporter).build();
/// # drop(provider);
/// # Ok(())
/// # }
/// ```
///
/// Writing, and making the JSON, is done on a thread of the exporter's own, so that a disk or a pipe that
/// hangs holds up no runtime and no application. A request counts as delivered when the system has taken
/// its whole line; [`force_flush`](Exporter::force_flush) and [`shutdown`](Exporter::shutdown) of a file
/// wait until it is on the disk.
///
/// # What becomes of a line when something fails
///
/// - A line is there as a whole or not at all. What a full disk has taken of it is cut off again; what a
///   pipe has taken is completed before the next line. A file that a crash has left without an end of line
///   gets one before anything is added.
/// - Before each line the exporter looks whether its path still is its file: one that was removed, or moved
///   away by a tool such as logrotate, is made anew. Directories are not made.
/// - Errors are told with the path and the system's words. They are retryable, since space, rights and
///   directories can come back; a pipe whose reader has gone is permanent. What is not written is never
///   counted as delivered. A file's line that was under way when the deadline passed may be written twice; a
///   stream's is gone on with by the next attempt.
/// - A stream that does not block and is full, as a pipe may be, is waited for until the deadline.
/// - A file belongs to one exporter, which locks it: a second one gets an error, in another process too
///   (where the file system has locks). A file with rotation is locked by `<path>.lock` as well, since each
///   file that is full takes its own lock with it; that file is empty, and stays.
///
/// # Outcomes
///
/// | what happened | outcome |
/// |---|---|
/// | the line is written | delivered |
/// | the system refuses or the deadline passed | retryable |
/// | a reader that has gone, bytes that are not OTLP, another signal, a writer that panicked | permanent |
/// | a line of more than 64 MiB | too large |
pub struct FileExporter {
    signal: Signal,
    destination: String,
    /// `None` after shutdown.
    jobs: Mutex<Option<Sender<Job>>>,
}

impl FileExporter {
    /// Starts to build an exporter of `signal`. To standard output, unless it is told otherwise.
    pub fn builder(signal: Signal) -> FileExporterBuilder {
        FileExporterBuilder::new(signal)
    }

    /// Hands a job to the writer and waits for its answer until `deadline`.
    async fn ask<T>(
        &self,
        jobs: &Sender<Job>,
        deadline: Deadline,
        job: impl FnOnce(oneshot::Sender<T>) -> Job,
    ) -> Result<T, ExportError> {
        let (reply, answer) = oneshot::channel();
        let answered = pin!(async {
            jobs.send(job(reply)).await.ok()?;
            answer.await.ok()
        });
        let answer = match deadline.remaining(Instant::now()) {
            None => answered.await,
            Some(left) => match select(answered, Delay::new(left)).await {
                Either::Left((answer, _)) => answer,
                Either::Right(_) => {
                    let text = format!("the deadline passed while writing to {}", self.destination);
                    return Err(ExportError::new(ErrorKind::Timeout, text));
                }
            },
        };
        answer.ok_or_else(|| {
            let text = format!("the thread that writes to {} has ended", self.destination);
            ExportError::new(ErrorKind::Other, text)
        })
    }
}

impl Exporter for FileExporter {
    async fn export(&self, payload: Payload, deadline: Deadline) -> Outcome {
        let Some(jobs) = self.jobs.lock().clone() else { return attempt::already_shutdown() };
        if payload.signal() != self.signal {
            let problem =
                format_args!("it holds {}, the exporter {}", payload.signal(), self.signal);
            return attempt::not_sent(format_args!("line for {}", self.destination), problem);
        }
        let job = |reply| Job::Line { payload, reply };
        match self.ask(&jobs, deadline, job).await {
            Ok(outcome) => outcome,
            Err(error) if error.kind() == ErrorKind::Timeout => Outcome::retryable(error),
            Err(error) => Outcome::permanent(error),
        }
    }

    async fn force_flush(&self, deadline: Deadline) -> Result<(), ExportError> {
        let Some(jobs) = self.jobs.lock().clone() else { return Ok(()) };
        self.ask(&jobs, deadline, |reply| Job::Flush { reply }).await?
    }

    async fn shutdown(&self, deadline: Deadline) -> Result<(), ExportError> {
        let Some(jobs) = self.jobs.lock().take() else { return Ok(()) };
        self.ask(&jobs, deadline, |reply| Job::Stop { reply }).await?
    }

    fn component_type(&self) -> &'static str {
        self.signal.exporter_type(ExporterType::File)
    }

    fn destination(&self) -> String {
        self.destination.clone()
    }
}

impl fmt::Debug for FileExporter {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("FileExporter")
            .field("signal", &self.signal)
            .field("destination", &self.destination)
            .finish_non_exhaustive()
    }
}

/// A path as messages show it.
fn shown(path: &std::path::Path) -> String {
    printable(&path.to_string_lossy())
}
