//! Futures and streams that have a context of their own.

use std::pin::Pin;
use std::task::{self, Poll};

use futures_util::Stream;
use opentelemetry::{Context, ContextGuard};
use pin_project_lite::pin_project;

use crate::foreign::caught;

/// Gives futures and streams a context.
///
/// `opentelemetry::context::FutureExt::with_context` does nearly the same, and the two mix. This
/// one also drops the work in its context: when a task is cancelled, or a `select!` takes another
/// branch, the destructors of the abandoned future run with the context that it had, so a span that
/// they start ("roll back") is part of the trace, as with `tracing`'s `Instrument`.
pub trait ContextExt: Sized {
    /// Makes `cx` the current context whenever this future or stream is polled, and while it is
    /// dropped.
    ///
    /// Cost: two reference counts go up and down for each poll.
    fn in_context(self, cx: Context) -> InContext<Self> {
        InContext { inner: Some(self), context: cx }
    }

    /// [`in_context`](Self::in_context) with the context that is current now.
    fn in_current_context(self) -> InContext<Self> {
        self.in_context(Context::current())
    }
}

impl<T> ContextExt for T {}

pin_project! {
    /// A future or a stream with a context; see [`ContextExt`].
    #[derive(Debug)]
    #[must_use = "it does nothing unless it is polled"]
    pub struct InContext<T> {
        // `None` only while it is dropped.
        #[pin]
        inner: Option<T>,
        context: Context,
    }

    impl<T> PinnedDrop for InContext<T> {
        fn drop(this: Pin<&mut Self>) {
            let mut this = this.project();
            // A panic in a destructor could end the process.
            let _guard = caught(|| attach(this.context));
            this.inner.set(None);
        }
    }
}

impl<T> InContext<T> {
    /// The context that it has.
    #[must_use]
    pub const fn context(&self) -> &Context {
        &self.context
    }
}

impl<F: Future> Future for InContext<F> {
    type Output = F::Output;

    fn poll(self: Pin<&mut Self>, task: &mut task::Context<'_>) -> Poll<F::Output> {
        let this = self.project();
        let _guard = attach(this.context);
        match this.inner.as_pin_mut() {
            Some(future) => future.poll(task),
            None => Poll::Pending,
        }
    }
}

impl<S: Stream> Stream for InContext<S> {
    type Item = S::Item;

    fn poll_next(self: Pin<&mut Self>, task: &mut task::Context<'_>) -> Poll<Option<S::Item>> {
        let this = self.project();
        let _guard = attach(this.context);
        match this.inner.as_pin_mut() {
            Some(stream) => stream.poll_next(task),
            None => Poll::Ready(None),
        }
    }

    fn size_hint(&self) -> (usize, Option<usize>) {
        self.inner.as_ref().map_or((0, Some(0)), S::size_hint)
    }
}

/// Makes `cx` the current context, unless this thread is ending and may have none any more: the API
/// panics then.
fn attach(cx: &Context) -> Option<ContextGuard> {
    THREAD.try_with(|_| ()).ok().map(|()| cx.clone().attach())
}

thread_local! {
    static THREAD: Alive = Alive::as_the_api();
}

/// Is gone, as far as a thread can tell, when the API's storage of the thread may be: destructors run in
/// the reverse order in which they were made known.
struct Alive;

impl Alive {
    fn as_the_api() -> Self {
        drop(Context::current());
        Self
    }
}

impl Drop for Alive {
    // Without a destructor it would never be gone.
    fn drop(&mut self) {}
}
