//! A configuration as text again: merged, expanded, and with its secrets hidden.

use std::fmt::{self, Write as _};

use super::node::{Entry, Node, Value};
use super::secret::{self, REDACTED};

/// Whether values that may be secrets are shown.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Secrets {
    /// As `[REDACTED]`.
    #[default]
    Hidden,
    /// As they are.
    Shown,
}

/// A node as YAML.
pub(super) struct Yaml<'a> {
    pub(super) node: &'a Node,
    pub(super) secrets: Secrets,
}

impl fmt::Display for Yaml<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut writer = Writer { out: f, hides: self.secrets == Secrets::Hidden };
        match &self.node.value {
            Value::Mapping(entries) if !entries.is_empty() => writer.mapping(entries, 0),
            _ => writer.scalar_line(self.node),
        }
    }
}

struct Writer<'a, 'f> {
    out: &'a mut fmt::Formatter<'f>,
    hides: bool,
}

impl Writer<'_, '_> {
    fn mapping(&mut self, entries: &[Entry], depth: usize) -> fmt::Result {
        for entry in entries {
            self.indent(depth)?;
            self.entry(entry, depth)?;
        }
        Ok(())
    }

    fn entry(&mut self, entry: &Entry, depth: usize) -> fmt::Result {
        write!(self.out, "{}:", quoted_unless_plain(&entry.key))?;
        self.below(&entry.node, depth)
    }

    fn below(&mut self, node: &Node, depth: usize) -> fmt::Result {
        match &node.value {
            Value::Mapping(entries) if !entries.is_empty() => {
                self.out.write_char('\n')?;
                self.mapping(entries, depth + 1)
            }
            Value::Sequence(nodes) if !nodes.is_empty() => {
                self.out.write_char('\n')?;
                self.sequence(nodes, depth + 1)
            }
            _ => {
                self.out.write_char(' ')?;
                self.scalar_line(node)
            }
        }
    }

    fn sequence(&mut self, nodes: &[Node], depth: usize) -> fmt::Result {
        for node in nodes {
            self.indent(depth)?;
            self.out.write_char('-')?;
            match &node.value {
                // The first key stands beside the dash, the others below it.
                Value::Mapping(entries) if !entries.is_empty() => {
                    self.out.write_str("   ")?;
                    for (at, entry) in entries.iter().enumerate() {
                        if at > 0 {
                            self.indent(depth + 1)?;
                        }
                        self.entry(entry, depth + 1)?;
                    }
                }
                _ => self.below(node, depth)?,
            }
        }
        Ok(())
    }

    fn scalar_line(&mut self, node: &Node) -> fmt::Result {
        let text = match &node.value {
            Value::Mapping(_) => "{}".to_owned(),
            Value::Sequence(_) => "[]".to_owned(),
            Value::Plain(text) if text.is_empty() => "null".to_owned(),
            Value::Plain(_) | Value::Text(_) if self.hides && node.is_secret => {
                format!("'{REDACTED}'")
            }
            Value::Plain(text) => quoted_unless_plain(&self.value(text)),
            Value::Text(text) => quoted(&self.value(text)),
        };
        self.out.write_str(&text)?;
        self.out.write_char('\n')
    }

    /// A value as it has to be written to be read like this: `$` begins a reference.
    fn value(&self, text: &str) -> String {
        let text = if self.hides { secret::shown(text) } else { text.to_owned() };
        text.replace('$', "$$")
    }

    fn indent(&mut self, depth: usize) -> fmt::Result {
        (0..depth).try_for_each(|_| self.out.write_str("    "))
    }
}

/// Text in quotes where YAML might take it for something else.
fn quoted_unless_plain(text: &str) -> String {
    let is_inner = |c: char| c.is_ascii_alphanumeric() || "_-./:%+=@*,".contains(c);
    let is_plain = text.starts_with(|c: char| c.is_ascii_alphanumeric() || "_./+-".contains(c))
        && text.chars().all(|c| is_inner(c) || c == ' ')
        && !text.contains(": ")
        && !text.ends_with([':', ' '])
        && !text.starts_with("- ")
        && text != "-"
        && !text.starts_with("---")
        && !text.contains(" #");
    if is_plain { text.to_owned() } else { quoted(text) }
}

/// Text in double quotes, in which JSON's escapes are YAML's.
fn quoted(text: &str) -> String {
    serde_json::Value::from(text).to_string()
}
