//! Settings that know where they were written, for what can only be said once the signal is known.

use std::sync::Arc;

use otlp_core::Signal;
use serde::de::DeserializeOwned;

use crate::component::{self, BoxError, Host, Processor};
use crate::config::{ConfigError, Node};
use crate::consumer::SharedConsumer;

/// Settings, and where their keys stand.
#[derive(Clone, Debug)]
pub(crate) struct Placed<S> {
    settings: S,
    node: Node,
}

impl<S: DeserializeOwned> Placed<S> {
    pub(crate) fn read(node: &Node) -> Result<Self, ConfigError> {
        Ok(Self { settings: node.read()?, node: node.clone() })
    }
}

impl<S> Placed<S> {
    /// An error of a setting, at the place of its key.
    fn at(&self, error: ConfigError) -> ConfigError {
        let path = error.path();
        let key = path.split("::").next().unwrap_or_default();
        let origin = self.node.get(key).unwrap_or(&self.node).origin().clone();
        error.at(&origin)
    }
}

impl<S: Processor> Processor for Placed<S> {
    fn check(&self, signal: Signal) -> Result<(), ConfigError> {
        self.settings.check(signal).map_err(|error| self.at(error))
    }

    fn start(
        &self,
        host: &Host,
        signal: Signal,
        next: SharedConsumer,
    ) -> Result<Arc<dyn component::Node>, BoxError> {
        self.settings.start(host, signal, next)
    }
}
