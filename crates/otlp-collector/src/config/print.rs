//! A configuration as text again: merged, expanded, and with its secrets hidden.

use std::fmt::{self, Write as _};

use super::node::{Entry, Node, Value};

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
            Value::Mapping(entries) if !entries.is_empty() => writer.mapping(entries, 0, false),
            _ => writer.scalar_line(self.node, false),
        }
    }
}

struct Writer<'a, 'f> {
    out: &'a mut fmt::Formatter<'f>,
    hides: bool,
}

impl Writer<'_, '_> {
    /// `is_secret` holds for everything below a key that has secrets.
    fn mapping(&mut self, entries: &[Entry], depth: usize, is_secret: bool) -> fmt::Result {
        for entry in entries {
            self.indent(depth)?;
            self.entry(entry, depth, is_secret)?;
        }
        Ok(())
    }

    fn entry(&mut self, entry: &Entry, depth: usize, is_secret: bool) -> fmt::Result {
        // At depth 1 stand the names of components, such as `bearertokenauth`.
        let is_secret =
            depth != 1 && holds_secrets(&entry.key) || is_secret && !is_harmless(&entry.key);
        write!(self.out, "{}:", quoted_unless_plain(&entry.key))?;
        self.below(&entry.node, depth, is_secret)
    }

    fn below(&mut self, node: &Node, depth: usize, is_secret: bool) -> fmt::Result {
        match &node.value {
            Value::Mapping(entries) if !entries.is_empty() => {
                self.out.write_char('\n')?;
                self.mapping(entries, depth + 1, is_secret)
            }
            Value::Sequence(nodes) if !nodes.is_empty() => {
                self.out.write_char('\n')?;
                self.sequence(nodes, depth + 1, is_secret)
            }
            _ => {
                self.out.write_char(' ')?;
                self.scalar_line(node, is_secret)
            }
        }
    }

    fn sequence(&mut self, nodes: &[Node], depth: usize, is_secret: bool) -> fmt::Result {
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
                        self.entry(entry, depth + 1, is_secret)?;
                    }
                }
                _ => self.below(node, depth, is_secret)?,
            }
        }
        Ok(())
    }

    fn scalar_line(&mut self, node: &Node, is_secret: bool) -> fmt::Result {
        let text = match &node.value {
            Value::Mapping(_) => "{}".to_owned(),
            Value::Sequence(_) => "[]".to_owned(),
            Value::Plain(text) if text.is_empty() => "null".to_owned(),
            Value::Plain(_) | Value::Text(_) if self.hides && is_secret => REDACTED.to_owned(),
            Value::Plain(text) => quoted_unless_plain(&self.value(text)),
            Value::Text(text) => quoted(&self.value(text)),
        };
        self.out.write_str(&text)?;
        self.out.write_char('\n')
    }

    /// A value as it has to be written to be read like this: `$` begins a reference.
    fn value(&self, text: &str) -> String {
        self.without_password(text).replace('$', "$$")
    }

    /// What stands before the `@` of an address is a secret as well.
    fn without_password(&self, text: &str) -> String {
        let parts = text.split_once("://").and_then(|(scheme, rest)| {
            let host_ends = rest.find(['/', '?', '#']).unwrap_or(rest.len());
            let at = rest.get(..host_ends)?.rfind('@')?;
            Some((scheme, rest.get(at..)?))
        });
        match parts {
            Some((scheme, rest)) if self.hides => format!("{scheme}://[REDACTED]{rest}"),
            _ => text.to_owned(),
        }
    }

    fn indent(&mut self, depth: usize) -> fmt::Result {
        (0..depth).try_for_each(|_| self.out.write_str("    "))
    }
}

/// Whether what stands below a key may be secret: what is hidden without need does less harm than what is shown.
fn holds_secrets(key: &str) -> bool {
    let key = key.to_ascii_lowercase();
    let parts = ["password", "secret", "token", "authorization", "credential", "api_key", "apikey"];
    let whole = ["headers", "headers_list", "inline", "key_pem", "passphrase"];
    !is_harmless(&key)
        && (whole.contains(&key.as_str()) || parts.iter().any(|part| key.contains(part)))
}

/// Whether a key says itself that its value may be read: where a secret lies, which header it is for.
fn is_harmless(key: &str) -> bool {
    key.ends_with("_file") || key.ends_with("_url") || ["filename", "name"].contains(&key)
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

const REDACTED: &str = "'[REDACTED]'";
