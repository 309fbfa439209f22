//! What is wrong with a configuration, and where.

use std::fmt;

use serde::de::{Expected, Unexpected};

use super::node::{Origin, quoted};

/// What is wrong with a configuration: where it was written, under which key, and what would be accepted.
///
/// Shown as `collector.yaml:12:5: receivers::otlp::protocols: unknown key "gprc"; did you mean "grpc"?`
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ConfigError {
    origin: Option<Origin>,
    /// The keys above, the innermost first.
    path: Vec<String>,
    message: String,
    /// The message without what was written there, which may be a secret.
    discreet: Option<String>,
}

impl ConfigError {
    /// An error with this message, whose place is still to be said.
    pub fn new(message: impl Into<String>) -> Self {
        Self { origin: None, path: Vec::new(), message: message.into(), discreet: None }
    }

    /// The error, which is told like this where what was written may be a secret.
    pub(super) fn or_discreetly(mut self, message: impl Into<String>) -> Self {
        self.discreet = Some(message.into());
        self
    }

    /// The error, without a word of what was written there.
    pub(super) fn discreet(mut self) -> Self {
        let message = self.discreet.get_or_insert_with(|| HIDDEN.to_owned());
        self.message.clone_from(message);
        self
    }

    /// The error, at this place unless it knows a closer one.
    #[must_use]
    pub fn at(mut self, origin: &Origin) -> Self {
        self.origin.get_or_insert_with(|| origin.clone());
        self
    }

    /// The error, below a key: called from the inside to the outside.
    #[must_use]
    pub fn under(mut self, key: &str) -> Self {
        self.path.push(key.to_owned());
        self
    }

    /// Where the mistake stands, if it stands anywhere.
    #[must_use]
    pub const fn origin(&self) -> Option<&Origin> {
        self.origin.as_ref()
    }

    /// The key under which it stands, such as `receivers::otlp::protocols`; empty at the top.
    #[must_use]
    pub fn path(&self) -> String {
        self.path.iter().rev().map(String::as_str).collect::<Vec<_>>().join("::")
    }

    /// What is wrong, without the place.
    #[must_use]
    pub fn message(&self) -> &str {
        &self.message
    }

    /// A name that nothing knows, with those that would be accepted.
    #[must_use]
    pub fn unknown(what: &str, name: &str, known: &[&str]) -> Self {
        let accepted = || format!("accepted: {}", listed(known));
        let (advice, is_near) = match (nearest(name, known), known.is_empty()) {
            (_, true) => ("none is accepted here".to_owned(), false),
            (Some(nearest), _) => (format!("did you mean \"{nearest}\"?"), true),
            (None, _) => (accepted(), false),
        };
        let message = format!("unknown {what} \"{}\"; {advice}", quoted(name));
        match (is_near, what) {
            // What is nearly a key is no secret.
            (true, "key") => Self::new(message.clone()).or_discreetly(message),
            (true, _) => {
                Self::new(message).or_discreetly(format!("unknown {what}; {}", accepted()))
            }
            (false, _) => Self::new(message).or_discreetly(format!("unknown {what}; {advice}")),
        }
    }

    /// What is wrong with a name that is none of the known ones, with the one that was probably meant.
    pub(super) fn not_among(wrong: &str, name: &str, known: &[&str]) -> Self {
        let message = match (nearest(name, known), known) {
            (_, []) => format!("{wrong}; none is accepted here"),
            (Some(nearest), _) => format!("{wrong}; did you mean \"{nearest}\"?"),
            (None, _) => format!("{wrong}; accepted: {}", listed(known)),
        };
        Self::new(message)
    }
}

/// The names, or the first of very many.
fn listed(known: &[&str]) -> String {
    let first = known.get(..LISTED_MAX).unwrap_or(known).join(", ");
    match known.len().saturating_sub(LISTED_MAX) {
        0 => first,
        more => format!("{first} and {more} more"),
    }
}

const LISTED_MAX: usize = 64;

impl fmt::Display for ConfigError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if let Some(origin) = &self.origin {
            write!(f, "{origin}: ")?;
        }
        if !self.path.is_empty() {
            write!(f, "{}: ", self.path())?;
        }
        f.write_str(&self.message)
    }
}

impl std::error::Error for ConfigError {}

impl serde::de::Error for ConfigError {
    fn custom<T: fmt::Display>(message: T) -> Self {
        Self::new(message.to_string())
    }

    /// Where another type is asked for, what stands there instead may be anything, also a secret.
    fn invalid_type(found: Unexpected<'_>, expected: &dyn Expected) -> Self {
        let message = format!("{} is not {expected}", kind(&found));
        Self::new(message.clone()).or_discreetly(message)
    }

    fn unknown_field(field: &str, expected: &'static [&'static str]) -> Self {
        Self::unknown("key", field, expected)
    }

    fn unknown_variant(variant: &str, expected: &'static [&'static str]) -> Self {
        Self::unknown("value", variant, expected)
    }

    fn missing_field(field: &'static str) -> Self {
        let message = format!("the key \"{field}\" is missing");
        Self::new(message.clone()).or_discreetly(message)
    }
}

/// What serde found, in words and without its value.
const fn kind(found: &Unexpected<'_>) -> &'static str {
    match found {
        Unexpected::Bool(_) => "true or false",
        Unexpected::Unsigned(_) | Unexpected::Signed(_) | Unexpected::Float(_) => "a number",
        Unexpected::Unit | Unexpected::Option => "nothing",
        Unexpected::Seq => "a list",
        Unexpected::Map => "a mapping",
        _ => "text",
    }
}

const HIDDEN: &str = "the value cannot be used here; it may be a secret, and is not shown";

/// The known name that was probably meant: a third of it may be wrong.
fn nearest<'a>(name: &str, known: &[&'a str]) -> Option<&'a str> {
    if name.len() > NAME_BYTES_MAX {
        return None;
    }
    let distance = |known: &&str| strsim::osa_distance(name, known);
    let best = known.iter().copied().min_by_key(|known| distance(known))?;
    (distance(&best) <= best.chars().count().div_ceil(3)).then_some(best)
}

/// No name is as long, and what is compared grows with the product of the lengths.
const NAME_BYTES_MAX: usize = 128;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_error_says_where_under_which_key_and_what() {
        let origin = Origin::new("collector.yaml".into(), 12, 5);
        let error = ConfigError::unknown("key", "gprc", &["grpc", "http"]);
        let error = error.under("protocols").under("otlp").at(&origin);
        let elsewhere = Origin::new("elsewhere".into(), 1, 1);
        let error = error.at(&elsewhere);
        let text =
            "collector.yaml:12:5: otlp::protocols: unknown key \"gprc\"; did you mean \"grpc\"?";
        assert_eq!(error.to_string(), text);
    }

    #[test]
    fn a_name_far_from_all_others_is_told_what_is_accepted() {
        let text = |name, known: &[&str]| ConfigError::unknown("key", name, known).to_string();
        assert_eq!(
            text("colour", &["grpc", "http"]),
            "unknown key \"colour\"; accepted: grpc, http"
        );
        assert_eq!(text("colour", &[]), "unknown key \"colour\"; none is accepted here");
        assert!(
            text("sending_que", &["sending_queue"]).ends_with("did you mean \"sending_queue\"?")
        );
    }
}
