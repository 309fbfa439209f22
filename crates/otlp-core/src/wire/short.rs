//! Attributes of ordinary size, written in one go.
//!
//! Nearly all attributes are a short key and a number or a short text. For them a fixed window is
//! opened at the end of the buffer once, everything goes to its place in the window, and the rest
//! of it is cut off again. That is one check of the capacity instead of eight, and short texts are
//! copied by two overlapping loads instead of a call. The row `span_root10_caller` of `compare` shows it.

use super::varint::{encoded_len, spread};
use super::writer::{FIXED64, LEN, VARINT, key};

/// Bytes of the window: room for the longest field that is written here.
const WINDOW: usize = 128;
/// Longest key and text together. The lengths around them then take one byte each.
const TEXT_MAX: usize = WINDOW - 8;
/// Longest key beside a number.
const NAME_MAX: usize = 64;
/// Largest integer that is written here: eight bytes of varint.
const INT_MAX: u64 = 1 << 56;

/// A value of ordinary size. One type per kind, so that each kind gets code of its own.
pub(super) trait Short: Copy {
    /// Bytes of the content of the `AnyValue`; `None` if it is too large for the window beside a
    /// key of `name` bytes.
    fn len(self, name: usize) -> Option<usize>;

    /// Writes that content to the front of `out`.
    fn put(self, out: &mut [u8]);
}

impl Short for &str {
    #[inline]
    fn len(self, name: usize) -> Option<usize> {
        (name + str::len(self) <= TEXT_MAX).then_some(2 + str::len(self))
    }

    #[inline]
    fn put(self, out: &mut [u8]) {
        if let [kind, len, text @ ..] = out {
            (*kind, *len) = (STRING, str::len(self) as u8);
            copy(text, self.as_bytes());
        }
    }
}

impl Short for i64 {
    #[inline]
    fn len(self, name: usize) -> Option<usize> {
        let value = self.cast_unsigned();
        (name <= NAME_MAX && value < INT_MAX).then_some(1 + encoded_len(value))
    }

    #[inline]
    fn put(self, out: &mut [u8]) {
        if let [kind, int @ ..] = out {
            *kind = INT;
            set(int, spread(self.cast_unsigned()).to_le_bytes());
        }
    }
}

impl Short for f64 {
    #[inline]
    fn len(self, name: usize) -> Option<usize> {
        (name <= NAME_MAX).then_some(9)
    }

    #[inline]
    fn put(self, out: &mut [u8]) {
        if let [kind, number @ ..] = out {
            *kind = DOUBLE;
            set(number, self.to_le_bytes());
        }
    }
}

impl Short for bool {
    #[inline]
    fn len(self, name: usize) -> Option<usize> {
        (name <= NAME_MAX).then_some(2)
    }

    #[inline]
    fn put(self, out: &mut [u8]) {
        set(out, [BOOL, u8::from(self)]);
    }
}

/// Appends a `KeyValue` field if it is of ordinary size; says whether it did.
///
/// A text must have been cut to its limit, or be shorter.
#[inline]
pub(super) fn put_short(buf: &mut Vec<u8>, field_key: u8, name: &str, value: impl Short) -> bool {
    let name = name.as_bytes();
    let Some(value_len) = value.len(name.len()) else { return false };
    let start = buf.len();
    buf.extend_from_slice(&[0; WINDOW]);
    let Some(window) = buf.last_chunk_mut::<WINDOW>() else { return false };
    let len = 4 + name.len() + value_len;
    let [first, second, third, fourth, rest @ ..] = window;
    (*first, *second) = (field_key, len as u8);
    (*third, *fourth) = (KEY, name.len() as u8);
    copy(rest, name);
    let Some([value_key, value_len_byte, rest @ ..]) = rest.get_mut(name.len()..) else {
        return false;
    };
    (*value_key, *value_len_byte) = (VALUE, value_len as u8);
    value.put(rest);
    buf.truncate(start + 2 + len);
    true
}

