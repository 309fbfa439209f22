//! The node with a scripted next one, on a clock that the tests turn.

use std::sync::Arc;
use std::time::Duration;

use futures_util::FutureExt as _;
use futures_util::future::join_all;
use otlp_core::export::{Deadline, ErrorKind, ExportError, Exporter as _, Outcome};
use otlp_testing::{Gate, ScriptedExporter, Step};
use tokio::time::{Instant as Clock, timeout};

use super::*;
use crate::admission::Budget;
use crate::component::{Node, Running as _, Tally};
use crate::consumer::{Answer, Batch, Consumer};
use crate::gathering::tests::payload;
use crate::processors::batch::node::BatchNode;
use crate::telemetry::{Measurements, Value};

/// Hands on to an exporter, and keeps the tickets as long.
#[derive(Debug)]
struct Next(ScriptedExporter);

impl Consumer for Next {
    fn consume(&self, batch: Batch, deadline: Deadline) -> Answer<'_> {
        Box::pin(async move {
            let outcome = self.0.export(batch.payload().clone(), deadline).await;
            drop(batch);
            outcome
        })
    }
}

fn settings(size: u32, max: u32) -> BatchProcessorSettings {
    BatchProcessorSettings {
        send_batch_size: size,
        send_batch_max_size: max,
        ..BatchProcessorSettings::default()
    }
}

/// One that never waits for less than its time.
fn unhurried(size: u32, max: u32) -> BatchProcessorSettings {
    BatchProcessorSettings { idle_timeout: Some(Duration::ZERO), ..settings(size, max) }
}

fn start(settings: BatchProcessorSettings) -> (BatchNode, ScriptedExporter) {
    let exporter = ScriptedExporter::new();
    let next = Arc::new(Next(exporter.clone()));
    (BatchNode::start(settings, usize::MAX, next), exporter)
}

async fn consume(node: &BatchNode, items: usize) -> Outcome {
    node.consume(Batch::without_ticket(payload(items)), Deadline::NEVER).await
}

fn sizes(exporter: &ScriptedExporter) -> Vec<usize> {
    exporter.payloads().iter().map(otlp_core::Payload::items).collect()
}

fn within(time: Duration) -> Deadline {
    Deadline::after(Clock::now().into_std(), time)
}

fn is_delivered(outcome: &Outcome) -> bool {
    matches!(outcome, Outcome::Delivered { .. })
}

fn busy() -> Outcome {
    Outcome::retryable(ExportError::new(ErrorKind::HttpStatus(503), "busy"))
}

const MS: Duration = Duration::from_millis(1);
const SECOND: Duration = Duration::from_secs(1);

#[tokio::test(start_paused = true)]
async fn requests_go_together_when_they_are_enough() {
    let (node, exporter) = start(unhurried(10, 0));
    let begun = Clock::now();
    let outcomes = join_all([4, 3, 5].map(|items| consume(&node, items))).await;
    assert!(outcomes.iter().all(is_delivered), "{outcomes:?}");
    assert_eq!((sizes(&exporter), begun.elapsed()), (vec![12], Duration::ZERO));
}

#[tokio::test(start_paused = true)]
async fn what_is_not_enough_goes_after_its_time_or_when_nothing_comes_any_more() {
    for (settings, wait) in [(unhurried(10, 0), 200), (settings(10, 0), 2)] {
        let (node, exporter) = start(settings);
        let begun = Clock::now();
        let (one, other) = tokio::join!(consume(&node, 4), consume(&node, 5));
        assert!(is_delivered(&one) && is_delivered(&other));
        assert_eq!(sizes(&exporter), [9]);
        assert_eq!(begun.elapsed().as_millis(), wait);
        let figures = measured(&node);
        assert_eq!(figures("otelcol_processor_batch_timeout_trigger_send"), 1);
        assert_eq!(figures("otelcol_processor_batch_batch_size_trigger_send"), 0);
    }
}

#[tokio::test(start_paused = true)]
async fn what_is_over_the_maximum_is_cut_and_the_rest_waits_for_more() {
    let (node, exporter) = start(unhurried(10, 10));
    let rest = consume(&node, 7);
    let begun = Clock::now();
    let (first, second, third) = tokio::join!(consume(&node, 6), rest, async {
        exporter.exports_reach(1).await;
        assert_eq!(begun.elapsed(), Duration::ZERO);
        consume(&node, 7).await
    });
    assert!([first, second, third].iter().all(is_delivered));
    assert_eq!((sizes(&exporter), begun.elapsed()), (vec![10, 10], Duration::ZERO));
    assert!(is_delivered(&consume(&node, 25).await));
    assert_eq!(sizes(&exporter), [10, 10, 10, 10, 5]);
    assert_eq!(begun.elapsed(), 200 * MS);
    let figures = measured(&node);
    assert_eq!(figures("otelcol_processor_batch_batch_size_trigger_send"), 4);
    assert_eq!(figures("otelcol_processor_batch_timeout_trigger_send"), 1);
}

