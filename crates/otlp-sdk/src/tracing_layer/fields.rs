//! The fields of a span, on their way into its encoder.

use std::error::Error;
use std::fmt;

use otlp_core::SpanLimits;
use otlp_core::span::{SpanEncoder, SpanKind, StatusCode};
use otlp_core::wire::{AttributeList, Elements, Key, Value};
use tracing::field::{Field, Visit};

use super::call_site::{CallSite, Role};
use super::open::OpenSpans;
use super::text::{self, Panicked};
use crate::trace::recorder::Recorder;

/// Records the fields of a span wherever its recorder is.
pub(super) struct Fields<'a, P> {
    pub(super) place: P,
    pub(super) call_site: &'a CallSite,
    pub(super) exceptions: bool,
    /// How many values panicked.
    pub(super) panics: u32,
}

/// Where a recorder is. Values are turned into text before it is asked for.
pub(super) trait Place {
    fn with(&mut self, set: impl FnOnce(&mut Recorder));
}

/// The recorder of a span that nobody else knows yet.
impl Place for &mut Recorder {
    #[inline]
    fn with(&mut self, set: impl FnOnce(&mut Recorder)) {
        set(self);
    }
}

/// The recorder of an open span, locked for one value at a time.
pub(super) struct Opened<'a>(pub(super) &'a OpenSpans, pub(super) u64);

impl Place for Opened<'_> {
    #[inline]
    fn with(&mut self, set: impl FnOnce(&mut Recorder)) {
        let Self(spans, id) = self;
        spans.record(*id, set);
    }
}

impl<P: Place> Fields<'_, P> {
    #[inline]
    fn encode(&mut self, set: impl FnOnce(&mut SpanEncoder, &SpanLimits)) {
        self.place.with(|recorder| {
            let Recorder { encoder, scope, .. } = recorder;
            set(encoder, &scope.provider.limits);
        });
    }

    #[inline]
    fn key(&self, field: &Field) -> Key<'static> {
        self.call_site.planned(field).key
    }

    fn text(&mut self, field: &Field, text: &str) {
        let planned = self.call_site.planned(field);
        self.encode(|encoder, limits| match planned.role {
            Role::SpanName => encoder.update_name(text.to_owned()),
            Role::SpanKind => encoder.set_kind(span_kind(text)),
            Role::StatusCode => set_status_code(encoder, text),
            Role::StatusDescription => encoder.set_status(StatusCode::Error, text.to_owned()),
            Role::Attribute | Role::Message | Role::Error => {
                encoder.set_str(planned.key, text, limits);
            }
        });
    }

    fn formatted(&mut self, field: &Field, value: &dyn fmt::Debug) {
        let done = text::with_text(value, |text| self.text(field, text));
        self.count(&done);
    }

    fn count(&mut self, done: &Result<(), Panicked>) {
        self.panics += u32::from(done.is_err());
    }
}

impl<P: Place> Visit for Fields<'_, P> {
    fn record_i64(&mut self, field: &Field, value: i64) {
        let key = self.key(field);
        self.encode(|encoder, limits| encoder.set_i64(key, value, limits));
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
        let key = self.key(field);
        self.encode(|encoder, limits| encoder.set_f64(key, value, limits));
    }

    fn record_bool(&mut self, field: &Field, value: bool) {
        let key = self.key(field);
        self.encode(|encoder, limits| encoder.set_bool(key, value, limits));
    }

    fn record_str(&mut self, field: &Field, value: &str) {
        self.text(field, value);
    }

    fn record_bytes(&mut self, field: &Field, value: &[u8]) {
        let key = self.key(field);
        self.encode(|encoder, limits| encoder.set_attribute(key, Value::Bytes(value), limits));
    }

    fn record_error(&mut self, field: &Field, error: &(dyn Error + 'static)) {
        let (mut message, mut causes) = (String::new(), Vec::new());
        let done = text::push_error(&mut message, &mut causes, error);
        self.count(&done);
        let (key, exceptions) = (self.key(field), self.exceptions);
        let told = Told { message: &message, causes: &causes };
        self.encode(|encoder, limits| {
            told.describe(key, exceptions, |key, value| encoder.set_attribute(key, value, limits));
        });
    }

    fn record_debug(&mut self, field: &Field, value: &dyn fmt::Debug) {
        self.formatted(field, value);
    }
}

/// An error in its own words.
#[derive(Clone, Copy)]
pub(super) struct Told<'a> {
    pub(super) message: &'a str,
    pub(super) causes: &'a [String],
}

impl Told<'_> {
    /// Sets the attributes that an error becomes, as field `key`.
    pub(super) fn describe(
        self,
        key: Key<'_>,
        exceptions: bool,
        mut set: impl FnMut(Key<'_>, Value<'_>),
    ) {
        if exceptions {
            self.describe_exception(&mut set);
        }
        set(key, Value::Str(self.message));
        let chain = format!("{}.chain", key.name());
        set(Key::new(&chain), Value::Array(&self));
    }

    /// Sets the attributes that the semantic conventions name.
    pub(super) fn describe_exception(self, mut set: impl FnMut(Key<'_>, Value<'_>)) {
        set(EXCEPTION_MESSAGE, Value::Str(self.message));
        set(EXCEPTION_STACKTRACE, Value::Array(&self));
    }
}

/// The causes.
impl Elements for Told<'_> {
    fn for_each(&self, f: &mut dyn FnMut(Value<'_>)) {
        self.causes.iter().for_each(|cause| f(Value::Str(cause)));
    }
}

/// Sets a list of attributes' entries.
pub(super) fn set_in<'l>(
    list: &'l mut AttributeList,
    limits: &'l otlp_core::AttributeLimits,
) -> impl FnMut(Key<'_>, Value<'_>) + 'l {
    |key, value| list.set(key, value, limits)
}

/// The kind that a text names, in whatever case; another text means an internal span.
fn span_kind(text: &str) -> SpanKind {
    let kinds = [
        ("server", SpanKind::Server),
        ("client", SpanKind::Client),
        ("producer", SpanKind::Producer),
        ("consumer", SpanKind::Consumer),
    ];
    let named = kinds.into_iter().find(|(name, _)| text.eq_ignore_ascii_case(name));
    named.map_or(SpanKind::Internal, |(_, kind)| kind)
}

/// `ok` or `error`, in whatever case; another text says nothing. An error keeps its description,
/// whichever of the two came first.
fn set_status_code(encoder: &mut SpanEncoder, text: &str) {
    if text.eq_ignore_ascii_case("ok") {
        encoder.set_status(StatusCode::Ok, "");
    } else if text.eq_ignore_ascii_case("error") {
        set_error(encoder);
    }
}

/// The span has failed. A description that is there stays.
pub(super) fn set_error(encoder: &mut SpanEncoder) {
    if encoder.status().0 == StatusCode::Unset {
        encoder.set_status(StatusCode::Error, "");
    }
}

pub(super) const EXCEPTION_MESSAGE: Key<'static> = Key::new("exception.message");
const EXCEPTION_STACKTRACE: Key<'static> = Key::new("exception.stacktrace");
