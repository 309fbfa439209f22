//! The log record: encoded as it is set.

use std::borrow::Cow;
use std::sync::Arc;
use std::time::SystemTime;

use opentelemetry::logs::{AnyValue, Severity};
use opentelemetry::trace::{SpanContext, TraceContextExt};
use opentelemetry::{Key, SpanId, TraceFlags, TraceId};
use otlp_core::log::{LogContext, LogRecordEncoder, LogRecordSizes};
use otlp_core::wire::envelope::ScopeHeader;

use super::local;
use super::provider::Scope;
use crate::clock::{Clock, unix_nano};
use crate::current::with_current;
use crate::pipeline::slot::Item;
use crate::value::with_wire_any;

/// A log record of our [`Logger`](super::Logger), to be set and then
/// [emitted](opentelemetry::logs::Logger::emit).
///
/// What is set goes straight into OTLP bytes, in memory from the thread's stock. Where nothing is recorded
/// (after shutdown, without a processor) it is empty and every call is ignored.
///
/// Dropping it without emitting it forgets it.
#[derive(Debug)]
pub struct LogRecord {
    pub(crate) recorder: Option<Box<Recorder>>,
}

/// The data of a record.
#[derive(Debug)]
pub(crate) struct Recorder {
    pub(crate) encoder: LogRecordEncoder,
    pub(super) scope: Arc<Scope>,
    /// The target that was set.
    target: Option<Cow<'static, str>>,
    /// Whether ids were set, valid or not.
    has_context: bool,
    /// The target that a record had last, and its header.
    last: Option<(Cow<'static, str>, Arc<ScopeHeader>)>,
}

impl opentelemetry::logs::LogRecord for LogRecord {
    fn set_event_name(&mut self, name: &'static str) {
        if let Some(recorder) = &mut self.recorder {
            recorder.encoder.set_event_name(name);
        }
    }

    /// Names the module that logs. It takes the place of the scope's name, as in the official SDK.
    fn set_target<T>(&mut self, target: T)
    where
        T: Into<Cow<'static, str>>,
    {
        if let Some(recorder) = &mut self.recorder {
            recorder.target = Some(target.into());
        }
    }

    fn set_timestamp(&mut self, timestamp: SystemTime) {
        if let Some(recorder) = &mut self.recorder {
            recorder.encoder.set_time(unix_nano(timestamp));
        }
    }

    fn set_observed_timestamp(&mut self, timestamp: SystemTime) {
        if let Some(recorder) = &mut self.recorder {
            recorder.encoder.set_observed_time(unix_nano(timestamp));
        }
    }

    fn set_severity_text(&mut self, text: &'static str) {
        if let Some(recorder) = &mut self.recorder {
            recorder.encoder.set_severity_text(text);
        }
    }

    fn set_severity_number(&mut self, number: Severity) {
        if let Some(recorder) = &mut self.recorder {
            recorder.encoder.set_severity_number(number as u8);
        }
    }

    /// Sets what the record says. It is not cut, whatever its length (row G-L5).
    fn set_body(&mut self, body: AnyValue) {
        if let Some(recorder) = &mut self.recorder {
            with_wire_any(&body, |body| recorder.encoder.set_body(body));
        }
    }

    fn add_attributes<I, K, V>(&mut self, attributes: I)
    where
        I: IntoIterator<Item = (K, V)>,
        K: Into<Key>,
        V: Into<AnyValue>,
    {
        if self.recorder.is_some() {
            attributes.into_iter().for_each(|(key, value)| self.add_attribute(key, value));
        }
    }

    /// Sets an attribute; the last value of a key wins (row W5).
    fn add_attribute<K, V>(&mut self, key: K, value: V)
    where
        K: Into<Key>,
        V: Into<AnyValue>,
    {
        if let Some(recorder) = &mut self.recorder {
            recorder.set_attribute(key.into().as_str(), &value.into());
        }
    }

