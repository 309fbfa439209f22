//! Which items a processor is for, as it stands in a configuration.

use otlp_core::Signal;
use serde::Deserialize;

use crate::edit::compare::{AttributeTest, LibraryTest, SeverityTest, Texts, ValueTest};
use crate::edit::literal::Literal;
use crate::edit::pattern::Pattern;
use crate::edit::selector::{Criteria, SPAN_KINDS, STATUS_CODES};

/// What `include` and `exclude` of `attributes` hold.
///
/// | key | what is compared | for |
/// |---|---|---|
/// | `services` | the resource's `service.name` | all |
/// | `resources` | attributes of the resource: a list of `key` and, if it matters, `value` | all |
/// | `libraries` | instrumentation scopes: a list of `name` and, if it matters, `version` | all |
/// | `attributes` | attributes of the span, log record or data point | all |
/// | `span_names`, `span_kinds` | the span's name; its kind, as `SPAN_KIND_SERVER` | traces |
/// | `status_codes` | the span's status, as `STATUS_CODE_ERROR`; Go has no such key | traces |
/// | `log_bodies`, `log_severity_texts` | the body as text; the severity's text | logs |
/// | `log_severity_number` | the severity: `min` and `match_undefined` | logs |
/// | `metric_names` | the name of the metric | metrics |
///
/// `match_type` is `strict` or `regexp`, and needed as soon as a text or a value is compared. For how the keys
/// combine see [`Criteria`]. Where Go refuses `services` for logs, and all but names and resources for metrics,
/// they mean here what they mean elsewhere; and `resources` are compared for metrics too, where Go passes over
/// them. `regexp`, with which Go sets a cache up, is accepted and does nothing.
#[derive(Clone, Debug, Deserialize)]
#[serde(try_from = "Raw")]
pub struct MatchSettings {
    /// All but the names.
    criteria: Criteria,
    span_names: Option<Texts>,
    metric_names: Option<Texts>,
}

/// How texts and values are compared.
#[derive(Clone, Copy, Debug, Deserialize, PartialEq, Eq)]
#[serde(rename_all = "lowercase")]
pub(super) enum MatchType {
    Strict,
    Regexp,
    /// Of Go's filter for metrics; not supported.
    Expr,
}

/// Options of Go's cache of matches, which is not needed here.
#[derive(Clone, Copy, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct RegexpCache {
    #[serde(rename = "cacheenabled", default)]
    _enabled: bool,
    #[serde(rename = "cachemaxnumentries", default)]
    _entries_max: u64,
}

#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct RawAttribute {
    key: String,
    value: Option<Literal>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct RawLibrary {
    name: String,
    version: Option<String>,
}

/// `min` and `match_undefined`.
#[derive(Clone, Copy, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct RawSeverity {
    #[serde(default)]
    min: Severity,
    #[serde(default)]
    match_undefined: bool,
}

/// `INFO`, `warn2`, or the number.
#[derive(Clone, Copy, Debug, Default, Deserialize)]
#[serde(try_from = "String")]
struct Severity(i32);

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Raw {
    match_type: Option<MatchType>,
    #[serde(rename = "regexp")]
    _regexp: Option<RegexpCache>,
    #[serde(default)]
    services: Vec<String>,
    #[serde(default)]
    span_names: Vec<String>,
    #[serde(default)]
    span_kinds: Vec<String>,
    #[serde(default)]
    status_codes: Vec<String>,
    #[serde(default)]
    log_bodies: Vec<String>,
    #[serde(default)]
    log_severity_texts: Vec<String>,
    log_severity_number: Option<RawSeverity>,
    #[serde(default)]
    metric_names: Vec<String>,
    #[serde(default)]
    attributes: Vec<RawAttribute>,
    #[serde(default)]
    resources: Vec<RawAttribute>,
    #[serde(default)]
    libraries: Vec<RawLibrary>,
}

impl TryFrom<Raw> for MatchSettings {
    type Error = String;

    fn try_from(raw: Raw) -> Result<Self, String> {
        let compare = Compare(raw.match_type);
        compare.check_names("span_kinds", &raw.span_kinds, &SPAN_KINDS)?;
        compare.check_names("status_codes", &raw.status_codes, &STATUS_CODES)?;
        let criteria = Criteria {
            services: compare.texts("services", raw.services)?,
            resources: compare.attributes("resources", raw.resources)?,
            libraries: compare.libraries(raw.libraries)?,
            names: None,
            span_kinds: compare.texts("span_kinds", raw.span_kinds)?,
            status_codes: compare.texts("status_codes", raw.status_codes)?,
            bodies: compare.texts("log_bodies", raw.log_bodies)?,
            severity_texts: compare.texts("log_severity_texts", raw.log_severity_texts)?,
            severity: raw.log_severity_number.map(SeverityTest::from),
            attributes: compare.attributes("attributes", raw.attributes)?,
        };
        Ok(Self {
            criteria,
            span_names: compare.texts("span_names", raw.span_names)?,
            metric_names: compare.texts("metric_names", raw.metric_names)?,
        })
    }
}

