//! Where each key of a list stands, and a quick answer to "is it new?".

use std::hash::{BuildHasher, RandomState};
use std::ops::Range;

use super::Key;
use crate::wire::varint;

/// The entries of a list, found by their keys.
///
/// `seen` has one bit for each key's hash. Of ten attributes, nine lists in ten then never search:
/// a clear bit says "new"; otherwise the entries are compared, hash first. Long lists get a hash
/// table, so that 200 000 attributes under a raised limit do not cost a quadratic search.
#[derive(Debug)]
pub(super) struct KeyIndex {
    seen: [u64; 8],
    entries: Vec<Entry>,
    table: Option<Box<Table>>,
}

/// Entry positions by the low bits of a hash of the whole key, chained by index.
///
/// Seeded at random: whoever can choose keys, such as names of request headers, must not be able to
/// make a long list slow.
#[derive(Debug, Default)]
struct Table {
    hasher: RandomState,
    heads: Vec<u32>,
    next: Vec<u32>,
}

#[derive(Clone, Copy, Debug)]
struct Entry {
    hash: u32,
    /// Where the field key stands.
    start: u32,
}

impl KeyIndex {
    pub(super) const fn new() -> Self {
        Self { seen: [0; 8], entries: Vec::new(), table: None }
    }

    #[inline]
    pub(super) fn len(&self) -> usize {
        self.entries.len()
    }

    /// Whether [`push_new`](Self::push_new) can be called: the key is new for certain, and there is
    /// room for an entry.
    #[inline]
    pub(super) fn is_ready_for(&self, key: Key<'_>) -> bool {
        let [word, bit] = seen_at(key.hash());
        let room = self.entries.capacity().min(SEARCHED_MAX);
        self.entries.len() < room && self.seen.get(word).is_some_and(|seen| seen >> bit & 1 == 0)
    }

    /// [`push`](Self::push) for an index that is ready for the key.
    #[inline]
    pub(super) fn push_new(&mut self, key: Key<'_>, start: usize) {
        self.see(key);
        if self.entries.len() < self.entries.capacity() {
            self.entries.push(Entry { hash: key.hash(), start: start as u32 });
        }
    }

    /// Takes in an entry that was appended at `start`.
    pub(super) fn push(&mut self, key: Key<'_>, start: usize, buf: &[u8]) {
        self.see(key);
        self.entries.push(Entry { hash: key.hash(), start: start as u32 });
        if self.entries.len() > SEARCHED_MAX {
            self.index_new(buf);
        }
    }

    /// Takes over the entries of a list whose bytes stand at the front of `buf`. Only for an index
    /// that has no entries.
    #[inline]
    pub(super) fn copy_from(&mut self, other: &Self, buf: &[u8]) {
        self.seen = other.seen;
        self.entries.extend_from_slice(&other.entries);
        if other.table.is_some() {
            self.index_new(buf);
        }
    }

    #[inline]
    fn see(&mut self, key: Key<'_>) {
        let [word, bit] = seen_at(key.hash());
        if let Some(seen) = self.seen.get_mut(word) {
            *seen |= 1 << bit;
        }
    }

    /// Position of the entry with this key.
    pub(super) fn find(&self, key: Key<'_>, buf: &[u8]) -> Option<usize> {
        let [word, bit] = seen_at(key.hash());
        if self.seen.get(word).is_none_or(|seen| seen >> bit & 1 == 0) {
            return None;
        }
        let name = key.name().as_bytes();
        let is_it = |entry: &Entry| entry.hash == key.hash() && entry.key(buf) == Some(name);
        match &self.table {
            None => self.entries.iter().position(is_it),
            Some(table) => table.chain(name).find(|&at| self.entries.get(at).is_some_and(is_it)),
        }
    }

    /// The bytes of entry `at`, with its field key.
    pub(super) fn range(&self, at: usize, buf: &[u8]) -> Range<usize> {
        let start_of = |at: usize| self.entries.get(at).map_or(buf.len(), |it| it.start as usize);
        start_of(at)..start_of(at + 1)
    }

