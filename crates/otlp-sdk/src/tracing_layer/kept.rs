//! The fields of spans, kept for the log records of the events in them.
//!
//! Beside what the span itself records: a span that is not sampled has fields too, and what a span records
//! has attributes that are no fields.

use otlp_core::AttributeLimits;
use otlp_core::log::LogRecordEncoder;
use otlp_core::wire::{AnyValueView, AttributeList, Key, KeyValueView, Value};

use super::TracingLayer;
use super::call_site::{Planned, Role};
use super::entered;
use super::fields::{Opened, has_meaning};
use super::open::OpenSpan;
use super::start::New;
use super::visit::{Sink, Told};
use crate::logs::LogRecord;

/// What is kept of a span.
pub(super) struct Kept {
    /// The layer's span around it, which may be entered nowhere while this one is.
    outer: Option<u64>,
    fields: AttributeList,
    limits: AttributeLimits,
}

impl TracingLayer {
    /// Where the fields of a new span are kept, if they are to be.
    #[inline]
    pub(super) fn keeper(&self, new: New<'_>) -> Option<Box<Kept>> {
        if self.options.span_fields { self.new_keeper(new) } else { None }
    }

    #[cold]
    fn new_keeper(&self, new: New<'_>) -> Option<Box<Kept>> {
        let limits = self.logger.as_ref()?.attribute_limits();
        let outer = match new.attrs.parent() {
            Some(parent) => Some(parent.into_u64()),
            None if new.attrs.is_contextual() => entered::innermost(self.id),
            None => None,
        };
        let fields = LogRecordEncoder::attribute_list();
        Some(Box::new(Kept { outer, fields, limits }))
    }

    /// Adds the fields of a span and of those around it to a record. What the record has stays, and so
    /// does what an inner span has added.
    pub(super) fn add_span_fields(&self, record: &mut LogRecord, span: Option<u64>) {
        let Some(recorder) = &mut record.recorder else { return };
        let mut next = span;
        for _ in 0..SPANS_MAX {
            let Some(span) = next else { return };
            let add = |span: &mut OpenSpan| {
                let kept = span.kept.as_deref()?;
                kept.each(|key, value| recorder.set_if_new(key, value));
                kept.outer
            };
            next = self.open.with(span, add).flatten();
        }
    }
}

impl Kept {
    fn set(&mut self, key: Key<'_>, value: Value<'_>) {
        self.fields.set(key, value, &self.limits);
    }

    fn each(&self, mut call: impl FnMut(Key<'_>, Value<'_>)) {
        for field in self.fields.entries().filter_map(|field| KeyValueView::parse(field).ok()) {
            if let Some(value) = value(field.value()) {
                call(Key::new(field.key()), value);
            }
        }
    }
}

/// The value of a field, to be encoded again.
fn value(encoded: AnyValueView<'_>) -> Option<Value<'_>> {
    match encoded {
        AnyValueView::String(text) => Some(Value::Str(text)),
        AnyValueView::Bool(value) => Some(Value::Bool(value)),
        AnyValueView::Int(value) => Some(Value::I64(value)),
        AnyValueView::Double(value) => Some(Value::F64(value)),
        AnyValueView::Bytes(bytes) => Some(Value::Bytes(bytes)),
        // No field of `tracing` is any other.
        _ => None,
    }
}

/// Where fields are kept.
pub(super) trait Keeper {
    fn with(&mut self, keep: impl FnOnce(&mut Kept));
}

impl Keeper for &mut Kept {
    fn with(&mut self, keep: impl FnOnce(&mut Kept)) {
        keep(self);
    }
}

impl Keeper for Opened<'_> {
    fn with(&mut self, keep: impl FnOnce(&mut Kept)) {
        let Self(spans, id) = self;
        spans.with(*id, |span| span.kept.as_deref_mut().map(keep));
    }
}

/// Keeps fields, but those that have a meaning for the span. An error is its text.
pub(super) struct KeptFields<K>(pub(super) K);

impl<K: Keeper> Sink for KeptFields<K> {
    fn set(&mut self, Planned { key, role }: Planned, value: Value<'_>) {
        match value {
            Value::Str(text) if has_meaning(role, text) => {}
            value => self.0.with(|kept| kept.set(key, value)),
        }
    }

    fn set_error(&mut self, Planned { key, .. }: Planned, error: Told<'_>) {
        self.0.with(|kept| kept.set(key, Value::Str(error.message)));
    }

    /// That is the span's to count.
    fn count_cut(&mut self) {}
}

/// Fields that go two ways.
pub(super) struct Both<A, B>(pub(super) A, pub(super) B);

impl<A: Sink, B: Sink> Sink for Both<A, B> {
    fn set(&mut self, planned: Planned, value: Value<'_>) {
        self.0.set(planned, value);
        self.1.set(planned, value);
    }

    fn set_error(&mut self, planned: Planned, error: Told<'_>) {
        self.0.set_error(planned, error);
        self.1.set_error(planned, error);
    }

    fn count_cut(&mut self) {
        self.0.count_cut();
        self.1.count_cut();
    }

    fn text_bytes_max(&self, role: Role) -> usize {
        self.0.text_bytes_max(role).max(self.1.text_bytes_max(role))
    }
}

/// Spans around an event that are looked at. More than anybody nests; a subscriber that uses the id of an
/// open span again could make a ring of them.
const SPANS_MAX: usize = 256;
