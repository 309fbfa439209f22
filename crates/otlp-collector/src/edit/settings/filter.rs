//! The settings of `filter`.

use otlp_core::Signal;
use serde::de::{Deserializer, Error as _};
use serde::{Deserialize, de};

use crate::edit::compare::SeverityTest;
use crate::edit::plan::{Effect, Plan, Rule, Target};
use crate::edit::selector::{Criteria, Selector};

use super::matching::{Compare, MatchSettings, MatchType, RawAttribute, RawSeverity, RegexpCache};

/// The settings of `filter`: spans, log records and metrics that are dropped.
///
/// What meets `include` is kept, unless it meets `exclude`; the rest is dropped. A signal without a section
/// passes as it is. Conditions in OTTL (`traces`, `trace_conditions` and the like) are not supported, and
/// refused.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct FilterSettings {
    /// Which spans are kept.
    #[serde(default)]
    pub spans: SpanFilterSettings,
    /// Which metrics are kept.
    #[serde(default)]
    pub metrics: MetricFilterSettings,
    /// Which log records are kept.
    #[serde(default)]
    pub logs: LogFilterSettings,
    /// For conditions in OTTL, so it does nothing.
    #[serde(rename = "error_mode")]
    _error_mode: Option<ErrorMode>,
    #[serde(rename = "traces")]
    _traces: Option<Ottl>,
    #[serde(rename = "profiles")]
    _profiles: Option<Ottl>,
    #[serde(rename = "trace_conditions")]
    _trace_conditions: Option<Ottl>,
    #[serde(rename = "metric_conditions")]
    _metric_conditions: Option<Ottl>,
    #[serde(rename = "log_conditions")]
    _log_conditions: Option<Ottl>,
    #[serde(rename = "profile_conditions")]
    _profile_conditions: Option<Ottl>,
}

/// The section `spans`.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct SpanFilterSettings {
    /// What is kept; everything if it is left out.
    pub include: Option<SpanMatchSettings>,
    /// What is dropped of it.
    pub exclude: Option<SpanMatchSettings>,
}

/// What spans must be: as [`MatchSettings`], with the keys for traces.
#[derive(Clone, Debug, Deserialize)]
#[serde(try_from = "MatchSettings")]
pub struct SpanMatchSettings(Criteria);

/// The section `metrics`.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct MetricFilterSettings {
    /// What is kept; everything if it is left out.
    pub include: Option<MetricMatchSettings>,
    /// What is dropped of it.
    pub exclude: Option<MetricMatchSettings>,
    #[serde(rename = "regexp")]
    _regexp: Option<RegexpCache>,
    #[serde(rename = "resource")]
    _resource: Option<Ottl>,
    #[serde(rename = "metric")]
    _metric: Option<Ottl>,
    #[serde(rename = "datapoint")]
    _datapoint: Option<Ottl>,
}

/// What metrics must be: `match_type`, `metric_names`, `resource_attributes`.
///
/// As in Go, names and resources are two filters, not one: `exclude` drops the metrics with such a name, and
/// all metrics of such a resource.
#[derive(Clone, Debug, Deserialize)]
#[serde(try_from = "RawMetrics")]
pub struct MetricMatchSettings {
    names: Option<Criteria>,
    resources: Option<Criteria>,
}

/// The section `logs`.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct LogFilterSettings {
    /// What is kept; everything if it is left out.
    pub include: Option<LogMatchSettings>,
    /// What is dropped of it.
    pub exclude: Option<LogMatchSettings>,
    #[serde(rename = "resource")]
    _resource: Option<Ottl>,
    #[serde(rename = "log_record")]
    _log_record: Option<Ottl>,
}

/// What log records must be: `match_type`, `resource_attributes`, `record_attributes`, `severity_texts`,
/// `severity_number`, `bodies`. Without any of them it is as if it was not there.
#[derive(Clone, Debug, Deserialize)]
#[serde(try_from = "RawLogs")]
pub struct LogMatchSettings(Option<Criteria>);

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct RawMetrics {
    match_type: Option<MatchType>,
    #[serde(rename = "regexp")]
    _regexp: Option<RegexpCache>,
    #[serde(default)]
    metric_names: Vec<String>,
    #[serde(default)]
    resource_attributes: Vec<RawAttribute>,
    #[serde(rename = "expressions")]
    _expressions: Option<Expressions>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct RawLogs {
    match_type: Option<MatchType>,
    #[serde(default)]
    resource_attributes: Vec<RawAttribute>,
    #[serde(default)]
    record_attributes: Vec<RawAttribute>,
    #[serde(default)]
    severity_texts: Vec<String>,
    severity_number: Option<RawSeverity>,
    #[serde(default)]
    bodies: Vec<String>,
}

/// What to do with a condition that fails.
#[derive(Clone, Copy, Debug, Deserialize)]
#[serde(rename_all = "lowercase")]
enum ErrorMode {
    Ignore,
    Silent,
    Propagate,
}

/// A place where the Go collector takes conditions in OTTL.
#[derive(Clone, Copy, Debug)]
struct Ottl;

/// A place where the Go collector takes expressions of another language.
#[derive(Clone, Copy, Debug)]
struct Expressions;

impl<'de> Deserialize<'de> for Ottl {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        de::IgnoredAny::deserialize(deserializer)?;
        Err(D::Error::custom(
            "conditions in OTTL are not supported; use \"include\" and \"exclude\" of \"spans\", \"metrics\" \
             or \"logs\"",
        ))
    }
}

