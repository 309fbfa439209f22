//! How long a connection lives: it ends when it is idle, too old or too slow, and with the receiver.

use std::future::poll_fn;
use std::pin::pin;
use std::sync::Arc;
use std::task::Poll;
use std::time::{Duration, Instant};

use futures_util::stream::FuturesUnordered;
use rand::Rng as _;
use tokio::sync::watch;
use tokio::time::{sleep_until, timeout_at};

use super::pulse::Pulse;

/// The times of a connection.
#[derive(Clone, Debug)]
pub(super) struct Times {
    /// For the headers of a request, and for the first bytes.
    pub(super) head: Duration,
    /// Without a request.
    pub(super) idle: Duration,
    /// In all, more or less a tenth.
    pub(super) age: Option<Duration>,
    /// For what is under way when the connection is too old.
    pub(super) grace: Duration,
    /// For a request, from its first byte to its answer.
    pub(super) request: Duration,
    /// A quiet connection is asked after `ping`, and has `pong` to answer.
    pub(super) ping: Duration,
    pub(super) pong: Duration,
}

/// What the receiver is doing.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Phase {
    Running,
    /// No new connection; what is under way is finished.
    Draining,
    /// Nothing goes on.
    Cut,
}

/// What is to be done with a connection.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum End {
    /// No new request; what is under way is finished.
    Drain,
    /// Close it.
    Cut,
}

/// Watches the time of one connection.
#[derive(Debug)]
pub(super) struct Lifetime {
    pulse: Arc<Pulse>,
    times: Times,
    phase: watch::Receiver<Phase>,
    /// When it is too old.
    aged_at: Option<Instant>,
    /// When it is cut, once it drains.
    cut_at: Option<Instant>,
    /// How much longer what is under way then may take.
    spare: Option<Duration>,
    /// Whether a request has headers that may come slowly: HTTP/1. With HTTP/2 all requests of a connection
    /// share its bytes.
    watches_heads: bool,
}

impl Lifetime {
    pub(super) fn new(pulse: Arc<Pulse>, times: Times, phase: watch::Receiver<Phase>) -> Self {
        let jittered = |age: Duration| age.mul_f64(rand::rng().random_range(0.9..1.1));
        let aged_at = times.age.and_then(|age| pulse.born().checked_add(jittered(age)));
        Self { pulse, times, phase, aged_at, cut_at: None, spare: None, watches_heads: true }
    }

    /// For HTTP/2, once its first bytes were good.
    pub(super) fn of_http2(&mut self) {
        self.watches_heads = false;
    }

    /// When the connection is too old, and its client to be told so with the next answer.
    pub(super) fn aged_at(&self) -> Option<Instant> {
        self.aged_at
    }

    pub(super) fn times(&self) -> &Times {
        &self.times
    }

    pub(super) fn pulse(&self) -> &Arc<Pulse> {
        &self.pulse
    }

    /// Waits until something is to be done. May be dropped and called again.
    pub(super) async fn end(&mut self) -> End {
        loop {
            let phase = *self.phase.borrow_and_update();
            let now = Instant::now();
            let due = match (phase, self.cut_at) {
                (Phase::Cut, _) => return End::Cut,
                (Phase::Draining, None) => {
                    // The receiver itself says when that ends.
                    self.cut_at = now.checked_add(FOREVER);
                    return End::Drain;
                }
                // A request that has crossed our good-bye has its time too.
                (_, Some(cut_at)) if now >= cut_at => match self.spare.take() {
                    Some(spare) if self.pulse.is_serving() => {
                        self.cut_at = now.checked_add(spare);
                        continue;
                    }
                    _ => return End::Cut,
                },
                (_, Some(cut_at)) => cut_at,
                (Phase::Running, None) => match self.decide(now) {
                    Decision::WaitUntil(due) => due,
                    Decision::Cut => return End::Cut,
                    Decision::Drain(grace) => {
                        self.cut_at = now.checked_add(grace);
                        return End::Drain;
                    }
                    Decision::Leave => {
                        self.cut_at = now.checked_add(FAREWELL);
                        self.spare = Some(self.times.request);
                        return End::Drain;
                    }
                },
            };
            tokio::select! {
                changed = self.phase.changed() => if changed.is_err() {
                    return End::Cut;
                },
                () = sleep_until(due.into()) => {}
            }
        }
    }

