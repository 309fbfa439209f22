//! How much is under way, and when nothing is any more.

use std::sync::atomic::{AtomicUsize, Ordering};

use tokio::sync::Notify;

/// Counts what is under way.
#[derive(Debug, Default)]
pub(super) struct UnderWay {
    count: AtomicUsize,
    ended: Notify,
}

/// Something is under way until this is dropped.
#[derive(Debug)]
pub(super) struct Trip<'a>(&'a UnderWay);

impl UnderWay {
    pub(super) fn begin(&self) -> Trip<'_> {
        self.count.fetch_add(1, Ordering::AcqRel);
        Trip(self)
    }

    /// Waits until nothing is under way.
    pub(super) async fn until_empty(&self) {
        loop {
            let ended = self.ended.notified();
            tokio::pin!(ended);
            // From here on it hears of an end.
            ended.as_mut().enable();
            if self.count.load(Ordering::Acquire) == 0 {
                return;
            }
            ended.await;
        }
    }
}

impl Drop for Trip<'_> {
    fn drop(&mut self) {
        if self.0.count.fetch_sub(1, Ordering::AcqRel) == 1 {
            self.0.ended.notify_waiters();
        }
    }
}
