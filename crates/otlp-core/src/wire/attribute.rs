//! Attributes, encoded as they are set, with unique keys and counted limits.

use std::hash::{BuildHasher, RandomState};

use crate::limits::AttributeLimits;

use super::short::{Short, put_short};
use super::value::{Value, Walk, cut, put_scalar, put_value, scalar_field_len};
use super::writer::{LEN, key, len_field, put_len, put_len_header, put_message};

/// A list of `KeyValue` fields in OTLP bytes.
///
/// Setting a key again replaces its value where it stands (row T12), also when the list is full
/// (rows L2, W5). Clearing keeps the memory, so a list that is used again does not allocate.
///
/// A list never grows beyond 64 MiB, the largest request that the protocol recommends; an attribute
/// that would take it there is discarded and counted like one over the count limit. So is one with
/// an empty key, which the specification forbids.
///
/// Cost: appending is a copy of the bytes. Replacing a value by one of another length also moves
/// what stands behind it.
#[derive(Debug)]
pub struct AttributeList {
    field_key: u8,
    buf: Vec<u8>,
    index: KeyIndex,
    dropped: u32,
}

impl AttributeList {
    /// An empty list whose entries are field `field` (1 to 15) of the message around them.
    #[must_use]
    pub const fn new(field: u8) -> Self {
        Self { field_key: key(field, LEN), buf: Vec::new(), index: KeyIndex::new(), dropped: 0 }
    }

    /// Sets an attribute: appends it, or replaces the value that the key has.
    #[inline]
    pub fn set(&mut self, key: &str, value: Value<'_>, limits: &AttributeLimits) {
        match value {
            Value::Str(text) => self.set_str(key, text, limits),
            Value::I64(int) => self.set_i64(key, int, limits),
            Value::F64(number) => self.set_f64(key, number, limits),
            Value::Bool(value) => self.set_bool(key, value, limits),
            other => self.set_any(hash_key(key), key, other, limits),
        }
    }

    /// [`set`](Self::set) for a string.
    #[inline]
    pub fn set_str(&mut self, key: &str, text: &str, limits: &AttributeLimits) {
        let within = text.len() <= limits.value.length as usize;
        self.set_short(key, text, within, limits);
    }

    /// [`set`](Self::set) for an integer.
    #[inline]
    pub fn set_i64(&mut self, key: &str, int: i64, limits: &AttributeLimits) {
        self.set_short(key, int, true, limits);
    }

    /// [`set`](Self::set) for a floating-point number.
    #[inline]
    pub fn set_f64(&mut self, key: &str, number: f64, limits: &AttributeLimits) {
        self.set_short(key, number, true, limits);
    }

    /// [`set`](Self::set) for a boolean.
    #[inline]
    pub fn set_bool(&mut self, key: &str, value: bool, limits: &AttributeLimits) {
        self.set_short(key, value, true, limits);
    }

    /// The way of nearly all attributes: a new key, room for it, an ordinary value within its limit.
    #[inline]
    fn set_short<'a, V>(&mut self, key: &str, value: V, within: bool, limits: &AttributeLimits)
    where
        V: Short + Into<Value<'a>>,
    {
        let hash = hash_key(key);
        let start = self.buf.len();
        let has_room = self.index.len() < limits.count as usize && start < LIST_BYTES_MAX / 2;
        if within
            && has_room
            && !key.is_empty()
            && self.index.is_new(hash, key, &self.buf)
            && put_short(&mut self.buf, self.field_key, key, value)
        {
            // One byte of key and one of length stand in front of a short message.
            return self.index.push(hash, start, start + 2, &self.buf);
        }
        self.set_any(hash, key, value.into(), limits);
    }

    #[inline(never)]
    fn set_any(&mut self, hash: u32, key: &str, value: Value<'_>, limits: &AttributeLimits) {
        let walk = Walk::new(&limits.value);
        if let Some(at) = self.index.find(hash, key, &self.buf) {
            self.replace(at, key, value, &walk, 1);
        } else if self.index.len() >= limits.count as usize || key.is_empty() {
            self.count_dropped();
        } else {
            self.append(hash, key, value, &walk, 1);
        }
    }

