//! The attributes of one message while they are edited: where they stand, and what becomes of them.

use otlp_core::wire::WireError;
use otlp_core::wire::reader::{Field, Reader};
use otlp_core::wire::writer::{LEN, key, len_field, put_len, put_len_header, put_message};

use super::fields::{each_field, length_delimited};
use super::tape::Tape;

/// Attributes in the order in which they stand. What is added comes last.
///
/// Finding one compares lengths and bytes and allocates nothing; the lists are kept from message to message.
#[derive(Debug, Default)]
pub(super) struct Attributes<'a> {
    entries: Vec<Entry<'a>>,
    /// Values that were made here.
    made: Vec<u8>,
    is_touched: bool,
}

#[derive(Clone, Copy, Debug)]
struct Entry<'a> {
    key: &'a [u8],
    value: Value<'a>,
    state: State,
    /// The encoded `KeyValue`; empty for one that was added.
    content: &'a [u8],
    /// Where its field starts and ends in the input.
    start: usize,
    end: usize,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum State {
    Kept,
    Set,
    Added,
    Removed,
}

/// An encoded `AnyValue`.
#[derive(Clone, Copy, Debug)]
pub(super) enum Value<'a> {
    /// Of the input, or of the plan.
    Borrowed(&'a [u8]),
    /// Made here: from where to where.
    Made(usize, usize),
}

/// An attribute in the list; holds until one is added or the list is cleared.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Place(usize);

impl Entry<'_> {
    /// What was added here and removed again leaves nothing behind.
    fn is_changed(&self) -> bool {
        match self.state {
            State::Kept => false,
            State::Set | State::Added => true,
            State::Removed => self.end > 0,
        }
    }

    /// Whether it stands in the input before `end`; what was added stands nowhere.
    fn is_within(&self, end: usize) -> bool {
        self.end > 0 && self.end <= end
    }
}

impl<'a> Attributes<'a> {
    /// Empties the list and keeps its memory.
    pub(super) fn clear(&mut self) {
        self.entries.clear();
        self.made.clear();
        self.is_touched = false;
    }

    /// Takes up the fields of a message that stands at `base` in the input: its attributes, which are in the
    /// fields with this number, into the list; those in the set `wanted` go to `other`.
    #[inline]
    pub(super) fn read(
        &mut self,
        message: &'a [u8],
        base: usize,
        number: u8,
        wanted: u32,
        other: impl FnMut(&Field<'a>) -> Result<(), WireError>,
    ) -> Result<(), WireError> {
        let end = base + message.len();
        each_field(
            message,
            number,
            wanted,
            |content, before, behind| self.read_one(content, end - before, end - behind),
            other,
        )
    }

    #[inline]
    fn read_one(&mut self, content: &'a [u8], start: usize, end: usize) -> Result<(), WireError> {
        let (key, value) = match plain(content) {
            Some((key, value)) => (key, Value::Borrowed(value)),
            None => self.any_key_value(content)?,
        };
        self.entries.push(Entry { key, value, state: State::Kept, content, start, end });
        Ok(())
    }

    /// A `KeyValue` in any form: the last key counts, and the pieces of a value are put together.
    #[cold]
    fn any_key_value(&mut self, content: &'a [u8]) -> Result<(&'a [u8], Value<'a>), WireError> {
        let (mut key, mut value, mut pieces) = (&[][..], &[][..], 0_usize);
        for field in Reader::new(content) {
            let field = field?;
            match field.number {
                1 => key = length_delimited(&field, "KeyValue")?,
                2 => {
                    value = length_delimited(&field, "KeyValue")?;
                    pieces += 1;
                }
                _ => {}
            }
        }
        if pieces < 2 {
            return Ok((key, Value::Borrowed(value)));
        }
        let start = self.made.len();
        for field in Reader::new(content) {
            let field = field?;
            if field.number == 2 {
                self.made.extend_from_slice(length_delimited(&field, "KeyValue")?);
            }
        }
        Ok((key, Value::Made(start, self.made.len())))
    }

    /// The first attribute with this key.
    #[inline]
    pub(super) fn find(&self, key: &[u8]) -> Option<Place> {
        let is_it = |entry: &Entry<'_>| entry.key == key && entry.state != State::Removed;
        self.entries.iter().position(is_it).map(Place)
    }

    /// How many places there are, those of removed attributes included.
    pub(super) fn len(&self) -> usize {
        self.entries.len()
    }

    /// The place with this number, if its key is accepted.
    pub(super) fn place(&self, at: usize, accept: impl FnOnce(&[u8]) -> bool) -> Option<Place> {
        let entry = self.entries.get(at)?;
        (entry.state != State::Removed && accept(entry.key)).then_some(Place(at))
    }

    /// The value of an attribute.
    #[inline]
    pub(super) fn value(&self, place: Place) -> Value<'a> {
        self.entries.get(place.0).map_or(Value::Borrowed(&[]), |entry| entry.value)
    }

    /// The encoded `AnyValue`.
    #[inline]
    pub(super) fn bytes<'s>(&'s self, value: Value<'a>) -> &'s [u8] {
        match value {
            Value::Borrowed(bytes) => bytes,
            Value::Made(start, end) => self.made.get(start..end).unwrap_or_default(),
        }
    }

