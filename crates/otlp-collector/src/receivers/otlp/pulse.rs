//! What a connection is doing: set where it is served, read where its time is watched.

use std::sync::atomic::{AtomicBool, AtomicU64, AtomicUsize, Ordering};
use std::time::{Duration, Instant};

/// The signs of life of one connection. They are hints for timers, so no ordering is needed.
#[derive(Debug)]
pub(super) struct Pulse {
    born: Instant,
    /// Requests that are being served.
    serving: AtomicUsize,
    /// Requests that were ever served.
    served: AtomicBool,
    /// When the last request ended, in milliseconds from birth.
    quiet_since: AtomicU64,
    /// When bytes came that belong to no request yet; 0 if none have.
    head_since: AtomicU64,
    /// When any bytes came last.
    read_at: AtomicU64,
    /// Whether a request was answered before all of it was read.
    has_unread: AtomicBool,
}

impl Pulse {
    pub(super) fn new(born: Instant) -> Self {
        Self {
            born,
            serving: AtomicUsize::new(0),
            served: AtomicBool::new(false),
            quiet_since: AtomicU64::new(0),
            head_since: AtomicU64::new(0),
            read_at: AtomicU64::new(0),
            has_unread: AtomicBool::new(false),
        }
    }

    /// Bytes have come.
    pub(super) fn on_read(&self) {
        let now = self.now();
        self.read_at.store(now, Ordering::Relaxed);
        let is_between = self.serving.load(Ordering::Relaxed) == 0;
        if is_between && self.head_since.load(Ordering::Relaxed) == 0 {
            self.head_since.store(now.max(1), Ordering::Relaxed);
        }
    }

    /// A request begins.
    pub(super) fn on_request(&self) {
        self.serving.fetch_add(1, Ordering::Relaxed);
        self.served.store(true, Ordering::Relaxed);
        self.head_since.store(0, Ordering::Relaxed);
    }

    /// A request has ended.
    pub(super) fn on_answer(&self) {
        // Among several it is the last that counts, and the clock is read for that one alone.
        if self.serving.load(Ordering::Relaxed) == 1 {
            self.quiet_since.store(self.now(), Ordering::Relaxed);
        }
        self.serving.fetch_sub(1, Ordering::Relaxed);
    }

    /// A request was answered before all of it was read.
    pub(super) fn on_unread(&self) {
        self.has_unread.store(true, Ordering::Relaxed);
    }

    pub(super) fn has_unread(&self) -> bool {
        self.has_unread.load(Ordering::Relaxed)
    }

    pub(super) fn born(&self) -> Instant {
        self.born
    }

    pub(super) fn has_served(&self) -> bool {
        self.served.load(Ordering::Relaxed)
    }

    pub(super) fn is_serving(&self) -> bool {
        self.serving.load(Ordering::Relaxed) > 0
    }

    pub(super) fn quiet_since(&self) -> Instant {
        self.at(self.quiet_since.load(Ordering::Relaxed))
    }

    pub(super) fn head_since(&self) -> Option<Instant> {
        let since = self.head_since.load(Ordering::Relaxed);
        (since > 0).then(|| self.at(since))
    }

    pub(super) fn read_at(&self) -> Instant {
        self.at(self.read_at.load(Ordering::Relaxed))
    }

    fn now(&self) -> u64 {
        u64::try_from(self.born.elapsed().as_millis()).unwrap_or(u64::MAX)
    }

    fn at(&self, millis: u64) -> Instant {
        self.born.checked_add(Duration::from_millis(millis)).unwrap_or(self.born)
    }
}
