//! What each thread keeps for the spans that it will start: a stock of recorders.
//!
//! It is reached through `try_with`: spans end in destructors of other thread-locals too, and no user
//! code runs while it is borrowed.

use std::cell::RefCell;
use std::sync::Arc;

use super::provider::Scope;
use super::recorder::Recorder;
use crate::clock::Started;

/// Hands out a recorder for a span that is recorded.
#[inline]
pub(crate) fn take_recorder(scope: &Arc<Scope>, started: Started) -> Box<Recorder> {
    match STOCK.try_with(|stock| stock.borrow_mut().pop()) {
        Ok(Some(mut recorder)) => {
            if !Arc::ptr_eq(&recorder.scope, scope) {
                recorder.scope = Arc::clone(scope);
            }
            recorder.started = started;
            recorder
        }
        Ok(None) | Err(_) => Box::new(Recorder::new(Arc::clone(scope), started)),
    }
}

/// Clears a recorder and keeps it for this thread's next span.
#[inline]
pub(crate) fn put_back(mut recorder: Box<Recorder>) {
    let _ = STOCK.try_with(|stock| {
        recorder.clear();
        let mut stock = stock.borrow_mut();
        let kept = stock.len();
        if kept < LARGE_MAX || kept < RECORDERS_MAX && recorder.encoder.memory() <= SMALL_BYTES {
            stock.push(recorder);
        }
    });
}

thread_local! {
    #[expect(
        clippy::vec_box,
        reason = "a span owns its recorder by a box; half a kilobyte stays put"
    )]
    static STOCK: RefCell<Vec<Box<Recorder>>> = const { RefCell::new(Vec::new()) };
}

/// Recorders kept per thread: as many spans as are open at once on most threads. Beyond, a span
/// costs allocations and nothing else.
const RECORDERS_MAX: usize = 64;
/// Of these, recorders that may keep what a large span has needed.
const LARGE_MAX: usize = 8;
/// What one beyond these may keep: room for a span of some dozen attributes.
const SMALL_BYTES: usize = 2 * 1024;