    /// Sets an entry of a map value that stands `depth` levels deep. Count limits do not hold in
    /// there (row L2), and if an entry is too large, so is the whole attribute.
    pub(super) fn set_nested(&mut self, key: &str, value: Value<'_>, walk: &Walk<'_>, depth: u8) {
        let hash = hash_key(key);
        match self.index.find(hash, key, &self.buf) {
            Some(at) => self.replace(at, key, value, walk, depth),
            None => self.append(hash, key, value, walk, depth),
        }
        if self.dropped > 0 {
            walk.give_up();
        }
    }

    /// Number of attributes that are kept.
    #[must_use]
    pub fn len(&self) -> usize {
        self.index.len()
    }

    /// Whether no attribute is kept.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.index.len() == 0
    }

    /// Number of attributes that were discarded.
    #[must_use]
    pub fn dropped(&self) -> u32 {
        self.dropped
    }

    /// The encoded fields, ready to stand in the message around them.
    #[must_use]
    pub fn as_bytes(&self) -> &[u8] {
        &self.buf
    }

    /// The encoded `KeyValue` messages in order, without the field keys around them.
    pub fn entries(&self) -> impl Iterator<Item = &[u8]> {
        self.index.entries.iter().enumerate().map(|(at, entry)| {
            let (start, end) = (entry.content as usize, self.end_of(at));
            self.buf.get(start..end).unwrap_or_default()
        })
    }

    /// The encoded `KeyValue` message of `key`.
    #[must_use]
    pub fn entry(&self, key: &str) -> Option<&[u8]> {
        let at = self.index.find(hash_key(key), key, &self.buf)?;
        let start = self.index.entries.get(at)?.content as usize;
        self.buf.get(start..self.end_of(at))
    }

    /// Takes an attribute out. The list is searched and the rest moves down: not for hot paths.
    pub fn remove(&mut self, key: &str) -> bool {
        let Some(at) = self.index.find(hash_key(key), key, &self.buf) else { return false };
        let (start, end) = (self.start_of(at), self.end_of(at));
        self.buf.drain(start..end);
        self.index.remove(at, end - start, &self.buf);
        true
    }

    /// Empties the list and keeps its memory, unless it has grown out of the ordinary.
    #[inline]
    pub fn clear(&mut self) {
        self.dropped = 0;
        self.index.clear();
        self.buf.clear();
        if self.buf.capacity() > KEPT_BYTES {
            self.buf.shrink_to(KEPT_BYTES);
        }
    }

    #[inline]
    fn append(&mut self, hash: u32, key: &str, value: Value<'_>, walk: &Walk<'_>, depth: u8) {
        let start = self.buf.len();
        let value = cut(value, walk.limits);
        if !self.has_room(0, key, value) {
            return self.count_dropped();
        }
        let written = put_key_value(&mut self.buf, self.field_key, key, value, walk, depth);
        if !written || self.buf.len() > LIST_BYTES_MAX {
            self.buf.truncate(start);
            return self.count_dropped();
        }
        let content = content_of(start, &self.buf);
        self.index.push(hash, start, content, &self.buf);
    }

    /// Writes the new entry behind the list, then moves it to the old one's place.
    #[cold]
    fn replace(&mut self, at: usize, key: &str, value: Value<'_>, walk: &Walk<'_>, depth: u8) {
        let list_end = self.buf.len();
        let (start, old_end) = (self.start_of(at), self.end_of(at));
        let old_len = old_end - start;
        let value = cut(value, walk.limits);
        if !self.has_room(old_len, key, value) {
            return self.count_dropped();
        }
        let written = put_key_value(&mut self.buf, self.field_key, key, value, walk, depth);
        let new_len = self.buf.len() - list_end;
        if !written || list_end - old_len + new_len > LIST_BYTES_MAX {
            self.buf.truncate(list_end);
            return self.count_dropped();
        }
        if new_len <= old_len {
            self.buf.copy_within(list_end.., start);
            self.buf.truncate(list_end);
            self.buf.drain(start + new_len..old_end);
        } else {
            if let Some(tail) = self.buf.get_mut(start..) {
                tail.rotate_right(new_len);
            }
            self.buf.drain(start + new_len..start + new_len + old_len);
        }
        self.index.resized(at, old_len, new_len, &self.buf);
    }

    /// Whether a scalar would keep the list within its bound; an array or map is looked at when it
    /// has been written.
    #[inline]
    fn has_room(&self, freed: usize, key: &str, value: Value<'_>) -> bool {
        let value_len = scalar_field_len(value).unwrap_or(0);
        let len = len_field(key.len().saturating_add(value_len));
        (self.buf.len() - freed).saturating_add(len) <= LIST_BYTES_MAX
    }

    #[cold]
    fn count_dropped(&mut self) {
        self.dropped = self.dropped.saturating_add(1);
    }

    fn start_of(&self, at: usize) -> usize {
        self.index.entries.get(at).map_or(self.buf.len(), |entry| entry.start as usize)
    }

    fn end_of(&self, at: usize) -> usize {
        self.index.entries.get(at + 1).map_or(self.buf.len(), |next| next.start as usize)
    }
}

