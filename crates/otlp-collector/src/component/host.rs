//! What a component finds around it.

use std::collections::HashMap;
use std::fmt;
use std::sync::Arc;

use otlp_core::export::HeaderProvider;

use super::BoxError;
use crate::admission::Budget;
use crate::config::ComponentId;
use crate::engine::Board;
use crate::receivers::otlp::Authenticator;

/// What a component finds around it when it starts. Clones share it.
#[derive(Clone, Debug)]
pub struct Host {
    id: ComponentId,
    budget: Budget,
    extensions: Arc<HashMap<String, Provided>>,
    board: Board,
}

/// What an extension provides to other components.
#[derive(Clone, Default)]
#[non_exhaustive]
pub struct Provided {
    /// Checks credentials for a receiver.
    pub authenticator: Option<Arc<dyn Authenticator>>,
    /// Brings credentials for an exporter.
    pub credentials: Option<HeaderProvider>,
}

impl Host {
    /// The surroundings of a component.
    pub(crate) const fn new(
        id: ComponentId,
        budget: Budget,
        extensions: Arc<HashMap<String, Provided>>,
        board: Board,
    ) -> Self {
        Self { id, budget, extensions, board }
    }

    /// With nothing around it: for a component that is started without a collector, as in a test.
    #[must_use]
    pub fn alone(id: ComponentId) -> Self {
        Self::new(id, Budget::new(usize::MAX), Arc::default(), Board::default())
    }

    /// The name of the component.
    #[must_use]
    pub const fn id(&self) -> &ComponentId {
        &self.id
    }

    /// The bytes that may be in the collector at once.
    #[must_use]
    pub const fn budget(&self) -> &Budget {
        &self.budget
    }

    /// Who checks credentials, by the name of an extension.
    ///
    /// # Errors
    ///
    /// No such extension is started, or it checks none.
    pub fn authenticator(&self, name: &str) -> Result<Arc<dyn Authenticator>, BoxError> {
        let found = self.provided(name)?.authenticator.clone();
        found.ok_or_else(|| format!("the extension \"{name}\" cannot authenticate requests").into())
    }

    /// Who brings credentials, by the name of an extension.
    ///
    /// # Errors
    ///
    /// No such extension is started, or it brings none.
    pub fn credentials(&self, name: &str) -> Result<HeaderProvider, BoxError> {
        let found = self.provided(name)?.credentials.clone();
        found.ok_or_else(|| format!("the extension \"{name}\" has no credentials to send").into())
    }

    /// What the collector knows of itself.
    #[must_use]
    pub const fn board(&self) -> &Board {
        &self.board
    }

    fn provided(&self, name: &str) -> Result<&Provided, BoxError> {
        self.extensions.get(name).ok_or_else(|| {
            format!("auth::authenticator: no extension \"{name}\" is started; name it in service::extensions")
                .into()
        })
    }
}

impl fmt::Debug for Provided {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Provided")
            .field("authenticator", &self.authenticator.is_some())
            .field("credentials", &self.credentials.is_some())
            .finish()
    }
}
