//! `service::telemetry`: what the collector tells of itself, and to whom. Keys and defaults of the Go collector.

mod logs;
mod push;

use serde::Deserialize;
use serde::de::{Deserializer, Error, MapAccess, Visitor};

pub use self::logs::{LogEncoding, LogLevel, LogSettings, SamplingSettings};
pub use self::push::{
    OtlpPushSettings, PeriodicReaderSettings, PushCompression, PushExporterSettings, PushProtocol,
};
use crate::config::{ConfigError, Ignored, Node, Unsupported};

/// What the collector tells of itself.
///
/// ```
/// use otlp_collector::config::{Config, Source};
/// use otlp_collector::telemetry::{LogLevel, TelemetrySettings};
///
/// # fn main() -> Result<(), otlp_collector::config::ConfigError> {
/// let yaml = "
/// receivers: {otlp: }
/// exporters: {nop: }
/// service:
///   telemetry:
///     logs: {level: warn, encoding: json}
///     metrics: {readers: [{pull: {exporter: {prometheus: {host: localhost, port: 9999}}}}]}
///   pipelines: {traces: {receivers: [otlp], exporters: [nop]}}
/// ";
/// let config = Config::load(&[Source::Yaml(yaml.to_owned())])?;
/// let settings = TelemetrySettings::read(config.settings.service.telemetry.as_ref())?;
/// assert_eq!(settings.logs.level, LogLevel::Warn);
/// # Ok(())
/// # }
/// ```
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(default, deny_unknown_fields)]
#[non_exhaustive]
pub struct TelemetrySettings {
    /// Messages of the program.
    pub logs: LogSettings,
    /// Numbers.
    pub metrics: MetricsSettings,
    /// Who it says it is.
    pub resource: ResourceSettings,
    traces: TracesSettings,
}

/// `metrics`.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(default, deny_unknown_fields)]
#[non_exhaustive]
pub struct MetricsSettings {
    /// Whether there are any. Default `normal`; all levels but `none` are the same here.
    pub level: Level,
    /// Host and port of Prometheus text at `/metrics`: what earlier versions of the Go collector had instead of
    /// `readers`. Default none.
    pub address: Option<String>,
    /// Who reads the numbers. Default Prometheus text at `http://localhost:8888/metrics`.
    pub readers: Option<Vec<ReaderSettings>>,
    views: Ignored,
}

/// How much is told.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
#[non_exhaustive]
pub enum Level {
    /// Nothing.
    #[serde(alias = "None")]
    None,
    /// Everything, as in the levels below.
    #[serde(alias = "Basic")]
    Basic,
    /// Everything.
    #[default]
    #[serde(alias = "Normal")]
    Normal,
    /// Everything.
    #[serde(alias = "Detailed")]
    Detailed,
}

/// One who reads the numbers: `pull` or `periodic`.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(default, deny_unknown_fields)]
#[non_exhaustive]
pub struct ReaderSettings {
    /// Who comes for them.
    pub pull: Option<PullReaderSettings>,
    /// Who is sent them now and then.
    pub periodic: Option<PeriodicReaderSettings>,
    producers: Option<Unsupported>,
}

/// `pull`.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
#[non_exhaustive]
pub struct PullReaderSettings {
    /// In which form.
    pub exporter: PullExporterSettings,
}

/// `pull::exporter`.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
#[non_exhaustive]
pub struct PullExporterSettings {
    /// As Prometheus text.
    pub prometheus: PrometheusSettings,
}

/// `prometheus`: text in version 0.0.4, at `/metrics`.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[serde(default, deny_unknown_fields)]
#[non_exhaustive]
pub struct PrometheusSettings {
    /// Default `localhost`.
    pub host: String,
    /// Default 8888; 0 takes a free one.
    pub port: u16,
    /// Names without units, such as `_seconds`. Default true.
    pub without_units: bool,
    /// Names of counters without `_total`. Default true.
    pub without_type_suffix: bool,
    /// No labels that name the instrumentation scope. Default true, and nothing else is supported.
    #[serde(deserialize_with = "only_true")]
    pub without_scope_info: bool,
    /// Attributes of the resource that every sample has as labels. Default none; `target_info` has all.
    pub with_resource_constant_labels: Option<IncludeExclude>,
}

