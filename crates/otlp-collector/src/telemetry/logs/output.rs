//! Where lines go: through a bounded queue to a thread that writes them.

use std::fs::OpenOptions;
use std::io::{self, Write};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::mpsc::{Receiver, RecvTimeoutError, SyncSender, TrySendError, sync_channel};
use std::thread;
use std::time::{Duration, Instant};

use crate::component::BoxError;

/// Takes lines, and never waits.
#[derive(Clone, Debug)]
pub(super) struct Output {
    lines: SyncSender<Entry>,
    dropped: Arc<AtomicU64>,
}

#[derive(Debug)]
enum Entry {
    Line(String),
    /// Everything before it has been written when this is answered.
    Flush(SyncSender<()>),
}

impl Output {
    /// Queues a line, which ends with a line break, and which says that so many were dropped before.
    pub(super) fn write(&self, line: String, dropped_before: u64) {
        if let Err(TrySendError::Full(_)) = self.lines.try_send(Entry::Line(line)) {
            self.dropped.fetch_add(dropped_before.saturating_add(1), Ordering::Relaxed);
        }
    }

    /// How many lines were dropped since this was last asked.
    pub(super) fn take_dropped(&self) -> u64 {
        // Most often there are none, and reading is cheaper than changing.
        match self.dropped.load(Ordering::Relaxed) {
            0 => 0,
            _ => self.dropped.swap(0, Ordering::Relaxed),
        }
    }
}

/// Sees to it that what was said is written: dropped, it waits for that, for a second at most.
#[derive(Debug)]
#[must_use = "dropped at once, it waits for nothing"]
pub struct LogGuard(Output);

#[cfg(test)]
impl LogGuard {
    pub(super) fn of(output: &Output) -> Self {
        Self(output.clone())
    }
}

impl Drop for LogGuard {
    fn drop(&mut self) {
        let (written, answer) = sync_channel(1);
        let deadline = Instant::now() + PATIENCE;
        let mut flush = Entry::Flush(written);
        // A queue that is full is being emptied, unless whoever reads it has stopped.
        while let Err(TrySendError::Full(again)) = self.0.lines.try_send(flush) {
            if Instant::now() >= deadline {
                return;
            }
            flush = again;
            thread::sleep(Duration::from_millis(1));
        }
        let _ = answer.recv_timeout(deadline.saturating_duration_since(Instant::now()));
    }
}

/// Opens what lines go to, and starts the thread that writes.
pub(super) fn open(paths: &[String]) -> Result<(Output, LogGuard), BoxError> {
    let opened: Result<Vec<_>, BoxError> = paths.iter().map(|path| writer(path)).collect();
    to(opened?)
}

/// Lines to these.
pub(super) fn to(writers: Vec<Box<dyn Write + Send>>) -> Result<(Output, LogGuard), BoxError> {
    let (lines, queue) = sync_channel(LINES);
    let thread = thread::Builder::new().name("otlp-logs".to_owned());
    thread.spawn(move || run(&queue, writers))?;
    let output = Output { lines, dropped: Arc::default() };
    Ok((output.clone(), LogGuard(output)))
}

fn writer(path: &str) -> Result<Box<dyn Write + Send>, BoxError> {
    match path.strip_prefix("file://").unwrap_or(path) {
        "stdout" => Ok(Box::new(io::stdout())),
        "stderr" => Ok(Box::new(io::stderr())),
        path => {
            let file = OpenOptions::new().create(true).append(true).open(path);
            let file = file.map_err(|error| format!("logs::output_paths: \"{path}\": {error}"))?;
            Ok(Box::new(file))
        }
    }
}

/// What cannot be written has nowhere else to go.
fn run(queue: &Receiver<Entry>, mut writers: Vec<Box<dyn Write + Send>>) {
    loop {
        match queue.recv_timeout(IDLE) {
            Ok(Entry::Line(line)) => {
                for writer in &mut writers {
                    let _ = writer.write_all(line.as_bytes());
                }
            }
            Ok(Entry::Flush(written)) => {
                for writer in &mut writers {
                    let _ = writer.flush();
                }
                let _ = written.try_send(());
            }
            Err(RecvTimeoutError::Timeout) => {}
            Err(RecvTimeoutError::Disconnected) => return,
        }
    }
}

/// Most lines that wait.
const LINES: usize = 1024;
const PATIENCE: Duration = Duration::from_secs(1);
const IDLE: Duration = Duration::from_secs(3600);
