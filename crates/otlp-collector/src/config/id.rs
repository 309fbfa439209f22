//! Names of components and pipelines: `otlp`, `otlp/backup`, `traces/errors`.

use std::fmt;
use std::str::FromStr;

use otlp_core::Signal;

use super::error::ConfigError;

/// The name of a component: its type, and a name of its own where there are several of that type.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct ComponentId {
    kind: String,
    name: String,
}

impl ComponentId {
    /// The type, which says what it is: `otlp`.
    #[must_use]
    pub fn component_type(&self) -> &str {
        &self.kind
    }

    /// What tells it from others of its type: `backup` of `otlp/backup`; often empty.
    #[must_use]
    pub fn name(&self) -> &str {
        &self.name
    }
}

impl FromStr for ComponentId {
    type Err = ConfigError;

    fn from_str(text: &str) -> Result<Self, ConfigError> {
        let (kind, name) = split(text)?;
        let is_type = kind.starts_with(|first: char| first.is_ascii_alphabetic())
            && kind.chars().all(|c| c.is_ascii_alphanumeric() || c == '_')
            && kind.len() <= TYPE_BYTES_MAX;
        match is_type {
            true => Ok(Self { kind: kind.to_owned(), name: name.to_owned() }),
            false => Err(bad(text, "type or type/name, the type of letters, digits and `_`")),
        }
    }
}

impl fmt::Display for ComponentId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        show(f, &self.kind, &self.name)
    }
}

/// The name of a pipeline: its signal, and a name of its own where there are several.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct PipelineId {
    signal: Signal,
    name: String,
}

impl PipelineId {
    /// The pipeline of a signal that has no name of its own.
    #[must_use]
    pub const fn of(signal: Signal) -> Self {
        Self { signal, name: String::new() }
    }

    /// What flows in it.
    #[must_use]
    pub const fn signal(&self) -> Signal {
        self.signal
    }

    /// What tells it from others of its signal; often empty.
    #[must_use]
    pub fn name(&self) -> &str {
        &self.name
    }
}

impl FromStr for PipelineId {
    type Err = ConfigError;

    fn from_str(text: &str) -> Result<Self, ConfigError> {
        let (kind, name) = split(text)?;
        let signal = Signal::ALL.into_iter().find(|signal| signal.name() == kind);
        let names = Signal::ALL.map(Signal::name);
        let signal = signal.ok_or_else(|| ConfigError::unknown("signal", kind, &names))?;
        Ok(Self { signal, name: name.to_owned() })
    }
}

impl fmt::Display for PipelineId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        show(f, self.signal.name(), &self.name)
    }
}

fn split(text: &str) -> Result<(&str, &str), ConfigError> {
    let (kind, name) = match text.split_once('/') {
        Some((kind, name)) => (kind.trim(), Some(name.trim())),
        None => (text.trim(), None),
    };
    let accepted = "type or type/name";
    match name {
        Some("") => Err(bad(text, "a name after the `/`, or none of both")),
        Some(name) if name.len() > NAME_BYTES_MAX || name.chars().any(char::is_control) => {
            Err(bad(text, accepted))
        }
        _ if kind.is_empty() => Err(bad(text, accepted)),
        name => Ok((kind, name.unwrap_or_default())),
    }
}

fn bad(text: &str, accepted: &str) -> ConfigError {
    let shown = otlp_core::export::text::printable_within(text, TYPE_BYTES_MAX);
    ConfigError::new(format!("\"{shown}\" is not a valid name; accepted: {accepted}"))
}

fn show(f: &mut fmt::Formatter<'_>, kind: &str, name: &str) -> fmt::Result {
    match name {
        "" => f.write_str(kind),
        name => write!(f, "{kind}/{name}"),
    }
}

/// As in the Go collector.
const TYPE_BYTES_MAX: usize = 63;
const NAME_BYTES_MAX: usize = 1024;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_has_a_type_and_perhaps_more() {
        for (text, expected) in [
            ("otlp", Ok(("otlp", ""))),
            ("otlp/2", Ok(("otlp", "2"))),
            (" otlp / a b/c ", Ok(("otlp", "a b/c"))),
            ("otlp/", Err("\"otlp/\" is not a valid name; accepted: a name after the `/`")),
            ("/2", Err("\"/2\" is not a valid name")),
            ("", Err("\"\" is not a valid name")),
            ("2otlp", Err("\"2otlp\" is not a valid name")),
            ("ot-lp", Err("\"ot-lp\" is not a valid name")),
        ] {
            let read = text.parse::<ComponentId>();
            match expected {
                Ok((kind, name)) => {
                    let id = read.unwrap();
                    assert_eq!((id.component_type(), id.name()), (kind, name), "{text}");
                    assert_eq!(id.to_string().parse(), Ok(id));
                }
                Err(message) => {
                    let error = read.unwrap_err().to_string();
                    assert!(error.starts_with(message), "{text}: {error}");
                }
            }
        }
    }

    #[test]
    fn a_pipeline_is_named_after_its_signal() {
        let id: PipelineId = "traces/errors".parse().unwrap();
        assert_eq!(
            (id.signal(), id.name(), id.to_string().as_str()),
            (Signal::Traces, "errors", "traces/errors")
        );
        let error = "trace".parse::<PipelineId>().unwrap_err().to_string();
        assert_eq!(error, "unknown signal \"trace\"; did you mean \"traces\"?");
    }
}
