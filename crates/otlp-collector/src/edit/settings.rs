//! The settings of the processors `attributes`, `resource` and `filter`, with the keys of the Go collector.

mod action;
mod filter;
mod matching;

use otlp_core::Signal;
use serde::Deserialize;
use serde::de::Error as _;

use crate::config::ConfigError;

use super::action::Action;
use super::plan::{Effect, Plan, Rule, Target};
use super::selector::Selector;

pub use self::action::ActionSettings;
pub use self::filter::{
    FilterSettings, LogFilterSettings, LogMatchSettings, MetricFilterSettings, MetricMatchSettings,
    SpanFilterSettings, SpanMatchSettings,
};
pub use self::matching::MatchSettings;

/// The settings of `attributes`: edits of the attributes of spans, log records or data points.
///
/// ```
/// use otlp_collector::config::{Config, Source};
/// use otlp_collector::edit::{AttributesSettings, Plan};
/// use otlp_core::Signal;
///
/// # fn main() -> Result<(), otlp_collector::config::ConfigError> {
/// let yaml = r#"
/// processors:
///   attributes:
///     include:
///       match_type: regexp
///       services: ["^shop-.*"]
///     actions:
///       - {key: env, value: test, action: insert}
///       - {key: password, action: delete}
///       - {key: user.id, action: hash}
/// receivers: {otlp: }
/// exporters: {debug: }
/// service: {pipelines: {traces: {receivers: [otlp], processors: [attributes], exporters: [debug]}}}
/// "#;
/// let config = Config::load(&[Source::Yaml(yaml.to_owned())])?;
/// let settings: AttributesSettings = config.settings.processors[0].settings.read()?;
/// let plan = Plan::attributes(&settings, Signal::Traces)?;
/// assert!(!plan.is_empty());
/// # Ok(())
/// # }
/// ```
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct AttributesSettings {
    /// Which items are edited; all of them if it is left out.
    pub include: Option<MatchSettings>,
    /// Which of them are left alone after all; none if it is left out.
    pub exclude: Option<MatchSettings>,
    /// What is done to them, in this order.
    pub actions: Vec<ActionSettings>,
}

/// The settings of `resource`: edits of the attributes of resources.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ResourceSettings {
    /// What is done to them, in this order.
    pub attributes: Vec<ActionSettings>,
}

impl Plan {
    /// What a processor `attributes` does to a signal.
    ///
    /// # Errors
    ///
    /// No action is given, or `include` or `exclude` ask for nothing, or for what the signal has not, such as
    /// `span_names` for logs. The error names the key.
    pub fn attributes(settings: &AttributesSettings, signal: Signal) -> Result<Self, ConfigError> {
        let criteria = |key: &str, settings: &Option<MatchSettings>| {
            let criteria = settings.as_ref().map(|settings| settings.criteria(signal)).transpose();
            criteria.map_err(|message| ConfigError::custom(message).under(key))
        };
        let selector = Selector {
            include: criteria("include", &settings.include)?,
            exclude: criteria("exclude", &settings.exclude)?,
        };
        let effect = Effect::Edit(actions("actions", &settings.actions)?);
        Ok(Self::new(signal, vec![Rule { target: Target::Item, selector, effect }]))
    }

    /// What a processor `resource` does to a signal.
    ///
    /// # Errors
    ///
    /// No action is given.
    pub fn resource(settings: &ResourceSettings, signal: Signal) -> Result<Self, ConfigError> {
        let effect = Effect::Edit(actions("attributes", &settings.attributes)?);
        let selector = Selector::default();
        Ok(Self::new(signal, vec![Rule { target: Target::Resource, selector, effect }]))
    }
}

fn actions(key: &str, settings: &[ActionSettings]) -> Result<Vec<Action>, ConfigError> {
    if settings.is_empty() {
        return Err(ConfigError::custom(
            "it is missing or empty, and must have one action at least",
        )
        .under(key));
    }
    Ok(settings.iter().flat_map(ActionSettings::actions).cloned().collect())
}

#[cfg(test)]
mod tests;
