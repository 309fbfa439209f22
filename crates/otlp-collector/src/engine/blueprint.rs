//! What a configuration says, read and checked, before anything of it runs.

use std::fmt;

use otlp_core::Signal;

use super::collector::Collector;
use super::graph;
use super::start::StartError;
use crate::admission::Budget;
use crate::component::{Connector, Destination, Extension, Processor, Receiver};
use crate::config::{
    ComponentId, ComponentSettings, ConfigError, Node, PipelineId, PipelineSettings, Settings,
};
use crate::registry::{Factory, Registry, create};

/// Components and the pipelines that they form, checked, and not yet running: what `validate` looks at.
#[derive(Debug)]
pub struct Blueprint {
    pub(super) receivers: Vec<Named<dyn Receiver>>,
    pub(super) processors: Vec<Named<dyn Processor>>,
    pub(super) exporters: Vec<Named<dyn Destination>>,
    pub(super) connectors: Vec<Named<dyn Connector>>,
    /// Those that are used, in the order in which they start.
    pub(super) extensions: Vec<Named<dyn Extension>>,
    pub(super) pipelines: Vec<PipelineSettings>,
}

/// A component, by its name.
pub(crate) struct Named<C: ?Sized> {
    pub(crate) id: ComponentId,
    pub(crate) component: Box<C>,
}

impl<C: ?Sized> fmt::Debug for Named<C> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(&self.id, f)
    }
}

impl Blueprint {
    /// Makes every component of a configuration, also those that nothing uses, and checks that the pipelines fit
    /// together.
    ///
    /// # Errors
    ///
    /// The first thing that is wrong, with its place: a type that the registry does not have, a setting, a
    /// processor or a connector that cannot do what its pipeline asks, connectors that go round in a circle.
    pub fn new(settings: &Settings, registry: &Registry) -> Result<Self, ConfigError> {
        let service = &settings.service;
        let mut extensions =
            all("extensions", "extension", &registry.extensions, &settings.extensions)?;
        let place =
            |it: &Named<dyn Extension>| service.extensions.iter().position(|id| *id == it.id);
        extensions.retain(|it| place(it).is_some());
        extensions.sort_by_key(place);
        let blueprint = Self {
            receivers: all("receivers", "receiver", &registry.receivers, &settings.receivers)?,
            processors: all("processors", "processor", &registry.processors, &settings.processors)?,
            exporters: all("exporters", "exporter", &registry.exporters, &settings.exporters)?,
            connectors: all("connectors", "connector", &registry.connectors, &settings.connectors)?,
            extensions,
            pipelines: service.pipelines.clone(),
        };
        blueprint.check()?;
        blueprint.check_needs(settings)?;
        Ok(blueprint)
    }

    /// What was made by hand.
    pub(crate) fn of_parts(
        receivers: Vec<Named<dyn Receiver>>,
        processors: Vec<Named<dyn Processor>>,
        exporters: Vec<Named<dyn Destination>>,
        pipelines: Vec<PipelineSettings>,
    ) -> Result<Self, ConfigError> {
        let (connectors, extensions) = (Vec::new(), Vec::new());
        let blueprint =
            Self { receivers, processors, exporters, connectors, extensions, pipelines };
        blueprint.check()?;
        Ok(blueprint)
    }

    /// Starts everything, on the Tokio runtime that this is called on, which needs I/O and time. `budget` bounds
    /// the bytes that may be in the collector at once.
    ///
    /// # Errors
    ///
    /// A component cannot have what it needs. What was started before it has been stopped again.
    pub async fn start(&self, budget: Budget) -> Result<Collector, StartError> {
        graph::start(self, budget).await
    }

    /// Whether the parts fit together.
    fn check(&self) -> Result<(), ConfigError> {
        for pipeline in &self.pipelines {
            let at = |error: ConfigError| placed(error.under(&pipeline.id.to_string()), pipeline);
            self.check_pipeline(pipeline).map_err(at)?;
        }
        self.check_circles()
    }

    /// Whether the extensions run that others ask for.
    fn check_needs(&self, settings: &Settings) -> Result<(), ConfigError> {
        for Named { id, component } in &self.receivers {
            self.check_needs_of(id, component.needs(), "receivers", &settings.receivers)?;
        }
        for Named { id, component } in &self.exporters {
            self.check_needs_of(id, component.needs(), "exporters", &settings.exporters)?;
        }
        Ok(())
    }

