//! What a span has from its start: where it is, on which thread, and the fields that have a value.

use std::cell::Cell;

use otlp_core::wire::Key;
use tracing::field::Visit;

use super::TracingLayer;
use super::call_site::CallSite;
use super::fields::SpanFields;
use super::kept::{Both, Kept, KeptFields};
use super::start::New;
use super::visit::{Sink, Visitor};
use crate::trace::recorder::Recorder;

impl TracingLayer {
    /// Records the attributes of the call site, and the fields that have a value already. Gives back what
    /// is kept of those, if anything is.
    #[inline]
    pub(super) fn record_first(&self, recorder: &mut Recorder, new: New<'_>) -> Option<Box<Kept>> {
        self.record_place(recorder, new.call_site);
        let fields = SpanFields { place: recorder, exceptions: self.options.exceptions };
        match self.keeper(new) {
            Some(kept) => Some(self.visit_and_keep(new, fields, kept)),
            None => {
                self.visit(new.call_site, fields, |visitor| new.attrs.record(visitor));
                None
            }
        }
    }

    #[cold]
    fn visit_and_keep(&self, new: New<'_>, fields: impl Sink, mut kept: Box<Kept>) -> Box<Kept> {
        let both = Both(fields, KeptFields(&mut *kept));
        self.visit(new.call_site, both, |visitor| new.attrs.record(visitor));
        kept
    }

    /// The same for a span that is not recorded.
    #[inline]
    pub(super) fn keep_first(&self, new: New<'_>) -> Option<Box<Kept>> {
        let mut kept = self.keeper(new)?;
        let fields = KeptFields(&mut *kept);
        self.visit(new.call_site, fields, |visitor| new.attrs.record(visitor));
        Some(kept)
    }

    /// Has fields visited, and counts those that panic.
    #[inline]
    pub(super) fn visit<S: Sink>(
        &self,
        call_site: &CallSite,
        sink: S,
        fields: impl FnOnce(&mut dyn Visit),
    ) {
        let mut visitor = Visitor::new(call_site, sink);
        fields(&mut visitor);
        self.count_panics(visitor.panics());
    }

    /// Where the span starts: in the code, and on which thread.
    #[inline]
    pub(super) fn record_place(&self, recorder: &mut Recorder, call_site: &CallSite) {
        recorder.encoder.begin_with(&call_site.attributes);
        if self.options.threads {
            record_thread(recorder);
        }
    }

    pub(super) fn count_panics(&self, panics: u32) {
        (0..panics).for_each(|_| self.scope.provider.core.count_panic());
    }
}

/// The thread that a span starts on.
fn record_thread(recorder: &mut Recorder) {
    let limits = recorder.scope.provider.limits;
    let thread = std::thread::current();
    recorder.encoder.set_i64(THREAD_ID, thread_id(), &limits);
    if let Some(name) = thread.name() {
        recorder.encoder.set_str(THREAD_NAME, name, &limits);
    }
}

/// The thread's number, which the standard library shows in its `Debug` text only.
fn thread_id() -> i64 {
    let known = THREAD.get();
    if known != 0 {
        return known;
    }
    let text = format!("{:?}", std::thread::current().id());
    let digits: String = text.chars().filter(char::is_ascii_digit).collect();
    let number = digits.parse().unwrap_or(0);
    THREAD.set(number);
    number
}

thread_local! {
    static THREAD: Cell<i64> = const { Cell::new(0) };
}

const THREAD_ID: Key<'static> = Key::new("thread.id");
const THREAD_NAME: Key<'static> = Key::new("thread.name");
