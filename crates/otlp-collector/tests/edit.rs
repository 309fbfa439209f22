//! Edits of generated, rearranged and damaged requests.

#![allow(
    clippy::unwrap_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "a test fails by panicking"
)]

mod edit_checks;
mod processors_chain;
#[allow(dead_code, reason = "some of it is for other tests")]
#[path = "../../otlp-core/tests/wire_generate/mod.rs"]
mod wire_generate;

use std::path::Path;

use opentelemetry_proto::tonic::collector::logs::v1::ExportLogsServiceRequest;
use opentelemetry_proto::tonic::collector::metrics::v1::ExportMetricsServiceRequest;
use opentelemetry_proto::tonic::collector::trace::v1::ExportTraceServiceRequest;
use opentelemetry_proto::tonic::common::v1::any_value::Value;
use opentelemetry_proto::tonic::common::v1::{AnyValue, KeyValue};
use opentelemetry_proto::tonic::metrics::v1::metric::Data;
use otlp_core::Signal;
use prost::Message as _;

use edit_checks::{Random, any_bytes_are_edited_or_refused, edits_are_those_of_the_model};
use wire_generate::Generator;

/// Of each signal; a third more than the ten thousand that were promised, to be plain about it.
const REQUESTS: u64 = 4_500;

#[test]
fn edits_of_generated_requests_are_those_of_the_model() {
    for seed in 0..REQUESTS {
        for signal in [Signal::Traces, Signal::Metrics, Signal::Logs] {
            edits_are_those_of_the_model(seed, signal, &request(seed, signal));
        }
    }
}

#[test]
fn edits_of_rearranged_requests_are_those_of_the_model() {
    for seed in 0..REQUESTS {
        let signal = [Signal::Traces, Signal::Metrics, Signal::Logs][seed as usize % 3];
        let mut request = request(seed, signal);
        for _ in 0..3 {
            request = Generator::new(!seed).rearrange(&request);
            edits_are_those_of_the_model(seed, signal, &request);
        }
    }
}

#[test]
fn damaged_requests_are_edited_or_refused() {
    for seed in 0..REQUESTS {
        let signal = [Signal::Traces, Signal::Metrics, Signal::Logs][seed as usize % 3];
        let mut request = request(seed, signal);
        Generator::new(!seed).damage(&mut request);
        edits_are_those_of_the_model(seed, signal, &request);
    }
}

/// Ten thousand and more in all.
#[tokio::test(start_paused = true)]
async fn what_comes_out_of_edits_filters_and_batches_is_what_the_model_makes() {
    for seed in 0..175 {
        use processors_chain::chain_is_that_of_the_model as check;
        check::<ExportTraceServiceRequest>(seed, Signal::Traces, |at| request(at, Signal::Traces))
            .await;
        check::<ExportMetricsServiceRequest>(seed, Signal::Metrics, |at| {
            request(at, Signal::Metrics)
        })
        .await;
        check::<ExportLogsServiceRequest>(seed, Signal::Logs, |at| request(at, Signal::Logs)).await;
    }
}

#[test]
fn the_fuzz_corpus_holds() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../fuzz/corpus/collector_edit");
    let files = std::fs::read_dir(folder).unwrap();
    let files = files.map(|file| std::fs::read(file.unwrap().path()).unwrap());
    let count = files.map(|data| any_bytes_are_edited_or_refused(&data)).count();
    assert!(count > 5, "no corpus");
}

/// A generated request whose keys and texts are often those of the plans.
fn request(seed: u64, signal: Signal) -> Vec<u8> {
    let mut generator = Generator::new(seed);
    let mut familiar = Familiar(Random::new(seed ^ 0x5555));
    match signal {
        Signal::Traces => {
            let mut request = generator.traces();
            familiar.traces(&mut request);
            request.encode_to_vec()
        }
        Signal::Metrics => {
            let mut request = generator.metrics();
            familiar.metrics(&mut request);
            request.encode_to_vec()
        }
        _ => {
            let mut request = generator.logs();
            familiar.logs(&mut request);
            request.encode_to_vec()
        }
    }
}

/// Replaces some keys and texts by those that plans know.
struct Familiar(Random);

impl Familiar {
    fn traces(&mut self, request: &mut ExportTraceServiceRequest) {
        for group in &mut request.resource_spans {
            group.resource.iter_mut().for_each(|it| self.attributes(&mut it.attributes));
            for scope in &mut group.scope_spans {
                scope.scope.iter_mut().for_each(|it| self.text(&mut it.name));
                for span in &mut scope.spans {
                    self.text(&mut span.name);
                    self.attributes(&mut span.attributes);
                }
            }
        }
    }

    fn logs(&mut self, request: &mut ExportLogsServiceRequest) {
        for group in &mut request.resource_logs {
            group.resource.iter_mut().for_each(|it| self.attributes(&mut it.attributes));
            for scope in &mut group.scope_logs {
                scope.scope.iter_mut().for_each(|it| self.attributes(&mut it.attributes));
                for log in &mut scope.log_records {
                    self.text(&mut log.severity_text);
                    self.attributes(&mut log.attributes);
                }
            }
        }
    }

    fn metrics(&mut self, request: &mut ExportMetricsServiceRequest) {
        for group in &mut request.resource_metrics {
            group.resource.iter_mut().for_each(|it| self.attributes(&mut it.attributes));
            for metric in group.scope_metrics.iter_mut().flat_map(|it| &mut it.metrics) {
                self.text(&mut metric.name);
                match &mut metric.data {
                    None => {}
                    Some(Data::Gauge(it)) => {
                        it.data_points
                            .iter_mut()
                            .for_each(|it| self.attributes(&mut it.attributes));
                    }
                    Some(Data::Sum(it)) => {
                        it.data_points
                            .iter_mut()
                            .for_each(|it| self.attributes(&mut it.attributes));
                    }
                    Some(Data::Histogram(it)) => {
                        it.data_points
                            .iter_mut()
                            .for_each(|it| self.attributes(&mut it.attributes));
                    }
                    Some(Data::ExponentialHistogram(it)) => {
                        it.data_points
                            .iter_mut()
                            .for_each(|it| self.attributes(&mut it.attributes));
                    }
                    Some(Data::Summary(it)) => {
                        it.data_points
                            .iter_mut()
                            .for_each(|it| self.attributes(&mut it.attributes));
                    }
                }
            }
        }
    }

    fn attributes(&mut self, attributes: &mut [KeyValue]) {
        for attribute in attributes {
            if self.0.below(4) > 0 {
                attribute.key = self.0.pick(&edit_checks::KEYS).to_owned();
            }
            if self.0.below(2) > 0 {
                let text = self.0.pick(&edit_checks::TEXTS).to_owned();
                attribute.value = Some(AnyValue { value: Some(Value::StringValue(text)) });
            }
        }
    }

    fn text(&mut self, text: &mut String) {
        if self.0.below(2) > 0 {
            *text = self.0.pick(&edit_checks::TEXTS).to_owned();
        }
    }
}
