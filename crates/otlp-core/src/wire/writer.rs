//! Protobuf fields written into a `Vec<u8>`.
//!
//! Lengths that are known beforehand are written beforehand. A nested message whose length is only
//! known afterwards gets one byte, and its content moves up where that byte is not enough, which
//! for attributes is the rare case.

use super::varint::{encoded_len, put};

/// Wire type of a varint field.
pub const VARINT: u8 = 0;
/// Wire type of an eight-byte field.
pub const FIXED64: u8 = 1;
/// Wire type of a length-delimited field.
pub const LEN: u8 = 2;
/// Wire type of a four-byte field.
pub const FIXED32: u8 = 5;

/// The key byte of a field whose number is below 16.
#[inline]
#[must_use]
pub const fn key(field: u8, wire_type: u8) -> u8 {
    debug_assert!(field > 0 && field < 16);
    field << 3 | wire_type
}

/// Bytes that a length-delimited field below 16 takes for `len` bytes of content.
#[inline]
#[must_use]
pub const fn len_field(len: usize) -> usize {
    1 + encoded_len(len as u64) + len
}

/// Writes a length-delimited field, empty content included.
#[inline]
pub fn put_len(buf: &mut Vec<u8>, key: u8, content: &[u8]) {
    put_len_header(buf, key, content.len());
    buf.extend_from_slice(content);
}

/// Writes key and length of a length-delimited field whose content follows.
#[inline]
pub fn put_len_header(buf: &mut Vec<u8>, key: u8, len: usize) {
    if len < 0x80 {
        buf.extend_from_slice(&[key, len as u8]);
    } else if len < 0x4000 {
        buf.extend_from_slice(&[key, len as u8 | 0x80, (len >> 7) as u8]);
    } else {
        buf.push(key);
        put(buf, len as u64);
    }
}

/// Writes a length-delimited field unless it is empty, as proto3 has it.
#[inline]
pub fn put_len_non_empty(buf: &mut Vec<u8>, key: u8, content: &[u8]) {
    if !content.is_empty() {
        put_len(buf, key, content);
    }
}

/// Bytes that [`put_len_non_empty`] writes for `len` bytes of content.
#[inline]
#[must_use]
pub const fn len_non_empty_len(len: usize) -> usize {
    if len == 0 { 0 } else { len_field(len) }
}

/// Writes a varint field unless it is zero, as proto3 has it.
#[inline]
pub fn put_varint_non_zero(buf: &mut Vec<u8>, key: u8, value: u64) {
    if value != 0 {
        buf.push(key);
        put(buf, value);
    }
}

/// Bytes that [`put_varint_non_zero`] writes.
#[inline]
#[must_use]
pub const fn varint_non_zero_len(value: u64) -> usize {
    if value == 0 { 0 } else { 1 + encoded_len(value) }
}

/// Writes an eight-byte field unless it is zero, as proto3 has it.
#[inline]
pub fn put_fixed64_non_zero(buf: &mut Vec<u8>, key: u8, value: u64) {
    if value != 0 {
        buf.push(key);
        buf.extend_from_slice(&value.to_le_bytes());
    }
}

/// Bytes that [`put_fixed64_non_zero`] writes.
#[inline]
#[must_use]
pub const fn fixed64_non_zero_len(value: u64) -> usize {
    if value == 0 { 0 } else { 9 }
}

/// Writes a nested message whose length is not known before its content is written.
#[inline]
pub fn put_message(buf: &mut Vec<u8>, key: u8, content: impl FnOnce(&mut Vec<u8>)) {
    buf.extend_from_slice(&[key, 0]);
    let start = buf.len();
    content(buf);
    let len = buf.len() - start;
    if len < 0x80 {
        if let Some(slot) = buf.get_mut(start - 1) {
            *slot = len as u8;
        }
    } else {
        widen_length(buf, start, len);
    }
}

/// Moves the content up to make room for a length of more than one byte.
#[cold]
fn widen_length(buf: &mut Vec<u8>, start: usize, len: usize) {
    let end = buf.len();
    let extra = encoded_len(len as u64) - 1;
    buf.resize(end + extra, 0);
    buf.copy_within(start..end, start + extra);
    let mut rest = len;
    for slot in buf.iter_mut().skip(start - 1).take(extra + 1) {
        *slot = (rest & 0x7f) as u8 | 0x80;
        rest >>= 7;
    }
    if let Some(last) = buf.get_mut(start - 1 + extra) {
        *last &= 0x7f;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_message_of_any_length_gets_the_length_that_it_has() {
        for len in [0, 1, 127, 128, 129, 16_383, 16_384, 2_097_151, 2_097_152] {
            let content: Vec<u8> = (0..len).map(|i: usize| i as u8).collect();
            let mut known = b"before".to_vec();
            put_len(&mut known, key(3, LEN), &content);
            let mut found = b"before".to_vec();
            put_message(&mut found, key(3, LEN), |buf| buf.extend_from_slice(&content));
            assert!(found == known, "{len} bytes");
            assert_eq!(known.len(), 6 + len_field(len));
        }
    }
}
