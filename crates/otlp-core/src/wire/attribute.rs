//! Attributes, encoded as they are set, with unique keys and counted limits.

use std::ops::Range;

use crate::limits::AttributeLimits;

mod index;
mod key;

use self::index::KeyIndex;
pub use self::key::Key;
use super::room::Room;
use super::short::{Short, put_short};
use super::value::{Depth, Value, Walk, cut, put_scalar, put_value, scalar_field_len};
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
    buf: Room,
    index: KeyIndex,
    dropped: u32,
    /// Whether a value lost an array or map that stood too deep.
    emptied: bool,
}

impl AttributeList {
    /// An empty list whose entries are field `field` (1 to 15) of the message around them.
    #[must_use]
    pub const fn new(field: u8) -> Self {
        Self {
            field_key: key(field, LEN),
            buf: Room::new(),
            index: KeyIndex::new(),
            dropped: 0,
            emptied: false,
        }
    }

    /// Sets an attribute: appends it, or replaces the value that the key has.
    #[inline]
    pub fn set<'k>(&mut self, key: impl Into<Key<'k>>, value: Value<'_>, limits: &AttributeLimits) {
        let key = key.into();
        match value {
            Value::Str(text) => self.set_str(key, text, limits),
            Value::I64(int) => self.set_i64(key, int, limits),
            Value::F64(number) => self.set_f64(key, number, limits),
            Value::Bool(value) => self.set_bool(key, value, limits),
            other => self.set_any(key, other, limits),
        }
    }

    /// [`set`](Self::set) for a string.
    #[inline(always)]
    pub fn set_str<'k>(&mut self, key: impl Into<Key<'k>>, text: &str, limits: &AttributeLimits) {
        let key = key.into();
        self.put_str(key.name(), key.hash(), text, limits);
    }

    /// [`set`](Self::set) for an integer.
    #[inline(always)]
    pub fn set_i64<'k>(&mut self, key: impl Into<Key<'k>>, int: i64, limits: &AttributeLimits) {
        let key = key.into();
        self.put_i64(key.name(), key.hash(), int, limits);
    }

    /// [`set`](Self::set) for a floating-point number.
    #[inline(always)]
    pub fn set_f64<'k>(&mut self, key: impl Into<Key<'k>>, number: f64, limits: &AttributeLimits) {
        let key = key.into();
        self.put_f64(key.name(), key.hash(), number, limits);
    }

    /// [`set`](Self::set) for a boolean.
    #[inline(always)]
    pub fn set_bool<'k>(&mut self, key: impl Into<Key<'k>>, value: bool, limits: &AttributeLimits) {
        let key = key.into();
        self.put_bool(key.name(), key.hash(), value, limits);
    }

    /// Begins with attributes that were encoded before, which costs a copy of their bytes. Does
    /// nothing unless this list is empty and made for the same field.
    #[inline]
    pub fn begin_with(&mut self, prepared: &Self) {
        if !self.is_empty() || self.field_key != prepared.field_key {
            return;
        }
        self.buf.extend(prepared.buf.as_slice());
        self.index.copy_from(&prepared.index, self.buf.as_slice());
        self.dropped = prepared.dropped;
        self.emptied = prepared.emptied;
    }

    /// Counts attributes as discarded that never came here.
    pub fn add_dropped(&mut self, dropped: u32) {
        self.dropped = self.dropped.saturating_add(dropped);
    }

    /// Sets an entry of a map value that stands so deep. Count limits do not hold in
    /// there (row L2), and if an entry is too large, so is the whole attribute.
    pub(super) fn set_nested(
        &mut self,
        key: &str,
        value: Value<'_>,
        walk: &Walk<'_>,
        depth: Depth,
    ) {
        let key = Key::new(key);
        match self.index.find(key, self.buf.as_slice()) {
            Some(at) => self.replace(at, key, value, walk, depth),
            None => self.append(key, value, walk, depth),
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

    /// Whether an attribute, or an array or map that stood too deep in one, was discarded.
    #[must_use]
    #[inline]
    pub(crate) fn has_lost(&self) -> bool {
        self.dropped != 0 || self.emptied
    }

    /// Number of attributes that were discarded.
    #[must_use]
    pub fn dropped(&self) -> u32 {
        self.dropped
    }

    /// Counts attributes that were discarded before they came here.
    pub fn count_dropped_before(&mut self, attributes: u32) {
        self.dropped = self.dropped.saturating_add(attributes);
    }

    /// The encoded fields, ready to stand in the message around them.
    #[must_use]
    pub fn as_bytes(&self) -> &[u8] {
        self.buf.as_slice()
    }

    /// The encoded `KeyValue` messages in order, without the field keys around them.
    pub fn entries(&self) -> impl Iterator<Item = &[u8]> {
        let buf = self.buf.as_slice();
        (0..self.index.len()).map(|at| self.index.message(at, buf).unwrap_or_default())
    }

    /// The encoded `KeyValue` message of `key`.
    #[must_use]
    pub fn entry(&self, key: &str) -> Option<&[u8]> {
        let buf = self.buf.as_slice();
        self.index.message(self.index.find(Key::new(key), buf)?, buf)
    }

    /// Takes an attribute out. The list is searched and the rest moves down: not for hot paths.
    pub fn remove(&mut self, key: &str) -> bool {
        let buf = self.buf.as_slice();
        let Some(at) = self.index.find(Key::new(key), buf) else { return false };
        let range = self.index.range(at, buf);
        self.buf.edit(|buf| drop(buf.drain(range.clone())));
        self.index.remove(at, range.len(), self.buf.as_slice());
        true
    }

    /// Bytes of memory that it holds, used or not.
    #[must_use]
    pub fn memory(&self) -> usize {
        self.buf.capacity() + self.index.memory()
    }

    /// Empties the list and keeps its memory, unless it has grown out of the ordinary.
    #[inline]
    pub fn clear(&mut self) {
        self.dropped = 0;
        self.emptied = false;
        self.index.clear();
        self.buf.clear();
    }
}

/// The way of nearly all attributes: one function for each kind of value, without a call in it, so
/// that nothing has to be saved on the stack. The caller has hashed the key, which comes in pieces so
/// that it comes in registers.
impl AttributeList {
    fn put_str(&mut self, name: &str, hash: u32, text: &str, limits: &AttributeLimits) {
        let key = Key::with_hash(name, hash);
        if text.len() > limits.value.length as usize || !self.put_ordinary(key, text, limits) {
            self.set_any(key, Value::Str(text), limits);
        }
    }

    fn put_i64(&mut self, name: &str, hash: u32, int: i64, limits: &AttributeLimits) {
        let key = Key::with_hash(name, hash);
        if !self.put_ordinary(key, int, limits) {
            self.set_any(key, Value::I64(int), limits);
        }
    }

    fn put_f64(&mut self, name: &str, hash: u32, number: f64, limits: &AttributeLimits) {
        let key = Key::with_hash(name, hash);
        if !self.put_ordinary(key, number, limits) {
            self.set_any(key, Value::F64(number), limits);
        }
    }

    fn put_bool(&mut self, name: &str, hash: u32, value: bool, limits: &AttributeLimits) {
        let key = Key::with_hash(name, hash);
        if !self.put_ordinary(key, value, limits) {
            self.set_any(key, Value::Bool(value), limits);
        }
    }

    /// Appends a new key with an ordinary value within its limit, if there is room for it; says
    /// whether it did.
    #[inline(always)]
    fn put_ordinary(&mut self, key: Key<'_>, value: impl Short, limits: &AttributeLimits) -> bool {
        let start = self.buf.len();
        let appended = self.index.len() < limits.count as usize
            && self.index.is_ready_for(key)
            && self.buf.write(|window| put_short(window, self.field_key, key.name(), value));
        if appended {
            self.index.push_new(key, start);
        }
        appended
    }

    /// The way of everything else. Makes room for what comes next.
    #[inline(never)]
    fn set_any(&mut self, key: Key<'_>, value: Value<'_>, limits: &AttributeLimits) {
        let walk = Walk::new(&limits.value);
        if let Some(at) = self.index.find(key, self.buf.as_slice()) {
            self.replace(at, key, value, &walk, Depth::ATTRIBUTE);
        } else if self.index.len() >= limits.count as usize || key.name().is_empty() {
            self.count_dropped();
        } else {
            self.append(key, value, &walk, Depth::ATTRIBUTE);
        }
        self.emptied |= walk.has_emptied();
        if self.buf.len() < LIST_BYTES_MAX / 2 && self.index.make_ready() {
            self.buf.make_ready();
        }
    }

    fn append(&mut self, key: Key<'_>, value: Value<'_>, walk: &Walk<'_>, depth: Depth) {
        let start = self.buf.len();
        let value = cut(value, walk.limits);
        if !self.has_room(0, key, value) {
            return self.count_dropped();
        }
        let field_key = self.field_key;
        let kept = self.buf.edit(|buf| {
            let written = put_key_value(buf, field_key, key.name(), value, walk, depth);
            let kept = written && buf.len() <= LIST_BYTES_MAX;
            if !kept {
                buf.truncate(start);
            }
            kept
        });
        if !kept {
            return self.count_dropped();
        }
        self.index.push(key, start, self.buf.as_slice());
    }

    /// Writes the new entry behind the list, then moves it to the old one's place.
    #[cold]
    fn replace(
        &mut self,
        at: usize,
        key: Key<'_>,
        value: Value<'_>,
        walk: &Walk<'_>,
        depth: Depth,
    ) {
        let list_end = self.buf.len();
        let old = self.index.range(at, self.buf.as_slice());
        let value = cut(value, walk.limits);
        if !self.has_room(old.len(), key, value) {
            return self.count_dropped();
        }
        let (field_key, old_len) = (self.field_key, old.len());
        let replaced = self.buf.edit(|buf| {
            let written = put_key_value(buf, field_key, key.name(), value, walk, depth);
            let new_len = buf.len() - list_end;
            if !written || list_end - old_len + new_len > LIST_BYTES_MAX {
                buf.truncate(list_end);
                return None;
            }
            move_last(buf, old, list_end);
            Some(new_len)
        });
        let Some(new_len) = replaced else { return self.count_dropped() };
        self.index.resized(at, old_len, new_len);
    }

    /// Whether a scalar would keep the list within its bound; an array or map is looked at when it
    /// has been written.
    #[inline]
    fn has_room(&self, freed: usize, key: Key<'_>, value: Value<'_>) -> bool {
        let value_len = scalar_field_len(value).unwrap_or(0);
        let len = len_field(key.name().len().saturating_add(value_len));
        (self.buf.len() - freed).saturating_add(len) <= LIST_BYTES_MAX
    }

    #[cold]
    fn count_dropped(&mut self) {
        self.dropped = self.dropped.saturating_add(1);
    }
}

/// Moves what stands from `last` on to the place of `old`, which it replaces.
fn move_last(buf: &mut Vec<u8>, old: Range<usize>, last: usize) {
    let (old_len, new_len) = (old.len(), buf.len() - last);
    if new_len <= old_len {
        buf.copy_within(last.., old.start);
        buf.truncate(last);
        buf.drain(old.start + new_len..old.end);
    } else {
        if let Some(tail) = buf.get_mut(old.start..) {
            tail.rotate_right(new_len);
        }
        buf.drain(old.start + new_len..old.start + new_len + old_len);
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
    depth: Depth,
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

/// [`put_key_value`] for an array or map.
fn put_nested(
    buf: &mut Vec<u8>,
    field_key: u8,
    name: &str,
    value: Value<'_>,
    walk: &Walk<'_>,
    depth: Depth,
) -> bool {
    walk.put_whole(buf, |buf| {
        put_message(buf, field_key, |buf| {
            put_len(buf, KEY, name.as_bytes());
            put_value(buf, VALUE, value, walk, depth);
        });
    })
}

const KEY: u8 = key(1, LEN);
const VALUE: u8 = key(2, LEN);
/// Most bytes of one list: the protocol's recommended request limit (row Z1).
pub(super) const LIST_BYTES_MAX: usize = 64 * 1024 * 1024;

#[cfg(test)]
mod tests;
