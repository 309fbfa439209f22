//! Settings that know where they were written, for what can only be said once the signal is known.

use serde::de::DeserializeOwned;

use crate::config::{ConfigError, Node};

/// Settings, and where their keys stand.
#[derive(Clone, Debug)]
pub(crate) struct Placed<S> {
    pub(super) settings: S,
    node: Node,
}

impl<S: DeserializeOwned> Placed<S> {
    pub(crate) fn read(node: &Node) -> Result<Self, ConfigError> {
        Ok(Self { settings: node.read()?, node: node.clone() })
    }
}

impl<S> Placed<S> {
    /// An error of a setting, at the place of its key.
    pub(super) fn at(&self, error: ConfigError) -> ConfigError {
        let path = error.path();
        let key = path.split("::").next().unwrap_or_default();
        let origin = self.node.get(key).unwrap_or(&self.node).origin().clone();
        error.at(&origin)
    }
}
