//! One batch to several nodes, each of which has it or does not.

use std::fmt;
use std::panic::AssertUnwindSafe;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::{Duration, Instant};

use futures_util::FutureExt as _;
use futures_util::future::join_all;
use otlp_core::export::retry::{RetryPolicy, Throttle};
use otlp_core::export::{Deadline, ErrorKind, ExportError, Outcome};
use tokio::sync::watch;

use crate::clock::now;
use crate::consumer::{Answer, Batch, Consumer, SharedConsumer};
use crate::seldom::Seldom;
use crate::under_way::UnderWay;

/// Hands each batch to several nodes at the same time. They share its bytes.
///
/// What none of them takes is answered for as they answer, so that the client may repeat it. What some take
/// and others could take later is theirs only: the batch is tried again with those others, until the deadline
/// or [`PATIENCE`](Self::PATIENCE), whichever comes first, and a healthy branch never sees it twice. What a
/// branch has not taken by then is counted as its [loss](Self::lost) and said in the log, and the answer is a success
/// with a warning: the others have it, and a repetition would give it to them again. A branch that has not
/// answered at all by then goes on with nobody waiting, and is counted by what it answers. A branch that was waited for in
/// vain is asked once for each batch until it takes one again, so that it holds up nobody for longer than once.
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
    branches: Vec<Arc<Branch>>,
    /// Branches that are no longer waited for, and that have not answered yet.
    late: UnderWay,
}

#[derive(Debug)]
struct Branch {
    name: String,
    consumer: SharedConsumer,
    lost: AtomicU64,
    /// Whether it was waited for in vain, and has taken nothing since.
    is_away: AtomicBool,
    said: Seldom,
}

/// When a branch has taken a batch, and until when the others are waited for.
type Until = watch::Sender<Option<Instant>>;

impl FanOut {
    /// How long a batch that some branches have is tried with the others.
    pub const PATIENCE: Duration = Duration::from_secs(5);

    /// A node in front of these, each with a name for messages.
    #[must_use]
    pub fn new(branches: impl IntoIterator<Item = (String, SharedConsumer)>) -> Self {
        let branch = |(name, consumer)| Branch {
            name,
            consumer,
            lost: AtomicU64::new(0),
            is_away: AtomicBool::new(false),
            said: Seldom::new(),
        };
        let branches = branches.into_iter().map(branch).map(Arc::new).collect();
        Self { branches, late: UnderWay::default() }
    }

    /// Waits until every branch has answered, also those that nobody waits for.
    pub(crate) async fn until_empty(&self) {
        self.late.until_empty().await;
    }

    /// Items that a branch has lost while another has them, by the names of the branches.
    pub fn lost(&self) -> impl Iterator<Item = (&str, u64)> {
        let lost = |branch: &Branch| branch.lost.load(Ordering::Relaxed);
        self.branches.iter().map(move |branch| (branch.name.as_str(), lost(branch)))
    }

    async fn hand_out(&self, batch: Batch, deadline: Deadline) -> Outcome {
        let until = Until::new(None);
        let first = self
            .branches
            .iter()
            .map(|it| Arc::clone(it).first(batch.clone(), deadline, &until, &self.late));
        let answers = join_all(first).await;
        let Some(until) = *until.borrow() else {
            // None has taken it, so that each was waited for.
            let answers = answers.into_iter().flatten();
            return answers.reduce(worse).unwrap_or_else(Outcome::delivered);
        };
        let until = deadline.min(Deadline::at(until));
        let settled = self.branches.iter().zip(answers);
        let settled = settled.map(|(branch, answer)| async {
            match answer {
                None => Settled::late(),
                Some(answer) => branch.settle(answer, &batch, until).await,
            }
        });
        whole(&join_all(settled).await)
    }
}

/// What became of a batch at a branch, in the end.
struct Settled {
    /// Items that the branch does not have.
    missing: u64,
    warning: Option<String>,
}

impl Settled {
    /// It is under way: what becomes of it is written down when it is known.
    fn late() -> Self {
        Self { missing: 0, warning: Some("not every destination has answered in time".to_owned()) }
    }
}

