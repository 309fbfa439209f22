use std::collections::VecDeque;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::time::{Duration, Instant};

use bytes::Bytes;
use futures_util::FutureExt;
use futures_util::future::pending;
use otlp_core::export::{BoxedExporter, ErrorKind};
use otlp_core::{Rope, Signal};

use super::*;

/// What the inner exporter does with the next request.
#[derive(Debug)]
enum Step {
    Answer(Outcome),
    Hang,
    Panic,
}

/// Plays its steps in order and remembers what it was asked.
#[derive(Debug, Default)]
struct Script {
    steps: Mutex<VecDeque<Step>>,
    asked: Mutex<Vec<(usize, Deadline)>>,
    flushed: Mutex<Vec<Deadline>>,
    shut_down: Mutex<Vec<Deadline>>,
}

impl Exporter for Script {
    async fn export(&self, payload: Payload, deadline: Deadline) -> Outcome {
        self.asked.lock().push((payload.items(), deadline));
        let step = self.steps.lock().pop_front().expect("a step for each request");
        match step {
            Step::Answer(outcome) => outcome,
            Step::Hang => pending().await,
            Step::Panic => panic!("the inner exporter panics"),
        }
    }

    async fn force_flush(&self, deadline: Deadline) -> Result<(), ExportError> {
        self.flushed.lock().push(deadline);
        Err(error())
    }

    async fn shutdown(&self, deadline: Deadline) -> Result<(), ExportError> {
        self.shut_down.lock().push(deadline);
        Err(error())
    }

    fn component_type(&self) -> &'static str {
        "scripted_exporter"
    }

    fn destination(&self) -> String {
        "a script".to_owned()
    }
}

fn error() -> ExportError {
    ExportError::new(ErrorKind::Other, "as scripted")
}

fn scripted(steps: impl IntoIterator<Item = Step>) -> CountingExporter<Script> {
    let steps = Mutex::new(steps.into_iter().collect());
    CountingExporter::new(Script { steps, ..Script::default() })
}

/// Only the count is looked at, so the request may be empty.
fn payload(items: usize) -> Payload {
    Payload::from_parts(Signal::Traces, Rope::from(Bytes::new()), items)
}

fn export(exporter: &impl Exporter, items: usize) -> Outcome {
    exporter.export(payload(items), Deadline::NEVER).now_or_never().expect("answers at once")
}

#[test]
fn each_outcome_is_counted_once_and_handed_back_unchanged() {
    let exporter = scripted(
        [
            Outcome::warned("slow down".to_owned()),
            Outcome::partly_rejected(2, "too old".to_owned()),
            Outcome::retryable(error()),
            Outcome::permanent(error()),
            Outcome::TooLarge { error: error() },
        ]
        .map(Step::Answer),
    );

    let outcomes: Vec<Outcome> = (0..5).map(|_| export(&exporter, 10)).collect();

    assert!(
        matches!(&outcomes[0], Outcome::Delivered { warning: Some(w), .. } if w == "slow down")
    );
    assert!(matches!(outcomes[1], Outcome::PartlyRejected { rejected: 2, .. }));
    assert!(matches!(outcomes[2], Outcome::Retryable { .. }));
    assert!(matches!(outcomes[3], Outcome::Permanent { .. }));
    assert!(matches!(outcomes[4], Outcome::TooLarge { .. }));
    let counts = exporter.counter().snapshot();
    assert_eq!(
        counts,
        ExportCounts {
            delivered: 1,
            partly_rejected: 1,
            retryable: 1,
            permanent: 1,
            too_large: 1,
            items_delivered: 18,
            items_rejected: 2,
            ..ExportCounts::default()
        }
    );
    assert_eq!(counts.attempts(), 5);
}

#[test]
fn a_server_that_rejects_more_than_it_was_sent_is_believed_up_to_that() {
    let lie = Outcome::partly_rejected(u64::MAX, String::new());
    let exporter = scripted([Step::Answer(lie)]);

    drop(export(&exporter, 3));

    let counts = exporter.counter().snapshot();
    assert_eq!((counts.items_rejected, counts.items_delivered), (3, 0));
}

#[test]
fn an_attempt_is_in_flight_until_its_caller_gives_up() {
    let exporter = scripted([Step::Hang]);
    let counter = exporter.counter();

    let mut attempt = Box::pin(exporter.export(payload(1), Deadline::NEVER));
    assert_eq!(counter.snapshot().attempts(), 0, "a future that was never polled is no attempt");
    assert!(attempt.as_mut().now_or_never().is_none());
    let waiting = counter.snapshot();
    assert_eq!((waiting.in_flight, waiting.abandoned, waiting.attempts()), (1, 0, 1));

    drop(attempt);
    let after = counter.snapshot();
    assert_eq!((after.in_flight, after.abandoned, after.attempts()), (0, 1, 1));
}

#[test]
fn a_panic_of_the_inner_exporter_counts_as_abandoned_and_leaves_the_counts_usable() {
    let exporter = scripted([Step::Panic, Step::Answer(Outcome::delivered())]);

    let caught = catch_unwind(AssertUnwindSafe(|| export(&exporter, 1)));
    assert!(caught.is_err());
    drop(export(&exporter, 4));

    let counts = exporter.counter().snapshot();
    assert_eq!((counts.abandoned, counts.delivered, counts.in_flight), (1, 1, 0));
    assert_eq!(counts.items_delivered, 4);
}

#[test]
fn everything_else_is_the_inner_exporter() {
    let deadline = Deadline::after(Instant::now(), Duration::from_secs(7));
    let exporter = scripted([Step::Answer(Outcome::delivered())]);

    drop(exporter.export(payload(6), deadline).now_or_never().expect("answers at once"));
    let flush = exporter.force_flush(deadline).now_or_never().expect("answers at once");
    let shutdown = exporter.shutdown(deadline).now_or_never().expect("answers at once");

    assert_eq!(flush.unwrap_err().to_string(), "as scripted");
    assert_eq!(shutdown.unwrap_err().to_string(), "as scripted");
    assert_eq!(exporter.component_type(), "scripted_exporter");
    assert_eq!(exporter.destination(), "a script");
    assert_eq!(*exporter.inner().asked.lock(), [(6, deadline)]);
    assert_eq!(*exporter.inner().flushed.lock(), [deadline]);
    assert_eq!(*exporter.inner().shut_down.lock(), [deadline]);
}

#[test]
fn a_handle_goes_on_counting_after_the_exporter_was_boxed_and_counts_from_several_threads() {
    const THREADS: usize = 4;
    const EACH: usize = 1_000;
    let steps = (0..THREADS * EACH).map(|_| Step::Answer(Outcome::delivered()));
    let exporter = scripted(steps);
    let counter = exporter.counter();
    let boxed: BoxedExporter = exporter.boxed();

    std::thread::scope(|scope| {
        for _ in 0..THREADS {
            scope.spawn(|| (0..EACH).for_each(|_| drop(export(&boxed, 2))));
        }
    });

    let counts = counter.snapshot();
    assert_eq!(counts.delivered, 4_000);
    assert_eq!(counts.items_delivered, 8_000);
    assert_eq!(counts.attempts(), 4_000);
}
