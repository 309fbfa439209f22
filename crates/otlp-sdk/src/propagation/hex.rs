//! Lowercase hex of fixed length, as the ids of headers have it.

/// Takes `N` bytes in lowercase hex from the front.
pub(super) fn take<const N: usize>(text: &mut &[u8]) -> Option<[u8; N]> {
    let mut bytes = [0; N];
    for byte in &mut bytes {
        let ([high, low], rest) = text.split_first_chunk()?;
        *byte = digit(*high)? << 4 | digit(*low)?;
        *text = rest;
    }
    Some(bytes)
}

/// Appends bytes in lowercase hex.
pub(super) fn push(text: &mut String, bytes: &[u8]) {
    for byte in bytes {
        for nibble in [byte >> 4, byte & 0x0f] {
            let first = if nibble < 10 { b'0' } else { b'a' - 10 };
            text.push(char::from(first + nibble));
        }
    }
}

fn digit(character: u8) -> Option<u8> {
    match character {
        b'0'..=b'9' => Some(character - b'0'),
        b'a'..=b'f' => Some(character - b'a' + 10),
        _ => None,
    }
}
