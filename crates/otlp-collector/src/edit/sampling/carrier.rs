//! Where an item carries what was decided about it before.

use otlp_core::wire::{AnyValueView, WireError};

use super::probability::{Randomness, Threshold};
use crate::edit::attributes::Attributes;

/// The marks of sampling on one item.
pub(super) trait Carrier {
    fn threshold(&self) -> Option<Threshold>;
    fn randomness(&self) -> Option<Randomness>;
    fn set_threshold(&mut self, threshold: Threshold);
    fn set_randomness(&mut self, randomness: Randomness);
    fn clear_threshold(&mut self);
}

/// The attributes of a log record.
pub(super) struct LogCarrier<'l, 'a> {
    attributes: &'l mut Attributes<'a>,
    threshold: Option<Threshold>,
    randomness: Option<Randomness>,
}

impl<'l, 'a> LogCarrier<'l, 'a> {
    /// Reads the marks, and says whether they were well-formed.
    pub(super) fn read(attributes: &'l mut Attributes<'a>) -> Result<(Self, bool), WireError> {
        let threshold = text(attributes, THRESHOLD)?.map(Threshold::parse);
        let randomness = text(attributes, RANDOMNESS)?.map(Randomness::parse);
        let is_ok = threshold != Some(None) && randomness != Some(None);
        let (threshold, randomness) = (threshold.flatten(), randomness.flatten());
        Ok((Self { attributes, threshold, randomness }, is_ok))
    }
}

/// A text that is there and not empty.
fn text<'s>(attributes: &'s Attributes<'_>, key: &[u8]) -> Result<Option<&'s str>, WireError> {
    let Some(place) = attributes.find(key) else { return Ok(None) };
    Ok(match AnyValueView::parse(attributes.bytes(attributes.value(place)))? {
        AnyValueView::String(text) if !text.is_empty() => Some(text),
        _ => None,
    })
}

impl Carrier for LogCarrier<'_, '_> {
    fn threshold(&self) -> Option<Threshold> {
        self.threshold
    }

    fn randomness(&self) -> Option<Randomness> {
        self.randomness
    }

    fn set_threshold(&mut self, threshold: Threshold) {
        self.threshold = Some(threshold);
        let text = self.attributes.make_text(threshold.text().as_bytes());
        self.attributes.put(THRESHOLD, text);
    }

    fn set_randomness(&mut self, randomness: Randomness) {
        self.randomness = Some(randomness);
        let text = self.attributes.make_text(randomness.text().as_bytes());
        self.attributes.put(RANDOMNESS, text);
    }

    fn clear_threshold(&mut self) {
        self.threshold = None;
        if let Some(place) = self.attributes.find(THRESHOLD) {
            self.attributes.remove(place);
        }
    }
}

const THRESHOLD: &[u8] = b"sampling.threshold";
const RANDOMNESS: &[u8] = b"sampling.randomness";
