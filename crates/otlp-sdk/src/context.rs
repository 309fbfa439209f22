//! The current [`Context`] across tasks, threads and callbacks.
//!
//! The current context belongs to a thread. A task moves between threads, a closure runs on one of
//! its own: both start with whatever context they meet there, usually an empty one, and the spans
//! that they start begin new traces. What is here takes the context along: the span that is current,
//! baggage, and whether telemetry is suppressed.
//!
//! | work | instead of | write |
//! |---|---|---|
//! | a task of tokio | `tokio::spawn(work)` | [`spawn(work)`](spawn()) |
//! | a task of a `LocalSet` | `spawn_local(work)` | `spawn_local(work.in_current_context())` |
//! | a blocking closure | `spawn_blocking(work)` | [`spawn_blocking(work)`](spawn_blocking()) |
//! | a thread | `std::thread::spawn(work)` | [`spawn_thread(work)`](spawn_thread()) |
//! | a `JoinSet`, a runtime's `Handle`, another executor | `set.spawn(work)` | `set.spawn(work.in_current_context())` |
//! | `thread::Builder`, a scoped thread, a thread pool | `scope.spawn(work)` | `scope.spawn(bind_current(work))` |
//! | a callback, a closure of an iterator | `items.map(work)` | `items.map(bind_fn(cx, work))` |
//! | a future or a stream on this task | `work.await` | `work.in_context(cx).await` |
//!
//! ```
//! use opentelemetry::trace::{TraceContextExt, Tracer, TracerProvider as _};
//! use otlp_sdk::context;
//! use otlp_sdk::trace::TracerProvider;
//!
//! let tracer = TracerProvider::builder().build().tracer("shop");
//! tracer.in_span("check out", |cx| {
//!     let worker = context::spawn_thread(|| {
//!         // The span "check out" is current here too, so what starts here is its child.
//!         opentelemetry::Context::current().span().span_context().clone()
//!     });
//!     assert_eq!(&worker.join().unwrap(), cx.span().span_context());
//! });
//! ```
//!
//! Whatever happens inside, a panic, an error, a cancelled task, the thread's own context is as it
//! was afterwards.
//!
//! # A context holds its span open
//!
//! A span that nobody ends by a call ends when the last context that holds it goes. Work that outlives
//! the span it was started from, such as a task that nobody awaits, would keep it open: end the span by
//! a call, or give the work a [`detached`] context.
//!
//! With `tracing`, the span is carried by `tracing`'s own `Instrument`; these are for code that is
//! instrumented with the OpenTelemetry API.

mod bind;
mod carry;
mod task;

use opentelemetry::Context;
use opentelemetry::trace::TraceContextExt;

pub use self::bind::{bind, bind_current, bind_fn, spawn_thread};
pub use self::carry::{ContextExt, InContext};
pub use self::task::{spawn, spawn_blocking};

/// `cx` without its hold on the span: the same parent for new spans, the same baggage, values and
/// suppression, but the span ends without waiting for whoever has this context.
///
/// The work can start children of the span, and can no longer add to the span itself.
///
/// ```
/// use opentelemetry::Context;
/// use otlp_sdk::context::{ContextExt as _, detached};
///
/// # async fn refresh_cache() {}
/// # let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
/// # let _guard = runtime.enter();
/// // Goes on after the request has been answered.
/// tokio::spawn(refresh_cache().in_context(detached(&Context::current())));
/// ```
#[must_use]
pub fn detached(cx: &Context) -> Context {
    if !cx.has_active_span() {
        return cx.clone();
    }
    cx.with_remote_span_context(cx.span().span_context().clone())
}
