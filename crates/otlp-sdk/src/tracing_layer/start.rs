//! The start of a span: where it belongs, whether it is recorded, and its first fields.

use std::borrow::Cow;

use opentelemetry::trace::{SpanContext, SpanKind, TraceContextExt};
use opentelemetry::{Context, KeyValue};
use tracing::span::Attributes;

use super::TracingLayer;
use super::call_site::CallSite;
use super::entered::{self, Around};
use super::kept::Kept;
use super::open::{Activity, OpenSpan};
use crate::clock::Clock;
use crate::current::with_current;
use crate::foreign::{caught, is_too_deep};
use crate::trace::counts::{Counted, Origin};
use crate::trace::recorder::Recorder;
use crate::trace::sampler::Decision;
use crate::trace::tracer::{Decided, NewSpan, identity, take_over};
use crate::trace::{encode, local};

/// A span that `tracing` has made.
#[derive(Clone, Copy)]
pub(super) struct New<'a> {
    pub(super) attrs: &'a Attributes<'a>,
    pub(super) id: u64,
    pub(super) call_site: &'a CallSite,
    /// Whether the API's current context alone tells of its parent.
    pub(super) by_context: bool,
}

/// A span about which everything is decided.
struct Begun {
    /// What is current inside it.
    context: Context,
    /// Whether that is its parent's, untouched.
    passes_on: bool,
    decision: Decision,
    counted: Counted,
    recorder: Option<Box<Recorder>>,
    sampler_attributes: Option<Box<[KeyValue]>>,
    /// Processors see the parent's whole context.
    parent: Option<Context>,
    /// Whether its fields are recorded already.
    has_fields: bool,
    /// What is kept of them.
    kept: Option<Box<Kept>>,
}

/// What becomes of a span that cannot be recorded. It is counted.
enum Unrecorded {
    /// Nothing: telemetry is suppressed.
    Nothing,
    /// It passes its parent's context on, as without an SDK (row T5).
    PassesOn(Counted),
}

impl TracingLayer {
    /// Starts a span. `None` where telemetry is suppressed; it is counted.
    pub(super) fn start(&self, new: New<'_>) -> Option<OpenSpan> {
        let mut begun = self.begin(new)?;
        if let Some(recorder) = &mut begun.recorder {
            if !begun.has_fields {
                begun.kept = self.record_first(recorder, new);
            }
            for attribute in begun.sampler_attributes.iter().flatten() {
                recorder.set_attribute(attribute);
            }
            if let Some(parent) = begun.parent.take().filter(|_| begun.decision != Decision::Drop) {
                let context = begun.context.span();
                let provider = &self.scope.provider;
                provider.processors_on_start(recorder, context.span_context(), &parent);
            }
        } else if !begun.has_fields {
            begun.kept = self.keep_first(new);
        }
        Some(OpenSpan {
            activity: self.activity(&begun),
            kept: begun.kept,
            context: begun.context,
            passes_on: begun.passes_on,
            recorder: begun.recorder,
            decision: begun.decision,
            counted: begun.counted,
            metadata: new.call_site.metadata,
            has_child: false,
            missed: None,
            left_unix_nano: 0,
        })
    }

    /// A span that is not recorded is timed as well: it will have lasted from here on, should its parent be
    /// set.
    #[inline]
    fn activity(&self, begun: &Begun) -> Option<Box<Activity>> {
        if !self.options.activity || begun.passes_on {
            return None;
        }
        let started = begun.recorder.as_ref().map(|recorder| recorder.started);
        Some(Box::new(Activity::of(started.unwrap_or_else(|| Clock::global().start()))))
    }

    /// The parent is the span that is named, else the API's current context if somebody has attached
    /// one since the innermost span was entered, else that span.
    fn begin(&self, new: New<'_>) -> Option<Begun> {
        if let Some(parent) = new.attrs.parent() {
            let parent = self.open.parent_context(parent.into_u64());
            return self.begin_in(&parent.unwrap_or_default(), new);
        }
        if new.attrs.is_root() {
            return self.begin_in(&Context::new(), new);
        }
        match entered::around(self.id) {
            Around::Span(parent) => {
                let parent = self.open.parent_context(parent);
                self.begin_in(&parent.unwrap_or_default(), new)
            }
            Around::Current { first_child_of } => {
                first_child_of.into_iter().for_each(|parent| self.open.has_child(parent));
                self.begin_in_current(new)
            }
            Around::Attached => {
                entered::settle(self.id, |span, trace| self.open.has_descendant_in(span, trace));
                self.begin_in_current(New { by_context: true, ..new })
            }
            Around::Unknown => self.begin_in_current(New { by_context: true, ..new }),
        }
    }

    #[inline]
    fn begin_in_current(&self, new: New<'_>) -> Option<Begun> {
        if self.scope.provider.has_foreign_sampler() {
            let current = caught(|| with_current(Context::clone)).ok().flatten();
            return self.begin_asking(&current.unwrap_or_default(), new);
        }
        // Borrowed rather than cloned: nothing of the user's attaches a context in there. The API panics
        // when it is asked from within its own change of the current context.
        let begin = || with_current(|cx| self.begin_known(cx, new));
        caught(begin).unwrap_or_else(|_| Some(self.suppressed())).flatten()
    }

    fn begin_in(&self, cx: &Context, new: New<'_>) -> Option<Begun> {
        if entered::is_suppressed() {
            return self.suppressed();
        }
        if self.scope.provider.has_foreign_sampler() {
            return self.begin_asking(cx, new);
        }
        self.begin_known(cx, new)
    }

