//! Events, collected with nothing locked and then added to their span.

use std::cell::Cell;
use std::error::Error;
use std::fmt;

use otlp_core::span::{SpanEncoder, StatusCode};
use otlp_core::wire::{AttributeList, Key, Value};
use otlp_core::{AttributeLimits, SpanLimits};
use tracing::Event;
use tracing::field::{Field, Visit};

use super::call_site::{CallSite, Role};
use super::fields::{EXCEPTION_MESSAGE, Told, set_error, set_in};
use super::options::Options;
use super::text::{self, Panicked};
use crate::trace::recorder::Recorder;

/// An event on its way to its span.
#[derive(Debug)]
pub(super) struct Collected {
    attributes: AttributeList,
    /// The message, if there was one.
    name: String,
    has_message: bool,
    /// The text of a field `error` in an event without a message.
    error: Option<String>,
    /// Errors that were recorded as such: message and causes.
    exceptions: Vec<(String, Vec<String>)>,
    pub(super) panics: u32,
}

impl Collected {
    /// Collects an event's fields, in a buffer of this thread.
    pub(super) fn of(
        event: &Event<'_>,
        call_site: &CallSite,
        options: &Options,
        limits: &SpanLimits,
    ) -> Box<Self> {
        let mut collected = SCRATCH.try_with(Cell::take).ok().flatten().unwrap_or_default();
        collected.attributes.begin_with(&call_site.attributes);
        let limits = &limits.event_attributes();
        event.record(&mut Fields { into: &mut collected, call_site, limits, options });
        collected
    }

    /// Adds the event to its span, and tells the span of errors.
    pub(super) fn add_to(
        &self,
        recorder: &mut Recorder,
        unix_nano: u64,
        call_site: &CallSite,
        options: &Options,
    ) {
        let Recorder { encoder, scope, .. } = recorder;
        let limits = &scope.provider.limits;
        encoder.add_encoded_event(
            self.name(call_site, options),
            unix_nano,
            limits,
            &self.attributes,
        );
        if options.error_status {
            self.set_status(encoder, call_site);
        }
        for (message, causes) in self.exceptions.iter().filter(|_| options.exceptions) {
            Told { message, causes }
                .describe_exception(|key, value| encoder.set_attribute(key, value, limits));
        }
    }

    fn name<'a>(&'a self, call_site: &'a CallSite, options: &Options) -> &'a str {
        if self.has_message {
            &self.name
        } else if self.error.is_some() && options.exceptions {
            "exception"
        } else {
            call_site.metadata.name()
        }
    }

    fn set_status(&self, encoder: &mut SpanEncoder, call_site: &CallSite) {
        if let Some(error) = &self.error {
            encoder.set_status(StatusCode::Error, error.clone());
        } else if call_site.is_error {
            set_error(encoder);
        }
    }

    /// Keeps the memory for this thread's next event.
    pub(super) fn put_back(mut self: Box<Self>) {
        self.attributes.clear();
        self.name.clear();
        self.name.shrink_to(NAME_BYTES_KEPT);
        self.has_message = false;
        self.error = None;
        self.exceptions.clear();
        self.panics = 0;
        let _ = SCRATCH.try_with(|scratch| scratch.set(Some(self)));
    }
}

impl Default for Collected {
    fn default() -> Self {
        Self {
            attributes: SpanEncoder::event_attribute_list(),
            name: String::new(),
            has_message: false,
            error: None,
            exceptions: Vec::new(),
            panics: 0,
        }
    }
}

/// Visits the fields of an event.
struct Fields<'a> {
    into: &'a mut Collected,
    call_site: &'a CallSite,
    limits: &'a AttributeLimits,
    options: &'a Options,
}

