//! What all connections of one server share: its log, its script, its settings.

use std::time::{Duration, Instant};

use otlp_core::Signal;
use parking_lot::{Condvar, Mutex};
use tokio::sync::watch;

use super::{ReceivedLog, ReceivedRequest, Reply, Script, WaitError};

#[derive(Debug)]
pub(super) struct Site {
    log: Mutex<ReceivedLog>,
    changed: Condvar,
    script: Mutex<Script>,
    paused: watch::Sender<bool>,
    counts_only: bool,
    /// Whether answers are compressed for clients that accept it.
    pub(super) compress: bool,
    routes: Vec<(String, Signal)>,
}

impl Site {
    pub(super) fn new(counts_only: bool, compress: bool, routes: Vec<(String, Signal)>) -> Self {
        Self {
            log: Mutex::default(),
            changed: Condvar::new(),
            script: Mutex::default(),
            paused: watch::Sender::new(false),
            counts_only,
            compress,
            routes,
        }
    }

    pub(super) fn set_script(&self, script: Script) {
        *self.script.lock() = script;
    }

    pub(super) fn pause(&self, paused: bool) {
        self.paused.send_replace(paused);
    }

    /// Counts a connection and gives its number.
    pub(super) fn connect(&self) -> u64 {
        self.change(ReceivedLog::connect)
    }

    pub(super) fn disconnect(&self) {
        self.change(ReceivedLog::disconnect);
    }

    /// The signal that is served at an HTTP path.
    pub(super) fn signal_at(&self, path: &str) -> Option<Signal> {
        let own = self.routes.iter().find(|(route, _)| route == path).map(|(_, signal)| *signal);
        own.or_else(|| standard_signal(path))
    }

    pub(super) fn read<T>(&self, view: impl FnOnce(&ReceivedLog) -> T) -> T {
        view(&self.log.lock())
    }

    pub(super) fn clear(&self) {
        self.change(ReceivedLog::clear);
    }

    pub(super) fn problem(&self, text: String) {
        self.change(|log| log.problem(text));
    }

    pub(super) fn wait_until(
        &self,
        timeout: Duration,
        predicate: impl Fn(&ReceivedLog) -> bool,
    ) -> Result<(), WaitError> {
        let until = Instant::now() + timeout;
        let mut log = self.log.lock();
        while !predicate(&log) {
            if self.changed.wait_until(&mut log, until).timed_out() {
                if predicate(&log) {
                    return Ok(());
                }
                let problems = log.problems().to_vec();
                return Err(WaitError { counts: log.counts(), problems });
            }
        }
        Ok(())
    }

    /// Takes one decoded request through pause, script, gate and delay, and notes what became of
    /// it. Dropping the future, as a client does that goes away, leaves the request unanswered.
    pub(super) async fn decide(&self, mut request: ReceivedRequest) -> Reply {
        self.change(|log| log.arrive(&request));
        let _here = InFlight(self);
        self.not_paused().await;
        let reply = self.script.lock().next(&request);
        if let Some(gate) = &reply.gate {
            gate.opened().await;
        }
        if let Some(delay) = reply.delay {
            tokio::time::sleep(delay).await;
        }
        if reply.is_silent() {
            std::future::pending::<()>().await;
        }
        request.accepted = reply.accepted(request.items());
        let (accepts, keep) = (reply.accepts(), !self.counts_only);
        self.change(|log| log.answer(request, accepts, keep));
        reply
    }

    async fn not_paused(&self) {
        let mut paused = self.paused.subscribe();
        // The sender lives as long as this site, so the wait cannot fail.
        let _ = paused.wait_for(|paused| !paused).await;
    }

    fn change<T>(&self, change: impl FnOnce(&mut ReceivedLog) -> T) -> T {
        let result = change(&mut self.log.lock());
        self.changed.notify_all();
        result
    }
}

/// Counts one request as in flight until it is dropped.
struct InFlight<'a>(&'a Site);

impl Drop for InFlight<'_> {
    fn drop(&mut self) {
        self.0.change(ReceivedLog::leave);
    }
}

/// The standard paths as the protocol lists them (row H1), not as our own table has them.
fn standard_signal(path: &str) -> Option<Signal> {
    match path {
        "/v1/traces" => Some(Signal::Traces),
        "/v1/metrics" => Some(Signal::Metrics),
        "/v1/logs" => Some(Signal::Logs),
        _ => None,
    }
}
