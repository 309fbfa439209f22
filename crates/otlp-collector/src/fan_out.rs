//! One batch to several nodes, each of which has it or does not.

use std::fmt;
use std::panic::AssertUnwindSafe;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use futures_util::FutureExt as _;
use futures_util::future::join_all;
use otlp_core::export::retry::{RetryPolicy, Throttle};
use otlp_core::export::{Deadline, ErrorKind, ExportError, Outcome};

use crate::clock::now;
use crate::consumer::{Answer, Batch, Consumer, SharedConsumer};

/// Hands each batch to several nodes at the same time. They share its bytes.
///
/// What none of them takes is answered for as they answer, so that the client may repeat it. What some take
/// and others could take later is theirs only: the batch is tried again with those others, until the deadline
/// or [`PATIENCE`](Self::PATIENCE), whichever comes first, and a healthy branch never sees it twice. What a
/// branch has not taken by then is counted as its [loss](Self::lost), and the answer is a success with a warning
/// that says so: the others have it, and a repetition would give it to them again.
///
/// ```
/// use std::sync::Arc;
/// use otlp_collector::consumer::SharedConsumer;
/// use otlp_collector::fan_out::FanOut;
///
/// fn to_both(one: SharedConsumer, other: SharedConsumer) -> SharedConsumer {
///     Arc::new(FanOut::new([("traces/backend".into(), one), ("traces/archive".into(), other)]))
/// }
/// # let _ = to_both;
/// ```
pub struct FanOut {
    branches: Vec<Branch>,
}

#[derive(Debug)]
struct Branch {
    name: String,
    consumer: SharedConsumer,
    lost: AtomicU64,
}

impl FanOut {
    /// How long a batch that some branches have is tried with the others.
    pub const PATIENCE: Duration = Duration::from_secs(5);

    /// A node in front of these, each with a name for messages.
    #[must_use]
    pub fn new(branches: impl IntoIterator<Item = (String, SharedConsumer)>) -> Self {
        let branch = |(name, consumer)| Branch { name, consumer, lost: AtomicU64::new(0) };
        Self { branches: branches.into_iter().map(branch).collect() }
    }

    /// Items that a branch has lost while another has them, by the names of the branches.
    pub fn lost(&self) -> impl Iterator<Item = (&str, u64)> {
        let lost = |branch: &Branch| branch.lost.load(Ordering::Relaxed);
        self.branches.iter().map(move |branch| (branch.name.as_str(), lost(branch)))
    }

    async fn hand_out(&self, batch: Batch, deadline: Deadline) -> Outcome {
        let answers =
            join_all(self.branches.iter().map(|it| it.take(batch.clone(), deadline))).await;
        if !answers.iter().any(is_taken) {
            return answers.into_iter().reduce(worse).unwrap_or_else(Outcome::delivered);
        }
        let until = deadline.within(now(), Some(Self::PATIENCE));
        let settled = self.branches.iter().zip(answers).map(|(branch, answer)| {
            let batch = batch.clone();
            async move { (branch, branch.insist(answer, batch, until).await) }
        });
        let settled = join_all(settled).await;
        let items = batch.payload().items();
        let warnings: Vec<_> = settled
            .into_iter()
            .filter_map(|(branch, answer)| branch.note(&answer, items))
            .collect();
        match warnings.is_empty() {
            true => Outcome::delivered(),
            false => Outcome::warned(warnings.join("; ")),
        }
    }
}

impl Consumer for FanOut {
    /// Where one of the branches delivers first, the answer comes after that.
    fn holds(&self) -> bool {
        self.branches.iter().all(|branch| branch.consumer.holds())
    }

    fn consume(&self, batch: Batch, deadline: Deadline) -> Answer<'_> {
        match self.branches.as_slice() {
            [only] => only.consumer.consume(batch, deadline),
            _ => Box::pin(self.hand_out(batch, deadline)),
        }
    }
}

impl Branch {
    async fn take(&self, batch: Batch, deadline: Deadline) -> Outcome {
        let taken = AssertUnwindSafe(async { self.consumer.consume(batch, deadline).await });
        taken.catch_unwind().await.unwrap_or_else(|_panic| {
            Outcome::permanent(ExportError::new(ErrorKind::Panic, "the node panicked"))
        })
    }

