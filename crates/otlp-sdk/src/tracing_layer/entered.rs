//! Which spans this thread is in, innermost last, and the contexts that are attached for them.
//!
//! One stack for all layers of the process: the API's stack of contexts is one per thread as well.

use std::cell::{Cell, RefCell};

use opentelemetry::trace::{SpanId, TraceContextExt, TraceId};
use opentelemetry::{Context, ContextGuard};

use super::gone;
use crate::current::{self, with_current};
use crate::foreign::{caught, is_in_foreign_code};

/// Where a contextual span finds its parent, and an event its span.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Around {
    /// In the layer's innermost span, whose context is the API's current one. `first_child_of` is that span,
    /// if nothing was started in it from here yet.
    Current { first_child_of: Option<u64> },
    /// In the API's current context, which somebody has attached since the innermost span was entered,
    /// such as one with a span of the API.
    Attached,
    /// In this span of the layer, of which the API's current context does not know.
    Span(u64),
    /// In none of the layer's spans; the API's current context says of which it is a child.
    Unknown,
}

/// The thread has entered a span. Its context becomes current, if that is wanted and possible.
pub(super) fn enter(layer: u64, span: u64, context: Context, activate: bool) {
    forget_gone();
    let own = context.span().span_context().span_id();
    // A sampler or processor may run while the cell with the current context is borrowed.
    let guard = if activate && !is_in_foreign_code() { attach(context) } else { None };
    let current = if guard.is_some() { own } else { current_span_id() };
    let entered = Entered { layer, span, current, guard, has_child: false };
    // Where the stack is gone, at a thread's end, the guard detaches at once.
    let _ = STACK.try_with(|stack| stack.0.borrow_mut().push(entered));
}

/// Whether the thread is in so many spans that some may have been left on another thread, as by a guard
/// that was held while a future was moved. Says so rarely enough that looking costs little.
#[inline]
pub(super) fn is_crowded() -> bool {
    let crowded = STACK.try_with(|stack| {
        let len = stack.0.borrow().len();
        len >= CROWDED && len.is_power_of_two()
    });
    crowded.unwrap_or(false)
}

/// Forgets the layer's spans that are not open any more.
#[cold]
pub(super) fn forget_closed(layer: u64, is_open: impl Fn(u64) -> bool) {
    forget(|it| it.layer == layer && !is_open(it.span));
}

/// Forgets the spans of layers that have gone, whose end nobody has told this thread of. Without one
/// that has gone since, it compares two numbers.
#[inline]
pub(super) fn forget_gone() {
    let gone = gone::count();
    let is_new = STACK.try_with(|stack| stack.1.replace(gone) != gone).unwrap_or(false);
    if is_new {
        forget_spans_of_gone();
    }
}

#[cold]
fn forget_spans_of_gone() {
    let there = gone::there();
    forget(|it| !there.contains(&it.layer));
}

fn forget(is_over: impl Fn(&Entered) -> bool) {
    let over = STACK.try_with(|stack| {
        let mut stack = stack.0.borrow_mut();
        stack.extract_if(.., |it| is_over(it)).collect::<Vec<_>>()
    });
    // Their contexts go with nothing borrowed.
    over.into_iter().flatten().filter_map(|it| it.guard).for_each(detach);
}

/// The thread has left a span, perhaps not the innermost.
pub(super) fn leave(layer: u64, span: u64) {
    forget_gone();
    let left = STACK.try_with(|stack| {
        let mut stack = stack.0.borrow_mut();
        let at = stack.iter().rposition(|entered| entered.is(layer, span))?;
        Some(stack.remove(at))
    });
    // What a context carries is let go here, and that may run code that is not ours.
    if let Ok(Some(Entered { guard: Some(guard), .. })) = left {
        detach(guard);
    }
}

/// The context of a span has changed. Replaces it where it is the current one on this thread.
pub(super) fn replace(layer: u64, span: u64, context: Context) {
    let Some(guard) = take_top_guard(layer, span) else { return };
    detach(guard);
    // Another one than before where the parent's context is passed on.
    let current = context.span().span_context().span_id();
    let guard = attach(context);
    let _ = STACK.try_with(|stack| {
        let mut stack = stack.0.borrow_mut();
        if let Some(top) = stack.last_mut().filter(|top| top.is(layer, span)) {
            top.guard = guard;
            top.current = current;
        }
    });
}

/// Whether another layer has entered the span just now, and its context is current.
#[cold]
pub(super) fn is_current_for_another(layer: u64, span: u64) -> bool {
    forget_gone();
    let is_current = STACK.try_with(|stack| {
        let stack = stack.0.borrow();
        let top = stack.last().filter(|top| top.span == span && top.layer != layer);
        top.is_some_and(|top| top.guard.is_some() && top.current == current_span_id())
    });
    is_current.unwrap_or(false)
}

