//! How much is under way, and when nothing is any more.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use tokio::sync::Notify;

/// Counts what is under way.
#[derive(Clone, Debug, Default)]
pub(crate) struct UnderWay(Arc<Count>);

#[derive(Debug, Default)]
struct Count {
    count: AtomicUsize,
    ended: Notify,
}

/// Something is under way until this is dropped.
#[derive(Debug)]
pub(crate) struct Trip(Arc<Count>);

impl UnderWay {
    pub(crate) fn begin(&self) -> Trip {
        self.0.count.fetch_add(1, Ordering::AcqRel);
        Trip(Arc::clone(&self.0))
    }

    /// Waits until nothing is under way.
    pub(crate) async fn until_empty(&self) {
        loop {
            let ended = self.0.ended.notified();
            tokio::pin!(ended);
            // From here on it hears of an end.
            ended.as_mut().enable();
            if self.0.count.load(Ordering::Acquire) == 0 {
                return;
            }
            ended.await;
        }
    }
}

impl Drop for Trip {
    fn drop(&mut self) {
        if self.0.count.fetch_sub(1, Ordering::AcqRel) == 1 {
            self.0.ended.notify_waiters();
        }
    }
}
