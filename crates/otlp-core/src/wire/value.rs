//! `AnyValue`: what an attribute or a log body may hold, borrowed, and its encoding under limits.

use std::cell::Cell;

use crate::limits::ValueLimits;

use super::attribute::AttributeList;
use super::varint::{encoded_len, put};
use super::writer::{FIXED64, LEN, VARINT, key, len_field, put_len, put_len_header, put_message};

/// A borrowed value, as `opentelemetry.proto.common.v1.AnyValue` knows it.
///
/// Arrays and maps are trait objects, so that any data model can be encoded without being copied
/// into ours first.
#[derive(Clone, Copy)]
#[non_exhaustive]
pub enum Value<'a> {
    /// A value of no type: an `AnyValue` without a field.
    Empty,
    /// A string.
    Str(&'a str),
    /// A boolean.
    Bool(bool),
    /// A signed integer.
    I64(i64),
    /// A floating-point number; NaN and infinities are kept.
    F64(f64),
    /// Bytes.
    Bytes(&'a [u8]),
    /// An array of values, which may differ in type.
    Array(&'a dyn Elements),
    /// A list of keys and values. A repeated key keeps its last value.
    Map(&'a dyn Entries),
}

/// The elements of an array value.
pub trait Elements {
    /// Calls `f` with each element in order.
    fn for_each(&self, f: &mut dyn FnMut(Value<'_>));
}

/// The entries of a map value.
pub trait Entries {
    /// Calls `f` with each key and value in order.
    fn for_each(&self, f: &mut dyn FnMut(&str, Value<'_>));
}

impl Elements for [Value<'_>] {
    fn for_each(&self, f: &mut dyn FnMut(Value<'_>)) {
        self.iter().copied().for_each(f);
    }
}

impl<const N: usize> Elements for [Value<'_>; N] {
    fn for_each(&self, f: &mut dyn FnMut(Value<'_>)) {
        self.iter().copied().for_each(f);
    }
}

impl Entries for [(&str, Value<'_>)] {
    fn for_each(&self, f: &mut dyn FnMut(&str, Value<'_>)) {
        for (key, value) in self {
            f(key, *value);
        }
    }
}

impl<const N: usize> Entries for [(&str, Value<'_>); N] {
    fn for_each(&self, f: &mut dyn FnMut(&str, Value<'_>)) {
        self.as_slice().for_each(f);
    }
}

macro_rules! elements_and_values {
    ($($element:ty => $variant:ident),+) => { $(
        impl Elements for [$element] {
            fn for_each(&self, f: &mut dyn FnMut(Value<'_>)) {
                self.iter().copied().map(Value::$variant).for_each(f);
            }
        }

        impl From<$element> for Value<'_> {
            fn from(value: $element) -> Self {
                Self::$variant(value)
            }
        }
    )+ };
}

elements_and_values!(bool => Bool, i64 => I64, f64 => F64);

impl<'a> From<&'a str> for Value<'a> {
    fn from(value: &'a str) -> Self {
        Self::Str(value)
    }
}

impl<'a> From<&'a [u8]> for Value<'a> {
    fn from(value: &'a [u8]) -> Self {
        Self::Bytes(value)
    }
}

/// The limits on the way through one attribute's value, and whether it turned out too large.
pub(super) struct Walk<'a> {
    pub(super) limits: &'a ValueLimits,
    full: Cell<bool>,
    emptied: Cell<bool>,
}

impl<'a> Walk<'a> {
    #[inline]
    pub(super) const fn new(limits: &'a ValueLimits) -> Self {
        Self { limits, full: Cell::new(false), emptied: Cell::new(false) }
    }

    /// Whether something was left out for its size: then the whole attribute must go.
    pub(super) fn is_full(&self) -> bool {
        self.full.get()
    }

    /// Whether an array or map that stood too deep became empty.
    pub(super) fn has_emptied(&self) -> bool {
        self.emptied.get()
    }

    pub(super) fn give_up(&self) {
        self.full.set(true);
    }

    /// Writes something that holds an array or map: the whole of it, or nothing. False, and nothing
    /// written, if something in there was too large. The elements come from code that is not ours:
    /// should it panic, half of them must not stay behind.
    pub(super) fn put_whole(&self, buf: &mut Vec<u8>, put: impl FnOnce(&mut Vec<u8>)) -> bool {
        let mut undo = Undo { keep: buf.len(), buf };
        put(undo.buf);
        if self.is_full() {
            return false;
        }
        undo.keep = undo.buf.len();
        true
    }

    /// Whether an array or map that stands so deep, and nests `messages` for each element, keeps its content.
    /// One more must fit: the empty form of what may stand in there.
    fn enters(&self, depth: Depth, messages: u8) -> bool {
        depth.level <= self.limits.depth
            && depth.messages.saturating_add(messages) < NESTED_MESSAGES_MAX
    }
}

/// How deep a value stands: in levels of arrays and maps, as the limits count, and in messages of the
/// request, as receivers do.
#[derive(Clone, Copy)]
pub(super) struct Depth {
    level: u8,
    messages: u8,
}

impl Depth {
    /// An attribute's own value. The deepest place is the attribute of an exemplar: resource, scope, metric,
    /// data, point, exemplar, `KeyValue`, `AnyValue`.
    pub(super) const ATTRIBUTE: Self = Self { level: 1, messages: 8 };
    /// The body of a log record: resource, scope, record, `AnyValue`.
    const BODY: Self = Self { level: 1, messages: 4 };

    fn within(self, messages: u8) -> Self {
        Self {
            level: self.level.saturating_add(1),
            messages: self.messages.saturating_add(messages),
        }
    }
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

/// What became of a log record's body.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) enum Body {
    #[default]
    Whole,
    /// Arrays or maps that stood too deep became empty.
    Emptied,
    /// It is larger than any request, and nothing of it was written.
    Oversized,
}

/// Writes the body of a log record as field `field_key`, of any length (row G-L5: limits hold for
/// attributes only).
pub(crate) fn put_body(buf: &mut Vec<u8>, field_key: u8, value: Value<'_>) -> Body {
    match scalar_field_len(value) {
        Some(len) if len > BODY_BYTES_MAX => Body::Oversized,
        Some(len) => {
            buf.reserve(len);
            put_scalar(buf, field_key, value);
            Body::Whole
        }
        None => {
            let walk = Walk::new(&ValueLimits::DEFAULT);
            let start = buf.len();
            let written =
                walk.put_whole(buf, |buf| put_value(buf, field_key, value, &walk, Depth::BODY));
            let fits = written && buf.len() - start <= BODY_BYTES_MAX;
            match (fits, walk.has_emptied()) {
                (true, false) => Body::Whole,
                (true, true) => Body::Emptied,
                (false, _) => {
                    buf.truncate(start);
                    Body::Oversized
                }
            }
        }
    }
}

/// Writes an `AnyValue` as field `field_key` of the message being written, cut to the limits.
pub(super) fn put_value(
    buf: &mut Vec<u8>,
    field_key: u8,
    value: Value<'_>,
    walk: &Walk<'_>,
    depth: Depth,
) {
    match value {
        Value::Array(elements) => put_message(buf, field_key, |buf| {
            put_message(buf, ARRAY, |buf| put_elements(buf, elements, walk, depth));
        }),
        Value::Map(entries) => put_message(buf, field_key, |buf| {
            put_message(buf, KVLIST, |buf| put_entries(buf, entries, walk, depth));
        }),
        scalar => put_scalar(buf, field_key, cut(scalar, walk.limits)),
    }
}

/// Writes a value that is neither array nor map, as it is; of those, the empty form.
#[inline]
pub(super) fn put_scalar(buf: &mut Vec<u8>, field_key: u8, value: Value<'_>) {
    match value {
        Value::Empty => put_len(buf, field_key, &[]),
        Value::Str(text) => put_bytes(buf, field_key, STRING, text.as_bytes()),
        Value::Bool(value) => buf.extend_from_slice(&[field_key, 2, BOOL, u8::from(value)]),
        Value::I64(value) => {
            let value = value.cast_unsigned();
            put_len_header(buf, field_key, 1 + encoded_len(value));
            buf.push(INT);
            put(buf, value);
        }
        Value::F64(value) => {
            buf.extend_from_slice(&[field_key, 9, DOUBLE]);
            buf.extend_from_slice(&value.to_le_bytes());
        }
        Value::Bytes(bytes) => put_bytes(buf, field_key, BYTES, bytes),
        Value::Array(_) => buf.extend_from_slice(&[field_key, 2, ARRAY, 0]),
        Value::Map(_) => buf.extend_from_slice(&[field_key, 2, KVLIST, 0]),
    }
}

/// Length of the field that [`put_scalar`] writes; `None` for arrays and maps.
#[inline]
pub(super) fn scalar_field_len(value: Value<'_>) -> Option<usize> {
    match value {
        Value::Empty => Some(2),
        Value::Str(text) => Some(len_field(len_field(text.len()))),
        Value::Bool(_) => Some(4),
        Value::I64(value) => Some(len_field(1 + encoded_len(value.cast_unsigned()))),
        Value::F64(_) => Some(11),
        Value::Bytes(bytes) => Some(len_field(len_field(bytes.len()))),
        Value::Array(_) | Value::Map(_) => None,
    }
}

/// Cuts a string or bytes to the limit, and leaves the rest alone.
#[inline]
pub(super) fn cut<'a>(value: Value<'a>, limits: &ValueLimits) -> Value<'a> {
    match value {
        Value::Str(text) => Value::Str(cut_chars(text, limits.length)),
        Value::Bytes(bytes) => Value::Bytes(cut_bytes(bytes, limits.length)),
        other => other,
    }
}

/// Cuts a string to so many characters, never within one (row L1).
#[inline]
fn cut_chars(text: &str, limit: u32) -> &str {
    // A character has at least one byte, so a short string needs no counting.
    if text.len() <= limit as usize {
        return text;
    }
    match text.char_indices().nth(limit as usize) {
        Some((end, _)) => text.get(..end).unwrap_or(text),
        None => text,
    }
}

#[inline]
fn cut_bytes(bytes: &[u8], limit: u32) -> &[u8] {
    bytes.get(..limit as usize).unwrap_or(bytes)
}

#[inline]
fn put_bytes(buf: &mut Vec<u8>, field_key: u8, kind: u8, content: &[u8]) {
    put_len_header(buf, field_key, len_field(content.len()));
    put_len(buf, kind, content);
}

fn put_elements(buf: &mut Vec<u8>, elements: &dyn Elements, walk: &Walk<'_>, depth: Depth) {
    if !walk.enters(depth, OF_ELEMENT) {
        return elements.for_each(&mut |_| walk.emptied.set(true));
    }
    elements.for_each(&mut |element| {
        let len = scalar_field_len(cut(element, walk.limits)).unwrap_or(0);
        if buf.len().saturating_add(len) > VALUE_BYTES_MAX {
            walk.give_up();
        }
        // An iteration cannot be stopped from in here; what follows is passed over.
        if !walk.is_full() {
            put_value(buf, key(1, LEN), element, walk, depth.within(OF_ELEMENT));
        }
    });
}

fn put_entries(buf: &mut Vec<u8>, entries: &dyn Entries, walk: &Walk<'_>, depth: Depth) {
    if !walk.enters(depth, OF_ENTRY) {
        return entries.for_each(&mut |_, _| walk.emptied.set(true));
    }
    // Keys are unique at every level (row W5), so nested entries go through a list of their own.
    let mut list = AttributeList::new(1);
    entries.for_each(&mut |key, value| {
        if !walk.is_full() {
            list.set_nested(key, value, walk, depth.within(OF_ENTRY));
        }
    });
    buf.extend_from_slice(list.as_bytes());
}

/// Most messages within messages of a request: what receivers that are made with a common protobuf library
/// read. Beyond, they refuse the whole request, with all that is right in it.
const NESTED_MESSAGES_MAX: u8 = 100;
/// `ArrayValue` and `AnyValue`.
const OF_ELEMENT: u8 = 2;
/// `KeyValueList`, `KeyValue` and `AnyValue`.
const OF_ENTRY: u8 = 3;
/// Where the writing of an array stops. Twice what a list may hold, since a replaced value is still
/// there while its successor is written; the list then looks at the exact size.
const VALUE_BYTES_MAX: usize = 2 * super::attribute::LIST_BYTES_MAX;
/// Most bytes of a body, which is what a list may hold.
const BODY_BYTES_MAX: usize = super::attribute::LIST_BYTES_MAX;
const STRING: u8 = key(1, LEN);
const BOOL: u8 = key(2, VARINT);
const INT: u8 = key(3, VARINT);
const DOUBLE: u8 = key(4, FIXED64);
const ARRAY: u8 = key(5, LEN);
const KVLIST: u8 = key(6, LEN);
const BYTES: u8 = key(7, LEN);
