//! A sender with a scripted exporter, on a clock that the tests turn.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use opentelemetry_proto::tonic::collector::trace::v1::ExportTraceServiceRequest;
use opentelemetry_proto::tonic::trace::v1::{ResourceSpans, ScopeSpans, Span};
use otlp_core::export::{Deadline, ErrorKind, ExportError, Exporter as _, Outcome};
use otlp_core::{Payload, Signal};
use otlp_testing::{Gate, ScriptedExporter, Step};
use parking_lot::Mutex;
use prost::Message as _;
use tokio::time::{Instant as Clock, sleep, timeout};

use super::*;
use crate::admission::Budget;
use crate::consumer::{Batch, Consumer as _};

fn payload(spans: usize) -> Payload {
    let span = |at| Span { name: format!("span {at}"), ..Span::default() };
    let scope = ScopeSpans { spans: (0..spans).map(span).collect(), ..ScopeSpans::default() };
    let resource = ResourceSpans { scope_spans: vec![scope], ..ResourceSpans::default() };
    let request = ExportTraceServiceRequest { resource_spans: vec![resource] };
    Payload::from_request(Signal::Traces, request.encode_to_vec()).unwrap()
}

fn batch(spans: usize) -> Batch {
    Batch::without_ticket(payload(spans))
}

fn busy() -> Outcome {
    Outcome::retryable(ExportError::new(ErrorKind::HttpStatus(503), "busy"))
}

fn bad() -> Outcome {
    Outcome::permanent(ExportError::new(ErrorKind::HttpStatus(400), "bad"))
}

fn start(exporter: &ScriptedExporter, settings: SendingSettings) -> Sender {
    Sender::start(exporter.clone().boxed(), settings).unwrap()
}

fn settings(queue: QueueSettings) -> SendingSettings {
    let retry = RetrySettings { randomization_factor: 0.0, ..RetrySettings::default() };
    SendingSettings::default().with_retry(retry).with_queue(queue)
}

fn without_queue() -> SendingSettings {
    settings(QueueSettings { enabled: false, ..QueueSettings::default() })
}

fn size(queue_size: usize) -> std::num::NonZeroUsize {
    queue_size.try_into().unwrap()
}

fn within(time: Duration) -> Deadline {
    Deadline::after(Clock::now().into_std(), time)
}

async fn consume(sender: &Sender, spans: usize) -> Outcome {
    sender.consume(batch(spans), Deadline::NEVER).await
}

fn is_delivered(outcome: &Outcome) -> bool {
    matches!(outcome, Outcome::Delivered { .. })
}

fn is_retryable(outcome: &Outcome) -> bool {
    matches!(outcome, Outcome::Retryable { .. })
}

const SECOND: Duration = Duration::from_secs(1);

#[tokio::test(start_paused = true)]
async fn without_a_queue_the_answer_is_what_became_of_the_batch() {
    let exporter = ScriptedExporter::new();
    let sender = start(&exporter, without_queue());
    let partly = Outcome::partly_rejected(2, "no".to_owned());
    exporter.respond_with([Outcome::delivered().into(), partly.into(), bad().into()]);
    assert!(is_delivered(&consume(&sender, 5).await));
    assert!(matches!(consume(&sender, 5).await, Outcome::PartlyRejected { rejected: 2, .. }));
    assert!(matches!(consume(&sender, 5).await, Outcome::Permanent { .. }));
    let Account { received, sent, rejected, failed, returned, held, .. } = sender.account();
    assert_eq!([received, sent, rejected, failed, returned, held], [15, 8, 2, 0, 5, 0]);
}

#[tokio::test(start_paused = true)]
async fn what_may_succeed_later_is_tried_again_with_growing_waits_until_its_time_is_over() {
    // B1
    let exporter = ScriptedExporter::new();
    let sender = start(&exporter, without_queue());
    exporter.respond_with([busy().into(), busy().into()]);
    let begun = Clock::now();
    assert!(is_delivered(&consume(&sender, 1).await));
    assert_eq!(begun.elapsed().as_millis(), 5_000 + 7_500);

    exporter.respond_by(|_| busy().into());
    let begun = Clock::now();
    assert!(is_retryable(&consume(&sender, 1).await));
    let spent = begun.elapsed().as_secs();
    assert!((270..300).contains(&spent), "{spent}");
    assert_eq!((sender.account().sent, sender.account().returned), (1, 1));
}

