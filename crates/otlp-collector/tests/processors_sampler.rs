//! `probabilistic_sampler` decides what the Go collector decides.
//!
//! `processors_sampler/decisions.txt` is what the Go collector 0.158 has made of `spans.json` and `logs.json`, for
//! each of `settings.json`: the numbers of the items that it kept; of some settings, also what it wrote into their
//! trace states, or into the attributes `sampling.threshold` and `sampling.randomness` of log records.

#![allow(
    clippy::unwrap_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "a test fails by panicking"
)]

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex};

use opentelemetry_proto::tonic::collector::logs::v1::ExportLogsServiceRequest;
use opentelemetry_proto::tonic::collector::trace::v1::ExportTraceServiceRequest;
use opentelemetry_proto::tonic::common::v1::any_value::Value;
use opentelemetry_proto::tonic::logs::v1::LogRecord;
use opentelemetry_proto::tonic::trace::v1::Span;
use otlp_collector::component::{Host, Node, Processor as _};
use otlp_collector::config::{Config, Source};
use otlp_collector::consumer::{Answer, Batch, Consumer};
use otlp_collector::processors::ProbabilisticSamplerSettings;
use otlp_collector::telemetry::{Measurements, Value as Measured};
use otlp_core::export::{Deadline, Outcome};
use otlp_core::{Payload, Signal};
use prost::Message;

const SPANS: &str = include_str!("processors_sampler/spans.json");
const LOGS: &str = include_str!("processors_sampler/logs.json");
const SETTINGS: &str = include_str!("processors_sampler/settings.json");
const DECISIONS: &str = include_str!("processors_sampler/decisions.txt");

/// Keeps the last request.
#[derive(Debug, Default)]
struct Kept(Mutex<Option<Payload>>);

impl Consumer for Kept {
    fn consume(&self, batch: Batch, _deadline: Deadline) -> Answer<'_> {
        *self.0.lock().unwrap() = Some(batch.payload().clone());
        Box::pin(async { Outcome::delivered() })
    }
}

fn settings(text: &str) -> ProbabilisticSamplerSettings {
    let yaml = format!(
        "receivers: {{otlp: }}\nexporters: {{debug: }}\nprocessors: {{probabilistic_sampler: {text}}}\n\
         service::pipelines::traces: {{receivers: [otlp], processors: [probabilistic_sampler], exporters: [debug]}}"
    );
    let config = Config::load_with(&[Source::Yaml(yaml)], &|_| None).unwrap();
    config.settings.processors[0].settings.read().unwrap()
}

/// What is kept of a request, and by what.
async fn sample<M: Message + Default>(
    settings: &str,
    signal: Signal,
    request: &M,
) -> (M, Arc<dyn Node>) {
    let settings = self::settings(settings);
    settings.validate().unwrap();
    let kept = Arc::new(Kept::default());
    let host = Host::alone("probabilistic_sampler".parse().unwrap());
    let node = settings.start(&host, signal, Arc::clone(&kept) as _).unwrap();
    let payload = Payload::from_request(signal, request.encode_to_vec()).unwrap();
    let came = payload.items();
    let outcome = node.consume(Batch::without_ticket(payload), Deadline::NEVER).await;
    assert!(matches!(outcome, Outcome::Delivered { .. }), "{outcome:?}");
    let payload = kept.0.lock().unwrap().take();
    let left = payload.as_ref().map_or(0, Payload::items);
    let dropped: u64 = node.tally().dropped.iter().map(|(_, items)| items).sum();
    assert_eq!(dropped, (came - left) as u64);
    let bytes = payload.map(|payload| payload.rope().to_bytes()).unwrap_or_default();
    (M::decode(bytes).unwrap(), node)
}

fn spans(request: &ExportTraceServiceRequest) -> impl Iterator<Item = &Span> {
    let scopes = request.resource_spans.iter().flat_map(|it| &it.scope_spans);
    scopes.flat_map(|it| &it.spans)
}

fn records(request: &ExportLogsServiceRequest) -> impl Iterator<Item = &LogRecord> {
    let scopes = request.resource_logs.iter().flat_map(|it| &it.scope_logs);
    scopes.flat_map(|it| &it.log_records)
}

fn number(name: &str) -> usize {
    name[1..].parse().unwrap()
}

fn body(record: &LogRecord) -> &str {
    let Some(Value::StringValue(text)) = record.body.as_ref().and_then(|it| it.value.as_ref())
    else {
        panic!("{record:?}")
    };
    text
}

/// `-` for none, `?` for what is no text.
fn mark(record: &LogRecord, key: &str) -> String {
    match record.attributes.iter().find(|it| it.key == key).map(|it| it.value.clone()) {
        None => "-".to_owned(),
        Some(Some(value)) => match value.value {
            Some(Value::StringValue(text)) => text,
            _ => "?".to_owned(),
        },
        Some(None) => "?".to_owned(),
    }
}

