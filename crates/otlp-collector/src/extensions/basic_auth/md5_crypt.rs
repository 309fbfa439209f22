//! The password hash of FreeBSD and Apache: a thousand rounds of MD5 over password and salt.

use md5::{Digest as _, Md5};

/// The hash of a password as it stands behind the salt: 22 characters.
///
/// `magic` is `$1$` or `$apr1$`.
pub(super) fn hash(magic: &str, salt: &str, password: &[u8]) -> String {
    let salt = salt.as_bytes();
    let mut first = Md5::new();
    first.update(password);
    first.update(magic);
    first.update(salt);
    let mixed = Md5::new().chain_update(password).chain_update(salt).chain_update(password);
    let mixed = mixed.finalize();
    mixed.iter().cycle().take(password.len()).for_each(|byte| first.update([*byte]));
    // For each bit of the length: a zero, or the first character of the password.
    let mut length = password.len();
    while length > 0 {
        match length & 1 {
            1 => first.update([0]),
            _ => first.update(password.get(..1).unwrap_or_default()),
        }
        length >>= 1;
    }
    let mut digest = first.finalize();
    for round in 0..ROUNDS {
        let is_odd = round % 2 == 1;
        let mut next = Md5::new();
        next.update(if is_odd { password } else { digest.as_slice() });
        if round % 3 != 0 {
            next.update(salt);
        }
        if round % 7 != 0 {
            next.update(password);
        }
        next.update(if is_odd { digest.as_slice() } else { password });
        digest = next.finalize();
    }
    text(digest.as_slice())
}

/// Three bytes at a time, out of order, as characters of six bits, the low ones first.
fn text(digest: &[u8]) -> String {
    let byte = |at: usize| u32::from(digest.get(at).copied().unwrap_or_default());
    let mut out = String::with_capacity(22);
    for [high, middle, low] in ORDER {
        put((byte(high) << 16) | (byte(middle) << 8) | byte(low), 4, &mut out);
    }
    put(byte(11), 2, &mut out);
    out
}

fn put(mut bits: u32, characters: usize, out: &mut String) {
    for _ in 0..characters {
        let six = (bits & 0x3f) as usize;
        out.extend(ALPHABET.get(six).map(|character| char::from(*character)));
        bits >>= 6;
    }
}

const ROUNDS: usize = 1000;
const ORDER: [[usize; 3]; 5] = [[0, 6, 12], [1, 7, 13], [2, 8, 14], [3, 9, 15], [4, 10, 5]];
const ALPHABET: &[u8; 64] = b"./0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz";