#[tokio::test(start_paused = true)]
async fn the_destinations_own_delay_is_kept_to() {
    // B2
    let exporter = ScriptedExporter::new();
    let sender = start(&exporter, without_queue());
    let error = ExportError::new(ErrorKind::HttpStatus(429), "slow down");
    let wait = Outcome::Retryable { error, retry_after: Some(40 * SECOND) };
    exporter.respond_with([wait.into()]);
    let begun = Clock::now();
    assert!(is_delivered(&consume(&sender, 1).await));
    assert!((40..=44).contains(&begun.elapsed().as_secs()), "{:?}", begun.elapsed());
}

#[tokio::test(start_paused = true)]
async fn an_attempt_has_its_own_time_and_the_callers_deadline_holds_for_all() {
    let exporter = ScriptedExporter::new();
    let sender = start(&exporter, without_queue());
    exporter.respond_with([Step::Hang]);
    let begun = Clock::now();
    assert!(is_delivered(&consume(&sender, 1).await));
    assert_eq!(begun.elapsed(), 10 * SECOND, "5 s for the attempt, 5 s of wait");

    exporter.respond_by(|_| Step::Hang);
    let begun = Clock::now();
    let outcome = sender.consume(batch(1), within(7 * SECOND)).await;
    assert!(is_retryable(&outcome) && begun.elapsed() <= 7 * SECOND, "{outcome:?}");
}

#[tokio::test(start_paused = true)]
async fn what_is_too_large_is_sent_in_halves() {
    let exporter = ScriptedExporter::new();
    let sender = start(&exporter, without_queue());
    exporter.respond_by(|payload| match payload.items() {
        0..=2 => Outcome::delivered().into(),
        _ => Outcome::TooLarge { error: ExportError::new(ErrorKind::HttpStatus(413), "large") }
            .into(),
    });
    assert!(is_delivered(&consume(&sender, 7).await));
    assert_eq!((sender.account().sent, exporter.delivered()), (7, 7));
    exporter.respond_by(|_| {
        Outcome::TooLarge { error: ExportError::new(ErrorKind::HttpStatus(413), "large") }.into()
    });
    assert!(matches!(consume(&sender, 2).await, Outcome::TooLarge { .. }));
    assert_eq!((sender.account().returned, sender.account().unaccounted()), (2, 0));
}

#[tokio::test(start_paused = true)]
async fn an_exporter_that_panics_costs_one_request() {
    let exporter = ScriptedExporter::new();
    let sender = start(&exporter, settings(QueueSettings::default()));
    exporter.respond_with([Step::Panic("boom")]);
    for _ in 0..2 {
        assert!(is_delivered(&consume(&sender, 3).await));
    }
    sender.shutdown(Deadline::NEVER).await;
    let Account { sent, failed, panics, .. } = sender.account();
    assert_eq!((sent, failed, panics), (3, 3, 1));
}

#[tokio::test(start_paused = true)]
async fn with_a_queue_the_answer_comes_when_it_is_taken_and_a_full_one_refuses() {
    let exporter = ScriptedExporter::new();
    let gate = Gate::new();
    exporter.respond_with([Step::Hold(gate.clone(), Outcome::delivered())]);
    let queue = QueueSettings {
        num_consumers: size(1),
        queue_size: size(10),
        sizer: QueueSizer::Items,
        ..QueueSettings::default()
    };
    let sender = start(&exporter, settings(queue));
    assert!(is_delivered(&consume(&sender, 4).await));
    exporter.exports_reach(1).await;
    for _ in 0..2 {
        assert!(is_delivered(&consume(&sender, 4).await));
    }
    assert_eq!(sender.queue_size(), (8, 10));
    let refused = consume(&sender, 3).await;
    assert!(is_retryable(&refused), "{refused:?}");
    assert!(matches!(consume(&sender, 11).await, Outcome::TooLarge { .. }));
    assert!(is_delivered(&consume(&sender, 2).await), "what fits is taken");
    let Account { received, held, refused, .. } = sender.account();
    assert_eq!((received, held, refused), (14, 14, 14));
    gate.open();
    sender.shutdown(Deadline::NEVER).await;
    assert_eq!((sender.account().sent, sender.account().unaccounted()), (14, 0));
}

