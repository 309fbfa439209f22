//! Applications that use `tracing`, with `tracing-opentelemetry` as the bridge to a provider.
//!
//! The application's code is the same on all sides. In one row the bridge is too, and the provider
//! differs; in others our layer stands against the bridge over the official provider.

use std::sync::Arc;
use std::time::Duration;

use opentelemetry::trace::Tracer;
use tracing::{Dispatch, info_span};
use tracing_subscriber::Registry;
use tracing_subscriber::layer::{Layer, SubscriberExt};

use crate::subject::{Account, Control, Failure, Progress, Subject};
use crate::workload::{Work, address, scattered};

/// What the results call this peer.
pub const NAME: &str = "tracing-opentelemetry 0.34 over opentelemetry_sdk 0.33";

/// Puts the bridge in front of a tracer.
pub fn bridged<T, C>((tracer, control, progress): (T, C, Arc<Progress>)) -> impl Subject
where
    T: Tracer + Send + Sync + 'static,
    T::Span: Send + Sync + 'static,
    C: Control,
{
    subscribed((tracing_opentelemetry::layer().with_tracer(tracer), control, progress))
}

/// Puts the bridge in front of a tracer, set up so that its spans have the attributes that those of our
/// layer have: without threads, and without busy and idle times.
pub fn bridged_alike<T, C>((tracer, control, progress): (T, C, Arc<Progress>)) -> impl Subject
where
    T: Tracer + Send + Sync + 'static,
    T::Span: Send + Sync + 'static,
    C: Control,
{
    let layer = tracing_opentelemetry::layer()
        .with_tracer(tracer)
        .with_threads(false)
        .with_tracked_inactivity(false);
    subscribed((layer, control, progress))
}

/// Root spans with ten fields, under a registry with this layer and no other.
pub fn subscribed<L, C>((layer, control, progress): (L, C, Arc<Progress>)) -> impl Subject
where
    L: Layer<Registry> + Send + Sync,
    C: Control,
{
    // The one thing that is compared here.
    Instrumented::new(layer, |spans| (0..spans).for_each(root10), control, progress)
}

/// Code that is instrumented with `tracing`, under a subscriber of its own.
pub(super) struct Instrumented<C> {
    dispatch: Dispatch,
    run: fn(usize),
    control: C,
    progress: Arc<Progress>,
}

impl<C> Instrumented<C> {
    /// `run` makes so many items, with `layer` over the registry as its subscriber.
    pub(super) fn new<L>(layer: L, run: fn(usize), control: C, progress: Arc<Progress>) -> Self
    where
        L: Layer<Registry> + Send + Sync,
    {
        let dispatch = Dispatch::new(tracing_subscriber::registry().with(layer));
        Self { dispatch, run, control, progress }
    }
}

impl<C: Control> Subject for Instrumented<C> {
    /// Whatever `work` says, what this was made with.
    fn make(&self, _work: Work, items: usize) {
        tracing::dispatcher::with_default(&self.dispatch, || (self.run)(items));
    }

    fn flush(&self) -> Result<(), Failure> {
        self.control.flush()
    }

    fn progress(&self) -> &Progress {
        &self.progress
    }

    fn shutdown(&self, timeout: Duration) -> Result<(), Failure> {
        self.control.shutdown(timeout)
    }

    fn account(&self) -> Option<Account> {
        self.control.account()
    }
}

fn root10(i: usize) {
    let span = info_span!(
        "GET /users/{id}",
        http.request.method = "GET",
        http.route = "/users/{id}",
        server.address = address(i),
        app.sequence = i as i64,
        url.scheme = "https",
        client.port = scattered(i, 0x7fff),
        http.request.body.size = scattered(i, 0xff_ffff),
        app.queue.seconds = scattered(i, 0xffff) as f64 * 1e-7,
        app.cache.ratio = 0.75_f64,
        app.cached = i.is_multiple_of(3),
    );
    drop(span.entered());
}