/// Which attributes: names, or beginnings of names with `*` behind them.
#[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(default, deny_unknown_fields)]
#[non_exhaustive]
pub struct IncludeExclude {
    /// These. Default all.
    pub included: Vec<String>,
    /// But not these. Default none.
    pub excluded: Vec<String>,
}

impl Default for PrometheusSettings {
    fn default() -> Self {
        Self {
            host: "localhost".to_owned(),
            port: 8888,
            without_units: true,
            without_type_suffix: true,
            without_scope_info: true,
            with_resource_constant_labels: None,
        }
    }
}

impl PrometheusSettings {
    pub(super) fn endpoint(&self) -> String {
        match self.host.contains(':') && !self.host.starts_with('[') {
            true => format!("[{}]:{}", self.host, self.port),
            false => format!("{}:{}", self.host, self.port),
        }
    }

    /// Whether every sample has this attribute of the resource.
    pub(super) fn is_constant_label(&self, key: &str) -> bool {
        let Some(labels) = &self.with_resource_constant_labels else { return false };
        let has = |patterns: &[String]| patterns.iter().any(|it| matches(it, key));
        (labels.included.is_empty() || has(&labels.included)) && !has(&labels.excluded)
    }
}

fn matches(pattern: &str, key: &str) -> bool {
    pattern.strip_suffix('*').map_or(pattern == key, |start| key.starts_with(start))
}

/// `resource`: attributes of all that the collector tells of itself.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct ResourceSettings {
    /// Keys and values, in order; without a value one of the defaults is taken away: `service.name`,
    /// `service.version`, `service.instance.id`.
    pub attributes: Vec<(String, Option<String>)>,
}

/// `traces`: there are none. Keys are accepted, so that a configuration of the Go collector loads.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(default, deny_unknown_fields)]
struct TracesSettings {
    level: Option<Level>,
    propagators: Ignored,
    processors: Ignored,
    sampler: Ignored,
    limits: Ignored,
}

impl TelemetrySettings {
    /// Reads and checks what stands under `service::telemetry`; without it the defaults.
    ///
    /// # Errors
    ///
    /// The first thing that is wrong, with its place.
    pub fn read(node: Option<&Node>) -> Result<Self, ConfigError> {
        let Some(node) = node.filter(|node| !node.is_null()) else { return Ok(Self::default()) };
        let read = || {
            let settings: Self = node.read()?;
            settings.metrics.check().map_err(|error| error.under("metrics"))?;
            settings.logs.check().map_err(|error| error.under("logs"))?;
            Ok(settings)
        };
        read().map_err(|error: ConfigError| {
            error.at(node.origin()).under("telemetry").under("service")
        })
    }

    /// What is set and has no effect.
    #[must_use]
    pub fn warnings(&self) -> Vec<String> {
        let mut warnings = Vec::new();
        let traces = &self.traces;
        let wants_traces = traces.level.is_some_and(|level| level != Level::None);
        if traces.level != Some(Level::None) && (wants_traces || traces.processors.is_some()) {
            warnings.push("traces has no effect here: there are no traces of the collector".into());
        }
        if self.metrics.views.is_some() {
            warnings.push("metrics::views has no effect here".into());
        }
        if self.metrics.address.is_some() {
            warnings.push("metrics::address is out of date; use metrics::readers".into());
        }
        self.logs.warn(&mut warnings);
        warnings.into_iter().map(|text| format!("service::telemetry::{text}")).collect()
    }
}

impl MetricsSettings {
    fn check(&self) -> Result<(), ConfigError> {
        let readers = self.readers.as_deref().unwrap_or_default();
        if self.level != Level::None && self.readers.is_some() && readers.is_empty() {
            let message = "the list is empty; set level: none for no metrics";
            return Err(ConfigError::new(message).under("readers"));
        }
        for reader in readers {
            match (&reader.pull, &reader.periodic) {
                (Some(_), None) => {}
                (None, Some(periodic)) => {
                    periodic.check().map_err(|error| error.under("periodic").under("readers"))?;
                }
                _ => {
                    let message = "a reader is one of pull and periodic";
                    return Err(ConfigError::new(message).under("readers"));
                }
            }
        }
        Ok(())
    }