#[tokio::test(start_paused = true)]
async fn a_batch_may_wait_for_room_until_its_deadline() {
    let exporter = ScriptedExporter::new();
    let gate = Gate::new();
    exporter.respond_with([Step::Hold(gate.clone(), Outcome::delivered())]);
    let queue = QueueSettings {
        num_consumers: size(1),
        queue_size: size(1),
        block_on_overflow: true,
        ..QueueSettings::default()
    };
    let mut settings = settings(queue);
    settings.timeout = Duration::ZERO;
    let sender = start(&exporter, settings);
    assert!(is_delivered(&consume(&sender, 1).await));
    exporter.exports_reach(1).await;
    assert!(is_delivered(&consume(&sender, 1).await));
    assert!(is_retryable(&sender.consume(batch(1), within(SECOND)).await));
    let waiting = sender.consume(batch(1), within(60 * SECOND));
    let (outcome, ()) = tokio::join!(waiting, async {
        sleep(SECOND).await;
        gate.open();
    });
    assert!(is_delivered(&outcome), "{outcome:?}");
    sender.shutdown(Deadline::NEVER).await;
    assert_eq!((sender.account().sent, sender.account().refused), (3, 1));
}

#[tokio::test(start_paused = true)]
async fn whoever_waits_for_the_result_gets_it() {
    let exporter = ScriptedExporter::new();
    let queue = QueueSettings { wait_for_result: true, ..QueueSettings::default() };
    let sender = start(&exporter, settings(queue));
    exporter.respond_with([bad().into(), busy().into()]);
    assert!(matches!(consume(&sender, 1).await, Outcome::Permanent { .. }));
    let begun = Clock::now();
    assert!(is_delivered(&consume(&sender, 1).await));
    assert_eq!(begun.elapsed(), 5 * SECOND);
    exporter.respond_by(|_| busy().into());
    assert!(is_retryable(&sender.consume(batch(1), within(SECOND)).await), "its time is over");
}

fn batching(min_size: usize, max_size: usize) -> QueueSettings {
    let batch = BatchSettings { min_size, max_size, ..BatchSettings::default() };
    QueueSettings { batch: Some(batch), wait_for_result: true, ..QueueSettings::default() }
}

#[tokio::test(start_paused = true)]
async fn requests_are_put_together_by_size_or_by_time_and_cut() {
    let exporter = ScriptedExporter::new();
    let sender = start(&exporter, settings(batching(10, 12)));
    let begun = Clock::now();
    let (one, other) = tokio::join!(consume(&sender, 4), consume(&sender, 9));
    assert!(is_delivered(&one) && is_delivered(&other));
    assert_eq!(begun.elapsed(), Duration::ZERO, "together they are enough");
    let sizes: Vec<_> = exporter.payloads().iter().map(Payload::items).collect();
    assert_eq!(sizes, [12, 1]);
    assert!(is_delivered(&consume(&sender, 3).await));
    assert_eq!(begun.elapsed(), Duration::from_millis(200), "alone it waits for others");
    sender.shutdown(Deadline::NEVER).await;
    assert_eq!((sender.account().sent, sender.account().unaccounted()), (16, 0));
}

#[tokio::test(start_paused = true)]
async fn a_batch_is_answered_for_when_all_of_its_parts_have_ended() {
    let exporter = ScriptedExporter::new();
    let sender = start(&exporter, settings(batching(10, 10)));
    exporter.respond_by(|payload| match payload.items() {
        10 => Outcome::delivered().into(),
        _ => bad().into(),
    });
    assert!(matches!(consume(&sender, 15).await, Outcome::Permanent { .. }));
    let account = sender.account();
    assert_eq!((account.sent, account.returned, account.repeatable), (10, 5, 10));
    sender.shutdown(Deadline::NEVER).await;
}

// row G4
#[tokio::test(start_paused = true)]
async fn a_shutdown_sends_what_waits_and_gives_up_the_rest_at_its_deadline() {
    for batch_settings in [None, Some(BatchSettings::default())] {
        let exporter = ScriptedExporter::new();
        let queue = QueueSettings { batch: batch_settings, ..QueueSettings::default() };
        let sender = start(&exporter, settings(queue.clone()));
        for _ in 0..30 {
            assert!(is_delivered(&consume(&sender, 2).await));
        }
        sender.shutdown(within(SECOND)).await;
        assert_eq!((sender.account().sent, sender.account().held), (60, 0));
        assert!(is_retryable(&consume(&sender, 1).await), "nothing more is taken");

        let exporter = ScriptedExporter::new();
        exporter.respond_by(|_| Step::Hang);
        let sender = start(&exporter, settings(queue));
        for _ in 0..30 {
            assert!(is_delivered(&consume(&sender, 2).await));
        }
        let begun = Clock::now();
        timeout(60 * SECOND, sender.shutdown(within(3 * SECOND))).await.unwrap();
        assert_eq!(begun.elapsed(), 3 * SECOND);
        let Account { sent, failed, held, .. } = sender.account();
        assert_eq!((sent, failed, held, sender.account().unaccounted()), (0, 60, 0, 0));
    }
}

