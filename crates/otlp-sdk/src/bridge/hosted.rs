//! What the exporters of all signals have in common.

use otlp_core::Signal;
use otlp_core::export::{Env, EnvReader, Exporter};
use otlp_core::wire::envelope::ResourceHeader;

use super::account::Account;
use super::config::ExportConfig;
use super::link::Link;
use crate::pipeline::Ledger;
use crate::resource::Resource;
use crate::say::say;

/// One of our exporters as one of the official SDK: a [`SpanExporter`](super::SpanExporter), for one.
///
/// Clones share the wrapped exporter, its thread and the account; each has a resource of its own, so
/// several providers can use one. The wrapped exporter is shut down with the last clone that is shut
/// down or dropped.
#[derive(Clone, Debug)]
pub struct Hosted<S> {
    pub(super) link: Link,
    pub(super) resource: ResourceHeader,
    pub(super) signal: S,
}

/// A signal that the official SDK exports.
pub(super) trait Exported: Default {
    const SIGNAL: Signal;

    /// With the settings that only this signal has.
    fn from_env(_: &mut EnvReader<'_>) -> Self {
        Self::default()
    }
}

#[expect(private_bounds, reason = "the signals are a closed set, which aliases name")]
impl<S: Exported> Hosted<S> {
    /// Wraps an exporter and starts its thread, with the settings of [`ExportConfig::from_env`]. A
    /// variable that cannot be used is told through `tracing`.
    #[must_use]
    pub fn new(exporter: impl Exporter) -> Self {
        let env = Env::from_process();
        let mut reader = env.reader();
        let config = ExportConfig::from_env(&mut reader, S::SIGNAL);
        let signal = S::from_env(&mut reader);
        for warning in reader.into_warnings() {
            say!(Warn, "{warning}");
        }
        Self { signal, ..Self::with_config(exporter, config) }
    }

    /// Wraps an exporter and starts its thread; the environment is not read.
    #[must_use]
    pub fn with_config(exporter: impl Exporter, config: ExportConfig) -> Self {
        Self {
            link: Link::new(S::SIGNAL, exporter, config),
            resource: Resource::empty().header(),
            signal: S::default(),
        }
    }

    /// What became of everything that was handed in so far, by all clones.
    #[must_use]
    pub fn ledger(&self) -> Ledger {
        self.link.account().ledger()
    }

    /// The account, to be read when the SDK has the exporter.
    #[must_use]
    pub fn account(&self) -> Account {
        self.link.account().clone()
    }

    pub(super) fn take_resource(&mut self, resource: &opentelemetry_sdk::Resource) {
        self.resource = Resource::from(resource).header();
    }
}
