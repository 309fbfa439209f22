//! Where a configuration comes from: `--config` and `--set`.

use std::str::FromStr;

use super::error::ConfigError;
use super::expand::expand;
use super::layers::Layers;
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
                let keys: Vec<_> = key.split('.').collect();
                within(0, &keys, &origin)?;
                Ok(below(&keys, &origin, node))
            }
        }
    }
}

impl FromStr for Source {
    type Err = ConfigError;

    /// What `--config` says.
    fn from_str(text: &str) -> Result<Self, ConfigError> {
        match text.split_once(':') {
            None | Some(("file" | "env", _))
                if text.trim_end().is_empty() || text.ends_with(':') =>
            {
                Err(ConfigError::new(format!(
                    "\"{text}\" names no configuration; accepted: a path, file:PATH, env:VARIABLE or yaml:TEXT"
                )))
            }
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
            Value::Mapping(_) => whole = whole.merged_with(split_keys(node, 0)?),
            _ if node.is_null() => {}
            _ => {
                let message = format!("a configuration is a mapping, and this is {}", node.kind());
                return Err(ConfigError::new(message).at(&node.origin));
            }
        }
    }
    expand(whole, around)
}

/// `a::b: c` is `a: {b: c}`. The node stands within `level` others.
fn split_keys(node: Node, level: usize) -> Result<Node, ConfigError> {
    let Node { value, origin, raw, is_secret } = node;
    let value = match value {
        Value::Mapping(entries) => {
            let empty = Value::Mapping(Vec::new());
            let mut split = Layers::new(Node::new(empty, origin.clone()));
            for Entry { key, origin, node, .. } in entries {
                let keys: Vec<_> = key.split("::").collect();
                let level = within(level, &keys, &origin)?;
                split.lay(below(&keys, &origin, split_keys(node, level)?));
            }
            split.into_node().value
        }
        Value::Sequence(nodes) => {
            let nodes = nodes.into_iter().map(|node| split_keys(node, level + 1));
            Value::Sequence(nodes.collect::<Result<_, _>>()?)
        }
        scalar => scalar,
    };
    Ok(Node { value, origin, raw, is_secret })
}

/// The level below these keys, which is bounded: the tree is walked by recursion.
fn within(level: usize, keys: &[&str], origin: &Origin) -> Result<usize, ConfigError> {
    let below = level.saturating_add(keys.len());
    match below > LEVELS_MAX {
        true => {
            let message = format!("more than {LEVELS_MAX} keys stand within each other");
            Err(ConfigError::new(message).at(origin))
        }
        false => Ok(below),
    }
}

/// A node below these keys, which stand at `origin`.
fn below(keys: &[&str], origin: &Origin, node: Node) -> Node {
    keys.iter().rev().fold(node, |node, key| {
        let key = (*key).to_owned();
        let entry = Entry { key, origin: origin.clone(), node, is_inherited: false };
        Node::new(Value::Mapping(vec![entry]), origin.clone())
    })
}

/// A configuration has ten.
const LEVELS_MAX: usize = 64;

#[cfg(test)]
mod tests;
