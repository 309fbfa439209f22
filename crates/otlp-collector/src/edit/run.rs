//! Actions carried out.

use std::borrow::Cow;

use otlp_core::wire::varint;
use otlp_core::wire::writer::{FIXED64, VARINT, key};
use otlp_core::wire::{AnyValueView, WireError};
use sha2::{Digest as _, Sha256};

use super::action::{Action, ConvertedType, Kind, Source};
use super::attributes::{Attributes, Place, Value};
use super::pattern::Pattern;
use super::text::text_of;

/// Runs actions on a list of attributes, in order.
///
/// # Errors
///
/// A value that an action had to read is not well-formed.
pub(super) fn run<'a>(
    actions: &'a [Action],
    attributes: &mut Attributes<'a>,
) -> Result<(), WireError> {
    actions.iter().try_for_each(|action| run_one(action, attributes))
}

fn run_one<'a>(action: &'a Action, attributes: &mut Attributes<'a>) -> Result<(), WireError> {
    let key = &*action.key;
    match &action.kind {
        Kind::Insert(source) => {
            if let (Some(value), None) = (value_of(source, attributes), attributes.find(key)) {
                attributes.add(key, value);
            }
        }
        Kind::Update(source) => {
            if let Some(place) = attributes.find(key)
                && let Some(value) = value_of(source, attributes)
            {
                attributes.set(place, value);
            }
        }
        Kind::Upsert(source) => {
            if let Some(value) = value_of(source, attributes) {
                attributes.put(key, value);
            }
        }
        Kind::Delete => for_each(attributes, |found| found == key, remove)?,
        Kind::DeleteMatching(pattern) => {
            for_each(attributes, |key| pattern.is_match(key), remove)?;
        }
        Kind::Hash => for_each(attributes, |found| found == key, hash)?,
        Kind::HashMatching(pattern) => for_each(attributes, |key| pattern.is_match(key), hash)?,
        Kind::Extract(pattern) => {
            if let Some(place) = attributes.find(key) {
                extract(pattern, attributes, place)?;
            }
        }
        Kind::Convert(to) => {
            if let Some(place) = attributes.find(key) {
                convert(*to, attributes, place)?;
            }
        }
    }
    Ok(())
}

fn value_of<'a>(source: &'a Source, attributes: &Attributes<'a>) -> Option<Value<'a>> {
    let other = |key: &[u8]| attributes.find(key).map(|place| attributes.value(place));
    match &source.value {
        Some(value) => Some(Value::Borrowed(value)),
        None => source
            .attribute
            .as_deref()
            .and_then(other)
            .or_else(|| source.default.as_deref().map(Value::Borrowed)),
    }
}

/// Does something with every attribute whose key is accepted.
fn for_each<'a>(
    attributes: &mut Attributes<'a>,
    accept: impl Fn(&[u8]) -> bool,
    mut act: impl FnMut(&mut Attributes<'a>, Place) -> Result<(), WireError>,
) -> Result<(), WireError> {
    for at in 0..attributes.len() {
        if let Some(place) = attributes.place(at, &accept) {
            act(attributes, place)?;
        }
    }
    Ok(())
}

fn remove(attributes: &mut Attributes<'_>, place: Place) -> Result<(), WireError> {
    attributes.remove(place);
    Ok(())
}

fn hash(attributes: &mut Attributes<'_>, place: Place) -> Result<(), WireError> {
    let value = attributes.value(place);
    let digest = match AnyValueView::parse(attributes.bytes(value))? {
        AnyValueView::String(text) => Sha256::digest(text),
        AnyValueView::Bool(truth) => Sha256::digest([u8::from(truth)]),
        AnyValueView::Int(number) => Sha256::digest(number.to_le_bytes()),
        AnyValueView::Double(number) => Sha256::digest(number.to_le_bytes()),
        _ => {
            let empty = attributes.make_text(b"");
            attributes.set(place, empty);
            return Ok(());
        }
    };
    let mut hex = [0; 64];
    for (pair, byte) in hex.chunks_exact_mut(2).zip(digest) {
        pair.copy_from_slice(&[hex_digit(byte >> 4), hex_digit(byte & 15)]);
    }
    let hashed = attributes.make_text(&hex);
    attributes.set(place, hashed);
    Ok(())
}

