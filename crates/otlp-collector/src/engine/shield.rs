//! Work that goes on when nobody waits for it any more.

use std::fmt;
use std::future::Future;
use std::pin::Pin;
use std::task::{Context, Poll};

use otlp_core::export::Outcome;
use tokio::runtime::Handle;

type Work = Pin<Box<dyn Future<Output = Outcome> + Send>>;

/// Finishes its work in a task of its own if it is dropped before the end: a client that goes away in the middle
/// of a request must not cut it in a place where half of it is counted. Costs nothing otherwise.
pub(super) struct Shielded(Option<Work>);

impl Shielded {
    pub(super) fn new(work: impl Future<Output = Outcome> + Send + 'static) -> Self {
        Self(Some(Box::pin(work)))
    }
}

impl Future for Shielded {
    type Output = Outcome;

    fn poll(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Outcome> {
        let Some(work) = &mut self.0 else { return Poll::Pending };
        let outcome = std::task::ready!(work.as_mut().poll(context));
        self.0 = None;
        Poll::Ready(outcome)
    }
}

impl Drop for Shielded {
    fn drop(&mut self) {
        if let (Some(work), Ok(runtime)) = (self.0.take(), Handle::try_current()) {
            runtime.spawn(work);
        }
    }
}

impl fmt::Debug for Shielded {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Shielded")
    }
}
