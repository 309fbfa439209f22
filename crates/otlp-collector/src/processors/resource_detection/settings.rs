//! What can be set, under the Go collector's keys.

use std::collections::BTreeMap;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use otlp_core::Signal;
use otlp_core::export::Env;
use serde::Deserialize;

use super::detect::{Found, Surroundings};
use crate::component::{BoxError, Host, Node, Processor};
use crate::config::{ConfigError, duration};
use crate::consumer::SharedConsumer;
use crate::edit::{Action, Effect, Plan, Rule, Selector, Source, Target};
use crate::processors::EditProcessor;

/// The settings of the processor `resourcedetection`: what stands under `processors::resourcedetection`.
///
/// The detectors look once, when the processor starts, at the environment, the system and the process of the
/// collector, and every resource gets what they have found: over what it says itself, unless
/// [`override_existing`](Self::override_existing) is off. Of an attribute that several find the first counts.
///
/// Detectors of clouds and orchestrators are refused by name.
///
/// ```
/// use otlp_collector::config::{Config, Source};
/// use otlp_collector::processors::{Detector, ResourceDetectionSettings};
///
/// # fn main() -> Result<(), Box<dyn std::error::Error>> {
/// let yaml = "
/// receivers: {otlp: }
/// processors:
///   resourcedetection:
///     detectors: [env, system]
///     override: false
///     system: {resource_attributes: {host.arch: {enabled: true}}}
/// exporters: {debug: }
/// service: {pipelines: {traces: {receivers: [otlp], processors: [resourcedetection], exporters: [debug]}}}
/// ";
/// let config = Config::load(&[Source::Yaml(yaml.to_owned())])?;
/// let settings: ResourceDetectionSettings = config.settings.processors[0].settings.read()?;
/// assert_eq!(settings.detectors, [Detector::Env, Detector::System]);
/// # Ok(())
/// # }
/// ```
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields, default)]
#[non_exhaustive]
pub struct ResourceDetectionSettings {
    /// Who looks, in this order. Default `env`.
    pub detectors: Vec<Detector>,
    /// `override`: whether what is found replaces what a resource says itself. Default true.
    #[serde(rename = "override")]
    pub override_existing: bool,
    /// The attributes that are wanted; all where none is named. Default none.
    pub attributes: Vec<String>,
    /// How long a detector may take. All of these answer at once. Default 5 s.
    #[serde(deserialize_with = "duration")]
    pub timeout: Duration,
    /// How often they look again. Not supported but for zero, which is never. Default 0.
    #[serde(deserialize_with = "duration")]
    pub refresh_interval: Duration,
    /// What the detector `system` looks for.
    pub system: SystemSettings,
    /// What the detector `process` looks for.
    process: Attributes,
}

/// Who looks.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
#[non_exhaustive]
pub enum Detector {
    /// The variable `OTEL_RESOURCE_ATTRIBUTES`.
    Env,
    /// The host and its operating system.
    System,
    /// The process of the collector, which is seldom the one that the telemetry is of. The Go collector has no
    /// such detector.
    Process,
}

/// The settings of the detector `system`.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields, default)]
#[non_exhaustive]
pub struct SystemSettings {
    /// Where the name of the host is looked for: the first that knows one counts. Default `dns`, then `os`.
    pub hostname_sources: Vec<HostnameSource>,
    /// What is set: `host.name` and `os.type` unless they are switched off, `host.arch`, `host.id`, `os.name`,
    /// `os.version` and `os.description` if they are switched on.
    resource_attributes: BTreeMap<String, Enabled>,
}

/// Where the name of the host is looked for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
#[non_exhaustive]
pub enum HostnameSource {
    /// The full name in `/etc/hosts`. No name server is asked.
    Dns,
    /// What the operating system calls it.
    Os,
}

#[derive(Clone, Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
struct Attributes {
    resource_attributes: BTreeMap<String, Enabled>,
}

#[derive(Clone, Copy, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Enabled {
    enabled: bool,
}

impl Default for ResourceDetectionSettings {
    fn default() -> Self {
        Self {
            detectors: vec![Detector::Env],
            override_existing: true,
            attributes: Vec::new(),
            timeout: Duration::from_secs(5),
            refresh_interval: Duration::ZERO,
            system: SystemSettings::default(),
            process: Attributes::default(),
        }
    }
}