impl<'de> Deserialize<'de> for Expressions {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        de::IgnoredAny::deserialize(deserializer)?;
        Err(D::Error::custom("expressions are not supported; use \"metric_names\""))
    }
}

impl TryFrom<MatchSettings> for SpanMatchSettings {
    type Error = String;

    fn try_from(settings: MatchSettings) -> Result<Self, String> {
        settings.criteria(Signal::Traces).map(Self)
    }
}

impl TryFrom<RawMetrics> for MetricMatchSettings {
    type Error = String;

    fn try_from(raw: RawMetrics) -> Result<Self, String> {
        let compare = Compare(raw.match_type);
        let names = compare.texts("metric_names", raw.metric_names)?;
        let resources = compare.attributes("resource_attributes", raw.resource_attributes)?;
        Ok(Self {
            names: names.map(|names| Criteria { names: Some(names), ..Criteria::default() }),
            resources: (!resources.is_empty())
                .then(|| Criteria { resources, ..Criteria::default() }),
        })
    }
}

impl TryFrom<RawLogs> for LogMatchSettings {
    type Error = String;

    fn try_from(raw: RawLogs) -> Result<Self, String> {
        let compare = Compare(raw.match_type);
        let criteria = Criteria {
            resources: compare.attributes("resource_attributes", raw.resource_attributes)?,
            bodies: compare.texts("bodies", raw.bodies)?,
            severity_texts: compare.texts("severity_texts", raw.severity_texts)?,
            severity: raw.severity_number.map(SeverityTest::from),
            attributes: compare.attributes("record_attributes", raw.record_attributes)?,
            ..Criteria::default()
        };
        let is_given = criteria.given().next().is_some();
        Ok(Self(is_given.then_some(criteria)))
    }
}

impl Plan {
    /// What a processor `filter` does to a signal; an [empty](Plan::is_empty) plan if it has no section.
    #[must_use]
    pub fn filter(settings: &FilterSettings, signal: Signal) -> Self {
        let rules: Vec<_> = match signal {
            Signal::Traces => settings.spans.rule().into_iter().collect(),
            Signal::Metrics => settings.metrics.rules().into_iter().flatten().collect(),
            Signal::Logs => settings.logs.rule().into_iter().collect(),
            _ => Vec::new(),
        };
        Self::new(signal, rules)
    }
}

impl SpanFilterSettings {
    fn rule(&self) -> Option<Rule> {
        let criteria = |settings: &Option<SpanMatchSettings>| {
            settings.as_ref().map(|settings| settings.0.clone())
        };
        keep(Target::Item, criteria(&self.include), criteria(&self.exclude))
    }
}

impl LogFilterSettings {
    fn rule(&self) -> Option<Rule> {
        let criteria = |settings: &Option<LogMatchSettings>| settings.as_ref()?.0.clone();
        keep(Target::Item, criteria(&self.include), criteria(&self.exclude))
    }
}

impl MetricFilterSettings {
    fn rules(&self) -> [Option<Rule>; 2] {
        let resources =
            |settings: &Option<MetricMatchSettings>| settings.as_ref()?.resources.clone();
        let names = |settings: &Option<MetricMatchSettings>| settings.as_ref()?.names.clone();
        [
            keep(Target::Resource, resources(&self.include), resources(&self.exclude)),
            keep(Target::Metric, names(&self.include), names(&self.exclude)),
        ]
    }
}

fn keep(target: Target, include: Option<Criteria>, exclude: Option<Criteria>) -> Option<Rule> {
    let is_given = include.is_some() || exclude.is_some();
    let selector = Selector { include, exclude };
    is_given.then_some(Rule { target, selector, effect: Effect::Keep })
}
