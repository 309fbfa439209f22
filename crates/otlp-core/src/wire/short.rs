//! Attributes of ordinary size, written in one go.
//!
//! Nearly all attributes are a short key and a number or a short text. For them everything goes to its
//! place in a window of fixed size: no check of a capacity for each piece, and short texts are copied
//! by two overlapping loads instead of a call. The row `span_root10_caller` of `compare` shows it.

use super::room::WINDOW;
use super::varint::{encoded_len, spread};
use super::writer::{FIXED64, LEN, VARINT, key};

/// Longest key, and longest text.
const NAME_MAX: usize = 64;
/// Longest key and text together. The lengths around them then take one byte each.
const TEXT_MAX: usize = 120;
/// Largest integer that is written here: eight bytes of varint.
const INT_MAX: u64 = 1 << 56;

/// A value of ordinary size. One type per kind, so that each kind gets code of its own.
pub(super) trait Short: Copy {
    /// Whether it fits the window beside a key of `name` bytes.
    fn fits(self, name: usize) -> bool;

    /// Writes the content of the `AnyValue` to the front of `out`; returns its length.
    fn put(self, out: &mut [u8; VALUE_MAX]) -> usize;
}

impl Short for &str {
    #[inline]
    fn fits(self, name: usize) -> bool {
        self.len() <= NAME_MAX && name + self.len() <= TEXT_MAX
    }

    #[inline]
    fn put(self, out: &mut [u8; VALUE_MAX]) -> usize {
        let [kind, len, text @ ..] = out;
        (*kind, *len) = (STRING, self.len() as u8);
        copy(text, self.as_bytes());
        2 + self.len()
    }
}

impl Short for i64 {
    #[inline]
    fn fits(self, _name: usize) -> bool {
        self.cast_unsigned() < INT_MAX
    }

    #[inline]
    fn put(self, out: &mut [u8; VALUE_MAX]) -> usize {
        let value = self.cast_unsigned();
        let [kind, int @ ..] = out;
        *kind = INT;
        // Counts, ports and status codes: one or two bytes.
        if value < 0x4000 {
            let (low, high) = (value & 0x7f, value >> 7);
            let more = usize::from(high != 0);
            set(int, [low as u8 | (more as u8) << 7, high as u8]);
            return 2 + more;
        }
        set(int, spread(value).to_le_bytes());
        1 + encoded_len(value)
    }
}

impl Short for f64 {
    #[inline]
    fn fits(self, _name: usize) -> bool {
        true
    }

    #[inline]
    fn put(self, out: &mut [u8; VALUE_MAX]) -> usize {
        let [kind, number @ ..] = out;
        *kind = DOUBLE;
        set(number, self.to_le_bytes());
        9
    }
}

impl Short for bool {
    #[inline]
    fn fits(self, _name: usize) -> bool {
        true
    }

    #[inline]
    fn put(self, out: &mut [u8; VALUE_MAX]) -> usize {
        set(out, [BOOL, u8::from(self)]);
        2
    }
}

/// Writes a `KeyValue` field to the front of the window if it is of ordinary size; returns its length.
///
/// A text must have been cut to its limit, or be shorter.
#[inline]
pub(super) fn put_short(
    window: &mut [u8; WINDOW],
    field_key: u8,
    name: &str,
    value: impl Short,
) -> Option<usize> {
    let name = name.as_bytes();
    if name.is_empty() || name.len() > NAME_MAX || !value.fits(name.len()) {
        return None;
    }
    let [first, second, third, fourth, rest @ ..] = window;
    copy(rest, name);
    let content: &mut [u8; 2 + VALUE_MAX] = rest.get_mut(name.len()..)?.first_chunk_mut()?;
    let [value_key, value_len_place, rest @ ..] = content;
    let value_len = value.put(rest);
    (*value_key, *value_len_place) = (VALUE, value_len as u8);
    let len = 4 + name.len() + value_len;
    (*first, *second) = (field_key, len as u8);
    (*third, *fourth) = (KEY, name.len() as u8);
    Some(2 + len)
}

#[inline]
fn set<const N: usize>(out: &mut [u8], bytes: [u8; N]) {
    if let Some(place) = out.first_chunk_mut::<N>() {
        *place = bytes;
    }
}

/// Copies up to 64 bytes to the front of `out`, without a call.
#[inline(always)]
fn copy(out: &mut [u8], from: &[u8]) {
    debug_assert!(from.len() <= NAME_MAX);
    let Some(out) = out.get_mut(..from.len()) else { return };
    match from.len() {
        32.. => ends::<32>(out, from),
        16..32 => ends::<16>(out, from),
        8..16 => ends::<8>(out, from),
        4..8 => ends::<4>(out, from),
        2..4 => ends::<2>(out, from),
        1 => ends::<1>(out, from),
        0 => {}
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

/// Room for the content of a value.
const VALUE_MAX: usize = 2 + NAME_MAX;
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
        let mut window = [0xee; WINDOW];
        let Some(len) = put_short(&mut window, key(9, LEN), name, value) else { return false };
        assert_eq!(window[..len], general(name, value.into()), "{} bytes", name.len());
        true
    }

    #[test]
    fn every_length_of_key_and_text_gives_the_same_bytes_as_the_general_way() {
        let text: String = ('a'..='z').cycle().take(200).collect();
        for name_len in 1..=TEXT_MAX + 2 {
            for text_len in 0..=TEXT_MAX + 2 {
                let done = check(&text[..name_len], &text[..text_len]);
                let ordinary =
                    name_len.max(text_len) <= NAME_MAX && name_len + text_len <= TEXT_MAX;
                assert_eq!(done, ordinary, "{name_len} + {text_len}");
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
