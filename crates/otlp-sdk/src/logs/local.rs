//! What each thread keeps for the log records that it will make: a stock of recorders.
//!
//! It is reached through `try_with`: destructors of other thread-locals log too, and no user code runs
//! while it is borrowed.

use std::cell::RefCell;
use std::sync::Arc;

use super::provider::Scope;
use super::record::Recorder;

/// Hands out an empty recorder.
#[inline]
pub(super) fn take_recorder(scope: &Arc<Scope>) -> Box<Recorder> {
    match STOCK.try_with(|stock| stock.borrow_mut().pop()) {
        Ok(Some(mut recorder)) => {
            recorder.move_to(scope);
            recorder
        }
        Ok(None) | Err(_) => Box::new(Recorder::new(Arc::clone(scope))),
    }
}

/// Clears a recorder and keeps it for this thread's next record.
#[inline]
pub(super) fn put_back(mut recorder: Box<Recorder>) {
    let _ = STOCK.try_with(|stock| {
        recorder.clear();
        let mut stock = stock.borrow_mut();
        if stock.len() < RECORDERS_MAX {
            stock.push(recorder);
        }
    });
}

thread_local! {
    #[expect(clippy::vec_box, reason = "a record owns its recorder by a box, which stays put")]
    static STOCK: RefCell<Vec<Box<Recorder>>> = const { RefCell::new(Vec::new()) };
}

/// Recorders kept per thread. A record is made and emitted in one go, so more than a few are in use only
/// where logging logs.
const RECORDERS_MAX: usize = 4;