impl Fields<'_> {
    fn set(&mut self, field: &Field, value: Value<'_>) {
        let planned = self.call_site.planned(field);
        match planned.role {
            Role::Message => self.message(|name| push_value(name, value)),
            _ => self.into.attributes.set(planned.key, value, self.limits),
        }
    }

    fn message(&mut self, push: impl FnOnce(&mut String) -> Result<(), Panicked>) {
        self.into.name.clear();
        let done = push(&mut self.into.name);
        self.into.has_message = true;
        self.count(&done);
    }

    /// An event with an error and no message is about that error.
    fn error(&mut self, key: Key<'_>, text: &str) {
        let key = if self.options.exceptions { EXCEPTION_MESSAGE } else { key };
        self.into.attributes.set_str(key, text, self.limits);
        self.into.error = Some(text.to_owned());
    }

    fn formatted(&mut self, field: &Field, value: &dyn fmt::Debug) {
        let planned = self.call_site.planned(field);
        if planned.role == Role::Message {
            return self.message(|name| text::push(name, value));
        }
        let is_error = planned.role == Role::Error && !self.into.has_message;
        let done = text::with_text(value, |text| {
            if is_error {
                self.error(planned.key, text);
            } else {
                self.into.attributes.set_str(planned.key, text, self.limits);
            }
        });
        self.count(&done);
    }

    fn count(&mut self, done: &Result<(), Panicked>) {
        self.into.panics += u32::from(done.is_err());
    }
}

impl Visit for Fields<'_> {
    fn record_i64(&mut self, field: &Field, value: i64) {
        self.set(field, Value::I64(value));
    }

    fn record_u64(&mut self, field: &Field, value: u64) {
        match i64::try_from(value) {
            Ok(value) => self.record_i64(field, value),
            Err(_) => self.formatted(field, &value),
        }
    }

    fn record_i128(&mut self, field: &Field, value: i128) {
        match i64::try_from(value) {
            Ok(value) => self.record_i64(field, value),
            Err(_) => self.formatted(field, &value),
        }
    }

    fn record_u128(&mut self, field: &Field, value: u128) {
        match i64::try_from(value) {
            Ok(value) => self.record_i64(field, value),
            Err(_) => self.formatted(field, &value),
        }
    }

    fn record_f64(&mut self, field: &Field, value: f64) {
        self.set(field, Value::F64(value));
    }

    fn record_bool(&mut self, field: &Field, value: bool) {
        self.set(field, Value::Bool(value));
    }

    fn record_str(&mut self, field: &Field, value: &str) {
        let planned = self.call_site.planned(field);
        if planned.role == Role::Error && !self.into.has_message {
            self.error(planned.key, value);
        } else {
            self.set(field, Value::Str(value));
        }
    }

    fn record_bytes(&mut self, field: &Field, value: &[u8]) {
        self.set(field, Value::Bytes(value));
    }

    fn record_error(&mut self, field: &Field, error: &(dyn Error + 'static)) {
        let (mut message, mut causes) = (String::new(), Vec::new());
        let done = text::push_error(&mut message, &mut causes, error);
        self.count(&done);
        let key = self.call_site.planned(field).key;
        let told = Told { message: &message, causes: &causes };
        let exceptions = self.options.exceptions;
        told.describe(key, exceptions, set_in(&mut self.into.attributes, self.limits));
        self.into.exceptions.push((message, causes));
    }

    fn record_debug(&mut self, field: &Field, value: &dyn fmt::Debug) {
        self.formatted(field, value);
    }
}

/// A value as the text of a message.
fn push_value(text: &mut String, value: Value<'_>) -> Result<(), Panicked> {
    match value {
        Value::Str(message) => {
            text.push_str(message);
            Ok(())
        }
        Value::I64(int) => text::push(text, &int),
        Value::F64(number) => text::push(text, &number),
        Value::Bool(value) => text::push(text, &value),
        Value::Bytes(bytes) => text::push(text, &bytes),
        _ => Ok(()),
    }
}

thread_local! {
    static SCRATCH: Cell<Option<Box<Collected>>> = const { Cell::new(None) };
}

/// Memory of a message that is kept.
const NAME_BYTES_KEPT: usize = 4 * 1024;