    /// Tries again what may be taken later, until the time is over.
    async fn insist(&self, mut answer: Outcome, batch: Batch, until: Deadline) -> Outcome {
        let mut throttle = Throttle::new(policy());
        while let Outcome::Retryable { retry_after, .. } = &answer {
            let now = now();
            let next = throttle.on_failure(now, now, *retry_after, rand::random());
            if until.has_passed(next) {
                break;
            }
            tokio::time::sleep_until(next.into()).await;
            answer = self.take(batch.clone(), until).await;
        }
        answer
    }

    /// Counts what this branch has not taken, and says it.
    fn note(&self, answer: &Outcome, items: usize) -> Option<String> {
        let (lost, why) = match answer {
            Outcome::Delivered { warning, .. } => return warning.clone(),
            // The destination took it and counts what it rejects.
            Outcome::PartlyRejected { rejected, message, .. } => {
                return Some(format!(
                    "{} has rejected {rejected} of {items} items: {message}",
                    self.name
                ));
            }
            refused => {
                let why = refused.error().map(ToString::to_string).unwrap_or_default();
                (items as u64, why)
            }
        };
        self.lost.fetch_add(lost, Ordering::Relaxed);
        Some(format!("{} has not taken {lost} of {items} items: {why}", self.name))
    }
}

fn is_taken(outcome: &Outcome) -> bool {
    matches!(outcome, Outcome::Delivered { .. } | Outcome::PartlyRejected { .. })
}

/// Of two refusals, the one that leaves more hope; of two such, the longer wait.
fn worse(one: Outcome, other: Outcome) -> Outcome {
    match (&one, &other) {
        (
            Outcome::Retryable { retry_after: first, .. },
            Outcome::Retryable { retry_after: second, .. },
        ) => {
            if first >= second {
                one
            } else {
                other
            }
        }
        (Outcome::Retryable { .. }, _) => one,
        (_, Outcome::Retryable { .. }) => other,
        _ => one,
    }
}

fn policy() -> RetryPolicy {
    RetryPolicy::default().with_initial_backoff(FIRST_WAIT).with_max_backoff(LONGEST_WAIT)
}

impl fmt::Debug for FanOut {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_list().entries(self.branches.iter().map(|branch| &branch.name)).finish()
    }
}

const FIRST_WAIT: Duration = Duration::from_millis(50);
const LONGEST_WAIT: Duration = Duration::from_secs(1);

#[cfg(test)]
mod tests {
    use std::collections::VecDeque;
    use std::sync::Arc;

    use otlp_core::{Payload, Signal};
    use parking_lot::Mutex;
    use tokio::time::Instant as Clock;

    use super::*;
    use crate::admission::Budget;

    /// Answers as it is told, then takes everything; counts what it was given.
    #[derive(Debug, Default)]
    struct Scripted {
        answers: Mutex<VecDeque<Option<Outcome>>>,
        calls: AtomicU64,
    }

    impl Scripted {
        /// `None` is a panic.
        fn new(answers: impl IntoIterator<Item = Option<Outcome>>) -> Arc<Self> {
            let answers = Mutex::new(answers.into_iter().collect());
            Arc::new(Self { answers, calls: AtomicU64::new(0) })
        }

        fn always(answer: &Outcome) -> Arc<Self> {
            Self::new(std::iter::repeat_n(Some(answer.clone()), 10_000))
        }

        fn calls(&self) -> u64 {
            self.calls.load(Ordering::Relaxed)
        }
    }

