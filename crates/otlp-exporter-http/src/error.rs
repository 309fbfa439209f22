//! Why an exporter could not be built.

use std::error::Error;
use std::fmt;
use std::sync::Arc;

use otlp_core::export::ConfigError;

use crate::text::causes;

/// An exporter cannot be built from its settings.
///
/// Names the setting, what is wrong with it and, behind that, the cause. Never holds a secret.
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

    pub(crate) fn new(setting: impl Into<String>, problem: impl Into<String>) -> Self {
        Self { setting: setting.into(), problem: problem.into(), source: None }
    }

    #[cfg(feature = "tls")]
    pub(crate) fn with_source(mut self, source: impl Error + Send + Sync + 'static) -> Self {
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
