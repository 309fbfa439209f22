//! The tracer: decides about a span and starts it.

use std::borrow::Cow;
use std::sync::Arc;
use std::time::SystemTime;

use opentelemetry::trace::{
    Event, Link, SpanBuilder, SpanContext, SpanId, SpanKind, TraceContextExt, TraceFlags,
    TraceState,
};
use opentelemetry::{Context, KeyValue};
use otlp_core::span::{ParentContext, SpanIdentity};

use super::counts::{Counted, Origin};
use super::encode;
use super::local;
use super::provider::{Handle, Scope};
use super::recorder::Recorder;
use super::sampler::{Decision, SamplingInput};
use super::span::Span;
use crate::clock::{Clock, unix_nano};
use crate::foreign::is_too_deep;
use crate::propagation::{RANDOM, child_flags, trace_state_header};

/// Starts spans of one instrumentation scope.
#[derive(Clone, Debug)]
pub struct Tracer {
    /// Keeps the pipelines running as long as somebody can start spans.
    #[cfg_attr(
        not(feature = "tracing"),
        expect(dead_code, reason = "the layer gives it away; others only hold it")
    )]
    handle: Arc<Handle>,
    scope: Arc<Scope>,
}

impl Tracer {
    pub(crate) fn new(handle: Arc<Handle>, scope: Arc<Scope>) -> Self {
        Self { handle, scope }
    }

    /// What keeps the pipelines running, and what starts spans.
    #[cfg(feature = "tracing")]
    pub(crate) fn into_parts(self) -> (Arc<Handle>, Arc<Scope>) {
        (self.handle, self.scope)
    }

    /// Whether a span started now could be recorded: false without a processor and after shutdown
    /// (row T4).
    #[must_use]
    pub fn enabled(&self) -> bool {
        self.scope.provider.core.is_active()
    }
}

impl opentelemetry::trace::Tracer for Tracer {
    type Span = Span;

    /// Starts a span (rows T7, T8): trace id, sampler, span id, span.
    ///
    /// Processors, samplers and id generators may start spans too. What they start for one of those
    /// is not recorded, so that one which starts a span for every span comes to an end.
    ///
    /// Runs while the thread's context cell may be borrowed, so nothing in here attaches a context.
    fn build_with_context(&self, mut builder: SpanBuilder, cx: &Context) -> Span {
        let new = NewSpan {
            name: std::mem::take(&mut builder.name),
            kind: builder.span_kind.as_ref().unwrap_or(&SpanKind::Internal),
            start_time: builder.start_time,
            attributes: builder.attributes.as_deref().unwrap_or_default(),
            events: builder.events.as_deref().unwrap_or_default(),
            links: builder.links.as_deref().unwrap_or_default(),
        };
        self.start_in(new, cx)
    }

    /// The same for a span of which only the name is known, without a builder on the way.
    #[inline]
    fn start_with_context<T>(&self, name: T, cx: &Context) -> Span
    where
        T: Into<Cow<'static, str>>,
    {
        self.start_in(NewSpan::named(name.into()), cx)
    }
}

/// What is known of a span before it starts.
pub(crate) struct NewSpan<'a> {
    pub(crate) name: Cow<'static, str>,
    pub(crate) kind: &'a SpanKind,
    pub(crate) start_time: Option<SystemTime>,
    pub(crate) attributes: &'a [KeyValue],
    pub(crate) events: &'a [Event],
    pub(crate) links: &'a [Link],
}

impl NewSpan<'_> {
    #[inline]
    pub(crate) const fn named(name: Cow<'static, str>) -> Self {
        Self {
            name,
            kind: &SpanKind::Internal,
            start_time: None,
            attributes: &[],
            events: &[],
            links: &[],
        }
    }
}

/// What was decided about a span that starts.
pub(crate) struct Decided {
    pub(crate) context: SpanContext,
    pub(crate) decision: Decision,
    /// What the sampler adds to its attributes.
    pub(crate) attributes: Option<Box<[KeyValue]>>,
}

impl Tracer {
    fn start_in(&self, new: NewSpan<'_>, cx: &Context) -> Span {
        if cx.is_telemetry_suppressed() {
            self.scope.provider.count(Counted::Started(Origin::None, Decision::Drop));
            return Span::new(SpanContext::NONE, None);
        }
        if !cx.has_active_span() {
            return self.start_under(new, cx, None);
        }
        let parent = cx.span();
        let parent = parent.span_context();
        self.start_under(new, cx, parent.is_valid().then_some(parent))
    }

    #[inline]
    fn start_under(&self, new: NewSpan<'_>, cx: &Context, parent: Option<&SpanContext>) -> Span {
        if !self.scope.can_record() {
            self.scope.count_not_recorded(parent);
            // The parent's context goes through.
            return Span::new(parent.cloned().unwrap_or(SpanContext::NONE), None);
        }
        parent.into_iter().for_each(take_over);
        let decided = self.scope.decide(&new, cx, parent, None);
        self.scope.provider.count(Counted::Started(Origin::of(parent), decided.decision));
        match decided.decision {
            Decision::Drop => Span::new(decided.context, None),
            _ => self.record(new, cx, parent, decided),
        }
    }

