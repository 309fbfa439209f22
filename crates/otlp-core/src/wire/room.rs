//! A byte buffer with room behind its end that is initialised already.
//!
//! Writing into such room takes neither a check of the capacity nor a growing length for each piece:
//! a window of fixed size is opened at the end, everything goes to its place in there, and the end
//! moves over what was written.

/// Bytes of the window: room for the longest field that is written in one go.
pub(super) const WINDOW: usize = 192;

/// A buffer that ends at `len`; what stands behind it is room.
#[derive(Debug, Default)]
pub(super) struct Room {
    bytes: Vec<u8>,
    len: usize,
}

impl Room {
    pub(super) const fn new() -> Self {
        Self { bytes: Vec::new(), len: 0 }
    }

    #[inline]
    pub(super) fn len(&self) -> usize {
        self.len
    }

    #[inline]
    pub(super) fn as_slice(&self) -> &[u8] {
        self.bytes.get(..self.len).unwrap_or_default()
    }

    /// Writes into the window at the end, if there is room for one: `write` says how many bytes it
    /// has written, if any.
    #[inline(always)]
    pub(super) fn write(&mut self, write: impl FnOnce(&mut [u8; WINDOW]) -> Option<usize>) -> bool {
        let window = self.bytes.get_mut(self.len..).and_then(<[u8]>::first_chunk_mut);
        let Some(written) = window.and_then(write) else { return false };
        self.len += written.min(WINDOW);
        true
    }

    /// Appends bytes, into the room that is there if they fit.
    pub(super) fn extend(&mut self, bytes: &[u8]) {
        let end = self.len.saturating_add(bytes.len());
        match self.bytes.get_mut(self.len..end) {
            Some(room) => {
                room.copy_from_slice(bytes);
                self.len = end;
            }
            None => self.edit(|buf| buf.extend_from_slice(bytes)),
        }
    }

    /// Makes room for a window, and for some more, so that this happens once in a few fields.
    pub(super) fn make_ready(&mut self) {
        if self.bytes.len() - self.len < WINDOW {
            self.bytes.resize(self.len + STEP, 0);
        }
    }

    /// Changes the content as a vector, which takes the room behind it away.
    pub(super) fn edit<R>(&mut self, change: impl FnOnce(&mut Vec<u8>) -> R) -> R {
        self.bytes.truncate(self.len);
        let edited = Edited { room: self };
        change(&mut edited.room.bytes)
    }

    /// Bytes of memory that it holds.
    pub(super) fn capacity(&self) -> usize {
        self.bytes.capacity()
    }

    /// Empties it and keeps the memory, unless that has grown out of the ordinary.
    #[inline]
    pub(super) fn clear(&mut self) {
        self.len = 0;
        if self.bytes.capacity() > KEPT_BYTES {
            self.bytes = Vec::new();
        }
    }
}

/// Takes the length over also when the change panics.
struct Edited<'a> {
    room: &'a mut Room,
}

impl Drop for Edited<'_> {
    fn drop(&mut self) {
        self.room.len = self.room.bytes.len();
    }
}

/// Room is made in such steps: for a few fields, and little enough that a list where short and long
/// fields alternate is not mostly cleared.
const STEP: usize = 2 * WINDOW;
/// What a cleared buffer may keep: several times an ordinary span, and little enough that every
/// thread can keep dozens of them.
const KEPT_BYTES: usize = 8 * 1024;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_written_in_windows_and_by_edits_stands_in_order() {
        let mut room = Room::new();
        let mut expected = Vec::new();
        for round in 0..100_u8 {
            room.make_ready();
            assert!(room.write(|window| {
                window[..5].fill(round);
                Some(5)
            }));
            expected.extend_from_slice(&[round; 5]);
            if round % 7 == 0 {
                room.edit(|bytes| bytes.push(255));
                expected.push(255);
            }
        }
        assert_eq!(room.as_slice(), expected);
        assert_eq!(room.len(), expected.len());
        room.make_ready();
        assert!(!room.write(|_| None), "what does not fit the window is left alone");
        assert_eq!(room.as_slice(), expected);
    }

    #[test]
    fn what_is_appended_stands_in_order_with_room_and_without() {
        let mut room = Room::new();
        room.extend(b"no room yet, ");
        room.make_ready();
        room.extend(b"room, ");
        room.extend(&[b'.'; 3 * WINDOW]);
        let expected = [b"no room yet, room, ".as_slice(), &[b'.'; 3 * WINDOW]].concat();
        assert_eq!(room.as_slice(), expected);
        assert_eq!(room.len(), expected.len());
    }

    #[test]
    fn a_change_that_panics_leaves_what_it_had_done() {
        let mut room = Room::new();
        let change = std::panic::AssertUnwindSafe(|| {
            room.edit(|bytes| {
                bytes.extend_from_slice(b"half");
                panic!("not ours");
            });
        });
        std::panic::catch_unwind(change).unwrap_err();
        assert_eq!(room.as_slice(), b"half");
    }

    #[test]
    fn clearing_keeps_ordinary_memory_and_gives_the_rest_back() {
        let mut room = Room::new();
        assert!(!room.write(|_| Some(1)), "no room yet");
        room.make_ready();
        assert!(room.write(|_| Some(WINDOW)));
        room.clear();
        assert!(room.bytes.len() >= WINDOW && room.as_slice().is_empty());
        room.edit(|bytes| bytes.resize(KEPT_BYTES + 1, 7));
        room.clear();
        assert!(room.bytes.capacity() == 0 && room.as_slice().is_empty());
    }
}
