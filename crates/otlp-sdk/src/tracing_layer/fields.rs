//! The fields of a span, on their way into its encoder.

use otlp_core::SpanLimits;
use otlp_core::span::{SpanEncoder, SpanKind, StatusCode};
use otlp_core::wire::Value;

use super::call_site::{Planned, Role};
use super::open::OpenSpans;
use super::visit::{Sink, Told};
use crate::trace::recorder::Recorder;

/// Sets the fields of a span wherever its recorder is.
pub(super) struct SpanFields<P> {
    pub(super) place: P,
    pub(super) exceptions: bool,
}

/// Where a recorder is.
pub(super) trait Place {
    fn with(&mut self, set: impl FnOnce(&mut Recorder));
}

/// The recorder of a span that nobody else knows yet.
impl Place for &mut Recorder {
    #[inline(always)]
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

impl<P: Place> SpanFields<P> {
    #[inline(always)]
    fn encode(&mut self, set: impl FnOnce(&mut SpanEncoder, &SpanLimits)) {
        self.place.with(|recorder| {
            let Recorder { encoder, scope, .. } = recorder;
            set(encoder, &scope.provider.limits);
        });
    }
}

impl<P: Place> Sink for SpanFields<P> {
    /// Inlined, so that the kind of value is known.
    #[inline(always)]
    fn set(&mut self, Planned { key, role }: Planned, value: Value<'_>) {
        self.encode(|encoder, limits| match value {
            Value::Str(text) if role == Role::Attribute => encoder.set_str(key, text, limits),
            Value::Str(text) => set_special(encoder, role, text),
            Value::I64(int) => encoder.set_i64(key, int, limits),
            Value::F64(number) => encoder.set_f64(key, number, limits),
            Value::Bool(value) => encoder.set_bool(key, value, limits),
            other => encoder.set_attribute(key, other, limits),
        });
    }

    fn set_error(&mut self, planned: Planned, error: Told<'_>) {
        let exceptions = self.exceptions;
        self.encode(|encoder, limits| {
            error.describe(planned.key, exceptions, |key, value| {
                encoder.set_attribute(key, value, limits);
            });
        });
    }

    fn count_cut(&mut self) {
        self.encode(|encoder, _| encoder.add_dropped_attributes(1));
    }
}

fn set_special(encoder: &mut SpanEncoder, role: Role, text: &str) {
    match role {
        Role::SpanName => encoder.copy_name(text),
        Role::SpanKind => encoder.set_kind(span_kind(text)),
        Role::StatusCode => set_status_code(encoder, text),
        Role::StatusDescription => encoder.set_status(StatusCode::Error, text.to_owned()),
        // Roles of fields of events.
        Role::Attribute | Role::Message | Role::Error | Role::LogTarget | Role::LogPlace => {}
    }
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
        set_failed(encoder);
    }
}

/// The span has failed. A description that is there stays.
pub(super) fn set_failed(encoder: &mut SpanEncoder) {
    if encoder.status().0 == StatusCode::Unset {
        encoder.set_status(StatusCode::Error, "");
    }
}
