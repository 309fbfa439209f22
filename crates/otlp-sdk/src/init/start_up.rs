//! What is said at the start.

use otlp_core::Signal;
use otlp_core::export::text::printable;
use otlp_core::export::{BoxedExporter, ConfigWarning, Exporter as _, Protocol};

use crate::foreign::caught;
use crate::resource::Resource;
use crate::say::say;

/// What is said at the start.
#[derive(Debug, Default)]
pub(super) struct StartUp {
    pub(super) disabled: bool,
    pub(super) destinations: Vec<Destination>,
    pub(super) sampler: Option<String>,
    /// The headers of the propagators.
    pub(super) propagated: Vec<String>,
    pub(super) resource: Option<String>,
    pub(super) unused: Option<String>,
    pub(super) warnings: Vec<ConfigWarning>,
}

/// Where a signal goes.
#[derive(Debug)]
pub(super) struct Destination {
    signal: Signal,
    text: String,
}

impl Destination {
    /// What an exporter calls its destination; it may be one that is not ours, and so may panic.
    pub(super) fn of(signal: Signal, exporter: &BoxedExporter, protocol: Option<Protocol>) -> Self {
        let mut text = caught(|| exporter.destination()).unwrap_or_else(|_| {
            "an exporter that panics when it is asked for its destination".to_owned()
        });
        if let Some(protocol) = protocol {
            text.push_str(" over ");
            text.push_str(protocol.name());
        }
        Self { signal, text }
    }
}

impl StartUp {
    pub(super) fn announce(&self) {
        for warning in &self.warnings {
            say!(Warn, "{warning}");
        }
        say!(Info, traces = %self.destinations_of(Signal::Traces),
            metrics = %self.destinations_of(Signal::Metrics),
            logs = %self.destinations_of(Signal::Logs),
            sampler = self.sampler.as_deref(),
            propagated_headers = %self.propagated.join(","),
            resource = self.resource.as_deref(),
            unused_variables = self.unused.as_deref(),
            "telemetry is set up"
        );
    }

    fn destinations_of(&self, signal: Signal) -> String {
        let of_signal = self.destinations.iter().filter(|it| it.signal == signal);
        let texts: Vec<_> = of_signal.map(|it| it.text.as_str()).collect();
        match texts.as_slice() {
            [] if self.disabled => "nowhere: the SDK is disabled".to_owned(),
            [] => "nowhere".to_owned(),
            all => all.join(", "),
        }
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

/// A start-up line is read by people.
const RESOURCE_ATTRIBUTES_SHOWN: usize = 32;
