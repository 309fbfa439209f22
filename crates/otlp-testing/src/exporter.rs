//! An exporter for pipeline tests: scripted, observed, without a network.

use std::collections::VecDeque;
use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use otlp_core::Payload;
use otlp_core::export::{Deadline, ErrorKind, ExportError, Exporter, Outcome};
use parking_lot::Mutex;
use tokio::sync::watch;

use crate::gate::Gate;
use crate::oracle::{Message, SpanRecord};

/// What one call of [`ScriptedExporter`] does.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub enum Step {
    /// Answers at once.
    Answer(Outcome),
    /// Waits at the gate, then answers. It does not look at the deadline: an exporter that breaks
    /// its contract.
    Hold(Gate, Outcome),
    /// Waits so long on Tokio's clock, then answers.
    Delay(Duration, Outcome),
    /// Waits until the deadline on Tokio's clock, then answers a timeout, as a good exporter does.
    UntilDeadline,
    /// Never answers.
    Hang,
    /// Panics with this text.
    Panic(&'static str),
}

impl From<Outcome> for Step {
    fn from(outcome: Outcome) -> Self {
        Self::Answer(outcome)
    }
}

/// An [`Exporter`] whose outcomes a test decides and whose calls it can read; clones share all.
///
/// Without a script it delivers everything. It works on any Tokio runtime, also on a paused clock.
///
/// ```
/// use otlp_core::export::{ErrorKind, ExportError, Outcome};
/// use otlp_testing::{ScriptedExporter, Step};
///
/// let exporter = ScriptedExporter::new();
/// let busy = Outcome::retryable(ExportError::new(ErrorKind::HttpStatus(503), "busy"));
/// exporter.respond_with([busy.into(), Step::Panic("boom")]);
/// // … give exporter.clone() to the pipeline …
/// assert_eq!(exporter.exports(), 0);
/// ```
#[derive(Clone)]
pub struct ScriptedExporter(Arc<Shared>);

type Decide = Box<dyn FnMut(&Payload) -> Step + Send>;

struct Shared {
    script: Mutex<(VecDeque<Step>, Option<Decide>)>,
    state: watch::Sender<State>,
}

#[derive(Debug, Default)]
struct State {
    calls: Vec<Call>,
    now: usize,
    most: usize,
    finished: usize,
    flushes: usize,
    shutdowns: usize,
}

#[derive(Clone, Debug)]
struct Call {
    payload: Payload,
    deadline: Deadline,
    /// Items that the outcome took; known when the call has ended.
    delivered: Option<usize>,
}

impl Default for ScriptedExporter {
    fn default() -> Self {
        Self::new()
    }
}

impl ScriptedExporter {
    /// An exporter that delivers everything.
    #[must_use]
    pub fn new() -> Self {
        let state = watch::Sender::new(State::default());
        Self(Arc::new(Shared { script: Mutex::default(), state }))
    }

    /// Sets what the next calls do, in order; after that, every call delivers.
    pub fn respond_with(&self, steps: impl IntoIterator<Item = Step>) {
        *self.0.script.lock() = (steps.into_iter().collect(), None);
    }

    /// Asks `decide` what each call does. It runs under a lock: it must not wait.
    pub fn respond_by(&self, decide: impl FnMut(&Payload) -> Step + Send + 'static) {
        *self.0.script.lock() = (VecDeque::new(), Some(Box::new(decide)));
    }

    fn next(&self, payload: &Payload) -> Step {
        let (queue, decide) = &mut *self.0.script.lock();
        match (queue.pop_front(), decide) {
            (Some(step), _) => step,
            (None, Some(decide)) => decide(payload),
            (None, None) => Outcome::delivered().into(),
        }
    }
}

/// What was exported.
impl ScriptedExporter {
    /// The payloads of all calls, in order, whatever their outcome.
    #[must_use]
    pub fn payloads(&self) -> Vec<Payload> {
        self.0.state.borrow().calls.iter().map(|call| call.payload.clone()).collect()
    }

    /// The payloads of the calls that delivered all or part.
    #[must_use]
    pub fn delivered_payloads(&self) -> Vec<Payload> {
        let state = self.0.state.borrow();
        let delivered = state.calls.iter().filter(|call| call.delivered.is_some());
        delivered.map(|call| call.payload.clone()).collect()
    }

    /// The deadlines of all calls, in order.
    #[must_use]
    pub fn deadlines(&self) -> Vec<Deadline> {
        self.0.state.borrow().calls.iter().map(|call| call.deadline).collect()
    }

    /// The payloads of all calls as the oracle decodes them.
    ///
    /// # Panics
    ///
    /// One of them does not decode: it is not valid OTLP.
    #[must_use]
    pub fn messages(&self) -> Vec<Message> {
        self.payloads().iter().map(decoded).collect()
    }

    /// The spans that were delivered, as the oracle decodes them; after a partial rejection without
    /// as many at the end as were rejected.
    ///
    /// # Panics
    ///
    /// A delivered payload does not decode: it is not valid OTLP.
    #[must_use]
    pub fn spans(&self) -> Vec<SpanRecord> {
        let calls = self.0.state.borrow().calls.clone();
        let delivered = calls.into_iter().filter_map(|call| Some((call.payload, call.delivered?)));
        delivered
            .flat_map(|(payload, take)| decoded(&payload).spans().into_iter().take(take))
            .collect()
    }

    /// Items of any signal that were delivered.
    #[must_use]
    pub fn delivered(&self) -> usize {
        self.0.state.borrow().delivered()
    }

