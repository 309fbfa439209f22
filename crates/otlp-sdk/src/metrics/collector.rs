//! The thread that collects: at every interval, and whenever somebody asks.
//!
//! Callbacks of observable instruments run here. They may block or panic; deliveries go on, on the
//! worker's thread.

use std::collections::HashMap;
use std::io;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::sync::mpsc::{Receiver, RecvTimeoutError, sync_channel};
use std::time::{Duration, Instant};

use opentelemetry::{InstrumentationScope, KeyValue};
use opentelemetry_sdk::metrics::data::ResourceMetrics;
use otlp_core::SplitLimit;
use otlp_core::metric::MetricItem;
use otlp_core::wire::envelope::{ResourceHeader, ScopeHeader, overhead};

use super::encode::{Encoder, ITEM_BYTES};
use super::reader::{ASKED_MAX, Request, Running, Shared};
use crate::foreign::caught;
use crate::notice::printable;
use crate::pipeline::slot::Item;
use crate::pipeline::{ERROR_TYPE, Pipeline, ThreadSlot};
use crate::say::say;
use crate::value::scope_header;

/// What the thread works with.
pub(super) struct Collector {
    shared: Arc<Shared>,
    pipeline: Pipeline,
    resource: ResourceHeader,
    requests: Receiver<Request>,
    encoder: Encoder,
    /// Kept for its memory.
    collected: ResourceMetrics,
    scopes: HashMap<InstrumentationScope, Arc<ScopeHeader>>,
    /// Panics of guarded callbacks of which people were told.
    panics_seen: u64,
    /// Whether people were told what is wrong with collecting.
    told: bool,
}

impl Collector {
    pub(super) fn new(
        shared: &Arc<Shared>,
        pipeline: Pipeline,
        resource: ResourceHeader,
    ) -> (Running, Self) {
        let (sender, requests) = sync_channel(ASKED_MAX);
        let collector = Self {
            shared: Arc::clone(shared),
            pipeline: pipeline.clone(),
            resource,
            requests,
            encoder: Encoder::new(SplitLimit::NONE),
            collected: ResourceMetrics::default(),
            scopes: HashMap::new(),
            panics_seen: 0,
            told: false,
        };
        (Running::new(pipeline, sender), collector)
    }

    /// Starts the thread.
    pub(super) fn spawn(self, running: &Running) -> io::Result<()> {
        let thread = std::thread::Builder::new()
            .name("otlp-metrics-collector".to_owned())
            .spawn(move || self.run())?;
        running.collectors_thread_is(thread.thread().id());
        Ok(())
    }

    /// Collects until the end.
    fn run(mut self) {
        let slot = self.pipeline.register_thread();
        let interval = self.shared.config().interval.max(SHORTEST_INTERVAL);
        let mut next = Instant::now().checked_add(interval);
        loop {
            let wait =
                next.map_or(Duration::MAX, |at| at.saturating_duration_since(Instant::now()));
            match self.requests.recv_timeout(wait) {
                Ok(request) => {
                    if self.serve(request, &slot) {
                        return;
                    }
                }
                Err(RecvTimeoutError::Timeout) => {
                    next = following(next, Instant::now(), interval);
                    if self.shared.ended.load(Ordering::Acquire) {
                        return;
                    }
                    let _ = self.collect(&slot);
                    self.pipeline.drain();
                }
                Err(RecvTimeoutError::Disconnected) => return,
            }
        }
    }

    /// One collection for everybody who has asked for one by now. Says whether it was the last.
    fn serve(&mut self, first: Request, slot: &ThreadSlot) -> bool {
        if self.shared.ended.load(Ordering::Acquire) {
            return true;
        }
        let requests: Vec<_> = std::iter::once(first).chain(self.requests.try_iter()).collect();
        let result = self.collect(slot);
        let last = requests.iter().any(|request| request.last);
        for request in requests {
            (request.reply)(result.clone());
        }
        last
    }

    fn collect(&mut self, slot: &ThreadSlot) -> Result<(), String> {
        let begun = Instant::now();
        let source = self.ask_source();
        let took = begun.elapsed();
        let callbacks = self.survived_panics();
        self.tell_duration(took, source.is_err() || callbacks.is_err());
        let result = source.and_then(|()| {
            // A panic in here is a bug of ours; the thread must go on all the same.
            caught(|| self.append(slot)).inspect_err(|_| self.shared.count_panic())?;
            callbacks
        });
        match &result {
            Ok(()) => self.told = false,
            Err(error) if !self.told => {
                self.told = true;
                self.tell(error);
            }
            Err(_) => {}
        }
        result
    }

