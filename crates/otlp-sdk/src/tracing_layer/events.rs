//! Events, collected with nothing locked and then added to their span.

use std::cell::Cell;

use otlp_core::AttributeLimits;
use otlp_core::span::{SpanEncoder, StatusCode};
use otlp_core::wire::{AttributeList, Value};
use tracing::Event;

use super::call_site::{CallSite, Planned, Role};
use super::fields::set_failed;
use super::options::Options;
use super::text::{self, Mishap};
use super::visit::{EXCEPTION_MESSAGE, Rank, Sink, Told, Visitor};
use crate::trace::recorder::Recorder;

/// An event on its way to its span.
#[derive(Debug)]
pub(super) struct Collected {
    attributes: AttributeList,
    message: String,
    errors: Errors,
}

/// What an event says of its span.
#[derive(Debug, Default)]
pub(super) struct Errors {
    /// The text of the error that the event is about.
    about: Option<String>,
    /// Errors that were recorded as such: message and causes.
    told: Vec<(String, Vec<String>)>,
}

impl Collected {
    /// Collects an event's fields in a buffer of this thread; also says how many values panicked.
    pub(super) fn of(
        event: &Event<'_>,
        call_site: &CallSite,
        options: &Options,
        limits: &AttributeLimits,
    ) -> (Box<Self>, u32) {
        let mut collected = SCRATCH.try_with(Cell::take).ok().flatten().unwrap_or_default();
        collected.attributes.begin_with(&call_site.attributes);
        let exceptions = options.exceptions;
        let mut visitor =
            Visitor::new(call_site, EventFields { into: &mut collected, limits, exceptions });
        event.record(&mut visitor);
        let panics = visitor.panics();
        (collected, panics)
    }

    /// Adds the event to its span, and tells the span of errors.
    pub(super) fn add_to(
        &self,
        recorder: &mut Recorder,
        unix_nano: u64,
        call_site: &CallSite,
        options: &Options,
    ) {
        let Recorder { encoder, scope, .. } = &mut *recorder;
        let (name, limits) = (self.name(call_site, options), &scope.provider.limits);
        encoder.add_encoded_event(name, unix_nano, limits, &self.attributes);
        self.errors.tell(recorder, call_site, options);
    }

    fn name<'a>(&'a self, call_site: &'a CallSite, options: &Options) -> &'a str {
        if call_site.has_message {
            &self.message
        } else if self.errors.about.is_some() && options.exceptions {
            "exception"
        } else {
            call_site.metadata.name()
        }
    }

    /// Keeps the memory for this thread's next event.
    pub(super) fn put_back(mut self: Box<Self>) {
        self.attributes.clear();
        self.message.clear();
        self.message.shrink_to(MESSAGE_BYTES_KEPT);
        self.errors = Errors::default();
        let _ = SCRATCH.try_with(|scratch| scratch.set(Some(self)));
    }
}

impl Default for Collected {
    fn default() -> Self {
        Self {
            attributes: SpanEncoder::event_attribute_list(),
            message: String::new(),
            errors: Errors::default(),
        }
    }
}

impl Errors {
    /// Whether there is anything to tell the span.
    pub(super) fn are_there(&self, call_site: &CallSite) -> bool {
        call_site.is_error || self.about.is_some() || !self.told.is_empty()
    }

    /// Sets status and exception of the span.
    pub(super) fn tell(&self, recorder: &mut Recorder, call_site: &CallSite, options: &Options) {
        let Recorder { encoder, scope, .. } = recorder;
        if options.error_status {
            match &self.about {
                Some(error) => encoder.set_status(StatusCode::Error, error.clone()),
                None if call_site.is_error => set_failed(encoder),
                None => {}
            }
        }
        let limits = &scope.provider.limits;
        for (message, causes) in self.told.iter().filter(|_| options.exceptions) {
            Told { message, causes }
                .describe_exception(|key, value| encoder.set_attribute(key, value, limits));
        }
    }

    pub(super) fn be_about(&mut self, error: &str) {
        self.about = Some(error.to_owned());
    }

    pub(super) fn add(&mut self, error: Told<'_>) {
        self.told.push((error.message.to_owned(), error.causes.to_vec()));
    }
}

/// Takes the fields of an event.
struct EventFields<'a> {
    into: &'a mut Collected,
    limits: &'a AttributeLimits,
    exceptions: bool,
}

impl Sink for EventFields<'_> {
    fn set(&mut self, Planned { key, role }: Planned, value: Value<'_>) {
        let Self { into, limits, .. } = self;
        match (role, value) {
            (Role::Message, value) => {
                if set_message(&mut into.message, value) == Some(Mishap::Cut) {
                    into.attributes.add_dropped(1);
                }
            }
            (Role::Error, Value::Str(text)) => {
                let (key, rank) = match self.exceptions {
                    true => (EXCEPTION_MESSAGE, Rank::IfNew),
                    false => (key, Rank::Field),
                };
                if rank.fits(key, &into.attributes) {
                    into.attributes.set_str(key, text, limits);
                }
                into.errors.be_about(text);
            }
            (_, value) => into.attributes.set(key, value, limits),
        }
    }

    fn set_error(&mut self, planned: Planned, error: Told<'_>) {
        let Self { into, limits, exceptions } = self;
        let set = |key: otlp_core::wire::Key<'_>, value: Value<'_>, rank: Rank| {
            if rank.fits(key, &into.attributes) {
                into.attributes.set(key, value, limits);
            }
        };
        error.describe(planned.key, *exceptions, set);
        into.errors.add(error);
    }

    fn count_cut(&mut self) {
        self.into.attributes.add_dropped(1);
    }
}

/// A value as the text of a message.
fn set_message(message: &mut String, value: Value<'_>) -> Option<Mishap> {
    message.clear();
    // Numbers and bytes: nothing of theirs panics.
    match value {
        Value::Str(text) => {
            message.push_str(text);
            None
        }
        Value::I64(int) => text::push(message, &int),
        Value::F64(number) => text::push(message, &number),
        Value::Bool(value) => text::push(message, &value),
        Value::Bytes(bytes) => text::push(message, &bytes),
        _ => None,
    }
}

thread_local! {
    static SCRATCH: Cell<Option<Box<Collected>>> = const { Cell::new(None) };
}

/// Memory of a message that is kept.
const MESSAGE_BYTES_KEPT: usize = 4 * 1024;