    fn set_trace_context(
        &mut self,
        trace_id: TraceId,
        span_id: SpanId,
        trace_flags: Option<TraceFlags>,
    ) {
        if let Some(recorder) = &mut self.recorder {
            recorder.set_context(trace_id, span_id, trace_flags.unwrap_or_default());
        }
    }
}

impl Drop for LogRecord {
    fn drop(&mut self) {
        if let Some(recorder) = self.recorder.take() {
            local::put_back(recorder);
        }
    }
}

impl Recorder {
    pub(super) fn new(scope: Arc<Scope>) -> Self {
        let encoder = LogRecordEncoder::default();
        Self { encoder, scope, target: None, has_context: false, last: None }
    }

    /// Makes it one of this scope.
    pub(super) fn move_to(&mut self, scope: &Arc<Scope>) {
        if !Arc::ptr_eq(&self.scope, scope) {
            self.scope = Arc::clone(scope);
            self.last = None;
        }
    }

    /// Forgets the record and keeps the memory.
    pub(super) fn clear(&mut self) {
        self.encoder.clear();
        self.target = None;
        self.has_context = false;
    }

    pub(super) fn target(&self) -> Option<&str> {
        self.target.as_deref()
    }

    pub(crate) fn set_attribute(&mut self, key: &str, value: &AnyValue) {
        let limits = &self.scope.provider.limits;
        with_wire_any(value, |value| self.encoder.set_attribute(key, value, limits));
    }

    /// Sets an attribute in its wire form.
    #[cfg(feature = "tracing")]
    pub(crate) fn set(&mut self, key: otlp_core::wire::Key<'_>, value: otlp_core::wire::Value<'_>) {
        self.encoder.set_attribute(key, value, &self.scope.provider.limits);
    }

    /// The same for a key that has no value yet.
    #[cfg(feature = "tracing")]
    pub(crate) fn set_if_new(
        &mut self,
        key: otlp_core::wire::Key<'_>,
        value: otlp_core::wire::Value<'_>,
    ) {
        if self.encoder.attributes().entry(key.name()).is_none() {
            self.set(key, value);
        }
    }

    pub(crate) fn set_context(&mut self, trace_id: TraceId, span_id: SpanId, flags: TraceFlags) {
        self.has_context = true;
        self.encoder.set_context(LogContext {
            trace_id: trace_id.to_bytes(),
            span_id: span_id.to_bytes(),
            trace_flags: flags.to_u8(),
        });
    }

    fn set_span_context(&mut self, span: &SpanContext) {
        self.set_context(span.trace_id(), span.span_id(), span.trace_flags());
    }

    /// Fills in what nobody has said: the span that is active, and when the record was observed (row
    /// G-L2).
    pub(super) fn complete(&mut self) {
        if !self.has_context {
            with_current(|context| {
                if context.has_active_span() {
                    self.set_span_context(context.span().span_context());
                }
            });
        }
        if self.encoder.observed_time_unix_nano() == 0 {
            self.encoder.set_observed_time(Clock::global().start().unix_nano);
        }
    }

    /// The header of the scope that it goes under.
    pub(super) fn header(&mut self) -> Arc<ScopeHeader> {
        let Some(target) = &self.target else { return Arc::clone(&self.scope.header) };
        if let Some((last, header)) = &self.last
            && last == target
        {
            return Arc::clone(header);
        }
        let header = self.scope.targets.header(&self.scope.scope, target);
        self.last = Some((target.clone(), Arc::clone(&header)));
        header
    }
}

/// A record with its length, measured once for both questions of a pipeline.
pub(super) struct Measured<'a> {
    encoder: &'a LogRecordEncoder,
    sizes: LogRecordSizes,
}

impl<'a> Measured<'a> {
    #[inline]
    pub(super) fn new(recorder: &'a Recorder) -> Self {
        let encoder = &recorder.encoder;
        Self { encoder, sizes: encoder.sizes() }
    }
}

impl Item for Measured<'_> {
    #[inline]
    fn item_len(&self) -> usize {
        self.sizes.item_len()
    }

    #[inline]
    fn put_item(&self, buf: &mut Vec<u8>) {
        self.encoder.put_sized(self.sizes, buf);
    }
}
