//! The logger: makes log records of one instrumentation scope and takes them.

use std::sync::Arc;

use opentelemetry::logs::Severity;

use super::local;
use super::provider::{Handle, Scope};
use super::record::LogRecord;
use crate::current::is_suppressed;
use crate::foreign::is_too_deep;

/// Makes log records of one instrumentation scope.
#[derive(Clone, Debug)]
pub struct Logger {
    /// Keeps the pipelines running as long as somebody can log.
    #[cfg_attr(
        not(feature = "tracing"),
        expect(dead_code, reason = "the layer gives it away; others only hold it")
    )]
    handle: Arc<Handle>,
    scope: Arc<Scope>,
}

impl Logger {
    pub(super) fn new(handle: Arc<Handle>, scope: Arc<Scope>) -> Self {
        Self { handle, scope }
    }

    /// Whether the pipelines end with it.
    #[cfg(feature = "tracing")]
    pub(crate) fn is_last(&self) -> bool {
        Arc::strong_count(&self.handle) == 1
    }

    /// How much a record may have of attributes.
    #[cfg(feature = "tracing")]
    pub(crate) fn attribute_limits(&self) -> otlp_core::AttributeLimits {
        self.scope.provider.limits.attributes
    }

    /// Whether a record that is emitted now would be recorded: false without a processor, after shutdown,
    /// where telemetry is suppressed, and on the threads of exporters.
    #[must_use]
    pub fn enabled(&self) -> bool {
        self.scope.provider.core.is_active() && !is_too_deep() && !is_suppressed()
    }
}

impl opentelemetry::logs::Logger for Logger {
    type LogRecord = LogRecord;

    fn create_log_record(&self) -> LogRecord {
        let records = self.scope.provider.core.is_active();
        LogRecord { recorder: records.then(|| local::take_recorder(&self.scope)) }
    }

    fn emit(&self, mut record: LogRecord) {
        let provider = &*self.scope.provider;
        let Some(mut recorder) = record.recorder.take() else { return provider.not_recorded() };
        if is_too_deep() || is_suppressed() {
            provider.not_recorded();
        } else {
            recorder.move_to(&self.scope);
            provider.emit(&mut recorder);
        }
        local::put_back(recorder);
    }

    fn event_enabled(&self, severity: Severity, target: &str, name: Option<&str>) -> bool {
        let provider = &*self.scope.provider;
        if provider.core.is_shut_down() {
            // Whoever asks first makes no record then, and it would be missing in the account.
            provider.not_recorded();
            return false;
        }
        self.enabled() && provider.wants(severity, target, name)
    }
}