    /// With a sampler of ours, which looks at the parent and the trace id.
    #[inline]
    fn begin_known(&self, cx: &Context, new: New<'_>) -> Option<Begun> {
        let span = cx.span();
        let parent = match self.parent_in(cx, span.span_context(), new) {
            Ok(parent) => parent,
            Err(unrecorded) => return unrecorded.begun(cx),
        };
        let named = NewSpan::named(Cow::Borrowed(new.call_site.metadata.name()));
        let decided = self.scope.decide(&named, cx, parent, None);
        let counted = self.count_started(parent, decided.decision);
        let kept = decided.decision != Decision::Drop || self.is_provisional(parent);
        let recorder =
            if kept { Some(self.scope.begin(named, cx, parent, &decided.context)) } else { None };
        Some(self.begun(cx, new.id, decided, counted, recorder))
    }

    /// With a sampler that is not ours. It may want to see the attributes, so they come first.
    #[cold]
    fn begin_asking(&self, cx: &Context, new: New<'_>) -> Option<Begun> {
        let span = cx.span();
        let parent = match self.parent_in(cx, span.span_context(), new) {
            Ok(parent) => parent,
            Err(unrecorded) => return unrecorded.begun(cx),
        };
        let named = NewSpan::named(Cow::Borrowed(new.call_site.metadata.name()));
        let mut recorder = self.scope.begin(named, cx, parent, &SpanContext::NONE);
        let kept = self.record_first(&mut recorder, new);
        let question = Question::about(&recorder);
        let decided = self.scope.decide(&question.asked(), cx, parent, None);
        let counted = self.count_started(parent, decided.decision);
        if decided.decision == Decision::Drop && !self.is_provisional(parent) {
            local::put_back(recorder);
            let begun = self.begun(cx, new.id, decided, counted, None);
            return Some(Begun { has_fields: true, kept, ..begun });
        }
        recorder.sampled = decided.context.is_sampled();
        recorder.encoder.set_identity(identity(cx, parent, &decided.context));
        let begun = self.begun(cx, new.id, decided, counted, Some(recorder));
        Some(Begun { has_fields: true, kept, ..begun })
    }

    /// The parent in a context, if there is one.
    #[inline]
    fn parent_in<'a>(
        &self,
        cx: &Context,
        parent: &'a SpanContext,
        new: New<'_>,
    ) -> Result<Option<&'a SpanContext>, Unrecorded> {
        let known = parent.is_valid().then_some(parent);
        if cx.is_telemetry_suppressed() || !self.scope.can_record() {
            return Err(self.unrecorded(cx, known));
        }
        known.filter(|_| new.by_context).into_iter().for_each(take_over);
        Ok(known)
    }

    #[cold]
    fn unrecorded(&self, cx: &Context, parent: Option<&SpanContext>) -> Unrecorded {
        if cx.is_telemetry_suppressed() {
            self.count_started(None, Decision::Drop);
            return Unrecorded::Nothing;
        }
        let counted = self.scope.count_not_recorded(parent);
        // What foreign code starts for foreign code, and on threads of exporters, is nothing at all.
        if is_too_deep() { Unrecorded::Nothing } else { Unrecorded::PassesOn(counted) }
    }

    #[cold]
    fn suppressed<T>(&self) -> Option<T> {
        self.count_started(None, Decision::Drop);
        None
    }

    #[inline]
    fn count_started(&self, parent: Option<&SpanContext>, decision: Decision) -> Counted {
        let counted = Counted::Started(Origin::of(parent), decision);
        self.scope.provider.count(counted);
        counted
    }

    /// Whether a span that was sampled out is recorded nevertheless: its parent may become known later,
    /// as that of a request which a middleware reads from its headers. It stays so until it has a child.
    fn is_provisional(&self, parent: Option<&SpanContext>) -> bool {
        parent.is_none() && !self.scope.provider.always_drops()
    }

    #[inline]
    fn begun(
        &self,
        cx: &Context,
        id: u64,
        decided: Decided,
        counted: Counted,
        recorder: Option<Box<Recorder>>,
    ) -> Begun {
        let Decided { context, decision, attributes } = decided;
        Begun {
            context: self.context_in(cx, id, context),
            passes_on: false,
            decision,
            counted,
            recorder,
            sampler_attributes: attributes,
            parent: self.scope.provider.core.has_processors.then(|| cx.clone()),
            has_fields: false,
            kept: None,
        }
    }
}

impl Unrecorded {
    #[cold]
    fn begun(self, parent: &Context) -> Option<Begun> {
        let Self::PassesOn(counted) = self else { return None };
        Some(Begun {
            context: parent.clone(),
            passes_on: true,
            decision: Decision::Drop,
            counted,
            recorder: None,
            sampler_attributes: None,
            parent: None,
            has_fields: false,
            kept: None,
        })
    }
}

/// What a sampler that is not ours is asked.
pub(super) struct Question {
    name: String,
    kind: SpanKind,
    attributes: Vec<KeyValue>,
}

impl Question {
    pub(super) fn about(recorder: &Recorder) -> Self {
        Self {
            name: recorder.encoder.name().to_owned(),
            kind: encode::api_kind(recorder.encoder.kind()),
            attributes: recorder.api_attributes(),
        }
    }

    pub(super) fn asked(&self) -> NewSpan<'_> {
        NewSpan {
            kind: &self.kind,
            attributes: &self.attributes,
            ..NewSpan::named(Cow::Owned(self.name.clone()))
        }
    }
}
