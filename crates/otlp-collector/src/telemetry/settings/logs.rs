//! `logs`.

use std::collections::BTreeMap;
use std::time::Duration;

use serde::Deserialize;
use serde::de::{Deserializer, Error};

use super::Text;
use crate::config::{ConfigError, Ignored, duration};

/// `logs`: messages of the program.
#[derive(Clone, Debug, Deserialize)]
#[serde(default, deny_unknown_fields)]
#[non_exhaustive]
pub struct LogSettings {
    /// The least level that is written. Default `info`.
    pub level: LogLevel,
    /// In which form. Default `console`.
    pub encoding: LogEncoding,
    /// What of messages that repeat themselves is written.
    pub sampling: SamplingSettings,
    /// Whether the place in the source is left out. Default false.
    pub disable_caller: bool,
    /// `stdout`, `stderr`, or files, which are appended to. Default `stderr`.
    pub output_paths: Vec<String>,
    /// Fields of every message. Default none.
    #[serde(deserialize_with = "fields")]
    pub initial_fields: BTreeMap<String, String>,
    development: Ignored,
    disable_stacktrace: Ignored,
    error_output_paths: Ignored,
    disable_zap_resource: Ignored,
    processors: Ignored,
}

/// How grave a message is.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub enum LogLevel {
    /// For whoever looks for a fault.
    Debug,
    /// What goes on.
    #[default]
    Info,
    /// What may not be meant, or may go wrong.
    Warn,
    /// What has gone wrong.
    Error,
}

impl<'de> Deserialize<'de> for LogLevel {
    /// In any case; the Go collector's levels above `error` do not occur here.
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        match String::deserialize(deserializer)?.to_ascii_lowercase().as_str() {
            "debug" => Ok(Self::Debug),
            "info" => Ok(Self::Info),
            "warn" | "warning" => Ok(Self::Warn),
            "error" | "dpanic" | "panic" | "fatal" => Ok(Self::Error),
            _ => Err(D::Error::custom("unknown level; accepted: debug, info, warn, error")),
        }
    }
}

/// The form of a message.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
#[non_exhaustive]
pub enum LogEncoding {
    /// A line with tabs between time, level, place, text and fields.
    #[default]
    Console,
    /// An object on a line.
    Json,
}

/// `sampling`: in each `tick` the first `initial` messages of the same text and level are written, then each
/// `thereafter`-th.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(default, deny_unknown_fields)]
#[non_exhaustive]
pub struct SamplingSettings {
    /// Whether anything is left out. Default true.
    pub enabled: bool,
    /// Default 10 s.
    #[serde(deserialize_with = "duration")]
    pub tick: Duration,
    /// Default 10.
    pub initial: u64,
    /// Default 100; zero for none.
    pub thereafter: u64,
}

impl Default for SamplingSettings {
    fn default() -> Self {
        Self { enabled: true, tick: Duration::from_secs(10), initial: 10, thereafter: 100 }
    }
}

impl Default for LogSettings {
    fn default() -> Self {
        Self {
            level: LogLevel::default(),
            encoding: LogEncoding::default(),
            sampling: SamplingSettings::default(),
            disable_caller: false,
            output_paths: vec!["stderr".to_owned()],
            initial_fields: BTreeMap::new(),
            development: None,
            disable_stacktrace: None,
            error_output_paths: None,
            disable_zap_resource: None,
            processors: None,
        }
    }
}

impl LogSettings {
    pub(super) fn check(&self) -> Result<(), ConfigError> {
        if self.output_paths.iter().any(String::is_empty) {
            return Err(ConfigError::new("a path is empty").under("output_paths"));
        }
        Ok(())
    }

    pub(super) fn warn(&self, warnings: &mut Vec<String>) {
        if self.processors.is_some() {
            warnings.push("logs::processors has no effect here: logs go to output_paths".into());
        }
        if self.development.is_some() {
            warnings.push("logs::development has no effect here".into());
        }
    }
}

fn fields<'de, D: Deserializer<'de>>(
    deserializer: D,
) -> Result<BTreeMap<String, String>, D::Error> {
    let fields = BTreeMap::<String, Text>::deserialize(deserializer)?;
    Ok(fields.into_iter().filter_map(|(key, text)| Some((key, text.0?))).collect())
}