const fn hex_digit(half: u8) -> u8 {
    if half < 10 { b'0' + half } else { b'a' + half - 10 }
}

fn extract<'a>(
    pattern: &'a Pattern,
    attributes: &mut Attributes<'a>,
    place: Place,
) -> Result<(), WireError> {
    let value = attributes.value(place);
    // The text is set free before the list is changed: it may be one that was made there.
    let found: Vec<_> = match AnyValueView::parse(attributes.bytes(value))? {
        AnyValueView::String(text) => match pattern.captures(text.as_bytes()) {
            Some(groups) => groups
                .iter()
                .skip(1)
                .map(|group| group.map_or(&[][..], |group| group.as_bytes()).to_vec())
                .collect(),
            None => return Ok(()),
        },
        _ => return Ok(()),
    };
    for (name, text) in pattern.group_names().flatten().zip(found) {
        // An expression can be made to match half a letter; what is written is UTF-8 all the same.
        let value = attributes.make_text(String::from_utf8_lossy(&text).as_bytes());
        attributes.put(name.as_bytes(), value);
    }
    Ok(())
}

fn convert(
    to: ConvertedType,
    attributes: &mut Attributes<'_>,
    place: Place,
) -> Result<(), WireError> {
    let value = attributes.value(place);
    let view = AnyValueView::parse(attributes.bytes(value))?;
    let converted = match to {
        ConvertedType::Int => match to_int(view) {
            Some(number) => attributes.make(|out| put_int(out, number)),
            None => return Ok(()),
        },
        ConvertedType::Double => match to_double(view) {
            Some(number) => attributes.make(|out| put_double(out, number)),
            None => return Ok(()),
        },
        ConvertedType::String => match view {
            AnyValueView::String(_) => return Ok(()),
            other => {
                let text = text_of(other)?.into_owned();
                attributes.make_text(&text)
            }
        },
    };
    attributes.set(place, converted);
    Ok(())
}

fn put_int(out: &mut Vec<u8>, number: i64) {
    out.push(key(3, VARINT));
    varint::put(out, number.cast_unsigned());
}

fn put_double(out: &mut Vec<u8>, number: f64) {
    out.push(key(4, FIXED64));
    out.extend_from_slice(&number.to_le_bytes());
}

/// `None` if there is nothing to convert, or no way to.
fn to_int(value: AnyValueView<'_>) -> Option<i64> {
    match value {
        // What is out of range becomes the nearest integer, and NaN 0; Go leaves that to the processor.
        AnyValueView::Double(number) => Some(number as i64),
        AnyValueView::Bool(truth) => Some(i64::from(truth)),
        AnyValueView::String(text) => text.parse().ok(),
        _ => None,
    }
}

/// `None` if there is nothing to convert, or no way to.
fn to_double(value: AnyValueView<'_>) -> Option<f64> {
    match value {
        AnyValueView::Int(number) => Some(number as f64),
        AnyValueView::Bool(truth) => Some(f64::from(u8::from(truth))),
        AnyValueView::String(text) => number_of(text),
        _ => None,
    }
}

/// The number that a text stands for.
pub(super) fn number_of(text: &str) -> Option<f64> {
    let number: f64 = without_underscores(text)?.parse().ok()?;
    // Too large is no number for Go, unless it says so; hexadecimal fractions are not read here.
    (number.is_finite() || !text.contains(|c: char| c.is_ascii_digit())).then_some(number)
}

/// Go allows them between digits.
fn without_underscores(text: &str) -> Option<Cow<'_, str>> {
    if !text.contains('_') {
        return Some(Cow::Borrowed(text));
    }
    let bytes = text.as_bytes();
    let is_digit = |at: usize| bytes.get(at).is_some_and(u8::is_ascii_digit);
    let mut underscores = bytes.iter().enumerate().filter(|(_, byte)| **byte == b'_');
    let is_between = |at: usize| at > 0 && is_digit(at - 1) && is_digit(at + 1);
    underscores.all(|(at, _)| is_between(at)).then(|| text.replace('_', "").into())
}