    /// The `KeyValue` message of entry `at`.
    pub(super) fn message<'a>(&self, at: usize, buf: &'a [u8]) -> Option<&'a [u8]> {
        message(buf.get(self.range(at, buf))?)
    }

    #[cold]
    fn index_new(&mut self, buf: &[u8]) {
        self.table.get_or_insert_default().follow(&self.entries, buf);
    }

    /// Entry `at` has other bytes now: those behind it have moved.
    pub(super) fn resized(&mut self, at: usize, old_len: usize, new_len: usize) {
        if old_len != new_len {
            for entry in self.entries.iter_mut().skip(at + 1) {
                entry.start = (entry.start as usize + new_len - old_len) as u32;
            }
        }
    }

    /// Entry `at`, which had `len` bytes, is gone.
    pub(super) fn remove(&mut self, at: usize, len: usize, buf: &[u8]) {
        self.entries.remove(at);
        for entry in self.entries.iter_mut().skip(at) {
            entry.start -= len as u32;
        }
        // Positions have changed. A list that is short again is searched.
        if self.table.take().is_some() && self.entries.len() > SEARCHED_MAX {
            self.index_new(buf);
        }
    }

    /// Makes room for a further entry, as [`is_ready_for`](Self::is_ready_for) asks for it; false
    /// where the list has become too long for that.
    pub(super) fn make_ready(&mut self) -> bool {
        let is_short = self.entries.len() < SEARCHED_MAX;
        if is_short {
            self.entries.reserve(1);
        }
        is_short
    }

    #[inline]
    pub(super) fn clear(&mut self) {
        self.seen = [0; 8];
        self.entries.clear();
        if self.table.is_some() {
            self.table = None;
            self.entries.shrink_to(SEARCHED_MAX);
        }
    }

    pub(super) fn memory(&self) -> usize {
        self.entries.capacity() * size_of::<Entry>()
    }

    #[cfg(test)]
    pub(super) fn has_table(&self) -> bool {
        self.table.is_some()
    }
}

impl Entry {
    fn key<'a>(&self, buf: &'a [u8]) -> Option<&'a [u8]> {
        let message = message(buf.get(self.start as usize..)?)?;
        let (len, used) = varint::decode(message.get(1..)?).ok()?;
        message.get(1 + used..)?.get(..usize::try_from(len).ok()?)
    }
}

impl Table {
    /// Takes in all entries that it does not know yet, with twice the heads when they are full.
    fn follow(&mut self, entries: &[Entry], buf: &[u8]) {
        if entries.len() > self.heads.len() {
            let heads = (entries.len() * 2).next_power_of_two();
            self.heads.clear();
            self.heads.resize(heads, NO_ENTRY);
            self.next.clear();
        }
        for entry in entries.iter().skip(self.next.len()) {
            let at = self.next.len() as u32;
            let head = self.head_of(entry.key(buf).unwrap_or_default());
            let Some(head) = self.heads.get_mut(head) else { return };
            self.next.push(std::mem::replace(head, at));
        }
    }

    fn chain(&self, key: &[u8]) -> impl Iterator<Item = usize> {
        let first = self.heads.get(self.head_of(key)).copied().unwrap_or(NO_ENTRY);
        let step = |at: &u32| self.next.get(*at as usize).copied();
        std::iter::successors(Some(first), step)
            .take_while(|&at| at != NO_ENTRY)
            .map(|at| at as usize)
    }

    fn head_of(&self, key: &[u8]) -> usize {
        self.hasher.hash_one(key) as usize & self.heads.len().wrapping_sub(1)
    }
}

/// What stands behind field key and length.
fn message(field: &[u8]) -> Option<&[u8]> {
    let len_bytes = field.get(1..)?.iter().position(|byte| *byte < 0x80)? + 1;
    field.get(1 + len_bytes..)
}

/// The word and the bit of `seen` that a hash has: its upper nine bits.
#[inline]
const fn seen_at(hash: u32) -> [usize; 2] {
    [(hash >> 29) as usize, (hash >> 23 & 63) as usize]
}

const NO_ENTRY: u32 = u32::MAX;
/// Above this many entries a hash table takes over from the search.
pub(super) const SEARCHED_MAX: usize = 128;
