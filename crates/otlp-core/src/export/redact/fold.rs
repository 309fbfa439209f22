//! Looks for secrets in a text in which they may be escaped.

use std::ops::Range;

/// Shorter secrets are found only as words of their own.
const SHORT: usize = 4;

/// One byte of a text, lower-case and without its escape, and where it stands there.
struct Folded {
    byte: u8,
    at: Range<usize>,
}

/// Where the secrets stand in `text`, in no order; spans may overlap, none is empty.
pub(super) fn spans(text: &str, secrets: &[String]) -> Vec<Range<usize>> {
    let mut spans = Vec::new();
    // Once as it is: what only looks like an escape may begin inside of a secret.
    for one in [plain, unescaped] {
        let folded = fold(text, one);
        for secret in secrets {
            find(&folded, secret.to_ascii_lowercase().as_bytes(), &mut spans);
        }
    }
    spans
}

fn fold(text: &str, one: fn(&[u8]) -> (u8, usize)) -> Vec<Folded> {
    let mut folded = Vec::with_capacity(text.len());
    let (mut at, mut rest) = (0, text.as_bytes());
    while !rest.is_empty() {
        let (byte, len) = one(rest);
        folded.push(Folded { byte: byte.to_ascii_lowercase(), at: at..at + len });
        rest = rest.get(len..).unwrap_or_default();
        at += len;
    }
    folded
}

fn find(text: &[Folded], secret: &[u8], spans: &mut Vec<Range<usize>>) {
    let Some(&first) = secret.first() else { return };
    for at in 0..text.len() {
        let Some(rest) = text.get(at..).filter(|rest| starts_with(rest, first)) else { continue };
        let len = rest.iter().zip(secret).take_while(|(a, b)| a.byte == **b).count();
        // A text may have been cut inside of a secret.
        let is_whole = len == secret.len() || (len == rest.len() && len >= SHORT);
        if is_whole && (secret.len() >= SHORT || is_word(text, at, len)) {
            spans.extend(span(rest, len));
        }
    }
}

fn starts_with(text: &[Folded], byte: u8) -> bool {
    text.first().is_some_and(|first| first.byte == byte)
}

/// Whether neither neighbour is a letter or a digit.
fn is_word(text: &[Folded], at: usize, len: usize) -> bool {
    let is_outside = |at: Option<usize>| {
        let neighbour = at.and_then(|at| text.get(at));
        neighbour.is_none_or(|folded| !folded.byte.is_ascii_alphanumeric())
    };
    is_outside(at.checked_sub(1)) && is_outside(at.checked_add(len))
}

fn span(text: &[Folded], len: usize) -> Option<Range<usize>> {
    let last = text.get(len.checked_sub(1)?)?;
    Some(text.first()?.at.start..last.at.end)
}

/// The first byte as it is.
fn plain(text: &[u8]) -> (u8, usize) {
    (text.first().copied().unwrap_or_default(), 1)
}

/// The first byte without its escape, and the length of both.
fn unescaped(text: &[u8]) -> (u8, usize) {
    let escaped = match text {
        [b'%', digits @ ..] => number(digits, 2, 16).map(|byte| (byte, 3)),
        [b'\\', b'u', digits @ ..] => number(digits, 4, 16).map(|byte| (byte, 6)),
        [b'\\', b'x', digits @ ..] => number(digits, 2, 16).map(|byte| (byte, 4)),
        [b'\\', byte, ..] if byte.is_ascii_punctuation() => Some((*byte, 2)),
        [b'&', ..] => entity(text),
        _ => None,
    };
    escaped.unwrap_or_else(|| plain(text))
}

/// A character reference of HTML: `&amp;`, `&#43;`, `&#x2b;`.
fn entity(text: &[u8]) -> Option<(u8, usize)> {
    const NAMED: [(&[u8], u8); 5] =
        [(b"amp", b'&'), (b"lt", b'<'), (b"gt", b'>'), (b"quot", b'"'), (b"apos", b'\'')];
    const LONGEST: usize = 8;
    let end = text.iter().take(LONGEST).position(|byte| *byte == b';')?;
    let byte = match text.get(1..end)? {
        [b'#', b'x' | b'X', digits @ ..] => number(digits, digits.len(), 16)?,
        [b'#', digits @ ..] => number(digits, digits.len(), 10)?,
        name => NAMED.iter().find(|(known, _)| *known == name).map(|(_, byte)| *byte)?,
    };
    Some((byte, end + 1))
}

/// The first `len` digits as a byte.
fn number(digits: &[u8], len: usize, radix: u32) -> Option<u8> {
    let digits = std::str::from_utf8(digits.get(..len)?).ok()?;
    // `from_str_radix` takes a sign.
    if !digits.bytes().all(|digit| digit.is_ascii_hexdigit()) {
        return None;
    }
    u8::try_from(u32::from_str_radix(digits, radix).ok()?).ok()
}
