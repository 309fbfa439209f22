//! The calls of a connection that are being served.

use std::pin::Pin;
use std::task::{Context, Poll};

use futures_util::StreamExt as _;
use futures_util::future::OptionFuture;
use futures_util::stream::FuturesUnordered;

/// Most calls have come whole, and are answered by a queue: they never wait. So each is tried in a place that is
/// kept for it, and only one that has to wait costs a place of its own.
pub(super) struct Calls<F> {
    place: Option<Place<F>>,
    waiting: FuturesUnordered<Place<F>>,
}

type Place<F> = Pin<Box<OptionFuture<F>>>;

impl<F> Default for Calls<F> {
    fn default() -> Self {
        Self { place: None, waiting: FuturesUnordered::new() }
    }
}

impl<F: Future<Output = ()>> Calls<F> {
    /// How many are not answered yet.
    pub(super) fn waiting(&self) -> usize {
        self.waiting.len()
    }

    /// Serves a call as far as that goes at once. It is ready if that was all of it.
    pub(super) fn start(&mut self, call: F, cx: &mut Context<'_>) -> Poll<()> {
        let mut place = self.place.take().unwrap_or_else(|| Box::pin(OptionFuture::default()));
        place.set(Some(call).into());
        if place.as_mut().poll(cx).is_ready() {
            place.set(None.into());
            self.place = Some(place);
            return Poll::Ready(());
        }
        // It is asked once more before anything is waited for, so that it is this set that it wakes.
        self.waiting.push(place);
        Poll::Pending
    }

    /// Serves the ones that wait, up to the next that is answered. Pending if none is.
    pub(super) fn poll_answered(&mut self, cx: &mut Context<'_>) -> Poll<()> {
        match self.waiting.poll_next_unpin(cx) {
            Poll::Ready(Some(_)) => Poll::Ready(()),
            Poll::Ready(None) | Poll::Pending => Poll::Pending,
        }
    }
}
