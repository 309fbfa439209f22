//! A node that applies a [`Plan`] to all that passes, as the processors `attributes` and `resource` do.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use otlp_core::Signal;
use otlp_core::export::{Deadline, ErrorKind, ExportError, Outcome};

use crate::admission::Full;
use crate::component::{BoxError, Host, Node, Processor, Running, Tally};
use crate::config::ConfigError;
use crate::consumer::{Answer, Batch, Consumer, SharedConsumer};
use crate::edit::{AttributesSettings, Plan, ResourceSettings};
use crate::telemetry::{Measurements, processor};

/// Edits requests and hands them on, and drops what its plan does not keep.
///
/// What is dropped on purpose is counted, and answered for as taken; a request of which nothing is left goes no
/// further. A request that cannot be read is refused for good: its client gets the reason.
///
/// ```
/// use std::sync::Arc;
/// use otlp_collector::consumer::SharedConsumer;
/// use otlp_collector::edit::{Action, Effect, Literal, Plan, Rule, Selector, Source, Target};
/// use otlp_collector::processors::EditProcessor;
/// use otlp_core::Signal;
///
/// /// Says of every resource where it was seen.
/// fn in_front_of(next: SharedConsumer) -> SharedConsumer {
///     let action = Action::upsert("env", Source::value(&Literal::from("test")));
///     let effect = Effect::Edit(vec![action]);
///     let rule = Rule { target: Target::Resource, selector: Selector::default(), effect };
///     Arc::new(EditProcessor::new(Plan::new(Signal::Traces, vec![rule]), next))
/// }
/// # let _ = in_front_of;
/// ```
#[derive(Debug)]
pub struct EditProcessor {
    plan: Plan,
    next: SharedConsumer,
    incoming: AtomicU64,
    dropped: AtomicU64,
    refused: AtomicU64,
}

/// What has passed an [`EditProcessor`], in items.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct EditCounts {
    /// What came.
    pub incoming: u64,
    /// What the plan did not keep, of requests that were taken.
    pub dropped: u64,
    /// What could not be read, and what the next node has not taken.
    pub refused: u64,
}

impl EditCounts {
    /// What was handed on.
    #[must_use]
    pub const fn outgoing(&self) -> u64 {
        self.incoming.saturating_sub(self.dropped).saturating_sub(self.refused)
    }
}

impl EditProcessor {
    /// A node that applies `plan` in front of `next`.
    #[must_use]
    pub const fn new(plan: Plan, next: SharedConsumer) -> Self {
        let [incoming, dropped, refused] = [const { AtomicU64::new(0) }; 3];
        Self { plan, next, incoming, dropped, refused }
    }

    /// Of what its requests consist.
    pub(super) const fn signal(&self) -> Signal {
        self.plan.signal()
    }

    /// What has passed so far.
    #[must_use]
    pub fn counts(&self) -> EditCounts {
        // Outcomes first: whatever they count came before.
        let [dropped, refused] =
            [&self.dropped, &self.refused].map(|count| count.load(Ordering::Acquire));
        EditCounts { incoming: self.incoming.load(Ordering::Acquire), dropped, refused }
    }

    async fn edit(&self, batch: Batch, deadline: Deadline) -> Outcome {
        let items = batch.payload().items();
        add(&self.incoming, items);
        let edited = match self.plan.apply(batch.payload()) {
            Ok(edited) => edited,
            Err(error) => {
                add(&self.refused, items);
                let text = "the request is not valid OTLP";
                let error = ExportError::new(ErrorKind::Other, text).with_source(error);
                return Outcome::permanent(error);
            }
        };
        let dropped = edited.items_dropped;
        if dropped > 0 && edited.payload.items() == 0 {
            add(&self.dropped, dropped);
            return Outcome::delivered();
        }
        let added = edited.payload.len().saturating_sub(batch.payload().len());
        let mut batch = batch.with_payload(edited.payload);
        if let Err(full) = batch.pay_for(added) {
            add(&self.refused, items);
            return too_much(&full);
        }
        let outcome = self.next.consume(batch, deadline).await;
        match outcome.error() {
            None => add(&self.dropped, dropped),
            // The whole of it may come again, and what was not kept would be dropped again.
            Some(_) => add(&self.refused, items),
        }
        outcome
    }
}

