//! Visits the fields of spans and events: one way for every kind of value, wherever they go.

use std::error::Error;
use std::fmt;

use otlp_core::wire::{AttributeList, Elements, Key, Value};
use tracing::field::{Field, Visit};

use super::call_site::{CallSite, Planned, Role};
use super::text::{self, Mishap};

/// Where the fields go. It is asked when a value has become what it will be: code that is not ours has
/// run before.
pub(super) trait Sink {
    /// Takes a value, formatted ones as text.
    fn set(&mut self, planned: Planned, value: Value<'_>);

    /// Takes an error that was recorded as one.
    fn set_error(&mut self, planned: Planned, error: Told<'_>);

    /// Counts a text that was longer than what is kept of it.
    fn count_cut(&mut self);

    /// Longest text that is made of a value.
    fn text_bytes_max(&self, _role: Role) -> usize {
        text::TEXT_BYTES_MAX
    }
}

/// Hands the fields of a call site to a sink.
pub(super) struct Visitor<'a, S> {
    call_site: &'a CallSite,
    sink: S,
    panics: u32,
}

impl<'a, S: Sink> Visitor<'a, S> {
    #[inline]
    pub(super) fn new(call_site: &'a CallSite, sink: S) -> Self {
        Self { call_site, sink, panics: 0 }
    }

    /// How many values have panicked.
    #[inline]
    pub(super) fn panics(&self) -> u32 {
        self.panics
    }

    #[inline(always)]
    fn set(&mut self, field: &Field, value: Value<'_>) {
        self.sink.set(self.call_site.planned(field), value);
    }

    /// An integer, if it fits; the wire knows only signed ones of 64 bits.
    #[inline(always)]
    fn set_int<T>(&mut self, field: &Field, value: T)
    where
        T: Copy + fmt::Debug + TryInto<i64>,
    {
        match value.try_into() {
            Ok(value) => self.set(field, Value::I64(value)),
            Err(_) => self.record_debug(field, &value),
        }
    }

    fn count(&mut self, mishap: Option<Mishap>) {
        match mishap {
            Some(Mishap::Panicked) => self.panics += 1,
            Some(Mishap::Cut) => self.sink.count_cut(),
            None => {}
        }
    }
}

impl<S: Sink> Visit for Visitor<'_, S> {
    fn record_i64(&mut self, field: &Field, value: i64) {
        self.set(field, Value::I64(value));
    }

    fn record_u64(&mut self, field: &Field, value: u64) {
        self.set_int(field, value);
    }

    fn record_i128(&mut self, field: &Field, value: i128) {
        self.set_int(field, value);
    }

    fn record_u128(&mut self, field: &Field, value: u128) {
        self.set_int(field, value);
    }

    fn record_f64(&mut self, field: &Field, value: f64) {
        self.set(field, Value::F64(value));
    }

    fn record_bool(&mut self, field: &Field, value: bool) {
        self.set(field, Value::Bool(value));
    }

    fn record_str(&mut self, field: &Field, value: &str) {
        self.set(field, Value::Str(value));
    }

    fn record_bytes(&mut self, field: &Field, value: &[u8]) {
        self.set(field, Value::Bytes(value));
    }

    fn record_error(&mut self, field: &Field, error: &(dyn Error + 'static)) {
        let (mut message, mut causes) = (String::new(), Vec::new());
        let mishap = text::push_error(&mut message, &mut causes, error);
        self.count(mishap);
        let told = Told { message: &message, causes: &causes };
        self.sink.set_error(self.call_site.planned(field), told);
    }

    fn record_debug(&mut self, field: &Field, value: &dyn fmt::Debug) {
        let bytes_max = self.sink.text_bytes_max(self.call_site.planned(field).role);
        let mishap = text::with_text(value, bytes_max, |text| self.set(field, Value::Str(text)));
        self.count(mishap);
    }
}

/// An error in its own words.
#[derive(Clone, Copy)]
pub(super) struct Told<'a> {
    pub(super) message: &'a str,
    pub(super) causes: &'a [String],
}

impl Told<'_> {
    /// Sets the attributes that an error becomes, as field `key`. Those of the conventions never take the place
    /// of a field of the user's (row G-L5).
    pub(super) fn describe(
        self,
        key: Key<'_>,
        exceptions: bool,
        mut set: impl FnMut(Key<'_>, Value<'_>, Rank),
    ) {
        if exceptions {
            self.describe_exception(|key, value| set(key, value, Rank::IfNew));
        }
        set(key, Value::Str(self.message), Rank::Field);
        let chain = format!("{}.chain", key.name());
        set(Key::new(&chain), Value::Array(&self), Rank::Field);
    }

    /// Sets the attributes that the semantic conventions name.
    pub(super) fn describe_exception(self, mut set: impl FnMut(Key<'_>, Value<'_>)) {
        set(EXCEPTION_MESSAGE, Value::Str(self.message));
        set(EXCEPTION_STACKTRACE, Value::Array(&self));
    }
}

/// Whether an attribute takes the place of one that is there.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Rank {
    Field,
    IfNew,
}

impl Rank {
    /// Whether a list takes an attribute of this rank.
    pub(super) fn fits(self, key: Key<'_>, list: &AttributeList) -> bool {
        self == Self::Field || list.entry(key.name()).is_none()
    }
}

/// The causes.
impl Elements for Told<'_> {
    fn for_each(&self, f: &mut dyn FnMut(Value<'_>)) {
        self.causes.iter().for_each(|cause| f(Value::Str(cause)));
    }
}

pub(super) const EXCEPTION_MESSAGE: Key<'static> = Key::new("exception.message");
const EXCEPTION_STACKTRACE: Key<'static> = Key::new("exception.stacktrace");
