//! Which components a configuration may name.

use std::fmt;

use crate::component::{Connector, Destination, Extension, Processor, Receiver};
use crate::config::{ComponentId, ConfigError, Node};

/// Makes a component of one type from its settings.
pub struct Factory<C: ?Sized> {
    types: &'static [&'static str],
    create: fn(&ComponentId, &Node) -> Result<Box<C>, ConfigError>,
}

impl<C: ?Sized> Factory<C> {
    /// A factory for what the configuration calls by one of `types`: its name first, then older ones.
    #[must_use]
    pub const fn new(
        types: &'static [&'static str],
        create: fn(&ComponentId, &Node) -> Result<Box<C>, ConfigError>,
    ) -> Self {
        Self { types, create }
    }

    /// The names of the type, the current one first.
    #[must_use]
    pub const fn types(&self) -> &'static [&'static str] {
        self.types
    }

    /// Reads settings.
    ///
    /// # Errors
    ///
    /// The first thing that is wrong with them, with its place.
    pub fn create(&self, id: &ComponentId, settings: &Node) -> Result<Box<C>, ConfigError> {
        (self.create)(id, settings).map_err(|error| error.at(settings.origin()))
    }
}

impl<C: ?Sized> Clone for Factory<C> {
    fn clone(&self) -> Self {
        *self
    }
}

impl<C: ?Sized> Copy for Factory<C> {}

impl<C: ?Sized> fmt::Debug for Factory<C> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Factory({})", self.types.join(", "))
    }
}

/// The components that a configuration may name.
///
/// ```
/// use otlp_collector::registry::Registry;
///
/// let registry = Registry::standard();
/// let names: Vec<_> = registry.receivers.iter().map(|it| it.types()[0]).collect();
/// assert_eq!(names, ["otlp"]);
/// ```
#[derive(Clone, Debug, Default)]
#[non_exhaustive]
pub struct Registry {
    /// What takes telemetry in.
    pub receivers: Vec<Factory<dyn Receiver>>,
    /// What changes or limits it on its way.
    pub processors: Vec<Factory<dyn Processor>>,
    /// What sends it on.
    pub exporters: Vec<Factory<dyn Destination>>,
    /// What ends one pipeline and begins another.
    pub connectors: Vec<Factory<dyn Connector>>,
    /// What stands beside the pipelines.
    pub extensions: Vec<Factory<dyn Extension>>,
}

impl Registry {
    /// Everything that this crate has.
    #[must_use]
    pub fn standard() -> Self {
        Self {
            receivers: crate::receivers::FACTORIES.to_vec(),
            processors: crate::processors::FACTORIES.to_vec(),
            exporters: crate::exporters::FACTORIES.to_vec(),
            connectors: crate::connectors::FACTORIES.to_vec(),
            extensions: crate::extensions::FACTORIES.to_vec(),
        }
    }
}

/// Makes a component with the factory of its type.
///
/// # Errors
///
/// There is none; it says which there are. Or the settings are wrong.
pub(crate) fn create<C: ?Sized>(
    what: &str,
    factories: &[Factory<C>],
    id: &ComponentId,
    settings: &Node,
) -> Result<Box<C>, ConfigError> {
    let name = id.component_type();
    match factories.iter().find(|factory| factory.types.contains(&name)) {
        Some(factory) => factory.create(id, settings),
        None => {
            let known: Vec<_> = factories.iter().flat_map(|it| it.types.iter().copied()).collect();
            Err(ConfigError::unknown(what, name, &known).at(settings.origin()))
        }
    }
}