impl Consumer for EditProcessor {
    fn holds(&self) -> bool {
        self.next.holds()
    }

    fn consume(&self, batch: Batch, deadline: Deadline) -> Answer<'_> {
        Box::pin(self.edit(batch, deadline))
    }
}

impl Running for EditProcessor {
    fn measure(&self, measurements: &mut Measurements) {
        let counts = self.counts();
        processor::measure(counts.incoming, counts.outgoing(), measurements);
    }
}

impl Node for EditProcessor {
    fn tally(&self) -> Tally {
        Tally::of_dropped("filtered", self.counts().dropped)
    }
}

impl Processor for AttributesSettings {
    fn check(&self, signal: Signal) -> Result<(), ConfigError> {
        Plan::attributes(self, signal).map(drop)
    }

    fn start(
        &self,
        _host: &Host,
        signal: Signal,
        next: SharedConsumer,
    ) -> Result<Arc<dyn Node>, BoxError> {
        Ok(Arc::new(EditProcessor::new(Plan::attributes(self, signal)?, next)))
    }
}

impl Processor for ResourceSettings {
    fn check(&self, signal: Signal) -> Result<(), ConfigError> {
        Plan::resource(self, signal).map(drop)
    }

    fn start(
        &self,
        _host: &Host,
        signal: Signal,
        next: SharedConsumer,
    ) -> Result<Arc<dyn Node>, BoxError> {
        Ok(Arc::new(EditProcessor::new(Plan::resource(self, signal)?, next)))
    }
}

/// What an edit adds has to fit into the budget like what came. What fits into none comes in smaller requests.
fn too_much(full: &Full) -> Outcome {
    let text = "what the edit adds does not fit into the bytes that may be here at once";
    match full.is_hopeless() {
        true => Outcome::TooLarge {
            error: ExportError::new(ErrorKind::RequestTooLarge, text).with_source(*full),
        },
        false => Outcome::retryable(ExportError::new(ErrorKind::Other, text).with_source(*full)),
    }
}

fn add(count: &AtomicU64, items: usize) {
    count.fetch_add(items as u64, Ordering::Release);
}

#[cfg(test)]
mod tests {
    use opentelemetry_proto::tonic::collector::trace::v1::ExportTraceServiceRequest;
    use opentelemetry_proto::tonic::trace::v1::{ResourceSpans, ScopeSpans, Span};
    use otlp_core::Payload;
    use parking_lot::Mutex;
    use prost::Message as _;

    use super::*;
    use crate::admission::Budget;
    use crate::config::{Config, Source};
    use crate::edit::FilterSettings;
    use crate::processors::placed::Placed;

    /// Takes everything, and keeps it.
    #[derive(Debug, Default)]
    struct Kept(Mutex<Vec<Payload>>);

