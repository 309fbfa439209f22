//! `tracing` straight into OTLP bytes: a [`Layer`](tracing_subscriber::Layer) for spans and events.

mod adopt;
mod call_site;
mod entered;
mod events;
mod fields;
mod layer;
mod logs;
mod open;
mod options;
mod order;
mod span_ext;
mod start;
mod text;
mod visit;

use std::fmt;
use std::sync::atomic::{AtomicU64, Ordering};

use opentelemetry::trace::TracerProvider as _;

use self::call_site::CallSites;
use self::open::OpenSpans;
pub use self::options::EventSink;
use self::options::Options;
pub use self::span_ext::{OtelSpanExt, SpanError};
use crate::logs::Logger;
use crate::trace::{Tracer, TracerProvider};

/// A layer that makes `tracing`'s spans spans of a [`TracerProvider`].
pub struct TracingLayer {
    /// Tells the layers of a process apart.
    id: u64,
    tracer: Tracer,
    logger: Option<Logger>,
    options: Options,
    call_sites: CallSites,
    open: OpenSpans,
}

impl TracingLayer {
    /// A layer with the defaults, for spans of this provider.
    ///
    /// It keeps the provider's pipelines running, as a tracer does, until the subscriber is gone; a
    /// global subscriber never is, so shut the provider down at the program's end.
    #[must_use]
    pub fn new(provider: &TracerProvider) -> Self {
        static NEXT_ID: AtomicU64 = AtomicU64::new(0);
        order::count_layer();
        Self {
            id: NEXT_ID.fetch_add(1, Ordering::Relaxed),
            tracer: provider.tracer("tracing"),
            logger: None,
            options: Options::default(),
            call_sites: CallSites::default(),
            open: OpenSpans::new(),
        }
    }
}

impl fmt::Debug for TracingLayer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("TracingLayer")
            .field("options", &self.options)
            .field("open", &self.open.len())
            .finish_non_exhaustive()
    }
}
