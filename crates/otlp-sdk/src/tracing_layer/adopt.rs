//! A parent that becomes known after its child was started.

use std::borrow::Cow;

use opentelemetry::Context;
use opentelemetry::trace::{SpanContext, TraceContextExt};

use super::TracingLayer;
use super::entered;
use super::open::OpenSpan;
use super::span_ext::SpanError;
use super::start::Question;
use crate::clock::Started;
use crate::foreign::is_too_deep;
use crate::trace::counts::{Counted, Origin};
use crate::trace::local;
use crate::trace::recorder::Recorder;
use crate::trace::sampler::Decision;
use crate::trace::tracer::{Decided, NewSpan, identity, take_over};

impl TracingLayer {
    /// Gives a span another parent: new trace id and decision, the same span id.
    ///
    /// The sampler is asked with nothing locked. Should a child be started meanwhile, the parent stays
    /// as it was; so it does where the span itself is said to be its parent.
    pub(super) fn set_parent(&self, id: u64, cx: &Context) -> Result<(), SpanError> {
        let asks = self.scope.provider.has_foreign_sampler();
        let known = self.open.with(id, |span| Before::of(span, asks)).ok_or(SpanError::NotFound)?;
        // A sampler that sets a parent is asked again about that, and comes to an end here.
        if is_too_deep() {
            return Err(SpanError::NotFound);
        }
        if known.is_settled {
            return Err(SpanError::HasChildren);
        }
        if known.passes_on {
            return self.pass_on(id, cx);
        }
        let parent = cx.span();
        if is_same(parent.span_context(), &known.context) {
            return Ok(());
        }
        let parent = Some(parent.span_context()).filter(|parent| parent.is_valid());
        let new = match &known.question {
            Some(question) => question.asked(),
            None => NewSpan::named(Cow::Borrowed(known.name)),
        };
        let decided = self.scope.decide(&new, cx, parent, Some(known.context.span_id()));
        parent.into_iter().for_each(take_over);
        let change = Change { cx, parent, decided, fresh: None };
        let change = self.with_recorder(change, &known);
        self.apply(id, change)
    }

    /// Gives another context to a span that only passes one on. It is counted already.
    fn pass_on(&self, id: u64, cx: &Context) -> Result<(), SpanError> {
        let replaced = self.open.with(id, |span| match span.is_settled() {
            true => Err(SpanError::HasChildren),
            // The old one goes out of the lock: what it carries is not ours.
            false => Ok(std::mem::replace(&mut span.context, cx.clone())),
        });
        let _old_context = replaced.ok_or(SpanError::NotFound)??;
        entered::replace(self.id, id, cx.clone());
        Ok(())
    }

    /// A span that was not recorded so far is from now on, if that is decided.
    fn with_recorder<'a>(&self, mut change: Change<'a>, known: &Before) -> Change<'a> {
        if !known.has_recorder && change.decided.decision != Decision::Drop {
            let start_time = known.started.and_then(|started| started.system_time());
            let new = NewSpan { start_time, ..NewSpan::named(Cow::Borrowed(known.name)) };
            let Change { cx, parent, decided, .. } = &change;
            let mut recorder = self.scope.begin(new, cx, *parent, &decided.context);
            recorder.started = known.started.unwrap_or(recorder.started);
            self.call_site(known.metadata, |call_site| self.record_place(&mut recorder, call_site));
            change.fresh = Some(recorder);
        }
        change
    }

    fn apply(&self, id: u64, mut change: Change<'_>) -> Result<(), SpanError> {
        let context = self.context_in(change.cx, id, change.decided.context.clone());
        let current = context.clone();
        let decision = change.decided.decision;
        let counted = Counted::Started(Origin::of(change.parent), decision);
        let applied = self.open.with(id, |span| {
            if span.is_settled() {
                return Err(SpanError::HasChildren);
            }
            change.put_into(span);
            let before = std::mem::replace(&mut span.decision, decision);
            let counted_before = std::mem::replace(&mut span.counted, counted);
            // The old context goes out of the lock: what it carries is not ours.
            Ok((before, counted_before, std::mem::replace(&mut span.context, context)))
        });
        let (before, counted_before, _old_context) = applied.ok_or(SpanError::NotFound)??;
        change.fresh.into_iter().for_each(local::put_back);
        self.scope.provider.recount(counted_before, counted);
        if before == Decision::Drop && decision != Decision::Drop {
            self.tell_processors(id, &current, change.cx);
        }
        entered::replace(self.id, id, current);
        Ok(())
    }

    /// Processors see the start of a span that was none for them so far.
    fn tell_processors(&self, id: u64, context: &Context, parent: &Context) {
        let provider = &self.scope.provider;
        if provider.core.has_processors {
            let span = context.span();
            self.open.lend(id, |recorder| {
                provider.processors_on_start(recorder, span.span_context(), parent);
            });
        }
    }
}

/// Whether a context has the span itself, as that which a propagator hands back inside the span when it
/// has found no header.
fn is_same(parent: &SpanContext, span: &SpanContext) -> bool {
    parent.span_id() == span.span_id() && parent.trace_id() == span.trace_id()
}

/// A span before its parent changes.
struct Before {
    name: &'static str,
    metadata: &'static tracing::Metadata<'static>,
    context: SpanContext,
    is_settled: bool,
    passes_on: bool,
    has_recorder: bool,
    /// If it was timed before it is recorded.
    started: Option<Started>,
    question: Option<Question>,
}

impl Before {
    fn of(span: &OpenSpan, asks: bool) -> Self {
        let recorder = span.recorder.as_deref();
        Self {
            name: span.metadata.name(),
            metadata: span.metadata,
            context: span.span_context(),
            is_settled: span.is_settled(),
            passes_on: span.passes_on,
            has_recorder: recorder.is_some(),
            started: span.activity.as_ref().map(|activity| activity.started),
            question: recorder.filter(|_| asks).map(Question::about),
        }
    }
}

/// What a span becomes.
struct Change<'a> {
    cx: &'a Context,
    parent: Option<&'a SpanContext>,
    decided: Decided,
    /// For a span that had no recorder.
    fresh: Option<Box<Recorder>>,
}

impl Change<'_> {
    fn put_into(&mut self, span: &mut OpenSpan) {
        let Self { cx, parent, decided, fresh } = self;
        let recorder = match (&mut span.recorder, fresh.take()) {
            (Some(recorder), unused) => {
                *fresh = unused;
                recorder
            }
            (none, Some(recorder)) => none.insert(recorder),
            (None, None) => return,
        };
        recorder.sampled = decided.context.is_sampled();
        recorder.encoder.set_identity(identity(cx, *parent, &decided.context));
        recorder.set_parent(*parent);
        for attribute in decided.attributes.iter().flatten() {
            recorder.set_attribute(attribute);
        }
    }
}
