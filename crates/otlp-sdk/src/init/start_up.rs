//! What is said at the start.

use otlp_core::export::text::printable;
use otlp_core::export::{BoxedExporter, ConfigWarning, Exporter as _, Protocol};

use crate::foreign::caught;
use crate::resource::Resource;

/// What is said at the start.
#[derive(Debug, Default)]
pub(super) struct StartUp {
    pub(super) destinations: Vec<String>,
    pub(super) protocol: Option<Protocol>,
    pub(super) sampler: Option<String>,
    pub(super) resource: Option<String>,
    pub(super) unused: Option<String>,
    pub(super) warnings: Vec<ConfigWarning>,
}

impl StartUp {
    pub(super) fn announce(&self) {
        for warning in &self.warnings {
            tracing::warn!(target: "otlp_sdk", "{warning}");
        }
        let destinations = match self.destinations.as_slice() {
            [] => "nowhere: OTEL_TRACES_EXPORTER is none".to_owned(),
            all => all.join(", "),
        };
        tracing::info!(
            target: "otlp_sdk",
            traces = %destinations,
            protocol = self.protocol.map(Protocol::name),
            sampler = self.sampler.as_deref(),
            resource = self.resource.as_deref(),
            unused_variables = self.unused.as_deref(),
            "telemetry is set up"
        );
    }
}

/// The attributes of a resource, escaped and bounded: they come from outside.
pub(super) fn one_line(resource: &Resource) -> String {
    let attributes: Vec<_> = resource
        .iter()
        .take(RESOURCE_ATTRIBUTES_SHOWN)
        .map(|(key, value)| format!("{}={}", printable(key.as_str()), printable(&value.as_str())))
        .collect();
    attributes.join(",")
}

/// What an exporter calls its destination; it may be one that is not ours, and so may panic.
pub(super) fn destination(exporter: &BoxedExporter) -> String {
    caught(|| exporter.destination()).unwrap_or_else(|_| {
        "an exporter that panics when it is asked for its destination".to_owned()
    })
}

/// A start-up line is read by people.
const RESOURCE_ATTRIBUTES_SHOWN: usize = 32;