    /// Where Prometheus text is served, and how.
    pub(super) fn pulls(&self) -> Vec<(String, PrometheusSettings)> {
        let address = self.address.iter().map(|it| (it.clone(), PrometheusSettings::default()));
        let pulls = self.readers.iter().flatten().filter_map(|reader| reader.pull.as_ref());
        let pulls = pulls.map(|pull| {
            let how = pull.exporter.prometheus.clone();
            (how.endpoint(), how)
        });
        let standard = PrometheusSettings::default();
        let is_default = self.readers.is_none() && self.address.is_none();
        let standard = is_default.then(|| (standard.endpoint(), standard));
        address.chain(pulls).chain(standard).collect()
    }

    pub(super) fn pushes(&self) -> impl Iterator<Item = &PeriodicReaderSettings> {
        self.readers.iter().flatten().filter_map(|reader| reader.periodic.as_ref())
    }
}

impl<'de> Deserialize<'de> for ResourceSettings {
    /// Attributes stand in a list under `attributes`, or, as in earlier versions, each for itself.
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Keys;

        impl<'de> Visitor<'de> for Keys {
            type Value = ResourceSettings;

            fn expecting(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                f.write_str("a mapping of attributes")
            }

            fn visit_map<M: MapAccess<'de>>(self, mut map: M) -> Result<Self::Value, M::Error> {
                let mut attributes = Vec::new();
                while let Some(key) = map.next_key::<String>()? {
                    match key.as_str() {
                        "attributes" => {
                            let listed = map.next_value::<Vec<Attribute>>()?;
                            let listed = listed.into_iter().map(|it| (it.name, it.value.0));
                            attributes.extend(listed);
                        }
                        "schema_url" => drop(map.next_value::<String>()?),
                        "attributes_list" | "detectors" | "detection/development" => {
                            map.next_value::<Unsupported>()?;
                        }
                        _ => attributes.push((key, map.next_value::<Text>()?.0)),
                    }
                }
                Ok(ResourceSettings { attributes })
            }

            fn visit_unit<E>(self) -> Result<Self::Value, E> {
                Ok(ResourceSettings::default())
            }
        }

        deserializer.deserialize_map(Keys)
    }
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Attribute {
    name: String,
    value: Text,
    #[serde(default, rename = "type")]
    _type: Ignored,
}

/// Text, or nothing.
struct Text(Option<String>);

impl<'de> Deserialize<'de> for Text {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Any;

        impl Visitor<'_> for Any {
            type Value = Text;

            fn expecting(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                f.write_str("text or null")
            }

            fn visit_str<E>(self, text: &str) -> Result<Text, E> {
                Ok(Text(Some(text.to_owned())))
            }

            fn visit_u64<E>(self, number: u64) -> Result<Text, E> {
                Ok(Text(Some(number.to_string())))
            }

            fn visit_i64<E>(self, number: i64) -> Result<Text, E> {
                Ok(Text(Some(number.to_string())))
            }

            fn visit_f64<E>(self, number: f64) -> Result<Text, E> {
                Ok(Text(Some(number.to_string())))
            }

            fn visit_bool<E>(self, is: bool) -> Result<Text, E> {
                Ok(Text(Some(is.to_string())))
            }

            fn visit_unit<E>(self) -> Result<Text, E> {
                Ok(Text(None))
            }
        }

        deserializer.deserialize_any(Any)
    }
}

fn only_true<'de, D: Deserializer<'de>>(deserializer: D) -> Result<bool, D::Error> {
    match bool::deserialize(deserializer)? {
        true => Ok(true),
        false => {
            Err(D::Error::custom("labels of the scope are not supported here; accepted: true"))
        }
    }
}

#[cfg(test)]
mod tests;
