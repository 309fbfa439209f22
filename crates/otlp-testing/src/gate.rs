//! A gate that holds answers until the test opens it.

use std::sync::Arc;
use std::time::{Duration, Instant};

use parking_lot::{Condvar, Mutex};
use tokio::sync::watch;

/// Holds whoever waits at it until it is opened; clones are the same gate.
///
/// Works across runtimes and threads, and on a paused clock. Once open it stays open.
///
/// ```
/// use otlp_testing::{Gate, Reply, Server};
///
/// let server = Server::start();
/// let gate = Gate::new();
/// server.respond_with(Reply::ok().after(&gate));
/// // … a client sends, `gate.wait_for_waiting(1, …)` says that the server holds its request …
/// gate.open();
/// ```
#[derive(Clone, Debug, Default)]
pub struct Gate(Arc<Inner>);

#[derive(Debug, Default)]
struct Inner {
    open: watch::Sender<bool>,
    waiting: Mutex<usize>,
    changed: Condvar,
}

impl Gate {
    /// A closed gate.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// Lets everyone through, now and later.
    pub fn open(&self) {
        self.0.open.send_replace(true);
    }

    /// Whether [`open`](Self::open) was called.
    #[must_use]
    pub fn is_open(&self) -> bool {
        *self.0.open.borrow()
    }

    /// How many wait at the closed gate at this moment.
    #[must_use]
    pub fn waiting(&self) -> usize {
        *self.0.waiting.lock()
    }

    /// Blocks until at least `count` wait at the gate; `false` when `timeout` passed first.
    #[must_use]
    pub fn wait_for_waiting(&self, count: usize, timeout: Duration) -> bool {
        let until = Instant::now() + timeout;
        let mut waiting = self.0.waiting.lock();
        while *waiting < count {
            if self.0.changed.wait_until(&mut waiting, until).timed_out() {
                return *waiting >= count;
            }
        }
        true
    }

    /// As [`wait_for_waiting`](Self::wait_for_waiting), from asynchronous code.
    ///
    /// Waits on Tokio's blocking pool: a paused clock does not run ahead meanwhile.
    ///
    /// # Panics
    ///
    /// Outside a Tokio runtime.
    pub async fn waiting_reaches(&self, count: usize, timeout: Duration) -> bool {
        let gate = self.clone();
        tokio::task::spawn_blocking(move || gate.wait_for_waiting(count, timeout))
            .await
            .unwrap_or(false)
    }

    /// Waits until the gate is open.
    pub async fn opened(&self) {
        let mut open = self.0.open.subscribe();
        if *open.borrow_and_update() {
            return;
        }
        let _here = Waiting::at(self);
        // The sender lives as long as this gate, so the wait cannot fail.
        let _ = open.wait_for(|open| *open).await;
    }
}

/// Counts one waiter while it lives.
struct Waiting<'a>(&'a Inner);

impl<'a> Waiting<'a> {
    fn at(gate: &'a Gate) -> Self {
        *gate.0.waiting.lock() += 1;
        gate.0.changed.notify_all();
        Self(&gate.0)
    }
}

impl Drop for Waiting<'_> {
    fn drop(&mut self) {
        *self.0.waiting.lock() -= 1;
        self.0.changed.notify_all();
    }
}
