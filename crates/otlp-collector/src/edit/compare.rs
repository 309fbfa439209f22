//! What texts, attributes and severities are compared with.

use otlp_core::wire::{AnyValueView, WireError};

use super::attributes::Attributes;
use super::literal::Literal;
use super::pattern::Pattern;
use super::text::{plain_text_of, text_of};

/// A list of texts, of which one must match.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub enum Texts {
    /// The text is one of these.
    Strict(Vec<String>),
    /// One of these matches.
    Regexp(Vec<Pattern>),
}

/// An attribute that must be there.
#[derive(Clone, Debug)]
pub struct AttributeTest {
    /// Its key.
    pub key: String,
    /// What its value must be; anything if it is `None`.
    pub value: Option<ValueTest>,
}

/// What a value must be.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub enum ValueTest {
    /// Of this type and equal.
    Strict(Literal),
    /// A string, a number or a boolean whose text matches.
    Regexp(Pattern),
}

/// An instrumentation scope.
#[derive(Clone, Debug)]
pub struct LibraryTest {
    /// Its name.
    pub name: Texts,
    /// Its version; any if it is `None`.
    pub version: Option<Texts>,
}

/// A severity of log records.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct SeverityTest {
    /// The lowest that matches: 1 to 24.
    pub min: i32,
    /// Whether records match that say none.
    pub match_undefined: bool,
}

pub(super) fn is_service(texts: &Texts, resource: &Attributes<'_>) -> Result<bool, WireError> {
    let Some(place) = resource.find(b"service.name") else {
        return Ok(texts.is_match(b"<nil-service-name>"));
    };
    let value = AnyValueView::parse(resource.bytes(resource.value(place)))?;
    Ok(texts.is_match(&text_of(value)?))
}

pub(super) fn all_match(
    tests: &[AttributeTest],
    attributes: &Attributes<'_>,
) -> Result<bool, WireError> {
    for test in tests {
        if !test.is_match(attributes)? {
            return Ok(false);
        }
    }
    Ok(true)
}

impl Texts {
    /// Whether one of them matches.
    #[must_use]
    pub fn is_match(&self, text: &[u8]) -> bool {
        match self {
            Self::Strict(texts) => texts.iter().any(|one| one.as_bytes() == text),
            Self::Regexp(patterns) => patterns.iter().any(|pattern| pattern.is_match(text)),
        }
    }
}

impl AttributeTest {
    fn is_match(&self, attributes: &Attributes<'_>) -> Result<bool, WireError> {
        let Some(place) = attributes.find(self.key.as_bytes()) else { return Ok(false) };
        let Some(test) = &self.value else { return Ok(true) };
        let value = AnyValueView::parse(attributes.bytes(attributes.value(place)))?;
        Ok(match test {
            ValueTest::Strict(literal) => literal.equals(value),
            ValueTest::Regexp(pattern) => {
                plain_text_of(value).is_some_and(|text| pattern.is_match(&text))
            }
        })
    }
}

impl LibraryTest {
    pub(super) fn is_match(&self, name: &[u8], version: &[u8]) -> bool {
        self.name.is_match(name) && self.version.as_ref().is_none_or(|test| test.is_match(version))
    }
}

impl SeverityTest {
    pub(super) const fn is_match(self, severity: i32) -> bool {
        if severity == 0 { self.match_undefined } else { severity >= self.min }
    }
}
