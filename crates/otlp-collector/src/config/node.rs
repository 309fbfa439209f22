//! A configuration before it has types: values, and where each of them was written.

use std::fmt;
use std::sync::Arc;

use super::error::ConfigError;
use super::layers::Layers;

/// Where a value was written: shown as `collector.yaml:12:5`.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Origin {
    source: Arc<str>,
    line: usize,
    column: usize,
}

impl Origin {
    /// A place in a source; lines and columns count from 1.
    pub(super) const fn new(source: Arc<str>, line: usize, column: usize) -> Self {
        Self { source, line, column }
    }

    /// What was read: a file's path, or the text of `--set`.
    #[must_use]
    pub fn source(&self) -> &str {
        &self.source
    }

    /// The line, from 1.
    #[must_use]
    pub const fn line(&self) -> usize {
        self.line
    }

    /// The column in characters, from 1.
    #[must_use]
    pub const fn column(&self) -> usize {
        self.column
    }
}

impl fmt::Display for Origin {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}:{}:{}", self.source, self.line, self.column)
    }
}

/// A value of the configuration, with its origin.
#[derive(Clone)]
pub struct Node {
    pub(super) value: Value,
    pub(super) origin: Origin,
    /// What an expansion brought, as text: a setting that is text takes it as it came, whatever it reads as.
    pub(super) raw: Option<String>,
    /// Whether it stands below a key that may hold secrets: then no error shows it.
    pub(super) is_secret: bool,
}

/// What a node holds. Which type a scalar has is decided by whoever reads it: `0123` may be a number or a
/// password.
#[derive(Clone)]
pub(super) enum Value {
    /// Without quotes.
    Plain(String),
    /// In quotes, or otherwise marked as text.
    Text(String),
    Sequence(Vec<Node>),
    Mapping(Vec<Entry>),
}

/// A key with its value, in the order in which they were written.
#[derive(Clone)]
pub(super) struct Entry {
    pub(super) key: String,
    pub(super) origin: Origin,
    pub(super) node: Node,
    /// Whether it came by `<<`: a key of the mapping's own replaces it.
    pub(super) is_inherited: bool,
}

impl Node {
    pub(super) const fn new(value: Value, origin: Origin) -> Self {
        Self { value, origin, raw: None, is_secret: false }
    }

    /// An empty mapping, where nothing was written.
    pub(super) fn empty(source: &str) -> Self {
        Self::new(Value::Mapping(Vec::new()), Origin::new(source.into(), 1, 1))
    }

    /// Where the value was written.
    #[must_use]
    pub const fn origin(&self) -> &Origin {
        &self.origin
    }

    /// Whether nothing stands there, as in `debug:` without more.
    #[must_use]
    pub fn is_null(&self) -> bool {
        matches!(&self.value, Value::Plain(text) if is_null(text))
    }

    /// What stands under a key of a mapping.
    #[must_use]
    pub fn get(&self, key: &str) -> Option<&Self> {
        match &self.value {
            Value::Mapping(entries) => {
                entries.iter().find(|entry| entry.key == key).map(|entry| &entry.node)
            }
            _ => None,
        }
    }

    /// That a mapping has no other keys than these, for a section that is read in parts.
    pub(crate) fn has_only(&self, known: &[&str]) -> Result<(), ConfigError> {
        let Value::Mapping(entries) = &self.value else { return Ok(()) };
        match entries.iter().find(|entry| !known.contains(&entry.key.as_str())) {
            Some(entry) => Err(ConfigError::unknown("key", &entry.key, known).at(&entry.origin)),
            None => Ok(()),
        }
    }

    /// What it is, in words.
    pub(super) fn kind(&self) -> &'static str {
        match &self.value {
            _ if self.is_null() => "nothing",
            Value::Plain(_) | Value::Text(_) => "a single value",
            Value::Sequence(_) => "a list",
            Value::Mapping(_) => "a mapping",
        }
    }

    /// This with `over` above it: mappings are merged key by key, anything else is replaced.
    #[must_use]
    pub fn merged_with(self, over: Self) -> Self {
        let mut layers = Layers::new(self);
        layers.lay(over);
        layers.into_node()
    }
}

impl fmt::Debug for Node {
    /// Values stay out: they may be secrets.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Node({} at {})", self.kind(), self.origin)
    }
}

/// What an error quotes of a text from outside.
pub(super) fn quoted(text: &str) -> String {
    otlp_core::export::text::printable_within(text, QUOTED_BYTES)
}

const QUOTED_BYTES: usize = 256;

/// How YAML writes nothing.
pub(super) fn is_null(plain: &str) -> bool {
    matches!(plain, "" | "~" | "null" | "Null" | "NULL")
}
