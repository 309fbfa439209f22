//! Code that is not ours: samplers, processors, exporters, subscribers. A panic in it ends here,
//! with everything that it carries.

use std::any::Any;
use std::cell::Cell;
use std::panic::{AssertUnwindSafe, catch_unwind};

/// Runs code that is not ours. `Err` is what its panic said.
///
/// Whoever calls this answers for the state that `call` had in its hands when it panicked.
pub(crate) fn caught<R>(call: impl FnOnce() -> R) -> Result<R, String> {
    catch_unwind(AssertUnwindSafe(call)).map_err(discard)
}

/// The text of a panic. What it carries is dropped, and that may panic as well.
pub(crate) fn discard(mut panic: Box<dyn Any + Send>) -> String {
    let text = panic
        .downcast_ref::<&str>()
        .copied()
        .or_else(|| panic.downcast_ref::<String>().map(String::as_str))
        .unwrap_or("no message")
        .to_owned();
    for _ in 0..NESTED_MAX {
        match catch_unwind(AssertUnwindSafe(move || drop(panic))) {
            Ok(()) => return text,
            Err(next) => panic = next,
        }
    }
    // One that carries one that carries one …: a leak is better than no end.
    std::mem::forget(panic);
    text
}

/// Runs code that is not ours on an instrumented thread: a hook, a sampler, an id generator. It must
/// have caught its panics.
#[inline]
pub(crate) fn in_foreign_code<R>(call: impl FnOnce() -> R) -> R {
    let before = DEPTH.with(|depth| depth.replace(depth.get().saturating_add(1)));
    let result = call();
    DEPTH.with(|depth| depth.set(before));
    result
}

/// Whether what is being started was started by foreign code which runs on behalf of something that was
/// itself started by foreign code. A processor may start spans; one that starts a span for every
/// span would never end.
#[inline]
pub(crate) fn is_too_deep() -> bool {
    DEPTH.with(Cell::get) > DEPTH_MAX
}

/// Whether code that is not ours runs on behalf of a span, possibly while the API's cell with the
/// thread's current context is borrowed.
#[cfg(feature = "tracing")]
#[inline]
pub(crate) fn is_in_foreign_code() -> bool {
    DEPTH.with(Cell::get) > 0
}

/// Whether this thread was told to [`never_record_here`].
#[cfg(feature = "tracing")]
#[inline]
pub(crate) fn records_never() -> bool {
    DEPTH.with(Cell::get) == u8::MAX
}

/// Nothing that starts on this thread is recorded from now on.
pub(crate) fn never_record_here() {
    DEPTH.with(|depth| depth.set(u8::MAX));
}

thread_local! {
    // No destructor, so it can be reached until the thread's very end.
    static DEPTH: Cell<u8> = const { Cell::new(0) };
}

const NESTED_MAX: usize = 8;
/// Foreign code may start spans; the foreign code that runs for those may not.
const DEPTH_MAX: u8 = 1;

#[cfg(test)]
mod tests {
    use std::panic::panic_any;

    use super::*;

    /// Panics when it is dropped, with one of its kind, `.0` times.
    struct Bomb(usize);

    impl Drop for Bomb {
        fn drop(&mut self) {
            if self.0 > 0 {
                panic_any(Self(self.0 - 1));
            }
        }
    }

    #[test]
    fn a_panic_ends_here_with_its_text() {
        assert_eq!(caught(|| 7), Ok(7));
        assert_eq!(caught(|| panic!("words")), Err::<(), _>("words".to_owned()));
        assert_eq!(caught(|| panic!("{} words", 2)), Err::<(), _>("2 words".to_owned()));
    }

    #[test]
    fn a_panic_that_panics_when_it_is_dropped_ends_here_too() {
        for bombs in [0, 1, 3, 1000] {
            let text = caught(|| panic_any(Bomb(bombs)));
            assert_eq!(text, Err::<(), _>("no message".to_owned()));
        }
    }
}
