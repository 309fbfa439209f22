//! The exporter `nop`: takes everything, and throws it away.

use otlp_core::export::{BoxedExporter, Deadline, Exporter, Outcome};
use otlp_core::{Payload, Signal};
use serde::Deserialize;

use crate::component::{BoxError, Destination, Host};
use crate::sending::{QueueSettings, SendingSettings};

/// Takes everything, and throws it away: for tests, and for pipelines that only count.
#[derive(Clone, Copy, Debug, Default)]
pub struct NopExporter;

impl Exporter for NopExporter {
    async fn export(&self, _payload: Payload, _deadline: Deadline) -> Outcome {
        Outcome::delivered()
    }

    fn component_type(&self) -> &'static str {
        "nop"
    }
}

/// It has no settings, and refuses any.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct NopSettings {}

impl Destination for NopSettings {
    fn open(&self, _host: &Host, _signal: Signal) -> Result<BoxedExporter, BoxError> {
        Ok(NopExporter.boxed())
    }

    fn sending(&self) -> SendingSettings {
        SendingSettings::default()
            .with_queue(QueueSettings { enabled: false, ..QueueSettings::default() })
    }
}
