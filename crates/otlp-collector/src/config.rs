//! The configuration: the Go collector's YAML, read into settings with the place of each value.
//!
//! ```
//! use otlp_collector::config::{Config, Source};
//!
//! # fn main() -> Result<(), otlp_collector::config::ConfigError> {
//! let yaml = "
//! receivers:
//!   otlp:
//!     protocols:
//!       grpc:
//! exporters:
//!   debug:
//! service:
//!   pipelines:
//!     traces:
//!       receivers: [otlp]
//!       exporters: [debug]
//! ";
//! let config = Config::load(&[Source::Yaml(yaml.to_owned())])?;
//! assert_eq!(config.settings.service.pipelines[0].id.to_string(), "traces");
//! assert!(config.warnings.is_empty());
//! # Ok(())
//! # }
//! ```
//!
//! What is written is read in these steps: each [`Source`] into a tree of [`Node`]s; the trees merged, later
//! over earlier; references such as `${env:NAME:-default}` replaced; the sections and pipelines checked. What
//! stands below a component is read by its factory, with [`Node::read`].

mod de;
mod duration;
mod error;
mod expand;
mod foreign;
mod id;
mod layers;
mod node;
mod print;
mod secret;
mod settings;
mod source;
mod surroundings;
mod yaml;

pub(crate) use self::duration::some_duration;
pub use self::duration::{duration, parse_duration};
pub use self::error::ConfigError;
pub(crate) use self::foreign::{Ignored, Unsupported, pem};
pub use self::id::{ComponentId, PipelineId};
pub use self::node::{Node, Origin};
pub use self::print::Secrets;
pub use self::settings::{ComponentSettings, PipelineSettings, ServiceSettings, Settings};
pub use self::source::Source;
use self::surroundings::Surroundings;

/// A configuration that was read and checked as far as that is possible without its components.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct Config {
    /// The sections.
    pub settings: Settings,
    /// What is most likely not meant: components that nothing uses, variables that are not set.
    pub warnings: Vec<String>,
    node: Node,
}

impl Config {
    /// Reads a configuration, with the variables of this process.
    ///
    /// # Errors
    ///
    /// The first thing that is wrong, with its place: a file that cannot be read, text that is no YAML, a
    /// reference that leads nowhere, an unknown key, a pipeline that names what is not there.
    pub fn load(sources: &[Source]) -> Result<Self, ConfigError> {
        // A value that is no text counts as not set.
        Self::load_with(sources, &|name| std::env::var(name).ok())
    }

    /// Reads a configuration, with these variables.
    ///
    /// # Errors
    ///
    /// As for [`load`](Self::load).
    pub fn load_with(
        sources: &[Source],
        variable: &dyn Fn(&str) -> Option<String>,
    ) -> Result<Self, ConfigError> {
        Self::load_noting(sources, variable, &mut Vec::new())
    }

    /// Reads a configuration, with these variables, and adds to `warnings` what is most likely not meant, also if
    /// the configuration is refused: a variable that is not set is often the reason.
    ///
    /// # Errors
    ///
    /// As for [`load`](Self::load).
    pub fn load_noting(
        sources: &[Source],
        variable: &dyn Fn(&str) -> Option<String>,
        warnings: &mut Vec<String>,
    ) -> Result<Self, ConfigError> {
        let around = Surroundings::new(variable);
        let node = source::read(sources, &around);
        let missing = around.into_missing().into_iter();
        let before = warnings.len();
        warnings.extend(missing.map(|name| {
            format!("the variable {name} is referred to and not set; it counts as empty")
        }));
        let mut node = node?;
        secret::mark(&mut node);
        let settings = Settings::of(&node)?;
        let unused = settings.unused().into_iter();
        warnings.extend(unused.map(|what| format!("{what} is used by nothing")));
        let warnings = warnings.iter().skip(before).cloned().collect();
        Ok(Self { settings, warnings, node })
    }

    /// What was read, merged and with its references replaced, as YAML. Hidden are the values of headers, of
    /// keys that are called after a password, a secret or a token, and passwords and queries in addresses.
    ///
    /// Values stand there as they were written: defaults are not added.
    #[must_use]
    pub fn to_yaml(&self, secrets: Secrets) -> String {
        print::Yaml { node: &self.node, secrets }.to_string()
    }
}
