//! What is done to a list of attributes.

use super::Literal;
use super::pattern::Pattern;

/// One action on a list of attributes.
///
/// The actions of a list run in order, each on what those before it have left. They mean what they mean in the
/// Go collector, with one exception: where input has a key more than once, which OTLP forbids, `delete` and
/// `hash` reach all of them, since a secret must not survive in a second place. All others use the first.
#[derive(Clone, Debug)]
pub struct Action {
    pub(super) key: Box<[u8]>,
    pub(super) kind: Kind,
}

#[derive(Clone, Debug)]
pub(super) enum Kind {
    Insert(Source),
    Update(Source),
    Upsert(Source),
    Delete,
    DeleteMatching(Pattern),
    Hash,
    HashMatching(Pattern),
    Extract(Pattern),
    Convert(ConvertedType),
}

/// Where a new value comes from.
#[derive(Clone, Debug, Default)]
pub struct Source {
    /// Encoded.
    pub(super) value: Option<Box<[u8]>>,
    pub(super) attribute: Option<Box<[u8]>>,
    pub(super) default: Option<Box<[u8]>>,
}

/// What `convert` makes of a value.
#[derive(Clone, Copy, Debug, PartialEq, Eq, serde::Deserialize)]
#[serde(rename_all = "lowercase")]
#[non_exhaustive]
pub enum ConvertedType {
    /// Doubles lose their fraction, booleans become 1 and 0, text is read as a decimal number.
    Int,
    /// Booleans become 1 and 0, text is read as a number.
    Double,
    /// Everything has a text; see the `convert` action in the [settings](super::ActionSettings).
    String,
}

impl Source {
    /// A value.
    #[must_use]
    pub fn value(value: &Literal) -> Self {
        Self { value: Some(value.encode().into()), ..Self::default() }
    }

    /// The value of another attribute of the same list; without it, nothing is done.
    #[must_use]
    pub fn attribute(key: &str) -> Self {
        Self { attribute: Some(key.as_bytes().into()), ..Self::default() }
    }

    /// This, or else a value.
    #[must_use]
    pub fn or(self, default: &Literal) -> Self {
        Self { default: Some(default.encode().into()), ..self }
    }
}

impl Action {
    /// Adds the attribute, unless there is one with this key.
    #[must_use]
    pub fn insert(key: &str, source: Source) -> Self {
        Self::new(key, Kind::Insert(source))
    }

    /// Sets the attribute, if there is one with this key.
    #[must_use]
    pub fn update(key: &str, source: Source) -> Self {
        Self::new(key, Kind::Update(source))
    }

    /// Sets the attribute, or adds it.
    #[must_use]
    pub fn upsert(key: &str, source: Source) -> Self {
        Self::new(key, Kind::Upsert(source))
    }

    /// Removes the attributes with this key.
    #[must_use]
    pub fn delete(key: &str) -> Self {
        Self::new(key, Kind::Delete)
    }

    /// Removes the attributes whose key matches.
    #[must_use]
    pub fn delete_matching(pattern: Pattern) -> Self {
        Self::new("", Kind::DeleteMatching(pattern))
    }

    /// Replaces the value of the attributes with this key by its SHA-256 in lower-case hexadecimal digits: of
    /// a string's bytes, of one byte 1 or 0, of the eight bytes of a number, lowest first. Any other value
    /// becomes the empty string.
    #[must_use]
    pub fn hash(key: &str) -> Self {
        Self::new(key, Kind::Hash)
    }

    /// As [`hash`](Self::hash), of the attributes whose key matches.
    #[must_use]
    pub fn hash_matching(pattern: Pattern) -> Self {
        Self::new("", Kind::HashMatching(pattern))
    }

    /// Matches the value of the attribute, if it is a string, and sets an attribute for each group of the
    /// pattern: its name is the key, what it matched the value. A group that took no part gives an empty one.
    ///
    /// `None` if the pattern has no groups or one without a name.
    #[must_use]
    pub fn extract(key: &str, pattern: Pattern) -> Option<Self> {
        let names: Option<Vec<&str>> = pattern.group_names().collect();
        let has_names = names.is_some_and(|names| !names.is_empty());
        has_names.then(|| Self::new(key, Kind::Extract(pattern)))
    }

    /// Makes the attribute's value one of another type. What cannot be converted stays as it is.
    #[must_use]
    pub fn convert(key: &str, to: ConvertedType) -> Self {
        Self::new(key, Kind::Convert(to))
    }

    fn new(key: &str, kind: Kind) -> Self {
        Self { key: key.as_bytes().into(), kind }
    }
}