#[inline]
fn set<const N: usize>(out: &mut [u8], bytes: [u8; N]) {
    if let Some(place) = out.first_chunk_mut::<N>() {
        *place = bytes;
    }
}

/// Copies `from` to the front of `out`, without a call for up to 32 bytes.
#[inline]
fn copy(out: &mut [u8], from: &[u8]) {
    let Some(out) = out.get_mut(..from.len()) else { return };
    match from.len() {
        16..=32 => ends::<16>(out, from),
        8..16 => ends::<8>(out, from),
        4..8 => ends::<4>(out, from),
        0..4 => {
            for (to, byte) in out.iter_mut().zip(from) {
                *to = *byte;
            }
        }
        _ => out.copy_from_slice(from),
    }
}

/// Copies the first and the last `N` bytes, which overlap: all of a slice of `N` to `2 N` bytes.
#[inline]
fn ends<const N: usize>(out: &mut [u8], from: &[u8]) {
    if let (Some(to), Some(bytes)) = (out.first_chunk_mut::<N>(), from.first_chunk::<N>()) {
        *to = *bytes;
    }
    if let (Some(to), Some(bytes)) = (out.last_chunk_mut::<N>(), from.last_chunk::<N>()) {
        *to = *bytes;
    }
}

const KEY: u8 = key(1, LEN);
const VALUE: u8 = key(2, LEN);
const STRING: u8 = key(1, LEN);
const BOOL: u8 = key(2, VARINT);
const INT: u8 = key(3, VARINT);
const DOUBLE: u8 = key(4, FIXED64);

#[cfg(test)]
mod tests {
    use super::*;
    use crate::AttributeLimits;
    use crate::wire::{AttributeList, Value};

    /// The same attribute by the general way: a value that is replaced never takes the short one.
    fn general(name: &str, value: Value<'_>) -> Vec<u8> {
        let limits = AttributeLimits::default();
        let mut list = AttributeList::new(9);
        list.set(name, Value::Empty, &limits);
        list.set(name, value, &limits);
        list.as_bytes().to_vec()
    }

    fn check<'a>(name: &str, value: impl Short + Into<Value<'a>>) -> bool {
        let mut buf = b"before".to_vec();
        let done = put_short(&mut buf, key(9, LEN), name, value);
        let expected = if done { general(name, value.into()) } else { Vec::new() };
        assert_eq!(buf, [b"before".as_slice(), &expected].concat(), "{} bytes", name.len());
        done
    }

    #[test]
    fn every_length_of_key_and_text_gives_the_same_bytes_as_the_general_way() {
        let text: String = ('a'..='z').cycle().take(200).collect();
        for name_len in 1..=TEXT_MAX + 2 {
            for text_len in 0..=TEXT_MAX + 2 {
                let done = check(&text[..name_len], &text[..text_len]);
                assert_eq!(done, name_len + text_len <= TEXT_MAX);
            }
        }
    }

    #[test]
    fn numbers_of_every_size_give_the_same_bytes_as_the_general_way() {
        for name in ["k", "server.port", "a.key.of.thirty.two.characters!!", &"n".repeat(64)] {
            for bits in 0..64 {
                for int in
                    [1_i64 << bits, (1_i64 << bits).wrapping_sub(1), (1_i64 << bits).wrapping_neg()]
                {
                    let done = check(name, int);
                    assert_eq!(done, int.cast_unsigned() < INT_MAX, "{int}");
                }
            }
            for number in [0.0, -0.0, 1.5, f64::MIN, f64::NAN, f64::INFINITY] {
                assert!(check(name, number));
            }
            assert!(check(name, true) && check(name, false));
        }
    }

    #[test]
    fn what_is_not_ordinary_is_left_to_the_general_way() {
        let long = "n".repeat(65);
        assert!(!check(&long, 1) && !check(&long, 1.0) && !check(&long, true));
    }
}
