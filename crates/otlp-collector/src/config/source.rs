//! Where a configuration comes from: `--config` and `--set`.

use std::str::FromStr;

use super::error::ConfigError;
use super::expand::expand;
use super::node::{Entry, Node, Origin, Value};
use super::surroundings::Surroundings;
use super::yaml;

/// One thing to read, as `--config` names it. Later ones are merged over earlier ones.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Source {
    /// A file: `file:collector.yaml`, or the path alone.
    File(String),
    /// The YAML in an environment variable: `env:COLLECTOR_CONFIG`.
    Variable(String),
    /// YAML as it stands, keys joined by `::`: `yaml:processors::batch::timeout: 2s`.
    Yaml(String),
    /// A value for a key, as `--set` has it: `processors.batch.timeout=2s`.
    Set {
        /// The key, with dots between its parts.
        key: String,
        /// The value, which is YAML.
        value: String,
    },
}

impl Source {
    /// What `--set` says.
    ///
    /// # Errors
    ///
    /// There is no `=`, or nothing before it.
    pub fn set(text: &str) -> Result<Self, ConfigError> {
        match text.split_once('=') {
            Some((key, value)) if !key.trim().is_empty() => {
                Ok(Self::Set { key: key.trim().to_owned(), value: value.to_owned() })
            }
            // What it is may be a secret.
            _ => Err(ConfigError::new(
                "--set takes a key and a value, and this is none; accepted: key.below.key=value",
            )),
        }
    }

    fn read(&self, around: &Surroundings<'_>) -> Result<Node, ConfigError> {
        match self {
            Self::File(path) => yaml::parse(&around.file(path)?, path),
            Self::Variable(name) => yaml::parse(&around.variable(name)?, &format!("env:{name}")),
            Self::Yaml(text) => yaml::parse(text, "yaml:"),
            Self::Set { key, value } => {
                let name = format!("--set {key}");
                let node = yaml::parse(value, &name)?;
                // Nothing after `=` is nothing, and no empty mapping.
                let node = match value.trim() {
                    "" => Node { value: Value::Plain(String::new()), ..node },
                    _ => node,
                };
                let origin = node.origin.clone();
                Ok(below(&key.split('.').collect::<Vec<_>>(), &origin, node))
            }
        }
    }
}

impl FromStr for Source {
    type Err = ConfigError;

    /// What `--config` says.
    fn from_str(text: &str) -> Result<Self, ConfigError> {
        match text.split_once(':') {
            Some(("file", path)) => Ok(Self::File(path.to_owned())),
            Some(("env", name)) => Ok(Self::Variable(name.to_owned())),
            Some(("yaml", text)) => Ok(Self::Yaml(text.to_owned())),
            // `C:\collector.yaml` is a path.
            Some((scheme, _)) if scheme.len() > 1 && scheme.chars().all(char::is_alphabetic) => {
                Err(ConfigError::unknown("scheme", scheme, &["file", "env", "yaml"]))
            }
            _ => Ok(Self::File(text.to_owned())),
        }
    }
}

/// Reads all sources, merges them in order, and replaces their references.
pub(super) fn read(sources: &[Source], around: &Surroundings<'_>) -> Result<Node, ConfigError> {
    let mut whole = Node::empty("configuration");
    for source in sources {
        let node = source.read(around)?;
        match node.value {
            Value::Mapping(_) => whole = whole.merged_with(split_keys(node)),
            _ if node.is_null() => {}
            _ => {
                let message = format!("a configuration is a mapping, and this is {}", node.kind());
                return Err(ConfigError::new(message).at(&node.origin));
            }
        }
    }
    expand(whole, around)
}

/// `a::b: c` is `a: {b: c}`.
fn split_keys(node: Node) -> Node {
    let Node { value, origin, raw, is_secret } = node;
    let value = match value {
        Value::Mapping(entries) => {
            let mut split = Node::new(Value::Mapping(Vec::new()), origin.clone());
            for Entry { key, origin, node, .. } in entries {
                let one = below(&key.split("::").collect::<Vec<_>>(), &origin, split_keys(node));
                split = split.merged_with(one);
            }
            split.value
        }
        Value::Sequence(nodes) => Value::Sequence(nodes.into_iter().map(split_keys).collect()),
        scalar => scalar,
    };
    Node { value, origin, raw, is_secret }
}

/// A node below these keys, which stand at `origin`.
fn below(keys: &[&str], origin: &Origin, node: Node) -> Node {
    keys.iter().rev().fold(node, |node, key| {
        let key = (*key).to_owned();
        let entry = Entry { key, origin: origin.clone(), node, is_inherited: false };
        Node::new(Value::Mapping(vec![entry]), origin.clone())
    })
}

#[cfg(test)]
mod tests;