    /// What a connection that runs is due.
    fn decide(&self, now: Instant) -> Decision {
        let last = self.aged_at.map(|at| match self.watches_heads {
            // HTTP/1 has no way to say that a connection ends but an answer, so one is waited for.
            true => after(at, self.times.grace),
            false => at,
        });
        if last.is_some_and(|last| now >= last) {
            return Decision::Drain(self.times.grace);
        }
        let mut due = after(now, self.times.idle);
        if !self.pulse.is_serving() {
            let quiet = after(self.pulse.quiet_since(), self.times.idle);
            if now >= quiet {
                return Decision::Leave;
            }
            due = due.min(quiet);
            if self.watches_heads {
                // The first request is waited for no longer than for its headers.
                let first = (!self.pulse.has_served()).then(|| self.pulse.born());
                let since = self.pulse.head_since().or(first);
                match since.map(|since| after(since, self.times.head)) {
                    Some(late) if now >= late => return Decision::Cut,
                    Some(late) => due = due.min(late),
                    // Headers that begin after this are seen this much later.
                    None => due = due.min(after(now, self.times.head)),
                }
            }
        }
        Decision::WaitUntil(last.map_or(due, |last| due.min(last)))
    }
}

/// Has a future asked only when it has been woken itself, and not each time that there is work beside it:
/// asking after times and phases takes locks.
pub(super) fn aside<F: Future>(future: F) -> FuturesUnordered<F> {
    FuturesUnordered::from_iter([future])
}

/// Waits for a future, up to a time. One that is ready already costs no timer.
pub(super) async fn by<F: Future>(at: Instant, future: F) -> Option<F::Output> {
    let mut future = pin!(future);
    let now = poll_fn(|cx| Poll::Ready(future.as_mut().poll(cx))).await;
    match now {
        Poll::Ready(output) => Some(output),
        Poll::Pending => timeout_at(at.into(), future).await.ok(),
    }
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Decision {
    WaitUntil(Instant),
    /// It is too old: what is under way has this time.
    Drain(Duration),
    /// It is idle.
    Leave,
    Cut,
}

fn after(since: Instant, time: Duration) -> Instant {
    since.checked_add(time.min(FOREVER)).unwrap_or(since)
}

/// How long the client of an idle connection may take to say good-bye.
const FAREWELL: Duration = Duration::from_secs(5);

/// A time that nobody waits for, and that any clock can express.
const FOREVER: Duration = Duration::from_secs(30 * 24 * 3600);

#[cfg(test)]
mod tests {
    use super::*;

    fn lifetime(age: Option<Duration>) -> Lifetime {
        let times = Times {
            head: Duration::from_secs(10),
            idle: Duration::from_secs(60),
            age,
            grace: Duration::from_secs(7),
            request: Duration::from_secs(50),
            ping: Duration::from_secs(30),
            pong: Duration::from_secs(20),
        };
        let (_, phase) = watch::channel(Phase::Running);
        Lifetime::new(Arc::new(Pulse::new(Instant::now())), times, phase)
    }

    #[test]
    fn headers_have_ten_seconds_and_an_idle_connection_a_minute() {
        let mut life = lifetime(None);
        let born = life.pulse.born();
        let at = |seconds| born + Duration::from_secs(seconds);
        assert_eq!(life.decide(at(9)), Decision::WaitUntil(at(10)));
        assert_eq!(life.decide(at(10)), Decision::Cut, "nothing has come at all");
        life.of_http2();
        assert_eq!(life.decide(at(10)), Decision::WaitUntil(at(60)));
        assert_eq!(life.decide(at(61)), Decision::Leave);
        life.pulse.on_request();
        assert_eq!(life.decide(at(61)), Decision::WaitUntil(at(121)), "it is asked again later");
    }

    #[test]
    fn a_connection_that_is_too_old_ends_also_with_a_request_under_way() {
        let mut life = lifetime(Some(Duration::from_secs(100)));
        let aged = life.aged_at().unwrap();
        let lived = aged - life.pulse.born();
        assert!(lived > Duration::from_secs(89) && lived < Duration::from_secs(111), "{lived:?}");
        life.pulse.on_request();
        assert!(matches!(life.decide(aged), Decision::WaitUntil(_)), "an answer says so first");
        assert_eq!(life.decide(aged + life.times.grace), Decision::Drain(life.times.grace));
        life.of_http2();
        assert_eq!(life.decide(aged), Decision::Drain(life.times.grace));
        let before = aged - Duration::from_secs(1);
        assert_eq!(life.decide(before), Decision::WaitUntil(aged));
    }
}
