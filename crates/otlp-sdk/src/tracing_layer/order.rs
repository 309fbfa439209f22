//! How the span extension reaches the layers of a span's subscriber.
//!
//! Where the subscriber shows its layer, it is called. Where it does not, as under `reload`, or where
//! there may be several, the order is laid down on this thread and the subscriber is asked to record no
//! field at all: every layer that sees the span then finds it.

use std::borrow::Cow;
use std::cell::RefCell;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::SystemTime;

use opentelemetry::trace::{SpanContext, Status};
use opentelemetry::{Context, KeyValue};
use tracing::field::{Field, Value};
use tracing::span::{Id, Record};
use tracing::{Dispatch, Metadata, Span};

use super::TracingLayer;
use super::open::OpenSpan;
use super::span_ext::SpanError;
use crate::trace::recorder::Recorder;

/// What is to be done with a span.
pub(super) enum Order {
    SetParent(Context),
    TellContext,
    AddLink(SpanContext, Vec<KeyValue>),
    SetAttribute(KeyValue),
    AddEvent(Cow<'static, str>, Option<SystemTime>, Vec<KeyValue>),
    SetStatus(Status),
}

/// What is known of the span, once all is done.
type Answer = Result<Known, SpanError>;

/// Has all layers of the span's subscriber carry out an order. The first answer counts, that of a layer
/// which records before that of one which only passes contexts on.
pub(super) fn give(span: &Span, order: Order) -> Result<Context, SpanError> {
    let Some(metadata) = span.metadata() else { return Err(SpanError::Disabled) };
    let answer = span.with_subscriber(|(id, dispatch)| {
        let shown = dispatch.downcast_ref::<TracingLayer>();
        match shown.filter(|_| LAYERS.load(Ordering::Relaxed) == 1) {
            Some(layer) => layer.carry_out(id, &order),
            None => lay_down(dispatch, metadata, id, order),
        }
    });
    answer.unwrap_or(Err(SpanError::Disabled)).map(|known| known.context)
}

/// Carries out the order that lies on this thread for this span, if there is one.
pub(super) fn look(layer: &TracingLayer, id: &Id) {
    let Some(mut laid) = take(id) else { return };
    // With nothing borrowed: a sampler may be asked.
    let answer = layer.carry_out(id, &laid.order);
    if counts_rather(&laid.answer, &answer) {
        laid.answer = answer;
    }
    put(Some(laid));
}

/// A layer has come to be.
pub(super) fn count_layer() {
    LAYERS.fetch_add(1, Ordering::Relaxed);
}

/// A layer is gone.
pub(super) fn uncount_layer() {
    LAYERS.fetch_sub(1, Ordering::Relaxed);
}

impl TracingLayer {
    fn carry_out(&self, id: &Id, order: &Order) -> Answer {
        let id = id.into_u64();
        match order {
            Order::TellContext => {}
            Order::SetParent(parent) => self.set_parent(id, parent)?,
            Order::AddLink(linked, attributes) => {
                self.open.record(id, |recorder| recorder.add_link(linked, attributes));
            }
            Order::SetAttribute(attribute) => {
                self.open.record(id, |recorder| recorder.set_attribute(attribute));
            }
            Order::AddEvent(name, time, attributes) => {
                self.open.record(id, |recorder| add_event(recorder, name, *time, attributes));
            }
            Order::SetStatus(status) => {
                self.open.record(id, |recorder| recorder.set_status(status.clone()));
            }
        }
        let known =
            |span: &mut OpenSpan| Known { context: span.context.clone(), passed: span.passes_on };
        self.open.with(id, known).ok_or(SpanError::NotFound)
    }
}

fn add_event(
    recorder: &mut Recorder,
    name: &str,
    time: Option<SystemTime>,
    attributes: &[KeyValue],
) {
    match time {
        Some(time) => recorder.add_event(name, time, attributes),
        None => recorder.add_event_at(name, recorder.now(), attributes),
    }
}

fn lay_down(
    dispatch: &Dispatch,
    metadata: &'static Metadata<'static>,
    id: &Id,
    order: Order,
) -> Answer {
    let laid = Laid { span: id.into_u64(), order, answer: Err(SpanError::NotFound) };
    // One may lie here already: that of a span whose order has a sampler at work right now.
    let before = put(Some(laid));
    let nothing: [(&Field, Option<&dyn Value>); 0] = [];
    dispatch.record(id, &Record::new(&metadata.fields().value_set(&nothing)));
    let laid = put(before);
    laid.map_or(Err(SpanError::NotFound), |laid| laid.answer)
}

/// An order that the layers are to find.
struct Laid {
    span: u64,
    order: Order,
    answer: Answer,
}

/// What a layer knows of a span.
struct Known {
    context: Context,
    /// Whether the context is the parent's: the layer cannot record.
    passed: bool,
}

/// Whether another layer's answer counts rather than the first.
fn counts_rather(first: &Answer, other: &Answer) -> bool {
    match first {
        Ok(first) => first.passed && other.is_ok(),
        Err(error) => *error == SpanError::NotFound,
    }
}

fn take(id: &Id) -> Option<Laid> {
    let taken = LAID.try_with(|laid| {
        let mut laid = laid.borrow_mut();
        let is_it = laid.as_ref().is_some_and(|laid| laid.span == id.into_u64());
        if is_it { laid.take() } else { None }
    });
    taken.ok().flatten()
}

/// Lays an order down; the one that lay there comes back.
fn put(order: Option<Laid>) -> Option<Laid> {
    LAID.try_with(|laid| laid.replace(order)).ok().flatten()
}

thread_local! {
    static LAID: RefCell<Option<Laid>> = const { RefCell::new(None) };
}

/// The layers of the process. With one, the first that a subscriber shows is the only one.
static LAYERS: AtomicUsize = AtomicUsize::new(0);
