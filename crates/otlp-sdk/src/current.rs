//! The API's current context, also where a thread is ending: there the API panics.

use opentelemetry::{Context, ContextGuard};

use crate::foreign::caught;

/// Calls `f` with the current context; `None` where the thread's context is gone already.
#[inline]
pub(crate) fn with_current<R>(f: impl FnOnce(&Context) -> R) -> Option<R> {
    ALIVE.try_with(|alive| alive.0.then(|| Context::map_current(f))).ok().flatten()
}

/// Whether telemetry is suppressed here.
#[inline]
pub(crate) fn is_suppressed() -> bool {
    with_current(Context::is_telemetry_suppressed).unwrap_or(false)
}

/// Suppresses telemetry until it is dropped; `None` where the thread's context is gone already.
pub(crate) fn suppressed() -> Option<ContextGuard> {
    let is_alive = ALIVE.try_with(|alive| alive.0).unwrap_or(false);
    is_alive.then(Context::enter_telemetry_suppressed_scope)
}

/// Destroyed before the API's context, since it was made after it: a thread's locals go in the reverse
/// order of their making.
struct Alive(bool);

impl Drop for Alive {
    /// There for the thread to note that it has happened.
    fn drop(&mut self) {
        self.0 = false;
    }
}

thread_local! {
    static ALIVE: Alive = Alive(caught(|| Context::map_current(|_| ())).is_ok());
}