/// By settings, what the Go collector has kept of a signal.
fn decided(signal: &str) -> BTreeMap<&'static str, Vec<&'static str>> {
    let (mut all, mut lines) = (BTreeMap::new(), None);
    for line in DECISIONS.lines() {
        match line.split_once(' ') {
            Some((of @ ("traces" | "logs"), name)) => {
                lines = (of == signal).then(|| all.entry(name).or_insert_with(Vec::new));
            }
            _ => lines.iter_mut().for_each(|lines| lines.push(line)),
        }
    }
    all
}

/// Checks what was kept, each with its number and its marks, against what the Go collector has kept.
fn compare(name: &str, kept: &[(usize, String)], expected: &[&str]) {
    let found: Vec<String> = match expected {
        [only] if only.starts_with("only") => {
            let numbers: Vec<_> = kept.iter().map(|(number, _)| number.to_string()).collect();
            vec![format!("only {}", numbers.join(" "))]
        }
        _ => kept.iter().map(|(number, marks)| format!("{number} {marks}")).collect(),
    };
    for (found, expected) in found.iter().zip(expected) {
        assert_eq!(found, expected, "{name}");
    }
    assert_eq!(found.len(), expected.len(), "{name}");
}

fn all_settings() -> BTreeMap<String, serde_json::Value> {
    serde_json::from_str(SETTINGS).unwrap()
}

#[tokio::test]
async fn spans_are_sampled_and_marked_as_by_the_go_collector() {
    let request: ExportTraceServiceRequest = serde_json::from_str(SPANS).unwrap();
    let (all, decided) = (all_settings(), decided("traces"));
    assert!(all.len() > 20 && all.len() == decided.len());
    for (name, settings) in all {
        let (kept, _) = sample(&settings.to_string(), Signal::Traces, &request).await;
        let marks = spans(&kept).map(|span| (number(&span.name), span.trace_state.clone()));
        compare(&name, &marks.collect::<Vec<_>>(), &decided[name.as_str()]);
        // All but the trace state is as it was.
        let unmarked = |span: &Span| Span { trace_state: String::new(), ..span.clone() };
        for span in spans(&kept) {
            let came = spans(&request).nth(number(&span.name)).unwrap();
            assert_eq!(unmarked(span), unmarked(came), "{name}");
        }
    }
}

#[tokio::test]
async fn log_records_are_sampled_and_marked_as_by_the_go_collector() {
    let request: ExportLogsServiceRequest = serde_json::from_str(LOGS).unwrap();
    let decided = decided("logs");
    for (name, settings) in all_settings() {
        let (kept, _) = sample(&settings.to_string(), Signal::Logs, &request).await;
        let marks = records(&kept).map(|it| {
            let marks = ["sampling.threshold", "sampling.randomness"].map(|key| mark(it, key));
            (number(body(it)), marks.join(" "))
        });
        compare(&name, &marks.collect::<Vec<_>>(), &decided[name.as_str()]);
        let unmarked = |record: &LogRecord| {
            let mut record = record.clone();
            record.attributes.retain(|it| !it.key.starts_with("sampling."));
            record
        };
        for record in records(&kept) {
            let came = records(&request).nth(number(body(record))).unwrap();
            assert_eq!(unmarked(record), unmarked(came), "{name}");
        }
    }
}

#[tokio::test]
async fn decisions_are_counted_by_what_they_went_by() {
    let request: ExportLogsServiceRequest = serde_json::from_str(LOGS).unwrap();
    let text = "{sampling_percentage: 45, from_attribute: unique, sampling_priority: prio}";
    let (kept, node) = sample(text, Signal::Logs, &request).await;
    let mut measured = Measurements::default();
    node.measure(&mut measured);
    let name = "otelcol_processor_probabilistic_sampler_count_logs_sampled";
    let (_, points) = measured.iter().find(|(instrument, _)| instrument.name == name).unwrap();
    let count = |is_sampled: &str| -> u64 {
        let of =
            points.iter().filter(|it| it.attributes.contains(&("sampled", is_sampled.to_owned())));
        of.map(|it| if let Measured::Whole(count) = it.value { count } else { 0 }).sum()
    };
    assert_eq!(count("true"), records(&kept).count() as u64);
    assert_eq!(count("true") + count("false"), records(&request).count() as u64);
    for policy in ["trace_id_hash", "unique", "missing_randomness", "sampling_priority"] {
        let policy = ("policy", policy.to_owned());
        assert!(points.iter().any(|it| it.attributes.contains(&policy)), "{policy:?}: {points:?}");
    }
}

#[test]
fn what_the_go_collector_refuses_is_refused_with_its_key() {
    for (text, key) in [
        ("{sampling_percentage: -1}", "sampling_percentage"),
        ("{sampling_percentage: 1e-16}", "sampling_percentage"),
        ("{sampling_precision: 0}", "sampling_precision"),
        ("{sampling_precision: 15}", "sampling_precision"),
    ] {
        let error = settings(text).validate().unwrap_err().to_string();
        assert!(error.contains(key), "{error}");
    }
    assert!(settings("{sampling_percentage: 250}").validate().is_ok());
    assert!(settings("{}").check(Signal::Metrics).is_err());
}
