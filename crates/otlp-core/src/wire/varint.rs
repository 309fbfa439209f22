//! Varints: the numbers that protobuf frames everything with.
//!
//! Reading accepts exactly what prost accepts: at most ten bytes, the tenth at most 1, and
//! needlessly long forms such as `80 00` for 0.

use super::WireError;

/// The most bytes that a varint can have.
pub const MAX_LEN: usize = 10;

/// Number of bytes that [`put`] writes for `value`: 1 to 10.
#[must_use]
#[inline]
pub const fn encoded_len(value: u64) -> usize {
    // 7 payload bits a byte: ceil(bits / 7) without a division; `| 1` gives 0 its one byte.
    ((value | 1).ilog2() as usize * 9 + 73) / 64
}

/// Appends `value`.
#[inline]
pub fn put(out: &mut Vec<u8>, value: u64) {
    // The cast keeps the low eight bits, of which the highest is 0 by the guard.
    if value < 0x80 {
        out.push(value as u8);
    } else {
        put_long(out, value);
    }
}

/// The varint of a value below 2⁵⁶ as the low bytes of a little-endian word, of which
/// [`encoded_len`] count. Without a loop: each step opens the gaps for the continuation bits.
#[inline]
pub(crate) const fn spread(value: u64) -> u64 {
    debug_assert!(value < 1 << 56);
    let x = value & 0x0fff_ffff | (value & 0x00ff_ffff_f000_0000) << 4;
    let x = x & 0x0000_3fff_0000_3fff | (x & 0x0fff_c000_0fff_c000) << 2;
    let x = x & 0x007f_007f_007f_007f | (x & 0x3f80_3f80_3f80_3f80) << 1;
    let more = (1 << (8 * (encoded_len(value) - 1))) - 1;
    x | 0x8080_8080_8080_8080 & more
}

/// Reads the varint at the start of `bytes`: its value and how many bytes it takes.
///
/// # Errors
///
/// [`WireError::Truncated`] if the bytes end first, [`WireError::VarintTooLong`] if it does not
/// fit 64 bits; offsets count from the start of `bytes`.
#[inline]
pub fn decode(bytes: &[u8]) -> Result<(u64, usize), WireError> {
    match *bytes {
        [a, ..] if a < 0x80 => Ok((u64::from(a), 1)),
        [a, b, ..] if b < 0x80 => Ok((u64::from(a & 0x7f) | u64::from(b) << 7, 2)),
        _ => decode_long(bytes),
    }
}

fn put_long(out: &mut Vec<u8>, mut value: u64) {
    let mut buffer = [0; MAX_LEN];
    let mut len = 0;
    for slot in &mut buffer {
        len += 1;
        *slot = (value & 0x7f) as u8;
        value >>= 7;
        if value == 0 {
            break;
        }
        *slot |= 0x80;
    }
    out.extend_from_slice(buffer.get(..len).unwrap_or(&buffer));
}

fn decode_long(bytes: &[u8]) -> Result<(u64, usize), WireError> {
    let mut value = 0;
    for (i, &byte) in bytes.iter().take(MAX_LEN).enumerate() {
        // At most 9 * 7 = 63 bits; what the tenth byte shifts out is refused below.
        value |= u64::from(byte & 0x7f) << (7 * i);
        if byte < 0x80 {
            let overflows = i == MAX_LEN - 1 && byte > 1;
            return if overflows {
                Err(WireError::VarintTooLong { offset: 0 })
            } else {
                Ok((value, i + 1))
            };
        }
    }
    if bytes.len() < MAX_LEN {
        return Err(WireError::Truncated { offset: bytes.len() });
    }
    Err(WireError::VarintTooLong { offset: 0 })
}

#[cfg(test)]
mod tests;
