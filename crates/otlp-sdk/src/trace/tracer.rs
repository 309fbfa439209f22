//! The tracer: decides about a span and starts it.

use std::borrow::Cow;
use std::sync::Arc;
use std::time::SystemTime;

use opentelemetry::trace::{
    Event, Link, SpanBuilder, SpanContext, SpanKind, TraceContextExt, TraceFlags, TraceState,
};
use opentelemetry::{Context, KeyValue};
use otlp_core::span::{ParentContext, SpanIdentity};

use super::counts::{Counted, Origin};
use super::encode;
use super::local;
use super::provider::{Handle, Scope};
use super::sampler::{Decision, SamplingInput};
use super::span::Span;
use crate::clock::{Clock, unix_nano};
use crate::foreign::is_too_deep;
use crate::propagation::{RANDOM, child_flags, trace_state_header};

/// Starts spans of one instrumentation scope.
#[derive(Clone, Debug)]
pub struct Tracer {
    /// Keeps the pipelines running as long as somebody can start spans.
    _handle: Arc<Handle>,
    scope: Arc<Scope>,
}

impl Tracer {
    pub(crate) fn new(handle: Arc<Handle>, scope: Arc<Scope>) -> Self {
        Self { _handle: handle, scope }
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
struct NewSpan<'a> {
    name: Cow<'static, str>,
    kind: &'a SpanKind,
    start_time: Option<SystemTime>,
    attributes: &'a [KeyValue],
    events: &'a [Event],
    links: &'a [Link],
}

impl NewSpan<'_> {
    #[inline]
    const fn named(name: Cow<'static, str>) -> Self {
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
        let provider = &*self.scope.provider;
        if !provider.core.is_active() || is_too_deep() {
            return self.not_recorded(parent);
        }
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
        let span_id = span_id.unwrap_or_else(|| provider.new_span_id());
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
        let context = SpanContext::new(trace_id, span_id, flags, false, trace_state);
        provider.count(Counted::Started(Origin::of(parent), sampling.decision));
        match sampling.decision {
            Decision::Drop => Span::new(context, None),
            _ => self.record(new, cx, parent, context, sampling.attributes.as_deref()),
        }
    }

    /// A span where none can be recorded: the parent's context goes through.
    #[cold]
    fn not_recorded(&self, parent: Option<&SpanContext>) -> Span {
        let provider = &*self.scope.provider;
        provider.count(match provider.core.is_shut_down() {
            true => Counted::AfterShutdown,
            false => Counted::Started(Origin::of(parent), Decision::Drop),
        });
        Span::new(parent.cloned().unwrap_or(SpanContext::NONE), None)
    }

    #[inline]
    fn record(
        &self,
        new: NewSpan<'_>,
        cx: &Context,
        parent: Option<&SpanContext>,
        context: SpanContext,
        sampler_attributes: Option<&[KeyValue]>,
    ) -> Span {
        let started = Clock::global().start();
        let mut recorder = local::take_recorder(&self.scope, started);
        recorder.sampled = context.is_sampled();
        recorder.end_unix_nano = None;
        if let Some(parent) = parent.filter(|_| self.scope.provider.core.has_processors) {
            recorder.parent = parent.clone();
        }
        let NewSpan { name, kind, start_time, attributes, events, links } = new;
        let identity = SpanIdentity {
            trace_id: context.trace_id().to_bytes(),
            span_id: context.span_id().to_bytes(),
            trace_flags: context.trace_flags().to_u8(),
            trace_state: match parent {
                // Nothing was extracted for a trace that starts here.
                None if context.trace_state() == &TraceState::NONE => Cow::Borrowed(""),
                _ => trace_state_header(cx, &context).unwrap_or_default().into(),
            },
            parent: parent.map(|parent| ParentContext {
                span_id: parent.span_id().to_bytes(),
                is_remote: parent.is_remote(),
            }),
        };
        let kind = encode::kind(kind);
        let start = start_time.map_or(started.unix_nano, unix_nano);
        recorder.encoder.start(identity, name, kind, start);
        for attribute in attributes.iter().chain(sampler_attributes.unwrap_or_default()) {
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