    /// Makes a value.
    pub(super) fn make(&mut self, put: impl FnOnce(&mut Vec<u8>)) -> Value<'a> {
        let start = self.made.len();
        put(&mut self.made);
        Value::Made(start, self.made.len())
    }

    /// Makes a value that is a string.
    pub(super) fn make_text(&mut self, text: &[u8]) -> Value<'a> {
        self.make(|out| put_len(out, key(1, LEN), text))
    }

    /// Gives an attribute another value. The same one changes nothing.
    pub(super) fn set(&mut self, place: Place, value: Value<'a>) {
        if self.bytes(value) == self.bytes(self.value(place)) {
            return;
        }
        let Some(entry) = self.entries.get_mut(place.0) else { return };
        entry.value = value;
        if entry.state == State::Kept {
            entry.state = State::Set;
        }
        self.is_touched = true;
    }

    /// Adds an attribute.
    pub(super) fn add(&mut self, key: &'a [u8], value: Value<'a>) {
        let state = State::Added;
        self.entries.push(Entry { key, value, state, content: &[], start: 0, end: 0 });
        self.is_touched = true;
    }

    /// Sets the first attribute with this key, or adds one.
    pub(super) fn put(&mut self, key: &'a [u8], value: Value<'a>) {
        match self.find(key) {
            Some(place) => self.set(place, value),
            None => self.add(key, value),
        }
    }

    /// Removes an attribute.
    pub(super) fn remove(&mut self, place: Place) {
        if let Some(entry) = self.entries.get_mut(place.0) {
            entry.state = State::Removed;
            self.is_touched = true;
        }
    }

    /// Whether anything was set, added or removed in the end.
    #[inline]
    pub(super) fn is_changed(&self) -> bool {
        self.is_touched && self.entries.iter().any(Entry::is_changed)
    }

    /// Puts what changed between `start` and `end` of the input on the tape, as fields with this number;
    /// what was added follows at `end` if this `is_last`.
    pub(super) fn write(
        &self,
        tape: &mut Tape<'_>,
        (start, end): (usize, usize),
        number: u8,
        is_last: bool,
    ) {
        // They stand in the order of the input, those that were added behind them: a message in many pieces
        // must not cost the square of them.
        let first = self.entries.partition_point(|entry| entry.end > 0 && entry.start < start);
        let here = self.entries.iter().skip(first).take_while(|entry| entry.is_within(end));
        for entry in here {
            match entry.state {
                State::Set => self.put_again(tape.replace(entry.start, entry.end), entry, number),
                State::Removed => {
                    tape.replace(entry.start, entry.end);
                }
                State::Kept | State::Added => {}
            }
        }
        if is_last {
            self.put_added(tape.replace(end, end), number);
        }
    }

    /// Writes what was added.
    pub(super) fn put_added(&self, out: &mut Vec<u8>, number: u8) {
        for entry in self.entries.iter().filter(|entry| entry.state == State::Added) {
            put_key_value(out, number, entry.key, self.bytes(entry.value));
        }
    }

    /// Writes a `KeyValue` with its new value: the other fields as they were.
    fn put_again(&self, out: &mut Vec<u8>, entry: &Entry<'_>, number: u8) {
        let value = self.bytes(entry.value);
        if plain(entry.content).is_some() {
            return put_key_value(out, number, entry.key, value);
        }
        put_message(out, key(number, LEN), |out| {
            let mut fields = Reader::new(entry.content);
            let mut start = 0;
            // It was read before, so it is well-formed.
            while let Some(Ok(field)) = fields.next() {
                let end = entry.content.len() - fields.rest().len();
                if field.number != 2 {
                    out.extend_from_slice(entry.content.get(start..end).unwrap_or_default());
                }
                start = end;
            }
            put_len(out, key(2, LEN), value);
        });
    }
}

#[inline]
fn put_key_value(out: &mut Vec<u8>, number: u8, name: &[u8], value: &[u8]) {
    put_len_header(out, key(number, LEN), len_field(name.len()) + len_field(value.len()));
    put_len(out, key(1, LEN), name);
    put_len(out, key(2, LEN), value);
}

/// A `KeyValue` as nearly everybody writes it: the key, the value, and nothing else; both short.
#[inline]
fn plain(content: &[u8]) -> Option<(&[u8], &[u8])> {
    let [0x0a, key_len, rest @ ..] = content else { return None };
    let (key, rest) = rest.split_at_checked(usize::from(*key_len))?;
    let [0x12, value_len, value @ ..] = rest else { return None };
    let is_short = *key_len < 0x80 && *value_len < 0x80;
    (is_short && value.len() == usize::from(*value_len)).then_some((key, value))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_added_and_removed_again_changes_nothing() {
        let mut list = Attributes::default();
        list.add(b"key", Value::Borrowed(b""));
        assert!(list.is_changed());
        list.remove(list.find(b"key").unwrap());
        assert!(!list.is_changed() && list.find(b"key").is_none());
    }
}