#[tokio::test(start_paused = true)]
async fn a_shutdown_wakes_those_who_wait_for_a_better_time() {
    let exporter = ScriptedExporter::new();
    let sender = start(&exporter, settings(QueueSettings::default()));
    exporter.respond_with([busy().into()]);
    assert!(is_delivered(&consume(&sender, 1).await));
    exporter.exports_reach(1).await;
    let begun = Clock::now();
    sender.shutdown(within(2 * SECOND)).await;
    assert_eq!((sender.account().sent, begun.elapsed()), (1, Duration::ZERO));
}

#[tokio::test(start_paused = true)]
async fn a_caller_that_goes_away_and_a_sender_that_is_dropped_leave_nothing_held() {
    let exporter = ScriptedExporter::new();
    exporter.respond_by(|_| Step::Hang);
    let sender = start(&exporter, without_queue());
    assert!(timeout(SECOND, consume(&sender, 3)).await.is_err(), "the caller has gone");
    let account = sender.account();
    assert_eq!((account.returned, account.held, account.unaccounted()), (3, 0, 0));

    for queue in [QueueSettings::default(), batching(1, 0)] {
        let queue = QueueSettings { wait_for_result: false, ..queue };
        let sender = start(&exporter, settings(queue));
        let counters = sender.counters();
        for _ in 0..30 {
            assert!(is_delivered(&consume(&sender, 2).await));
        }
        assert_eq!(counters.account().held, 60);
        drop(sender);
        tokio::task::yield_now().await;
        let account = counters.account();
        assert_eq!((account.failed, account.held, account.unaccounted()), (60, 0, 0));
    }
}

#[tokio::test(start_paused = true)]
async fn tickets_come_back_when_a_batch_has_ended() {
    let budget = Budget::new(1000);
    let exporter = ScriptedExporter::new();
    let gate = Gate::new();
    exporter.respond_by({
        let gate = gate.clone();
        move |_| Step::Hold(gate.clone(), Outcome::delivered())
    });
    for batch_settings in [None, Some(BatchSettings { min_size: 1, ..BatchSettings::default() })] {
        let queue = QueueSettings { batch: batch_settings, ..QueueSettings::default() };
        let mut settings = settings(queue);
        settings.timeout = Duration::ZERO;
        let sender = start(&exporter, settings);
        let ticket = budget.take(100).unwrap();
        let outcome = sender.consume(Batch::new(payload(1), ticket), Deadline::NEVER).await;
        assert!(is_delivered(&outcome));
        assert_eq!(budget.used(), 100);
        gate.open();
        sender.shutdown(Deadline::NEVER).await;
        assert_eq!(budget.used(), 0);
    }
}

#[test]
fn settings_that_do_not_go_together_are_refused_by_name() {
    let queue = |queue| settings(queue).check().unwrap_err();
    assert_eq!(queue(batching(10, 5)).key(), "sending_queue::batch::max_size");
    let small = QueueSettings { queue_size: size(5), sizer: QueueSizer::Items, ..batching(10, 0) };
    assert_eq!(queue(small).key(), "sending_queue::batch::min_size");
    let retry = |retry| SendingSettings::default().with_retry(retry).check().unwrap_err();
    let error = retry(RetrySettings { multiplier: 0.5, ..RetrySettings::default() });
    let text = "retry_on_failure::multiplier is out of range; accepted: a number from 1 to 1000";
    assert_eq!(error.to_string(), text);
    let factor = RetrySettings { randomization_factor: f64::NAN, ..RetrySettings::default() };
    assert_eq!(retry(factor).key(), "retry_on_failure::randomization_factor");
    assert!(settings(batching(10, 10)).check().is_ok());
}

#[test]
fn the_keys_and_defaults_are_those_of_the_go_collector() {
    let read = |text: &str| {
        let sources = [crate::config::Source::Yaml(format!(
            "exporters: {{otlp: {text}}}\nreceivers: {{a: }}\nservice::pipelines::traces: {{receivers: [a], exporters: [otlp]}}"
        ))];
        let config = crate::config::Config::load_with(&sources, &|_| None).unwrap();
        config.settings.exporters[0].settings.clone()
    };
    let queue: QueueSettings = read("{}").read().unwrap();
    assert_eq!(queue, QueueSettings::default());
    let queue: QueueSettings = read("{queue_size: 5000, sizer: bytes, batch: }").read().unwrap();
    assert_eq!(queue.batch, Some(BatchSettings::default()));
    assert_eq!((queue.queue_size.get(), queue.sizer), (5000, QueueSizer::Bytes));
    let retry: RetrySettings = read("{max_elapsed_time: 0s, initial_interval: 1s}").read().unwrap();
    assert_eq!((retry.policy().max_elapsed, retry.initial_interval), (None, SECOND));
    let error = read("{queue_size: 0}").read::<QueueSettings>().unwrap_err().to_string();
    assert!(error.contains("queue_size"), "{error}");
    let error = read("{sizer: request}").read::<QueueSettings>().unwrap_err().to_string();
    assert!(error.contains("did you mean \"requests\"?"), "{error}");
}