    impl Consumer for Kept {
        fn consume(&self, batch: Batch, _deadline: Deadline) -> Answer<'_> {
            self.0.lock().push(batch.payload().clone());
            Box::pin(async { Outcome::delivered() })
        }
    }

    fn payload(names: &[&str]) -> Payload {
        let span = |name: &&str| Span { name: (*name).to_owned(), ..Span::default() };
        let scope = ScopeSpans { spans: names.iter().map(span).collect(), ..ScopeSpans::default() };
        let resource = ResourceSpans { scope_spans: vec![scope], ..ResourceSpans::default() };
        let request = ExportTraceServiceRequest { resource_spans: vec![resource] };
        Payload::from_request(Signal::Traces, request.encode_to_vec()).unwrap()
    }

    fn names(payload: &Payload) -> Vec<String> {
        let request = ExportTraceServiceRequest::decode(&payload.rope().to_bytes()[..]).unwrap();
        let scopes = request.resource_spans.into_iter().flat_map(|it| it.scope_spans);
        scopes.flat_map(|it| it.spans).map(|span| span.name).collect()
    }

    /// Drops the spans of health checks.
    fn filter(next: &Arc<Kept>) -> EditProcessor {
        let yaml = "
            receivers: {otlp: }
            exporters: {debug: }
            processors:
              filter: {spans: {exclude: {match_type: strict, span_names: [health]}}}
            service::pipelines::traces: {receivers: [otlp], processors: [filter], exporters: [debug]}
        ";
        let config = Config::load_with(&[Source::Yaml(yaml.to_owned())], &|_| None).unwrap();
        let settings: FilterSettings = config.settings.processors[0].settings.read().unwrap();
        let plan = Plan::filter(&settings, Signal::Traces);
        EditProcessor::new(plan, Arc::clone(next) as SharedConsumer)
    }

    async fn consume(node: &EditProcessor, payload: Payload) -> Outcome {
        node.consume(Batch::without_ticket(payload), Deadline::NEVER).await
    }

    #[tokio::test]
    async fn what_the_plan_keeps_goes_on_and_the_rest_is_counted() {
        let next = Arc::new(Kept::default());
        let node = filter(&next);
        for spans in [&["buy", "health", "sell"][..], &["health"], &["buy"]] {
            assert!(matches!(consume(&node, payload(spans)).await, Outcome::Delivered { .. }));
        }
        let kept: Vec<_> = next.0.lock().iter().map(names).collect();
        assert_eq!(kept, [vec!["buy", "sell"], vec!["buy"]], "of the second nothing is left");
        let counts = node.counts();
        assert_eq!((counts.incoming, counts.dropped, counts.outgoing()), (5, 2, 3));
    }

    #[test]
    fn what_does_not_fit_to_a_signal_is_refused_at_its_place() {
        let yaml = "receivers: {otlp: }
exporters: {debug: }
processors:
  attributes:
    actions: [{key: a, action: delete}]
    include: {match_type: strict, span_names: [a]}
  resource:
    attributes: []
service: {pipelines: {logs: {receivers: [otlp], processors: [attributes, resource], exporters: [debug]}}}";
        let config = Config::load_with(&[Source::Yaml(yaml.to_owned())], &|_| None).unwrap();
        let [attributes, resource] = config.settings.processors.as_slice() else { panic!() };
        let placed = Placed::<AttributesSettings>::read(&attributes.settings).unwrap();
        assert!(placed.check(Signal::Traces).is_ok());
        let error = placed.check(Signal::Logs).unwrap_err();
        assert_eq!(error.origin().map(|it| (it.line(), it.column())), Some((6, 14)), "{error}");
        let placed = Placed::<ResourceSettings>::read(&resource.settings).unwrap();
        let error = placed.check(Signal::Logs).unwrap_err();
        assert_eq!(error.origin().map(|it| (it.line(), it.column())), Some((8, 17)), "{error}");
    }

    #[tokio::test]
    async fn what_came_empty_goes_on_as_it_came() {
        let next = Arc::new(Kept::default());
        assert!(matches!(consume(&filter(&next), payload(&[])).await, Outcome::Delivered { .. }));
        assert_eq!(next.0.lock().len(), 1);
    }

    #[tokio::test]
    async fn what_cannot_be_read_is_refused_for_good_with_the_reason_and_its_bytes_come_back() {
        let next = Arc::new(Kept::default());
        let node = filter(&next);
        // A span whose name ends before its length.
        let request: &[u8] = &[0x0a, 6, 0x12, 4, 0x12, 2, 0x2a, 9];
        let broken = Payload::from_request(Signal::Traces, request.to_vec()).unwrap();
        let budget = Budget::new(10);
        let batch = Batch::new(broken, budget.take(10).unwrap());
        let outcome = node.consume(batch, Deadline::NEVER).await;
        assert!(matches!(outcome, Outcome::Permanent { .. }), "{outcome:?}");
        let text = outcome.error().unwrap().to_string();
        assert!(text.starts_with("the request is not valid OTLP: "), "{text}");
        assert_eq!((node.counts().refused, next.0.lock().len(), budget.used()), (1, 0, 0));
    }
}