impl Default for SystemSettings {
    fn default() -> Self {
        let hostname_sources = vec![HostnameSource::Dns, HostnameSource::Os];
        Self { hostname_sources, resource_attributes: BTreeMap::new() }
    }
}

impl ResourceDetectionSettings {
    /// Whether the settings go together.
    ///
    /// # Errors
    ///
    /// Names the key, what is wrong with it, and what is accepted.
    pub fn validate(&self) -> Result<(), ConfigError> {
        if self.detectors.is_empty() {
            let text = "it must name one at least: env, system or process";
            return Err(ConfigError::new(text).under("detectors"));
        }
        if !self.refresh_interval.is_zero() {
            let text = "the Go collector knows this key, and it is not supported here; accepted: 0";
            return Err(ConfigError::new(text).under("refresh_interval"));
        }
        known(&self.system.resource_attributes, &SYSTEM).map_err(|it| it.under("system"))?;
        known(&self.process.resource_attributes, &PROCESS).map_err(|it| it.under("process"))
    }

    /// What all detectors find, the first first.
    pub(super) fn detect(&self, surroundings: &Surroundings) -> Result<Vec<Found>, BoxError> {
        let mut all: Vec<Found> = Vec::new();
        for detector in &self.detectors {
            let found = match detector {
                Detector::Env => surroundings.env()?,
                Detector::System => {
                    let mut found = surroundings.system(&self.system.hostname_sources);
                    retain(&mut found, &self.system.resource_attributes, &SYSTEM);
                    found
                }
                Detector::Process => {
                    let mut found = surroundings.process();
                    retain(&mut found, &self.process.resource_attributes, &PROCESS);
                    found
                }
            };
            for (key, value) in found {
                if all.iter().all(|(before, _)| *before != key) {
                    all.push((key, value));
                }
            }
        }
        all.retain(|(key, _)| self.attributes.is_empty() || self.attributes.contains(key));
        Ok(all)
    }

    /// What is done to the requests of a signal.
    pub(super) fn plan(&self, signal: Signal, found: &[Found]) -> Plan {
        let action = |(key, value): &Found| match self.override_existing {
            true => Action::upsert(key, Source::value(value)),
            false => Action::insert(key, Source::value(value)),
        };
        let effect = Effect::Edit(found.iter().map(action).collect());
        let rule = Rule { target: Target::Resource, selector: Selector::default(), effect };
        Plan::new(signal, Some(rule).filter(|_| !found.is_empty()).into_iter().collect())
    }
}

impl Processor for ResourceDetectionSettings {
    fn start(
        &self,
        host: &Host,
        signal: Signal,
        next: SharedConsumer,
    ) -> Result<Arc<dyn Node>, BoxError> {
        let found = self.detect(&Surroundings::new(Env::from_process(), Path::new("/")))?;
        let names: Vec<_> = found.iter().map(|(key, _)| key.as_str()).collect();
        tracing::info!(target: "otlp_collector", processor = %host.id(), "detected {}", names.join(", "));
        Ok(Arc::new(EditProcessor::new(self.plan(signal, &found), next)))
    }
}

fn known(set: &BTreeMap<String, Enabled>, attributes: &[(&str, bool)]) -> Result<(), ConfigError> {
    let known: Vec<_> = attributes.iter().map(|(key, _)| *key).collect();
    match set.keys().find(|key| !known.contains(&key.as_str())) {
        Some(key) => {
            Err(ConfigError::unknown("attribute", key, &known).under("resource_attributes"))
        }
        None => Ok(()),
    }
}

fn retain(found: &mut Vec<Found>, set: &BTreeMap<String, Enabled>, attributes: &[(&str, bool)]) {
    found.retain(|(key, _)| match set.get(key) {
        Some(set) => set.enabled,
        None => attributes.contains(&(key.as_str(), true)),
    });
}

/// The attributes that there are, and whether they are set where nothing is said.
const SYSTEM: [(&str, bool); 7] = [
    ("host.name", true),
    ("host.arch", false),
    ("host.id", false),
    ("os.type", true),
    ("os.name", false),
    ("os.version", false),
    ("os.description", false),
];
const PROCESS: [(&str, bool); 3] =
    [("process.pid", true), ("process.executable.name", true), ("process.executable.path", false)];
