//! User-defined processors and what they see of a span.

use std::fmt;
use std::time::{Duration, SystemTime};

use opentelemetry::trace::{SpanContext, Status};
use opentelemetry::{Context, InstrumentationScope, KeyValue};
use otlp_core::span::{EncodedSpan, SpanKind, StatusCode};
use otlp_core::wire::trace::{EventView, LinkView};
use otlp_core::wire::{AnyValueView, KeyValueView};

use super::recorder::Recorder;
use crate::resource::Resource;

/// Sees every recorded span when it starts, is about to end, and has ended (specification rows R1,
/// R2).
///
/// Hooks run on the application's thread, in the order in which processors were registered; all
/// `on_ending` run before any `on_end`. Spans that are recorded without being sampled come here and
/// are never exported. A panic in a hook is caught and counted.
///
/// `on_start` may run while the thread's current [`Context`] is borrowed: a hook may start spans but
/// must not attach a context. Hooks run for the spans that hooks start as well, so that none is
/// exported unseen; what those start in turn is not recorded.
///
/// A hook can change a span, not withhold it: whether it is recorded is the
/// [sampler's](super::sampler) decision, or that of a filter of `tracing`.
///
/// Spans that were open at shutdown still come here when they end.
///
/// ```
/// use otlp_sdk::trace::{ActiveSpan, SpanProcessor};
///
/// /// Removes a query string from every span before it is exported.
/// #[derive(Debug)]
/// struct Redact;
///
/// impl SpanProcessor for Redact {
///     fn on_ending(&self, span: &mut ActiveSpan<'_>) {
///         span.remove_attribute("url.query");
///     }
/// }
/// ```
pub trait SpanProcessor: fmt::Debug + Send + Sync + 'static {
    /// The span has started; `parent` is the context it started in.
    fn on_start(&self, span: &mut ActiveSpan<'_>, parent: &Context) {
        let _ = (span, parent);
    }

    /// The end time is set and the span can still be changed, here only (row R2).
    fn on_ending(&self, span: &mut ActiveSpan<'_>) {
        let _ = span;
    }

    /// The span has ended.
    fn on_end(&self, span: &FinishedSpan<'_>) {
        let _ = span;
    }

    /// Exports what the processor holds. May be called from any thread, also an asynchronous one.
    ///
    /// # Errors
    ///
    /// Not everything was exported within `timeout`.
    fn force_flush(&self, timeout: Duration) -> Result<(), crate::PipelineError> {
        let _ = timeout;
        Ok(())
    }

    /// Flushes and releases what the processor holds. Called once.
    ///
    /// # Errors
    ///
    /// Not everything was exported within `timeout`.
    fn shutdown(&self, timeout: Duration) -> Result<(), crate::PipelineError> {
        self.force_flush(timeout)
    }
}

/// A span that can be read and changed.
#[derive(Debug)]
pub struct ActiveSpan<'a> {
    recorder: &'a mut Recorder,
    context: &'a SpanContext,
}

/// A span that has ended and can be read.
#[derive(Clone, Copy, Debug)]
pub struct FinishedSpan<'a> {
    recorder: &'a Recorder,
    context: &'a SpanContext,
}

impl<'a> ActiveSpan<'a> {
    pub(crate) fn new(recorder: &'a mut Recorder, context: &'a SpanContext) -> Self {
        Self { recorder, context }
    }

    /// The span as it is now.
    #[must_use]
    pub fn read(&self) -> FinishedSpan<'_> {
        FinishedSpan { recorder: self.recorder, context: self.context }
    }

    /// Sets an attribute; the last value of a key wins.
    #[expect(clippy::needless_pass_by_value, reason = "the signature that spans of the API have")]
    pub fn set_attribute(&mut self, attribute: KeyValue) {
        self.recorder.set_attribute(&attribute);
    }

    /// Takes an attribute out; whether it was there.
    pub fn remove_attribute(&mut self, key: &str) -> bool {
        self.recorder.encoder.remove_attribute(key)
    }

    /// Adds an event at `time`.
    pub fn add_event(&mut self, name: &str, time: SystemTime, attributes: &[KeyValue]) {
        self.recorder.add_event(name, time, attributes);
    }

    /// Adds a link.
    pub fn add_link(&mut self, linked: &SpanContext, attributes: &[KeyValue]) {
        self.recorder.add_link(linked, attributes);
    }

    /// Sets the status, under the rules that hold for the application too (row T13).
    pub fn set_status(&mut self, status: Status) {
        self.recorder.set_status(status);
    }

    /// Replaces the name.
    pub fn update_name(&mut self, name: impl Into<std::borrow::Cow<'static, str>>) {
        self.recorder.encoder.update_name(name);
    }
}