/// Writes one attribute as field `field_key`: key and length, then the `KeyValue`. The value has
/// been cut. False, and nothing written, if something inside an array or map was too large.
#[inline]
fn put_key_value(
    buf: &mut Vec<u8>,
    field_key: u8,
    name: &str,
    value: Value<'_>,
    walk: &Walk<'_>,
    depth: u8,
) -> bool {
    let Some(value_len) = scalar_field_len(value) else {
        return put_nested(buf, field_key, name, value, walk, depth);
    };
    let len = len_field(name.len()) + value_len;
    buf.reserve(len + 6);
    if len < 0x80 {
        buf.extend_from_slice(&[field_key, len as u8, KEY, name.len() as u8]);
        buf.extend_from_slice(name.as_bytes());
    } else {
        put_len_header(buf, field_key, len);
        put_len(buf, KEY, name.as_bytes());
    }
    put_scalar(buf, VALUE, value);
    true
}

/// [`put_key_value`] for an array or map, whose elements come from code that is not ours: should it
/// panic, half an attribute must not stay behind.
fn put_nested(
    buf: &mut Vec<u8>,
    field_key: u8,
    name: &str,
    value: Value<'_>,
    walk: &Walk<'_>,
    depth: u8,
) -> bool {
    let mut undo = Undo { keep: buf.len(), buf };
    put_message(undo.buf, field_key, |buf| {
        put_len(buf, KEY, name.as_bytes());
        put_value(buf, VALUE, value, walk, depth);
    });
    if walk.is_full() {
        return false;
    }
    undo.keep = undo.buf.len();
    true
}

/// Cuts a buffer back to `keep` bytes when it goes out of scope.
struct Undo<'a> {
    buf: &'a mut Vec<u8>,
    keep: usize,
}

impl Drop for Undo<'_> {
    fn drop(&mut self) {
        self.buf.truncate(self.keep);
    }
}

/// Where each key stands, and a quick answer to "is it new?".
///
/// `seen` has one bit for each key's hash. Of ten attributes, nine lists in ten then never search:
/// a clear bit says "new"; otherwise the entries are compared, hash first. Long lists get a hash
/// table, so that 200 000 attributes under a raised limit do not cost a quadratic search.
#[derive(Debug)]
struct KeyIndex {
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
    /// Where the `KeyValue` message begins.
    content: u32,
}

impl KeyIndex {
    const fn new() -> Self {
        Self { seen: [0; 8], entries: Vec::new(), table: None }
    }

    #[inline]
    fn len(&self) -> usize {
        self.entries.len()
    }

    #[inline]
    fn find(&self, hash: u32, key: &str, buf: &[u8]) -> Option<usize> {
        let [word, bit] = seen_at(hash);
        if self.seen.get(word).is_none_or(|seen| seen >> bit & 1 == 0) {
            return None;
        }
        self.search(hash, key, buf)
    }

    #[inline]
    fn is_new(&self, hash: u32, key: &str, buf: &[u8]) -> bool {
        self.find(hash, key, buf).is_none()
    }

    #[cold]
    fn search(&self, hash: u32, key: &str, buf: &[u8]) -> Option<usize> {
        let is_it = |entry: &Entry| entry.hash == hash && entry.key(buf) == Some(key.as_bytes());
        match &self.table {
            None => self.entries.iter().position(is_it),
            Some(table) => {
                table.chain(key.as_bytes()).find(|&at| self.entries.get(at).is_some_and(is_it))
            }
        }
    }

