//! Texts from `Debug`, `Display` and `Error` implementations: code that is not ours, so it runs while
//! nothing of ours is locked or borrowed, its panics end here, and its texts have a bound.

use std::cell::Cell;
use std::error::Error;
use std::fmt::{self, Write};

use crate::foreign::{caught, in_foreign_code, is_too_deep};

/// Formats a value into a buffer of this thread and hands the text on, of at most so many bytes. Says
/// what went wrong; where the value's code panicked, the text says so.
pub(super) fn with_text(
    value: &dyn fmt::Debug,
    bytes_max: usize,
    f: impl FnOnce(&str),
) -> Option<Mishap> {
    let mut text = SCRATCH.try_with(Cell::take).unwrap_or_default();
    let mishap = push_at_most(&mut text, value, bytes_max);
    f(&text);
    put_back(text);
    mishap
}

/// Appends the text of a value.
pub(super) fn push(text: &mut String, value: &dyn fmt::Debug) -> Option<Mishap> {
    push_at_most(text, value, TEXT_BYTES_MAX)
}

fn push_at_most(text: &mut String, value: &dyn fmt::Debug, bytes_max: usize) -> Option<Mishap> {
    if is_too_deep() {
        text.push_str(TOO_DEEP);
        return None;
    }
    let start = text.len();
    let mut bounded = Bounded { text, end: start.saturating_add(bytes_max), is_cut: false };
    // What the value's code says of errors is its own affair: whether it was cut is known here.
    let done = in_foreign_code(|| caught(|| write!(bounded, "{value:?}")));
    let cut = bounded.is_cut.then_some(Mishap::Cut);
    if done.is_ok() {
        return cut;
    }
    text.truncate(start);
    text.push_str(PANICKED);
    Some(Mishap::Panicked)
}

/// The texts of an error and of what caused it, one after the other.
pub(super) fn push_error(
    message: &mut String,
    causes: &mut Vec<String>,
    error: &(dyn Error + 'static),
) -> Option<Mishap> {
    let mut mishap = push(message, &Shown(error));
    let mut next = cause_of(error, &mut mishap);
    let mut bytes = 0_usize;
    while let Some(cause) = next.filter(|_| causes.len() < CAUSES_MAX && bytes < TEXT_BYTES_MAX) {
        let mut text = String::new();
        mishap = mishap.max(push(&mut text, &Shown(cause)));
        bytes = bytes.saturating_add(text.len());
        causes.push(text);
        next = cause_of(cause, &mut mishap);
    }
    mishap.max(next.map(|_left| Mishap::Cut))
}

/// What can go wrong with a text, the worst last.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Mishap {
    /// It was longer than what is kept.
    Cut,
    /// The value's code has panicked.
    Panicked,
}

fn cause_of<'a>(
    error: &'a (dyn Error + 'static),
    mishap: &mut Option<Mishap>,
) -> Option<&'a (dyn Error + 'static)> {
    let cause = in_foreign_code(|| caught(|| error.source()));
    cause.unwrap_or_else(|_| {
        *mishap = Some(Mishap::Panicked);
        None
    })
}

/// An error's `Display` as a `Debug`.
struct Shown<'a>(&'a (dyn Error + 'static));

impl fmt::Debug for Shown<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self.0, f)
    }
}

/// Takes what fits and then refuses, so that code which would write for ever ends.
struct Bounded<'a> {
    text: &'a mut String,
    end: usize,
    is_cut: bool,
}

impl Write for Bounded<'_> {
    fn write_str(&mut self, piece: &str) -> fmt::Result {
        let room = self.end.saturating_sub(self.text.len());
        if piece.len() <= room {
            self.text.push_str(piece);
            return Ok(());
        }
        let end = (0..=room).rev().find(|end| piece.is_char_boundary(*end)).unwrap_or(0);
        self.text.push_str(piece.get(..end).unwrap_or_default());
        self.end = self.text.len();
        self.is_cut = true;
        Err(fmt::Error)
    }
}

fn put_back(mut text: String) {
    if text.capacity() <= KEPT_BYTES {
        text.clear();
        let _ = SCRATCH.try_with(|scratch| scratch.set(text));
    }
}

thread_local! {
    static SCRATCH: Cell<String> = const { Cell::new(String::new()) };
}

/// What stands for a value whose code has panicked.
const PANICKED: &str = "<panicked while being formatted>";
/// What stands for a value that is recorded by the code of a value that is recorded by the code of a
/// value: one that records itself would never end.
const TOO_DEEP: &str = "<recorded by the code of another value>";
/// Longest text of one value. Attributes are also cut by the limits of the provider.
pub(super) const TEXT_BYTES_MAX: usize = 1024 * 1024;
/// Longest text of a log record's body, which nothing else cuts (row G-L5). A little more than a record
/// may hold: one that is cut here is refused as too large, and counted so.
pub(super) const BODY_BYTES_MAX: usize = 64 * 1024 * 1024 + 16;
const CAUSES_MAX: usize = 64;
const KEPT_BYTES: usize = 16 * 1024;

#[cfg(test)]
mod tests {
    use super::*;

    struct Endless;

    impl fmt::Debug for Endless {
        fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
            loop {
                f.write_str("äöü")?;
            }
        }
    }

    #[test]
    fn a_text_without_an_end_is_cut_between_characters() {
        let mut text = String::from("before ");
        assert_eq!(push(&mut text, &Endless), Some(Mishap::Cut));
        assert!(text.len() <= TEXT_BYTES_MAX + 7 && text.len() > TEXT_BYTES_MAX - 3 + 7);
        assert!(text.ends_with(['ä', 'ö', 'ü']));
    }

    #[test]
    fn formatting_within_formatting_has_a_buffer_of_its_own() {
        struct Outer;
        impl fmt::Debug for Outer {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("outer ")?;
                let see = |inner: &str| assert_eq!(inner, "\"inner\"");
                assert_eq!(with_text(&"inner", TEXT_BYTES_MAX, see), None);
                f.write_str("outer")
            }
        }
        let mut seen = String::new();
        assert_eq!(with_text(&Outer, TEXT_BYTES_MAX, |text| seen.push_str(text)), None);
        assert_eq!(seen, "outer outer");
    }

    #[test]
    fn a_panic_leaves_a_note_in_place_of_half_a_text() {
        struct Bad;
        impl fmt::Debug for Bad {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("half")?;
                panic!("not ours")
            }
        }
        let mut seen = String::new();
        let mishap = with_text(&Bad, TEXT_BYTES_MAX, |text| seen.push_str(text));
        assert_eq!(mishap, Some(Mishap::Panicked));
        assert_eq!(seen, PANICKED);
    }

    #[test]
    fn a_chain_of_causes_that_refers_to_itself_ends() {
        #[derive(Debug)]
        struct Ring;
        impl fmt::Display for Ring {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("ring")
            }
        }
        impl Error for Ring {
            fn source(&self) -> Option<&(dyn Error + 'static)> {
                Some(&Ring)
            }
        }
        let (mut message, mut causes) = (String::new(), Vec::new());
        assert_eq!(push_error(&mut message, &mut causes, &Ring), Some(Mishap::Cut));
        assert_eq!((message.as_str(), causes.len()), ("ring", CAUSES_MAX));
    }
}
