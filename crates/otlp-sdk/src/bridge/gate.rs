//! When an attempt may start. One for all requests to a destination, since failures belong to it.

use std::cell::RefCell;
use std::time::{Duration, Instant};

use otlp_core::export::Deadline;
use otlp_core::export::retry::Throttle;
use tokio::sync::Notify;

use super::config::ExportConfig;

/// Lets attempts in: so many at a time, and none while the destination is to be left alone.
#[derive(Debug)]
pub(super) struct Gate {
    state: RefCell<State>,
    changed: Notify,
    max: usize,
}

#[derive(Debug)]
struct State {
    throttle: Throttle,
    in_flight: usize,
}

impl Gate {
    pub(super) fn new(config: &ExportConfig) -> Self {
        let throttle = Throttle::new(config.retry);
        let state = State { throttle, in_flight: 0 };
        let max = config.max_concurrent_exports.get();
        Self { state: RefCell::new(state), changed: Notify::new(), max }
    }

    /// Waits for the turn of one attempt. `None` when that would come after `deadline`: at once, if it
    /// is known by now.
    pub(super) async fn enter(&self, deadline: Deadline) -> Option<Turn<'_>> {
        loop {
            // Made before the look, so that no change is missed.
            let changed = self.changed.notified();
            let opens = match self.look() {
                Look::Open => return Some(self.turn()),
                Look::Opens(at) if deadline.has_passed(at) => return None,
                Look::Opens(at) => Deadline::at(at),
                Look::Full => Deadline::NEVER,
            };
            wait(changed, opens.min(deadline)).await;
            if deadline.has_passed(now()) {
                return None;
            }
        }
    }

    fn look(&self) -> Look {
        let state = self.state.borrow();
        match state.throttle.ready_at() {
            Some(at) if at > now() => Look::Opens(at),
            _ if state.in_flight >= state.throttle.concurrency(self.max) => Look::Full,
            _ => Look::Open,
        }
    }

    fn turn(&self) -> Turn<'_> {
        self.state.borrow_mut().in_flight += 1;
        Turn(self)
    }

    /// The server has answered an attempt that began at `started`.
    pub(super) fn answered(&self, started: Instant) {
        self.state.borrow_mut().throttle.on_answer(started, now());
    }

    /// An attempt that began at `started` has failed. The next one may start at the instant that
    /// comes back; `None` when the request has waited since `first` for long enough.
    pub(super) fn failed(
        &self,
        (first, started): (Instant, Instant),
        asked: Option<Duration>,
    ) -> Option<Instant> {
        let mut state = self.state.borrow_mut();
        let next = state.throttle.on_failure(started, now(), asked, rand::random());
        (!state.throttle.policy().gives_up(first, next)).then_some(next)
    }
}

enum Look {
    Open,
    Full,
    Opens(Instant),
}

/// The right to one attempt.
#[derive(Debug)]
pub(super) struct Turn<'a>(&'a Gate);

impl Drop for Turn<'_> {
    fn drop(&mut self) {
        self.0.state.borrow_mut().in_flight -= 1;
        self.0.changed.notify_waiters();
    }
}

async fn wait(changed: impl Future<Output = ()>, until: Deadline) {
    match until.instant() {
        Some(at) => drop(tokio::time::timeout_at(at.into(), changed).await),
        None => changed.await,
    }
}

/// The runtime's clock, which tests can turn.
pub(super) fn now() -> Instant {
    tokio::time::Instant::now().into_std()
}
