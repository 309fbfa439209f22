//! Why a collector does not start.

use thiserror::Error;

use crate::component::BoxError;
use crate::config::{ComponentId, ConfigError};

/// Why a collector does not start. What was started before has been stopped again.
#[derive(Debug, Error)]
#[non_exhaustive]
pub enum StartError {
    /// A component cannot have what it needs.
    #[error("{kind} \"{id}\" does not start: {source}")]
    Component {
        /// What it is: `receiver`, `exporter`.
        kind: &'static str,
        /// Its name.
        id: ComponentId,
        /// What is wrong.
        source: BoxError,
    },
    /// The pipelines do not fit together.
    #[error(transparent)]
    Config(#[from] ConfigError),
}

impl StartError {
    pub(super) fn of(
        kind: &'static str,
        id: &ComponentId,
    ) -> impl FnOnce(BoxError) -> Self + use<> {
        let id = id.clone();
        move |source| Self::Component { kind, id, source }
    }
}
