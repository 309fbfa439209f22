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
#[derive(Clone, Copy)]
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
    /// Inlined, so that the kind of value is known. A closure for each, since one for all might not be.
    #[inline(always)]
    fn set(&mut self, Planned { key, role }: Planned, value: Value<'_>) {
        match value {
            Value::Str(text) if role == Role::Attribute => {
                self.encode(|encoder, limits| encoder.set_str(key, text, limits));
            }
            Value::Str(text) => {
                self.encode(|encoder, limits| {
                    set_special(encoder, Planned { key, role }, text, limits);
                });
            }
            Value::I64(int) => self.encode(|encoder, limits| encoder.set_i64(key, int, limits)),
            Value::F64(number) => {
                self.encode(|encoder, limits| encoder.set_f64(key, number, limits));
            }
            Value::Bool(value) => {
                self.encode(|encoder, limits| encoder.set_bool(key, value, limits));
            }
            other => self.encode(|encoder, limits| encoder.set_attribute(key, other, limits)),
        }
    }

    fn set_error(&mut self, planned: Planned, error: Told<'_>) {
        let exceptions = self.exceptions;
        self.encode(|encoder, limits| {
            error.describe(planned.key, exceptions, |key, value, rank| {
                if rank.fits(key, encoder.attributes()) {
                    encoder.set_attribute(key, value, limits);
                }
            });
        });
    }

    fn count_cut(&mut self) {
        self.encode(|encoder, _| encoder.add_dropped_attributes(1));
    }
}

/// A text in a field with a meaning. One that means nothing, such as a kind that there is not, is an attribute, so that
/// it is seen.
fn set_special(encoder: &mut SpanEncoder, planned: Planned, text: &str, limits: &SpanLimits) {
    match (planned.role, span_kind(text), status_code(text)) {
        (Role::SpanName, ..) => encoder.copy_name(text),
        (Role::SpanKind, Some(kind), _) => encoder.set_kind(kind),
        (Role::StatusCode, _, Some(StatusCode::Error)) => set_failed(encoder),
        (Role::StatusCode, _, Some(code)) => encoder.set_status(code, ""),
        (Role::StatusDescription, ..) => encoder.set_status(StatusCode::Error, text.to_owned()),
        _ => encoder.set_str(planned.key, text, limits),
    }
}

/// Whether a text in a field says something of the span and is no attribute.
pub(super) fn has_meaning(role: Role, text: &str) -> bool {
    match role {
        Role::SpanName | Role::StatusDescription => true,
        Role::SpanKind => span_kind(text).is_some(),
        Role::StatusCode => status_code(text).is_some(),
        // The others are roles of fields of events.
        Role::Attribute | Role::Message | Role::Error | Role::LogTarget | Role::LogPlace => false,
    }
}

/// The kind that a text names, in whatever case.
fn span_kind(text: &str) -> Option<SpanKind> {
    let kinds = [
        ("internal", SpanKind::Internal),
        ("server", SpanKind::Server),
        ("client", SpanKind::Client),
        ("producer", SpanKind::Producer),
        ("consumer", SpanKind::Consumer),
    ];
    named(&kinds, text)
}

/// The status that a text names, in whatever case. An error keeps its description, whichever of the two came
/// first.
fn status_code(text: &str) -> Option<StatusCode> {
    let codes =
        [("ok", StatusCode::Ok), ("error", StatusCode::Error), ("unset", StatusCode::Unset)];
    named(&codes, text)
}

fn named<T: Copy>(all: &[(&str, T)], text: &str) -> Option<T> {
    let found = all.iter().find(|(name, _)| text.eq_ignore_ascii_case(name));
    found.map(|(_, named)| *named)
}

/// The span has failed. A description that is there stays.
pub(super) fn set_failed(encoder: &mut SpanEncoder) {
    if encoder.status().0 == StatusCode::Unset {
        encoder.set_status(StatusCode::Error, "");
    }
}
