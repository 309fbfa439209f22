//! One action, as it stands in a configuration.

use serde::Deserialize;

use crate::edit::action::{Action, ConvertedType, Source};
use crate::edit::literal::Literal;
use crate::edit::pattern::Pattern;

/// One member of a list of actions:
///
/// | `action` | takes | does |
/// |---|---|---|
/// | `insert` | `key`, and `value` or `from_attribute` | adds the attribute unless it is there |
/// | `update` | the same | sets it if it is there |
/// | `upsert` | the same | sets or adds it |
/// | `delete` | `key`, `pattern` or both | removes it, and all whose key matches |
/// | `hash` | `key`, `pattern` or both | puts the SHA-256 of the value in its place |
/// | `extract` | `key` and `pattern` | sets an attribute for each named group that the value matched |
/// | `convert` | `key` and `converted_type`: `int`, `double` or `string` | makes it one of that type |
///
/// `insert`, `update` and `upsert` take a `default_value` besides, for want of the attribute. With neither,
/// nothing is done. `from_context` is not supported. `action` may be written in upper case.
#[derive(Clone, Debug, Deserialize)]
#[serde(try_from = "Raw")]
pub struct ActionSettings(Vec<Action>);

impl ActionSettings {
    /// What it stands for: two actions where both `key` and `pattern` are given.
    pub fn actions(&self) -> impl Iterator<Item = &Action> {
        self.0.iter()
    }
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Raw {
    action: Verb,
    #[serde(default)]
    key: String,
    value: Option<Literal>,
    default_value: Option<Literal>,
    from_attribute: Option<String>,
    from_context: Option<String>,
    pattern: Option<Pattern>,
    converted_type: Option<ConvertedType>,
}

#[derive(Clone, Copy, Deserialize, PartialEq, Eq)]
#[serde(try_from = "String")]
enum Verb {
    Insert,
    Update,
    Upsert,
    Delete,
    Hash,
    Extract,
    Convert,
}

impl Verb {
    const ALL: [(&str, Self); 7] = [
        ("insert", Self::Insert),
        ("update", Self::Update),
        ("upsert", Self::Upsert),
        ("delete", Self::Delete),
        ("hash", Self::Hash),
        ("extract", Self::Extract),
        ("convert", Self::Convert),
    ];

    fn name(self) -> &'static str {
        Self::ALL.iter().find(|(_, verb)| *verb == self).map_or("", |(name, _)| name)
    }
}

impl TryFrom<String> for Verb {
    type Error = String;

    fn try_from(text: String) -> Result<Self, String> {
        let found = Self::ALL.iter().find(|(name, _)| name.eq_ignore_ascii_case(&text));
        found.map(|(_, verb)| *verb).ok_or_else(|| {
            let names = Self::ALL.map(|(name, _)| name).join(", ");
            format!("\"{text}\" is not an action; accepted: {names}")
        })
    }
}

impl TryFrom<Raw> for ActionSettings {
    type Error = String;

    fn try_from(raw: Raw) -> Result<Self, String> {
        raw.check_keys()?;
        let key = raw.key.as_str();
        Ok(Self(match raw.action {
            Verb::Insert => vec![Action::insert(key, raw.source()?)],
            Verb::Update => vec![Action::update(key, raw.source()?)],
            Verb::Upsert => vec![Action::upsert(key, raw.source()?)],
            Verb::Delete => raw.both(Action::delete, Action::delete_matching)?,
            Verb::Hash => raw.both(Action::hash, Action::hash_matching)?,
            Verb::Extract => vec![raw.extract()?],
            Verb::Convert => {
                let to = raw.converted_type.ok_or_else(|| raw.missing("converted_type"))?;
                vec![Action::convert(key, to)]
            }
        }))
    }
}

impl Raw {
    fn missing(&self, key: &str) -> String {
        format!("the key \"{key}\" is missing, which the action \"{}\" needs", self.action.name())
    }

    /// Each action takes keys of its own.
    fn check_keys(&self) -> Result<(), String> {
        if self.from_context.is_some() {
            return Err(
                "\"from_context\" is not supported: give \"value\" or \"from_attribute\"".into()
            );
        }
        let (takes_source, takes_pattern, takes_type) = match self.action {
            Verb::Insert | Verb::Update | Verb::Upsert => (true, false, false),
            Verb::Delete | Verb::Hash | Verb::Extract => (false, true, false),
            Verb::Convert => (false, false, true),
        };
        let given = [
            ("value", self.value.is_some(), takes_source),
            ("default_value", self.default_value.is_some(), takes_source),
            ("from_attribute", self.from_attribute.is_some(), takes_source),
            ("pattern", self.pattern.is_some(), takes_pattern),
            ("converted_type", self.converted_type.is_some(), takes_type),
        ];
        if let Some((key, ..)) = given.iter().find(|(_, given, takes)| *given && !takes) {
            return Err(format!("the action \"{}\" takes no \"{key}\"", self.action.name()));
        }
        let may_lack_key = matches!(self.action, Verb::Delete | Verb::Hash);
        if self.key.is_empty() && !may_lack_key {
            return Err(self.missing("key"));
        }
        Ok(())
    }

    fn source(&self) -> Result<Source, String> {
        let source = match (&self.value, self.from_attribute.as_deref()) {
            (Some(_), Some(_)) => {
                return Err("\"value\" and \"from_attribute\" exclude each other".into());
            }
            (Some(value), None) => Source::value(value),
            (None, Some(key)) if !key.is_empty() => Source::attribute(key),
            (None, _) if self.default_value.is_some() => Source::default(),
            (None, _) => return Err(self.missing("value\" or \"from_attribute")),
        };
        Ok(match &self.default_value {
            Some(default) => source.or(default),
            None => source,
        })
    }

    fn both(
        &self,
        by_key: fn(&str) -> Action,
        by_pattern: fn(Pattern) -> Action,
    ) -> Result<Vec<Action>, String> {
        let by_key = (!self.key.is_empty()).then(|| by_key(&self.key));
        let actions: Vec<_> =
            by_key.into_iter().chain(self.pattern.clone().map(by_pattern)).collect();
        if actions.is_empty() { Err(self.missing("key\" or \"pattern")) } else { Ok(actions) }
    }

    fn extract(&self) -> Result<Action, String> {
        let pattern = self.pattern.clone().ok_or_else(|| self.missing("pattern"))?;
        let source = pattern.as_str().to_owned();
        Action::extract(&self.key, pattern).ok_or_else(|| {
            format!("\"{source}\" must have groups, all with names, as in (?P<name>.*)")
        })
    }
}
