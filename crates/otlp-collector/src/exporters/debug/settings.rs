//! The settings of `debug`.

use std::io::Write;
use std::sync::Arc;
use std::time::Duration;

use otlp_core::Signal;
use otlp_core::export::{BoxedExporter, Exporter as _};
use parking_lot::Mutex;
use serde::Deserialize;
use serde::de::{self, Deserializer};

use super::DebugExporter;
use super::print::{Form, Outputs, Sampling, SharedWriter};
use crate::component::{BoxError, Destination, Host};
use crate::config::ConfigError;
use crate::exporters::desk::{Desk, SharedDesk};
use crate::sending::{QueueSettings, RetrySettings, SendingSettings};

/// Prints what passes: what stands under `exporters::debug`.
///
/// The text is the Go collector's, but for control characters, line breaks included: they are escaped, so that
/// telemetry can neither command a terminal nor forge a line. A line ends after 64 KiB, the text of a request after
/// 4 MiB.
#[derive(Clone, Deserialize)]
#[serde(default, deny_unknown_fields)]
#[non_exhaustive]
pub struct DebugSettings {
    /// How much is printed. Default basic.
    pub verbosity: Verbosity,
    /// Of how many requests in a second, at first, all are printed. Default 2.
    pub sampling_initial: u64,
    /// Each how many-th of the others is; 0 prints none of them. Default 1: all.
    pub sampling_thereafter: u64,
    /// Whether it looks like the collector's log, with the time and the name of the exporter, on standard error.
    /// Default true.
    pub use_internal_logger: bool,
    /// Where it goes otherwise: `stdout`, `stderr`, or files, which are added to. Default stdout.
    pub output_paths: Option<Vec<String>>,
    /// What waits to be printed. Default: nothing does, a request is printed before it is answered for.
    pub sending_queue: Option<QueueSettings>,
    #[serde(skip)]
    writer: Option<SharedWriter>,
    #[serde(skip)]
    desk: SharedDesk<Outputs>,
}

/// `verbosity`.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub enum Verbosity {
    /// A line for a request: how many items it has.
    #[default]
    Basic,
    /// And a line for each item.
    Normal,
    /// And every field of each item, on a line of its own.
    Detailed,
}

impl Default for DebugSettings {
    fn default() -> Self {
        Self {
            verbosity: Verbosity::Basic,
            sampling_initial: 2,
            sampling_thereafter: 1,
            use_internal_logger: true,
            output_paths: None,
            sending_queue: None,
            writer: None,
            desk: SharedDesk::default(),
        }
    }
}

impl DebugSettings {
    /// With this verbosity, and the default of everything else.
    #[must_use]
    pub fn with_verbosity(verbosity: Verbosity) -> Self {
        Self { verbosity, ..Self::default() }
    }

    /// Prints to a writer of the program's, whatever the other settings say of where.
    #[must_use]
    pub fn to(mut self, writer: impl Write + Send + 'static) -> Self {
        self.writer = Some(Arc::new(Mutex::new(writer)));
        self.desk = SharedDesk::default();
        self
    }

    /// Whether the settings go together.
    ///
    /// # Errors
    ///
    /// Names the key, what is wrong with it, and what is accepted.
    pub fn check(&self) -> Result<(), ConfigError> {
        self.sending().check().map_err(|error| ConfigError::new(error.to_string()))?;
        let problem = match (&self.output_paths, self.use_internal_logger) {
            (Some(_), true) => "it has no effect unless use_internal_logger is false",
            (Some(paths), false) if paths.is_empty() => {
                "it is empty; accepted: stdout, stderr, or paths of files"
            }
            _ => return Ok(()),
        };
        Err(ConfigError::new(problem).under("output_paths"))
    }

    fn outputs(&self) -> std::io::Result<Outputs> {
        match (&self.writer, self.use_internal_logger, &self.output_paths) {
            (Some(writer), _, _) => Ok(Outputs::shared(Arc::clone(writer))),
            (None, true, _) => Outputs::open(&["stderr".to_owned()]),
            (None, false, Some(paths)) => Outputs::open(paths),
            (None, false, None) => Outputs::open(&["stdout".to_owned()]),
        }
    }
}

impl Destination for DebugSettings {
    fn open(&self, host: &Host, _signal: Signal) -> Result<BoxedExporter, BoxError> {
        let desk = self.desk.open(|| Desk::start("otlp-debug", self.outputs()?))?;
        let logged_as = self.use_internal_logger.then(|| host.id().to_string());
        let form = Form { verbosity: self.verbosity, logged_as };
        let sampling = Sampling::new(self.sampling_initial, self.sampling_thereafter);
        Ok(DebugExporter::new(desk, form, sampling).boxed())
    }

    fn sending(&self) -> SendingSettings {
        let none = || QueueSettings { enabled: false, ..QueueSettings::default() };
        SendingSettings::default()
            .with_timeout(Duration::ZERO)
            .with_retry(RetrySettings { enabled: false, ..RetrySettings::default() })
            .with_queue(self.sending_queue.clone().unwrap_or_else(none))
    }
}

impl std::fmt::Debug for DebugSettings {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("DebugSettings")
            .field("verbosity", &self.verbosity)
            .field("sampling_initial", &self.sampling_initial)
            .field("sampling_thereafter", &self.sampling_thereafter)
            .field("use_internal_logger", &self.use_internal_logger)
            .field("output_paths", &self.output_paths)
            .field("sending_queue", &self.sending_queue)
            .field("own_writer", &self.writer.is_some())
            .finish_non_exhaustive()
    }
}

impl<'de> Deserialize<'de> for Verbosity {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let name = String::deserialize(deserializer)?;
        match name.to_ascii_lowercase().as_str() {
            "basic" => Ok(Self::Basic),
            "normal" => Ok(Self::Normal),
            "detailed" => Ok(Self::Detailed),
            _ => Err(de::Error::unknown_variant(&name, &["basic", "normal", "detailed"])),
        }
    }
}
