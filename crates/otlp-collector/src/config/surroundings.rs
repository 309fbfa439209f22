//! What a configuration may refer to: the variables and files around it.

use std::cell::RefCell;
use std::fs::File;
use std::io::Read as _;

use super::error::ConfigError;
use super::node::quoted;

/// Variables and files.
pub(super) struct Surroundings<'a> {
    variable: &'a dyn Fn(&str) -> Option<String>,
    /// References to variables that are not set.
    missing: RefCell<Vec<String>>,
}

impl<'a> Surroundings<'a> {
    pub(super) fn new(variable: &'a dyn Fn(&str) -> Option<String>) -> Self {
        Self { variable, missing: RefCell::default() }
    }

    /// The value of `NAME` or `NAME:-default`; nothing where it is not set, which is kept in mind.
    pub(super) fn variable(&self, reference: &str) -> Result<String, ConfigError> {
        let (name, default) = match reference.split_once(":-") {
            Some((name, default)) => (name, Some(default)),
            None => (reference, None),
        };
        if !is_variable_name(name) {
            let message = format!(
                "\"{}\" is no name of a variable; accepted: letters, digits and `_`, not a digit first",
                quoted(name)
            );
            return Err(ConfigError::new(message));
        }
        Ok((self.variable)(name).or_else(|| default.map(str::to_owned)).unwrap_or_else(|| {
            self.missing.borrow_mut().push(name.to_owned());
            String::new()
        }))
    }

    pub(super) fn file(&self, path: &str) -> Result<String, ConfigError> {
        let mut text = String::new();
        File::open(path)
            .and_then(|file| file.take(FILE_BYTES_MAX + 1).read_to_string(&mut text))
            .map_err(|error| ConfigError::new(format!("{}: cannot be read: {error}", quoted(path))))?;
        match text.len() as u64 > FILE_BYTES_MAX {
            true => {
                let message = format!("{}: larger than {FILE_BYTES_MAX} bytes", quoted(path));
                Err(ConfigError::new(message))
            }
            false => Ok(text),
        }
    }

    /// The variables that were referred to and are not set, each once.
    pub(super) fn into_missing(self) -> Vec<String> {
        let mut missing = self.missing.into_inner();
        missing.sort_unstable();
        missing.dedup();
        missing
    }
}

fn is_variable_name(name: &str) -> bool {
    let is_first = |first: char| first.is_ascii_alphabetic() || first == '_';
    name.starts_with(is_first) && name.chars().all(|c| c.is_ascii_alphanumeric() || c == '_')
}

/// A configuration is some kilobytes; what is larger was not meant.
const FILE_BYTES_MAX: u64 = 16 << 20;