    #[inline]
    fn push(&mut self, hash: u32, start: usize, content: usize, buf: &[u8]) {
        let [word, bit] = seen_at(hash);
        if let Some(seen) = self.seen.get_mut(word) {
            *seen |= 1 << bit;
        }
        self.entries.push(Entry { hash, start: start as u32, content: content as u32 });
        if self.entries.len() > SEARCHED_MAX {
            self.index_last(buf);
        }
    }

    #[cold]
    fn index_last(&mut self, buf: &[u8]) {
        self.table.get_or_insert_default().follow(&self.entries, buf);
    }

    /// Entry `at` has other bytes now: those behind it may have moved.
    fn resized(&mut self, at: usize, old_len: usize, new_len: usize, buf: &[u8]) {
        if let Some(entry) = self.entries.get_mut(at) {
            entry.content = content_of(entry.start as usize, buf) as u32;
        }
        if old_len != new_len {
            for entry in self.entries.iter_mut().skip(at + 1) {
                entry.start = (entry.start as usize + new_len - old_len) as u32;
                entry.content = (entry.content as usize + new_len - old_len) as u32;
            }
        }
    }

    fn remove(&mut self, at: usize, len: usize, buf: &[u8]) {
        self.entries.remove(at);
        for entry in self.entries.iter_mut().skip(at) {
            entry.start -= len as u32;
            entry.content -= len as u32;
        }
        // Positions have changed. A list that is short again is searched.
        if self.table.take().is_some() && self.entries.len() > SEARCHED_MAX {
            self.index_last(buf);
        }
    }

    #[inline]
    fn clear(&mut self) {
        self.seen = [0; 8];
        self.entries.clear();
        if self.table.is_some() {
            self.table = None;
            self.entries.shrink_to(SEARCHED_MAX);
        }
    }
}

impl Entry {
    fn key<'a>(&self, buf: &'a [u8]) -> Option<&'a [u8]> {
        let message = buf.get(self.content as usize..)?;
        let (len, used) = super::varint::decode(message.get(1..)?).ok()?;
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

/// Where the message behind field key and length begins.
#[inline]
fn content_of(start: usize, buf: &[u8]) -> usize {
    let mut at = start + 1;
    while buf.get(at).is_some_and(|byte| *byte >= 0x80) {
        at += 1;
    }
    at + 1
}

/// The word and the bit of `seen` that a hash has: its upper nine bits.
#[inline]
const fn seen_at(hash: u32) -> [usize; 2] {
    [(hash >> 29) as usize, (hash >> 23 & 63) as usize]
}

/// A hash from the length, the first and the last eight bytes: most attribute keys differ there.
/// Equal hashes are compared in full anyway, and a long list is found by another hash.
#[inline]
fn hash_key(key: &str) -> u32 {
    let bytes = key.as_bytes();
    let (first, last) = match (bytes.first_chunk::<8>(), bytes.last_chunk::<8>()) {
        (Some(first), Some(last)) => (u64::from_le_bytes(*first), u64::from_le_bytes(*last)),
        _ => (short_key(bytes), 0),
    };
    let mixed =
        (first ^ last.rotate_left(29) ^ bytes.len() as u64).wrapping_mul(0x9E37_79B9_7F4A_7C15);
    (mixed ^ mixed >> 29).wrapping_mul(0xBF58_476D_1CE4_E5B9).wrapping_shr(32) as u32
}

/// Up to seven bytes as a number.
#[inline]
fn short_key(bytes: &[u8]) -> u64 {
    bytes.iter().fold(0, |number, byte| number << 8 | u64::from(*byte))
}

const KEY: u8 = key(1, LEN);
const VALUE: u8 = key(2, LEN);
const NO_ENTRY: u32 = u32::MAX;
/// Above this many entries a hash table takes over from the search.
const SEARCHED_MAX: usize = 128;
/// Most bytes of one list: the protocol's recommended request limit (row Z1).
pub(super) const LIST_BYTES_MAX: usize = 64 * 1024 * 1024;
/// What a cleared list may keep: several times an ordinary span, and little enough that every thread
/// can keep dozens of lists.
const KEPT_BYTES: usize = 16 * 1024;

#[cfg(test)]
mod tests;