    fn check_needs_of(
        &self,
        id: &ComponentId,
        needs: Vec<(&'static str, String)>,
        section: &str,
        settings: &[ComponentSettings],
    ) -> Result<(), ConfigError> {
        let runs = |name: &str| self.extensions.iter().any(|it| it.id.to_string() == name);
        let Some((key, name)) = needs.into_iter().find(|(_, name)| !runs(name)) else {
            return Ok(());
        };
        let shown = otlp_core::export::text::printable_within(&name, NAME_BYTES);
        let message =
            format!("no extension \"{shown}\" is started; name it in service::extensions");
        let error = ConfigError::new(message).under(key).under(&id.to_string()).under(section);
        Err(match settings.iter().find(|it| it.id == *id) {
            Some(it) => error.at(below(&it.settings, key).origin()),
            None => error,
        })
    }

    fn check_pipeline(&self, pipeline: &PipelineSettings) -> Result<(), ConfigError> {
        let signal = pipeline.id.signal();
        for id in &pipeline.processors {
            if let Some(processor) = find(&self.processors, id) {
                processor.check(signal).map_err(|error| error.under(&id.to_string()))?;
            }
        }
        for id in &pipeline.exporters {
            if find(&self.connectors, id).is_some_and(|it| it.outputs(signal).is_empty()) {
                return Err(ConfigError::new(format!("the connector \"{id}\" takes no {signal}")));
            }
        }
        for id in &pipeline.receivers {
            if find(&self.connectors, id).is_some() && !self.comes_out_of(id, signal) {
                let message = format!("no {signal} come out of the connector \"{id}\"");
                return Err(ConfigError::new(message));
            }
        }
        Ok(())
    }

    /// Whether some pipeline makes a signal come out of a connector.
    fn comes_out_of(&self, connector: &ComponentId, signal: Signal) -> bool {
        self.pipelines.iter().any(|it| {
            it.exporters.contains(connector)
                && self.outputs(connector, it.id.signal()).contains(&signal)
        })
    }

    fn outputs(&self, connector: &ComponentId, signal: Signal) -> Vec<Signal> {
        find(&self.connectors, connector).map(|it| it.outputs(signal)).unwrap_or_default()
    }

    /// The pipelines that take what comes out of a connector when a signal goes in.
    pub(super) fn behind(&self, connector: &ComponentId, signal: Signal) -> Vec<&PipelineSettings> {
        let outputs = self.outputs(connector, signal);
        if outputs.is_empty() {
            return Vec::new();
        }
        let is_behind = |it: &&PipelineSettings| {
            it.receivers.contains(connector) && outputs.contains(&it.id.signal())
        };
        self.pipelines.iter().filter(is_behind).collect()
    }

    /// What goes into a connector must not come round to it again.
    fn check_circles(&self) -> Result<(), ConfigError> {
        // Takes away, again and again, the pipelines that lead to none that is left.
        let mut left: Vec<_> = self.pipelines.iter().collect();
        loop {
            let before = left.len();
            let ids: Vec<_> = left.iter().map(|it| it.id.clone()).collect();
            left.retain(|it| self.next(it).any(|id| ids.contains(&id)));
            if left.len() == before {
                break;
            }
        }
        let Some(first) = left.first() else { return Ok(()) };
        let names: Vec<_> = left.iter().map(|it| it.id.to_string()).collect();
        let text = format!("what goes in comes round again, through {}", names.join(", "));
        Err(placed(ConfigError::new(text).under(&first.id.to_string()), first))
    }

    /// The pipelines behind a pipeline.
    fn next(&self, pipeline: &PipelineSettings) -> impl Iterator<Item = PipelineId> {
        let behind = pipeline.exporters.iter().flat_map(|id| self.behind(id, pipeline.id.signal()));
        behind.map(|it| it.id.clone())
    }
}

/// The error of a pipeline, with its place.
fn placed(error: ConfigError, pipeline: &PipelineSettings) -> ConfigError {
    let error = error.under("pipelines").under("service");
    match &pipeline.origin {
        Some(origin) => error.at(origin),
        None => error,
    }
}

/// What stands under a key such as `protocols::grpc`, or above it.
fn below<'n>(node: &'n Node, key: &str) -> &'n Node {
    key.split("::").fold(node, |node, key| node.get(key).unwrap_or(node))
}

const NAME_BYTES: usize = 256;

/// Makes all components of a section.
fn all<C: ?Sized>(
    section: &str,
    what: &str,
    factories: &[Factory<C>],
    settings: &[ComponentSettings],
) -> Result<Vec<Named<C>>, ConfigError> {
    let make = |it: &ComponentSettings| {
        let made = create(what, factories, &it.id, &it.settings);
        let component = made.map_err(|error| error.under(&it.id.to_string()).under(section))?;
        Ok(Named { id: it.id.clone(), component })
    };
    settings.iter().map(make).collect()
}

pub(super) fn find<'a, C: ?Sized>(all: &'a [Named<C>], id: &ComponentId) -> Option<&'a C> {
    all.iter().find(|it| it.id == *id).map(|it| &*it.component)
}
