//! Which values may be secrets: the one rule for what is printed and for what an error says.

use super::node::{Node, Value};

/// Marks everything of a configuration that stands below a key which may hold secrets.
pub(super) fn mark(configuration: &mut Node) {
    below(configuration, 0, false);
}

fn below(node: &mut Node, depth: usize, is_secret: bool) {
    node.is_secret = is_secret;
    match &mut node.value {
        Value::Plain(_) | Value::Text(_) => {}
        Value::Sequence(nodes) => {
            nodes.iter_mut().for_each(|node| below(node, depth + 1, is_secret));
        }
        Value::Mapping(entries) => {
            for entry in entries {
                // At depth 1 stand the names of components, such as `bearertokenauth`.
                let is_secret = depth != 1 && holds_secrets(&entry.key)
                    || is_secret && !is_harmless(&entry.key);
                below(&mut entry.node, depth + 1, is_secret);
            }
        }
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
    key.ends_with("_file")
        || key.ends_with("_url")
        || ["filename", "name", "aws_secrets_manager"].contains(&key)
}

/// A text without the secrets of an address: what stands before its `@`, and its query.
pub(super) fn shown(text: &str) -> String {
    let parts = text.split_once("://").map(|(scheme, rest)| {
        let host_ends = rest.find(['/', '?', '#']).unwrap_or(rest.len());
        let (host, path) = rest.split_at(host_ends);
        (scheme, host, path)
    });
    let Some((scheme, host, path)) = parts else { return text.to_owned() };
    let host = match host.rsplit_once('@') {
        Some((_, host)) => format!("{REDACTED}@{host}"),
        None => host.to_owned(),
    };
    let path = match path.split_once('?') {
        Some((path, query)) if !query.is_empty() => format!("{path}?{REDACTED}"),
        _ => path.to_owned(),
    };
    format!("{scheme}://{host}{path}")
}

/// What stands where a secret does.
pub(super) const REDACTED: &str = "[REDACTED]";

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_address_shows_neither_its_password_nor_its_query() {
        for (text, expected) in [
            ("http://u:p@host:1/a?token=b#c", "http://[REDACTED]@host:1/a?[REDACTED]"),
            ("https://host?token=b", "https://host?[REDACTED]"),
            ("https://host/a@b", "https://host/a@b"),
            ("https://host/a?", "https://host/a?"),
            ("what? no address", "what? no address"),
        ] {
            assert_eq!(shown(text), expected);
        }
    }
}