impl MatchSettings {
    /// The criteria for items of a signal.
    ///
    /// # Errors
    ///
    /// There is none, or one that the signal has not.
    pub(super) fn criteria(&self, signal: Signal) -> Result<Criteria, String> {
        let names = [("span_names", &self.span_names), ("metric_names", &self.metric_names)];
        let given_names = names.into_iter().filter_map(|(key, names)| names.as_ref().map(|_| key));
        let mut given = self.criteria.given().chain(given_names).peekable();
        if given.peek().is_none() {
            return Err("nothing is given that could be compared, such as \"attributes\"".into());
        }
        let foreign = |key: &&str| match *key {
            "span_names" | "span_kinds" | "status_codes" => signal != Signal::Traces,
            "log_bodies" | "log_severity_texts" | "log_severity_number" => signal != Signal::Logs,
            "metric_names" => signal != Signal::Metrics,
            _ => false,
        };
        if let Some(key) = given.find(foreign) {
            return Err(format!("\"{key}\" is nothing that {signal} have"));
        }
        let names = self.span_names.as_ref().or(self.metric_names.as_ref());
        Ok(Criteria { names: names.cloned(), ..self.criteria.clone() })
    }
}

/// Makes tests of what is written.
#[derive(Clone, Copy)]
pub(super) struct Compare(pub(super) Option<MatchType>);

impl Compare {
    fn match_type(self, key: &str) -> Result<MatchType, String> {
        match self.0 {
            Some(MatchType::Expr) => Err("match_type \"expr\" is not supported".into()),
            Some(found) => Ok(found),
            None => Err(format!("the key \"match_type\" is missing, which \"{key}\" needs")),
        }
    }

    pub(super) fn texts(self, key: &str, texts: Vec<String>) -> Result<Option<Texts>, String> {
        if texts.is_empty() {
            return Ok(None);
        }
        Ok(Some(match self.match_type(key)? {
            MatchType::Regexp => Texts::Regexp(
                texts.iter().map(|text| pattern(key, text)).collect::<Result<_, _>>()?,
            ),
            _ => Texts::Strict(texts),
        }))
    }

    pub(super) fn attributes(
        self,
        key: &str,
        attributes: Vec<RawAttribute>,
    ) -> Result<Vec<AttributeTest>, String> {
        attributes.into_iter().map(|attribute| self.attribute(key, attribute)).collect()
    }

    fn attribute(self, key: &str, raw: RawAttribute) -> Result<AttributeTest, String> {
        if raw.key.is_empty() {
            return Err(format!("{key}: the key is empty"));
        }
        let test = |value| {
            Ok(match (self.match_type(key)?, value) {
                (MatchType::Regexp, Literal::String(text)) => {
                    ValueTest::Regexp(pattern(key, &text)?)
                }
                (MatchType::Regexp, _) => {
                    return Err(format!(
                        "{key}: the value of \"{}\" must be a text for match_type \"regexp\"",
                        raw.key
                    ));
                }
                (_, value) => ValueTest::Strict(value),
            })
        };
        let value = raw.value.map(test).transpose()?;
        Ok(AttributeTest { key: raw.key, value })
    }

    fn libraries(self, libraries: Vec<RawLibrary>) -> Result<Vec<LibraryTest>, String> {
        let one = |text: String| {
            let texts = self.texts("libraries", vec![text])?;
            texts.ok_or_else(|| "libraries: a name is missing".to_owned())
        };
        let test = |raw: RawLibrary| {
            let version = raw.version.map(one).transpose()?;
            Ok(LibraryTest { name: one(raw.name)?, version })
        };
        libraries.into_iter().map(test).collect()
    }

    /// Texts that can only be one of a few, unless they are expressions.
    fn check_names(self, key: &str, texts: &[String], known: &[&str]) -> Result<(), String> {
        let unknown = texts.iter().find(|text| !known.contains(&text.as_str()));
        match unknown {
            Some(text) if self.0 == Some(MatchType::Strict) => {
                let known = known.join(", ");
                Err(format!("{key}: unknown value \"{text}\"; accepted: {known}"))
            }
            _ => Ok(()),
        }
    }
}

fn pattern(key: &str, text: &str) -> Result<Pattern, String> {
    Pattern::new(text).map_err(|error| format!("{key}: {error}"))
}

impl From<RawSeverity> for SeverityTest {
    fn from(raw: RawSeverity) -> Self {
        Self { min: raw.min.0, match_undefined: raw.match_undefined }
    }
}

impl TryFrom<String> for Severity {
    type Error = String;

    fn try_from(text: String) -> Result<Self, String> {
        let upper = text.to_ascii_uppercase();
        let numbered = (1..).zip(SEVERITIES.iter().flat_map(|name| [""; 4].map(|_| name)));
        let names = numbered.zip([1, 2, 3, 4].into_iter().cycle());
        let mut names = names.map(|((number, name), step)| match step {
            1 => (number, (*name).to_owned()),
            _ => (number, format!("{name}{step}")),
        });
        let by_number = upper.parse().ok().filter(|number| (0..=24).contains(number));
        let by_name = || names.find(|(_, name)| *name == upper).map(|(number, _)| number);
        match by_number.or_else(by_name) {
            Some(number) => Ok(Self(number)),
            None if text.is_empty() => Ok(Self(0)),
            None => Err(format!(
                "\"{text}\" is not a severity; accepted: {}, each also with 2, 3 or 4 behind it, and 1 to 24",
                SEVERITIES.join(", ")
            )),
        }
    }
}

const SEVERITIES: [&str; 6] = ["TRACE", "DEBUG", "INFO", "WARN", "ERROR", "FATAL"];
