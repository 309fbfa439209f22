//! The configuration as a whole: which components there are, and which pipelines they form.

use std::collections::HashSet;

use super::error::ConfigError;
use super::id::{ComponentId, PipelineId};
use super::node::{Node, Origin, Value};

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
    /// Where it was written, if it was.
    pub origin: Option<Origin>,
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
        let pipelines = self.service.pipelines.iter();
        let used: HashSet<_> = pipelines
            .flat_map(|it| it.receivers.iter().chain(&it.processors).chain(&it.exporters))
            .collect();
        let in_pipelines = [
            ("receiver", &self.receivers),
            ("processor", &self.processors),
            ("exporter", &self.exporters),
            ("connector", &self.connectors),
        ];
        let used = &used;
        let unused = in_pipelines.into_iter().flat_map(|(what, section)| {
            let unused = section.iter().filter(|it| !used.contains(&it.id));
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
        let extensions = ids_of(&self.extensions).collect();
        check_names("extension", &service.extensions, &extensions).map_err(|error| {
            error.at(&at(&[SERVICE, "extensions"])).under("extensions").under(SERVICE)
        })?;
        if service.pipelines.is_empty() {
            let error = ConfigError::new("there is no pipeline; at least one is needed");
            return Err(error.at(&at(&[SERVICE, "pipelines"])).under("pipelines").under(SERVICE));
        }
        let known = Known::of(self);
        for pipeline in &service.pipelines {
            let id = pipeline.id.to_string();
            known.check(pipeline).map_err(|(list, error)| {
                let origin = at(&[SERVICE, "pipelines", &id, list]);
                error.under(list).under(&id).under("pipelines").under(SERVICE).at(&origin)
            })?;
        }
        self.check_connectors()
    }

    /// What goes into a connector has to come out of it, and the other way round.
    fn check_connectors(&self) -> Result<(), ConfigError> {
        let pipelines = &self.service.pipelines;
        let ends: HashSet<_> = pipelines.iter().flat_map(|it| &it.exporters).collect();
        let begins: HashSet<_> = pipelines.iter().flat_map(|it| &it.receivers).collect();
        for connector in &self.connectors {
            let id = &connector.id;
            let missing = match (ends.contains(id), begins.contains(id)) {
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
    let read = |(key, origin, below): (&str, &Origin, &Node)| {
        let id: PipelineId = key.parse().map_err(|error: ConfigError| error.at(origin))?;
        let mut pipeline = PipelineSettings {
            id,
            receivers: Vec::new(),
            processors: Vec::new(),
            exporters: Vec::new(),
            origin: Some(origin.clone()),
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
    let read = |(key, origin, below): (&str, &Origin, &Node)| {
        let id: ComponentId = key.parse().map_err(|error: ConfigError| error.at(origin))?;
        // A place to name where nothing is written.
        let settings = match below.is_null() {
            true => Node { origin: origin.clone(), ..below.clone() },
            false => below.clone(),
        };
        Ok(ComponentSettings { id, settings })
    };
    let all: Vec<ComponentSettings> = entries(node)?.map(read).collect::<Result<_, _>>()?;
    let mut before = HashSet::new();
    for component in &all {
        if !before.insert(&component.id) {
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
fn entries(node: &Node) -> Result<impl Iterator<Item = (&str, &Origin, &Node)>, ConfigError> {
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

/// What a pipeline may name.
struct Known<'s> {
    receivers: HashSet<&'s ComponentId>,
    processors: HashSet<&'s ComponentId>,
    exporters: HashSet<&'s ComponentId>,
}

impl<'s> Known<'s> {
    fn of(settings: &'s Settings) -> Self {
        let Settings { receivers, processors, exporters, connectors, .. } = settings;
        Self {
            receivers: ids_of(receivers).chain(ids_of(connectors)).collect(),
            processors: ids_of(processors).collect(),
            exporters: ids_of(exporters).chain(ids_of(connectors)).collect(),
        }
    }

    /// The error, with the list that it is about.
    fn check(&self, pipeline: &PipelineSettings) -> Result<(), (&'static str, ConfigError)> {
        for (list, what, ids, known) in [
            ("receivers", "receiver", &pipeline.receivers, &self.receivers),
            ("processors", "processor", &pipeline.processors, &self.processors),
            ("exporters", "exporter", &pipeline.exporters, &self.exporters),
        ] {
            check_names(what, ids, known).map_err(|error| (list, error))?;
            if ids.is_empty() && list != "processors" {
                return Err((list, ConfigError::new(format!("there is no {what}; one is needed"))));
            }
        }
        Ok(())
    }
}

fn ids_of(section: &[ComponentSettings]) -> impl Iterator<Item = &ComponentId> {
    section.iter().map(|it| &it.id)
}

/// Whether each name is there, and stands here once.
fn check_names(
    what: &str,
    ids: &[ComponentId],
    known: &HashSet<&ComponentId>,
) -> Result<(), ConfigError> {
    let mut before = HashSet::new();
    for id in ids {
        if !known.contains(id) {
            return Err(not_configured(what, id, known));
        }
        if !before.insert(id) {
            return Err(ConfigError::new(format!("{what} \"{id}\" is named twice")));
        }
    }
    Ok(())
}

/// A component that is named and not configured, with the one that was probably meant.
fn not_configured(what: &str, id: &ComponentId, known: &HashSet<&ComponentId>) -> ConfigError {
    let mut names: Vec<_> = known.iter().map(ToString::to_string).collect();
    names.sort_unstable();
    let names: Vec<_> = names.iter().map(String::as_str).collect();
    ConfigError::not_among(&format!("{what} \"{id}\" is not configured"), &id.to_string(), &names)
}

const SECTIONS: [&str; 5] = ["receivers", "processors", "exporters", "connectors", "extensions"];
const SERVICE: &str = "service";

#[cfg(test)]
mod tests;
