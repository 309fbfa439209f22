//! The configuration as a whole: which components there are, and which pipelines they form.

use super::error::ConfigError;
use super::id::{ComponentId, PipelineId};
use super::node::{Node, Value};

/// The sections of a configuration. What a component's own settings mean is for its factory to say.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct Settings {
    /// What takes telemetry in.
    pub receivers: Vec<ComponentSettings>,
    /// What changes or limits it on its way.
    pub processors: Vec<ComponentSettings>,
    /// What sends it on.
    pub exporters: Vec<ComponentSettings>,
    /// What ends one pipeline and begins another.
    pub connectors: Vec<ComponentSettings>,
    /// What stands beside the pipelines.
    pub extensions: Vec<ComponentSettings>,
    /// What of all that is used, and how.
    pub service: ServiceSettings,
}

/// One component: its name, and what was written below it.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct ComponentSettings {
    /// Its name.
    pub id: ComponentId,
    /// Its settings; null for the defaults.
    pub settings: Node,
}

/// What is used.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct ServiceSettings {
    /// The extensions, in the order in which they start.
    pub extensions: Vec<ComponentId>,
    /// The pipelines.
    pub pipelines: Vec<PipelineSettings>,
    /// What the collector tells of itself, if that was written.
    pub telemetry: Option<Node>,
}

/// One pipeline: from its receivers through its processors, in order, to its exporters.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct PipelineSettings {
    /// Its name.
    pub id: PipelineId,
    /// Receivers and connectors.
    pub receivers: Vec<ComponentId>,
    /// Processors, in the order in which telemetry passes them.
    pub processors: Vec<ComponentId>,
    /// Exporters and connectors.
    pub exporters: Vec<ComponentId>,
}

impl Settings {
    pub(super) fn of(node: &Node) -> Result<Self, ConfigError> {
        let mut sections: [Vec<ComponentSettings>; 5] = Default::default();
        let mut service = None;
        for (key, origin, below) in entries(node)? {
            match SECTIONS.iter().zip(&mut sections).find(|(name, _)| **name == key) {
                Some((_, section)) => {
                    *section = components(below).map_err(|error| error.under(key))?;
                }
                None if key == SERVICE => {
                    service = Some(ServiceSettings::of(below).map_err(|error| error.under(key))?);
                }
                None => {
                    let mut known = SECTIONS.to_vec();
                    known.push(SERVICE);
                    return Err(ConfigError::unknown("key", key, &known).at(origin));
                }
            }
        }
        let Some(service) = service else {
            return Err(ConfigError::new("the key \"service\" is missing").at(node.origin()));
        };
        let [receivers, processors, exporters, connectors, extensions] = sections;
        let settings = Self { receivers, processors, exporters, connectors, extensions, service };
        settings.check(node)?;
        Ok(settings)
    }

    /// What is configured and that no pipeline, and no list of extensions, names.
    #[must_use]
    pub fn unused(&self) -> Vec<String> {
        let pipelines = &self.service.pipelines;
        let is_used = |id: &ComponentId| {
            pipelines.iter().any(|it| {
                it.receivers.contains(id) || it.processors.contains(id) || it.exporters.contains(id)
            })
        };
        let in_pipelines = [
            ("receiver", &self.receivers),
            ("processor", &self.processors),
            ("exporter", &self.exporters),
            ("connector", &self.connectors),
        ];
        let unused = in_pipelines.into_iter().flat_map(|(what, section)| {
            let unused = section.iter().filter(|it| !is_used(&it.id));
            unused.map(move |it| format!("{what} \"{}\" at {}", it.id, it.settings.origin()))
        });
        let extensions =
            self.extensions.iter().filter(|it| !self.service.extensions.contains(&it.id));
        unused
            .chain(
                extensions.map(|it| format!("extension \"{}\" at {}", it.id, it.settings.origin())),
            )
            .collect()
    }

    /// Whether everything that is named is there, in a place where it can be.
    fn check(&self, node: &Node) -> Result<(), ConfigError> {
        let at = |keys: &[&str]| {
            let mut place = node;
            for key in keys {
                place = place.get(key).unwrap_or(place);
            }
            place.origin().clone()
        };
        let service = &self.service;
        let names = names(&[&self.extensions]);
        for id in &service.extensions {
            known("extension", id, &names).map_err(|error| {
                error.at(&at(&[SERVICE, "extensions"])).under("extensions").under(SERVICE)
            })?;
        }
        if service.pipelines.is_empty() {
            let error = ConfigError::new("there is no pipeline; at least one is needed");
            return Err(error.at(&at(&[SERVICE, "pipelines"])).under("pipelines").under(SERVICE));
        }
        for pipeline in &service.pipelines {
            let id = pipeline.id.to_string();
            self.check_pipeline(pipeline).map_err(|(list, error)| {
                let origin = at(&[SERVICE, "pipelines", &id, list]);
                error.under(list).under(&id).under("pipelines").under(SERVICE).at(&origin)
            })?;
        }
        self.check_connectors()
    }

    /// The error, with the list that it is about.
    fn check_pipeline(
        &self,
        pipeline: &PipelineSettings,
    ) -> Result<(), (&'static str, ConfigError)> {
        for (list, what, ids, sections) in [
            (
                "receivers",
                "receiver",
                &pipeline.receivers,
                &[&self.receivers, &self.connectors][..],
            ),
            ("processors", "processor", &pipeline.processors, &[&self.processors]),
            ("exporters", "exporter", &pipeline.exporters, &[&self.exporters, &self.connectors]),
        ] {
            let names = names(sections);
            for (at, id) in ids.iter().enumerate() {
                known(what, id, &names).map_err(|error| (list, error))?;
                if ids.iter().take(at).any(|before| before == id) {
                    return Err((
                        list,
                        ConfigError::new(format!("{what} \"{id}\" is named twice")),
                    ));
                }
            }
            if ids.is_empty() && list != "processors" {
                return Err((list, ConfigError::new(format!("there is no {what}; one is needed"))));
            }
        }
        Ok(())
    }