    impl Consumer for Scripted {
        fn consume(&self, _batch: Batch, _deadline: Deadline) -> Answer<'_> {
            self.calls.fetch_add(1, Ordering::Relaxed);
            let answer =
                self.answers.lock().pop_front().unwrap_or_else(|| Some(Outcome::delivered()));
            Box::pin(async move { answer.expect("told to panic") })
        }
    }

    fn busy() -> Outcome {
        Outcome::retryable(ExportError::new(ErrorKind::Other, "the queue is full"))
    }

    fn bad() -> Outcome {
        Outcome::permanent(ExportError::new(ErrorKind::Other, "bad data"))
    }

    fn both(one: &Arc<Scripted>, other: &Arc<Scripted>) -> FanOut {
        let branches: [(String, SharedConsumer); 2] =
            [("one".into(), Arc::clone(one) as _), ("other".into(), Arc::clone(other) as _)];
        FanOut::new(branches)
    }

    fn batch() -> Batch {
        // A span of no bytes.
        let request: &[u8] = &[0x0a, 4, 0x12, 2, 0x12, 0];
        Batch::without_ticket(Payload::from_request(Signal::Traces, request.to_vec()).unwrap())
    }

    async fn consume(node: &FanOut) -> Outcome {
        node.consume(batch(), Deadline::NEVER).await
    }

    fn lost(node: &FanOut) -> Vec<u64> {
        node.lost().map(|(_, lost)| lost).collect()
    }

    #[tokio::test(start_paused = true)]
    async fn what_all_take_is_delivered_and_what_none_takes_is_refused() {
        let node = both(&Scripted::new([]), &Scripted::new([]));
        assert!(matches!(consume(&node).await, Outcome::Delivered { warning: None, .. }));
        for (one, other, may_be_repeated) in [
            (busy(), busy(), true),
            (bad(), busy(), true),
            (busy(), bad(), true),
            (bad(), bad(), false),
        ] {
            let node = both(&Scripted::always(&one), &Scripted::always(&other));
            let answer = consume(&node).await;
            assert_eq!(matches!(answer, Outcome::Retryable { .. }), may_be_repeated, "{answer:?}");
            assert_eq!(lost(&node), [0, 0], "it is still the client's");
        }
    }

    #[tokio::test(start_paused = true)]
    async fn only_the_branch_that_failed_is_tried_again() {
        let healthy = Scripted::new([]);
        let sick = Scripted::new([Some(busy()), Some(busy()), Some(busy())]);
        let node = both(&healthy, &sick);
        assert!(matches!(consume(&node).await, Outcome::Delivered { warning: None, .. }));
        assert_eq!((healthy.calls(), sick.calls(), lost(&node)), (1, 4, vec![0, 0]));
    }

    #[tokio::test(start_paused = true)]
    async fn what_a_branch_never_takes_is_counted_and_told_in_time() {
        let (healthy, dead) = (Scripted::new([]), Scripted::always(&busy()));
        let node = both(&healthy, &dead);
        for (deadline, most) in [(None, FanOut::PATIENCE), (Some(1), Duration::from_secs(1))] {
            let begun = Clock::now();
            let deadline = deadline.map_or(Deadline::NEVER, |seconds| {
                Deadline::after(begun.into_std(), Duration::from_secs(seconds))
            });
            let answer = node.consume(batch(), deadline).await;
            assert!(begun.elapsed() <= most, "{:?}", begun.elapsed());
            let Outcome::Delivered { warning: Some(warning), .. } = answer else { panic!() };
            assert_eq!(warning, "other has not taken 1 of 1 items: the queue is full");
        }
        assert_eq!((healthy.calls(), lost(&node)), (2, vec![0, 2]));
    }

    #[tokio::test(start_paused = true)]
    async fn what_a_branch_refuses_for_good_or_panics_at_is_counted_at_once() {
        let rejects = Outcome::partly_rejected(1, "too old".to_owned());
        for (answer, said, lost_by_it) in [
            (Some(bad()), "bad data", 1),
            (None, "the node panicked", 1),
            // It took the batch, and counts what it rejects itself.
            (Some(rejects), "too old", 0),
        ] {
            let sick = Scripted::new([answer]);
            let node = both(&Scripted::new([]), &sick);
            let answer = consume(&node).await;
            let Outcome::Delivered { warning: Some(warning), .. } = answer else { panic!() };
            assert!(warning.ends_with(said), "{warning}");
            assert_eq!((sick.calls(), lost(&node)), (1, vec![0, lost_by_it]));
        }
    }

    #[tokio::test(start_paused = true)]
    async fn the_bytes_are_held_until_the_last_branch_has_ended() {
        let budget = Budget::new(10);
        let node = both(&Scripted::new([]), &Scripted::new([Some(busy())]));
        let held = Batch::new(batch().payload().clone(), budget.take(10).unwrap());
        let consumed = node.consume(held, Deadline::NEVER);
        assert_eq!(budget.used(), 10);
        assert!(is_taken(&consumed.await));
        assert_eq!(budget.used(), 0);
    }
}
