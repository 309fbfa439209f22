//! What the subscriber tells the layer.

use opentelemetry::trace::TraceContextExt;
use tracing::field::Visit;
use tracing::span::{Attributes, Id, Record};
use tracing::subscriber::Interest;
use tracing::{Event, Metadata, Subscriber};
use tracing_subscriber::Layer;
use tracing_subscriber::layer;

use super::TracingLayer;
use super::call_site::{CallSite, Limits};
use super::entered;
use super::events::Collected;
use super::fields::{Opened, SpanFields};
use super::kept::{Both, KeptFields};
use super::open::OpenSpan;
use super::options::EventSink;
use super::order;
use super::start::New;
use crate::clock::Clock;
use crate::foreign::{is_too_deep, records_never};
use crate::logs::Logger;

impl<S: Subscriber> Layer<S> for TracingLayer {
    /// Encodes what the call site says of itself. The interest is always there: whoever has none
    /// would turn the call site off for all other layers as well.
    fn register_callsite(&self, metadata: &'static Metadata<'static>) -> Interest {
        self.call_site(metadata, |_| ());
        Interest::always()
    }

    fn on_new_span(&self, attrs: &Attributes<'_>, id: &Id, _ctx: layer::Context<'_, S>) {
        if records_never() {
            return;
        }
        self.call_site(attrs.metadata(), |call_site| {
            let id = id.into_u64();
            let new = New { attrs, id, call_site, by_context: false };
            let started = call_site.is_wanted.then(|| self.start(new)).flatten();
            if let Some(span) = started {
                let before = self.open.insert(id, span);
                before.into_iter().for_each(OpenSpan::close);
            }
        });
    }

    fn on_record(&self, id: &Id, values: &Record<'_>, _ctx: layer::Context<'_, S>) {
        if values.is_empty() {
            return order::look(self, id);
        }
        let id = id.into_u64();
        let known = |span: &mut OpenSpan| (span.metadata, span.is_recorded(), span.kept.is_some());
        let Some((metadata, is_recorded, is_kept)) = self.open.with(id, known) else { return };
        let place = Opened(&self.open, id);
        let fields = SpanFields { place, exceptions: self.options.exceptions };
        let record = |visitor: &mut dyn Visit| values.record(visitor);
        self.call_site(metadata, |call_site| match (is_recorded, is_kept) {
            (_, true) => self.visit(call_site, Both(fields, KeptFields(place)), record),
            (true, false) => self.visit(call_site, fields, record),
            (false, false) => {}
        });
    }

    fn on_follows_from(&self, span: &Id, follows: &Id, _ctx: layer::Context<'_, S>) {
        let span = span.into_u64();
        if self.open.record(span, |_| ()).is_none() {
            return;
        }
        // The link holds the ids of the cause, as a child would.
        if let Some(cause) = self.open.parent_context(follows.into_u64()) {
            let cause = cause.span();
            self.open.record(span, |recorder| recorder.add_link(cause.span_context(), &[]));
        }
    }

    fn on_event(&self, event: &Event<'_>, _ctx: layer::Context<'_, S>) {
        let sink = self.event_sink();
        if sink == EventSink::Nothing || records_never() || entered::is_suppressed() {
            return;
        }
        let span = match event.parent() {
            Some(id) => Some(id.into_u64()),
            None if event.is_contextual() => entered::innermost(self.id),
            None => None,
        };
        self.call_site(event.metadata(), |call_site| {
            if call_site.is_wanted {
                self.hand_out(event, sink, span, call_site);
            }
        });
    }

    fn on_enter(&self, id: &Id, _ctx: layer::Context<'_, S>) {
        let id = id.into_u64();
        let found = self.open.with(id, |span| {
            span.enter();
            (span.context.clone(), span.passes_on)
        });
        if let Some((context, passes_on)) = found {
            if entered::is_crowded() {
                entered::forget_closed(self.id, |span| self.open.with(span, |_| ()).is_some());
            }
            // What only passes a context on does not cover the span that another layer has made.
            let gives_way = passes_on && entered::is_current_for_another(self.id, id);
            entered::enter(self.id, id, context, self.options.activate && !gives_way);
        }
    }

    fn on_exit(&self, id: &Id, _ctx: layer::Context<'_, S>) {
        let id = id.into_u64();
        self.open.with(id, OpenSpan::leave);
        entered::leave(self.id, id);
    }

    fn on_close(&self, id: Id, _ctx: layer::Context<'_, S>) {
        if let Some(span) = self.open.remove(id.into_u64()) {
            span.close();
        }
    }

    fn on_id_change(&self, old: &Id, new: &Id, _ctx: layer::Context<'_, S>) {
        if let Some(span) = self.open.remove(old.into_u64()) {
            let before = self.open.insert(new.into_u64(), span);
            before.into_iter().for_each(OpenSpan::close);
        }
    }
}

impl TracingLayer {
    #[inline]
    pub(super) fn call_site<R>(
        &self,
        metadata: &'static Metadata<'static>,
        f: impl FnOnce(&CallSite) -> R,
    ) -> R {
        let make = || CallSite::new(metadata, &self.options, &self.limits());
        self.call_sites.with(metadata, make, f)
    }

    #[cold]
    fn limits(&self) -> Limits {
        let span = &self.scope.provider.limits;
        let log = self.logger.as_ref().map(Logger::attribute_limits);
        let event = span.event_attributes();
        Limits { span: span.attributes, event, log: log.unwrap_or_default() }
    }

    fn event_sink(&self) -> EventSink {
        let has_logs = self.logger.is_some();
        match self.options.events.unwrap_or(EventSink::Logs) {
            // Where nobody takes log records an event is better kept by its span than lost.
            EventSink::Logs if !has_logs => EventSink::SpanEvents,
            sink => sink,
        }
    }

    fn hand_out(
        &self,
        event: &Event<'_>,
        sink: EventSink,
        span: Option<u64>,
        call_site: &CallSite,
    ) {
        let to_span = matches!(sink, EventSink::SpanEvents | EventSink::Both);
        if let Some(span) = span.filter(|_| to_span) {
            self.span_event(span, event, call_site);
        }
        let to_logs = matches!(sink, EventSink::Logs | EventSink::Both);
        if let Some(logger) = self.logger.as_ref().filter(|_| to_logs) {
            let errors = self.log(logger, event, span, call_site);
            // A span event has told of them already.
            if let Some(span) = span.filter(|_| !to_span && errors.are_there(call_site)) {
                let options = &self.options;
                self.open.record(span, |recorder| errors.tell(recorder, call_site, options));
            }
        }
    }

    fn span_event(&self, span: u64, event: &Event<'_>, call_site: &CallSite) {
        let Some(started) = self.open.record(span, |recorder| recorder.started) else { return };
        if is_too_deep() {
            // An event in the text of an event in the text of an event.
            self.open.record(span, |recorder| recorder.encoder.add_dropped_events(1));
            return;
        }
        let now = Clock::global().since(&started);
        let limits = self.scope.provider.limits.event_attributes();
        let (collected, panics) = Collected::of(event, call_site, &self.options, &limits);
        self.open.record(span, |recorder| {
            collected.add_to(recorder, now, call_site, &self.options);
        });
        self.count_panics(panics);
        collected.put_back();
    }
}
