//! User-defined processors of log records and what they see of one.

use std::borrow::Cow;
use std::fmt;
use std::time::Duration;

use opentelemetry::InstrumentationScope;
use opentelemetry::logs::{AnyValue, Severity};
use otlp_core::log::LogContext;
use otlp_core::wire::{AnyValueView, KeyValueView};

use super::record::Recorder;
use crate::pipeline::PipelineError;
use crate::provider::Hooks;
use crate::resource::Resource;
use crate::value::with_wire_any;

/// Sees every log record when it is emitted, and may change it (row G-L3).
///
/// Hooks run on the application's thread, in the order in which processors and exporters were added: what
/// comes later sees the change. A panic in a hook is caught and counted.
///
/// A hook can change a record, not withhold it: which records come here is decided by the filters of
/// `tracing` and `log`, and by `event_enabled`.
///
/// A hook may log; what the hooks of that record log in turn is not recorded, so that a processor which
/// logs for every record comes to an end.
///
/// ```
/// use otlp_sdk::logs::{ActiveLogRecord, LogRecordProcessor};
///
/// /// Removes a password from every record before it is exported.
/// #[derive(Debug)]
/// struct Redact;
///
/// impl LogRecordProcessor for Redact {
///     fn on_emit(&self, record: &mut ActiveLogRecord<'_>) {
///         record.remove_attribute("password");
///     }
/// }
/// ```
pub trait LogRecordProcessor: fmt::Debug + Send + Sync + 'static {
    /// The record was emitted and goes to the next processor or exporter.
    fn on_emit(&self, record: &mut ActiveLogRecord<'_>);

    /// Whether a record of this kind is of interest here. Asked before the record is made, and only
    /// where no exporter would take it anyway (row G-L4). Default: yes.
    fn event_enabled(&self, severity: Severity, target: &str, name: Option<&str>) -> bool {
        let _ = (severity, target, name);
        true
    }

    /// Exports what the processor holds. May be called from any thread, also an asynchronous one.
    ///
    /// # Errors
    ///
    /// Not everything was exported within `timeout`.
    fn force_flush(&self, timeout: Duration) -> Result<(), PipelineError> {
        let _ = timeout;
        Ok(())
    }

    /// Flushes and releases what the processor holds. Called once.
    ///
    /// # Errors
    ///
    /// Not everything was exported within `timeout`.
    fn shutdown(&self, timeout: Duration) -> Result<(), PipelineError> {
        self.force_flush(timeout)
    }
}

impl Hooks for dyn LogRecordProcessor {
    fn force_flush(&self, timeout: Duration) -> Result<(), PipelineError> {
        LogRecordProcessor::force_flush(self, timeout)
    }

    fn shutdown(&self, timeout: Duration) -> Result<(), PipelineError> {
        LogRecordProcessor::shutdown(self, timeout)
    }
}

/// A log record on its way, which can be read and changed.
#[derive(Debug)]
pub struct ActiveLogRecord<'a> {
    recorder: &'a mut Recorder,
}

impl<'a> ActiveLogRecord<'a> {
    pub(super) fn new(recorder: &'a mut Recorder) -> Self {
        Self { recorder }
    }

    /// Sets an attribute; the last value of a key wins.
    pub fn set_attribute(&mut self, key: &str, value: impl Into<AnyValue>) {
        self.recorder.set_attribute(key, &value.into());
    }

    /// Takes an attribute out; whether it was there.
    pub fn remove_attribute(&mut self, key: &str) -> bool {
        self.recorder.encoder.remove_attribute(key)
    }

    /// Replaces what the record says.
    pub fn set_body(&mut self, body: impl Into<AnyValue>) {
        with_wire_any(&body.into(), |body| self.recorder.encoder.set_body(body));
    }

    /// Replaces the severity: its number, and what its source calls it.
    pub fn set_severity(&mut self, number: Severity, text: impl Into<Cow<'static, str>>) {
        self.recorder.encoder.set_severity(number as u8, text);
    }

    /// Replaces the name of the event.
    pub fn set_event_name(&mut self, name: impl Into<Cow<'static, str>>) {
        self.recorder.encoder.set_event_name(name);
    }

    /// When it happened, in nanoseconds since the Unix epoch; 0 if nobody has said.
    #[must_use]
    pub fn time_unix_nano(&self) -> u64 {
        self.recorder.encoder.time_unix_nano()
    }

    /// When it was observed, in nanoseconds since the Unix epoch.
    #[must_use]
    pub fn observed_time_unix_nano(&self) -> u64 {
        self.recorder.encoder.observed_time_unix_nano()
    }

    /// Number of the severity, 1 to 24 or 0 for none, and what its source calls it.
    #[must_use]
    pub fn severity(&self) -> (u8, &str) {
        self.recorder.encoder.severity()
    }

    /// What the record says.
    #[must_use]
    pub fn body(&self) -> Option<AnyValueView<'_>> {
        self.recorder.encoder.body()
    }

    /// The name of the event, if the record is one; else empty.
    #[must_use]
    pub fn event_name(&self) -> &str {
        self.recorder.encoder.event_name()
    }

    /// The module that logs, if it was named.
    #[must_use]
    pub fn target(&self) -> Option<&str> {
        self.recorder.target()
    }

    /// The span that the record belongs to.
    #[must_use]
    pub fn span(&self) -> Option<LogContext> {
        self.recorder.encoder.context()
    }

    /// The attributes in order.
    pub fn attributes(&self) -> impl Iterator<Item = (&str, AnyValueView<'_>)> {
        self.recorder.encoder.attributes().entries().filter_map(|entry| {
            let view = KeyValueView::parse(entry).ok()?;
            Some((view.key(), view.value()))
        })
    }

    /// The value of an attribute.
    #[must_use]
    pub fn attribute(&self, key: &str) -> Option<AnyValueView<'_>> {
        let entry = self.recorder.encoder.attributes().entry(key)?;
        Some(KeyValueView::parse(entry).ok()?.value())
    }

    /// Attributes discarded for the limits.
    #[must_use]
    pub fn dropped_attributes(&self) -> u32 {
        self.recorder.encoder.attributes().dropped()
    }

    /// The instrumentation scope of the logger.
    #[must_use]
    pub fn instrumentation_scope(&self) -> &InstrumentationScope {
        &self.recorder.scope.scope
    }

    /// The resource of the provider.
    #[must_use]
    pub fn resource(&self) -> &Resource {
        &self.recorder.scope.provider.core.resource
    }
}
