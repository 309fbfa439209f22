//! A warning that is given at most once, from a place that must not log.

use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;

use crate::say::say;
use tracing::dispatcher::{self, Dispatch};

/// Whether a warning was given.
#[derive(Debug, Default)]
pub(super) struct WarnOnce(AtomicBool);

impl WarnOnce {
    /// Gives the warning if it was not given before.
    #[inline]
    pub(super) fn warn(&self, message: &'static str) {
        // The load keeps the line shared between the threads; only one of them swaps.
        if !self.0.load(Ordering::Relaxed) && !self.0.swap(true, Ordering::Relaxed) {
            give(message);
        }
    }
}

/// Logs from a thread of its own. Where a sampler runs, the thread's `Context` may be borrowed, and
/// a subscriber that turns log events into OpenTelemetry log records may attach one: that panics.
/// The price is one short thread in the life of a sampler.
#[cold]
fn give(message: &'static str) {
    let dispatch = dispatcher::get_default(Dispatch::clone);
    // Without a thread there is no warning; a sampler has no other way to report.
    let _ = thread::Builder::new().name("otlp-warning".to_owned()).spawn(move || {
        dispatcher::with_default(&dispatch, || say!(Warn, "{message}"));
    });
}