/// The values of the whole numbers that it measures.
fn measured(node: &BatchNode) -> impl Fn(&str) -> u64 + use<> {
    let mut all = Measurements::default();
    node.measure(&mut all);
    move |name| {
        let (_, points) = all.iter().find(|(instrument, _)| instrument.name == name).unwrap();
        let Value::Whole(value) = points[0].value else { panic!("{points:?}") };
        value
    }
}

#[tokio::test(start_paused = true)]
async fn everybody_hears_of_the_error_of_his_batch_and_of_no_other() {
    let (node, exporter) = start(unhurried(10, 0));
    exporter.respond_with([busy().into()]);
    let outcomes = join_all([4, 6, 10].map(|items| consume(&node, items))).await;
    for outcome in &outcomes[..2] {
        assert!(matches!(outcome, Outcome::Retryable { .. }), "{outcome:?}");
    }
    assert!(is_delivered(&outcomes[2]));
    assert_eq!(node.tally().repeatable, 0);
}

#[tokio::test(start_paused = true)]
async fn without_a_time_or_a_size_each_request_goes_on_at_once() {
    let at_once = BatchProcessorSettings { timeout: Duration::ZERO, ..settings(10, 20) };
    for settings in [at_once, settings(0, 20)] {
        let (node, exporter) = start(settings);
        let begun = Clock::now();
        let (one, other) = tokio::join!(consume(&node, 4), consume(&node, 25));
        assert!(is_delivered(&one) && is_delivered(&other));
        assert_eq!((sizes(&exporter), begun.elapsed()), (vec![4, 20, 5], Duration::ZERO));
    }
}

#[tokio::test(start_paused = true)]
async fn what_is_empty_is_taken_and_goes_nowhere() {
    let (node, exporter) = start(settings(10, 0));
    assert!(is_delivered(&consume(&node, 0).await));
    assert_eq!(exporter.exports(), 0);
}

#[tokio::test(start_paused = true)]
async fn whoever_has_no_time_left_is_told_so_and_what_then_arrives_may_come_again() {
    let (node, exporter) = start(unhurried(10, 0));
    let gate = Gate::new();
    exporter.respond_with([Step::Hold(gate.clone(), Outcome::delivered())]);
    let begun = Clock::now();
    let hurried = node.consume(Batch::without_ticket(payload(3)), within(100 * MS));
    let patient = node.consume(Batch::without_ticket(payload(4)), within(10 * SECOND));
    let (hurried, patient) = tokio::join!(
        async {
            let outcome = hurried.await;
            assert_eq!(begun.elapsed(), 100 * MS);
            gate.open();
            outcome
        },
        patient
    );
    assert_eq!(hurried.error().unwrap().kind(), ErrorKind::Timeout);
    assert!(is_delivered(&patient));
    assert_eq!((sizes(&exporter), node.tally().repeatable), (vec![7], 3));
}

#[tokio::test(start_paused = true)]
async fn an_impatient_client_makes_the_batch_go_earlier() {
    let (node, exporter) = start(unhurried(10, 0));
    let begun = Clock::now();
    let hurried = node.consume(Batch::without_ticket(payload(3)), within(60 * MS));
    let (one, other) = tokio::join!(consume(&node, 1), hurried);
    assert!(is_delivered(&one) && is_delivered(&other));
    assert_eq!((sizes(&exporter), begun.elapsed()), (vec![4], 30 * MS));
}

#[tokio::test(start_paused = true)]
async fn a_caller_that_goes_takes_nothing_with_it() {
    let (node, exporter) = start(unhurried(10, 0));
    assert!(consume(&node, 3).now_or_never().is_none());
    assert!(is_delivered(&consume(&node, 4).await));
    assert_eq!((sizes(&exporter), node.tally().repeatable), (vec![7], 3));
}

#[tokio::test(start_paused = true)]
async fn tickets_come_back_when_the_last_part_has_its_answer() {
    let (node, exporter) = start(unhurried(10, 10));
    let gate = Gate::new();
    exporter.respond_with([
        Step::Answer(Outcome::delivered()),
        Step::Hold(gate.clone(), Outcome::delivered()),
    ]);
    let budget = Budget::new(100);
    let held = |items, bytes| Batch::new(payload(items), budget.take(bytes).unwrap());
    let (one, other, ()) = tokio::join!(
        node.consume(held(5, 30), Deadline::NEVER),
        node.consume(held(15, 60), Deadline::NEVER),
        async {
            exporter.exports_reach(2).await;
            tokio::task::yield_now().await;
            assert_eq!(budget.used(), 60, "the first has its answer, half of the second not");
            gate.open();
        }
    );
    assert!(is_delivered(&one) && is_delivered(&other));
    tokio::task::yield_now().await;
    assert_eq!(budget.used(), 0);
}

