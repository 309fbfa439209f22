//! `${env:NAME:-default}` and its siblings in the values of a configuration, by the rules of the Go
//! collector: the innermost reference first, again until none is left, and `$$` for a dollar sign.

use super::error::ConfigError;
use super::node::{Node, Value};
use super::surroundings::Surroundings;
use super::yaml;

/// Replaces the references in all values of a tree.
pub(super) fn expand(node: Node, around: &Surroundings<'_>) -> Result<Node, ConfigError> {
    Expansion { around, left: EXPANSIONS_MAX, bytes_left: BROUGHT_MAX }.node(node, 0)
}

struct Expansion<'a> {
    around: &'a Surroundings<'a>,
    /// How many more references may be replaced.
    left: usize,
    /// How many more bytes they may bring in.
    bytes_left: usize,
}

impl Expansion<'_> {
    fn node(&mut self, node: Node, level: usize) -> Result<Node, ConfigError> {
        if level > LEVELS_MAX {
            return Err(ConfigError::new("references bring in too many levels").at(&node.origin));
        }
        let Node { value, origin, raw, is_secret } = node;
        let value = match value {
            Value::Plain(text) | Value::Text(text) if find(&text).is_some() => {
                return self.text(&text, Node::new(Value::Plain(String::new()), origin), level);
            }
            Value::Plain(text) => Value::Plain(unescaped(&text)),
            Value::Text(text) => Value::Text(unescaped(&text)),
            Value::Sequence(nodes) => {
                let nodes = nodes.into_iter().map(|node| self.node(node, level + 1));
                Value::Sequence(nodes.collect::<Result<_, _>>()?)
            }
            Value::Mapping(mut entries) => {
                for entry in &mut entries {
                    let empty = Node::new(Value::Plain(String::new()), entry.origin.clone());
                    let node = std::mem::replace(&mut entry.node, empty);
                    entry.node =
                        self.node(node, level + 1).map_err(|error| error.under(&entry.key))?;
                }
                Value::Mapping(entries)
            }
        };
        Ok(Node { value, origin, raw, is_secret })
    }

    /// A text with at least one reference. `node` is where it stands.
    fn text(&mut self, text: &str, node: Node, level: usize) -> Result<Node, ConfigError> {
        let mut text = text.to_owned();
        while let Some((start, end)) = find(&text) {
            let Some(left) = self.left.checked_sub(1) else {
                let message = format!("more than {EXPANSIONS_MAX} references are replaced");
                return Err(ConfigError::new(message).at(&node.origin));
            };
            self.left = left;
            let reference = text.get(start + 2..end).unwrap_or_default().to_owned();
            let brought = self.brought(&reference).map_err(|error| error.at(&node.origin))?;
            let Some(bytes_left) = self.bytes_left.checked_sub(brought.len()) else {
                let message = format!("references bring in more than {BROUGHT_MAX} bytes");
                return Err(ConfigError::new(message).at(&node.origin));
            };
            self.bytes_left = bytes_left;
            if start == 0 && end + 1 == text.len() {
                return self.whole(&reference, brought, node, level);
            }
            if text.len() + brought.len() > BYTES_MAX {
                let message = format!("references make more than {BYTES_MAX} bytes of a value");
                return Err(ConfigError::new(message).at(&node.origin));
            }
            text.replace_range(start..=end, brought.trim_end_matches('\n'));
        }
        Ok(Node { value: Value::Text(unescaped(&text)), ..node })
    }

    /// The whole value is a reference: what it brings is YAML, unless it cannot be read as such.
    fn whole(
        &mut self,
        reference: &str,
        brought: String,
        node: Node,
        level: usize,
    ) -> Result<Node, ConfigError> {
        let Ok(read) = yaml::parse(&brought, reference) else {
            return self.node(Node { value: Value::Text(brought), ..node }, level + 1);
        };
        let value = match read.value {
            // Nothing at all.
            Value::Mapping(entries) if entries.is_empty() && brought.trim().is_empty() => {
                Value::Plain(String::new())
            }
            value => value,
        };
        let placed = Node::new(value, node.origin);
        let expanded = self.node(placed, level + 1)?;
        // Text within it that was a reference again is not what the variable holds.
        let raw = find(&brought).is_none().then(|| unescaped(&brought));
        Ok(Node { raw, ..expanded })
    }

    /// What a reference stands for.
    fn brought(&self, reference: &str) -> Result<String, ConfigError> {
        match reference.split_once(':') {
            Some(("env", name)) => self.around.variable(name),
            Some(("file", path)) => self.around.file(path),
            Some(("yaml", text)) => Ok(text.to_owned()),
            // `NAME:-default`, as the shell has it.
            Some((_, rest)) if rest.starts_with('-') => self.around.variable(reference),
            Some((scheme, _)) => Err(ConfigError::unknown("scheme", scheme, SCHEMES)),
            None => self.around.variable(reference),
        }
    }
}

/// The first reference without another inside it: where `${` and `}` stand. One pass, whatever the text.
fn find(text: &str) -> Option<(usize, usize)> {
    // The last `${`, unless its dollar sign is the second of a pair.
    let mut opened = None;
    let mut dollars = 0_usize;
    for (at, byte) in text.bytes().enumerate() {
        match byte {
            b'{' if dollars > 0 => opened = (dollars % 2 == 1).then(|| at - 1),
            b'}' => {
                if let Some(start) = opened {
                    return Some((start, at));
                }
            }
            _ => {}
        }
        dollars = if byte == b'$' { dollars + 1 } else { 0 };
    }
    None
}

fn unescaped(text: &str) -> String {
    text.replace("$$", "$")
}

const SCHEMES: &[&str] = &["env", "file", "yaml"];
/// References replaced in one configuration.
const EXPANSIONS_MAX: usize = 1_000;
/// Levels that references may add to a tree, which is walked by recursion.
const LEVELS_MAX: usize = 128;
/// A value that references have grown to this is none that anybody wrote.
const BYTES_MAX: usize = 1 << 20;
/// What all references of a configuration may bring in: twice the largest file.
const BROUGHT_MAX: usize = 32 << 20;

#[cfg(test)]
mod tests;
