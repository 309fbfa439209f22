//! The end of a layer: of the spans that are still open, and perhaps of the providers.
//!
//! Whoever drops a layer may hold a lock of the subscriber's, as `reload` does. Processors, and providers
//! that shut down, have things to say through `tracing`, which needs that lock; and the thread of an
//! exporter that is waited for may need it too. So that happens on a thread of its own, and is waited for
//! only for a moment.

use std::sync::Arc;
use std::sync::mpsc::channel;
use std::time::Duration;

use super::TracingLayer;
use super::open::OpenSpan;
use super::{entered, gone, order};
use crate::logs::Logger;
use crate::trace::provider::Handle;

impl Drop for TracingLayer {
    /// Spans that are open when the layer goes, as when another one takes its place, end with it.
    fn drop(&mut self) {
        order::uncount_layer();
        let left = Left {
            open: self.open.drain(),
            handle: self.handle.take(),
            logger: self.logger.take(),
        };
        gone::count_out(self.id);
        // This thread may not hear of a layer again. The contexts of the spans are still held above, so no
        // value in them goes here.
        entered::forget_gone();
        let asks_processors = self.scope.provider.core.has_processors && !left.open.is_empty();
        if asks_processors || left.is_last() {
            elsewhere(left);
        } else {
            left.end();
        }
    }
}

/// What a layer leaves behind.
struct Left {
    open: Vec<OpenSpan>,
    handle: Option<Arc<Handle>>,
    logger: Option<Logger>,
}

impl Left {
    /// Whether a provider ends with it.
    fn is_last(&self) -> bool {
        let last_tracer = self.handle.as_ref().is_some_and(|it| Arc::strong_count(it) == 1);
        last_tracer || self.logger.as_ref().is_some_and(Logger::is_last)
    }

    fn end(self) {
        let Self { open, handle, logger } = self;
        open.into_iter().for_each(OpenSpan::close);
        drop((handle, logger));
    }
}

fn elsewhere(left: Left) {
    let (ended, wait) = channel::<()>();
    let end = move || {
        left.end();
        drop(ended);
    };
    // Without a thread the spans are let go; the providers then end here.
    if std::thread::Builder::new().name("otlp-layer-end".to_owned()).spawn(end).is_ok() {
        let _ = wait.recv_timeout(PATIENCE);
    }
}

/// Enough to deliver what is held to a server that is there, and not so long that a subscriber which
/// waits for us makes an application stand still.
const PATIENCE: Duration = Duration::from_secs(1);