#[tokio::test(start_paused = true)]
async fn more_than_may_wait_is_refused_and_may_come_again() {
    let exporter = ScriptedExporter::new();
    let bytes_max = payload(10).len() * 2;
    let node = BatchNode::start(unhurried(100, 0), bytes_max, Arc::new(Next(exporter.clone())));
    let (one, other, third) =
        tokio::join!(consume(&node, 10), consume(&node, 10), async { consume(&node, 1).await });
    assert!(is_delivered(&one) && is_delivered(&other));
    assert!(matches!(third, Outcome::Retryable { .. }), "{third:?}");
    assert_eq!(sizes(&exporter), [20]);
}

#[tokio::test(start_paused = true)]
async fn batches_that_cannot_be_sent_wait_in_a_bounded_number() {
    let (node, exporter) = start(unhurried(1, 0));
    let gate = Gate::new();
    exporter.respond_by({
        let gate = gate.clone();
        move |_| Step::Hold(gate.clone(), Outcome::delivered())
    });
    let node = Arc::new(node);
    let requests = (0..200).map(|_| {
        let node = Arc::clone(&node);
        tokio::spawn(async move { consume(&node, 1).await })
    });
    let requests: Vec<_> = requests.collect();
    exporter.exports_reach(10).await;
    for _ in 0..10 {
        tokio::task::yield_now().await;
    }
    assert_eq!(exporter.exports(), 10, "so many are sent at once");
    gate.open();
    let outcomes = join_all(requests).await;
    let taken = outcomes.iter().filter(|it| is_delivered(it.as_ref().unwrap())).count();
    assert!((100..=110).contains(&taken), "{taken}");
    assert_eq!(sizes(&exporter).len(), taken, "and what was refused did not arrive");
}

#[tokio::test(start_paused = true)]
async fn a_panic_below_costs_its_batch_only() {
    let (node, exporter) = start(unhurried(1, 0));
    exporter.respond_with([Step::Panic("boom")]);
    assert!(matches!(consume(&node, 3).await, Outcome::Permanent { .. }));
    assert!(is_delivered(&consume(&node, 3).await));
}

#[tokio::test(start_paused = true)]
async fn after_the_end_nothing_waits_any_more() {
    let (node, exporter) = start(unhurried(10, 0));
    let begun = Clock::now();
    let (waiting, ()) = tokio::join!(consume(&node, 3), async {
        tokio::task::yield_now().await;
        node.stop(Deadline::NEVER).await;
    });
    assert!(is_delivered(&waiting));
    assert!(is_delivered(&consume(&node, 2).await));
    node.stop(Deadline::NEVER).await;
    assert_eq!((sizes(&exporter), begun.elapsed()), (vec![3, 2], Duration::ZERO));
}

#[tokio::test(start_paused = true)]
async fn a_node_that_is_dropped_leaves_nobody_waiting_and_gives_its_tickets_back() {
    let (node, exporter) = start(unhurried(10, 0));
    exporter.respond_by(|_| Step::Hang);
    let budget = Budget::new(100);
    let node = Arc::new(node);
    let requests = [5, 5, 5].map(|items| {
        let batch = Batch::new(payload(items), budget.take(30).unwrap());
        let node = Arc::clone(&node);
        tokio::spawn(async move { node.consume(batch, within(SECOND)).await })
    });
    exporter.exports_reach(1).await;
    assert_eq!(budget.used(), 90);
    for outcome in join_all(requests).await {
        assert!(matches!(outcome.unwrap(), Outcome::Retryable { .. }));
    }
    drop(node);
    let given_back = async {
        while budget.used() > 0 {
            tokio::task::yield_now().await;
        }
    };
    timeout(SECOND, given_back).await.unwrap();
}

