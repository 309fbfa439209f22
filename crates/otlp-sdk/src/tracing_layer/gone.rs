//! Which layers are there. One that goes while threads are in its spans, as when `reload` puts another in
//! its place, hears of no exit any more: those threads find out here.

use std::collections::BTreeSet;
use std::sync::atomic::{AtomicU64, Ordering};

use parking_lot::Mutex;

/// Counts a layer in, and gives it its number.
pub(super) fn count_in() -> u64 {
    static NEXT_ID: AtomicU64 = AtomicU64::new(0);
    let layer = NEXT_ID.fetch_add(1, Ordering::Relaxed);
    THERE.lock().insert(layer);
    layer
}

/// Counts a layer out.
pub(super) fn count_out(layer: u64) {
    THERE.lock().remove(&layer);
    GONE.fetch_add(1, Ordering::Release);
}

/// How many layers have gone so far.
#[inline]
pub(super) fn count() -> u64 {
    GONE.load(Ordering::Acquire)
}

/// Which layers are there.
pub(super) fn there() -> BTreeSet<u64> {
    THERE.lock().clone()
}

static THERE: Mutex<BTreeSet<u64>> = Mutex::new(BTreeSet::new());
static GONE: AtomicU64 = AtomicU64::new(0);
