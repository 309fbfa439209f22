//! Silence around code that works for us and does not know it: what the official SDK and a transport say
//! through `tracing` while they do would come back as more to export.

use std::cell::Cell;

use tracing::Dispatch;
use tracing::dispatcher::{DefaultGuard, get_default, set_default};
use tracing::subscriber::NoSubscriber;

use crate::foreign::caught;

/// Runs `call` with no subscriber, but for what is said [`aloud`].
///
/// Where nobody listens nothing is changed: it may be the inside of a subscriber, where `tracing` allows no
/// change, and hears nobody either.
pub(crate) fn hushed<R>(call: impl FnOnce() -> R) -> R {
    let _back = (!is_hushed() && is_heard()).then(|| Back::after(set, lift));
    call()
}

/// No subscriber hears of what happens on this thread, but for what is said [`aloud`].
pub(crate) fn hush_for_good() {
    set();
}

/// Runs `call` with the subscriber that would be there without the hush.
pub(crate) fn aloud<R>(call: impl FnOnce() -> R) -> R {
    let _back = is_hushed().then(|| Back::after(lift, set));
    call()
}

/// Changes the hush, and changes it back, after a panic as well.
struct Back(fn());

impl Back {
    fn after(change: fn(), back: fn()) -> Self {
        change();
        Self(back)
    }
}

impl Drop for Back {
    fn drop(&mut self) {
        (self.0)();
    }
}

fn is_hushed() -> bool {
    let peek = |hush: &Cell<Option<DefaultGuard>>| {
        let guard = hush.take();
        let is_hushed = guard.is_some();
        hush.set(guard);
        is_hushed
    };
    HUSH.try_with(peek).unwrap_or(false)
}

fn is_heard() -> bool {
    get_default(|dispatch| !dispatch.is::<NoSubscriber>())
}

/// At the very end of a thread there is no hush any more.
fn set() {
    if !is_hushed() {
        // Inside a subscriber `tracing` panics; whether this is one cannot be known for sure.
        let _ = caught(|| HUSH.try_with(|hush| hush.set(Some(set_default(&Dispatch::none())))));
    }
}

fn lift() {
    let _ = HUSH.try_with(|hush| drop(hush.take()));
}

thread_local! {
    static HUSH: Cell<Option<DefaultGuard>> = const { Cell::new(None) };
}

#[cfg(test)]
mod tests {
    use tracing::info;
    use tracing::subscriber::with_default;

    use super::*;

    /// With a subscriber around it.
    fn listening(test: impl FnOnce()) {
        with_default(tracing_subscriber::registry(), || {
            assert!(is_heard());
            test();
            assert!(is_heard(), "as before");
        });
    }

    #[test]
    fn what_is_hushed_is_not_heard_but_for_what_is_said_aloud() {
        listening(|| {
            let heard = hushed(|| {
                let inner =
                    [is_heard(), aloud(is_heard), hushed(is_heard), aloud(|| hushed(is_heard))];
                (inner, aloud(|| aloud(is_heard)), is_heard())
            });
            assert_eq!(heard, ([false, true, false, false], true, false));
            assert!(aloud(is_heard), "nothing to lift");
        });
    }

    #[test]
    fn a_panic_leaves_it_as_it_was() {
        listening(|| {
            assert!(caught(|| hushed(|| panic!("hushed"))).is_err());
            assert!(is_heard());
            hushed(|| {
                assert!(caught(|| aloud(|| panic!("aloud"))).is_err());
                assert!(!is_heard());
            });
        });
    }

    #[test]
    fn a_thread_can_be_hushed_for_good() {
        std::thread::spawn(|| {
            hush_for_good();
            hush_for_good();
            assert!(!is_heard());
            assert!(!aloud(is_heard), "there is no subscriber of the process");
            listening_aloud();
            assert!(!is_heard());
        })
        .join()
        .unwrap();
    }

    fn listening_aloud() {
        aloud(|| listening(|| info!("heard by the registry")));
    }

    /// A destructor of another thread-local may run after ours.
    #[test]
    fn at_the_end_of_a_thread_it_does_no_harm() {
        struct AtTheEnd;
        impl Drop for AtTheEnd {
            fn drop(&mut self) {
                assert_eq!(hushed(|| aloud(|| 7)), 7);
            }
        }
        thread_local! {
            static AT_THE_END: Cell<Option<AtTheEnd>> = const { Cell::new(None) };
        }
        let thread = std::thread::spawn(|| {
            AT_THE_END.set(Some(AtTheEnd));
            hushed(|| ());
        });
        thread.join().unwrap();
    }
}
