//! The span: ids for all, a recorder for those that are recorded.

use std::borrow::Cow;
use std::error::Error;
use std::sync::Arc;
use std::time::SystemTime;

use opentelemetry::KeyValue;
use opentelemetry::trace::{self, SpanContext, Status};

use super::counts::Counted;
use super::local;
use super::recorder::{Measured, Recorder};
use crate::clock::unix_nano;
use crate::foreign::{caught, in_foreign_code};
use crate::provider::{append_to_all, count};

/// A span of our [`Tracer`](super::Tracer).
///
/// Not recorded, it is its [`SpanContext`] and nothing else: no allocation, no clock read. Recorded,
/// it owns an encoder from its thread's stock, and what is set goes straight into OTLP bytes.
///
/// Dropping it ends it. After its end every call is ignored (row T10).
#[derive(Debug)]
pub struct Span {
    context: SpanContext,
    recorder: Option<Box<Recorder>>,
}

impl Span {
    #[inline]
    pub(crate) const fn new(context: SpanContext, recorder: Option<Box<Recorder>>) -> Self {
        Self { context, recorder }
    }

    #[inline]
    fn finish(&mut self, end: Option<SystemTime>) {
        if let Some(recorder) = self.recorder.take() {
            self.finish_recorded(recorder, end);
        }
    }

    fn finish_recorded(&self, recorder: Box<Recorder>, end: Option<SystemTime>) {
        let end = end.map_or_else(|| recorder.now(), |end| told(&recorder, end));
        finish(recorder, &self.context, end);
    }
}

/// Hands an ended span to the processors and pipelines, and its recorder back to the stock.
pub(crate) fn finish(mut recorder: Box<Recorder>, context: &SpanContext, end_unix_nano: u64) {
    // A duration is never negative.
    recorder.end_unix_nano = Some(end_unix_nano.max(recorder.encoder.start_unix_nano()));
    let core = &recorder.scope.provider.core;
    if core.has_processors {
        let scope = Arc::clone(&recorder.scope);
        scope.provider.processors_on_end(&mut recorder, context);
        count(&scope.provider.core, Counted::Ended { sampled: recorder.sampled }.at());
    } else if recorder.sampled {
        append_to_all(core, &Measured::new(&recorder), &recorder.scope.header);
    } else {
        count(core, Counted::Ended { sampled: false }.at());
    }
    if recorder.encoder.is_limited() {
        let core = &recorder.scope.provider.core;
        core.count_limited(Counted::Limited.at(), recorder.sampled);
    }
    local::put_back(recorder);
}

impl trace::Span for Span {
    fn add_event<T>(&mut self, name: T, attributes: Vec<KeyValue>)
    where
        T: Into<Cow<'static, str>>,
    {
        if let Some(recorder) = &mut self.recorder {
            let now = recorder.now();
            recorder.add_event_at(&name.into(), now, &attributes);
        }
    }

    /// Adds an event `exception` with message and causes (row T16). A trait object does not know the name
    /// of its type, so `exception.type` is left out; the chain of causes stands in `exception.stacktrace`.
    fn record_error(&mut self, error: &dyn Error) {
        if let Some(recorder) = &mut self.recorder {
            let now = recorder.now();
            let attributes = exception(error, || recorder.scope.provider.core.count_panic());
            recorder.add_event_at("exception", now, &attributes);
        }
    }

    fn add_event_with_timestamp<T>(
        &mut self,
        name: T,
        timestamp: SystemTime,
        attributes: Vec<KeyValue>,
    ) where
        T: Into<Cow<'static, str>>,
    {
        if let Some(recorder) = &mut self.recorder {
            let time = told(recorder, timestamp);
            recorder.add_event_at(&name.into(), time, &attributes);
        }
    }

    fn span_context(&self) -> &SpanContext {
        &self.context
    }

    fn is_recording(&self) -> bool {
        self.recorder.is_some()
    }

    /// Inlined, so that where the kind of the value is known neither its kind is looked at nor is
    /// anything dropped.
    #[inline(always)]
    fn set_attribute(&mut self, attribute: KeyValue) {
        if let Some(recorder) = &mut self.recorder {
            recorder.set_attribute(&attribute);
        }
    }

    fn set_status(&mut self, status: Status) {
        if let Some(recorder) = &mut self.recorder {
            recorder.set_status(status);
        }
    }

    fn update_name<T>(&mut self, new_name: T)
    where
        T: Into<Cow<'static, str>>,
    {
        if let Some(recorder) = &mut self.recorder {
            recorder.encoder.update_name(new_name);
        }
    }

    fn add_link(&mut self, span_context: SpanContext, attributes: Vec<KeyValue>) {
        if let Some(recorder) = &mut self.recorder {
            recorder.add_link(&span_context, &attributes);
        }
    }

    #[inline]
    fn end(&mut self) {
        self.finish(None);
    }

    fn end_with_timestamp(&mut self, timestamp: SystemTime) {
        self.finish(Some(timestamp));
    }
}

impl Drop for Span {
    #[inline]
    fn drop(&mut self) {
        self.finish(None);
    }
}

/// A time that the caller told us.
///
/// Behind a boxed span, which is what the global tracer hands out, "now" comes as a time of the
/// system clock. If that clock was set since the span started, the two would not fit together: such
/// a "now" becomes ours. A difference that small does not need the look.
fn told(recorder: &Recorder, time: SystemTime) -> u64 {
    let told = unix_nano(time);
    let now = recorder.now();
    if told.abs_diff(now) < CLOCK_SET_NANO {
        return told;
    }
    let is_now = unix_nano(SystemTime::now()).abs_diff(told) < NOW_NANO;
    if is_now { now } else { told }
}

/// The attributes of an exception event. A trait object does not know its type's name, so
/// `exception.type` is left out rather than invented; the causes stand in for the stack.
///
/// The texts come from code that is not ours: should it panic, the event goes without.
fn exception(error: &dyn Error, on_panic: impl FnOnce()) -> Vec<KeyValue> {
    let mut attributes = Vec::with_capacity(2);
    let described = in_foreign_code(|| caught(|| describe(error, &mut attributes)));
    if described.is_err() {
        on_panic();
    }
    attributes
}

fn describe(error: &dyn Error, attributes: &mut Vec<KeyValue>) {
    attributes.push(KeyValue::new("exception.message", error.to_string()));
    let mut causes = String::new();
    let mut cause = error.source();
    while let Some(error) = cause.filter(|_| causes.len() < CAUSES_BYTES_MAX) {
        causes.push_str("caused by: ");
        causes.push_str(&error.to_string());
        causes.push('\n');
        cause = error.source();
    }
    if !causes.is_empty() {
        attributes.push(KeyValue::new("exception.stacktrace", causes));
    }
}

/// A chain of causes that refers to itself must end somewhere.
const CAUSES_BYTES_MAX: usize = 64 * 1024;
/// From this difference on the system clock may have been set: one second.
const CLOCK_SET_NANO: u64 = 1_000_000_000;
/// How long ago "now" may be when it reaches us: 10 ms.
const NOW_NANO: u64 = 10_000_000;

#[cfg(test)]
mod tests;