/// Keeps what waits as bytes, as a disk would, and may be full, or lose it.
#[derive(Debug)]
struct Shelf {
    room: Mutex<usize>,
    loses: Arc<AtomicBool>,
}

#[derive(Debug)]
struct OnShelf(Vec<u8>, Arc<AtomicBool>);

impl Storage for Shelf {
    fn keep(&self, batch: Batch) -> StorageFuture<'_, Result<Box<dyn Kept>, ExportError>> {
        Box::pin(async move {
            tokio::task::yield_now().await;
            let mut room = self.room.lock();
            *room = room
                .checked_sub(1)
                .ok_or(ExportError::new(ErrorKind::Other, "the disk is full"))?;
            let bytes = batch.payload().rope().to_bytes().to_vec();
            Ok(Box::new(OnShelf(bytes, Arc::clone(&self.loses))) as Box<dyn Kept>)
        })
    }
}

impl Kept for OnShelf {
    fn bring(self: Box<Self>) -> StorageFuture<'static, Result<Batch, ExportError>> {
        Box::pin(async move {
            tokio::task::yield_now().await;
            if self.1.load(Ordering::Relaxed) {
                return Err(ExportError::new(ErrorKind::Other, "the disk is gone"));
            }
            let payload = Payload::from_request(Signal::Traces, self.0).unwrap();
            Ok(Batch::without_ticket(payload))
        })
    }
}

#[tokio::test(start_paused = true)]
async fn what_waits_may_be_kept_elsewhere_which_may_be_full_or_lose_it() {
    for batch_settings in [None, Some(BatchSettings::default())] {
        let queue = QueueSettings { batch: batch_settings, ..QueueSettings::default() };
        let loses = Arc::new(AtomicBool::new(false));
        let shelf = Shelf { room: Mutex::new(3), loses: Arc::clone(&loses) };
        let exporter = ScriptedExporter::new();
        let sender =
            Sender::start_with("test", exporter.clone().boxed(), settings(queue), Arc::new(shelf))
                .unwrap();
        assert!(
            is_delivered(&consume(&sender, 2).await) && is_delivered(&consume(&sender, 3).await)
        );
        exporter.exports_reach(1).await;
        sleep(SECOND).await;
        assert_eq!((exporter.delivered(), sender.queue_size().0), (5, 0));
        loses.store(true, Ordering::Relaxed);
        assert!(is_delivered(&consume(&sender, 4).await));
        let full = consume(&sender, 1).await;
        assert!(is_retryable(&full) && full.error().unwrap().to_string().contains("disk is full"));
        sender.shutdown(within(SECOND)).await;
        let account = sender.account();
        assert_eq!((account.sent, account.failed, account.refused), (5, 4, 1), "{account}");
        assert_eq!((account.unaccounted(), sender.queue_size().0), (0, 0));
    }
}

#[tokio::test(start_paused = true)]
async fn those_who_wait_for_room_get_it_in_the_order_in_which_they_came() {
    let exporter = ScriptedExporter::new();
    let gate = Gate::new();
    exporter.respond_with([Step::Hold(gate.clone(), Outcome::delivered())]);
    let queue = QueueSettings {
        queue_size: size(2),
        num_consumers: size(1),
        block_on_overflow: true,
        ..QueueSettings::default()
    };
    let sender = Arc::new(start(&exporter, settings(queue)));
    assert!(is_delivered(&consume(&sender, 1).await));
    exporter.exports_reach(1).await;
    let mut waiting = Vec::new();
    for items in 2..=40 {
        let sender = Arc::clone(&sender);
        waiting.push(tokio::spawn(async move { consume(&sender, items).await }));
        tokio::task::yield_now().await;
    }
    gate.open();
    for waits in waiting {
        assert!(is_delivered(&waits.await.unwrap()));
    }
    sender.shutdown(Deadline::NEVER).await;
    let sizes: Vec<_> = exporter.payloads().iter().map(Payload::items).collect();
    assert_eq!(sizes, (1..=40).collect::<Vec<_>>());
}
