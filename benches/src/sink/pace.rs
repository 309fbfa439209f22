//! A sink that is slower than what is sent to it.

use std::time::Duration;

use parking_lot::Mutex;
use tokio::sync::watch;
use tokio::time::{Instant, timeout_at};

/// How fast items are taken, one request after the other.
#[derive(Debug)]
pub(super) struct Pace {
    rate: Option<u64>,
    /// When what has come so far is through.
    busy_until: Mutex<Option<Instant>>,
    released: watch::Sender<bool>,
}

impl Pace {
    /// So many items a second; `None` is as fast as they come.
    pub(super) fn new(rate: Option<u64>) -> Self {
        Self { rate, busy_until: Mutex::default(), released: watch::Sender::new(false) }
    }

    /// Ends when a sink of this pace would be through with the items.
    pub(super) async fn take(&self, items: u64) {
        let Some(rate) = self.rate else { return };
        let until = self.occupy(Duration::from_secs_f64(items as f64 / rate as f64));
        let mut released = self.released.subscribe();
        // An error is the time that is over; the sender is here as long as this is.
        let _ = timeout_at(until, released.wait_for(|released| *released)).await;
    }

    /// From now on nothing waits.
    pub(super) fn release(&self) {
        self.released.send_replace(true);
    }

    fn occupy(&self, time: Duration) -> Instant {
        let now = Instant::now();
        let mut busy_until = self.busy_until.lock();
        let until = busy_until.map_or(now, |until| until.max(now)) + time;
        *busy_until = Some(until);
        until
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn runtime() -> tokio::runtime::Runtime {
        tokio::runtime::Builder::new_current_thread().enable_time().build().unwrap()
    }

    #[test]
    fn requests_wait_for_each_other() {
        runtime().block_on(async {
            let start = Instant::now();
            let pace = Pace::new(Some(1_000));
            for _ in 0..2 {
                pace.take(10).await;
            }
            assert!(start.elapsed() >= Duration::from_millis(20));
        });
    }

    #[test]
    fn a_released_sink_holds_nothing_back() {
        runtime().block_on(async {
            let pace = Pace::new(Some(1));
            pace.release();
            // An hour, if it waited.
            pace.take(3_600).await;
        });
    }
}