impl<'a> FinishedSpan<'a> {
    pub(crate) fn new(recorder: &'a Recorder, context: &'a SpanContext) -> Self {
        Self { recorder, context }
    }

    /// Ids, flags and trace state of the span.
    #[must_use]
    pub fn span_context(&self) -> &'a SpanContext {
        self.context
    }

    /// The whole context of the parent, invalid for a root span (row T19).
    #[must_use]
    pub fn parent_span_context(&self) -> &'a SpanContext {
        &self.recorder.parent
    }

    /// Whether the span goes to exporters.
    #[must_use]
    pub fn is_sampled(&self) -> bool {
        self.recorder.sampled
    }

    /// The name.
    #[must_use]
    pub fn name(&self) -> &'a str {
        self.recorder.encoder.name()
    }

    /// The kind.
    #[must_use]
    pub fn kind(&self) -> SpanKind {
        self.recorder.encoder.kind()
    }

    /// Status and its description.
    #[must_use]
    pub fn status(&self) -> (StatusCode, &'a str) {
        self.recorder.encoder.status()
    }

    /// Start in nanoseconds since the Unix epoch.
    #[must_use]
    pub fn start_unix_nano(&self) -> u64 {
        self.recorder.encoder.start_unix_nano()
    }

    /// End in nanoseconds since the Unix epoch; `None` while the span has not ended.
    #[must_use]
    pub fn end_unix_nano(&self) -> Option<u64> {
        self.recorder.end_unix_nano
    }

    /// The attributes in order.
    pub fn attributes(&self) -> impl Iterator<Item = (&'a str, AnyValueView<'a>)> {
        self.recorder.encoder.attributes().entries().filter_map(|entry| {
            let view = KeyValueView::parse(entry).ok()?;
            Some((view.key(), view.value()))
        })
    }

    /// The value of an attribute.
    #[must_use]
    pub fn attribute(&self, key: &str) -> Option<AnyValueView<'a>> {
        let entry = self.recorder.encoder.attributes().entry(key)?;
        Some(KeyValueView::parse(entry).ok()?.value())
    }

    /// Attributes discarded for the limits.
    #[must_use]
    pub fn dropped_attributes(&self) -> u32 {
        self.recorder.encoder.attributes().dropped()
    }

    /// The events in order, each with name, time and attributes.
    pub fn events(&self) -> impl ExactSizeIterator<Item = EventView<'a>> {
        self.recorder.encoder.events()
    }

    /// Events discarded for the limits.
    #[must_use]
    pub fn dropped_events(&self) -> u32 {
        self.recorder.encoder.dropped_events()
    }

    /// The links in order, each with the linked span and attributes.
    pub fn links(&self) -> impl ExactSizeIterator<Item = LinkView<'a>> {
        self.recorder.encoder.links()
    }

    /// Links discarded for the limits.
    #[must_use]
    pub fn dropped_links(&self) -> u32 {
        self.recorder.encoder.dropped_links()
    }

    /// The instrumentation scope of the tracer.
    #[must_use]
    pub fn instrumentation_scope(&self) -> &'a InstrumentationScope {
        &self.recorder.scope.scope
    }

    /// The resource of the provider.
    #[must_use]
    pub fn resource(&self) -> &'a Resource {
        &self.recorder.scope.provider.core.resource
    }

    /// The span as a value to keep, with everything in it; one allocation.
    #[must_use]
    pub fn encode(&self) -> EncodedSpan {
        self.recorder.encoder.encode(self.recorder.end_unix_nano.unwrap_or(0))
    }
}