    /// Calls of `export` so far.
    #[must_use]
    pub fn exports(&self) -> usize {
        self.0.state.borrow().calls.len()
    }

    /// Calls of `export` that have ended, by an outcome, a panic or by being dropped.
    #[must_use]
    pub fn finished(&self) -> usize {
        self.0.state.borrow().finished
    }

    /// Calls of `export` that run at this moment.
    #[must_use]
    pub fn concurrent(&self) -> usize {
        self.0.state.borrow().now
    }

    /// The most calls of `export` that ran at the same time.
    #[must_use]
    pub fn concurrent_max(&self) -> usize {
        self.0.state.borrow().most
    }

    /// Calls of `force_flush`.
    #[must_use]
    pub fn flushes(&self) -> usize {
        self.0.state.borrow().flushes
    }

    /// Calls of `shutdown`.
    #[must_use]
    pub fn shutdowns(&self) -> usize {
        self.0.state.borrow().shutdowns
    }

    /// Waits until `count` calls of `export` have begun. It has no timeout of its own, so that it
    /// disturbs no paused clock.
    pub async fn exports_reach(&self, count: usize) {
        self.until(|state| state.calls.len() >= count).await;
    }

    /// Waits until `count` calls of `export` have ended.
    pub async fn finished_reach(&self, count: usize) {
        self.until(|state| state.finished >= count).await;
    }

    /// Waits until `count` items were delivered.
    pub async fn delivered_reach(&self, count: usize) {
        self.until(|state| state.delivered() >= count).await;
    }

    /// Waits until `count` calls run at the same time.
    pub async fn concurrent_reach(&self, count: usize) {
        self.until(|state| state.now >= count).await;
    }

    async fn until(&self, reached: impl Fn(&State) -> bool) {
        let mut state = self.0.state.subscribe();
        // The sender lives as long as this exporter, so the wait cannot fail.
        let _ = state.wait_for(|state| reached(state)).await;
    }
}

impl State {
    fn delivered(&self) -> usize {
        self.calls.iter().filter_map(|call| call.delivered).sum()
    }
}

impl Exporter for ScriptedExporter {
    async fn export(&self, payload: Payload, deadline: Deadline) -> Outcome {
        let call = Running::begin(self, &payload, deadline);
        if self.shutdowns() > 0 {
            return shut_down();
        }
        let outcome = match self.next(&payload) {
            Step::Answer(outcome) => outcome,
            Step::Hold(gate, outcome) => {
                gate.opened().await;
                outcome
            }
            Step::Delay(delay, outcome) => {
                tokio::time::sleep(delay).await;
                outcome
            }
            Step::UntilDeadline => timed_out(deadline).await,
            Step::Hang => std::future::pending().await,
            Step::Panic(text) => panicking(text),
        };
        call.delivered(&outcome, payload.items());
        outcome
    }

    async fn force_flush(&self, _deadline: Deadline) -> Result<(), ExportError> {
        self.0.state.send_modify(|state| state.flushes += 1);
        Ok(())
    }

    async fn shutdown(&self, _deadline: Deadline) -> Result<(), ExportError> {
        self.0.state.send_modify(|state| state.shutdowns += 1);
        Ok(())
    }

    fn component_type(&self) -> &'static str {
        "scripted_exporter"
    }
}

impl fmt::Debug for ScriptedExporter {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("ScriptedExporter").field(&*self.0.state.borrow()).finish()
    }
}

/// One call while it runs; it also ends when the caller drops it or the script panics.
struct Running<'a> {
    exporter: &'a ScriptedExporter,
    number: usize,
}

impl<'a> Running<'a> {
    fn begin(exporter: &'a ScriptedExporter, payload: &Payload, deadline: Deadline) -> Self {
        let mut number = 0;
        exporter.0.state.send_modify(|state| {
            number = state.calls.len();
            state.calls.push(Call { payload: payload.clone(), deadline, delivered: None });
            state.now += 1;
            state.most = state.most.max(state.now);
        });
        Self { exporter, number }
    }

    fn delivered(&self, outcome: &Outcome, items: usize) {
        let delivered = match outcome {
            Outcome::Delivered { .. } => Some(items),
            Outcome::PartlyRejected { rejected, .. } => {
                Some(items.saturating_sub(usize::try_from(*rejected).unwrap_or(usize::MAX)))
            }
            _ => None,
        };
        self.exporter.0.state.send_modify(|state| {
            if let Some(call) = state.calls.get_mut(self.number) {
                call.delivered = delivered;
            }
        });
    }
}

impl Drop for Running<'_> {
    fn drop(&mut self) {
        self.exporter.0.state.send_modify(|state| {
            state.now = state.now.saturating_sub(1);
            state.finished += 1;
        });
    }
}

fn shut_down() -> Outcome {
    Outcome::permanent(ExportError::new(ErrorKind::AlreadyShutdown, "the exporter is shut down"))
}

async fn timed_out(deadline: Deadline) -> Outcome {
    match deadline.instant() {
        Some(at) => tokio::time::sleep_until(at.into()).await,
        None => std::future::pending().await,
    }
    Outcome::retryable(ExportError::new(ErrorKind::Timeout, "the deadline passed"))
}

#[expect(clippy::panic, reason = "the panic is what the test has asked for")]
fn panicking(text: &str) -> ! {
    panic!("{text}")
}

#[expect(clippy::panic, reason = "bytes that are not OTLP fail the test that looks at them")]
fn decoded(payload: &Payload) -> Message {
    match Message::of(payload) {
        Ok(message) => message,
        Err(error) => panic!("the payload is not valid OTLP: {error}"),
    }
}
