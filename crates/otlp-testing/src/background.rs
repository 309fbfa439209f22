//! A thread with a small runtime of its own, ended and joined when its owner is dropped.

use std::future::Future;
use std::io;
use std::thread::{self, JoinHandle};
use std::time::Duration;

use tokio::runtime::{Builder, Runtime};
use tokio::sync::watch;

/// How far the owner wants the background work to go on.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Phase {
    /// Work.
    Running,
    /// Take nothing new; finish what is under way, but no longer than `GRACE`.
    Draining,
    /// End at once.
    Cut,
}

/// How long draining may take before it turns into a cut.
pub(crate) const GRACE: Duration = Duration::from_secs(1);

/// The running thread. Dropping it cuts the work and waits for the thread.
#[derive(Debug)]
pub(crate) struct Background {
    phase: watch::Sender<Phase>,
    thread: Option<JoinHandle<()>>,
}

impl Background {
    /// Starts a thread that drives `work` on a runtime with `workers` threads (0: on this thread
    /// alone). `work` is given the phase to watch.
    pub(crate) fn start<F, W>(name: &str, workers: usize, work: W) -> io::Result<Self>
    where
        W: FnOnce(watch::Receiver<Phase>) -> F + Send + 'static,
        F: Future<Output = ()>,
    {
        let runtime = runtime(name, workers)?;
        let (phase, watched) = watch::channel(Phase::Running);
        let thread = thread::Builder::new().name(name.to_owned()).spawn(move || {
            runtime.block_on(work(watched));
            runtime.shutdown_background();
        })?;
        Ok(Self { phase, thread: Some(thread) })
    }

    /// Ends the work in the way of `phase` and waits for it.
    pub(crate) fn end(mut self, phase: Phase) {
        self.finish(phase);
    }

    fn finish(&mut self, phase: Phase) {
        self.phase.send_replace(phase);
        if let Some(thread) = self.thread.take() {
            // A panic in there has been printed; the tests that wait for an answer see its lack.
            let _ = thread.join();
        }
    }
}

impl Drop for Background {
    fn drop(&mut self) {
        self.finish(Phase::Cut);
    }
}

/// What was started, or a panic that says why it was not.
#[expect(clippy::panic, reason = "a test without its server has nothing to go on with")]
pub(crate) fn started<T>(result: io::Result<T>) -> T {
    match result {
        Ok(started) => started,
        Err(error) => panic!("no loopback port or thread for a test server: {error}"),
    }
}

/// Resolves when the phase is at least `wanted`, or when the owner is gone.
pub(crate) async fn reached(phase: &mut watch::Receiver<Phase>, wanted: Phase) {
    let _ = phase.wait_for(|now| *now >= wanted).await;
}

fn runtime(name: &str, workers: usize) -> io::Result<Runtime> {
    let mut builder = match workers {
        0 => Builder::new_current_thread(),
        _ => {
            let mut builder = Builder::new_multi_thread();
            builder.worker_threads(workers);
            builder
        }
    };
    builder.thread_name(name).enable_all().build()
}
