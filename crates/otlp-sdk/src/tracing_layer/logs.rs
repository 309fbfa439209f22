//! Events as log records.

use std::borrow::Cow;

use opentelemetry::logs::{LogRecord as _, Logger as _, Severity};
use opentelemetry::trace::SpanContext;
use otlp_core::wire::Value;
use tracing::{Event, Level, Metadata};

use super::TracingLayer;
use super::call_site::{CallSite, Planned, Role};
use super::entered;
use super::events::Errors;
use super::text;
use super::visit::{Sink, Told};
use crate::clock::Clock;
use crate::logs::{LogRecord, Logger};

impl TracingLayer {
    /// Emits an event as a log record. `span` is the layer's span that it belongs to. Says which errors
    /// the span is to know of.
    pub(super) fn log(
        &self,
        logger: &Logger,
        event: &Event<'_>,
        span: Option<u64>,
        call_site: &CallSite,
    ) -> Errors {
        let metadata = call_site.metadata;
        let severity = severity(metadata);
        let mut errors = Errors::default();
        if !logger.event_enabled(severity, metadata.target(), Some(metadata.name())) {
            return errors;
        }
        let mut record = logger.create_log_record();
        record.set_target(metadata.target());
        record.set_event_name(metadata.name());
        record.set_severity_number(severity);
        record.set_severity_text(metadata.level().as_str());
        if let Some(recorder) = &mut record.recorder {
            recorder.encoder.begin_with(&call_site.log_attributes);
            // It is observed while it happens.
            let now = Clock::global().start().unix_nano;
            recorder.encoder.set_time(now);
            recorder.encoder.set_observed_time(now);
        }
        let exceptions = self.options.exceptions;
        let with_place = self.options.log_location;
        let sink = LogFields { record: &mut record, errors: &mut errors, exceptions, with_place };
        self.visit(call_site, sink, |visitor| event.record(visitor));
        // They take what room the event has left.
        if self.options.span_fields {
            self.add_span_fields(&mut record, span);
        }
        self.correlate(&mut record, event, span);
        logger.emit(record);
        errors
    }

    /// Where the API's current context is not the event's span, the record says which is. A record
    /// without ids gets those of the current context when it is emitted.
    fn correlate(&self, record: &mut LogRecord, event: &Event<'_>, span: Option<u64>) {
        let span = if event.is_contextual() { entered::unknown_to_the_api(self.id) } else { span };
        let context = span.and_then(|span| self.open.with(span, |span| span.span_context()));
        // Invalid ids say that there is no span.
        let none = (!event.is_contextual()).then_some(SpanContext::NONE);
        if let Some(context) = context.or(none) {
            let flags = Some(context.trace_flags());
            record.set_trace_context(context.trace_id(), context.span_id(), flags);
        }
    }
}

/// Takes the fields of an event.
struct LogFields<'a> {
    record: &'a mut LogRecord,
    errors: &'a mut Errors,
    exceptions: bool,
    with_place: bool,
}

impl Sink for LogFields<'_> {
    fn set(&mut self, Planned { key, role }: Planned, value: Value<'_>) {
        let Some(recorder) = &mut self.record.recorder else { return };
        match (role, value) {
            (Role::Message, body) => recorder.encoder.set_body(body),
            (Role::LogTarget, Value::Str(target)) => {
                self.record.set_target(Cow::Owned(target.to_owned()));
            }
            (Role::LogPlace, _) if !self.with_place => {}
            (Role::Error, Value::Str(text)) => {
                self.errors.be_about(text);
                recorder.set(key, value);
            }
            (_, value) => recorder.set(key, value),
        }
    }

    fn set_error(&mut self, planned: Planned, error: Told<'_>) {
        let Some(recorder) = &mut self.record.recorder else { return };
        error.describe(planned.key, self.exceptions, |key, value, rank| {
            if rank.fits(key, recorder.encoder.attributes()) {
                recorder.set(key, value);
            }
        });
        self.errors.add(error);
    }

    fn count_cut(&mut self) {
        if let Some(recorder) = &mut self.record.recorder {
            recorder.encoder.add_dropped_attributes(1);
        }
    }

    fn text_bytes_max(&self, role: Role) -> usize {
        if role == Role::Message { text::BODY_BYTES_MAX } else { text::TEXT_BYTES_MAX }
    }
}

fn severity(metadata: &Metadata<'_>) -> Severity {
    match *metadata.level() {
        Level::TRACE => Severity::Trace,
        Level::DEBUG => Severity::Debug,
        Level::INFO => Severity::Info,
        Level::WARN => Severity::Warn,
        Level::ERROR => Severity::Error,
    }
}