    /// What goes into a connector has to come out of it, and the other way round.
    fn check_connectors(&self) -> Result<(), ConfigError> {
        let pipelines = &self.service.pipelines;
        for connector in &self.connectors {
            let id = &connector.id;
            let ends = pipelines.iter().any(|it| it.exporters.contains(id));
            let begins = pipelines.iter().any(|it| it.receivers.contains(id));
            let missing = match (ends, begins) {
                (true, false) => "exporter of a pipeline and as receiver of none",
                (false, true) => "receiver of a pipeline and as exporter of none",
                _ => continue,
            };
            let message = format!("connector \"{id}\" stands as {missing}; it connects two");
            return Err(ConfigError::new(message)
                .at(connector.settings.origin())
                .under("connectors"));
        }
        Ok(())
    }
}

impl ServiceSettings {
    fn of(node: &Node) -> Result<Self, ConfigError> {
        let mut service = Self { extensions: Vec::new(), pipelines: Vec::new(), telemetry: None };
        for (key, origin, below) in entries(node)? {
            let read = match key {
                "extensions" => ids(below).map(|ids| service.extensions = ids),
                "pipelines" => pipelines(below).map(|pipelines| service.pipelines = pipelines),
                "telemetry" => {
                    service.telemetry = Some(below.clone());
                    Ok(())
                }
                _ => {
                    let known = ["extensions", "pipelines", "telemetry"];
                    return Err(ConfigError::unknown("key", key, &known).at(origin));
                }
            };
            read.map_err(|error| error.under(key))?;
        }
        Ok(service)
    }
}

fn pipelines(node: &Node) -> Result<Vec<PipelineSettings>, ConfigError> {
    let read = |(key, origin, below): (&str, &super::Origin, &Node)| {
        let id: PipelineId = key.parse().map_err(|error: ConfigError| error.at(origin))?;
        let mut pipeline = PipelineSettings {
            id,
            receivers: Vec::new(),
            processors: Vec::new(),
            exporters: Vec::new(),
        };
        let mut lists =
            [&mut pipeline.receivers, &mut pipeline.processors, &mut pipeline.exporters];
        for (list, origin, below) in entries(below).map_err(|error| error.under(key))? {
            let known = ["receivers", "processors", "exporters"];
            let found = known.iter().zip(&mut lists).find(|(name, _)| **name == list);
            let Some((_, found)) = found else {
                return Err(ConfigError::unknown("key", list, &known).at(origin).under(key));
            };
            **found = ids(below).map_err(|error| error.under(list).under(key))?;
        }
        Ok(pipeline)
    };
    entries(node)?.map(read).collect()
}

fn components(node: &Node) -> Result<Vec<ComponentSettings>, ConfigError> {
    let read = |(key, origin, below): (&str, &super::Origin, &Node)| {
        let id: ComponentId = key.parse().map_err(|error: ConfigError| error.at(origin))?;
        // A place to name where nothing is written.
        let settings = match below.is_null() {
            true => Node { origin: origin.clone(), ..below.clone() },
            false => below.clone(),
        };
        Ok(ComponentSettings { id, settings })
    };
    let all: Vec<ComponentSettings> = entries(node)?.map(read).collect::<Result<_, _>>()?;
    for (at, component) in all.iter().enumerate() {
        if all.iter().take(at).any(|before| before.id == component.id) {
            let message = format!("\"{}\" is there twice", component.id);
            return Err(ConfigError::new(message).at(component.settings.origin()));
        }
    }
    Ok(all)
}

fn ids(node: &Node) -> Result<Vec<ComponentId>, ConfigError> {
    let nodes: &[Node] = match &node.value {
        Value::Sequence(nodes) => nodes,
        _ if node.is_null() => &[],
        _ => {
            let message = format!("{} is not a list of names", node.kind());
            return Err(ConfigError::new(message).at(node.origin()));
        }
    };
    nodes
        .iter()
        .map(|node| {
            let name: String = node.read()?;
            name.parse().map_err(|error: ConfigError| error.at(node.origin()))
        })
        .collect()
}

/// The keys of a mapping, with their places, and what stands below them.
fn entries(
    node: &Node,
) -> Result<impl Iterator<Item = (&str, &super::Origin, &Node)>, ConfigError> {
    let entries: &[super::node::Entry] = match &node.value {
        Value::Mapping(entries) => entries,
        _ if node.is_null() => &[],
        _ => {
            let message = format!("{} is not a mapping", node.kind());
            return Err(ConfigError::new(message).at(node.origin()));
        }
    };
    Ok(entries.iter().map(|entry| (entry.key.as_str(), &entry.origin, &entry.node)))
}

fn names(sections: &[&Vec<ComponentSettings>]) -> Vec<String> {
    sections.iter().flat_map(|section| section.iter()).map(|it| it.id.to_string()).collect()
}

fn known(what: &str, id: &ComponentId, names: &[String]) -> Result<(), ConfigError> {
    let name = id.to_string();
    if names.contains(&name) {
        return Ok(());
    }
    let names: Vec<_> = names.iter().map(String::as_str).collect();
    Err(ConfigError::unknown(&format!("{what} that is not configured:"), &name, &names))
}

const SECTIONS: [&str; 5] = ["receivers", "processors", "exporters", "connectors", "extensions"];
const SERVICE: &str = "service";

#[cfg(test)]
mod tests;
