//! The key of an attribute, with a hash of it.

/// The key of an attribute and a quick hash of it.
///
/// A list of attributes needs the hash to tell new keys from known ones. It is made by a `const fn`,
/// so for a key that is known when the program is compiled it costs nothing:
///
/// ```
/// use otlp_core::AttributeLimits;
/// use otlp_core::wire::{AttributeList, Key};
///
/// const METHOD: Key<'static> = Key::new("http.request.method");
///
/// let mut list = AttributeList::new(9);
/// list.set_str(METHOD, "GET", &AttributeLimits::default());
/// assert_eq!(list.len(), 1);
/// ```
#[derive(Clone, Copy, Debug)]
pub struct Key<'a> {
    name: &'a str,
    hash: u32,
}

impl<'a> Key<'a> {
    /// The key `name`.
    #[inline(always)]
    #[must_use]
    pub const fn new(name: &'a str) -> Self {
        Self { name, hash: hash(name.as_bytes()) }
    }

    #[inline(always)]
    pub(super) const fn with_hash(name: &'a str, hash: u32) -> Self {
        Self { name, hash }
    }

    /// The key itself.
    #[inline]
    #[must_use]
    pub const fn name(self) -> &'a str {
        self.name
    }

    #[inline]
    pub(super) const fn hash(self) -> u32 {
        self.hash
    }
}

impl<'a> From<&'a str> for Key<'a> {
    #[inline(always)]
    fn from(name: &'a str) -> Self {
        Self::new(name)
    }
}

impl<'a> From<&'a String> for Key<'a> {
    fn from(name: &'a String) -> Self {
        Self::new(name)
    }
}

/// A hash from the length, the first and the last eight bytes: most attribute keys differ there.
/// Equal hashes are compared in full anyway, and a long list is found by another hash.
#[inline(always)]
const fn hash(key: &[u8]) -> u32 {
    let (first, last) = match (key.first_chunk::<8>(), key.last_chunk::<8>()) {
        (Some(first), Some(last)) => (u64::from_le_bytes(*first), u64::from_le_bytes(*last)),
        _ => short(key),
    };
    let mixed =
        (first ^ last.rotate_left(29) ^ key.len() as u64).wrapping_mul(0x9E37_79B9_7F4A_7C15);
    ((mixed ^ mixed >> 29).wrapping_mul(0xBF58_476D_1CE4_E5B9) >> 32) as u32
}

/// Up to seven bytes as two numbers, which overlap.
#[inline(always)]
const fn short(key: &[u8]) -> (u64, u64) {
    if let (Some(first), Some(last)) = (key.first_chunk::<4>(), key.last_chunk::<4>()) {
        return (u32::from_le_bytes(*first) as u64, u32::from_le_bytes(*last) as u64);
    }
    if let (Some(first), Some(last)) = (key.first_chunk::<2>(), key.last_chunk::<2>()) {
        return (u16::from_le_bytes(*first) as u64, u16::from_le_bytes(*last) as u64);
    }
    match key {
        [only] => (*only as u64, 0),
        _ => (0, 0),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_quick_hash_sees_length_head_and_tail() {
        // What the tests of equal hashes build on, and what it must tell apart.
        let alike = |number: u32| Key::new(&format!("prefix__{number:04}__suffix__")).hash();
        assert_eq!(alike(1), alike(9999));
        let different = [
            "",
            "a",
            "b",
            "aa",
            "ab",
            "ba",
            "aaa",
            "aba",
            "abc",
            "abcd",
            "abcde",
            "edcba",
            "abcdefg",
            "http.method",
            "http.methods",
            "http.url",
        ];
        for (at, a) in different.iter().enumerate() {
            let others = &different[at + 1..];
            assert!(others.iter().all(|b| Key::new(a).hash() != Key::new(b).hash()), "{a}");
        }
    }
}
