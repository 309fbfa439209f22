//! Locks and atomics of everything that several threads touch: the real ones, or loom's.

#[cfg(loom)]
pub(crate) use self::modelled::*;
#[cfg(not(loom))]
pub(crate) use self::real::*;

#[cfg(not(loom))]
mod real {
    pub(crate) use std::sync::Arc;
    pub(crate) use std::sync::atomic::{AtomicBool, AtomicU8, AtomicUsize, Ordering};

    pub(crate) use parking_lot::Mutex;
    /// A lock that is mostly tried.
    pub(crate) use parking_lot::Mutex as TryMutex;
}

/// loom's types behind the same signatures.
#[cfg(loom)]
mod modelled {
    use std::ops::{Deref, DerefMut};

    pub(crate) use loom::sync::Arc;
    pub(crate) use loom::sync::atomic::{AtomicBool, AtomicU8, AtomicUsize, Ordering};

    #[derive(Debug)]
    pub(crate) struct Mutex<T>(loom::sync::Mutex<T>);

    impl<T> Mutex<T> {
        pub(crate) fn new(value: T) -> Self {
            Self(loom::sync::Mutex::new(value))
        }

        pub(crate) fn lock(&self) -> loom::sync::MutexGuard<'_, T> {
            self.0.lock().expect("models do not panic under a lock")
        }

        pub(crate) fn try_lock(&self) -> Option<loom::sync::MutexGuard<'_, T>> {
            self.0.try_lock().ok()
        }
    }

    /// A lock on loom's atomics. loom's own lets a `try_lock` wait for whoever gets there first,
    /// so it cannot tell a thread that waits from one that does not.
    #[derive(Debug)]
    pub(crate) struct TryMutex<T> {
        locked: AtomicBool,
        /// Locked only by whoever has set the flag, so nobody ever waits here.
        value: std::sync::Mutex<T>,
    }

    #[derive(Debug)]
    pub(crate) struct TryGuard<'a, T> {
        locked: &'a AtomicBool,
        value: Option<std::sync::MutexGuard<'a, T>>,
    }

    impl<T> TryMutex<T> {
        pub(crate) fn new(value: T) -> Self {
            Self { locked: AtomicBool::new(false), value: std::sync::Mutex::new(value) }
        }

        pub(crate) fn lock(&self) -> TryGuard<'_, T> {
            loop {
                if let Some(guard) = self.try_lock() {
                    return guard;
                }
                loom::thread::yield_now();
            }
        }

        pub(crate) fn try_lock(&self) -> Option<TryGuard<'_, T>> {
            let (acquire, relaxed) = (Ordering::Acquire, Ordering::Relaxed);
            self.locked.compare_exchange(false, true, acquire, relaxed).ok()?;
            let value = self.value.try_lock().expect("the flag guards it");
            Some(TryGuard { locked: &self.locked, value: Some(value) })
        }
    }

    impl<T> Drop for TryGuard<'_, T> {
        fn drop(&mut self) {
            self.value = None;
            self.locked.store(false, Ordering::Release);
        }
    }

    impl<T> Deref for TryGuard<'_, T> {
        type Target = T;

        fn deref(&self) -> &T {
            self.value.as_deref().expect("there until it is dropped")
        }
    }

    impl<T> DerefMut for TryGuard<'_, T> {
        fn deref_mut(&mut self) -> &mut T {
            self.value.as_deref_mut().expect("there until it is dropped")
        }
    }
}
