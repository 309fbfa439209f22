//! Futures and streams that have a context of their own.

use std::pin::Pin;
use std::task::{self, Poll};

use futures_util::Stream;
use opentelemetry::Context;
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
            // A thread that is ending may have no current context any more. The API panics then, and
            // a panic in a destructor could end the process.
            let _guard = caught(|| this.context.clone().attach());
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
        let _guard = this.context.clone().attach();
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
        let _guard = this.context.clone().attach();
        match this.inner.as_pin_mut() {
            Some(stream) => stream.poll_next(task),
            None => Poll::Ready(None),
        }
    }

    fn size_hint(&self) -> (usize, Option<usize>) {
        self.inner.as_ref().map_or((0, Some(0)), S::size_hint)
    }
}