#[test]
fn keys_and_defaults_are_those_of_the_go_collector() {
    let read = |text: &str| -> Result<BatchProcessorSettings, crate::config::ConfigError> {
        let yaml = format!(
            "receivers: {{otlp: }}\nexporters: {{debug: }}\nprocessors: {{batch: {text}}}\n\
             service::pipelines::traces: {{receivers: [otlp], processors: [batch], exporters: [debug]}}"
        );
        let sources = [crate::config::Source::Yaml(yaml)];
        let config = crate::config::Config::load_with(&sources, &|_| None)?;
        let settings: BatchProcessorSettings = config.settings.processors[0].settings.read()?;
        settings.validate().map(|()| settings)
    };
    assert_eq!(read("").unwrap(), BatchProcessorSettings::default());
    let text = "{timeout: 1s, send_batch_size: 5, send_batch_max_size: 5, metadata_keys: [], metadata_cardinality_limit: 7}";
    let settings = read(text).unwrap();
    assert_eq!((settings.timeout, settings.send_batch_max_size), (SECOND, 5));
    assert_eq!(settings.idle(), Some(10 * MS));
    for (text, key) in [
        ("{send_batch_max_size: 5}", "send_batch_max_size"),
        ("{metadata_keys: [tenant]}", "metadata_keys"),
        ("{send_batch_sice: 5}", "did you mean \"send_batch_size\"?"),
    ] {
        let error = read(text).unwrap_err().to_string();
        assert!(error.contains(key), "{error}");
    }
}

/// In front of a node that holds what it takes, as a queue does.
#[derive(Debug)]
struct Holds(ScriptedExporter);

impl Consumer for Holds {
    fn consume(&self, batch: Batch, deadline: Deadline) -> Answer<'_> {
        Box::pin(async move { self.0.export(batch.payload().clone(), deadline).await })
    }

    fn holds(&self) -> bool {
        true
    }
}

fn start_before_a_queue(settings: BatchProcessorSettings) -> (BatchNode, ScriptedExporter) {
    let exporter = ScriptedExporter::new();
    let next = Arc::new(Holds(exporter.clone()));
    (BatchNode::start(settings, usize::MAX, next), exporter)
}

fn bad() -> Outcome {
    Outcome::permanent(ExportError::new(ErrorKind::HttpStatus(400), "bad"))
}

#[tokio::test(start_paused = true)]
async fn in_front_of_a_queue_a_request_is_answered_for_at_once_and_held_until_its_batch_goes() {
    let (node, exporter) = start_before_a_queue(settings(10, 0));
    let begun = Clock::now();
    assert!(is_delivered(&consume(&node, 4).await) && is_delivered(&consume(&node, 5).await));
    assert_eq!((begun.elapsed(), node.tally().held), (Duration::ZERO, 9));
    exporter.exports_reach(1).await;
    assert_eq!((sizes(&exporter), begun.elapsed()), (vec![9], 200 * MS));
    assert!(is_delivered(&consume(&node, 4).await));
    node.stop(within(SECOND)).await;
    assert_eq!((sizes(&exporter), begun.elapsed()), (vec![9, 4], 200 * MS));
    assert_eq!(node.tally(), Tally { dropped: node.tally().dropped, ..Tally::default() });
    assert!(node.tally().dropped.iter().all(|(_, items)| *items == 0));
}

#[tokio::test(start_paused = true)]
async fn while_the_queue_is_full_requests_are_refused_with_its_words_and_nothing_held_is_lost() {
    let (node, exporter) = start_before_a_queue(settings(10, 0));
    exporter.respond_with([busy().into(), busy().into()]);
    assert!(is_delivered(&consume(&node, 10).await));
    exporter.exports_reach(1).await;
    tokio::task::yield_now().await;
    let refusal = consume(&node, 3).await;
    assert!(matches!(refusal, Outcome::Retryable { .. }), "{refusal:?}");
    assert!(refusal.error().unwrap().to_string().contains("busy"), "{refusal:?}");
    assert_eq!(node.tally().held, 10);
    exporter.exports_reach(3).await;
    tokio::task::yield_now().await;
    assert!(is_delivered(&consume(&node, 10).await));
    node.stop(within(SECOND)).await;
    assert_eq!((exporter.delivered(), node.tally().held), (20, 0));
}

#[tokio::test(start_paused = true)]
async fn what_is_answered_for_and_never_taken_has_a_reason() {
    let (node, exporter) = start_before_a_queue(settings(10, 0));
    let large = ExportError::new(ErrorKind::RequestTooLarge, "larger than the queue");
    exporter.respond_by(move |payload| match payload.items() {
        10 => bad().into(),
        20 => Outcome::TooLarge { error: large.clone() }.into(),
        5 => Step::Hang,
        _ => busy().into(),
    });
    // Refused for good; in halves, each of which is refused for good; and at the end still refused for now.
    for items in [10, 20, 30] {
        assert!(is_delivered(&consume(&node, items).await));
        tokio::time::sleep(MS).await;
    }
    assert!(!is_delivered(&consume(&node, 5).await), "the next node takes nothing now");
    let begun = Clock::now();
    node.stop(within(3 * SECOND)).await;
    assert!(begun.elapsed() <= 3 * SECOND);
    let tally = node.tally();
    assert_eq!(tally.dropped, [("refused for good", 30), ("given up at the end", 30)]);
    assert_eq!((tally.held, tally.repeatable), (0, 0));
}
