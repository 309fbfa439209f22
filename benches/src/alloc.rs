//! A global allocator that counts, so that a row can say how many allocations a span costs.
//!
//! The only file of the workspace with `unsafe`: the trait cannot be implemented without it. It
//! forwards every call unchanged to the system allocator. Counting is off except between
//! [`start`] and [`stop`], and rows that count run in a process of their own.

#![expect(unsafe_code, reason = "`GlobalAlloc` is an unsafe trait with unsafe methods")]

use std::alloc::{GlobalAlloc, Layout, System};
use std::cell::Cell;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};

/// The system allocator with a counter in front of it.
#[derive(Debug)]
pub struct CountingAllocator;

/// Allocations and reallocations between [`start`] and [`stop`].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Allocations {
    /// Made by the thread that called [`start`] and [`stop`].
    pub caller: u64,
    /// Made by all threads of the process.
    pub process: u64,
}

/// Sets both counters to zero and starts counting.
pub fn start() {
    PROCESS.store(0, Ordering::SeqCst);
    CALLER.set(0);
    ON.store(true, Ordering::SeqCst);
}

/// Stops counting and reads both counters.
pub fn stop() -> Allocations {
    ON.store(false, Ordering::SeqCst);
    Allocations { caller: CALLER.get(), process: PROCESS.load(Ordering::SeqCst) }
}

static ON: AtomicBool = AtomicBool::new(false);
static PROCESS: AtomicU64 = AtomicU64::new(0);

thread_local! {
    // Constant and without a destructor: reading it never allocates and never fails.
    static CALLER: Cell<u64> = const { Cell::new(0) };
}

fn count() {
    if ON.load(Ordering::Relaxed) {
        PROCESS.fetch_add(1, Ordering::Relaxed);
        CALLER.set(CALLER.get() + 1);
    }
}

// SAFETY: every method passes its arguments unchanged to `System` and returns what it returns,
// so `System`'s own guarantees hold; `count` neither allocates nor unwinds.
unsafe impl GlobalAlloc for CountingAllocator {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        count();
        // SAFETY: the caller keeps `GlobalAlloc::alloc`'s contract, which is `System`'s.
        unsafe { System.alloc(layout) }
    }

    unsafe fn alloc_zeroed(&self, layout: Layout) -> *mut u8 {
        count();
        // SAFETY: as above.
        unsafe { System.alloc_zeroed(layout) }
    }

    unsafe fn realloc(&self, block: *mut u8, layout: Layout, size: usize) -> *mut u8 {
        count();
        // SAFETY: `block` came from this allocator, that is from `System`, with `layout`.
        unsafe { System.realloc(block, layout, size) }
    }

    unsafe fn dealloc(&self, block: *mut u8, layout: Layout) {
        // SAFETY: as above.
        unsafe { System.dealloc(block, layout) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[global_allocator]
    static COUNTING: CountingAllocator = CountingAllocator;

    #[test]
    fn counts_the_caller_apart_from_the_process_and_only_between_start_and_stop() {
        drop(vec![0_u8; 64]);
        start();
        drop(std::hint::black_box(vec![0_u8; 64]));
        std::thread::spawn(|| drop(std::hint::black_box(vec![1_u8; 64]))).join().unwrap();
        let counted = stop();
        drop(std::hint::black_box(vec![0_u8; 64]));

        assert!(counted.caller >= 1, "{counted:?}");
        assert!(counted.process > counted.caller, "{counted:?}");
    }
}