/// Where on this thread a span that names no parent belongs.
#[inline]
pub(super) fn around(layer: u64) -> Around {
    forget_gone();
    look(layer, |top| !std::mem::replace(&mut top.has_child, true))
}

/// The layer's innermost span, if the API's current context is neither its own nor a newer one.
pub(super) fn unknown_to_the_api(layer: u64) -> Option<u64> {
    match look(layer, |_| false) {
        Around::Span(span) => Some(span),
        Around::Current { .. } | Around::Attached | Around::Unknown => None,
    }
}

/// A span is about to start in a context that somebody has attached. Asks about each of the layer's spans
/// that this thread is in, and in which none was started from here, whether that makes it a descendant.
pub(super) fn settle(layer: u64, is_ancestor: impl Fn(u64, TraceId) -> bool) {
    let Some(trace) = current_trace_id() else { return };
    let _ = STACK.try_with(|stack| {
        let mut stack = stack.0.borrow_mut();
        let childless = stack.iter_mut().filter(|it| it.layer == layer && !it.has_child);
        childless.for_each(|entered| entered.has_child = is_ancestor(entered.span, trace));
    });
}

#[inline]
fn look(layer: u64, is_first: impl FnOnce(&mut Entered) -> bool) -> Around {
    let found = STACK.try_with(|stack| {
        let mut stack = stack.0.borrow_mut();
        let Some(top) = stack.last_mut() else { return Around::Unknown };
        if top.current != current_span_id() {
            return Around::Attached;
        }
        if top.layer == layer && top.guard.is_some() {
            let first = is_first(top);
            return Around::Current { first_child_of: first.then_some(top.span) };
        }
        stack.innermost(layer).map_or(Around::Unknown, Around::Span)
    });
    found.unwrap_or(Around::Unknown)
}

/// The layer's innermost span on this thread.
#[inline]
pub(super) fn innermost(layer: u64) -> Option<u64> {
    forget_gone();
    STACK.try_with(|stack| stack.0.borrow().innermost(layer)).ok().flatten()
}

/// Whether the current context wants no telemetry.
#[inline]
pub(super) fn is_suppressed() -> bool {
    caught(current::is_suppressed).unwrap_or(true)
}

/// A span that a thread is in.
struct Entered {
    layer: u64,
    span: u64,
    /// The span of the API's current context right after.
    current: SpanId,
    guard: Option<ContextGuard>,
    /// Whether a span was started in this one from here.
    has_child: bool,
}

impl Entered {
    fn is(&self, layer: u64, span: u64) -> bool {
        self.layer == layer && self.span == span
    }
}

trait Innermost {
    fn innermost(&self, layer: u64) -> Option<u64>;
}

impl Innermost for Vec<Entered> {
    fn innermost(&self, layer: u64) -> Option<u64> {
        self.iter().rev().find(|entered| entered.layer == layer).map(|entered| entered.span)
    }
}

fn take_top_guard(layer: u64, span: u64) -> Option<ContextGuard> {
    let taken = STACK.try_with(|stack| {
        let mut stack = stack.0.borrow_mut();
        let top = stack.last_mut().filter(|top| top.is(layer, span))?;
        // Below a context of somebody else's it stays until the span is left.
        if top.current == current_span_id() { top.guard.take() } else { None }
    });
    taken.ok().flatten()
}

/// The API panics while its cell is borrowed, as within `Context::map_current`. The span then is
/// entered without being current there.
fn attach(context: Context) -> Option<ContextGuard> {
    caught(|| context.attach()).ok()
}

fn detach(guard: ContextGuard) {
    let _ = caught(|| drop(guard));
}

/// The API panics also when it is asked from within its own change of the current context.
#[inline]
fn current_span_id() -> SpanId {
    let id = caught(|| with_current(|cx| cx.span().span_context().span_id()));
    id.ok().flatten().unwrap_or(SpanId::INVALID)
}

/// The trace of the API's current context, if it is in one.
fn current_trace_id() -> Option<TraceId> {
    let id = caught(|| with_current(|cx| cx.span().span_context().trace_id()));
    id.ok().flatten().filter(|id| *id != TraceId::INVALID)
}

/// The spans, and how many layers had gone when it was last looked through for theirs.
#[derive(Default)]
struct Stack(RefCell<Vec<Entered>>, Cell<u64>);

impl Drop for Stack {
    /// The thread ends within spans. Its contexts go with the API's own stack, which may be gone.
    fn drop(&mut self) {
        for entered in self.0.get_mut().drain(..) {
            std::mem::forget(entered.guard);
        }
    }
}

/// Spans that a thread is hardly in at once.
const CROWDED: usize = 256;

thread_local! {
    static STACK: Stack = const { Stack(RefCell::new(Vec::new()), Cell::new(0)) };
}