    #[inline]
    fn record(
        &self,
        new: NewSpan<'_>,
        cx: &Context,
        parent: Option<&SpanContext>,
        decided: Decided,
    ) -> Span {
        let (attributes, events, links) = (new.attributes, new.events, new.links);
        let Decided { context, attributes: sampler_attributes, .. } = decided;
        let mut recorder = self.scope.begin(new, cx, parent, &context);
        for attribute in attributes.iter().chain(sampler_attributes.as_deref().unwrap_or_default())
        {
            recorder.set_attribute(attribute);
        }
        events.iter().for_each(|event| recorder.add_api_event(event));
        links.iter().for_each(|link| recorder.add_api_link(link));
        if self.scope.provider.core.has_processors {
            self.scope.provider.processors_on_start(&mut recorder, &context, cx);
        }
        Span::new(context, Some(recorder))
    }
}

/// The steps of a span's start, which the `tracing` layer takes as well.
impl Scope {
    /// Whether a span that starts now, on this thread, could be recorded.
    #[inline]
    pub(crate) fn can_record(&self) -> bool {
        self.provider.core.is_active() && !is_too_deep()
    }

    /// Counts a span where none can be recorded. Says as what.
    #[cold]
    pub(crate) fn count_not_recorded(&self, parent: Option<&SpanContext>) -> Counted {
        let provider = &*self.provider;
        let counted = match provider.core.is_shut_down() {
            true => Counted::AfterShutdown,
            false => Counted::Started(Origin::of(parent), Decision::Drop),
        };
        provider.count(counted);
        counted
    }

    /// Asks the sampler, and makes the ids (row T7). A span that has an id keeps it.
    #[inline]
    pub(crate) fn decide(
        &self,
        new: &NewSpan<'_>,
        cx: &Context,
        parent: Option<&SpanContext>,
        own_id: Option<SpanId>,
    ) -> Decided {
        let provider = &*self.provider;
        let (trace_id, span_id) = provider.first_ids(parent);
        let sampling = match provider.at_a_glance(parent) {
            Some(decision) => decision.into(),
            None => provider.sample(&SamplingInput {
                parent_context: cx,
                parent,
                trace_id,
                name: &new.name,
                kind: new.kind,
                attributes: new.attributes,
                links: new.links,
            }),
        };
        let span_id = own_id.or(span_id).unwrap_or_else(|| provider.new_span_id());
        let sampled = sampling.decision.is_sampled();
        let flags = match parent {
            Some(parent) => child_flags(parent.trace_flags(), sampled),
            None if provider.ids_are_random => RANDOM.with_sampled(sampled),
            None => TraceFlags::default().with_sampled(sampled),
        };
        let trace_state = match (sampling.trace_state, parent) {
            (Some(state), _) => state,
            (None, Some(parent)) => parent.trace_state().clone(),
            (None, None) => TraceState::NONE,
        };
        Decided {
            context: SpanContext::new(trace_id, span_id, flags, false, trace_state),
            decision: sampling.decision,
            attributes: sampling.attributes,
        }
    }

    /// A recorder for a span that starts now, with all but its attributes, events and links.
    #[inline]
    pub(crate) fn begin(
        self: &Arc<Self>,
        new: NewSpan<'_>,
        cx: &Context,
        parent: Option<&SpanContext>,
        context: &SpanContext,
    ) -> Box<Recorder> {
        let started = Clock::global().start();
        let mut recorder = local::take_recorder(self, started);
        recorder.sampled = context.is_sampled();
        recorder.end_unix_nano = None;
        if let Some(parent) = parent.filter(|_| self.provider.core.has_processors) {
            recorder.parent = parent.clone();
        }
        let start = new.start_time.map_or(started.unix_nano, unix_nano);
        let kind = encode::kind(new.kind);
        recorder.encoder.start(identity(cx, parent, context), new.name, kind, start);
        recorder
    }
}

/// A span's ids go into another's bytes, and should not change from here on.
#[cfg(feature = "tracing")]
#[inline]
pub(crate) fn take_over(span: &SpanContext) {
    super::taken::note(span);
}

/// Only those of the `tracing` layer's spans could.
#[cfg(not(feature = "tracing"))]
#[inline]
pub(crate) fn take_over(_span: &SpanContext) {}

/// Ids and context of a span as they stand in its bytes.
#[inline]
pub(crate) fn identity(
    cx: &Context,
    parent: Option<&SpanContext>,
    context: &SpanContext,
) -> SpanIdentity {
    SpanIdentity {
        trace_id: context.trace_id().to_bytes(),
        span_id: context.span_id().to_bytes(),
        trace_flags: context.trace_flags().to_u8(),
        trace_state: match parent {
            // Nothing was extracted for a trace that starts here.
            None if context.trace_state() == &TraceState::NONE => Cow::Borrowed(""),
            _ => trace_state_header(cx, context).unwrap_or_default().into(),
        },
        parent: parent.map(|parent| ParentContext {
            span_id: parent.span_id().to_bytes(),
            is_remote: parent.is_remote(),
        }),
    }
}
