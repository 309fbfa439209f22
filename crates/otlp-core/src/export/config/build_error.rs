//! Why an exporter could not be built from its configuration.

use std::error::Error;
use std::fmt;
use std::sync::Arc;

use super::super::cause::causes;
use super::ConfigError;

/// An exporter cannot be built from its settings.
///
/// Names the setting, what is wrong with it and, behind that, the cause. Never holds a secret.
///
/// ```
/// use otlp_core::export::BuildError;
///
/// let missing = std::io::Error::from(std::io::ErrorKind::NotFound);
/// let error = BuildError::new("CA certificate", "cannot be read").with_source(missing);
/// assert_eq!(error.to_string(), "CA certificate: cannot be read: entity not found");
/// ```
#[derive(Clone)]
pub struct BuildError {
    setting: String,
    problem: String,
    source: Option<Arc<dyn Error + Send + Sync>>,
}

impl BuildError {
    /// The setting that is at fault.
    #[must_use]
    pub fn setting(&self) -> &str {
        &self.setting
    }

    /// `setting` is at fault; `problem` goes on from its name: "is not a valid header value". The
    /// caller escapes what comes from outside and leaves secrets out.
    #[must_use]
    pub fn new(setting: impl Into<String>, problem: impl Into<String>) -> Self {
        Self { setting: setting.into(), problem: problem.into(), source: None }
    }

    /// Adds the error behind it, whose text becomes part of the message.
    #[must_use]
    pub fn with_source(mut self, source: impl Error + Send + Sync + 'static) -> Self {
        self.source = Some(Arc::new(source));
        self
    }
}

impl From<ConfigError> for BuildError {
    fn from(error: ConfigError) -> Self {
        Self { setting: error.setting().to_owned(), problem: error.to_string(), source: None }
    }
}

impl fmt::Display for BuildError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        // A text that was taken over begins with its setting already.
        if !self.problem.starts_with(&self.setting) {
            write!(f, "{}: ", self.setting)?;
        }
        f.write_str(&self.problem)?;
        let source = self.source.as_deref().map(|source| source as &(dyn Error + 'static));
        source.map(causes).into_iter().flatten().try_for_each(|cause| write!(f, ": {cause}"))
    }
}

impl fmt::Debug for BuildError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "BuildError({self})")
    }
}

impl Error for BuildError {
    fn source(&self) -> Option<&(dyn Error + 'static)> {
        self.source.as_deref().map(|source| source as &(dyn Error + 'static))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_text_that_was_taken_over_names_its_setting_once() {
        let error = ConfigError::new("with_timeout", Some("-1"), "is not a number", "a number");
        let text = error.to_string();
        let error = BuildError::from(error);
        assert_eq!((error.setting(), error.to_string()), ("with_timeout", text));
    }
}
