//! Requests through edits, filters and a batch processor: what comes out is what the model makes of them, however
//! they were put together and cut.

use std::sync::{Arc, Mutex};

use futures_util::future::join_all;
use opentelemetry_proto::tonic::collector::logs::v1::ExportLogsServiceRequest;
use opentelemetry_proto::tonic::collector::metrics::v1::ExportMetricsServiceRequest;
use opentelemetry_proto::tonic::collector::trace::v1::ExportTraceServiceRequest;
use otlp_collector::component::{Host, Node, Processor};
use otlp_collector::config::{Config, Source};
use otlp_collector::consumer::{Answer, Batch, Consumer, SharedConsumer};
use otlp_collector::processors::{BatchProcessorSettings, Rules};
use otlp_core::export::{Deadline, Outcome};
use otlp_core::{Payload, Signal};
use prost::Message;

use crate::edit_checks::{Model, Random, RuleModel};

/// Requests that go into one chain.
const TOGETHER: u64 = 20;

/// Sends requests through three processors with random rules and one that batches, and compares.
pub(crate) async fn chain_is_that_of_the_model<M: Message + Default + Model + Items + Clone>(
    seed: u64,
    signal: Signal,
    request: impl Fn(u64) -> Vec<u8>,
) {
    let mut random = Random::new(seed);
    let steps: Vec<Vec<RuleModel>> = (0..3).map(|_| random.rules(signal)).collect();
    let size = 1 + random.below(40);
    let max = [0, size, size + random.below(20)][random.below(3)];
    let (head, kept) = chain(signal, &steps, size, max);
    let requests: Vec<_> = (0..TOGETHER).map(|at| request(seed * TOGETHER + at)).collect();
    let answers = join_all(requests.iter().map(|request| {
        let payload = Payload::from_request(signal, request.clone()).unwrap();
        head.consume(Batch::without_ticket(payload), Deadline::NEVER)
    }));
    for answer in answers.await {
        assert!(matches!(answer, Outcome::Delivered { .. }), "{answer:?}");
    }
    let expected = requests.iter().map(|request| {
        let mut request = M::decode(&request[..]).unwrap();
        steps.iter().for_each(|rules| request.apply(rules));
        request
    });
    let expected = sorted(expected);
    let found = kept.0.lock().unwrap();
    let found = found.iter().map(|payload| {
        let request = M::decode(payload.rope().to_bytes()).unwrap();
        assert_eq!(payload.items(), request.items());
        // A metric is not cut, however many points it has.
        let is_cut = max == 0 || payload.items() <= max || request.each().len() == 1;
        assert!(is_cut, "{} items where {max} are the most", payload.items());
        request
    });
    assert!(sorted(found) == expected, "seed {seed} {signal} size {size} max {max} {steps:?}");
}

fn chain(
    signal: Signal,
    steps: &[Vec<RuleModel>],
    size: usize,
    max: usize,
) -> (SharedConsumer, Arc<Kept>) {
    let kept = Arc::new(Kept::default());
    let host = Host::alone("test".parse().unwrap());
    let batch = batch(size, max).start(&host, signal, Arc::clone(&kept) as SharedConsumer);
    let mut head: Arc<dyn Node> = batch.unwrap();
    for rules in steps.iter().rev() {
        let rules = Rules::new(rules.iter().map(RuleModel::rule));
        head = rules.start(&host, signal, head as SharedConsumer).unwrap();
    }
    (head, kept)
}

fn batch(size: usize, max: usize) -> BatchProcessorSettings {
    let yaml = format!(
        "receivers: {{otlp: }}\nexporters: {{debug: }}\n\
         processors: {{batch: {{send_batch_size: {size}, send_batch_max_size: {max}}}}}\n\
         service::pipelines::traces: {{receivers: [otlp], processors: [batch], exporters: [debug]}}"
    );
    let config = Config::load_with(&[Source::Yaml(yaml)], &|_| None).unwrap();
    config.settings.processors[0].settings.read().unwrap()
}

/// Takes everything, and keeps it.
#[derive(Debug, Default)]
struct Kept(Mutex<Vec<Payload>>);

impl Consumer for Kept {
    fn consume(&self, batch: Batch, _deadline: Deadline) -> Answer<'_> {
        self.0.lock().unwrap().push(batch.payload().clone());
        Box::pin(async { Outcome::delivered() })
    }
}

/// Every record with its resource and scope, whatever stood beside it, but metrics without points, which are left out
/// where a request is cut. As bytes: NaN differs from itself.
fn sorted<M: Items + Model + Message + Default>(requests: impl Iterator<Item = M>) -> Vec<Vec<u8>> {
    let mut all: Vec<_> = requests
        .flat_map(|mut request| {
            request.fill_values();
            request.each()
        })
        .filter(|record| M::decode(&record[..]).unwrap().items() > 0)
        .collect();
    all.sort();
    all
}

/// The records of a request, each as a request of its own.
pub(crate) trait Items {
    fn each(&self) -> Vec<Vec<u8>>;
}

macro_rules! items {
    ($request:ty, $resources:ident, $scopes:ident, $records:ident) => {
        impl Items for $request {
            fn each(&self) -> Vec<Vec<u8>> {
                let mut all = Vec::new();
                for group in &self.$resources {
                    for scope in &group.$scopes {
                        for record in &scope.$records {
                            let (mut group, mut scope) = (group.clone(), scope.clone());
                            scope.$records = vec![record.clone()];
                            group.$scopes = vec![scope];
                            all.push(Self { $resources: vec![group] }.encode_to_vec());
                        }
                    }
                }
                all
            }
        }
    };
}

items!(ExportTraceServiceRequest, resource_spans, scope_spans, spans);
items!(ExportLogsServiceRequest, resource_logs, scope_logs, log_records);
items!(ExportMetricsServiceRequest, resource_metrics, scope_metrics, metrics);