    /// Has the SDK collect, which runs the user's callbacks.
    fn ask_source(&mut self) -> Result<(), String> {
        let Self { shared, collected, .. } = self;
        match caught(|| shared.collect(collected)) {
            Ok(result) => result.map_err(|error| printable(&error.to_string())),
            Err(panic) => {
                shared.count_panic();
                shared.collected();
                // What it had in its hands may be half of something.
                *collected = ResourceMetrics::default();
                Err(format!("a callback panicked: {}", printable(&panic)))
            }
        }
    }

    /// Tells those who observe how long a collection took, and whether all of it succeeded (row O8).
    fn tell_duration(&self, took: Duration, failed: bool) {
        let Some((histogram, attributes)) = self.shared.durations.get() else { return };
        let error = failed.then(|| KeyValue::new(ERROR_TYPE, "collection_failed"));
        let attributes: Vec<_> = attributes.iter().cloned().chain(error).collect();
        if caught(|| histogram.record(took.as_secs_f64(), &attributes)).is_err() {
            self.shared.count_panic();
        }
    }

    /// The observations of some callbacks may be missing in what was collected.
    fn survived_panics(&mut self) -> Result<(), String> {
        let panics = self.shared.callbacks.get();
        match panics.and_then(|panics| panics.since(&mut self.panics_seen)) {
            Some(text) => Err(format!("a callback panicked: {text}")),
            None => Ok(()),
        }
    }

    fn append(&mut self, slot: &ThreadSlot) {
        let Self { shared, pipeline, resource, encoder, collected, scopes, .. } = self;
        let mut count = 0;
        for metrics in collected.scope_metrics() {
            count += 1;
            let scope = header(scopes, metrics.scope());
            encoder.set_limit(limit(shared, resource, &scope));
            encoder.encode(metrics, &mut |item| {
                (0..item.limited()).for_each(|_| pipeline.count_limited());
                pipeline.append(slot, &Points(item), &scope);
            });
        }
        if scopes.len() > 2 * count + SPARE_SCOPES {
            // Most are of meters that measure nothing any more.
            scopes.clear();
        }
    }

    /// The subscriber is the user's code.
    fn tell(&self, error: &str) {
        let told = caught(|| {
            say!(Error, error, "metrics could not be collected, or not all of them");
        });
        if told.is_err() {
            self.shared.count_panic();
        }
    }
}

fn header(
    scopes: &mut HashMap<InstrumentationScope, Arc<ScopeHeader>>,
    scope: &InstrumentationScope,
) -> Arc<ScopeHeader> {
    if let Some(known) = scopes.get(scope) {
        return Arc::clone(known);
    }
    let made = Arc::new(scope_header(scope));
    scopes.insert(scope.clone(), Arc::clone(&made));
    made
}

/// How large an item may be: no larger than what can be batched, and delivered with its headers.
fn limit(shared: &Shared, resource: &ResourceHeader, scope: &ScopeHeader) -> SplitLimit {
    let config = shared.config();
    let room = config.max_request_bytes.saturating_sub(overhead(resource, scope));
    let items = config.max_export_batch_size.map_or(usize::MAX, std::num::NonZeroUsize::get);
    SplitLimit { bytes: room.min(ITEM_BYTES), items }
}

/// When the next collection is due. What was missed while a callback took its time is not made up for.
fn following(due: Option<Instant>, now: Instant, interval: Duration) -> Option<Instant> {
    let next = due?.checked_add(interval)?;
    if next > now { Some(next) } else { now.checked_add(interval) }
}

/// A metric with some of its points, on its way into the pipeline.
struct Points<'a>(MetricItem<'a>);

impl Item for Points<'_> {
    /// Back ends refuse points that are older than what they have of the series.
    const IN_ORDER: bool = true;

    fn item_len(&self) -> usize {
        self.0.item_len()
    }

    fn put_item(&self, buf: &mut Vec<u8>) {
        self.0.put_item(buf);
    }

    fn count(&self) -> u32 {
        self.0.points()
    }
}

/// Collecting more often would be spinning.
pub(super) const SHORTEST_INTERVAL: Duration = Duration::from_millis(10);
/// Headers of scopes that are kept beyond those in use.
const SPARE_SCOPES: usize = 64;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn collections_keep_to_their_interval_and_make_up_for_nothing() {
        let (start, second) = (Instant::now(), Duration::from_secs(1));
        let at = |seconds| start + Duration::from_millis(seconds);
        assert_eq!(following(Some(at(1000)), at(1001), second), Some(at(2000)));
        assert_eq!(following(Some(at(1000)), at(1999), second), Some(at(2000)));
        assert_eq!(following(Some(at(1000)), at(5500), second), Some(at(6500)));
        assert_eq!(following(Some(at(1000)), at(1001), Duration::MAX), None);
        assert_eq!(following(None, at(1001), second), None);
    }
}
