//! A thread for what blocks: writing to a terminal, a pipe, a disk.

use std::io::{self, ErrorKind as IoErrorKind, Write};
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::{Arc, Weak};
use std::time::Duration;

use otlp_core::export::{Deadline, ErrorKind, ExportError};
use parking_lot::Mutex;
use tokio::sync::{mpsc, oneshot};

/// A thread that owns something and does what it is asked to, one thing after the other. It ends when the desk is
/// dropped, after what it was asked before.
pub(super) struct Desk<S> {
    jobs: mpsc::Sender<Job<S>>,
    /// Ends when the thread has given up what it owns.
    ended: oneshot::Receiver<()>,
}

type Job<S> = Box<dyn FnOnce(&mut S) + Send>;

impl<S: Send + 'static> Desk<S> {
    /// Starts the thread.
    pub(super) fn start(name: &str, mut state: S) -> io::Result<Self> {
        let (jobs, mut inbox) = mpsc::channel::<Job<S>>(WAITING_MAX);
        let (end, ended) = oneshot::channel();
        std::thread::Builder::new().name(name.to_owned()).spawn(move || {
            while let Some(job) = inbox.blocking_recv() {
                // Whoever asked sees that no answer comes. What a panic carries may panic when it is dropped.
                if let Err(panic) = catch_unwind(AssertUnwindSafe(|| job(&mut state))) {
                    std::mem::forget(panic);
                }
            }
            drop(state);
            let _ = end.send(());
        })?;
        Ok(Self { jobs, ended })
    }

    /// Has something done. `work` is told how to find out whether somebody still waits for it; when its turn comes
    /// after `deadline` it is not begun.
    pub(super) async fn ask<T: Send + 'static>(
        &self,
        deadline: Deadline,
        work: impl FnOnce(&mut S, Awaited<'_>) -> T + Send + 'static,
    ) -> Result<T, ExportError> {
        let (reply, answer) = oneshot::channel();
        let job: Job<S> = Box::new(move |state| {
            if !reply.is_closed() {
                let answer = work(state, &|| !reply.is_closed());
                drop(reply.send(answer));
            }
        });
        let asked = async {
            // Only a thread that has ended takes nothing.
            self.jobs.send(job).await.map_err(|_| gone())?;
            answer.await.map_err(|_| gone())
        };
        in_time(deadline, asked).await.unwrap_or_else(|| Err(late()))
    }

    /// If no other signal has the desk, waits until everything is done that was asked before, and until what the
    /// thread owns is given up: a file is free for others then.
    pub(super) async fn close(self: Arc<Self>, deadline: Deadline) -> Result<(), ExportError> {
        let Some(last) = Arc::into_inner(self) else { return Ok(()) };
        drop(last.jobs);
        match in_time(deadline, last.ended).await {
            Some(_ended) => Ok(()),
            None => Err(late()),
        }
    }
}

/// `None` if it is not done in time.
async fn in_time<T>(deadline: Deadline, work: impl Future<Output = T>) -> Option<T> {
    match deadline.instant() {
        None => Some(work.await),
        Some(at) => tokio::time::timeout_at(at.into(), work).await.ok(),
    }
}

fn late() -> ExportError {
    ExportError::new(ErrorKind::Timeout, "the time was over before it was written")
}

impl<S> std::fmt::Debug for Desk<S> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Desk")
    }
}

/// Whether somebody still waits for what is done.
pub(super) type Awaited<'a> = &'a dyn Fn() -> bool;

/// One desk for all signals of an exporter, while any of them is open.
pub(super) struct SharedDesk<S>(Arc<Mutex<Weak<Desk<S>>>>);

impl<S: Send + 'static> SharedDesk<S> {
    /// The desk, started if no signal has it.
    pub(super) fn open(
        &self,
        start: impl FnOnce() -> io::Result<Desk<S>>,
    ) -> io::Result<Arc<Desk<S>>> {
        let mut shared = self.0.lock();
        if let Some(desk) = shared.upgrade() {
            return Ok(desk);
        }
        let desk = Arc::new(start()?);
        *shared = Arc::downgrade(&desk);
        Ok(desk)
    }
}

impl<S> Clone for SharedDesk<S> {
    fn clone(&self) -> Self {
        Self(Arc::clone(&self.0))
    }
}

impl<S> Default for SharedDesk<S> {
    fn default() -> Self {
        Self(Arc::new(Mutex::new(Weak::new())))
    }
}

impl<S> std::fmt::Debug for SharedDesk<S> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("SharedDesk")
    }
}

/// Writes all of `bytes`, also to a pipe that does not block and is full, while somebody waits for it.
pub(super) fn write_all(
    writer: &mut dyn Write,
    mut bytes: &[u8],
    awaited: Awaited<'_>,
) -> io::Result<()> {
    let mut pause = PAUSE_MIN;
    while !bytes.is_empty() {
        match writer.write(bytes) {
            Ok(0) => return Err(IoErrorKind::WriteZero.into()),
            Ok(taken) => {
                bytes = bytes.get(taken..).unwrap_or_default();
                pause = PAUSE_MIN;
            }
            Err(error) if error.kind() == IoErrorKind::Interrupted => {}
            Err(error) if error.kind() == IoErrorKind::WouldBlock && awaited() => {
                std::thread::sleep(pause);
                pause = (pause * 2).min(PAUSE_MAX);
            }
            Err(error) => return Err(error),
        }
    }
    writer.flush()
}

fn gone() -> ExportError {
    ExportError::new(ErrorKind::Panic, "writing it has panicked")
}

/// Most that waits for the thread; whoever comes after that waits for a place.
const WAITING_MAX: usize = 8;

const PAUSE_MIN: Duration = Duration::from_millis(1);
const PAUSE_MAX: Duration = Duration::from_millis(50);