/// What a client is told: of rejections as many as there are at every branch, since of the others somebody has the
/// items; names and addresses behind the collector stay in its log.
fn whole(settled: &[Settled]) -> Outcome {
    let missing = settled.iter().map(|it| it.missing).min().unwrap_or(0);
    let mut warnings = settled.iter().filter_map(|it| it.warning.clone());
    let Some(first) = warnings.next() else { return Outcome::delivered() };
    let message = match warnings.next() {
        None => first,
        Some(_) => format!("{first}, and others"),
    };
    match missing {
        0 => Outcome::warned(message),
        missing => Outcome::partly_rejected(missing, message),
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

    /// Its first answer, which is not waited for much longer than that of another branch that has taken the batch.
    /// `None` if it was not waited for any longer: then it is written down when it comes.
    async fn first(
        self: Arc<Self>,
        batch: Batch,
        deadline: Deadline,
        until: &Until,
        late: &UnderWay,
    ) -> Option<Outcome> {
        let items = batch.payload().items();
        let branch = Arc::clone(&self);
        let mut taking = Box::pin(async move { branch.take(batch, deadline).await });
        let answer = tokio::select! {
            answer = &mut taking => answer,
            () = self.over(until) => {
                self.is_away.store(true, Ordering::Relaxed);
                let trip = late.begin();
                tokio::spawn(async move {
                    let answer = taking.await;
                    self.is_away.store(!is_taken(&answer), Ordering::Relaxed);
                    // A warning is too late for whoever sent it; a loss is counted and said.
                    self.note(&answer, items);
                    drop(trip);
                });
                return None;
            }
        };
        if is_taken(&answer) {
            let at = now().checked_add(FanOut::PATIENCE).unwrap_or_else(now);
            until.send_if_modified(|until| {
                let is_first = until.is_none();
                until.get_or_insert(at);
                is_first
            });
        }
        Some(answer)
    }

    /// Waits until this branch is not to be waited for any longer, which begins when another has taken the batch.
    async fn over(&self, until: &Until) {
        let mut others = until.subscribe();
        let at = others.wait_for(Option::is_some).await.ok().and_then(|at| *at);
        match at {
            // Who has kept others waiting in vain does so no more.
            Some(_) if self.is_away.load(Ordering::Relaxed) => tokio::time::sleep(SHORT).await,
            Some(at) => tokio::time::sleep_until(at.into()).await,
            None => std::future::pending().await,
        }
    }

    /// What became of the batch here, while another branch has it.
    async fn settle(&self, answer: Outcome, batch: &Batch, until: Deadline) -> Settled {
        let answer = self.insist(answer, batch, until).await;
        self.is_away.store(matches!(answer, Outcome::Retryable { .. }), Ordering::Relaxed);
        self.note(&answer, batch.payload().items())
    }

    /// Tries again what may be taken later, until the time is over.
    async fn insist(&self, mut answer: Outcome, batch: &Batch, until: Deadline) -> Outcome {
        let mut throttle = Throttle::new(policy());
        while let Outcome::Retryable { retry_after, .. } = &answer {
            let now = now();
            let next = throttle.on_failure(now, now, *retry_after, rand::random());
            if until.has_passed(next) || self.is_away.load(Ordering::Relaxed) {
                break;
            }
            tokio::time::sleep_until(next.into()).await;
            answer = self.take(batch.clone().repeated(), until).await;
        }
        answer
    }

    /// Counts what this branch has not taken, and says it.
    fn note(&self, answer: &Outcome, items: usize) -> Settled {
        match answer {
            Outcome::Delivered { warning, .. } => Settled { missing: 0, warning: warning.clone() },
            // The destination took it and counts what it rejects.
            Outcome::PartlyRejected { rejected, message, .. } => {
                Settled { missing: *rejected, warning: Some(message.clone()) }
            }
            refused => {
                let lost = items as u64;
                self.lost.fetch_add(lost, Ordering::Relaxed);
                self.said.warn(|| {
                    let why = refused.error().map(ToString::to_string).unwrap_or_default();
                    format!("{} has not taken {lost} items that others have: {why}", self.name)
                });
                let warning = "not every destination has taken it".to_owned();
                Settled { missing: lost, warning: Some(warning) }
            }
        }
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

/// For the answer of a branch that was waited for in vain before.
const SHORT: Duration = Duration::from_millis(100);
const FIRST_WAIT: Duration = Duration::from_millis(50);
const LONGEST_WAIT: Duration = Duration::from_secs(1);

#[cfg(test)]
mod tests {
    use std::collections::VecDeque;

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
            assert_eq!(warning, "not every destination has taken it", "names stay in the log");
        }
        assert_eq!((healthy.calls(), lost(&node)), (2, vec![0, 2]));
    }

    #[tokio::test(start_paused = true)]
    async fn a_branch_that_was_waited_for_in_vain_holds_up_nobody_until_it_takes_again() {
        let (healthy, sick) = (Scripted::new([]), Scripted::new([]));
        *sick.answers.lock() = std::iter::repeat_n(Some(busy()), 100).collect();
        let node = both(&healthy, &sick);
        let took = |begun: Clock| begun.elapsed();
        let begun = Clock::now();
        assert!(is_taken(&consume(&node).await));
        assert!(took(begun) > FanOut::PATIENCE / 2);
        let (begun, asked) = (Clock::now(), sick.calls());
        for _ in 0..10 {
            assert!(is_taken(&consume(&node).await));
        }
        assert_eq!((took(begun), sick.calls()), (Duration::ZERO, asked + 10));
        sick.answers.lock().clear();
        assert!(is_taken(&consume(&node).await));
        *sick.answers.lock() = [Some(busy())].into();
        assert!(matches!(consume(&node).await, Outcome::Delivered { warning: None, .. }));
        assert_eq!(lost(&node), [0, 11], "it is waited for again");
    }

    /// Answers after a minute.
    #[derive(Debug)]
    struct Slow(Outcome);

    impl Consumer for Slow {
        fn consume(&self, _batch: Batch, _deadline: Deadline) -> Answer<'_> {
            Box::pin(async {
                tokio::time::sleep(Duration::from_secs(60)).await;
                self.0.clone()
            })
        }
    }

    #[tokio::test(start_paused = true)]
    async fn a_branch_that_does_not_answer_keeps_the_clients_of_others_for_a_while_and_then_no_more()
     {
        for (answer, lost_by_it) in [(busy(), 2), (bad(), 2), (Outcome::delivered(), 0)] {
            let branches: [(String, SharedConsumer); 2] =
                [("one".into(), Scripted::new([])), ("other".into(), Arc::new(Slow(answer)))];
            let node = FanOut::new(branches);
            let begun = Clock::now();
            assert!(is_taken(&consume(&node).await));
            assert_eq!(begun.elapsed(), FanOut::PATIENCE);
            assert!(is_taken(&consume(&node).await));
            assert_eq!(begun.elapsed(), FanOut::PATIENCE + SHORT);
            assert_eq!(lost(&node), [0, 0], "nobody knows yet");
            node.until_empty().await;
            assert_eq!(lost(&node), [0, lost_by_it]);
        }
    }

    #[tokio::test(start_paused = true)]
    async fn what_every_branch_rejects_is_rejected() {
        let reject =
            |items| Scripted::new([Some(Outcome::partly_rejected(items, "old".to_owned()))]);
        for (one, other, told) in [
            (reject(3), reject(2), Some(2)),
            (reject(3), Scripted::new([]), None),
            // The batch has one item, and that branch has none of it.
            (reject(3), Scripted::new([Some(bad())]), Some(1)),
        ] {
            let answer = consume(&both(&one, &other)).await;
            let rejected = match answer {
                Outcome::PartlyRejected { rejected, .. } => Some(rejected),
                _ => None,
            };
            assert_eq!(rejected, told);
        }
    }

    #[tokio::test(start_paused = true)]
    async fn what_a_branch_refuses_for_good_or_panics_at_is_counted_at_once() {
        let rejects = Outcome::partly_rejected(1, "too old".to_owned());
        for (answer, said, lost_by_it) in [
            (Some(bad()), "not every destination has taken it", 1),
            (None, "not every destination has taken it", 1),
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
